/* SPDX-License-Identifier: ISC */
/*
 * All links to one URL.  Destinations that name the same URL share them.
 *
 * It begins with one link.  What its registration shows decides: a node that proves to be
 * one is served by that link (or as many as configured), a stock peer by as many as its
 * requests need, up to a limit; those that nobody needs for a while end.
 */
#ifndef LINK_REMOTE_H
#define LINK_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"
#include "link/link.h"

struct destination;
struct remote;
struct request;

/* A destination that uses it. */
struct remote_user {
	/* A link can take a request.  false: it has none waiting. */
	bool (*on_free)(struct remote *, struct link *, void *arg);
	void (*on_down)(struct remote *, void *arg);	/* its last link went down */
	/* As that of a link, for a request of this destination. */
	bool (*on_lost)(struct remote *, struct request *, bool is_handed_over, void *arg);
	bool (*on_refused)(struct remote *, struct request *, void *arg);	/* likewise */
	void *arg;
	const struct destination *destination;
	unsigned n_links;		/* that it wants of a stock peer, at most */
	unsigned n_node_links;		/* and of a node */
	uint64_t idle_ms;		/* links that it does not need for so long end */
};

/*
 * tls: NULL for "ws://".  id: two remotes that say the same have the same, others do not.
 * Borrows env alone; holds tls.
 */
struct remote	*remote_new(const struct link_env *, const char *id, const struct conf_url *,
		    struct tls_client *tls, enum conf_protocol, const char *application);
/* Before the start, or remote_fit(). */
void		 remote_add_user(struct remote *, const struct remote_user *);
/* Nobody gets anything more; what is under way on a link stays there. */
void		 remote_clear_users(struct remote *);
/* It has started, and its users have changed: has as many links as they want. */
void		 remote_fit(struct remote *);
/* Links that are dialled from now on use this one, which says the same as the one before. */
void		 remote_set_tls(struct remote *, struct tls_client *);
bool		 remote_has_users(const struct remote *);
bool		 remote_is_unused(const struct remote *);	/* no user, nothing under way */
void		 remote_start(struct remote *);
/* Its links end as soon as nothing is under way on them.  It may be started again. */
void		 remote_stop(struct remote *);
void		 remote_free(struct remote *, enum err why);	/* requests fail with why */

bool		 remote_is_started(const struct remote *);
const char	*remote_url(const struct remote *);
const struct link_env *remote_env(const struct remote *);
const char	*remote_id(const struct remote *);
struct remote	*remote_of(const struct link *);
bool		 remote_is_up(const struct remote *);
/* A link that can take a request now, NULL if none. */
struct link	*remote_free_link(const struct remote *);
size_t		 remote_outstanding(const struct remote *);
uint64_t	 remote_answered(const struct remote *);	/* finals that came, in all */
/* So many requests wait for a link: one more is dialled, if that may be of use. */
void		 remote_grow(struct remote *, uint64_t n_waiting);
/* Links that wait to dial do so now. */
void		 remote_retry_now(struct remote *);
void		 remote_each_link(const struct remote *, void (*fn)(const struct link *, void *arg),
		    void *arg);

#endif
