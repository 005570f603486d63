/* SPDX-License-Identifier: ISC */
/*
 * The text of a reply as one client gets it (protocol reference sections 5, 6 and 9).
 *
 * What came from a handler or a remote node is copied byte for byte; set afresh are
 * type and finished where they are missing, the token, ms_requestId, usher and
 * responseTime.
 */
#ifndef FRONT_QEWD_REPLY_H
#define FRONT_QEWD_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct reply;
struct request;

/* What the client's side adds; texts are borrowed. */
struct qewd_reply_extra {
	bool to_node;			/* a node, proven or not, asked: it relays the reply */
	bool has_usher_id;		/* a proven node: its id goes in */
	uint64_t usher_id;
	bool set_token;			/* put token into message, or remove it where token is NULL */
	const char *token;
	size_t token_len;
	uint64_t took_ms;
};

void	qewd_reply_write(struct buf *, const struct request *, const struct reply *,
	    const struct qewd_reply_extra *);

#endif
