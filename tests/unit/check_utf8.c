/* SPDX-License-Identifier: ISC */
/*
 * UTF-8 validation: whole, in pieces, and where exactly it fails.
 */
#include "codec/utf8.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "unit.h"

enum verdict { VALID, CUT_SHORT, BAD };

static const struct {
	const char *text;
	enum verdict verdict;
	size_t bad_at;		/* BAD: the first byte that cannot be right */
} cases[] = {
	{ "", VALID, 0 },
	{ "a", VALID, 0 },
	{ "plain ASCII, longer than eight bytes", VALID, 0 },
	{ "\x7f", VALID, 0 },
	{ "\xc2\x80", VALID, 0 },
	{ "\xdf\xbf", VALID, 0 },
	{ "\xe0\xa0\x80", VALID, 0 },
	{ "\xed\x9f\xbf", VALID, 0 },
	{ "\xee\x80\x80", VALID, 0 },
	{ "\xef\xbf\xbf", VALID, 0 },
	{ "\xf0\x90\x80\x80", VALID, 0 },
	{ "\xf4\x8f\xbf\xbf", VALID, 0 },
	{ "1234567\xe2\x82\xac" "12345678\xf0\x9f\x98\x80", VALID, 0 },
	{ "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", VALID, 0 },
	{ "\xc3", CUT_SHORT, 0 },
	{ "ab\xe2\x82", CUT_SHORT, 0 },
	{ "\xf0\x9f\x98", CUT_SHORT, 0 },
	{ "\x80", BAD, 0 },
	{ "12345678\xbf", BAD, 8 },
	{ "\xc0\xaf", BAD, 0 },
	{ "\xc1\xbf", BAD, 0 },
	{ "\xe0\x80\xaf", BAD, 1 },
	{ "\xe0\x9f\xbf", BAD, 1 },
	{ "\xf0\x80\x80\xaf", BAD, 1 },
	{ "\xf0\x8f\xbf\xbf", BAD, 1 },
	{ "\xed\xa0\x80", BAD, 1 },
	{ "\xed\xbf\xbf", BAD, 1 },
	{ "\xf4\x90\x80\x80", BAD, 1 },
	{ "\xf5\x80\x80\x80", BAD, 0 },
	{ "\xf8\x88\x80\x80\x80", BAD, 0 },
	{ "\xfe", BAD, 0 },
	{ "\xff", BAD, 0 },
	{ "\xc3" "a", BAD, 1 },
	{ "\xe2\x82" "a", BAD, 2 },
	{ "\xe2\xe2\x82", BAD, 1 },
	{ "\xf0\x9f\x98" "aaaaaaaa", BAD, 3 },
	{ "abc\xc3\xa9\xc3\xc3", BAD, 6 },
};

/* The verdict over a text fed as two pieces. */
static enum verdict
judge_cut(const char *text, size_t len, size_t cut)
{
	struct utf8_state u = { 0 };

	if (!utf8_feed(&u, text, cut) || !utf8_feed(&u, text + cut, len - cut))
		return BAD;
	return utf8_is_complete(&u) ? VALID : CUT_SHORT;
}

START_TEST(a_text_is_judged_alike_whole_and_cut_anywhere)
{
	size_t len = strlen(cases[_i].text);

	ck_assert_int_eq(utf8_is_valid(cases[_i].text, len), cases[_i].verdict == VALID);
	for (size_t cut = 0; cut <= len; cut++)
		ck_assert_int_eq(judge_cut(cases[_i].text, len, cut), cases[_i].verdict);
}
END_TEST

START_TEST(a_text_fails_at_the_first_byte_that_cannot_be_right)
{
	struct utf8_state u = { 0 };
	size_t len = strlen(cases[_i].text);

	for (size_t i = 0; i < len; i++) {
		bool is_bad = cases[_i].verdict == BAD && i == cases[_i].bad_at;

		ck_assert_int_eq(utf8_feed(&u, cases[_i].text + i, 1), !is_bad);
		if (is_bad)
			return;
	}
	ck_assert_int_ne(cases[_i].verdict, BAD);
}
END_TEST

static size_t
encode(uint32_t c, uint8_t out[4])
{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const uint8_t lead[] = { 0, 0x00, 0xc0, 0xe0, 0xf0 };

	for (size_t i = n - 1; i > 0; i--) {
		out[i] = (uint8_t)(0x80 | (c & 0x3f));
		c >>= 6;
	}
	out[0] = (uint8_t)(lead[n] | c);
	return n;
}

START_TEST(every_code_point_but_surrogates_is_valid)
{
	uint8_t text[4];
	unsigned n_wrong = 0;

	for (uint32_t c = 0; c < 0x120000; c++) {
		bool expected = c < 0xd800 || (c > 0xdfff && c <= 0x10ffff);

		n_wrong += utf8_is_valid(text, encode(c, text)) != expected;
	}
	ck_assert_uint_eq(n_wrong, 0);
}
END_TEST

START_TEST(a_nul_is_a_character_like_others)
{
	ck_assert(utf8_is_valid("a\0b", 3));
	ck_assert(!utf8_is_valid("\xc3\0", 2));
}
END_TEST

START_TEST(a_bad_byte_is_found_at_every_place)
{
	char text[40];

	for (size_t start = 0; start < 9; start++) {
		memset(text, 'x', sizeof(text));
		text[_i] = '\xff';
		ck_assert_int_eq(utf8_is_valid(text + start, sizeof(text) - start),
		    (size_t)_i < start);
	}
}
END_TEST

/* Where the vectors end, and with bytes behind it or none. */
START_TEST(a_text_is_judged_alike_at_every_place)
{
	size_t len = strlen(cases[_i].text);
	char text[320];

	for (size_t before = 0; before <= 140; before++) {
		for (size_t behind = 0; behind <= 140; behind += 1 + behind / 36 * 31) {
			bool expected = cases[_i].verdict == VALID;
			char *copy = malloc(before + len + behind + 1);

			memset(text, 'x', sizeof(text));
			memcpy(text + before, cases[_i].text, len);
			memcpy(copy, text, before + len + behind);
			ck_assert_int_eq(utf8_is_valid(copy, before + len + behind), expected);
			free(copy);
		}
	}
}
END_TEST

START_TEST(a_run_ends_at_ascii_and_at_what_is_no_character)
{
	static const char run[] = "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xd0\x94";
	static const size_t end[] = { 0, 0, 2, 2, 2, 5, 5, 5, 5, 9, 9, 11 };
	char text[32];

	for (size_t len = 0; len < sizeof(run); len++) {
		memcpy(text, run, len);
		ck_assert_uint_eq(utf8_run(text, len), end[len]);
		memset(text + len, 'a', sizeof(text) - len);
		ck_assert_uint_eq(utf8_run(text, sizeof(text)), end[len]);
		memset(text + len, '\x80', sizeof(text) - len);
		if (end[len] == len)
			ck_assert_uint_eq(utf8_run(text, sizeof(text)), len);
	}
}
END_TEST

START_TEST(no_bytes_at_all_are_valid)
{
	ck_assert(utf8_is_valid(NULL, 0));
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("utf8");
	TCase *tc = tcase_create("utf8");

	tcase_add_loop_test(tc, a_text_is_judged_alike_whole_and_cut_anywhere, 0,
	    ARRAY_LEN(cases));
	tcase_add_loop_test(tc, a_text_fails_at_the_first_byte_that_cannot_be_right, 0,
	    ARRAY_LEN(cases));
	tcase_add_test(tc, every_code_point_but_surrogates_is_valid);
	tcase_add_test(tc, a_nul_is_a_character_like_others);
	tcase_add_loop_test(tc, a_bad_byte_is_found_at_every_place, 0, 40);
	tcase_add_loop_test(tc, a_text_is_judged_alike_at_every_place, 0, ARRAY_LEN(cases));
	tcase_add_test(tc, a_run_ends_at_ascii_and_at_what_is_no_character);
	tcase_add_test(tc, no_bytes_at_all_are_valid);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN_STATELESS(make_suite)
