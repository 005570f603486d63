/* SPDX-License-Identifier: ISC */
/*
 * How many links there are to a URL, and who gets one that falls free.
 */
#include "link/remote.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "net/loop.h"
#include "net/tls.h"
#include "request/request.h"

#define TRIM_MS	     50	/* how often links that are not wanted any more are looked at */
#define IDLE_LOOKS   4	/* in the time after which idle links end */
#define IDLE_LOOK_MS 10	/* at least, from one to the next */

/* A place for a link, which keeps its number. */
struct place {
	struct link *link;		/* NULL: none */
	uint64_t submitted;		/* when it was last looked at */
	uint64_t idle_since_ms;		/* 0: it was not idle then */
};

struct remote {
	const struct link_env *env;
	char *id;
	struct conf_url url;		/* its texts are owned */
	struct tls_client *tls;		/* of this loop; NULL: without TLS */
	enum conf_protocol protocol;
	char *application;
	struct place *place;
	unsigned n_places;
	unsigned n_used;		/* behind these there is no link */
	struct link *first;		/* that takes a node's pushes, or is about to */
	unsigned n_wanted;		/* of a stock peer; others end when they are free */
	unsigned n_node_wanted;		/* of a node */
	uint64_t idle_ms;		/* until all but the first end; CONF_NO_LIMIT: never */
	uint64_t n_answered;		/* over links that have ended */
	bool is_started;
	struct timer trim_timer, idle_timer;
	struct remote_user *user;
	size_t n_users;
	size_t turn;			/* of the users: who is asked first */
};

static void on_up(struct link *, void *);
static void on_down(struct link *, void *);
static void on_free(struct link *, void *);
static bool on_lost(struct link *, struct request *, bool, void *);
static bool on_refused(struct link *, struct request *, void *);
static bool takes_pushes(struct link *, void *);
static void on_no_pushes(struct link *, void *);
static void fit_node_links(struct remote *, const struct link *up);

static const struct link_events link_events = {
	.on_up = on_up,
	.on_down = on_down,
	.on_free = on_free,
	.on_lost = on_lost,
	.on_refused = on_refused,
	.takes_pushes = takes_pushes,
	.on_no_pushes = on_no_pushes,
};

struct remote *
remote_new(const struct link_env *env, const char *id, const struct conf_url *url,
    struct tls_client *tls, enum conf_protocol protocol, const char *application)
{
	struct remote *r = xcalloc(1, sizeof(*r));

	r->env = env;
	r->id = xstrdup(id);
	r->url = (struct conf_url){ xstrdup(url->text), xstrdup(url->host), url->port,
		url->is_tls };
	r->tls = tls != NULL ? tls_client_copy(tls) : NULL;
	r->protocol = protocol;
	r->application = xstrdup(application);
	remote_clear_users(r);
	return r;
}

/* ---- which of them takes pushes ---- */

/* One that is up takes them, so that none are lost while the one that did is dialled anew. */
static void
choose_first(struct remote *r)
{
	for (unsigned i = 0; i < r->n_places && r->first == NULL; i++) {
		struct link *link = r->place[i].link;

		if (link == NULL || !link_is_up(link) || !link_is_multiplexed(link))
			continue;
		r->first = link;
		link_take_pushes(link);
	}
}

/* Just one does, or each push would come twice. */
static bool
takes_pushes(struct link *link, void *arg)
{
	struct remote *r = arg;

	if (r->first == NULL)
		r->first = link;
	return r->first == link;
}

static void
on_no_pushes(struct link *link UNUSED, void *arg)
{
	struct remote *r = arg;

	r->first = NULL;
	choose_first(r);
}

/* ---- how many links ---- */

static unsigned
n_limit(const struct remote *r)
{
	if (!r->is_started)
		return 0;
	return r->n_wanted > r->n_node_wanted ? r->n_wanted : r->n_node_wanted;
}

static void
make_places(struct remote *r)
{
	unsigned n = n_limit(r);

	if (n <= r->n_places)
		return;
	r->place = xreallocarray(r->place, n, sizeof(*r->place));
	memset(r->place + r->n_places, 0, (n - r->n_places) * sizeof(*r->place));
	r->n_places = n;
}

static void
add_link(struct remote *r, unsigned i)
{
	r->place[i] = (struct place){ .link = link_new(r->env, &r->url, r->tls, r->protocol,
		r->application, i + 1, &link_events, r) };
	if (i >= r->n_used)
		r->n_used = i + 1;
}

static void
end_link(struct remote *r, unsigned i)
{
	struct link *link = r->place[i].link;

	r->n_answered += link_answered(link);
	r->place[i].link = NULL;
	while (r->n_used > 0 && r->place[r->n_used - 1].link == NULL)
		r->n_used--;
	if (r->first == link)
		on_no_pushes(link, r);
	link_free(link, ERR_LINK_LOST);
}

void
remote_start(struct remote *r)
{
	r->is_started = true;
	make_places(r);
	if (r->place[0].link == NULL)	/* it may have been stopped */
		add_link(r, 0);
}

/* Links above the number that is wanted end as soon as nothing is under way on them. */
static void
trim(void *arg)
{
	struct remote *r = arg;
	bool is_busy = false;

	for (unsigned i = n_limit(r); i < r->n_places; i++) {
		if (r->place[i].link == NULL)
			continue;
		if (link_outstanding(r->place[i].link) > 0)
			is_busy = true;
		else
			end_link(r, i);
	}
	if (is_busy)
		loop_timer_set(r->env->loop, &r->trim_timer, TRIM_MS, trim, r);
	else
		loop_timer_stop(r->env->loop, &r->trim_timer);
}

void
remote_stop(struct remote *r)
{
	r->is_started = false;
	trim(r);
	for (size_t i = 0; i < r->n_users; i++)
		r->user[i].on_down(r, r->user[i].arg);
}

void
remote_fit(struct remote *r)
{
	if (r->n_users == 0)
		return;
	make_places(r);
	trim(r);
	for (unsigned i = 0; i < r->n_places; i++)
		if (r->place[i].link != NULL && link_is_up(r->place[i].link) &&
		    link_is_multiplexed(r->place[i].link))
			fit_node_links(r, r->place[i].link);
}

/* The links of a node: those of a stock peer that was there before are not needed any more. */
static void
fit_node_links(struct remote *r, const struct link *up)
{
	if (!r->is_started)	/* one that is at work still has come back: it is to end */
		return;
	assert(r->n_node_wanted <= r->n_places);
	for (unsigned i = 0; i < r->n_places; i++) {
		struct link *link = r->place[i].link;

		if (i < r->n_node_wanted && link == NULL)
			add_link(r, i);
		else if (i >= r->n_node_wanted && link != NULL && link != up &&
		    !link_is_up(link))
			end_link(r, i);
	}
}

/* One that had nothing to do since it was looked at, for long enough. */
static bool
is_idle(const struct remote *r, struct place *p, uint64_t now_ms)
{
	if ((link_is_up(p->link) && link_is_multiplexed(p->link)) ||
	    link_outstanding(p->link) > 0 || link_submitted(p->link) != p->submitted) {
		p->submitted = link_submitted(p->link);
		p->idle_since_ms = 0;
		return false;
	}
	if (p->idle_since_ms == 0)
		p->idle_since_ms = now_ms;
	return now_ms - p->idle_since_ms >= r->idle_ms;
}

/* The first stays.  Others are looked at for as long as there are any. */
static void
on_idle_look(void *arg)
{
	struct remote *r = arg;
	uint64_t now_ms = clock_mono_ms(), look_ms = r->idle_ms / IDLE_LOOKS;
	unsigned n = 0;

	if (r->idle_ms == CONF_NO_LIMIT)
		return;
	for (unsigned i = 1; i < r->n_places; i++) {
		if (r->place[i].link == NULL)
			continue;
		if (is_idle(r, &r->place[i], now_ms))
			end_link(r, i);
		else
			n++;
	}
	if (n > 0)
		loop_timer_set(r->env->loop, &r->idle_timer,
		    look_ms < IDLE_LOOK_MS ? IDLE_LOOK_MS : look_ms, on_idle_look, r);
}

/* Is it up, and no node? */
static bool
is_stock(const struct remote *r)
{
	for (unsigned i = 0; i < r->n_places; i++)
		if (r->place[i].link != NULL && link_is_up(r->place[i].link))
			return !link_is_multiplexed(r->place[i].link);
	return false;
}

void
remote_grow(struct remote *r, uint64_t n_waiting)
{
	uint64_t n_coming = 0;
	unsigned place = r->n_wanted;

	if (n_waiting == 0 || !r->is_started || !is_stock(r))
		return;
	for (unsigned i = r->n_wanted; i-- > 0;) {
		if (r->place[i].link == NULL)
			place = i;
		else if (!link_is_up(r->place[i].link))
			n_coming++;
	}
	if (n_coming >= n_waiting || place == r->n_wanted)
		return;
	add_link(r, place);
	if (!timer_is_set(&r->idle_timer))
		on_idle_look(r);
}

void
remote_retry_now(struct remote *r)
{
	for (unsigned i = 0; i < r->n_places; i++)
		if (r->place[i].link != NULL)
			link_retry_now(r->place[i].link);
}

/* ---- users ---- */

void
remote_add_user(struct remote *r, const struct remote_user *user)
{
	r->user = xreallocarray(r->user, r->n_users + 1, sizeof(*r->user));
	r->user[r->n_users++] = *user;
	if (user->n_links > r->n_wanted)
		r->n_wanted = user->n_links;
	if (user->n_node_links > r->n_node_wanted)
		r->n_node_wanted = user->n_node_links;
	if (user->idle_ms > r->idle_ms)
		r->idle_ms = user->idle_ms;
}

void
remote_clear_users(struct remote *r)
{
	r->n_users = 0;
	r->n_wanted = r->n_node_wanted = 1;
	r->idle_ms = 0;
}

void
remote_set_tls(struct remote *r, struct tls_client *tls)
{
	tls_client_free(r->tls);
	r->tls = tls != NULL ? tls_client_copy(tls) : NULL;
	for (unsigned i = 0; i < r->n_places; i++)
		if (r->place[i].link != NULL)
			link_set_tls(r->place[i].link, r->tls);
}

bool
remote_has_users(const struct remote *r)
{
	return r->n_users > 0;
}

bool
remote_is_unused(const struct remote *r)
{
	return r->n_users == 0 && remote_outstanding(r) == 0;
}

void
remote_free(struct remote *r, enum err why)
{
	if (r == NULL)
		return;
	loop_timer_stop(r->env->loop, &r->trim_timer);
	loop_timer_stop(r->env->loop, &r->idle_timer);
	for (unsigned i = 0; i < r->n_places; i++)
		link_free(r->place[i].link, why);
	tls_client_free(r->tls);
	free(r->id);
	free(r->url.text);
	free(r->url.host);
	free(r->application);
	free(r->place);
	free(r->user);
	free(r);
}

/* ---- what there is ---- */

bool
remote_is_started(const struct remote *r)
{
	return r->is_started;
}

const char *
remote_url(const struct remote *r)
{
	return r->url.text;
}

const struct link_env *
remote_env(const struct remote *r)
{
	return r->env;
}

const char *
remote_id(const struct remote *r)
{
	return r->id;
}

struct remote *
remote_of(const struct link *link)
{
	return link_arg(link);
}

bool
remote_is_up(const struct remote *r)
{
	for (unsigned i = 0; i < r->n_used && r->is_started; i++)
		if (r->place[i].link != NULL && link_is_up(r->place[i].link))
			return true;
	return false;
}

/* Of exclusive links the first that is free, so that the last become idle. */
struct link *
remote_free_link(const struct remote *r)
{
	unsigned n = n_limit(r) < r->n_used ? n_limit(r) : r->n_used;
	struct link *best = NULL, *link;

	for (unsigned i = 0; i < n; i++) {
		if ((link = r->place[i].link) == NULL || !link_is_free(link))
			continue;
		if (!link_is_multiplexed(link))
			return link;
		if (best == NULL || link_outstanding(link) < link_outstanding(best))
			best = link;
	}
	return best;
}

size_t
remote_outstanding(const struct remote *r)
{
	size_t n = 0;

	for (unsigned i = 0; i < r->n_used; i++)
		if (r->place[i].link != NULL)
			n += link_outstanding(r->place[i].link);
	return n;
}

uint64_t
remote_answered(const struct remote *r)
{
	uint64_t n = r->n_answered;

	for (unsigned i = 0; i < r->n_used; i++)
		if (r->place[i].link != NULL)
			n += link_answered(r->place[i].link);
	return n;
}

void
remote_each_link(const struct remote *r, void (*fn)(const struct link *, void *), void *arg)
{
	for (unsigned i = 0; i < r->n_used; i++)
		if (r->place[i].link != NULL)
			fn(r->place[i].link, arg);
}

/* ---- what happens to links ---- */

static void
on_up(struct link *link, void *arg)
{
	struct remote *r = arg;

	choose_first(r);
	if (link_is_multiplexed(link))
		fit_node_links(r, link);
	if (r->env->on_kind != NULL)
		r->env->on_kind(r->id, link_is_multiplexed(link), r->env->on_kind_arg);
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

	/* One that is not wanted any more takes nothing: trim() ends it. */
	for (unsigned i = n_limit(r); i < r->n_places; i++)
		if (r->place[i].link == link)
			return;
	while (link_is_free(link) && idle < r->n_users) {
		struct remote_user *u = &r->user[r->turn++ % r->n_users];

		idle = u->on_free(r, link, u->arg) ? 0 : idle + 1;
	}
}

/* The destination of a request, among those that use this URL; NULL: not any more. */
static const struct remote_user *
user_of(const struct remote *r, const struct request *request)
{
	for (size_t i = 0; i < r->n_users; i++)
		if (r->user[i].destination == request->destination)
			return &r->user[i];
	return NULL;
}

static bool
on_lost(struct link *link UNUSED, struct request *request, bool is_handed_over, void *arg)
{
	struct remote *r = arg;
	const struct remote_user *u = user_of(r, request);

	return u != NULL && u->on_lost(r, request, is_handed_over, u->arg);
}

static bool
on_refused(struct link *link UNUSED, struct request *request, void *arg)
{
	struct remote *r = arg;
	const struct remote_user *u = user_of(r, request);

	return u != NULL && u->on_refused(r, request, u->arg);
}
