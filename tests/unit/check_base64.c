/* SPDX-License-Identifier: ISC */
/*
 * Base64: the vectors of RFC 4648, and that decoding takes one form only.
 */
#include "codec/base64.h"

#include <stdint.h>
#include <string.h>

#include "base/compiler.h"
#include "unit.h"

static const struct {
	const char *bytes, *standard, *url_safe;
} vectors[] = {
	{ "", "", "" },
	{ "f", "Zg==", "Zg" },
	{ "fo", "Zm8=", "Zm8" },
	{ "foo", "Zm9v", "Zm9v" },
	{ "foob", "Zm9vYg==", "Zm9vYg" },
	{ "fooba", "Zm9vYmE=", "Zm9vYmE" },
	{ "foobar", "Zm9vYmFy", "Zm9vYmFy" },
	{ "\xfb\xff\xbf", "+/+/", "-_-_" },
	{ "\xff\xef", "/+8=", "_-8" },
};

START_TEST(bytes_become_the_letters_of_the_rfc)
{
	struct buf b = { 0 };

	base64_encode(&b, vectors[_i].bytes, strlen(vectors[_i].bytes));
	ck_assert_str_eq(buf_str(&b), vectors[_i].standard);
	b.len = 0;
	base64url_encode(&b, vectors[_i].bytes, strlen(vectors[_i].bytes));
	ck_assert_str_eq(buf_str(&b), vectors[_i].url_safe);
	buf_free(&b);
}
END_TEST

START_TEST(letters_become_the_bytes_again)
{
	struct buf b = { 0 };

	ck_assert(base64url_decode(&b, vectors[_i].url_safe, strlen(vectors[_i].url_safe)));
	ck_assert_str_eq(buf_str(&b), vectors[_i].bytes);
	buf_free(&b);
}
END_TEST

START_TEST(encoding_and_decoding_append)
{
	struct buf b = { 0 };

	buf_add_str(&b, "<");
	base64_encode(&b, "a", 1);
	base64url_encode(&b, "b", 1);
	ck_assert(base64url_decode(&b, "Yw", 2));
	ck_assert_str_eq(buf_str(&b), "<YQ==Ygc");
	buf_free(&b);
}
END_TEST

START_TEST(every_length_and_byte_survives_the_round_trip)
{
	struct buf letters = { 0 }, back = { 0 };
	uint8_t bytes[256];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(255 - i);
	base64url_encode(&letters, bytes, (size_t)_i);
	ck_assert(base64url_decode(&back, letters.data, letters.len));
	ck_assert_mem_eq(back.data, bytes, (size_t)_i);
	ck_assert_uint_eq(back.len, (size_t)_i);
	buf_free(&letters);
	buf_free(&back);
}
END_TEST

static const char *const foreign[] = {
	"A",		/* six bits are no byte */
	"AAAAA",
	"Zg==",		/* padding */
	"Zm8=",
	"Zm9v\n",
	" Zm9v",
	"Zm 9v",
	"Zm9+",		/* the other alphabet */
	"Zm9/",
	"Zm9.",
	"Zh",		/* unused bits are not zero */
	"Zm9",
	"Z\xc3\xa9w",
	"____A",
};

START_TEST(what_is_not_the_one_encoding_is_refused)
{
	struct buf b = { 0 };

	buf_add_str(&b, "before");
	ck_assert(!base64url_decode(&b, foreign[_i], strlen(foreign[_i])));
	ck_assert_str_eq(buf_str(&b), "before");
	buf_free(&b);
}
END_TEST

START_TEST(a_nul_among_the_letters_is_refused)
{
	struct buf b = { 0 };

	ck_assert(!base64url_decode(&b, "AA\0A", 4));
	ck_assert_uint_eq(b.len, 0);
	buf_free(&b);
}
END_TEST

START_TEST(each_byte_is_a_letter_or_refused)
{
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

	for (int c = 0; c < 256; c++) {
		char text[4] = { 'A', 'A', 'A', (char)c };
		const char *at = c != 0 ? strchr(alphabet, c) : NULL;
		struct buf b = { 0 };

		ck_assert_int_eq(base64url_decode(&b, text, 4), at != NULL);
		if (at != NULL)
			ck_assert_int_eq(b.data[2], at - alphabet);
		buf_free(&b);
	}
}
END_TEST

/* A long text takes another way than a short one. */
START_TEST(a_long_text_is_that_of_its_pieces)
{
	struct buf whole = { 0 }, pieces = { 0 };
	uint8_t bytes[768];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + i / 256);
	base64_encode(&whole, bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i += 3)
		base64_encode(&pieces, bytes + i, 3);
	ck_assert_str_eq(buf_str(&whole), buf_str(&pieces));
	whole.len = pieces.len = 0;
	base64url_encode(&whole, bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i += 3)
		base64url_encode(&pieces, bytes + i, 3);
	ck_assert_str_eq(buf_str(&whole), buf_str(&pieces));
	buf_free(&whole);
	buf_free(&pieces);
}
END_TEST

START_TEST(what_is_no_letter_is_found_at_every_place_of_a_long_text)
{
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	char text[160];
	struct buf b = { 0 };

	for (int c = 1; c < 256; c++) {
		memset(text, 'A', sizeof(text));
		text[_i] = (char)c;
		ck_assert_int_eq(base64url_decode(&b, text, sizeof(text)), strchr(alphabet, c) != NULL);
		b.len = 0;
	}
	buf_free(&b);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("base64");
	TCase *tc = tcase_create("base64");

	tcase_add_loop_test(tc, bytes_become_the_letters_of_the_rfc, 0, ARRAY_LEN(vectors));
	tcase_add_loop_test(tc, letters_become_the_bytes_again, 0, ARRAY_LEN(vectors));
	tcase_add_test(tc, encoding_and_decoding_append);
	tcase_add_loop_test(tc, every_length_and_byte_survives_the_round_trip, 1, 257);
	tcase_add_loop_test(tc, what_is_not_the_one_encoding_is_refused, 0, ARRAY_LEN(foreign));
	tcase_add_test(tc, a_nul_among_the_letters_is_refused);
	tcase_add_test(tc, each_byte_is_a_letter_or_refused);
	tcase_add_test(tc, a_long_text_is_that_of_its_pieces);
	tcase_add_loop_test(tc, what_is_no_letter_is_found_at_every_place_of_a_long_text, 0, 160);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN_STATELESS(make_suite)
