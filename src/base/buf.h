/* SPDX-License-Identifier: ISC */
/*
 * A byte buffer that grows.  Zero-initialised, it is empty and owns nothing.
 *
 * What a buf holds is not limited here: whoever fills it from a peer's bytes
 * checks the limit first.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct buf {
	char	*data;		/* owned; NULL while cap is 0 */
	size_t	 len;		/* bytes in use, from data[0] */
	size_t	 cap;
};

void	 buf_free(struct buf *);		/* the content; b is then empty */
void	 buf_reset(struct buf *, size_t keep);	/* len 0; gives back what is above keep bytes */

/* Room for n more bytes, without using it: writes go to the result, then buf_used(). */
char	*buf_reserve(struct buf *, size_t n);
void	 buf_used(struct buf *, size_t n);

void	 buf_add(struct buf *, const void *, size_t);
void	 buf_add_str(struct buf *, const char *);
void	 buf_add_char(struct buf *, char);
void	 buf_add_u64(struct buf *, uint64_t);	/* decimal */
void	 buf_printf(struct buf *, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* A JSON string with its quotes; bytes that are not UTF-8 become U+FFFD (RFC 8259 section 7). */
void	 buf_add_json_string(struct buf *, const char *, size_t);

void	 buf_consume(struct buf *, size_t n);	/* drop n bytes at the front */
char	*buf_str(struct buf *);			/* NUL behind the content; borrowed */
char	*buf_take(struct buf *);		/* gives the content as a string; b is then empty */

#endif
