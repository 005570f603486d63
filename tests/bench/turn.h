/* SPDX-License-Identifier: ISC */
/*
 * Streams on epoll, for the programs of the benchmark: what they have to say is
 * gathered and written once a turn.
 *
 * It is not net/loop and net/conn, so that a fault of those cannot hide itself in
 * what measures them.
 */
#ifndef BENCH_TURN_H
#define BENCH_TURN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct stream;
struct turn;

struct stream_events {
	void (*on_read)(struct stream *, char *data, size_t len);	/* data may be changed */
	void (*on_end)(struct stream *);	/* the peer left; may be NULL */
	void (*on_gone)(struct stream *);	/* closed, and this turn is over: to be freed */
};

struct stream {
	struct turn *turn;
	const struct stream_events *ev;
	int fd;				/* -1: closed */
	size_t written;			/* bytes of out that were written already */
	struct buf out;
	bool is_dirty, waits_to_write;
	struct stream *next_dirty, *next_dead;
};

struct turn	*turn_new(void);
/* Waits for events, no longer than timeout_ns (-1: for ever), and serves them. */
void		 turn_run(struct turn *, int64_t timeout_ns);

/* Takes fd. */
void		 stream_open(struct stream *, struct turn *, int fd, const struct stream_events *);
/* Something was appended to s->out. */
void		 stream_touch(struct stream *);
/* Drops what is queued.  Again: no effect. */
void		 stream_close(struct stream *);

/* A listening socket on 127.0.0.1 (port 0: any); says "listening on 127.0.0.1:PORT". */
void		 turn_listen(struct turn *, uint16_t port, void (*on_accept)(struct turn *, int fd));
/* A connection to 127.0.0.1, from 127.0.1.from (0: any), or the end of the program. */
int		 turn_connect(uint16_t port, unsigned from);

/* "8080", or the end of the program. */
uint16_t	 port_of(const char *);
/* As many descriptors as the system allows. */
void		 raise_descriptors(void);
uint64_t	 now_ns(void);

#endif
