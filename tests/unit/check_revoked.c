/* SPDX-License-Identifier: ISC */
#include "token/revoked.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xmalloc.h"
#include "unit.h"

#define NOW 1790000000

static char folder[] = "/tmp/check_revoked.XXXXXX";
static struct revoked *r;
static char *path;

static void
setup(void)
{
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	path = xasprintf("%s/revoked", folder);
	r = revoked_new();
}

static void
teardown(void)
{
	revoked_free(r);
	unlink(path);
	rmdir(folder);
	free(path);
}

static bool
add(enum revoked_kind kind, const char *name, int64_t before_s, int64_t until_s)
{
	struct revoked_entry e = { kind, name, before_s, NOW, until_s, "root" };

	return revoked_add(r, &e, NOW);
}

static bool
has(const char *jti, const char *user, int64_t iat_s)
{
	struct revoked_mark m = { .jti = (char *)(uintptr_t)jti, .user = (char *)(uintptr_t)user,
		.iat_s = iat_s };

	return revoked_has(r, &m);
}

START_TEST(nothing_is_revoked_at_first)
{
	ck_assert_uint_eq(revoked_generation(r), 0);
	ck_assert_uint_eq(revoked_count(r), 0);
	ck_assert(!has("a", "anna", NOW));
	ck_assert(!has(NULL, NULL, INT64_MIN));
}
END_TEST

START_TEST(a_session_is_revoked_whenever_its_token_was_issued)
{
	ck_assert(add(REVOKED_JTI, "a", INT64_MAX, NOW + 10));
	ck_assert(has("a", NULL, NOW - 100));
	ck_assert(has("a", NULL, NOW + 100));
	ck_assert(has("a", NULL, INT64_MIN));
	ck_assert(!has("b", "a", NOW));
	ck_assert(!has(NULL, NULL, NOW));
}
END_TEST

START_TEST(a_user_may_begin_anew)
{
	ck_assert(add(REVOKED_USER, "anna", NOW + 1, NOW + 10));
	ck_assert(has("a", "anna", NOW));
	ck_assert(has("a", "anna", INT64_MIN));
	ck_assert(!has("a", "anna", NOW + 1));
	ck_assert(!has("anna", "bob", NOW));
	ck_assert(!has("a", NULL, NOW));
}
END_TEST

START_TEST(all_before_a_time_are_revoked_and_the_latest_time_counts)
{
	ck_assert(add(REVOKED_BEFORE, NULL, NOW, NOW + 10));
	ck_assert(has(NULL, NULL, NOW - 1));
	ck_assert(!has(NULL, NULL, NOW));
	ck_assert(add(REVOKED_BEFORE, NULL, NOW - 50, NOW + 20));
	ck_assert(has(NULL, NULL, NOW - 1));
	ck_assert(add(REVOKED_BEFORE, NULL, NOW + 1, NOW + 10));
	ck_assert(has(NULL, NULL, NOW));
	ck_assert_int_eq(revoked_all_before(r), NOW + 1);
	ck_assert_uint_eq(revoked_count(r), 1);
}
END_TEST

START_TEST(the_same_again_replaces_the_old_one)
{
	ck_assert(add(REVOKED_USER, "anna", NOW, NOW + 10));
	ck_assert(add(REVOKED_USER, "anna", NOW + 5, NOW + 10));
	ck_assert_uint_eq(revoked_count(r), 1);
	ck_assert_uint_eq(revoked_generation(r), 2);
	ck_assert(has(NULL, "anna", NOW + 4));
}
END_TEST

START_TEST(what_is_over_is_forgotten)
{
	ck_assert(add(REVOKED_JTI, "a", INT64_MAX, NOW + 10));
	ck_assert(add(REVOKED_JTI, "b", INT64_MAX, NOW + 20));
	ck_assert(add(REVOKED_BEFORE, NULL, NOW, NOW + 10));
	revoked_forget_old(r, NOW + 10);
	ck_assert_uint_eq(revoked_count(r), 1);
	ck_assert(!has("a", NULL, NOW));
	ck_assert(has("b", NULL, NOW));
	ck_assert(!has(NULL, NULL, NOW - 1));
	ck_assert_int_eq(revoked_all_before(r), INT64_MIN);
}
END_TEST

START_TEST(there_is_an_end_to_what_can_be_revoked)
{
	static char longest[REVOKED_NAME_MAX + 2];
	char name[16];

	memset(longest, 'x', sizeof(longest) - 1);
	ck_assert(!add(REVOKED_USER, longest, NOW, NOW + 10));
	ck_assert(!add(REVOKED_JTI, "", INT64_MAX, NOW + 10));
	longest[REVOKED_NAME_MAX] = '\0';
	for (int i = 1; i < REVOKED_MAX; i++) {
		snprintf(name, sizeof(name), "%d", i);
		ck_assert(add(REVOKED_JTI, name, INT64_MAX, NOW + 10));
	}
	ck_assert(add(REVOKED_USER, longest, NOW, NOW + 10));
	ck_assert(!add(REVOKED_USER, "anna", NOW, NOW + 10));
	ck_assert(add(REVOKED_JTI, "7", INT64_MAX, NOW + 10));
	ck_assert_uint_eq(revoked_count(r), REVOKED_MAX);
}
END_TEST

static void
load_again(int64_t now_s)
{
	revoked_free(r);
	r = revoked_new();
	ck_assert_ptr_null(revoked_load(r, path, now_s));
}

START_TEST(a_file_keeps_it)
{
	struct stat st;

	ck_assert_ptr_null(revoked_load(r, path, NOW));
	ck_assert(add(REVOKED_JTI, "a\"\\\n", INT64_MAX, NOW + 10));
	ck_assert(add(REVOKED_USER, "\xc3\xa4nna", NOW, NOW + 20));
	ck_assert(add(REVOKED_BEFORE, NULL, NOW - 5, NOW + 20));
	ck_assert_ptr_null(revoked_save(r, path));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	load_again(NOW);
	ck_assert_uint_eq(revoked_count(r), 3);
	ck_assert(has("a\"\\\n", NULL, NOW));
	ck_assert(has(NULL, "\xc3\xa4nna", NOW - 1));
	ck_assert(has(NULL, NULL, NOW - 6));
	ck_assert_ptr_null(revoked_save(r, path));
	load_again(NOW + 10);
	ck_assert_uint_eq(revoked_count(r), 2);
}
END_TEST

static const char *const bad_files[] = {
	"x\n", "{}\n", "[]\n", "\n", "{\"kind\":\"jti\"}\n",
	"{\"kind\":\"jti\",\"name\":\"a\",\"since\":1,\"until\":9999999999}",	/* no line */
	"{\"kind\":\"all\",\"name\":\"a\",\"since\":1,\"until\":9999999999}\n",
	"{\"kind\":\"jti\",\"name\":\"\",\"since\":1,\"until\":9999999999}\n",
	"{\"kind\":\"jti\",\"name\":\"a\\u0000b\",\"since\":1,\"until\":9999999999}\n",
	"{\"kind\":\"jti\",\"name\":7,\"since\":1,\"until\":9999999999}\n",
	"{\"kind\":\"user\",\"name\":\"a\",\"since\":1,\"until\":9999999999}\n",
	"{\"kind\":\"before\",\"since\":1,\"until\":9999999999}\n",
	"{\"kind\":\"before\",\"before\":-1,\"since\":1,\"until\":9999999999}\n",
};

START_TEST(a_bad_file_is_told)
{
	FILE *f = fopen(path, "w");
	char *why;

	fputs(bad_files[_i], f);
	fclose(f);
	why = revoked_load(r, path, NOW);
	ck_assert_ptr_nonnull(why);
	ck_assert_ptr_nonnull(strstr(why, ":1: this is no line of revoked sessions"));
	free(why);
}
END_TEST

START_TEST(what_cannot_be_written_is_told_and_leaves_nothing)
{
	char *there = xasprintf("%s/no/revoked", folder), *why;

	why = revoked_save(r, there);
	ck_assert_ptr_nonnull(why);
	free(why);
	why = revoked_load(r, folder, NOW);
	ck_assert_ptr_nonnull(why);
	free(why);
	free(there);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("revoked");
	TCase *tc = tcase_create("revoked");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, nothing_is_revoked_at_first);
	tcase_add_test(tc, a_session_is_revoked_whenever_its_token_was_issued);
	tcase_add_test(tc, a_user_may_begin_anew);
	tcase_add_test(tc, all_before_a_time_are_revoked_and_the_latest_time_counts);
	tcase_add_test(tc, the_same_again_replaces_the_old_one);
	tcase_add_test(tc, what_is_over_is_forgotten);
	tcase_add_test(tc, there_is_an_end_to_what_can_be_revoked);
	tcase_add_test(tc, a_file_keeps_it);
	tcase_add_loop_test(tc, a_bad_file_is_told, 0, (int)ARRAY_LEN(bad_files));
	tcase_add_test(tc, what_cannot_be_written_is_told_and_leaves_nothing);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
