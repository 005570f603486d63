/* SPDX-License-Identifier: ISC */
/*
 * A byte buffer that grows.  Zero-initialised, it is empty and owns nothing.
 *
 * What a buf holds is not limited here: whoever fills it from a peer's bytes
 * checks the limit first.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"

struct buf {
	char	*data;		/* owned; NULL while cap is 0 */
	size_t	 len;		/* bytes in use, from data[0] */
	size_t	 cap;
};

void	 buf_reset(struct buf *, size_t keep);	/* len 0; gives back what is above keep bytes */

/* What follows is here in full since messages are put together of many small pieces. */

/* For buf_free() alone. */
void	 buf_drop(struct buf *);

/* The content; b is then empty, as it mostly was. */
static inline void
buf_free(struct buf *b)
{
	if (b->data != NULL)
		buf_drop(b);
}

/* For buf_reserve() alone. */
void	 buf_grow(struct buf *, size_t n);

/* Room for n more bytes, without using it: writes go to the result, then buf_used(). */
static inline char *
buf_reserve(struct buf *b, size_t n)
{
	if (n > b->cap - b->len || b->cap == 0)
		buf_grow(b, n);
	return b->data + b->len;
}

static inline void
buf_used(struct buf *b, size_t n)
{
	assert(n <= b->cap - b->len);
	b->len += n;
}

static inline void
buf_add(struct buf *b, const void *p, size_t n)
{
	if (n == 0)
		return;
	memcpy(buf_reserve(b, n), p, n);
	b->len += n;
}

static inline void
buf_add_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

static inline void
buf_add_char(struct buf *b, char c)
{
	*buf_reserve(b, 1) = c;
	b->len++;
}

#define BUF_U64_MAX 20	/* digits */

void	 buf_add_u64(struct buf *, uint64_t);	/* decimal */
size_t	 buf_put_u64(char *out, uint64_t);	/* the same to memory; how many digits */
void	 buf_printf(struct buf *, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* A JSON string with its quotes; bytes that are not UTF-8 become U+FFFD (RFC 8259 section 7). */
void	 buf_add_json_string(struct buf *, const char *, size_t);

/* What one of n bytes takes at most, as each of them may become \u001f; and the same to memory. */
#define BUF_JSON_STRING_MAX(n) (6 * (n) + 2)
size_t	 buf_put_json_string(char *out, const char *, size_t n);

void	 buf_consume(struct buf *, size_t n);	/* drop n bytes at the front */
char	*buf_str(struct buf *);			/* NUL behind the content; borrowed */
char	*buf_take(struct buf *);		/* gives the content as a string; b is then empty */

#endif
