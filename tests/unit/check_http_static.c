/* SPDX-License-Identifier: ISC */
/*
 * Which paths may be served, and by which entry.  What is served then is tested from end to
 * end, in http.test.js.
 */
#include "front/http_static.h"

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/xmalloc.h"
#include "unit.h"

static struct conf_static statics[] = {
	{ .path = (char *)"/index.html", .file = (char *)"/f" },
	{ .path = (char *)"/.hidden", .file = (char *)"/h" },
	{ .path = (char *)"/", .root = (char *)"/www" },
	{ .path = (char *)"/docs", .root = (char *)"/docs" },
	{ .path = (char *)"/docs/api/", .root = (char *)"/api" },
};
static const struct conf conf = { .statics = statics, .n_statics = ARRAY_LEN(statics) };

static struct http_text
text(const char *s)
{
	return (struct http_text){ s, strlen(s) };
}

static const struct {
	const char *path, *decoded;	/* NULL: nothing may be served */
} paths[] = {
	{ "/", "/" },
	{ "/a", "/a" },
	{ "/a/", "/a/" },
	{ "/a/b.js", "/a/b.js" },
	{ "/%61%2Ejs", "/a.js" },
	{ "/a%20b", "/a b" },
	{ "/%C3%A4", "/\xc3\xa4" },
	{ "/a..b/c..", "/a..b/c.." },
	{ "/.well-known/x", "/.well-known/x" },
	{ "/%2e%77ell-known/", "/.well-known/" },
	{ "/%252e%252e/", "/%2e%2e/" },		/* decoded once */
	{ "/%c0%ae%c0%ae/", "/\xc0\xae\xc0\xae/" },	/* bytes, and no dots to anybody */
	{ "", NULL },
	{ "*", NULL },
	{ "a", NULL },
	{ "//", NULL },
	{ "//a", NULL },
	{ "/a//b", NULL },
	{ "/a//", NULL },
	{ "/.", NULL },
	{ "/..", NULL },
	{ "/../a", NULL },
	{ "/a/./b", NULL },
	{ "/a/../b", NULL },
	{ "/a/..", NULL },
	{ "/%2e%2e/a", NULL },
	{ "/.%2E/a", NULL },
	{ "/%2e", NULL },
	{ "/...", NULL },
	{ "/.git/config", NULL },
	{ "/a/.htaccess", NULL },
	{ "/.well-known.old", NULL },
	{ "/.well-knownx/", NULL },
	{ "/a%2fb", NULL },
	{ "/a%2F..%2fb", NULL },
	{ "/..%2f", NULL },
	{ "/%2f", NULL },
	{ "/%2fetc", NULL },
	{ "/a\\b", NULL },
	{ "/..%5c", NULL },
	{ "/%5chost", NULL },
	{ "/%00", NULL },
	{ "/a%00.html", NULL },
	{ "/a%0ab", NULL },
	{ "/%7f", NULL },
	{ "/%", NULL },
	{ "/%4", NULL },
	{ "/%zz", NULL },
};

START_TEST(a_path_is_decoded_once_or_refused)
{
	char out[HTTP_STATIC_PATH_MAX];
	bool is_good = http_static_path(text(paths[_i].path), out);

	ck_assert_msg(is_good == (paths[_i].decoded != NULL), "%s", paths[_i].path);
	if (is_good)
		ck_assert_str_eq(out, paths[_i].decoded);
}
END_TEST

START_TEST(a_path_that_is_too_long_is_refused)
{
	char path[HTTP_STATIC_PATH_MAX + 1], out[HTTP_STATIC_PATH_MAX];

	memset(path, 'a', sizeof(path));
	path[0] = '/';
	ck_assert(http_static_path((struct http_text){ path, HTTP_STATIC_PATH_MAX - 1 }, out));
	ck_assert_uint_eq(strlen(out), HTTP_STATIC_PATH_MAX - 1);
	ck_assert(!http_static_path((struct http_text){ path, HTTP_STATIC_PATH_MAX }, out));
}
END_TEST

START_TEST(a_file_is_found_by_its_path_alone)
{
	ck_assert_ptr_eq(http_static_find_file(&conf, "/index.html"), &statics[0]);
	ck_assert_ptr_eq(http_static_find_file(&conf, "/.hidden"), &statics[1]);
	ck_assert_ptr_null(http_static_find_file(&conf, "/index.htm"));
	ck_assert_ptr_null(http_static_find_file(&conf, "/index.html/"));
	ck_assert_ptr_null(http_static_find_file(&conf, "/Index.html"));
	ck_assert_ptr_null(http_static_find_file(&conf, "/"));
	ck_assert_ptr_null(http_static_find_file(&conf, "/docs"));
}
END_TEST

static const struct {
	const char *path, *root, *inside;
} folders[] = {
	{ "/", "/www", "" },
	{ "/a/b", "/www", "a/b" },
	{ "/index.html", "/www", "index.html" },
	{ "/docs", "/docs", "" },
	{ "/docs/", "/docs", "" },
	{ "/docs/a", "/docs", "a" },
	{ "/docsx", "/www", "docsx" },
	{ "/doc", "/www", "doc" },
	{ "/docs/apis", "/docs", "apis" },
	{ "/docs/api", "/api", "" },
	{ "/docs/api/", "/api", "" },
	{ "/docs/api/v1/", "/api", "v1/" },
};

START_TEST(the_folder_with_the_longest_path_counts)
{
	const char *inside;
	const struct conf_static *s = http_static_find_root(&conf, folders[_i].path, &inside);

	ck_assert_ptr_nonnull(s);
	ck_assert_str_eq(s->root, folders[_i].root);
	ck_assert_str_eq(inside, folders[_i].inside);
}
END_TEST

START_TEST(without_a_folder_nothing_is_found)
{
	struct conf files = { .statics = statics, .n_statics = 2 };
	struct conf docs = { .statics = statics + 3, .n_statics = 1 };
	const char *inside;

	ck_assert_ptr_null(http_static_find_root(&files, "/", &inside));
	ck_assert_ptr_null(http_static_find_root(&docs, "/", &inside));
	ck_assert_ptr_null(http_static_find_root(&docs, "/doc", &inside));
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("http_static");
	TCase *tc = tcase_create("http_static");

	tcase_add_loop_test(tc, a_path_is_decoded_once_or_refused, 0, ARRAY_LEN(paths));
	tcase_add_test(tc, a_path_that_is_too_long_is_refused);
	tcase_add_test(tc, a_file_is_found_by_its_path_alone);
	tcase_add_loop_test(tc, the_folder_with_the_longest_path_counts, 0, ARRAY_LEN(folders));
	tcase_add_test(tc, without_a_folder_nothing_is_found);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
