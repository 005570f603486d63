/* SPDX-License-Identifier: ISC */
/*
 * Socket.IO packets: what stands before the JSON, read and written.
 */
#include "codec/sio_packet.h"

#include <string.h>

#include "base/xmalloc.h"
#include "unit.h"

#define NO_ACK UINT64_MAX

static const struct {
	const char *text;
	enum sio_type type;
	unsigned attachments;
	const char *ns;
	uint64_t ack;
	const char *json;
} good[] = {
	{ "0", SIO_CONNECT, 0, "/", NO_ACK, "" },
	{ "0{\"sid\":\"x\"}", SIO_CONNECT, 0, "/", NO_ACK, "{\"sid\":\"x\"}" },
	{ "0/chat", SIO_CONNECT, 0, "/chat", NO_ACK, "" },
	{ "0/chat,", SIO_CONNECT, 0, "/chat", NO_ACK, "" },
	{ "0/chat,{\"token\":\"1\"}", SIO_CONNECT, 0, "/chat", NO_ACK, "{\"token\":\"1\"}" },
	{ "0/chat?token=1,", SIO_CONNECT, 0, "/chat", NO_ACK, "" },
	{ "0/chat?a?b", SIO_CONNECT, 0, "/chat", NO_ACK, "" },
	{ "0/?a=1,{}", SIO_CONNECT, 0, "/", NO_ACK, "{}" },
	{ "1", SIO_DISCONNECT, 0, "/", NO_ACK, "" },
	{ "1/chat,", SIO_DISCONNECT, 0, "/chat", NO_ACK, "" },
	{ "2[\"a\"]", SIO_EVENT, 0, "/", NO_ACK, "[\"a\"]" },
	{ "2/,[\"a\"]", SIO_EVENT, 0, "/", NO_ACK, "[\"a\"]" },
	{ "20[\"a\"]", SIO_EVENT, 0, "/", 0, "[\"a\"]" },
	{ "217[\"a\"]", SIO_EVENT, 0, "/", 17, "[\"a\"]" },
	{ "2007[\"a\"]", SIO_EVENT, 0, "/", 7, "[\"a\"]" },
	{ "2/chat,17[\"a,b?c\"]", SIO_EVENT, 0, "/chat", 17, "[\"a,b?c\"]" },
	{ "29007199254740991[]", SIO_EVENT, 0, "/", 9007199254740991, "[]" },
	{ "2[\"a\",1,{\"b\":\"/x,\"}]", SIO_EVENT, 0, "/", NO_ACK, "[\"a\",1,{\"b\":\"/x,\"}]" },
	{ "2", SIO_EVENT, 0, "/", NO_ACK, "" },
	{ "2abc[\"a\"]", SIO_EVENT, 0, "/", NO_ACK, "abc[\"a\"]" },
	{ "2-1[]", SIO_EVENT, 0, "/", NO_ACK, "-1[]" },
	{ "2chat,[]", SIO_EVENT, 0, "/", NO_ACK, "chat,[]" },
	{ "30[]", SIO_ACK, 0, "/", 0, "[]" },
	{ "31[\"fine\"]", SIO_ACK, 0, "/", 1, "[\"fine\"]" },
	{ "4/nope,\"Invalid namespace\"", SIO_ERROR, 0, "/nope", NO_ACK,
	    "\"Invalid namespace\"" },
	{ "4{\"message\":\"x\"}", SIO_ERROR, 0, "/", NO_ACK, "{\"message\":\"x\"}" },
	{ "51-[\"bin\",{}]", SIO_BINARY_EVENT, 1, "/", NO_ACK, "[\"bin\",{}]" },
	{ "510-/chat,3[\"bin\"]", SIO_BINARY_EVENT, 10, "/chat", 3, "[\"bin\"]" },
	{ "62-15[{}]", SIO_BINARY_ACK, 2, "/", 15, "[{}]" },
};

static enum err
decode(struct sio_packet *p, const char *text)
{
	return sio_packet_decode(p, text, strlen(text));
}

START_TEST(a_packet_is_taken_apart)
{
	struct sio_packet p;

	memset(&p, 0xa5, sizeof(p));
	ck_assert_int_eq(decode(&p, good[_i].text), 0);
	ck_assert_int_eq(p.type, good[_i].type);
	ck_assert_uint_eq(p.attachments, good[_i].attachments);
	ck_assert_uint_eq(p.ns_len, strlen(good[_i].ns));
	ck_assert_mem_eq(p.ns, good[_i].ns, p.ns_len);
	ck_assert_int_eq(sio_packet_is_root(&p), strcmp(good[_i].ns, "/") == 0);
	ck_assert_int_eq(p.has_ack, good[_i].ack != NO_ACK);
	if (p.has_ack)
		ck_assert_uint_eq(p.ack, good[_i].ack);
	/* The JSON ends where the packet does. */
	ck_assert_str_eq(p.json, good[_i].json);
	ck_assert_uint_eq(p.json_len, strlen(good[_i].json));
}
END_TEST

/* Of a text without its end nothing beyond is read, whatever it is taken for. */
START_TEST(a_packet_cut_short_stays_inside)
{
	for (size_t len = 0; len < strlen(good[_i].text); len++) {
		char *exact = xmalloc(len);
		struct sio_packet p;

		memcpy(exact, good[_i].text, len);
		if (sio_packet_decode(&p, exact, len) == 0) {
			ck_assert_ptr_eq(p.json + p.json_len, exact + len);
			ck_assert_uint_le(p.json_len, len - 1);
		} else {
			ck_assert(len == 0 || exact[0] >= '5');
		}
		free(exact);
	}
}
END_TEST

static const char *const bad[] = {
	"",
	"7",
	"9[]",
	"a",
	"/chat,",
	"-1",
	" 2[]",
	"[\"a\"]",
	"29007199254740992[]",
	"218446744073709551616[]",
	"2/chat,99999999999999999999999999[]",
	"5",
	"5[\"a\"]",
	"5-[\"a\"]",
	"50-[\"a\"]",
	"501-[\"a\"]",
	"511-[\"a\"]",
	"54294967297-[\"a\"]",
	"51[\"a\"]",
	"51",
	"51,[\"a\"]",
	"5x-[\"a\"]",
	"5+1-[\"a\"]",
	"5 1-[\"a\"]",
	"6[]",
	"60-[]",
	"5/chat,1-[]",
};

START_TEST(a_malformed_packet_is_refused)
{
	struct sio_packet p;

	ck_assert_int_eq(decode(&p, bad[_i]), ERR_BAD_PACKET);
}
END_TEST

START_TEST(each_first_byte_is_a_type_or_refused)
{
	for (int c = 0; c < 256; c++) {
		char text[] = { (char)c, '1', '-' };
		struct sio_packet p;

		ck_assert_int_eq(sio_packet_decode(&p, text, sizeof(text)),
		    c >= '0' && c <= '6' ? 0 : ERR_BAD_PACKET);
	}
}
END_TEST

static const uint64_t zero = 0, big = 9007199254740991;

static const struct {
	enum sio_type type;
	const char *ns;
	const uint64_t *ack;
	const char *text;
} written[] = {
	{ SIO_CONNECT, NULL, NULL, "0" },
	{ SIO_CONNECT, "/", NULL, "0" },
	{ SIO_CONNECT, "/chat", NULL, "0/chat," },
	{ SIO_DISCONNECT, "/c", NULL, "1/c," },
	{ SIO_EVENT, NULL, NULL, "2" },
	{ SIO_EVENT, NULL, &zero, "20" },
	{ SIO_EVENT, "/chat", &big, "2/chat,9007199254740991" },
	{ SIO_ACK, "/", &zero, "30" },
	{ SIO_ERROR, "/nope", NULL, "4/nope," },
};

START_TEST(a_head_is_written_and_read_again)
{
	struct sio_packet p;
	struct buf b = { 0 };

	buf_add_str(&b, "4");
	sio_packet_encode_head(&b, written[_i].type, written[_i].ns,
	    written[_i].ns != NULL ? strlen(written[_i].ns) : 0, written[_i].ack);
	ck_assert_str_eq(buf_str(&b) + 1, written[_i].text);
	buf_add_str(&b, "[\"x\"]");
	ck_assert_int_eq(decode(&p, buf_str(&b) + 1), 0);
	ck_assert_int_eq(p.type, written[_i].type);
	ck_assert_int_eq(sio_packet_is_root(&p),
	    written[_i].ns == NULL || strcmp(written[_i].ns, "/") == 0);
	ck_assert_int_eq(p.has_ack, written[_i].ack != NULL);
	if (p.has_ack)
		ck_assert_uint_eq(p.ack, *written[_i].ack);
	ck_assert_str_eq(p.json, "[\"x\"]");
	buf_free(&b);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("sio_packet");
	TCase *tc = tcase_create("sio_packet");

	tcase_add_loop_test(tc, a_packet_is_taken_apart, 0, ARRAY_LEN(good));
	tcase_add_loop_test(tc, a_packet_cut_short_stays_inside, 0, ARRAY_LEN(good));
	tcase_add_loop_test(tc, a_malformed_packet_is_refused, 0, ARRAY_LEN(bad));
	tcase_add_test(tc, each_first_byte_is_a_type_or_refused);
	tcase_add_loop_test(tc, a_head_is_written_and_read_again, 0, ARRAY_LEN(written));
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN_STATELESS(make_suite)
