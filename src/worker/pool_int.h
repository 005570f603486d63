/* SPDX-License-Identifier: ISC */
/*
 * What pool.c (requests), pool_workers.c, pool_types.c and pool_show.c share.  Not for other files.
 */
#ifndef WORKER_POOL_INT_H
#define WORKER_POOL_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "net/loop.h"
#include "request/request.h"
#include "worker/pool.h"

struct handler_msg;
struct strmap;

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

/* Processes: those that leave, and a successor, are among them. */
unsigned	pool_n_workers(const struct pool *);
/* Those that are not ready yet, but for a successor. */
unsigned	pool_n_starting(const struct pool *);
/* Workers that count: a successor takes the place of the one it follows. */
unsigned	pool_n_counted(const struct pool *);
/* Starts the successor of this worker, if it is worn and another can be started now. */
void		pool_begin_replacement(struct pool *, struct worker *);
/* Its configuration is another: as many workers as that says, each with it. */
void		pool_fit_workers(struct pool *);

/* How many of those that wait may go to a worker: not those that a pause holds up. */
uint64_t	pool_n_to_serve(const struct pool *);
/* Fails calls that wait, while all workers wait for calls: each lets one worker go on. */
void		pool_refuse_calls_if_stuck(struct pool *);
/* Of struct worker_events; the last argument is the pool. */
void		pool_on_room(struct worker *, void *);
void		pool_on_stuck(struct worker *, void *);
void		pool_on_return(struct worker *, struct request *, void *);

/* What the worker that got ready last has announced; logged when it is not what was before. */
void		pool_set_types(struct pool *, const struct handler_msg *ready);

#endif
