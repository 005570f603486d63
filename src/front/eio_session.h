/* SPDX-License-Identifier: ISC */
/*
 * An Engine.IO session with one client, in both revisions (EIO=3 and EIO=4): its packets
 * and its heart-beat, whatever carries them.
 *
 * For what is above it; eio_session_int.h is for what carries it.
 */
#ifndef FRONT_EIO_SESSION_H
#define FRONT_EIO_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "conf/conf.h"

struct address_rates;
struct admission;
struct client;
struct eio_session;
struct footprint;
struct id_parts;
struct loop;
struct revoked_mark;
struct strmap;

/* What all sessions share; borrowed, and outlives them. */
struct eio_env {
	struct loop *loop;
	const struct conf *conf;
	struct admission *admission;
	struct address_rates *rates;
	unsigned part;			/* ids of sessions name their loop: this one */
	const struct id_parts *parts;	/* all of them; NULL: there is one alone */
	bool is_draining;		/* no new sessions */
	/* A session has begun: eio_session_attach() it. */
	void (*on_session)(struct eio_session *, void *arg);
	void *arg;
	struct strmap *sessions;	/* by sid; the endpoint's */
};

struct eio_events {
	/* The data of a message packet; valid during the call, which may close. */
	void (*on_message)(const char *data, size_t len, void *arg);
	void (*on_close)(enum err why, void *arg);	/* exactly once */
};

void		 eio_session_attach(struct eio_session *, const struct eio_events *, void *arg);
int		 eio_session_revision(const struct eio_session *);	/* 3 or 4 */
const char	*eio_session_sid(const struct eio_session *);
const struct client *eio_session_client(const struct eio_session *);
/* The token of its first request's "Authorization: Bearer"; NULL: none was kept. */
const char	*eio_session_bearer(const struct eio_session *);
/* Is the client over its rate of messages or bytes with the packet that is being served? */
bool		 eio_session_is_over_rate(const struct eio_session *);
/* A proven node: no rates, and room for the replies of many browsers in its queue. */
void		 eio_session_trust(struct eio_session *);
bool		 eio_session_is_trusted(const struct eio_session *);

/* What is known of the session that its client has shown last; the client of many has none. */
struct revoked_mark *eio_session_mark(struct eio_session *);

/* A session as it is now, for those who look on; texts are borrowed. */
struct eio_session_info {
	const char *sid, *address, *transport;
	int revision;
	uint64_t begun_ms, age_ms;
	uint64_t bytes_in, bytes_out;	/* of packets */
};

void		 eio_session_describe(const struct eio_session *, struct eio_session_info *);

/* Adds what a message to the client will touch. */
void		 eio_session_footprint(const struct eio_session *, struct footprint *);

/*
 * A whole text message, its Engine.IO type digit included.  Where it is too much for the
 * client, the session ends from the loop, never from within this call.
 */
void		 eio_session_send(struct eio_session *, const char *data, size_t len);
/*
 * The same, built where it is sent from: begin gives a buffer to append about expected bytes to,
 * NULL if the packet must be sent whole; end appends the last byte.
 */
struct buf	*eio_session_begin_packet(struct eio_session *, size_t expected);
void		 eio_session_end_packet(struct eio_session *, char last);
/* Ends it in order: the client is told, by its next poll if it polls.  Again: no effect. */
void		 eio_session_close(struct eio_session *, enum err why, const char *detail);

/*
 * What a client that polls has not fetched, and will not be given by its last poll; from
 * on_close: packets, in order.
 */
void		 eio_session_each_unsent(const struct eio_session *,
		    void (*fn)(const char *packet, size_t len, void *arg), void *arg);

#endif
