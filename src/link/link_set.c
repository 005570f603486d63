/* SPDX-License-Identifier: ISC */
/*
 * Chooses the URL with the fewest outstanding requests among those that are up and well, and
 * keeps the queue for when all links are taken, or the destination is paused.
 *
 * With one URL there is nothing to choose, and its health is not looked at.
 */
#include "link/link_set.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "conf/conf.h"
#include "link/choice.h"
#include "link/link.h"
#include "link/link_set_int.h"
#include "link/remote.h"
#include "link/retry_budget.h"
#include "net/loop.h"
#include "request/request.h"

#define RETRIES_MAX 2		/* of one request */

static void submit(struct destination *, struct request *);
static void cancel(struct destination *, struct request *, enum err);
static const char *server_name(const struct request *);
static bool on_free(struct remote *, struct link *, void *);
static void on_down(struct remote *, void *);
static bool on_lost(struct remote *, struct request *, bool, void *);
static bool on_refused(struct remote *, struct request *, void *);

static const struct destination_ops ops = {
	.submit = submit,
	.cancel = cancel,
	.server_kind = "link",
	.server_name = server_name,
};

static void
set_conf(struct link_set *s, const struct conf_destination *conf)
{
	const struct conf_health *h = &conf->health;

	s->destination.name = conf->name;
	s->destination.application = conf->application;
	s->destination.timeout_ms = conf->timeout_ms;
	s->limits = (struct health_limits){ h->failures, h->failure_percent, h->eject_ms,
		h->eject_max_ms, h->slow_start_ms };
	s->conf = conf;
}

struct link_set *
link_set_new(const struct conf_destination *conf)
{
	struct link_set *s = xcalloc(1, sizeof(*s));

	s->destination.ops = &ops;
	set_conf(s, conf);
	request_queue_init(&s->queue, conf->queue, conf->queue_bytes);
	retry_budget_init(&s->budget);
	return s;
}

static void
join(struct link_set *s, struct remote *r)
{
	remote_add_user(r, &(struct remote_user){
		.on_free = on_free,
		.on_down = on_down,
		.on_lost = on_lost,
		.on_refused = on_refused,
		.arg = s,
		.destination = &s->destination,
		.n_links = s->conf->links,
		.n_node_links = s->conf->node_links,
		.idle_ms = s->conf->link_idle_ms,
	});
}

void
link_set_rejoin(struct link_set *s)
{
	for (size_t i = 0; i < s->n_members; i++)
		join(s, s->member[i].remote);
}

void
link_set_reload(struct link_set *s, const struct conf_destination *conf)
{
	s->n_kept = s->n_members;
	s->n_members = 0;
	set_conf(s, conf);
	s->queue.n_max = conf->queue;
	s->queue.bytes_max = conf->queue_bytes;
}

struct destination *
link_set_destination(struct link_set *s)
{
	return &s->destination;
}

/* Room for a URL; one that was there before a reload is as well as it was. */
static struct member *
add_member(struct link_set *s, struct remote *r)
{
	struct member *m;

	for (size_t i = s->n_members; i < s->n_kept; i++) {
		if (s->member[i].remote == r) {
			struct member found = s->member[i];

			s->member[i] = s->member[s->n_members];
			m = &s->member[s->n_members++];
			*m = found;
			return m;
		}
	}
	s->member = xreallocarray(s->member, s->n_kept + 1, sizeof(*s->member));
	s->member[s->n_kept++] = s->member[s->n_members];
	m = &s->member[s->n_members++];
	*m = (struct member){ .remote = r };
	return m;
}

void
link_set_relay(struct link_set *s, struct destination *relay)
{
	s->relay = relay;
}

void
link_set_add_remote(struct link_set *s, struct remote *r)
{
	const struct link_env *env = remote_env(r);
	struct member *m = add_member(s, r);

	s->loop = env->loop;
	s->overrides = env->overrides;
	s->use = overrides_use(s->overrides, s->conf->name, NULL);
	s->is_paused = overrides_is_paused(s->overrides, s->conf->name);
	m->use = overrides_use(s->overrides, s->conf->name, remote_url(r));
	join(s, r);
}

void
link_set_fail_waiting(struct link_set *s, enum err why, const char *text)
{
	struct request *r;

	while ((r = request_queue_first(&s->queue)) != NULL) {
		request_queue_remove(&s->queue, r);
		request_fail(r, why, text);
	}
}

void
link_set_free(struct link_set *s, enum err why)
{
	if (s == NULL)
		return;
	if (s->loop != NULL)
		loop_timer_stop(s->loop, &s->resume_timer);
	link_set_fail_waiting(s, why, NULL);
	free(s->member);
	free(s);
}

/* ---- who is well ---- */

bool
link_set_is_up(const struct link_set *s)
{
	for (size_t i = 0; i < s->n_members; i++)
		if (remote_is_up(s->member[i].remote))
			return true;
	return false;
}

bool
link_set_is_servable(const struct link_set *s)
{
	for (size_t i = 0; i < s->n_members; i++)
		if (s->member[i].use == OVERRIDE_NONE && remote_is_up(s->member[i].remote))
			return true;
	return false;
}

static struct member *
member_of(const struct link_set *s, const struct remote *r)
{
	for (size_t i = 0; i < s->n_members; i++)
		if (s->member[i].remote == r)
			return &s->member[i];
	return NULL;
}

static void
log_health(const struct link_set *s, const struct member *m)
{
	const struct health *h = &m->health;

	if (h->state == HEALTH_EJECTED)
		log_warnx("destination %s: %s fails or stops: it is ejected for %llu ms",
		    s->conf->name, remote_url(m->remote), (unsigned long long)h->eject_ms);
	else
		log_info("destination %s: %s is %s", s->conf->name, remote_url(m->remote),
		    h->state == HEALTH_TRIAL ? "on trial" : health_state_name(h->state));
}

unsigned
link_set_share_of(struct link_set *s, struct member *m)
{
	uint64_t now_ms;

	if (m->health.state == HEALTH_GOOD && !m->was_away)
		return HEALTH_FULL_SHARE;
	now_ms = loop_mono_ms(s->loop);
	if (m->was_away && remote_is_up(m->remote)) {
		m->was_away = false;
		health_return(&m->health, &s->limits, now_ms);
	}
	if (health_look(&m->health, &s->limits, now_ms, remote_answered(m->remote)))
		log_health(s, m);
	return health_share(&m->health, &s->limits, now_ms);
}

/* Can another URL serve requests now?  The last one is never ejected. */
static bool
has_other(struct link_set *s, const struct member *than)
{
	for (size_t i = 0; i < s->n_members; i++) {
		struct member *m = &s->member[i];

		if (m != than && m->use == OVERRIDE_NONE && remote_is_up(m->remote) &&
		    m->health.state != HEALTH_TRIAL && link_set_share_of(s, m) > 0)
			return true;
	}
	return false;
}

static void
note_ejection(struct link_set *s, const struct member *m)
{
	metrics_inc(loop_metrics(s->loop), METRIC_EJECTIONS);
	log_health(s, m);
}

/* When it went to the URL that it is at; it may have waited before, or been at another one. */
static uint64_t
handed_over_ms(const struct request *r)
{
	return r->unqueued_ms > r->submitted_ms ? r->unqueued_ms : r->submitted_ms;
}

/* It was at a link and reached its deadline, or is not wanted any more. */
static void
note_end(struct link_set *s, const struct request *r, enum err why)
{
	struct member *m = member_of(s, remote_of(r->served_by));

	if (s->n_members < 2 || m == NULL)
		return;
	if (why != ERR_TIMEOUT)
		health_end_trial(&m->health, handed_over_ms(r));
	else if (health_fail(&m->health, &s->limits, loop_mono_ms(s->loop), handed_over_ms(r),
	    remote_answered(m->remote), has_other(s, m)))
		note_ejection(s, m);
}

/* ---- choosing ---- */

/* All that could serve are ejected: a node that fails is better than none. */
static bool
is_desperate(struct link_set *s)
{
	return !has_other(s, NULL);
}

/* A free link among those that may have requests (is_any: ejected ones too); NULL: none. */
static struct link *
choose_among(struct link_set *s, bool is_any, struct member **whose)
{
	struct link *best = NULL, *link;
	struct choice choice = { 0 };
	unsigned share;

	for (size_t i = 0; i < s->n_members; i++) {
		struct member *m = &s->member[(s->turn + i) % s->n_members];

		if (m->use != OVERRIDE_NONE || (link = remote_free_link(m->remote)) == NULL)
			continue;
		if ((share = link_set_share_of(s, m)) == 0 && is_any)
			share = HEALTH_FULL_SHARE;
		if (share == 0)
			continue;
		if (choice_offer(&choice, remote_outstanding(m->remote), share) ||
		    m->health.state == HEALTH_TRIAL) {
			best = link;
			*whose = m;
		}
		/* Its one request is all that a trial waits for. */
		if (m->health.state == HEALTH_TRIAL)
			break;
	}
	return best;
}

/* A free link to the URL with the fewest outstanding requests; NULL: all are taken. */
static struct link *
choose(struct link_set *s, struct member **whose)
{
	struct link *link;

	if (s->n_members == 1) {
		*whose = &s->member[0];
		return (*whose)->use == OVERRIDE_NONE ? remote_free_link((*whose)->remote) : NULL;
	}
	if (s->n_members == 0)
		return NULL;
	s->turn = (s->turn + 1) % s->n_members;
	link = choose_among(s, false, whose);
	return link == NULL && is_desperate(s) ? choose_among(s, true, whose) : link;
}

/* One whose link falls free: may it have the next request? */
static bool
may_serve(struct link_set *s, struct member *m)
{
	return m->use == OVERRIDE_NONE &&
	    (s->n_members == 1 || link_set_share_of(s, m) > 0 || is_desperate(s));
}

static void
send_to(struct link_set *s, struct member *m, struct link *link, struct request *r)
{
	size_t before;

	if (s->n_members == 1 || m->health.state != HEALTH_TRIAL) {
		link_submit(link, r);
		return;
	}
	before = link_outstanding(link);
	health_begin_trial(&m->health, loop_mono_ms(s->loop), remote_answered(m->remote));
	link_submit(link, r);
	if (link_outstanding(link) == before)	/* refused before it was sent */
		health_end_trial(&m->health, loop_mono_ms(s->loop));
}

/* ---- waiting ---- */

/* Requests wait, and more links may be of use. */
static void
grow(struct link_set *s)
{
	for (size_t i = 0; i < s->n_members && s->queue.n > 0; i++)
		if (s->member[i].use == OVERRIDE_NONE)
			remote_grow(s->member[i].remote, s->queue.n);
}

void
link_set_serve_waiting(struct link_set *s)
{
	struct member *m;
	struct request *r;
	struct link *link;

	while ((r = request_queue_first(&s->queue)) != NULL && !s->is_paused &&
	    (link = choose(s, &m)) != NULL) {
		request_queue_remove(&s->queue, r);
		send_to(s, m, link, r);
	}
	if (!s->is_paused && !s->is_resuming)
		grow(s);
}

bool
link_set_is_waiting(const struct link_set *s)
{
	return s->is_paused || s->is_resuming;
}

static void
wait_for_link(struct link_set *s, struct request *r)
{
	if (!request_queue_add(&s->queue, r))
		request_fail(r, ERR_OVERLOADED,
		    "queue of the destination is full (queue, queue_bytes)");
	else if (!s->is_paused)
		link_set_serve_waiting(s);
}

static void
refuse(const struct link_set *s, struct request *r)
{
	char text[LINK_SET_WHY_MAX];

	snprintf(text, sizeof(text), "destination %s is %s", s->conf->name, override_name(s->use));
	request_fail(r, ERR_LINK_DOWN, text);
}

/* ---- as a destination ---- */

/*
 * A multiplexed link always takes more, so the queue is the remote node's; but what
 * it has not answered is held here, and has the same limits.
 */
static bool
is_overfull(const struct link_set *s, const struct link *link, const struct request *r)
{
	uint64_t n_max = s->conf->queue;

	if (n_max != CONF_NO_LIMIT)
		n_max += s->conf->links;
	return link_is_multiplexed(link) && (link_outstanding(link) >= n_max ||
	    link_bytes(link) + r->env.len > s->conf->queue_bytes);
}

/* The first loop has links to all that is there; this one to nodes that it has found there. */
static bool
is_served_here(const struct link_set *s)
{
	bool is_up = false;

	if (s->relay == NULL)
		return true;
	if (s->use != OVERRIDE_NONE || link_set_is_waiting(s))
		return false;
	for (size_t i = 0; i < s->n_members; i++) {
		if (s->member[i].use != OVERRIDE_NONE)
			continue;
		if (!remote_is_started(s->member[i].remote))
			return false;
		is_up = is_up || remote_is_up(s->member[i].remote);
	}
	return is_up;
}

/* It is the first loop's from now on. */
static void
pass_on(struct link_set *s, struct request *r)
{
	r->destination = s->relay;
	s->relay->ops->submit(s->relay, r);
}

static void
submit(struct destination *d, struct request *r)
{
	struct link_set *s = (struct link_set *)d;
	struct member *m;
	struct link *link;

	if (!is_served_here(s)) {
		pass_on(s, r);
		return;
	}
	retry_budget_earn(&s->budget, s->conf->retry_percent);
	if (s->use != OVERRIDE_NONE)
		refuse(s, r);
	else if (s->queue.n > 0 || link_set_is_waiting(s))
		wait_for_link(s, r);
	else if ((link = choose(s, &m)) == NULL && link_set_is_servable(s))
		wait_for_link(s, r);
	else if (link == NULL)
		request_fail(r, ERR_LINK_DOWN, NULL);
	else if (is_overfull(s, link, r))
		request_fail(r, ERR_OVERLOADED, "too much is in flight (queue, queue_bytes)");
	else
		send_to(s, m, link, r);
}

static void
cancel(struct destination *d, struct request *r, enum err why)
{
	struct link_set *s = (struct link_set *)d;

	if (r->served_by == NULL) {
		request_queue_remove(&s->queue, r);
		return;
	}
	note_end(s, r, why);
	link_cancel(r->served_by, r, why);
}

static const char *
server_name(const struct request *r)
{
	return link_name(r->served_by);
}

/* ---- what happens to links ---- */

static void
end_resuming(struct link_set *s)
{
	s->is_resuming = false;
	loop_timer_stop(s->loop, &s->resume_timer);
}

static bool
on_free(struct remote *remote, struct link *link, void *arg)
{
	struct link_set *s = arg;
	struct member *m = member_of(s, remote);
	struct request *r;

	if (s->is_resuming)
		end_resuming(s);
	if (m == NULL || s->is_paused || (r = request_queue_first(&s->queue)) == NULL ||
	    !may_serve(s, m))
		return false;
	request_queue_remove(&s->queue, r);
	send_to(s, m, link, r);
	grow(s);
	return true;
}

static void
pass_on_waiting(struct link_set *s)
{
	struct request *r;

	while ((r = request_queue_first(&s->queue)) != NULL) {
		request_queue_remove(&s->queue, r);
		pass_on(s, r);
	}
}

void
link_set_fail_if_down(struct link_set *s)
{
	if (link_set_is_waiting(s) || link_set_is_servable(s))
		return;
	if (s->relay != NULL)
		pass_on_waiting(s);
	else
		link_set_fail_waiting(s, ERR_LINK_DOWN, NULL);
}

static void
on_down(struct remote *remote, void *arg)
{
	struct link_set *s = arg;
	struct member *m = member_of(s, remote);

	if (m != NULL && s->n_members > 1)
		m->was_away = true;
	link_set_fail_if_down(s);
}

static bool
may_go_again(struct link_set *s, const struct request *r, bool is_handed_over)
{
	if (r->n_retries >= RETRIES_MAX || s->use == OVERRIDE_DISABLED)
		return false;
	if (!link_set_is_waiting(s) && !link_set_is_servable(s) &&
	    (s->relay == NULL || is_handed_over))
		return false;
	if (!is_handed_over)	/* no peer has to do anything twice */
		return true;
	if (!r->is_idempotent || r->n_replies > 0)
		return false;
	if (retry_budget_take(&s->budget, s->conf->retry_percent))
		return true;
	metrics_inc(loop_metrics(s->loop), METRIC_RETRIES_REFUSED);
	return false;
}

static void
send_again(struct link_set *s, struct request *r)
{
	r->n_retries++;
	metrics_inc(loop_metrics(s->loop), METRIC_RETRIES);
	log_debug("request", "%s: sent again", r->name);
	request_queue_return(&s->queue, r);
	link_set_serve_waiting(s);
	if (s->relay != NULL)
		link_set_fail_if_down(s);
}

/*
 * Again, at the head of the queue: what the peer cannot have seen, or what may run twice.  What it
 * cannot have seen, and is not sent again, has not run, and that is what its end says.
 */
static bool
on_lost(struct remote *remote, struct request *r, bool is_handed_over, void *arg)
{
	struct link_set *s = arg;
	struct member *m = member_of(s, remote);

	if (is_handed_over && m != NULL && s->n_members > 1 &&
	    health_lose(&m->health, &s->limits, loop_mono_ms(s->loop), handed_over_ms(r),
	    remote_answered(remote), has_other(s, m)))
		note_ejection(s, m);
	if (may_go_again(s, r, is_handed_over)) {
		r->has_run = r->has_run || is_handed_over;
		send_again(s, r);
		return true;
	}
	if (!is_handed_over)
		request_fail(r, ERR_LINK_DOWN, NULL);
	return !is_handed_over;
}

/* A node that stops is left alone as if it had failed, if there is another. */
static bool
on_refused(struct remote *remote, struct request *r, void *arg)
{
	struct link_set *s = arg;
	struct member *m = member_of(s, remote);

	if (m == NULL || s->n_members < 2 || health_is_off(&s->limits) || !has_other(s, m) ||
	    !may_go_again(s, r, false))
		return false;
	if (m->health.state != HEALTH_EJECTED) {
		health_eject(&m->health, &s->limits, loop_mono_ms(s->loop));
		note_ejection(s, m);
	}
	send_again(s, r);
	return true;
}
