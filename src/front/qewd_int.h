/* SPDX-License-Identifier: ISC */
/*
 * What qewd_front.c shares with qewd_clients.c and qewd_roam.c: clients and their calls.  Not for
 * other files.
 */
#ifndef FRONT_QEWD_INT_H
#define FRONT_QEWD_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/footprint.h"
#include "base/idmap.h"
#include "front/qewd_front.h"
#include "front/qewd_sids.h"
#include "net/loop.h"

struct buf;
struct gate;
struct request;
struct resume;
struct resumes;
struct roam;
struct strmap;

/* Each idle client has one. */
struct qewd_client {
	/* First what each message needs. */
	struct qewd_front *front;
	struct sio_session *sio;	/* NULL: closed */
	LIST_HEAD(, call) calls;	/* open */
	uint64_t n_calls;
	struct roam *roam;		/* what it has on other loops; NULL: nothing */
	uint32_t application_len;
	uint16_t token_place;		/* where the token it showed last was (token_check_at) */
	bool is_proven;			/* a node of ours: it shares a secret with us */
	bool is_further;		/* whose pushes go over another connection */

	struct idmap *by_usher_id;	/* a node's open calls, by its numbers; NULL: it had none yet */
	LIST_ENTRY(qewd_client) link;
	struct qewd_sids sids;		/* that name it, its own first */
	struct resume *resume;		/* what came while it was away; NULL: it never was */
	char *node;			/* its name; NULL: it is none */
	char *application;		/* it registered for; NULL: not registered */
	struct loop_work release;
};

_Static_assert(sizeof(void *) > 8 || sizeof(struct qewd_client) <= 136, "each client has one");

/* A request of a client, as the client sees it: what its replies must carry. */
struct call {
	LIST_ENTRY(call) link;
	struct qewd_client *client;
	struct request *request;
	bool to_node;			/* a node, proven or not, relays it */
	bool is_asking;			/* a re-registration that waits for another loop's answer */
	bool has_ack, has_usher_id;
	uint64_t ack, usher_id;
	struct footprint reply;		/* of one */
};

struct qewd_front {
	struct gate *gate;
	LIST_HEAD(, qewd_client) clients;	/* connected */
	LIST_HEAD(, qewd_client) away;	/* their connection dropped: they may come back */
	LIST_HEAD(, qewd_client) forwarding;	/* what is theirs goes to another loop */
	struct resumes *resumes;
	const struct qewd_others *others;	/* NULL: there is one loop alone */
	struct strmap *by_sid;		/* all, by their Engine.IO sids */
};

/* Its open requests, wherever they are. */
uint64_t qewd_client_n_calls(const struct qewd_client *);
/*
 * An event is built between these two; one for a client that is away is built in text, and kept
 * for it.  The second takes text, and may close the session.
 */
struct buf *qewd_client_begin(struct qewd_client *, struct buf *text, size_t expected,
	    bool sends_ack);
void	qewd_client_end(struct qewd_client *, struct buf *text, const uint64_t *ack);
/* A text for it: sent, kept while it is away, or passed on to where it is.  May close its session. */
void	qewd_client_send(struct qewd_client *, const char *text, size_t len);
/* Requests whose routes say so end, since it is away; all do. */
void	qewd_client_cancel_dropped(struct qewd_client *);
void	qewd_client_cancel_all(struct qewd_client *);
/* Its open request that carries this ms_requestId, a JSON text; NULL: none. */
struct request *qewd_client_find(const struct qewd_client *, const struct call *but,
	    const char *id, size_t len);
void	qewd_client_forget(struct qewd_client *);
/* Answers a re-registration.  n: requests that go on here; is_resumed false: nothing does. */
void	qewd_client_answer(struct call *, bool is_resumed, uint64_t n);

#endif
