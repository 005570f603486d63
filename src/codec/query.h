/* SPDX-License-Identifier: ISC */
/*
 * A query string, or a form's body, as the JSON object that Express makes of it:
 *
 *	a=1&b=two+words		{"a":"1","b":"two words"}
 *	a=1&a=2, a[]=1&a[]=2	{"a":["1","2"]}
 *	a[b]=1&a[c]=2		{"a":{"b":"1","c":"2"}}
 *
 * Names that every JavaScript object has of its own ("__proto__", "constructor", ...) are
 * left out, and so is what comes behind the limits below.
 */
#ifndef CODEC_QUERY_H
#define CODEC_QUERY_H

#include <stddef.h>

#include "base/buf.h"

#define QUERY_PAIRS_MAX 1000
#define QUERY_DEPTH_MAX 5	/* [name] inside one another; what comes behind is one name */
#define QUERY_INDEX_MAX 20	/* a[20]=x is an element of a list, a[21]=x a member "21" */

/* Appends the object.  Any text is fine; what cannot be decoded is taken as it is. */
void	query_add_json(struct buf *, const char *text, size_t len);

#endif
