/* SPDX-License-Identifier: ISC */
/*
 * The issuer that a token names says which keys are tried; the kind of a key says which
 * algorithm.  What the token says of these is only compared.
 *
 * Not by libjwt, whose tokens the tests verify: jwt_decode() takes the algorithm from the token
 * before it is verified, also HS256 with the public key for a secret; it takes base64 in more than
 * one spelling, so that one signature would be many tokens; and it makes trees of claims that
 * anybody may have sent.
 */
#include "token/outside.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/xmalloc.h"
#include "codec/base64.h"
#include "codec/json_scan.h"
#include "codec/public_key.h"
#include "conf/conf.h"
#include "token/claim_list.h"

#define EXP_MAX INT64_C(100000000000)	/* seconds; a time that nobody lives to see */

struct outside {
	const struct conf_issuer *issuers;	/* borrowed */
	size_t n;
	struct public_keys *keys;	/* of each */
};

/* A token, cut and decoded. */
struct parts {
	const char *token;
	size_t signed_len;		/* header and payload, with the dot between them */
	struct buf header, payload, signature;
};

struct outside *
outside_new(const struct conf_jwt *jwt)
{
	struct outside *o;

	if (jwt->n_issuers == 0)
		return NULL;
	o = xcalloc(1, sizeof(*o));
	o->issuers = jwt->issuers;
	o->n = jwt->n_issuers;
	o->keys = xcalloc(o->n, sizeof(*o->keys));
	for (size_t i = 0; i < o->n; i++)
		if (public_keys_read(&o->keys[i], o->issuers[i].keys, o->issuers[i].keys_len) != NULL)
			fatalx("jwt.issuers: keys that were good are bad");
	return o;
}

void
outside_free(struct outside *o)
{
	if (o == NULL)
		return;
	for (size_t i = 0; i < o->n; i++)
		public_keys_cleanup(&o->keys[i]);
	free(o->keys);
	free(o);
}

void
outside_cleanup(struct outside_session *s)
{
	buf_free(&s->claims);
}

/* ---- form ---- */

static bool
split(struct parts *p, const char *token, size_t len)
{
	const char *end = token + len, *dot1, *dot2;

	*p = (struct parts){ .token = token };
	if (len > JWT_MAX_BYTES || (dot1 = memchr(token, '.', len)) == NULL ||
	    (dot2 = memchr(dot1 + 1, '.', (size_t)(end - dot1) - 1)) == NULL)
		return false;
	p->signed_len = (size_t)(dot2 - token);
	return base64url_decode(&p->header, token, (size_t)(dot1 - token)) &&
	    base64url_decode(&p->payload, dot1 + 1, (size_t)(dot2 - dot1) - 1) &&
	    base64url_decode(&p->signature, dot2 + 1, (size_t)(end - dot2) - 1);
}

static void
parts_cleanup(struct parts *p)
{
	buf_free(&p->header);
	buf_free(&p->payload);
	buf_free(&p->signature);
}

static bool
is_text(const struct claim_list *list, const char *name, const char *text)
{
	const struct claim *c = claim_list_find(list, name, strlen(name));

	return c != NULL && json_string_is(list->text, c->value, text);
}

/* An object without two members of one name: two readers could differ about it. */
static bool
read_object(struct claim_list *list, const struct buf *text)
{
	struct json_object o;
	struct json_value v;
	struct json_scan s;
	static const struct json_names none = { 0, NULL };

	json_scan_init(&s, text->data, text->len, JWT_DEPTH_MAX);
	if (!json_scan_members(&s, &v, &none, &o, -1, NULL) || !json_scan_end(&s) ||
	    v.kind != JSON_OBJECT || !claim_list_read(list, text->data, text->len, JWT_DEPTH_MAX))
		return false;
	return list->n == o.n_members;
}

/* ---- signature ---- */

/* Do both name one, and another?  Then it is none of this key's. */
static bool
kid_differs(const struct public_key *key, const struct claim_list *header)
{
	return key->kid != NULL && claim_list_find(header, "kid", 3) != NULL &&
	    !is_text(header, "kid", key->kid);
}

static bool
is_signed(const struct public_keys *keys, const struct claim_list *header, const struct parts *p)
{
	for (size_t i = 0; i < keys->n; i++) {
		const struct public_key *key = &keys->key[i];

		if (is_text(header, "alg", public_key_alg_name(key->alg)) &&
		    !kid_differs(key, header) && public_key_verify(key, p->token, p->signed_len,
		    (const uint8_t *)p->signature.data, p->signature.len))
			return true;
	}
	return false;
}

/* ---- claims ---- */

/* A string, or a list of them. */
static bool
has_audience(const struct claim_list *claims, const char *audience)
{
	const struct claim *c = claim_list_find(claims, "aud", 3);
	struct claim_list names = { 0 };
	bool has = false;

	if (audience == NULL || is_text(claims, "aud", audience))
		return true;
	if (c != NULL && c->value.kind == JSON_ARRAY && claim_list_read_names(&names,
	    claims->text + c->value.start, c->value.end - c->value.start))
		has = claim_list_find(&names, audience, strlen(audience)) != NULL;
	claim_list_free(&names);
	return has;
}

/* false: it is there, and no time. */
static bool
get_time(const struct claim_list *claims, const char *name, double *seconds)
{
	const struct claim *c = claim_list_find(claims, name, strlen(name));

	return c == NULL || (json_number_double(claims->text, c->value, seconds) &&
	    *seconds >= 0 && *seconds <= (double)EXP_MAX);
}

/* It must say when it ends. */
static enum jwt_fault
check_time(const struct claim_list *claims, int64_t now_ms, int64_t *exp_s)
{
	double exp = -1, nbf = 0, now = (double)now_ms / 1000;

	if (!get_time(claims, "exp", &exp) || !get_time(claims, "nbf", &nbf) || exp < 0)
		return JWT_BAD_TIME;
	*exp_s = (int64_t)exp;
	return now < nbf ? JWT_NOT_YET : now >= exp ? JWT_EXPIRED : JWT_OK;
}

/* What is no time says as little as none: it is a matter of revoked sessions alone. */
static int64_t
issue_time(const struct claim_list *claims)
{
	double iat = -1;

	return get_time(claims, "iat", &iat) && iat >= 0 ? (int64_t)iat : INT64_MIN;
}

/* "outside=ours", as configured; what the token has not, the session has not. */
static void
map_claims(struct buf *out, const struct claim_list *claims, char *const *map)
{
	for (; map != NULL && *map != NULL; map++) {
		const char *equals = strchr(*map, '=');
		const struct claim *c = claim_list_find(claims, *map, (size_t)(equals - *map));

		if (c == NULL)
			continue;
		buf_add_char(out, ',');
		buf_add_json_string(out, equals + 1, strlen(equals + 1));
		buf_add_char(out, ':');
		buf_add(out, claims->text + c->value.start, c->value.end - c->value.start);
	}
}

/*
 * Of what is signed, so that the session of a token can be revoked however often it is shown.  Not
 * of the signature: from one of ES256 everybody can make another that is as good.
 */
static void
set_jti(struct outside_session *s, const struct parts *p)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct buf letters = { 0 };

	if (EVP_Digest(p->token, p->signed_len, digest, NULL, EVP_sha256(), NULL) != 1)
		fatalx("libcrypto: SHA-256 failed");
	base64url_encode(&letters, digest, 12);
	memcpy(s->jti, buf_str(&letters), letters.len + 1);
	buf_free(&letters);
}

static const struct conf_issuer *
find_issuer(const struct outside *o, const struct claim_list *claims, size_t *i)
{
	for (*i = 0; *i < o->n; ++*i)
		if (is_text(claims, "iss", o->issuers[*i].name))
			return &o->issuers[*i];
	return NULL;
}

static enum jwt_fault
check(const struct outside *o, const struct parts *p, const struct claim_list *header,
    const struct claim_list *claims, int64_t now_ms, struct outside_session *s)
{
	enum jwt_fault fault;
	size_t i;

	if (claim_list_find(header, "crit", 4) != NULL ||
	    (s->issuer = find_issuer(o, claims, &i)) == NULL)
		return JWT_ALGORITHM;
	if (!is_signed(&o->keys[i], header, p))
		return JWT_SIGNATURE;
	if (!has_audience(claims, s->issuer->audience))
		return JWT_AUDIENCE;
	fault = check_time(claims, now_ms, &s->exp_s);
	if (fault != JWT_OK)
		return fault;
	s->iat_s = issue_time(claims);
	set_jti(s, p);
	map_claims(&s->claims, claims, s->issuer->claims);
	return JWT_OK;
}

enum jwt_fault
outside_verify(const struct outside *o, const char *token, size_t len, int64_t now_ms,
    struct outside_session *s)
{
	struct claim_list header = { 0 }, claims = { 0 };
	enum jwt_fault fault = JWT_SEGMENTS;
	struct parts p;

	*s = (struct outside_session){ 0 };
	if (split(&p, token, len)) {
		fault = JWT_BAD_JSON;
		if (read_object(&header, &p.header) && read_object(&claims, &p.payload))
			fault = check(o, &p, &header, &claims, now_ms, s);
	}
	claim_list_free(&header);
	claim_list_free(&claims);
	parts_cleanup(&p);
	return fault;
}
