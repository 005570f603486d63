/* SPDX-License-Identifier: ISC */
/*
 * An origin: QEWD messages of browsers and of nodes, on Socket.IO sessions.
 *
 * Begins a request for each message, sends it through the gate and writes its
 * replies.
 */
#ifndef FRONT_QEWD_FRONT_H
#define FRONT_QEWD_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "front/eio_session.h"

struct gate;
struct push;
struct qewd_front;
struct revoked_mark;
struct sio_session;

/* Borrows the gate. */
struct qewd_front	*qewd_front_new(struct gate *);
void			 qewd_front_free(struct qewd_front *);	/* when no session is left */
void			 qewd_front_reload(struct qewd_front *);	/* the gate's configuration is another */

/* A session has begun.  Gives its Socket.IO side, which ends by itself. */
struct sio_session	*qewd_front_on_session(struct qewd_front *, struct eio_session *);

/* A push of a handler here or of a node behind us (push_sink.push). */
void			 qewd_front_push(const struct push *, void *front);

/* A client as it is now, for those who look on; texts are borrowed. */
struct qewd_client_info {
	struct eio_session_info eio;	/* of one that is away: its sid alone */
	bool is_away;			/* its connection dropped, and it may come back */
	const char *application;	/* it registered for; NULL: it has not */
	size_t application_len;
	const char *node;		/* a node of ours, of this name; NULL: it is none */
	uint64_t n_calls;		/* open */
	const struct revoked_mark *mark;	/* of the session it has shown last; NULL: a node's */
};

void			 qewd_front_each(const struct qewd_front *,
			    void (*fn)(const struct qewd_client_info *, void *arg), void *arg);

/*
 * Ends the sessions of connected clients that fit.  The client is told by the close frame; with
 * ERR_SESSION_REVOKED by an error message before it, and its requests end, too.  Gives how many
 * there were.
 */
uint64_t		 qewd_front_send_away(struct qewd_front *,
			    bool (*fits)(const struct qewd_client_info *, void *), void *arg,
			    enum err why);

/* Close frames to all; sessions end by themselves. */
void			 qewd_front_close_all(struct qewd_front *, enum err why);

/*
 * The same to some of those that have no open request, at most n_max; gives how many sessions are
 * connected still.
 */
size_t			 qewd_front_close_some(struct qewd_front *, size_t n_max, enum err why);

#endif
