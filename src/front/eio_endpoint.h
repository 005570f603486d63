/* SPDX-License-Identifier: ISC */
/*
 * The endpoint of Socket.IO, an HTTP service at socketio.path: checks each request, finds
 * its session or begins one, and hands it over to the transport.
 */
#ifndef FRONT_EIO_ENDPOINT_H
#define FRONT_EIO_ENDPOINT_H

#include <stdbool.h>

struct eio_endpoint;
struct eio_env;
struct http_head;
struct http_service;

/* Borrows env, and makes its table of sessions. */
struct eio_endpoint		*eio_endpoint_new(struct eio_env *);
/* All sessions have ended; those whose clients have not heard of it are forgotten. */
void				 eio_endpoint_free(struct eio_endpoint *);

const struct http_service	*eio_endpoint_service(const struct eio_endpoint *);

/* The loop that serves a request: that of its session, else this one. */
unsigned			 eio_endpoint_owner(const struct http_head *, void *endpoint);

/* Are there packets of sessions that have ended, which their clients have yet to fetch? */
bool				 eio_endpoint_is_awaited(const struct eio_endpoint *);

#endif
