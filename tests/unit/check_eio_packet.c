/* SPDX-License-Identifier: ISC */
/*
 * Engine.IO packets: each type, and the open packet of both revisions.
 */
#include "codec/eio_packet.h"

#include <string.h>

#include "base/xmalloc.h"
#include "unit.h"

START_TEST(a_packet_is_a_digit_and_data)
{
	static const char *const texts[] = { "0{}", "1", "2probe", "3", "42[\"a\"]", "5", "6" };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct eio_packet p;

		ck_assert_int_eq(eio_packet_decode(&p, texts[i], strlen(texts[i])), 0);
		ck_assert_int_eq(p.type, (int)i);
		ck_assert_ptr_eq(p.data, texts[i] + 1);
		ck_assert_uint_eq(p.len, strlen(texts[i]) - 1);
	}
}
END_TEST

START_TEST(any_other_first_byte_is_refused)
{
	for (int c = 0; c < 256; c++) {
		char text[2] = { (char)c, '4' };
		struct eio_packet p;

		ck_assert_int_eq(eio_packet_decode(&p, text, 2),
		    c >= '0' && c <= '6' ? 0 : ERR_BAD_PACKET);
	}
}
END_TEST

START_TEST(an_empty_packet_is_refused)
{
	struct eio_packet p;

	ck_assert_int_eq(eio_packet_decode(&p, "", 0), ERR_BAD_PACKET);
	ck_assert_int_eq(eio_packet_decode(&p, NULL, 0), ERR_BAD_PACKET);
}
END_TEST

START_TEST(the_open_packet_has_the_keys_of_its_revision)
{
	static const struct eio_open open = { "lv_VI97HAXpY6yYWAAAC", 25000, 20000, false };
	static const struct eio_open polling = { "lv_VI97HAXpY6yYWAAAC", 700, 500, true };
	struct buf b = { 0 };

	eio_open_encode(&b, 3, &open, 1000000);
	ck_assert_str_eq(buf_str(&b), "0{\"sid\":\"lv_VI97HAXpY6yYWAAAC\",\"upgrades\":[],"
	    "\"pingInterval\":25000,\"pingTimeout\":20000}");
	b.len = 0;
	eio_open_encode(&b, 4, &open, 1000000);
	ck_assert_str_eq(buf_str(&b), "0{\"sid\":\"lv_VI97HAXpY6yYWAAAC\",\"upgrades\":[],"
	    "\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}");
	b.len = 0;
	eio_open_encode(&b, 3, &polling, 1000000);
	ck_assert_str_eq(buf_str(&b), "0{\"sid\":\"lv_VI97HAXpY6yYWAAAC\","
	    "\"upgrades\":[\"websocket\"],\"pingInterval\":700,\"pingTimeout\":500}");
	buf_free(&b);
}
END_TEST

START_TEST(an_open_packet_comes_back_as_it_was)
{
	struct eio_open open = { .ping_interval_ms = 1, .ping_timeout_ms = 9007199254740991 }, back;
	struct eio_packet p;
	struct buf b = { 0 };

	memset(open.sid, 'z', EIO_SID_MAX);
	eio_open_encode(&b, _i, &open, 5);
	ck_assert_int_eq(eio_packet_decode(&p, b.data, b.len), 0);
	ck_assert_int_eq(p.type, EIO_OPEN);
	ck_assert_int_eq(eio_open_decode(&back, p.data, p.len), 0);
	ck_assert_str_eq(back.sid, open.sid);
	ck_assert_uint_eq(back.ping_interval_ms, open.ping_interval_ms);
	ck_assert_uint_eq(back.ping_timeout_ms, open.ping_timeout_ms);
	buf_free(&b);
}
END_TEST

#define TIMES	"\"pingInterval\":700,\"pingTimeout\":500"
#define SID_64	"0123456789abcdef0123456789abcdef0123456789ABCDEF0123456789ABCD-_"

static const struct {
	const char *text;
	const char *sid;	/* NULL: refused */
} opens[] = {
	{ "{\"sid\":\"a\"," TIMES "}", "a" },
	{ "{\"sid\":\"a\",\"upgrades\":[\"webtransport\"],\"x\":{\"sid\":1}," TIMES "}", "a" },
	{ " { \"pingTimeout\" : 500 , \"sid\" : \"Az09_-\" , \"pingInterval\" : 700 } ", "Az09_-" },
	{ "{\"sid\":\"" SID_64 "\"," TIMES "}", SID_64 },
	{ "{\"s\\u0069d\":\"\\u0061b\"," TIMES "}", "ab" },
	{ "{\"sid\":\"" SID_64 "x\"," TIMES "}", NULL },
	{ "{\"sid\":\"\"," TIMES "}", NULL },
	{ "{\"sid\":\"a b\"," TIMES "}", NULL },
	{ "{\"sid\":\"a\\u0000\"," TIMES "}", NULL },
	{ "{\"sid\":\"\\n\"," TIMES "}", NULL },
	{ "{\"sid\":\"\xc3\xa9\"," TIMES "}", NULL },
	{ "{\"sid\":1," TIMES "}", NULL },
	{ "{\"sid\":null," TIMES "}", NULL },
	{ "{" TIMES "}", NULL },
	{ "{\"sid\":\"a\",\"pingInterval\":700}", NULL },
	{ "{\"sid\":\"a\",\"pingTimeout\":500}", NULL },
	{ "{\"sid\":\"a\",\"pingInterval\":0,\"pingTimeout\":500}", NULL },
	{ "{\"sid\":\"a\",\"pingInterval\":700,\"pingTimeout\":0}", NULL },
	{ "{\"sid\":\"a\",\"pingInterval\":-700,\"pingTimeout\":500}", NULL },
	{ "{\"sid\":\"a\",\"pingInterval\":\"700\",\"pingTimeout\":500}", NULL },
	{ "{\"sid\":\"a\",\"pingInterval\":9007199254740992,\"pingTimeout\":500}", NULL },
	{ "[{\"sid\":\"a\"," TIMES "}]", NULL },
	{ "\"sid\"", NULL },
	{ "null", NULL },
	{ "", NULL },
	{ "{\"sid\":\"a\"," TIMES "}x", NULL },
	{ "{\"sid\":\"a\"," TIMES "}{}", NULL },
};

START_TEST(an_open_packet_is_read_or_refused)
{
	size_t len = strlen(opens[_i].text);
	char *exact = xmalloc(len);
	struct eio_open open;
	enum err err;

	memcpy(exact, opens[_i].text, len);
	err = eio_open_decode(&open, exact, len);
	free(exact);
	ck_assert_int_eq(err, opens[_i].sid != NULL ? 0 : ERR_BAD_PACKET);
	if (err == 0) {
		ck_assert_str_eq(open.sid, opens[_i].sid);
		ck_assert_uint_eq(open.ping_interval_ms, 700);
		ck_assert_uint_eq(open.ping_timeout_ms, 500);
	}
}
END_TEST

START_TEST(an_open_packet_cut_short_is_refused)
{
	static const char text[] = "{\"sid\":\"a\"," TIMES "}";
	struct eio_open open;

	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		char *exact = xmalloc(len);

		memcpy(exact, text, len);
		ck_assert_int_eq(eio_open_decode(&open, exact, len), ERR_BAD_PACKET);
		free(exact);
	}
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("eio_packet");
	TCase *tc = tcase_create("eio_packet");

	tcase_add_test(tc, a_packet_is_a_digit_and_data);
	tcase_add_test(tc, any_other_first_byte_is_refused);
	tcase_add_test(tc, an_empty_packet_is_refused);
	tcase_add_test(tc, the_open_packet_has_the_keys_of_its_revision);
	tcase_add_loop_test(tc, an_open_packet_comes_back_as_it_was, 3, 5);
	tcase_add_loop_test(tc, an_open_packet_is_read_or_refused, 0, ARRAY_LEN(opens));
	tcase_add_test(tc, an_open_packet_cut_short_is_refused);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
