/* SPDX-License-Identifier: ISC */
/* What a node does now and then. */
#include "node_tick.h"

#include "base/compiler.h"
#include "base/log.h"
#include "base/spares.h"
#include "net/loop.h"
#include "node_loop.h"
#include "node_threads.h"
#include "token/token_cache.h"

#define TRIM_TICKS 3	/* as often tokens and memory are looked at */

static void
trim_spares(struct node_loop *nl, void *arg UNUSED)
{
	spares_trim(loop_spares(nl->loop));
	token_cache_trim(nl->tokens);
}

/* Sessions that were decrypted do not wait for the next work. */
static void
remove_expired(struct node_loop *nl, void *arg UNUSED)
{
	token_cache_remove_expired(nl->tokens, loop_wall_ms(nl->loop));
}

/* What the loops do not use any more is freed; what is free goes back when nobody is in a hurry. */
static void
give_back_memory(struct node_tick *t)
{
	node_threads_each(t->threads, trim_spares, NULL);
	if (heap_is_quiet(&t->heap))
		heap_trim(&t->heap);
}

static struct loop *
loop_of(const struct node_tick *t)
{
	return node_threads_loop(t->threads, 0)->loop;
}

static void
on_tick(void *arg)
{
	struct node_tick *t = arg;

	log_tick();
	if (++t->n % TRIM_TICKS == 0) {
		node_threads_each(t->threads, remove_expired, NULL);
		if (heap_is_due(&t->heap))
			give_back_memory(t);
	}
	loop_timer_set(loop_of(t), &t->timer, t->period_ms, on_tick, t);
}

void
node_tick_start(struct node_tick *t, struct node_threads *threads, unsigned period_ms)
{
	t->threads = threads;
	t->period_ms = period_ms;
	on_tick(t);
}

void
node_tick_stop(struct node_tick *t)
{
	if (t->threads != NULL)
		loop_timer_stop(loop_of(t), &t->timer);
	t->threads = NULL;
}
