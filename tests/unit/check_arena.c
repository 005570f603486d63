/* SPDX-License-Identifier: ISC */
/*
 * Everything cut from an arena has its own room, and is cleared.
 */
#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "unit.h"

#define N 3000

static size_t
size_at(size_t i)
{
	return i * 37 % 300 + (i % 500 == 7 ? 200000 : 0);
}

static bool
is_all(const unsigned char *p, size_t n, unsigned char c)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != c)
			return false;
	return true;
}

START_TEST(what_is_cut_is_cleared_aligned_and_apart)
{
	static unsigned char *p[N];
	struct arena a = { 0 };

	for (size_t i = 0; i < N; i++) {
		p[i] = arena_alloc(&a, size_at(i));
		ck_assert_uint_eq((uintptr_t)p[i] % _Alignof(max_align_t), 0);
		ck_assert(is_all(p[i], size_at(i), 0));
		memset(p[i], (int)(i % 251 + 1), size_at(i));
	}
	for (size_t i = 0; i < N; i++)
		ck_assert(is_all(p[i], size_at(i), (unsigned char)(i % 251 + 1)));
	arena_free(&a);
	ck_assert_ptr_null(a.block);
	arena_free(&a);
}
END_TEST

START_TEST(copies_of_texts_end_with_a_nul)
{
	struct arena a = { 0 };

	ck_assert_str_eq(arena_strdup(&a, "one"), "one");
	ck_assert_str_eq(arena_strdup(&a, ""), "");
	ck_assert_str_eq(arena_memdup(&a, "twofold", 3), "two");
	ck_assert_str_eq(arena_memdup(&a, NULL, 0), "");
	arena_free(&a);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("arena");
	TCase *tc = tcase_create("arena");

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, what_is_cut_is_cleared_aligned_and_apart);
	tcase_add_test(tc, copies_of_texts_end_with_a_nul);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
