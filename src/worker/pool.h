/* SPDX-License-Identifier: ISC */
/*
 * A destination: the worker processes of one application, each with one request
 * at a time, and the queue before them.
 */
#ifndef WORKER_POOL_H
#define WORKER_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf_application;
struct destination;
struct jwt_ring;
struct loop;
struct pool;
struct procs;

/* What all pools of a node share; borrowed, and outlives them. */
struct pool_env {
	struct loop *loop;
	struct procs *procs;
	struct jwt_ring *ring;
	const char *node;
	uint64_t session_lifetime_s;
	size_t line_max;		/* limits.handler_message */
	size_t reply_max;		/* limits.reply */
	unsigned depth_max;		/* limits.json_depth */
};

/* Workers are started when there is work.  Borrows both. */
struct pool		*pool_new(const struct pool_env *, const struct conf_application *);
struct destination	*pool_destination(struct pool *);

/*
 * Tells all workers to finish and exit, and kills those that do not within pool.stop_grace, or
 * (is_quick) those that are at work at once; on_stopped is called, once, when the last
 * is gone, maybe before this returns.  Requests still waiting fail.
 */
void			 pool_stop(struct pool *, bool is_quick, void (*on_stopped)(void *),
			    void *arg);
void			 pool_free(struct pool *);	/* when stopped, or at an immediate end */

#endif
