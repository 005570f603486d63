/* SPDX-License-Identifier: ISC */
/*
 * Checks of tokens; token_table.c has those that are remembered.
 */
#include "token/token_cache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/spares.h"
#include "base/xmalloc.h"
#include "token/claims.h"
#include "token/outside.h"
#include "token/token_cache_int.h"
#include "token/token_session.h"

#define ROOM_KEPT 8192

struct token_cache *
token_cache_new(struct jwt_ring *ring)
{
	struct token_cache *c = xcalloc(1, sizeof(*c));

	c->ring = ring;
	c->table = token_table_new();
	c->home.spares = spares_new();
	return c;
}

void
token_cache_free(struct token_cache *c)
{
	if (c == NULL)
		return;
	token_table_free(c->table);
	assert(c->home.n_tokens == 0);	/* their blocks would come back to spares that are gone */
	spares_free(c->home.spares);
	buf_free(&c->payload);
	buf_free(&c->renamed);
	buf_free(&c->text);
	free(c->user_claim);
	outside_free(c->outside);
	free(c);
}

struct jwt_ring *
token_cache_ring(struct token_cache *c)
{
	return c->ring;
}

void
token_cache_set_secrets(struct token_cache *c, const struct jwt_secret *secrets, size_t n)
{
	jwt_ring_set(c->ring, secrets, n);
	token_cache_clear(c);
}

size_t
token_cache_count(const struct token_cache *c)
{
	return token_table_count(c->table);
}

size_t
token_cache_bytes(const struct token_cache *c)
{
	return token_table_bytes(c->table);
}

void
token_cache_clear(struct token_cache *c)
{
	token_table_clear(c->table);
}

void
token_cache_remove_expired(struct token_cache *c, int64_t now_ms)
{
	if (token_table_count(c->table) > 0)
		token_table_remove_expired(c->table, now_ms);
}

void
token_cache_trim(struct token_cache *c)
{
	spares_trim(c->home.spares);
}

void
token_cache_charge(struct token_cache *c, struct token *t)
{
	if (!t->is_known)
		return;
	token_table_use(c->table, t);
	token_table_charge(c->table, t);
}

void
token_cache_drop_rooms(struct token_cache *c)
{
	buf_reset(&c->payload, ROOM_KEPT);
	buf_reset(&c->renamed, ROOM_KEPT);
	buf_reset(&c->text, ROOM_KEPT);
}

enum jwt_fault
token_cache_verify(struct token_cache *c, const char *text, size_t len, struct token **t)
{
	struct token_reading g;
	enum jwt_fault fault;

	fault = token_reading_verify(&g, c->ring, text, len, &c->payload);
	if (fault == JWT_OK) {
		*t = token_of(&c->home, &g, text, len, NULL);
		token_reading_cleanup(&g);
	}
	token_cache_drop_rooms(c);
	return fault;
}

/* ---- revoked sessions ---- */

static bool
is_same_name(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

void
token_cache_set_revoked(struct token_cache *c, const struct revoked *revoked,
    const char *user_claim)
{
	/* Tokens that were cleared were so as those of other users. */
	if (!is_same_name(c->user_claim, user_claim))
		token_cache_clear(c);
	free(c->user_claim);
	c->user_claim = user_claim != NULL ? xstrdup(user_claim) : NULL;
	c->has_odd_user = user_claim != NULL && strcmp(user_claim, "application") == 0;
	c->revoked = revoked;
}

void
token_cache_mark(struct token_cache *c, const struct token *t, struct revoked_mark *m)
{
	struct buf user = { 0 };

	*m = (struct revoked_mark){ .iat_s = t->iat_s };
	memcpy(m->tail, t->text + t->len - sizeof(m->tail), sizeof(m->tail));
	if (t->jti != NULL)
		m->jti = xstrdup(t->jti);
	if (c->user_claim != NULL)
		claims_text(c->ring, t, c->user_claim, &user);
	if (user.len > 0 && strlen(buf_str(&user)) == user.len)
		m->user = buf_take(&user);
	buf_free(&user);
}

bool
token_cache_is_revoked(struct token_cache *c, struct token *t)
{
	struct revoked_mark m;
	bool is_revoked;

	if (c->revoked == NULL || t->cleared == revoked_generation(c->revoked))
		return false;
	token_cache_mark(c, t, &m);
	is_revoked = revoked_has(c->revoked, &m);
	revoked_mark_cleanup(&m);
	if (!is_revoked)
		t->cleared = revoked_generation(c->revoked);
	return is_revoked;
}

/* The second half of every check. */
static enum jwt_fault
check_state(struct token_cache *c, struct token *t, int64_t now_ms)
{
	enum jwt_fault fault = token_check_time(t, now_ms);

	if (fault == JWT_OK && token_cache_is_revoked(c, t))
		fault = JWT_REVOKED;
	if (fault == JWT_OK)
		jwt_ring_add_check(c->ring, t->key);
	return fault;
}

/* ---- tokens of others ---- */

void
token_cache_set_outside(struct token_cache *c, struct outside *outside)
{
	/* Sessions that stand for tokens of theirs are good only as long as they are. */
	if (c->outside != NULL)
		token_cache_clear(c);
	outside_free(c->outside);
	c->outside = outside;
}

bool
token_cache_has_outside(const struct token_cache *c)
{
	return c->outside != NULL;
}

/* ---- checks ---- */

enum jwt_fault
token_cache_check_again(struct token_cache *c, struct token *t, int64_t now_ms, struct token **out)
{
	enum jwt_fault fault = check_state(c, t, now_ms);

	if (fault != JWT_OK) {
		token_table_remove(c->table, t);
		return fault;
	}
	token_table_use(c->table, t);
	*out = token_ref(t);
	return JWT_OK;
}

/*
 * It stands for a token that may be good for longer, which is looked at anew once half of its life
 * is over: whoever it is forwarded to has time to check it as well.
 */
static bool
is_half_over(const struct token *t, int64_t now_ms)
{
	return t->stands_for != NULL && now_ms > t->exp_ms - INT64_C(500) * t->life_s;
}

/* Where the text found good is none of ours, it finds the session that stands for it. */
static void
note_text(struct token *t, const char *text, size_t len, int64_t now_ms)
{
	int64_t life_s = (t->exp_ms - now_ms) / 1000;

	if (t->len == len && memcmp(t->text, text, len) == 0)
		return;
	t->stands_for = xmemdup(text, len);
	t->stands_for_len = len;
	t->life_s = life_s < UINT16_MAX ? (uint16_t)life_s : UINT16_MAX;
}

enum jwt_fault
token_cache_check_new(struct token_cache *c, struct token *t, int64_t now_ms, struct token **out)
{
	enum jwt_fault fault = check_state(c, t, now_ms);

	if (fault == JWT_OK)
		*out = t;
	else
		token_unref(t);
	return fault;
}

enum jwt_fault
token_check_outside(struct token_cache *c, const char *text, size_t len, int64_t iat_s,
    int64_t now_ms, struct token **out)
{
	enum jwt_fault fault;
	struct token *t;

	fault = token_cache_verify(c, text, len, &t);
	if (fault != JWT_OK)
		return fault;
	t->iat_s = iat_s;
	t->is_outside = true;
	return token_cache_check_new(c, t, now_ms, out);
}

enum jwt_fault
token_check_once(struct token_cache *c, const char *text, size_t len, int64_t now_ms,
    struct token **out)
{
	enum jwt_fault fault;
	struct token *t;

	if (len > JWT_MAX_BYTES)
		return JWT_SEGMENTS;
	fault = token_cache_verify(c, text, len, &t);
	if (fault == JWT_ALGORITHM && c->outside != NULL)
		fault = token_exchange_shown(c, text, len, now_ms, &t);
	return fault == JWT_OK ? token_cache_check_new(c, t, now_ms, out) : fault;
}

/* What was not found, under the hash of its text. */
static enum jwt_fault
check_and_add(struct token_cache *c, const char *text, size_t len, uint64_t hash, int64_t now_ms,
    struct token **out)
{
	enum jwt_fault fault = token_check_once(c, text, len, now_ms, out);

	if (fault == JWT_OK) {
		note_text(*out, text, len, now_ms);
		token_table_add(c->table, *out, hash);
	}
	return fault;
}

enum jwt_fault
token_check_at(struct token_cache *c, const char *text, size_t len, int64_t now_ms,
    uint16_t *place, struct token **out)
{
	enum jwt_fault fault;
	struct token *t;
	uint64_t hash;

	if (len > JWT_MAX_BYTES)
		return JWT_SEGMENTS;
	hash = token_table_hash(c->table, text, len);
	t = token_table_find_at(c->table, *place, hash, text, len);
	if (t != NULL && is_half_over(t, now_ms)) {
		token_table_remove(c->table, t);
		t = NULL;
	}
	fault = t != NULL ? token_cache_check_again(c, t, now_ms, out) :
	    check_and_add(c, text, len, hash, now_ms, out);
	if (fault == JWT_OK)
		*place = (*out)->place;
	return fault;
}

enum jwt_fault
token_check(struct token_cache *c, const char *text, size_t len, int64_t now_ms,
    struct token **out)
{
	uint16_t place = 0;

	return token_check_at(c, text, len, now_ms, &place, out);
}

void
token_expect(const struct token_cache *c, uint16_t place)
{
	token_table_fetch(c->table, place);
}

/* ---- what is remembered ---- */

struct token *
token_cache_remember(struct token_cache *c, struct token *t)
{
	uint64_t hash = token_table_hash(c->table, t->text, t->len);
	struct token *old;

	assert(t->len <= JWT_MAX_BYTES && jwt_ring_has(c->ring, t->key));
	old = token_table_find(c->table, hash, t->text, t->len);
	if (old != NULL && t->is_outside && !old->is_outside) {
		token_table_remove(c->table, old);	/* t knows better when it began */
		old = NULL;
	}
	if (old == NULL) {
		token_table_add(c->table, t, hash);
		return t;
	}
	token_ref(old);
	token_table_use(c->table, old);
	if (t->twin != NULL)
		token_form_keep(c, old, t->twin);
	token_unref(t);
	return old;
}

/* ---- sessions ---- */

const struct token_session *
token_session_for(struct token_cache *c, struct token *t, const char *application)
{
	if (t->session != NULL && strcmp(t->session->application, application) == 0)
		return t->session;
	token_session_free(t->session);
	t->session = token_session_new(c->ring, t, application);
	token_cache_charge(c, t);
	return t->session;
}
