/* SPDX-License-Identifier: ISC */
#include "base/idmap.h"

#include <stdbool.h>

#include "unit.h"

static struct idmap m;
static char values[2000];	/* &values[id] stands for id */

static void
teardown(void)
{
	idmap_free(&m);
}

START_TEST(an_empty_one_finds_nothing)
{
	ck_assert_ptr_null(idmap_find(&m, 1));
	ck_assert_ptr_null(idmap_find(&m, 0));
	ck_assert_ptr_null(idmap_remove(&m, 1));
	ck_assert_ptr_null(idmap_remove(&m, 0));
}
END_TEST

START_TEST(finds_what_was_added)
{
	for (uint64_t id = 1; id < 1000; id++)
		idmap_add(&m, id, &values[id]);
	ck_assert_uint_eq(m.n, 999);
	for (uint64_t id = 1; id < 1000; id++)
		ck_assert_ptr_eq(idmap_find(&m, id), &values[id]);
	ck_assert_ptr_null(idmap_find(&m, 1000));
	ck_assert_ptr_null(idmap_find(&m, UINT64_MAX));
}
END_TEST

START_TEST(what_was_removed_is_gone)
{
	idmap_add(&m, 7, &values[7]);
	ck_assert_ptr_eq(idmap_remove(&m, 7), &values[7]);
	ck_assert_ptr_null(idmap_remove(&m, 7));
	ck_assert_ptr_null(idmap_find(&m, 7));
	ck_assert_uint_eq(m.n, 0);
	idmap_add(&m, 7, &values[8]);
	ck_assert_ptr_eq(idmap_find(&m, 7), &values[8]);
}
END_TEST

/* Four ids of one place at the end of the table, so that they run over to its beginning. */
START_TEST(ids_of_one_place_survive_the_removal_of_each)
{
	static const uint64_t ids[] = { 14, 30, 46, 62, 15 };

	for (int i = 0; i < 5; i++)
		idmap_add(&m, ids[i], &values[ids[i]]);
	ck_assert_uint_eq(m.cap, 16);
	ck_assert_ptr_eq(idmap_remove(&m, ids[_i]), &values[ids[_i]]);
	for (int i = 0; i < 5; i++)
		ck_assert_ptr_eq(idmap_find(&m, ids[i]), i == _i ? NULL : &values[ids[i]]);
}
END_TEST

/* Ids go up and requests end in any order, as on a link. */
START_TEST(agrees_with_an_array_over_a_long_run)
{
	bool has[sizeof(values)] = { 0 };
	size_t n = 0;
	unsigned seed = (unsigned)_i;

	for (uint64_t next = 1; next < sizeof(values); next++) {
		idmap_add(&m, next, &values[next]);
		has[next] = true;
		n++;
		while (n > 0 && rand_r(&seed) % 2 == 0) {
			uint64_t id = 1 + (uint64_t)rand_r(&seed) % next;

			ck_assert_ptr_eq(idmap_remove(&m, id), has[id] ? &values[id] : NULL);
			n -= has[id];
			has[id] = false;
		}
		ck_assert_uint_eq(m.n, n);
	}
	for (uint64_t id = 1; id < sizeof(values); id++)
		ck_assert_ptr_eq(idmap_find(&m, id), has[id] ? &values[id] : NULL);
}
END_TEST

/* What a look-up may have to walk: the longest row of places that are taken. */
static size_t
longest_row(void)
{
	size_t row = 0, longest = 0;

	for (size_t i = 0; i < 2 * m.cap; i++) {
		row = m.entry[i & (m.cap - 1)].id != 0 ? row + 1 : 0;
		if (row > longest)
			longest = row;
	}
	return longest;
}

/* Of numbers in a row, which those under way are, wherever they are by then. */
START_TEST(rows_do_not_grow_with_the_number_of_entries)
{
	static const size_t sizes[] = { 1000, 10000, 100000 };
	size_t n = sizes[_i];

	for (uint64_t id = 1; id <= 2 * n; id++) {
		idmap_add(&m, id, values);
		if (id > n)
			idmap_remove(&m, id - n);
		if (id % (n / 2) == 0)
			ck_assert_uint_le(longest_row(), 4);
	}
	ck_assert_uint_eq(m.n, n);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("idmap");
	TCase *tc = tcase_create("idmap");

	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_add_test(tc, an_empty_one_finds_nothing);
	tcase_add_test(tc, finds_what_was_added);
	tcase_add_test(tc, what_was_removed_is_gone);
	tcase_add_loop_test(tc, ids_of_one_place_survive_the_removal_of_each, 0, 5);
	tcase_add_loop_test(tc, agrees_with_an_array_over_a_long_run, 1, 10);
	tcase_add_loop_test(tc, rows_do_not_grow_with_the_number_of_entries, 0, 3);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
