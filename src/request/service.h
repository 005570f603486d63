/* SPDX-License-Identifier: ISC */
/*
 * The u_services table: (application, type) to whoever serves it.
 */
#ifndef REQUEST_SERVICE_H
#define REQUEST_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct destination;
struct service_table;

struct route {
	char *pattern;			/* as written; "" for a local application as a whole */
	size_t fixed;			/* bytes before its '*' */
	struct destination *destination;
	uint64_t timeout_ms;		/* 0: the destination's, else timeouts.request */
	char *name;			/* "application/pattern", in the journal */
	unsigned *number;		/* there; 0: not known yet */
	bool cancel_on_leave;		/* as soon as whoever asked loses its connection */
	bool is_idempotent;		/* may be sent again when it was lost */
	unsigned own_number;		/* what number points to */
	struct route *next;		/* patterns of a service, longest first */
};

struct service_table	*service_table_new(void);
void			 service_table_free(struct service_table *);	/* not the destinations */

/*
 * pattern: a type, or a beginning of types followed by '*'.  A second equal one replaces.
 * Gives the table's route, for what else there is to say of it.
 */
struct route		*service_add(struct service_table *, const char *application,
			    const char *pattern, struct destination *, uint64_t timeout_ms);

/* An application whose handlers are here: serves every type that no route names. */
void			 service_add_local(struct service_table *, const char *application,
			    struct destination *);

/*
 * The exact type first, then the longest pattern, then the local application;
 * NULL: nobody.  Borrowed from the table.
 */
const struct route	*service_find(const struct service_table *, const char *application,
			    size_t application_len, const char *type, size_t type_len);

/* Is it what an application's handlers here serve without being asked to by a route? */
bool			 service_is_local(const struct route *);	/* NULL: nobody; so it is */

/* Its handlers here; NULL: there are none. */
const struct route	*service_find_local(const struct service_table *, const char *application);

/* Is the type itself named, by a route without '*'? */
const struct route	*service_find_exact(const struct service_table *, const char *application,
			    size_t application_len, const char *type, size_t type_len);

#endif
