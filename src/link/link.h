/* SPDX-License-Identifier: ISC */
/*
 * A link: this node's own, registered connection to one URL of a destination, and
 * the requests under way on it.
 *
 * A link to a stock peer is exclusive: replies carry no id, so it has one request
 * at a time.  A link to a node that proved to be one is multiplexed: every reply carries our id.
 */
#ifndef LINK_LINK_H
#define LINK_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "conf/conf.h"
#include "link/sio_client.h"
#include "request/push.h"

struct jwt_ring;
struct link;
struct loop;
struct overrides;
struct request;
struct resolver;
struct tls_client;
struct token_cache;

/* What all links of a node share; borrowed, and outlives them. */
struct link_env {
	struct loop *loop;
	struct resolver *resolver;
	struct token_cache *tokens;
	struct push_sink push;		/* for what nodes behind us push */
	const struct overrides *overrides;	/* what operators have set */
	/* A link is up: is this URL (remote_id()) a node's?  NULL: nobody asks. */
	void (*on_kind)(const char *remote, bool is_node, void *arg);
	void *on_kind_arg;
	const char *node;
	const struct conf_limits *limits;
	const struct conf_timeouts *timeouts;
};

struct link_events {
	void (*on_up)(struct link *, void *arg);
	/* Its requests have been failed already; it redials by itself. */
	void (*on_down)(struct link *, void *arg);
	void (*on_free)(struct link *, void *arg);	/* can take a request again */
	/*
	 * It was lost with this request, of which something was handed to the network or nothing.
	 * true: it is taken care of; false: it fails.
	 */
	bool (*on_lost)(struct link *, struct request *, bool is_handed_over, void *arg);
	/* It registers: are pushes of a node to come over it?  They do until it is closed. */
	bool (*takes_pushes)(struct link *, void *arg);
	void (*on_no_pushes)(struct link *, void *arg);
	/* The node stops, and has not run this request.  true: it is taken care of. */
	bool (*on_refused)(struct link *, struct request *, void *arg);
};

/*
 * Dials at once.  tls: NULL for "ws://".  number: which of the links to this URL, from 1.
 * Borrows everything.
 */
struct link	*link_new(const struct link_env *, const struct conf_url *, struct tls_client *tls,
		    enum conf_protocol, const char *application, unsigned number,
		    const struct link_events *, void *arg);

/* Closes in order; its requests are failed with why; no event is called. */
void		 link_free(struct link *, enum err why);

/* It is up, to a node, and took no pushes: they come over it from now on. */
void		 link_take_pushes(struct link *);

/* How it is dialled from now on. */
void		 link_set_tls(struct link *, struct tls_client *);

/* If it waits to dial, it dials now. */
void		 link_retry_now(struct link *);

bool		 link_is_up(const struct link *);
bool		 link_is_multiplexed(const struct link *);	/* while it is up */
bool		 link_is_free(const struct link *);		/* up, and takes a request now */
size_t		 link_outstanding(const struct link *);
uint64_t	 link_bytes(const struct link *);	/* of the requests multiplexed on it */
uint64_t	 link_submitted(const struct link *);	/* requests that it took, in all */
uint64_t	 link_answered(const struct link *);	/* finals that came over it, in all */
const char	*link_name(const struct link *);	/* "ws://10.0.0.5:8081#2" */
void		*link_arg(const struct link *);		/* as link_new() got it */

/* A link as it is now, for those who look on; texts are borrowed. */
struct link_info {
	unsigned number;		/* which of the links to its URL */
	const char *state;
	bool is_up, is_multiplexed;
	const char *node;		/* up and multiplexed: the peer's name; else "" */
	size_t in_flight;
	uint64_t since_ms;		/* in this state for so long */
	uint64_t n_ups;			/* how often it came up */
	const char *last_error;		/* why it was down last; "" if it never was */
};

void		 link_describe(const struct link *, struct link_info *);

/* Sends it to the application of its destination; the link is free.  May fail it at once. */
void		 link_submit(struct link *, struct request *);
/* The request is over: no reply to it will be taken for one to another. */
void		 link_cancel(struct link *, struct request *, enum err why);

#endif
