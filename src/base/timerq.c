/* SPDX-License-Identifier: ISC */
/*
 * FIFO lists by duration, of exact timers and of others, and a binary heap of the lists by the time
 * their first timer is due.
 *
 * A list stays for as long as it is filled; the heap and the table hold filled lists only, so
 * a duration used once (the rest of a remote deadline) costs nothing afterwards.
 */
#include "base/timerq.h"

#include <assert.h>
#include <stdlib.h>

#include "base/xmalloc.h"

#define BUCKET_BITS_FIRST 4	/* of the table of durations */
#define ABOUT_BITS	  8	/* "about" is up to this power of two of the duration */

struct timerq_list {
	uint64_t key;			/* list_key() of its timers */
	struct timer *first, *last;
	size_t heap_at;			/* index in the heap */
	struct timerq_list *next;	/* in its bucket */
};

struct timerq {
	struct timerq_list **heap;	/* heap[0] is due first */
	size_t n, cap;
	struct timerq_list **bucket;
	unsigned bucket_bits;		/* there are two to the power of that */
	struct timerq_list *spare;	/* the last that was emptied: mostly it is needed again */
};

struct timerq *
timerq_new(void)
{
	struct timerq *q = xcalloc(1, sizeof(*q));

	q->bucket_bits = BUCKET_BITS_FIRST;
	q->bucket = xcalloc((size_t)1 << q->bucket_bits, sizeof(*q->bucket));
	return q;
}

void
timerq_free(struct timerq *q)
{
	if (q == NULL)
		return;
	for (size_t i = 0; i < q->n; i++) {
		for (struct timer *t = q->heap[i]->first; t != NULL; t = t->next)
			t->list = NULL;
		free(q->heap[i]);
	}
	free(q->spare);
	free(q->heap);
	free(q->bucket);
	free(q);
}

static uint64_t
due(const struct timerq *q, size_t i)
{
	return q->heap[i]->first->due_ms;
}

static void
heap_put(struct timerq *q, size_t i, struct timerq_list *l)
{
	q->heap[i] = l;
	l->heap_at = i;
}

static void
heap_swap(struct timerq *q, size_t a, size_t b)
{
	struct timerq_list *l = q->heap[a];

	heap_put(q, a, q->heap[b]);
	heap_put(q, b, l);
}

/* The first timer of list i changed: find its place. */
static void
heap_mend(struct timerq *q, size_t i)
{
	size_t child;

	while (i > 0 && due(q, i) < due(q, (i - 1) / 2)) {
		heap_swap(q, i, (i - 1) / 2);
		i = (i - 1) / 2;
	}
	while ((child = 2 * i + 1) < q->n) {
		if (child + 1 < q->n && due(q, child + 1) < due(q, child))
			child++;
		if (due(q, i) <= due(q, child))
			break;
		heap_swap(q, i, child);
		i = child;
	}
}

/* Those that are due about then are not among the exact ones: they come in another order. */
static uint64_t
list_key(uint64_t after_ms, bool is_about)
{
	return after_ms << 1 | is_about;
}

static struct timerq_list **
bucket_of(struct timerq *q, uint64_t key)
{
	return &q->bucket[(key * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - q->bucket_bits)];
}

/* As many buckets as there are lists, where deadlines that came from elsewhere differ all. */
static void
more_buckets(struct timerq *q)
{
	free(q->bucket);
	q->bucket_bits++;
	q->bucket = xcalloc((size_t)1 << q->bucket_bits, sizeof(*q->bucket));
	for (size_t i = 0; i < q->n; i++) {
		struct timerq_list **at = bucket_of(q, q->heap[i]->key);

		q->heap[i]->next = *at;
		*at = q->heap[i];
	}
}

/* The filled list of this key, or a new one that is not in the heap yet. */
static struct timerq_list *
list_get(struct timerq *q, uint64_t key)
{
	struct timerq_list **at = bucket_of(q, key), *l;

	for (l = *at; l != NULL; l = l->next)
		if (l->key == key)
			return l;
	if (q->n >= (size_t)1 << q->bucket_bits) {
		more_buckets(q);
		at = bucket_of(q, key);
	}
	l = q->spare != NULL ? q->spare : xmalloc(sizeof(*l));
	q->spare = NULL;
	*l = (struct timerq_list){ .key = key, .next = *at };
	*at = l;
	return l;
}

static void
list_remove(struct timerq *q, struct timerq_list *l)
{
	struct timerq_list **at = bucket_of(q, l->key);
	size_t i = l->heap_at;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	q->n--;
	if (i < q->n) {
		heap_put(q, i, q->heap[q->n]);
		heap_mend(q, i);
	}
	free(q->spare);
	q->spare = l;
}

static void
set(struct timerq *q, struct timer *t, uint64_t key, uint64_t due_ms, void (*on_due)(void *),
    void *arg)
{
	struct timerq_list *l;

	timer_stop(q, t);
	l = list_get(q, key);
	t->due_ms = due_ms;
	t->on_due = on_due;
	t->arg = arg;
	t->list = l;
	t->next = NULL;
	t->prev = l->last;
	if (l->last != NULL) {
		/* A clock that went back must not break the order of the list. */
		if (t->due_ms < l->last->due_ms)
			t->due_ms = l->last->due_ms;
		l->last->next = t;
		l->last = t;
		return;
	}
	l->first = l->last = t;
	if (q->n == q->cap) {
		q->cap = q->cap > 0 ? 2 * q->cap : 16;
		q->heap = xreallocarray(q->heap, q->cap, sizeof(struct timerq_list *));
	}
	heap_put(q, q->n++, l);
	heap_mend(q, l->heap_at);
}

void
timer_set(struct timerq *q, struct timer *t, uint64_t now_ms, uint64_t after_ms,
    void (*on_due)(void *), void *arg)
{
	set(q, t, list_key(after_ms, false), now_ms + after_ms, on_due, arg);
}

void
timer_set_about(struct timerq *q, struct timer *t, uint64_t now_ms, uint64_t after_ms,
    void (*on_due)(void *), void *arg)
{
	uint64_t most = after_ms >> ABOUT_BITS, step = 1;

	while (2 * step <= most)
		step *= 2;
	/* The end of a step of the clock, the same for all. */
	set(q, t, list_key(after_ms, true), (now_ms + after_ms + step - 1) & ~(step - 1), on_due, arg);
}

void
timer_stop(struct timerq *q, struct timer *t)
{
	struct timerq_list *l = t->list;
	bool was_first;

	if (l == NULL)
		return;
	was_first = l->first == t;
	if (t->prev != NULL)
		t->prev->next = t->next;
	else
		l->first = t->next;
	if (t->next != NULL)
		t->next->prev = t->prev;
	else
		l->last = t->prev;
	t->list = NULL;
	if (l->first == NULL)
		list_remove(q, l);
	else if (was_first)
		heap_mend(q, l->heap_at);
}

bool
timer_is_set(const struct timer *t)
{
	return t->list != NULL;
}

void
timerq_run(struct timerq *q, uint64_t now_ms)
{
	while (q->n > 0 && due(q, 0) <= now_ms) {
		struct timer *t = q->heap[0]->first;

		timer_stop(q, t);
		t->on_due(t->arg);
	}
}

size_t
timerq_durations(const struct timerq *q)
{
	return q->n;
}

uint64_t
timerq_next_due(const struct timerq *q)
{
	return q->n > 0 ? due(q, 0) : TIMERQ_NEVER;
}
