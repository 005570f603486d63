/* SPDX-License-Identifier: ISC */
/*
 * The event loops of a node: a thread each, but for the first, which is the main thread's, and has
 * what there is once: listeners, worker pools, the links of stock peers, the operator's side.
 *
 * They share nothing but the configuration and what is counted for limits of the node (sessions:
 * front/admission, addresses: front/address_rates, open requests, what is kept for clients that are
 * away), and talk by loop_post().  What concerns all of them at a moment is done while they stand
 * still.
 */
#ifndef NODE_THREADS_H
#define NODE_THREADS_H

#include <stdbool.h>
#include <stddef.h>

struct id_parts;
struct node_loop;
struct node_threads;
struct push;

/* Of n loops; they are told with node_threads_add(), first of all that of the main thread. */
struct node_threads	*node_threads_new(unsigned n);
void			 node_threads_add(struct node_threads *, struct node_loop *);
unsigned		 node_threads_count(const struct node_threads *);
const struct id_parts	*node_threads_parts(const struct node_threads *);
struct node_loop	*node_threads_loop(const struct node_threads *, unsigned number);

/* All but the first begin to run.  In them all signals are blocked. */
void			 node_threads_start(struct node_threads *);
/* They end; what was posted to any loop and not called is called here. */
void			 node_threads_stop(struct node_threads *);
void			 node_threads_free(struct node_threads *);	/* not the loops */

/*
 * From the main thread: the others stand still from the first to the second, between two calls of
 * theirs, and their objects may be used as if from there.  For a short time.  May be nested.
 */
void			 node_threads_hold(struct node_threads *);
void			 node_threads_release(struct node_threads *);

/* Calls fn(loop, arg) on each loop, at once on the main thread's, soon on the others. */
void			 node_threads_each(struct node_threads *,
			    void (*fn)(struct node_loop *, void *arg), void *arg);

/* Who gets the next connection: the loop with the fewest sessions. */
unsigned		 node_threads_choose(struct node_threads *);
/* It gets one, in a post that ends with node_threads_taken() there. */
void			 node_threads_sent(struct node_threads *, unsigned to);
void			 node_threads_taken(struct node_threads *, unsigned to);

/*
 * A push, from whichever loop, to whom it concerns on all of them.  It is counted, and lost there,
 * if too much waits for another one (loop_has_room).
 */
void			 node_threads_push(struct node_threads *, struct node_loop *from,
			    const struct push *);

#endif
