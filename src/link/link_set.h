/* SPDX-License-Identifier: ISC */
/*
 * A destination: a remote application, reachable at one or more URLs.
 */
#ifndef LINK_LINK_SET_H
#define LINK_LINK_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "link/health.h"
#include "request/override.h"

struct conf_destination;
struct destination;
struct link_set;
struct remote;
struct requests;

/* Borrows the configuration. */
struct link_set		*link_set_new(const struct conf_destination *);
/*
 * A reload: this is its configuration now, with the same application; its remotes are to be added
 * again.  Requests stay where they are.
 */
void			 link_set_reload(struct link_set *, const struct conf_destination *);
/* Its remotes were told to forget all that use them: tells them again. */
void			 link_set_rejoin(struct link_set *);
/* After either: requests that wait, and are not to. */
void			 link_set_serve(struct link_set *);
struct destination	*link_set_destination(struct link_set *);
/*
 * Of a loop but the first: what it has no links for goes to this one, which leads there.  Borrowed.
 */
void			 link_set_relay(struct link_set *, struct destination *);
/* One for each URL; borrowed. */
void			 link_set_add_remote(struct link_set *, struct remote *);
bool			 link_set_is_up(const struct link_set *);	/* a link to any URL is */
/* Requests that wait for a link; of a destination without limit queue_max is CONF_NO_LIMIT. */
void			 link_set_queue(const struct link_set *, uint64_t *n, uint64_t *bytes,
			    uint64_t *queue_max);
/* What an operator has set was changed: goes by it now. */
void			 link_set_apply_overrides(struct link_set *);
/* A reload has removed it: ends a pause, which nobody can end any more. */
void			 link_set_leave(struct link_set *);
/* "serving", "paused", "resuming", "drained" or "disabled". */
const char		*link_set_state(const struct link_set *);
bool			 link_set_is_paused(const struct link_set *);
/* OVERRIDE_NONE, unless it as a whole is drained or disabled. */
enum override_kind	 link_set_use(const struct link_set *);
/* Neither refuses them all nor lacks a link, or they wait for one. */
bool			 link_set_takes_requests(const struct link_set *);
/* Requests at its links, or at those to one URL; of a drained one also those that wait. */
size_t			 link_set_in_flight(const struct link_set *, const struct requests *,
			    const char *url);

/* How a URL is doing; health is of no account if it is the only one. */
struct link_set_url {
	enum override_kind use;
	enum health_state health;
	uint64_t ejected_ms;		/* still; 0: it is not */
	uint64_t n_ejections;
};

/* Of link_set_remote(i). */
void			 link_set_describe_url(struct link_set *, size_t i, struct link_set_url *);
/* As link_set_add_remote() was called; NULL: no more. */
const struct remote	*link_set_remote(const struct link_set *, size_t i);
/* Requests that wait fail with why. */
void			 link_set_free(struct link_set *, enum err why);

#endif
