/* SPDX-License-Identifier: ISC */
/*
 * The links of one loop: those of its configuration, and those that a reload has left over until
 * nothing is under way on them.
 */
#ifndef NODE_LINKS_H
#define NODE_LINKS_H

#include <stdbool.h>

struct link_set;
struct node_loop;
struct node_plan;

/*
 * A set for each destination of the plan: the one that stays, else a new one, which knows nobody
 * yet.  Changes nothing of the loop's; from any thread.  Gives.
 */
struct link_set	**node_links_sets(const struct node_loop *, const struct node_plan *);
/* They are not wanted after all: frees those that are new, and the list. */
void		  node_links_drop(struct link_set **sets, const struct node_plan *);

/* These are the loop's destinations from now on.  Takes sets. */
void		  node_links_set(struct node_loop *, struct link_set **sets, const struct node_plan *);
/* A loop but the first: this URL is a node's, to which it has links of its own, or not. */
void		  node_links_set_kind(struct node_loop *, const char *remote, bool is_node);
bool		  node_links_is_up(const struct node_loop *, const char *url);	/* a link is */
/* A destination of this name that is left over; NULL: none. */
struct destination *node_links_left(const struct node_loop *, const char *name);
/* Frees what is left over and not needed any more; false: something is. */
bool		  node_links_sweep(struct node_loop *);
void		  node_links_free(struct node_loop *);	/* all, with what is under way */

#endif
