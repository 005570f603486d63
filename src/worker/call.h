/* SPDX-License-Identifier: ISC */
/*
 * An origin: a handler that asks another service while it serves a request.
 */
#ifndef WORKER_CALL_H
#define WORKER_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct call;
struct calls;
struct handler_msg;
struct pool_env;
struct request;
struct strmap;

struct call_events {
	/* A reply to the call of this number; message is a JSON text.  Borrowed. */
	void (*on_reply)(uint64_t number, bool is_final, const char *message, size_t len,
	    void *arg);
};

/*
 * The calls that one request's handler has open.  Borrows numbers, the map of all that its worker
 * has open, by the 8 bytes of the number; it is kept up here alone.
 */
struct calls	*calls_new(const struct pool_env *, struct strmap *numbers,
		    const struct call_events *, void *arg);
/* Its request has ended: what it asked for is cancelled. */
void		 calls_free(struct calls *);
unsigned	 calls_n_open(const struct calls *);

/*
 * Begins a call in the name of the request outer: same session, its client, what is left of its
 * deadline.  Answered by on_reply, maybe before this returns.  False, and nothing else, if an open
 * call of the worker has that number: an answer would be taken for one to that call.
 */
MUST_USE bool	 calls_begin(struct calls *, struct request *outer, const struct handler_msg *);

#endif
