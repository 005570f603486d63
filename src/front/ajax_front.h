/* SPDX-License-Identifier: ISC */
/*
 * An origin: messages as QEWD's browser clients send them without Socket.IO, each in
 * the body of a POST to /ajax (protocol reference section 11).
 *
 * They pass the same gate and take the same routes as those of sockets; the answer is the
 * final's message, intermediates are dropped.
 */
#ifndef FRONT_AJAX_FRONT_H
#define FRONT_AJAX_FRONT_H

#include <stdbool.h>

struct ajax_front;
struct gate;
struct http_head;
struct http_service;

/* Borrows the gate. */
struct ajax_front		*ajax_front_new(const struct gate *);
void				 ajax_front_free(struct ajax_front *);	/* without open requests */
void				 ajax_front_reload(struct ajax_front *);	/* the gate's configuration
											 * is another */

/* Is it asked for at this path, be it served or not? */
bool				 ajax_front_is_path(const struct http_head *);

/* To be added to the HTTP server; borrowed. */
const struct http_service	*ajax_front_service(const struct ajax_front *);

#endif
