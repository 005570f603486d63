/* SPDX-License-Identifier: ISC */
#include "request/service.h"

#include <string.h>

#include "base/compiler.h"
#include "request/destination.h"
#include "unit.h"

static struct service_table *t;
static struct destination auth = { .name = "auth" }, reports = { .name = "reports" },
    old = { .name = "old" }, local = { .name = "local" }, rest = { .name = "rest" };

static void
setup(void)
{
	t = service_table_new();
	service_add(t, "jwt", "login", &auth, 5000);
	service_add(t, "jwt", "report.*", &reports, 0);
	service_add(t, "jwt", "report.old.*", &old, 0);
	service_add_local(t, "jwt", &local);
	service_add(t, "all", "*", &rest, 0);
	service_add(t, "all", "x", &auth, 0);
	service_add_local(t, "home", &local);
}

static void
teardown(void)
{
	service_table_free(t);
}

static const struct {
	const char *application, *type, *name;
} finds[] = {
	{ "jwt", "login", "auth" },
	{ "jwt", "logi", "local" },
	{ "jwt", "login2", "local" },
	{ "jwt", "report.", "reports" },
	{ "jwt", "report.daily", "reports" },
	{ "jwt", "report.old.daily", "old" },
	{ "jwt", "report.old", "reports" },
	{ "jwt", "report", "local" },
	{ "jwt", "report.*", "reports" },
	{ "all", "x", "auth" },
	{ "all", "anything", "rest" },
	{ "all", "", "rest" },
	{ "home", "login", "local" },
	{ "jw", "login", NULL },
	{ "jwt2", "login", NULL },
	{ "", "login", NULL },
};

/* A few applications are found by another way than many. */
START_TEST(applications_are_found_however_many_there_are)
{
	char name[] = "more-0";

	for (size_t n = 0; n < 8; n++) {
		name[sizeof(name) - 2] = (char)('0' + n);
		ck_assert_ptr_null(service_find(t, name, sizeof(name) - 1, "any", 3));
		service_add(t, name, "*", &reports, 0);
		for (size_t i = 0; i <= n; i++) {
			name[sizeof(name) - 2] = (char)('0' + i);
			ck_assert_str_eq(service_find(t, name, sizeof(name) - 1, "any", 3)->
			    destination->name, "reports");
		}
		ck_assert_str_eq(service_find(t, "home", 4, "any", 3)->destination->name, "local");
		ck_assert_ptr_null(service_find(t, "unknown", 7, "any", 3));
	}
}
END_TEST

START_TEST(the_exact_type_then_the_longest_pattern_then_the_local_one)
{
	const struct route *r = service_find(t, finds[_i].application,
	    strlen(finds[_i].application), finds[_i].type, strlen(finds[_i].type));

	if (finds[_i].name == NULL) {
		ck_assert_ptr_null(r);
		return;
	}
	ck_assert_ptr_nonnull(r);
	ck_assert_str_eq(r->destination->name, finds[_i].name);
}
END_TEST

START_TEST(a_route_has_its_timeout)
{
	ck_assert_uint_eq(service_find(t, "jwt", 3, "login", 5)->timeout_ms, 5000);
	ck_assert_uint_eq(service_find(t, "jwt", 3, "other", 5)->timeout_ms, 0);
}
END_TEST

START_TEST(names_with_a_nul_are_other_names)
{
	ck_assert_ptr_null(service_find(t, "jwt\0", 4, "login", 5));
	ck_assert_str_eq(service_find(t, "jwt", 3, "login\0", 6)->destination->name, "local");
}
END_TEST

START_TEST(only_a_type_that_is_named_is_found_exactly)
{
	ck_assert_ptr_nonnull(service_find_exact(t, "jwt", 3, "login", 5));
	ck_assert_ptr_null(service_find_exact(t, "jwt", 3, "report.daily", 12));
	ck_assert_ptr_null(service_find_exact(t, "home", 4, "login", 5));
	ck_assert_ptr_null(service_find_exact(t, "none", 4, "login", 5));
}
END_TEST

START_TEST(the_order_of_writing_does_not_matter)
{
	struct service_table *other = service_table_new();

	service_add(other, "a", _i == 0 ? "r.*" : "r.s.*", _i == 0 ? &reports : &old, 0);
	service_add(other, "a", "*", &rest, 0);
	service_add(other, "a", _i == 0 ? "r.s.*" : "r.*", _i == 0 ? &old : &reports, 0);
	ck_assert_ptr_eq(service_find(other, "a", 1, "r.s.t", 5)->destination, &old);
	ck_assert_ptr_eq(service_find(other, "a", 1, "r.t", 3)->destination, &reports);
	ck_assert_ptr_eq(service_find(other, "a", 1, "t", 1)->destination, &rest);
	service_table_free(other);
}
END_TEST

START_TEST(a_second_equal_one_replaces)
{
	service_add(t, "jwt", "login", &old, 7);
	ck_assert_ptr_eq(service_find(t, "jwt", 3, "login", 5)->destination, &old);
	service_add(t, "jwt", "report.*", &old, 0);
	ck_assert_ptr_eq(service_find(t, "jwt", 3, "report.x", 8)->destination, &old);
	service_add_local(t, "home", &rest);
	ck_assert_ptr_eq(service_find(t, "home", 4, "x", 1)->destination, &rest);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("service");
	TCase *tc = tcase_create("service");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, the_exact_type_then_the_longest_pattern_then_the_local_one, 0,
	    ARRAY_LEN(finds));
	tcase_add_test(tc, applications_are_found_however_many_there_are);
	tcase_add_test(tc, a_route_has_its_timeout);
	tcase_add_test(tc, names_with_a_nul_are_other_names);
	tcase_add_test(tc, only_a_type_that_is_named_is_found_exactly);
	tcase_add_loop_test(tc, the_order_of_writing_does_not_matter, 0, 2);
	tcase_add_test(tc, a_second_equal_one_replaces);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
