/* SPDX-License-Identifier: ISC */
/*
 * May a page of this origin (RFC 6454) open a session, or read an answer?
 */
#ifndef FRONT_ORIGIN_CHECK_H
#define FRONT_ORIGIN_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "codec/http_parse.h"

struct buf;
struct conf_listener;

/*
 * Its own ("http://" or "https://" and what Host says), or one of the list: exact, "*",
 * or with a host that begins with "*." for any subdomain, or "*" for any port.  "null"
 * never is.  host may be NULL.
 */
bool	origin_check(struct http_text origin, const struct http_text *host, char *const *list,
	    size_t n);

/*
 * The header lines that let the page of this request read its answer, appended if it has an
 * Origin that may come in at this listener.  false: it has one that may not, and the request
 * should be refused; nothing is appended then, nor where there is no Origin at all.
 */
bool	origin_allow_headers(struct buf *, const struct http_head *, const struct conf_listener *);

#endif
