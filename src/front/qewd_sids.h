/* SPDX-License-Identifier: ISC */
/*
 * Clients by the ids of their sockets: the one they have, and those they had before
 * a connection dropped, which tokens and handlers may still name.
 */
#ifndef FRONT_QEWD_SIDS_H
#define FRONT_QEWD_SIDS_H

#include "base/id.h"

#define SIDS_MAX 8		/* of a client; the oldest but its own goes first */

struct strmap;

/* A client's; inside the client, zero-initialised. */
struct qewd_sids {
	char (*sid)[ID_SID_LEN + 1];	/* its own is the first */
	unsigned n;
};

/* by_sid then finds the client by this sid; one of another length than ours is ignored. */
void	qewd_sids_add(struct strmap *by_sid, struct qewd_sids *, const char *sid, void *client);

/* All ids of from are those of another client now. */
void	qewd_sids_move(struct strmap *by_sid, struct qewd_sids *from, struct qewd_sids *to,
	    void *client);

void	qewd_sids_clear(struct strmap *by_sid, struct qewd_sids *);

#endif
