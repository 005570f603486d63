/* SPDX-License-Identifier: ISC */
/*
 * Builds what one event loop of a node has, from the bottom up, and takes it down again.
 */
#include "node_loop.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xmalloc.h"
#include "conf/conf.h"
#include "conf/conf_diff.h"
#include "front/ajax_front.h"
#include "front/eio_endpoint.h"
#include "front/http_server.h"
#include "front/http_static.h"
#include "front/plain_front.h"
#include "front/qewd_front.h"
#include "front/rest_front.h"
#include "front/rest_route.h"
#include "link/link_set.h"
#include "net/loop.h"
#include "node_links.h"
#include "node_plan.h"
#include "node_threads.h"
#include "request/journal.h"
#include "request/push.h"
#include "request/relay.h"
#include "request/service.h"
#include "request/switch.h"
#include "token/outside.h"
#include "token/token_cache.h"

#define SWEEP_MS 100	/* how often we look for what nobody needs any more */

/*
 * A listener as the loop's connections see it: it outlives the listener, as they do, and
 * follows the configuration.
 */
struct node_port {
	SLIST_ENTRY(node_port) link;
	struct conf *conf;		/* a reference; the next borrows from it */
	struct conf_listener listener;
};

/* What depends on the configuration alone. */
struct loop_next {
	const struct node_plan *plan;	/* borrowed; NULL: the loop has taken it */
	struct conf *conf;		/* a reference */
	struct link_set **sets;		/* as conf->destinations; NULL: the loop's */
	struct destination **locals;	/* as conf->applications */
	struct service_table *services;
	struct switch_table *switches;	/* NULL: no final may lead on */
	struct rest_table *rest;	/* NULL: others use it still */
	struct http_static *statics;
};

/* ---- tokens ---- */

static struct jwt_secret *
secrets_of(const struct conf *conf)
{
	const struct conf_jwt *jwt = &conf->jwt;
	struct jwt_secret *secrets = xcalloc(jwt->n_secrets, sizeof(*secrets));

	for (size_t i = 0; i < jwt->n_secrets; i++)
		secrets[i] = (struct jwt_secret){ jwt->secrets[i].id, jwt->secrets[i].bytes,
			jwt->secrets[i].len };
	return secrets;
}

/* Users and issuers are those of the configuration, which the issuers borrow from. */
static void
set_claims(struct node_loop *nl)
{
	token_cache_set_revoked(nl->tokens, nl->shared->revoked, nl->conf->jwt.user_claim);
	token_cache_set_outside(nl->tokens, outside_new(&nl->conf->jwt));
}

static void
make_tokens(struct node_loop *nl)
{
	struct jwt_secret *secrets = secrets_of(nl->conf);

	nl->ring = jwt_ring_new(secrets, nl->conf->jwt.n_secrets);
	free(secrets);
	nl->tokens = token_cache_new(nl->ring);
	set_claims(nl);
}

static void
change_tokens(struct node_loop *nl)
{
	struct jwt_secret *secrets = secrets_of(nl->conf);

	token_cache_set_secrets(nl->tokens, secrets, nl->conf->jwt.n_secrets);
	free(secrets);
}

struct node_loop *
node_loop_new(const struct node_shared *shared, unsigned number, struct conf *conf)
{
	struct node_loop *nl = xcalloc(1, sizeof(*nl));

	nl->number = number;
	nl->shared = shared;
	nl->conf = conf_ref(conf);
	nl->loop = loop_new();
	nl->requests = (struct requests){ .loop = nl->loop, .node = nl->conf->node,
		.n_open_in_all = shared->n_requests,
		.journal = journal_new(),
		.slow_ms = nl->conf->log_slow_ms };
	SLIST_INIT(&nl->left_sets);
	SLIST_INIT(&nl->ports);
	make_tokens(nl);
	return nl;
}

void
node_loop_set_relay(struct node_loop *nl, struct loop *first)
{
	nl->relay = relay_out_new(&nl->requests, nl->number, nl->shared->relay, first);
}

/* ---- tables that lead to destinations ---- */

static struct destination *
destination_of(const struct loop_next *next, const struct conf_target *t)
{
	if (t->application != NULL)
		return next->locals[t->application - next->conf->applications];
	return link_set_destination(next->sets[t->destination - next->conf->destinations]);
}

static struct destination *
rest_destination(const struct conf_target *t, void *arg)
{
	return destination_of(arg, t);
}

static struct service_table *
services_new(const struct loop_next *next)
{
	struct service_table *services = service_table_new();
	const struct conf *conf = next->conf;

	for (size_t i = 0; i < conf->n_services; i++) {
		const struct conf_service *s = &conf->services[i];

		for (size_t j = 0; j < s->n_routes; j++) {
			const struct conf_route *r = &s->routes[j];
			struct route *route = service_add(services, s->application, r->pattern,
			    destination_of(next, &r->target), r->timeout_ms);

			route->cancel_on_leave = r->cancel_on_leave;
			route->is_idempotent = r->is_idempotent;
		}
	}
	for (size_t i = 0; i < conf->n_applications; i++)
		service_add_local(services, conf->applications[i].name, next->locals[i]);
	return services;
}

/* All destinations but groups, and local applications by their names. */
static struct switch_table *
switches_new(const struct loop_next *next, struct token_cache *tokens)
{
	const struct conf *conf = next->conf;
	struct switch_table *switches;
	bool has_any = false;

	/* Those of applications elsewhere are for what their masters send on (gate_service.c). */
	for (size_t i = 0; i < conf->n_switches; i++)
		for (size_t k = 0; k < conf->n_applications; k++)
			has_any = has_any || strcmp(conf->switches[i].from,
			    conf->applications[k].name) == 0;
	if (!has_any)
		return NULL;
	switches = switch_table_new(tokens);
	for (size_t i = 0; i < conf->n_applications; i++)
		switch_add(switches, conf->applications[i].name, next->locals[i]);
	for (size_t i = 0; i < conf->n_destinations; i++)
		if (conf->destinations[i].application != NULL)
			switch_add(switches, conf->destinations[i].name,
			    link_set_destination(next->sets[i]));
	for (size_t i = 0; i < conf->n_switches; i++)
		switch_permit(switches, conf->switches[i].from, conf->switches[i].to);
	return switches;
}

struct loop_next *
node_loop_prepare(struct node_loop *nl, const struct node_plan *plan, struct destination **locals)
{
	struct loop_next *next = xcalloc(1, sizeof(*next));

	next->plan = plan;
	next->conf = conf_ref(plan->conf);
	next->sets = node_links_sets(nl, plan);
	next->locals = locals;
	next->services = services_new(next);
	next->switches = switches_new(next, nl->tokens);
	next->rest = rest_table_new(next->conf, rest_destination, next);
	next->statics = http_static_new(next->conf);
	return next;
}

void
loop_next_free(struct loop_next *next)
{
	if (next == NULL)
		return;
	if (next->sets != NULL && next->plan != NULL)
		node_links_drop(next->sets, next->plan);
	service_table_free(next->services);
	switch_table_free(next->switches);
	rest_table_unref(next->rest);
	http_static_free(next->statics);
	free(next->locals);
	conf_unref(next->conf);
	free(next);
}

/* ---- front end ---- */

/* Every session may speak through both doors. */
static void
on_session(struct eio_session *eio, void *arg)
{
	struct node_loop *nl = arg;
	struct sio_session *sio = qewd_front_on_session(nl->front, eio);

	if (nl->conf->n_events > 0)
		plain_front_on_session(nl->plain, sio);
}

/*
 * The loop of a request's session.  Messages without a socket are counted by session and address,
 * so one loop has all of them.
 */
static unsigned
owner_of(const struct http_head *head, void *arg)
{
	const struct node_loop *nl = arg;

	if (ajax_front_is_path(head))
		return 0;
	return eio_endpoint_owner(head, nl->eio);
}

static struct qewd_front *
front_of(unsigned part, struct loop **loop, void *arg)
{
	const struct node_loop *nl = arg, *other;

	other = node_threads_loop(nl->shared->threads, part);
	*loop = other->loop;
	return other->front;
}

struct move {
	struct node_loop *to;
	struct http_move *what;
};

/* A connection from another loop. */
static void
take_move(void *arg)
{
	struct move *m = arg;

	if (m->to->http != NULL)
		http_server_adopt(m->to->http, m->what);
	else
		http_move_abandon(m->what, m->to->shared->admission);
	free(m);
}

static void
move(unsigned to, struct http_move *what, void *arg)
{
	const struct node_loop *nl = arg;
	struct move *m = xmalloc(sizeof(*m));

	*m = (struct move){ node_threads_loop(nl->shared->threads, to), what };
	loop_post(m->to->loop, take_move, m);
}

static void
join_others(struct node_loop *nl)
{
	nl->http_loops = (struct http_loops){ nl->number, node_threads_count(nl->shared->threads),
		owner_of, move, nl };
	http_server_set_loops(nl->http, &nl->http_loops);
	nl->qewd_others = (struct qewd_others){ nl->number, nl->eio_env.parts, front_of, nl,
		nl->shared->n_kept_bytes };
	qewd_front_set_others(nl->front, &nl->qewd_others);
}

/* Takes the tables of next, as which it gets none. */
static void
make_front(struct node_loop *nl, struct loop_next *next)
{
	nl->gate.rates = nl->shared->rates;
	nl->front = qewd_front_new(&nl->gate);
	nl->plain = plain_front_new(&nl->gate);
	nl->eio_env.admission = nl->shared->admission;
	nl->eio_env.rates = nl->shared->rates;
	nl->eio_env.on_session = on_session;
	nl->eio_env.arg = nl;
	nl->eio_env.part = nl->number;
	nl->eio_env.parts = nl->shared->threads != NULL ?
	    node_threads_parts(nl->shared->threads) : NULL;
	nl->statics = next->statics;
	next->statics = NULL;
	nl->eio = eio_endpoint_new(&nl->eio_env);
	nl->http = http_server_new(nl->loop, nl->conf, nl->shared->admission);
	nl->rest = rest_front_new(&nl->gate, next->rest);
	next->rest = NULL;
	nl->ajax = ajax_front_new(&nl->gate);
	http_server_add(nl->http, rest_front_service(nl->rest));
	http_server_add(nl->http, ajax_front_service(nl->ajax));
	http_server_add(nl->http, http_static_files(nl->statics));
	http_server_add(nl->http, eio_endpoint_service(nl->eio));
	http_server_add(nl->http, rest_front_fallback(nl->rest));
	http_server_add(nl->http, http_static_roots(nl->statics));
	if (nl->shared->threads != NULL)
		join_others(nl);
}

/* Next gets what was there before, if nobody uses it. */
static void
change_front(struct node_loop *nl, struct loop_next *next)
{
	http_static_swap(nl->statics, next->statics);
	next->rest = rest_front_set_table(nl->rest, next->rest);
	if (rest_table_is_shared(next->rest)) {
		rest_table_unref(next->rest);
		next->rest = NULL;
	}
	http_server_set_conf(nl->http, nl->conf);
	qewd_front_reload(nl->front);
	ajax_front_reload(nl->ajax);
}

/* ---- listeners ---- */

static struct node_port *
port_find(const struct node_loop *nl, const struct conf_listener *l)
{
	struct node_port *p;

	SLIST_FOREACH(p, &nl->ports, link)
		if (p->listener.rank == l->rank && strcmp(p->listener.address, l->address) == 0)
			return p;
	return NULL;
}

static void
set_port(struct node_loop *nl, const struct conf_listener *l)
{
	struct node_port *p = port_find(nl, l);

	if (p == NULL) {
		p = xcalloc(1, sizeof(*p));
		SLIST_INSERT_HEAD(&nl->ports, p, link);
	}
	conf_unref(p->conf);
	p->conf = conf_ref(nl->conf);
	p->listener = *l;
}

/* Those that are not listeners any more stay as they were. */
static void
set_ports(struct node_loop *nl)
{
	for (size_t i = 0; i < nl->conf->n_listeners; i++)
		set_port(nl, &nl->conf->listeners[i]);
}

static void
free_ports(struct node_loop *nl)
{
	struct node_port *p;

	while ((p = SLIST_FIRST(&nl->ports)) != NULL) {
		SLIST_REMOVE_HEAD(&nl->ports, link);
		conf_unref(p->conf);
		free(p);
	}
}

/* ---- another configuration ---- */

/* Links are made before the front end, which a push is for. */
static void
on_push(const struct push *p, void *arg)
{
	struct node_loop *nl = arg;

	if (nl->shared->threads != NULL)
		node_threads_push(nl->shared->threads, nl, p);
	else
		node_loop_push(nl, p);
}

/* What a URL is, for another loop. */
struct kind {
	struct node_loop *to;
	char *remote;
	bool is_node;
};

static void
take_kind(void *arg)
{
	struct kind *k = arg;

	node_links_set_kind(k->to, k->remote, k->is_node);
	free(k->remote);
	free(k);
}

static void
on_kind(const char *remote, bool is_node, void *arg)
{
	const struct node_loop *nl = arg;

	for (unsigned i = 1; i < node_threads_count(nl->shared->threads); i++) {
		struct kind *k = xmalloc(sizeof(*k));

		*k = (struct kind){ node_threads_loop(nl->shared->threads, i), xstrdup(remote),
			is_node };
		loop_post(k->to->loop, take_kind, k);
	}
}

/* Everything that looks something up in it; nothing is kept that points into the old one. */
static void
point_to(struct node_loop *nl, const struct conf *conf)
{
	nl->requests.node = conf->node;
	nl->requests.slow_ms = conf->log_slow_ms;
	loop_set_post_bytes_max(nl->loop, conf->limits.between_loops);
	nl->link_env = (struct link_env){
		.loop = nl->loop,
		.resolver = nl->shared->resolver,
		.tokens = nl->tokens,
		.push = { on_push, nl },
		.overrides = nl->shared->overrides,
		.on_kind = nl->number == 0 && nl->shared->threads != NULL ? on_kind : NULL,
		.on_kind_arg = nl,
		.node = conf->node,
		.limits = &conf->limits,
		.timeouts = &conf->timeouts,
	};
	nl->gate.conf = conf;
	nl->gate.requests = &nl->requests;
	nl->gate.tokens = nl->tokens;
	nl->gate.services = nl->services;
	nl->eio_env.loop = nl->loop;
	nl->eio_env.conf = conf;
}

static bool
has_old_requests(const struct node_loop *nl)
{
	const struct request *r;

	LIST_FOREACH(r, &nl->requests.open, link)
		if (r->id <= nl->last_before_reload)
			return true;
	return false;
}

static void
sweep(void *arg)
{
	struct node_loop *nl = arg;
	bool is_tidy = node_links_sweep(nl);

	/* Their tokens may be of secrets that are not there any more. */
	if (has_old_requests(nl))
		is_tidy = false;
	else
		jwt_ring_forget(nl->ring);
	if (!is_tidy)
		loop_timer_set(nl->loop, &nl->sweep_timer, SWEEP_MS, sweep, nl);
}

bool
node_loop_is_linked(const struct node_loop *nl)
{
	for (size_t i = 0; i < nl->conf->n_destinations; i++)
		if (nl->conf->destinations[i].n_members == 0 &&
		    !link_set_is_up(nl->link_sets[i]))
			return false;
	return true;
}

bool
node_loop_is_tidy(const struct node_loop *nl)
{
	return !timer_is_set(&nl->sweep_timer);
}

bool
node_loop_asks(const struct node_loop *nl, const struct destination *d)
{
	const struct request *r;

	LIST_FOREACH(r, &nl->requests.open, link)
		if (r->destination == d)
			return true;
	return false;
}

void
node_loop_switch(struct node_loop *nl, struct loop_next *next)
{
	struct conf *before = nl->conf;
	struct service_table *services = nl->services;
	struct switch_table *switches = nl->switches;
	struct destination **locals = nl->locals;

	nl->conf = next->conf;
	if (before != next->conf && !conf_same_secrets(before, next->conf))
		change_tokens(nl);
	if (before != next->conf)
		set_claims(nl);
	nl->services = next->services;
	nl->requests.switches = nl->switches = next->switches;
	nl->locals = next->locals;
	point_to(nl, nl->conf);
	node_links_set(nl, next->sets, next->plan);
	set_ports(nl);
	if (nl->http == NULL)
		make_front(nl, next);
	else
		change_front(nl, next);
	*next = (struct loop_next){ .conf = before, .services = services, .switches = switches,
		.locals = locals, .rest = next->rest, .statics = next->statics };
	nl->last_before_reload = nl->requests.last_id;
	loop_timer_set(nl->loop, &nl->sweep_timer, SWEEP_MS, sweep, nl);
}

/* ---- life ---- */

void
node_loop_start(struct node_loop *nl)
{
	for (size_t i = 0; i < nl->n_remotes && nl->relay == NULL; i++)
		if (!remote_is_started(nl->remotes[i]))
			remote_start(nl->remotes[i]);
}

void
node_loop_accept(struct node_loop *nl, const struct conf_listener *conf, struct tls_server *tls,
    int fd, const char *address, const char *address_port)
{
	const struct node_port *p = port_find(nl, conf);

	if (nl->http != NULL && p != NULL)
		http_server_accept(nl->http, &p->listener, tls, fd, address, address_port);
	else
		close(fd);
}

void
node_loop_push(struct node_loop *nl, const struct push *p)
{
	qewd_front_push(p, nl->front);
}

void
node_loop_drain(struct node_loop *nl)
{
	nl->eio_env.is_draining = true;
	nl->gate.is_draining = true;
	http_server_drain(nl->http);
}

size_t
node_loop_close_some(struct node_loop *nl, size_t n_max)
{
	return qewd_front_close_some(nl->front, n_max, ERR_STOPPING);
}

void
node_loop_stop_routing(struct node_loop *nl)
{
	nl->requests.on_idle = NULL;
	nl->requests.switches = NULL;	/* what they lead to goes now, too */
}

void
node_loop_end_links(struct node_loop *nl)
{
	if (nl->relay != NULL)
		relay_out_stop(nl->relay, ERR_STOPPING);
	node_links_free(nl);
}

void
node_loop_end(struct node_loop *nl)
{
	node_loop_end_links(nl);
	qewd_front_close_all(nl->front, ERR_STOPPING);
	plain_front_forget_gone(nl->plain);
}

bool
node_loop_is_awaited(const struct node_loop *nl)
{
	return eio_endpoint_is_awaited(nl->eio);
}

void
node_loop_close_http(struct node_loop *nl)
{
	http_server_free(nl->http);
	nl->http = NULL;
}

void
node_loop_close(struct node_loop *nl)
{
	node_loop_close_http(nl);
	if (nl->front != NULL)
		qewd_front_close_all(nl->front, ERR_STOPPING);
	plain_front_forget_gone(nl->plain);
	eio_endpoint_free(nl->eio);
	nl->eio = NULL;
	loop_timer_stop(nl->loop, &nl->sweep_timer);
	node_loop_end_links(nl);
}

void
node_loop_free(struct node_loop *nl)
{
	if (nl == NULL)
		return;
	loop_free(nl->loop);
	qewd_front_free(nl->front);
	plain_front_free(nl->plain);
	ajax_front_free(nl->ajax);
	rest_front_free(nl->rest);
	http_static_free(nl->statics);
	switch_table_free(nl->switches);
	service_table_free(nl->services);
	journal_free(nl->requests.journal);
	token_cache_free(nl->tokens);
	jwt_ring_free(nl->ring);
	relay_out_free(nl->relay);
	free_ports(nl);
	free(nl->locals);
	conf_unref(nl->conf);
	free(nl);
}
