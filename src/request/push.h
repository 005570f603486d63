/* SPDX-License-Identifier: ISC */
/*
 * A message that nobody asked for: from a handler to browsers, here or at the
 * nodes in front of us.
 */
#ifndef REQUEST_PUSH_H
#define REQUEST_PUSH_H

#include <stddef.h>
#include <stdint.h>

#include "codec/push_target.h"

/* Texts are JSON and borrowed. */
struct push {
	struct push_target to;
	const char *type;		/* with its quotes */
	size_t type_len;
	const char *message;
	size_t message_len;
	uint64_t hops;			/* nodes it has passed */
	const char *url;		/* of the node whose link it came over; NULL: begun here */
};

/* Where pushes go: the front end.  Given to whatever can begin one. */
struct push_sink {
	void (*push)(const struct push *, void *arg);
	void *arg;
};

#endif
