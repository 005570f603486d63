/* SPDX-License-Identifier: ISC */
/*
 * Checks of tokens, and their forms; token_table.c has those that are remembered.
 */
#include "token/token_cache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/spares.h"
#include "base/xmalloc.h"
#include "conf/conf.h"
#include "token/claims.h"
#include "token/outside.h"
#include "token/token_int.h"
#include "token/token_session.h"
#include "token/token_table.h"

#define OUTSIDE_LIFETIME_S 300	/* at most, of a session whose token is shown each time */
#define ROOM_KEPT 8192

struct token_cache {
	struct jwt_ring *ring;		/* borrowed */
	const struct revoked *revoked;	/* borrowed; NULL: nothing is */
	struct outside *outside;	/* owned; NULL: nobody else signs tokens */
	char *user_claim;		/* NULL: users have no names; owned */
	bool has_odd_user;		/* that is the application, which is rewritten */
	struct token_table *table;
	struct token_home home;		/* of tokens; its spares are owned */
	struct buf payload, renamed, text;	/* of a token that is being made */
};

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

/* A token that takes more than it did. */
static void
charge_again(struct token_cache *c, struct token *t)
{
	if (!t->is_known)
		return;
	token_table_use(c->table, t);
	token_table_charge(c->table, t);
}

/* Of texts, which are large here and there. */
static void
drop_rooms(struct token_cache *c)
{
	buf_reset(&c->payload, ROOM_KEPT);
	buf_reset(&c->renamed, ROOM_KEPT);
	buf_reset(&c->text, ROOM_KEPT);
}

/* Verifies a token of ours; its time is not checked. */
static enum jwt_fault
token_new(struct token_cache *c, const char *text, size_t len, struct token **t)
{
	struct token_reading g;
	enum jwt_fault fault;

	fault = token_reading_verify(&g, c->ring, text, len, &c->payload);
	if (fault == JWT_OK) {
		*t = token_of(&c->home, &g, text, len, NULL);
		token_reading_cleanup(&g);
	}
	drop_rooms(c);
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

/*
 * The session ends with their token at the latest, if nobody prolongs it.  It began with their
 * token as well, however late that is shown: what is revoked does not begin anew.
 */
static enum jwt_fault
register_outside(struct token_cache *c, const struct claims_new *new,
    const struct outside_session *outside, struct token **t)
{
	struct claims_new session = *new;
	int64_t left_s = outside->exp_s - new->now_s;
	struct buf own = { 0 };
	enum jwt_fault fault;

	session.outside = outside;
	if (left_s < 1)
		left_s = 1;
	if ((uint64_t)left_s < session.lifetime_s)
		session.lifetime_s = (uint64_t)left_s;
	claims_register(c->ring, &session, &own);
	fault = token_new(c, own.data, own.len, t);
	buf_free(&own);
	if (fault == JWT_OK) {
		(*t)->iat_s = outside->iat_s;
		(*t)->is_outside = true;
	}
	return fault;
}

enum jwt_fault
token_exchange(struct token_cache *c, const char *text, size_t len, const struct claims_new *new,
    struct buf *token)
{
	struct outside_session outside;
	enum jwt_fault fault;
	struct token *t = NULL;

	if (c->outside == NULL)
		return JWT_ALGORITHM;
	fault = outside_verify(c->outside, text, len, new->now_s * 1000, &outside);
	if (fault == JWT_OK)
		fault = register_outside(c, new, &outside, &t);
	if (fault == JWT_OK && token_cache_is_revoked(c, t))
		fault = JWT_REVOKED;
	if (fault == JWT_OK)
		buf_add(token, t->text, t->len);
	token_unref(t);
	outside_cleanup(&outside);
	return fault;
}

/* A session for a token of theirs that was sent as if it were ours; it is not checked yet. */
static enum jwt_fault
token_new_outside(struct token_cache *c, const char *text, size_t len, int64_t now_ms,
    struct token **t)
{
	struct claims_new new = { .socket = "", .address = "", .now_s = now_ms / 1000,
		.lifetime_s = OUTSIDE_LIFETIME_S };
	struct outside_session outside;
	enum jwt_fault fault;

	fault = outside_verify(c->outside, text, len, now_ms, &outside);
	if (fault == JWT_OK && outside.issuer->application == NULL)
		fault = JWT_ALGORITHM;
	if (fault == JWT_OK) {
		new.application = outside.issuer->application;
		new.application_len = strlen(new.application);
		fault = register_outside(c, &new, &outside, t);
	}
	outside_cleanup(&outside);
	return fault;
}

/* ---- checks ---- */

/* A token that was seen before: only its time or the operator can have made it invalid. */
static enum jwt_fault
check_again(struct token_cache *c, struct token *t, int64_t now_ms, struct token **out)
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

/* Takes t. */
static enum jwt_fault
check_new(struct token_cache *c, struct token *t, int64_t now_ms, struct token **out)
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

	fault = token_new(c, text, len, &t);
	if (fault != JWT_OK)
		return fault;
	t->iat_s = iat_s;
	t->is_outside = true;
	return check_new(c, t, now_ms, out);
}

enum jwt_fault
token_check_once(struct token_cache *c, const char *text, size_t len, int64_t now_ms,
    struct token **out)
{
	enum jwt_fault fault;
	struct token *t;

	if (len > JWT_MAX_BYTES)
		return JWT_SEGMENTS;
	fault = token_new(c, text, len, &t);
	if (fault == JWT_ALGORITHM && c->outside != NULL)
		fault = token_new_outside(c, text, len, now_ms, &t);
	return fault == JWT_OK ? check_new(c, t, now_ms, out) : fault;
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
	fault = t != NULL ? check_again(c, t, now_ms, out) :
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

/* ---- forms ---- */

/* The form for this name, which then is the first of the list; NULL: there is none. */
static struct token_form *
find_form(struct token *t, const char *name, size_t n)
{
	struct token_form **link, *form;

	for (link = &t->forms; (form = *link) != NULL; link = &form->next) {
		if (form->application_len != n || memcmp(form->application, name, n) != 0)
			continue;
		*link = form->next;
		form->next = t->forms;
		t->forms = form;
		return form;
	}
	return NULL;
}

/* Of too many forms the one not used for longest goes. */
static void
drop_form(struct token_cache *c, struct token *t)
{
	struct token_form **link = &t->forms, *form;

	for (int kept = 0; kept < TOKEN_FORMS_MAX && *link != NULL; kept++)
		link = &(*link)->next;
	form = *link;
	if (form == NULL)
		return;
	*link = form->next;
	token_table_remove_form(c->table, form);
	if (form != t->twin)
		free(form);
}

/* One more, the first of the list; takes it. */
static void
add_form(struct token_cache *c, struct token *t, struct token_form *form)
{
	form->next = t->forms;
	t->forms = form;
	if (t->is_known)
		token_table_add_form(c->table, t, form);
	drop_form(c, t);
	charge_again(c, t);
}

static struct token_form *
form_new(const char *name, size_t n, const char *text, size_t len)
{
	struct token_form *form = xmalloc(sizeof(*form) + n + 1 + len + 1);
	char *at = (char *)(form + 1);

	*form = (struct token_form){ .application = at, .application_len = n,
		.text = at + n + 1, .len = len };
	memcpy(form->application, name, n);
	form->application[n] = '\0';
	memcpy(form->text, text, len);
	form->text[len] = '\0';
	return form;
}

/* A text that is a form of t as well. */
static void
keep_form(struct token_cache *c, struct token *t, const struct token_form *like)
{
	const struct token_form *form = find_form(t, like->application, like->application_len);

	if (form == NULL || form->len != like->len ||
	    memcmp(form->text, like->text, like->len) != 0)
		add_form(c, t, form_new(like->application, like->application_len, like->text,
		    like->len));
}

static struct token_form *
make_form(struct token_cache *c, const struct token *t, const char *name, size_t n)
{
	struct token_reading g, renamed;
	struct token_form *form;

	token_reading_again(&g, t);
	token_reading_rename(&renamed, &g, name, n, &c->renamed);
	c->text.len = 0;
	jwt_sign(c->ring, t->key, renamed.payload, renamed.payload_len, &c->text);
	form = form_new(name, n, c->text.data, c->text.len);
	drop_rooms(c);
	return form;
}

const char *
token_for_name(struct token_cache *c, struct token *t, const char *name, size_t n, size_t *len)
{
	struct token_form *form;

	if (t->application_len == n && memcmp(t->application, name, n) == 0) {
		*len = t->len;
		return t->text;
	}
	form = find_form(t, name, n);
	if (form == NULL) {
		form = make_form(c, t, name, n);
		add_form(c, t, form);
	}
	*len = form->len;
	return form->text;
}

const char *
token_for_application(struct token_cache *c, struct token *t, const char *application,
    size_t *len)
{
	return token_for_name(c, t, application, strlen(application), len);
}

/* ---- tokens of replies ---- */

static bool
is_for(const struct token_reading *g, const struct token *own)
{
	return g->application_len == own->application_len &&
	    memcmp(g->application, own->application, own->application_len) == 0;
}

/*
 * What was read, as the client is to get it whose own token is own; NULL: that would be too long
 * for a token, and refused when it comes back.
 */
static struct token *
rewrite(struct token_cache *c, const struct token_reading *g, const char *text, size_t len,
    const struct token *own)
{
	/* Without an application it is no form: that for this name has an empty claim. */
	struct token_form twin = { .application = (char *)g->application,
		.application_len = g->application_len, .text = (char *)text, .len = len };
	struct token_reading renamed;

	token_reading_rename(&renamed, g, own->application, own->application_len, &c->renamed);
	c->text.len = 0;
	jwt_sign(c->ring, g->key, renamed.payload, renamed.payload_len, &c->text);
	if (c->text.len > JWT_MAX_BYTES)
		return NULL;
	return token_of(&c->home, &renamed, c->text.data, c->text.len,
	    g->application_len > 0 ? &twin : NULL);
}

/*
 * Gives t, which it takes, or what is known of the same text: that stays, with its forms and its
 * session, and gets the form that t has.
 */
static struct token *
remember(struct token_cache *c, struct token *t)
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
		keep_form(c, old, t->twin);
	token_unref(t);
	return old;
}

/* What was read and not seen before: of it and what it is rewritten to one token is made. */
static enum jwt_fault
check_reading(struct token_cache *c, const struct token_reading *g, const char *text, size_t len,
    const struct token *own, int64_t now_ms, struct token **out, bool *is_rewritten)
{
	enum jwt_fault fault = token_reading_check_time(g, now_ms);
	struct token *t;

	if (fault != JWT_OK)
		return fault;
	*is_rewritten = !is_for(g, own);
	t = *is_rewritten ? rewrite(c, g, text, len, own) : token_of(&c->home, g, text, len, NULL);
	if (t == NULL)
		return JWT_SEGMENTS;
	fault = check_new(c, t, now_ms, out);
	if (fault == JWT_OK)
		*out = remember(c, t);
	return fault;
}

static enum jwt_fault
check_new_reply(struct token_cache *c, const char *text, size_t len, const struct token *own,
    int64_t now_ms, struct token **out, bool *is_rewritten)
{
	struct token_reading g;
	enum jwt_fault fault;

	fault = token_reading_verify(&g, c->ring, text, len, &c->payload);
	if (fault == JWT_OK) {
		fault = check_reading(c, &g, text, len, own, now_ms, out, is_rewritten);
		token_reading_cleanup(&g);
	}
	drop_rooms(c);
	return fault;
}

/* The token of the form that t has for this application; NULL: it is not known. */
static struct token *
find_renamed(struct token_cache *c, struct token *t, const struct token *own)
{
	struct token_form *form = find_form(t, own->application, own->application_len);
	struct token *renamed = NULL;

	if (form != NULL)
		renamed = token_table_find(c->table,
		    token_table_hash(c->table, form->text, form->len), form->text, form->len);
	if (renamed == NULL || renamed->is_outside != t->is_outside)
		return NULL;
	token_table_use(c->table, renamed);
	return token_ref(renamed);
}

/* The token that t is rewritten to, which has no such form; NULL as above. */
static struct token *
add_renamed(struct token_cache *c, struct token *t, const struct token_reading *g,
    const struct token *own)
{
	struct token *renamed = rewrite(c, g, t->text, t->len, own);

	drop_rooms(c);
	if (renamed == NULL)
		return NULL;
	renamed->is_outside = t->is_outside;
	renamed = remember(c, renamed);
	keep_form(c, t, &(struct token_form){ .application = renamed->application,
	    .application_len = renamed->application_len, .text = renamed->text,
	    .len = renamed->len });
	return renamed;
}

/* One that was found good, or stands for one that was; its reference is taken.  NULL as above. */
static struct token *
rewrite_known(struct token_cache *c, struct token *t, const struct token *own, bool *is_rewritten)
{
	struct token_reading g;
	struct token *renamed;

	token_reading_again(&g, t);
	if (is_for(&g, own))
		return t;
	*is_rewritten = true;
	renamed = find_renamed(c, t, own);
	if (renamed == NULL)
		renamed = add_renamed(c, t, &g, own);
	token_unref(t);
	return renamed;
}

enum jwt_fault
token_check_reply(struct token_cache *c, const char *text, size_t len, const struct token *own,
    int64_t now_ms, struct token **out, bool *is_rewritten)
{
	enum jwt_fault fault = JWT_ALGORITHM;
	struct token *t = NULL;
	uint64_t hash;

	*is_rewritten = false;
	if (len > JWT_MAX_BYTES)
		return JWT_SEGMENTS;
	hash = token_table_hash(c->table, text, len);
	/* A user that is named by the application is another one in what was rewritten. */
	if (!c->has_odd_user)
		t = token_table_find_twin(c->table, hash, text, len, own->application,
		    own->application_len);
	if (t != NULL) {
		*is_rewritten = true;
		return check_again(c, t, now_ms, out);
	}
	if (!c->has_odd_user && token_table_find(c->table, hash, text, len) == NULL)
		fault = check_new_reply(c, text, len, own, now_ms, out, is_rewritten);
	if (fault != JWT_ALGORITHM)
		return fault;
	fault = token_check(c, text, len, now_ms, &t);
	if (fault != JWT_OK)
		return fault;
	*out = rewrite_known(c, t, own, is_rewritten);
	return *out != NULL ? JWT_OK : JWT_SEGMENTS;
}

/* ---- sessions at other applications ---- */

enum jwt_fault
token_check_for(struct token_cache *c, struct token *t, const char *name, size_t n,
    int64_t now_ms, struct token **out)
{
	enum jwt_fault fault;
	struct token *known;
	const char *text;
	size_t len;

	text = token_for_name(c, t, name, n, &len);
	if (text == t->text && t->is_known)
		return check_again(c, t, now_ms, out);
	known = token_table_find(c->table, token_table_hash(c->table, text, len), text, len);
	if (known != NULL && (known->is_outside || !t->is_outside))
		return check_again(c, known, now_ms, out);
	fault = t->is_outside ? token_check_outside(c, text, len, t->iat_s, now_ms, out) :
	    token_check_once(c, text, len, now_ms, out);
	if (fault == JWT_OK && t->is_known)
		*out = remember(c, *out);
	return fault;
}

void
token_supersede(struct token_cache *c, struct token *t)
{
	if (!t->is_outside)	/* it is shown each time */
		token_table_supersede(c->table, t);
}

void
token_issue(struct token_cache *c, struct token *t, const struct claims_update *u,
    struct buf *token)
{
	struct token_reading g;

	claims_issue(c->ring, t, u, token);
	if (!t->is_known || t->is_outside || token->len > JWT_MAX_BYTES ||
	    (token->len == t->len && memcmp(token->data, t->text, t->len) == 0))
		return;
	if (token_reading_own(&g, c->ring, token->data, token->len, &c->payload) == JWT_OK) {
		token_unref(remember(c, token_of(&c->home, &g, token->data, token->len, NULL)));
		token_reading_cleanup(&g);
		token_supersede(c, t);
	}
	drop_rooms(c);
}

/* ---- sessions ---- */

const struct token_session *
token_session_for(struct token_cache *c, struct token *t, const char *application)
{
	if (t->session != NULL && strcmp(t->session->application, application) == 0)
		return t->session;
	token_session_free(t->session);
	t->session = token_session_new(c->ring, t, application);
	charge_again(c, t);
	return t->session;
}
