/* SPDX-License-Identifier: ISC */
#include "base/strmap.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/xmalloc.h"
#include "unit.h"

static struct strmap *m;

static void
setup(void)
{
	m = strmap_new();
}

static void
teardown(void)
{
	strmap_free(m, NULL);
}

START_TEST(a_new_key_has_no_value)
{
	void **at = strmap_at(m, "key", 3);

	ck_assert_ptr_null(*at);
	ck_assert_uint_eq(strmap_count(m), 1);
	*at = m;
	ck_assert_ptr_eq(*strmap_at(m, "key", 3), m);
	ck_assert_ptr_eq(strmap_find(m, "key", 3), m);
	ck_assert_uint_eq(strmap_count(m), 1);
	ck_assert_ptr_null(strmap_find(m, "kez", 3));
	ck_assert_ptr_null(strmap_find(m, "ke", 2));
}
END_TEST

START_TEST(keys_are_bytes)
{
	*strmap_at(m, "", 0) = "empty";
	*strmap_at(m, "a\0b", 3) = "with NUL";
	*strmap_at(m, "a", 1) = "without";
	ck_assert_str_eq(strmap_find(m, "", 0), "empty");
	ck_assert_str_eq(strmap_find(m, "a\0b", 3), "with NUL");
	ck_assert_str_eq(strmap_find(m, "a", 1), "without");
	ck_assert_ptr_null(strmap_find(m, "a\0c", 3));
}
END_TEST

START_TEST(the_key_is_copied)
{
	char key[] = "mine";

	*strmap_at(m, key, 4) = m;
	memset(key, 'x', 4);
	ck_assert_ptr_eq(strmap_find(m, "mine", 4), m);
}
END_TEST

START_TEST(a_removed_key_is_gone_and_may_come_back)
{
	ck_assert_ptr_null(strmap_remove(m, "k", 1));
	*strmap_at(m, "k", 1) = m;
	ck_assert_ptr_eq(strmap_remove(m, "k", 1), m);
	ck_assert_ptr_null(strmap_find(m, "k", 1));
	ck_assert_uint_eq(strmap_count(m), 0);
	ck_assert_ptr_null(*strmap_at(m, "k", 1));
}
END_TEST

/* One alone is found without its hash; each way to and from there. */
START_TEST(the_last_one_left_is_found_and_no_other)
{
	*strmap_at(m, "one", 3) = "1";
	*strmap_at(m, "two", 3) = "2";
	ck_assert_str_eq(strmap_find(m, "one", 3), "1");
	ck_assert_str_eq(strmap_find(m, "two", 3), "2");
	ck_assert_str_eq(strmap_remove(m, "one", 3), "1");
	ck_assert_ptr_null(strmap_find(m, "one", 3));
	ck_assert_str_eq(strmap_find(m, "two", 3), "2");
	*strmap_at(m, "three", 5) = "3";
	ck_assert_str_eq(strmap_find(m, "two", 3), "2");
	ck_assert_str_eq(strmap_find(m, "three", 5), "3");
	strmap_remove(m, "two", 3);
	strmap_remove(m, "three", 5);
	ck_assert_ptr_null(strmap_find(m, "three", 5));
	*strmap_at(m, "four", 4) = "4";
	ck_assert_str_eq(strmap_find(m, "four", 4), "4");
	ck_assert_ptr_null(strmap_find(m, "fou", 3));
	ck_assert_ptr_null(strmap_find(m, "one", 3));
}
END_TEST

static void
add_up(void *value, void *sum)
{
	*(uintptr_t *)sum += (uintptr_t)value;
}

START_TEST(holds_thousands_and_shows_each_once)
{
	uintptr_t sum = 0;
	char key[16];

	for (uintptr_t i = 1; i <= 5000; i++)
		*strmap_at(m, key, (size_t)snprintf(key, sizeof(key), "%zu", i)) = (void *)i;
	for (uintptr_t i = 2; i <= 5000; i += 2)
		ck_assert_ptr_eq(strmap_remove(m, key,
		    (size_t)snprintf(key, sizeof(key), "%zu", i)), (void *)i);
	ck_assert_uint_eq(strmap_count(m), 2500);
	for (uintptr_t i = 1; i <= 5000; i++)
		ck_assert_ptr_eq(strmap_find(m, key,
		    (size_t)snprintf(key, sizeof(key), "%zu", i)), i % 2 == 1 ? (void *)i : NULL);
	strmap_each(m, add_up, &sum);
	ck_assert_uint_eq(sum, 2500 * 2500);
}
END_TEST

struct keys {
	size_t n, bytes;
	bool has_nul, are_ended;
};

static void
see_key(const char *key, size_t len, void *arg)
{
	struct keys *seen = arg;

	seen->n++;
	seen->bytes += len;
	seen->has_nul |= len == 3 && memcmp(key, "a\0b", 3) == 0;
	seen->are_ended &= key[len] == '\0';
}

START_TEST(shows_each_key_whole_and_ended)
{
	struct keys seen = { .are_ended = true };

	strmap_each_key(m, see_key, &seen);
	ck_assert_uint_eq(seen.n, 0);
	*strmap_at(m, "a\0b", 3) = m;
	*strmap_at(m, "", 0) = m;
	*strmap_at(m, "longer", 6) = NULL;
	strmap_each_key(m, see_key, &seen);
	ck_assert_uint_eq(seen.n, 3);
	ck_assert_uint_eq(seen.bytes, 9);
	ck_assert(seen.has_nul);
	ck_assert(seen.are_ended);
}
END_TEST

START_TEST(frees_its_values_if_asked_to)
{
	struct strmap *own = strmap_new();

	*strmap_at(own, "a", 1) = xstrdup("freed with the map");
	*strmap_at(own, "b", 1) = NULL;
	strmap_free(own, free);
	strmap_free(NULL, free);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("strmap");
	TCase *tc = tcase_create("strmap");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_new_key_has_no_value);
	tcase_add_test(tc, keys_are_bytes);
	tcase_add_test(tc, the_key_is_copied);
	tcase_add_test(tc, a_removed_key_is_gone_and_may_come_back);
	tcase_add_test(tc, the_last_one_left_is_found_and_no_other);
	tcase_add_test(tc, holds_thousands_and_shows_each_once);
	tcase_add_test(tc, shows_each_key_whole_and_ended);
	tcase_add_test(tc, frees_its_values_if_asked_to);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN_STATELESS(make_suite)
