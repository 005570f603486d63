/* SPDX-License-Identifier: ISC */
/*
 * One thread, one queue of jobs.  A job belongs to the thread until it is posted
 * back to its loop; is_cancelled is read and written on that loop alone.
 */
#include "net/resolve.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "net/loop.h"

struct resolve_job {
	struct resolve_job *next;
	struct resolver *resolver;
	struct loop *loop;
	char *host;
	char port[8];
	struct addrinfo *found;
	int error;			/* of getaddrinfo */
	bool is_cancelled;
	bool is_posted;			/* not in the queue: the thread has it, or its loop again */
	resolve_done_fn *done;
	void *arg;
};

struct resolver {
	pthread_t thread;
	pthread_mutex_t lock;		/* guards what follows */
	pthread_cond_t changed;
	struct resolve_job *jobs, **jobs_tail;
	bool is_stopping;
	bool is_looking_up;		/* in getaddrinfo, which cannot be ended */
};

static void on_done(void *);
static void *work(void *);

struct resolver *
resolver_new(void)
{
	struct resolver *r = xcalloc(1, sizeof(*r));
	sigset_t all, old;

	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->changed, NULL);
	r->jobs_tail = &r->jobs;
	/* Signals are for the thread of loop 0 alone: a new thread inherits what is blocked. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&r->thread, NULL, work, r) != 0)
		fatalx("cannot start the resolver thread");
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}

static void
job_free(struct resolve_job *job)
{
	if (job->found != NULL)
		freeaddrinfo(job->found);
	free(job->host);
	free(job);
}

static void
resolver_destroy(struct resolver *r)
{
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

void
resolver_free(struct resolver *r)
{
	struct resolve_job *job;
	bool is_looking_up;

	if (r == NULL)
		return;
	pthread_mutex_lock(&r->lock);
	r->is_stopping = true;
	is_looking_up = r->is_looking_up;
	while ((job = r->jobs) != NULL) {
		r->jobs = job->next;
		job_free(job);
	}
	/* A lookup may take as long as it likes: then the thread cleans up after itself. */
	if (is_looking_up)
		pthread_detach(r->thread);
	pthread_cond_signal(&r->changed);
	pthread_mutex_unlock(&r->lock);
	if (is_looking_up)
		return;
	pthread_join(r->thread, NULL);
	resolver_destroy(r);
}

struct resolve_job *
resolve(struct resolver *r, struct loop *loop, const char *host, uint16_t port,
    resolve_done_fn *done, void *arg)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	struct resolve_job *job = xcalloc(1, sizeof(*job));

	job->loop = loop;
	job->host = xstrdup(host);
	snprintf(job->port, sizeof(job->port), "%u", port);
	job->done = done;
	job->arg = arg;
	job->resolver = r;
	/* A numeric address does not wait behind a name that is slow to look up. */
	hints.ai_flags |= AI_NUMERICHOST;
	if (getaddrinfo(host, job->port, &hints, &job->found) == 0) {
		job->is_posted = true;
		loop_post(loop, on_done, job);
		return job;
	}
	pthread_mutex_lock(&r->lock);
	*r->jobs_tail = job;
	r->jobs_tail = &job->next;
	pthread_cond_signal(&r->changed);
	pthread_mutex_unlock(&r->lock);
	return job;
}

/* What nobody wants any more is not looked up. */
void
resolve_cancel(struct resolve_job *job)
{
	struct resolver *r = job->resolver;
	struct resolve_job **at;

	if (job->is_posted) {
		job->is_cancelled = true;
		return;
	}
	pthread_mutex_lock(&r->lock);
	for (at = &r->jobs; *at != NULL && *at != job; at = &(*at)->next)
		;
	if (*at == job) {
		if ((*at = job->next) == NULL)
			r->jobs_tail = at;
	} else {
		at = NULL;
	}
	pthread_mutex_unlock(&r->lock);
	if (at != NULL)
		job_free(job);
	else
		job->is_cancelled = true;
}

/* On the loop that asked. */
static void
on_done(void *arg)
{
	struct resolve_job *job = arg;
	struct addrinfo *found = job->found;

	if (!job->is_cancelled) {
		job->found = NULL;
		job->done(found, found == NULL ? gai_strerror(job->error) : NULL, job->arg);
	}
	job_free(job);
}

static void *
work(void *arg)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	struct resolver *r = arg;
	struct resolve_job *job;

	pthread_mutex_lock(&r->lock);
	for (;;) {
		while (r->jobs == NULL && !r->is_stopping)
			pthread_cond_wait(&r->changed, &r->lock);
		if (r->is_stopping)
			break;
		job = r->jobs;
		if ((r->jobs = job->next) == NULL)
			r->jobs_tail = &r->jobs;
		r->is_looking_up = true;
		pthread_mutex_unlock(&r->lock);
		job->error = getaddrinfo(job->host, job->port, &hints, &job->found);
		pthread_mutex_lock(&r->lock);
		r->is_looking_up = false;
		if (r->is_stopping) {
			/* Its loop is gone, and nobody waits for this thread. */
			pthread_mutex_unlock(&r->lock);
			job_free(job);
			resolver_destroy(r);
			return NULL;
		}
		loop_post(job->loop, on_done, job);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}
