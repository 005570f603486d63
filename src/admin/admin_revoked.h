/* SPDX-License-Identifier: ISC */
/*
 * Sending away who is revoked.
 */
#ifndef ADMIN_ADMIN_REVOKED_H
#define ADMIN_ADMIN_REVOKED_H

#include <stdint.h>

struct admin_view;

struct admin_revoked_count {
	uint64_t n_clients;		/* were told, and closed */
	uint64_t n_requests;		/* were ended */
};

/*
 * Something was added to what is revoked: sessions that this is about are closed, their requests
 * end, and new tokens are younger than now.  The loops are held.
 */
void	admin_enforce_revoked(const struct admin_view *, int64_t now_s,
	    struct admin_revoked_count *);

#endif
