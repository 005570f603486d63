/* SPDX-License-Identifier: ISC */
/*
 * Sessions that stand for tokens of an outside issuer, which are shown instead of ours.
 */
#include <string.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/compiler.h"
#include "codec/base64.h"
#include "conf/conf.h"
#include "token/outside.h"
#include "token/revoked.h"
#include "token/token_cache.h"
#include "token/token_form.h"
#include "token_vectors.h"
#include "unit.h"

#define ISSUER "https://login.example.org/"
#define APPLICATION "app"
#define START_S INT64_C(1700000000)
#define HOUR_S 3600
#define SIGNATURE_MAX 512

static EVP_PKEY *key;
static BIO *keys;
static struct conf_issuer issuer = { .application = (char *)APPLICATION };
static struct jwt_ring *ring;
static struct token_cache *cache;

/* One key for all tests: to make it takes long. */
static void
make_key(void)
{
	char *text;

	key = EVP_RSA_gen(2048);
	keys = BIO_new(BIO_s_mem());
	ck_assert_ptr_nonnull(key);
	ck_assert_int_eq(PEM_write_bio_PUBKEY(keys, key), 1);
	issuer.keys_len = (size_t)BIO_get_mem_data(keys, &text);
	issuer.keys = text;
	issuer.name = (char *)ISSUER;
}

static void
free_key(void)
{
	EVP_PKEY_free(key);
	BIO_free(keys);
}

static void
setup(void)
{
	static const struct jwt_secret secrets[] = {
		{ "1", (const unsigned char *)VECTOR_SECRET, sizeof(VECTOR_SECRET) - 1 },
	};
	const struct conf_jwt conf = { .issuers = &issuer, .n_issuers = 1 };

	ring = jwt_ring_new(secrets, ARRAY_LEN(secrets));
	cache = token_cache_new(ring);
	token_cache_set_outside(cache, outside_new(&conf));
}

static void
teardown(void)
{
	token_cache_free(cache);
	jwt_ring_free(ring);
}

static void
add_part(struct buf *b, const char *json)
{
	base64url_encode(b, json, strlen(json));
}

/* A token of theirs, issued at START_S. */
static struct buf
theirs(int64_t exp_s)
{
	unsigned char signature[SIGNATURE_MAX];
	size_t len = sizeof(signature);
	struct buf token = { 0 }, payload = { 0 };
	EVP_MD_CTX *m = EVP_MD_CTX_new();

	buf_printf(&payload, "{\"iss\":\"" ISSUER "\",\"iat\":%lld,\"exp\":%lld}",
	    (long long)START_S, (long long)exp_s);
	add_part(&token, "{\"typ\":\"JWT\",\"alg\":\"RS256\"}");
	buf_add_char(&token, '.');
	add_part(&token, buf_str(&payload));
	ck_assert(EVP_DigestSignInit(m, NULL, EVP_sha256(), NULL, key) == 1 &&
	    EVP_DigestSign(m, signature, &len, (unsigned char *)token.data, token.len) == 1);
	buf_add_char(&token, '.');
	base64url_encode(&token, signature, len);
	EVP_MD_CTX_free(m);
	buf_free(&payload);
	return token;
}

static struct token *
valid(const struct buf *text, int64_t now_s)
{
	struct token *t = NULL;

	ck_assert_int_eq(token_check(cache, text->data, text->len, now_s * 1000, &t), JWT_OK);
	ck_assert(t->is_outside && t->iat_s == START_S);
	return t;
}

START_TEST(an_outside_token_is_good_for_as_long_as_it_says)
{
	struct buf text = theirs(START_S + 24 * HOUR_S);
	struct token *t = NULL;

	for (int64_t now_s = START_S; now_s < START_S + 24 * HOUR_S; now_s += 360)
		token_unref(valid(&text, now_s));
	ck_assert_uint_eq(token_cache_count(cache), 1);
	ck_assert_int_eq(token_check(cache, text.data, text.len, (START_S + 24 * HOUR_S) * 1000,
	    &t), JWT_EXPIRED);
	ck_assert_uint_eq(token_cache_count(cache), 0);
	buf_free(&text);
}
END_TEST

START_TEST(a_session_for_an_outside_token_is_forwarded_with_half_of_its_life_before_it)
{
	struct buf text = theirs(START_S + HOUR_S);
	struct token *first = valid(&text, START_S), *t;

	ck_assert_int_eq(first->exp_ms, (START_S + 300) * 1000);
	t = valid(&text, START_S + 150);
	ck_assert_ptr_eq(t, first);
	token_unref(t);
	for (int64_t now_s = START_S + 150; now_s < START_S + 900; now_s++) {
		t = valid(&text, now_s);
		ck_assert_int_ge(t->exp_ms, (now_s + 150) * 1000);
		token_unref(t);
	}
	token_unref(first);
	buf_free(&text);
}
END_TEST

START_TEST(a_session_for_an_outside_token_ends_with_it_and_is_not_made_anew_each_time)
{
	struct buf text = theirs(START_S + 64);
	struct token *last = valid(&text, START_S), *t;
	int n = 0;

	for (int64_t now_s = START_S; now_s < START_S + 64; now_s++) {
		t = valid(&text, now_s);
		ck_assert_int_eq(t->exp_ms, (START_S + 64) * 1000);
		n += t != last;
		token_unref(last);
		last = t;
	}
	ck_assert_int_le(n, 7);
	token_unref(last);
	buf_free(&text);
}
END_TEST

/* As the requests of REST callers and of handlers have it. */
START_TEST(a_form_of_a_session_for_an_outside_token_is_as_old_as_that)
{
	struct buf text = theirs(START_S + HOUR_S);
	struct token *t = valid(&text, START_S + 100), *own, *again, *plain;
	struct revoked *revoked = revoked_new();

	/* Whoever took its text for one of ours knows less of it. */
	ck_assert_int_eq(token_check_for(cache, t, "other", 5, (START_S + 100) * 1000, &own),
	    JWT_OK);
	token_cache_clear(cache);
	ck_assert_int_eq(token_check(cache, own->text, own->len, (START_S + 100) * 1000, &plain),
	    JWT_OK);
	ck_assert(!plain->is_outside);
	token_unref(own);
	token_unref(t);
	t = valid(&text, START_S + 100);
	for (int i = 0; i < 2; i++) {
		const char *name = i == 0 ? "other" : APPLICATION;

		ck_assert_int_eq(token_check_for(cache, t, name, strlen(name),
		    (START_S + 100) * 1000, &own), JWT_OK);
		ck_assert_str_eq(own->application, name);
		ck_assert(own->is_outside && own->iat_s == START_S);
		ck_assert_int_eq(token_check_for(cache, t, name, strlen(name),
		    (START_S + 100) * 1000, &again), JWT_OK);
		ck_assert_ptr_eq(again, own);
		token_unref(again);
		token_unref(own);
	}
	/* All sessions that began before this time. */
	ck_assert(revoked_add(revoked, &(struct revoked_entry){ .kind = REVOKED_BEFORE,
	    .before_s = START_S + 50, .until_s = INT64_MAX }, START_S));
	token_cache_set_revoked(cache, revoked, NULL);
	ck_assert_int_eq(token_check_for(cache, t, "other", 5, (START_S + 100) * 1000, &own),
	    JWT_REVOKED);
	ck_assert_int_eq(token_check_for(cache, t, APPLICATION, strlen(APPLICATION),
	    (START_S + 100) * 1000, &own), JWT_REVOKED);
	token_cache_set_revoked(cache, NULL, NULL);
	revoked_free(revoked);
	token_unref(plain);
	token_unref(t);
	buf_free(&text);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("outside");
	TCase *tc = tcase_create("sessions");

	tcase_add_unchecked_fixture(tc, make_key, free_key);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, an_outside_token_is_good_for_as_long_as_it_says);
	tcase_add_test(tc,
	    a_session_for_an_outside_token_is_forwarded_with_half_of_its_life_before_it);
	tcase_add_test(tc,
	    a_session_for_an_outside_token_ends_with_it_and_is_not_made_anew_each_time);
	tcase_add_test(tc, a_form_of_a_session_for_an_outside_token_is_as_old_as_that);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
