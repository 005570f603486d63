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

/* Zero-initialised there was no work yet. */
struct heap {
	int64_t cpu_ms;		/* of this process, when it was looked at last */
	unsigned left;		/* times that memory is given back though there was no work */
};

/*
 * Has this process worked since the last time, or the few times before?  Then it is time to give
 * back what is kept for use and not used any more.  While nothing is done nothing is to be freed.
 */
bool	 heap_is_due(struct heap *);

/* Gives free pages back.  From any thread; others that need memory meanwhile may wait. */
void	 heap_trim(void);

#endif
