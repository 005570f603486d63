/* SPDX-License-Identifier: ISC */
/*
 * What malloc holds free goes back to the system now and then.
 *
 * By itself it gives back the top of the heap alone.  Whoever came and went below something that
 * stays has left pages that are free and yet in memory, and each crowd, each
 * configuration leaves others.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stdbool.h>
#include <stdint.h>

/* Zero-initialised nothing was given back yet. */
struct heap {
	int64_t cpu_ms;		/* of this process, when it was looked at last */
};

/* Gives free pages back.  From any thread; others that need memory meanwhile may wait. */
void	 heap_trim(void);

/*
 * The same, but only if this process has worked since the last time: while nothing is done nothing
 * is freed.  To be called now and then.  Was it done?
 */
bool	 heap_trim_after_work(struct heap *);

#endif
