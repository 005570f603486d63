/* SPDX-License-Identifier: ISC */
/*
 * What link.c shares with link_requests.c: a link, and where its life meets its requests.
 * Not for other files.
 */
#ifndef LINK_LINK_INT_H
#define LINK_LINK_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/idmap.h"
#include "link/link.h"
#include "link/sio_client.h"
#include "net/loop.h"

struct envelope;
struct request;

enum link_state { LINK_WAITING, LINK_CONNECTING, LINK_REGISTERING, LINK_UP };

struct link {
	const struct link_env *env;
	enum conf_protocol protocol;
	const char *application;	/* to register for */
	const char *url;
	char name[320];			/* "link ws://10.0.0.5:8081" */
	unsigned number;
	struct sio_client_config config;
	const struct link_events *ev;
	void *arg;

	enum link_state state;
	struct sio_client *client;	/* NULL: waiting */
	bool is_multiplexed;
	bool takes_pushes;		/* or would, if it were up */
	char peer_node[128];		/* multiplexed: its name */
	size_t peer_message_max;	/* bytes of a frame it takes */
	struct request *current;	/* exclusive: the one under way */
	bool has_ghost;			/* exclusive: taken by one that was cancelled, whose final is due */
	char *ghost_type;		/* its type */
	struct timer ghost_timer;	/* its deadline */
	struct idmap in_flight;		/* multiplexed: our id -> request */
	uint64_t in_flight_bytes;
	uint64_t last_id;
	uint64_t n_answered;
	uint64_t retry_ms;		/* the next wait */
	bool is_replacing;		/* closed by us to be dialled anew: counts as up, but taken */
	bool is_leaving;		/* for good */
	bool has_complained;		/* about this series of failures */
	uint64_t state_ms;		/* since when it is in this state */
	uint64_t n_ups;
	char last_error[256];
	struct timer timer;		/* to dial; or the answer to a registration is due */
};

_Static_assert(sizeof(void *) > 8 || sizeof(struct link) <= 1064, "each link has one");

/* An event of the peer. */
void	link_on_event(struct envelope *, void *link);
/* The peer answered our registration: it is up now, or closed. */
void	link_on_registered(struct link *, const struct envelope *);
/*
 * It is no longer up: its requests fail with why, or are tried elsewhere.  What begins at sent or
 * later in the output never reached the peer.
 */
void	link_fail_in_flight(struct link *, enum err why, uint64_t sent);
/*
 * Close an exclusive link and dial anew: the only way to be sure that what still comes
 * for one request is not taken for another's.
 */
void	link_replace(struct link *);

#endif
