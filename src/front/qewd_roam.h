/* SPDX-License-Identifier: ISC */
/*
 * Clients that lost their connection and come back on another event loop.
 *
 * Their requests stay where they are.  The client there, without a socket, becomes one that forwards:
 * replies and pushes go by posts to the loop that has the socket now, which tells it of cancellations,
 * and when the client is away again, back, or gone.  A client that moves on once more forwards
 * what it gets: such a way is not made shorter, since what goes straight would overtake what is
 * still on it, and it is gone as soon as its client closes with no request open.
 */
#ifndef FRONT_QEWD_ROAM_H
#define FRONT_QEWD_ROAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct call;
struct id_parts;
struct loop;
struct qewd_client;
struct qewd_front;

/* The front ends of all loops; each is reached by posts to its loop alone. */
struct qewd_others {
	unsigned own;
	const struct id_parts *parts;
	struct qewd_front *(*front)(unsigned part, struct loop **, void *arg);
	void *arg;
	atomic_size_t *n_kept_bytes;	/* for clients that are away, of all loops */
};

/* Borrowed.  Without it there is one loop alone. */
void	 qewd_front_set_others(struct qewd_front *, const struct qewd_others *);

/*
 * A re-registration: is what its session left to be looked for on another loop?  Then it waits, and
 * is answered by qewd_client_answer().
 */
bool	 roam_ask(struct call *, bool has_lost);
/* When the session of a client that is connected began: of two, who is the one that came later? */
uint64_t roam_begun_ms(const struct qewd_client *);

/* What is told of a client whose requests are on other loops. */
enum roam_event { ROAM_AWAY, ROAM_BACK, ROAM_DROPPED, ROAM_GONE };

void	 roam_tell(struct qewd_client *, enum roam_event);
/* It cancels a request that is not here. */
void	 roam_cancel(struct qewd_client *, const char *id, size_t len);
/* Its open requests on other loops; those of one loop count until all of them have ended. */
uint64_t roam_n_awaited(const struct qewd_client *);
bool	 roam_is_awaited(const struct qewd_client *);	/* are there any? */
/* All of it is another client's of this loop from now on; gives how many requests are open elsewhere. */
uint64_t roam_move(struct qewd_client *from, struct qewd_client *to);

/* Does it forward?  Then the text goes. */
bool	 roam_forward(struct qewd_client *, const char *text, size_t len);
/* A request of it has ended: was it the last that it forwarded for? */
void	 roam_look(struct qewd_client *);

/* It is forgotten: so is all that it has elsewhere. */
void	 roam_free(struct qewd_client *);

#endif
