/* SPDX-License-Identifier: ISC */
/*
 * What is kept of requests that have ended: how long they took, by route; what they failed
 * with; the last of them, step by step; the last errors.
 *
 * One of each loop, of a bounded size, written once by the end of a request: nothing is
 * allocated or printed there.  Neither payloads nor tokens are kept.
 */
#ifndef REQUEST_JOURNAL_H
#define REQUEST_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/histogram.h"
#include "request/request.h"

struct journal;
struct reply;

#define JOURNAL_ID_MAX	   33
#define JOURNAL_TYPE_MAX   REQUEST_TYPE_ROOM
#define JOURNAL_SERVER_MAX REQUEST_SERVER_MAX
#define JOURNAL_TEXT_MAX   160

/* Routes that a request has before it takes one. */
enum { JOURNAL_NO_ROUTE, JOURNAL_REGISTRATION, JOURNAL_ROUTES_FIRST };

/* A final that a handler or a remote service made an error of, beside those of err.def. */
#define JOURNAL_RELAYED	     ERR_NONE
#define JOURNAL_RELAYED_CODE "answered_error"	/* its name beside the codes */

struct journal	*journal_new(void);
void		 journal_free(struct journal *);	/* NULL is fine */

/*
 * The number of a route, for request->route; the same for the same name.  Names come from the
 * configuration; those above JOURNAL_ROUTES_MAX count as no route.
 */
#define JOURNAL_ROUTES_MAX 10000
unsigned	 journal_route(struct journal *, const char *name);

/* For request.c: a request ends; its origin has been told. */
void		 journal_end(struct journal *, const struct request *, const struct reply *,
		    uint64_t now_ms);

/* ---- for those who look on ---- */

struct journal_route {
	char *name;			/* "application/type" or "GET /path" */
	struct histogram took;		/* all requests */
	struct histogram queued;	/* those that had to wait, and how long */
	uint64_t errors[ERR_N];		/* [JOURNAL_RELAYED]: a handler's or a remote service's */
};

size_t		 journal_n_routes(const struct journal *);
const struct journal_route *journal_route_at(const struct journal *, size_t);
const struct journal_route *journal_find_route(const struct journal *, const char *name);

/* A request that ended.  Times count from begun_ms, in milliseconds; NEVER: it did not happen. */
#define JOURNAL_NEVER UINT32_MAX
struct journal_entry {
	char id[JOURNAL_ID_MAX];
	char type[JOURNAL_TYPE_MAX];	/* cut */
	char server[JOURNAL_SERVER_MAX];	/* the link or worker; "": it got to none */
	bool is_token_checked;
	bool is_away;			/* the client was away, and may have come back for it */
	bool is_awaited;		/* somebody was still there to hear of it */
	bool is_error;			/* answered with an error */
	unsigned char err;		/* enum err, if it is this node's */
	uint16_t route;
	uint64_t begun_ms;		/* monotonic */
	uint32_t submitted, queued, unqueued, replied, ended;
	uint32_t n_replies;		/* intermediates */
	uint32_t bytes_in, bytes_out;	/* of the message and of the final */
};

_Static_assert(sizeof(void *) > 8 || sizeof(struct journal_entry) <= 184,
    "each loop keeps thousands");

/* From the youngest to the oldest, until fn says false. */
void		 journal_each(const struct journal *,
		    bool (*fn)(const struct journal_entry *, void *arg), void *arg);

/* An error; those of handlers without a code have no text, since that is the handler's own. */
struct journal_error {
	int64_t wall_ms;
	enum err err;			/* JOURNAL_RELAYED */
	uint16_t route;
	char id[JOURNAL_ID_MAX];
	char type[JOURNAL_TYPE_MAX];
	char node[48];			/* that made it */
	char server[JOURNAL_SERVER_MAX];
	char text[JOURNAL_TEXT_MAX];
};

void		 journal_each_error(const struct journal *,
		    bool (*fn)(const struct journal_error *, void *arg), void *arg);

/* Errors by the node that made them; above JOURNAL_NODES_MAX names the last one is "others". */
#define JOURNAL_NODES_MAX 64
struct journal_node {
	char name[48];
	uint64_t errors;
};

size_t		 journal_nodes(const struct journal *, const struct journal_node **);

#endif
