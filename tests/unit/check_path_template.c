/* SPDX-License-Identifier: ISC */
/*
 * path_template: what fits what, and what the variables are then.
 */
#include "codec/path_template.h"

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "unit.h"

/* args NULL: it does not fit; "!": it fits, but a variable cannot be decoded. */
static const struct {
	const char *template, *path, *args;
} cases[] = {
	{ "/api/info", "/api/info", "{}" },
	{ "/api/info", "/api/info/", "{}" },
	{ "/api/info/", "/api/info", "{}" },
	{ "/api/info", "/api/inf", NULL },
	{ "/api/info", "/api/information", NULL },
	{ "/api/info", "/API/info", NULL },
	{ "/api/info", "/api/info//", NULL },
	{ "/", "/", "{}" },
	{ "/", "/x", NULL },
	{ "/api/user/:id", "/api/user/5", "{\"id\":\"5\"}" },
	{ "/api/user/:id", "/api/user/5/", "{\"id\":\"5\"}" },
	{ "/api/user/:id", "/api/user/", NULL },
	{ "/api/user/:id", "/api/user", NULL },
	{ "/api/user/:id", "/api/user/5/6", NULL },
	{ "/api/user/:id", "/api/user/a%2Fb%20c", "{\"id\":\"a/b c\"}" },
	{ "/api/user/:id", "/api/user/%C3%BC\"", "{\"id\":\"\xc3\xbc\\\"\"}" },
	{ "/api/user/:id", "/api/user/+", "{\"id\":\"+\"}" },
	{ "/api/user/:id", "/api/user/%", "!" },
	{ "/api/user/:id", "/api/user/%4", "!" },
	{ "/api/user/:id", "/api/user/%zz", "!" },
	{ "/api/user/:id", "/api/user/%ff", "!" },
	{ "/:a/:b", "/x/y", "{\"a\":\"x\",\"b\":\"y\"}" },
	{ "/:a-:b", "/x-y-z", "{\"a\":\"x-y\",\"b\":\"z\"}" },
	{ "/:a.:b", "/x.", NULL },
	{ "/v:n/x", "/v12/x", "{\"n\":\"12\"}" },
	{ "/f/*rest", "/f/a/b/c", "{\"rest\":\"a/b/c\"}" },
	{ "/f/*rest", "/f/a/", "{\"rest\":\"a\"}" },
	{ "/f*rest", "/f", "{\"rest\":\"\"}" },
	{ "/f/*rest", "/f", NULL },
	{ "/*a/x/*b", "/1/x/2/x/3", "{\"a\":\"1\",\"b\":\"2/x/3\"}" },
	{ "/*a/:b", "/1/2/3", "{\"a\":\"1/2\",\"b\":\"3\"}" },
	{ "/r(/:year)", "/r", "{}" },
	{ "/r(/:year)", "/r/2026", "{\"year\":\"2026\"}" },
	{ "/r(/:year)", "/r/2026/1", NULL },
	{ "/r(/:year(/:month))", "/r/2026", "{\"year\":\"2026\"}" },
	{ "/r(/:year(/:month))", "/r/2026/1", "{\"year\":\"2026\",\"month\":\"1\"}" },
	{ "/r(/:a)(/:b)", "/r/x", "{\"a\":\"x\"}" },
	{ "/r(/a/:id)(/b/:id)", "/r/b/5", "{\"id\":\"5\"}" },
	{ "/r(/a/:id)(/b/:id)", "/r/a/5", "{\"id\":\"5\"}" },
	{ "/r(/a/:id)(/b/:id)", "/r/a/5/b/6", "{\"id\":\"6\"}" },
	{ "/r(.:kind)", "/r.json", "{\"kind\":\"json\"}" },
	{ "/:x(a)", "/baa", "{\"x\":\"baa\"}" },
	{ "/a.b+c", "/a.b+c", "{}" },
	{ "/a.b+c", "/aXbbc", NULL },
	{ "/x", "", NULL },
	{ "/:x", "/", NULL },
};

static char *
args_of(const char *template, const char *path)
{
	struct path_template *t;
	struct path_vars vars;
	struct buf b = { 0 };
	const char *fault;

	t = path_template_new(template, &fault);
	ck_assert_msg(t != NULL, "%s: %s", template, fault);
	ck_assert_str_eq(path_template_text(t), template);
	if (!path_template_match(t, path, strlen(path), &vars)) {
		path_template_free(t);
		return NULL;
	}
	if (!path_vars_add_json(&b, &vars)) {
		ck_assert_uint_eq(b.len, 0);
		buf_add_str(&b, "!");
	}
	path_template_free(t);
	return buf_take(&b);
}

START_TEST(a_template_fits_a_path_as_a_whole)
{
	char *args = args_of(cases[_i].template, cases[_i].path);

	if (cases[_i].args == NULL)
		ck_assert_msg(args == NULL, "%s fits %s", cases[_i].template, cases[_i].path);
	else
		ck_assert_pstr_eq(args, cases[_i].args);
	free(args);
}
END_TEST

static const char *const malformed[] = {
	"", "x", "api/:x", "/:", "/*", "/a:/b", "/a*", "/(", "/a(b", "/a)", "/a)(", "/()", "/a(())",
	"/a?b", "/a#b", "/a b", "/a\tb", "/((((((((((a))))))))))",
	"/:a/:b/:c/:d/:e/:f/:g/:h/:i/:j/:k/:l/:m/:n/:o/:p/:q",
};

START_TEST(what_is_no_template_is_refused_and_says_why)
{
	const char *fault = NULL;

	ck_assert_ptr_null(path_template_new(malformed[_i], &fault));
	ck_assert_ptr_nonnull(fault);
}
END_TEST

START_TEST(a_template_has_a_greatest_length)
{
	char text[PATH_TEMPLATE_MAX + 3];
	const char *fault;
	struct path_template *t;

	memset(text, 'a', sizeof(text));
	text[0] = '/';
	text[PATH_TEMPLATE_MAX] = '\0';
	t = path_template_new(text, &fault);
	ck_assert_ptr_nonnull(t);
	path_template_free(t);
	text[PATH_TEMPLATE_MAX] = 'a';
	text[PATH_TEMPLATE_MAX + 1] = '\0';
	ck_assert_ptr_null(path_template_new(text, &fault));
}
END_TEST

START_TEST(variables_are_found_by_name)
{
	struct path_template *t;
	struct path_vars vars;
	struct buf b = { 0 };
	const char *fault;

	t = path_template_new("/:a(/:b)(/c/:d)", &fault);
	ck_assert(path_template_has(t, "a") && path_template_has(t, "d"));
	ck_assert(!path_template_has(t, "c") && !path_template_has(t, ""));
	ck_assert(path_template_match(t, "/x%20y/c/%zz", 12, &vars));
	ck_assert(path_vars_get(&vars, "a", &b));
	ck_assert_str_eq(buf_str(&b), "x y");
	ck_assert(!path_vars_get(&vars, "d", &b));
	ck_assert(!path_vars_get(&vars, "none", &b));
	ck_assert_uint_eq(b.len, 3);
	buf_free(&b);
	path_template_free(t);
}
END_TEST

/* Where a regular expression would try for ever. */
START_TEST(no_path_is_expensive)
{
	enum { LEN = 16000 };
	const char *fault;
	struct path_template *t =
	    path_template_new("/*a:b*c:d*e:f*g:h*i:j*k:l*m:n/x(/*o)", &fault);
	char *path = malloc(LEN);
	struct path_vars vars;

	ck_assert_ptr_nonnull(path);
	memset(path, 'a', LEN);
	path[0] = '/';
	ck_assert(!path_template_match(t, path, LEN, &vars));
	memcpy(path + LEN - 2, "/x", 2);
	ck_assert(path_template_match(t, path, LEN, &vars));
	ck_assert_uint_eq(vars.var[0].len, 0);
	free(path);
	path_template_free(t);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("path_template");
	TCase *tc = tcase_create("core");

	tcase_add_loop_test(tc, a_template_fits_a_path_as_a_whole, 0, (int)ARRAY_LEN(cases));
	tcase_add_loop_test(tc, what_is_no_template_is_refused_and_says_why, 0,
	    (int)ARRAY_LEN(malformed));
	tcase_add_test(tc, a_template_has_a_greatest_length);
	tcase_add_test(tc, variables_are_found_by_name);
	tcase_add_test(tc, no_path_is_expensive);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN_STATELESS(suite)
