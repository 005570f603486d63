/* SPDX-License-Identifier: ISC */
#include "request/override.h"

#include <stdio.h>

#include "unit.h"

static struct overrides *o;
static bool is_new;

static void
setup(void)
{
	o = overrides_new();
}

static void
teardown(void)
{
	overrides_free(o);
}

START_TEST(nothing_is_set_at_first_or_without_a_table)
{
	ck_assert(!overrides_is_paused(o, "a"));
	ck_assert_int_eq(overrides_use(o, "a", NULL), OVERRIDE_NONE);
	ck_assert_ptr_null(overrides_get(o, 0));
	ck_assert(!overrides_is_paused(NULL, "a"));
	ck_assert_int_eq(overrides_use(NULL, "a", "ws://x"), OVERRIDE_NONE);
	ck_assert_ptr_null(overrides_get(NULL, 0));
}
END_TEST

START_TEST(what_is_set_is_of_exactly_that_name_and_url)
{
	ck_assert(overrides_set(o, OVERRIDE_DISABLED, "a", "ws://x", "root", &is_new));
	ck_assert(is_new);
	ck_assert_int_eq(overrides_use(o, "a", "ws://x"), OVERRIDE_DISABLED);
	ck_assert_int_eq(overrides_use(o, "a", "ws://y"), OVERRIDE_NONE);
	ck_assert_int_eq(overrides_use(o, "a", NULL), OVERRIDE_NONE);
	ck_assert_int_eq(overrides_use(o, "b", "ws://x"), OVERRIDE_NONE);
}
END_TEST

START_TEST(whoever_set_it_first_stays)
{
	ck_assert(overrides_set(o, OVERRIDE_PAUSED, "a", NULL, "root", &is_new));
	ck_assert(overrides_set(o, OVERRIDE_PAUSED, "a", NULL, "user 7", &is_new));
	ck_assert(!is_new);
	ck_assert_str_eq(overrides_get(o, 0)->by, "root");
	ck_assert_ptr_null(overrides_get(o, 1));
}
END_TEST

START_TEST(drained_and_disabled_replace_one_another_and_pauses_stand_beside_them)
{
	ck_assert(overrides_set(o, OVERRIDE_DRAINED, "a", NULL, "root", &is_new));
	ck_assert(overrides_set(o, OVERRIDE_PAUSED, "a", NULL, "root", &is_new));
	ck_assert(overrides_set(o, OVERRIDE_DISABLED, "a", NULL, "user 7", &is_new));
	ck_assert(is_new);
	ck_assert_int_eq(overrides_use(o, "a", NULL), OVERRIDE_DISABLED);
	ck_assert(overrides_is_paused(o, "a"));
	ck_assert_str_eq(overrides_get(o, 0)->by, "user 7");
	ck_assert_ptr_null(overrides_get(o, 2));
}
END_TEST

START_TEST(it_ends_by_its_opposite_alone)
{
	ck_assert(overrides_set(o, OVERRIDE_DRAINED, "a", NULL, "root", &is_new));
	ck_assert(overrides_set(o, OVERRIDE_PAUSED, "a", NULL, "root", &is_new));
	ck_assert(!overrides_clear(o, OVERRIDE_DISABLED, "a", "ws://x"));
	ck_assert(!overrides_clear(o, OVERRIDE_PAUSED, "b", NULL));
	ck_assert(overrides_clear(o, OVERRIDE_DISABLED, "a", NULL));
	ck_assert_int_eq(overrides_use(o, "a", NULL), OVERRIDE_NONE);
	ck_assert(overrides_is_paused(o, "a"));
	ck_assert(overrides_clear(o, OVERRIDE_PAUSED, "a", NULL));
	ck_assert(!overrides_clear(o, OVERRIDE_PAUSED, "a", NULL));
	ck_assert_ptr_null(overrides_get(o, 0));
}
END_TEST

START_TEST(there_is_a_limit)
{
	char name[16];

	for (unsigned i = 0; i < OVERRIDES_MAX; i++) {
		snprintf(name, sizeof(name), "d%u", i);
		ck_assert(overrides_set(o, OVERRIDE_PAUSED, name, NULL, "root", &is_new));
	}
	ck_assert(!overrides_set(o, OVERRIDE_PAUSED, "one more", NULL, "root", &is_new));
	ck_assert(overrides_set(o, OVERRIDE_PAUSED, "d7", NULL, "root", &is_new));
	ck_assert(overrides_clear(o, OVERRIDE_PAUSED, "d7", NULL));
	ck_assert(overrides_set(o, OVERRIDE_PAUSED, "one more", NULL, "root", &is_new));
}
END_TEST

static Suite *
override_suite(void)
{
	Suite *s = suite_create("override");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, nothing_is_set_at_first_or_without_a_table);
	tcase_add_test(tc, what_is_set_is_of_exactly_that_name_and_url);
	tcase_add_test(tc, whoever_set_it_first_stays);
	tcase_add_test(tc, drained_and_disabled_replace_one_another_and_pauses_stand_beside_them);
	tcase_add_test(tc, it_ends_by_its_opposite_alone);
	tcase_add_test(tc, there_is_a_limit);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(override_suite)
