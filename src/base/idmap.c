/* SPDX-License-Identifier: ISC */
/*
 * Open addressing with linear probing; a removed entry is closed up, so that no
 * tombstones gather.
 */
#include "base/idmap.h"

#include <assert.h>
#include <stdlib.h>

#include "base/xmalloc.h"

#define CAP_FIRST 16

void
idmap_free(struct idmap *m)
{
	free(m->entry);
	*m = (struct idmap){ 0 };
}

/*
 * Where id belongs.  Multiplied by 2^64 / golden ratio, numbers in a row come to lie evenly
 * apart: as neighbours they would be one run, which every removal has to walk.
 */
static size_t
home_of(const struct idmap *m, uint64_t id)
{
	return id * UINT64_C(0x9e3779b97f4a7c15) >> (__builtin_clzll(m->cap) + 1);
}

/* Where id is, or the free place where it would be. */
static size_t
place(const struct idmap *m, uint64_t id)
{
	size_t i = home_of(m, id);

	while (m->entry[i].id != 0 && m->entry[i].id != id)
		i = (i + 1) & (m->cap - 1);
	return i;
}

static void
resize(struct idmap *m, size_t cap)
{
	struct idmap old = *m;

	m->cap = cap;
	m->entry = xcalloc(cap, sizeof(*m->entry));
	for (size_t i = 0; i < old.cap; i++)
		if (old.entry[i].id != 0)
			m->entry[place(m, old.entry[i].id)] = old.entry[i];
	free(old.entry);
}

void
idmap_add(struct idmap *m, uint64_t id, void *value)
{
	size_t i;

	assert(id != 0);
	if (m->n * 2 >= m->cap)
		resize(m, m->cap > 0 ? 2 * m->cap : CAP_FIRST);
	i = place(m, id);
	assert(m->entry[i].id == 0);
	m->entry[i] = (struct idmap_entry){ id, value };
	m->n++;
}

void *
idmap_find(const struct idmap *m, uint64_t id)
{
	size_t i;

	if (m->n == 0 || id == 0)
		return NULL;
	i = place(m, id);
	return m->entry[i].id == id ? m->entry[i].value : NULL;
}

void *
idmap_remove(struct idmap *m, uint64_t id)
{
	size_t i, j, home;
	void *value;

	if (m->n == 0 || id == 0)
		return NULL;
	i = place(m, id);
	if (m->entry[i].id != id)
		return NULL;
	value = m->entry[i].value;
	/* Move back whatever was pushed past the hole. */
	for (j = (i + 1) & (m->cap - 1); m->entry[j].id != 0; j = (j + 1) & (m->cap - 1)) {
		home = home_of(m, m->entry[j].id);
		if (((j - home) & (m->cap - 1)) >= ((j - i) & (m->cap - 1))) {
			m->entry[i] = m->entry[j];
			i = j;
		}
	}
	m->entry[i] = (struct idmap_entry){ 0, NULL };
	m->n--;
	return value;
}
