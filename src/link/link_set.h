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

struct conf_destination;
struct destination;
struct link_set;
struct remote;

/* Borrows the configuration. */
struct link_set		*link_set_new(const struct conf_destination *);
struct destination	*link_set_destination(struct link_set *);
/* One for each URL, before the remotes are started; borrowed. */
void			 link_set_add_remote(struct link_set *, struct remote *);
bool			 link_set_is_up(const struct link_set *);	/* a link to any URL is */
/* Requests that wait for a link; of a destination without limit queue_max is CONF_NO_LIMIT. */
void			 link_set_queue(const struct link_set *, uint64_t *n, uint64_t *bytes,
			    uint64_t *queue_max);
/* As link_set_add_remote() was called; NULL: no more. */
const struct remote	*link_set_remote(const struct link_set *, size_t i);
/* Requests that wait fail with why. */
void			 link_set_free(struct link_set *, enum err why);

#endif
