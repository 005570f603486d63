/* SPDX-License-Identifier: ISC */
/*
 * A pool and its workers as those see them who look on.
 */
#include "worker/pool_int.h"

#include "conf/conf.h"
#include "worker/worker.h"

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
		.n_to_serve = pool_n_to_serve(p),
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
