/* SPDX-License-Identifier: ISC */
/*
 * A Socket.IO client over WebSocket (Engine.IO revision 3): dials, shakes hands,
 * keeps the heart-beat, and hands over events.
 *
 * Of registrations and requests it knows nothing.
 */
#ifndef LINK_SIO_CLIENT_H
#define LINK_SIO_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct buf;
struct envelope;
struct loop;
struct resolver;
struct sio_client;
struct tls_client;

struct sio_client_config {
	const char *host;
	uint16_t port;
	struct tls_client *tls;		/* NULL: without TLS */
	uint64_t dial_ms;		/* timeouts.dial */
	uint64_t handshake_ms;		/* timeouts.handshake: from TCP to the namespace, TLS included */
	size_t message_max;		/* limits.reply */
	size_t send_max;		/* limits.send_queue */
	size_t head_max;		/* limits.http_head */
	unsigned depth_max;		/* limits.json_depth */
};

struct sio_client_events {
	/* Connected: events may be sent.  sid is the Engine.IO session. */
	void (*on_open)(const char *sid, void *arg);
	/* An event "ewdjs"; valid during the call, which may close. */
	void (*on_event)(struct envelope *, void *arg);
	/* The end, called exactly once; detail may be NULL. */
	void (*on_close)(enum err why, const char *detail, void *arg);
};

/* Begins to dial; the config is borrowed for as long as the client lives. */
struct sio_client	*sio_client_new(struct loop *, struct resolver *,
			    const struct sio_client_config *, const struct sio_client_events *,
			    void *arg);

/*
 * An event is built between these two: its one argument, of about the expected bytes, is appended
 * to the buffer that the first gives.  The second sends it; false, and nothing is sent, if the
 * frame came out longer than max bytes.
 */
struct buf	*sio_client_begin(struct sio_client *, size_t expected);
bool		 sio_client_end(struct sio_client *, size_t max);

/*
 * Where in all that it sends the next event will begin; and how much of it was sent, or will
 * be: what begins later was never handed over.  In on_close, too.
 */
uint64_t	 sio_client_position(const struct sio_client *);
uint64_t	 sio_client_sent(const struct sio_client *);

/* Leaves in order ("41", a close frame) if it is open; on_close is called. */
void		 sio_client_close(struct sio_client *, enum err why, const char *detail);

#endif
