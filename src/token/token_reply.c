/* SPDX-License-Identifier: ISC */
/* Tokens that clients are given: those of replies, and those that are issued here. */
#include "token/token_reply.h"

#include <string.h>

#include "token/claims.h"
#include "token/token_cache_int.h"

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
	fault = token_cache_check_new(c, t, now_ms, out);
	if (fault == JWT_OK)
		*out = token_cache_remember(c, t);
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
	token_cache_drop_rooms(c);
	return fault;
}

/* The token of the form that t has for this application; NULL: it is not known. */
static struct token *
find_renamed(struct token_cache *c, struct token *t, const struct token *own)
{
	struct token_form *form = token_form_find(t, own->application, own->application_len);
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

	token_cache_drop_rooms(c);
	if (renamed == NULL)
		return NULL;
	renamed->is_outside = t->is_outside;
	renamed = token_cache_remember(c, renamed);
	token_form_keep(c, t, &(struct token_form){ .application = renamed->application,
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
		return token_cache_check_again(c, t, now_ms, out);
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

/* ---- what a client has from now on ---- */

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
		token_unref(token_cache_remember(c,
		    token_of(&c->home, &g, token->data, token->len, NULL)));
		token_reading_cleanup(&g);
		token_supersede(c, t);
	}
	token_cache_drop_rooms(c);
}
