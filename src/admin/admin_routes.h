/* SPDX-License-Identifier: ISC */
/*
 * All routes of a node, and whether anybody serves them now.
 */
#ifndef ADMIN_ADMIN_ROUTES_H
#define ADMIN_ADMIN_ROUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct admin_view;
struct conf_target;

enum admin_route_kind {
	ADMIN_ROUTE_TYPE,	/* messages of an application, by their type */
	ADMIN_ROUTE_PATH,	/* HTTP requests, by their path */
	ADMIN_ROUTE_PREFIX,	/* the same, all paths below one, to a local application */
	ADMIN_ROUTE_LOCAL,	/* what no route names goes to the application itself */
};

/* Texts are borrowed from the configuration. */
struct admin_route {
	enum admin_route_kind kind;
	const char *application;	/* NULL: of paths */
	const char *pattern;		/* of types, or of paths */
	const char *method;		/* of paths; NULL: any */
	const char *destination;	/* NULL: the path names it */
	uint64_t timeout_ms;		/* that counts */
	const char *why;		/* it is not served now; NULL: it is, as far as we know */
};

/* As they are written; those of local applications come last. */
void		 admin_routes_each(const struct admin_view *,
		    void (*fn)(const struct admin_route *, void *arg), void *arg);

/* Its name in the journal, in metrics and in lists of errors; cut if it is longer. */
#define ADMIN_ROUTE_NAME_MAX 512
void		 admin_route_name(const struct admin_route *, char name[ADMIN_ROUTE_NAME_MAX]);

/* Is a link of any loop up, to the destination of this number? */
bool		 admin_routes_is_up(const struct admin_view *, size_t destination);

/* Why nobody serves a target; NULL: it is served.  A group is if any of its members is. */
const char	*admin_routes_fault(const struct admin_view *, const struct conf_target *);

#endif
