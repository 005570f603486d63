/* SPDX-License-Identifier: ISC */
/*
 * A connection that speaks WebSocket: messages in and out, control frames
 * answered, both roles.
 *
 * Like a conn it always ends by its on_close, called exactly once.
 */
#ifndef NET_WS_CONN_H
#define NET_WS_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/ws_decoder.h"

struct conn;
struct footprint;
struct ws_conn;

struct ws_events {
	/* A text message; valid UTF-8, valid during the call. */
	void (*on_text)(struct ws_conn *, const char *data, size_t len, void *arg);
	/* The end: ws must not be used any more.  detail, for the log, may be NULL. */
	void (*on_close)(struct ws_conn *, enum err why, const char *detail, void *arg);
};

struct ws_limits {
	size_t message_max;	/* longer ones end the connection: ERR_TOO_BIG */
	size_t send_max;	/* queued output above it ends the connection: ERR_TOO_SLOW; one
				 * message may exceed it if nothing was queued before it */
};

/* After the handshake: takes the connection over.  ev is borrowed for good. */
struct ws_conn	*ws_conn_new(struct conn *, enum ws_role, const struct ws_limits *,
		    const struct ws_events *ev, void *arg);

/* Bytes that came in behind the handshake. */
void		 ws_conn_feed(struct ws_conn *, char *data, size_t len);

/* Another limit of queued output, for a peer that is trusted with more. */
void		 ws_conn_set_send_max(struct ws_conn *, size_t);

/*
 * Queue a text message; after the end it is dropped.  Where it ends the connection,
 * on_close comes from the loop, never from within this call.
 */
void		 ws_conn_send_text(struct ws_conn *, const char *data, size_t len);

/*
 * The same, built where it is sent from: begin gives a buffer to append about expected bytes to
 * (NULL after the end), and until its end nothing else may be done with the connection.
 */
struct buf	*ws_conn_begin_text(struct ws_conn *, size_t expected);
/* Appends the last byte and sends it, unless it is longer than max; gives its length. */
size_t		 ws_conn_end_text(struct ws_conn *, char last, size_t max);

/* Adds what a text will touch. */
void		 ws_conn_footprint(const struct ws_conn *, struct footprint *);

/* As conn_position() and conn_sent(); in on_close and after it, too. */
uint64_t	 ws_conn_position(const struct ws_conn *);
uint64_t	 ws_conn_sent(const struct ws_conn *);

/*
 * End in order: on_close now, a close frame with the code of why (err.def; none
 * if it is 0), then TCP.
 */
void		 ws_conn_close(struct ws_conn *, enum err why, const char *detail);

/* End without a close frame; what is queued is dropped. */
void		 ws_conn_abort(struct ws_conn *, enum err why);

#endif
