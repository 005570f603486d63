/* SPDX-License-Identifier: ISC */
/*
 * A list of blocks for each size; sizes are four to a power of two.
 */
#include "base/spares.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/xmalloc.h"

#define SIZE_MIN_BITS	6			/* nothing smaller than 64 bytes */
#define SIZE_MAX_BITS	18			/* larger than 256 KiB: not kept */
#define SIZES		(4 * (SIZE_MAX_BITS - SIZE_MIN_BITS) + 1)
#define KEPT_BYTES	(256 << 10)		/* of one size ... */
#define KEPT_MIN	2			/* ... but that many of each */

#ifdef __SANITIZE_ADDRESS__
#define IS_KEPT false
#else
#define IS_KEPT true
#endif

struct block {
	struct block *next;
};

struct spares {
	struct {
		struct block *first;
		size_t bytes;
		size_t idle_bytes;	/* the least there was since spares_trim() */
	} list[SIZES];
};

struct spares *
spares_new(void)
{
	return xcalloc(1, sizeof(struct spares));
}

void
spares_free(struct spares *s)
{
	struct block *b, *next;

	if (s == NULL)
		return;
	for (size_t i = 0; i < SIZES; i++) {
		for (b = s->list[i].first; b != NULL; b = next) {
			next = b->next;
			free(b);
		}
	}
	free(s);
}

/* The size that n bytes take, by its number; SIZES and above are not kept. */
static size_t
number_of(size_t n)
{
	unsigned bits;

	if (n <= (size_t)1 << SIZE_MIN_BITS)
		return 0;
	bits = 63 - (unsigned)__builtin_clzll(n - 1);
	return 4 * (bits - SIZE_MIN_BITS) + ((n - 1) >> (bits - 2) & 3) + 1;
}

static size_t
size_of(size_t number)
{
	size_t bits = SIZE_MIN_BITS + number / 4;

	return ((size_t)1 << bits) + (number % 4 << (bits - 2));
}

/* A block of this size, by its number. */
static void *
take(struct spares *s, size_t i)
{
	struct block *b = s->list[i].first;

	if (b == NULL)
		return xmalloc(size_of(i));
	s->list[i].first = b->next;
	s->list[i].bytes -= size_of(i);
	if (s->list[i].bytes < s->list[i].idle_bytes)
		s->list[i].idle_bytes = s->list[i].bytes;
	__builtin_prefetch(b->next, 1);	/* mostly more than one is needed */
	return b;
}

void *
spares_take(struct spares *s, size_t n)
{
	size_t i = number_of(n);

	return i < SIZES ? take(s, i) : xmalloc(n);
}

void
spares_give(struct spares *s, void *p, size_t n)
{
	size_t i = number_of(n);
	struct block *b = p;

	if (p == NULL)
		return;
	if (!IS_KEPT || i >= SIZES ||
	    s->list[i].bytes + size_of(i) > (KEPT_BYTES > KEPT_MIN * size_of(i) ? KEPT_BYTES :
	    KEPT_MIN * size_of(i))) {
		free(p);
		return;
	}
	b->next = s->list[i].first;
	s->list[i].first = b;
	s->list[i].bytes += size_of(i);
}

/* Those given back last are used first: what nobody needed is the same, or as good. */
void
spares_trim(struct spares *s)
{
	struct block *b;

	for (size_t i = 0; i < SIZES; i++) {
		for (; s->list[i].idle_bytes > 0; s->list[i].idle_bytes -= size_of(i)) {
			b = s->list[i].first;
			s->list[i].first = b->next;
			s->list[i].bytes -= size_of(i);
			free(b);
		}
		s->list[i].idle_bytes = s->list[i].bytes;
	}
}

size_t
spares_bytes(const struct spares *s)
{
	size_t bytes = 0;

	for (size_t i = 0; i < SIZES; i++)
		bytes += s->list[i].bytes;
	return bytes;
}

void
spares_take_buf(struct spares *s, struct buf *b, size_t n)
{
	size_t i = number_of(n);

	assert(b->cap == 0);
	b->data = i < SIZES ? take(s, i) : xmalloc(n);
	b->cap = i < SIZES ? size_of(i) : n;
}

/* It may have grown to a size between two of ours: then it is free()'s. */
void
spares_give_buf(struct spares *s, struct buf *b)
{
	size_t i = number_of(b->cap);

	if (b->cap >= (size_t)1 << SIZE_MIN_BITS && i < SIZES && size_of(i) == b->cap)
		spares_give(s, b->data, b->cap);
	else
		free(b->data);
	*b = (struct buf){ 0 };
}
