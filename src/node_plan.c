/* SPDX-License-Identifier: ISC */
/*
 * Compares two configurations; everything is found by name, in tables, as there may be tens of
 * thousands of it.
 */
#include "node_plan.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strmap.h"
#include "base/xmalloc.h"
#include "conf/conf_diff.h"
#include "net/tls_store.h"

/* ---- destinations ---- */

/* Requests under way know a destination by what its messages are rewritten to. */
static bool
is_same_destination(const struct conf_destination *a, const struct conf_destination *b)
{
	return a->application != NULL && b->application != NULL &&
	    strcmp(a->application, b->application) == 0;
}

static struct strmap *
destinations_by_name(const struct conf *conf)
{
	struct strmap *map = strmap_new();

	for (size_t i = 0; conf != NULL && i < conf->n_destinations; i++) {
		struct conf_destination *d = &conf->destinations[i];

		*strmap_at(map, d->name, strlen(d->name)) = d;
	}
	return map;
}

static void
find_old_sets(struct node_plan *p)
{
	struct strmap *map = destinations_by_name(p->old);

	p->old_set = xcalloc(p->conf->n_destinations, sizeof(*p->old_set));
	for (size_t i = 0; i < p->conf->n_destinations; i++) {
		const struct conf_destination *d = &p->conf->destinations[i], *old;

		old = strmap_find(map, d->name, strlen(d->name));
		p->old_set[i] = old != NULL && is_same_destination(old, d) ?
		    (size_t)(old - p->old->destinations) : PLAN_NEW;
	}
	strmap_free(map, NULL);
}

/* ---- URLs ---- */

static size_t
add_url(struct node_plan *p, struct strmap *map, const struct conf_destination *d,
    const struct conf_url *url)
{
	char *trust = tls_store_key(d, url);
	char *key = xasprintf("%s\n%s", url->text, trust != NULL ? trust : "");
	void **at = strmap_at(map, key, strlen(key));
	struct plan_url *u;

	free(trust);
	if (*at == NULL) {
		p->urls = xreallocarray(p->urls, p->n_urls + 1, sizeof(*p->urls));
		p->urls[p->n_urls] = (struct plan_url){ .id = key, .url = url,
			.tls = tls_store_client(p->tls, d, url), .application = d->application };
		*at = (void *)(uintptr_t)++p->n_urls;	/* one more than its number */
	} else {
		free(key);
	}
	u = &p->urls[(size_t)(uintptr_t)*at - 1];
	/* "auto" says nothing; of others the first counts. */
	if (u->protocol == CONF_PROTOCOL_AUTO)
		u->protocol = d->protocol;
	return (size_t)(uintptr_t)*at - 1;
}

static void
add_urls(struct node_plan *p)
{
	struct strmap *map = strmap_new();

	p->url_of = xcalloc(p->conf->n_destinations, sizeof(*p->url_of));
	for (size_t i = 0; i < p->conf->n_destinations; i++) {
		const struct conf_destination *d = &p->conf->destinations[i];

		p->url_of[i] = xcalloc(d->n_urls, sizeof(**p->url_of));
		for (size_t k = 0; k < d->n_urls; k++)
			p->url_of[i][k] = add_url(p, map, d, &d->urls[k]);
	}
	strmap_free(map, NULL);
	/* A peer that is to be spoken to in another way is dialled anew. */
	for (size_t i = 0; i < p->n_urls; i++) {
		char *id = xasprintf("%d %s", p->urls[i].protocol, p->urls[i].id);

		free(p->urls[i].id);
		p->urls[i].id = id;
	}
}

/* ---- applications ---- */

static enum plan_roll
roll_of(const struct node_plan *p, const struct conf_application *a,
    const struct conf_application *old)
{
	if (!conf_same_workers(a, old) || (a->qewd && !conf_same_hello(p->conf, p->old)))
		return PLAN_ROLLS_SETTINGS;
	return a->reload_stamp != old->reload_stamp ? PLAN_ROLLS_FILES : PLAN_STAYS;
}

static void
find_old_pools(struct node_plan *p)
{
	p->old_pool = xcalloc(p->conf->n_applications, sizeof(*p->old_pool));
	p->roll = xcalloc(p->conf->n_applications, sizeof(*p->roll));
	for (size_t i = 0; i < p->conf->n_applications; i++) {
		const struct conf_application *a = &p->conf->applications[i];

		p->old_pool[i] = PLAN_NEW;
		for (size_t k = 0; p->old != NULL && k < p->old->n_applications; k++) {
			if (strcmp(a->name, p->old->applications[k].name) != 0)
				continue;
			p->old_pool[i] = k;
			p->roll[i] = roll_of(p, a, &p->old->applications[k]);
		}
	}
}

struct node_plan *
node_plan_new(struct conf *conf, struct tls_store *tls, struct conf *old)
{
	struct node_plan *p = xcalloc(1, sizeof(*p));

	p->conf = conf_ref(conf);
	p->tls = tls;
	p->old = old != NULL ? conf_ref(old) : NULL;
	find_old_sets(p);
	add_urls(p);
	find_old_pools(p);
	return p;
}

void
node_plan_free(struct node_plan *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->n_urls; i++)
		free(p->urls[i].id);
	free(p->urls);
	for (size_t i = 0; i < p->conf->n_destinations; i++)
		free(p->url_of[i]);
	free(p->url_of);
	free(p->old_set);
	free(p->old_pool);
	free(p->roll);
	tls_store_free(p->tls);
	conf_unref(p->old);
	conf_unref(p->conf);
	free(p);
}
