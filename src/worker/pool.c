/* SPDX-License-Identifier: ISC */
/*
 * The requests of a pool: who gets the next one, which wait, and which are refused; and the pool
 * from its making to its end.
 */
#include "worker/pool_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strmap.h"
#include "base/xmalloc.h"
#include "conf/conf.h"
#include "worker/worker.h"

#define QUICK_GRACE_MS 500	/* for idle workers when the node stops quickly */
#define WHY_MAX	       320

static void submit(struct destination *, struct request *);
static void cancel(struct destination *, struct request *, enum err);
static const char *server_name(const struct request *);

static const struct destination_ops ops = {
	.submit = submit,
	.cancel = cancel,
	.server_kind = "worker",
	.server_name = server_name,
};

/* ---- making and ending a pool ---- */

static void
envp_add(char ***envp, size_t *n, char *entry)
{
	*envp = xreallocarray(*envp, *n + 2, sizeof(char *));
	(*envp)[(*n)++] = entry;
	(*envp)[*n] = NULL;
}

static void
envp_pass(char ***envp, size_t *n, const char *name)
{
	const char *value = getenv(name);

	/* Our own variables may hold secrets: USHER_FD is the only one a worker gets. */
	if (value != NULL && strncmp(name, "USHER_", 6) != 0)
		envp_add(envp, n, xasprintf("%s=%s", name, value));
}

static char **
envp_new(const struct conf_application *conf)
{
	static const char *const always[] = { "PATH", "HOME", "LANG", "TZ" };
	char **envp = NULL;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		envp_pass(&envp, &n, always[i]);
	for (char **name = conf->pass_environment; name != NULL && *name != NULL; name++)
		envp_pass(&envp, &n, *name);
	for (char **e = conf->environment; e != NULL && *e != NULL; e++)
		envp_add(&envp, &n, xstrdup(*e));
	envp_add(&envp, &n, xstrdup("USHER_FD=3"));
	return envp;
}

static void
envp_free(char **envp)
{
	for (char **e = envp; e != NULL && *e != NULL; e++) {
		explicit_bzero(*e, strlen(*e));	/* it may hold a secret */
		free(*e);
	}
	free(envp);
}

static void
set_conf(struct pool *p, const struct conf_application *conf)
{
	p->destination.name = conf->name;
	p->destination.application = conf->name;
	p->conf = conf;
	envp_free(p->envp);
	p->envp = envp_new(conf);
}

struct pool *
pool_new(const struct pool_env *env, const struct conf_application *conf)
{
	struct pool *p = xcalloc(1, sizeof(*p));

	p->destination.ops = &ops;
	p->env = env;
	set_conf(p, conf);
	p->n_slots = conf->pool_size + 1;
	p->slot = xcalloc(p->n_slots, sizeof(struct worker *));
	request_queue_init(&p->queue, conf->pool_queue, conf->pool_queue_bytes);
	return p;
}

struct destination *
pool_destination(struct pool *p)
{
	return &p->destination;
}

void
pool_free(struct pool *p)
{
	if (p == NULL)
		return;
	loop_timer_stop(p->env->loop, &p->retry_timer);
	loop_timer_stop(p->env->loop, &p->idle_timer);
	for (unsigned i = 0; i < p->n_slots; i++)
		if (p->slot[i] != NULL)
			worker_free(p->slot[i]);
	envp_free(p->envp);
	strmap_free(p->types, NULL);
	free(p->slot);
	free(p);
}

void
pool_reload(struct pool *p, const struct conf_application *conf)
{
	set_conf(p, conf);
	p->queue.n_max = conf->pool_queue;
	p->queue.bytes_max = conf->pool_queue_bytes;
	pool_fit_workers(p);
}

/* ---- which requests may go ---- */

/*
 * Is it part of what has begun here: what the final of one of our own has led back to, or a call
 * that one of ours waits for, be it that of a handler elsewhere?
 */
static bool
is_under_way(const struct pool *p, const struct request *r)
{
	if (r->is_under_way)
		return true;
	for (const struct request *outer = r->asked_for; outer != NULL; outer = outer->asked_for)
		if (outer->destination == &p->destination)
			return true;
	return false;
}

/* Does it wait for resume?  What is under way would hold up --wait. */
static bool
has_to_wait(const struct pool *p, const struct request *r)
{
	return p->is_paused && !r->is_under_way;
}

static bool
queue_add(struct pool *p, struct request *r)
{
	if (!request_queue_add(&p->queue, r))
		return false;
	p->n_under_way += r->is_under_way;
	return true;
}

static void
queue_remove(struct pool *p, struct request *r)
{
	request_queue_remove(&p->queue, r);
	p->n_under_way -= r->is_under_way;
}

/* The next in the queue that may go; NULL: none. */
static struct request *
next_to_serve(const struct pool *p)
{
	struct request *r;

	if (p->is_paused && p->n_under_way == 0)
		return NULL;
	TAILQ_FOREACH(r, &p->queue.list, waiting)
		if (!has_to_wait(p, r))
			break;
	return r;
}

uint64_t
pool_n_to_serve(const struct pool *p)
{
	return p->is_paused ? p->n_under_way : p->queue.n;
}

static bool
serves_type(const struct pool *p, const struct request *r)
{
	return p->types == NULL || strmap_find(p->types, r->type, r->type_len) != NULL;
}

/* ---- refusing ---- */

static void
refuse_type(struct pool *p, struct request *r)
{
	char *text = request_no_handler_text(r, p->conf->name);

	request_fail(r, ERR_NO_HANDLER, text);
	free(text);
}

/* Nobody can take a call, and all wait for calls: it would wait for itself. */
static bool
is_waiting_for_itself(const struct pool *p)
{
	unsigned n_stuck = 0;

	for (unsigned i = 0; i < p->n_slots; i++) {
		if (p->slot[i] == NULL || worker_is_leaving(p->slot[i]))
			continue;
		if (!worker_is_stuck(p->slot[i]))
			return false;
		n_stuck++;
	}
	return n_stuck >= p->conf->pool_size;
}

static struct request *
first_nested(const struct pool *p)
{
	struct request *r;

	TAILQ_FOREACH(r, &p->queue.list, waiting)
		if (r->asked_for != NULL)
			break;
	return r;
}

void
pool_refuse_calls_if_stuck(struct pool *p)
{
	struct request *r;

	while (is_waiting_for_itself(p) && (r = first_nested(p)) != NULL) {
		queue_remove(p, r);
		request_fail(r, ERR_OVERLOADED, "all workers of the application wait for calls");
	}
}

/* A node that asked may send it to another node. */
static void
refuse(const struct pool *p, struct request *r)
{
	char text[WHY_MAX];

	snprintf(text, sizeof(text), "application %s is %s", p->conf->name,
	    override_name(p->use));
	request_fail(r, ERR_STOPPING, text);
}

/* ---- requests ---- */

/* The worker with the fewest requests among those with room. */
static struct worker *
choose(const struct pool *p)
{
	struct worker *best = NULL;

	for (unsigned i = 0; i < p->n_slots; i++)
		if (p->slot[i] != NULL && worker_has_room(p->slot[i]) &&
		    (best == NULL || worker_n_jobs(p->slot[i]) < worker_n_jobs(best)))
			best = p->slot[i];
	return best;
}

/* What a worker about to start will take does not queue. */
static void
set_queue_max(struct pool *p)
{
	p->queue.n_max = p->conf->pool_queue;
	if (p->is_paused)
		return;
	p->queue.n_max += pool_n_starting(p);
	if (pool_n_counted(p) < p->conf->pool_size)
		p->queue.n_max += p->conf->pool_size - pool_n_counted(p);
}

static void
submit(struct destination *d, struct request *r)
{
	struct pool *p = (struct pool *)d;
	struct worker *w;

	r->is_under_way = is_under_way(p, r);
	if (p->is_stopping) {
		request_fail(r, ERR_STOPPING, NULL);
	} else if (p->use != OVERRIDE_NONE && !r->is_under_way) {
		refuse(p, r);
	} else if (!serves_type(p, r)) {
		refuse_type(p, r);
	} else if (!has_to_wait(p, r) && (w = choose(p)) != NULL) {
		worker_submit(w, r);
	} else if (r->asked_for != NULL && is_waiting_for_itself(p)) {
		request_fail(r, ERR_OVERLOADED, "all workers of the application wait for calls");
	} else {
		set_queue_max(p);
		if (!queue_add(p, r)) {
			request_fail(r, ERR_OVERLOADED,
			    "queue of the application is full (pool.queue, pool.queue_bytes)");
			return;
		}
		pool_start(p);
	}
}

static void
cancel(struct destination *d, struct request *r, enum err why)
{
	struct pool *p = (struct pool *)d;

	if (r->served_by != NULL)
		worker_cancel(r->served_by, r, why);
	else
		queue_remove(p, r);
}

static const char *
server_name(const struct request *r)
{
	return worker_name(r->served_by);
}

/* ---- what workers make possible ---- */

void
pool_on_room(struct worker *w, void *arg)
{
	struct pool *p = arg;
	struct request *r;

	if (worker_n_finished(w) > 0)
		p->retry_ms = 0;
	pool_begin_replacement(p, w);
	while (worker_has_room(w) && (r = next_to_serve(p)) != NULL) {
		queue_remove(p, r);
		if (serves_type(p, r))
			worker_submit(w, r);
		else
			refuse_type(p, r);
	}
}

void
pool_on_stuck(struct worker *w UNUSED, void *arg)
{
	pool_refuse_calls_if_stuck(arg);
}

void
pool_on_return(struct worker *w UNUSED, struct request *r, void *arg)
{
	struct pool *p = arg;
	struct worker *other;

	if (p->is_stopping) {
		request_fail(r, ERR_STOPPING, NULL);
	} else if (p->use == OVERRIDE_DISABLED) {
		refuse(p, r);
	} else {
		request_queue_return(&p->queue, r);
		p->n_under_way += r->is_under_way;
		if ((other = choose(p)) != NULL)
			pool_on_room(other, p);
	}
}

/* ---- what an operator has set ---- */

/* A call that waits is refused like all others: its worker must not wait for ever. */
static void
refuse_waiting(struct pool *p)
{
	struct request *r;

	while ((r = request_queue_first(&p->queue)) != NULL) {
		queue_remove(p, r);
		refuse(p, r);
	}
}

static void
serve_waiting(struct pool *p)
{
	struct worker *w;

	while (next_to_serve(p) != NULL && (w = choose(p)) != NULL)
		pool_on_room(w, p);
	pool_start(p);
}

void
pool_apply_overrides(struct pool *p)
{
	p->use = overrides_use(p->env->overrides, p->conf->name, NULL);
	p->is_paused = overrides_is_paused(p->env->overrides, p->conf->name);
	if (p->is_stopping)
		return;
	if (p->use == OVERRIDE_DISABLED)
		refuse_waiting(p);
	serve_waiting(p);
}

void
pool_leave(struct pool *p)
{
	p->is_paused = false;
	serve_waiting(p);
}

const char *
pool_state(const struct pool *p)
{
	return override_name(p->use == OVERRIDE_NONE && p->is_paused ? OVERRIDE_PAUSED : p->use);
}

/* ---- stopping ---- */

void
pool_stop(struct pool *p, bool is_quick, void (*on_stopped)(void *), void *arg)
{
	struct request *r;
	struct worker *w;

	p->is_stopping = true;
	p->on_stopped = on_stopped;
	p->on_stopped_arg = arg;
	loop_timer_stop(p->env->loop, &p->retry_timer);
	loop_timer_stop(p->env->loop, &p->idle_timer);
	while ((r = request_queue_first(&p->queue)) != NULL) {
		queue_remove(p, r);
		request_fail(r, ERR_STOPPING, NULL);
	}
	for (unsigned i = 0; i < p->n_slots; i++) {
		if ((w = p->slot[i]) == NULL || (worker_is_leaving(w) && !is_quick))
			continue;
		if (is_quick && (worker_is_leaving(w) || worker_n_jobs(w) > 0))
			worker_kill(w, "the node stops while it is at work");
		else
			worker_stop(w, is_quick ? QUICK_GRACE_MS : p->conf->pool_stop_grace_ms);
	}
	if (pool_n_workers(p) == 0)
		on_stopped(arg);
}
