/* SPDX-License-Identifier: ISC */
/*
 * Which REST route an HTTP request takes, and whom it leads to.
 *
 * Those of u_services come first, as written, and then the local applications that have
 * a prefix of their own.
 */
#ifndef FRONT_REST_ROUTE_H
#define FRONT_REST_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "codec/http_parse.h"
#include "codec/path_template.h"

struct conf;
struct conf_rest_route;
struct conf_target;
struct destination;
struct rest_table;

/* The destination of a target that is no group. */
typedef struct destination *rest_find_fn(const struct conf_target *, void *arg);

/* Whom a request goes to: one destination, or all that a group leads to, each once. */
struct rest_target {
	bool is_group;
	bool is_application;		/* a local one */
	uint64_t timeout_ms;		/* of the group; 0: not set */
	struct destination **member;	/* at least one */
	size_t n;
};

enum rest_kind {
	REST_NOTHING,			/* no route fits the path */
	REST_NO_METHOD,			/* one does, but not the method */
	REST_ROUTE,			/* of u_services */
	REST_LOCAL,			/* a local application's own */
};

struct rest_match {
	enum rest_kind kind;
	const struct conf_rest_route *route;	/* REST_ROUTE */
	unsigned *number;			/* REST_ROUTE: in the journal; 0: not known yet */
	struct path_vars vars;			/* REST_ROUTE */
	const struct rest_target *target;	/* NULL: ":destination" of the path names nobody */
	struct http_text type;			/* REST_LOCAL: the segment behind the prefix */
	struct http_text rest;			/* REST_LOCAL: what is behind it; p NULL: nothing */
};

/* Holds the configuration; find is called before this returns.  Gives a reference. */
struct rest_table	*rest_table_new(struct conf *, rest_find_fn *find, void *arg);
struct rest_table	*rest_table_ref(struct rest_table *);
void			 rest_table_unref(struct rest_table *);	/* NULL is fine */
bool			 rest_table_is_shared(const struct rest_table *);	/* by two or more */

/* A route of GET takes HEAD too.  The match borrows path and the table. */
void			 rest_table_find(const struct rest_table *, struct http_text method,
			    struct http_text path, struct rest_match *);

/* Does a route begin with the same segment, or an application's prefix with the same ones? */
bool			 rest_table_begins(const struct rest_table *, struct http_text path);

/* Appends the methods that the path takes: "GET, HEAD, OPTIONS". */
void			 rest_table_add_methods(const struct rest_table *, struct http_text path,
			    struct buf *);

#endif
