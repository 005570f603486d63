/* SPDX-License-Identifier: ISC */
/* A token is looked for first where its client's last one was: that decides nothing else. */
#include "token/token_cache.h"

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "token_vectors.h"
#include "unit.h"

#define OTHER_SECRET "a secret of the ring that is not the first one"
#define NOW_MS	     (INT64_C(1000) * VECTOR_LOGIN_S)
#define LAST_MS	     INT64_C(1700001210000)	/* vector_login is good */
#define OLD	     0
#define NEW	     1

static const struct jwt_secret secrets[] = {
	{ "1", (const unsigned char *)VECTOR_SECRET, sizeof(VECTOR_SECRET) - 1 },
	{ "2", (const unsigned char *)OTHER_SECRET, sizeof(OTHER_SECRET) - 1 },
};

static struct jwt_ring *ring;
static struct token_cache *cache;
static struct buf text[2];

/* Two more tokens that are good. */
static void
setup(void)
{
	ring = jwt_ring_new(secrets, ARRAY_LEN(secrets));
	cache = token_cache_new(ring);
	for (unsigned i = 0; i < ARRAY_LEN(text); i++) {
		char payload[64];

		snprintf(payload, sizeof(payload), "{\"exp\":1700001210,\"n\":%u}", i);
		jwt_sign(ring, i, payload, strlen(payload), &text[i]);
		buf_str(&text[i]);
	}
}

static void
teardown(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(text); i++)
		buf_free(&text[i]);
	token_cache_free(cache);
	jwt_ring_free(ring);
}

static enum jwt_fault
check_at(const char *s, int64_t now_ms, uint16_t *place)
{
	struct token *t = NULL;
	enum jwt_fault fault;

	token_expect(cache, *place);
	fault = token_check_at(cache, s, strlen(s), now_ms, place, &t);
	ck_assert_int_eq(fault == JWT_OK, t != NULL);
	if (t != NULL) {
		ck_assert_str_eq(t->text, s);
		ck_assert(t->is_known);
		ck_assert_uint_eq(*place, t->place);
		ck_assert_uint_eq(t->refs, 2);
	}
	token_unref(t);
	return fault;
}

/* The place where it is, and is found again. */
static uint16_t
place_of(const char *s)
{
	uint16_t place = 0;

	ck_assert_int_eq(check_at(s, NOW_MS, &place), JWT_OK);
	return place;
}

/* A reference to what is there or in the cache elsewhere, or was verified anew. */
static struct token *
held_at(const struct buf *s, uint16_t *place)
{
	struct token *t;

	ck_assert_int_eq(token_check_at(cache, s->data, s->len, NOW_MS, place, &t), JWT_OK);
	return t;
}

START_TEST(a_token_is_found_where_it_was)
{
	uint16_t a = place_of(vector_login), b = place_of(text[OLD].data);

	ck_assert_uint_ne(a, b);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(check_at(vector_login, NOW_MS, &a), JWT_OK);
		ck_assert_int_eq(check_at(text[OLD].data, NOW_MS, &b), JWT_OK);
	}
	ck_assert_uint_eq(a, place_of(vector_login));
	ck_assert_uint_eq(token_cache_count(cache), 2);
}
END_TEST

START_TEST(a_token_is_found_wherever_it_was_expected)
{
	uint16_t at = place_of(text[OLD].data), is = place_of(text[NEW].data);

	for (uint32_t place = 0; place < TOKEN_CACHE_ENTRIES; place++) {
		uint16_t told = (uint16_t)place;

		ck_assert_int_eq(check_at(text[NEW].data, NOW_MS, &told), JWT_OK);
		ck_assert_uint_eq(told, is);
	}
	ck_assert_uint_eq(place_of(text[OLD].data), at);
	ck_assert_uint_eq(token_cache_count(cache), 2);
}
END_TEST

START_TEST(a_place_that_another_token_took_gives_none_for_the_first)
{
	uint16_t first = place_of(text[OLD].data), told = first;

	token_cache_clear(cache);
	ck_assert_uint_eq(place_of(text[NEW].data), first);
	ck_assert_int_eq(check_at(text[OLD].data, NOW_MS, &told), JWT_OK);
	ck_assert_uint_ne(told, first);
	ck_assert_int_eq(check_at(text[OLD].data, NOW_MS, &told), JWT_OK);
	ck_assert_uint_eq(token_cache_count(cache), 2);
}
END_TEST

START_TEST(a_place_that_is_free_is_nobodys)
{
	uint16_t place = place_of(vector_login);

	token_cache_clear(cache);
	token_expect(cache, place);
	ck_assert_int_eq(check_at(vector_login, NOW_MS, &place), JWT_OK);
	ck_assert_uint_eq(token_cache_count(cache), 1);
	token_cache_remove_expired(cache, LAST_MS + 1);
	ck_assert_uint_eq(token_cache_count(cache), 0);
	ck_assert_int_eq(check_at(vector_login, LAST_MS + 1, &place), JWT_EXPIRED);
	ck_assert_uint_eq(token_cache_count(cache), 0);
}
END_TEST

START_TEST(a_token_that_goes_from_its_place_is_there_for_its_holders_alone)
{
	uint16_t place = 0;
	struct token *held = held_at(&text[OLD], &place), *again;

	token_cache_clear(cache);
	ck_assert_uint_eq(held->refs, 1);
	again = held_at(&text[OLD], &place);
	ck_assert_ptr_ne(again, held);
	ck_assert_uint_eq(held->refs, 1);
	token_unref(held);
	token_unref(again);
}
END_TEST

/* Other claims with its signature, of which the hash is made. */
START_TEST(a_forged_token_is_refused_at_the_place_of_a_good_one)
{
	uint16_t place = place_of(text[OLD].data), told = place;
	struct buf forged = { 0 };

	ck_assert_uint_eq(text[OLD].len, text[NEW].len);
	buf_add(&forged, text[NEW].data, text[NEW].len);
	strcpy(strrchr(buf_str(&forged), '.'), strrchr(text[OLD].data, '.'));
	ck_assert_int_eq(check_at(forged.data, NOW_MS, &told), JWT_SIGNATURE);
	ck_assert_uint_eq(told, place);
	ck_assert_int_eq(check_at("", NOW_MS, &told), JWT_NO_TOKEN);
	ck_assert_int_eq(check_at("a.b", NOW_MS, &told), JWT_SEGMENTS);
	ck_assert_uint_eq(told, place);
	ck_assert_int_eq(check_at(text[OLD].data, NOW_MS, &told), JWT_OK);
	buf_free(&forged);
}
END_TEST

START_TEST(a_token_expires_at_its_place)
{
	uint16_t place = place_of(vector_login);

	ck_assert_int_eq(check_at(vector_login, LAST_MS, &place), JWT_OK);
	ck_assert_int_eq(check_at(vector_login, LAST_MS + 1, &place), JWT_EXPIRED);
	ck_assert_uint_eq(token_cache_count(cache), 0);
	ck_assert_int_eq(check_at(vector_login, LAST_MS + 1, &place), JWT_EXPIRED);
	ck_assert_int_eq(check_at(vector_login, LAST_MS, &place), JWT_OK);
}
END_TEST

START_TEST(a_revoked_session_is_refused_at_its_place)
{
	struct revoked *revoked = revoked_new();
	static const char payload[] = "{\"exp\":1700001210,\"iat\":1,\"jti\":\"j\"}";
	struct buf s = { 0 };
	uint16_t place;

	token_cache_set_revoked(cache, revoked, NULL);
	jwt_sign(ring, 0, payload, strlen(payload), &s);
	place = place_of(buf_str(&s));
	ck_assert_int_eq(check_at(s.data, NOW_MS, &place), JWT_OK);
	ck_assert(revoked_add(revoked, &(struct revoked_entry){ .kind = REVOKED_JTI, .name = "j",
	    .before_s = INT64_MAX, .until_s = INT64_MAX }, NOW_MS / 1000));
	ck_assert_int_eq(check_at(s.data, NOW_MS, &place), JWT_REVOKED);
	ck_assert_int_eq(check_at(s.data, NOW_MS, &place), JWT_REVOKED);
	ck_assert_uint_eq(token_cache_count(cache), 0);
	buf_free(&s);
	token_cache_set_revoked(cache, NULL, NULL);
	revoked_free(revoked);
}
END_TEST

START_TEST(a_token_is_refused_at_its_place_when_its_secret_is_gone)
{
	uint16_t old = place_of(text[OLD].data), new = place_of(text[NEW].data);

	token_cache_set_secrets(cache, &secrets[1], 1);
	ck_assert_int_eq(check_at(text[OLD].data, NOW_MS, &old), JWT_SIGNATURE);
	ck_assert_int_eq(check_at(text[NEW].data, NOW_MS, &new), JWT_OK);
	ck_assert_uint_eq(token_cache_count(cache), 1);
}
END_TEST

START_TEST(a_token_found_at_its_place_was_used)
{
	uint16_t kept_at = 0, gone_at = 0;
	struct token *gone = held_at(&text[OLD], &gone_at), *kept = held_at(&text[NEW], &kept_at);

	for (unsigned i = 1; i < TOKEN_CACHE_ENTRIES; i++) {
		char payload[64];
		struct buf s = { 0 };

		snprintf(payload, sizeof(payload), "{\"exp\":1700001210,\"more\":%u}", i);
		jwt_sign(ring, 0, payload, strlen(payload), &s);
		place_of(buf_str(&s));
		buf_free(&s);
		token_unref(held_at(&text[NEW], &kept_at));
	}
	ck_assert(kept->is_known);
	ck_assert(!gone->is_known);
	ck_assert_uint_eq(kept->refs, 2);
	ck_assert_uint_eq(gone->refs, 1);
	token_unref(kept);
	token_unref(gone);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("token_place");
	TCase *tc = tcase_create("places");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_token_is_found_where_it_was);
	tcase_add_test(tc, a_token_is_found_wherever_it_was_expected);
	tcase_add_test(tc, a_place_that_another_token_took_gives_none_for_the_first);
	tcase_add_test(tc, a_place_that_is_free_is_nobodys);
	tcase_add_test(tc, a_token_that_goes_from_its_place_is_there_for_its_holders_alone);
	tcase_add_test(tc, a_forged_token_is_refused_at_the_place_of_a_good_one);
	tcase_add_test(tc, a_token_expires_at_its_place);
	tcase_add_test(tc, a_revoked_session_is_refused_at_its_place);
	tcase_add_test(tc, a_token_is_refused_at_its_place_when_its_secret_is_gone);
	tcase_add_test(tc, a_token_found_at_its_place_was_used);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
