/* SPDX-License-Identifier: ISC */
#include "token/claims.h"

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/log.h"
#include "token/token_cache.h"
#include "token/token_form.h"
#include "token_vectors.h"
#include "unit.h"

#define OTHER_SECRET "a secret of the ring that is not the first one"
#define NOW_S VECTOR_LOGIN_S
#define LIFETIME_S 300

static struct jwt_ring *ring;		/* VECTOR_SECRET, then OTHER_SECRET */
static struct token_cache *cache;

static void
setup(void)
{
	static const struct jwt_secret secrets[] = {
		{ "1", (const unsigned char *)VECTOR_SECRET, sizeof(VECTOR_SECRET) - 1 },
		{ "2", (const unsigned char *)OTHER_SECRET, sizeof(OTHER_SECRET) - 1 },
	};

	ring = jwt_ring_new(secrets, ARRAY_LEN(secrets));
	cache = token_cache_new(ring);
}

static void
teardown(void)
{
	token_cache_free(cache);
	jwt_ring_free(ring);
}

/* The token of a text, valid now. */
static struct token *
valid(const char *text, size_t len)
{
	struct token *t;

	ck_assert_int_eq(token_check(cache, text, len, INT64_C(1000) * NOW_S, &t), JWT_OK);
	return t;
}

/* A token of this payload under secret number key. */
static struct token *
signed_token(unsigned key, const char *payload)
{
	struct buf text = { 0 };
	struct token *t;

	jwt_sign(ring, key, payload, strlen(payload), &text);
	t = valid(text.data, text.len);
	buf_free(&text);
	return t;
}

/* A token of these public claims (with a comma behind) and these secret ones. */
static struct token *
session_token(unsigned key, const char *public, const char *plain)
{
	struct buf payload = { 0 };
	struct token *t;

	buf_printf(&payload, "{%s\"qewd\":\"", public);
	jwt_encrypt(ring, key, plain, strlen(plain), &payload);
	buf_add_str(&payload, "\"}");
	t = signed_token(key, buf_str(&payload));
	buf_free(&payload);
	return t;
}

static void
expect_session(const struct token *t, const char *session, const char *secret)
{
	struct buf got_session = { 0 }, got_secret = { 0 };

	claims_session(ring, t, "here", &got_session, &got_secret);
	ck_assert_str_eq(buf_str(&got_session), session);
	ck_assert_str_eq(buf_str(&got_secret), secret);
	jwt_wipe(&got_session);
	buf_free(&got_secret);
}

/* The secret claims of a token, "" if it has none that can be decrypted; to be freed. */
static char *
plain_of(const struct token *t)
{
	struct buf hex = { 0 }, plain = { 0 };

	if (json_string_get(t->payload, t->claims.member[CLAIM_QEWD].value, &hex))
		(void)!jwt_decrypt(ring, t->key, hex.data, hex.len, &plain);
	buf_free(&hex);
	return buf_take(&plain);
}

/* The payload of a token with "*" for the text of qewd; to be freed. */
static char *
payload_of(const struct token *t)
{
	struct json_value qewd = t->claims.member[CLAIM_QEWD].value;
	struct buf b = { 0 };

	if (qewd.kind == JSON_NONE) {
		buf_add(&b, t->payload, t->payload_len);
	} else {
		buf_add(&b, t->payload, qewd.start);
		buf_add_char(&b, '*');
		buf_add(&b, t->payload + qewd.end, t->payload_len - qewd.end);
	}
	return buf_take(&b);
}

/* What a token is expected to tell; text of qewd is "*". */
static void
expect_token(const struct token *t, const char *payload, const char *plain)
{
	char *got_payload = payload_of(t), *got_plain = plain_of(t);

	ck_assert_str_eq(got_payload, payload);
	ck_assert_str_eq(got_plain, plain);
	ck_assert_uint_eq(t->key, 0);
	free(got_payload);
	free(got_plain);
}

/* The fresh token after a handler gave this; NULL: it gave none. */
static struct token *
issue_at(const struct token *t, const char *session, const char *secret, int64_t now_s)
{
	struct claims_update u = {
		.session = session, .session_len = session != NULL ? strlen(session) : 0,
		.secret = secret, .secret_len = secret != NULL ? strlen(secret) : 0,
		.lifetime_s = LIFETIME_S, .now_s = now_s,
	};
	struct buf text = { 0 };
	struct token *fresh;

	claims_issue(ring, t, &u, &text);
	fresh = valid(text.data, text.len);
	buf_free(&text);
	return fresh;
}

static struct token *
issue(const struct token *t, const char *session, const char *secret)
{
	return issue_at(t, session, secret, NOW_S);
}

static const struct claims_new newcomer = {
	.application = "kit-\"app\"", .application_len = 9,
	.socket = "6x8ZbhtDOtmwwI-wAAAC", .address = "::ffff:127.0.0.1",
	.lifetime_s = LIFETIME_S, .now_s = NOW_S,
};

static struct token *
registered(void)
{
	struct buf text = { 0 };
	struct token *t;

	claims_register(ring, &newcomer, &text);
	t = valid(text.data, text.len);
	buf_free(&text);
	return t;
}

START_TEST(registers_a_new_session)
{
	struct token *t = registered();
	char want[300];

	ck_assert_str_eq(t->application, "kit-\"app\"");
	ck_assert_uint_eq(strlen(t->jti), 16);
	ck_assert_int_eq(t->exp_ms, INT64_C(1000) * (NOW_S + LIFETIME_S));
	snprintf(want, sizeof(want), "{\"exp\":1700000310,\"iat\":1700000010,\"iss\":\"qewd.jwt\","
	    "\"application\":\"kit-\\\"app\\\"\",\"timeout\":300,\"qewd\":*,\"jti\":\"%s\"}",
	    t->jti);
	expect_token(t, want, VECTOR_PLAIN);
	token_unref(t);
}
END_TEST

START_TEST(two_sessions_have_different_names)
{
	struct token *a = registered(), *b = registered();

	ck_assert_str_ne(a->jti, b->jti);
	token_unref(a);
	token_unref(b);
}
END_TEST

START_TEST(shows_a_stock_session)
{
	struct token *t = valid(vector_login, strlen(vector_login));

	expect_session(t, "{\"exp\":1700001210,\"iat\":1700000010,\"iss\":\"qewd.jwt\","
	    "\"application\":\"here\",\"timeout\":1200,\"userText\":\"Welcome Rob\","
	    "\"socketId\":\"6x8ZbhtDOtmwwI-wAAAC\",\"ipAddress\":\"::ffff:127.0.0.1\","
	    "\"authenticated\":true,\"username\":\"rob\"}",
	    "[\"socketId\",\"ipAddress\",\"authenticated\",\"username\"]");
	token_unref(t);
}
END_TEST

/* Secrets beside public claims. */
static const struct {
	const char *public, *plain, *session, *secret;
} sessions[] = {
	{ "", "{}", "{\"application\":\"here\"}", "[]" },
	{ "\"application\":\"a\",", "{}", "{\"application\":\"here\"}", "[]" },
	{ "\"a\":1,", "{\"b\":2}", "{\"a\":1,\"application\":\"here\",\"b\":2}", "[\"b\"]" },
	/* A truthy public claim hides a secret, another gives way to it. */
	{ "\"a\":1,", "{\"a\":2}", "{\"a\":1,\"application\":\"here\"}", "[]" },
	{ "\"a\":{},", "{\"a\":2}", "{\"a\":{},\"application\":\"here\"}", "[]" },
	{ "\"a\":0,", "{\"a\":2}", "{\"application\":\"here\",\"a\":2}", "[\"a\"]" },
	{ "\"a\":\"\",", "{\"a\":2}", "{\"application\":\"here\",\"a\":2}", "[\"a\"]" },
	{ "\"a\":false,", "{\"a\":null}", "{\"application\":\"here\",\"a\":null}", "[\"a\"]" },
	{ "\"a\":0,", "{}", "{\"a\":0,\"application\":\"here\"}", "[]" },
	/* Names are those they stand for; of several the last counts. */
	{ "\"\\u0061\":1,", "{\"a\":2}", "{\"\\u0061\":1,\"application\":\"here\"}", "[]" },
	{ "\"a\":1,\"a\":0,", "{\"a\":2}", "{\"application\":\"here\",\"a\":2}", "[\"a\"]" },
	{ "", "{\"a\":1,\"\\u0061\":2}", "{\"application\":\"here\",\"\\u0061\":2}",
	  "[\"\\u0061\"]" },
	/* Texts pass as they are written. */
	{ "\"n\" : 0.10 ,", "{ \"m\" : [ 1e2, 18446744073709551616 ] }",
	  "{\"n\":0.10,\"application\":\"here\",\"m\":[ 1e2, 18446744073709551616 ]}", "[\"m\"]" },
	/* What is ours cannot come from the secrets. */
	{ "", "{\"application\":\"evil\",\"qewd\":1}", "{\"application\":\"here\"}", "[]" },
	/* No secrets at all. */
	{ "\"a\":1,", "[1]", "{\"a\":1,\"application\":\"here\"}", "[]" },
	{ "\"a\":1,", "{\"a\":", "{\"a\":1,\"application\":\"here\"}", "[]" },
	{ "\"a\":1,", "", "{\"a\":1,\"application\":\"here\"}", "[]" },
};

START_TEST(shows_secrets_unless_a_truthy_claim_has_their_name)
{
	struct token *t = session_token(_i % 2, sessions[_i].public, sessions[_i].plain);

	expect_session(t, sessions[_i].session, sessions[_i].secret);
	token_unref(t);
}
END_TEST

static const char *const unreadable[] = {
	"{}",
	"{\"qewd\":null}",
	"{\"qewd\":{\"a\":1}}",
	"{\"qewd\":\"\"}",
	"{\"qewd\":\"zz\"}",
	"{\"qewd\":\"0123456789abcdef0123456789abcdef\"}",
};

START_TEST(a_qewd_that_cannot_be_decrypted_gives_no_secrets)
{
	struct token *t = signed_token(0, unreadable[_i]);
	struct buf socket = { 0 }, address = { 0 };

	expect_session(t, "{\"application\":\"here\"}", "[]");
	claims_client(ring, t, &socket, &address);
	ck_assert_str_eq(socket.data, "");
	ck_assert_str_eq(address.data, "");
	buf_free(&socket);
	buf_free(&address);
	token_unref(t);
}
END_TEST

START_TEST(knows_the_client_of_a_session)
{
	struct token *t = valid(vector_login, strlen(vector_login));
	struct buf socket = { 0 }, address = { 0 };

	buf_add_str(&socket, "at ");
	claims_client(ring, t, &socket, &address);
	ck_assert_str_eq(socket.data, "at 6x8ZbhtDOtmwwI-wAAAC");
	ck_assert_uint_eq(socket.len, strlen(socket.data));
	ck_assert_str_eq(address.data, "::ffff:127.0.0.1");
	buf_free(&socket);
	buf_free(&address);
	token_unref(t);
}
END_TEST

/* What the stock module of the reference made of the same session. */
START_TEST(issues_the_token_of_a_stock_master_after_a_login)
{
	static const char session[] =
	    "{\"exp\":1700000300,\"iat\":1700000000,\"iss\":\"qewd.jwt\","
	    "\"application\":\"kit-app\",\"timeout\":1200,\"socketId\":\"6x8ZbhtDOtmwwI-wAAAC\","
	    "\"ipAddress\":\"::ffff:127.0.0.1\",\"authenticated\":true,"
	    "\"userText\":\"Welcome Rob\",\"username\":\"rob\"}";
	struct token *t = valid(vector_registered, strlen(vector_registered)), *fresh;

	fresh = issue(t, session,
	    "[\"socketId\",\"ipAddress\",\"authenticated\",\"username\"]");
	ck_assert_str_eq(fresh->text, vector_login);
	expect_session(fresh, "{\"exp\":1700001210,\"iat\":1700000010,\"iss\":\"qewd.jwt\","
	    "\"application\":\"here\",\"timeout\":1200,\"userText\":\"Welcome Rob\","
	    "\"socketId\":\"6x8ZbhtDOtmwwI-wAAAC\",\"ipAddress\":\"::ffff:127.0.0.1\","
	    "\"authenticated\":true,\"username\":\"rob\"}",
	    "[\"socketId\",\"ipAddress\",\"authenticated\",\"username\"]");
	token_unref(fresh);
	token_unref(t);
}
END_TEST

START_TEST(refreshes_and_rewrites_as_a_stock_master_does)
{
	struct token *t = valid(vector_login, strlen(vector_login)), *fresh;
	size_t len;

	fresh = issue_at(t, NULL, NULL, VECTOR_REFRESHED_S);
	ck_assert_str_eq(token_for_application(cache, fresh, "remote-app", &len),
	    vector_refreshed);
	token_unref(fresh);
	token_unref(t);
}
END_TEST

#define HEAD "{\"exp\":1700000310,\"iat\":1700000010,\"iss\":\"qewd.jwt\","

/* From {"application":"a","timeout":300,"pub":1} with {"sec":2,"old":3}. */
static const struct {
	const char *session, *secret;	/* as a handler gave them */
	const char *payload, *plain;
} finishes[] = {
	/* No session: all is kept. */
	{ NULL, NULL,
	  HEAD "\"application\":\"a\",\"timeout\":300,\"qewd\":*,\"jti\":\"j\",\"pub\":1}",
	  "{\"sec\":2,\"old\":3}" },
	{ NULL, "[\"pub\"]",
	  HEAD "\"application\":\"a\",\"timeout\":300,\"qewd\":*,\"jti\":\"j\",\"pub\":1}",
	  "{\"sec\":2,\"old\":3}" },
	/* A session replaces the old one; names of secrets stay. */
	{ "{}", NULL,
	  HEAD "\"application\":\"a\",\"timeout\":300,\"qewd\":*,\"jti\":\"j\"}", "{}" },
	{ "{\"sec\":4,\"new\":5}", NULL,
	  HEAD "\"application\":\"a\",\"timeout\":300,\"qewd\":*,\"jti\":\"j\",\"new\":5}",
	  "{\"sec\":4}" },
	/* Names given: exactly these. */
	{ "{\"sec\":4,\"new\":5}", "[]",
	  HEAD "\"application\":\"a\",\"timeout\":300,\"qewd\":*,\"jti\":\"j\",\"sec\":4,"
	  "\"new\":5}", "{}" },
	{ "{\"sec\":4,\"new\":5}", "[\"new\",\"absent\",\"\\u006eew\"]",
	  HEAD "\"application\":\"a\",\"timeout\":300,\"qewd\":*,\"jti\":\"j\",\"sec\":4}",
	  "{\"new\":5}" },
	{ "{\"\\u006eew\":5}", "[\"new\"]",
	  HEAD "\"application\":\"a\",\"timeout\":300,\"qewd\":*,\"jti\":\"j\"}",
	  "{\"\\u006eew\":5}" },
	/* What is ours is ignored, as a secret as well. */
	{ "{\"exp\":1,\"iat\":2,\"iss\":\"x\",\"application\":\"x\",\"qewd\":\"00\",\"jti\":\"x\"}",
	  "[\"exp\",\"iss\",\"application\",\"qewd\",\"jti\"]",
	  HEAD "\"application\":\"a\",\"timeout\":300,\"qewd\":*,\"jti\":\"j\"}", "{}" },
	/* Texts pass as they are written; of several members the last counts. */
	{ " { \"n\" : 0.10 , \"m\":[ 1e2 ],\"s\": 1E+2} ", "[\"s\"]",
	  HEAD "\"application\":\"a\",\"timeout\":300,\"qewd\":*,\"jti\":\"j\",\"n\":0.10,"
	  "\"m\":[ 1e2 ]}", "{\"s\":1E+2}" },
	{ "{\"a\":1,\"b\":2,\"\\u0061\":3,\"b\":4}", "[\"b\"]",
	  HEAD "\"application\":\"a\",\"timeout\":300,\"qewd\":*,\"jti\":\"j\",\"\\u0061\":3}",
	  "{\"b\":4}" },
	/* timeout counts if it is a positive number, and is never a secret. */
	{ "{\"timeout\":300.0}", "[\"timeout\"]",
	  HEAD "\"application\":\"a\",\"timeout\":300.0,\"qewd\":*,\"jti\":\"j\"}", "{}" },
	{ "{\"timeout\":600}", "[]",
	  "{\"exp\":1700000610,\"iat\":1700000010,\"iss\":\"qewd.jwt\",\"application\":\"a\","
	  "\"timeout\":600,\"qewd\":*,\"jti\":\"j\"}", "{}" },
	{ "{\"timeout\":0.5}", "[]",
	  "{\"exp\":1700000010.500,\"iat\":1700000010,\"iss\":\"qewd.jwt\","
	  "\"application\":\"a\",\"timeout\":0.5,\"qewd\":*,\"jti\":\"j\"}", "{}" },
	{ "{\"timeout\":1e300}", "[]",
	  "{\"exp\":9008899254750,\"iat\":1700000010,\"iss\":\"qewd.jwt\","
	  "\"application\":\"a\",\"timeout\":1e300,\"qewd\":*,\"jti\":\"j\"}", "{}" },
	{ "{\"timeout\":0}", "[]",
	  HEAD "\"application\":\"a\",\"timeout\":300,\"qewd\":*,\"jti\":\"j\"}", "{}" },
	{ "{\"timeout\":-1}", "[]",
	  HEAD "\"application\":\"a\",\"timeout\":300,\"qewd\":*,\"jti\":\"j\"}", "{}" },
	{ "{\"timeout\":\"600\"}", "[]",
	  HEAD "\"application\":\"a\",\"timeout\":300,\"qewd\":*,\"jti\":\"j\"}", "{}" },
	{ "{\"timeout\":null}", "[]",
	  HEAD "\"application\":\"a\",\"timeout\":300,\"qewd\":*,\"jti\":\"j\"}", "{}" },
	/* nbf is the handler's, if the token can be read with it. */
	{ "{\"nbf\":1700000010}", "[]",
	  HEAD "\"application\":\"a\",\"timeout\":300,\"qewd\":*,\"jti\":\"j\","
	  "\"nbf\":1700000010}", "{}" },
	{ "{\"nbf\":\"x\"}", "[]",
	  HEAD "\"application\":\"a\",\"timeout\":300,\"qewd\":*,\"jti\":\"j\"}", "{}" },
};

START_TEST(issues_what_a_handler_said)
{
	struct token *t, *fresh;

	/* Under either secret: the fresh token is always one of the first. */
	for (unsigned key = 0; key < 2; key++) {
		t = session_token(key, "\"iss\":\"qewd.jwt\",\"exp\":1800000000,"
		    "\"application\":\"a\",\"timeout\":300,\"jti\":\"j\",\"pub\":1,",
		    "{\"sec\":2,\"old\":3}");
		fresh = issue(t, finishes[_i].session, finishes[_i].secret);
		expect_token(fresh, finishes[_i].payload, finishes[_i].plain);
		token_unref(fresh);
		token_unref(t);
	}
}
END_TEST

static const char *const kept_qewd[] = {
	"\"\\u0030zz\"",
	"null",
	"\"D9897A917933BC84199DF205F35212DA\"",	/* {} in capitals */
	"\"\\u00649897a917933bc84199df205f35212da\"",	/* with an escape */
};

START_TEST(keeps_qewd_byte_for_byte_without_a_session)
{
	struct buf payload = { 0 }, want = { 0 };
	struct token *t, *fresh;

	buf_printf(&payload, "{\"qewd\":%s,\"n\":1}", kept_qewd[_i]);
	buf_printf(&want, HEAD "\"timeout\":300,\"qewd\":%s,\"n\":1}", kept_qewd[_i]);
	t = signed_token(0, buf_str(&payload));
	fresh = issue(t, NULL, NULL);
	ck_assert_str_eq(fresh->payload, buf_str(&want));
	buf_free(&payload);
	buf_free(&want);
	token_unref(fresh);
	token_unref(t);
}
END_TEST

/* The same text, of the same second; then each thing that makes it another one. */
START_TEST(a_session_that_is_not_changed_has_one_token_a_second)
{
	struct token *t = session_token(0, "\"iss\":\"qewd.jwt\",\"iat\":1,\"exp\":1800000000,"
	    "\"application\":\"a\",\"timeout\":300,\"jti\":\"j\",", "{\"sec\":2}");
	struct token *fresh = issue(t, NULL, NULL), *again = issue(fresh, NULL, NULL), *other;
	struct buf older = { 0 };

	ck_assert_str_ne(fresh->text, t->text);
	ck_assert_str_eq(again->text, fresh->text);

	other = issue(fresh, "{\"sec\":3}", "[\"sec\"]");
	ck_assert_str_ne(other->text, fresh->text);
	token_unref(other);

	/* Of the second secret: signed by the first from now on. */
	buf_add(&older, fresh->payload, fresh->payload_len);
	other = signed_token(1, buf_str(&older));
	token_unref(again);
	again = issue(other, NULL, NULL);
	ck_assert_str_ne(again->text, other->text);
	ck_assert_uint_eq(again->key, 0);
	token_unref(other);
	buf_free(&older);
	token_unref(again);
	token_unref(fresh);
	token_unref(t);
}
END_TEST

START_TEST(keeps_a_damaged_qewd_unless_there_is_something_to_encrypt)
{
	struct token *t = signed_token(1, "{\"qewd\":\"zz\",\"jti\":[7]}"), *fresh;

	fresh = issue(t, "{\"a\":1}", NULL);
	ck_assert_str_eq(fresh->payload,
	    HEAD "\"timeout\":300,\"qewd\":\"zz\",\"jti\":[7],\"a\":1}");
	token_unref(fresh);
	fresh = issue(t, "{\"a\":1,\"b\":2}", "[\"b\"]");
	expect_token(fresh, HEAD "\"timeout\":300,\"qewd\":*,\"jti\":[7],\"a\":1}", "{\"b\":2}");
	token_unref(fresh);
	token_unref(t);
}
END_TEST

START_TEST(a_secret_made_public_does_not_stay_a_secret)
{
	struct token *t = session_token(0, "", "{\"name\":\"rob\"}"), *fresh;

	fresh = issue(t, "{\"name\":\"rob\"}", "[]");
	expect_token(fresh, HEAD "\"timeout\":300,\"qewd\":*,\"name\":\"rob\"}", "{}");
	token_unref(fresh);
	token_unref(t);
}
END_TEST

/* A secret hidden by a public claim was not shown, so its name is public now. */
START_TEST(names_stay_as_the_handler_saw_them)
{
	struct token *t = session_token(0, "\"a\":1,\"b\":0,", "{\"a\":2,\"b\":3}"), *fresh;

	fresh = issue(t, "{\"a\":4,\"b\":5}", NULL);
	expect_token(fresh, HEAD "\"timeout\":300,\"qewd\":*,\"a\":4}", "{\"b\":5}");
	token_unref(fresh);
	token_unref(t);
}
END_TEST

START_TEST(a_session_too_deep_for_a_token_is_ignored)
{
	struct token *t = signed_token(0, "{\"n\":1}"), *fresh;
	struct buf session = { 0 };

	log_set_level(LOG_LEVEL_ERROR);	/* it warns */
	buf_add_str(&session, "{\"a\":");
	for (int i = 1; i < _i; i++)
		buf_add_char(&session, '[');
	for (int i = 1; i < _i; i++)
		buf_add_char(&session, ']');
	buf_add_char(&session, '}');
	fresh = issue(t, buf_str(&session), NULL);
	if (_i <= JWT_DEPTH_MAX)
		ck_assert_ptr_null(strstr(fresh->payload, "\"n\":1"));
	else
		ck_assert_ptr_nonnull(strstr(fresh->payload, "\"n\":1"));
	buf_free(&session);
	token_unref(fresh);
	token_unref(t);
}
END_TEST

START_TEST(a_session_of_many_members_is_no_trouble)
{
	struct token *t = signed_token(0, "{}");
	struct claims_update u = { .lifetime_s = 1, .now_s = NOW_S };
	struct buf session = { 0 }, secret = { 0 }, text = { 0 };

	buf_add_char(&session, '{');
	buf_add_char(&secret, '[');
	for (int i = 0; i < 200000; i++) {
		buf_printf(&session, "%s\"n%d\":%d", i > 0 ? "," : "", i % 100000, i);
		buf_printf(&secret, "%s\"n%d\"", i > 0 ? "," : "", i % 100000);
	}
	buf_add_char(&session, '}');
	buf_add_char(&secret, ']');
	u.session = session.data;
	u.session_len = session.len;
	u.secret = secret.data;
	u.secret_len = secret.len;
	claims_issue(ring, t, &u, &text);
	ck_assert_uint_gt(text.len, JWT_MAX_BYTES);
	buf_free(&session);
	buf_free(&secret);
	buf_free(&text);
	token_unref(t);
}
END_TEST

static struct token *
reregister(const struct token *t)
{
	struct claims_new new = newcomer;
	struct buf text = { 0 };
	struct token *fresh;

	new.socket = "new\"socket";
	new.address = "192.0.2.7";
	claims_reregister(ring, t, &new, &text);
	fresh = valid(text.data, text.len);
	buf_free(&text);
	return fresh;
}

static const struct {
	const char *public, *plain;
	const char *payload, *fresh_plain;
} moves[] = {
	{ "\"application\":\"a\",\"timeout\":300,\"n\":1e2,\"jti\":\"j\",",
	  "{\"a\":0.10,\"socketId\":\"old\",\"b\":true,\"ipAddress\":\"old\",\"c\":{}}",
	  HEAD "\"application\":\"a\",\"timeout\":300,\"qewd\":*,\"jti\":\"j\",\"n\":1e2}",
	  "{\"a\":0.10,\"socketId\":\"new\\\"socket\",\"b\":true,\"ipAddress\":\"192.0.2.7\","
	  "\"c\":{}}" },
	{ "\"application\":\"a\",", "{}",
	  HEAD "\"application\":\"a\",\"timeout\":300,\"qewd\":*}",
	  "{\"socketId\":\"new\\\"socket\",\"ipAddress\":\"192.0.2.7\"}" },
	{ "\"application\":\"a\",\"timeout\":600,", "{\"a\":1,\"ipAddress\":[]}",
	  "{\"exp\":1700000610,\"iat\":1700000010,\"iss\":\"qewd.jwt\",\"application\":\"a\","
	  "\"timeout\":600,\"qewd\":*}",
	  "{\"a\":1,\"ipAddress\":\"192.0.2.7\",\"socketId\":\"new\\\"socket\"}" },
	{ "\"iss\":\"other\",", "{\"socketId\":1,\"socketId\":2}",
	  "{\"exp\":1700000310,\"iat\":1700000010,\"iss\":\"other\","
	  "\"application\":\"kit-\\\"app\\\"\",\"timeout\":300,\"qewd\":*}",
	  "{\"socketId\":\"new\\\"socket\",\"ipAddress\":\"192.0.2.7\"}" },
};

START_TEST(a_session_comes_back_on_a_new_socket)
{
	struct token *t, *fresh;

	for (unsigned key = 0; key < 2; key++) {
		t = session_token(key, moves[_i].public, moves[_i].plain);
		fresh = reregister(t);
		expect_token(fresh, moves[_i].payload, moves[_i].fresh_plain);
		token_unref(fresh);
		token_unref(t);
	}
}
END_TEST

START_TEST(a_session_without_qewd_gets_one_when_it_comes_back)
{
	struct token *t = signed_token(0, "{\"application\":\"a\"}"), *fresh = reregister(t);

	expect_token(fresh, HEAD "\"application\":\"a\",\"timeout\":300,\"qewd\":*}",
	    "{\"socketId\":\"new\\\"socket\",\"ipAddress\":\"192.0.2.7\",\"authenticated\":false}");
	token_unref(fresh);
	token_unref(t);
}
END_TEST

START_TEST(a_damaged_qewd_is_kept_when_a_session_comes_back)
{
	struct token *t = signed_token(0, "{\"application\":\"a\",\"qewd\":\"zz\"}");
	struct token *fresh = reregister(t);

	ck_assert_str_eq(fresh->payload,
	    HEAD "\"application\":\"a\",\"timeout\":300,\"qewd\":\"zz\"}");
	token_unref(fresh);
	token_unref(t);
}
END_TEST

#define COUNT(a) (int)ARRAY_LEN(a)

static Suite *
make_suite(void)
{
	Suite *s = suite_create("claims");
	TCase *tc = tcase_create("sessions");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, registers_a_new_session);
	tcase_add_test(tc, two_sessions_have_different_names);
	tcase_add_test(tc, shows_a_stock_session);
	tcase_add_loop_test(tc, shows_secrets_unless_a_truthy_claim_has_their_name, 0,
	    COUNT(sessions));
	tcase_add_loop_test(tc, a_qewd_that_cannot_be_decrypted_gives_no_secrets, 0,
	    COUNT(unreadable));
	tcase_add_test(tc, knows_the_client_of_a_session);
	suite_add_tcase(s, tc);

	tc = tcase_create("fresh tokens");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, issues_the_token_of_a_stock_master_after_a_login);
	tcase_add_test(tc, refreshes_and_rewrites_as_a_stock_master_does);
	tcase_add_loop_test(tc, issues_what_a_handler_said, 0, COUNT(finishes));
	tcase_add_loop_test(tc, keeps_qewd_byte_for_byte_without_a_session, 0, COUNT(kept_qewd));
	tcase_add_test(tc, a_session_that_is_not_changed_has_one_token_a_second);
	tcase_add_test(tc, keeps_a_damaged_qewd_unless_there_is_something_to_encrypt);
	tcase_add_test(tc, a_secret_made_public_does_not_stay_a_secret);
	tcase_add_test(tc, names_stay_as_the_handler_saw_them);
	tcase_add_loop_test(tc, a_session_too_deep_for_a_token_is_ignored, JWT_DEPTH_MAX,
	    JWT_DEPTH_MAX + 3);
	tcase_add_test(tc, a_session_of_many_members_is_no_trouble);
	tcase_add_loop_test(tc, a_session_comes_back_on_a_new_socket, 0, COUNT(moves));
	tcase_add_test(tc, a_session_without_qewd_gets_one_when_it_comes_back);
	tcase_add_test(tc, a_damaged_qewd_is_kept_when_a_session_comes_back);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN_STATELESS(make_suite)
