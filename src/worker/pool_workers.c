/* SPDX-License-Identifier: ISC */
/*
 * How many workers a pool has, and when one is replaced.
 *
 * A worker that is to be replaced (pool.max_messages, pool.max_memory) works on until
 * its successor is ready; only one is replaced at a time.
 */
#include "worker/pool_int.h"

#include "base/log.h"
#include "base/xmalloc.h"
#include "conf/conf.h"
#include "worker/worker.h"

#define RETRY_FIRST_MS 100
#define RETRY_LAST_MS  10000
#define IDLE_LOOK_MS   1000	/* how often idle workers are looked for, at least */

static void on_ready(struct worker *, const struct handler_msg *, void *);
static void on_gone(struct worker *, void *);
static void start_workers(struct pool *);
static void replace_next(struct pool *);
static void retire_surplus(struct pool *);

static const struct worker_events worker_events = {
	.on_ready = on_ready,
	.on_room = pool_on_room,
	.on_stuck = pool_on_stuck,
	.on_return = pool_on_return,
	.on_gone = on_gone,
};

/* ---- counting them ---- */

unsigned
pool_n_workers(const struct pool *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->n_slots; i++)
		n += p->slot[i] != NULL;
	return n;
}

unsigned
pool_n_starting(const struct pool *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->n_slots; i++)
		n += p->slot[i] != NULL && p->slot[i] != p->successor &&
		    worker_is_starting(p->slot[i]);
	return n;
}

unsigned
pool_n_counted(const struct pool *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->n_slots; i++)
		n += p->slot[i] != NULL && p->slot[i] != p->successor &&
		    !worker_is_leaving(p->slot[i]);
	return n;
}

/* Neither on its way out nor there to take the place of another. */
static bool
is_staying(const struct pool *p, const struct worker *w)
{
	return w != p->successor && !worker_is_leaving(w) && !worker_is_retiring(w);
}

static unsigned
n_staying(const struct pool *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->n_slots; i++)
		n += p->slot[i] != NULL && is_staying(p, p->slot[i]);
	return n;
}

/* ---- starting ---- */

static void
on_retry(void *arg)
{
	start_workers(arg);
	replace_next(arg);
}

static void
retry_later(struct pool *p)
{
	if (timer_is_set(&p->retry_timer))
		return;
	p->retry_ms = p->retry_ms == 0 ? RETRY_FIRST_MS : 2 * p->retry_ms;
	if (p->retry_ms > RETRY_LAST_MS)
		p->retry_ms = RETRY_LAST_MS;
	log_warnx("application %s: no worker is started for %llu ms", p->conf->name,
	    (unsigned long long)p->retry_ms);
	loop_timer_set(p->env->loop, &p->retry_timer, p->retry_ms, on_retry, p);
}

static struct worker *
start_one(struct pool *p)
{
	struct worker **slot = p->slot;

	while (*slot != NULL)
		slot++;
	*slot = worker_start(p->env, p->conf, p->envp, ++p->last_number, &worker_events, p);
	if (*slot == NULL)
		retry_later(p);
	return *slot;
}

/* As many as there are requests that nobody is about to take; all with pool.prefork. */
static bool
needs_worker(const struct pool *p)
{
	return !p->is_stopping && pool_n_counted(p) < p->conf->pool_size &&
	    pool_n_workers(p) < p->n_slots &&
	    (p->conf->pool_prefork || pool_n_starting(p) < pool_n_to_serve(p));
}

static void
start_workers(struct pool *p)
{
	while (!timer_is_set(&p->retry_timer) && needs_worker(p))
		if (start_one(p) == NULL)
			return;
}

void
pool_start(struct pool *p)
{
	start_workers(p);
}

/* ---- workers without work ---- */

static bool
ends_idle(const struct pool *p)
{
	return !p->conf->pool_prefork && p->conf->pool_idle_ms != CONF_NO_LIMIT;
}

static void
on_idle_look(void *arg)
{
	struct pool *p = arg;
	uint64_t idle_max_ms = p->conf->pool_idle_ms;

	for (unsigned i = 0; i < p->n_slots; i++) {
		struct worker *w = p->slot[i];

		if (w != NULL && worker_has_room(w) && worker_idle_ms(w) > idle_max_ms) {
			log_debug_for("pool", worker_name(w), "idle for pool.idle");
			worker_stop(w, p->conf->pool_stop_grace_ms);
		}
	}
	loop_timer_set(p->env->loop, &p->idle_timer,
	    idle_max_ms < IDLE_LOOK_MS ? idle_max_ms : IDLE_LOOK_MS, on_idle_look, p);
}

/* ---- replacing a worker ---- */

static bool
is_worn(const struct pool *p, const struct worker *w)
{
	return worker_number(w) < p->roll_below ||
	    worker_n_finished(w) >= p->conf->pool_max_messages ||
	    (p->conf->pool_max_memory != CONF_NO_LIMIT &&
	    worker_memory(w) > p->conf->pool_max_memory);
}

static void
fail_roll(struct pool *p)
{
	log_warnx("application %s: the new worker did not get ready; the old ones stay",
	    p->conf->name);
	p->roll_below = 0;
	p->has_roll_failed = true;
}

void
pool_begin_replacement(struct pool *p, struct worker *w)
{
	if (p->old != NULL || p->is_stopping || timer_is_set(&p->retry_timer) ||
	    !worker_has_room(w) || !is_worn(p, w))
		return;
	/* The last that was replaced has not gone yet: on_gone() comes back to this. */
	if (pool_n_workers(p) == p->n_slots)
		return;
	if ((p->successor = start_one(p)) == NULL) {
		if (worker_number(w) < p->roll_below)
			fail_roll(p);
		return;
	}
	p->old = w;
	log_debug_for("pool", worker_name(w), "will be replaced by %s", worker_name(p->successor));
}

/* The next that has to go, if any. */
static void
replace_next(struct pool *p)
{
	for (unsigned i = 0; i < p->n_slots; i++)
		if (p->slot[i] != NULL && worker_has_room(p->slot[i]))
			pool_begin_replacement(p, p->slot[i]);
}

static void
end_replacement(struct pool *p)
{
	struct worker *old = p->old;

	p->old = p->successor = NULL;
	if (old != NULL) {
		p->n_rolled += worker_number(old) < p->roll_below;
		worker_retire(old);
	}
	retire_surplus(p);
	replace_next(p);
}

void
pool_roll(struct pool *p)
{
	p->roll_below = p->last_number + 1;
	p->has_roll_failed = false;
	p->n_rolled = 0;
	p->retry_ms = 0;
	loop_timer_stop(p->env->loop, &p->retry_timer);
	if (pool_n_workers(p) == 0)
		start_workers(p);
	else
		replace_next(p);
}

/* ---- another configuration ---- */

/* Places for as many as there may be now, and for those that are there. */
static void
fit_slots(struct pool *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->n_slots; i++) {
		struct worker *w = p->slot[i];

		p->slot[i] = NULL;
		if (w != NULL)
			p->slot[n++] = w;
	}
	n = n > p->conf->pool_size + 1 ? n : p->conf->pool_size + 1;
	p->slot = xreallocarray(p->slot, n, sizeof(struct worker *));
	for (; p->n_slots < n; p->n_slots++)
		p->slot[p->n_slots] = NULL;
	p->n_slots = n;
}

/* Those without work go first. */
static void
retire_surplus(struct pool *p)
{
	for (int is_busy = 0; is_busy < 2; is_busy++)
		for (unsigned i = 0; i < p->n_slots && n_staying(p) > p->conf->pool_size; i++) {
			struct worker *w = p->slot[i];

			if (w != NULL && is_staying(p, w) && (worker_n_jobs(w) > 0) == is_busy)
				worker_retire(w);
		}
}

void
pool_fit_workers(struct pool *p)
{
	for (unsigned i = 0; i < p->n_slots; i++)
		if (p->slot[i] != NULL)
			worker_set_conf(p->slot[i], p->conf);
	fit_slots(p);
	retire_surplus(p);
	start_workers(p);
	if (!ends_idle(p))
		loop_timer_stop(p->env->loop, &p->idle_timer);
	else if (pool_n_workers(p) > 0)
		on_idle_look(p);
}

/* ---- what happens to workers ---- */

static void
on_ready(struct worker *w, const struct handler_msg *msg, void *arg)
{
	struct pool *p = arg;

	pool_set_types(p, msg);
	if (w == p->successor)
		end_replacement(p);
	if (ends_idle(p) && !timer_is_set(&p->idle_timer))
		on_idle_look(p);
}

static void
on_gone(struct worker *w, void *arg)
{
	struct pool *p = arg;

	for (unsigned i = 0; i < p->n_slots; i++)
		if (p->slot[i] == w)
			p->slot[i] = NULL;
	p->n_lost += !worker_was_asked(w);
	if (w == p->successor && p->roll_below > 0 && worker_number(w) >= p->roll_below &&
	    !p->is_stopping)
		fail_roll(p);
	if (w == p->old || w == p->successor)
		p->old = p->successor = NULL;
	if (p->is_stopping) {
		if (pool_n_workers(p) == 0 && p->on_stopped != NULL)
			p->on_stopped(p->on_stopped_arg);
		return;
	}
	if (!worker_was_of_use(w) && !worker_was_asked(w))
		retry_later(p);
	replace_next(p);
	/* One that was of use is followed at once, whatever others may be waited for. */
	if (worker_was_of_use(w) && needs_worker(p))
		start_one(p);
	start_workers(p);
	pool_refuse_calls_if_stuck(p);
}
