/* SPDX-License-Identifier: ISC */
/*
 * The first bytes of a connection that a balancer may have opened: a header of PROXY protocol
 * version 2, or already what it is about.  Nothing behind the header is read, so that TLS or
 * HTTP begins with the first byte it knows.
 */
#ifndef NET_PROXY_INTRO_H
#define NET_PROXY_INTRO_H

#include <stdint.h>

struct loop;
struct proxy_intro;
struct proxy_v2;

/*
 * Called once, from the loop.  header: what it said, valid during the call; NULL: there is none,
 * and nothing was read.  fault: why the connection is of no use (static text), else NULL; with
 * a header, that is what is wrong.
 */
typedef void proxy_intro_fn(const struct proxy_v2 *header, const char *fault, void *arg);

/* Borrows the descriptor, which is non-blocking, until it is freed; waits at most within_ms. */
struct proxy_intro	*proxy_intro_new(struct loop *, int fd, uint64_t within_ms,
			    proxy_intro_fn *, void *arg);
void			 proxy_intro_free(struct proxy_intro *);	/* from its call as well */

#endif
