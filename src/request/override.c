/* SPDX-License-Identifier: ISC */
/*
 * A list: operators set a handful, and it is looked through when something is set or when the
 * configuration changes, never for a request.
 */
#include "request/override.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xmalloc.h"

struct overrides {
	struct override *entry;
	size_t n;
};

static const char *const kind_name[] = {
	[OVERRIDE_NONE] = "serving",
	[OVERRIDE_PAUSED] = "paused",
	[OVERRIDE_DRAINED] = "drained",
	[OVERRIDE_DISABLED] = "disabled",
};

const char *
override_name(enum override_kind kind)
{
	return kind_name[kind];
}

struct overrides *
overrides_new(void)
{
	return xcalloc(1, sizeof(struct overrides));
}

static void
cleanup(struct override *e)
{
	free(e->destination);
	free(e->url);
}

void
overrides_free(struct overrides *o)
{
	if (o == NULL)
		return;
	for (size_t i = 0; i < o->n; i++)
		cleanup(&o->entry[i]);
	free(o->entry);
	free(o);
}

static bool
is_about(const struct override *e, const char *destination, const char *url)
{
	return strcmp(e->destination, destination) == 0 && (e->url == NULL) == (url == NULL) &&
	    (url == NULL || strcmp(e->url, url) == 0);
}

/* The entry that a kind would replace. */
static struct override *
find(const struct overrides *o, enum override_kind kind, const char *destination, const char *url)
{
	for (size_t i = 0; o != NULL && i < o->n; i++)
		if ((o->entry[i].kind == OVERRIDE_PAUSED) == (kind == OVERRIDE_PAUSED) &&
		    is_about(&o->entry[i], destination, url))
			return &o->entry[i];
	return NULL;
}

bool
overrides_set(struct overrides *o, enum override_kind kind, const char *destination,
    const char *url, const char *by, bool *is_new)
{
	struct override *e = find(o, kind, destination, url);

	*is_new = e == NULL || e->kind != kind;
	if (!*is_new)
		return true;
	if (e == NULL) {
		if (o->n >= OVERRIDES_MAX)
			return false;
		o->entry = xreallocarray(o->entry, o->n + 1, sizeof(*o->entry));
		e = &o->entry[o->n++];
		*e = (struct override){
			.destination = xstrdup(destination),
			.url = url != NULL ? xstrdup(url) : NULL,
		};
	}
	e->kind = kind;
	snprintf(e->by, sizeof(e->by), "%s", by);
	e->since_wall_ms = clock_wall_ms();
	e->since_ms = clock_mono_ms();
	return true;
}

bool
overrides_clear(struct overrides *o, enum override_kind kind, const char *destination,
    const char *url)
{
	struct override *e = find(o, kind, destination, url);

	if (e == NULL)
		return false;
	cleanup(e);
	o->n--;
	memmove(e, e + 1, (size_t)(&o->entry[o->n] - e) * sizeof(*e));
	return true;
}

bool
overrides_is_paused(const struct overrides *o, const char *destination)
{
	return find(o, OVERRIDE_PAUSED, destination, NULL) != NULL;
}

enum override_kind
overrides_use(const struct overrides *o, const char *destination, const char *url)
{
	const struct override *e = find(o, OVERRIDE_DISABLED, destination, url);

	return e != NULL ? e->kind : OVERRIDE_NONE;
}

const struct override *
overrides_get(const struct overrides *o, size_t i)
{
	return o != NULL && i < o->n ? &o->entry[i] : NULL;
}
