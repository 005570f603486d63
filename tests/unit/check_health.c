/* SPDX-License-Identifier: ISC */
#include "link/choice.h"
#include "link/health.h"
#include "link/retry_budget.h"

#include "unit.h"

#define T0 UINT64_C(1000000)	/* ms */

static const struct health_limits limits = {
	.failures = 5, .failure_percent = 50, .eject_ms = 10000, .eject_max_ms = 60000,
	.slow_start_ms = 10000,
};

static const struct health_limits off = {
	.failures = UINT64_MAX, .failure_percent = UINT64_MAX, .eject_ms = 10000,
	.eject_max_ms = 60000, .slow_start_ms = UINT64_MAX,
};

/* So many failures at now_ms; is it ejected? */
static bool
fail_times(struct health *h, const struct health_limits *l, unsigned times, uint64_t now_ms,
    uint64_t answered)
{
	bool is_ejected = false;

	while (times-- > 0)
		is_ejected = health_fail(h, l, now_ms, now_ms, answered, true) || is_ejected;
	return is_ejected;
}

/* Ejected at T0; at the time that is given back, its trial was answered. */
static uint64_t
return_from_ejection(struct health *h, uint64_t now_ms, uint64_t answered)
{
	now_ms += health_ejected_ms(h, now_ms);
	ck_assert(health_look(h, &limits, now_ms, answered));
	ck_assert_int_eq(h->state, HEALTH_TRIAL);
	health_begin_trial(h, now_ms, answered);
	ck_assert(health_look(h, &limits, now_ms, answered + 1));
	ck_assert_int_eq(h->state, HEALTH_RETURNING);
	return now_ms;
}

START_TEST(failures_in_a_row_eject)
{
	struct health h = { 0 };

	ck_assert(!fail_times(&h, &limits, 4, T0, 7));
	ck_assert_uint_eq(health_share(&h, &limits, T0), HEALTH_FULL_SHARE);
	ck_assert(fail_times(&h, &limits, 1, T0, 7));
	ck_assert_int_eq(h.state, HEALTH_EJECTED);
	ck_assert_uint_eq(health_share(&h, &limits, T0), 0);
	ck_assert_uint_eq(health_ejected_ms(&h, T0 + 1), 9999);
}
END_TEST

START_TEST(an_answer_between_failures_begins_the_row_anew)
{
	struct health h = { 0 };

	for (unsigned i = 0; i < 4; i++)
		ck_assert(!fail_times(&h, &limits, 4, T0 + i * 60000, i));
	ck_assert_int_eq(h.state, HEALTH_GOOD);
}
END_TEST

/* Two failures and an answer, again and again: never five in a row. */
START_TEST(a_high_rate_of_failures_ejects)
{
	struct health_limits l = limits;
	struct health h = { 0 };
	uint64_t answered = 0;
	unsigned n = 0;

	l.failures = UINT64_MAX;
	while (!fail_times(&h, &l, 1, T0 + n, answered)) {
		answered += n % 2;
		ck_assert_uint_lt(++n, 100);
	}
	ck_assert_uint_ge(n + answered, 18);
}
END_TEST

START_TEST(a_low_rate_of_failures_does_not)
{
	struct health h = { 0 };

	for (unsigned i = 0; i < 1000; i++)
		ck_assert(!fail_times(&h, &limits, 1, T0 + i, 3 * i));
}
END_TEST

START_TEST(few_failures_are_no_rate)
{
	struct health_limits l = limits;
	struct health h = { 0 };

	l.failures = UINT64_MAX;
	for (unsigned i = 0; i < 50; i++)
		ck_assert(!fail_times(&h, &l, 1, T0 + i * 1000, 0));
}
END_TEST

START_TEST(the_last_that_can_serve_is_not_ejected)
{
	struct health h = { 0 };

	for (unsigned i = 0; i < 100; i++)
		ck_assert(!health_fail(&h, &limits, T0 + i, T0 + i, 0, false));
	ck_assert_int_eq(h.state, HEALTH_GOOD);
	ck_assert(health_fail(&h, &limits, T0 + 100, T0 + 100, 0, true));
}
END_TEST

START_TEST(nothing_ejects_where_it_is_off)
{
	struct health h = { 0 };

	ck_assert(!fail_times(&h, &off, 1000, T0, 0));
	ck_assert(!health_lose(&h, &off, T0, T0, 0, true));
}
END_TEST

START_TEST(one_request_is_its_trial)
{
	struct health h = { 0 };

	fail_times(&h, &limits, 5, T0, 0);
	ck_assert(!health_look(&h, &limits, T0 + 9999, 0));
	ck_assert(health_look(&h, &limits, T0 + 10000, 0));
	ck_assert_uint_eq(health_share(&h, &limits, T0 + 10000), HEALTH_FULL_SHARE);
	health_begin_trial(&h, T0 + 10000, 0);
	ck_assert_uint_eq(health_share(&h, &limits, T0 + 10000), 0);
	ck_assert(!health_look(&h, &limits, T0 + 20000, 0));
	health_end_trial(&h, h.since_ms);
	ck_assert_uint_eq(health_share(&h, &limits, T0 + 20000), HEALTH_FULL_SHARE);
	health_begin_trial(&h, T0 + 20000, 0);
	ck_assert(!health_look(&h, &limits, T0 + 49999, 0));
	ck_assert_uint_eq(health_share(&h, &limits, T0 + 49999), 0);
	ck_assert(!health_look(&h, &limits, T0 + 50000, 0));
	ck_assert_uint_eq(health_share(&h, &limits, T0 + 50000), HEALTH_FULL_SHARE);
}
END_TEST

/* It went to the URL long before: it was not the trial, which others wait for. */
START_TEST(an_older_request_ends_no_trial)
{
	struct health h = { 0 };

	fail_times(&h, &limits, 5, T0, 0);
	ck_assert(health_look(&h, &limits, T0 + 10000, 0));
	health_begin_trial(&h, T0 + 10000, 0);
	ck_assert(!health_fail(&h, &limits, T0 + 10001, T0 + 9999, 0, true));
	health_end_trial(&h, T0 + 9999);
	ck_assert(!health_lose(&h, &limits, T0 + 10002, T0 + 9999, 0, true));
	ck_assert(!health_lose(&h, &limits, T0 + 10003, T0 + 9999, 0, true));
	ck_assert_uint_eq(health_share(&h, &limits, T0 + 10004), 0);
	ck_assert(health_fail(&h, &limits, T0 + 10005, T0 + 10000, 0, true));
	ck_assert_int_eq(h.state, HEALTH_EJECTED);
}
END_TEST

START_TEST(after_its_trial_its_share_grows)
{
	struct health h = { 0 };
	unsigned before = 0, share;
	uint64_t t;

	fail_times(&h, &limits, 5, T0, 0);
	t = return_from_ejection(&h, T0, 0);
	for (unsigned ms = 0; ms < 10000; ms += 500) {
		share = health_share(&h, &limits, t + ms);
		ck_assert_uint_gt(share, before);
		ck_assert_uint_lt(share, HEALTH_FULL_SHARE);
		before = share;
	}
	ck_assert_uint_eq(health_share(&h, &limits, t + 10000), HEALTH_FULL_SHARE);
	ck_assert(health_look(&h, &limits, t + 10000, 1));
	ck_assert_int_eq(h.state, HEALTH_GOOD);
}
END_TEST

START_TEST(without_slow_start_it_has_its_share_at_once)
{
	struct health_limits l = limits;
	struct health h = { 0 };

	l.slow_start_ms = UINT64_MAX;
	fail_times(&h, &l, 5, T0, 0);
	ck_assert(health_look(&h, &l, T0 + 10000, 0));
	health_begin_trial(&h, T0 + 10000, 0);
	ck_assert(health_look(&h, &l, T0 + 10001, 1));
	ck_assert_int_eq(h.state, HEALTH_GOOD);
	health_return(&h, &l, T0 + 10002);
	ck_assert_int_eq(h.state, HEALTH_GOOD);
}
END_TEST

START_TEST(a_failed_trial_ejects_for_twice_as_long_up_to_a_maximum)
{
	static const uint64_t expected[] = { 10000, 20000, 40000, 60000, 60000 };
	struct health h = { 0 };
	uint64_t t = T0;

	fail_times(&h, &limits, 5, t, 0);
	for (unsigned i = 0; i < ARRAY_LEN(expected); i++) {
		ck_assert_uint_eq(health_ejected_ms(&h, t), expected[i]);
		t += expected[i];
		ck_assert(health_look(&h, &limits, t, 0));
		health_begin_trial(&h, t, 0);
		ck_assert(fail_times(&h, &limits, 1, t, 0));
	}
}
END_TEST

START_TEST(one_failure_while_it_returns_ejects_again)
{
	struct health h = { 0 };
	uint64_t t;

	fail_times(&h, &limits, 5, T0, 0);
	t = return_from_ejection(&h, T0, 0);
	ck_assert(fail_times(&h, &limits, 1, t + 1, 1));
	ck_assert_uint_eq(health_ejected_ms(&h, t + 1), 20000);
}
END_TEST

START_TEST(what_was_sent_before_the_ejection_says_nothing_after_it)
{
	struct health h = { 0 };
	uint64_t t;

	fail_times(&h, &limits, 5, T0, 0);
	ck_assert(!fail_times(&h, &limits, 100, T0 + 1, 0));
	t = return_from_ejection(&h, T0, 0);
	ck_assert(!health_fail(&h, &limits, t + 1, T0 - 1, 1, true));
	ck_assert_int_eq(h.state, HEALTH_RETURNING);
}
END_TEST

START_TEST(after_a_long_good_time_ejections_begin_short_again)
{
	struct health h = { 0 };
	uint64_t t = T0;

	fail_times(&h, &limits, 5, t, 0);
	t = return_from_ejection(&h, t, 0) + 10000;
	ck_assert(health_look(&h, &limits, t, 1));
	ck_assert(fail_times(&h, &limits, 5, t + 9999, 1));
	ck_assert_uint_eq(h.eject_ms, 20000);
	t = return_from_ejection(&h, t + 9999, 1) + 10000;
	ck_assert(health_look(&h, &limits, t, 2));
	ck_assert(fail_times(&h, &limits, 5, t + 20000, 2));
	ck_assert_uint_eq(h.eject_ms, 10000);
	ck_assert_uint_eq(h.n_ejections, 3);
}
END_TEST

START_TEST(requests_lost_with_one_connection_are_one_failure)
{
	struct health h = { 0 };

	for (unsigned i = 0; i < 100; i++)
		ck_assert(!health_lose(&h, &limits, T0, T0, 0, true));
	for (unsigned i = 1; i < 4; i++)
		ck_assert(!health_lose(&h, &limits, T0 + i * 1000, T0, 0, true));
	ck_assert(health_lose(&h, &limits, T0 + 4000, T0, 0, true));
}
END_TEST

START_TEST(one_that_was_away_begins_slowly_but_is_not_watched)
{
	struct health h = { 0 };

	health_return(&h, &limits, T0);
	ck_assert_int_eq(h.state, HEALTH_RETURNING);
	ck_assert(!fail_times(&h, &limits, 4, T0 + 1, 0));
	ck_assert(health_look(&h, &limits, T0 + 10000, 0));
	ck_assert_int_eq(h.state, HEALTH_GOOD);
}
END_TEST

START_TEST(an_ejected_one_that_was_away_stays_ejected)
{
	struct health h = { 0 };

	fail_times(&h, &limits, 5, T0, 0);
	health_return(&h, &limits, T0 + 1);
	ck_assert_int_eq(h.state, HEALTH_EJECTED);
}
END_TEST

START_TEST(one_that_stops_is_ejected_at_once)
{
	struct health h = { 0 };

	ck_assert(!health_is_off(&limits));
	ck_assert(health_is_off(&off));
	health_eject(&h, &limits, T0);
	ck_assert_uint_eq(health_ejected_ms(&h, T0), 10000);
	return_from_ejection(&h, T0, 0);
}
END_TEST

/* ---- who gets the next request ---- */

/* So many requests, none of which is answered, for URLs with these shares. */
static void
share_out(const unsigned *share, uint64_t *got, size_t n, unsigned requests)
{
	for (unsigned i = 0; i < requests; i++) {
		struct choice choice = { 0 };
		size_t best = 0;

		for (size_t k = 0; k < n; k++)
			if (choice_offer(&choice, got[k], share[k]))
				best = k;
		got[best]++;
	}
}

START_TEST(equal_shares_get_as_much)
{
	static const unsigned share[] = { 100, 100, 100 };
	uint64_t got[3] = { 0 };

	share_out(share, got, 3, 300);
	for (size_t i = 0; i < 3; i++)
		ck_assert_uint_eq(got[i], 100);
}
END_TEST

START_TEST(who_has_most_under_way_gets_nothing_until_the_others_have_as_much)
{
	static const unsigned share[] = { 100, 100 };
	uint64_t got[2] = { 50, 0 };

	share_out(share, got, 2, 50);
	ck_assert_uint_eq(got[0], 50);
	ck_assert_uint_eq(got[1], 50);
}
END_TEST

START_TEST(a_tenth_of_the_share_gets_a_tenth)
{
	static const unsigned share[] = { 100, 10 };
	uint64_t got[2] = { 0 };

	share_out(share, got, 2, 1100);
	ck_assert_uint_ge(got[1], 98);
	ck_assert_uint_le(got[1], 101);
}
END_TEST

START_TEST(among_equals_the_first_that_is_offered_is_taken)
{
	struct choice choice = { 0 };

	ck_assert(choice_offer(&choice, 0, 10));
	ck_assert(!choice_offer(&choice, 0, 10));
	ck_assert(choice_offer(&choice, 0, 11));
}
END_TEST

/* ---- the budget of retries ---- */

static unsigned
take_all(struct retry_budget *b, unsigned percent)
{
	unsigned n = 0;

	while (retry_budget_take(b, percent))
		n++;
	return n;
}

START_TEST(a_few_retries_are_there_from_the_beginning)
{
	struct retry_budget b;

	retry_budget_init(&b);
	ck_assert_uint_eq(take_all(&b, 20), RETRY_SAVED);
}
END_TEST

START_TEST(requests_earn_their_percentage_of_retries)
{
	struct retry_budget b;

	retry_budget_init(&b);
	take_all(&b, 20);
	for (unsigned i = 0; i < 25; i++)
		retry_budget_earn(&b, 20);
	ck_assert_uint_eq(take_all(&b, 20), 5);
}
END_TEST

START_TEST(no_more_is_saved_up_than_there_was_at_the_beginning)
{
	struct retry_budget b;

	retry_budget_init(&b);
	for (unsigned i = 0; i < 100000; i++)
		retry_budget_earn(&b, 100);
	ck_assert_uint_eq(take_all(&b, 100), RETRY_SAVED);
}
END_TEST

START_TEST(nothing_is_retried_at_zero_percent)
{
	struct retry_budget b;

	retry_budget_init(&b);
	ck_assert(!retry_budget_take(&b, 0));
}
END_TEST

static Suite *
health_suite(void)
{
	Suite *s = suite_create("health");
	TCase *tc = tcase_create("all");

	tcase_add_test(tc, failures_in_a_row_eject);
	tcase_add_test(tc, an_answer_between_failures_begins_the_row_anew);
	tcase_add_test(tc, a_high_rate_of_failures_ejects);
	tcase_add_test(tc, a_low_rate_of_failures_does_not);
	tcase_add_test(tc, few_failures_are_no_rate);
	tcase_add_test(tc, the_last_that_can_serve_is_not_ejected);
	tcase_add_test(tc, nothing_ejects_where_it_is_off);
	tcase_add_test(tc, one_request_is_its_trial);
	tcase_add_test(tc, an_older_request_ends_no_trial);
	tcase_add_test(tc, after_its_trial_its_share_grows);
	tcase_add_test(tc, without_slow_start_it_has_its_share_at_once);
	tcase_add_test(tc, a_failed_trial_ejects_for_twice_as_long_up_to_a_maximum);
	tcase_add_test(tc, one_failure_while_it_returns_ejects_again);
	tcase_add_test(tc, what_was_sent_before_the_ejection_says_nothing_after_it);
	tcase_add_test(tc, after_a_long_good_time_ejections_begin_short_again);
	tcase_add_test(tc, requests_lost_with_one_connection_are_one_failure);
	tcase_add_test(tc, one_that_was_away_begins_slowly_but_is_not_watched);
	tcase_add_test(tc, an_ejected_one_that_was_away_stays_ejected);
	tcase_add_test(tc, one_that_stops_is_ejected_at_once);
	tcase_add_test(tc, equal_shares_get_as_much);
	tcase_add_test(tc, who_has_most_under_way_gets_nothing_until_the_others_have_as_much);
	tcase_add_test(tc, a_tenth_of_the_share_gets_a_tenth);
	tcase_add_test(tc, among_equals_the_first_that_is_offered_is_taken);
	tcase_add_test(tc, a_few_retries_are_there_from_the_beginning);
	tcase_add_test(tc, requests_earn_their_percentage_of_retries);
	tcase_add_test(tc, no_more_is_saved_up_than_there_was_at_the_beginning);
	tcase_add_test(tc, nothing_is_retried_at_zero_percent);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(health_suite)
