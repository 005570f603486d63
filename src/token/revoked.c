/* SPDX-License-Identifier: ISC */
/*
 * A list in the order in which it grew, and tables of names that point into it.
 */
#include "token/revoked.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/strmap.h"
#include "base/xmalloc.h"

struct item {
	TAILQ_ENTRY(item) link;
	struct revoked_entry entry;	/* its name is owned */
};

struct revoked {
	TAILQ_HEAD(items, item) items;
	size_t n;
	struct strmap *by_jti, *by_user;	/* items */
	size_t n_users;
	int64_t all_before_s;
	uint64_t generation;
};

static const char *const kind_name[] = {
	[REVOKED_JTI] = "jti",
	[REVOKED_USER] = "user",
	[REVOKED_BEFORE] = "before",
};

void
revoked_mark_cleanup(struct revoked_mark *m)
{
	free(m->jti);
	free(m->user);
	*m = (struct revoked_mark){ 0 };
}

void
revoked_mark_move(struct revoked_mark *to, struct revoked_mark *from)
{
	revoked_mark_cleanup(to);
	*to = *from;
	*from = (struct revoked_mark){ 0 };
}

struct revoked *
revoked_new(void)
{
	struct revoked *r = xcalloc(1, sizeof(*r));

	TAILQ_INIT(&r->items);
	r->by_jti = strmap_new();
	r->by_user = strmap_new();
	r->all_before_s = INT64_MIN;
	return r;
}

const char *
revoked_kind_name(enum revoked_kind kind)
{
	return kind_name[kind];
}

bool
revoked_kind_find(const char *name, enum revoked_kind *kind)
{
	for (size_t i = 0; i < ARRAY_LEN(kind_name); i++)
		if (strcmp(kind_name[i], name) == 0) {
			*kind = (enum revoked_kind)i;
			return true;
		}
	return false;
}

/* NULL: those of this kind have no names. */
static struct strmap *
table_of(const struct revoked *r, enum revoked_kind kind)
{
	return kind == REVOKED_JTI ? r->by_jti : kind == REVOKED_USER ? r->by_user : NULL;
}

static void
remove_item(struct revoked *r, struct item *i)
{
	struct strmap *table = table_of(r, i->entry.kind);

	if (table != NULL)
		strmap_remove(table, i->entry.name, strlen(i->entry.name));
	r->n_users -= i->entry.kind == REVOKED_USER;
	TAILQ_REMOVE(&r->items, i, link);
	r->n--;
	free((char *)(uintptr_t)i->entry.name);
	free(i);
}

void
revoked_free(struct revoked *r)
{
	if (r == NULL)
		return;
	while (!TAILQ_EMPTY(&r->items))
		remove_item(r, TAILQ_FIRST(&r->items));
	strmap_free(r->by_jti, NULL);
	strmap_free(r->by_user, NULL);
	free(r);
}

static void
note_all_before(struct revoked *r)
{
	struct item *i;

	r->all_before_s = INT64_MIN;
	TAILQ_FOREACH(i, &r->items, link)
		if (i->entry.kind == REVOKED_BEFORE && i->entry.before_s > r->all_before_s)
			r->all_before_s = i->entry.before_s;
}

void
revoked_forget_old(struct revoked *r, int64_t now_s)
{
	struct item *i, *next;

	for (i = TAILQ_FIRST(&r->items); i != NULL; i = next) {
		next = TAILQ_NEXT(i, link);
		if (i->entry.until_s <= now_s)
			remove_item(r, i);
	}
	note_all_before(r);
}

/* What says less than a new one: the same name, or an earlier time. */
static void
remove_same(struct revoked *r, const struct revoked_entry *e)
{
	struct strmap *table = table_of(r, e->kind);
	struct item *i, *next;

	if (table != NULL) {
		if ((i = strmap_find(table, e->name, strlen(e->name))) != NULL)
			remove_item(r, i);
		return;
	}
	for (i = TAILQ_FIRST(&r->items); i != NULL; i = next) {
		next = TAILQ_NEXT(i, link);
		if (i->entry.kind == e->kind && i->entry.before_s <= e->before_s)
			remove_item(r, i);
	}
}

bool
revoked_add(struct revoked *r, const struct revoked_entry *e, int64_t now_s)
{
	struct strmap *table = table_of(r, e->kind);
	struct item *i;

	if (r->n >= REVOKED_MAX)
		revoked_forget_old(r, now_s);
	if (table != NULL && (*e->name == '\0' || strlen(e->name) > REVOKED_NAME_MAX))
		return false;
	remove_same(r, e);
	if (r->n >= REVOKED_MAX)
		return false;
	i = xcalloc(1, sizeof(*i));
	i->entry = *e;
	i->entry.name = table != NULL ? xstrdup(e->name) : NULL;
	TAILQ_INSERT_TAIL(&r->items, i, link);
	r->n++;
	r->n_users += e->kind == REVOKED_USER;
	if (table != NULL)
		*strmap_at(table, e->name, strlen(e->name)) = i;
	else if (e->before_s > r->all_before_s)
		r->all_before_s = e->before_s;
	r->generation++;
	return true;
}

uint64_t
revoked_generation(const struct revoked *r)
{
	return r->generation;
}

size_t
revoked_count(const struct revoked *r)
{
	return r->n;
}

bool
revoked_has_users(const struct revoked *r)
{
	return r->n_users > 0;
}

int64_t
revoked_all_before(const struct revoked *r)
{
	return r->all_before_s;
}

/* One that is over counts until it is forgotten: its tokens are over as well. */
bool
revoked_has(const struct revoked *r, const struct revoked_mark *m)
{
	const struct item *i;

	if (m->iat_s < r->all_before_s)
		return true;
	if (m->jti != NULL && strmap_find(r->by_jti, m->jti, strlen(m->jti)) != NULL)
		return true;
	if (m->user == NULL)
		return false;
	i = strmap_find(r->by_user, m->user, strlen(m->user));
	return i != NULL && m->iat_s < i->entry.before_s;
}

void
revoked_each(const struct revoked *r, void (*fn)(const struct revoked_entry *, void *arg),
    void *arg)
{
	const struct item *i;

	TAILQ_FOREACH(i, &r->items, link)
		fn(&i->entry, arg);
}
