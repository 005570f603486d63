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

#include "request/override.h"
#include "request/push.h"

struct conf_application;
struct destination;
struct jwt_ring;
struct loop;
struct pool;
struct procs;
struct requests;
struct service_table;
struct token_cache;
struct worker;

/* What there is to see of a worker: its life, and its messages. */
enum pool_sight { POOL_STARTED, POOL_READY, POOL_GONE, POOL_ASKED, POOL_ANSWERED };

/* What all pools of a node share; borrowed, and outlives them. */
struct pool_env {
	struct loop *loop;
	struct procs *procs;
	struct jwt_ring *ring;
	struct token_cache *tokens;
	struct requests *requests;
	const struct overrides *overrides;	/* what operators have set; NULL: nothing ever */
	const struct service_table *services;	/* for the calls of handlers; NULL: no more */
	struct push_sink push;
	/*
	 * Is shown the life of each worker (no type, no text) and each message to and from a
	 * handler, payload and all; NULL: nobody looks.
	 */
	void (*show)(enum pool_sight, const char *worker, const char *type, size_t type_len,
	    const char *text, size_t len, void *arg);
	void *show_arg;
	const char *node;
	const char *secret;		/* for QEWD's own workers; the ring's first */
	size_t secret_len;
	uint64_t session_lifetime_s;
	uint64_t request_timeout_ms;	/* timeouts.request */
	size_t line_max;		/* limits.handler_message */
	size_t reply_max;		/* limits.reply */
	unsigned depth_max;		/* limits.json_depth */
};

/* Borrows both.  What operators have set counts from pool_apply_overrides() on: any thread may. */
struct pool		*pool_new(const struct pool_env *, const struct conf_application *);
/* Workers are started when there is work, or (pool.prefork) now. */
void			 pool_start(struct pool *);
struct destination	*pool_destination(struct pool *);

/* How the last pool_roll() is doing. */
enum pool_roll { POOL_ROLLED, POOL_ROLLING, POOL_ROLL_FAILED };

/* A pool as it is now, for those who look on. */
struct pool_info {
	const char *application;
	unsigned size;			/* workers at most */
	unsigned n_starting, n_idle, n_busy, n_unready, n_leaving;
	unsigned in_flight;		/* requests at workers */
	uint64_t queue, queue_bytes, queue_max;
	uint64_t n_to_serve;		/* in the queue; while it is paused those under way alone */
	unsigned n_started;		/* workers, since the daemon began */
	uint64_t n_lost;		/* those of them that ended unasked */
	enum pool_roll roll;
	unsigned n_rolled;		/* workers that it has replaced */
	bool is_failing;		/* no worker is ready, and none is started for a while */
	bool has_types;			/* its workers say which types they serve */
	bool is_paused;
	enum override_kind use;
};

void			 pool_describe(const struct pool *, struct pool_info *);
void			 pool_each_worker(const struct pool *, void (*fn)(const struct worker *,
			    void *arg), void *arg);
/* The types that the last worker announced, in no order; none if it did not say. */
void			 pool_each_type(const struct pool *, void (*fn)(const char *type,
			    size_t len, void *arg), void *arg);

/*
 * Another configuration of the same application, borrowed in place of the one before.  Workers
 * stay (those above its size when they are done), unless pool_roll() follows.
 */
void			 pool_reload(struct pool *, const struct conf_application *);

/*
 * The overrides have changed.  While it is paused requests wait, and no worker is started for
 * them; what is under way goes on nevertheless: calls that a request at its workers waits for, of
 * its own handlers or of those that they have called on this node, and finals that lead back to it.
 */
void			 pool_apply_overrides(struct pool *);
/* A reload has removed it: what waits is served, for nobody can end a pause of it any more. */
void			 pool_leave(struct pool *);
/* "serving", "paused", "drained" or "disabled". */
const char		*pool_state(const struct pool *);

/*
 * Replaces all workers, one after the other, each when its successor is ready.  When one does not
 * get ready, those that were not replaced yet stay.
 */
void			 pool_roll(struct pool *);

/*
 * Tells all workers to finish and exit, and kills those that do not within pool.stop_grace, or
 * (is_quick) those that are at work at once; on_stopped is called, once, when the last
 * is gone, maybe before this returns.  Requests still waiting fail.
 */
void			 pool_stop(struct pool *, bool is_quick, void (*on_stopped)(void *),
			    void *arg);
void			 pool_free(struct pool *);	/* when stopped, or at an immediate end */

#endif
