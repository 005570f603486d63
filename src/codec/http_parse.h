/* SPDX-License-Identifier: ISC */
/*
 * The head of an HTTP/1.1 message (RFC 9112), both directions, strictly.
 *
 * What proxies and servers are known to read differently is refused, not
 * guessed: bare LF or CR, a blank before the colon, folded lines, NUL and other
 * control characters, a missing or second Host, two lengths, a length beside a
 * transfer coding, a coding other than chunked.
 */
#ifndef CODEC_HTTP_PARSE_H
#define CODEC_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

#define HTTP_FIELDS_MAX 100

/* A piece of the head; not NUL-terminated. */
struct http_text {
	const char *p;
	size_t len;
};

struct http_field {
	struct http_text name;
	struct http_text value;	/* without white space around it */
};

/* A parsed head.  Everything points into the bytes given, which are borrowed. */
struct http_head {
	struct http_text method;	/* requests */
	struct http_text target;	/* requests: as sent, origin form ("/...") or "*" */
	struct http_text path, query;	/* requests: around the first '?', still percent-encoded */
	int status;			/* responses */
	int minor;			/* HTTP/1.minor: 0 or 1 */
	struct http_field field[HTTP_FIELDS_MAX];
	size_t n_fields;
	bool keep_alive;		/* by version and Connection */
	bool is_chunked;		/* Transfer-Encoding: chunked */
	int64_t content_length;		/* -1: none given */
	size_t bytes;			/* length of the head with its empty line */
	const char *fault;		/* after ERR_BAD_HTTP: why; static text */
};

/*
 * Where a head ends in the first len bytes of data: the length with the empty
 * line, or 0 if it is not complete.  *scanned, 0 at first, remembers how far
 * an earlier call has looked.  An empty line without its CR ends a head too, so
 * that parsing refuses it at once.
 */
size_t	http_head_end(const char *data, size_t len, size_t *scanned);

/*
 * Parse a head of exactly len bytes, as found by http_head_end().
 * ERR_BAD_HTTP with h->fault set; h->status is then 400, 501 (unknown transfer
 * coding) or 505 (not HTTP/1.x), whichever fits.
 */
MUST_USE enum err	http_parse_request(struct http_head *h, const char *data, size_t len);
MUST_USE enum err	http_parse_response(struct http_head *h, const char *data, size_t len);

/* The value of the only field of this name (any case); NULL if there is none.
 * *n_found, if not NULL, tells how many there are (the first is given). */
const struct http_text	*http_find(const struct http_head *, const char *name, size_t *n_found);

/* Does some field of this name list this token (RFC 9110 section 5.6.1), in any case? */
bool	http_lists(const struct http_head *, const char *name, const char *token);

/* The same text, any case; and byte for byte, as methods are compared. */
bool	http_text_is(struct http_text, const char *);
bool	http_text_equals(struct http_text, const char *);

/* May this be in the name, in the value of a field?  The value of a hex digit, else -1. */
bool	http_is_token(char);
bool	http_is_value(char);
int	http_hex_value(char);

/*
 * The percent-decoded text into out (NUL-terminated, at most cap - 1 bytes), decoded
 * once, "+" left as it is.  false: undecodable, holds a NUL, or longer.
 */
bool	http_decode(struct http_text, char *out, size_t cap);

/*
 * The percent-decoded value of a query parameter, "+" left as it is, into
 * out (NUL-terminated, at most cap - 1 bytes).  false: absent, undecodable, holds
 * a NUL, or longer.  An empty value is given as "".
 */
bool	http_query_get(struct http_text query, const char *name, char *out, size_t cap);

#endif
