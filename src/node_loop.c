/* SPDX-License-Identifier: ISC */
/*
 * Builds what one event loop of a node has, from the bottom up, and takes it down again.
 */
#include "node_loop.h"

#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "conf/conf.h"
#include "front/address_rates.h"
#include "front/ajax_front.h"
#include "front/eio_endpoint.h"
#include "front/http_server.h"
#include "front/http_static.h"
#include "front/plain_front.h"
#include "front/qewd_front.h"
#include "front/rest_front.h"
#include "link/link_set.h"
#include "net/loop.h"
#include "net/tls_store.h"
#include "request/push.h"
#include "request/service.h"
#include "request/journal.h"
#include "request/switch.h"
#include "token/token_cache.h"

static void
make_tokens(struct node_loop *nl)
{
	const struct conf_jwt *jwt = &nl->conf->jwt;
	struct jwt_secret *secrets = xcalloc(jwt->n_secrets, sizeof(*secrets));

	for (size_t i = 0; i < jwt->n_secrets; i++)
		secrets[i] = (struct jwt_secret){ jwt->secrets[i].id, jwt->secrets[i].bytes,
			jwt->secrets[i].len };
	nl->ring = jwt_ring_new(secrets, jwt->n_secrets);
	free(secrets);
	nl->tokens = token_cache_new(nl->ring);
	token_cache_set_revoked(nl->tokens, nl->shared->revoked, jwt->user_claim);
}

struct node_loop *
node_loop_new(const struct node_shared *shared)
{
	struct node_loop *nl = xcalloc(1, sizeof(*nl));

	nl->shared = shared;
	nl->conf = shared->conf;
	nl->loop = loop_new();
	nl->requests = (struct requests){ .loop = nl->loop, .node = nl->conf->node,
		.journal = journal_new(),
		.slow_ms = nl->conf->log_slow_ms };
	make_tokens(nl);
	nl->rates = address_rates_new();
	nl->services = service_table_new();
	return nl;
}

/* ---- links ---- */

/* Links are made before the front end, which a push is for. */
static void
on_push(const struct push *p, void *arg)
{
	node_loop_push(arg, p);
}

/* Destinations with the same URL share its links, if they trust the same over TLS. */
static struct remote *
remote_for(struct node_loop *nl, const struct conf_destination *d, const struct conf_url *url)
{
	struct tls_client *tls = tls_store_client(nl->shared->tls, d, url);

	for (size_t i = 0; i < nl->n_remotes; i++)
		if (strcmp(remote_url(nl->remotes[i]), url->text) == 0 &&
		    remote_tls(nl->remotes[i]) == tls) {
			remote_set_protocol(nl->remotes[i], d->protocol);
			return nl->remotes[i];
		}
	nl->remotes = xreallocarray(nl->remotes, nl->n_remotes + 1, sizeof(struct remote *));
	return nl->remotes[nl->n_remotes++] = remote_new(&nl->link_env, url, tls, d->protocol,
	    d->application);
}

static void
make_links(struct node_loop *nl)
{
	nl->link_env = (struct link_env){
		.loop = nl->loop,
		.resolver = nl->shared->resolver,
		.tokens = nl->tokens,
		.push = { on_push, nl },
		.node = nl->conf->node,
		.limits = &nl->conf->limits,
		.timeouts = &nl->conf->timeouts,
	};
	nl->link_sets = xcalloc(nl->conf->n_destinations, sizeof(struct link_set *));
	for (size_t i = 0; i < nl->conf->n_destinations; i++) {
		const struct conf_destination *d = &nl->conf->destinations[i];

		nl->link_sets[i] = link_set_new(d);
		for (size_t j = 0; j < d->n_urls; j++)
			link_set_add_remote(nl->link_sets[i], remote_for(nl, d, &d->urls[j]));
	}
}

/* ---- tables that lead to destinations ---- */

static struct destination *
destination_of(struct node_loop *nl, const struct conf_target *t)
{
	if (t->application != NULL)
		return nl->locals[t->application - nl->conf->applications];
	return link_set_destination(nl->link_sets[t->destination - nl->conf->destinations]);
}

static struct destination *
rest_destination(const struct conf_target *t, void *arg)
{
	return destination_of(arg, t);
}

static void
make_services(struct node_loop *nl)
{
	for (size_t i = 0; i < nl->conf->n_services; i++) {
		const struct conf_service *s = &nl->conf->services[i];

		for (size_t j = 0; j < s->n_routes; j++) {
			const struct conf_route *r = &s->routes[j];

			service_add(nl->services, s->application, r->pattern,
			    destination_of(nl, &r->target), r->timeout_ms)->cancel_on_leave =
			    r->cancel_on_leave;
		}
	}
	for (size_t i = 0; i < nl->conf->n_applications; i++)
		service_add_local(nl->services, nl->conf->applications[i].name, nl->locals[i]);
}

/* All destinations but groups, and local applications by their names. */
static void
make_switches(struct node_loop *nl)
{
	const struct conf *conf = nl->conf;
	bool has_any = false;

	/* Those of applications elsewhere are for what their masters send on (gate_service.c). */
	for (size_t i = 0; i < conf->n_switches; i++)
		for (size_t k = 0; k < conf->n_applications; k++)
			has_any = has_any || strcmp(conf->switches[i].from,
			    conf->applications[k].name) == 0;
	if (!has_any)
		return;
	nl->switches = switch_table_new(nl->tokens);
	for (size_t i = 0; i < conf->n_applications; i++)
		switch_add(nl->switches, conf->applications[i].name, nl->locals[i]);
	for (size_t i = 0; i < conf->n_destinations; i++)
		if (conf->destinations[i].application != NULL)
			switch_add(nl->switches, conf->destinations[i].name,
			    link_set_destination(nl->link_sets[i]));
	for (size_t i = 0; i < conf->n_switches; i++)
		switch_permit(nl->switches, conf->switches[i].from, conf->switches[i].to);
	nl->requests.switches = nl->switches;
}

/* ---- front end ---- */

/* Every session may speak through both doors. */
static void
on_session(struct eio_session *eio, void *arg)
{
	struct node_loop *nl = arg;
	struct sio_session *sio = qewd_front_on_session(nl->front, eio);

	if (nl->plain != NULL)
		plain_front_on_session(nl->plain, sio);
}

static void
make_front(struct node_loop *nl)
{
	nl->gate = (struct gate){
		.conf = nl->conf,
		.requests = &nl->requests,
		.tokens = nl->tokens,
		.services = nl->services,
		.rates = nl->rates,
	};
	nl->front = qewd_front_new(&nl->gate);
	if (nl->conf->n_events > 0)
		nl->plain = plain_front_new(&nl->gate);
	nl->eio_env = (struct eio_env){
		.loop = nl->loop,
		.conf = nl->conf,
		.admission = nl->shared->admission,
		.rates = nl->rates,
		.on_session = on_session,
		.arg = nl,
	};
	nl->statics = http_static_new(nl->conf);
	nl->eio = eio_endpoint_new(&nl->eio_env);
	nl->http = http_server_new(nl->loop, nl->conf, nl->shared->admission);
	nl->rest = rest_front_new(&nl->gate, rest_destination, nl);
	nl->ajax = ajax_front_new(&nl->gate);
	http_server_add(nl->http, rest_front_service(nl->rest));
	http_server_add(nl->http, ajax_front_service(nl->ajax));
	http_server_add(nl->http, http_static_files(nl->statics));
	http_server_add(nl->http, eio_endpoint_service(nl->eio));
	http_server_add(nl->http, rest_front_fallback(nl->rest));
	http_server_add(nl->http, http_static_roots(nl->statics));
}

/* ---- life ---- */

void
node_loop_connect(struct node_loop *nl, struct destination *const *locals)
{
	nl->locals = locals;
	make_links(nl);
	make_services(nl);
	make_switches(nl);
	make_front(nl);
}

void
node_loop_start(struct node_loop *nl)
{
	for (size_t i = 0; i < nl->n_remotes; i++)
		remote_start(nl->remotes[i]);
}

void
node_loop_accept(struct node_loop *nl, const struct conf_listener *conf, struct tls_server *tls,
    int fd, const char *address, const char *address_port)
{
	http_server_accept(nl->http, conf, tls, fd, address, address_port);
}

void
node_loop_push(struct node_loop *nl, const struct push *p)
{
	qewd_front_push(p, nl->front);
}

static void
free_links(struct node_loop *nl)
{
	for (size_t i = 0; i < nl->n_remotes; i++)
		remote_free(nl->remotes[i], ERR_LINK_LOST);
	free(nl->remotes);
	nl->remotes = NULL;
	nl->n_remotes = 0;
	for (size_t i = 0; nl->link_sets != NULL && i < nl->conf->n_destinations; i++)
		link_set_free(nl->link_sets[i], ERR_STOPPING);
	free(nl->link_sets);
	nl->link_sets = NULL;
}

void
node_loop_drain(struct node_loop *nl)
{
	nl->eio_env.is_draining = true;
	nl->gate.is_draining = true;
	http_server_drain(nl->http);
}

void
node_loop_stop_routing(struct node_loop *nl)
{
	nl->requests.on_idle = NULL;
	nl->requests.switches = NULL;	/* what they lead to goes now, too */
}

void
node_loop_end(struct node_loop *nl)
{
	free_links(nl);
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
	free_links(nl);
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
	address_rates_free(nl->rates);
	free(nl);
}
