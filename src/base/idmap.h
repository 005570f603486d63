/* SPDX-License-Identifier: ISC */
/*
 * Numbers that we gave out ourselves, in order, to what they stand for: requests on
 * a link or at a worker.
 *
 * Not for numbers that a peer chooses: their places in the table can be foretold.
 */
#ifndef BASE_IDMAP_H
#define BASE_IDMAP_H

#include <stddef.h>
#include <stdint.h>

struct idmap_entry {
	uint64_t id;		/* 0: free */
	void *value;
};

/* Zero-initialised it is empty. */
struct idmap {
	struct idmap_entry *entry;	/* owned */
	size_t cap;			/* a power of two, or 0 */
	size_t n;
};

void	 idmap_free(struct idmap *);
void	 idmap_add(struct idmap *, uint64_t id, void *value);	/* id is not 0 and not in it */
void	*idmap_find(const struct idmap *, uint64_t id);		/* NULL: not in it */
void	*idmap_remove(struct idmap *, uint64_t id);		/* what it stood for, or NULL */

#endif
