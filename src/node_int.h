/* SPDX-License-Identifier: ISC */
/*
 * What node.c and the files beside it share: the parts that a node has once.  Not for folders.
 */
#ifndef NODE_INT_H
#define NODE_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "admin/admin_memory.h"
#include "admin/admin_view.h"
#include "base/timerq.h"
#include "node.h"
#include "node_loop.h"
#include "node_reload.h"
#include "node_tick.h"
#include "worker/pool.h"

struct admission;
struct conf_listener;
struct activation;
struct node_doors;
struct node_plan;
struct node_revoked;
struct node_threads;
struct node_upgrade;
struct procs;
struct relay_in;
struct resolver;
struct revoked;
struct tls_server;

/* Leaving: it serves on, so that a balancer notices first. */
enum node_state { NODE_SERVING, NODE_LEAVING, NODE_DRAINING, NODE_ENDING };

struct node {
	struct conf *conf;		/* a reference */
	struct tls_store *tls;		/* owned */
	struct dev *dev;		/* --dev; NULL otherwise; borrowed */
	struct resolver *resolver;
	struct admission *admission;
	struct revoked *revoked;	/* sessions, by the operator */
	atomic_size_t n_requests;	/* that are open on all loops */
	atomic_size_t n_kept_bytes;	/* for clients that are away, on all loops */
	struct node_shared shared;	/* what each loop needs of the above */
	struct node_loop *nl;		/* the first */
	struct loop *loop;		/* nl->loop */
	struct node_threads *threads;	/* all loops */
	struct relay_in *relay;		/* what the others ask the first for; NULL: no others */

	struct procs *procs;
	struct pool_env pool_env;
	struct pool **pools;		/* as conf->applications */
	SLIST_HEAD(, left_pool) left_pools;	/* that a reload left over */
	struct timer sweep_timer;	/* while there are any */
	struct node_doors *doors;
	struct admin_loop *admin_loops;	/* as the loops */
	struct admin_view admin_view;
	struct activation *activation;	/* sockets it was started with; NULL: none, or taken */
	char *const *argv;		/* it was started by; borrowed */
	struct node_upgrade *upgrade;	/* under way; NULL: none */
	struct node_revoked *revoked_watch;	/* NULL: nobody else revokes */
	bool is_handed_over;		/* another process has the listeners */
	struct node_reload *reload;	/* under way; NULL: none */
	struct reload_waiters reload_waiters;	/* for the next one */
	struct admin_memory admin_memory;
	struct admin_socket *admin_socket;	/* NULL: not configured, as the next */
	struct admin_http *admin_http;

	enum node_state state;
	bool is_quick;			/* SIGINT: nothing is waited for */
	size_t n_pools_running;		/* while ending */
	uint64_t drain_until_ms;	/* draining: what is open then ends */
	uint64_t drain_credit;		/* thousandths of sessions that may be told to go */
	uint64_t upgraded_ms;		/* since when it waits to take over */
	uint64_t ending_since_ms;
	struct timer timer;		/* draining takes too long; ending: look again */
	struct node_tick tick;
};

/* node.c */

/* As by SIGTERM; it serves.  The node is gone soon after. */
void		   node_drain(struct node *);

/* Another process serves in its place: the same, at once. */
void		   node_hand_over(struct node *);

/* What pools look up is that of this configuration. */
void		   node_point_pools_to(struct node *, const struct conf *);

/* node_loops.c */

/* For each loop what it has with the plan, NULL behind the last; from any thread.  Gives. */
struct loop_next **node_prepare_loops(struct node *, const struct node_plan *,
		       struct pool *const *pools);
void		   node_switch_loops(struct node *, struct loop_next *const *);
/* Is a request for the pool open? */
bool		   node_asks(struct node *, struct pool *);
/* What the operator looks at is what there is now. */
void		   node_look_at(struct node *);
/* Somebody connected.  As a listener_accept_fn. */
void		   node_accept(struct node *, const struct conf_listener *, struct tls_server *,
		       int fd, const char *address, const char *address_port);

#endif
