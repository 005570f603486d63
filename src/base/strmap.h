/* SPDX-License-Identifier: ISC */
/*
 * Byte strings to pointers, under a seeded hash: keys may come from anybody.  A table of one key is
 * asked by comparing, without the hash.
 */
#ifndef BASE_STRMAP_H
#define BASE_STRMAP_H

#include <stddef.h>

struct strmap;

struct strmap	*strmap_new(void);
/* free_value may be NULL; so may the map. */
void		 strmap_free(struct strmap *, void (*free_value)(void *));
size_t		 strmap_count(const struct strmap *);

void		*strmap_find(const struct strmap *, const void *key, size_t len);	/* or NULL */
/* The place of the key's value, made if it is not there (then NULL).  The key is copied. */
void	       **strmap_at(struct strmap *, const void *key, size_t len);
void		*strmap_remove(struct strmap *, const void *key, size_t len);	/* its value, or NULL */

/* Calls fn for each value, in no order; fn must not change the map. */
void		 strmap_each(struct strmap *, void (*fn)(void *value, void *arg), void *arg);

/* The same for each key, with a NUL behind it. */
void		 strmap_each_key(const struct strmap *, void (*fn)(const char *key, size_t len,
		    void *arg), void *arg);

#endif
