/* SPDX-License-Identifier: ISC */
/*
 * An origin: QEWD messages of browsers and of nodes, on Socket.IO sessions.
 *
 * Registers them, checks the token of each message, begins a request for it and
 * writes its replies.
 */
#ifndef FRONT_QEWD_FRONT_H
#define FRONT_QEWD_FRONT_H

#include <stddef.h>

#include "base/err.h"

struct conf;
struct eio_session;
struct push;
struct qewd_front;
struct requests;
struct service_table;
struct token_cache;

/* Borrows all of it. */
struct qewd_front	*qewd_front_new(const struct conf *, struct requests *,
			    struct token_cache *, struct service_table *);
void			 qewd_front_free(struct qewd_front *);	/* when no session is left */

/* A session has begun (eio_env.on_session). */
void			 qewd_front_on_session(struct eio_session *, void *front);

/* A push of a handler here or of a node behind us (push_sink.push). */
void			 qewd_front_push(const struct push *, void *front);

/* New messages are answered "stopping" from now on. */
void			 qewd_front_drain(struct qewd_front *);
/* Close frames to all; sessions end by themselves. */
void			 qewd_front_close_all(struct qewd_front *, enum err why);

#endif
