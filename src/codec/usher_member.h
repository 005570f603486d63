/* SPDX-License-Identifier: ISC */
/*
 * The member "usher" that two nodes put into each other's messages: announcement of
 * a link, ids, remaining deadline, hops, trace, the client a request began with.
 *
 * It is read only from a proven peer, and never reaches a browser.
 */
#ifndef CODEC_USHER_MEMBER_H
#define CODEC_USHER_MEMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "codec/json_scan.h"
#include "codec/push_target.h"
#include "codec/traceparent.h"

#define USHER_PROOF_PREFIX "usher-link\n"	/* what is signed: this and the Engine.IO sid */
#define USHER_FIRST	   "usher-first"	/* a message: further no more, pushes come over it */
#define USHER_HOPS_MAX	   8
#define USHER_ID_MAX	   32			/* {"id":N} */
#define CLIENT_MAX	   80			/* an address or a socket id with its NUL */

/* Absent texts are "", absent numbers 0. */
struct usher_member {
	bool is_link;			/* "link":1 */
	bool is_further;		/* "further":true: pushes go over another link of the peer */
	char node[128];
	char proof[64];
	uint64_t message_max;		/* "message": what the peer takes */
	bool has_id;
	uint64_t id;
	bool has_deadline;
	uint64_t deadline_ms;		/* left */
	uint64_t hops;
	char trace[TRACE_MAX];
	char client_address[CLIENT_MAX];
	char client_socket[CLIENT_MAX];
	struct push_target push;	/* "push" */
};

/* What a request says on a link; borrowed.  trace is a valid traceparent. */
struct usher_call {
	uint64_t id, deadline_ms, hops;
	const char *trace, *client_address, *client_socket;
};

/* Reads the member's value v in text; false: not an object. */
bool	usher_member_decode(struct usher_member *, const char *text, struct json_value v);

/* Is it what nearly every reply carries, {"id":N} without white space?  Then this is N. */
bool	usher_member_is_id(const char *text, struct json_value v, uint64_t *id);

/* Append a value.  Of a request on a link: */
void	usher_member_encode_request(struct buf *, const struct usher_call *);
/* Of a reply: {"id":N} */
void	usher_member_encode_reply(struct buf *, uint64_t id);
/* The same to out, which has USHER_ID_MAX bytes; how long it is. */
size_t	usher_member_put_id(char *out, uint64_t id);
/* Of a cancellation: {"id":N} too; of a push: {"push":...,"hops":H} */
void	usher_member_encode_push(struct buf *, const struct push_target *, uint64_t hops);
/* Of a registration: {"link":1,"node":...,"proof":...}, and "further":true if it is. */
void	usher_member_encode_announcement(struct buf *, const char *node, const char *proof,
	    bool is_further);
/* Of its answer: {"link":1,"node":...,"message":...} */
void	usher_member_encode_answer(struct buf *, const char *node, uint64_t message_max);

#endif
