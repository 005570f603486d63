/* SPDX-License-Identifier: ISC */
/* node_tick: expired tokens are forgotten on each loop of a node that has no work. */
#include "node_tick.h"

#include <string.h>

#include "loop_unit.h"
#include "node_loop.h"
#include "node_threads.h"
#include "token/token_cache.h"

#define N	  3
#define PERIOD_MS 1
#define SECRET	  "the secret of these tokens"
#define NOW_MS	  INT64_C(1700000010000)	/* when both were good */
#define EXPIRED	  "{\"exp\":1700001210}"
#define GOOD	  "{\"n\":1}"

static struct node_loop nl[N];
static struct node_threads *threads;
static struct node_tick tick;

/* Each loop has seen it; none of them runs. */
static void
show_all(const char *payload)
{
	for (unsigned i = 0; i < N; i++) {
		struct buf text = { 0 };
		struct token *t;

		jwt_sign(nl[i].ring, 0, payload, strlen(payload), &text);
		ck_assert_int_eq(token_check(nl[i].tokens, text.data, text.len, NOW_MS, &t),
		    JWT_OK);
		token_unref(t);
		buf_free(&text);
	}
}

static void
setup(void)
{
	static const struct jwt_secret secret = {
		"1", (const unsigned char *)SECRET, sizeof(SECRET) - 1
	};

	threads = node_threads_new(N);
	for (unsigned i = 0; i < N; i++) {
		nl[i] = (struct node_loop){ .number = i, .loop = loop_new() };
		nl[i].ring = jwt_ring_new(&secret, 1);
		nl[i].tokens = token_cache_new(nl[i].ring);
		node_threads_add(threads, &nl[i]);
	}
	tick = (struct node_tick){ 0 };
}

static void
teardown(void)
{
	node_tick_stop(&tick);
	node_threads_stop(threads);
	node_threads_free(threads);
	for (unsigned i = 0; i < N; i++) {
		token_cache_free(nl[i].tokens);
		jwt_ring_free(nl[i].ring);
		loop_free(nl[i].loop);
	}
}

/* Does each loop remember so many? */
static bool
remember(void *arg)
{
	size_t n = *(size_t *)arg;
	bool all_do = true;

	node_threads_hold(threads);
	for (unsigned i = 0; i < N; i++)
		if (token_cache_count(nl[i].tokens) != n)
			all_do = false;
	node_threads_release(threads);
	return all_do;
}

START_TEST(tokens_that_have_expired_are_forgotten_on_each_loop)
{
	size_t one = 1, two = 2;

	show_all(EXPIRED);
	show_all(GOOD);
	ck_assert(remember(&two));
	node_threads_start(threads);
	node_tick_start(&tick, threads, PERIOD_MS);
	loop_run_until(nl[0].loop, remember, &one);
	/* What is good stays, however often it is looked at. */
	loop_run_turns(nl[0].loop, 20);
	ck_assert(remember(&one));
}
END_TEST

static bool
has_ticked(void *arg)
{
	return tick.n >= *(unsigned *)arg;
}

START_TEST(what_expires_while_it_goes_on_is_forgotten_as_well)
{
	unsigned later = 7;
	size_t none = 0;

	node_tick_start(&tick, threads, PERIOD_MS);
	loop_run_until(nl[0].loop, has_ticked, &later);
	show_all(EXPIRED);
	node_threads_start(threads);
	loop_run_until(nl[0].loop, remember, &none);
}
END_TEST

START_TEST(nothing_is_done_once_it_is_stopped)
{
	size_t one = 1;
	unsigned n;

	node_tick_stop(&tick);	/* it never began */
	node_tick_start(&tick, threads, PERIOD_MS);
	node_tick_stop(&tick);
	node_tick_stop(&tick);
	n = tick.n;
	show_all(EXPIRED);
	node_threads_start(threads);
	loop_run_turns(nl[0].loop, 20);
	ck_assert_uint_eq(tick.n, n);
	ck_assert(remember(&one));
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("node_tick");
	TCase *tc = tcase_create("tick");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, tokens_that_have_expired_are_forgotten_on_each_loop);
	tcase_add_test(tc, what_expires_while_it_goes_on_is_forgotten_as_well);
	tcase_add_test(tc, nothing_is_done_once_it_is_stopped);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
