/* SPDX-License-Identifier: ISC */
/*
 * Connecting to a host by name: looks it up, tries its addresses one after the
 * other, all within one time limit.
 */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include <stdint.h>

#include "base/err.h"

struct dial;
struct loop;
struct resolver;

/*
 * fd is connected and the callee's to close; or it is -1, and err and why (for
 * the log) tell what failed.  The dial is over and freed.
 */
typedef void	 dial_done_fn(int fd, enum err, const char *why, void *arg);

/* Never calls done before it returns. */
struct dial	*dial_start(struct loop *, struct resolver *, const char *host, uint16_t port,
		    uint64_t timeout_ms, dial_done_fn *done, void *arg);
void		 dial_cancel(struct dial *);	/* done will not be called; NULL is fine */

#endif
