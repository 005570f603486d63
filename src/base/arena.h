/* SPDX-License-Identifier: ISC */
/*
 * Memory for many small things that end at the same time, such as the tree of a configuration:
 * cut from large blocks, and freed as a whole.  So it costs little, and leaves no holes
 * between what lives longer.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena_block;

/* Zero-initialised it is empty. */
struct arena {
	struct arena_block *block;	/* the one that is being cut; the others follow */
	size_t left;			/* in it */
};

/* Cleared, for any type.  Borrowed from the arena. */
void	*arena_alloc(struct arena *, size_t n);
char	*arena_memdup(struct arena *, const char *, size_t n);	/* one NUL more behind the copy */
char	*arena_strdup(struct arena *, const char *);

/* All of it is gone, and was cleared before: it may hold secrets.  The arena is empty then. */
void	 arena_free(struct arena *);

#endif
