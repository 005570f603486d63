/* SPDX-License-Identifier: ISC */
/*
 * traceparent: what is one, what is made of one, and that a step is never told twice.
 */
#include "codec/traceparent.h"

#include <string.h>

#include "base/compiler.h"
#include "unit.h"

#define ID     "4bf92f3577b34da6a3ce929d0e0e4736"
#define STEP   "00f067aa0ba902b7"
#define PARENT "00-" ID "-" STEP "-01"

static const char *const bad[] = {
	"",
	"00",
	"00-" ID "-" STEP,
	"00-" ID "-" STEP "-0",
	"00-" ID "-" STEP "-01-",
	"00-" ID "-" STEP "-01 ",
	"ff-" ID "-" STEP "-01",
	"0-" ID "-" STEP "-01",
	"0G-" ID "-" STEP "-01",
	"01-" ID "-" STEP "-01x",
	"00_" ID "-" STEP "-01",
	"00-" ID "_" STEP "-01",
	"00-" ID "-" STEP "_01",
	"00-4BF92F3577B34DA6A3CE929D0E0E4736-" STEP "-01",
	"00-00000000000000000000000000000000-" STEP "-01",
	"00-" ID "-0000000000000000-01",
	"00-" ID "-00f067aa0ba902bx-01",
	"00-" ID "-" STEP "-0g",
};

START_TEST(what_is_not_exactly_one_is_none)
{
	char trace[TRACE_MAX] = "as it was";

	ck_assert(!traceparent_is_valid(bad[_i]));
	ck_assert(!traceparent_read(trace, bad[_i], strlen(bad[_i])));
	ck_assert_str_eq(trace, "as it was");
}
END_TEST

static const struct {
	const char *value, *trace;
} good[] = {
	{ PARENT, PARENT },
	{ "00-" ID "-" STEP "-00", "00-" ID "-" STEP "-00" },
	{ "00-" ID "-" STEP "-ff", "00-" ID "-" STEP "-ff" },
	{ "01-" ID "-" STEP "-01", "00-" ID "-" STEP "-01" },
	{ "cc-" ID "-" STEP "-fb-what-the-future-brings", "00-" ID "-" STEP "-03" },
	{ "01-" ID "-" STEP "-10-", "00-" ID "-" STEP "-00" },
};

START_TEST(versions_to_come_are_read_as_the_first)
{
	char trace[TRACE_MAX];

	ck_assert(traceparent_read(trace, good[_i].value, strlen(good[_i].value)));
	ck_assert_str_eq(trace, good[_i].trace);
	ck_assert(traceparent_is_valid(trace));
}
END_TEST

START_TEST(a_value_ends_where_its_length_says)
{
	char trace[TRACE_MAX];

	ck_assert(traceparent_read(trace, PARENT "x", strlen(PARENT)));
	ck_assert_str_eq(trace, PARENT);
	for (size_t len = 0; len < strlen(PARENT); len++)
		ck_assert(!traceparent_read(trace, PARENT, len));
}
END_TEST

START_TEST(a_step_keeps_the_trace_and_its_flags)
{
	char one[TRACE_MAX], two[TRACE_MAX];

	traceparent_follow(one, "00-" ID "-" STEP "-00");
	ck_assert(traceparent_is_valid(one));
	ck_assert_mem_eq(one, PARENT, 36);
	ck_assert_mem_ne(one + 36, STEP, 16);
	ck_assert_str_eq(one + 52, "-00");
	memcpy(two, one, sizeof(two));
	traceparent_follow(two, two);
	ck_assert_mem_eq(two, one, 36);
	ck_assert_mem_ne(two + 36, one + 36, 16);
}
END_TEST

START_TEST(without_one_a_trace_begins)
{
	char one[TRACE_MAX], two[TRACE_MAX];

	traceparent_follow(one, bad[_i]);
	traceparent_follow(two, bad[_i]);
	ck_assert(traceparent_is_valid(one) && traceparent_is_valid(two));
	ck_assert_str_eq(one + 52, "-01");
	ck_assert_mem_ne(one + TRACE_ID_AT, two + TRACE_ID_AT, TRACE_ID_LEN);
	ck_assert_mem_ne(one + TRACE_ID_AT, ID, TRACE_ID_LEN);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("traceparent");
	TCase *tc = tcase_create("traceparent");

	tcase_add_loop_test(tc, what_is_not_exactly_one_is_none, 0, ARRAY_LEN(bad));
	tcase_add_loop_test(tc, versions_to_come_are_read_as_the_first, 0, ARRAY_LEN(good));
	tcase_add_test(tc, a_value_ends_where_its_length_says);
	tcase_add_test(tc, a_step_keeps_the_trace_and_its_flags);
	tcase_add_loop_test(tc, without_one_a_trace_begins, 0, ARRAY_LEN(bad));
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN_STATELESS(make_suite)
