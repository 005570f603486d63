/* SPDX-License-Identifier: ISC */
/*
 * May a page of this origin (RFC 6454) open a session, or read an answer?
 */
#ifndef FRONT_ORIGIN_CHECK_H
#define FRONT_ORIGIN_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "codec/http_parse.h"
#include "front/client.h"

struct buf;
struct http_exchange;

/*
 * Its own ("http://" or "https://", whichever it came by where that is known, and what Host
 * says), or one of the list: exact, "*", or with a host that begins with "*." for any
 * subdomain, or "*" for any port.  "null" never is, nor what is no scheme, host and port.
 * host may be NULL.
 */
bool	origin_check(struct http_text origin, const struct http_text *host, enum client_scheme,
	    char *const *list, size_t n);

/* At most one Origin, in characters that may be sent back in a header line. */
bool	origin_is_clean(const struct http_head *);

/*
 * May the page of this request come in at this listener?  What has no Origin is no page, and
 * may; what is not clean may not, and no page may where nodes come in.
 */
bool	origin_is_permitted(const struct http_head *, const struct client *);

/*
 * Appends the header lines by which a browser lets that page read the answer, if it may come
 * in.  true: it has done so; without an Origin there is nothing to let.
 */
bool	origin_allow_headers(struct buf *, const struct http_head *, const struct client *);

/* on_bad_body() of services whose answers pages read: see http_exchange.h. */
void	origin_refuse_body(struct http_exchange *, int status, const char *text, void *arg);

#endif
