/* SPDX-License-Identifier: ISC */
/*
 * Registrations: a new session's token, a known session's on a new socket, and
 * nodes of ours that announce themselves.
 *
 * Each answer is built in two steps, so that the door may add members to it.
 */
#ifndef FRONT_QEWD_REGISTER_H
#define FRONT_QEWD_REGISTER_H

#include <stdbool.h>

#include "base/compiler.h"

struct buf;
struct gate;
struct request;
struct revoked_mark;
struct usher_member;

/* Who registers, as its session will say. */
struct registrant {
	const char *socket;		/* Engine.IO sid; a fresh id for those without a socket */
	const char *address;		/* without port */
	struct revoked_mark *mark;	/* gets what is in the new session's token; NULL: nobody asks */
};

/*
 * ewd-register: appends the application's name, and the message without its last
 * brace.  false: the request has ended with an error.
 */
MUST_USE bool	qewd_register(const struct gate *, struct request *, const struct registrant *,
		    struct buf *application, struct buf *message);

/* The same for ewd-reregister; r->token has been checked, and names the application. */
void	qewd_reregister(const struct gate *, const struct request *, const struct registrant *,
	    struct buf *message);

/* Closes the message and ends the request with it. */
void	qewd_register_answer(const struct gate *, struct request *, struct buf *message);

/*
 * Did a node of ours announce a link on the socket of this sid, and does it share a
 * secret with us?  label: for the log.
 */
bool	qewd_register_is_node(const struct gate *, const struct request *, const char *sid,
	    const char *label, struct usher_member *);

#endif
