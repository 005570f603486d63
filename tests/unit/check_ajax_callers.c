/* SPDX-License-Identifier: ISC */
/*
 * ajax_callers: who is counted, and when it is forgotten.
 */
#include "front/ajax_callers.h"
#include "unit.h"

static struct ajax_caller *
begin(struct ajax_callers *all, const char *key, uint64_t now_ms)
{
	return ajax_callers_begin(all, key, strlen(key), now_ms);
}

START_TEST(a_caller_is_one_as_long_as_it_is_at_it)
{
	struct ajax_callers *all = ajax_callers_new(10);
	struct ajax_caller *a = begin(all, "a", 1), *b = begin(all, "b", 1);

	ck_assert_ptr_ne(a, b);
	ck_assert_ptr_eq(begin(all, "a", 2), a);
	ck_assert_uint_eq(a->n_open, 2);
	ck_assert_uint_eq(b->n_open, 1);
	ajax_caller_end(a, 3);
	ck_assert_uint_eq(a->n_open, 1);
	ajax_caller_end(a, 3);
	ck_assert_ptr_eq(begin(all, "a", 900), a);
	ck_assert_uint_eq(a->n_open, 1);
	ck_assert_uint_eq(ajax_callers_count(all), 2);
	ajax_callers_free(all);
}
END_TEST

START_TEST(the_quiet_are_forgotten_when_others_come)
{
	struct ajax_callers *all = ajax_callers_new(10);
	struct ajax_caller *open = begin(all, "open", 1);

	ajax_caller_end(begin(all, "a", 1), 10);
	ajax_caller_end(begin(all, "b", 20), 600);
	begin(all, "c", 1005);
	ck_assert_uint_eq(ajax_callers_count(all), 4);
	begin(all, "d", 1100);
	ck_assert_uint_eq(ajax_callers_count(all), 4);
	begin(all, "e", 1700);
	ck_assert_uint_eq(ajax_callers_count(all), 4);
	ck_assert_ptr_eq(begin(all, "open", 5000), open);
	ajax_callers_free(all);
}
END_TEST

START_TEST(there_is_room_for_so_many)
{
	struct ajax_callers *all = ajax_callers_new(2);
	struct ajax_caller *a = begin(all, "a", 1);

	begin(all, "b", 1);
	ck_assert_ptr_null(begin(all, "c", 1));
	ck_assert_ptr_eq(begin(all, "a", 1), a);
	ajax_caller_end(a, 1);
	ck_assert_ptr_null(begin(all, "c", 1));
	ajax_caller_end(a, 1);
	ck_assert_ptr_nonnull(begin(all, "c", 1));
	ck_assert_ptr_null(begin(all, "a", 1));
	ck_assert_uint_eq(ajax_callers_count(all), 2);
	ajax_callers_free(all);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("ajax_callers");
	TCase *tc = tcase_create("ajax_callers");

	tcase_add_test(tc, a_caller_is_one_as_long_as_it_is_at_it);
	tcase_add_test(tc, the_quiet_are_forgotten_when_others_come);
	tcase_add_test(tc, there_is_room_for_so_many);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
