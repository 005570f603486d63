/* SPDX-License-Identifier: ISC */
#include "front/admission.h"

#include <stdio.h>

#include "unit.h"

static struct admission *a;

/* Sessions at most 5, 2 of an address; connections ADMISSION_CONNECTIONS times as many. */
static void
setup(void)
{
	a = admission_new(5, 2);
}

static void
teardown(void)
{
	admission_free(a);
}

START_TEST(an_address_gets_its_share)
{
	ck_assert_ptr_null(admission_take_session(a, "192.0.2.1", true));
	ck_assert_ptr_null(admission_take_session(a, "192.0.2.1", true));
	ck_assert_str_eq(admission_take_session(a, "192.0.2.1", true), "limits.sessions_per_address");
	ck_assert_ptr_null(admission_take_session(a, "192.0.2.2", true));
}
END_TEST

START_TEST(a_place_given_back_can_be_taken)
{
	for (int i = 0; i < 10; i++) {
		ck_assert_ptr_null(admission_take_session(a, "192.0.2.1", true));
		ck_assert_ptr_null(admission_take_session(a, "192.0.2.1", true));
		ck_assert_ptr_nonnull(admission_take_session(a, "192.0.2.1", true));
		admission_release_session(a, "192.0.2.1");
		ck_assert_ptr_null(admission_take_session(a, "192.0.2.1", true));
		admission_release_session(a, "192.0.2.1");
		admission_release_session(a, "192.0.2.1");
	}
}
END_TEST

START_TEST(all_together_get_no_more_than_the_whole)
{
	char address[32];

	for (int i = 0; i < 5; i++) {
		snprintf(address, sizeof(address), "192.0.2.%d", i);
		ck_assert_ptr_null(admission_take_session(a, address, true));
	}
	ck_assert_str_eq(admission_take_session(a, "192.0.2.9", true), "limits.sessions");
	ck_assert_str_eq(admission_take_session(a, "192.0.2.9", false), "limits.sessions");
	admission_release_session(a, "192.0.2.0");
	ck_assert_ptr_null(admission_take_session(a, "192.0.2.9", true));
}
END_TEST

/* Those of nodes count as well, so that giving back is the same for all. */
START_TEST(nodes_share_the_whole_alone)
{
	for (int i = 0; i < 5; i++)
		ck_assert_ptr_null(admission_take_session(a, "192.0.2.1", false));
	ck_assert_str_eq(admission_take_session(a, "192.0.2.1", false), "limits.sessions");
	for (int i = 0; i < 5; i++)
		admission_release_session(a, "192.0.2.1");
	ck_assert_ptr_null(admission_take_session(a, "192.0.2.1", true));
}
END_TEST

START_TEST(connections_and_sessions_are_counted_apart)
{
	for (int i = 0; i < 2 * ADMISSION_CONNECTIONS; i++)
		ck_assert_ptr_null(admission_take(a, "192.0.2.1", true));
	ck_assert_str_eq(admission_take(a, "192.0.2.1", true), "limits.sessions_per_address");
	ck_assert_ptr_null(admission_take_session(a, "192.0.2.1", true));
	ck_assert_ptr_null(admission_take_session(a, "192.0.2.1", true));
	ck_assert_ptr_nonnull(admission_take_session(a, "192.0.2.1", true));
	admission_release(a, "192.0.2.1");
	ck_assert_ptr_nonnull(admission_take_session(a, "192.0.2.1", true));
	ck_assert_ptr_null(admission_take(a, "192.0.2.1", true));

	for (int i = 0; i < 3 * ADMISSION_CONNECTIONS; i++)
		ck_assert_ptr_null(admission_take(a, "192.0.2.2", false));
	ck_assert_str_eq(admission_take(a, "192.0.2.3", false), "limits.sessions");
}
END_TEST

START_TEST(one_private_address_near_the_limit_is_suspected_once)
{
	struct admission *ten = admission_new(100, 10);

	for (int i = 0; i < 8; i++) {
		ck_assert(!admission_suspects(ten, "10.0.0.1"));
		ck_assert_ptr_null(admission_take_session(ten, "10.0.0.1", true));
		ck_assert_ptr_null(admission_take_session(ten, "192.0.2.1", true));
	}
	ck_assert(!admission_suspects(ten, "192.0.2.1"));
	ck_assert(admission_suspects(ten, "10.0.0.1"));
	ck_assert(!admission_suspects(ten, "10.0.0.1"));
	admission_free(ten);
}
END_TEST

START_TEST(without_limits_nobody_is_refused)
{
	struct admission *open = admission_new(UINT64_MAX, UINT64_MAX);

	for (int i = 0; i < 1000; i++) {
		ck_assert_ptr_null(admission_take_session(open, "192.0.2.1", true));
		ck_assert_ptr_null(admission_take(open, "192.0.2.1", true));
		ck_assert(!admission_suspects(open, "192.0.2.1"));
	}
	admission_free(open);
	admission_free(NULL);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("admission");
	TCase *tc = tcase_create("admission");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, an_address_gets_its_share);
	tcase_add_test(tc, a_place_given_back_can_be_taken);
	tcase_add_test(tc, all_together_get_no_more_than_the_whole);
	tcase_add_test(tc, nodes_share_the_whole_alone);
	tcase_add_test(tc, connections_and_sessions_are_counted_apart);
	tcase_add_test(tc, one_private_address_near_the_limit_is_suspected_once);
	tcase_add_test(tc, without_limits_nobody_is_refused);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
