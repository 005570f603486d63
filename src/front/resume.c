/* SPDX-License-Identifier: ISC */
/*
 * All clients that are away, the one away for longest first, and the texts of each.
 */
#include "front/resume.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/xmalloc.h"
#include "net/loop.h"

#define CLIENT_COST 1024	/* bytes that a client which is away takes besides its texts */

struct text {
	STAILQ_ENTRY(text) link;
	size_t len;
	char bytes[];
};

struct resume {
	struct resumes *all;
	const struct resume_events *ev;
	void *arg;
	bool is_started, is_over, was_dropped;
	TAILQ_ENTRY(resume) link;	/* while started and not over */
	STAILQ_HEAD(, text) texts;
	uint64_t bytes;			/* of the texts, with what else they take */
	struct timer timer;
};

struct resumes {
	struct loop *loop;
	uint64_t keep_ms, bytes_max;
	TAILQ_HEAD(resume_list, resume) list;
	uint64_t bytes;			/* of those in the list */
	atomic_size_t *bytes_in_all;	/* the same of all loops; NULL: there is this one alone */
	unsigned n_loops;
};

static void on_due(void *);

struct resumes *
resumes_new(struct loop *loop, uint64_t keep_ms, uint64_t bytes_max)
{
	struct resumes *all = xcalloc(1, sizeof(*all));

	all->loop = loop;
	all->keep_ms = keep_ms;
	all->bytes_max = bytes_max;
	all->n_loops = 1;
	TAILQ_INIT(&all->list);
	return all;
}

void
resumes_share(struct resumes *all, atomic_size_t *n_bytes, unsigned n)
{
	assert(all->bytes == 0);
	all->bytes_in_all = n_bytes;
	all->n_loops = n;
}

void
resumes_set(struct resumes *all, uint64_t keep_ms, uint64_t bytes_max)
{
	all->keep_ms = keep_ms;
	all->bytes_max = bytes_max;
}

void
resumes_free(struct resumes *all)
{
	free(all);
}

struct resume *
resume_new(struct resumes *all, const struct resume_events *ev)
{
	struct resume *r = xcalloc(1, sizeof(*r));

	r->all = all;
	r->ev = ev;
	STAILQ_INIT(&r->texts);
	return r;
}

static void
add_bytes(struct resumes *all, uint64_t bytes)
{
	all->bytes += bytes;
	if (all->bytes_in_all != NULL)
		atomic_fetch_add_explicit(all->bytes_in_all, bytes, memory_order_relaxed);
}

static void
take_bytes(struct resumes *all, uint64_t bytes)
{
	all->bytes -= bytes;
	if (all->bytes_in_all != NULL)
		atomic_fetch_sub_explicit(all->bytes_in_all, bytes, memory_order_relaxed);
}

static void
drop_texts(struct resume *r)
{
	struct text *t;

	while ((t = STAILQ_FIRST(&r->texts)) != NULL) {
		STAILQ_REMOVE_HEAD(&r->texts, link);
		free(t);
	}
	r->bytes = 0;
}

static void
unlist(struct resume *r)
{
	TAILQ_REMOVE(&r->all->list, r, link);
	take_bytes(r->all, CLIENT_COST + r->bytes);
}

/* Its memory is needed, or its time is over. */
static void
give_up(struct resume *r)
{
	unlist(r);
	drop_texts(r);
	r->is_over = true;
	loop_timer_set(r->all->loop, &r->timer, 0, on_due, r);
}

static uint64_t
total_max(const struct resumes *all)
{
	return all->bytes_max > UINT64_MAX / RESUMES_FACTOR ? UINT64_MAX :
	    all->bytes_max * RESUMES_FACTOR;
}

/* A loop with less than its share need not make room for what others have. */
static bool
has_too_much(const struct resumes *all)
{
	uint64_t max = total_max(all);

	return all->bytes > max / all->n_loops && (all->bytes_in_all == NULL ||
	    atomic_load_explicit(all->bytes_in_all, memory_order_relaxed) > max);
}

static void
make_room(struct resumes *all)
{
	while (has_too_much(all))
		give_up(TAILQ_FIRST(&all->list));
}

void
resume_start(struct resume *r, void *arg)
{
	r->arg = arg;
	r->is_started = true;
	r->was_dropped = false;
	TAILQ_INSERT_TAIL(&r->all->list, r, link);
	add_bytes(r->all, CLIENT_COST + r->bytes);
	loop_timer_set(r->all->loop, &r->timer, 0, on_due, r);
	make_room(r->all);
}

void
resume_stop(struct resume *r)
{
	if (!r->is_started)
		return;
	loop_timer_stop(r->all->loop, &r->timer);
	if (!r->is_over)
		unlist(r);
	r->is_started = false;
}

void
resume_free(struct resume *r)
{
	if (r == NULL)
		return;
	resume_stop(r);
	drop_texts(r);
	free(r);
}

/* The events may free it. */
static void
on_due(void *arg)
{
	struct resume *r = arg;
	const struct resume_events *ev = r->ev;
	void *client = r->arg;

	if (!r->was_dropped && !r->is_over) {
		r->was_dropped = true;
		loop_timer_set(r->all->loop, &r->timer, r->all->keep_ms, on_due, r);
		ev->on_dropped(client);
		return;
	}
	if (!r->is_over) {
		unlist(r);
		drop_texts(r);
		r->is_over = true;
	}
	ev->on_end(client);
}

void
resume_add(struct resume *r, const char *bytes, size_t len)
{
	uint64_t cost = sizeof(struct text) + len;
	struct text *t;

	assert(r->is_started);
	if (r->is_over)
		return;
	if (!resume_is_empty(r) && (r->bytes > r->all->bytes_max ||
	    cost > r->all->bytes_max - r->bytes)) {
		give_up(r);
		return;
	}
	t = xmalloc(sizeof(*t) + len);
	t->len = len;
	memcpy(t->bytes, bytes, len);
	STAILQ_INSERT_TAIL(&r->texts, t, link);
	r->bytes += cost;
	add_bytes(r->all, cost);
	make_room(r->all);
}

void
resume_take(struct resume *r, struct buf *b)
{
	struct text *t = STAILQ_FIRST(&r->texts);
	uint64_t cost = sizeof(*t) + t->len;

	STAILQ_REMOVE_HEAD(&r->texts, link);
	buf_add(b, t->bytes, t->len);
	r->bytes -= cost;
	if (r->is_started)
		take_bytes(r->all, cost);
	free(t);
}

bool
resume_is_started(const struct resume *r)
{
	return r->is_started;
}

bool
resume_is_empty(const struct resume *r)
{
	return STAILQ_EMPTY(&r->texts);
}

bool
resume_is_over(const struct resume *r)
{
	return r->is_over;
}
