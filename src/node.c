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

#include "admin/admin_trace.h"
#include "admin/admin_view.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/xmalloc.h"
#include "conf/conf.h"
#include "dev/dev.h"
#include "front/address_rates.h"
#include "front/admission.h"
#include "net/activation.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "net/tls_store.h"
#include "request/override.h"
#include "node_doors.h"
#include "node_int.h"
#include "node_loop.h"
#include "node_loops.h"
#include "node_plan.h"
#include "node_reload.h"
#include "node_revoked.h"
#include "node_threads.h"
#include "node_upgrade.h"
#include "request/relay.h"
#include "token/revoked.h"
#include "worker/pool.h"
#include "worker/proc.h"

#define LAST_WORDS_MS 2500	/* for close frames to be written and answered */
#define HANDLER_DEPTH_MAX 1000	/* handlers may nest deeper than browsers may */
#define FETCH_MS      2000	/* for clients that poll to come for their last replies */
#define TICK_MS	      10000
#define LINKED_MS     3000	/* for links to be up before we take over from another usherd */
#define LOOK_MS	      10	/* how often we look whether all connections are gone */
#define PACE_MS	      20	/* how often some sessions are told to go */

static void on_signal(int, void *);
static void on_hangup(int, void *);
static void on_reopen(int, void *);
static void on_upgrade(int, void *);
static void finish_draining(void *);

/* ---- building, from the bottom up ---- */

/* Pools are made before the front end, which a push is for. */
static void
on_push(const struct push *p, void *arg)
{
	struct node *n = arg;

	node_threads_push(n->threads, n->nl, p);
}

void
node_point_pools_to(struct node *n, const struct conf *conf)
{
	n->pool_env.secret = (const char *)conf->jwt.secrets[0].bytes;
	n->pool_env.secret_len = conf->jwt.secrets[0].len;
	n->pool_env.request_timeout_ms = conf->timeouts.request_ms;
	n->pool_env.node = conf->node;
	n->pool_env.session_lifetime_s = conf->jwt.lifetime_s;
	n->pool_env.line_max = conf->limits.handler_message;
	n->pool_env.reply_max = conf->limits.reply;
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
		.overrides = n->shared.overrides,
		.push = { on_push, n },
		.show = n->dev != NULL ? dev_show : NULL,
		.show_arg = n->dev,
		.depth_max = HANDLER_DEPTH_MAX,
	};
	node_point_pools_to(n, n->conf);
	n->pools = xcalloc(n->conf->n_applications, sizeof(struct pool *));
	for (size_t i = 0; i < n->conf->n_applications; i++)
		n->pools[i] = pool_new(&n->pool_env, &n->conf->applications[i]);
}

/* Links are made of what the configuration says, as after a reload. */
static void
make_loops(struct node *n)
{
	struct node_plan *plan = node_plan_new(n->conf, n->tls, NULL);
	struct loop_next **next = node_prepare_loops(n, plan, n->pools);

	node_switch_loops(n, next);
	for (size_t i = 0; next[i] != NULL; i++)
		loop_next_free(next[i]);
	free(next);
	plan->tls = NULL;	/* the node's */
	node_plan_free(plan);
}

/* Whoever takes over from another usherd may have another configuration. */
static bool
check_activation(struct node *n)
{
	char *left = activation_left(n->activation);
	bool is_upgrade = n->activation != NULL && activation_is_upgrade(n->activation);

	if (left == NULL)
		return true;
	if (is_upgrade)
		log_info("no longer listening on %s", left);
	else
		log_errorx("started with sockets that the configuration does not listen on: %s; "
		    "name them in \"listen\", or take them from the socket unit", left);
	free(left);
	return is_upgrade;
}

static bool
open_doors(struct node *n)
{
	struct node_doors *doors;
	char *error;

	n->admin_view.begun_ms = clock_mono_ms();
	n->admin_view.begun_wall_ms = clock_wall_ms();
	node_look_at(n);
	if ((doors = node_doors_open(n, n->conf, n->tls, &error)) == NULL) {
		log_errorx("%s", error);
		free(error);
		return false;
	}
	node_doors_switch(n, doors);
	return check_activation(n);
}

/* false: it was logged. */
static bool
load_revoked(struct revoked *revoked, const struct conf *conf)
{
	const char *path = conf->jwt.revoked_file;
	char *why;

	why = path != NULL ? revoked_load(revoked, path, clock_wall_ms() / 1000) : NULL;
	if (why == NULL)
		return true;
	log_errorx("jwt.revoked_file: %s", why);
	free(why);
	return false;
}

/* A file that cannot be read could let in who was sent away: NULL then. */
static struct revoked *
make_revoked(const struct conf *conf)
{
	struct revoked *revoked = revoked_new();

	if (load_revoked(revoked, conf))
		return revoked;
	revoked_free(revoked);
	return NULL;
}

struct node *
node_new(struct conf *conf, struct tls_store *tls, struct dev *dev, struct node_start *start)
{
	struct revoked *revoked = make_revoked(conf);
	struct node *n;

	if (revoked == NULL) {
		tls_store_free(tls);	/* as node_free() does, like the next */
		activation_free(start->activation);
		return NULL;
	}
	n = xcalloc(1, sizeof(*n));
	n->revoked = revoked;
	n->conf = conf_ref(conf);
	n->tls = tls;
	n->dev = dev;
	n->argv = start->argv;
	n->activation = start->activation;
	n->resolver = resolver_new();
	n->admission = admission_new(conf->limits.sessions, conf->limits.sessions_per_address);
	n->threads = node_threads_new(conf->threads);
	n->shared = (struct node_shared){ n->resolver, n->admission, address_rates_new(),
		overrides_new(), n->revoked, conf->threads > 1 ? &n->n_requests : NULL,
		conf->threads > 1 ? n->threads : NULL, NULL, &n->n_kept_bytes };
	SLIST_INIT(&n->left_pools);
	STAILQ_INIT(&n->reload_waiters);
	n->nl = node_loop_new(&n->shared, 0, conf);
	node_threads_add(n->threads, n->nl);
	n->loop = n->nl->loop;
	n->procs = procs_new(n->loop);
	make_pools(n);
	node_add_loops(n);
	make_loops(n);
	/* Whoever sees the addresses may send signals. */
	loop_on_signal(n->loop, SIGTERM, on_signal, n);
	loop_on_signal(n->loop, SIGINT, on_signal, n);
	loop_on_signal(n->loop, SIGHUP, on_hangup, n);
	loop_on_signal(n->loop, SIGUSR1, on_reopen, n);
	loop_on_signal(n->loop, SIGUSR2, on_upgrade, n);
	if (!open_doors(n)) {
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

static void
serve(struct node *n)
{
	log_info("node %s is serving", n->conf->node);
	activation_free(n->activation);
	n->activation = NULL;
	notify("READY=1\nMAINPID=%d", (int)getpid());
}

/*
 * The usherd before us lets nobody in any more, and nobody can revoke anything there: what was
 * revoked since we started is in the file.
 */
static void
take_over(void *arg)
{
	struct node *n = arg;

	if (n->state != NODE_SERVING)
		return;
	if (!activation_is_alone(n->activation)) {
		loop_timer_set(n->loop, &n->timer, LOOK_MS, take_over, n);
		return;
	}
	node_threads_hold(n->threads);
	(void)load_revoked(n->revoked, n->conf);	/* what we have holds in any case */
	node_threads_release(n->threads);
	node_doors_resume_all(n);
	serve(n);
}

/* The usherd before us serves until we can: whoever connects should find all links up. */
static void
wait_for_links(void *arg)
{
	struct node *n = arg;

	if (n->state != NODE_SERVING)
		return;
	if (!node_loop_is_linked(n->nl) && clock_mono_ms() - n->upgraded_ms < LINKED_MS) {
		loop_timer_set(n->loop, &n->timer, LOOK_MS, wait_for_links, n);
		return;
	}
	node_doors_own(n);
	activation_tell(n->activation);
	take_over(n);
}

void
node_run(struct node *n)
{
	node_loop_start(n->nl);
	for (size_t i = 0; i < n->conf->n_applications; i++) {
		pool_apply_overrides(n->pools[i]);
		pool_start(n->pools[i]);
	}
	if (n->dev != NULL)
		dev_watch(n->dev, n->loop, on_files_changed, n);
	node_tick_start(&n->tick, n->threads, TICK_MS);
	node_threads_start(n->threads);
	if (n->activation != NULL && activation_is_upgrade(n->activation)) {
		node_doors_pause_all(n);
		n->upgraded_ms = clock_mono_ms();
		wait_for_links(n);
	} else {
		serve(n);
	}
	loop_run(n->loop);
}

static void
log_counters(struct node *n)
{
	struct buf b = { 0 };

	for (int i = 0; i < METRIC_N; i++) {
		uint64_t value = 0;

		for (unsigned k = 0; k < node_threads_count(n->threads); k++)
			value += loop_metrics(node_threads_loop(n->threads, k)->loop)->value[i];
		if (value > 0)
			buf_printf(&b, " %s=%llu", metrics_name(i), (unsigned long long)value);
	}
	log_info("counters:%s", buf_str(&b));
	buf_free(&b);
}

static bool
is_fetching(const struct node *n, const struct node_loop *nl)
{
	return !n->is_quick && clock_mono_ms() - n->ending_since_ms < FETCH_MS &&
	    node_loop_is_awaited(nl);
}

/* Its connections are gone, or have had their time. */
static bool
has_ended(const struct node *n, struct node_loop *nl)
{
	if (!is_fetching(n, nl))
		node_loop_close_http(nl);
	return nl->http == NULL && (*loop_conns(nl->loop) == 0 ||
	    clock_mono_ms() - n->ending_since_ms >= LAST_WORDS_MS);
}

/* Close frames are on their way; stop as soon as all connections are gone. */
static void
look_for_end(void *arg)
{
	struct node *n = arg;
	bool is_over = n->n_pools_running == 0;

	node_threads_hold(n->threads);
	for (unsigned i = 0; i < node_threads_count(n->threads); i++)
		is_over = has_ended(n, node_threads_loop(n->threads, i)) && is_over;
	node_threads_release(n->threads);
	if (is_over) {
		node_threads_stop(n->threads);
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
end_loop(struct node_loop *nl, void *arg UNUSED)
{
	node_loop_end(nl);
}

static void
end_watch(struct node *n)
{
	node_revoked_free(n->revoked_watch);
	n->revoked_watch = NULL;
}

/*
 * What is still open ends here, with an answer.  Pools and links of the first loop end before the
 * sessions of any: what they say last comes before.
 */
static void
end_serving(struct node *n)
{
	bool is_quick = n->is_quick || node_n_awaited(n) > 0;

	n->state = NODE_ENDING;
	n->ending_since_ms = clock_mono_ms();
	node_reload_end(n);
	node_upgrade_end(n);
	end_watch(n);
	node_doors_close(n);
	node_doors_close_admin(n);
	node_threads_hold(n->threads);
	for (unsigned i = 0; i < node_threads_count(n->threads); i++)
		node_loop_stop_routing(node_threads_loop(n->threads, i));
	node_threads_release(n->threads);
	if (n->relay != NULL)
		relay_in_stop(n->relay);
	n->pool_env.services = NULL;	/* no more calls: what they are routed to goes now */
	n->n_pools_running = n->conf->n_applications;
	for (size_t i = 0; i < n->conf->n_applications; i++)
		pool_stop(n->pools[i], is_quick, on_pool_stopped, n);
	node_loop_end_links(n->nl);
	node_threads_each(n->threads, end_loop, NULL);
	look_for_end(n);
}

static void
finish_draining(void *arg)
{
	struct node *n = arg;
	size_t n_open = node_n_awaited(n);

	if (n_open > 0)
		log_warnx("%zu requests are still open: they end now", n_open);
	end_serving(n);
}

/*
 * How many sessions are told to go now: as many as drain.sessions_per_second allows, or as
 * must be if all are to be told in time; more or less by chance, so that they do not come to
 * other nodes in step.
 */
static size_t
pace(struct node *n, uint64_t left_ms)
{
	uint64_t rate = n->conf->drain.sessions_per_second, needed;
	size_t n_sessions;
	uint32_t random;

	if (rate == CONF_NO_LIMIT)
		return SIZE_MAX;
	needed = 2 * (node_close_some(n, 0) * 1000 / (left_ms + 1));
	rate = rate > needed ? rate : needed;
	id_random(&random, sizeof(random));
	n->drain_credit += rate * PACE_MS * (512 + random % 1024) / 1024;
	n_sessions = n->drain_credit / 1000;
	n->drain_credit %= 1000;
	return n_sessions;
}

static void
drain_on(void *arg)
{
	struct node *n = arg;
	uint64_t now_ms = clock_mono_ms(), left_ms;
	size_t n_sessions;

	left_ms = n->drain_until_ms > now_ms ? n->drain_until_ms - now_ms : 0;
	n_sessions = left_ms > 0 ? node_close_some(n, pace(n, left_ms)) : 0;
	if (left_ms == 0 || (n_sessions == 0 && node_n_awaited(n) == 0))
		finish_draining(n);
	else
		loop_timer_set(n->loop, &n->timer, left_ms < PACE_MS ? left_ms : PACE_MS,
		    drain_on, n);
}

/* A loop has answered its last request; not from within its own end. */
static void
on_loop_idle(void *arg)
{
	struct node *n = arg;

	if (n->state == NODE_DRAINING)
		loop_timer_set(n->loop, &n->timer, 0, drain_on, n);
}

/* On any loop. */
static void
on_idle(void *arg)
{
	struct node *n = arg;

	loop_post(n->loop, on_loop_idle, n);
}

static void
begin_draining(void *arg)
{
	struct node *n = arg;

	if (!n->is_handed_over)
		notify("STOPPING=1");
	n->state = NODE_DRAINING;
	n->drain_credit = 1000;		/* the first goes at once */
	n->admin_view.state = ADMIN_DRAINING;
	n->drain_until_ms = clock_mono_ms() + (n->is_quick ? 0 : n->conf->timeouts.drain_ms);
	dev_unwatch(n->dev);
	if (n->upgrade != NULL)
		node_doors_pause(n);	/* the files are needed if the new process serves */
	else
		node_doors_close(n);
	node_threads_hold(n->threads);
	for (unsigned i = 0; i < node_threads_count(n->threads); i++) {
		struct node_loop *nl = node_threads_loop(n->threads, i);

		node_loop_drain(nl);
		nl->requests.on_idle = on_idle;
		nl->requests.on_idle_arg = n;
	}
	node_threads_release(n->threads);
	loop_timer_set(n->loop, &n->timer, 0, drain_on, n);
}

static void
keep_file(struct listener *l, const char *name UNUSED, void *arg UNUSED)
{
	listener_keep_file(l);
}

void
node_hand_over(struct node *n)
{
	n->is_handed_over = true;
	node_doors_each(n, keep_file, NULL);
	node_doors_close_admin(n);
	n->revoked_watch = node_revoked_watch(n);
	if (n->state == NODE_SERVING || n->state == NODE_LEAVING)
		begin_draining(n);
	else
		node_doors_close(n);
}

/* drain.keep_listening: /readyz says no, and all else is as before. */
void
node_drain(struct node *n)
{
	uint64_t keep_ms = n->conf->drain.keep_listening_ms;

	n->admin_view.state = ADMIN_DRAINING;
	if (keep_ms == 0) {
		begin_draining(n);
		return;
	}
	log_info("serving on for %llu ms (drain.keep_listening), not ready",
	    (unsigned long long)keep_ms);
	n->state = NODE_LEAVING;
	loop_timer_set(n->loop, &n->timer, keep_ms, begin_draining, n);
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
		log_info("SIGTERM: draining, %zu requests are open", node_n_awaited(n));
		node_drain(n);
	} else {
		log_info("SIGINT: stopping");
		n->is_quick = true;
		begin_draining(n);
	}
}

/* The log has it. */
static void
on_reloaded(const char *fault UNUSED, void *arg UNUSED)
{
}

static void
on_hangup(int signo UNUSED, void *arg)
{
	struct node *n = arg;

	if (n->dev == NULL) {
		log_info("SIGHUP: reading %s", n->conf->path);
		node_reload_begin(n, on_reloaded, n);
	} else if (n->state == NODE_SERVING) {
		/* The terminal is gone, and the shell may tell so as well as the kernel. */
		log_info("SIGHUP: draining, %zu requests are open", node_n_awaited(n));
		begin_draining(n);
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
on_upgraded(const char *fault UNUSED, int pid UNUSED, void *arg UNUSED)
{
}

static void
on_upgrade(int signo UNUSED, void *arg)
{
	struct node *n = arg;

	if (n->state != NODE_SERVING || n->dev != NULL)
		return;
	log_info("SIGUSR2: starting a new usherd");
	node_upgrade_begin(n, on_upgraded, n);
}

/* From the top down. */
void
node_free(struct node *n)
{
	if (n == NULL)
		return;
	node_reload_end(n);
	node_upgrade_end(n);
	end_watch(n);
	activation_free(n->activation);
	node_doors_close_admin(n);
	node_doors_free(n);
	node_threads_stop(n->threads);
	for (unsigned i = 0; i < node_threads_count(n->threads); i++)
		node_loop_close(node_threads_loop(n->threads, i));
	for (size_t i = 0; i < n->conf->n_applications; i++)
		pool_free(n->pools[i]);
	free(n->pools);
	node_reload_free_pools(n);
	procs_free(n->procs);
	loop_timer_stop(n->loop, &n->timer);
	node_tick_stop(&n->tick);
	resolver_free(n->resolver);
	node_free_loops(n);
	admission_free(n->admission);
	address_rates_free(n->shared.rates);
	overrides_free(n->shared.overrides);
	tls_store_free(n->tls);
	revoked_free(n->revoked);
	admin_trace_cleanup(&n->admin_memory);
	conf_unref(n->conf);
	free(n);
}
