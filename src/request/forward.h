/* SPDX-License-Identifier: ISC */
/*
 * Picks who serves a request, or refuses it.
 */
#ifndef REQUEST_FORWARD_H
#define REQUEST_FORWARD_H

#include <stdint.h>

struct request;
struct route;
struct service_table;

/*
 * The request's token says which application's routes count.  Its deadline is that of
 * the route, else of the destination, else timeout_ms; left_ms, what remains of
 * the asking node's (UINT64_MAX: it said nothing), if that is earlier.  May end
 * the request before returning.
 */
void	forward(const struct service_table *, struct request *, uint64_t timeout_ms,
	    uint64_t left_ms);

/* The same by this route, whatever those of the token's application say. */
void	forward_by(const struct route *, struct request *, uint64_t timeout_ms, uint64_t left_ms);

#endif
