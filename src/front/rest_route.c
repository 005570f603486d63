/* SPDX-License-Identifier: ISC */
/*
 * A list of templates, looked at in order; targets by name, for paths that name theirs.
 */
#include "front/rest_route.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/log.h"
#include "base/strmap.h"
#include "base/xmalloc.h"
#include "conf/conf.h"
#include "request/destination.h"

struct entry {
	const struct conf_rest_route *conf;
	unsigned number;		/* for whom it concerns; 0: not known yet */
	struct path_template *template;
	struct http_text first;		/* the first segment with its slash; len 0: not one text */
	const struct rest_target *target;	/* NULL: the path names it */
};

struct local {
	const char *prefix;
	size_t len;
	const struct rest_target *target;
};

struct rest_table {
	unsigned refs;
	struct conf *held;		/* a reference */
	rest_find_fn *find;
	void *arg;
	struct strmap *targets;		/* name -> struct rest_target */
	struct entry *entries;
	size_t n_entries;
	struct local *locals;		/* the longest prefix first */
	size_t n_locals;
};

/* What a route without a method takes. */
static const char *const any_method[] = { "DELETE", "GET", "PATCH", "POST", "PUT" };

/* ---- targets ---- */

static void
add_member(struct rest_target *t, struct destination *d)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->member[i] == d)
			return;
	t->member = xreallocarray(t->member, t->n + 1, sizeof(struct destination *));
	t->member[t->n++] = d;
}

/* The configuration has no groups that hold themselves. */
static void
add_members(const struct rest_table *table, struct rest_target *t, const struct conf_target *target)
{
	const struct conf_destination *group = target->destination;

	if (group == NULL || group->n_members == 0) {
		add_member(t, table->find(target, table->arg));
		return;
	}
	for (size_t i = 0; i < group->n_members; i++)
		add_members(table, t, &group->members[i]);
}

static const struct rest_target *
target_for(struct rest_table *table, const struct conf_target *target)
{
	const struct conf_destination *d = target->destination;
	const char *name = d != NULL ? d->name : target->application->name;
	void **at = strmap_at(table->targets, name, strlen(name));
	struct rest_target *t;

	if (*at != NULL)
		return *at;
	*at = t = xcalloc(1, sizeof(*t));
	t->is_application = d == NULL;
	if (d != NULL && d->n_members > 0) {
		t->is_group = true;
		t->timeout_ms = d->timeout_ms;
	}
	add_members(table, t, target);
	return t;
}

/*
 * Those that a path may name; those that are written inside routes ("application@url") have
 * no name of their own.
 */
static void
add_destinations(struct rest_table *table, const struct conf *conf)
{
	for (size_t i = 0; i < conf->n_destinations; i++)
		if (strchr(conf->destinations[i].name, '@') == NULL)
			target_for(table, &(struct conf_target){ &conf->destinations[i], NULL });
}

static void
target_free(void *arg)
{
	struct rest_target *t = arg;

	free(t->member);
	free(t);
}

/* ---- the table ---- */

/* "/api" of "/api/user/:id"; nothing of "/:application/user". */
static struct http_text
first_segment(const char *path)
{
	size_t len = 1 + strcspn(path + 1, "/():*");

	if (len > 1 && (path[len] == '\0' || path[len] == '/' || path[len] == '('))
		return (struct http_text){ path, len };
	return (struct http_text){ path, 0 };
}

static void
add_entry(struct rest_table *table, const struct conf_rest_route *conf)
{
	struct entry *e = &table->entries[table->n_entries++];
	const char *fault;

	e->conf = conf;
	e->template = path_template_new(conf->path, &fault);
	if (e->template == NULL)
		fatalx("route %s: %s", conf->path, fault);
	e->first = first_segment(conf->path);
	if (conf->target.destination != NULL || conf->target.application != NULL)
		e->target = target_for(table, &conf->target);
}

static void
add_local(struct rest_table *table, const struct conf_application *app)
{
	size_t len = strlen(app->rest), at = table->n_locals++;

	while (len > 0 && app->rest[len - 1] == '/')
		len--;
	for (; at > 0 && table->locals[at - 1].len < len; at--)
		table->locals[at] = table->locals[at - 1];
	table->locals[at] = (struct local){
		.prefix = app->rest,
		.len = len,
		.target = target_for(table, &(struct conf_target){ NULL, app }),
	};
}

struct rest_table *
rest_table_new(struct conf *conf, rest_find_fn *find, void *arg)
{
	struct rest_table *table = xcalloc(1, sizeof(*table));

	table->refs = 1;
	table->held = conf_ref(conf);
	table->find = find;
	table->arg = arg;
	table->targets = strmap_new();
	table->entries = xcalloc(conf->n_rest_routes, sizeof(*table->entries));
	table->locals = xcalloc(conf->n_applications, sizeof(*table->locals));
	for (size_t i = 0; i < conf->n_rest_routes; i++)
		add_entry(table, &conf->rest_routes[i]);
	for (size_t i = 0; i < conf->n_applications; i++)
		if (conf->applications[i].rest != NULL)
			add_local(table, &conf->applications[i]);
	if (table->n_entries > 0)
		add_destinations(table, conf);
	return table;
}

struct rest_table *
rest_table_ref(struct rest_table *table)
{
	table->refs++;
	return table;
}

bool
rest_table_is_shared(const struct rest_table *table)
{
	return table->refs > 1;
}

void
rest_table_unref(struct rest_table *table)
{
	if (table == NULL || --table->refs > 0)
		return;
	for (size_t i = 0; i < table->n_entries; i++)
		path_template_free(table->entries[i].template);
	free(table->entries);
	free(table->locals);
	strmap_free(table->targets, target_free);
	conf_unref(table->held);
	free(table);
}

/* ---- questions ---- */

static bool
begins_with(struct http_text path, const char *prefix, size_t len)
{
	return path.len >= len && memcmp(path.p, prefix, len) == 0 &&
	    (path.len == len || path.p[len] == '/');
}

static bool
fits(const struct entry *e, struct http_text path, struct path_vars *vars)
{
	return path_template_match(e->template, path.p, path.len, vars);
}

bool
rest_table_begins(const struct rest_table *table, struct http_text path)
{
	for (size_t i = 0; i < table->n_locals; i++)
		if (begins_with(path, table->locals[i].prefix, table->locals[i].len))
			return true;
	for (size_t i = 0; i < table->n_entries; i++) {
		const struct entry *e = &table->entries[i];

		if (e->first.len > 0 && begins_with(path, e->first.p, e->first.len))
			return true;
	}
	return false;
}

/* Methods are told apart by case. */
static bool
is_method(struct http_text method, const char *name)
{
	return method.len == strlen(name) && memcmp(method.p, name, method.len) == 0;
}

static bool
is_any_method(struct http_text method)
{
	for (size_t i = 0; i < ARRAY_LEN(any_method); i++)
		if (is_method(method, any_method[i]))
			return true;
	return false;
}

/* Who serves GET serves HEAD. */
static struct http_text
as_get(struct http_text method)
{
	return is_method(method, "HEAD") ? (struct http_text){ "GET", 3 } : method;
}

static bool
takes(const struct conf_rest_route *route, struct http_text method)
{
	if (route->method == NULL)
		return is_any_method(as_get(method));
	return is_method(method, route->method) || is_method(as_get(method), route->method);
}

/* Applications here have routes that are meant for them, and prefixes, but no name in paths. */
static const struct rest_target *
target_of_path(const struct rest_table *table, const struct path_vars *vars)
{
	struct buf name = { 0 };
	const struct rest_target *t = NULL;

	if (path_vars_get(vars, "destination", &name))
		t = strmap_find(table->targets, buf_str(&name), name.len);
	buf_free(&name);
	return t != NULL && t->is_application ? NULL : t;
}

/* As in QEWD, a destination that the path names comes before the route's. */
static void
choose_target(const struct rest_table *table, struct entry *e, struct rest_match *m)
{
	m->kind = REST_ROUTE;
	m->route = e->conf;
	m->number = &e->number;
	m->target = e->target;
	for (size_t i = 0; i < m->vars.n; i++)
		if (strcmp(m->vars.var[i].name, "destination") == 0 &&
		    m->vars.var[i].value != NULL)
			m->target = target_of_path(table, &m->vars);
}

/* "/shop/order/17" of "/shop": type "order", rest "17". */
static bool
split_local(const struct local *l, struct http_text path, struct rest_match *m)
{
	const char *end = path.p + path.len, *slash;

	if (!begins_with(path, l->prefix, l->len) || path.len < l->len + 2)
		return false;
	m->type.p = path.p + l->len + 1;
	slash = memchr(m->type.p, '/', (size_t)(end - m->type.p));
	if (slash != NULL)
		m->rest = (struct http_text){ slash + 1, (size_t)(end - slash - 1) };
	m->type.len = (size_t)((slash != NULL ? slash : end) - m->type.p);
	return m->type.len > 0;
}

void
rest_table_find(const struct rest_table *table, struct http_text method, struct http_text path,
    struct rest_match *m)
{
	enum rest_kind none = REST_NOTHING;

	*m = (struct rest_match){ 0 };
	for (size_t i = 0; i < table->n_entries; i++) {
		struct entry *e = &table->entries[i];

		if (!fits(e, path, &m->vars))
			continue;
		if (takes(e->conf, method)) {
			choose_target(table, e, m);
			return;
		}
		none = REST_NO_METHOD;
	}
	for (size_t i = 0; i < table->n_locals; i++) {
		if (!split_local(&table->locals[i], path, m))
			continue;
		m->kind = is_any_method(as_get(method)) ? REST_LOCAL : REST_NO_METHOD;
		m->target = table->locals[i].target;
		return;
	}
	m->kind = none;
}

static void
add_method(struct buf *out, const char *method, size_t start)
{
	if (out->len > start)
		buf_add_str(out, ", ");
	buf_add_str(out, method);
}

void
rest_table_add_methods(const struct rest_table *table, struct http_text path, struct buf *out)
{
	static const char *const shown[] = {
		"DELETE", "GET", "HEAD", "PATCH", "POST", "PUT",
	};
	size_t start = out->len;
	struct rest_match m;

	for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
		rest_table_find(table, (struct http_text){ shown[i], strlen(shown[i]) }, path, &m);
		if (m.kind == REST_ROUTE || m.kind == REST_LOCAL)
			add_method(out, shown[i], start);
	}
	add_method(out, "OPTIONS", start);
}
