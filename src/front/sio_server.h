/* SPDX-License-Identifier: ISC */
/*
 * The Socket.IO side of a session: namespaces, events and acknowledgements, in both
 * protocol revisions.  Only the namespace "/" and the event "ewdjs" are served.
 */
#ifndef FRONT_SIO_SERVER_H
#define FRONT_SIO_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct buf;
struct client;
struct conf;
struct eio_session;
struct envelope;
struct loop;
struct sio_session;

struct sio_events {
	/*
	 * An event "ewdjs".  ack: the id of the acknowledgement asked for, NULL if none.
	 * is_over_rate: the client sends too much.  Valid during the call, which may close.
	 */
	void (*on_event)(struct envelope *, bool is_over_rate, const uint64_t *ack, void *arg);
	void (*on_close)(enum err why, void *arg);	/* exactly once */
};

/* Takes part in a session that has just begun.  Borrows conf and ev. */
struct sio_session	*sio_session_new(struct loop *, const struct conf *, struct eio_session *,
			    const struct sio_events *ev, void *arg);

const char		*sio_session_sid(const struct sio_session *);	/* Engine.IO's */
const struct client	*sio_session_client(const struct sio_session *);
/* A proven node: see eio_session_trust(); its events may be nested deeper, too. */
void			 sio_session_trust(struct sio_session *);

/*
 * An event is built between these two: its one argument is appended to the buffer
 * that the first gives, and the second sends it; with ack not NULL as an
 * acknowledgement of that id too.
 */
struct buf		*sio_session_begin(struct sio_session *);
void			 sio_session_end(struct sio_session *, const uint64_t *ack);

void			 sio_session_close(struct sio_session *, enum err why, const char *detail);

#endif
