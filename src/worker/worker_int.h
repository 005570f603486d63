/* SPDX-License-Identifier: ISC */
/*
 * What worker.c (its life) shares with worker_jobs.c (its requests).  Not for other files.
 */
#ifndef WORKER_WORKER_INT_H
#define WORKER_WORKER_INT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "net/loop.h"
#include "worker/worker.h"

struct buf;
struct handler_link;
struct job;
struct proc;
struct strmap;

enum worker_state { WORKER_STARTING, WORKER_READY, WORKER_UNREADY, WORKER_LEAVING };

struct worker {
	const struct pool_env *env;
	const struct conf_application *conf;
	const struct worker_events *ev;
	void *arg;
	char name[96];			/* "test-app#1" */
	unsigned number;
	enum worker_state state;
	bool is_retiring;		/* ends when its jobs are done */
	bool was_asked;			/* to stop */
	struct proc *proc;
	struct handler_link *link;	/* NULL: closed */
	LIST_HEAD(, job) jobs;
	unsigned n_jobs, n_jobs_max;
	struct strmap *calls;		/* by number: all that its jobs have open */
	uint64_t last_id;
	uint64_t unread_id;		/* the job whose request is our last line; 0: another line is */
	bool takes_cancel;
	uint64_t ready_ms;		/* since when; 0: never was */
	uint64_t idle_since_ms;		/* 0: it has jobs */
	uint64_t n_finished;
	struct timer timer;		/* starting, or leaving: what comes next if it takes too long */
	int next_signal;		/* leaving: SIGTERM or SIGKILL */
	struct timer ping_timer;	/* with concurrency, and while it has jobs: the next ping, or
					 * its pong, is due */
	bool is_pinged;			/* its pong has not come */
	bool is_at_rest;		/* it has had no job since its last ping, which was sent for that */
};

/* Sends a line that is no request, and frees it; does nothing when the link is closed. */
void	worker_send_line(struct worker *, struct buf *line);

/*
 * It has a job: from now on it is pinged, and once more when it has none.  Who takes one at a time
 * never is.
 */
void	worker_watch(struct worker *);

/* What it says of itself: for the table of all that it can say. */
void	worker_on_ready(struct worker *, const struct handler_msg *);
void	worker_on_unready(struct worker *, const struct handler_msg *);
void	worker_on_pong(struct worker *, const struct handler_msg *);
/* Of struct handler_link_events; the last argument is the worker. */
void	worker_on_msg(const struct handler_msg *, void *);

/*
 * Its link has closed: each of its requests fails, but for one that it never read, which the
 * owner gets back.
 */
void	worker_end_jobs(struct worker *, enum err why);
/* Forgets its jobs, whose requests hear nothing. */
void	worker_free_jobs(struct worker *);

#endif
