/* SPDX-License-Identifier: ISC */
/* Sessions of ours for tokens that others sign. */
#include "token/token_exchange.h"

#include <string.h>

#include "conf/conf.h"
#include "token/claims.h"
#include "token/outside.h"
#include "token/token_cache_int.h"

#define OUTSIDE_LIFETIME_S 300	/* at most, of a session whose token is shown each time */

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
	fault = token_cache_verify(c, own.data, own.len, t);
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

enum jwt_fault
token_exchange_shown(struct token_cache *c, const char *text, size_t len, int64_t now_ms,
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
