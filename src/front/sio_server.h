/* SPDX-License-Identifier: ISC */
/*
 * The Socket.IO side of a session: namespaces, events and acknowledgements, in both
 * protocol revisions.  Only the namespace "/" is served; the event "ewdjs" is QEWD's,
 * others are for who has asked for them.
 */
#ifndef FRONT_SIO_SERVER_H
#define FRONT_SIO_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct buf;
struct footprint;
struct client;
struct conf;
struct eio_session;
struct eio_session_info;
struct envelope;
struct loop;
struct revoked_mark;
struct sio_session;

struct sio_events {
	/*
	 * An event "ewdjs".  ack: the id of the acknowledgement asked for, NULL if none.
	 * is_over_rate: the client sends too much.  Valid during the call, which may close.
	 */
	void (*on_event)(struct envelope *, bool is_over_rate, const uint64_t *ack, void *arg);
	void (*on_close)(enum err why, void *arg);	/* exactly once */
};

/* Events of other names than "ewdjs". */
struct sio_named_events {
	/*
	 * Revision 5: the client asks for the namespace, with this JSON text ("" if none).
	 * false: it is refused, with the JSON object appended to refusal.
	 */
	bool (*on_connect)(const char *auth, size_t len, struct buf *refusal, void *arg);
	void (*on_connected)(void *arg);	/* it has been told that it is connected */
	/* As sio_events.on_event; the name is env->event. */
	void (*on_event)(struct envelope *, bool is_over_rate, const uint64_t *ack, void *arg);
	void (*on_close)(void *arg);		/* exactly once */
	uint64_t (*n_calls)(void *arg);		/* that are open */
};

/* Takes part in a session that has just begun.  Borrows ev, and conf, where it stands. */
struct sio_session	*sio_session_new(struct loop *, const struct conf *const *, struct eio_session *,
			    const struct sio_events *ev, void *arg);
void			 sio_session_attach_named(struct sio_session *,
			    const struct sio_named_events *, void *arg);
/* The application of the session that a client of named events has; copied. NULL: none. */
void			 sio_session_set_application(struct sio_session *, const char *);
const char		*sio_session_application(const struct sio_session *);

/* Adds what an event to the client will touch. */
void			 sio_session_footprint(const struct sio_session *, struct footprint *);
/* As eio_session_describe(); gives the number of open calls of named events. */
uint64_t		 sio_session_describe(const struct sio_session *,
			    struct eio_session_info *);
uint64_t		 sio_session_n_named_calls(const struct sio_session *);
const char		*sio_session_sid(const struct sio_session *);	/* Engine.IO's */
const struct client	*sio_session_client(const struct sio_session *);
const char		*sio_session_bearer(const struct sio_session *);	/* eio_session_bearer() */
struct revoked_mark *sio_session_mark(struct sio_session *);	/* eio_session_mark() */
/* A proven node: see eio_session_trust(); its events may be nested deeper, too. */
void			 sio_session_trust(struct sio_session *);

/*
 * An event is built between these two: its one argument is appended to the buffer
 * that the first gives, and the second sends it; with ack not NULL as an
 * acknowledgement of that id too.
 */
struct buf		*sio_session_begin(struct sio_session *);
/* The same, ended with NULL; built where it is sent from, if its transport can do that. */
struct buf		*sio_session_begin_direct(struct sio_session *, size_t expected);
void			 sio_session_end(struct sio_session *, const uint64_t *ack);

/* The same for an event of another name, and for an acknowledgement alone; ended with NULL. */
struct buf		*sio_session_begin_event(struct sio_session *, const char *name, size_t len);
struct buf		*sio_session_begin_ack(struct sio_session *, uint64_t ack);

void			 sio_session_close(struct sio_session *, enum err why, const char *detail);

/* The arguments of events "ewdjs" that the client will get no more, from on_close; in order. */
void			 sio_session_each_unsent(const struct sio_session *,
			    void (*fn)(const char *text, size_t len, void *arg), void *arg);

#endif
