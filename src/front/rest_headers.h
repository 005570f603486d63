/* SPDX-License-Identifier: ISC */
/*
 * Header lines that a handler asked for, checked: nothing in them can end the line, change
 * how the answer is framed, or say what only the connection can.
 */
#ifndef FRONT_REST_HEADERS_H
#define FRONT_REST_HEADERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "codec/json_scan.h"

#define REST_HEADERS_MAX 64		/* lines; what comes behind is left out */
#define REST_HEADER_MAX	 8192		/* bytes of a value; a longer one is left out */

/*
 * v is an object of names and values (texts, numbers, lists of these).  Appends lines with
 * CR LF to extra, and the value of Content-Type to type.  What must not be is left out.
 */
void	rest_headers_add(const char *text, struct json_value v, struct buf *type,
	    struct buf *extra);

/*
 * Set-Cookie with the token; v is {"name":TEXT,"directives":[TEXT...]}, both of which may be
 * absent: "JSESSIONID", "path=/".
 */
void	rest_headers_add_cookie(const char *text, struct json_value v, const char *token,
	    size_t token_len, struct buf *extra);

#endif
