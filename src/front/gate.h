/* SPDX-License-Identifier: ISC */
/*
 * What every client's message passes, whatever door it came through: is it a message,
 * of the right form, with a valid token, of a type that this sender may use?
 *
 * A check that says false has ended the request, with an error reply.
 */
#ifndef FRONT_GATE_H
#define FRONT_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct address_rates;
struct buf;
struct conf;
struct envelope;
struct metrics;
struct request;
struct requests;
struct revoked_mark;
struct service_table;
struct token_cache;

/* What all doors share; borrows what it points to. */
struct gate {
	const struct conf *conf;
	struct requests *requests;
	struct token_cache *tokens;
	struct service_table *services;
	struct address_rates *rates;
	bool is_draining;		/* new messages are answered "stopping" */
};

/* Who sent a message, as far as the door knows. */
struct gate_sender {
	const char *label;		/* for the log */
	bool is_limited;		/* a browser: limits hold, and not all types are for it */
	bool is_relay;			/* a stock node: the token tells whom it asks for */
	struct revoked_mark *mark;	/* its socket's, to be kept; NULL: it speaks for many, or has none */
	uint16_t *token_place;		/* for token_check_at(); NULL: nobody keeps it */
};

#define GATE_OVER_RATE "too many messages or bytes a second (limits.messages_per_second, " \
	"limits.bytes_per_second, or the same per address)"

struct metrics	*gate_metrics(const struct gate *);

/* Is it a message at all?  What has no type gets no answer, as from stock. */
bool	gate_is_message(const struct envelope *);

bool	gate_is_type(const struct request *, const char *type);

/* Copies a text of a client into a field of CLIENT_MAX bytes, cut if it is too long. */
void	gate_set_client_text(char *to, const char *from);

/* n_open: requests of this sender, this one included. */
MUST_USE bool	gate_check_limits(const struct gate *, struct request *,
		    const struct gate_sender *, uint64_t n_open);
MUST_USE bool	gate_check_form(struct request *);
/* Without a request: is there room for so many more?  May this address send so many bytes now? */
bool		gate_has_room(const struct gate *, size_t n_more);
bool		gate_takes_from(const struct gate *, const char *address, size_t bytes);
/* Sets r->token; where that is set, nothing is left to check. */
MUST_USE bool	gate_check_token(const struct gate *, struct request *,
		    const struct gate_sender *);

/* Its socket has been given this token, which was made here. */
void	gate_mark_new(const struct gate *, const struct buf *token, struct revoked_mark *);

/*
 * The rest of the way: type, token, destination.  left_ms: what remains of an asking
 * node's deadline; UINT64_MAX: it said nothing.  May end the request before returning.
 */
void	gate_pass(const struct gate *, struct request *, const struct gate_sender *,
	    uint64_t left_ms);

/* Ends the request with a message that was built here, an object of JSON. */
void	gate_answer(struct request *, const struct buf *message, bool is_error);

#endif
