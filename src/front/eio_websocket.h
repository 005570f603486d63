/* SPDX-License-Identifier: ISC */
/*
 * A WebSocket as a session's transport: from the session's first request, or by an upgrade
 * of one that polls.
 */
#ifndef FRONT_EIO_WEBSOCKET_H
#define FRONT_EIO_WEBSOCKET_H

#include "base/err.h"

struct eio_env;
struct eio_polling;
struct eio_session;
struct eio_transport;
struct eio_websocket;
struct http_exchange;

extern const struct eio_transport eio_websocket_transport;	/* its carrier: struct ws_conn */

/* These take the exchange's connection; its request was checked (ws_handshake_check). */

/* The first request of a session, which begins here. */
void	 eio_websocket_begin(struct eio_session *, struct http_exchange *);

/*
 * Of a session that has a transport: takes over if that is polling and the client says so
 * within socketio.upgrade_timeout.  polling NULL, or with another that probes: it is closed.
 */
void	 eio_websocket_probe(struct eio_env *, struct eio_polling *, struct http_exchange *);

/* The session it probes for has ended. */
void	 eio_websocket_abandon(struct eio_websocket *, enum err why);

#endif
