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
struct metrics;
struct reply;
struct request;
struct token;
struct token_cache;

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

/*
 * The token of a remote reply goes back under the name that the client's own token has,
 * signed with the secret that verified it; one that does not verify goes no further,
 * and errors carry none.  Sets what is to be done in the extra; its token is borrowed from what
 * this gives: a reference, or NULL.
 */
struct token	*qewd_reply_translate(struct token_cache *, struct metrics *,
		    const struct request *, const struct reply *, struct qewd_reply_extra *);

void	qewd_reply_write(struct buf *, const struct request *, const struct reply *,
	    const struct qewd_reply_extra *);

/* About as many bytes as that will append. */
size_t	qewd_reply_room(const struct reply *, const struct qewd_reply_extra *);

/* Its message alone; {} if it has none. */
void	qewd_reply_write_message(struct buf *, const struct request *, const struct reply *,
	    const struct qewd_reply_extra *);

#endif
