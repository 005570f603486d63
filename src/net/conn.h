/* SPDX-License-Identifier: ISC */
/*
 * One stream: a socket, or a pipe of a worker process.  The only code that reads
 * and writes them.  With TLS it is used in the same way.
 *
 * Reading is by callback.  Output is gathered in the connection and written once
 * per turn of the loop.  A connection always ends by its on_close, called exactly
 * once, from conn_close() and conn_abort() too; its memory goes at the end of
 * the turn.
 */
#ifndef NET_CONN_H
#define NET_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct conn;
struct footprint;
struct loop;
struct tls;

struct conn_events {
	/* Bytes came in; they may be changed in place and are valid during the call. */
	void (*on_read)(struct conn *, char *data, size_t len, void *arg);
	/* All output has been written; may be NULL. */
	void (*on_drained)(struct conn *, void *arg);
	/* The end: conn must not be used any more.  The owner drops its pointer. */
	void (*on_close)(struct conn *, enum err why, void *arg);
};

/* Takes fd, which becomes non-blocking.  ev is borrowed for good. */
struct conn	*conn_new(struct loop *, int fd, const struct conn_events *ev, void *arg);

/*
 * The same over TLS, whose end this is at all that follows.  Takes it too.  The handshake
 * begins with the peer's first bytes on a listener, else with ours.
 */
struct conn	*conn_new_tls(struct loop *, int fd, struct tls *, const struct conn_events *ev,
		    void *arg);

/*
 * To go on in another thread: the descriptor of a connection that is open and has nothing to write,
 * and its TLS (NULL: plain), which are the caller's from now on.  on_close is not called.
 */
int		 conn_detach(struct conn *, struct tls **);
/* There: takes both.  Bytes that TLS has read already come by themselves. */
struct conn	*conn_attach(struct loop *, int fd, struct tls *, const struct conn_events *ev,
		    void *arg);

/* It goes on nowhere. */
void		 conn_drop(int fd, struct tls *);

/* A peer that reads nothing for so long, while output waits, is gone; STALL_MS without this. */
void		 conn_set_stall(struct conn *, uint64_t within_ms);

/* Another owner: events go to these from now on. */
void		 conn_set_events(struct conn *, const struct conn_events *ev, void *arg);

struct loop	*conn_loop(const struct conn *);
const char	*conn_fault(const struct conn *);	/* of ERR_BAD_TLS, for the log; or NULL */
bool		 conn_is_closed(const struct conn *);	/* on_close was called; look after each event */
size_t		 conn_queued(const struct conn *);	/* bytes waiting to be written */

/*
 * Bytes that were queued in all; and those of them that were written, or will be.  What an
 * aborted connection had not written never is, which its on_close may look at.
 */
uint64_t	 conn_position(const struct conn *);
uint64_t	 conn_sent(const struct conn *);

/* Adds what output and its writing will touch. */
void		 conn_footprint(const struct conn *, struct footprint *);

/* Queue bytes; never blocks.  After the end they are dropped. */
void		 conn_send(struct conn *, const void *, size_t);

/*
 * The output buffer, to append to; conn_touch() afterwards has it written, perhaps at once: what is
 * there by then is not changed any more.
 */
struct buf	*conn_out(struct conn *);
struct buf	*conn_out_for(struct conn *, size_t n);	/* with room for n bytes more */
void		 conn_touch(struct conn *);
/* Write what can be written now; may end the connection. */
void		 conn_flush(struct conn *);

/* Stop and go on reading; for back-pressure. */
void		 conn_pause(struct conn *);
void		 conn_resume(struct conn *);

/* Read what the kernel holds now, on_read being called for it; for a process that has ended. */
void		 conn_read_rest(struct conn *);

/*
 * End in order: on_close now, then what is queued is written, the stream is shut
 * and the peer gets a moment to do the same.  Again: no effect.
 */
void		 conn_close(struct conn *, enum err why);

/* End at once; what is queued is dropped. */
void		 conn_abort(struct conn *, enum err why);

#endif
