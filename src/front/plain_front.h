/* SPDX-License-Identifier: ISC */
/*
 * An origin: plain Socket.IO events, for clients that know nothing of QEWD.
 *
 * An event "APPLICATION/TYPE" is a call to an application of "clients.events".  Its
 * argument is what handlers get as params; its acknowledgement is the final reply, and
 * intermediates are events "APPLICATION/TYPE:progress".
 */
#ifndef FRONT_PLAIN_FRONT_H
#define FRONT_PLAIN_FRONT_H

struct gate;
struct plain_front;
struct sio_session;

/* Borrows the gate, whose configuration has events. */
struct plain_front	*plain_front_new(struct gate *);
void			 plain_front_free(struct plain_front *);	/* when no session is left */

/* Clients that are gone are forgotten, and what they have asked is left to itself. */
void			 plain_front_forget_gone(struct plain_front *);

/* A session has begun. */
void			 plain_front_on_session(struct plain_front *, struct sio_session *);

#endif
