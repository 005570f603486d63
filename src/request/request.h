/* SPDX-License-Identifier: ISC */
/*
 * One request on its way: who asks, what, until when, and who serves it.
 *
 * A request ends exactly once: by a final reply, an error, its deadline or a cancellation.
 * This file alone decides it and knows neither sockets nor protocols.
 */
#ifndef REQUEST_REQUEST_H
#define REQUEST_REQUEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/compiler.h"
#include "base/log.h"
#include "base/timerq.h"
#include "codec/envelope.h"
#include "codec/usher_member.h"
#include "request/destination.h"
#include "request/origin.h"
#include "request/reply.h"

struct journal;
struct loop;
struct switch_table;
struct token;

#define REQUEST_ID_LEN TRACE_ID_LEN	/* the trace id: the same on every node */

#define REQUEST_TYPE_ROOM  40	/* as the journal keeps of it */
#define REQUEST_SERVER_MAX 64	/* bytes of the name of a link or worker that are shown */

LIST_HEAD(request_list, request);

/* What all requests of a loop share; zero-initialised there are none. */
struct requests {
	struct loop *loop;
	const char *node;		/* our name; borrowed */
	uint64_t slow_ms;		/* a request that took longer is logged */
	uint64_t last_id;
	struct request_list open;	/* the youngest first */
	size_t n_open;			/* but for those of other loops */
	atomic_size_t *n_open_in_all;	/* the same of all loops together; NULL: this is all */
	size_t n_awaited;		/* open, and whoever asked is still there */
	const struct switch_table *switches;	/* finals that lead on; NULL: none do */
	struct journal *journal;	/* of those that have ended; NULL: nobody keeps one */
	const struct request_watch *watch;	/* NULL: nobody looks on */
	void (*on_idle)(void *arg);	/* no request is awaited any more; NULL: nobody asks */
	void *on_idle_arg;
};

/* How many are open on all loops together. */
static inline size_t
requests_n_open(const struct requests *all)
{
	return all->n_open_in_all == NULL ? all->n_open :
	    atomic_load_explicit(all->n_open_in_all, memory_order_relaxed);
}

/* Is shown what happens to each request of a loop. */
enum request_sight { REQUEST_SUBMITTED, REQUEST_REPLIED, REQUEST_ENDED };

struct request_watch {
	/* reply: NULL with REQUEST_SUBMITTED. */
	void (*on_sight)(const struct request *, enum request_sight, const struct reply *,
	    void *arg);
	void *arg;
};

struct request {
	struct requests *all;
	LIST_ENTRY(request) link;	/* all->open */
	uint64_t id;			/* this node's number */

	const struct origin_ops *origin;	/* NULL: it has left */
	void *origin_arg;

	char *text;			/* the event; owned */
	char *type;			/* unescaped, NUL-terminated; owned, or in type_room */
	size_t type_len;		/* may hold NULs */
	struct token *token;		/* verified; a reference; NULL until it was checked, and if
					 * the route says that it is not looked at */
	char *application;		/* whose routes count; owned; NULL: the token's */

	struct destination *destination;	/* NULL: not submitted */
	void *served_by;		/* the destination's own: link, worker; NULL: waits */
	uint64_t served_id;		/* its number there */
	uint64_t served_at;		/* links: where in what the connection sends it begins */
	TAILQ_ENTRY(request) waiting;	/* in a request_queue, while it waits */

	const char *server;		/* the last link or worker it was handed to, in a field of
					 * REQUEST_SERVER_MAX bytes at least; borrowed */
	uint16_t route;			/* its number in the journal */
	uint32_t n_replies;		/* intermediates */
	uint64_t submitted_ms, queued_ms, unqueued_ms, replied_ms;	/* the last time of each, the
					 * first of replied_ms; 0: it did not happen */
	uint64_t begun_ms;		/* monotonic */
	uint64_t deadline_ms;		/* monotonic */
	struct timer deadline_timer;
	uint64_t hops;			/* nodes it has passed before this one */
	const struct request *asked_for;	/* whose handler asks; NULL: none of ours;
					 * borrowed, and there until it is over */
	bool is_rest;			/* an HTTP request to a local application */
	bool is_relayed;		/* of another loop (relay.h), where it is counted */
	bool is_away;			/* whoever asked lost its connection, and may come back */
	bool cancel_on_leave;		/* the route's: then it is not wanted any more */
	bool has_run;			/* a handler has: its final led on to another, or what it
					 * said was too much for the loop that asks; or it may have,
					 * before its link was lost and the request went on to
					 * another */
	bool is_under_way;		/* part of what its application has begun: passes a pause */
	bool is_idempotent;		/* the route's: to run it twice does no harm */
	unsigned char n_retries;	/* how often it was sent again */

	/* What follows is not cleared when it begins, but set. */
	char name[REQUEST_ID_LEN + 1];	/* in logs and error replies */
	char type_room[REQUEST_TYPE_ROOM];
	char trace[TRACE_MAX];		/* traceparent of this hop */
	char client_address[CLIENT_MAX];	/* where it began */
	char client_socket[CLIENT_MAX];
	struct envelope env;		/* scanned in text; the first ENVELOPE_BYTES of it */
};

/* What one takes of memory, without its message. */
#define REQUEST_BYTES (offsetof(struct request, env) + ENVELOPE_BYTES)

_Static_assert(sizeof(void *) > 8 || REQUEST_BYTES <= 852, "in a block of 896");

/*
 * A request that begins here and now.  Copies the event; env is what scanning it
 * gave, its type a non-empty string.  trace: the traceparent it came with, or
 * "" to begin one.
 */
struct request	*request_new(struct requests *, const struct origin_ops *, void *arg,
		    const struct envelope *env, const char *trace);

/* The same on behalf of another loop: it is neither counted nor awaited here. */
struct request	*request_new_relayed(struct requests *, const struct origin_ops *, void *arg,
		    const struct envelope *env, const char *trace);

/* Hand it to a destination; it must end within timeout_ms.  May end it before returning. */
void		 request_submit(struct request *, struct destination *, uint64_t timeout_ms);

/* The application whose routes count, of a request whose token was checked; may hold NULs. */
const char	*request_application(const struct request *, size_t *len);

/*
 * It goes on as another message, which is not submitted yet; copies the event, takes the token
 * (NULL: the one it has).  The deadline stays.
 */
void		 request_replace(struct request *, const struct envelope *, struct token *);

/* For log lines about it; who may be NULL. */
struct log_subject request_subject(const struct request *, const char *who);

/* Milliseconds left until the deadline. */
uint64_t	 request_left_ms(const struct request *);

/* An earlier deadline, from now; a later one changes nothing. */
void		 request_limit(struct request *, uint64_t left_ms);

/*
 * For destinations that can guess who is answered next: what that touches comes into the
 * processor's caches, in three steps, each with a while before the next.
 */
enum request_fetch { REQUEST_FETCH_SELF, REQUEST_FETCH_PARTS, REQUEST_FETCH_ORIGIN };

void		 request_fetch(const struct request *, enum request_fetch);

/* For destinations: an intermediate; the final; the end without one.  The last two free it. */
void		 request_reply(struct request *, const struct reply *);
void		 request_finish(struct request *, const struct reply *);
/* text NULL: the usual one of the error; detail for the log only.  Before request_submit() too. */
RARE void	 request_fail(struct request *, enum err, const char *text);
/* The same with another HTTP status than the error's own. */
RARE void	 request_fail_status(struct request *, enum err, const char *text,
		    int status);

/* It is not wanted any more: ends now with ERR_CANCELLED.  Frees it. */
void		 request_cancel(struct request *);

/* Those that fit end now, with this error.  Gives how many there were. */
uint64_t	 requests_end(struct requests *, bool (*fits)(struct request *, void *), void *arg,
		    enum err);

/* Whoever asked waits no longer: the same, but it ends with ERR_TIMEOUT. */
void		 request_give_up(struct request *);

/*
 * For origins: whoever asked is gone.  The request goes on to its final or its
 * deadline, and nobody hears of it.
 */
void		 request_leave(struct request *);

/*
 * For origins: whoever asked lost its connection, and may come back.  Replies go to the origin as
 * before, but a node that stops does not wait for them; and it is back.
 */
void		 request_away(struct request *);
void		 request_back(struct request *);

/*
 * Is it of a type that nodes and QEWD keep for themselves (ewd-*, qoper8-*, usher-*)?
 * ewd-fragment is not: a route may name it.
 */
bool		 request_has_internal_type(const struct request *);

/* "Handler not defined for A messages of type T"; gives a string. */
char		*request_no_handler_text(const struct request *, const char *application);

/* A first-in first-out queue with a limit, for requests that wait at a destination. */
struct request_queue {
	TAILQ_HEAD(, request) list;
	uint64_t n, bytes;
	uint64_t n_max, bytes_max;
};

void		 request_queue_init(struct request_queue *, uint64_t n_max, uint64_t bytes_max);
MUST_USE bool	 request_queue_add(struct request_queue *, struct request *);	/* false: full */
/* One that was taken and came back: it is the first again, whatever the limits. */
void		 request_queue_return(struct request_queue *, struct request *);
void		 request_queue_remove(struct request_queue *, struct request *);
struct request	*request_queue_first(const struct request_queue *);	/* NULL: empty */

#endif
