/* SPDX-License-Identifier: ISC */
/*
 * What the admin socket and the metrics look at: the parts of a node, which they read
 * and never change.
 */
#ifndef ADMIN_ADMIN_VIEW_H
#define ADMIN_ADMIN_VIEW_H

#include <stddef.h>
#include <stdint.h>

struct admin_memory;
struct conf;
struct gate;
struct link_set;
struct loop;
struct overrides;
struct metrics;
struct pool;
struct qewd_front;
struct requests;
struct revoked;
struct token_cache;

enum admin_state { ADMIN_SERVING, ADMIN_DRAINING };

/*
 * The parts of one event loop.  Its thread is at work with them, so they are looked at, and
 * whatever acts on them is called, between admin_hold() and admin_release(), for one
 * loop after the other:
 *
 *	admin_hold(view);
 *	for (size_t i = 0; i < view->n_loops; i++)
 *		qewd_front_each(view->loops[i].front, count_client, &n);
 *	admin_release(view);
 *
 * The function of a command is called like this already.  What it does later, from a timer, is not.
 */
struct admin_loop {
	struct loop *loop;
	struct requests *requests;
	struct link_set *const *link_sets;	/* as conf->destinations */
	struct qewd_front *front;
	struct token_cache *tokens;
};

/* All borrowed; outlives what looks at it.  What is not in loops is of the admin's own loop. */
struct admin_view {
	const struct conf *conf;
	const struct admin_loop *loops;		/* the first is the admin's own */
	size_t n_loops;
	struct revoked *revoked;		/* of all loops */
	void (*hold)(void *arg);		/* NULL: there is one loop alone */
	void (*release)(void *arg);
	void *arg;
	struct loop *loop;
	const struct requests *requests;
	struct pool *const *pools;		/* as conf->applications */
	struct link_set *const *link_sets;	/* as conf->destinations */
	const struct qewd_front *front;
	struct overrides *overrides;		/* what operators have set, for all loops */
	const struct gate *gate;		/* for messages of the operator's own */
	struct admin_memory *memory;		/* what commands leave behind */
	uint64_t begun_ms;			/* monotonic */
	int64_t begun_wall_ms;
	enum admin_state state;
};

/*
 * All loops stand still from the first to the second; between them this thread may do with their
 * objects what theirs may, for a short time.  They may be nested.
 */
void	admin_hold(const struct admin_view *);
void	admin_release(const struct admin_view *);

/* The counters of all loops together; they are held. */
void	admin_sum_metrics(const struct admin_view *, struct metrics *);

#endif
