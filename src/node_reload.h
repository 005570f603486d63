/* SPDX-License-Identifier: ISC */
/*
 * Another configuration for a node that serves: read and checked by a thread of its own, then
 * put in place of the one before, as a whole or not at all.
 */
#ifndef NODE_RELOAD_H
#define NODE_RELOAD_H

#include <sys/queue.h>

struct node;
struct node_reload;
struct pool;
STAILQ_HEAD(reload_waiters, reload_waiter);

/* Called once, on the first loop.  fault: why nothing has changed; NULL: all has. */
typedef void	 node_reload_fn(const char *fault, void *arg);

/*
 * Reads the file that the node was started with.  While another reload is under way it begins
 * when that is over, and is the same for all who ask meanwhile.
 */
void		 node_reload_begin(struct node *, node_reload_fn *on_done, void *arg);
/* Nobody waits for it any more. */
void		 node_reload_forget(struct node *, const void *arg);
/* Waits for the thread; what it made is dropped.  Whoever waits is told that the node stops. */
void		 node_reload_end(struct node *);

/* A pool of this application that a reload left over, and that takes requests still; NULL: none. */
struct pool	*node_reload_left_pool(const struct node *, const char *application);
/* Pools that a reload left over, with all that is under way. */
void		 node_reload_free_pools(struct node *);

#endif
