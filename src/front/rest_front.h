/* SPDX-License-Identifier: ISC */
/*
 * An origin: HTTP requests that take REST routes.
 *
 * Each becomes a message, or one for each member of a group, is sent on its way like any
 * other, and its final becomes the answer; intermediate replies have no place in it.
 */
#ifndef FRONT_REST_FRONT_H
#define FRONT_REST_FRONT_H

#include "front/rest_route.h"

struct gate;
struct http_service;
struct rest_front;

/* Borrows the gate, takes the table's reference. */
struct rest_front		*rest_front_new(const struct gate *, struct rest_table *);
/* Requests take the routes of this one from now on.  Takes it, gives the one before. */
struct rest_table		*rest_front_set_table(struct rest_front *, struct rest_table *);
/* When the HTTP server is gone. */
void				 rest_front_free(struct rest_front *);

/*
 * To be added to the HTTP server; borrowed.  The first serves what a route fits; the second,
 * which belongs behind other services, says "no_route" to what only begins like one.
 */
const struct http_service	*rest_front_service(const struct rest_front *);
const struct http_service	*rest_front_fallback(const struct rest_front *);

#endif
