/* SPDX-License-Identifier: ISC */
/*
 * The routes of the configuration beside the state of what they lead to.
 */
#include "admin/admin_routes.h"

#include <stdio.h>
#include <string.h>

#include "admin/admin_view.h"
#include "conf/conf.h"
#include "link/link_set.h"
#include "worker/pool.h"

/* ---- who is served ---- */

static const struct pool *
pool_of(const struct admin_view *v, const struct conf_application *app)
{
	return v->pools[app - v->conf->applications];
}

static const char *
fault_of_pool(const struct pool *p)
{
	struct pool_info info;

	pool_describe(p, &info);
	if (info.use == OVERRIDE_DRAINED)
		return "the application is drained";
	if (info.use == OVERRIDE_DISABLED)
		return "the application is disabled";
	return info.is_failing ? "its workers do not start" : NULL;
}

bool
admin_routes_is_up(const struct admin_view *v, size_t destination)
{
	for (size_t i = 0; i < v->n_loops; i++)
		if (link_set_is_up(v->loops[i].link_sets[destination]))
			return true;
	return false;
}

/* One that is paused is served, if a little later. */
static const char *
fault_of_destination(const struct admin_view *v, size_t i)
{
	for (size_t k = 0; k < v->n_loops; k++)
		if (link_set_takes_requests(v->loops[k].link_sets[i]))
			return NULL;
	switch (link_set_use(v->link_sets[i])) {
	case OVERRIDE_DRAINED:
		return "the destination is drained";
	case OVERRIDE_DISABLED:
		return "the destination is disabled";
	default:
		return admin_routes_is_up(v, i) ? "all its URLs are drained or disabled" :
		    "no link is up";
	}
}

void
admin_route_name(const struct admin_route *r, char name[ADMIN_ROUTE_NAME_MAX])
{
	if (r->kind == ADMIN_ROUTE_PREFIX)	/* counted with the application's other messages */
		snprintf(name, ADMIN_ROUTE_NAME_MAX, "%s/*", r->destination);
	else if (r->application != NULL)
		snprintf(name, ADMIN_ROUTE_NAME_MAX, "%s/%s", r->application, r->pattern);
	else
		snprintf(name, ADMIN_ROUTE_NAME_MAX, "%s %s", r->method != NULL ? r->method :
		    "any", r->pattern);
}

const char *
admin_routes_fault(const struct admin_view *v, const struct conf_target *t)
{
	const char *why = NULL;

	if (t->application != NULL)
		return fault_of_pool(pool_of(v, t->application));
	if (t->destination->n_members == 0)
		return fault_of_destination(v, (size_t)(t->destination - v->conf->destinations));
	for (size_t i = 0; i < t->destination->n_members; i++)
		if ((why = admin_routes_fault(v, &t->destination->members[i])) == NULL)
			return NULL;
	return why;
}

/* Does a pattern of types, as routes have them, take this type? */
struct asked {
	const char *pattern;
	bool is_taken;
};

static void
on_type(const char *type, size_t len, void *arg)
{
	struct asked *a = arg;
	size_t fixed = strcspn(a->pattern, "*");

	if (a->pattern[fixed] == '*' ? len >= fixed && memcmp(type, a->pattern, fixed) == 0 :
	    len == fixed && memcmp(type, a->pattern, len) == 0)
		a->is_taken = true;
}

/* Workers may have said that they do not serve any such type. */
static const char *
fault_of_type(const struct admin_view *v, const struct conf_target *t, const char *pattern)
{
	struct asked a = { pattern, false };
	struct pool_info info;

	if (t->application == NULL)
		return NULL;
	pool_describe(pool_of(v, t->application), &info);
	if (!info.has_types)
		return NULL;
	pool_each_type(pool_of(v, t->application), on_type, &a);
	return a.is_taken ? NULL : "its workers serve no such type";
}

/* ---- the routes ---- */

static uint64_t
timeout_of(const struct admin_view *v, const struct conf_target *t, uint64_t own_ms)
{
	if (own_ms != 0)
		return own_ms;
	if (t->destination != NULL && t->destination->timeout_ms != 0)
		return t->destination->timeout_ms;
	return v->conf->timeouts.request_ms;
}

static const char *
name_of(const struct conf_target *t)
{
	if (t->destination != NULL)
		return t->destination->name;
	return t->application != NULL ? t->application->name : NULL;
}

static void
tell_types(const struct admin_view *v, const struct conf_service *s,
    void (*fn)(const struct admin_route *, void *), void *arg)
{
	for (size_t i = 0; i < s->n_routes; i++) {
		const struct conf_route *r = &s->routes[i];
		struct admin_route route = {
			.kind = ADMIN_ROUTE_TYPE,
			.application = s->application,
			.pattern = r->pattern,
			.destination = name_of(&r->target),
			.timeout_ms = timeout_of(v, &r->target, r->timeout_ms),
			.why = admin_routes_fault(v, &r->target),
		};

		if (route.why == NULL)
			route.why = fault_of_type(v, &r->target, r->pattern);
		fn(&route, arg);
	}
}

static void
tell_path(const struct admin_view *v, const struct conf_rest_route *r,
    void (*fn)(const struct admin_route *, void *), void *arg)
{
	struct admin_route route = {
		.kind = ADMIN_ROUTE_PATH,
		.pattern = r->path,
		.method = r->method,
		.destination = name_of(&r->target),
		.timeout_ms = timeout_of(v, &r->target, r->timeout_ms),
	};

	if (route.destination != NULL)
		route.why = admin_routes_fault(v, &r->target);
	fn(&route, arg);
}

static void
tell_local(const struct admin_view *v, const struct conf_application *app,
    void (*fn)(const struct admin_route *, void *), void *arg)
{
	struct conf_target target = { NULL, app };
	struct admin_route route = {
		.kind = ADMIN_ROUTE_LOCAL,
		.application = app->name,
		.pattern = CONF_PATTERN_ANY,
		.destination = app->name,
		.timeout_ms = v->conf->timeouts.request_ms,
		.why = admin_routes_fault(v, &target),
	};

	fn(&route, arg);
	if (app->rest == NULL)
		return;
	route.kind = ADMIN_ROUTE_PREFIX;
	route.application = NULL;
	route.pattern = app->rest;
	fn(&route, arg);
}

void
admin_routes_each(const struct admin_view *v, void (*fn)(const struct admin_route *, void *),
    void *arg)
{
	for (size_t i = 0; i < v->conf->n_services; i++)
		tell_types(v, &v->conf->services[i], fn, arg);
	for (size_t i = 0; i < v->conf->n_rest_routes; i++)
		tell_path(v, &v->conf->rest_routes[i], fn, arg);
	for (size_t i = 0; i < v->conf->n_applications; i++)
		tell_local(v, &v->conf->applications[i], fn, arg);
}
