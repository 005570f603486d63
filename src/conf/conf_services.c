/* SPDX-License-Identifier: ISC */
/*
 * Who serves what: "destinations", and "u_services" as a list or in QEWD's form of
 * an object with "destinations" and "routes".
 *
 * All that a route can name shares one table: destinations of both places, and
 * the applications here.  Remote nodes written inside a route become destinations
 * named "application@url", one for all routes that say the same.
 */
#include "conf/conf_int.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strmap.h"
#include "base/xmalloc.h"
#include "codec/path_template.h"
#include "conf/conf_fill.h"
#include "conf/conf_table.h"
#include "conf/conf_value.h"

#define GROUP_DEPTH_MAX 4	/* groups inside one another */

/* What a route can name.  The arrays of conf still move while names are collected. */
struct target {
	bool is_application;
	size_t index;			/* in conf->applications or conf->destinations */
	const struct conf_node *node;	/* where it is defined */
};

struct builder {
	struct conf *conf;
	struct conf_faults *faults;
	struct strmap *targets;		/* name -> struct target */
	struct strmap *services;	/* application -> 1 + index in conf->services */
	struct strmap *patterns;	/* application, newline, pattern -> struct conf_node */
	struct conf_section *type, *rest;	/* of routes of either kind */
};

typedef void entry_fn(struct builder *, struct conf_node *entry);

static void	 add_application_names(struct builder *, const struct conf_node *);
static void	 add_destinations(struct builder *, const struct conf_node *);
static void	 add_qewd_destinations(struct builder *, const struct conf_node *);
static void	 add_members(struct builder *, const struct conf_node *);
static void	 check_cycles(struct builder *, const struct conf_node *);
static void	 each_entry(struct builder *, const struct conf_node *, entry_fn *);
static entry_fn	 add_inline_destinations;
static entry_fn	 add_routes;

void
conf_services_build(struct conf *conf, const struct conf_node *root, struct conf_faults *faults)
{
	struct builder b = {
		.conf = conf, .faults = faults, .targets = strmap_new(),
		.services = strmap_new(), .patterns = strmap_new(),
		.type = conf_section_new("u_services[].types.*"),
		.rest = conf_section_new("u_services[]")
	};
	const struct conf_node *services = conf_node_get(root, "u_services");

	add_application_names(&b, conf_node_get(root, "applications"));
	add_destinations(&b, conf_node_get(root, "destinations"));
	add_qewd_destinations(&b, conf_node_get(services, "destinations"));
	each_entry(&b, services, add_inline_destinations);
	/* No destination is added any more. */
	add_members(&b, conf_node_get(root, "destinations"));
	add_members(&b, conf_node_get(services, "destinations"));
	check_cycles(&b, conf_node_get(root, "destinations"));
	check_cycles(&b, conf_node_get(services, "destinations"));
	each_entry(&b, services, add_routes);
	strmap_free(b.targets, free);
	strmap_free(b.services, NULL);
	strmap_free(b.patterns, NULL);
	conf_section_free(b.type);
	conf_section_free(b.rest);
}

static struct target *
find_target(const struct builder *b, const char *name)
{
	return strmap_find(b->targets, name, strlen(name));
}

/* A name that routes may use; a fault if it is taken. */
static void
add_target(struct builder *b, const char *name, const struct conf_node *node, bool is_application,
    size_t index)
{
	const struct target *taken = find_target(b, name);
	struct target *t;

	if (taken != NULL) {
		conf_faults_add(b->faults, node->source->name, node->line,
		    "the name \"%s\" is given twice: %s, line %u has it already "
		    "(destinations and applications share their names)", name,
		    taken->node->source->name, taken->node->line);
		return;
	}
	t = xcalloc(1, sizeof(*t));
	t->is_application = is_application;
	t->index = index;
	t->node = node;
	*strmap_at(b->targets, name, strlen(name)) = t;
}

static void
check_name(struct builder *b, const char *name, const struct conf_node *node)
{
	const char *wrong = conf_check_name(name);

	if (wrong != NULL)
		conf_faults_add(b->faults, node->source->name, node->line, "\"%s\" %s", name,
		    wrong);
}

static void
add_application_names(struct builder *b, const struct conf_node *map)
{
	for (size_t i = 0; i < b->conf->n_applications; i++) {
		check_name(b, map->key[i].name, map->item[i]);
		add_target(b, map->key[i].name, map->item[i], true, i);
	}
}

/* One more destination, with its defaults or what the map says. */
static struct conf_destination *
new_destination(struct builder *b, const char *name, const struct conf_node *map)
{
	struct conf *conf = b->conf;
	struct conf_destination *d;

	/* The array is a power of two long. */
	if ((conf->n_destinations & (conf->n_destinations - 1)) == 0)
		conf->destinations = xreallocarray(conf->destinations,
		    conf->n_destinations > 0 ? 2 * conf->n_destinations : 1,
		    sizeof(*conf->destinations));
	d = &conf->destinations[conf->n_destinations++];
	*d = (struct conf_destination){ .name = xstrdup(name) };
	conf_fill("destinations.*", map, d);
	return d;
}

/* Adds a URL that was found good; a fault if the destination has it. */
static void
add_url(struct builder *b, struct conf_destination *d, struct conf_node *node)
{
	struct conf_url *url;

	d->urls = xreallocarray(d->urls, d->n_urls + 1, sizeof(*d->urls));
	url = &d->urls[d->n_urls];
	*url = (struct conf_url){ 0 };
	if (node->is_bad || node->kind != CONF_SCALAR || conf_value_url(node->text, url) != NULL)
		return;
	d->n_urls++;
	for (size_t i = 0; i + 1 < d->n_urls; i++)
		if (strcmp(d->urls[i].text, url->text) == 0)
			conf_node_fault(node, b->faults, "destinations.%s.urls: %s is given twice",
			    d->name, url->text);
}

/* A group has members and nothing of a remote application's own. */
static bool
is_group(struct builder *b, const char *shown, const char *name, struct conf_node *entry)
{
	static const char *const other[] = { "application", "urls", "host", "url" };

	if (conf_node_get(entry, "destinations") == NULL)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(other); i++)
		if (conf_node_get(entry, other[i]) != NULL)
			conf_node_fault(conf_node_get(entry, other[i]), b->faults,
			    "%s.%s: a group has destinations, and no %s", shown, name, other[i]);
	return true;
}

static void
require(struct builder *b, const char *shown, const char *name, struct conf_node *entry,
    const char *key)
{
	char *option;

	if (entry->kind != CONF_MAP || conf_node_get(entry, key) != NULL)
		return;
	option = xasprintf("%s.*.%s", shown, key);
	conf_node_fault(entry, b->faults, "%s.%s: \"%s\" is missing: %s", shown, name, key,
	    conf_option_find(option)->help);
	free(option);
}

/* "@" is kept for the destinations that are written inside routes. */
static void
check_destination_name(struct builder *b, const char *name, const struct conf_node *node)
{
	check_name(b, name, node);
	if (strchr(name, '@') != NULL)
		conf_faults_add(b->faults, node->source->name, node->line,
		    "destinations.%s: the name must not hold \"@\"", name);
}

static void
check_health(struct builder *b, const struct conf_destination *d, const struct conf_node *entry)
{
	struct conf_node *health = conf_node_get(entry, "health");

	if (health != NULL && d->health.eject_max_ms < d->health.eject_ms)
		conf_node_fault(health, b->faults, "destinations.%s.health: eject_max must not be "
		    "below eject", d->name);
}

/* What stands under "tls", which is for "wss://". */
static void
check_tls(struct builder *b, const struct conf_destination *d, const struct conf_node *entry)
{
	struct conf_node *tls = conf_node_get(entry, "tls");
	char *shown = xasprintf("destinations.%s.tls", d->name);
	bool has_tls = d->n_urls == 0 && d->application != NULL;	/* told already */

	for (size_t i = 0; i < d->n_urls; i++)
		has_tls = has_tls || d->urls[i].is_tls;
	if (tls != NULL && !has_tls)
		conf_node_fault(tls, b->faults, "%s: none of its URLs begins with wss://", shown);
	if ((d->tls.certificate != NULL) != (d->tls.key != NULL))
		conf_node_fault(tls, b->faults, "%s: certificate and key go together", shown);
	if (!d->tls.verify && (d->tls.ca != NULL || d->tls.name != NULL))
		conf_node_fault(tls, b->faults, "%s: verify: false makes ca and name useless",
		    shown);
	conf_check_file(tls, "ca", d->tls.ca, shown, b->faults);
	conf_check_file(tls, "certificate", d->tls.certificate, shown, b->faults);
	conf_check_file(tls, "key", d->tls.key, shown, b->faults);
	free(shown);
}

static void
add_destinations(struct builder *b, const struct conf_node *map)
{
	if (map == NULL || map->kind != CONF_MAP)
		return;
	for (size_t i = 0; i < map->n; i++) {
		const char *name = map->key[i].name;
		const struct conf_node *urls = conf_node_get(map->item[i], "urls");
		bool has_urls = urls != NULL && urls->kind == CONF_LIST && !urls->is_bad;
		struct conf_destination *d = new_destination(b, name, map->item[i]);

		check_destination_name(b, name, map->item[i]);
		add_target(b, name, map->item[i], false, b->conf->n_destinations - 1);
		if (!is_group(b, "destinations", name, map->item[i])) {
			require(b, "destinations", name, map->item[i], "application");
			require(b, "destinations", name, map->item[i], "urls");
		}
		for (size_t k = 0; has_urls && k < urls->n; k++)
			add_url(b, d, urls->item[k]);
		check_tls(b, d, map->item[i]);
		check_health(b, d, map->item[i]);
	}
}

/* QEWD's {application, host}, or {destinations}. */
static void
add_qewd_destinations(struct builder *b, const struct conf_node *map)
{
	if (map == NULL || map->kind != CONF_MAP)
		return;
	for (size_t i = 0; i < map->n; i++) {
		const char *name = map->key[i].name;
		struct conf_node *entry = map->item[i];
		struct conf_node *host = conf_node_get(entry, "host");
		struct conf_node *url = conf_node_get(entry, "url");
		struct conf_destination *d = new_destination(b, name, NULL);

		check_destination_name(b, name, entry);
		add_target(b, name, entry, false, b->conf->n_destinations - 1);
		if (is_group(b, "u_services.destinations", name, entry))
			continue;
		d->application = conf_text_of(entry, "application");
		require(b, "u_services.destinations", name, entry, "application");
		if (entry->kind == CONF_MAP && (host != NULL) == (url != NULL))
			conf_node_fault(entry, b->faults, "u_services.destinations.%s: must have a "
			    "host (or url), such as \"ws://10.0.0.5:8081\"", name);
		else if (host != NULL || url != NULL)
			add_url(b, d, host != NULL ? host : url);
	}
}

/* Both forms of u_services have the same entries. */
static void
each_entry(struct builder *b, const struct conf_node *services, entry_fn *fn)
{
	if (services != NULL && services->kind == CONF_MAP)
		services = conf_node_get(services, "routes");
	if (services == NULL || services->kind != CONF_LIST)
		return;
	for (size_t i = 0; i < services->n; i++)
		if (services->item[i]->kind == CONF_MAP)
			fn(b, services->item[i]);
}

/*
 * The name of the destination that is written inside a route: "application@url".
 * NULL if its parts are not good.  Gives.
 */
static char *
inline_name(const struct conf_node *entry, const struct conf_node *type)
{
	char *text = conf_text_of(type, "url"), *application, *name = NULL;
	struct conf_url url = { 0 };

	application = conf_node_get(type, "application") != NULL ?
	    conf_text_of(type, "application") : conf_text_of(entry, "application");
	if (text != NULL && application != NULL && conf_value_url(text, &url) == NULL)
		name = xasprintf("%s@%s", application, url.text);
	free(url.text);
	free(url.host);
	free(application);
	free(text);
	return name;
}

static void
add_inline_destination(struct builder *b, const struct conf_node *entry,
    const struct conf_node *type)
{
	char *name = inline_name(entry, type);
	struct conf_destination *d;

	if (name != NULL && find_target(b, name) == NULL) {
		d = new_destination(b, name, NULL);
		d->application = xstrndup(name, (size_t)(strrchr(name, '@') - name));
		add_url(b, d, conf_node_get(type, "url"));
		add_target(b, name, type, false, b->conf->n_destinations - 1);
	}
	free(name);
}

static void
add_inline_destinations(struct builder *b, struct conf_node *entry)
{
	const struct conf_node *types = conf_node_get(entry, "types");

	for (size_t i = 0; types != NULL && types->kind == CONF_MAP && i < types->n; i++)
		add_inline_destination(b, entry, types->item[i]);
}

/* The service of an application; entries of the same one are joined. */
static struct conf_service *
service_of(struct builder *b, const char *application)
{
	struct conf *conf = b->conf;
	void **place = strmap_at(b->services, application, strlen(application));

	if (*place == NULL) {
		conf->services = xreallocarray(conf->services, conf->n_services + 1,
		    sizeof(*conf->services));
		conf->services[conf->n_services++] = (struct conf_service){
			.application = xstrdup(application)
		};
		*place = (void *)(uintptr_t)conf->n_services;
	}
	return &conf->services[(uintptr_t)*place - 1];
}

/* A pattern that this application has already is a fault. */
static void
check_pattern(struct builder *b, const char *application, const char *pattern,
    struct conf_node *type)
{
	const char *wrong = conf_check_pattern(pattern);
	const struct conf_node *taken;
	struct buf key = { 0 };
	void **place;

	/* Without printf, of which a large file would take very many. */
	buf_add_str(&key, application);
	buf_add_char(&key, '\n');
	buf_add_str(&key, pattern);
	place = strmap_at(b->patterns, key.data, key.len);
	taken = *place;
	buf_free(&key);
	if (wrong != NULL)
		conf_node_fault(type, b->faults, "u_services[].types: \"%s\" %s", pattern, wrong);
	if (taken != NULL)
		conf_node_fault(type, b->faults,
		    "u_services[].types: \"%s\" of application \"%s\" is routed in %s, line %u "
		    "already", pattern, application, taken->source->name, taken->line);
	*place = type;
}

/* The name of what a route leads to; NULL, with the fault noted, if it has none.  Gives. */
static char *
target_name(struct builder *b, const struct conf_node *entry, struct conf_node *type,
    const char *pattern)
{
	bool has_url = conf_node_get(type, "url") != NULL;
	bool has_destination = conf_node_get(type, "destination") != NULL;

	if (type->kind != CONF_MAP)
		return NULL;		/* noted by the check of this value */
	if (has_url == has_destination) {
		conf_node_fault(type, b->faults, "u_services[].types.%s: must have %s", pattern,
		    has_url ? "either url or destination, not both" :
		    "a url, such as \"ws://10.0.0.5:8081\", or a destination");
		return NULL;
	}
	if (has_url)
		return inline_name(entry, type);
	if (conf_node_get(type, "application") != NULL)
		conf_node_fault(conf_node_get(type, "application"), b->faults,
		    "u_services[].types.%s: application goes with url; a destination has its own",
		    pattern);
	return conf_text_of(type, "destination");
}

/* Who has this name; a fault at node, which is shown as section and key, if nobody has. */
static struct conf_target
resolve(struct builder *b, const char *section, const char *key, const char *name,
    struct conf_node *node)
{
	const struct target *target = find_target(b, name);
	struct conf_target found = { NULL, NULL };

	if (target != NULL && target->is_application)
		found.application = &b->conf->applications[target->index];
	else if (target != NULL)
		found.destination = &b->conf->destinations[target->index];
	else
		conf_node_fault(node, b->faults,
		    "%s%s: there is no destination or application \"%s\"", section, key, name);
	return found;
}

static void
add_route(struct builder *b, const struct conf_node *entry, struct conf_service *service,
    const char *pattern, struct conf_node *type)
{
	char *name = target_name(b, entry, type, pattern);
	struct conf_route *route = &service->routes[service->n_routes++];

	*route = (struct conf_route){ .pattern = xstrdup(pattern) };
	conf_section_fill(b->type, type, route);
	if (name != NULL)
		route->target = resolve(b, "u_services[].types.", pattern, name,
		    conf_node_get(type, "destination"));
	if (route->target.destination != NULL && route->target.destination->n_members > 0)
		conf_node_fault(conf_node_get(type, "destination"), b->faults,
		    "u_services[].types.%s: \"%s\" is a group, which REST routes alone can ask",
		    pattern, name);
	free(name);
}

/* ---- groups ---- */

static bool
is_same_target(const struct conf_target *a, const struct conf_target *b)
{
	return a->destination == b->destination && a->application == b->application &&
	    (a->destination != NULL || a->application != NULL);
}

static void
add_group(struct builder *b, struct conf_destination *d, const struct conf_node *list)
{
	char *shown = xasprintf("destinations.%s.destinations", d->name);

	d->members = xcalloc(list->n, sizeof(*d->members));
	for (size_t i = 0; i < list->n; i++) {
		struct conf_target member;

		if (list->item[i]->kind != CONF_SCALAR || list->item[i]->is_bad)
			continue;
		member = resolve(b, shown, "", list->item[i]->text, list->item[i]);
		for (size_t k = 0; k < d->n_members; k++)
			if (is_same_target(&d->members[k], &member))
				conf_node_fault(list->item[i], b->faults, "%s: %s is given twice",
				    shown, list->item[i]->text);
		d->members[d->n_members++] = member;
	}
	free(shown);
}

static void
add_members(struct builder *b, const struct conf_node *map)
{
	for (size_t i = 0; map != NULL && map->kind == CONF_MAP && i < map->n; i++) {
		const struct conf_node *list = conf_node_get(map->item[i], "destinations");
		const struct target *t = find_target(b, map->key[i].name);

		if (list != NULL && list->kind == CONF_LIST && !t->is_application &&
		    b->conf->destinations[t->index].n_members == 0)
			add_group(b, &b->conf->destinations[t->index], list);
	}
}

static bool
leads_to(const struct conf_destination *from, const struct conf_destination *to, size_t depth)
{
	for (size_t i = 0; i < from->n_members && depth > 0; i++) {
		const struct conf_destination *d = from->members[i].destination;

		if (d != NULL && (d == to || leads_to(d, to, depth - 1)))
			return true;
	}
	return false;
}

static bool
is_deep(const struct conf_destination *d, size_t depth)
{
	for (size_t i = 0; i < d->n_members; i++)
		if (d->members[i].destination != NULL &&
		    (depth == 0 || is_deep(d->members[i].destination, depth - 1)))
			return true;
	return false;
}

/* A group inside itself would ask for ever. */
static void
check_cycles(struct builder *b, const struct conf_node *map)
{
	for (size_t i = 0; map != NULL && map->kind == CONF_MAP && i < map->n; i++) {
		const struct target *t = find_target(b, map->key[i].name);
		const struct conf_destination *d;

		if (t == NULL || t->is_application)
			continue;
		d = &b->conf->destinations[t->index];
		if (leads_to(d, d, GROUP_DEPTH_MAX))
			conf_node_fault(map->item[i], b->faults,
			    "destinations.%s: the group is a member of itself", d->name);
		else if (is_deep(d, GROUP_DEPTH_MAX))
			conf_node_fault(map->item[i], b->faults,
			    "destinations.%s: more than %d groups inside one another", d->name,
			    GROUP_DEPTH_MAX);
	}
}

/* ---- REST routes ---- */

/* Does its path say who serves it?  A fault if it is no template. */
static bool
has_destination(struct builder *b, struct conf_node *entry, const char *path)
{
	struct path_template *t;
	const char *fault;
	bool has_it;

	if ((t = path_template_new(path, &fault)) == NULL) {
		conf_node_fault(conf_node_get(entry, "path"), b->faults,
		    "u_services[].path: %s: %s", path, fault);
		return true;
	}
	has_it = path_template_has(t, "destination");
	path_template_free(t);
	return has_it;
}

static void
add_rest_route(struct builder *b, struct conf_node *entry)
{
	struct conf *conf = b->conf;
	struct conf_node *destination = conf_node_get(entry, "destination");
	struct conf_rest_route *r;
	bool is_named;

	conf->rest_routes = xreallocarray(conf->rest_routes, conf->n_rest_routes + 1,
	    sizeof(*conf->rest_routes));
	r = &conf->rest_routes[conf->n_rest_routes++];
	*r = (struct conf_rest_route){ 0 };
	conf_section_fill(b->rest, entry, r);
	if (conf_node_get(entry, "application") != NULL || conf_node_get(entry, "types") != NULL)
		conf_node_fault(entry, b->faults,
		    "u_services[]: must have either a path, or an application with types");
	is_named = r->path == NULL || has_destination(b, entry, r->path);
	if (destination != NULL && destination->kind == CONF_SCALAR && !destination->is_bad)
		r->target = resolve(b, "u_services[].destination", "", destination->text,
		    destination);
	else if (destination == NULL && !is_named)
		conf_node_fault(entry, b->faults, "u_services[]: must have a destination, or "
		    "\":destination\" in its path");
}

/* What belongs to a path makes no sense beside types. */
static void
refuse_rest_keys(struct builder *b, const struct conf_node *entry)
{
	static const char *const keys[] = {
		"method", "destination", "timeout", "bypassJWTCheck", "on_leave", "idempotent"
	};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (conf_node_get(entry, keys[i]) != NULL)
			conf_node_fault(conf_node_get(entry, keys[i]), b->faults,
			    "u_services[].%s: goes with path; a type has its own", keys[i]);
}

static void
add_routes(struct builder *b, struct conf_node *entry)
{
	struct conf_node *types = conf_node_get(entry, "types");
	char *application = conf_text_of(entry, "application");
	struct conf_service *service;

	if (conf_node_get(entry, "path") != NULL) {
		free(application);
		add_rest_route(b, entry);
		return;
	}
	refuse_rest_keys(b, entry);
	if (conf_node_get(entry, "application") == NULL || types == NULL)
		conf_node_fault(entry, b->faults, "u_services[]: must have \"%s\", such as "
		    "{ application: my-app, types: { login: { destination: auth } } }",
		    types == NULL ? "types" : "application");
	if (application != NULL && types != NULL && types->kind == CONF_MAP) {
		service = service_of(b, application);
		service->routes = xreallocarray(service->routes, service->n_routes + types->n,
		    sizeof(*service->routes));
		for (size_t i = 0; i < types->n; i++) {
			check_pattern(b, application, types->key[i].name, types->item[i]);
			add_route(b, entry, service, types->key[i].name, types->item[i]);
		}
	}
	free(application);
}

void
conf_services_cleanup(struct conf *conf)
{
	for (size_t i = 0; i < conf->n_services; i++) {
		for (size_t k = 0; k < conf->services[i].n_routes; k++)
			free(conf->services[i].routes[k].pattern);
		free(conf->services[i].routes);
		free(conf->services[i].application);
	}
	free(conf->services);
	for (size_t i = 0; i < conf->n_rest_routes; i++) {
		free(conf->rest_routes[i].path);
		free(conf->rest_routes[i].method);
	}
	free(conf->rest_routes);
	for (size_t i = 0; i < conf->n_destinations; i++) {
		struct conf_destination *d = &conf->destinations[i];

		for (size_t k = 0; k < d->n_urls; k++) {
			free(d->urls[k].text);
			free(d->urls[k].host);
		}
		free(d->urls);
		free(d->tls.ca);
		free(d->tls.certificate);
		free(d->tls.key);
		free(d->tls.name);
		free(d->members);
		free(d->application);
		free(d->name);
	}
	free(conf->destinations);
}
