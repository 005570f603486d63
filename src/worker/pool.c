/* SPDX-License-Identifier: ISC */
/*
 * How many workers there are, who gets the next request, and when one is replaced.
 *
 * A worker that is to be replaced (pool.max_messages, pool.max_memory) works on until
 * its successor is ready; only one is replaced at a time.
 */
#include "worker/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/strmap.h"
#include "base/xmalloc.h"
#include "codec/handler_msg.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "request/request.h"
#include "worker/worker.h"

#define RETRY_FIRST_MS 100
#define RETRY_LAST_MS  10000
#define QUICK_GRACE_MS 500	/* for idle workers when the node stops quickly */
#define IDLE_LOOK_MS   1000	/* how often idle workers are looked for, at least */
#define TYPES_SHOWN    400	/* bytes of the names of types in a line of the log */
#define WHY_MAX	       320

struct pool {
	struct destination destination;	/* first */
	const struct pool_env *env;
	const struct conf_application *conf;
	char **envp;
	struct worker **slot;		/* conf->pool_size and one for a successor; NULL: free */
	unsigned n_slots;
	struct worker *old, *successor;	/* a replacement under way; NULL: none */
	unsigned last_number;
	uint64_t n_lost;		/* workers that ended unasked */
	unsigned roll_below;		/* workers with a lower number are to be replaced */
	bool has_roll_failed;		/* the last one */
	unsigned n_rolled;		/* workers that it has replaced */
	enum override_kind use;
	bool is_paused;
	struct request_queue queue;
	uint64_t n_under_way;		/* of them; a pause does not hold those up */
	struct strmap *types;		/* what the last ready worker serves; NULL: it did not say */
	uint64_t retry_ms;		/* 0: start at once */
	struct timer retry_timer;
	struct timer idle_timer;
	bool is_stopping;
	void (*on_stopped)(void *);
	void *on_stopped_arg;
};

static void submit(struct destination *, struct request *);
static void cancel(struct destination *, struct request *, enum err);
static const char *server_name(const struct request *);
static void on_ready(struct worker *, const struct handler_msg *, void *);
static void on_room(struct worker *, void *);
static void on_stuck(struct worker *, void *);
static void on_return(struct worker *, struct request *, void *);
static void on_gone(struct worker *, void *);
static void start_workers(struct pool *);
static void replace_next(struct pool *);
static void retire_surplus(struct pool *);

static const struct destination_ops ops = {
	.submit = submit,
	.cancel = cancel,
	.server_kind = "worker",
	.server_name = server_name,
};

static const struct worker_events worker_events = {
	.on_ready = on_ready,
	.on_room = on_room,
	.on_stuck = on_stuck,
	.on_return = on_return,
	.on_gone = on_gone,
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

/* ---- how many workers ---- */

static unsigned
n_workers(const struct pool *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->n_slots; i++)
		n += p->slot[i] != NULL;
	return n;
}

static unsigned
n_starting(const struct pool *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->n_slots; i++)
		n += p->slot[i] != NULL && p->slot[i] != p->successor &&
		    worker_is_starting(p->slot[i]);
	return n;
}

/* Workers that count: a successor takes the place of the one it follows. */
static unsigned
n_counted(const struct pool *p)
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

static uint64_t
n_to_serve(const struct pool *p)
{
	return p->is_paused ? p->n_under_way : p->queue.n;
}

/* As many as there are requests that nobody is about to take; all with pool.prefork. */
static bool
needs_worker(const struct pool *p)
{
	return !p->is_stopping && n_counted(p) < p->conf->pool_size &&
	    n_workers(p) < p->n_slots &&
	    (p->conf->pool_prefork || n_starting(p) < n_to_serve(p));
}

static void
start_workers(struct pool *p)
{
	while (!timer_is_set(&p->retry_timer) && needs_worker(p))
		if (start_one(p) == NULL)
			return;
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

void
pool_start(struct pool *p)
{
	start_workers(p);
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

static void
begin_replacement(struct pool *p, struct worker *w)
{
	if (p->old != NULL || p->is_stopping || timer_is_set(&p->retry_timer) ||
	    !worker_has_room(w) || !is_worn(p, w))
		return;
	/* The last that was replaced has not gone yet: on_gone() comes back to this. */
	if (n_workers(p) == p->n_slots)
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
			begin_replacement(p, p->slot[i]);
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
	if (n_workers(p) == 0)
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
pool_reload(struct pool *p, const struct conf_application *conf)
{
	set_conf(p, conf);
	p->queue.n_max = conf->pool_queue;
	p->queue.bytes_max = conf->pool_queue_bytes;
	for (unsigned i = 0; i < p->n_slots; i++)
		if (p->slot[i] != NULL)
			worker_set_conf(p->slot[i], conf);
	fit_slots(p);
	retire_surplus(p);
	start_workers(p);
	if (!ends_idle(p))
		loop_timer_stop(p->env->loop, &p->idle_timer);
	else if (n_workers(p) > 0)
		on_idle_look(p);
}

/* ---- requests ---- */

static bool
serves_type(const struct pool *p, const struct request *r)
{
	return p->types == NULL || strmap_find(p->types, r->type, r->type_len) != NULL;
}

static void
refuse_type(struct pool *p, struct request *r)
{
	char *text = request_no_handler_text(r, p->conf->name);

	request_fail(r, ERR_NO_HANDLER, text);
	free(text);
}

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

/* Each call that is refused lets one worker go on. */
static void
refuse_calls_if_stuck(struct pool *p)
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

/* What a worker about to start will take does not queue. */
static void
set_queue_max(struct pool *p)
{
	p->queue.n_max = p->conf->pool_queue;
	if (p->is_paused)
		return;
	p->queue.n_max += n_starting(p);
	if (n_counted(p) < p->conf->pool_size)
		p->queue.n_max += p->conf->pool_size - n_counted(p);
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
		start_workers(p);
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

/* ---- what happens to workers ---- */

/* A list of types as it is read. */
struct announced {
	struct strmap *types;
	size_t n_known;		/* how many of them were announced before */
	struct buf shown;	/* their names, as many as fit into a line of the log */
	size_t n_shown;
};

static void
add_type(struct announced *a, const struct strmap *before, const char *text, struct json_value v)
{
	struct buf name = { 0 };
	const char *key;
	void **place;

	json_string_get(text, v, &name);
	key = buf_str(&name);
	place = strmap_at(a->types, key, name.len);
	if (*place == NULL) {
		*place = a;
		a->n_known += before != NULL && strmap_find(before, key, name.len) != NULL;
		if (a->shown.len + name.len <= TYPES_SHOWN) {
			buf_printf(&a->shown, "%s%s", a->n_shown > 0 ? ", " : "", key);
			a->n_shown++;
		}
	}
	buf_free(&name);
}

/* The array was checked when the line was decoded. */
static void
read_types(struct announced *a, const struct strmap *before, const struct handler_msg *msg)
{
	struct json_value v;
	struct json_scan s;

	a->types = strmap_new();
	json_scan_init(&s, msg->text + msg->types.start, msg->types.end - msg->types.start, 2);
	(void)json_scan_take(&s, '[');
	while (json_scan_value(&s, &v)) {
		add_type(a, before, s.text, v);
		if (!json_scan_take(&s, ','))
			break;
	}
}

/* What the worker that got ready last has announced; logged when it is not what was before. */
static void
set_types(struct pool *p, const struct handler_msg *msg)
{
	struct announced a = { 0 };
	size_t n, n_before = p->types != NULL ? strmap_count(p->types) : 0;

	if (msg->types.kind == JSON_ARRAY) {
		read_types(&a, p->types, msg);
		n = strmap_count(a.types);
		if (p->types == NULL || n != n_before || a.n_known != n)
			log_info("application %s: types: %s%s", p->conf->name,
			    n > 0 ? buf_str(&a.shown) : "none", a.n_shown < n ? ", ..." : "");
	} else if (p->types != NULL) {
		log_info("application %s: types: any", p->conf->name);
	}
	strmap_free(p->types, NULL);
	p->types = a.types;
	buf_free(&a.shown);
}

static void
on_ready(struct worker *w, const struct handler_msg *msg, void *arg)
{
	struct pool *p = arg;

	set_types(p, msg);
	if (w == p->successor)
		end_replacement(p);
	if (ends_idle(p) && !timer_is_set(&p->idle_timer))
		on_idle_look(p);
}

static void
on_room(struct worker *w, void *arg)
{
	struct pool *p = arg;
	struct request *r;

	if (worker_n_finished(w) > 0)
		p->retry_ms = 0;
	begin_replacement(p, w);
	while (worker_has_room(w) && (r = next_to_serve(p)) != NULL) {
		queue_remove(p, r);
		if (serves_type(p, r))
			worker_submit(w, r);
		else
			refuse_type(p, r);
	}
}

static void
on_stuck(struct worker *w UNUSED, void *arg)
{
	refuse_calls_if_stuck(arg);
}

static void
on_return(struct worker *w UNUSED, struct request *r, void *arg)
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
			on_room(other, p);
	}
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
		if (n_workers(p) == 0 && p->on_stopped != NULL)
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
	refuse_calls_if_stuck(p);
}

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
	if (n_workers(p) == 0)
		on_stopped(arg);
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
		on_room(w, p);
	start_workers(p);
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

/* ---- for those who look on ---- */

static void
count_worker(struct pool_info *info, const struct worker *w)
{
	if (worker_is_starting(w))
		info->n_starting++;
	else if (worker_is_leaving(w))
		info->n_leaving++;
	else if (!worker_is_ready(w))
		info->n_unready++;
	else if (worker_n_jobs(w) > 0)
		info->n_busy++;
	else
		info->n_idle++;
	info->in_flight += worker_n_jobs(w);
}

static enum pool_roll
roll_state(const struct pool *p)
{
	if (p->has_roll_failed)
		return POOL_ROLL_FAILED;
	for (unsigned i = 0; i < p->n_slots; i++)
		if (p->slot[i] != NULL && worker_number(p->slot[i]) < p->roll_below &&
		    !worker_is_leaving(p->slot[i]))
			return POOL_ROLLING;
	return POOL_ROLLED;
}

void
pool_describe(const struct pool *p, struct pool_info *info)
{
	*info = (struct pool_info){
		.application = p->conf->name,
		.size = p->conf->pool_size,
		.queue = p->queue.n,
		.queue_bytes = p->queue.bytes,
		.queue_max = p->conf->pool_queue,
		.n_to_serve = n_to_serve(p),
		.n_started = p->last_number,
		.n_lost = p->n_lost,
		.roll = roll_state(p),
		.n_rolled = p->n_rolled,
		.has_types = p->types != NULL,
		.is_paused = p->is_paused,
		.use = p->use,
	};
	for (unsigned i = 0; i < p->n_slots; i++)
		if (p->slot[i] != NULL)
			count_worker(info, p->slot[i]);
	info->is_failing = timer_is_set(&p->retry_timer) && info->n_idle + info->n_busy == 0;
}

void
pool_each_worker(const struct pool *p, void (*fn)(const struct worker *, void *), void *arg)
{
	for (unsigned i = 0; i < p->n_slots; i++)
		if (p->slot[i] != NULL)
			fn(p->slot[i], arg);
}

void
pool_each_type(const struct pool *p, void (*fn)(const char *, size_t, void *), void *arg)
{
	if (p->types != NULL)
		strmap_each_key(p->types, fn, arg);
}
