/* SPDX-License-Identifier: ISC */
/*
 * Files as answers: what the head of a request says about versions and ranges.
 */
#include "front/http_file.h"

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "front/http_date.h"
#include "unit.h"

#define SIZE  1000
#define MTIME 784111777		/* Sun, 06 Nov 1994 08:49:37 GMT */
#define TAG   "\"3e8-2ebc98a1.1c8-7b\""

static const struct stat file = { .st_size = SIZE, .st_ino = 123,
	.st_mtim = { .tv_sec = MTIME, .tv_nsec = 456 } };

static struct http_head head;

static void
request(const char *method, const char *fields)
{
	static char text[1000];

	snprintf(text, sizeof(text), "%s / HTTP/1.1\r\nHost: a\r\n%s\r\n", method, fields);
	ck_assert_int_eq(http_parse_request(&head, text, strlen(text)), 0);
}

START_TEST(the_tag_changes_with_the_file)
{
	char tag[HTTP_FILE_TAG_LEN + 1], other[HTTP_FILE_TAG_LEN + 1];
	struct stat changed[4] = { file, file, file, file };

	http_file_tag(&file, tag);
	ck_assert_str_eq(tag, TAG);
	changed[0].st_size++;
	changed[1].st_mtim.tv_sec++;
	changed[2].st_mtim.tv_nsec++;
	changed[3].st_ino++;
	for (size_t i = 0; i < ARRAY_LEN(changed); i++) {
		http_file_tag(&changed[i], other);
		ck_assert_str_ne(other, tag);
	}
	changed[0].st_size = INT64_MAX;
	changed[0].st_mtim.tv_sec = INT64_MIN;
	changed[0].st_mtim.tv_nsec = 999999999;
	changed[0].st_ino = UINT64_MAX;
	http_file_tag(&changed[0], tag);
	ck_assert_int_eq(tag[strlen(tag) - 1], '"');
}
END_TEST

static const struct {
	const char *fields;
	bool is_fresh;
} versions[] = {
	{ "", false },
	{ "If-None-Match: " TAG "\r\n", true },
	{ "If-None-Match: W/" TAG "\r\n", true },
	{ "If-None-Match: *\r\n", true },
	{ "If-None-Match: \"a\", W/\"b,c\" ,," TAG "\r\n", true },
	{ "If-None-Match: \"a\"\r\nIf-None-Match: " TAG "\r\n", true },
	{ "If-None-Match: \"a\"\r\n", false },
	{ "If-None-Match: \"\"\r\n", false },
	{ "If-None-Match:\r\n", false },
	{ "If-None-Match: \"a, " TAG "\r\n", false },
	{ "If-None-Match: a, " TAG "\r\n", false },
	{ "If-None-Match: W/\r\n", false },
	{ "If-None-Match: \"*\"\r\n", false },
	{ "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n", true },
	{ "If-Modified-Since: Mon, 07 Nov 1994 08:49:37 GMT\r\n", true },
	{ "If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n", false },
	{ "If-Modified-Since: Mon, 06 Nov 1994 08:49:37 GMT\r\n", false },
	{ "If-Modified-Since: Thu, 31 Feb 2030 00:00:00 GMT\r\n", false },
	{ "If-Modified-Since: Sun, 06 Nov 2094 08:49:37 CET\r\n", false },
	{ "If-Modified-Since: 2094-11-06\r\n", false },
	{ "If-Modified-Since: Sun Nov  6 08:49:37 2094\r\n", false },
	{ "If-Modified-Since:\r\n", false },
	/* Beside a tag the date does not count. */
	{ "If-None-Match: \"a\"\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n", false },
	{ "If-None-Match: " TAG "\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n", true },
};

START_TEST(a_version_that_the_client_has_is_known)
{
	request("GET", versions[_i].fields);
	ck_assert_msg(http_file_is_fresh(&head, &file) == versions[_i].is_fresh, "%s",
	    versions[_i].fields);
}
END_TEST

#define OF(range) "Range: " range "\r\n"

static const struct {
	const char *fields;
	enum http_file_part part;
	uint64_t at, len;
} ranges[] = {
	{ "", HTTP_FILE_WHOLE, 0, SIZE },
	{ OF("bytes=0-0"), HTTP_FILE_RANGE, 0, 1 },
	{ OF("BYTES=0-999"), HTTP_FILE_RANGE, 0, SIZE },
	{ OF("bytes=10-19"), HTTP_FILE_RANGE, 10, 10 },
	{ OF("bytes=990-5000"), HTTP_FILE_RANGE, 990, 10 },
	{ OF("bytes=990-1000"), HTTP_FILE_RANGE, 990, 10 },
	{ OF("bytes=999-"), HTTP_FILE_RANGE, 999, 1 },
	{ OF("bytes=0-"), HTTP_FILE_RANGE, 0, SIZE },
	{ OF("bytes=-1"), HTTP_FILE_RANGE, 999, 1 },
	{ OF("bytes=-1000"), HTTP_FILE_RANGE, 0, SIZE },
	{ OF("bytes=-5000"), HTTP_FILE_RANGE, 0, SIZE },
	{ OF("bytes=1-99999999999999999999999999999999999999"), HTTP_FILE_RANGE, 1, SIZE - 1 },
	{ OF("bytes=-99999999999999999999999999999999999999"), HTTP_FILE_RANGE, 0, SIZE },
	{ OF("bytes=1000-"), HTTP_FILE_BEYOND, 0, 0 },
	{ OF("bytes=1000-1001"), HTTP_FILE_BEYOND, 0, 0 },
	{ OF("bytes=99999999999999999999999999999999999999-"), HTTP_FILE_BEYOND, 0, 0 },
	{ OF("bytes=-0"), HTTP_FILE_BEYOND, 0, 0 },
	{ OF("bytes=5-4"), HTTP_FILE_WHOLE, 0, SIZE },
	{ OF("bytes=0-0,2-3"), HTTP_FILE_WHOLE, 0, SIZE },
	{ OF("bytes=0-0") OF("bytes=2-3"), HTTP_FILE_WHOLE, 0, SIZE },
	{ OF("bytes=-"), HTTP_FILE_WHOLE, 0, SIZE },
	{ OF("bytes="), HTTP_FILE_WHOLE, 0, SIZE },
	{ OF("bytes"), HTTP_FILE_WHOLE, 0, SIZE },
	{ OF("bytes=5"), HTTP_FILE_WHOLE, 0, SIZE },
	{ OF("bytes=--5"), HTTP_FILE_WHOLE, 0, SIZE },
	{ OF("bytes=0-0x10"), HTTP_FILE_WHOLE, 0, SIZE },
	{ OF("bytes= 0-1"), HTTP_FILE_WHOLE, 0, SIZE },
	{ OF("lines=0-1"), HTTP_FILE_WHOLE, 0, SIZE },
	{ OF(""), HTTP_FILE_WHOLE, 0, SIZE },
	/* If-Range: only of the same version, by a strong tag or its exact date. */
	{ OF("bytes=1-2") "If-Range: " TAG "\r\n", HTTP_FILE_RANGE, 1, 2 },
	{ OF("bytes=1-2") "If-Range: Sun, 06 Nov 1994 08:49:37 GMT\r\n", HTTP_FILE_RANGE, 1, 2 },
	{ OF("bytes=1-2") "If-Range: W/" TAG "\r\n", HTTP_FILE_WHOLE, 0, SIZE },
	{ OF("bytes=1-2") "If-Range: \"a\"\r\n", HTTP_FILE_WHOLE, 0, SIZE },
	{ OF("bytes=1-2") "If-Range: Mon, 07 Nov 1994 08:49:37 GMT\r\n", HTTP_FILE_WHOLE, 0, SIZE },
	{ OF("bytes=1-2") "If-Range:\r\n", HTTP_FILE_WHOLE, 0, SIZE },
	{ OF("bytes=5000-") "If-Range: \"a\"\r\n", HTTP_FILE_WHOLE, 0, SIZE },
};

START_TEST(a_range_is_in_the_file_or_refused_or_not_understood)
{
	uint64_t at, len;

	request("GET", ranges[_i].fields);
	ck_assert_msg(http_file_part(&head, &file, &at, &len) == ranges[_i].part, "%s",
	    ranges[_i].fields);
	if (ranges[_i].part != HTTP_FILE_BEYOND) {
		ck_assert_uint_eq(at, ranges[_i].at);
		ck_assert_uint_eq(len, ranges[_i].len);
	}
}
END_TEST

START_TEST(ranges_are_for_get_alone)
{
	uint64_t at, len;

	request("HEAD", OF("bytes=1-2"));
	ck_assert_int_eq(http_file_part(&head, &file, &at, &len), HTTP_FILE_WHOLE);
	ck_assert_uint_eq(len, SIZE);
}
END_TEST

START_TEST(an_empty_file_has_no_ranges)
{
	struct stat empty = { .st_size = 0 };
	uint64_t at, len;

	request("GET", OF("bytes=0-"));
	ck_assert_int_eq(http_file_part(&head, &empty, &at, &len), HTTP_FILE_BEYOND);
	request("GET", OF("bytes=-5"));
	ck_assert_int_eq(http_file_part(&head, &empty, &at, &len), HTTP_FILE_BEYOND);
	request("GET", "");
	ck_assert_int_eq(http_file_part(&head, &empty, &at, &len), HTTP_FILE_WHOLE);
	ck_assert_uint_eq(len, 0);
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
	{ "/www/x.HTML", "text/html; charset=utf-8" },
	{ "/www/x.html.gz", "application/octet-stream" },
	{ "/www/html", "application/octet-stream" },
	{ "js", "application/octet-stream" },
};

START_TEST(the_ending_tells_the_type)
{
	ck_assert_str_eq(http_file_type(types[_i].name), types[_i].type);
}
END_TEST

START_TEST(dates_are_written_and_read_in_one_form)
{
	static const time_t times[] = { 0, MTIME, 951782400, 4102444799, INT64_C(253402300799) };
	char text[HTTP_DATE_LEN + 1];
	time_t t;

	http_date_format(MTIME, text);
	ck_assert_str_eq(text, "Sun, 06 Nov 1994 08:49:37 GMT");
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		http_date_format(times[i], text);
		ck_assert_uint_eq(strlen(text), HTTP_DATE_LEN);
		ck_assert(http_date_parse((struct http_text){ text, HTTP_DATE_LEN }, &t));
		ck_assert_int_eq(t, times[i]);
	}
	/* Of files with dates beyond all calendars. */
	http_date_format(INT64_MAX, text);
	ck_assert_str_eq(text, "Thu, 01 Jan 1970 00:00:00 GMT");
	http_date_format(INT64_C(253402300800), text);
	ck_assert_str_eq(text, "Thu, 01 Jan 1970 00:00:00 GMT");
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("http_file");
	TCase *tc = tcase_create("http_file");

	tcase_add_test(tc, the_tag_changes_with_the_file);
	tcase_add_loop_test(tc, a_version_that_the_client_has_is_known, 0, ARRAY_LEN(versions));
	tcase_add_loop_test(tc, a_range_is_in_the_file_or_refused_or_not_understood, 0,
	    ARRAY_LEN(ranges));
	tcase_add_test(tc, ranges_are_for_get_alone);
	tcase_add_test(tc, an_empty_file_has_no_ranges);
	tcase_add_loop_test(tc, the_ending_tells_the_type, 0, ARRAY_LEN(types));
	tcase_add_test(tc, dates_are_written_and_read_in_one_form);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
