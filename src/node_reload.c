/* SPDX-License-Identifier: ISC */
/*
 * The steps: load (thread) -> prepare (thread: all that is built of it) -> open what may fail ->
 * switch each loop -> free what was before (thread).  A fault before the switch leaves all as it
 * was; the switch itself cannot fail, and takes no time that grows with the configuration but for
 * pointers: tables are built and freed by the thread.
 */
#include "node_reload.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "admin/admin_http.h"
#include "admin/admin_socket.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/xmalloc.h"
#include "conf/conf.h"
#include "conf/conf_diff.h"
#include "front/admission.h"
#include "net/loop.h"
#include "net/tls_store.h"
#include "node_doors.h"
#include "node_int.h"
#include "node_plan.h"
#include "worker/pool.h"

#define SWEEP_MS 100	/* how often we look for pools that nobody needs any more */

/* Somebody who waits for a reload. */
struct reload_waiter {
	STAILQ_ENTRY(reload_waiter) link;
	node_reload_fn *on_done;
	void *arg;
};

struct node_reload {
	struct node *node;
	pthread_t thread;
	sem_t may_free;			/* the loops have what they need, or do not want it */
	struct conf *old;		/* a reference */
	char *fault;			/* NULL: none */
	char *fixed;			/* what was changed in vain; NULL: nothing */
	struct node_plan *plan;		/* NULL: the file is no good, as the next two */
	struct pool **pools;		/* as plan->conf->applications */
	struct loop_next **next;	/* as the node's loops */
	struct node_doors *doors;	/* NULL: not opened, or the node's */
	bool is_switched;
	bool is_over;			/* the thread has ended early, as the node stops */
	uint64_t begun_ms;
	uint64_t held_ms;		/* that the loop was taken for */
	struct reload_waiters waiters;
};

/* An application that is no more, while requests for it are open. */
struct left_pool {
	SLIST_ENTRY(left_pool) link;
	struct pool *pool;
	struct conf *conf;		/* a reference: it borrows from it */
	bool is_stopping, has_stopped;
};

static void	*run(void *);
static void	 on_prepared(void *);
static void	 on_finished(void *);

/* ---- the thread ---- */

/* As the loops' other threads: signals are for the first. */
static void
block_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
}

static bool
load(struct node_reload *r)
{
	struct tls_store *tls;
	struct conf *conf;
	char *error;

	if ((conf = conf_load(r->old->path, &r->fault)) == NULL)
		return false;
	r->fixed = conf_keep_fixed(conf, r->old);
	if ((tls = tls_store_new(conf, &error)) == NULL) {
		r->fault = xasprintf("%s: TLS: %s", conf->path, error);
		free(error);
	} else {
		r->plan = node_plan_new(conf, tls, r->old);
	}
	conf_unref(conf);
	return r->plan != NULL;
}

/* Pools that stay are the node's. */
static void
prepare(struct node_reload *r)
{
	struct node *n = r->node;
	const struct node_plan *plan = r->plan;
	size_t n_apps = plan->conf->n_applications;

	r->pools = xcalloc(n_apps, sizeof(*r->pools));
	for (size_t i = 0; i < n_apps; i++)
		r->pools[i] = plan->old_pool[i] != PLAN_NEW ? n->pools[plan->old_pool[i]] :
		    pool_new(&n->pool_env, &plan->conf->applications[i]);
	r->next = node_prepare_loops(n, plan, r->pools);
}

static void
free_rest(struct node_reload *r)
{
	for (size_t i = 0; r->plan != NULL && !r->is_switched &&
	    i < r->plan->conf->n_applications; i++)
		if (r->plan->old_pool[i] == PLAN_NEW)
			pool_free(r->pools[i]);
	for (size_t i = 0; r->next != NULL && r->next[i] != NULL; i++)
		loop_next_free(r->next[i]);
	free(r->next);
	free(r->pools);
	node_plan_free(r->plan);
	conf_unref(r->old);
	r->next = NULL;
	r->pools = NULL;
	r->plan = NULL;
	r->old = NULL;
}

static void *
run(void *arg)
{
	struct node_reload *r = arg;

	block_signals();
	if (load(r))
		prepare(r);
	loop_post(r->node->loop, on_prepared, r);
	while (sem_wait(&r->may_free) != 0)
		;
	free_rest(r);
	loop_post(r->node->loop, on_finished, r);
	return NULL;
}

/* ---- beginning ---- */

static void
begin(struct node *n)
{
	struct node_reload *r = xcalloc(1, sizeof(*r));

	notify_reloading();
	n->reload = r;
	r->node = n;
	r->old = conf_ref(n->conf);
	r->begun_ms = clock_mono_ms();
	STAILQ_INIT(&r->waiters);
	sem_init(&r->may_free, 0, 0);
	if (pthread_create(&r->thread, NULL, run, r) != 0)
		fatal("cannot start a thread");
}

static void
add_waiter(struct reload_waiters *list, node_reload_fn *on_done, void *arg)
{
	struct reload_waiter *w = xcalloc(1, sizeof(*w));

	w->on_done = on_done;
	w->arg = arg;
	STAILQ_INSERT_TAIL(list, w, link);
}

void
node_reload_begin(struct node *n, node_reload_fn *on_done, void *arg)
{
	add_waiter(&n->reload_waiters, on_done, arg);
	if (n->reload != NULL)
		return;
	begin(n);
	STAILQ_CONCAT(&n->reload->waiters, &n->reload_waiters);
}

static void
forget_in(struct reload_waiters *list, const void *arg)
{
	struct reload_waiter *w, *next;

	for (w = STAILQ_FIRST(list); w != NULL; w = next) {
		next = STAILQ_NEXT(w, link);
		if (w->arg != arg)
			continue;
		STAILQ_REMOVE(list, w, reload_waiter, link);
		free(w);
	}
}

void
node_reload_forget(struct node *n, const void *arg)
{
	forget_in(&n->reload_waiters, arg);
	if (n->reload != NULL)
		forget_in(&n->reload->waiters, arg);
}

static void
tell(struct reload_waiters *list, const char *fault)
{
	struct reload_waiter *w;

	while ((w = STAILQ_FIRST(list)) != NULL) {
		STAILQ_REMOVE_HEAD(list, link);
		w->on_done(fault, w->arg);
		free(w);
	}
}

/* ---- pools ---- */

static void
on_left_stopped(void *arg)
{
	struct left_pool *left = arg;

	left->has_stopped = true;
}

static void
sweep_pools(void *arg)
{
	struct node *n = arg;
	struct left_pool *left, *next;

	for (left = SLIST_FIRST(&n->left_pools); left != NULL; left = next) {
		next = SLIST_NEXT(left, link);
		if (left->has_stopped) {
			SLIST_REMOVE(&n->left_pools, left, left_pool, link);
			pool_free(left->pool);
			conf_unref(left->conf);
			free(left);
		} else if (!left->is_stopping && !node_asks(n, left->pool)) {
			left->is_stopping = true;
			pool_stop(left->pool, false, on_left_stopped, left);
		}
	}
	if (!SLIST_EMPTY(&n->left_pools))
		loop_timer_set(n->loop, &n->sweep_timer, SWEEP_MS, sweep_pools, n);
}

struct pool *
node_reload_left_pool(const struct node *n, const char *application)
{
	const struct left_pool *left;

	SLIST_FOREACH(left, &n->left_pools, link)
		if (!left->is_stopping &&
		    strcmp(pool_destination(left->pool)->application, application) == 0)
			return left->pool;
	return NULL;
}

void
node_reload_free_pools(struct node *n)
{
	struct left_pool *left;

	loop_timer_stop(n->loop, &n->sweep_timer);
	while ((left = SLIST_FIRST(&n->left_pools)) != NULL) {
		SLIST_REMOVE_HEAD(&n->left_pools, link);
		pool_free(left->pool);
		conf_unref(left->conf);
		free(left);
	}
}

static void
leave_old_pools(struct node *n, const struct node_plan *plan)
{
	for (size_t k = 0; k < plan->old->n_applications; k++) {
		struct left_pool *left;
		bool stays = false;

		for (size_t i = 0; i < plan->conf->n_applications; i++)
			stays = stays || plan->old_pool[i] == k;
		if (stays)
			continue;
		log_info("application %s is gone: its workers finish what they are at",
		    plan->old->applications[k].name);
		left = xcalloc(1, sizeof(*left));
		left->pool = n->pools[k];
		left->conf = conf_ref(plan->old);
		SLIST_INSERT_HEAD(&n->left_pools, left, link);
		pool_leave(left->pool);
		loop_timer_set(n->loop, &n->sweep_timer, SWEEP_MS, sweep_pools, n);
	}
}

/* Before the loops know of them, so that they know what each is. */
static void
switch_pools(struct node_reload *r)
{
	struct node *n = r->node;
	const struct node_plan *plan = r->plan;

	node_point_pools_to(n, plan->conf);
	leave_old_pools(n, plan);
	for (size_t i = 0; i < plan->conf->n_applications; i++)
		if (plan->old_pool[i] != PLAN_NEW)
			pool_reload(r->pools[i], &plan->conf->applications[i]);
	free(n->pools);
	n->pools = r->pools;
	r->pools = NULL;
}

/* When all can be reached. */
static void
start_pools(struct node *n, const struct node_plan *plan)
{
	for (size_t i = 0; i < plan->conf->n_applications; i++) {
		const char *name = plan->conf->applications[i].name;

		if (plan->old_pool[i] == PLAN_NEW) {
			log_info("application %s is new", name);
			pool_apply_overrides(n->pools[i]);
			pool_start(n->pools[i]);
		} else if (plan->roll[i] == PLAN_STAYS) {
			log_info("application %s: nothing has changed for its workers: they stay",
			    name);
		} else {
			log_info("application %s: %s changed: starting new workers", name,
			    plan->roll[i] == PLAN_ROLLS_FILES ? "a file of reload_on has" :
			    "its settings have");
			pool_roll(n->pools[i]);
		}
	}
}

/* ---- the switch ---- */

static void
switch_all(struct node_reload *r)
{
	struct node *n = r->node;
	struct node_plan *plan = r->plan;
	struct tls_store *tls = n->tls;

	switch_pools(r);
	node_switch_loops(n, r->next);
	n->pool_env.services = n->nl->services;
	conf_unref(n->conf);
	n->conf = conf_ref(plan->conf);
	n->tls = plan->tls;
	plan->tls = tls;
	node_doors_switch(n, r->doors);
	r->doors = NULL;
	node_look_at(n);
	log_set_level(n->conf->log_level);
	if (n->conf->log_format != plan->old->log_format)
		log_set_format(n->conf->log_format, n->conf->node);
	admission_set(n->admission, n->conf->limits.sessions,
	    n->conf->limits.sessions_per_address);
	start_pools(n, plan);
	node_loop_start(n->nl);
	r->is_switched = true;
}

static void
on_prepared(void *arg)
{
	struct node_reload *r = arg;
	struct node *n = r->node;
	uint64_t now_ms = clock_mono_ms();

	if (r->is_over)
		return;
	if (r->fault == NULL && n->state != NODE_SERVING)
		r->fault = xstrdup("the node is stopping");
	if (r->fault == NULL)
		r->doors = node_doors_open(n, r->plan->conf, r->plan->tls, &r->fault);
	if (r->fault == NULL)
		switch_all(r);
	r->held_ms = clock_mono_ms() - now_ms;
	sem_post(&r->may_free);
}

static void
log_result(const struct node_reload *r)
{
	if (r->fault != NULL)
		log_errorx("reload: nothing has changed: %s", r->fault);
	else
		log_info("reload: the configuration is that of %s now, after %llu ms, %llu of them "
		    "on the loop", r->node->conf->path,
		    (unsigned long long)(clock_mono_ms() - r->begun_ms),
		    (unsigned long long)r->held_ms);
	if (r->fault == NULL)
		conf_warn(r->node->conf);
	if (r->fault == NULL && r->fixed != NULL)
		log_warnx("reload: this takes a restart to change: %s", r->fixed);
}

static void
reload_free(struct node_reload *r)
{
	sem_destroy(&r->may_free);
	free(r->fault);
	free(r->fixed);
	free(r);
}

/* Whoever waits may ask for another one. */
static void
on_finished(void *arg)
{
	struct node_reload *r = arg;
	struct node *n = r->node;

	if (r->is_over) {
		reload_free(r);
		return;
	}
	pthread_join(r->thread, NULL);
	log_result(r);
	n->reload = NULL;
	if (n->state == NODE_SERVING)
		notify("READY=1");
	tell(&r->waiters, r->fault);
	node_doors_forget(n);
	reload_free(r);
	if (n->reload == NULL && !STAILQ_EMPTY(&n->reload_waiters)) {
		begin(n);
		STAILQ_CONCAT(&n->reload->waiters, &n->reload_waiters);
	}
}

/* What the thread has posted comes later, and finds that it is over. */
void
node_reload_end(struct node *n)
{
	struct node_reload *r = n->reload;

	n->reload = NULL;
	if (r != NULL) {
		r->is_over = true;
		sem_post(&r->may_free);
		pthread_join(r->thread, NULL);
		tell(&r->waiters, "the node is stopping");
	}
	tell(&n->reload_waiters, "the node is stopping");
}
