/* SPDX-License-Identifier: ISC */
#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "unit.h"

START_TEST(an_empty_one_owns_nothing)
{
	struct buf b = { 0 };

	buf_add(&b, NULL, 0);
	ck_assert_ptr_null(b.data);
	buf_free(&b);
	ck_assert_ptr_null(b.data);
}
END_TEST

START_TEST(grows_with_what_is_added)
{
	struct buf b = { 0 };

	for (int i = 0; i < 100000; i++)
		buf_add_char(&b, (char)('a' + i % 26));
	ck_assert_uint_eq(b.len, 100000);
	ck_assert_uint_ge(b.cap, b.len);
	for (int i = 0; i < 100000; i++)	/* an assertion each would be 100,000 messages */
		if (b.data[i] != 'a' + i % 26)
			ck_abort_msg("byte %d is %d", i, b.data[i]);
	buf_free(&b);
}
END_TEST

START_TEST(what_was_reserved_counts_when_it_is_used)
{
	struct buf b = { 0 };

	memset(buf_reserve(&b, 1000), 'x', 1000);
	ck_assert_uint_eq(b.len, 0);
	buf_used(&b, 3);
	ck_assert_str_eq(buf_str(&b), "xxx");
	buf_free(&b);
}
END_TEST

START_TEST(drops_from_the_front)
{
	struct buf b = { 0 };

	buf_add_str(&b, "abcdef");
	buf_consume(&b, 0);
	buf_consume(&b, 2);
	ck_assert_str_eq(buf_str(&b), "cdef");
	buf_consume(&b, 4);
	ck_assert_uint_eq(b.len, 0);
	buf_add_str(&b, "gh");
	ck_assert_str_eq(buf_str(&b), "gh");
	buf_free(&b);
}
END_TEST

START_TEST(gives_back_what_is_above_the_kept_size)
{
	struct buf b = { 0 };

	buf_add_str(&b, "small");
	buf_reset(&b, 4096);
	ck_assert_uint_eq(b.len, 0);
	ck_assert_ptr_nonnull(b.data);
	buf_reserve(&b, 5000);
	buf_reset(&b, 4096);
	ck_assert_ptr_null(b.data);
	ck_assert_uint_eq(b.cap, 0);
}
END_TEST

START_TEST(a_taken_string_leaves_it_empty)
{
	struct buf b = { 0 };
	char *s;

	s = buf_take(&b);
	ck_assert_str_eq(s, "");
	free(s);
	buf_add_str(&b, "mine");
	s = buf_take(&b);
	ck_assert_str_eq(s, "mine");
	ck_assert_ptr_null(b.data);
	ck_assert_uint_eq(b.len, 0);
	free(s);
}
END_TEST

static const struct {
	uint64_t value;
	const char *text;
} numbers[] = {
	{ 0, "0" },
	{ 9, "9" },
	{ 10, "10" },
	{ 99, "99" },
	{ 100, "100" },
	{ 999, "999" },
	{ 1000, "1000" },
	{ 10099, "10099" },
	{ UINT64_C(9007199254740993), "9007199254740993" },
	{ UINT64_MAX, "18446744073709551615" },
};

START_TEST(writes_numbers_in_decimal)
{
	struct buf b = { 0 };

	buf_add_u64(&b, numbers[_i].value);
	ck_assert_str_eq(buf_str(&b), numbers[_i].text);
	buf_free(&b);
}
END_TEST

/* Around the places where the first allocation is full. */
START_TEST(formats_at_any_length)
{
	struct buf b = { 0 };
	char text[600];

	memset(text, 'y', (size_t)_i);
	text[_i] = '\0';
	buf_printf(&b, "%s-%d", text, 7);
	ck_assert_uint_eq(b.len, (size_t)_i + 2);
	ck_assert_mem_eq(b.data, text, (size_t)_i);
	ck_assert_mem_eq(b.data + _i, "-7", 2);
	buf_free(&b);
}
END_TEST

#define S(s) s, sizeof(s) - 1
#define BAD "\xef\xbf\xbd"	/* U+FFFD */

static const struct {
	const char *in;
	size_t len;
	const char *out;
} strings[] = {
	{ S(""), "\"\"" },
	{ S("plain /text"), "\"plain /text\"" },
	{ S("a\"b\\c"), "\"a\\\"b\\\\c\"" },
	{ S("\0\x01\n\x1f\x7f"), "\"\\u0000\\u0001\\u000a\\u001f\x7f\"" },
	{ S("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"),
	    "\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80\"" },
	{ S("\xff"), "\"" BAD "\"" },
	{ S("\x80z"), "\"" BAD "z\"" },
	{ S("\xc3"), "\"" BAD "\"" },			/* cut */
	{ S("\xe2\x82"), "\"" BAD BAD "\"" },
	{ S("\xc0\xaf"), "\"" BAD BAD "\"" },		/* overlong '/' */
	{ S("\xe0\x80\xaf"), "\"" BAD BAD BAD "\"" },
	{ S("\xed\xa0\x80"), "\"" BAD BAD BAD "\"" },	/* surrogate */
	{ S("\xf4\x90\x80\x80"), "\"" BAD BAD BAD BAD "\"" },	/* above U+10FFFF */
	{ S("\xf4\x8f\xbf\xbf"), "\"\xf4\x8f\xbf\xbf\"" },
	{ S("\xc3\"x"), "\"" BAD "\\\"x\"" },		/* a quote is never swallowed */
};

START_TEST(json_strings_are_escaped_and_always_utf8)
{
	struct buf b = { 0 };

	buf_add_json_string(&b, strings[_i].in, strings[_i].len);
	ck_assert_str_eq(buf_str(&b), strings[_i].out);
	buf_free(&b);
}
END_TEST

/* What the two ways of writing one make of it, the second into no more than its room. */
static void
assert_json_string(const char *s, size_t n, const char *want, size_t want_len)
{
	char *out = malloc(BUF_JSON_STRING_MAX(n));
	struct buf b = { 0 };

	buf_add_json_string(&b, s, n);
	ck_assert_uint_eq(b.len, want_len);
	ck_assert_mem_eq(b.data, want, want_len);
	ck_assert_uint_eq(buf_put_json_string(out, s, n), want_len);
	ck_assert_mem_eq(out, want, want_len);
	buf_free(&b);
	free(out);
}

/* Around the words in which it is looked at, and the parts in which it is copied. */
START_TEST(json_strings_are_escaped_wherever_it_has_to_be)
{
	char *s = malloc((size_t)_i), want[700] = "\"";

	memset(s, 'y', (size_t)_i);
	memset(want + 1, 'y', (size_t)_i);
	want[_i + 1] = '"';
	assert_json_string(s, (size_t)_i, want, (size_t)_i + 2);
	for (size_t at = 0; at < (size_t)_i; at++) {
		s[at] = '\x1f';
		memcpy(want + 1 + at, "\\u001f", 6);
		memset(want + 7 + at, 'y', (size_t)_i - at - 1);
		want[_i + 6] = '"';
		assert_json_string(s, (size_t)_i, want, (size_t)_i + 7);
		s[at] = 'y';
		memset(want + 1 + at, 'y', 6);
	}
	free(s);
}
END_TEST

START_TEST(json_strings_of_escapes_alone_have_room)
{
	char *s = malloc((size_t)_i), *want = malloc(BUF_JSON_STRING_MAX((size_t)_i));

	want[0] = '"';
	for (size_t i = 0; i < (size_t)_i; i++) {
		s[i] = '\x1f';
		memcpy(want + 1 + 6 * i, "\\u001f", 6);
	}
	want[6 * _i + 1] = '"';
	assert_json_string(s, (size_t)_i, want, BUF_JSON_STRING_MAX((size_t)_i));
	free(s);
	free(want);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("buf");
	TCase *tc = tcase_create("buf");

	tcase_add_test(tc, an_empty_one_owns_nothing);
	tcase_add_test(tc, grows_with_what_is_added);
	tcase_add_test(tc, what_was_reserved_counts_when_it_is_used);
	tcase_add_test(tc, drops_from_the_front);
	tcase_add_test(tc, gives_back_what_is_above_the_kept_size);
	tcase_add_test(tc, a_taken_string_leaves_it_empty);
	tcase_add_loop_test(tc, writes_numbers_in_decimal, 0, ARRAY_LEN(numbers));
	tcase_add_loop_test(tc, formats_at_any_length, 250, 260);
	tcase_add_loop_test(tc, formats_at_any_length, 508, 514);
	tcase_add_loop_test(tc, json_strings_are_escaped_and_always_utf8, 0, ARRAY_LEN(strings));
	tcase_add_loop_test(tc, json_strings_are_escaped_wherever_it_has_to_be, 1, 36);
	tcase_add_loop_test(tc, json_strings_are_escaped_wherever_it_has_to_be, 254, 266);
	tcase_add_loop_test(tc, json_strings_are_escaped_wherever_it_has_to_be, 510, 516);
	tcase_add_loop_test(tc, json_strings_of_escapes_alone_have_room, 1, 600);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN_STATELESS(make_suite)
