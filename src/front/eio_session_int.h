/* SPDX-License-Identifier: ISC */
/*
 * A session as those see it who carry its packets: polling, WebSocket, the endpoint.
 *
 * A session that ends closes its transport, which may still have something to tell
 * the client; when it has, it calls eio_session_gone().  Until then the sid is known.
 */
#ifndef FRONT_EIO_SESSION_INT_H
#define FRONT_EIO_SESSION_INT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "codec/http_parse.h"
#include "front/eio_session.h"

struct buf;
struct footprint;

/* What carries the packets of a session; the carrier is the first argument. */
struct eio_transport {
	const char *name;	/* in the query: "polling", "websocket" */
	/* A packet to go now.  false: it cannot, and waits in the session's queue. */
	bool (*send)(void *carrier, const char *data, size_t len);
	/*
	 * The same, built where it is sent from: begin gives a buffer to append about expected bytes
	 * to (NULL: not now), end appends the last one and gives the packet's length.  Both NULL:
	 * this cannot be done.
	 */
	struct buf *(*begin)(void *carrier, size_t expected);
	size_t (*end)(void *carrier, char last);
	/* Adds what a packet to go now will touch; NULL: nothing that is known. */
	void (*footprint)(const void *carrier, struct footprint *);
	/* The queue is at its limit: whatever of it can go must go now. */
	void (*flush)(void *carrier);
	/* Another limit of what may wait for the client to read it. */
	void (*set_send_max)(void *carrier, size_t);
	/* Will a session that ends now give its queue to the client yet?  NULL: no. */
	bool (*hands_out)(const void *carrier, bool is_orderly);
	/*
	 * The session has ended.  is_orderly: by our own will, so that the client is to be
	 * told, even if it has to come for it.  eio_session_gone() in this call or later.
	 */
	void (*close)(void *carrier, enum err why, const char *detail, bool is_orderly);
};

/* Takes a place of a session (admission_take_session) that the caller has got for it. */
struct eio_session	*eio_session_new(struct eio_env *, const struct client *, int revision);
void			 eio_session_keep_bearer(struct eio_session *, struct http_text token);

/* Its life begins: the open packet is sent and env->on_session called, which may close. */
void			 eio_session_begin(struct eio_session *, const struct eio_transport *,
			    void *carrier);

/* Another transport from now on; it gets what waits in the queue. */
void			 eio_session_move(struct eio_session *, const struct eio_transport *,
			    void *carrier);

/* A packet came in; valid UTF-8.  May end the session; after that it has no effect. */
void			 eio_session_on_packet(struct eio_session *, const char *data, size_t len);

/* Ends it at once: the client did wrong, or does not listen any more. */
void			 eio_session_end(struct eio_session *, enum err why, const char *detail);
/* The same, and its transport has ended already: nothing is called there any more. */
void			 eio_session_lost(struct eio_session *, enum err why, const char *detail);
/* A session that has ended is forgotten; its memory goes at the end of the turn. */
void			 eio_session_gone(struct eio_session *);

/* Appends all that waits in the queue, as a payload; nothing waits after that. */
void			 eio_session_take_queue(struct eio_session *, struct buf *payload);

struct eio_env		*eio_session_env(const struct eio_session *);
const struct eio_transport *eio_session_transport(const struct eio_session *);
void			*eio_session_carrier(const struct eio_session *);
bool			 eio_session_has_ended(const struct eio_session *);
bool			 eio_session_has_queue(const struct eio_session *);

#endif
