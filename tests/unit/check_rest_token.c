/* SPDX-License-Identifier: ISC */
#include "front/rest_token.h"

#include <string.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "conf/conf.h"
#include "front/gate.h"
#include "net/loop.h"
#include "request/reply.h"
#include "request/request.h"
#include "token/claims.h"
#include "token/token_cache.h"
#include "token_vectors.h"
#include "unit.h"

#define APPLICATION "rest-app"
#define LIFETIME_S 300

static struct conf conf = { .jwt.lifetime_s = LIFETIME_S };
static struct requests requests;
static struct jwt_ring *ring;
static struct gate gate;

static void
setup(void)
{
	static const struct jwt_secret secrets[] = {
		{ "1", (const unsigned char *)VECTOR_SECRET, sizeof(VECTOR_SECRET) - 1 },
	};

	ring = jwt_ring_new(secrets, ARRAY_LEN(secrets));
	requests = (struct requests){ .loop = loop_new() };
	gate = (struct gate){ .conf = &conf, .requests = &requests,
		.tokens = token_cache_new(ring) };
}

static void
teardown(void)
{
	token_cache_free(gate.tokens);
	jwt_ring_free(ring);
	loop_free(requests.loop);
}

/* What a handler gives after a request with t: its session as it was, or somebody's. */
static struct buf
fresh(const struct token *t, bool is_login)
{
	static const char session[] = "{\"authenticated\":true}";
	struct claims_update update = { .lifetime_s = LIFETIME_S,
		.now_s = clock_wall_ms() / 1000 };
	struct buf text = { 0 };

	if (is_login) {
		update.session = session;
		update.session_len = strlen(session);
	}
	claims_issue(ring, t, &update, &text);
	return text;
}

/* How many bytes of that the caller gets. */
static size_t
given(const struct buf *text, bool is_anonymous)
{
	struct reply reply = { .is_final = true, .token = text->data, .token_len = text->len };
	struct buf out = { 0 };
	size_t len;

	rest_token_of_reply(&gate, &(struct request){ 0 }, &reply, is_anonymous, &out);
	len = out.len;
	buf_free(&out);
	return len;
}

START_TEST(calls_without_a_token_push_nobodys_out)
{
	struct token *t = rest_token_new(&gate, APPLICATION, "192.0.2.1");
	struct buf unused = fresh(t, false), login = fresh(t, true);

	ck_assert_uint_eq(given(&unused, true), 0);
	ck_assert_uint_eq(given(&login, true), login.len);
	ck_assert_uint_eq(token_cache_count(gate.tokens), 0);
	buf_free(&unused);
	buf_free(&login);
	token_unref(t);
}
END_TEST

START_TEST(the_token_of_a_reply_is_remembered_for_who_came_with_one)
{
	struct token *t = rest_token_new(&gate, APPLICATION, "192.0.2.1");
	struct buf next = fresh(t, false);

	ck_assert_uint_eq(given(&next, false), next.len);
	ck_assert_uint_eq(token_cache_count(gate.tokens), 1);
	buf_free(&next);
	token_unref(t);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("rest_token");
	TCase *tc = tcase_create("replies");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, calls_without_a_token_push_nobodys_out);
	tcase_add_test(tc, the_token_of_a_reply_is_remembered_for_who_came_with_one);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
