/* SPDX-License-Identifier: ISC */
/*
 * What a node does with all of its loops.  node_int.h has what its other files need of it.
 */
#ifndef NODE_LOOPS_H
#define NODE_LOOPS_H

#include <stddef.h>

struct node;

/* As many as its configuration wants, beside the first, which is there with its pools. */
void	node_add_loops(struct node *);
void	node_free_loops(struct node *);		/* the first, too */

/* Open requests that somebody waits for. */
size_t	node_n_awaited(struct node *);
/* Tells some sessions without open requests to go; gives how many are still there. */
size_t	node_close_some(struct node *, size_t n_max);

#endif
