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
	int64_t worked_ms;	/* up to then, since the time before */
	unsigned left;		/* times that memory is given back though there was no work */
};

/*
 * Has this process worked since the last time, or the few times before?  Then it is time to give
 * back what is kept for use and not used any more.  While nothing is done nothing is to be freed.
 */
bool	 heap_is_due(struct heap *);

/* Was there so little work since the time before that a pause hurts hardly anybody? */
bool	 heap_is_quiet(const struct heap *);

/*
 * Gives free pages back.  A pause for all who allocate: a millisecond or two mostly, some ten after
 * a crowd of thousands has left (a microsecond or three for each piece of free memory that has a
 * page in it).
 */
void	 heap_trim(struct heap *);

#endif
