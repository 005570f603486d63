/* SPDX-License-Identifier: ISC */
/*
 * The HTTP side of a listener: accepts connections, and gives their requests to the
 * services that were added (http_exchange.h).
 */
#ifndef FRONT_HTTP_SERVER_H
#define FRONT_HTTP_SERVER_H

#include <stddef.h>

#include "conf/conf.h"
#include "front/client.h"

struct admission;
struct http_head;
struct http_server;
struct http_service;
struct loop;
struct tls;
struct tls_server;

/* Borrows all of it. */
struct http_server	*http_server_new(struct loop *, const struct conf *, struct admission *);
/* What was answered is still written; who waits to answer is told that its client is gone. */
void			 http_server_free(struct http_server *);

/* A connection on its way to another loop: all that it is, and nothing of the loop it leaves. */
struct http_move {
	int fd;
	struct tls *tls;		/* NULL: plain */
	struct client client;		/* it has its place in the admission count */
	char *bytes;			/* of requests, not looked at; owned */
	size_t len;
};

/* Of a node with several loops. */
struct http_loops {
	unsigned own, n;		/* the number of this loop, and how many there are */
	unsigned (*owner)(const struct http_head *, void *arg);	/* of the loop for a request */
	void (*move)(unsigned to, struct http_move *, void *arg);	/* takes the move */
	void *arg;
};

/* Requests that are for other loops go there, each with its connection.  Borrowed. */
void			 http_server_set_loops(struct http_server *, const struct http_loops *);

/* A connection of another loop goes on here.  Takes the move. */
void			 http_server_adopt(struct http_server *, struct http_move *);
/* It goes on nowhere.  The same. */
void			 http_move_abandon(struct http_move *, struct admission *);

/* One more service, asked behind those added before; borrowed. */
void			 http_server_add(struct http_server *, const struct http_service *);

/* Its limits and times are those of this one from now on. */
void			 http_server_set_conf(struct http_server *, const struct conf *);

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
