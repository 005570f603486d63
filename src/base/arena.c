/* SPDX-License-Identifier: ISC */
/*
 * A list of blocks; the first is cut from its beginning.
 */
#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"

#define BLOCK_FIRST 4096	/* each next one has twice as much */
#define BLOCK_MAX   65536	/* so that malloc keeps no map of its own for one */
#define ALIGN	    _Alignof(max_align_t)

struct arena_block {
	struct arena_block *next;
	size_t size;		/* of data */
	_Alignas(max_align_t) char data[];
};

/* What is larger than a block gets one of its own. */
static void
add_block(struct arena *a, size_t n)
{
	size_t size = a->block == NULL ? BLOCK_FIRST : 2 * a->block->size;
	struct arena_block *b;

	if (size > BLOCK_MAX)
		size = BLOCK_MAX;
	if (size < n)
		size = n;
	b = xmalloc(sizeof(*b) + size);
	b->next = a->block;
	b->size = size;
	a->block = b;
	a->left = size;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	char *p;

	n = (n + ALIGN - 1) & ~(ALIGN - 1);
	if (n > a->left || a->block == NULL)
		add_block(a, n);
	p = a->block->data + (a->block->size - a->left);
	a->left -= n;
	return memset(p, 0, n);
}

char *
arena_memdup(struct arena *a, const char *bytes, size_t n)
{
	char *copy = arena_alloc(a, n + 1);

	return n > 0 ? memcpy(copy, bytes, n) : copy;
}

char *
arena_strdup(struct arena *a, const char *s)
{
	return arena_memdup(a, s, strlen(s));
}

void
arena_free(struct arena *a)
{
	struct arena_block *b;

	while ((b = a->block) != NULL) {
		a->block = b->next;
		explicit_bzero(b->data, b->size);
		free(b);
	}
	a->left = 0;
}
