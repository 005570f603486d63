/* SPDX-License-Identifier: ISC */
/*
 * Builds the parts of a node and connects them; stops them in order.
 *
 * Stopping: draining (no new work, open requests are answered, at most timeouts.drain)
 * -> ending (links and workers go, sessions get close frames) -> over.
 */
#include "node.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/admin_http.h"
#include "admin/admin_socket.h"
#include "admin/admin_view.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "conf/conf.h"
#include "dev/dev.h"
#include "front/admission.h"
#include "front/ajax_front.h"
#include "front/eio_endpoint.h"
#include "front/eio_session.h"
#include "front/gate.h"
#include "front/http_server.h"
#include "front/http_static.h"
#include "front/plain_front.h"
#include "front/qewd_front.h"
#include "front/rest_front.h"
#include "link/link_set.h"
#include "link/remote.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "net/tls_store.h"
#include "request/push.h"
#include "request/request.h"
#include "request/service.h"
#include "request/switch.h"
#include "token/token_cache.h"
#include "worker/pool.h"
#include "worker/proc.h"

#define LAST_WORDS_MS 2500	/* for close frames to be written and answered */
#define HANDLER_DEPTH_MAX 1000	/* handlers may nest deeper than browsers may */
#define FETCH_MS      500	/* for clients that poll to come for their last replies */
#define LOG_TICK_MS   10000
#define LOOK_MS	      10	/* how often we look whether all connections are gone */

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
	struct loop *loop;
	struct resolver *resolver;
	struct procs *procs;
	struct jwt_ring *ring;
	struct token_cache *tokens;
	struct requests requests;

	struct pool_env pool_env;
	struct pool **pools;		/* as conf->applications */
	struct link_env link_env;
	struct remote **remotes;	/* one for each distinct URL */
	size_t n_remotes;
	struct link_set **link_sets;	/* as conf->destinations */
	struct service_table *services;
	struct switch_table *switches;	/* NULL: no final may lead on */

	struct admission *admission;
	struct eio_env eio_env;
	struct eio_endpoint *eio;
	struct gate gate;
	struct qewd_front *front;
	struct plain_front *plain;	/* NULL: no events are configured */
	struct rest_front *rest;
	struct ajax_front *ajax;
	struct http_static *statics;
	struct http_server *http;
	struct door *doors;		/* as conf->listeners */
	struct admin_view admin_view;
	struct admin_socket *admin_socket;	/* NULL: not configured, as the next */
	struct admin_http *admin_http;

	enum node_state state;
	bool is_quick;			/* SIGINT: nothing is waited for */
	size_t n_pools_running;		/* while ending */
	uint64_t ending_since_ms;
	struct timer timer;		/* draining takes too long; ending: look again */
	struct timer log_timer;		/* lines that were left out */
};

static void on_signal(int, void *);
static void on_hangup(int, void *);
static void on_reopen(int, void *);
static void on_log_tick(void *);
static void finish_draining(void *);

/* ---- building, from the bottom up ---- */

static void
make_tokens(struct node *n)
{
	const struct conf_jwt *jwt = &n->conf->jwt;
	struct jwt_secret *secrets = xcalloc(jwt->n_secrets, sizeof(*secrets));

	for (size_t i = 0; i < jwt->n_secrets; i++)
		secrets[i] = (struct jwt_secret){ jwt->secrets[i].id, jwt->secrets[i].bytes,
			jwt->secrets[i].len };
	n->ring = jwt_ring_new(secrets, jwt->n_secrets);
	free(secrets);
	n->tokens = token_cache_new(n->ring);
}

/* Pools and links are made before the front end, which a push is for. */
static void
on_push(const struct push *p, void *arg)
{
	struct node *n = arg;

	qewd_front_push(p, n->front);
}

static void
make_pools(struct node *n)
{
	n->pool_env = (struct pool_env){
		.loop = n->loop,
		.procs = n->procs,
		.ring = n->ring,
		.tokens = n->tokens,
		.requests = &n->requests,
		.services = n->services,
		.push = { on_push, n },
		.show = n->dev != NULL ? dev_show : NULL,
		.show_arg = n->dev,
		.secret = (const char *)n->conf->jwt.secrets[0].bytes,
		.secret_len = n->conf->jwt.secrets[0].len,
		.request_timeout_ms = n->conf->timeouts.request_ms,
		.node = n->conf->node,
		.session_lifetime_s = n->conf->jwt.lifetime_s,
		.line_max = n->conf->limits.handler_message,
		.reply_max = n->conf->limits.reply,
		.depth_max = HANDLER_DEPTH_MAX,
	};
	n->pools = xcalloc(n->conf->n_applications, sizeof(struct pool *));
	for (size_t i = 0; i < n->conf->n_applications; i++)
		n->pools[i] = pool_new(&n->pool_env, &n->conf->applications[i]);
}

/* Destinations with the same URL share its links, if they trust the same over TLS. */
static struct remote *
remote_for(struct node *n, const struct conf_destination *d, const struct conf_url *url)
{
	struct tls_client *tls = tls_store_client(n->tls, d, url);

	for (size_t i = 0; i < n->n_remotes; i++)
		if (strcmp(remote_url(n->remotes[i]), url->text) == 0 &&
		    remote_tls(n->remotes[i]) == tls) {
			remote_set_protocol(n->remotes[i], d->protocol);
			return n->remotes[i];
		}
	n->remotes = xreallocarray(n->remotes, n->n_remotes + 1, sizeof(struct remote *));
	return n->remotes[n->n_remotes++] = remote_new(&n->link_env, url, tls, d->protocol,
	    d->application);
}

static void
make_links(struct node *n)
{
	n->link_env = (struct link_env){
		.loop = n->loop,
		.resolver = n->resolver,
		.tokens = n->tokens,
		.push = { on_push, n },
		.node = n->conf->node,
		.limits = &n->conf->limits,
		.timeouts = &n->conf->timeouts,
	};
	n->link_sets = xcalloc(n->conf->n_destinations, sizeof(struct link_set *));
	for (size_t i = 0; i < n->conf->n_destinations; i++) {
		const struct conf_destination *d = &n->conf->destinations[i];

		n->link_sets[i] = link_set_new(d);
		for (size_t j = 0; j < d->n_urls; j++)
			link_set_add_remote(n->link_sets[i], remote_for(n, d, &d->urls[j]));
	}
}

static struct destination *
destination_of(struct node *n, const struct conf_target *t)
{
	if (t->application != NULL)
		return pool_destination(n->pools[t->application - n->conf->applications]);
	return link_set_destination(n->link_sets[t->destination - n->conf->destinations]);
}

static struct destination *
rest_destination(const struct conf_target *t, void *arg)
{
	return destination_of(arg, t);
}

static void
make_services(struct node *n)
{
	for (size_t i = 0; i < n->conf->n_services; i++) {
		const struct conf_service *s = &n->conf->services[i];

		for (size_t j = 0; j < s->n_routes; j++) {
			const struct conf_route *r = &s->routes[j];

			service_add(n->services, s->application, r->pattern,
			    destination_of(n, &r->target), r->timeout_ms)->cancel_on_leave =
			    r->cancel_on_leave;
		}
	}
	for (size_t i = 0; i < n->conf->n_applications; i++)
		service_add_local(n->services, n->conf->applications[i].name,
		    pool_destination(n->pools[i]));
}

/* All destinations but groups, and local applications by their names. */
static void
make_switches(struct node *n)
{
	const struct conf *conf = n->conf;
	bool has_any = false;

	/* Those of applications elsewhere are for what their masters send on (gate_service.c). */
	for (size_t i = 0; i < conf->n_switches; i++)
		for (size_t k = 0; k < conf->n_applications; k++)
			has_any = has_any || strcmp(conf->switches[i].from,
			    conf->applications[k].name) == 0;
	if (!has_any)
		return;
	n->switches = switch_table_new(n->tokens);
	for (size_t i = 0; i < conf->n_applications; i++)
		switch_add(n->switches, conf->applications[i].name,
		    pool_destination(n->pools[i]));
	for (size_t i = 0; i < conf->n_destinations; i++)
		if (conf->destinations[i].application != NULL)
			switch_add(n->switches, conf->destinations[i].name,
			    link_set_destination(n->link_sets[i]));
	for (size_t i = 0; i < conf->n_switches; i++)
		switch_permit(n->switches, conf->switches[i].from, conf->switches[i].to);
	n->requests.switches = n->switches;
}

/* Every session may speak through both doors. */
static void
on_session(struct eio_session *eio, void *arg)
{
	struct node *n = arg;
	struct sio_session *sio = qewd_front_on_session(n->front, eio);

	if (n->plain != NULL)
		plain_front_on_session(n->plain, sio);
}

static void
make_front(struct node *n)
{
	n->admission = admission_new(n->conf->limits.sessions,
	    n->conf->limits.sessions_per_address);
	n->gate = (struct gate){
		.conf = n->conf,
		.requests = &n->requests,
		.tokens = n->tokens,
		.services = n->services,
	};
	n->front = qewd_front_new(&n->gate);
	if (n->conf->n_events > 0)
		n->plain = plain_front_new(&n->gate);
	n->eio_env = (struct eio_env){
		.loop = n->loop,
		.conf = n->conf,
		.admission = n->admission,
		.on_session = on_session,
		.arg = n,
	};
	n->statics = http_static_new(n->conf);
	n->eio = eio_endpoint_new(&n->eio_env);
	n->http = http_server_new(n->loop, n->conf, n->admission);
	n->rest = rest_front_new(&n->gate, rest_destination, n);
	n->ajax = ajax_front_new(&n->gate);
	http_server_add(n->http, rest_front_service(n->rest));
	http_server_add(n->http, ajax_front_service(n->ajax));
	http_server_add(n->http, http_static_files(n->statics));
	http_server_add(n->http, eio_endpoint_service(n->eio));
	http_server_add(n->http, rest_front_fallback(n->rest));
	http_server_add(n->http, http_static_roots(n->statics));
}

static void
on_accept(int fd, const char *address, const char *address_port, void *arg)
{
	struct door *door = arg;

	http_server_accept(door->node->http, door->conf, door->tls, fd, address, address_port);
}

static bool
open_doors(struct node *n)
{
	n->doors = xcalloc(n->conf->n_listeners, sizeof(*n->doors));
	for (size_t i = 0; i < n->conf->n_listeners; i++) {
		const struct conf_listener *l = &n->conf->listeners[i];
		struct listener_where where = { l->host, l->port, l->unix_path };
		char *error;

		n->doors[i].node = n;
		n->doors[i].conf = l;
		n->doors[i].tls = tls_store_server(n->tls, l);
		n->doors[i].listener = listener_new(n->loop, &where, on_accept, &n->doors[i],
		    &error);
		if (n->doors[i].listener == NULL) {
			log_errorx("cannot listen on %s: %s", l->address, error);
			free(error);
			return false;
		}
		log_info("listening on %s%s", listener_address(n->doors[i].listener),
		    n->doors[i].tls != NULL ? ", TLS" : "");
	}
	return true;
}

static void
close_doors(struct node *n)
{
	for (size_t i = 0; n->doors != NULL && i < n->conf->n_listeners; i++) {
		listener_free(n->doors[i].listener);
		n->doors[i].listener = NULL;
	}
}

static bool
open_admin(struct node *n)
{
	const struct conf_admin *admin = &n->conf->admin;
	char *error;

	n->admin_view = (struct admin_view){
		.conf = n->conf,
		.loop = n->loop,
		.requests = &n->requests,
		.pools = n->pools,
		.link_sets = n->link_sets,
		.front = n->front,
		.begun_ms = clock_mono_ms(),
		.begun_wall_ms = clock_wall_ms(),
	};
	if (admin->socket != NULL) {
		n->admin_socket = admin_socket_new(&n->admin_view, admin->socket, &error);
		if (n->admin_socket == NULL) {
			log_errorx("cannot listen on %s (admin.socket): %s", admin->socket, error);
			free(error);
			return false;
		}
	}
	if (admin->http.address != NULL) {
		n->admin_http = admin_http_new(&n->admin_view, &error);
		if (n->admin_http == NULL) {
			log_errorx("cannot listen on %s (admin.http): %s", admin->http.address,
			    error);
			free(error);
			return false;
		}
		log_info("metrics and health at http://%s", admin_http_address(n->admin_http));
	}
	return true;
}

/* Before what they look at goes. */
static void
close_admin(struct node *n)
{
	admin_socket_free(n->admin_socket);
	n->admin_socket = NULL;
	admin_http_free(n->admin_http);
	n->admin_http = NULL;
}

struct node *
node_new(struct conf *conf, struct tls_store *tls, struct dev *dev)
{
	struct node *n = xcalloc(1, sizeof(*n));

	n->conf = conf_ref(conf);
	n->tls = tls;
	n->dev = dev;
	n->loop = loop_new();
	n->resolver = resolver_new();
	n->procs = procs_new(n->loop);
	n->requests = (struct requests){ .loop = n->loop, .node = conf->node,
		.slow_ms = conf->log_slow_ms };
	make_tokens(n);
	n->services = service_table_new();
	make_pools(n);
	make_links(n);
	make_services(n);
	make_switches(n);
	make_front(n);
	/* Whoever sees the addresses may send signals. */
	loop_on_signal(n->loop, SIGTERM, on_signal, n);
	loop_on_signal(n->loop, SIGINT, on_signal, n);
	loop_on_signal(n->loop, SIGHUP, on_hangup, n);
	loop_on_signal(n->loop, SIGUSR1, on_reopen, n);
	if (!open_admin(n) || !open_doors(n)) {
		node_free(n);
		return NULL;
	}
	return n;
}

/* ---- running and stopping ---- */

static void
on_files_changed(void *arg)
{
	struct node *n = arg;

	log_info("files have changed: starting a new worker");
	for (size_t i = 0; i < n->conf->n_applications; i++)
		pool_roll(n->pools[i]);
}

void
node_run(struct node *n)
{
	for (size_t i = 0; i < n->n_remotes; i++)
		remote_start(n->remotes[i]);
	for (size_t i = 0; i < n->conf->n_applications; i++)
		pool_start(n->pools[i]);
	if (n->dev != NULL)
		dev_watch(n->dev, n->loop, on_files_changed, n);
	on_log_tick(n);
	log_info("node %s is serving", n->conf->node);
	loop_run(n->loop);
}

static void
log_counters(struct node *n)
{
	const struct metrics *m = loop_metrics(n->loop);
	struct buf b = { 0 };

	for (int i = 0; i < METRIC_N; i++)
		if (m->value[i] > 0)
			buf_printf(&b, " %s=%llu", metrics_name(i), (unsigned long long)m->value[i]);
	log_info("counters:%s", buf_str(&b));
	buf_free(&b);
}

/* A client that polls may just have been between two polls when its last reply came. */
static bool
is_fetching(const struct node *n)
{
	return !n->is_quick && clock_mono_ms() - n->ending_since_ms < FETCH_MS &&
	    eio_endpoint_is_awaited(n->eio);
}

/* Close frames are on their way; stop as soon as all connections are gone. */
static void
look_for_end(void *arg)
{
	struct node *n = arg;

	if (n->http != NULL && !is_fetching(n)) {
		http_server_free(n->http);
		n->http = NULL;
	}
	if (n->http == NULL && n->n_pools_running == 0 && (*loop_conns(n->loop) == 0 ||
	    clock_mono_ms() - n->ending_since_ms >= LAST_WORDS_MS)) {
		log_counters(n);
		loop_stop(n->loop);
	} else {
		loop_timer_set(n->loop, &n->timer, LOOK_MS, look_for_end, n);
	}
}

static void
on_pool_stopped(void *arg)
{
	struct node *n = arg;

	n->n_pools_running--;
	n->ending_since_ms = clock_mono_ms();
}

static void
free_links(struct node *n)
{
	for (size_t i = 0; i < n->n_remotes; i++)
		remote_free(n->remotes[i], ERR_LINK_LOST);
	free(n->remotes);
	n->remotes = NULL;
	n->n_remotes = 0;
	for (size_t i = 0; n->link_sets != NULL && i < n->conf->n_destinations; i++)
		link_set_free(n->link_sets[i], ERR_STOPPING);
	free(n->link_sets);
	n->link_sets = NULL;
}

/* What is still open ends here, with an answer. */
static void
end_serving(struct node *n)
{
	n->state = NODE_ENDING;
	n->ending_since_ms = clock_mono_ms();
	close_admin(n);
	n->requests.on_idle = NULL;
	n->requests.switches = NULL;	/* what they lead to goes now, too */
	n->pool_env.services = NULL;	/* no more calls: what they are routed to goes now */
	n->n_pools_running = n->conf->n_applications;
	for (size_t i = 0; i < n->conf->n_applications; i++)
		pool_stop(n->pools[i], n->is_quick || n->requests.n_awaited > 0,
		    on_pool_stopped, n);
	free_links(n);
	qewd_front_close_all(n->front, ERR_STOPPING);
	plain_front_forget_gone(n->plain);
	look_for_end(n);
}

static void
finish_draining(void *arg)
{
	struct node *n = arg;

	if (n->requests.n_awaited > 0)
		log_warnx("%zu requests are still open: they end now", n->requests.n_awaited);
	end_serving(n);
}

/* The last request was answered; not from within its own end. */
static void
on_idle(void *arg)
{
	struct node *n = arg;

	if (n->state == NODE_DRAINING)
		loop_timer_set(n->loop, &n->timer, 0, finish_draining, n);
}

static void
begin_draining(struct node *n, uint64_t within_ms)
{
	n->state = NODE_DRAINING;
	n->admin_view.state = ADMIN_DRAINING;
	dev_unwatch(n->dev);
	close_doors(n);
	n->eio_env.is_draining = true;
	n->gate.is_draining = true;
	http_server_drain(n->http);
	n->requests.on_idle = on_idle;
	n->requests.on_idle_arg = n;
	loop_timer_set(n->loop, &n->timer, n->requests.n_awaited > 0 ? within_ms : 0,
	    finish_draining, n);
}

static void
on_signal(int signo, void *arg)
{
	struct node *n = arg;

	if (n->state != NODE_SERVING) {
		log_warnx("second signal: stopping at once");
		procs_kill_all(n->procs);
		dev_free(n->dev);	/* its files */
		_exit(EXIT_FAILURE);
	} else if (signo == SIGTERM) {
		log_info("SIGTERM: draining, %zu requests are open", n->requests.n_awaited);
		begin_draining(n, n->conf->timeouts.drain_ms);
	} else {
		log_info("SIGINT: stopping");
		n->is_quick = true;
		begin_draining(n, 0);
	}
}

static void
on_hangup(int signo UNUSED, void *arg)
{
	struct node *n = arg;

	if (n->dev == NULL) {
		log_info("SIGHUP");
		tls_store_reload(n->tls);
	} else if (n->state == NODE_SERVING) {
		/* The terminal is gone, and the shell may tell so as well as the kernel. */
		log_info("SIGHUP: draining, %zu requests are open", n->requests.n_awaited);
		begin_draining(n, n->conf->timeouts.drain_ms);
	}
}

/* logrotate has moved the file of the log away. */
static void
on_reopen(int signo UNUSED, void *arg UNUSED)
{
	log_reopen();
	log_info("SIGUSR1: the log is opened anew");
}

static void
on_log_tick(void *arg)
{
	struct node *n = arg;

	log_tick();
	loop_timer_set(n->loop, &n->log_timer, LOG_TICK_MS, on_log_tick, n);
}

/* From the top down. */
void
node_free(struct node *n)
{
	if (n == NULL)
		return;
	close_admin(n);
	close_doors(n);
	free(n->doors);
	http_server_free(n->http);
	qewd_front_close_all(n->front, ERR_STOPPING);
	plain_front_forget_gone(n->plain);
	eio_endpoint_free(n->eio);
	free_links(n);
	for (size_t i = 0; i < n->conf->n_applications; i++)
		pool_free(n->pools[i]);
	free(n->pools);
	procs_free(n->procs);
	loop_timer_stop(n->loop, &n->timer);
	loop_timer_stop(n->loop, &n->log_timer);
	resolver_free(n->resolver);
	loop_free(n->loop);
	qewd_front_free(n->front);
	plain_front_free(n->plain);
	ajax_front_free(n->ajax);
	rest_front_free(n->rest);
	http_static_free(n->statics);
	admission_free(n->admission);
	switch_table_free(n->switches);
	service_table_free(n->services);
	token_cache_free(n->tokens);
	jwt_ring_free(n->ring);
	conf_unref(n->conf);
	free(n);
}
