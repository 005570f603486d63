/* SPDX-License-Identifier: ISC */
/*
 * The commands that act on destinations and applications.
 *
 * What they set stands in the node's table of overrides, by name; the destinations of all loops
 * are told to go by it.  Whoever asked to wait is answered when nothing is in flight any more.
 */
#include "admin/admin_actions.h"

#include <stdlib.h>
#include <string.h>

#include "admin/admin_command.h"
#include "admin/admin_json.h"
#include "admin/admin_view.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "conf/conf.h"
#include "conf/conf_value.h"
#include "link/link_set.h"
#include "net/loop.h"
#include "request/override.h"
#include "worker/pool.h"

#define LOOK_MS	    20		/* how often we look whether what is waited for has come */
#define EXIT_FAILED 4		/* of usherctl: it was tried, and did not succeed */

/* What a command is about. */
struct subject {
	const char *name;
	const char *url;		/* NULL: all of it */
	struct conf_url own;		/* what url may point to */
};

/* A question whose answer waits until nothing is in flight, or until a roll is over. */
struct waiting {
	struct admin_ask *ask;
	struct loop *loop;
	struct timer timer;
	struct subject subject;
	bool is_new;
};

/* ---- what it is about ---- */

/* SIZE_MAX: there is none. */
static size_t
find_destination(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n_destinations; i++)
		if (strcmp(conf->destinations[i].name, name) == 0)
			return i;
	return SIZE_MAX;
}

static size_t
find_application(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n_applications; i++)
		if (strcmp(conf->applications[i].name, name) == 0)
			return i;
	return SIZE_MAX;
}

static bool
has_url(const struct conf_destination *d, const char *text)
{
	for (size_t i = 0; i < d->n_urls; i++)
		if (strcmp(d->urls[i].text, text) == 0)
			return true;
	return false;
}

static void
cleanup_subject(struct subject *s)
{
	free(s->own.text);
	free(s->own.host);
}

/* False: it was refused. */
static bool
read_subject(struct admin_ask *a, struct subject *s)
{
	const struct conf *conf = a->view->conf;
	size_t i = find_destination(conf, a->arg[0]);

	*s = (struct subject){ .name = a->arg[0] };
	if (find_application(conf, s->name) != SIZE_MAX) {
		if (a->arg[1] == NULL)
			return true;
		admin_refuse(a, "bad_request", "%s is an application of this node, and has no URLs",
		    s->name);
		return false;
	}
	if (i == SIZE_MAX) {
		admin_refuse(a, "not_found", "there is no destination or application \"%s\"; "
		    "\"links\" and \"pools\" list them", s->name);
		return false;
	}
	if (conf->destinations[i].n_members > 0) {
		admin_refuse(a, "bad_request", "%s is a group: name one of its destinations",
		    s->name);
		return false;
	}
	if (a->arg[1] == NULL)
		return true;
	if (conf_value_url(a->arg[1], &s->own) == NULL &&
	    has_url(&conf->destinations[i], s->own.text)) {
		s->url = s->own.text;
		return true;
	}
	cleanup_subject(s);
	admin_refuse(a, "not_found", "destination %s has no URL \"%s\"; \"links\" lists them",
	    s->name, a->arg[1]);
	return false;
}

/* ---- acting ---- */

/* All loops stand still. */
static void
apply(const struct admin_view *v, const char *name)
{
	size_t i = find_destination(v->conf, name), app = find_application(v->conf, name);

	for (size_t k = 0; k < v->n_loops && i != SIZE_MAX; k++)
		link_set_apply_overrides(v->loops[k].link_sets[i]);
	if (app != SIZE_MAX)
		pool_apply_overrides(v->pools[app]);
}

/* As that; a destination that a reload has removed has nothing in flight. */
static size_t
in_flight(const struct admin_view *v, const struct subject *s)
{
	size_t i = find_destination(v->conf, s->name), n = 0;
	size_t app = find_application(v->conf, s->name);
	struct pool_info info;

	if (app != SIZE_MAX) {
		pool_describe(v->pools[app], &info);
		return info.in_flight + (info.is_paused || info.use != OVERRIDE_NONE ?
		    info.n_to_serve : 0);
	}
	for (size_t k = 0; k < v->n_loops && i != SIZE_MAX; k++)
		n += link_set_in_flight(v->loops[k].link_sets[i], v->loops[k].requests, s->url);
	return n;
}

static const char *
state_of(const struct admin_view *v, const struct subject *s)
{
	size_t i = find_destination(v->conf, s->name);
	size_t app = find_application(v->conf, s->name);

	if (app != SIZE_MAX)
		return pool_state(v->pools[app]);
	if (s->url != NULL)
		return override_name(overrides_use(v->overrides, s->name, s->url));
	return i != SIZE_MAX ? link_set_state(v->link_sets[i]) : "removed";
}

/* The answer to all of them but roll. */
static void
answer(struct admin_ask *a, const struct subject *s, bool is_new)
{
	const struct admin_view *v = a->view;
	size_t n = in_flight(v, s);
	struct buf text = { 0 };

	buf_printf(&text, "%s%s%s is %s%s; %zu in flight", s->name, s->url != NULL ? " " : "",
	    s->url != NULL ? s->url : "", state_of(v, s), is_new ? "" : " already", n);
	admin_json_text(&a->out, "text", buf_str(&text));
	admin_json_text(&a->out, "destination", s->name);
	admin_json_text(&a->out, "url", s->url);
	admin_json_text(&a->out, "state", state_of(v, s));
	admin_json_bool(&a->out, "changed", is_new);
	admin_json_u64(&a->out, "in_flight", n);
	buf_free(&text);
	admin_done(a);
}

static void
log_action(const struct admin_ask *a, const char *what, const struct subject *s)
{
	char who[ADMIN_WHO_MAX];

	admin_who_text(&a->who, who);
	log_info("%s %s%s%s: %s by %s", find_application(a->view->conf, s->name) != SIZE_MAX ?
	    "application" : "destination", s->name, s->url != NULL ? " " : "",
	    s->url != NULL ? s->url : "", what, who);
}

static void
waiting_free(struct waiting *w)
{
	loop_timer_stop(w->loop, &w->timer);
	cleanup_subject(&w->subject);
	free(w);
}

static void
on_gone(struct admin_ask *a)
{
	waiting_free(a->own);
}

static void
look_for_end(void *arg)
{
	struct waiting *w = arg;
	struct admin_ask *a = w->ask;
	const struct admin_view *v = a->view;

	admin_hold(v);
	if (in_flight(v, &w->subject) > 0) {
		loop_timer_set(v->loop, &w->timer, LOOK_MS, look_for_end, w);
	} else {
		a->on_gone = NULL;
		answer(a, &w->subject, w->is_new);
		waiting_free(w);
	}
	admin_release(v);
}

static struct waiting *
waiting_new(struct admin_ask *a)
{
	struct waiting *w = xcalloc(1, sizeof(*w));

	w->ask = a;
	w->loop = a->view->loop;
	a->own = w;
	a->on_gone = on_gone;
	return w;
}

/* Takes the subject.  Answers now, or (--wait) when nothing is in flight any more. */
static void
answer_or_wait(struct admin_ask *a, struct subject *s, bool is_new)
{
	struct waiting *w;

	if (a->option[ADMIN_OPT_WAIT] == NULL || in_flight(a->view, s) == 0) {
		answer(a, s, is_new);
		cleanup_subject(s);
		return;
	}
	w = waiting_new(a);
	w->subject = *s;
	w->is_new = is_new;
	loop_timer_set(w->loop, &w->timer, LOOK_MS, look_for_end, w);
}

static void
set(struct admin_ask *a, enum override_kind kind)
{
	char who[ADMIN_WHO_MAX];
	struct subject s;
	bool is_new;

	if (!read_subject(a, &s))
		return;
	admin_who_text(&a->who, who);
	if (!overrides_set(a->view->overrides, kind, s.name, s.url, who, &is_new)) {
		cleanup_subject(&s);
		admin_refuse(a, "too_many", "%d settings are in force already", OVERRIDES_MAX);
		return;
	}
	if (is_new)
		log_action(a, override_name(kind), &s);
	apply(a->view, s.name);
	answer_or_wait(a, &s, is_new);
}

/* The end of what was set for a destination or URL that the configuration has lost meanwhile. */
static bool
clear_lost(struct admin_ask *a, enum override_kind kind, const char *what)
{
	const struct conf *conf = a->view->conf;
	size_t i = find_destination(conf, a->arg[0]);
	struct subject s = { .name = a->arg[0] };
	bool is_lost = i == SIZE_MAX && find_application(conf, a->arg[0]) == SIZE_MAX;
	bool was_set = false;

	if (a->arg[1] != NULL) {
		if (conf_value_url(a->arg[1], &s.own) != NULL)
			return false;
		s.url = s.own.text;
		is_lost = is_lost || (i != SIZE_MAX && !has_url(&conf->destinations[i], s.url));
	}
	if (is_lost)
		was_set = overrides_clear(a->view->overrides, kind, s.name, s.url);
	if (was_set) {
		log_action(a, what, &s);
		apply(a->view, s.name);
		admin_json_text(&a->out, "text", "the setting was removed");
		admin_done(a);
	}
	cleanup_subject(&s);
	return was_set;
}

static void
clear(struct admin_ask *a, enum override_kind kind, const char *what)
{
	struct subject s;
	bool was_set;

	if (clear_lost(a, kind, what) || !read_subject(a, &s))
		return;
	was_set = overrides_clear(a->view->overrides, kind, s.name, s.url);
	if (was_set)
		log_action(a, what, &s);
	apply(a->view, s.name);
	answer(a, &s, was_set);
	cleanup_subject(&s);
}

void
admin_pause(struct admin_ask *a)
{
	set(a, OVERRIDE_PAUSED);
}

void
admin_resume(struct admin_ask *a)
{
	clear(a, OVERRIDE_PAUSED, "resumed");
}

void
admin_drain_destination(struct admin_ask *a)
{
	set(a, OVERRIDE_DRAINED);
}

void
admin_disable(struct admin_ask *a)
{
	set(a, OVERRIDE_DISABLED);
}

void
admin_enable(struct admin_ask *a)
{
	clear(a, OVERRIDE_DISABLED, "enabled");
}

void
admin_add_overrides(struct admin_ask *a)
{
	const struct override *o;

	if (overrides_get(a->view->overrides, 0) == NULL)
		return;
	admin_json_open(&a->out, "set", '[');
	for (size_t i = 0; (o = overrides_get(a->view->overrides, i)) != NULL; i++) {
		admin_json_open(&a->out, NULL, '{');
		admin_json_text(&a->out, "destination", o->destination);
		admin_json_text(&a->out, "url", o->url);
		admin_json_text(&a->out, "state", override_name(o->kind));
		admin_json_text(&a->out, "by", o->by);
		admin_json_u64(&a->out, "since_ms", clock_mono_ms() - o->since_ms);
		admin_json_u64(&a->out, "since_wall_ms", (uint64_t)o->since_wall_ms);
		admin_json_close(&a->out, '}');
	}
	admin_json_close(&a->out, ']');
}

/* ---- rolling an application ---- */

static void
answer_roll(struct admin_ask *a, const struct pool *p)
{
	struct pool_info info;
	bool has_failed;

	pool_describe(p, &info);
	has_failed = info.roll == POOL_ROLL_FAILED;
	admin_json_text(&a->out, "text", has_failed ?
	    "a new worker did not get ready: the old ones stay (the log says why)" :
	    "all workers are new");
	admin_json_text(&a->out, "application", info.application);
	admin_json_bool(&a->out, "rolled", !has_failed);
	admin_json_u64(&a->out, "replaced", info.n_rolled);
	admin_done_with(a, has_failed ? EXIT_FAILED : 0);
}

static void
look_for_roll(void *arg)
{
	struct waiting *w = arg;
	struct admin_ask *a = w->ask;
	const struct admin_view *v = a->view;
	size_t i = find_application(v->conf, a->arg[0]);
	struct pool_info info;

	if (i == SIZE_MAX) {
		a->on_gone = NULL;
		waiting_free(w);
		admin_refuse(a, "not_found", "the application was removed by a reload");
		return;
	}
	pool_describe(v->pools[i], &info);
	if (info.roll == POOL_ROLLING) {
		loop_timer_set(v->loop, &w->timer, LOOK_MS, look_for_roll, w);
		return;
	}
	a->on_gone = NULL;
	waiting_free(w);
	answer_roll(a, v->pools[i]);
}

void
admin_roll(struct admin_ask *a)
{
	const struct admin_view *v = a->view;
	size_t i = find_application(v->conf, a->arg[0]);
	char who[ADMIN_WHO_MAX];
	struct waiting *w;

	if (i == SIZE_MAX) {
		admin_refuse(a, "not_found", "there is no application \"%s\" here; \"pools\" lists "
		    "them", a->arg[0]);
		return;
	}
	admin_who_text(&a->who, who);
	log_info("application %s: rolled by %s", a->arg[0], who);
	pool_roll(v->pools[i]);
	w = waiting_new(a);
	loop_timer_set(w->loop, &w->timer, 0, look_for_roll, w);
}
