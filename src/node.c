/* SPDX-License-Identifier: ISC */
/*
 * Builds what a node has once, around its event loop (node_loop.h); stops all of it in order.
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
#include "net/listener.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "net/tls_store.h"
#include "node_int.h"
#include "node_loop.h"
#include "token/revoked.h"
#include "worker/pool.h"
#include "worker/proc.h"

#define LAST_WORDS_MS 2500	/* for close frames to be written and answered */
#define HANDLER_DEPTH_MAX 1000	/* handlers may nest deeper than browsers may */
#define FETCH_MS      500	/* for clients that poll to come for their last replies */
#define LOG_TICK_MS   10000
#define LOOK_MS	      10	/* how often we look whether all connections are gone */

static void on_signal(int, void *);
static void on_hangup(int, void *);
static void on_reopen(int, void *);
static void on_log_tick(void *);
static void finish_draining(void *);

/* ---- building, from the bottom up ---- */

/* Pools are made before the front end, which a push is for. */
static void
on_push(const struct push *p, void *arg)
{
	struct node *n = arg;

	node_loop_push(n->nl, p);
}

static void
make_pools(struct node *n)
{
	n->pool_env = (struct pool_env){
		.loop = n->loop,
		.procs = n->procs,
		.ring = n->nl->ring,
		.tokens = n->nl->tokens,
		.requests = &n->nl->requests,
		.services = n->nl->services,
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
	n->locals = xcalloc(n->conf->n_applications, sizeof(struct destination *));
	for (size_t i = 0; i < n->conf->n_applications; i++) {
		n->pools[i] = pool_new(&n->pool_env, &n->conf->applications[i]);
		n->locals[i] = pool_destination(n->pools[i]);
	}
}

static void
on_accept(int fd, const char *address, const char *address_port, void *arg)
{
	struct door *door = arg;

	node_loop_accept(door->node->nl, door->conf, door->tls, fd, address, address_port);
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

	n->admin_loop = (struct admin_loop){ n->loop, &n->nl->requests, n->nl->link_sets,
		n->nl->front, n->nl->tokens };
	n->admin_view = (struct admin_view){
		.conf = n->conf,
		.loops = &n->admin_loop,
		.n_loops = 1,
		.loop = n->loop,
		.requests = &n->nl->requests,
		.pools = n->pools,
		.link_sets = n->nl->link_sets,
		.front = n->nl->front,
		.gate = &n->nl->gate,
		.memory = &n->admin_memory,
		.begun_ms = clock_mono_ms(),
		.begun_wall_ms = clock_wall_ms(),
		.revoked = n->revoked,
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

/* A file that cannot be read could let in who was sent away: NULL then. */
static struct revoked *
make_revoked(const struct conf *conf)
{
	const char *path = conf->jwt.revoked_file;
	struct revoked *revoked = revoked_new();
	char *why;

	why = path != NULL ? revoked_load(revoked, path, clock_wall_ms() / 1000) : NULL;
	if (why == NULL)
		return revoked;
	log_errorx("jwt.revoked_file: %s", why);
	free(why);
	revoked_free(revoked);
	return NULL;
}

struct node *
node_new(struct conf *conf, struct tls_store *tls, struct dev *dev)
{
	struct revoked *revoked = make_revoked(conf);
	struct node *n;

	if (revoked == NULL)
		return NULL;
	n = xcalloc(1, sizeof(*n));
	n->revoked = revoked;
	n->conf = conf_ref(conf);
	n->tls = tls;
	n->dev = dev;
	n->resolver = resolver_new();
	n->admission = admission_new(conf->limits.sessions, conf->limits.sessions_per_address);
	n->shared = (struct node_shared){ conf, tls, n->resolver, n->admission, n->revoked };
	n->nl = node_loop_new(&n->shared);
	n->loop = n->nl->loop;
	n->procs = procs_new(n->loop);
	make_pools(n);
	node_loop_connect(n->nl, n->locals);
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
	node_loop_start(n->nl);
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

static bool
is_fetching(const struct node *n)
{
	return !n->is_quick && clock_mono_ms() - n->ending_since_ms < FETCH_MS &&
	    node_loop_is_awaited(n->nl);
}

/* Close frames are on their way; stop as soon as all connections are gone. */
static void
look_for_end(void *arg)
{
	struct node *n = arg;

	if (!is_fetching(n))
		node_loop_close_http(n->nl);
	if (n->nl->http == NULL && n->n_pools_running == 0 && (*loop_conns(n->loop) == 0 ||
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

/* What is still open ends here, with an answer. */
static void
end_serving(struct node *n)
{
	n->state = NODE_ENDING;
	n->ending_since_ms = clock_mono_ms();
	close_admin(n);
	node_loop_stop_routing(n->nl);
	n->pool_env.services = NULL;	/* no more calls: what they are routed to goes now */
	n->n_pools_running = n->conf->n_applications;
	for (size_t i = 0; i < n->conf->n_applications; i++)
		pool_stop(n->pools[i], n->is_quick || n->nl->requests.n_awaited > 0,
		    on_pool_stopped, n);
	node_loop_end(n->nl);
	look_for_end(n);
}

static void
finish_draining(void *arg)
{
	struct node *n = arg;

	if (n->nl->requests.n_awaited > 0)
		log_warnx("%zu requests are still open: they end now", n->nl->requests.n_awaited);
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
	node_loop_drain(n->nl);
	n->nl->requests.on_idle = on_idle;
	n->nl->requests.on_idle_arg = n;
	loop_timer_set(n->loop, &n->timer, n->nl->requests.n_awaited > 0 ? within_ms : 0,
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
		log_info("SIGTERM: draining, %zu requests are open", n->nl->requests.n_awaited);
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
		log_info("SIGHUP: draining, %zu requests are open", n->nl->requests.n_awaited);
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
	node_loop_close(n->nl);
	for (size_t i = 0; i < n->conf->n_applications; i++)
		pool_free(n->pools[i]);
	free(n->pools);
	free(n->locals);
	procs_free(n->procs);
	loop_timer_stop(n->loop, &n->timer);
	loop_timer_stop(n->loop, &n->log_timer);
	resolver_free(n->resolver);
	node_loop_free(n->nl);
	admission_free(n->admission);
	revoked_free(n->revoked);
	conf_unref(n->conf);
	free(n);
}
