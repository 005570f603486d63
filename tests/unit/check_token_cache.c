/* SPDX-License-Identifier: ISC */
#include "token/token_cache.h"

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/compiler.h"
#include "token/claims.h"
#include "token/token_form.h"
#include "token/token_reply.h"
#include "token/token_session.h"
#include "token/token_table.h"
#include "token_vectors.h"
#include "unit.h"

#define OTHER_SECRET "a secret of the ring that is not the first one"
#define NOW_MS (INT64_C(1000) * VECTOR_LOGIN_S)

static struct jwt_ring *ring;
static struct token_cache *cache;

/* What is looked for among all that is wiped, and how often it was found there. */
static const char *wiped_text;
static int n_wiped;

/* In place of libcrypto's. */
void
OPENSSL_cleanse(void *p, size_t n)
{
	if (p == NULL)
		return;
	if (wiped_text != NULL && memmem(p, n, wiped_text, strlen(wiped_text)) != NULL)
		n_wiped++;
	explicit_bzero(p, n);
}

static void
setup(void)
{
	static const struct jwt_secret secrets[] = {
		{ "1", (const unsigned char *)VECTOR_SECRET, sizeof(VECTOR_SECRET) - 1 },
		{ "2", (const unsigned char *)OTHER_SECRET, sizeof(OTHER_SECRET) - 1 },
	};

	ring = jwt_ring_new(secrets, ARRAY_LEN(secrets));
	cache = token_cache_new(ring);
	wiped_text = NULL;
	n_wiped = 0;
}

static void
teardown(void)
{
	token_cache_free(cache);
	jwt_ring_free(ring);
}

/* A token of this payload under secret number key. */
static struct buf
sign(unsigned key, const char *payload)
{
	struct buf token = { 0 };

	jwt_sign(ring, key, payload, strlen(payload), &token);
	buf_str(&token);
	return token;
}

static enum jwt_fault
check_payload(const char *payload, int64_t now_ms)
{
	struct buf text = sign(0, payload);
	struct token *t = NULL;
	enum jwt_fault fault = token_check(cache, text.data, text.len, now_ms, &t);

	ck_assert_int_eq(fault == JWT_OK, t != NULL);
	token_unref(t);
	buf_free(&text);
	return fault;
}

/* A reference to a token that is valid. */
static struct token *
valid(const char *text)
{
	struct token *t;

	ck_assert_int_eq(token_check(cache, text, strlen(text), NOW_MS, &t), JWT_OK);
	return t;
}

START_TEST(knows_what_a_stock_token_says)
{
	struct token *t = valid(vector_login);

	ck_assert_str_eq(t->text, vector_login);
	ck_assert_uint_eq(t->len, strlen(vector_login));
	ck_assert_str_eq(t->application, "kit-app");
	ck_assert_uint_eq(t->application_len, 7);
	ck_assert_ptr_null(t->jti);
	ck_assert_int_eq(t->exp_ms, INT64_C(1700001210000));
	ck_assert_int_eq(t->nbf_ms, INT64_MIN);
	ck_assert_uint_eq(t->key, 0);
	ck_assert_int_eq(t->payload[0], '{');
	ck_assert_uint_eq(t->payload_len, strlen(t->payload));
	ck_assert(json_string_is(t->payload, t->claims.member[CLAIM_ISS].value, "qewd.jwt"));
	token_unref(t);
}
END_TEST

START_TEST(finds_a_token_again)
{
	struct token *first = valid(vector_login), *again = valid(vector_login);

	ck_assert_ptr_eq(first, again);
	ck_assert_uint_eq(token_cache_count(cache), 1);
	ck_assert_ptr_eq(token_cache_ring(cache), ring);
	token_unref(first);
	token_unref(again);
}
END_TEST

START_TEST(each_check_that_finds_a_token_good_counts_for_its_secret)
{
	static const char payload[] = "{\"exp\":1700001210}";
	struct buf text = sign(1, payload);

	for (int i = 0; i < 3; i++)
		token_unref(valid(text.data));
	token_unref(valid(vector_login));
	ck_assert_int_eq(check_payload("{\"exp\":1}", NOW_MS), JWT_EXPIRED);
	ck_assert_uint_eq(jwt_ring_checks(ring, 0), 1);
	ck_assert_uint_eq(jwt_ring_checks(ring, 1), 3);
	buf_free(&text);
}
END_TEST

START_TEST(a_token_that_is_checked_once_takes_no_place)
{
	struct token *t, *again;

	ck_assert_int_eq(token_check_once(cache, vector_login, strlen(vector_login), NOW_MS, &t),
	    JWT_OK);
	ck_assert_str_eq(t->text, vector_login);
	ck_assert_uint_eq(token_cache_count(cache), 0);
	again = valid(vector_login);
	ck_assert_ptr_ne(t, again);
	ck_assert_uint_eq(token_cache_count(cache), 1);
	token_unref(t);
	token_unref(again);
	ck_assert_int_eq(token_check_once(cache, "a.b", 3, NOW_MS, &t), JWT_SEGMENTS);
}
END_TEST

START_TEST(a_reference_outlives_the_entry)
{
	struct token *t = valid(vector_login), *again;

	token_cache_clear(cache);
	ck_assert_uint_eq(token_cache_count(cache), 0);
	ck_assert_uint_eq(token_cache_bytes(cache), 0);
	ck_assert_str_eq(t->text, vector_login);
	again = valid(vector_login);
	ck_assert_ptr_ne(t, again);
	token_unref(again);
	token_unref(t);
	token_unref(NULL);
}
END_TEST

START_TEST(a_refused_token_is_not_remembered)
{
	struct token *t;

	ck_assert_int_eq(token_check(cache, "a.b", 3, NOW_MS, &t), JWT_SEGMENTS);
	ck_assert_int_eq(token_check(cache, "", 0, NOW_MS, &t), JWT_NO_TOKEN);
	ck_assert_int_eq(token_check(cache, vector_login, strlen(vector_login) - 1, NOW_MS, &t),
	    JWT_SIGNATURE);
	ck_assert_int_eq(check_payload("{\"exp\":1}", NOW_MS), JWT_EXPIRED);
	ck_assert_uint_eq(token_cache_count(cache), 0);
}
END_TEST

START_TEST(a_token_expires_while_it_is_remembered)
{
	int64_t last_ms = INT64_C(1700001210000);
	struct token *t;

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(token_check(cache, vector_login, strlen(vector_login), last_ms,
		    &t), JWT_OK);
		token_unref(t);
	}
	ck_assert_int_eq(token_check(cache, vector_login, strlen(vector_login), last_ms + 1, &t),
	    JWT_EXPIRED);
	ck_assert_uint_eq(token_cache_count(cache), 0);
}
END_TEST

static const struct {
	const char *payload;
	int64_t now_ms;
	enum jwt_fault fault;
} times[] = {
	{ "{\"exp\":1700000000}", INT64_C(1700000000000), JWT_OK },
	{ "{\"exp\":1700000000}", INT64_C(1700000000001), JWT_EXPIRED },
	{ "{\"exp\":1700000000.5}", INT64_C(1700000000500), JWT_OK },
	{ "{\"exp\":1700000000.5}", INT64_C(1700000000501), JWT_EXPIRED },
	{ "{\"exp\":1.7e9}", INT64_C(1700000000000), JWT_OK },
	{ "{\"exp\":1.7e9}", INT64_C(1700000000001), JWT_EXPIRED },
	{ "{\"exp\":1700000000.0004}", INT64_C(1700000000000), JWT_OK },
	{ "{\"exp\":1700000000.0004}", INT64_C(1700000000001), JWT_EXPIRED },
	{ "{\"\\u0065xp\":1}", 2000, JWT_EXPIRED },
	{ "{}", INT64_MAX, JWT_OK },
	{ "{\"exp\":0}", INT64_MAX, JWT_OK },
	{ "{\"exp\":-0.0}", INT64_MAX, JWT_OK },
	{ "{\"exp\":null}", INT64_MAX, JWT_OK },	/* stock, for a session without timeout */
	{ "{\"exp\":1e300}", INT64_MAX, JWT_OK },
	{ "{\"exp\":1e999}", INT64_MAX, JWT_OK },
	{ "{\"exp\":-1}", 0, JWT_EXPIRED },
	{ "{\"exp\":-1e300}", 0, JWT_EXPIRED },
	{ "{\"exp\":\"1700000000\"}", 0, JWT_BAD_TIME },
	{ "{\"exp\":\"never\"}", 0, JWT_BAD_TIME },
	{ "{\"exp\":\"\"}", 0, JWT_BAD_TIME },
	{ "{\"exp\":true}", 0, JWT_BAD_TIME },
	{ "{\"exp\":false}", 0, JWT_BAD_TIME },
	{ "{\"exp\":[1700000000]}", 0, JWT_BAD_TIME },
	{ "{\"exp\":{}}", 0, JWT_BAD_TIME },
	{ "{\"nbf\":1700000000}", INT64_C(1700000000000), JWT_OK },
	{ "{\"nbf\":1700000000}", INT64_C(1699999999999), JWT_NOT_YET },
	{ "{\"nbf\":1700000000.5}", INT64_C(1700000000499), JWT_NOT_YET },
	{ "{\"nbf\":1700000000.5}", INT64_C(1700000000500), JWT_OK },
	{ "{\"nbf\":0}", 0, JWT_OK },
	{ "{\"nbf\":null}", 0, JWT_OK },
	{ "{\"nbf\":1e300}", NOW_MS, JWT_NOT_YET },
	{ "{\"nbf\":-1e300}", 0, JWT_OK },
	{ "{\"nbf\":\"1\"}", NOW_MS, JWT_BAD_TIME },
	{ "{\"exp\":1,\"nbf\":1700000000}", 2000, JWT_NOT_YET },	/* nbf is looked at first */
	{ "{\"exp\":2,\"exp\":9e9}", 0, JWT_BAD_JSON },
	{ "{\"exp\":9e9,\"e\\u0078p\":9e9}", 0, JWT_BAD_JSON },
	{ "{\"application\":\"a\",\"application\":\"b\"}", 0, JWT_BAD_JSON },
	{ "{\"jti\":1,\"jti\":2}", 0, JWT_BAD_JSON },
	{ "{\"qewd\":1,\"qewd\":2}", 0, JWT_BAD_JSON },
	{ "{\"name\":1,\"name\":2}", 0, JWT_OK },
};

START_TEST(checks_exp_and_nbf_first_and_on_every_hit)
{
	ck_assert_int_eq(check_payload(times[_i].payload, times[_i].now_ms), times[_i].fault);
	ck_assert_int_eq(check_payload(times[_i].payload, times[_i].now_ms), times[_i].fault);
}
END_TEST

static const struct {
	const char *payload;
	const char *application;
	const char *jti;
} names[] = {
	{ "{}", "", NULL },
	{ "{\"application\":\"a\",\"jti\":\"b\"}", "a", "b" },
	{ "{\"application\":\"\\u00fc\\/\"}", "\xc3\xbc/", NULL },
	{ "{\"application\":null,\"jti\":7}", "", NULL },
	{ "{\"application\":[\"a\"],\"jti\":[]}", "", NULL },
	{ "{\"jti\":\"a\\u0000b\"}", "", NULL },
	{ "{\"jti\":\"\"}", "", "" },
};

START_TEST(reads_the_application_and_the_name_of_the_session)
{
	struct buf text = sign(1, names[_i].payload);
	struct token *t = valid(text.data);

	ck_assert_uint_eq(t->key, 1);
	ck_assert_str_eq(t->application, names[_i].application);
	ck_assert_pstr_eq(t->jti, names[_i].jti);
	ck_assert_str_eq(t->payload, names[_i].payload);
	token_unref(t);
	buf_free(&text);
}
END_TEST

/* The payload of a token, to be freed. */
static char *
payload_of(const char *text, size_t len, unsigned want_key)
{
	struct buf payload = { 0 };
	unsigned key = 99;

	ck_assert_int_eq(jwt_verify(ring, text, len, &payload, &key), JWT_OK);
	ck_assert_uint_eq(key, want_key);
	return buf_take(&payload);
}

static const struct {
	const char *before, *application, *after;
} rewritten[] = {
	{ "{\"application\":\"a\"}", "b", "{\"application\":\"b\"}" },
	{ "{\"n\":1e2, \"application\" : \"a\" ,\"m\":[ 0.10]}", "b",
	  "{\"n\":1e2, \"application\" : \"b\" ,\"m\":[ 0.10]}" },
	{ "{\"\\u0061pplication\":\"a\"}", "b", "{\"\\u0061pplication\":\"b\"}" },
	{ "{\"application\":\"a\"}", "\"\\\n", "{\"application\":\"\\\"\\\\\\u000a\"}" },
	{ "{\"application\":\"a\"}", "", "{\"application\":\"\"}" },
	{ "{\"application\":7,\"x\":\"y\"}", "b", "{\"application\":\"b\",\"x\":\"y\"}" },
	{ "{}", "b", "{\"application\":\"b\"}" },
	{ "{\"x\":1}", "b", "{\"x\":1,\"application\":\"b\"}" },
};

START_TEST(rewrites_the_application_and_nothing_else)
{
	struct buf text = sign(_i % 2, rewritten[_i].before);
	struct token *t = valid(text.data);
	const char *form, *again;
	size_t len, len_again;
	char *payload;

	form = token_for_application(cache, t, rewritten[_i].application, &len);
	ck_assert_uint_eq(strlen(form), len);
	payload = payload_of(form, len, _i % 2);	/* the secret that verified it */
	ck_assert_str_eq(payload, rewritten[_i].after);
	again = token_for_application(cache, t, rewritten[_i].application, &len_again);
	ck_assert_ptr_eq(again, form);
	ck_assert_uint_eq(len_again, len);
	free(payload);
	token_unref(t);
	buf_free(&text);
}
END_TEST

START_TEST(an_equal_name_gives_the_token_itself)
{
	struct token *t = valid(vector_login);
	size_t len;

	ck_assert_ptr_eq(token_for_application(cache, t, "kit-app", &len), t->text);
	ck_assert_uint_eq(len, t->len);
	ck_assert_ptr_ne(token_for_application(cache, t, "kit-ap", &len), t->text);
	ck_assert_ptr_ne(token_for_application(cache, t, "kit-app2", &len), t->text);
	token_unref(t);
}
END_TEST

/* The token of a reply, as whoever has own gets it. */
static struct token *
given(const char *text, const struct token *own, bool want_rewritten)
{
	bool is_rewritten = !want_rewritten;
	struct token *t;

	ck_assert_int_eq(token_check_reply(cache, text, strlen(text), own, NOW_MS, &t,
	    &is_rewritten), JWT_OK);
	ck_assert_int_eq(is_rewritten, want_rewritten);
	return t;
}

/* Its claims are noted where a pass over its payload notes them. */
static void
check_claims(const struct token *t)
{
	struct json_object o;
	struct json_scan scan;
	struct json_value v;

	json_scan_init(&scan, t->payload, t->payload_len, JWT_DEPTH_MAX);
	ck_assert(json_scan_members(&scan, &v, &claim_names, &o, -1, NULL));
	ck_assert_uint_eq(o.open, t->claims.open);
	ck_assert_uint_eq(o.close, t->claims.close);
	ck_assert_uint_eq(o.n_members, t->claims.n_members);
	for (int i = 0; i < CLAIM_N; i++) {
		const struct json_member *a = &o.member[i], *b = &t->claims.member[i];

		ck_assert_uint_eq(a->seen, b->seen);
		ck_assert_int_eq(a->value.kind, b->value.kind);
		ck_assert(a->value.is_plain || !b->value.is_plain);
		if (a->seen == 0)
			continue;
		ck_assert_uint_eq(a->value.start, b->value.start);
		ck_assert_uint_eq(a->value.end, b->value.end);
		ck_assert_uint_eq(a->name, b->name);
		ck_assert_uint_eq(a->comma_before, b->comma_before);
		ck_assert_uint_eq(a->comma_after, b->comma_after);
	}
}

/* Not verified, not signed again: it is in the cache, with its form for the service. */
START_TEST(a_token_given_to_a_client_is_known_when_it_comes_back)
{
	struct buf text = sign(1, "{\"application\":\"remote-app\",\"exp\":1700000100,\"n\":1e2}");
	struct token *own = valid(vector_login), *t = given(text.data, own, true), *back;
	char *payload;
	size_t len;

	ck_assert_uint_eq(token_cache_count(cache), 2);
	payload = payload_of(t->text, t->len, 1);
	ck_assert_str_eq(payload, "{\"application\":\"kit-app\",\"exp\":1700000100,\"n\":1e2}");
	back = valid(t->text);
	ck_assert_ptr_eq(back, t);
	ck_assert_uint_eq(token_cache_count(cache), 2);
	ck_assert_str_eq(back->application, "kit-app");
	ck_assert_str_eq(back->payload, payload);
	ck_assert_uint_eq(back->key, 1);
	ck_assert_str_eq(token_for_application(cache, back, "remote-app", &len), text.data);
	token_unref(back);
	back = NULL;
	ck_assert_int_eq(token_check(cache, t->text, t->len, INT64_C(1700000100001), &back),
	    JWT_EXPIRED);
	ck_assert_ptr_null(back);
	free(payload);
	token_unref(t);
	token_unref(own);
	buf_free(&text);
}
END_TEST

START_TEST(a_token_without_application_gets_one_when_it_is_given)
{
	struct buf text = sign(0, "{}");
	struct token *own = valid(vector_login), *t = given(text.data, own, true), *back;
	size_t len;

	back = valid(t->text);
	ck_assert_str_eq(back->payload, "{\"application\":\"kit-app\"}");
	ck_assert_str_ne(token_for_application(cache, back, "", &len), text.data);
	token_unref(back);
	token_unref(t);
	token_unref(own);
	buf_free(&text);
}
END_TEST

START_TEST(a_service_may_give_the_same_token_again)
{
	struct token *own = valid(vector_login), *t, *again, *shown;
	struct buf text = sign(0, "{\"application\":\"remote-app\",\"exp\":1700000100}");
	size_t bytes;

	t = given(text.data, own, true);
	bytes = token_cache_bytes(cache);
	again = given(text.data, own, true);
	ck_assert_ptr_eq(again, t);
	token_unref(again);
	/* Whoever shows it has the service's token, and not the one it was rewritten to. */
	shown = valid(text.data);
	ck_assert_str_eq(shown->application, "remote-app");
	ck_assert_str_eq(shown->text, text.data);
	again = given(text.data, own, true);
	ck_assert_ptr_eq(again, t);
	token_unref(again);
	again = given(text.data, shown, false);
	ck_assert_ptr_eq(again, shown);
	token_unref(again);
	ck_assert_int_eq(token_check_reply(cache, text.data, text.len, own, INT64_C(1700000100001),
	    &again, &(bool){ false }), JWT_EXPIRED);
	ck_assert_uint_lt(token_cache_bytes(cache), bytes + 4000);
	token_unref(shown);
	token_unref(t);
	token_unref(own);
	buf_free(&text);
}
END_TEST

/* Its token, with forms and session, is neither verified nor signed again, nor another one. */
START_TEST(services_used_in_turn_that_give_the_token_back_give_what_is_known)
{
	static const char *const services[] = { "one", "another" };
	struct buf text = sign(1, "{\"application\":\"kit-app\",\"exp\":1700000100}");
	const char *form[2] = { NULL, NULL }, *now;
	const struct token_session *session;
	struct revoked *revoked = revoked_new();
	struct token *own, *t;
	size_t len, count = 0;

	if (_i == 1)	/* what they give back is remembered as well then */
		token_cache_set_revoked(cache, revoked, "application");
	own = valid(text.data);
	session = token_session_for(cache, own, "local");
	for (int i = 0; i < 10; i++) {
		now = token_for_application(cache, own, services[i % 2], &len);
		ck_assert(form[i % 2] == NULL || form[i % 2] == now);
		form[i % 2] = now;
		t = given(now, own, true);
		ck_assert_ptr_eq(t, own);
		token_supersede(cache, t);
		token_unref(t);
		if (i == 1)
			count = token_cache_count(cache);
		ck_assert(i < 1 || token_cache_count(cache) == count);
	}
	ck_assert_uint_eq(count, _i == 0 ? 1 : 3);
	ck_assert_ptr_eq(own->session, session);
	token_cache_set_revoked(cache, NULL, "application");
	revoked_free(revoked);
	token_unref(own);
	buf_free(&text);
}
END_TEST

START_TEST(a_token_that_a_reply_is_rewritten_to_stays_if_it_is_known)
{
	struct buf given_text = { 0 };
	struct token *own = valid(vector_login), *once, *t;
	const struct token_session *session = token_session_for(cache, own, "local");
	const char *form;
	size_t len;

	ck_assert_int_eq(token_check_once(cache, vector_login, own->len, NOW_MS, &once), JWT_OK);
	for (int i = 0; i < 3 * TOKEN_FORMS_MAX; i++) {
		char name[16];

		snprintf(name, sizeof(name), "app-%d", i);
		given_text.len = 0;
		form = token_for_application(cache, once, name, &len);
		buf_add(&given_text, form, len);
		for (int n = 0; n < 2; n++) {
			t = given(buf_str(&given_text), own, true);
			ck_assert_ptr_eq(t, own);
			token_unref(t);
		}
		ck_assert_str_eq(token_for_application(cache, own, name, &len), given_text.data);
	}
	ck_assert_uint_eq(token_cache_count(cache), 1);
	ck_assert_ptr_eq(own->session, session);
	token_unref(once);
	token_unref(own);
	buf_free(&given_text);
}
END_TEST

START_TEST(a_token_that_a_service_gave_is_given_to_another_application_as_well)
{
	struct buf text = sign(0, "{\"application\":\"remote-app\",\"exp\":1700000100}");
	struct buf other = sign(0, "{\"application\":\"another\"}");
	struct token *own = valid(vector_login), *own_too = valid(other.data), *first, *second;

	first = given(text.data, own, true);
	second = given(text.data, own_too, true);
	ck_assert_str_eq(first->application, "kit-app");
	ck_assert_str_eq(second->application, "another");
	token_unref(first);
	token_unref(second);
	/* One that was shown before is rewritten from what is known of it. */
	token_cache_clear(cache);
	first = valid(text.data);
	second = given(text.data, own_too, true);
	ck_assert_str_eq(second->payload, "{\"application\":\"another\",\"exp\":1700000100}");
	check_claims(second);
	token_unref(first);
	first = valid(second->text);
	ck_assert_ptr_eq(first, second);
	token_unref(first);
	token_unref(second);
	token_unref(own);
	token_unref(own_too);
	buf_free(&text);
	buf_free(&other);
}
END_TEST

START_TEST(a_reply_with_the_clients_own_application_is_not_rewritten)
{
	struct buf text = sign(0, "{\"application\":\"kit-app\"}");
	struct token *own = valid(vector_login), *t = given(text.data, own, false);

	ck_assert_str_eq(t->text, text.data);
	ck_assert_uint_eq(token_cache_count(cache), 2);
	token_unref(t);
	t = given(text.data, own, false);
	ck_assert_uint_eq(token_cache_count(cache), 2);
	token_unref(t);
	token_unref(own);
	buf_free(&text);
}
END_TEST

static const char *const given_payload[] = {
	"{\"application\":\"remote-app\"}",
	"{\"application\":\"x\",\"exp\":1700000100,\"jti\":\"a\"}",
	"{\"application\":\"\\u0061\"}",
	"{\"iat\":1,\"exp\":1700000100,\"application\":\"a longer name than the other\"}",
	"{ \"iat\" : 1 , \"application\" : \"remote\" , \"qewd\" : \"00\" , \"exp\" : 1700000100 }",
	"{\"\\u0061pplication\":\"remote-app\",\"nbf\":0,\"timeout\":300}",
	"{\"application\":7,\"iss\":\"qewd.jwt\"}",
	"{\"application\":{\"exp\":[1]},\"iss\":\"qewd.jwt\"}",
	"  {\"application\":\"remote-app\",\"exp\":1700000100}\n",
	"{\"exp\":1700000100}",
	"{}",
};

START_TEST(claims_of_a_rewritten_token_are_where_they_are_read)
{
	struct buf text = sign(0, given_payload[_i]);
	struct token *own = valid(vector_login), *t = given(text.data, own, true), *read;

	check_claims(t);
	ck_assert_str_eq(t->application, "kit-app");
	ck_assert_int_eq(token_check_once(cache, t->text, t->len, NOW_MS, &read), JWT_OK);
	ck_assert_str_eq(read->payload, t->payload);
	ck_assert_int_eq(read->exp_ms, t->exp_ms);
	ck_assert_int_eq(read->nbf_ms, t->nbf_ms);
	ck_assert_int_eq(read->iat_s, t->iat_s);
	ck_assert_pstr_eq(read->jti, t->jti);
	token_unref(read);
	token_unref(t);
	token_unref(own);
	buf_free(&text);
}
END_TEST

START_TEST(a_name_with_escapes_is_not_taken_for_a_plain_one)
{
	struct buf text = sign(0, "{\"application\":\"plain\"}");
	struct buf other = sign(0, "{\"application\":\"a\\\"b\"}");
	struct token *own = valid(other.data), *t = given(text.data, own, true);

	check_claims(t);
	ck_assert(json_string_is(t->payload, t->claims.member[CLAIM_APPLICATION].value, "a\"b"));
	token_unref(t);
	token_unref(own);
	buf_free(&text);
	buf_free(&other);
}
END_TEST

START_TEST(a_bad_token_of_a_reply_goes_no_further)
{
	struct buf expired = sign(0, "{\"application\":\"remote-app\",\"exp\":1}");
	struct buf named_twice = sign(0, "{\"application\":\"a\",\"application\":\"b\"}");
	struct buf no_object = sign(0, "[]");
	struct token *own = valid(vector_login), *t;
	bool is_rewritten;

	ck_assert_int_eq(token_check_reply(cache, "a.b", 3, own, NOW_MS, &t, &is_rewritten),
	    JWT_SEGMENTS);
	ck_assert_int_eq(token_check_reply(cache, expired.data, expired.len, own, NOW_MS, &t,
	    &is_rewritten), JWT_EXPIRED);
	ck_assert_int_eq(token_check_reply(cache, expired.data, expired.len - 1, own, NOW_MS, &t,
	    &is_rewritten), JWT_SIGNATURE);
	ck_assert_int_eq(token_check_reply(cache, named_twice.data, named_twice.len, own, NOW_MS,
	    &t, &is_rewritten), JWT_BAD_JSON);
	ck_assert_int_eq(token_check_reply(cache, no_object.data, no_object.len, own, NOW_MS, &t,
	    &is_rewritten), JWT_BAD_JSON);
	ck_assert_uint_eq(token_cache_count(cache), 1);
	token_unref(own);
	buf_free(&expired);
	buf_free(&named_twice);
	buf_free(&no_object);
}
END_TEST

/* It would be refused when the client shows it; as new, and as one that was shown itself. */
START_TEST(a_token_of_a_reply_that_gets_too_long_goes_no_further)
{
	struct buf payload = { 0 }, text;
	struct token *own = valid(vector_login), *shown, *t = NULL;
	bool is_rewritten;

	/* 48 KiB of payload are 64 KiB of base64url; the client's application has a longer name. */
	buf_add_str(&payload, "{\"application\":\"a\",\"p\":\"");
	while (payload.len < JWT_MAX_BYTES / 4 * 3 - 63)
		buf_add_char(&payload, 'x');
	buf_add_str(&payload, "\"}");
	text = sign(0, buf_str(&payload));
	ck_assert_uint_le(text.len, JWT_MAX_BYTES);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(token_check_reply(cache, text.data, text.len, own, NOW_MS, &t,
		    &is_rewritten), JWT_SEGMENTS);
		ck_assert_uint_eq(token_cache_count(cache), 1 + (unsigned)i);
		if (i == 0)
			shown = valid(text.data);
	}
	token_unref(shown);
	token_unref(own);
	buf_free(&payload);
	buf_free(&text);
}
END_TEST

/* Revoked in between: neither the service's token nor the one given is good any more. */
START_TEST(a_session_that_was_given_can_be_revoked)
{
	struct buf text = sign(0, "{\"application\":\"remote-app\",\"jti\":\"a\"}");
	struct revoked *revoked = revoked_new();
	struct token *own = valid(vector_login), *t, *none;
	bool is_rewritten;

	token_cache_set_revoked(cache, revoked, NULL);
	t = given(text.data, own, true);
	ck_assert(revoked_add(revoked, &(struct revoked_entry){ .kind = REVOKED_JTI, .name = "a",
	    .before_s = INT64_MAX, .until_s = INT64_MAX }, NOW_MS / 1000));
	ck_assert_int_eq(token_check_reply(cache, text.data, text.len, own, NOW_MS, &none,
	    &is_rewritten), JWT_REVOKED);
	ck_assert_int_eq(token_check_reply(cache, text.data, text.len, own, NOW_MS, &none,
	    &is_rewritten), JWT_REVOKED);
	ck_assert_int_eq(token_check(cache, t->text, t->len, NOW_MS, &none), JWT_REVOKED);
	ck_assert_uint_eq(token_cache_count(cache), 1);
	token_cache_set_revoked(cache, NULL, NULL);
	revoked_free(revoked);
	token_unref(t);
	token_unref(own);
	buf_free(&text);
}
END_TEST

/* The user of a token is then another one than that of the token it was rewritten to. */
START_TEST(an_application_may_name_a_user_that_is_revoked)
{
	struct buf text = sign(0, "{\"application\":\"remote-app\"}");
	struct revoked *revoked = revoked_new();
	struct token *own = valid(vector_login), *t;
	bool is_rewritten;

	token_cache_set_revoked(cache, revoked, "application");
	t = given(text.data, own, true);
	token_unref(t);
	ck_assert(revoked_add(revoked, &(struct revoked_entry){ .kind = REVOKED_USER,
	    .name = "remote-app", .before_s = INT64_MAX, .until_s = INT64_MAX }, NOW_MS / 1000));
	ck_assert_int_eq(token_check_reply(cache, text.data, text.len, own, NOW_MS, &t,
	    &is_rewritten), JWT_REVOKED);
	token_cache_set_revoked(cache, NULL, NULL);
	revoked_free(revoked);
	token_unref(own);
	buf_free(&text);
}
END_TEST

/* Number i of one session, given in the reply to the one before, which is taken. */
static struct token *
next_token(int i, struct token *own)
{
	struct buf payload = { 0 }, text;
	struct token *t;

	buf_printf(&payload, "{\"application\":\"remote-app\",\"n\":%d}", i);
	text = sign(0, buf_str(&payload));
	t = given(text.data, own, true);
	token_supersede(cache, own);
	token_unref(own);
	buf_free(&payload);
	buf_free(&text);
	return t;
}

START_TEST(tokens_that_were_superseded_go_soon)
{
	struct token *first = valid(vector_login), *used, *t;
	struct buf other = sign(0, "{\"application\":\"another\"}");
	size_t n;

	used = valid(other.data);
	t = next_token(0, token_ref(first));
	for (int i = 1; i < 3 * TOKEN_SUPERSEDED_MAX; i++) {
		if (i == TOKEN_SUPERSEDED_MAX / 4)	/* those who have not heard of it yet */
			ck_assert_ptr_eq(valid(vector_login), first);
		t = next_token(i, t);
		ck_assert_uint_le(token_cache_count(cache), TOKEN_SUPERSEDED_MAX + 3);
		/* Who goes on with a token is not put off. */
		token_supersede(cache, used);
		token_unref(valid(other.data));
	}
	ck_assert_uint_gt(token_cache_count(cache), TOKEN_SUPERSEDED_MAX / 2);
	ck_assert_uint_eq(first->refs, 3);	/* ours, and its place: it was used again */
	token_unref(first);
	token_unref(first);
	token_supersede(cache, first);
	for (int i = 1; i <= TOKEN_SUPERSEDED_MAX; i++)
		t = next_token(-i, t);
	n = token_cache_count(cache);
	token_unref(valid(vector_login));
	ck_assert_uint_eq(token_cache_count(cache), n + 1);	/* it had gone */
	token_cache_clear(cache);
	ck_assert_uint_eq(token_cache_bytes(cache), 0);
	ck_assert_uint_eq(t->refs, 1);
	ck_assert_uint_eq(used->refs, 1);
	token_unref(used);
	token_unref(t);
	buf_free(&other);
}
END_TEST

/* Replies bring new ones, but they show the one they have. */
START_TEST(many_clients_may_keep_their_tokens_though_they_are_superseded)
{
	struct token *own[TOKEN_SUPERSEDED_MAX / 2];

	for (int i = 0; i < (int)ARRAY_LEN(own); i++) {
		struct buf payload = { 0 }, text;

		buf_printf(&payload, "{\"application\":\"kit-app\",\"client\":%d}", i);
		text = sign(0, buf_str(&payload));
		own[i] = valid(text.data);
		buf_free(&payload);
		buf_free(&text);
	}
	ck_assert_uint_gt(ARRAY_LEN(own), 500);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < (int)ARRAY_LEN(own); i++) {
			struct token *t = valid(own[i]->text);

			ck_assert_ptr_eq(t, own[i]);
			token_supersede(cache, t);
			token_unref(t);
		}
	}
	for (int i = 0; i < (int)ARRAY_LEN(own); i++)
		token_unref(own[i]);
}
END_TEST

START_TEST(a_name_may_hold_a_nul)
{
	struct token *t = valid(vector_login);
	const char *form, *longer;
	char *payload;
	size_t len;

	form = token_for_name(cache, t, "a", 1, &len);
	longer = token_for_name(cache, t, "a\0b", 3, &len);
	ck_assert_ptr_ne(form, longer);
	payload = payload_of(longer, len, 0);
	ck_assert_ptr_nonnull(strstr(payload, "\"application\":\"a\\u0000b\""));
	free(payload);
	token_unref(t);
}
END_TEST

/* What the stock master of the reference made of the same token. */
START_TEST(rewrites_as_a_stock_master_does)
{
	struct token *want = valid(vector_refreshed), *t;
	struct buf home = { 0 };
	const char *form;
	size_t len;

	form = token_for_application(cache, want, "kit-app", &len);
	buf_add(&home, form, len);
	t = valid(buf_str(&home));
	ck_assert_str_eq(t->application, "kit-app");
	form = token_for_application(cache, t, "remote-app", &len);
	ck_assert_str_eq(form, vector_refreshed);
	buf_free(&home);
	token_unref(t);
	token_unref(want);
}
END_TEST

/* As a token of its own: found again, or t itself; not remembered if t is not. */
START_TEST(a_form_is_a_token_as_long_as_its_own_is_good)
{
	struct token *t = valid(vector_login), *first, *again, *once;
	const int64_t end_ms = t->exp_ms;

	ck_assert_int_eq(token_check_for(cache, t, "kit-app", 7, NOW_MS, &again), JWT_OK);
	ck_assert_ptr_eq(again, t);
	token_unref(again);
	ck_assert_int_eq(token_check_for(cache, t, "other", 5, NOW_MS, &first), JWT_OK);
	ck_assert_str_eq(first->application, "other");
	check_claims(first);
	ck_assert_int_eq(token_check_for(cache, t, "other", 5, NOW_MS, &again), JWT_OK);
	ck_assert_ptr_eq(again, first);
	ck_assert_uint_eq(token_cache_count(cache), 2);
	token_unref(again);
	token_unref(first);
	ck_assert_int_eq(token_check_for(cache, t, "other", 5, end_ms + 1, &again), JWT_EXPIRED);
	ck_assert_int_eq(token_check_for(cache, t, "kit-app", 7, end_ms + 1, &again), JWT_EXPIRED);
	ck_assert_uint_eq(token_cache_count(cache), 0);

	ck_assert_int_eq(token_check_once(cache, vector_login, t->len, NOW_MS, &once), JWT_OK);
	ck_assert_int_eq(token_check_for(cache, once, "third", 5, NOW_MS, &first), JWT_OK);
	ck_assert_uint_eq(token_cache_count(cache), 0);
	token_unref(first);
	token_unref(once);
	token_unref(t);
}
END_TEST

START_TEST(a_form_of_a_secret_that_was_taken_away_is_refused)
{
	static const struct jwt_secret other[] = {
		{ "2", (const unsigned char *)OTHER_SECRET, sizeof(OTHER_SECRET) - 1 },
	};
	struct token *t = valid(vector_login), *none = NULL;

	token_cache_set_secrets(cache, other, ARRAY_LEN(other));
	ck_assert_int_eq(token_check_for(cache, t, "kit-app", 7, NOW_MS, &none), JWT_SIGNATURE);
	ck_assert_int_eq(token_check_for(cache, t, "other", 5, NOW_MS, &none), JWT_SIGNATURE);
	token_unref(t);
}
END_TEST

START_TEST(keeps_the_forms_used_last)
{
	struct token *t = valid(vector_login);
	const char *first;
	size_t len, bytes = 0;
	char name[16];

	first = token_for_application(cache, t, "app-0", &len);
	for (int i = 1; i < 5 * TOKEN_FORMS_MAX; i++) {
		snprintf(name, sizeof(name), "app-%d", i + 10);
		token_for_application(cache, t, name, &len);
		ck_assert_ptr_eq(token_for_application(cache, t, "app-0", &len), first);
		if (i == TOKEN_FORMS_MAX)
			bytes = token_cache_bytes(cache);
	}
	ck_assert_uint_eq(token_cache_bytes(cache), bytes);
	token_unref(t);
}
END_TEST

START_TEST(a_token_no_longer_remembered_can_be_rewritten)
{
	struct token *t = valid(vector_login);
	size_t len;

	token_cache_clear(cache);
	ck_assert_uint_gt(strlen(token_for_application(cache, t, "b", &len)), 0);
	ck_assert_uint_eq(token_cache_bytes(cache), 0);
	token_unref(valid(vector_login));	/* another object with the same text */
	len = token_cache_bytes(cache);
	token_for_application(cache, t, "c", &(size_t){ 0 });
	ck_assert_uint_eq(token_cache_bytes(cache), len);
	token_unref(t);
}
END_TEST

/* Number i, with so much in its payload; remembered from now on. */
static void
add_number(int i, size_t filler)
{
	struct buf payload = { 0 };

	buf_printf(&payload, "{\"n\":%d,\"filler\":\"%*s\"}", i, (int)filler, "");
	ck_assert_int_eq(check_payload(buf_str(&payload), NOW_MS), JWT_OK);
	buf_free(&payload);
}

START_TEST(bounds_the_number_of_entries)
{
	for (int i = 0; i < TOKEN_CACHE_ENTRIES + 100; i++)
		add_number(i, 0);
	ck_assert_uint_le(token_cache_count(cache), TOKEN_CACHE_ENTRIES);
	ck_assert_uint_gt(token_cache_count(cache), TOKEN_CACHE_ENTRIES / 2);
	ck_assert_uint_le(token_cache_bytes(cache), TOKEN_CACHE_BYTES);
}
END_TEST

START_TEST(bounds_the_bytes_of_entries)
{
	struct token *t = valid(vector_login);

	for (int i = 0; i < 200; i++) {
		add_number(i, 40000);
		token_unref(valid(vector_login));	/* never the one not used for longest */
		ck_assert_uint_le(token_cache_bytes(cache), TOKEN_CACHE_BYTES);
	}
	ck_assert_uint_gt(token_cache_bytes(cache), TOKEN_CACHE_BYTES / 2);
	ck_assert_uint_lt(token_cache_count(cache), 60);
	ck_assert_uint_gt(token_cache_count(cache), 30);
	ck_assert_uint_eq(t->refs, 2);
	token_unref(t);
}
END_TEST

START_TEST(forms_count_as_bytes)
{
	struct buf payload = { 0 }, text;
	char name[16];
	size_t len;

	buf_printf(&payload, "{\"filler\":\"%40000s\"}", "");
	text = sign(0, buf_str(&payload));
	for (int i = 0; i < 60; i++)
		add_number(i, 40000);
	for (int i = 0; i < TOKEN_FORMS_MAX; i++) {
		struct token *t = valid(text.data);

		snprintf(name, sizeof(name), "app-%d", i);
		token_for_application(cache, t, name, &len);
		token_unref(t);
		ck_assert_uint_le(token_cache_bytes(cache), TOKEN_CACHE_BYTES);
	}
	ck_assert_uint_lt(token_cache_count(cache), 40);
	buf_free(&text);
	buf_free(&payload);
}
END_TEST

/* A form makes its token the one used last: others go, and the limit holds. */
START_TEST(forms_of_the_oldest_token_count_as_well)
{
	struct buf payload = { 0 }, text;
	struct token *t;
	char name[16];
	size_t len;

	buf_printf(&payload, "{\"filler\":\"%40000s\"}", "");
	text = sign(0, buf_str(&payload));
	t = valid(text.data);
	while (token_cache_bytes(cache) < TOKEN_CACHE_BYTES - 110000)
		add_number((int)token_cache_count(cache), 40000);
	for (int i = 0; i < TOKEN_FORMS_MAX; i++) {
		snprintf(name, sizeof(name), "app-%d", i);
		token_for_application(cache, t, name, &len);
		ck_assert_uint_le(token_cache_bytes(cache), TOKEN_CACHE_BYTES);
		ck_assert_uint_eq(t->refs, 2);
	}
	token_unref(t);
	buf_free(&text);
	buf_free(&payload);
}
END_TEST

/* ---- sessions as handlers see them ---- */

/* A session in the clear that nobody is to find later. */
#define SEAL "of a token that went"

static bool
shows(const struct token_session *s, const char *text)
{
	return memmem(s->session, s->session_len, text, strlen(text)) != NULL;
}

/* A token of a session with this secret member, and so much beside it. */
static struct buf
sealed(unsigned key, const char *plain, size_t filler)
{
	struct buf payload = { 0 }, text;

	buf_printf(&payload, "{\"filler\":\"%*s\",\"qewd\":\"", (int)filler, "");
	jwt_encrypt(ring, key, plain, strlen(plain), &payload);
	buf_add_str(&payload, "\"}");
	text = sign(key, buf_str(&payload));
	buf_free(&payload);
	return text;
}

START_TEST(a_session_is_decrypted_once_for_a_token)
{
	struct buf session = { 0 }, secret = { 0 };
	struct token *t = valid(vector_login), *again;
	const struct token_session *s = token_session_for(cache, t, "local");

	claims_session(ring, t, "local", &session, &secret);
	ck_assert_mem_eq(s->session, session.data, session.len);
	ck_assert_uint_eq(s->session_len, session.len);
	ck_assert_mem_eq(s->secret, secret.data, secret.len);
	ck_assert_uint_eq(s->secret_len, secret.len);
	ck_assert(shows(s, "\"username\":\"rob\""));
	again = valid(vector_login);
	ck_assert_ptr_eq(token_session_for(cache, again, "local"), s);
	buf_free(&session);
	buf_free(&secret);
	token_unref(again);
	token_unref(t);
}
END_TEST

START_TEST(each_application_sees_its_own_name_in_the_session)
{
	struct token *t = valid(vector_login);
	size_t bytes;

	ck_assert(shows(token_session_for(cache, t, "one"), "\"application\":\"one\""));
	bytes = token_cache_bytes(cache);
	ck_assert(shows(token_session_for(cache, t, "two"), "\"application\":\"two\""));
	ck_assert(shows(token_session_for(cache, t, "one"), "\"application\":\"one\""));
	ck_assert_uint_eq(token_cache_bytes(cache), bytes);
	token_unref(t);
}
END_TEST

START_TEST(a_session_that_was_changed_is_another)
{
	static const char changed[] = "{\"authenticated\":true,\"step\":2}";
	struct token *t = valid(vector_login), *next;
	struct buf text = { 0 };

	ck_assert(!shows(token_session_for(cache, t, "local"), "step"));
	claims_issue(ring, t, &(struct claims_update){ .session = changed,
	    .session_len = sizeof(changed) - 1, .lifetime_s = 300, .now_s = NOW_MS / 1000 }, &text);
	next = valid(buf_str(&text));
	ck_assert(shows(token_session_for(cache, next, "local"), "\"step\":2"));
	ck_assert(!shows(token_session_for(cache, next, "local"), "username"));
	ck_assert(!shows(token_session_for(cache, t, "local"), "step"));
	buf_free(&text);
	token_unref(next);
	token_unref(t);
}
END_TEST

/* What claims_issue() gives for a session that has changed in this step. */
static struct claims_update
update_of(const char *session)
{
	return (struct claims_update){ .session = session, .session_len = strlen(session),
		.lifetime_s = 300, .now_s = NOW_MS / 1000 };
}

START_TEST(a_token_that_was_issued_is_known_when_it_comes_back)
{
	struct claims_update u = update_of("{\"authenticated\":true,\"step\":2}");
	struct token_cache *other = token_cache_new(ring);
	struct token *t = valid(vector_login), *next, *read;
	struct buf text = { 0 };

	token_issue(cache, t, &u, &text);
	ck_assert_uint_eq(token_cache_count(cache), 2);
	next = valid(buf_str(&text));
	ck_assert_uint_eq(token_cache_count(cache), 2);

	/* Of it nothing else is known than of one that is verified. */
	ck_assert_int_eq(token_check(other, text.data, text.len, NOW_MS, &read), JWT_OK);
	ck_assert_mem_eq(next->text, read->text, read->len + 1);
	ck_assert_str_eq(next->payload, read->payload);
	ck_assert_str_eq(next->application, read->application);
	ck_assert_pstr_eq(next->jti, read->jti);
	ck_assert_uint_eq(next->key, read->key);
	ck_assert_int_eq(next->exp_ms, read->exp_ms);
	ck_assert_int_eq(next->nbf_ms, read->nbf_ms);
	ck_assert_int_eq(next->iat_s, read->iat_s);
	ck_assert(shows(token_session_for(cache, next, "local"), "\"step\":2"));
	token_unref(read);
	token_cache_free(other);
	buf_free(&text);
	token_unref(next);
	token_unref(t);
}
END_TEST

START_TEST(a_token_that_was_issued_takes_the_place_of_the_one_before)
{
	struct claims_update u = update_of("{}");
	struct token *t = valid(vector_login);
	struct buf text = { 0 };

	ck_assert(!t->is_superseded);
	token_issue(cache, t, &u, &text);
	ck_assert(t->is_superseded);
	buf_free(&text);
	token_unref(t);
}
END_TEST

START_TEST(a_token_that_was_issued_is_refused_when_its_secret_is_gone)
{
	const struct jwt_secret other = {
		"2", (const unsigned char *)OTHER_SECRET, sizeof(OTHER_SECRET) - 1
	};
	struct claims_update u = update_of("{}");
	struct token *t = valid(vector_login), *next;
	struct buf text = { 0 };

	token_issue(cache, t, &u, &text);
	token_unref(valid(buf_str(&text)));
	token_cache_set_secrets(cache, &other, 1);
	ck_assert_int_eq(token_check(cache, text.data, text.len, NOW_MS, &next), JWT_SIGNATURE);
	buf_free(&text);
	token_unref(t);
}
END_TEST

START_TEST(a_token_that_was_issued_expires)
{
	struct claims_update u = update_of("{\"timeout\":10}");
	struct token *t = valid(vector_login), *next;
	struct buf text = { 0 };

	token_issue(cache, t, &u, &text);
	ck_assert_int_eq(token_check(cache, text.data, text.len, NOW_MS + 11000, &next),
	    JWT_EXPIRED);
	ck_assert_uint_eq(token_cache_count(cache), 1);
	buf_free(&text);
	token_unref(t);
}
END_TEST

START_TEST(a_token_that_is_issued_again_takes_no_further_place)
{
	struct claims_update u = update_of("{}"), same = { .lifetime_s = 300, .now_s = u.now_s };
	struct token *t = valid(vector_login), *next;
	struct buf text = { 0 }, again = { 0 };

	token_issue(cache, t, &u, &text);
	next = valid(buf_str(&text));
	token_issue(cache, next, &same, &again);
	ck_assert_str_eq(buf_str(&again), text.data);
	ck_assert_uint_eq(token_cache_count(cache), 2);
	buf_free(&again);
	buf_free(&text);
	token_unref(next);
	token_unref(t);
}
END_TEST

START_TEST(a_token_is_issued_but_not_remembered_for_one_that_is_not)
{
	struct claims_update u = update_of("{}");
	struct buf text = { 0 };
	struct token *t;

	ck_assert_int_eq(token_check_once(cache, vector_login, strlen(vector_login), NOW_MS, &t),
	    JWT_OK);
	token_issue(cache, t, &u, &text);
	ck_assert_uint_eq(token_cache_count(cache), 0);
	token_unref(t);
	t = valid(buf_str(&text));
	buf_free(&text);
	token_unref(t);
}
END_TEST

START_TEST(a_revoked_session_is_refused_though_it_was_decrypted)
{
	struct buf text = sign(0, "{\"jti\":\"a\",\"exp\":1700001210}");
	struct revoked *revoked = revoked_new();
	struct token *t = valid(text.data), *none = NULL;

	token_cache_set_revoked(cache, revoked, NULL);
	token_session_for(cache, t, "local");
	ck_assert(revoked_add(revoked, &(struct revoked_entry){ .kind = REVOKED_JTI, .name = "a",
	    .before_s = INT64_MAX, .until_s = INT64_MAX }, NOW_MS / 1000));
	ck_assert_int_eq(token_check(cache, text.data, text.len, NOW_MS, &none), JWT_REVOKED);
	ck_assert_uint_eq(token_cache_bytes(cache), 0);
	token_cache_set_revoked(cache, NULL, NULL);
	revoked_free(revoked);
	buf_free(&text);
	token_unref(t);
}
END_TEST

START_TEST(an_expired_session_is_refused_and_wiped_though_it_was_decrypted)
{
	struct buf text;
	struct token *t, *none = NULL;

	text = sign(0, "{\"exp\":1700001210,\"mark\":\"it expires\"}");
	t = valid(text.data);
	token_session_for(cache, t, "local");
	token_unref(t);
	wiped_text = "it expires";
	ck_assert_int_eq(token_check(cache, text.data, text.len, INT64_C(1700001210001), &none),
	    JWT_EXPIRED);
	ck_assert_int_eq(n_wiped, 1);
	buf_free(&text);
}
END_TEST

/* Nobody shows it again: it goes with what else is not used any more. */
START_TEST(an_expired_session_is_wiped_by_and_by)
{
	struct buf text;
	struct token *t;

	text = sign(0, "{\"exp\":1700001210,\"mark\":\"it expires\"}");
	t = valid(text.data);
	token_unref(valid(vector_refreshed));
	token_session_for(cache, t, "local");
	wiped_text = "it expires";
	token_cache_remove_expired(cache, INT64_C(1700001210000));
	ck_assert_int_eq(n_wiped, 0);
	ck_assert_uint_eq(token_cache_count(cache), 2);
	token_cache_remove_expired(cache, INT64_C(1700001210001));
	ck_assert_int_eq(n_wiped, 1);
	ck_assert_uint_eq(t->refs, 1);
	token_unref(t);
	buf_free(&text);
}
END_TEST

/* As a reload does it. */
START_TEST(a_session_of_a_secret_that_was_taken_away_is_for_those_under_way_alone)
{
	static const struct jwt_secret other[] = {
		{ "2", (const unsigned char *)OTHER_SECRET, sizeof(OTHER_SECRET) - 1 },
	};
	struct token *t = valid(vector_login), *none = NULL;

	token_session_for(cache, t, "local");
	token_cache_set_secrets(cache, other, ARRAY_LEN(other));
	ck_assert_uint_eq(token_cache_bytes(cache), 0);
	ck_assert(shows(token_session_for(cache, t, "local"), "\"username\":\"rob\""));
	ck_assert(shows(token_session_for(cache, t, "another"), "\"username\":\"rob\""));
	ck_assert_uint_eq(token_cache_bytes(cache), 0);
	token_unref(t);
	jwt_ring_forget(ring);
	ck_assert_int_eq(token_check(cache, vector_login, strlen(vector_login), NOW_MS, &none),
	    JWT_SIGNATURE);
}
END_TEST

START_TEST(a_session_counts_as_bytes)
{
	struct buf text = sealed(1, "{\"seal\":\"of mine\"}", 40000);
	struct token *t = valid(text.data);
	size_t before = token_cache_bytes(cache);
	const struct token_session *s = token_session_for(cache, t, "local");

	ck_assert_uint_gt(s->bytes, 40000);
	ck_assert_uint_eq(token_cache_bytes(cache), before + s->bytes);
	token_unref(t);
	for (int i = 0; i < 60; i++) {
		struct buf other;

		other = sealed(0, "{}", 40000 + (size_t)i);
		t = valid(other.data);
		token_session_for(cache, t, "local");
		ck_assert_uint_le(token_cache_bytes(cache), TOKEN_CACHE_BYTES);
		token_unref(t);
		buf_free(&other);
	}
	ck_assert_uint_lt(token_cache_count(cache), 40);
	buf_free(&text);
}
END_TEST

START_TEST(a_session_is_wiped_when_its_token_goes)
{
	struct buf text = sealed(0, "{\"seal\":\"" SEAL "\"}", 0);
	struct token *t = valid(text.data);

	token_session_for(cache, t, "local");
	token_unref(t);
	wiped_text = SEAL;
	for (int i = 0; i < TOKEN_CACHE_ENTRIES; i++) {
		ck_assert_int_eq(n_wiped, 0);
		add_number(i, 0);
	}
	ck_assert_int_eq(n_wiped, 1);

	/* Whoever has the token yet has it decrypted for himself. */
	t = valid(text.data);
	for (int i = 0; i < 2; i++) {
		token_session_for(cache, t, "local");
		n_wiped = 0;	/* what it was decrypted into was wiped as well */
		token_cache_clear(cache);
		ck_assert_int_eq(n_wiped, i == 0 ? 1 : 0);
	}
	token_unref(t);
	ck_assert_int_eq(n_wiped, 1);
	buf_free(&text);
}
END_TEST

/* By its time, or for want of room: it is held by nobody, and its session cannot be found. */
START_TEST(a_superseded_token_goes_as_any_other)
{
	struct buf text = sealed(0, "{\"seal\":\"" SEAL "\"}", 0);
	struct token *t = valid(text.data);

	token_session_for(cache, t, "local");
	wiped_text = SEAL;
	n_wiped = 0;
	token_supersede(cache, t);
	if (_i == 0)
		for (int i = 0; i < 200; i++)
			add_number(i, 40000);
	else
		token_cache_clear(cache);
	ck_assert_uint_eq(t->refs, 1);
	ck_assert_int_eq(n_wiped, 1);
	token_unref(t);
	ck_assert_int_eq(n_wiped, 1);
	buf_free(&text);
}
END_TEST

START_TEST(a_session_seen_by_another_application_is_wiped)
{
	struct token *t = valid(vector_login);

	token_session_for(cache, t, "first of all");
	wiped_text = "first of all";
	token_session_for(cache, t, "second");
	ck_assert_int_eq(n_wiped, 1);
	token_unref(t);
}
END_TEST

#define COUNT(a) (int)ARRAY_LEN(a)

static Suite *
make_suite(void)
{
	Suite *s = suite_create("token_cache");
	TCase *tc = tcase_create("tokens");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, knows_what_a_stock_token_says);
	tcase_add_test(tc, finds_a_token_again);
	tcase_add_test(tc, each_check_that_finds_a_token_good_counts_for_its_secret);
	tcase_add_test(tc, a_token_that_is_checked_once_takes_no_place);
	tcase_add_test(tc, a_reference_outlives_the_entry);
	tcase_add_test(tc, a_refused_token_is_not_remembered);
	tcase_add_test(tc, a_token_expires_while_it_is_remembered);
	tcase_add_loop_test(tc, checks_exp_and_nbf_first_and_on_every_hit, 0, COUNT(times));
	tcase_add_loop_test(tc, reads_the_application_and_the_name_of_the_session, 0,
	    COUNT(names));
	suite_add_tcase(s, tc);

	tc = tcase_create("forms");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, rewrites_the_application_and_nothing_else, 0, COUNT(rewritten));
	tcase_add_test(tc, an_equal_name_gives_the_token_itself);
	tcase_add_test(tc, a_token_given_to_a_client_is_known_when_it_comes_back);
	tcase_add_test(tc, a_token_without_application_gets_one_when_it_is_given);
	tcase_add_test(tc, a_service_may_give_the_same_token_again);
	tcase_add_loop_test(tc, services_used_in_turn_that_give_the_token_back_give_what_is_known,
	    0, 2);
	tcase_add_test(tc, a_token_that_a_reply_is_rewritten_to_stays_if_it_is_known);
	tcase_add_test(tc, a_token_that_a_service_gave_is_given_to_another_application_as_well);
	tcase_add_test(tc, a_reply_with_the_clients_own_application_is_not_rewritten);
	tcase_add_loop_test(tc, claims_of_a_rewritten_token_are_where_they_are_read, 0,
	    COUNT(given_payload));
	tcase_add_test(tc, a_name_with_escapes_is_not_taken_for_a_plain_one);
	tcase_add_test(tc, a_bad_token_of_a_reply_goes_no_further);
	tcase_add_test(tc, a_token_of_a_reply_that_gets_too_long_goes_no_further);
	tcase_add_test(tc, a_session_that_was_given_can_be_revoked);
	tcase_add_test(tc, an_application_may_name_a_user_that_is_revoked);
	tcase_add_test(tc, tokens_that_were_superseded_go_soon);
	tcase_add_test(tc, many_clients_may_keep_their_tokens_though_they_are_superseded);
	tcase_add_test(tc, a_name_may_hold_a_nul);
	tcase_add_test(tc, rewrites_as_a_stock_master_does);
	tcase_add_test(tc, a_form_is_a_token_as_long_as_its_own_is_good);
	tcase_add_test(tc, a_form_of_a_secret_that_was_taken_away_is_refused);
	tcase_add_test(tc, keeps_the_forms_used_last);
	tcase_add_test(tc, a_token_no_longer_remembered_can_be_rewritten);
	suite_add_tcase(s, tc);

	tc = tcase_create("limits");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, bounds_the_number_of_entries);
	tcase_add_test(tc, bounds_the_bytes_of_entries);
	tcase_add_test(tc, forms_count_as_bytes);
	tcase_add_test(tc, forms_of_the_oldest_token_count_as_well);
	suite_add_tcase(s, tc);

	tc = tcase_create("sessions");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_session_is_decrypted_once_for_a_token);
	tcase_add_test(tc, each_application_sees_its_own_name_in_the_session);
	tcase_add_test(tc, a_session_that_was_changed_is_another);
	tcase_add_test(tc, a_token_that_was_issued_is_known_when_it_comes_back);
	tcase_add_test(tc, a_token_that_was_issued_takes_the_place_of_the_one_before);
	tcase_add_test(tc, a_token_that_was_issued_is_refused_when_its_secret_is_gone);
	tcase_add_test(tc, a_token_that_was_issued_expires);
	tcase_add_test(tc, a_token_that_is_issued_again_takes_no_further_place);
	tcase_add_test(tc, a_token_is_issued_but_not_remembered_for_one_that_is_not);
	tcase_add_test(tc, a_revoked_session_is_refused_though_it_was_decrypted);
	tcase_add_test(tc, an_expired_session_is_refused_and_wiped_though_it_was_decrypted);
	tcase_add_test(tc, a_session_of_a_secret_that_was_taken_away_is_for_those_under_way_alone);
	tcase_add_test(tc, a_session_counts_as_bytes);
	tcase_add_test(tc, a_session_is_wiped_when_its_token_goes);
	tcase_add_loop_test(tc, a_superseded_token_goes_as_any_other, 0, 2);
	tcase_add_test(tc, an_expired_session_is_wiped_by_and_by);
	tcase_add_test(tc, a_session_seen_by_another_application_is_wiped);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
