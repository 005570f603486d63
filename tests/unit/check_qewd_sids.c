/* SPDX-License-Identifier: ISC */
/*
 * qewd_sids: who is found by which socket.
 */
#include "front/qewd_sids.h"

#include <stdio.h>

#include "base/strmap.h"
#include "unit.h"

static struct strmap *by_sid;

static const char *
sid(unsigned i)
{
	static char text[ID_SID_LEN + 1];

	snprintf(text, sizeof(text), "%020u", i);
	return text;
}

static void *
find(unsigned i)
{
	return strmap_find(by_sid, sid(i), ID_SID_LEN);
}

static void
setup(void)
{
	by_sid = strmap_new();
}

static void
teardown(void)
{
	strmap_free(by_sid, NULL);
}

START_TEST(a_client_has_its_own_and_the_last_ones_it_had)
{
	struct qewd_sids s = { 0 };
	int client;

	for (unsigned i = 0; i < 3 * SIDS_MAX; i++)
		qewd_sids_add(by_sid, &s, sid(i), &client);
	qewd_sids_add(by_sid, &s, sid(3 * SIDS_MAX - 1), &client);
	ck_assert_uint_eq(s.n, SIDS_MAX);
	ck_assert_uint_eq(strmap_count(by_sid), SIDS_MAX);
	ck_assert_ptr_eq(find(0), &client);
	ck_assert_ptr_null(find(1));
	ck_assert_ptr_null(find(2 * SIDS_MAX));
	for (unsigned i = 2 * SIDS_MAX + 1; i < 3 * SIDS_MAX; i++)
		ck_assert_ptr_eq(find(i), &client);
	qewd_sids_clear(by_sid, &s);
	ck_assert_uint_eq(strmap_count(by_sid), 0);
}
END_TEST

START_TEST(another_takes_all_of_them)
{
	struct qewd_sids a = { 0 }, b = { 0 };
	int old, new;

	qewd_sids_add(by_sid, &a, sid(1), &old);
	qewd_sids_add(by_sid, &a, sid(2), &old);
	qewd_sids_add(by_sid, &b, sid(3), &new);
	qewd_sids_move(by_sid, &a, &b, &new);
	ck_assert_uint_eq(a.n, 0);
	for (unsigned i = 1; i <= 3; i++)
		ck_assert_ptr_eq(find(i), &new);
	ck_assert_str_eq(b.sid[0], sid(3));
	qewd_sids_clear(by_sid, &a);
	ck_assert_ptr_eq(find(1), &new);
	qewd_sids_clear(by_sid, &b);
	ck_assert_uint_eq(strmap_count(by_sid), 0);
}
END_TEST

START_TEST(what_is_no_id_of_ours_is_ignored)
{
	struct qewd_sids s = { 0 };
	int client;

	qewd_sids_add(by_sid, &s, "", &client);
	qewd_sids_add(by_sid, &s, "short", &client);
	qewd_sids_add(by_sid, &s, "an id that is longer than ours", &client);
	ck_assert_uint_eq(s.n + strmap_count(by_sid), 0);
	qewd_sids_clear(by_sid, &s);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("qewd_sids");
	TCase *tc = tcase_create("qewd_sids");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_client_has_its_own_and_the_last_ones_it_had);
	tcase_add_test(tc, another_takes_all_of_them);
	tcase_add_test(tc, what_is_no_id_of_ours_is_ignored);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
