/* SPDX-License-Identifier: ISC */
/*
 * HTTP long-polling as a session's transport: a GET takes packets, a POST brings some.
 *
 * One of each may be open at a time; they come over whatever connections the client
 * likes.  While a WebSocket probes, packets still go by poll, and polls without
 * packets are ended, so that the client can change over with none of them open.
 */
#ifndef FRONT_EIO_POLLING_H
#define FRONT_EIO_POLLING_H

#include <stdbool.h>
#include <stddef.h>

struct eio_polling;
struct eio_session;
struct eio_transport;
struct eio_websocket;
struct http_exchange;

extern const struct eio_transport eio_polling_transport;	/* its carrier: struct eio_polling */

/* The first request of a session, which begins here; it is answered in this call. */
void	 eio_polling_begin(struct eio_session *, struct http_exchange *);

/* Does the client still have something to ask for?  Otherwise its session has ended for it. */
bool	 eio_polling_is_open(const struct eio_polling *);

/* A poll; answered now or later. */
void	 eio_polling_get(struct eio_polling *, struct http_exchange *);

/* The head of a post: gives what http_service.on_head gives, and may have answered. */
size_t	 eio_polling_post_head(struct eio_polling *, struct http_exchange *);
/* Its body is in: answers. */
void	 eio_polling_post(struct eio_polling *, struct http_exchange *);
/* Its body is refused: answers.  After 413 the session goes on. */
void	 eio_polling_refuse_post(struct eio_polling *, struct http_exchange *, int status);

/* A WebSocket begins to probe.  false: another one does. */
bool	 eio_polling_add_probe(struct eio_polling *, struct eio_websocket *);
/* It has probed with success: polls are ended until it takes over, or is gone. */
void	 eio_polling_drain(struct eio_polling *);
/* It is gone: polling goes on. */
void	 eio_polling_remove_probe(struct eio_polling *);
/*
 * It takes over: gives the session, and the polling is freed.  NULL: a post is on its
 * way, what it brings would come too late.
 */
struct eio_session *eio_polling_hand_over(struct eio_polling *);

/* The node stops: a session that has ended is not waited for any more. */
void	 eio_polling_abandon(struct eio_polling *);

#endif
