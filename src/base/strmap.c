/* SPDX-License-Identifier: ISC */
/*
 * Chained hash table that doubles when it is full.
 */
#include "base/strmap.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/siphash.h"
#include "base/xmalloc.h"

#define BUCKETS_FIRST 16

struct entry {
	struct entry *next;
	uint64_t hash;
	void *value;
	size_t len;
	char key[];
};

struct strmap {
	struct siphash_key seed;
	struct entry **bucket;
	size_t n_buckets;	/* a power of two */
	size_t n;
	struct entry *only;	/* the first one, until there are more or none */
};

struct strmap *
strmap_new(void)
{
	struct strmap *m = xcalloc(1, sizeof(*m));

	id_random(&m->seed, sizeof(m->seed));
	m->n_buckets = BUCKETS_FIRST;
	m->bucket = xcalloc(m->n_buckets, sizeof(struct entry *));
	return m;
}

void
strmap_free(struct strmap *m, void (*free_value)(void *))
{
	struct entry *e, *next;

	if (m == NULL)
		return;
	for (size_t i = 0; i < m->n_buckets; i++) {
		for (e = m->bucket[i]; e != NULL; e = next) {
			next = e->next;
			if (free_value != NULL)
				free_value(e->value);
			free(e);
		}
	}
	free(m->bucket);
	free(m);
}

size_t
strmap_count(const struct strmap *m)
{
	return m->n;
}

static bool
has_key(const struct entry *e, const void *key, size_t len)
{
	return e->len == len && memcmp(e->key, key, len) == 0;
}

/* The link that points to the entry, or that would. */
static struct entry **
find(const struct strmap *m, const void *key, size_t len, uint64_t hash)
{
	struct entry **at = &m->bucket[hash & (m->n_buckets - 1)];

	while (*at != NULL && ((*at)->hash != hash || !has_key(*at, key, len)))
		at = &(*at)->next;
	return at;
}

void *
strmap_find(const struct strmap *m, const void *key, size_t len)
{
	struct entry *e;

	if (m->only != NULL)	/* as the application of a node often is: no need of a hash */
		return has_key(m->only, key, len) ? m->only->value : NULL;
	e = *find(m, key, len, siphash(&m->seed, key, len));
	return e != NULL ? e->value : NULL;
}

static void
grow(struct strmap *m)
{
	size_t n = m->n_buckets * 2;
	struct entry **bucket = xcalloc(n, sizeof(struct entry *)), *e, *next;

	for (size_t i = 0; i < m->n_buckets; i++) {
		for (e = m->bucket[i]; e != NULL; e = next) {
			next = e->next;
			e->next = bucket[e->hash & (n - 1)];
			bucket[e->hash & (n - 1)] = e;
		}
	}
	free(m->bucket);
	m->bucket = bucket;
	m->n_buckets = n;
}

void **
strmap_at(struct strmap *m, const void *key, size_t len)
{
	uint64_t hash = siphash(&m->seed, key, len);
	struct entry *e = *find(m, key, len, hash);

	if (e != NULL)
		return &e->value;
	if (m->n >= m->n_buckets)
		grow(m);
	e = xcalloc(1, sizeof(*e) + len + 1);
	e->hash = hash;
	e->len = len;
	memcpy(e->key, key, len);
	e->next = m->bucket[hash & (m->n_buckets - 1)];
	m->bucket[hash & (m->n_buckets - 1)] = e;
	m->only = ++m->n == 1 ? e : NULL;
	return &e->value;
}

void *
strmap_remove(struct strmap *m, const void *key, size_t len)
{
	struct entry **at = find(m, key, len, siphash(&m->seed, key, len)), *e = *at;
	void *value;

	if (e == NULL)
		return NULL;
	*at = e->next;
	value = e->value;
	free(e);
	m->n--;
	m->only = NULL;
	return value;
}

void
strmap_each(struct strmap *m, void (*fn)(void *, void *), void *arg)
{
	for (size_t i = 0; i < m->n_buckets; i++)
		for (struct entry *e = m->bucket[i]; e != NULL; e = e->next)
			fn(e->value, arg);
}

void
strmap_each_key(const struct strmap *m, void (*fn)(const char *, size_t, void *), void *arg)
{
	for (size_t i = 0; i < m->n_buckets; i++)
		for (const struct entry *e = m->bucket[i]; e != NULL; e = e->next)
			fn(e->key, e->len, arg);
}
