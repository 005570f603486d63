/* SPDX-License-Identifier: ISC */
/*
 * How many links there are to a URL, and who gets one that falls free.
 */
#include "link/remote.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/xmalloc.h"

struct remote {
	const struct link_env *env;
	const struct conf_url *url;
	struct tls_client *tls;		/* borrowed; NULL: without TLS */
	enum conf_protocol protocol;
	const char *application;
	struct link **link;		/* n_wanted; NULL: not in use */
	unsigned n_wanted;		/* of a stock peer */
	struct remote_user *user;
	size_t n_users;
	size_t turn;			/* of the users: who is asked first */
};

static void on_up(struct link *, void *);
static void on_down(struct link *, void *);
static void on_free(struct link *, void *);

static const struct link_events link_events = {
	.on_up = on_up,
	.on_down = on_down,
	.on_free = on_free,
};

struct remote *
remote_new(const struct link_env *env, const struct conf_url *url, struct tls_client *tls,
    enum conf_protocol protocol, const char *application)
{
	struct remote *r = xcalloc(1, sizeof(*r));

	r->env = env;
	r->url = url;
	r->tls = tls;
	r->protocol = protocol;
	r->application = application;
	r->n_wanted = 1;
	return r;
}

void
remote_add_user(struct remote *r, const struct remote_user *user, unsigned n_links)
{
	r->user = xreallocarray(r->user, r->n_users + 1, sizeof(*r->user));
	r->user[r->n_users++] = *user;
	if (n_links > r->n_wanted)
		r->n_wanted = n_links;
}

void
remote_set_protocol(struct remote *r, enum conf_protocol protocol)
{
	if (r->protocol == CONF_PROTOCOL_AUTO)
		r->protocol = protocol;
}

static void
add_links(struct remote *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (r->link[i] == NULL)
			r->link[i] = link_new(r->env, r->url, r->tls, r->protocol, r->application,
			    i + 1, &link_events, r);
}

void
remote_start(struct remote *r)
{
	r->link = xcalloc(r->n_wanted, sizeof(struct link *));
	add_links(r, r->protocol == CONF_PROTOCOL_QEWD ? r->n_wanted : 1);
}

void
remote_free(struct remote *r, enum err why)
{
	if (r == NULL)
		return;
	for (unsigned i = 0; r->link != NULL && i < r->n_wanted; i++)
		link_free(r->link[i], why);
	free(r->link);
	free(r->user);
	free(r);
}

const char *
remote_url(const struct remote *r)
{
	return r->url->text;
}

const struct tls_client *
remote_tls(const struct remote *r)
{
	return r->tls;
}

bool
remote_is_up(const struct remote *r)
{
	for (unsigned i = 0; r->link != NULL && i < r->n_wanted; i++)
		if (r->link[i] != NULL && link_is_up(r->link[i]))
			return true;
	return false;
}

struct link *
remote_free_link(const struct remote *r)
{
	for (unsigned i = 0; i < r->n_wanted; i++)
		if (r->link[i] != NULL && link_is_free(r->link[i]))
			return r->link[i];
	return NULL;
}

size_t
remote_outstanding(const struct remote *r)
{
	size_t n = 0;

	for (unsigned i = 0; r->link != NULL && i < r->n_wanted; i++)
		if (r->link[i] != NULL)
			n += link_outstanding(r->link[i]);
	return n;
}

void
remote_each_link(const struct remote *r, void (*fn)(const struct link *, void *), void *arg)
{
	for (unsigned i = 0; r->link != NULL && i < r->n_wanted; i++)
		if (r->link[i] != NULL)
			fn(r->link[i], arg);
}

/* The peer was replaced by a node: links of the stock time are not needed any more. */
static void
drop_other_links(struct remote *r, const struct link *kept)
{
	for (unsigned i = 0; i < r->n_wanted; i++) {
		if (r->link[i] != NULL && r->link[i] != kept && !link_is_up(r->link[i])) {
			link_free(r->link[i], ERR_LINK_LOST);
			r->link[i] = NULL;
		}
	}
}

static void
on_up(struct link *link, void *arg)
{
	struct remote *r = arg;

	if (link_is_multiplexed(link))
		drop_other_links(r, link);
	else
		add_links(r, r->n_wanted);
	on_free(link, r);
}

static void
on_down(struct link *link UNUSED, void *arg)
{
	struct remote *r = arg;

	if (remote_is_up(r))
		return;
	for (size_t i = 0; i < r->n_users; i++)
		r->user[i].on_down(r, r->user[i].arg);
}

/* The users take turns, so that one with a long queue does not starve the others. */
static void
on_free(struct link *link, void *arg)
{
	struct remote *r = arg;
	size_t idle = 0;

	while (link_is_free(link) && idle < r->n_users) {
		struct remote_user *u = &r->user[r->turn++ % r->n_users];

		idle = u->on_free(r, link, u->arg) ? 0 : idle + 1;
	}
}
