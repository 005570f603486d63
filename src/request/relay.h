/* SPDX-License-Identifier: ISC */
/*
 * Requests of one event loop that are served on another: worker pools and the links of stock
 * peers are on one loop alone.
 *
 * Where a request began it stays, with its origin, its deadline and its one end; its destination
 * there is one of a relay_out.  On the serving loop a relay_in begins another one, which counts
 * for nothing, and posts back what comes of it.  Both ends look requests up by their ids.
 *
 * What waits between two loops is bounded: a request for which there is no room (loop_has_room)
 * is refused as overloaded, and ends so if its intermediates find none.
 */
#ifndef REQUEST_RELAY_H
#define REQUEST_RELAY_H

#include <stddef.h>

#include "base/err.h"

struct destination;
struct loop;
struct relay_in;
struct relay_out;
struct request;
struct requests;
struct token_cache;

/* ---- the loop that serves ---- */

/* Who serves what is for this name; NULL: nobody. */
typedef struct destination *relay_find_fn(const char *name, void *arg);

/* For n_loops loops.  Borrows all; outlives the loops' threads. */
struct relay_in		*relay_in_new(struct requests *, struct token_cache *, unsigned n_loops,
			    relay_find_fn *, void *arg);
/* What comes from now on is refused: its destinations are going. */
void			 relay_in_stop(struct relay_in *);
void			 relay_in_free(struct relay_in *);

/* ---- a loop whose requests are served there ---- */

/* number: of this loop, from 1; to and its loop are reached by posts alone. */
struct relay_out	*relay_out_new(struct requests *, unsigned number, struct relay_in *to,
			    struct loop *loop);
/* What is under way fails with why. */
void			 relay_out_stop(struct relay_out *, enum err why);
void			 relay_out_free(struct relay_out *);	/* stopped; NULL is fine */

/*
 * For those who look on, while the loops are held: the request that stands for r where it is served;
 * r itself if it is not served elsewhere, or not there yet.
 */
const struct request	*relay_served(const struct request *r);

/* What is submitted to it goes to the destination of that name there.  Copies the texts. */
struct destination	*relay_destination(struct relay_out *, const char *name,
			    const char *application);

#endif
