/* SPDX-License-Identifier: ISC */
/*
 * Destinations and connections are told apart by name: those of the same name stay, with all that
 * is under way, and learn what is new about them.
 */
#include "node_links.h"

#include <stdlib.h>
#include <string.h>

#include "base/strmap.h"
#include "base/xmalloc.h"
#include "conf/conf.h"
#include "link/link_set.h"
#include "link/remote.h"
#include "node_loop.h"
#include "node_plan.h"
#include "request/relay.h"
#include "request/request.h"

/* A destination that is no more, while requests of it are open. */
struct left_set {
	SLIST_ENTRY(left_set) link;
	struct link_set *set;
	struct conf *conf;		/* a reference: it borrows from it */
};

struct link_set **
node_links_sets(const struct node_loop *nl, const struct node_plan *plan)
{
	struct link_set **sets = xcalloc(plan->conf->n_destinations, sizeof(*sets));

	for (size_t i = 0; i < plan->conf->n_destinations; i++) {
		const struct conf_destination *d = &plan->conf->destinations[i];

		if (plan->old_set[i] != PLAN_NEW) {
			sets[i] = nl->link_sets[plan->old_set[i]];
			continue;
		}
		sets[i] = link_set_new(d);
		if (nl->relay != NULL && d->application != NULL)
			link_set_relay(sets[i], relay_destination(nl->relay, d->name,
			    d->application));
	}
	return sets;
}

void
node_links_drop(struct link_set **sets, const struct node_plan *plan)
{
	for (size_t i = 0; i < plan->conf->n_destinations; i++)
		if (plan->old_set[i] == PLAN_NEW)
			link_set_free(sets[i], ERR_STOPPING);
	free(sets);
}

/* ---- a new configuration ---- */

/* Those that are not among the new sets. */
static void
leave_old_sets(struct node_loop *nl, const struct node_plan *plan)
{
	size_t n = plan->old != NULL ? plan->old->n_destinations : 0;
	bool *stays = xcalloc(n, sizeof(*stays));

	for (size_t i = 0; i < plan->conf->n_destinations; i++)
		if (plan->old_set[i] != PLAN_NEW)
			stays[plan->old_set[i]] = true;
	for (size_t i = 0; i < n; i++) {
		struct left_set *left;

		if (stays[i])
			continue;
		left = xcalloc(1, sizeof(*left));
		left->set = nl->link_sets[i];
		left->conf = conf_ref(plan->old);
		SLIST_INSERT_HEAD(&nl->left_sets, left, link);
	}
	free(stays);
}

static struct strmap *
remotes_by_id(const struct node_loop *nl)
{
	struct strmap *map = strmap_new();

	for (size_t i = 0; i < nl->n_remotes; i++)
		*strmap_at(map, remote_id(nl->remotes[i]), strlen(remote_id(nl->remotes[i]))) =
		    nl->remotes[i];
	return map;
}

/* One for each URL of the plan; those that were there before stay in the list, used or not. */
static struct remote **
find_remotes(struct node_loop *nl, const struct node_plan *plan)
{
	struct remote **found = xcalloc(plan->n_urls, sizeof(*found));
	struct strmap *map = remotes_by_id(nl);

	nl->remotes = xreallocarray(nl->remotes, nl->n_remotes + plan->n_urls,
	    sizeof(struct remote *));
	for (size_t i = 0; i < plan->n_urls; i++) {
		const struct plan_url *u = &plan->urls[i];

		found[i] = strmap_find(map, u->id, strlen(u->id));
		if (found[i] != NULL)
			remote_set_tls(found[i], u->tls);
		else
			found[i] = nl->remotes[nl->n_remotes++] = remote_new(&nl->link_env, u->id,
			    u->url, u->tls, u->protocol, u->application);
	}
	strmap_free(map, NULL);
	return found;
}

static void
connect_sets(struct node_loop *nl, const struct node_plan *plan, struct remote *const *remotes)
{
	struct left_set *left;

	for (size_t i = 0; i < plan->conf->n_destinations; i++) {
		const struct conf_destination *d = &plan->conf->destinations[i];

		link_set_reload(nl->link_sets[i], d);
		for (size_t k = 0; k < d->n_urls; k++)
			link_set_add_remote(nl->link_sets[i], remotes[plan->url_of[i][k]]);
	}
	SLIST_FOREACH(left, &nl->left_sets, link)
		link_set_rejoin(left->set);
}

void
node_links_set(struct node_loop *nl, struct link_set **sets, const struct node_plan *plan)
{
	struct remote **remotes;
	struct left_set *left;

	for (size_t i = 0; i < nl->n_remotes; i++)
		remote_clear_users(nl->remotes[i]);
	leave_old_sets(nl, plan);
	free(nl->link_sets);
	nl->link_sets = sets;
	remotes = find_remotes(nl, plan);
	connect_sets(nl, plan, remotes);
	free(remotes);
	for (size_t i = 0; i < nl->n_remotes; i++)
		if (remote_is_started(nl->remotes[i]))
			remote_fit(nl->remotes[i]);
	SLIST_FOREACH(left, &nl->left_sets, link)
		link_set_leave(left->set);
	for (size_t i = 0; plan->old != NULL && i < plan->conf->n_destinations; i++)
		link_set_serve(sets[i]);
}

void
node_links_set_kind(struct node_loop *nl, const char *remote, bool is_node)
{
	for (size_t i = 0; i < nl->n_remotes; i++) {
		struct remote *r = nl->remotes[i];

		if (strcmp(remote_id(r), remote) != 0 || remote_is_started(r) == is_node)
			continue;
		if (!is_node)
			remote_stop(r);
		else if (remote_has_users(r))
			remote_start(r);
	}
}

bool
node_links_is_up(const struct node_loop *nl, const char *url)
{
	for (size_t i = 0; i < nl->n_remotes; i++)
		if (remote_is_up(nl->remotes[i]) && strcmp(remote_url(nl->remotes[i]), url) == 0)
			return true;
	return false;
}

/* ---- what is left over ---- */

static bool
is_asked(const struct node_loop *nl, const struct destination *d)
{
	const struct request *r;

	LIST_FOREACH(r, &nl->requests.open, link)
		if (r->destination == d)
			return true;
	return false;
}

struct destination *
node_links_left(const struct node_loop *nl, const char *name)
{
	const struct left_set *left;

	SLIST_FOREACH(left, &nl->left_sets, link)
		if (strcmp(link_set_destination(left->set)->name, name) == 0)
			return link_set_destination(left->set);
	return NULL;
}

static void
leave_remotes(const struct node_loop *nl)
{
	struct left_set *left;

	for (size_t i = 0; i < nl->n_remotes; i++)
		remote_clear_users(nl->remotes[i]);
	for (size_t i = 0; i < nl->conf->n_destinations; i++)
		link_set_rejoin(nl->link_sets[i]);
	SLIST_FOREACH(left, &nl->left_sets, link)
		link_set_rejoin(left->set);
}

static bool
sweep_sets(struct node_loop *nl)
{
	SLIST_HEAD(, left_set) gone = SLIST_HEAD_INITIALIZER(gone);
	struct left_set *left, *next;

	for (left = SLIST_FIRST(&nl->left_sets); left != NULL; left = next) {
		next = SLIST_NEXT(left, link);
		if (is_asked(nl, link_set_destination(left->set)))
			continue;
		SLIST_REMOVE(&nl->left_sets, left, left_set, link);
		SLIST_INSERT_HEAD(&gone, left, link);
	}
	if (!SLIST_EMPTY(&gone))
		leave_remotes(nl);
	while ((left = SLIST_FIRST(&gone)) != NULL) {
		SLIST_REMOVE_HEAD(&gone, link);
		link_set_free(left->set, ERR_STOPPING);
		conf_unref(left->conf);
		free(left);
	}
	return SLIST_EMPTY(&nl->left_sets);
}

static bool
sweep_remotes(struct node_loop *nl)
{
	size_t n = 0, n_left = 0;

	for (size_t i = 0; i < nl->n_remotes; i++) {
		struct remote *r = nl->remotes[i];

		if (remote_is_unused(r)) {
			remote_free(r, ERR_LINK_LOST);
			continue;
		}
		nl->remotes[n++] = r;
		n_left += !remote_has_users(r);
	}
	nl->n_remotes = n;
	return n_left == 0;
}

bool
node_links_sweep(struct node_loop *nl)
{
	bool has_no_sets = sweep_sets(nl);

	return sweep_remotes(nl) && has_no_sets;
}

void
node_links_free(struct node_loop *nl)
{
	struct left_set *left;

	for (size_t i = 0; i < nl->n_remotes; i++)
		remote_free(nl->remotes[i], ERR_LINK_LOST);
	free(nl->remotes);
	nl->remotes = NULL;
	nl->n_remotes = 0;
	for (size_t i = 0; nl->link_sets != NULL && i < nl->conf->n_destinations; i++)
		link_set_free(nl->link_sets[i], ERR_STOPPING);
	free(nl->link_sets);
	nl->link_sets = NULL;
	while ((left = SLIST_FIRST(&nl->left_sets)) != NULL) {
		SLIST_REMOVE_HEAD(&nl->left_sets, link);
		link_set_free(left->set, ERR_STOPPING);
		conf_unref(left->conf);
		free(left);
	}
}
