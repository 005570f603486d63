/* SPDX-License-Identifier: ISC */
/*
 * One worker process and the requests it is at.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "worker/pool.h"

struct handler_msg;
struct request;
struct worker;

struct worker_events {
	void (*on_ready)(struct worker *, const struct handler_msg *, void *arg);
	/* It can take a request: after ready, and after each that ended. */
	void (*on_room)(struct worker *, void *arg);
	/* All it can take wait for calls of theirs. */
	void (*on_stuck)(struct worker *, void *arg);
	/* It ended before it read this request, which nobody has run: it is the callee's again. */
	void (*on_return)(struct worker *, struct request *, void *arg);
	/* The process has ended and its requests were answered; freed after this. */
	void (*on_gone)(struct worker *, void *arg);
};

/* Starts the process.  NULL: it could not; the reason was logged.  Borrows all. */
struct worker	*worker_start(const struct pool_env *, const struct conf_application *,
		    char *const *envp, unsigned number, const struct worker_events *, void *arg);
void		 worker_free(struct worker *);	/* without its process: at an immediate end */

bool		 worker_is_starting(const struct worker *);
bool		 worker_is_ready(const struct worker *);	/* at work or not */
bool		 worker_is_leaving(const struct worker *);
bool		 worker_is_retiring(const struct worker *);	/* gets no more work */
bool		 worker_was_asked(const struct worker *);	/* to leave */
const char	*worker_state_name(const struct worker *);
int		 worker_pid(const struct worker *);		/* 0: it has ended */
bool		 worker_has_room(const struct worker *);
bool		 worker_is_stuck(const struct worker *);
unsigned	 worker_n_jobs(const struct worker *);
uint64_t	 worker_n_finished(const struct worker *);
uint64_t	 worker_idle_ms(const struct worker *);	/* since when it has had nothing to do; 0: it has */
uint64_t	 worker_memory(const struct worker *);	/* resident bytes; 0: unknown */
/* Did it do anything before it ended, or did it die at once? */
bool		 worker_was_of_use(const struct worker *);
const char	*worker_name(const struct worker *);
unsigned	 worker_number(const struct worker *);	/* in the order of starting */

void		 worker_set_conf(struct worker *, const struct conf_application *);
void		 worker_submit(struct worker *, struct request *);	/* it has room */
void		 worker_cancel(struct worker *, struct request *, enum err why);
void		 worker_retire(struct worker *);	/* no more work; ends when it is done */
void		 worker_stop(struct worker *, uint64_t grace_ms);	/* told so; then killed */
void		 worker_kill(struct worker *, const char *why);

#endif
