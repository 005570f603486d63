/* SPDX-License-Identifier: ISC */
/*
 * May a page of this origin (RFC 6454) open a session?
 */
#ifndef FRONT_ORIGIN_CHECK_H
#define FRONT_ORIGIN_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "codec/http_parse.h"

/*
 * Its own ("http://" or "https://" and what Host says), or one of the list: exact, "*",
 * or with a host that begins with "*." for any subdomain, or "*" for any port.  "null"
 * never is.  host may be NULL.
 */
bool	origin_check(struct http_text origin, const struct http_text *host, char *const *list,
	    size_t n);

#endif
