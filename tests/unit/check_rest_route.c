/* SPDX-License-Identifier: ISC */
/*
 * rest_route: which route, method and destination a request takes.
 */
#include "front/rest_route.h"

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "conf/conf.h"
#include "request/destination.h"
#include "unit.h"

/* Destinations are told apart by their names alone. */
static struct destination found[6];

static struct conf_target members_of_pair[2], members_of_all[2];
static struct conf_destination destinations[] = {
	{ .name = (char *)"one", .application = (char *)"a" },
	{ .name = (char *)"two", .application = (char *)"a" },
	{ .name = (char *)"pair", .members = members_of_pair, .n_members = 2 },
	{ .name = (char *)"all", .members = members_of_all, .n_members = 2, .timeout_ms = 700 },
	{ .name = (char *)"a@ws://x", .application = (char *)"a" },
};
static struct conf_application applications[] = {
	{ .name = (char *)"shop", .rest = (char *)"/our/shop" },
	{ .name = (char *)"desk", .rest = (char *)"/our" },
};
static struct conf_rest_route routes[] = {
	{ .path = (char *)"/api/user/:id", .method = (char *)"GET",
	    .target = { &destinations[0], NULL } },
	{ .path = (char *)"/api/user/:id", .method = (char *)"PUT",
	    .target = { &destinations[1], NULL } },
	{ .path = (char *)"/api/user/me", .target = { &destinations[2], NULL } },
	{ .path = (char *)"/api/any", .target = { &destinations[3], NULL } },
	{ .path = (char *)"/api/to/:destination" },
	{ .path = (char *)"/api/maybe(/:destination)", .target = { &destinations[0], NULL } },
	{ .path = (char *)"/api/head", .method = (char *)"HEAD",
	    .target = { &destinations[0], NULL } },
	{ .path = (char *)"/:first/wild", .target = { &destinations[0], NULL } },
	{ .path = (char *)"/our/route", .target = { &destinations[1], NULL } },
};
static struct conf conf = {
	.refs = 1,
	.destinations = destinations, .n_destinations = ARRAY_LEN(destinations),
	.applications = applications, .n_applications = ARRAY_LEN(applications),
	.rest_routes = routes, .n_rest_routes = ARRAY_LEN(routes),
};

static struct destination *
find(const struct conf_target *t, void *arg UNUSED)
{
	struct destination *d = t->destination != NULL ? &found[t->destination - destinations] :
	    &found[4 + (t->application - applications)];

	d->name = t->destination != NULL ? t->destination->name : t->application->name;
	return d;
}

static struct rest_table *
table_new(void)
{
	members_of_pair[0].destination = &destinations[1];
	members_of_pair[1].application = &applications[0];
	members_of_all[0].destination = &destinations[0];
	members_of_all[1].destination = &destinations[2];
	return rest_table_new(&conf, find, NULL);
}

static struct http_text
text(const char *s)
{
	return (struct http_text){ s, strlen(s) };
}

static const struct {
	const char *method, *path;
	enum rest_kind kind;
	const char *target;		/* names of its members; NULL: none */
} cases[] = {
	{ "GET", "/api/user/5", REST_ROUTE, "one" },
	{ "HEAD", "/api/user/5", REST_ROUTE, "one" },
	{ "PUT", "/api/user/5", REST_ROUTE, "two" },
	{ "get", "/api/user/5", REST_NO_METHOD, NULL },
	{ "POST", "/api/user/5", REST_NO_METHOD, NULL },
	{ "POST", "/api/user/me", REST_ROUTE, "two shop" },
	{ "GET", "/api/user/me", REST_ROUTE, "one" },
	{ "DELETE", "/api/any/", REST_ROUTE, "one two shop" },
	{ "PATCH", "/api/any", REST_ROUTE, "one two shop" },
	{ "TRACE", "/api/any", REST_NO_METHOD, NULL },
	{ "OPTIONS", "/api/any", REST_NO_METHOD, NULL },
	{ "GET", "/api/to/two", REST_ROUTE, "two" },
	{ "GET", "/api/to/t%77o", REST_ROUTE, "two" },
	{ "GET", "/api/to/pair", REST_ROUTE, "two shop" },
	{ "GET", "/api/to/desk", REST_ROUTE, NULL },
	{ "GET", "/api/to/shop", REST_ROUTE, NULL },
	{ "GET", "/api/to/none", REST_ROUTE, NULL },
	{ "GET", "/api/to/%zz", REST_ROUTE, NULL },
	{ "GET", "/api/to/a@ws:%2F%2Fx", REST_ROUTE, NULL },
	{ "GET", "/api/maybe", REST_ROUTE, "one" },
	{ "GET", "/api/maybe/two", REST_ROUTE, "two" },
	{ "GET", "/api/maybe/none", REST_ROUTE, NULL },
	{ "HEAD", "/api/head", REST_ROUTE, "one" },
	{ "GET", "/api/head", REST_NO_METHOD, NULL },
	{ "GET", "/any/wild", REST_ROUTE, "one" },
	{ "GET", "/api/nothing", REST_NOTHING, NULL },
	{ "GET", "/", REST_NOTHING, NULL },
	{ "POST", "/our/shop/order/17/x", REST_LOCAL, "shop" },
	{ "HEAD", "/our/shop/order", REST_LOCAL, "shop" },
	{ "TRACE", "/our/shop/order", REST_NO_METHOD, "shop" },
	{ "GET", "/our/shop", REST_LOCAL, "desk" },
	{ "GET", "/our/shopping", REST_LOCAL, "desk" },
	{ "GET", "/our/route", REST_ROUTE, "two" },
	{ "GET", "/our/", REST_NOTHING, NULL },
	{ "GET", "/our//x", REST_NOTHING, NULL },
	{ "GET", "/ours/x", REST_NOTHING, NULL },
};

static void
add_names(struct buf *b, const struct rest_target *t)
{
	for (size_t i = 0; i < t->n; i++)
		buf_printf(b, "%s%s", i > 0 ? " " : "", t->member[i]->name);
}

START_TEST(the_first_route_that_fits_counts)
{
	struct rest_table *t = table_new();
	struct buf names = { 0 };
	struct rest_match m;

	rest_table_find(t, text(cases[_i].method), text(cases[_i].path), &m);
	ck_assert_int_eq(m.kind, cases[_i].kind);
	if (cases[_i].target == NULL) {
		ck_assert_ptr_null(m.target);
	} else {
		ck_assert_ptr_nonnull(m.target);
		add_names(&names, m.target);
		ck_assert_str_eq(buf_str(&names), cases[_i].target);
	}
	buf_free(&names);
	rest_table_unref(t);
}
END_TEST

START_TEST(a_group_says_so_and_has_its_timeout)
{
	struct rest_table *t = table_new();
	struct rest_match m;

	rest_table_find(t, text("GET"), text("/api/any"), &m);
	ck_assert(m.target->is_group);
	ck_assert_uint_eq(m.target->timeout_ms, 700);
	rest_table_find(t, text("GET"), text("/api/to/one"), &m);
	ck_assert(!m.target->is_group);
	rest_table_unref(t);
}
END_TEST

START_TEST(what_is_behind_a_prefix_is_type_and_rest)
{
	struct rest_table *t = table_new();
	struct rest_match m;

	rest_table_find(t, text("GET"), text("/our/shop/order/17/x"), &m);
	ck_assert(http_text_is(m.type, "order") && http_text_is(m.rest, "17/x"));
	rest_table_find(t, text("GET"), text("/our/shop/order"), &m);
	ck_assert(http_text_is(m.type, "order") && m.rest.p == NULL);
	rest_table_find(t, text("GET"), text("/our/shop/order/"), &m);
	ck_assert(http_text_is(m.type, "order") && m.rest.p != NULL && m.rest.len == 0);
	rest_table_unref(t);
}
END_TEST

START_TEST(a_path_is_told_its_methods)
{
	struct rest_table *t = table_new();
	struct buf b = { 0 };

	rest_table_add_methods(t, text("/api/user/5"), &b);
	buf_add_char(&b, '|');
	ck_assert_str_eq(buf_str(&b), "GET, HEAD, PUT, OPTIONS|");
	rest_table_add_methods(t, text("/api/any"), &b);
	ck_assert_str_eq(buf_str(&b),
	    "GET, HEAD, PUT, OPTIONS|DELETE, GET, HEAD, PATCH, POST, PUT, OPTIONS");
	buf_free(&b);
	rest_table_unref(t);
}
END_TEST

static const struct {
	const char *path;
	bool begins;
} beginnings[] = {
	{ "/api", true }, { "/api/", true }, { "/api/nothing", true }, { "/apis", false },
	{ "/our", true }, { "/our/shop/x", true }, { "/ours", false }, { "/", false },
	{ "/any", false },
};

START_TEST(paths_below_the_first_segment_of_a_route_are_its_own)
{
	struct rest_table *t = table_new();

	ck_assert_int_eq(rest_table_begins(t, text(beginnings[_i].path)), beginnings[_i].begins);
	rest_table_unref(t);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("rest_route");
	TCase *tc = tcase_create("core");

	tcase_add_loop_test(tc, the_first_route_that_fits_counts, 0, (int)ARRAY_LEN(cases));
	tcase_add_test(tc, a_group_says_so_and_has_its_timeout);
	tcase_add_test(tc, what_is_behind_a_prefix_is_type_and_rest);
	tcase_add_test(tc, a_path_is_told_its_methods);
	tcase_add_loop_test(tc, paths_below_the_first_segment_of_a_route_are_its_own, 0,
	    (int)ARRAY_LEN(beginnings));
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN_STATELESS(suite)
