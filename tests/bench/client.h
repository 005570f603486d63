/* SPDX-License-Identifier: ISC */
/*
 * One browser of the load: connects, registers, sends requests that only it could have
 * sent, and holds every reply against the one that is due.
 *
 * Each client has a message type of its own, bench-ID, and numbers its requests; a
 * reply echoes both, and the whole payload.
 */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "turn.h"

struct client;

/* What all clients do alike. */
struct client_plan {
	uint16_t port;
	const char *application;
	int revision;			/* of Engine.IO: 3, the client pings, or 4, the server does */
	unsigned window;		/* most requests outstanding at a time */
	unsigned n_steps;		/* intermediate replies to ask for */
	bool any_order;			/* finals may overtake each other: several links, several workers */
	const struct buf *payload;	/* JSON texts to send in turn */
	size_t n_payloads;
	void (*on_ready)(struct client *, void *arg);	/* registered */
	/* A final reply; due_ns is what client_request() was told. */
	void (*on_final)(struct client *, uint64_t due_ns, void *arg);
	void (*on_gone)(struct client *, void *arg);	/* closed, freed after this */
	void *arg;
};

/* What was wrong, over all clients. */
struct client_faults {
	uint64_t owner;		/* replies to somebody else */
	uint64_t order;		/* replies to another request than the oldest; steps too many or too few */
	uint64_t bytes;		/* replies with other bytes than were sent */
	uint64_t errors;	/* replies that are errors */
	uint64_t ended;		/* connections ended by the server */
};

extern struct client_faults client_faults;
extern uint64_t client_pongs;		/* over all clients, as the next */
extern uint64_t client_steps;		/* intermediate replies */

/* id also says from which address, 127.0.1.1 and up, it connects. */
struct client	*client_new(struct turn *, const struct client_plan *, unsigned id);
/* due_ns: when it should have been sent. */
void		 client_request(struct client *, uint64_t due_ns);
unsigned	 client_outstanding(const struct client *);
void		 client_ping(struct client *);		/* a heart-beat; the answer is counted */
unsigned	 client_pings(const struct client *);	/* the server's, all of them answered */
void		 client_close(struct client *);

#endif
