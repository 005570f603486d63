/* SPDX-License-Identifier: ISC */
/*
 * What comes for a client whose connection dropped, until it comes back: texts, in
 * order, bounded in bytes and in time.
 *
 * A client's texts may be as long as a connection's send queue; one alone may be
 * longer.  All clients together may have RESUMES_FACTOR times as much: above that, the one
 * that has been away for longest has lost its chance.
 *
 * Of several loops, that which adds to it drops its own, in this order, unless it has less than
 * its share: what the others have stays until they add to theirs.  So the order holds within a
 * loop, and all loops together may have up to twice the limit.
 */
#ifndef FRONT_RESUME_H
#define FRONT_RESUME_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESUMES_FACTOR 16

struct buf;
struct loop;
struct resume;
struct resumes;

/* Both are called from the loop, never from within a call of ours. */
struct resume_events {
	void (*on_dropped)(void *arg);	/* soon after the start */
	void (*on_end)(void *arg);	/* it did not come back in time, or too much came for it */
};

/* keep_ms 0: on_end follows on_dropped at once. */
struct resumes	*resumes_new(struct loop *, uint64_t keep_ms, uint64_t bytes_max);
/* The same for those that are away from now on. */
void		 resumes_set(struct resumes *, uint64_t keep_ms, uint64_t bytes_max);
/* Of n loops, which count what they keep in the same place.  Before there is any; borrowed. */
void		 resumes_share(struct resumes *, atomic_size_t *n_bytes, unsigned n);
void		 resumes_free(struct resumes *);	/* when all of them were freed */

/* One client's.  Borrows ev. */
struct resume	*resume_new(struct resumes *, const struct resume_events *ev);
void		 resume_free(struct resume *);		/* NULL is fine; stops it */

/* The client is away from now on; a stopped one may be started again, for another arg. */
void		 resume_start(struct resume *, void *arg);
bool		 resume_is_started(const struct resume *);
/* It is back: no event comes any more, and the texts stay until they are taken. */
void		 resume_stop(struct resume *);

/* Copies a text.  Where too much came, all texts are dropped and on_end follows. */
void		 resume_add(struct resume *, const char *text, size_t len);
bool		 resume_is_empty(const struct resume *);
/* Appends the first text, which is then gone; there must be one. */
void		 resume_take(struct resume *, struct buf *);
/* Texts were dropped: what is left makes no sense to whoever comes back. */
bool		 resume_is_over(const struct resume *);

#endif
