/* SPDX-License-Identifier: ISC */
/*
 * Who sends messages without a socket: how many are open, and how fast they come.
 *
 * A caller is known by a key, of its token or its address, and forgotten when it has been
 * quiet for as long as its rates look back.
 */
#ifndef FRONT_AJAX_CALLERS_H
#define FRONT_AJAX_CALLERS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/ratelimit.h"

struct ajax_callers;

struct ajax_caller {
	struct ajax_callers *of;
	char *key;
	size_t key_len;
	uint64_t n_open;
	uint64_t quiet_ms;		/* since when; while n_open is 0 */
	TAILQ_ENTRY(ajax_caller) link;	/* the quiet ones, quiet for longest first */
	struct ratelimit messages, bytes;
};

struct ajax_callers	*ajax_callers_new(uint64_t max);
void			 ajax_callers_set_max(struct ajax_callers *, uint64_t max);
void			 ajax_callers_free(struct ajax_callers *);
size_t			 ajax_callers_count(const struct ajax_callers *);

/*
 * One more message of this caller is open.  NULL: there is no room for it, since as many others
 * are at it.
 */
struct ajax_caller	*ajax_callers_begin(struct ajax_callers *, const char *key, size_t len,
			    uint64_t now_ms);
/* It is answered. */
void			 ajax_caller_end(struct ajax_caller *, uint64_t now_ms);

#endif
