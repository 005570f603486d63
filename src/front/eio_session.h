/* SPDX-License-Identifier: ISC */
/*
 * An Engine.IO session with one client, over WebSocket, in both revisions (EIO=3
 * and EIO=4), and its heart-beat.
 */
#ifndef FRONT_EIO_SESSION_H
#define FRONT_EIO_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "codec/http_parse.h"
#include "conf/conf.h"

struct admission;
struct client;
struct conn;
struct eio_session;
struct loop;

/* What all sessions share; borrowed, and outlives them. */
struct eio_env {
	struct loop *loop;
	const struct conf *conf;
	struct admission *admission;
	bool is_draining;		/* no new sessions */
	/* A session has begun: eio_session_attach() it. */
	void (*on_session)(struct eio_session *, void *arg);
	void *arg;
};

/* How a request was refused. */
struct eio_refusal {
	int status;			/* HTTP */
	const char *extra;		/* a header line with CR LF, or "" */
	const char *body;		/* {"code":3,"message":"Bad request"} */
};

/*
 * A request to the endpoint (Socket.IO reference section 2.2).  true: it was upgraded;
 * the session has taken the connection, its admission and what came behind the
 * head.  false: refused; the caller answers and keeps them.
 */
bool		 eio_accept(struct eio_env *, const struct client *, const struct http_head *,
		    struct conn *, char *rest, size_t len, struct eio_refusal *);

struct eio_events {
	/* The data of a message packet; valid during the call, which may close. */
	void (*on_message)(const char *data, size_t len, void *arg);
	void (*on_close)(enum err why, void *arg);	/* exactly once */
};

void		 eio_session_attach(struct eio_session *, const struct eio_events *, void *arg);
int		 eio_session_revision(const struct eio_session *);	/* 3 or 4 */
const char	*eio_session_sid(const struct eio_session *);
const struct client *eio_session_client(const struct eio_session *);
/* Is the client over its rate of messages or bytes with the packet that is being served? */
bool		 eio_session_is_over_rate(const struct eio_session *);
/* A proven node: no rates, and room for the replies of many browsers in its queue. */
void		 eio_session_trust(struct eio_session *);
bool		 eio_session_is_trusted(const struct eio_session *);

/* A whole text message, its Engine.IO type digit included. */
void		 eio_session_send(struct eio_session *, const char *data, size_t len);
void		 eio_session_close(struct eio_session *, enum err why, const char *detail);

#endif
