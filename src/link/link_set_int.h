/* SPDX-License-Identifier: ISC */
/*
 * What link_set.c shares with link_set_operator.c: a destination, and what it does with those
 * that wait.  Not for other files.
 */
#ifndef LINK_LINK_SET_INT_H
#define LINK_LINK_SET_INT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "link/health.h"
#include "link/link_set.h"
#include "link/retry_budget.h"
#include "net/loop.h"
#include "request/destination.h"
#include "request/override.h"
#include "request/request.h"

#define LINK_SET_WHY_MAX 320	/* of a text that says why a request fails */

struct conf_destination;
struct remote;

/* A URL of the destination. */
struct member {
	struct remote *remote;		/* borrowed */
	struct health health;
	enum override_kind use;		/* OVERRIDE_NONE: it may be used */
	bool was_away;			/* all its links went down, since it was chosen */
};

struct link_set {
	struct destination destination;	/* first */
	const struct conf_destination *conf;
	struct health_limits limits;
	struct loop *loop;		/* NULL: it has no URL yet; so is the next */
	const struct overrides *overrides;
	struct member *member;
	size_t n_members;
	size_t n_kept;			/* with those of before a reload, that may come again */
	size_t turn;			/* who is looked at first, so that equals take turns */
	enum override_kind use;
	bool is_paused;
	bool is_resuming;		/* was paused, and no link has been up since then */
	struct timer resume_timer;
	struct retry_budget budget;
	struct request_queue queue;
	struct destination *relay;	/* the same on the first loop; NULL: this is it */
};

/* Is there a link that requests may take, now or when it is free? */
bool		link_set_is_servable(const struct link_set *);
/* It is paused, or was and no link has been up since then. */
bool		link_set_is_waiting(const struct link_set *);
/* Brings its health up to date, and gives the share of requests that it may have. */
unsigned	link_set_share_of(struct link_set *, struct member *);
/* Those that wait, in order, as long as links are free. */
void		link_set_serve_waiting(struct link_set *);
void		link_set_fail_waiting(struct link_set *, enum err why, const char *text);
/* Nobody can serve them, and nobody is waited for. */
void		link_set_fail_if_down(struct link_set *);

#endif
