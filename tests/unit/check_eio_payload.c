/* SPDX-License-Identifier: ISC */
/*
 * Engine.IO payloads of both revisions: packets in and out, and everything that is none.
 */
#include "codec/eio_payload.h"

#include <string.h>

#include "base/compiler.h"
#include "base/xmalloc.h"
#include "unit.h"

#define PACKETS_MAX 4
#define RS "\x1e"

/* Bytes that may hold a NUL. */
#define BYTES(literal) literal, sizeof(literal) - 1

/* The packets of a payload, and how reading it ended. */
static const struct {
	enum eio_form form;
	const char *data;
	size_t len;
	const char *packets[PACKETS_MAX];
	enum err err;
} payloads[] = {
	/* Revision 3, text: lengths are UTF-16 code units. */
	{ EIO_TEXT_3, BYTES("6:4hello"), { "4hello" }, 0 },
	{ EIO_TEXT_3, BYTES("6:4hello1:2"), { "4hello", "2" }, 0 },
	{ EIO_TEXT_3, BYTES("4:4\xc3\xa9\xe9\x8d\xb5" "a"), { "4\xc3\xa9\xe9\x8d\xb5" "a" }, 0 },
	{ EIO_TEXT_3, BYTES("5:4\xc3\xa9\xe9\x8d\xb5\xf0\x9f\x98\x80" "1:2"),
	    { "4\xc3\xa9\xe9\x8d\xb5\xf0\x9f\x98\x80", "2" }, 0 },
	{ EIO_TEXT_3, BYTES("20:42/chat,[\"hi\",\"\xe2\x82\xac\xf0\x9f\x98\x80\"]"),
	    { "42/chat,[\"hi\",\"\xe2\x82\xac\xf0\x9f\x98\x80\"]" }, 0 },
	{ EIO_TEXT_3, BYTES("3:4:a2:4:1:3"), { "4:a", "4:", "3" }, 0 },
	{ EIO_TEXT_3, BYTES("0:1:2"), { "2" }, 0 },
	{ EIO_TEXT_3, BYTES("1:20:0:1:3"), { "2", "3" }, 0 },
	{ EIO_TEXT_3, BYTES("0:"), { NULL }, 0 },
	{ EIO_TEXT_3, BYTES("0000000001:2"), { "2" }, 0 },
	{ EIO_TEXT_3, BYTES("2:4\x00"), { "4" }, 0 },
	{ EIO_TEXT_3, BYTES("00000000001:2"), { NULL }, ERR_BAD_PACKET },
	{ EIO_TEXT_3, BYTES(""), { NULL }, ERR_BAD_PACKET },
	{ EIO_TEXT_3, BYTES("2"), { NULL }, ERR_BAD_PACKET },
	{ EIO_TEXT_3, BYTES(":2"), { NULL }, ERR_BAD_PACKET },
	{ EIO_TEXT_3, BYTES("1"), { NULL }, ERR_BAD_PACKET },
	{ EIO_TEXT_3, BYTES("1:"), { NULL }, ERR_BAD_PACKET },
	{ EIO_TEXT_3, BYTES("-1:2"), { NULL }, ERR_BAD_PACKET },
	{ EIO_TEXT_3, BYTES("+1:2"), { NULL }, ERR_BAD_PACKET },
	{ EIO_TEXT_3, BYTES(" 1:2"), { NULL }, ERR_BAD_PACKET },
	{ EIO_TEXT_3, BYTES("1 :2"), { NULL }, ERR_BAD_PACKET },
	{ EIO_TEXT_3, BYTES("0x1:2"), { NULL }, ERR_BAD_PACKET },
	{ EIO_TEXT_3, BYTES("1e0:2"), { NULL }, ERR_BAD_PACKET },
	{ EIO_TEXT_3, BYTES("1.0:2"), { NULL }, ERR_BAD_PACKET },
	{ EIO_TEXT_3, BYTES("\x01\xff" "2"), { NULL }, ERR_BAD_PACKET },
	{ EIO_TEXT_3, BYTES("7:4hello"), { NULL }, ERR_BAD_PACKET },
	{ EIO_TEXT_3, BYTES("9999999999:4"), { NULL }, ERR_BAD_PACKET },
	{ EIO_TEXT_3, BYTES("18446744073709551617:2"), { NULL }, ERR_BAD_PACKET },
	{ EIO_TEXT_3, BYTES("1:2x"), { "2" }, ERR_BAD_PACKET },
	{ EIO_TEXT_3, BYTES("1:21"), { "2" }, ERR_BAD_PACKET },
	{ EIO_TEXT_3, BYTES("1:2\n"), { "2" }, ERR_BAD_PACKET },
	{ EIO_TEXT_3, BYTES("2:4\xf0\x9f\x98\x80" "1:2"), { NULL }, ERR_BAD_PACKET },
	{ EIO_TEXT_3, BYTES("3:4\xc3\xa9"), { NULL }, ERR_BAD_PACKET },
	{ EIO_TEXT_3, BYTES("1:2" "2:4\xc3"), { "2" }, ERR_BAD_UTF8 },
	{ EIO_TEXT_3, BYTES("2:4\xff"), { NULL }, ERR_BAD_PACKET },
	{ EIO_TEXT_3, BYTES("2:4\xc0\xaf"), { NULL }, ERR_BAD_UTF8 },
	{ EIO_TEXT_3, BYTES("2:4\xed\xa0\x80"), { NULL }, ERR_BAD_UTF8 },
	{ EIO_TEXT_3, BYTES("10:b4AQIDBA=="), { NULL }, ERR_BINARY },
	{ EIO_TEXT_3, BYTES("1:2" "10:b4AQIDBA=="), { "2" }, ERR_BINARY },

	/* Revision 3, binary form: lengths are bytes. */
	{ EIO_BINARY_3, BYTES("\x00\x01\xff" "2"), { "2" }, 0 },
	{ EIO_BINARY_3, BYTES("\x00\x01\x00\xff" "4\xe2\x82\xac\xf0\x9f\x98\x80" "ab"
	    "\x00\x01\xff" "2"), { "4\xe2\x82\xac\xf0\x9f\x98\x80" "ab", "2" }, 0 },
	{ EIO_BINARY_3, BYTES("\x00\x00\x01\xff" "2"), { "2" }, 0 },
	{ EIO_BINARY_3, BYTES(""), { NULL }, ERR_BAD_PACKET },
	{ EIO_BINARY_3, BYTES("\x02\x01\xff" "2"), { NULL }, ERR_BAD_PACKET },
	{ EIO_BINARY_3, BYTES("1:2"), { NULL }, ERR_BAD_PACKET },
	{ EIO_BINARY_3, BYTES("\x00\xff"), { NULL }, ERR_BAD_PACKET },
	{ EIO_BINARY_3, BYTES("\x00\x00\xff"), { NULL }, ERR_BAD_PACKET },
	{ EIO_BINARY_3, BYTES("\x00"), { NULL }, ERR_BAD_PACKET },
	{ EIO_BINARY_3, BYTES("\x00\x01"), { NULL }, ERR_BAD_PACKET },
	{ EIO_BINARY_3, BYTES("\x00\x01\xff"), { NULL }, ERR_BAD_PACKET },
	{ EIO_BINARY_3, BYTES("\x00\x02\xff" "2"), { NULL }, ERR_BAD_PACKET },
	{ EIO_BINARY_3, BYTES("\x00\x0a\xff" "2345678901"), { NULL }, ERR_BAD_PACKET },
	{ EIO_BINARY_3, BYTES("\x00" "1\xff" "2"), { NULL }, ERR_BAD_PACKET },
	{ EIO_BINARY_3, BYTES("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\xff" "2"), { "2" }, 0 },
	{ EIO_BINARY_3, BYTES("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\xff" "2"), { NULL },
	    ERR_BAD_PACKET },
	{ EIO_BINARY_3, BYTES("\x00\x01\xff" "2x"), { "2" }, ERR_BAD_PACKET },
	{ EIO_BINARY_3, BYTES("\x00\x02\xff" "4\xff"), { NULL }, ERR_BAD_UTF8 },
	{ EIO_BINARY_3, BYTES("\x00\x01\xff" "2" "\x01\x04\xff\x04\x01\x02\x03"), { "2" },
	    ERR_BINARY },
	{ EIO_BINARY_3, BYTES("\x01\x05\xff\x04\x01\x02\x03"), { NULL }, ERR_BAD_PACKET },
	{ EIO_BINARY_3, BYTES("\x00\x06\xff" "b4AQID"), { NULL }, ERR_BINARY },

	/* Revision 4: separators between packets, and nowhere else. */
	{ EIO_TEXT_4, BYTES("2"), { "2" }, 0 },
	{ EIO_TEXT_4, BYTES("42[\"a\"]" RS "42[\"b\"]" RS "3"),
	    { "42[\"a\"]", "42[\"b\"]", "3" }, 0 },
	{ EIO_TEXT_4, BYTES("4\xc3\xa9\xe9\x8d\xb5\xf0\x9f\x98\x80" RS "2"),
	    { "4\xc3\xa9\xe9\x8d\xb5\xf0\x9f\x98\x80", "2" }, 0 },
	{ EIO_TEXT_4, BYTES("1:2"), { "1:2" }, 0 },
	{ EIO_TEXT_4, BYTES(""), { NULL }, ERR_BAD_PACKET },
	{ EIO_TEXT_4, BYTES(RS), { NULL }, ERR_BAD_PACKET },
	{ EIO_TEXT_4, BYTES(RS "2"), { NULL }, ERR_BAD_PACKET },
	{ EIO_TEXT_4, BYTES("2" RS), { "2" }, ERR_BAD_PACKET },
	{ EIO_TEXT_4, BYTES("2" RS RS "3"), { "2" }, ERR_BAD_PACKET },
	{ EIO_TEXT_4, BYTES("2" RS "4\xff"), { "2" }, ERR_BAD_UTF8 },
	{ EIO_TEXT_4, BYTES("4\xc3" RS "\xa9"), { NULL }, ERR_BAD_UTF8 },
	{ EIO_TEXT_4, BYTES("bAQIDBA=="), { NULL }, ERR_BINARY },
	{ EIO_TEXT_4, BYTES("2" RS "bAQIDBA==" RS "3"), { "2" }, ERR_BINARY },
};

START_TEST(a_payload_is_read_packet_by_packet_up_to_its_fault)
{
	/* Memory of just this size, so that a step too far is seen. */
	char *exact = xmemdup(payloads[_i].data, payloads[_i].len);
	const char *packet;
	struct eio_payload pl;
	size_t n = 0, len;

	eio_payload_init(&pl, payloads[_i].form, exact, payloads[_i].len);
	while (eio_payload_next(&pl, &packet, &len)) {
		const char *expected = payloads[_i].packets[n++];

		ck_assert_uint_le(n, PACKETS_MAX);
		ck_assert_ptr_nonnull(expected);
		ck_assert_uint_ge(len, strlen(expected));
		ck_assert_mem_eq(packet, expected, len);
	}
	ck_assert(n == PACKETS_MAX || payloads[_i].packets[n] == NULL);
	ck_assert_int_eq(pl.err, payloads[_i].err);
	ck_assert_int_eq(pl.fault != NULL, pl.err != 0);
	ck_assert(!eio_payload_next(&pl, &packet, &len));	/* the end stays the end */
	free(exact);
}
END_TEST

START_TEST(nothing_at_all_is_no_payload)
{
	const char *packet;
	struct eio_payload pl;
	size_t len;

	eio_payload_init(&pl, (enum eio_form)_i, NULL, 0);
	ck_assert(!eio_payload_next(&pl, &packet, &len));
	ck_assert_int_eq(pl.err, ERR_BAD_PACKET);
}
END_TEST

static const char *const texts[] = {
	"4\xc3\xa9\xe9\x8d\xb5\xf0\x9f\x98\x80", "2", "40", "1:2", "4abcdefghij",
	"42[\"ewdjs\",{\"a\":\"\xe2\x82\xac\xf0\x9f\x98\x80\xf0\x9f\x98\x80\"}]"
};

START_TEST(what_is_written_is_read_as_it_was)
{
	struct buf b = { 0 };
	struct eio_payload pl;
	const char *packet;
	size_t len;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		eio_payload_add(&b, _i, texts[i], strlen(texts[i]));
	eio_payload_init(&pl, _i == 3 ? EIO_TEXT_3 : EIO_TEXT_4, b.data, b.len);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		ck_assert(eio_payload_next(&pl, &packet, &len));
		ck_assert_uint_eq(len, strlen(texts[i]));
		ck_assert_mem_eq(packet, texts[i], len);
	}
	ck_assert(!eio_payload_next(&pl, &packet, &len));
	ck_assert_int_eq(pl.err, 0);
	buf_free(&b);
}
END_TEST

START_TEST(a_payload_is_written_as_stock_writes_it)
{
	struct buf b = { 0 };

	eio_payload_add(&b, 3, "4\xc3\xa9\xe9\x8d\xb5\xf0\x9f\x98\x80", 10);
	eio_payload_add(&b, 3, "40", 2);
	ck_assert_str_eq(buf_str(&b), "5:4\xc3\xa9\xe9\x8d\xb5\xf0\x9f\x98\x80" "2:40");
	b.len = 0;
	eio_payload_add(&b, 4, "4\xc3\xa9\xe9\x8d\xb5\xf0\x9f\x98\x80", 10);
	eio_payload_add(&b, 4, "40", 2);
	ck_assert_str_eq(buf_str(&b), "4\xc3\xa9\xe9\x8d\xb5\xf0\x9f\x98\x80" RS "40");
	buf_free(&b);
}
END_TEST

START_TEST(a_payload_cut_short_gives_no_more_than_the_whole)
{
	static const char whole[] = "5:4\xc3\xa9\xe9\x8d\xb5\xf0\x9f\x98\x80" "11:4abcdefghij";
	const char *packet;
	struct eio_payload pl;
	size_t len;

	for (size_t cut = 0; cut < sizeof(whole) - 1; cut++) {
		char *exact = xmemdup(whole, cut);
		size_t n = 0;

		eio_payload_init(&pl, EIO_TEXT_3, exact, cut);
		while (eio_payload_next(&pl, &packet, &len))
			n++;
		ck_assert_uint_eq(n, cut >= 12 ? 1 : 0);
		ck_assert_int_eq(pl.err != 0, cut != 12);
		free(exact);
	}
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("eio_payload");
	TCase *tc = tcase_create("eio_payload");

	tcase_add_loop_test(tc, a_payload_is_read_packet_by_packet_up_to_its_fault, 0,
	    ARRAY_LEN(payloads));
	tcase_add_loop_test(tc, nothing_at_all_is_no_payload, EIO_TEXT_3, EIO_TEXT_4 + 1);
	tcase_add_loop_test(tc, what_is_written_is_read_as_it_was, 3, 5);
	tcase_add_test(tc, a_payload_is_written_as_stock_writes_it);
	tcase_add_test(tc, a_payload_cut_short_gives_no_more_than_the_whole);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN_STATELESS(make_suite)
