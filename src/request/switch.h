/* SPDX-License-Identifier: ISC */
/*
 * Finals that send their request on: one of a local handler that names a destination and an
 * application ("qewd_destination", "qewd_application") becomes a message to it, and
 * what that answers goes to whoever asked (protocol reference section 13).
 */
#ifndef REQUEST_SWITCH_H
#define REQUEST_SWITCH_H

#include <stdbool.h>

#include "base/compiler.h"

struct destination;
struct reply;
struct request;
struct switch_table;
struct token_cache;

struct switch_table	*switch_table_new(struct token_cache *);	/* borrowed */
void			 switch_table_free(struct switch_table *);	/* not the destinations */

/* A destination that finals may name; borrowed. */
void			 switch_add(struct switch_table *, const char *name, struct destination *);
/* Finals of the local application from may lead to application to. */
void			 switch_permit(struct switch_table *, const char *from, const char *to);

/*
 * Is this final such a one?  Then the request is on its way to the destination, or has
 * ended with an error.
 */
MUST_USE NO_INLINE bool	 switch_final(const struct switch_table *, struct request *,
			    const struct reply *);

#endif
