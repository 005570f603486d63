/* SPDX-License-Identifier: ISC */
/*
 * timerq: order and exactness, and what a callback may do; a long random run is
 * compared with an array that is searched.
 */
#include "base/timerq.h"

#include <string.h>

#include "base/xmalloc.h"
#include "unit.h"

static struct timerq *q;
static char fired[64];		/* one letter for each timer that was due */

static void
setup(void)
{
	q = timerq_new();
	fired[0] = '\0';
}

static void
teardown(void)
{
	timerq_free(q);
}

static void
note(void *letter)
{
	strcat(fired, letter);
}

static void
set(struct timer *t, uint64_t now_ms, uint64_t after_ms, const char *letter)
{
	timer_set(q, t, now_ms, after_ms, note, (void *)(uintptr_t)letter);
}

START_TEST(an_empty_queue_is_never_due)
{
	ck_assert(timerq_next_due(q) == TIMERQ_NEVER);
	timerq_run(q, UINT64_MAX);
	timerq_free(NULL);
}
END_TEST

START_TEST(a_timer_is_due_at_its_millisecond_and_once)
{
	struct timer t = { 0 };

	ck_assert(!timer_is_set(&t));
	set(&t, 100, 5, "a");
	ck_assert(timer_is_set(&t));
	ck_assert_uint_eq(timerq_next_due(q), 105);
	timerq_run(q, 104);
	ck_assert_str_eq(fired, "");
	timerq_run(q, 105);
	ck_assert_str_eq(fired, "a");
	ck_assert(!timer_is_set(&t));
	timerq_run(q, 1000);
	ck_assert_str_eq(fired, "a");
	ck_assert(timerq_next_due(q) == TIMERQ_NEVER);
}
END_TEST

START_TEST(equal_durations_are_due_in_the_order_they_were_set)
{
	struct timer t[3] = { 0 };

	set(&t[0], 0, 10, "a");
	set(&t[1], 0, 10, "b");
	set(&t[2], 1, 10, "c");
	timerq_run(q, 10);
	ck_assert_str_eq(fired, "ab");
	timerq_run(q, 11);
	ck_assert_str_eq(fired, "abc");
}
END_TEST

START_TEST(durations_mix_by_the_time_they_are_due)
{
	struct timer t[4] = { 0 };

	set(&t[0], 0, 1000, "d");
	set(&t[1], 0, 10, "a");
	set(&t[2], 5, 20, "b");
	set(&t[3], 999, 0, "c");
	ck_assert_uint_eq(timerq_next_due(q), 10);
	timerq_run(q, 2000);
	ck_assert_str_eq(fired, "abcd");
}
END_TEST

START_TEST(a_stopped_timer_is_not_due)
{
	struct timer t[3] = { 0 };

	for (int i = 0; i < 3; i++)
		set(&t[i], 0, 10, i == 0 ? "a" : i == 1 ? "b" : "c");
	timer_stop(q, &t[_i]);
	timer_stop(q, &t[_i]);
	ck_assert(!timer_is_set(&t[_i]));
	timerq_run(q, 10);
	ck_assert_str_eq(fired, _i == 0 ? "bc" : _i == 1 ? "ac" : "ab");
}
END_TEST

START_TEST(a_timer_set_anew_moves)
{
	struct timer t = { 0 };

	set(&t, 0, 10, "a");
	set(&t, 5, 10, "b");
	ck_assert_uint_eq(timerq_next_due(q), 15);
	set(&t, 6, 3, "c");
	ck_assert_uint_eq(timerq_next_due(q), 9);
	timerq_run(q, 100);
	ck_assert_str_eq(fired, "c");
}
END_TEST

START_TEST(a_clock_that_went_back_keeps_the_order)
{
	struct timer t[2] = { 0 };

	set(&t[0], 100, 10, "a");
	set(&t[1], 50, 10, "b");
	timerq_run(q, 60);
	ck_assert_str_eq(fired, "");
	timerq_run(q, 110);
	ck_assert_str_eq(fired, "ab");
}
END_TEST

START_TEST(timers_still_set_are_dropped_with_the_queue)
{
	struct timer t[2] = { 0 };

	set(&t[0], 0, 10, "a");
	set(&t[1], 0, 20, "b");
	timerq_free(q);
	q = NULL;
	ck_assert(!timer_is_set(&t[0]) && !timer_is_set(&t[1]));
}
END_TEST

/* 25,000 / 256 is 97, and the power of two below it 64. */
START_TEST(many_that_are_due_about_then_are_due_together)
{
	struct timer t[1000] = { 0 }, exact = { 0 };
	uint64_t last = 0;
	unsigned times = 0;

	set(&exact, 10, 25000, "x");
	for (unsigned i = 0; i < 1000; i++) {
		timer_set_about(q, &t[i], i, 25000, note, (void *)(uintptr_t)"");
		ck_assert_uint_ge(t[i].due_ms, i + 25000);
		ck_assert_uint_lt(t[i].due_ms, i + 25000 + 64);
		times += t[i].due_ms != last;
		last = t[i].due_ms;
	}
	ck_assert_uint_le(times, 1000 / 64 + 2);
	ck_assert_uint_eq(exact.due_ms, 25010);
	set(&exact, 11, 25000, "x");
	ck_assert_uint_eq(exact.due_ms, 25011);
	ck_assert_uint_eq(timerq_durations(q), 2);
	timerq_run(q, last);
	ck_assert_str_eq(fired, "x");
	ck_assert_uint_eq(timerq_durations(q), 0);
}
END_TEST

/* A duration whose 256th is less than two milliseconds leaves nothing to choose. */
START_TEST(short_ones_are_exact_whoever_sets_them)
{
	struct timer t = { 0 };

	for (uint64_t after_ms = 0; after_ms < 512; after_ms++) {
		timer_set_about(q, &t, 12345, after_ms, note, (void *)(uintptr_t)"");
		ck_assert_uint_eq(t.due_ms, 12345 + after_ms);
	}
	timer_stop(q, &t);
}
END_TEST

/* ---- inside a callback ---- */

struct pair {
	struct timer first, second;
};

static void
stop_second(void *arg)
{
	struct pair *p = arg;

	note((void *)(uintptr_t)"s");
	timer_stop(q, &p->second);
}

START_TEST(a_callback_may_stop_one_that_is_due_as_well)
{
	struct pair p = { 0 };

	timer_set(q, &p.first, 0, 10, stop_second, &p);
	set(&p.second, 0, _i == 0 ? 10 : 11, "x");
	timerq_run(q, 20);
	ck_assert_str_eq(fired, "s");
	ck_assert(timerq_next_due(q) == TIMERQ_NEVER);
}
END_TEST

static void
set_again(void *arg)
{
	struct timer *t = arg;

	note((void *)(uintptr_t)"r");
	timer_set(q, t, t->due_ms, 10, set_again, t);
}

START_TEST(a_callback_may_set_its_own_timer)
{
	struct timer t = { 0 };

	timer_set(q, &t, 0, 10, set_again, &t);
	timerq_run(q, 35);
	ck_assert_str_eq(fired, "rrr");
	ck_assert_uint_eq(timerq_next_due(q), 40);
	timer_stop(q, &t);
}
END_TEST

static void
free_pair(void *arg)
{
	struct pair *p = arg;

	note((void *)(uintptr_t)"f");
	timer_stop(q, &p->second);
	free(p);
}

START_TEST(a_callback_may_free_the_object_of_its_timer)
{
	struct pair *p = xcalloc(1, sizeof(*p));

	timer_set(q, &p->first, 0, 10, free_pair, p);
	set(&p->second, 0, 10, "x");
	timerq_run(q, 10);
	ck_assert_str_eq(fired, "f");
}
END_TEST

/* ---- against a model ---- */

#define MODEL_TIMERS 300
#define MODEL_STEPS  20000

static struct model {
	struct timer timer;
	uint64_t due_ms;	/* TIMERQ_NEVER: not set */
} model[MODEL_TIMERS];
static uint64_t model_now_ms;
static uint64_t random_state;

static uint64_t
next_random(uint64_t below)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (random_state >> 33) % below;
}

static uint64_t
model_next_due(void)
{
	uint64_t due = TIMERQ_NEVER;

	for (int i = 0; i < MODEL_TIMERS; i++)
		if (model[i].due_ms < due)
			due = model[i].due_ms;
	return due;
}

/* It is the earliest of all and in time; now and then it changes another one. */
static void
on_model_due(void *arg)
{
	struct model *m = arg, *other = &model[next_random(MODEL_TIMERS)];

	ck_assert_uint_eq(m->due_ms, model_next_due());
	ck_assert_uint_le(m->due_ms, model_now_ms);
	m->due_ms = TIMERQ_NEVER;
	if (next_random(4) == 0) {
		timer_stop(q, &other->timer);
		other->due_ms = TIMERQ_NEVER;
	}
}

static void
model_step(void)
{
	struct model *m = &model[next_random(MODEL_TIMERS)];
	uint64_t after_ms = next_random(2) == 0 ? 1 + next_random(3) * 50 : 1 + next_random(5000);

	switch (next_random(8)) {
	case 0:
		timer_stop(q, &m->timer);
		m->due_ms = TIMERQ_NEVER;
		break;
	case 1:
		model_now_ms += next_random(100);
		timerq_run(q, model_now_ms);
		ck_assert_uint_gt(model_next_due(), model_now_ms);
		break;
	case 2:
		timer_set_about(q, &m->timer, model_now_ms, after_ms, on_model_due, m);
		m->due_ms = m->timer.due_ms;
		ck_assert_uint_ge(m->due_ms, model_now_ms + after_ms);
		ck_assert_uint_le(m->due_ms, model_now_ms + after_ms + after_ms / 256);
		break;
	default:
		timer_set(q, &m->timer, model_now_ms, after_ms, on_model_due, m);
		m->due_ms = model_now_ms + after_ms;
		break;
	}
	ck_assert_uint_eq(timerq_next_due(q), model_next_due());
	ck_assert_int_eq(timer_is_set(&m->timer), m->due_ms != TIMERQ_NEVER);
}

START_TEST(agrees_with_a_search_through_all_timers)
{
	random_state = (uint64_t)_i;
	model_now_ms = 1000;
	for (int i = 0; i < MODEL_TIMERS; i++)
		model[i] = (struct model){ .due_ms = TIMERQ_NEVER };
	for (int i = 0; i < MODEL_STEPS; i++)
		model_step();
	model_now_ms += 10000;
	timerq_run(q, model_now_ms);
	ck_assert(timerq_next_due(q) == TIMERQ_NEVER);
	ck_assert(model_next_due() == TIMERQ_NEVER);
}
END_TEST

static void
count(void *n)
{
	++*(size_t *)n;
}

/* As sessions with their heart-beats: all that could grow with their number are the lists. */
START_TEST(a_hundred_thousand_timers_of_four_durations_are_four_lists)
{
	size_t n = 100000, n_due = 0;
	struct timer *t = xcalloc(n, sizeof(*t));

	for (size_t i = 0; i < n; i++)
		timer_set(q, &t[i], i / 100, 1000 * (1 + i % 4), count, &n_due);
	ck_assert_uint_eq(timerq_durations(q), 4);
	for (size_t i = 0; i < n; i++)
		timer_set(q, &t[i], 1000 + i / 100, 5000 + 1000 * (i % 4), count, &n_due);
	ck_assert_uint_eq(timerq_durations(q), 4);
	for (size_t i = 0; i < n; i += 2)
		timer_stop(q, &t[i]);
	ck_assert_uint_eq(timerq_durations(q), 2);
	timerq_run(q, 100000);
	ck_assert_uint_eq(n_due, n / 2);
	ck_assert_uint_eq(timerq_durations(q), 0);
	free(t);
}
END_TEST

/* Each in a list of its own; more of them than there were buckets, and fewer again. */
START_TEST(timers_of_as_many_durations_are_due_in_order)
{
	size_t n = 5000, n_due = 0;
	struct timer *t = xcalloc(n, sizeof(*t));

	for (size_t i = 0; i < n; i++)
		timer_set(q, &t[i], 0, 1 + i * 7919 % n, count, &n_due);
	ck_assert_uint_eq(timerq_durations(q), n);
	for (size_t i = 0; i < n; i += 3)
		timer_set(q, &t[i], 0, n + 1 + i, count, &n_due);
	ck_assert_uint_eq(timerq_durations(q), n);
	for (size_t ms = 1; ms <= n; ms++) {
		size_t before = n_due, i;

		for (i = 0; i < n && 1 + i * 7919 % n != ms; i++)
			;
		timerq_run(q, ms);
		ck_assert_uint_eq(n_due - before, i % 3 != 0);
	}
	timerq_run(q, 2 * n);
	ck_assert_uint_eq(n_due, n);
	free(t);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("timerq");
	TCase *tc = tcase_create("timerq");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, an_empty_queue_is_never_due);
	tcase_add_test(tc, a_timer_is_due_at_its_millisecond_and_once);
	tcase_add_test(tc, equal_durations_are_due_in_the_order_they_were_set);
	tcase_add_test(tc, durations_mix_by_the_time_they_are_due);
	tcase_add_loop_test(tc, a_stopped_timer_is_not_due, 0, 3);
	tcase_add_test(tc, a_timer_set_anew_moves);
	tcase_add_test(tc, many_that_are_due_about_then_are_due_together);
	tcase_add_test(tc, short_ones_are_exact_whoever_sets_them);
	tcase_add_test(tc, a_clock_that_went_back_keeps_the_order);
	tcase_add_test(tc, timers_still_set_are_dropped_with_the_queue);
	tcase_add_loop_test(tc, a_callback_may_stop_one_that_is_due_as_well, 0, 2);
	tcase_add_test(tc, a_callback_may_set_its_own_timer);
	tcase_add_test(tc, a_callback_may_free_the_object_of_its_timer);
	tcase_add_test(tc, a_hundred_thousand_timers_of_four_durations_are_four_lists);
	tcase_add_test(tc, timers_of_as_many_durations_are_due_in_order);
	tcase_add_loop_test(tc, agrees_with_a_search_through_all_timers, 1, 5);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
