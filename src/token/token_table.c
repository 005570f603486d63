/* SPDX-License-Identifier: ISC */
/*
 * A chained table of fixed size, whose links are in the tokens.  The order of use is kept beside
 * it, in small numbers: tokens that were not used for long are in no processor's cache.
 *
 * The hash is keyed and has 64 bits, and is of the signature, which no two tokens share, so
 * an entry that is compared byte by byte is almost surely the one asked for, or asked for
 * by one who knows its signature: the time that takes tells nothing of others.
 */
#include "token/token_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/xmalloc.h"
#include "token/token_cache.h"

#define BUCKETS (2 * TOKEN_CACHE_ENTRIES)	/* a power of two; most have two links */
#define NO_PLACE TOKEN_CACHE_ENTRIES
#define HASHED_LETTERS 16	/* 96 bits of the signature */

_Static_assert(NO_PLACE <= UINT16_MAX, "places have 16 bits");

struct token_table {
	uint64_t seed[3];
	struct token_link *buckets[BUCKETS];
	struct token *place[TOKEN_CACHE_ENTRIES];	/* NULL: free */
	struct { uint16_t newer, older; } use[TOKEN_CACHE_ENTRIES + 1];	/* a ring of places; the last
						 * one is none, and between the newest and the oldest */
	uint16_t free_place[TOKEN_CACHE_ENTRIES];	/* the last one is taken first */
	size_t n;
	size_t bytes;
	struct token *superseded[TOKEN_SUPERSEDED_MAX];	/* a ring; references */
	size_t n_superseded;		/* so far */
};

struct token_table *
token_table_new(void)
{
	struct token_table *table = xcalloc(1, sizeof(*table));

	id_random(table->seed, sizeof(table->seed));
	for (size_t i = 0; i < TOKEN_CACHE_ENTRIES; i++)
		table->free_place[i] = (uint16_t)(TOKEN_CACHE_ENTRIES - 1 - i);
	table->use[NO_PLACE].newer = table->use[NO_PLACE].older = NO_PLACE;
	return table;
}

void
token_table_free(struct token_table *table)
{
	if (table == NULL)
		return;
	token_table_clear(table);
	free(table);
}

size_t
token_table_count(const struct token_table *table)
{
	return table->n;
}

size_t
token_table_bytes(const struct token_table *table)
{
	return table->bytes;
}

static uint64_t
word_at(const char *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

/*
 * Letters of a signature are random to all who do not know the secret, and nothing comes into the
 * table unverified: one multiplication under a seed does what elsewhere takes a keyed hash of many
 * rounds.
 */
uint64_t
token_table_hash(const struct token_table *table, const char *text, size_t len)
{
	char padded[HASHED_LETTERS] = { 0 };
	__uint128_t product;

	if (len < HASHED_LETTERS) {
		memcpy(padded, text, len);
		text = padded;
		len = HASHED_LETTERS;
	}
	text += len - HASHED_LETTERS;
	product = (__uint128_t)(word_at(text) ^ table->seed[0]) *
	    (word_at(text + 8) ^ table->seed[1]);
	return (uint64_t)product ^ (uint64_t)(product >> 64) ^ table->seed[2];
}

static struct token_link **
bucket_of(const struct token_table *table, uint64_t hash)
{
	return (struct token_link **)&table->buckets[hash % BUCKETS];
}

static bool
is_same(const char *a, size_t a_len, const char *b, size_t b_len)
{
	return a_len == b_len && memcmp(a, b, b_len) == 0;
}

static bool
is_of(const struct token *t, const char *text, size_t len)
{
	return t->stands_for == NULL ? is_same(t->text, t->len, text, len) :
	    is_same(t->stands_for, t->stands_for_len, text, len);
}

struct token *
token_table_find(const struct token_table *table, uint64_t hash, const char *text, size_t len)
{
	const struct token_link *l;

	for (l = *bucket_of(table, hash); l != NULL; l = l->next)
		if (l->hash == hash && l == &l->token->own_link && is_of(l->token, text, len))
			return l->token;
	return NULL;
}

struct token *
token_table_find_twin(const struct token_table *table, uint64_t hash, const char *text, size_t len,
    const char *application, size_t n)
{
	const struct token_link *l;

	for (l = *bucket_of(table, hash); l != NULL; l = l->next)
		if (l->hash == hash && l == &l->token->twin_link &&
		    is_same(l->token->application, l->token->application_len, application, n) &&
		    is_same(l->token->twin->text, l->token->twin->len, text, len))
			return l->token;
	return NULL;
}

static void
link_in(struct token_table *table, struct token_link *l, struct token *t, uint64_t hash)
{
	struct token_link **at = bucket_of(table, hash);

	*l = (struct token_link){ *at, t, hash };
	*at = l;
}

static void
link_out(struct token_table *table, struct token_link *l)
{
	struct token_link **at = bucket_of(table, l->hash);

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
}

/* The newest is older than no place, the oldest newer than none. */
static void
order_in(struct token_table *table, uint16_t i)
{
	uint16_t newest = table->use[NO_PLACE].older;

	table->use[i].newer = NO_PLACE;
	table->use[i].older = newest;
	table->use[newest].newer = i;
	table->use[NO_PLACE].older = i;
}

static void
order_out(struct token_table *table, uint16_t i)
{
	table->use[table->use[i].newer].older = table->use[i].older;
	table->use[table->use[i].older].newer = table->use[i].newer;
}

void
token_table_remove(struct token_table *table, struct token *t)
{
	link_out(table, &t->own_link);
	if (t->twin != NULL)
		link_out(table, &t->twin_link);
	order_out(table, t->place);
	table->place[t->place] = NULL;
	table->free_place[TOKEN_CACHE_ENTRIES - table->n--] = t->place;
	table->bytes -= t->charged;
	t->is_known = false;
	token_unref(t);
}

/* The one not used for longest goes; the next of them is fetched while others work. */
static void
drop_oldest(struct token_table *table)
{
	uint16_t oldest = table->use[NO_PLACE].newer, next = table->use[oldest].newer;

	token_table_remove(table, table->place[oldest]);
	if (next != NO_PLACE)
		__builtin_prefetch(table->place[next], 1);
}

void
token_table_charge(struct token_table *table, struct token *t)
{
	size_t bytes = token_bytes(t);

	table->bytes += bytes - t->charged;
	t->charged = bytes;
	while (table->bytes > TOKEN_CACHE_BYTES && table->use[NO_PLACE].newer != t->place)
		drop_oldest(table);
}

void
token_table_use(struct token_table *table, struct token *t)
{
	order_out(table, t->place);
	order_in(table, t->place);
	t->is_superseded = false;
}

void
token_table_add(struct token_table *table, struct token *t, uint64_t hash, uint64_t twin_hash)
{
	if (table->n == TOKEN_CACHE_ENTRIES)
		drop_oldest(table);
	t->place = table->free_place[TOKEN_CACHE_ENTRIES - 1 - table->n++];
	table->place[t->place] = token_ref(t);
	order_in(table, t->place);
	link_in(table, &t->own_link, t, hash);
	if (t->twin != NULL)
		link_in(table, &t->twin_link, t, twin_hash);
	t->is_known = true;
	t->charged = 0;
	token_table_charge(table, t);
}

/* The oldest of those superseded; it is dropped unless it was used again or will come once more. */
static void
forget_superseded(struct token_table *table, struct token **at)
{
	struct token *t = *at;

	*at = NULL;
	if (t == NULL)
		return;
	if (--t->n_superseded == 0 && t->is_superseded && t->is_known)
		token_table_remove(table, t);
	token_unref(t);
}

void
token_table_supersede(struct token_table *table, struct token *t)
{
	struct token **at = &table->superseded[table->n_superseded % TOKEN_SUPERSEDED_MAX];

	if (t->is_superseded || !t->is_known)
		return;
	forget_superseded(table, at);
	*at = token_ref(t);
	t->is_superseded = true;
	t->n_superseded++;
	table->n_superseded++;
}

void
token_table_clear(struct token_table *table)
{
	for (size_t i = 0; i < TOKEN_SUPERSEDED_MAX; i++)
		forget_superseded(table, &table->superseded[i]);
	for (size_t i = 0; i < TOKEN_CACHE_ENTRIES && table->n > 0; i++)
		if (table->place[i] != NULL)
			token_table_remove(table, table->place[i]);
}
