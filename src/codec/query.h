/* SPDX-License-Identifier: ISC */
/*
 * A query string, or a form's body, as the JSON object that Node's querystring, and so
 * Express, makes of it: names mean nothing, and one that comes again makes a list.
 *
 *	a=1&b=two+words		{"a":"1","b":"two words"}
 *	a=1&a=2&a[b]=3		{"a":["1","2"],"a[b]":"3"}
 *
 * What comes behind QUERY_PAIRS_MAX pairs is left out.
 */
#ifndef CODEC_QUERY_H
#define CODEC_QUERY_H

#include <stddef.h>

#include "base/buf.h"

#define QUERY_PAIRS_MAX 1000

/*
 * Appends the object, in a time that grows as the text does.  Any text is fine: a '%' without two
 * digits stands for itself, and what is then no UTF-8 becomes U+FFFD.
 */
void	query_add_json(struct buf *, const char *text, size_t len);

#endif
