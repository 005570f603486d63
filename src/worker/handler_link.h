/* SPDX-License-Identifier: ISC */
/*
 * The daemon's end of a worker's descriptor 3: lines in, lines out.
 */
#ifndef WORKER_HANDLER_LINK_H
#define WORKER_HANDLER_LINK_H

#include <stddef.h>

#include "base/err.h"

struct buf;
struct handler_link;
struct handler_msg;
struct loop;

struct handler_link_events {
	/* A message; valid during the call, which may close the link. */
	void (*on_msg)(const struct handler_msg *, void *arg);
	/* The end; called exactly once.  ERR_BAD_LINE and ERR_TOO_BIG: the worker's fault. */
	void (*on_close)(enum err why, const char *detail, void *arg);
};

struct handler_link	*handler_link_new(struct loop *, int fd, size_t line_max,
			    unsigned depth_max, const struct handler_link_events *, void *arg);
void			 handler_link_send(struct handler_link *, const struct buf *lines);
/*
 * The output of a link that has not ended, with room for n bytes more, to append lines to;
 * handler_link_touch() afterwards has them written, with all others of this turn.
 */
struct buf		*handler_link_out(struct handler_link *, size_t n);
void			 handler_link_touch(struct handler_link *);
void			 handler_link_read_rest(struct handler_link *);	/* its process has ended */
void			 handler_link_close(struct handler_link *, enum err why);

#endif
