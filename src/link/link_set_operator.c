/* SPDX-License-Identifier: ISC */
/*
 * What an operator has set on a destination, and what he sees of it.
 */
#include "link/link_set.h"

#include <stdio.h>
#include <string.h>

#include "conf/conf.h"
#include "link/link_set_int.h"
#include "link/remote.h"
#include "net/loop.h"
#include "request/request.h"

#define RESUME_MS 10000		/* resumed: for a link to come up, while requests still wait */

/* ---- what an operator has set, and reloads ---- */

static void
on_resume_timeout(void *arg)
{
	struct link_set *s = arg;

	s->is_resuming = false;
	link_set_fail_if_down(s);
}

/* The service may be there again, and its links still wait to dial. */
static void
begin_resuming(struct link_set *s)
{
	if (link_set_is_servable(s))
		return;
	s->is_resuming = true;
	for (size_t i = 0; i < s->n_members; i++)
		remote_retry_now(s->member[i].remote);
	loop_timer_set(s->loop, &s->resume_timer, RESUME_MS, on_resume_timeout, s);
}

static void
set_member_use(struct link_set *s, struct member *m, enum override_kind use)
{
	if (m->use != OVERRIDE_NONE && use == OVERRIDE_NONE) {
		m->health = (struct health){ 0 };
		health_return(&m->health, &s->limits, loop_mono_ms(s->loop));
		remote_retry_now(m->remote);
	}
	m->use = use;
}

void
link_set_apply_overrides(struct link_set *s)
{
	bool was_paused = s->is_paused;

	if (s->n_members == 0)
		return;
	s->use = overrides_use(s->overrides, s->conf->name, NULL);
	s->is_paused = overrides_is_paused(s->overrides, s->conf->name);
	for (size_t i = 0; i < s->n_members; i++)
		set_member_use(s, &s->member[i], overrides_use(s->overrides, s->conf->name,
		    remote_url(s->member[i].remote)));
	if (was_paused && !s->is_paused)
		begin_resuming(s);
	link_set_serve(s);
}

void
link_set_leave(struct link_set *s)
{
	if (!s->is_paused)
		return;
	s->is_paused = false;
	begin_resuming(s);
	link_set_serve(s);
}

void
link_set_serve(struct link_set *s)
{
	char text[LINK_SET_WHY_MAX];

	snprintf(text, sizeof(text), "destination %s is %s", s->conf->name, override_name(s->use));
	if (s->use == OVERRIDE_DISABLED)
		link_set_fail_waiting(s, ERR_LINK_DOWN, text);
	link_set_fail_if_down(s);
	link_set_serve_waiting(s);
}

/* ---- for those who look on ---- */

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
	return i < s->n_members ? s->member[i].remote : NULL;
}

const char *
link_set_state(const struct link_set *s)
{
	if (s->use != OVERRIDE_NONE)
		return override_name(s->use);
	if (s->is_paused)
		return override_name(OVERRIDE_PAUSED);
	return s->is_resuming ? "resuming" : override_name(OVERRIDE_NONE);
}

bool
link_set_is_paused(const struct link_set *s)
{
	return s->is_paused;
}

enum override_kind
link_set_use(const struct link_set *s)
{
	return s->use;
}

bool
link_set_takes_requests(const struct link_set *s)
{
	return s->use == OVERRIDE_NONE && (link_set_is_waiting(s) || link_set_is_servable(s));
}

void
link_set_describe_url(struct link_set *s, size_t i, struct link_set_url *url)
{
	struct member *m = &s->member[i];

	(void)link_set_share_of(s, m);
	*url = (struct link_set_url){
		.use = m->use,
		.health = m->health.state,
		.ejected_ms = health_ejected_ms(&m->health, loop_mono_ms(s->loop)),
		.n_ejections = m->health.n_ejections,
	};
}

size_t
link_set_in_flight(const struct link_set *s, const struct requests *all, const char *url)
{
	bool is_draining = s->use != OVERRIDE_NONE && !s->is_paused;
	const struct request *r;
	size_t n = 0;

	LIST_FOREACH(r, &all->open, link)
		if (r->destination == &s->destination)
			n += r->served_by == NULL ? url == NULL && is_draining :
			    url == NULL || strcmp(remote_url(remote_of(r->served_by)), url) == 0;
	return n;
}
