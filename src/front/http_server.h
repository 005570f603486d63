/* SPDX-License-Identifier: ISC */
/*
 * The HTTP side of a listener: reads heads, serves the files of "static", and gives
 * what is for the Socket.IO endpoint to eio_accept().
 */
#ifndef FRONT_HTTP_SERVER_H
#define FRONT_HTTP_SERVER_H

#include "conf/conf.h"

struct admission;
struct eio_env;
struct http_server;
struct loop;

/* Borrows all of it. */
struct http_server	*http_server_new(struct loop *, const struct conf *, struct admission *,
			    struct eio_env *);
void			 http_server_free(struct http_server *);	/* aborts what is open */

/* A connection came in on this listener; a listener_accept_fn but for its last argument. */
void			 http_server_accept(struct http_server *, const struct conf_listener *,
			    int fd, const char *address, const char *address_port);

#endif
