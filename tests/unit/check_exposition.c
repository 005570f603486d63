/* SPDX-License-Identifier: ISC */
/*
 * exposition: what is written is what Prometheus reads, and a strict reader finds nothing wrong.
 */
#include "base/exposition.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "unit.h"

static struct buf out;
static struct exposition e;

static void
setup(void)
{
	out = (struct buf){ 0 };
	e = (struct exposition){ .out = &out, .prefix = "usher_" };
}

static void
teardown(void)
{
	buf_free(&out);
}

#define ONE_LABEL(name, value) &(struct exposition_label){ name, value }, 1

START_TEST(a_family_has_help_and_type_and_samples)
{
	exposition_begin(&e, EXPOSITION_GAUGE, "links", "links to a URL");
	exposition_add(&e, NULL, 0, 3);
	exposition_add(&e, (const struct exposition_label[]){ { "a", "1" }, { "b", "2" } }, 2,
	    UINT64_MAX);
	ck_assert_str_eq(buf_str(&out), "# HELP usher_links links to a URL\n"
	    "# TYPE usher_links gauge\n"
	    "usher_links 3\n"
	    "usher_links{a=\"1\",b=\"2\"} 18446744073709551615\n");
}
END_TEST

START_TEST(durations_are_seconds)
{
	exposition_begin(&e, EXPOSITION_GAUGE, "age_seconds", "age");
	exposition_add_ms(&e, NULL, 0, 0);
	exposition_add_ms(&e, NULL, 0, 7);
	exposition_add_ms(&e, NULL, 0, 61050);
	ck_assert_ptr_nonnull(strstr(buf_str(&out), "\nusher_age_seconds 0.000\n"
	    "usher_age_seconds 0.007\nusher_age_seconds 61.050\n"));
}
END_TEST

START_TEST(texts_are_escaped_as_the_format_wants_it)
{
	exposition_begin(&e, EXPOSITION_COUNTER, "x_total", "a \"quote\", a \\ and\na line");
	exposition_add(&e, ONE_LABEL("route", "a \"quote\", a \\ and\na line"), 1);
	ck_assert_str_eq(buf_str(&out), "# HELP usher_x_total a \"quote\", a \\\\ and\\na line\n"
	    "# TYPE usher_x_total counter\n"
	    "usher_x_total{route=\"a \\\"quote\\\", a \\\\ and\\na line\"} 1\n");
}
END_TEST

/* ---- a strict reader of one histogram ---- */

static const char *
take(const char *at, const char *text)
{
	ck_assert_msg(strncmp(at, text, strlen(text)) == 0, "\"%.40s\" does not begin with \"%s\"",
	    at, text);
	return at + strlen(text);
}

static const char *
take_number(const char *at, double *value)
{
	char *end;

	ck_assert(isdigit((unsigned char)*at));
	*value = strtod(at, &end);
	ck_assert_ptr_ne(end, at);
	return take(end, "\n");
}

static const char *
take_bucket(const char *at, double *bound, double *value)
{
	char *end;

	at = take(at, "usher_took_seconds_bucket{route=\"a/b\",le=\"");
	*bound = strtod(at, &end);
	return take_number(take(end, "\"} "), value);
}

START_TEST(a_histogram_is_cumulative_and_ends_in_infinity)
{
	static const uint64_t values[] = { 0, 0, 1, 5, 5, 900, 70000, 1u << 30 };
	double bound, value, before = 0, last_bound = -1, sum, count;
	struct histogram h = { .sum = 0 };
	const char *at;

	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		histogram_add(&h, values[i]);
	exposition_begin(&e, EXPOSITION_HISTOGRAM, "took_seconds", "help");
	exposition_add_histogram(&e, ONE_LABEL("route", "a/b"), &h);
	at = take(buf_str(&out), "# HELP usher_took_seconds help\n"
	    "# TYPE usher_took_seconds histogram\n");
	for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++) {
		at = take_bucket(at, &bound, &value);
		ck_assert(bound > last_bound);
		ck_assert(value >= before);
		last_bound = bound;
		before = value;
		if (i == 0)
			ck_assert_double_eq(value, 2);
	}
	ck_assert(last_bound > 1e300);
	at = take_number(take(at, "usher_took_seconds_sum{route=\"a/b\"} "), &sum);
	at = take_number(take(at, "usher_took_seconds_count{route=\"a/b\"} "), &count);
	ck_assert_str_eq(at, "");
	ck_assert_double_eq_tol(sum, (70911 + (1u << 30)) / 1000.0, 0.01);
	ck_assert_double_eq(count, ARRAY_LEN(values));
	ck_assert_double_eq(count, before);
}
END_TEST

START_TEST(a_histogram_without_labels_has_the_bound_alone)
{
	struct histogram h = { .sum = 0 };

	exposition_begin(&e, EXPOSITION_HISTOGRAM, "lag_seconds", "help");
	exposition_add_histogram(&e, NULL, 0, &h);
	ck_assert_ptr_nonnull(strstr(buf_str(&out), "\nusher_lag_seconds_bucket{le=\"0.001\"} 0\n"));
	ck_assert_ptr_nonnull(strstr(buf_str(&out), "\nusher_lag_seconds_bucket{le=\"+Inf\"} 0\n"));
	ck_assert_ptr_nonnull(strstr(buf_str(&out), "\nusher_lag_seconds_sum 0.000\n"
	    "usher_lag_seconds_count 0\n"));
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("exposition");
	TCase *tc = tcase_create("exposition");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_family_has_help_and_type_and_samples);
	tcase_add_test(tc, durations_are_seconds);
	tcase_add_test(tc, texts_are_escaped_as_the_format_wants_it);
	tcase_add_test(tc, a_histogram_is_cumulative_and_ends_in_infinity);
	tcase_add_test(tc, a_histogram_without_labels_has_the_bound_alone);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
