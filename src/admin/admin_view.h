/* SPDX-License-Identifier: ISC */
/*
 * What the admin socket and the metrics look at: the parts of a node, which they read
 * and never change.
 */
#ifndef ADMIN_ADMIN_VIEW_H
#define ADMIN_ADMIN_VIEW_H

#include <stdint.h>

struct conf;
struct link_set;
struct loop;
struct pool;
struct qewd_front;
struct requests;

enum admin_state { ADMIN_SERVING, ADMIN_DRAINING };

/* All borrowed; outlives what looks at it. */
struct admin_view {
	const struct conf *conf;
	struct loop *loop;
	const struct requests *requests;
	struct pool *const *pools;		/* as conf->applications */
	struct link_set *const *link_sets;	/* as conf->destinations */
	const struct qewd_front *front;
	uint64_t begun_ms;			/* monotonic */
	int64_t begun_wall_ms;
	enum admin_state state;
};

#endif
