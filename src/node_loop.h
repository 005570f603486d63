/* SPDX-License-Identifier: ISC */
/*
 * What one event loop of a node has: its tokens and requests, its links and the tables that
 * lead to them, its front end.  A node has one of these for each loop; nothing
 * of it is reached from another loop.
 */
#ifndef NODE_LOOP_H
#define NODE_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "front/eio_session.h"
#include "front/gate.h"
#include "link/remote.h"
#include "request/request.h"

struct address_rates;
struct admission;
struct conf;
struct conf_listener;
struct destination;
struct jwt_ring;
struct link_set;
struct push;
struct resolver;
struct revoked;
struct service_table;
struct switch_table;
struct tls_server;
struct tls_store;
struct token_cache;

/* What all loops of a node share; all borrowed. */
struct node_shared {
	struct conf *conf;
	struct tls_store *tls;
	struct resolver *resolver;
	struct admission *admission;
	const struct revoked *revoked;
};

/* node.c looks at the parts that other parts of the node are made with. */
struct node_loop {
	const struct node_shared *shared;
	struct conf *conf;		/* shared->conf */
	struct loop *loop;
	struct jwt_ring *ring;
	struct token_cache *tokens;
	struct address_rates *rates;
	struct requests requests;

	struct link_env link_env;
	struct remote **remotes;	/* one for each distinct URL */
	size_t n_remotes;
	struct link_set **link_sets;	/* as conf->destinations */
	struct destination *const *locals;	/* as conf->applications; borrowed */
	struct service_table *services;
	struct switch_table *switches;	/* NULL: no final may lead on */

	struct eio_env eio_env;
	struct eio_endpoint *eio;
	struct gate gate;
	struct qewd_front *front;
	struct plain_front *plain;	/* NULL: no events are configured */
	struct rest_front *rest;
	struct ajax_front *ajax;
	struct http_static *statics;
	struct http_server *http;
};

/* The loop, its tokens and requests, and an empty table of services. */
struct node_loop *node_loop_new(const struct node_shared *);

/*
 * The rest: links, services, front end.  locals serve the applications of this
 * node, in the order of conf->applications.
 */
void		 node_loop_connect(struct node_loop *, struct destination *const *locals);

void		 node_loop_start(struct node_loop *);	/* dials its links */

/* Somebody connected to a listener.  Takes fd. */
void		 node_loop_accept(struct node_loop *, const struct conf_listener *,
		    struct tls_server *, int fd, const char *address, const char *address_port);

/* A push of a handler here or of a node, to whom it concerns on this loop. */
void		 node_loop_push(struct node_loop *, const struct push *);

/*
 * Stopping, in this order.  Draining: no new work, open requests are answered.  Then no final
 * leads on, and nobody is told of idleness.  Ending: links go, sessions get close frames.
 */
void		 node_loop_drain(struct node_loop *);
void		 node_loop_stop_routing(struct node_loop *);
void		 node_loop_end(struct node_loop *);

/* A client that polls may just have been between two polls when its last reply came. */
bool		 node_loop_is_awaited(const struct node_loop *);
void		 node_loop_close_http(struct node_loop *);	/* twice is fine */

/* From the top down, in two steps: what is freed between them serves requests of the first. */
void		 node_loop_close(struct node_loop *);	/* what has connections */
void		 node_loop_free(struct node_loop *);	/* NULL is fine */

#endif
