/* SPDX-License-Identifier: ISC */
/*
 * The body of an HTTP/1.1 message (RFC 9112 sections 6 and 7.1), of a length that the head
 * tells, or in chunks.
 *
 * As strict as http_parse: sizes are hexadecimal digits alone, every line ends in CR LF,
 * extensions and trailers are well-formed and short, and dropped.
 */
#ifndef CODEC_HTTP_BODY_H
#define CODEC_HTTP_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "codec/http_parse.h"

#define HTTP_BODY_EXTENSIONS_MAX 1024	/* bytes of all chunk extensions of a body */
#define HTTP_BODY_TRAILERS_MAX	 4096	/* bytes of all its trailers */

enum http_body_state {
	HTTP_BODY_DATA,		/* of a known length, or of a chunk */
	HTTP_BODY_SIZE_FIRST,	/* the first digit of a chunk's size */
	HTTP_BODY_SIZE,
	HTTP_BODY_EXTENSION,
	HTTP_BODY_SIZE_LF,	/* behind the CR of the line with the size */
	HTTP_BODY_DATA_CR,	/* behind the data of a chunk */
	HTTP_BODY_DATA_LF,
	HTTP_BODY_TRAILER_FIRST, /* the first byte of a line of the trailers, or of the end */
	HTTP_BODY_TRAILER_NAME,
	HTTP_BODY_TRAILER_VALUE,
	HTTP_BODY_TRAILER_LF,
	HTTP_BODY_END_LF,
	HTTP_BODY_COMPLETE,
	HTTP_BODY_BAD,
};

/* Inside another object; owns nothing. */
struct http_body {
	enum http_body_state state;
	bool is_chunked;
	uint64_t max;		/* bytes that may still come, of data */
	uint64_t left;		/* of the data that was announced */
	unsigned n_digits;	/* of this chunk's size */
	size_t n_extension, n_trailer;	/* bytes so far */
	const char *fault;	/* after an error: why; static text */
};

/*
 * Begins with the body that belongs to this head, whose data may have max bytes.
 * ERR_TOO_BIG: the head tells more.  A request without length and coding has no body.
 */
MUST_USE enum err	http_body_init(struct http_body *, const struct http_head *, uint64_t max);

/*
 * Takes the bytes that come next, in slices of any size, and appends the data among them
 * to out.  *used tells how many were taken: all, unless the body ended before, or after an
 * error (ERR_BAD_HTTP, or ERR_TOO_BIG), which is for good.
 */
MUST_USE enum err	http_body_feed(struct http_body *, const char *, size_t len, size_t *used,
			    struct buf *out);

bool			http_body_is_complete(const struct http_body *);

#endif
