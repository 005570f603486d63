/* SPDX-License-Identifier: ISC */
/*
 * The life of a worker process.
 *
 * States: starting -> ready <-> unready, until it is leaving (told to stop, or
 * killed) and its process is reaped.
 */
#include "worker/worker_int.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/strmap.h"
#include "base/xmalloc.h"
#include "codec/handler_msg.h"
#include "conf/conf.h"
#include "token/jwt.h"
#include "worker/handler_link.h"
#include "worker/proc.h"

#define LIVED_MS      1000	/* a worker ready for so long was of use */
#define KILL_AFTER_MS 1000	/* between SIGTERM and SIGKILL of a worker that hangs */

static const char *const state_name[] = {
	[WORKER_STARTING] = "starting",
	[WORKER_READY] = "ready",
	[WORKER_UNREADY] = "unready",
	[WORKER_LEAVING] = "leaving",
};

static void on_link_close(enum err, const char *, void *);
static void on_exit_of(struct proc *, const char *, void *);

static const struct handler_link_events link_events = {
	.on_msg = worker_on_msg,
	.on_close = on_link_close,
};

/* The only place that assigns worker->state. */
static void
set_state(struct worker *w, enum worker_state next)
{
	log_debug_for("pool", w->name, "%s -> %s", state_name[w->state], state_name[next]);
	w->state = next;
}

static void
show_life(const struct worker *w, enum pool_sight what)
{
	if (w->env->show != NULL)
		w->env->show(what, w->name, "", 0, "", 0, w->env->show_arg);
}

void
worker_send_line(struct worker *w, struct buf *line)
{
	w->unread_id = 0;
	if (w->link != NULL)
		handler_link_send(w->link, line);
	buf_free(line);
}

/* ---- starting ---- */

static void
on_start_timeout(void *arg)
{
	worker_kill(arg, "not ready within pool.start_timeout");
}

static void
say_hello(struct worker *w)
{
	struct handler_hello hello = {
		.node = w->env->node,
		.application = w->conf->name,
		.worker = w->number,
	};
	struct buf line = { 0 };

	if (w->conf->qewd) {
		hello.secret = w->env->secret;
		hello.secret_len = w->env->secret_len;
		hello.lifetime_s = w->env->session_lifetime_s;
		hello.settings = w->conf->settings;
	}
	handler_msg_encode_hello(&line, &hello);
	handler_link_send(w->link, &line);
	jwt_wipe(&line);
}

struct worker *
worker_start(const struct pool_env *env, const struct conf_application *conf, char *const *envp,
    unsigned number, const struct worker_events *ev, void *arg)
{
	struct worker *w = xcalloc(1, sizeof(*w));
	struct proc_spec spec = {
		.name = w->name,
		.argv = conf->command,
		.directory = conf->directory,
		.envp = envp,
	};
	int fd;

	w->env = env;
	w->conf = conf;
	w->ev = ev;
	w->arg = arg;
	w->number = number;
	w->n_jobs_max = 1;
	LIST_INIT(&w->jobs);
	w->calls = strmap_new();
	snprintf(w->name, sizeof(w->name), "%s#%u", conf->name, number);
	w->proc = proc_start(env->procs, &spec, on_exit_of, w, &fd);
	if (w->proc == NULL) {
		log_errorx_for(w->name, "cannot start %s: %s", conf->command[0], strerror(fd));
		strmap_free(w->calls, NULL);
		free(w);
		return NULL;
	}
	log_debug_for("pool", w->name, "started as process %d", proc_pid(w->proc));
	show_life(w, POOL_STARTED);
	w->link = handler_link_new(env->loop, fd, env->line_max, env->depth_max, &link_events, w);
	say_hello(w);
	loop_timer_set(env->loop, &w->timer, conf->pool_start_timeout_ms, on_start_timeout, w);
	return w;
}

void
worker_free(struct worker *w)
{
	loop_timer_stop(w->env->loop, &w->timer);
	loop_timer_stop(w->env->loop, &w->ping_timer);
	worker_free_jobs(w);
	strmap_free(w->calls, NULL);
	free(w);
}

void
worker_set_conf(struct worker *w, const struct conf_application *conf)
{
	w->conf = conf;
}

/* ---- questions ---- */

bool
worker_is_starting(const struct worker *w)
{
	return w->state == WORKER_STARTING;
}

bool
worker_is_ready(const struct worker *w)
{
	return w->state == WORKER_READY;
}

bool
worker_is_leaving(const struct worker *w)
{
	return w->state == WORKER_LEAVING;
}

bool
worker_is_retiring(const struct worker *w)
{
	return w->is_retiring;
}

bool
worker_was_asked(const struct worker *w)
{
	return w->was_asked;
}

const char *
worker_state_name(const struct worker *w)
{
	return state_name[w->state];
}

int
worker_pid(const struct worker *w)
{
	return w->proc != NULL ? proc_pid(w->proc) : 0;
}

bool
worker_has_room(const struct worker *w)
{
	return w->state == WORKER_READY && !w->is_retiring && w->n_jobs < w->n_jobs_max;
}

unsigned
worker_n_jobs(const struct worker *w)
{
	return w->n_jobs;
}

uint64_t
worker_n_finished(const struct worker *w)
{
	return w->n_finished;
}

uint64_t
worker_idle_ms(const struct worker *w)
{
	return w->idle_since_ms == 0 ? 0 : clock_mono_ms() - w->idle_since_ms + 1;
}

uint64_t
worker_memory(const struct worker *w)
{
	unsigned long long total, resident = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/statm", proc_pid(w->proc));
	if ((f = fopen(path, "re")) == NULL)
		return 0;
	if (fscanf(f, "%llu %llu", &total, &resident) != 2)
		resident = 0;
	fclose(f);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

bool
worker_was_of_use(const struct worker *w)
{
	return w->n_finished > 0 ||
	    (w->ready_ms != 0 && clock_mono_ms() - w->ready_ms >= LIVED_MS);
}

const char *
worker_name(const struct worker *w)
{
	return w->name;
}

unsigned
worker_number(const struct worker *w)
{
	return w->number;
}

/* ---- ending ---- */

static void
on_leaving_too_long(void *arg)
{
	struct worker *w = arg;

	log_debug_for("pool", w->name, "signal %d", w->next_signal);
	proc_signal(w->proc, w->next_signal);
	if (w->next_signal == SIGTERM) {
		w->next_signal = SIGKILL;
		loop_timer_set(w->env->loop, &w->timer, KILL_AFTER_MS, on_leaving_too_long, w);
	}
}

static void
leave(struct worker *w, uint64_t grace_ms)
{
	loop_timer_stop(w->env->loop, &w->ping_timer);
	set_state(w, WORKER_LEAVING);
	w->next_signal = SIGTERM;
	loop_timer_set(w->env->loop, &w->timer, grace_ms, on_leaving_too_long, w);
}

void
worker_stop(struct worker *w, uint64_t grace_ms)
{
	struct buf line = { 0 };

	if (w->state == WORKER_LEAVING)
		return;
	handler_msg_encode_stop(&line);
	worker_send_line(w, &line);
	w->was_asked = true;
	leave(w, grace_ms);
}

void
worker_retire(struct worker *w)
{
	w->is_retiring = true;
	if (w->n_jobs == 0)
		worker_stop(w, w->conf->pool_stop_grace_ms);
}

void
worker_kill(struct worker *w, const char *why)
{
	if (w->state == WORKER_LEAVING && w->next_signal == SIGKILL)
		return;
	log_warnx_for(w->name, "%s; it is stopped", why);
	leave(w, 0);
	if (w->link != NULL)
		handler_link_close(w->link, ERR_WORKER_LOST);
}

/* Its stream has ended: nothing more can come from it. */
static void
on_link_close(enum err why, const char *detail, void *arg)
{
	bool is_its_fault = why == ERR_BAD_LINE || why == ERR_TOO_BIG;
	struct worker *w = arg;

	w->link = NULL;
	/* Most likely it is exiting; if not, it has a moment. */
	if (w->state != WORKER_LEAVING && is_its_fault)
		worker_kill(w, detail);
	else if (w->state != WORKER_LEAVING)
		leave(w, KILL_AFTER_MS);
	worker_end_jobs(w, why);
}

static void
on_exit_of(struct proc *proc UNUSED, const char *how, void *arg)
{
	struct worker *w = arg;

	/* It takes no more work, but a final reply may still be in the socket. */
	if (w->state != WORKER_LEAVING)
		set_state(w, WORKER_LEAVING);
	if (w->link != NULL)
		handler_link_read_rest(w->link);
	if (w->was_asked) {
		log_debug_for("pool", w->name, "process %d %s", proc_pid(w->proc), how);
	} else {
		log_warnx_for(w->name, "process %d %s", proc_pid(w->proc), how);
		metrics_inc(loop_metrics(w->env->loop), METRIC_WORKERS_LOST);
	}
	if (w->link != NULL)
		handler_link_close(w->link, ERR_WORKER_LOST);
	w->proc = NULL;
	show_life(w, POOL_GONE);
	w->ev->on_gone(w, w->arg);
	worker_free(w);
}

/* ---- pings: does a worker with several requests at a time still run? ---- */

static void
on_ping_due(void *arg)
{
	struct worker *w = arg;
	struct buf line = { 0 };

	if (w->is_pinged) {
		worker_kill(w, "no answer to a ping within pool.hang");
		return;
	}
	/* One more when it has no jobs: it may hang since it finished the last one. */
	if (w->n_jobs == 0 && w->is_at_rest)
		return;
	w->is_at_rest = w->n_jobs == 0;
	w->is_pinged = true;
	handler_msg_encode_ping(&line);
	worker_send_line(w, &line);
	worker_watch(w);
}

void
worker_watch(struct worker *w)
{
	if (w->n_jobs_max > 1 && !timer_is_set(&w->ping_timer))
		loop_timer_set(w->env->loop, &w->ping_timer, w->conf->pool_hang_ms, on_ping_due, w);
}

void
worker_on_pong(struct worker *w, const struct handler_msg *msg UNUSED)
{
	w->is_pinged = false;
}

/* ---- may it get requests? ---- */

void
worker_on_ready(struct worker *w, const struct handler_msg *msg)
{
	bool is_first = w->ready_ms == 0;

	if (w->state != WORKER_STARTING && w->state != WORKER_UNREADY)
		return;
	loop_timer_stop(w->env->loop, &w->timer);
	w->takes_cancel = msg->takes_cancel;
	w->n_jobs_max = w->conf->pool_concurrency;
	if (msg->concurrency < w->n_jobs_max)
		w->n_jobs_max = (unsigned)msg->concurrency;
	set_state(w, WORKER_READY);
	if (is_first) {
		w->ready_ms = w->idle_since_ms = clock_mono_ms();
		log_info_for(w->name, "ready (process %d)", proc_pid(w->proc));
		show_life(w, POOL_READY);
	}
	if (w->n_jobs > 0)
		worker_watch(w);
	w->ev->on_ready(w, msg, w->arg);
	if (worker_has_room(w))
		w->ev->on_room(w, w->arg);
}

void
worker_on_unready(struct worker *w, const struct handler_msg *msg)
{
	struct buf reason = { 0 };

	json_string_get(msg->text, msg->reason, &reason);
	log_info_for(w->name, "takes no work: %s",
	    reason.len > 0 ? buf_str(&reason) : "no reason given");
	buf_free(&reason);
	if (w->state == WORKER_READY)
		set_state(w, WORKER_UNREADY);
}
