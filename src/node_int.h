/* SPDX-License-Identifier: ISC */
/*
 * What node.c and the files beside it share: the parts that a node has once.  Not for folders.
 */
#ifndef NODE_INT_H
#define NODE_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admin/admin_memory.h"
#include "admin/admin_view.h"
#include "base/timerq.h"
#include "node.h"
#include "node_loop.h"
#include "worker/pool.h"

struct admin_http;
struct admin_socket;
struct admission;
struct conf_listener;
struct destination;
struct listener;
struct procs;
struct resolver;
struct revoked;
struct tls_server;

enum node_state { NODE_SERVING, NODE_DRAINING, NODE_ENDING };

/* A listener and what accepted connections need to know of it. */
struct door {
	struct node *node;
	const struct conf_listener *conf;
	struct tls_server *tls;		/* borrowed; NULL: plain */
	struct listener *listener;
};

struct node {
	struct conf *conf;		/* a reference */
	struct tls_store *tls;		/* borrowed */
	struct dev *dev;		/* --dev; NULL otherwise; borrowed */
	struct resolver *resolver;
	struct admission *admission;
	struct revoked *revoked;	/* sessions, by the operator */
	struct node_shared shared;	/* what each loop needs of the above */
	struct node_loop *nl;
	struct loop *loop;		/* nl->loop */

	struct procs *procs;
	struct pool_env pool_env;
	struct pool **pools;		/* as conf->applications, like the next */
	struct destination **locals;	/* the pools' */
	struct door *doors;		/* as conf->listeners */
	struct admin_loop admin_loop;
	struct admin_view admin_view;
	struct admin_memory admin_memory;
	struct admin_socket *admin_socket;	/* NULL: not configured, as the next */
	struct admin_http *admin_http;

	enum node_state state;
	bool is_quick;			/* SIGINT: nothing is waited for */
	size_t n_pools_running;		/* while ending */
	uint64_t ending_since_ms;
	struct timer timer;		/* draining takes too long; ending: look again */
	struct timer log_timer;		/* lines that were left out */
};

#endif
