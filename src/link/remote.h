/* SPDX-License-Identifier: ISC */
/*
 * All links to one URL.  Destinations that name the same URL share them.
 *
 * It begins with one link.  What its registration shows decides: a node that proves to be
 * one is served by that link alone, a stock peer by as many as configured.
 */
#ifndef LINK_REMOTE_H
#define LINK_REMOTE_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/conf.h"
#include "link/link.h"

struct remote;

/* A destination that uses it. */
struct remote_user {
	/* A link can take a request.  false: it has none waiting. */
	bool (*on_free)(struct remote *, struct link *, void *arg);
	void (*on_down)(struct remote *, void *arg);	/* its last link went down */
	void *arg;
};

/* tls: NULL for "ws://".  Borrows everything. */
struct remote	*remote_new(const struct link_env *, const struct conf_url *, struct tls_client *tls,
		    enum conf_protocol, const char *application);
/* Before remote_start(): what another destination with this URL says; "auto" changes nothing. */
void		 remote_set_protocol(struct remote *, enum conf_protocol);
/* Before remote_start(): n_links is what this destination wants of a stock peer. */
void		 remote_add_user(struct remote *, const struct remote_user *, unsigned n_links);
void		 remote_start(struct remote *);
void		 remote_free(struct remote *, enum err why);	/* requests fail with why */

const char	*remote_url(const struct remote *);
const struct tls_client *remote_tls(const struct remote *);
bool		 remote_is_up(const struct remote *);
/* A link that can take a request now, NULL if none. */
struct link	*remote_free_link(const struct remote *);
size_t		 remote_outstanding(const struct remote *);
void		 remote_each_link(const struct remote *, void (*fn)(const struct link *, void *arg),
		    void *arg);

#endif
