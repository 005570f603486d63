/* SPDX-License-Identifier: ISC */
/*
 * Threads, what makes them stand still, and what goes to all loops.
 */
#include "node_threads.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "net/loop.h"
#include "node_links.h"
#include "node_loop.h"
#include "request/push.h"

struct member {
	struct node_loop *nl;		/* borrowed */
	pthread_t thread;
	size_t n_sent;			/* connections given to it; the main thread's */
	atomic_size_t n_taken;		/* of those, that it has got */
};

struct node_threads {
	unsigned n, n_added;
	struct id_parts parts;		/* n of them */
	struct member *member;
	bool is_running;
	unsigned turn;			/* who is asked first among those with as few sessions */

	unsigned n_holds;		/* nested; the main thread's */
	pthread_mutex_t lock;		/* guards what follows */
	pthread_cond_t changed;
	unsigned n_still;		/* loops that stand still */
	uint64_t n_released;		/* how often they went on */
};

struct node_threads *
node_threads_new(unsigned n)
{
	struct node_threads *t = xcalloc(1, sizeof(*t));

	t->n = t->parts.n = n;
	id_random(&t->parts.key, sizeof(t->parts.key));
	t->member = xcalloc(n, sizeof(*t->member));
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->changed, NULL);
	return t;
}

void
node_threads_add(struct node_threads *t, struct node_loop *nl)
{
	assert(t->n_added < t->n && nl->number == t->n_added);
	t->member[t->n_added++].nl = nl;
}

unsigned
node_threads_count(const struct node_threads *t)
{
	return t->n;
}

const struct id_parts *
node_threads_parts(const struct node_threads *t)
{
	return &t->parts;
}

struct node_loop *
node_threads_loop(const struct node_threads *t, unsigned number)
{
	return t->member[number].nl;
}

void
node_threads_free(struct node_threads *t)
{
	if (t == NULL)
		return;
	assert(!t->is_running);
	pthread_mutex_destroy(&t->lock);
	pthread_cond_destroy(&t->changed);
	free(t->member);
	free(t);
}

/* ---- threads ---- */

static void *
run(void *arg)
{
	struct node_loop *nl = arg;

	loop_run(nl->loop);
	return NULL;
}

void
node_threads_start(struct node_threads *t)
{
	sigset_t all, before;

	t->is_running = true;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (unsigned i = 1; i < t->n; i++)
		if (pthread_create(&t->member[i].thread, NULL, run, t->member[i].nl) != 0)
			fatalx("cannot start a thread");
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void
stop_loop(void *arg)
{
	loop_stop(arg);
}

void
node_threads_stop(struct node_threads *t)
{
	size_t n_called;

	if (t->is_running) {
		for (unsigned i = 1; i < t->n; i++)
			loop_post(t->member[i].nl->loop, stop_loop, t->member[i].nl->loop);
		for (unsigned i = 1; i < t->n; i++)
			pthread_join(t->member[i].thread, NULL);
		t->is_running = false;
	}
	/* One may lead to another: an answer that is late to word that nobody wants it. */
	do {
		n_called = 0;
		for (unsigned i = 0; i < t->n_added; i++)
			n_called += loop_run_posts(t->member[i].nl->loop);
	} while (n_called > 0);
}

/* ---- standing still ---- */

static void
stand_still(void *arg)
{
	struct node_threads *t = arg;
	uint64_t n_released;

	pthread_mutex_lock(&t->lock);
	n_released = t->n_released;
	t->n_still++;
	pthread_cond_broadcast(&t->changed);
	while (t->n_released == n_released)
		pthread_cond_wait(&t->changed, &t->lock);
	pthread_mutex_unlock(&t->lock);
}

void
node_threads_hold(struct node_threads *t)
{
	if (t->n_holds++ > 0 || !t->is_running)
		return;
	for (unsigned i = 1; i < t->n; i++)
		loop_post(t->member[i].nl->loop, stand_still, t);
	pthread_mutex_lock(&t->lock);
	while (t->n_still < t->n - 1)
		pthread_cond_wait(&t->changed, &t->lock);
	pthread_mutex_unlock(&t->lock);
}

void
node_threads_release(struct node_threads *t)
{
	if (--t->n_holds > 0 || !t->is_running)
		return;
	pthread_mutex_lock(&t->lock);
	t->n_still = 0;
	t->n_released++;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

/* ---- what goes to all loops ---- */

struct errand {
	struct node_loop *nl;
	void (*fn)(struct node_loop *, void *);
	void *arg;
};

static void
run_errand(void *arg)
{
	struct errand *e = arg;

	e->fn(e->nl, e->arg);
	free(e);
}

void
node_threads_each(struct node_threads *t, void (*fn)(struct node_loop *, void *), void *arg)
{
	for (unsigned i = 1; i < t->n; i++) {
		struct errand *e = xmalloc(sizeof(*e));

		*e = (struct errand){ t->member[i].nl, fn, arg };
		loop_post(t->member[i].nl->loop, run_errand, e);
	}
	fn(t->member[0].nl, arg);
}

/* ---- connections ---- */

static size_t
load_of(struct member *m)
{
	return atomic_load_explicit(loop_load(m->nl->loop), memory_order_relaxed) + m->n_sent -
	    atomic_load_explicit(&m->n_taken, memory_order_acquire);
}

unsigned
node_threads_choose(struct node_threads *t)
{
	unsigned best = 0;
	size_t least = SIZE_MAX, load;

	t->turn++;
	for (unsigned i = 0; i < t->n; i++) {
		unsigned number = (t->turn + i) % t->n;

		load = load_of(&t->member[number]);
		if (load < least) {
			best = number;
			least = load;
		}
	}
	return best;
}

void
node_threads_sent(struct node_threads *t, unsigned to)
{
	t->member[to].n_sent++;
}

void
node_threads_taken(struct node_threads *t, unsigned to)
{
	atomic_fetch_add_explicit(&t->member[to].n_taken, 1, memory_order_release);
}

/* ---- pushes ---- */

/* On its way to another loop. */
struct letter {
	struct node_loop *to;
	struct push push;		/* points to what follows */
	char *type, *message, *url;
};

static void
take_letter(void *arg)
{
	struct letter *l = arg;

	if (l->url == NULL || !node_links_is_up(l->to, l->url))
		node_loop_push(l->to, &l->push);
	free(l->type);
	free(l->message);
	free(l->url);
	free(l);
}

/* A loop that does not keep up misses it. */
static void
drop_letter(const struct node_loop *to, const struct node_loop *from)
{
	static struct log_limit limit = { .about = "pushes that are dropped" };

	metrics_inc(loop_metrics(from->loop), METRIC_PUSHES_DROPPED);
	if (log_allows(&limit))
		log_warnx("event loop %u does not keep up: a push is dropped "
		    "(limits.between_loops)", to->number);
}

static void
post_letter(struct node_loop *to, const struct node_loop *from, const struct push *p)
{
	size_t bytes = sizeof(struct letter) + p->type_len + p->message_len;
	struct letter *l;

	if (!loop_has_room(to->loop, bytes)) {
		drop_letter(to, from);
		return;
	}
	l = xmalloc(sizeof(*l));
	*l = (struct letter){ to, *p, xmemdup(p->type, p->type_len),
		xmemdup(p->message, p->message_len), p->url != NULL ? xstrdup(p->url) : NULL };
	l->push.type = l->type;
	l->push.message = l->message;
	l->push.url = l->url;
	loop_post_bytes(to->loop, take_letter, l, bytes);
}

static void
deliver(struct node_loop *to, const struct node_loop *from, const struct push *p)
{
	if (to == from)
		node_loop_push(to, p);
	else
		post_letter(to, from, p);
}

/* Straight to each loop, so that it comes before what whoever pushes says next. */
static void
push_of_ours(struct node_threads *t, struct node_loop *from, const struct push *p)
{
	unsigned part;

	/* A socket of ours is where its id says; another may be known to a node in front of us. */
	if (t->n > 1 && p->to.kind == PUSH_SOCKET &&
	    id_sid_part(p->to.text, &t->parts, &part)) {
		deliver(t->member[part].nl, from, p);
		return;
	}
	for (unsigned i = 0; i < t->n; i++)
		deliver(t->member[i].nl, from, p);
}

/*
 * A node pushes over the first link of each of our loops, and each loop takes what comes over its
 * own: so it comes before the replies that follow it there.  The first loop's is for those that
 * have none, too.
 */
void
node_threads_push(struct node_threads *t, struct node_loop *from, const struct push *p)
{
	if (p->url == NULL) {
		push_of_ours(t, from, p);
		return;
	}
	node_loop_push(from, p);
	for (unsigned i = 1; from->number == 0 && i < t->n; i++)
		post_letter(t->member[i].nl, from, p);
}
