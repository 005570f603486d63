/* SPDX-License-Identifier: ISC */
/*
 * One table of applications; each has a table of exact types and a list of patterns.
 */
#include "request/service.h"

#include <stdlib.h>
#include <string.h>

#include "base/strmap.h"
#include "base/xmalloc.h"

/* The names of so many applications are compared one by one: most nodes have no more. */
#define FIRST_MAX 4

struct service {
	char *name;			/* of its application; owned */
	size_t name_len;
	struct strmap *exact;		/* type -> struct route */
	struct route *patterns;		/* longest first */
	struct route *local;		/* NULL: no handlers here */
};

struct service_table {
	struct strmap *services;	/* application -> struct service */
	struct service *first[FIRST_MAX];
	size_t n_first;
};

struct service_table *
service_table_new(void)
{
	struct service_table *t = xcalloc(1, sizeof(*t));

	t->services = strmap_new();
	return t;
}

static void
route_free(void *arg)
{
	struct route *r = arg;

	if (r == NULL)
		return;
	free(r->name);
	free(r->pattern);
	free(r);
}

static void
service_free(void *arg)
{
	struct service *s = arg;
	struct route *r;

	strmap_free(s->exact, route_free);
	while ((r = s->patterns) != NULL) {
		s->patterns = r->next;
		route_free(r);
	}
	route_free(s->local);
	free(s->name);
	free(s);
}

void
service_table_free(struct service_table *t)
{
	if (t == NULL)
		return;
	strmap_free(t->services, service_free);
	free(t);
}

static struct service *
service_get(struct service_table *t, const char *application)
{
	void **at = strmap_at(t->services, application, strlen(application));
	struct service *s;

	if (*at != NULL)
		return *at;
	*at = s = xcalloc(1, sizeof(*s));
	s->name = xstrdup(application);
	s->name_len = strlen(application);
	s->exact = strmap_new();
	if (t->n_first < FIRST_MAX)
		t->first[t->n_first++] = s;
	return s;
}

/* "application/pattern", without printf: there may be ten thousand.  Gives. */
static char *
name_of(const char *application, const char *pattern)
{
	size_t len = strlen(application);
	char *name = xmalloc(len + 1 + strlen(pattern) + 1);

	memcpy(name, application, len);
	name[len] = '/';
	strcpy(name + len + 1, pattern);
	return name;
}

static struct route *
route_new(const char *application, const char *pattern, struct destination *d, uint64_t timeout_ms)
{
	struct route *r = xcalloc(1, sizeof(*r));

	r->name = name_of(application, *pattern != '\0' ? pattern : "*");
	r->number = &r->own_number;
	r->pattern = xstrdup(pattern);
	r->fixed = strlen(pattern);
	if (r->fixed > 0 && pattern[r->fixed - 1] == '*')
		r->fixed--;
	r->destination = d;
	r->timeout_ms = timeout_ms;
	return r;
}

struct route *
service_add(struct service_table *t, const char *application, const char *pattern,
    struct destination *d, uint64_t timeout_ms)
{
	struct service *s = service_get(t, application);
	struct route *r = route_new(application, pattern, d, timeout_ms), **at;
	void **exact;

	if (r->fixed == strlen(pattern)) {
		exact = strmap_at(s->exact, pattern, r->fixed);
		route_free(*exact);
		*exact = r;
		return r;
	}
	for (at = &s->patterns; *at != NULL && (*at)->fixed > r->fixed; at = &(*at)->next)
		;
	r->next = *at;
	*at = r;
	return r;
}

void
service_add_local(struct service_table *t, const char *application, struct destination *d)
{
	struct service *s = service_get(t, application);

	route_free(s->local);
	s->local = route_new(application, "", d, 0);
}

static const struct service *
find(const struct service_table *t, const char *application, size_t len)
{
	for (size_t i = 0; i < t->n_first; i++) {
		const struct service *s = t->first[i];

		if (s->name_len == len && memcmp(s->name, application, len) == 0)
			return s;
	}
	return t->n_first < FIRST_MAX ? NULL : strmap_find(t->services, application, len);
}

const struct route *
service_find_exact(const struct service_table *t, const char *application, size_t application_len,
    const char *type, size_t type_len)
{
	const struct service *s = find(t, application, application_len);

	return s != NULL ? strmap_find(s->exact, type, type_len) : NULL;
}

bool
service_is_local(const struct route *r)
{
	return r == NULL || r->pattern[0] == '\0';
}

const struct route *
service_find_local(const struct service_table *t, const char *application)
{
	const struct service *s = find(t, application, strlen(application));

	return s != NULL ? s->local : NULL;
}

const struct route *
service_find(const struct service_table *t, const char *application, size_t application_len,
    const char *type, size_t type_len)
{
	const struct service *s = find(t, application, application_len);
	const struct route *r;

	if (s == NULL)
		return NULL;
	if ((r = strmap_find(s->exact, type, type_len)) != NULL)
		return r;
	for (r = s->patterns; r != NULL; r = r->next)
		if (type_len >= r->fixed && memcmp(type, r->pattern, r->fixed) == 0)
			return r;
	return s->local;
}
