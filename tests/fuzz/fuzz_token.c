/* SPDX-License-Identifier: ISC */
/*
 * Any bytes as a token, as the payload of a properly signed one, as the secret
 * claims of one, and as the session that a handler gives.  Whatever is made of
 * them has to be a token that we accept.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/log.h"
#include "token/claims.h"
#include "token/token_cache.h"
#include "token/token_form.h"
#include "token/token_reply.h"

#define NOW_S INT64_C(1700000000)
#define CHECK(what)				\
	do {					\
		if (!(what))			\
			abort();		\
	} while (0)

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct jwt_ring *ring;
static struct token_cache *cache;

static void
start(void)
{
	static const struct jwt_secret secrets[] = {
		{ "1", (const unsigned char *)"interop-shared-secret", 21 },
		{ "2", (const unsigned char *)"another secret", 14 },
	};

	log_set_level(LOG_LEVEL_ERROR);
	ring = jwt_ring_new(secrets, 2);
	cache = token_cache_new(ring);
}

/* The token of a text, NULL if it is none. */
static struct token *
check(const struct buf *text)
{
	struct token *t = NULL;
	enum jwt_fault fault;

	fault = token_check(cache, text->data, text->len, NOW_S * 1000, &t);
	CHECK((fault == JWT_OK) == (t != NULL));
	return t;
}

/* A token that we issued, which is accepted unless it is too long or not active yet. */
static void
check_own(struct buf *text)
{
	struct token *t = NULL;
	enum jwt_fault fault;

	fault = token_check(cache, text->data, text->len, NOW_S * 1000, &t);
	if (text->len > JWT_MAX_BYTES)
		CHECK(fault == JWT_SEGMENTS);
	else
		CHECK(fault == JWT_OK || fault == JWT_NOT_YET);
	if (t != NULL)
		CHECK(t->key == 0);
	token_unref(t);
	text->len = 0;
}

static void
issue(const struct token *t, const char *session, size_t session_len, const char *secret,
    size_t secret_len)
{
	struct claims_update u = {
		.session = session, .session_len = session_len,
		.secret = secret, .secret_len = secret_len,
		.lifetime_s = 300, .now_s = NOW_S,
	};
	struct buf text = { 0 };

	claims_issue(ring, t, &u, &text);
	check_own(&text);
	buf_free(&text);
}

static void
comes_back(const struct token *t)
{
	static const struct claims_new new = {
		.application = "a", .application_len = 1, .socket = "s", .address = "192.0.2.1",
		.lifetime_s = 300, .now_s = NOW_S,
	};
	struct buf text = { 0 };

	claims_reregister(ring, t, &new, &text);
	check_own(&text);
	buf_free(&text);
}

/* Noted as it is read; what is not known to be plain may be. */
static void
check_same(struct json_value read, struct json_value given)
{
	CHECK(read.kind == given.kind);
	CHECK(read.start == given.start && read.end == given.end);
	CHECK(read.is_plain || !given.is_plain);
}

/*
 * In a reply to somebody whose application is "there": as if it had been read after it was
 * rewritten.
 */
static void
as_reply(const struct token *t)
{
	static const char there[] = "{\"application\":\"there\"}";
	struct token *own, *given, *read;
	struct buf text = { 0 };
	enum jwt_fault fault;
	bool is_rewritten;

	jwt_sign(ring, 0, there, sizeof(there) - 1, &text);
	CHECK(token_check_once(cache, text.data, text.len, NOW_S * 1000, &own) == JWT_OK);
	buf_free(&text);
	for (int i = 0; i < 3; i++) {	/* known, new, and known from being given */
		if (i == 1)
			token_cache_clear(cache);
		fault = token_check_reply(cache, t->text, t->len, own, NOW_S * 1000, &given,
		    &is_rewritten);
		if (fault == JWT_SEGMENTS && t->len > JWT_MAX_BYTES / 2)
			continue;	/* too long with that name */
		CHECK(fault == JWT_OK);
		CHECK(given->application_len == 5 && strcmp(given->application, "there") == 0);
		CHECK(token_check_once(cache, given->text, given->len, NOW_S * 1000, &read) ==
		    JWT_OK);
		CHECK(read->payload_len == given->payload_len &&
		    memcmp(read->payload, given->payload, read->payload_len) == 0);
		for (int n = 0; n < CLAIM_N; n++)
			check_same(read->claims.member[n].value, given->claims.member[n].value);
		token_unref(read);
		token_unref(given);
	}
	token_unref(own);
}

/* All that can be done with a token, with these bytes where a handler would speak. */
static void
use(struct token *t, const char *data, size_t len)
{
	struct buf session = { 0 }, secret = { 0 }, socket = { 0 }, address = { 0 };
	struct buf form = { 0 };
	struct json_value v;
	const char *text;

	claims_session(ring, t, "here", &session, &secret);
	CHECK(json_scan_text(session.data, session.len, JWT_DEPTH_MAX, &v) &&
	    v.kind == JSON_OBJECT);
	CHECK(json_scan_text(secret.data, secret.len, 1, &v) && v.kind == JSON_ARRAY);
	claims_client(ring, t, &socket, &address);

	issue(t, NULL, 0, NULL, 0);
	issue(t, session.data, session.len, secret.data, secret.len);
	issue(t, session.data, session.len, NULL, 0);
	if (json_scan_text(data, len, JWT_DEPTH_MAX + 2, &v) && v.kind == JSON_OBJECT)
		issue(t, data, len, secret.data, secret.len);
	comes_back(t);

	text = token_for_application(cache, t, "there", &form.len);
	form.data = (char *)text;	/* read only */
	if (form.len <= JWT_MAX_BYTES) {
		struct token *there = check(&form);

		CHECK(there != NULL && there->key == t->key);
		token_unref(there);
	}
	as_reply(t);
	jwt_wipe(&session);
	buf_free(&secret);
	buf_free(&socket);
	buf_free(&address);
}

static void
use_text(const struct buf *text, const char *data, size_t len)
{
	struct token *t = check(text);

	if (t != NULL)
		use(t, data, len);
	token_unref(t);
}

/* The bytes as payload, then as secret claims, under secret number key. */
static void
as_claims(unsigned key, const char *data, size_t len)
{
	struct buf payload = { 0 }, text = { 0 }, plain = { 0 };

	jwt_sign(ring, key, data, len, &text);
	use_text(&text, data, len);

	text.len = 0;
	buf_add_str(&payload, "{\"application\":\"a\",\"n\":0,\"qewd\":\"");
	jwt_encrypt(ring, key, data, len, &payload);
	buf_add_str(&payload, "\"}");
	jwt_sign(ring, key, payload.data, payload.len, &text);
	use_text(&text, data, len);

	(void)!jwt_decrypt(ring, key, data, len, &plain);
	jwt_wipe(&plain);
	buf_free(&payload);
	buf_free(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf text = { .data = (char *)(uintptr_t)data, .len = len };	/* read only */
	struct buf payload = { 0 };
	unsigned key;

	if (ring == NULL)
		start();
	CHECK((jwt_verify(ring, text.data, len, &payload, &key) == JWT_OK) == (payload.len > 0));
	buf_free(&payload);
	use_text(&text, text.data, len);
	as_claims(0, text.data, len);
	as_claims(1, text.data, len);
	token_cache_clear(cache);
	return 0;
}
