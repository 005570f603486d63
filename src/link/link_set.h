/* SPDX-License-Identifier: ISC */
/*
 * A destination: a remote application, reachable at one or more URLs.
 */
#ifndef LINK_LINK_SET_H
#define LINK_LINK_SET_H

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
/* Requests that wait fail with why. */
void			 link_set_free(struct link_set *, enum err why);

#endif
