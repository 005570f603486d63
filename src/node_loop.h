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
#include <sys/queue.h>

#include "base/timerq.h"
#include "front/eio_session.h"
#include "front/gate.h"
#include "front/http_server.h"
#include "front/qewd_roam.h"
#include "link/remote.h"
#include "request/request.h"

struct address_rates;
struct admission;
struct conf;
struct conf_listener;
struct destination;
struct jwt_ring;
struct link_set;
struct loop_next;
struct overrides;
struct loop;
struct node_plan;
struct node_threads;
struct push;
struct relay_in;
struct relay_out;
struct resolver;
struct revoked;
struct service_table;
struct switch_table;
struct tls_server;
struct token_cache;

/* What all loops of a node share; all borrowed. */
struct node_shared {
	struct resolver *resolver;
	struct admission *admission;
	struct address_rates *rates;
	struct overrides *overrides;	/* changes while all loops stand still */
	const struct revoked *revoked;
	atomic_size_t *n_requests;	/* open ones of all loops; NULL: there is one loop alone */
	struct node_threads *threads;	/* NULL: there is one loop alone */
	struct relay_in *relay;		/* of the first loop; NULL: the same */
	atomic_size_t *n_kept_bytes;	/* for clients that are away, of all loops */
};

/* node.c looks at the parts that other parts of the node are made with. */
struct node_loop {
	const struct node_shared *shared;
	unsigned number;		/* 0: that of the main thread */
	struct conf *conf;		/* a reference */
	struct loop *loop;
	struct jwt_ring *ring;
	struct token_cache *tokens;
	struct requests requests;

	struct relay_out *relay;	/* to what the first has alone; NULL: it is the first */
	struct http_loops http_loops;
	struct qewd_others qewd_others;
	struct link_env link_env;
	struct remote **remotes;	/* one for each distinct URL, and those a reload left over */
	size_t n_remotes;
	SLIST_HEAD(, left_set) left_sets;	/* that a reload left over */
	struct link_set **link_sets;	/* as conf->destinations */
	struct destination **locals;	/* as conf->applications */
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
	SLIST_HEAD(, node_port) ports;	/* of all listeners there ever were */

	uint64_t last_before_reload;	/* requests with this number or less began before it */
	struct timer sweep_timer;	/* while there is something left over */
};

/* The loop, its tokens and requests.  Takes a reference to conf. */
struct node_loop *node_loop_new(const struct node_shared *, unsigned number, struct conf *);
/* It is not the first, and asks that one for what it has not itself. */
void		 node_loop_set_relay(struct node_loop *, struct loop *first);

/*
 * What the loop has with the configuration of the plan, beside what it has now, which goes on
 * meanwhile; from any thread.  locals serve the applications, in the order of conf->applications.
 * Takes locals; the plan is borrowed for good.
 */
struct loop_next *node_loop_prepare(struct node_loop *, const struct node_plan *,
		    struct destination **locals);
/*
 * The loop has it now; next is what was before.  The first time, this is what builds it.  No
 * callback of this loop is up the stack.
 */
void		 node_loop_switch(struct node_loop *, struct loop_next *);
void		 loop_next_free(struct loop_next *);	/* from any thread; NULL is fine */

void		 node_loop_start(struct node_loop *);	/* dials those of its links that are new */
bool		 node_loop_is_linked(const struct node_loop *);	/* all its destinations are up */
/* What a reload left over and nobody needs any more goes.  Is anything left of it? */
bool		 node_loop_is_tidy(const struct node_loop *);
/* Is a request for it open? */
bool		 node_loop_asks(const struct node_loop *, const struct destination *);

/* Somebody connected to a listener of its configuration.  Takes fd. */
void		 node_loop_accept(struct node_loop *, const struct conf_listener *,
		    struct tls_server *, int fd, const char *address, const char *address_port);

/* A push of a handler here or of a node, to whom it concerns on this loop. */
void		 node_loop_push(struct node_loop *, const struct push *);

/*
 * Stopping, in this order.  Draining: no new work, open requests are answered.  Then no final
 * leads on, and nobody is told of idleness.  Ending: links go, sessions get close frames.
 */
void		 node_loop_drain(struct node_loop *);
/* Tells some sessions without open requests to go; gives how many are still there. */
size_t		 node_loop_close_some(struct node_loop *, size_t n_max);
void		 node_loop_stop_routing(struct node_loop *);
void		 node_loop_end_links(struct node_loop *);
void		 node_loop_end(struct node_loop *);

/* A client that polls may just have been between two polls when its last reply came. */
bool		 node_loop_is_awaited(const struct node_loop *);
void		 node_loop_close_http(struct node_loop *);	/* twice is fine */

/* From the top down, in two steps: what is freed between them serves requests of the first. */
void		 node_loop_close(struct node_loop *);	/* what has connections */
void		 node_loop_free(struct node_loop *);	/* NULL is fine */

#endif
