/* SPDX-License-Identifier: ISC */
/*
 * The memory that something will touch: noted while it is at hand, fetched into the processor's
 * caches when its time is near.  Of thousands of clients nothing is there by then, and to find out
 * step by step where it is means to wait for memory at each step.
 *
 * Addresses are hints: nothing is read or written through them, and it does no harm if what was
 * there has been freed.
 */
#ifndef BASE_FOOTPRINT_H
#define BASE_FOOTPRINT_H

#include <stddef.h>

#define FOOTPRINT_MAX	5	/* objects; more are not fetched */
#define FOOTPRINT_LINES 3	/* of each, as its fields that are used most come first */
#define FOOTPRINT_LINE	64	/* bytes of memory that come together */

/* Zero-initialised it is empty. */
struct footprint {
	const void *object[FOOTPRINT_MAX];
	size_t n;
};

static inline void
footprint_add(struct footprint *f, const void *object)
{
	if (f->n < FOOTPRINT_MAX)
		f->object[f->n++] = object;
}

static inline void
footprint_fetch(const struct footprint *f)
{
	for (size_t i = 0; i < f->n; i++)
		for (size_t k = 0; k < FOOTPRINT_LINES; k++)
			__builtin_prefetch((const char *)f->object[i] + k * FOOTPRINT_LINE, 1);
}

#endif
