/* SPDX-License-Identifier: ISC */
/*
 * Host names to addresses, by getaddrinfo(3) in a thread of its own: it blocks,
 * and alone follows nsswitch.conf as every other program of the host does.
 */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include <stdint.h>

struct addrinfo;
struct loop;
struct resolver;
struct resolve_job;

struct resolver		*resolver_new(void);
void			 resolver_free(struct resolver *);	/* waits for the lookup under way */

/*
 * Calls done on the loop with what was found: an addrinfo list, which it takes
 * (freeaddrinfo), or NULL and the reason.  Numeric addresses need no lookup, but come by the
 * same way.
 */
typedef void		 resolve_done_fn(struct addrinfo *, const char *why, void *arg);
struct resolve_job	*resolve(struct resolver *, struct loop *, const char *host, uint16_t port,
			    resolve_done_fn *done, void *arg);

/* done will not be called.  On the loop that asked, before done was called. */
void			 resolve_cancel(struct resolve_job *);

#endif
