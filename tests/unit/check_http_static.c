/* SPDX-License-Identifier: ISC */
#include "front/http_static.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xmalloc.h"
#include "unit.h"

static char directory[64], file[96];

static void
setup(void)
{
	snprintf(directory, sizeof(directory), "%s/check_http_static.XXXXXX",
	    getenv("TMPDIR") != NULL && strlen(getenv("TMPDIR")) < 30 ? getenv("TMPDIR") : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(file, sizeof(file), "%s/file", directory);
}

static void
teardown(void)
{
	unlink(file);
	rmdir(directory);
}

static void
write_file(const void *bytes, size_t len)
{
	FILE *f = fopen(file, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
	fclose(f);
}

static struct conf_static
entry(const char *path, const char *name)
{
	return (struct conf_static){ (char *)(uintptr_t)path, (char *)(uintptr_t)name };
}

static struct http_text
text(const char *s)
{
	return (struct http_text){ s, strlen(s) };
}

START_TEST(a_path_is_found_byte_for_byte)
{
	struct conf_static statics[] = { entry("/", "index.html"), entry("/a/b.js", "b.js") };
	struct conf conf = { .statics = statics, .n_statics = ARRAY_LEN(statics) };

	ck_assert_ptr_eq(http_static_find(&conf, text("/")), &statics[0]);
	ck_assert_ptr_eq(http_static_find(&conf, text("/a/b.js")), &statics[1]);
	ck_assert_ptr_null(http_static_find(&conf, text("")));
	ck_assert_ptr_null(http_static_find(&conf, text("/a/b.j")));
	ck_assert_ptr_null(http_static_find(&conf, text("/a/b.js/")));
	ck_assert_ptr_null(http_static_find(&conf, text("/A/b.js")));
	ck_assert_ptr_null(http_static_find(&conf, text("/a/../a/b.js")));
	ck_assert_ptr_null(http_static_find(&conf, text("/a/%62.js")));
}
END_TEST

START_TEST(a_file_is_read_behind_what_is_there)
{
	struct conf_static s = entry("/", file);
	struct buf b = { 0 };
	char *bytes = xmalloc(300000);

	memset(bytes, 'q', 300000);
	write_file(bytes, 300000);
	buf_add_str(&b, "head");
	ck_assert(http_static_read(&s, &b));
	ck_assert_uint_eq(b.len, 300004);
	ck_assert_mem_eq(b.data, "headq", 5);
	free(bytes);
	buf_free(&b);
}
END_TEST

START_TEST(an_empty_file_is_a_file)
{
	struct conf_static s = entry("/", file);
	struct buf b = { 0 };

	write_file("", 0);
	ck_assert(http_static_read(&s, &b));
	ck_assert_uint_eq(b.len, 0);
	buf_free(&b);
}
END_TEST

START_TEST(what_is_missing_says_so)
{
	struct conf_static s = entry("/", file);
	struct buf b = { 0 };

	errno = 0;
	ck_assert(!http_static_read(&s, &b));
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

/* A pipe without a writer would hold the whole daemon. */
START_TEST(only_files_are_read)
{
	struct conf_static s = entry("/", _i == 0 ? directory : file);
	struct buf b = { 0 };

	if (_i == 1)
		ck_assert_int_eq(mkfifo(file, 0600), 0);
	errno = 0;
	ck_assert(!http_static_read(&s, &b));
	ck_assert_int_ne(errno, 0);
	buf_free(&b);
}
END_TEST

/* A sparse file takes no room on the disk. */
START_TEST(a_file_above_the_limit_is_not_read)
{
	struct conf_static s = entry("/", file);
	struct buf b = { 0 };

	write_file("x", 1);
	ck_assert_int_eq(truncate(file, (64 << 20) + 1), 0);
	ck_assert(!http_static_read(&s, &b));
	ck_assert_int_eq(errno, EFBIG);
	ck_assert_uint_eq(b.len, 0);
	buf_free(&b);
}
END_TEST

static const struct {
	const char *name, *type;
} types[] = {
	{ "/www/index.html", "text/html; charset=utf-8" },
	{ "/www/socket.io.js", "text/javascript; charset=utf-8" },
	{ "/www/x.css", "text/css; charset=utf-8" },
	{ "/www/x.json", "application/json" },
	{ "/www/x.png", "image/png" },
	{ "/www/x.svg", "image/svg+xml" },
	{ "/www/x.HTML", "application/octet-stream" },
	{ "/www/html", "application/octet-stream" },
	{ "js", "application/octet-stream" },
};

START_TEST(the_ending_tells_the_type)
{
	struct conf_static s = entry("/", types[_i].name);

	ck_assert_str_eq(http_static_type(&s), types[_i].type);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("http_static");
	TCase *tc = tcase_create("http_static");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_path_is_found_byte_for_byte);
	tcase_add_test(tc, a_file_is_read_behind_what_is_there);
	tcase_add_test(tc, an_empty_file_is_a_file);
	tcase_add_test(tc, what_is_missing_says_so);
	tcase_add_loop_test(tc, only_files_are_read, 0, 2);
	tcase_add_test(tc, a_file_above_the_limit_is_not_read);
	tcase_add_loop_test(tc, the_ending_tells_the_type, 0, ARRAY_LEN(types));
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
