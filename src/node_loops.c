/* SPDX-License-Identifier: ISC */
/*
 * Loops but the first ask that one for what it alone has, through a relay.
 */
#include "node_loops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "conf/conf.h"
#include "link/link_set.h"
#include "net/listener.h"
#include "net/loop.h"
#include "node_int.h"
#include "node_links.h"
#include "node_loop.h"
#include "node_plan.h"
#include "node_threads.h"
#include "request/relay.h"

static unsigned
n_loops(const struct node *n)
{
	return node_threads_count(n->threads);
}

static struct node_loop *
loop_at(const struct node *n, unsigned number)
{
	return node_threads_loop(n->threads, number);
}

/*
 * The destination of this name, for requests of other loops.  What a reload left over as well: they
 * may have been on their way here when it came.
 */
static struct destination *
find_destination(const char *name, void *arg)
{
	const struct node *n = arg;
	struct pool *left;

	for (size_t i = 0; i < n->conf->n_applications; i++)
		if (strcmp(n->conf->applications[i].name, name) == 0)
			return pool_destination(n->pools[i]);
	for (size_t i = 0; n->nl->link_sets != NULL && i < n->conf->n_destinations; i++)
		if (strcmp(n->conf->destinations[i].name, name) == 0)
			return link_set_destination(n->nl->link_sets[i]);
	if ((left = node_reload_left_pool(n, name)) != NULL)
		return pool_destination(left);
	return node_links_left(n->nl, name);
}

void
node_add_loops(struct node *n)
{
	struct node_loop *nl;

	if (n_loops(n) == 1)
		return;
	n->relay = n->shared.relay = relay_in_new(&n->nl->requests, n->nl->tokens, n_loops(n),
	    find_destination, n);
	for (unsigned i = 1; i < n_loops(n); i++) {
		nl = node_loop_new(&n->shared, i, n->conf);
		node_loop_set_relay(nl, n->loop);
		node_threads_add(n->threads, nl);
	}
}

void
node_free_loops(struct node *n)
{
	for (unsigned i = 0; i < n_loops(n); i++)
		node_loop_free(loop_at(n, i));
	relay_in_free(n->relay);
	node_threads_free(n->threads);
	free(n->admin_loops);
}

/* ---- configurations ---- */

/* Pools are on the first loop. */
static struct destination *
local_for(const struct node_loop *nl, const struct conf_application *a, struct pool *pool)
{
	return nl->relay == NULL ? pool_destination(pool) :
	    relay_destination(nl->relay, a->name, a->name);
}

struct loop_next **
node_prepare_loops(struct node *n, const struct node_plan *plan, struct pool *const *pools)
{
	struct loop_next **next = xcalloc(n_loops(n) + 1, sizeof(*next));
	size_t n_apps = plan->conf->n_applications;

	for (unsigned i = 0; i < n_loops(n); i++) {
		struct destination **locals = xcalloc(n_apps, sizeof(*locals));

		for (size_t k = 0; k < n_apps; k++)
			locals[k] = local_for(loop_at(n, i), &plan->conf->applications[k],
			    pools[k]);
		next[i] = node_loop_prepare(loop_at(n, i), plan, locals);
	}
	return next;
}

/* All at once: a request of one loop finds on the others what it was routed to. */
void
node_switch_loops(struct node *n, struct loop_next *const *next)
{
	node_threads_hold(n->threads);
	for (unsigned i = 0; i < n_loops(n); i++)
		node_loop_switch(loop_at(n, i), next[i]);
	node_threads_release(n->threads);
	n->pool_env.services = n->nl->services;
}

/* Those of all loops come to the first. */
bool
node_asks(struct node *n, struct pool *p)
{
	return node_loop_asks(n->nl, pool_destination(p));
}

/* ---- connections ---- */

/* A connection on its way to another loop. */
struct arrival {
	struct node_threads *threads;
	struct node_loop *nl;
	const struct conf_listener *listener;	/* it comes before the next configuration */
	struct tls_server *tls;
	int fd;
	char address[ADDRESS_MAX], address_port[ADDRESS_MAX];
};

static void
on_arrival(void *arg)
{
	struct arrival *a = arg;

	node_loop_accept(a->nl, a->listener, a->tls, a->fd, a->address, a->address_port);
	node_threads_taken(a->threads, a->nl->number);
	free(a);
}

void
node_accept(struct node *n, const struct conf_listener *conf, struct tls_server *tls, int fd,
    const char *address, const char *address_port)
{
	unsigned to = node_threads_choose(n->threads);
	struct arrival *a;

	if (to == 0) {
		node_loop_accept(n->nl, conf, tls, fd, address, address_port);
		return;
	}
	a = xmalloc(sizeof(*a));
	*a = (struct arrival){ .threads = n->threads, .nl = loop_at(n, to), .listener = conf,
		.tls = tls, .fd = fd };
	snprintf(a->address, sizeof(a->address), "%s", address);
	snprintf(a->address_port, sizeof(a->address_port), "%s", address_port);
	node_threads_sent(n->threads, to);
	loop_post(a->nl->loop, on_arrival, a);
}

/* ---- stopping ---- */

size_t
node_n_awaited(struct node *n)
{
	size_t sum = 0;

	node_threads_hold(n->threads);
	for (unsigned i = 0; i < n_loops(n); i++)
		sum += loop_at(n, i)->requests.n_awaited;
	node_threads_release(n->threads);
	return sum;
}

size_t
node_close_some(struct node *n, size_t n_max)
{
	size_t n_left = 0, n_before, n_after;

	node_threads_hold(n->threads);
	for (unsigned i = 0; i < n_loops(n); i++) {
		n_before = node_loop_close_some(loop_at(n, i), 0);
		n_after = node_loop_close_some(loop_at(n, i), n_max);
		n_max -= n_before - n_after;
		n_left += n_after;
	}
	node_threads_release(n->threads);
	return n_left;
}

/* ---- for those who look on ---- */

static void
hold(void *arg)
{
	node_threads_hold(((struct node *)arg)->threads);
}

static void
release(void *arg)
{
	node_threads_release(((struct node *)arg)->threads);
}

void
node_look_at(struct node *n)
{
	struct admin_view *v = &n->admin_view;

	if (n->admin_loops == NULL)
		n->admin_loops = xcalloc(n_loops(n), sizeof(*n->admin_loops));
	for (unsigned i = 0; i < n_loops(n); i++) {
		struct node_loop *nl = loop_at(n, i);

		n->admin_loops[i] = (struct admin_loop){ nl->loop, &nl->requests, nl->link_sets,
			nl->front, nl->tokens };
	}
	v->conf = n->conf;
	v->loops = n->admin_loops;
	v->n_loops = n_loops(n);
	v->hold = hold;
	v->release = release;
	v->arg = n;
	v->loop = n->loop;
	v->requests = &n->nl->requests;
	v->pools = n->pools;
	v->link_sets = n->nl->link_sets;
	v->front = n->nl->front;
	v->overrides = n->shared.overrides;
	v->revoked = n->revoked;
	v->gate = &n->nl->gate;
	v->memory = &n->admin_memory;
}
