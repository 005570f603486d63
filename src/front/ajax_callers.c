/* SPDX-License-Identifier: ISC */
/*
 * A table of callers, and a list of those that are quiet.
 */
#include "front/ajax_callers.h"

#include <stdlib.h>
#include <string.h>

#include "base/strmap.h"
#include "base/xmalloc.h"

#define QUIET_MS	1000	/* a bucket is full again */
#define FORGET_MAX	2	/* at a time: more than come in */

struct ajax_callers {
	uint64_t max;
	struct strmap *by_key;
	TAILQ_HEAD(, ajax_caller) quiet;
};

struct ajax_callers *
ajax_callers_new(uint64_t max)
{
	struct ajax_callers *all = xcalloc(1, sizeof(*all));

	all->max = max;
	all->by_key = strmap_new();
	TAILQ_INIT(&all->quiet);
	return all;
}

void
ajax_callers_set_max(struct ajax_callers *all, uint64_t max)
{
	all->max = max;
}

static void
caller_free(void *arg)
{
	struct ajax_caller *c = arg;

	free(c->key);
	free(c);
}

void
ajax_callers_free(struct ajax_callers *all)
{
	if (all == NULL)
		return;
	strmap_free(all->by_key, caller_free);
	free(all);
}

size_t
ajax_callers_count(const struct ajax_callers *all)
{
	return strmap_count(all->by_key);
}

static void
forget(struct ajax_callers *all, struct ajax_caller *c)
{
	TAILQ_REMOVE(&all->quiet, c, link);
	strmap_remove(all->by_key, c->key, c->key_len);
	caller_free(c);
}

static void
forget_quiet(struct ajax_callers *all, uint64_t now_ms)
{
	struct ajax_caller *c;

	for (int i = 0; i < FORGET_MAX && (c = TAILQ_FIRST(&all->quiet)) != NULL &&
	    now_ms - c->quiet_ms > QUIET_MS; i++)
		forget(all, c);
}

static bool
make_room(struct ajax_callers *all)
{
	if (strmap_count(all->by_key) < all->max)
		return true;
	if (TAILQ_EMPTY(&all->quiet))
		return false;
	forget(all, TAILQ_FIRST(&all->quiet));
	return true;
}

struct ajax_caller *
ajax_callers_begin(struct ajax_callers *all, const char *key, size_t len, uint64_t now_ms)
{
	struct ajax_caller *c = strmap_find(all->by_key, key, len);

	if (c != NULL) {
		if (c->n_open++ == 0)
			TAILQ_REMOVE(&all->quiet, c, link);
		return c;
	}
	forget_quiet(all, now_ms);
	if (!make_room(all))
		return NULL;
	c = xcalloc(1, sizeof(*c));
	c->of = all;
	c->key = xmemdup(key, len);
	c->key_len = len;
	c->n_open = 1;
	*strmap_at(all->by_key, key, len) = c;
	return c;
}

void
ajax_caller_end(struct ajax_caller *c, uint64_t now_ms)
{
	if (--c->n_open > 0)
		return;
	c->quiet_ms = now_ms;
	TAILQ_INSERT_TAIL(&c->of->quiet, c, link);
}
