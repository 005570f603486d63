/* SPDX-License-Identifier: ISC */
/*
 * Chooses the URL with the fewest outstanding requests among those that are up, and
 * keeps the queue for when all links are taken.
 */
#include "link/link_set.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "conf/conf.h"
#include "link/link.h"
#include "link/remote.h"
#include "request/request.h"

struct link_set {
	struct destination destination;	/* first */
	const struct conf_destination *conf;
	struct remote **remote;
	size_t n_remotes;
	struct request_queue queue;
};

static void submit(struct destination *, struct request *);
static void cancel(struct destination *, struct request *, enum err);
static const char *server_name(const struct request *);
static bool on_free(struct remote *, struct link *, void *);
static void on_down(struct remote *, void *);

static const struct destination_ops ops = {
	.submit = submit,
	.cancel = cancel,
	.server_kind = "link",
	.server_name = server_name,
};

struct link_set *
link_set_new(const struct conf_destination *conf)
{
	struct link_set *s = xcalloc(1, sizeof(*s));

	s->destination.ops = &ops;
	s->destination.name = conf->name;
	s->destination.application = conf->application;
	s->destination.timeout_ms = conf->timeout_ms;
	s->conf = conf;
	request_queue_init(&s->queue, conf->queue, conf->queue_bytes);
	return s;
}

struct destination *
link_set_destination(struct link_set *s)
{
	return &s->destination;
}

void
link_set_add_remote(struct link_set *s, struct remote *r)
{
	s->remote = xreallocarray(s->remote, s->n_remotes + 1, sizeof(struct remote *));
	s->remote[s->n_remotes++] = r;
	remote_add_user(r, &(struct remote_user){ on_free, on_down, s }, s->conf->links);
}

static void
fail_waiting(struct link_set *s, enum err why)
{
	struct request *r;

	while ((r = request_queue_first(&s->queue)) != NULL) {
		request_queue_remove(&s->queue, r);
		request_fail(r, why, NULL);
	}
}

void
link_set_free(struct link_set *s, enum err why)
{
	if (s == NULL)
		return;
	fail_waiting(s, why);
	free(s->remote);
	free(s);
}

bool
link_set_is_up(const struct link_set *s)
{
	for (size_t i = 0; i < s->n_remotes; i++)
		if (remote_is_up(s->remote[i]))
			return true;
	return false;
}

void
link_set_queue(const struct link_set *s, uint64_t *n, uint64_t *bytes, uint64_t *queue_max)
{
	*n = s->queue.n;
	*bytes = s->queue.bytes;
	*queue_max = s->conf->queue;
}

const struct remote *
link_set_remote(const struct link_set *s, size_t i)
{
	return i < s->n_remotes ? s->remote[i] : NULL;
}

/* A free link to the URL with the fewest outstanding requests; NULL: all are taken. */
static struct link *
choose(const struct link_set *s)
{
	struct link *best = NULL, *link;
	size_t least = 0, n;

	for (size_t i = 0; i < s->n_remotes; i++) {
		if ((link = remote_free_link(s->remote[i])) == NULL)
			continue;
		n = remote_outstanding(s->remote[i]);
		if (best == NULL || n < least) {
			best = link;
			least = n;
		}
	}
	return best;
}

/*
 * A multiplexed link always takes more, so the queue is the remote node's; but what
 * it has not answered is held here, and has the same limits.
 */
static bool
is_overfull(const struct link_set *s, const struct link *link, const struct request *r)
{
	return link_is_multiplexed(link) &&
	    (link_outstanding(link) >= s->conf->queue + s->conf->links ||
	    link_bytes(link) + r->env.len > s->conf->queue_bytes);
}

static void
submit(struct destination *d, struct request *r)
{
	struct link_set *s = (struct link_set *)d;
	struct link *link = choose(s);

	if (link != NULL && is_overfull(s, link, r))
		request_fail(r, ERR_OVERLOADED, "too much is in flight (queue, queue_bytes)");
	else if (link != NULL)
		link_submit(link, r);
	else if (!link_set_is_up(s))
		request_fail(r, ERR_LINK_DOWN, NULL);
	else if (!request_queue_add(&s->queue, r))
		request_fail(r, ERR_OVERLOADED, "queue of the destination is full (queue, queue_bytes)");
}

static void
cancel(struct destination *d, struct request *r, enum err why)
{
	struct link_set *s = (struct link_set *)d;

	if (r->served_by != NULL)
		link_cancel(r->served_by, r, why);
	else
		request_queue_remove(&s->queue, r);
}

static const char *
server_name(const struct request *r)
{
	return link_name(r->served_by);
}

static bool
on_free(struct remote *remote UNUSED, struct link *link, void *arg)
{
	struct link_set *s = arg;
	struct request *r = request_queue_first(&s->queue);

	if (r == NULL)
		return false;
	request_queue_remove(&s->queue, r);
	link_submit(link, r);
	return true;
}

static void
on_down(struct remote *remote UNUSED, void *arg)
{
	struct link_set *s = arg;

	if (!link_set_is_up(s))
		fail_waiting(s, ERR_LINK_DOWN);
}
