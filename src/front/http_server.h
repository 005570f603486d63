/* SPDX-License-Identifier: ISC */
/*
 * The HTTP side of a listener: accepts connections, and gives their requests to the
 * services that were added (http_exchange.h).
 */
#ifndef FRONT_HTTP_SERVER_H
#define FRONT_HTTP_SERVER_H

#include "conf/conf.h"

struct admission;
struct http_server;
struct http_service;
struct loop;
struct tls_server;

/* Borrows all of it. */
struct http_server	*http_server_new(struct loop *, const struct conf *, struct admission *);
/* What was answered is still written; who waits to answer is told that its client is gone. */
void			 http_server_free(struct http_server *);

/* One more service, asked behind those added before; borrowed. */
void			 http_server_add(struct http_server *, const struct http_service *);

/* No more requests than those under way: connections end with the next answer. */
void			 http_server_drain(struct http_server *);

/*
 * A connection came in on this listener, which speaks TLS, or not: NULL; as a
 * listener_accept_fn in all else.
 */
void			 http_server_accept(struct http_server *, const struct conf_listener *,
			    struct tls_server *, int fd, const char *address,
			    const char *address_port);

#endif
