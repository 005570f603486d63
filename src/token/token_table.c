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

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/xmalloc.h"
#include "token/token_cache.h"
#include "token/token_session.h"

#define BUCKETS (2 * TOKEN_CACHE_ENTRIES)	/* a power of two; most have two links */
#define NO_PLACE TOKEN_CACHE_ENTRIES
#define HASHED_LETTERS 16	/* 96 bits of the signature */

_Static_assert(NO_PLACE <= UINT16_MAX, "places have 16 bits");
_Static_assert(offsetof(struct token_form, link) == 0, "the link is where its form is");

/* A ring of places; NO_PLACE is between the newest and the oldest. */
struct order {
	struct { uint16_t newer, older; } of[TOKEN_CACHE_ENTRIES + 1];
};

struct token_table {
	uint64_t seed[3];
	struct token_link *buckets[BUCKETS];
	struct token *place[TOKEN_CACHE_ENTRIES];	/* NULL: free */
	struct order used;		/* all tokens */
	struct order superseded;	/* those that are */
	uint16_t free_place[TOKEN_CACHE_ENTRIES];	/* the last one is taken first */
	size_t n;
	size_t n_superseded;
	size_t bytes;
};

static void
order_init(struct order *o)
{
	o->of[NO_PLACE].newer = o->of[NO_PLACE].older = NO_PLACE;
}

/* The newest is older than no place, the oldest newer than none. */
static void
order_in(struct order *o, uint16_t i)
{
	uint16_t newest = o->of[NO_PLACE].older;

	o->of[i].newer = NO_PLACE;
	o->of[i].older = newest;
	o->of[newest].newer = i;
	o->of[NO_PLACE].older = i;
}

static void
order_out(struct order *o, uint16_t i)
{
	o->of[o->of[i].newer].older = o->of[i].older;
	o->of[o->of[i].older].newer = o->of[i].newer;
}

static uint16_t
oldest_of(const struct order *o)
{
	return o->of[NO_PLACE].newer;
}

struct token_table *
token_table_new(void)
{
	struct token_table *table = xcalloc(1, sizeof(*table));

	id_random(table->seed, sizeof(table->seed));
	for (size_t i = 0; i < TOKEN_CACHE_ENTRIES; i++)
		table->free_place[i] = (uint16_t)(TOKEN_CACHE_ENTRIES - 1 - i);
	order_init(&table->used);
	order_init(&table->superseded);
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

/* It has to have the hash as well, so that here too the time tells nothing of others. */
struct token *
token_table_find_at(const struct token_table *table, uint16_t place, uint64_t hash,
    const char *text, size_t len)
{
	struct token *t;

	assert(place < TOKEN_CACHE_ENTRIES);
	t = table->place[place];
	return t != NULL && t->own_link.hash == hash && is_of(t, text, len) ? t :
	    token_table_find(table, hash, text, len);
}

void
token_table_fetch(const struct token_table *table, uint16_t place)
{
	assert(place < TOKEN_CACHE_ENTRIES);
	if (table->place[place] != NULL)
		token_fetch(table->place[place]);
}

/* Of a link that is no token's own. */
static const struct token_form *
form_of(const struct token_link *l)
{
	return (const struct token_form *)l;
}

struct token *
token_table_find_twin(const struct token_table *table, uint64_t hash, const char *text, size_t len,
    const char *application, size_t n)
{
	const struct token_link *l;

	for (l = *bucket_of(table, hash); l != NULL; l = l->next)
		if (l->hash == hash && l != &l->token->own_link &&
		    is_same(l->token->application, l->token->application_len, application, n) &&
		    is_same(form_of(l)->text, form_of(l)->len, text, len))
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

/* A reply has to bring the token itself where it stands for another one: its client knows none. */
void
token_table_add_form(struct token_table *table, struct token *t, struct token_form *form)
{
	if (t->stands_for == NULL)
		link_in(table, &form->link, t, token_table_hash(table, form->text, form->len));
}

void
token_table_remove_form(struct token_table *table, struct token_form *form)
{
	if (form->link.token == NULL)
		return;
	link_out(table, &form->link);
	form->link.token = NULL;
}

/* It waits no longer. */
static void
unsupersede(struct token_table *table, struct token *t)
{
	if (!t->is_superseded)
		return;
	order_out(&table->superseded, t->place);
	table->n_superseded--;
	t->is_superseded = false;
}

void
token_table_remove(struct token_table *table, struct token *t)
{
	link_out(table, &t->own_link);
	for (struct token_form *form = t->forms; form != NULL; form = form->next)
		token_table_remove_form(table, form);
	unsupersede(table, t);
	order_out(&table->used, t->place);
	table->place[t->place] = NULL;
	table->free_place[TOKEN_CACHE_ENTRIES - table->n--] = t->place;
	table->bytes -= t->charged;
	t->is_known = false;
	/* Whoever has the token yet can have it decrypted again. */
	token_session_free(t->session);
	t->session = NULL;
	token_unref(t);
}

/* The oldest of this order goes; the next of them is fetched while others work. */
static void
drop_oldest(struct token_table *table, const struct order *o)
{
	uint16_t oldest = oldest_of(o), next = o->of[oldest].newer;

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
	while (table->bytes > TOKEN_CACHE_BYTES && oldest_of(&table->used) != t->place)
		drop_oldest(table, &table->used);
}

void
token_table_use(struct token_table *table, struct token *t)
{
	order_out(&table->used, t->place);
	order_in(&table->used, t->place);
	unsupersede(table, t);
}

void
token_table_add(struct token_table *table, struct token *t, uint64_t hash)
{
	if (table->n == TOKEN_CACHE_ENTRIES)
		drop_oldest(table, &table->used);
	t->place = table->free_place[TOKEN_CACHE_ENTRIES - 1 - table->n++];
	table->place[t->place] = token_ref(t);
	order_in(&table->used, t->place);
	link_in(table, &t->own_link, t, hash);
	for (struct token_form *form = t->forms; form != NULL; form = form->next)
		token_table_add_form(table, t, form);
	t->is_known = true;
	t->charged = 0;
	token_table_charge(table, t);
}

void
token_table_supersede(struct token_table *table, struct token *t)
{
	if (t->is_superseded || !t->is_known)
		return;
	if (table->n_superseded == TOKEN_SUPERSEDED_MAX)
		drop_oldest(table, &table->superseded);
	order_in(&table->superseded, t->place);
	table->n_superseded++;
	t->is_superseded = true;
}

void
token_table_remove_expired(struct token_table *table, int64_t now_ms)
{
	for (size_t i = 0; i < TOKEN_CACHE_ENTRIES; i++)
		if (table->place[i] != NULL && now_ms > table->place[i]->exp_ms)
			token_table_remove(table, table->place[i]);
}

void
token_table_clear(struct token_table *table)
{
	for (size_t i = 0; i < TOKEN_CACHE_ENTRIES && table->n > 0; i++)
		if (table->place[i] != NULL)
			token_table_remove(table, table->place[i]);
}
