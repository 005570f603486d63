/* SPDX-License-Identifier: ISC */
#include "base/ratelimit.h"

#include "unit.h"

#define T0 UINT64_C(5000)	/* ms */

static unsigned
take_ones(struct ratelimit *r, uint64_t per_second, unsigned tries, uint64_t now_ms)
{
	unsigned taken = 0;

	while (tries-- > 0)
		taken += ratelimit_take(r, per_second, 1, now_ms);
	return taken;
}

START_TEST(a_new_bucket_holds_one_second)
{
	struct ratelimit r = { 0 };

	ck_assert_uint_eq(take_ones(&r, 10, 100, T0), 10);
}
END_TEST

START_TEST(fills_by_the_millisecond)
{
	struct ratelimit r = { 0 };

	take_ones(&r, 10, 10, T0);
	ck_assert_uint_eq(take_ones(&r, 10, 10, T0 + 99), 0);
	ck_assert_uint_eq(take_ones(&r, 10, 10, T0 + 100), 1);
	ck_assert_uint_eq(take_ones(&r, 10, 10, T0 + 450), 3);
	ck_assert_uint_eq(take_ones(&r, 10, 10, T0 + 500), 1);
}
END_TEST

START_TEST(saves_up_no_more_than_one_second)
{
	struct ratelimit r = { 0 };

	take_ones(&r, 10, 10, T0);
	ck_assert_uint_eq(take_ones(&r, 10, 100, T0 + 3600 * 1000), 10);
}
END_TEST

START_TEST(over_a_long_time_the_rate_holds)
{
	struct ratelimit r = { 0 };
	unsigned taken = 0;

	for (uint64_t ms = 0; ms < 10000; ms++)
		taken += take_ones(&r, 7, 3, T0 + ms);
	ck_assert_uint_ge(taken, 7 + 69);
	ck_assert_uint_le(taken, 7 + 70);
}
END_TEST

/* Otherwise it could never pass at all. */
START_TEST(what_is_larger_than_the_bucket_passes_when_it_is_full)
{
	struct ratelimit r = { 0 };

	ck_assert(ratelimit_take(&r, 1000, 5000, T0));
	ck_assert(!ratelimit_take(&r, 1000, 5000, T0 + 999));
	ck_assert(ratelimit_take(&r, 1000, 5000, T0 + 1000));
	ck_assert(!ratelimit_take(&r, 1000, 1, T0 + 1000));
}
END_TEST

START_TEST(a_clock_that_stands_or_goes_back_gives_nothing)
{
	struct ratelimit r = { 0 };

	take_ones(&r, 10, 10, T0);
	ck_assert_uint_eq(take_ones(&r, 10, 10, T0), 0);
	ck_assert_uint_eq(take_ones(&r, 10, 10, T0 - 1000), 0);
}
END_TEST

/* Each event loop reads the clock for itself. */
START_TEST(clocks_that_differ_count_no_time_twice)
{
	struct ratelimit r = { 0 };
	unsigned taken = 0;

	for (uint64_t ms = 0; ms < 10000; ms++) {
		taken += take_ones(&r, 100, 3, T0 + 50 + ms);
		taken += take_ones(&r, 100, 3, T0 + ms);
	}
	ck_assert_uint_ge(taken, 100 + 999);
	ck_assert_uint_le(taken, 100 + 1000);
}
END_TEST

START_TEST(no_limit_never_refuses)
{
	struct ratelimit r = { 0 };

	for (int i = 0; i < 1000; i++)
		ck_assert(ratelimit_take(&r, UINT64_MAX, UINT64_C(1) << 40, T0));
}
END_TEST

/* One refused every "every" ms from T0 on, for ten minutes: is it ever too much? */
static bool
is_too_much(uint64_t max, uint64_t every)
{
	struct refusals f = { 0 };

	for (uint64_t ms = 0; ms < 600000; ms += every)
		if (refusals_add(&f, max, T0 + ms))
			return true;
	return false;
}

START_TEST(so_many_may_be_refused_at_once_and_no_more)
{
	struct refusals f = { 0 };

	for (int i = 0; i < 100; i++)
		ck_assert(!refusals_add(&f, 100, T0));
	ck_assert(refusals_add(&f, 100, T0));
	ck_assert(refusals_add(&f, 100, T0 + 100));
}
END_TEST

START_TEST(refusals_are_forgotten_in_a_minute)
{
	struct refusals f = { 0 };

	for (int i = 0; i < 100; i++)
		ck_assert(!refusals_add(&f, 100, T0));
	for (int i = 0; i < 50; i++)
		ck_assert(!refusals_add(&f, 100, T0 + 30000));
	ck_assert(refusals_add(&f, 100, T0 + 30000));
	for (int i = 0; i < 100; i++)
		ck_assert(!refusals_add(&f, 100, T0 + 3600 * 1000));
	ck_assert(refusals_add(&f, 100, T0 + 3600 * 1000));
}
END_TEST

START_TEST(who_is_refused_now_and_then_is_borne)
{
	ck_assert(!is_too_much(100, 600));
	ck_assert(is_too_much(100, 500));
	ck_assert(!is_too_much(1000, 60));
	ck_assert(is_too_much(1000, 50));
	ck_assert(!is_too_much(UINT64_MAX, 1));
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("ratelimit");
	TCase *tc = tcase_create("ratelimit");

	tcase_add_test(tc, a_new_bucket_holds_one_second);
	tcase_add_test(tc, fills_by_the_millisecond);
	tcase_add_test(tc, saves_up_no_more_than_one_second);
	tcase_add_test(tc, over_a_long_time_the_rate_holds);
	tcase_add_test(tc, what_is_larger_than_the_bucket_passes_when_it_is_full);
	tcase_add_test(tc, a_clock_that_stands_or_goes_back_gives_nothing);
	tcase_add_test(tc, clocks_that_differ_count_no_time_twice);
	tcase_add_test(tc, no_limit_never_refuses);
	tcase_add_test(tc, so_many_may_be_refused_at_once_and_no_more);
	tcase_add_test(tc, refusals_are_forgotten_in_a_minute);
	tcase_add_test(tc, who_is_refused_now_and_then_is_borne);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
