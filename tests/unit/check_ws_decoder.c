/* SPDX-License-Identifier: ISC */
/*
 * WebSocket frames in: each rule of RFC 6455 as a row of a table, each row fed
 * whole, byte by byte and cut at every place.
 *
 * Frames are written as hex digits with literal text in quotes; events come out
 * as a line, such as T(hello)P(x)C1000(bye).
 */
#include "codec/ws_decoder.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/xmalloc.h"
#include "codec/ws_encoder.h"
#include "unit.h"

#define MESSAGE_MAX 1000

/* A decoder and what it has said so far. */
struct bench {
	struct ws_decoder *d;
	struct buf said;
	const char *data;	/* of the last message */
	char stop_at;		/* stop in the event that says this letter; 0: never */
};

static void
say(struct bench *b, char letter, int code, const char *data, size_t len)
{
	buf_add_char(&b->said, letter);
	if (code != 0)
		buf_add_u64(&b->said, (uint64_t)code);
	buf_add_char(&b->said, '(');
	buf_add(&b->said, data, len);
	buf_add_char(&b->said, ')');
	b->data = data;
	if (letter == b->stop_at)
		ws_decoder_stop(b->d);
}

static void
on_message(enum ws_opcode kind, const char *data, size_t len, void *arg)
{
	say(arg, kind == WS_TEXT ? 'T' : 'B', 0, data, len);
}

static void
on_ping(const char *data, size_t len, void *arg)
{
	say(arg, 'P', 0, data, len);
}

static void
on_pong(const char *data, size_t len, void *arg)
{
	say(arg, 'Q', 0, data, len);
}

static void
on_close(int code, const char *reason, size_t len, void *arg)
{
	say(arg, 'C', code, reason, len);
}

static const struct ws_decoder_events events = { on_message, on_ping, on_pong, on_close };

static void
bench_init(struct bench *b, enum ws_role role, size_t message_max)
{
	*b = (struct bench){ 0 };
	b->d = ws_decoder_new(role, message_max, &events, b);
}

static void
bench_cleanup(struct bench *b)
{
	ws_decoder_free(b->d);
	buf_free(&b->said);
}

/* Feeds a copy of exactly this size, so that reading beyond it is noticed. */
static enum err
bench_feed(struct bench *b, const void *data, size_t len)
{
	char *copy = xmalloc(len);
	enum err err;

	if (len > 0)
		memcpy(copy, data, len);
	err = ws_decoder_feed(b->d, copy, len);
	free(copy);
	return err;
}

/* 'text' and hex digits to bytes; an odd wire would be a mistake of the table. */
static struct buf
wire_of(const char *script)
{
	struct buf b = { 0 };
	unsigned byte;

	while (*script != '\0') {
		if (*script == ' ') {
			script++;
		} else if (*script == '\'') {
			for (script++; *script != '\''; script++)
				buf_add_char(&b, *script);
			script++;
		} else {
			ck_assert_int_eq(sscanf(script, "%2x", &byte), 1);
			ck_assert(isxdigit((unsigned char)script[1]));
			buf_add_char(&b, (char)byte);
			script += 2;
		}
	}
	return b;
}

static const struct wire_case {
	enum ws_role role;
	const char *wire;
	enum err err;
	const char *said;
} cases[] = {
	/* RFC 6455 section 5.7 */
	{ WS_CLIENT, "8105 'Hello'", 0, "T(Hello)" },
	{ WS_SERVER, "8185 37fa213d 7f9f4d5158", 0, "T(Hello)" },
	{ WS_CLIENT, "0103 'Hel' 8002 'lo'", 0, "T(Hello)" },
	{ WS_CLIENT, "8905 'Hello'", 0, "P(Hello)" },
	{ WS_SERVER, "8a85 37fa213d 7f9f4d5158", 0, "Q(Hello)" },

	/* messages */
	{ WS_CLIENT, "8100", 0, "T()" },
	{ WS_CLIENT, "8200", 0, "B()" },
	{ WS_SERVER, "8180 01020304", 0, "T()" },
	{ WS_CLIENT, "8203 'abc'", 0, "B(abc)" },
	{ WS_CLIENT, "8201 ff", 0, "B(\xff)" },
	{ WS_CLIENT, "8101 'a' 8201 'b' 8101 'c'", 0, "T(a)B(b)T(c)" },
	{ WS_CLIENT, "8100 8100 8900 8100", 0, "T()T()P()T()" },
	{ WS_SERVER, "8181 01020304 60 8182 00000000 'bc'", 0, "T(a)T(bc)" },
	{ WS_SERVER, "818a 01020304 606060606464646c 6868", 0, "T(abcdefghij)" },
	{ WS_SERVER, "0183 01020304 606060 8082 ff00ff00 9b65", 0, "T(abcde)" },

	/* fragments */
	{ WS_CLIENT, "0101 'a' 0001 'b' 8001 'c'", 0, "T(abc)" },
	{ WS_CLIENT, "0100 0000 8000", 0, "T()" },
	{ WS_CLIENT, "0100 0003 'abc' 8000", 0, "T(abc)" },
	{ WS_CLIENT, "0200 8001 7f", 0, "B(\x7f)" },
	{ WS_CLIENT, "0101 'a' 8901 'p' 8a00 8001 'b'", 0, "P(p)Q()T(ab)" },
	{ WS_CLIENT, "0101 'a' 8001 'b' 8101 'c'", 0, "T(ab)T(c)" },
	{ WS_CLIENT, "0101 'a' 8802 03e8", 0, "C1000()" },
	{ WS_CLIENT, "0101 'a'", 0, "" },
	{ WS_CLIENT, "8001 'a'", ERR_BAD_FRAME, "" },
	{ WS_CLIENT, "0001 'a'", ERR_BAD_FRAME, "" },
	{ WS_CLIENT, "8101 'a' 8001 'b'", ERR_BAD_FRAME, "T(a)" },
	{ WS_CLIENT, "0101 'a' 8101 'b'", ERR_BAD_FRAME, "" },
	{ WS_CLIENT, "0101 'a' 0201 'b'", ERR_BAD_FRAME, "" },

	/* reserved bits and opcodes */
	{ WS_CLIENT, "c100", ERR_BAD_FRAME, "" },
	{ WS_CLIENT, "a100", ERR_BAD_FRAME, "" },
	{ WS_CLIENT, "9100", ERR_BAD_FRAME, "" },
	{ WS_CLIENT, "c900", ERR_BAD_FRAME, "" },
	{ WS_CLIENT, "0101 'a' c001 'b'", ERR_BAD_FRAME, "" },
	{ WS_CLIENT, "8300", ERR_BAD_FRAME, "" },
	{ WS_CLIENT, "8400", ERR_BAD_FRAME, "" },
	{ WS_CLIENT, "8500", ERR_BAD_FRAME, "" },
	{ WS_CLIENT, "8600", ERR_BAD_FRAME, "" },
	{ WS_CLIENT, "8700", ERR_BAD_FRAME, "" },
	{ WS_CLIENT, "8b00", ERR_BAD_FRAME, "" },
	{ WS_CLIENT, "8c00", ERR_BAD_FRAME, "" },
	{ WS_CLIENT, "8d00", ERR_BAD_FRAME, "" },
	{ WS_CLIENT, "8e00", ERR_BAD_FRAME, "" },
	{ WS_CLIENT, "8f00", ERR_BAD_FRAME, "" },

	/* masks */
	{ WS_SERVER, "8101 'a'", ERR_BAD_FRAME, "" },
	{ WS_SERVER, "8900", ERR_BAD_FRAME, "" },
	{ WS_CLIENT, "8181 00000000 'a'", ERR_BAD_FRAME, "" },
	{ WS_CLIENT, "8980 00000000", ERR_BAD_FRAME, "" },

	/* lengths: not shortest, top bit, above MESSAGE_MAX */
	{ WS_CLIENT, "827e0000", ERR_BAD_FRAME, "" },
	{ WS_CLIENT, "827e007d", ERR_BAD_FRAME, "" },
	{ WS_CLIENT, "827f0000000000000000", ERR_BAD_FRAME, "" },
	{ WS_CLIENT, "827f000000000000ffff", ERR_BAD_FRAME, "" },
	{ WS_CLIENT, "827f8000000000000000", ERR_BAD_FRAME, "" },
	{ WS_CLIENT, "827fffffffffffffffff", ERR_BAD_FRAME, "" },
	{ WS_CLIENT, "827f7fffffffffffffff", ERR_TOO_BIG, "" },
	{ WS_CLIENT, "827f0000000000010000", ERR_TOO_BIG, "" },
	{ WS_CLIENT, "827e03e9", ERR_TOO_BIG, "" },
	{ WS_CLIENT, "817e03e8", 0, "" },
	{ WS_CLIENT, "0201 'a' 807e03e8", ERR_TOO_BIG, "" },
	{ WS_CLIENT, "0201 'a' 807e03e7", 0, "" },
	{ WS_CLIENT, "0201 'a' 007f7fffffffffffffff", ERR_TOO_BIG, "" },

	/* control frames */
	{ WS_CLIENT, "0900", ERR_BAD_FRAME, "" },
	{ WS_CLIENT, "0a00", ERR_BAD_FRAME, "" },
	{ WS_CLIENT, "0800", ERR_BAD_FRAME, "" },
	{ WS_CLIENT, "897e007e", ERR_BAD_FRAME, "" },
	{ WS_CLIENT, "8a7f0000000000010000", ERR_BAD_FRAME, "" },
	{ WS_CLIENT, "887e007e", ERR_BAD_FRAME, "" },

	/* the end */
	{ WS_CLIENT, "8800", 0, "C1005()" },
	{ WS_CLIENT, "8801 03", ERR_BAD_FRAME, "" },
	{ WS_CLIENT, "8802 03e8", 0, "C1000()" },
	{ WS_CLIENT, "8805 0fa0 'bye'", 0, "C4000(bye)" },
	{ WS_CLIENT, "8805 03e8 e282ac", 0, "C1000(\xe2\x82\xac)" },
	{ WS_CLIENT, "8804 03e8 c328", ERR_BAD_UTF8, "" },
	{ WS_CLIENT, "8804 03e8 e282", ERR_BAD_UTF8, "" },
	{ WS_CLIENT, "8800 8101 'a'", 0, "C1005()" },
	{ WS_CLIENT, "8800 ffff", 0, "C1005()" },
	{ WS_SERVER, "8882 01020304 02ea", 0, "C1000()" },

	/* text */
	{ WS_CLIENT, "8103 e282ac", 0, "T(\xe2\x82\xac)" },
	{ WS_CLIENT, "0101 e2 0001 82 8001 ac", 0, "T(\xe2\x82\xac)" },
	{ WS_CLIENT, "0102 e282 8901 'p' 8001 ac", 0, "P(p)T(\xe2\x82\xac)" },
	{ WS_CLIENT, "8102 c328", ERR_BAD_UTF8, "" },
	{ WS_CLIENT, "8102 e282", ERR_BAD_UTF8, "" },
	{ WS_CLIENT, "0102 e282 8000", ERR_BAD_UTF8, "" },
	{ WS_CLIENT, "0102 e282 8001 'a'", ERR_BAD_UTF8, "" },
	{ WS_CLIENT, "8103 eda080", ERR_BAD_UTF8, "" },
	{ WS_CLIENT, "8104 f4908080", ERR_BAD_UTF8, "" },
	{ WS_CLIENT, "8102 c0af", ERR_BAD_UTF8, "" },
	{ WS_CLIENT, "8164 ff", ERR_BAD_UTF8, "" },		/* 99 bytes before its end */
	{ WS_CLIENT, "8164 f490", ERR_BAD_UTF8, "" },
	{ WS_CLIENT, "0102 c3a9 0064 c328", ERR_BAD_UTF8, "" },
	{ WS_SERVER, "8182 ffffffff 3cd7", ERR_BAD_UTF8, "" },
	{ WS_CLIENT, "0202 e282 8000", 0, "B(\xe2\x82)" },
	{ WS_CLIENT, "0101 c3 8001 a9 8101 'a'", 0, "T(\xc3\xa9)T(a)" },
};

/* What the decoder said is what the case expects. */
static void
check_case(const struct wire_case *c, struct bench *b, enum err err)
{
	ck_assert_msg(err == c->err, "%s: got %s", c->wire, err == 0 ? "no error" : err_code(err));
	ck_assert_msg(strcmp(buf_str(&b->said), c->said) == 0, "%s: said %s", c->wire,
	    buf_str(&b->said));
	ck_assert_int_eq(ws_decoder_fault(b->d)[0] != '\0', err != 0);
	/* An error and a close are final. */
	if (err != 0 || strchr(c->said, 'C') != NULL) {
		size_t len = b->said.len;

		ck_assert_int_eq(bench_feed(b, "\x81\x01""a\x81\x81""0000a", 10), 0);
		ck_assert_uint_eq(b->said.len, len);
		ck_assert_uint_eq(ws_decoder_held(b->d), 0);
	}
}

START_TEST(a_rule_holds_for_bytes_that_come_at_once)
{
	struct buf wire = wire_of(cases[_i].wire);
	struct bench b;

	bench_init(&b, cases[_i].role, MESSAGE_MAX);
	check_case(&cases[_i], &b, bench_feed(&b, wire.data, wire.len));
	bench_cleanup(&b);
	buf_free(&wire);
}
END_TEST

START_TEST(a_rule_holds_byte_by_byte)
{
	struct buf wire = wire_of(cases[_i].wire);
	enum err err = 0;
	struct bench b;

	bench_init(&b, cases[_i].role, MESSAGE_MAX);
	for (size_t i = 0; i < wire.len && err == 0; i++)
		err = bench_feed(&b, wire.data + i, 1);
	check_case(&cases[_i], &b, err);
	bench_cleanup(&b);
	buf_free(&wire);
}
END_TEST

START_TEST(a_rule_holds_wherever_the_bytes_are_cut)
{
	struct buf wire = wire_of(cases[_i].wire);

	for (size_t cut = 0; cut <= wire.len; cut++) {
		enum err err;
		struct bench b;

		bench_init(&b, cases[_i].role, MESSAGE_MAX);
		err = bench_feed(&b, wire.data, cut);
		if (err == 0)
			err = bench_feed(&b, wire.data + cut, wire.len - cut);
		check_case(&cases[_i], &b, err);
		bench_cleanup(&b);
	}
	buf_free(&wire);
}
END_TEST

START_TEST(only_the_close_codes_of_the_rfc_are_taken)
{
	for (int code = 0; code <= 0xffff; code++) {
		uint8_t wire[] = { 0x88, 2, (uint8_t)(code >> 8), (uint8_t)code };
		bool is_good = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
		    (code >= 3000 && code <= 4999);
		char expected[16] = "";
		struct bench b;

		if (code > 5100 && code < 0xffff)
			continue;
		if (is_good)
			snprintf(expected, sizeof(expected), "C%d()", code);
		bench_init(&b, WS_CLIENT, MESSAGE_MAX);
		ck_assert_int_eq(bench_feed(&b, wire, sizeof(wire)), is_good ? 0 : ERR_BAD_FRAME);
		ck_assert_str_eq(buf_str(&b.said), expected);
		bench_cleanup(&b);
	}
}
END_TEST

static const size_t lengths[] = { 0, 1, 7, 8, 9, 125, 126, 127, 4000, 65535, 65536, 70001 };

/* Encoded by us, decoded again, in pieces of a few sizes. */
START_TEST(what_the_encoder_writes_comes_back)
{
	static const uint8_t mask[4] = { 0xde, 0xad, 0xbe, 0xef };
	static const size_t pieces[] = { 1, 3, 14, 1000, 1 << 20 };
	size_t len = lengths[_i];
	struct buf text = { 0 }, wire = { 0 };

	for (size_t i = 0; i < len; i++)
		buf_add_char(&text, (char)('a' + i % 26));
	ws_encode_frame(&wire, WS_TEXT, text.data, len, mask);
	for (size_t k = 0; k < ARRAY_LEN(pieces); k++) {
		enum err err = 0;
		struct bench b;

		bench_init(&b, WS_SERVER, len);
		for (size_t i = 0; i < wire.len && err == 0; i += pieces[k]) {
			size_t n = wire.len - i < pieces[k] ? wire.len - i : pieces[k];

			err = bench_feed(&b, wire.data + i, n);
		}
		ck_assert_int_eq(err, 0);
		ck_assert_uint_eq(b.said.len, len + 3);
		if (len > 0)
			ck_assert_mem_eq(b.said.data + 2, text.data, len);
		bench_cleanup(&b);
	}
	buf_free(&text);
	buf_free(&wire);
}
END_TEST

START_TEST(a_control_frame_of_125_bytes_survives_any_cut)
{
	static const uint8_t mask[4] = { 1, 2, 3, 4 };
	char payload[125];
	struct buf wire = { 0 };
	struct bench b;

	memset(payload, 'z', sizeof(payload));
	ws_encode_frame(&wire, WS_PING, payload, sizeof(payload), mask);
	bench_init(&b, WS_SERVER, 10);
	ck_assert_int_eq(bench_feed(&b, wire.data, (size_t)_i), 0);
	ck_assert_uint_eq(b.said.len, 0);
	ck_assert_int_eq(bench_feed(&b, wire.data + _i, wire.len - (size_t)_i), 0);
	ck_assert_uint_eq(b.said.len, sizeof(payload) + 3);
	ck_assert_mem_eq(b.said.data + 2, payload, sizeof(payload));
	bench_cleanup(&b);
	buf_free(&wire);
}
END_TEST

START_TEST(a_message_in_one_piece_is_not_copied)
{
	char wire[] = "\x81\x83\1\1\1\1```\x81\x01";
	struct bench b;

	bench_init(&b, WS_SERVER, 3);
	ck_assert_int_eq(ws_decoder_feed(b.d, wire, 9), 0);
	ck_assert_str_eq(buf_str(&b.said), "T(aaa)");
	ck_assert_ptr_eq(b.data, wire + 6);
	ck_assert_uint_eq(ws_decoder_held(b.d), 0);
	bench_cleanup(&b);
}
END_TEST

START_TEST(no_event_comes_after_one_that_stopped)
{
	static const struct {
		char at;
		const char *wire, *said;
	} stops[] = {
		{ 'T', "8101 'a' 8101 'b'", "T(a)" },
		{ 'T', "0101 'a' 8001 'b' 8900", "T(ab)" },
		{ 'P', "0101 'a' 8900 8001 'b' 8101 'c'", "P()" },
		{ 'Q', "8101 'a' 8a00 8101 'b'", "T(a)Q()" },
		{ 'C', "8800 8101 'b'", "C1005()" },
		{ 'T', "8101 'a' ffff", "T(a)" },
	};

	for (size_t i = 0; i < ARRAY_LEN(stops); i++) {
		struct buf wire = wire_of(stops[i].wire);
		struct bench b;

		bench_init(&b, WS_CLIENT, MESSAGE_MAX);
		b.stop_at = stops[i].at;
		ck_assert_int_eq(bench_feed(&b, wire.data, wire.len), 0);
		ck_assert_int_eq(bench_feed(&b, wire.data, wire.len), 0);
		ck_assert_str_eq(buf_str(&b.said), stops[i].said);
		ck_assert_uint_eq(ws_decoder_held(b.d), 0);
		bench_cleanup(&b);
		buf_free(&wire);
	}
}
END_TEST

START_TEST(a_decoder_stopped_from_outside_lets_go_of_its_message)
{
	struct bench b;

	bench_init(&b, WS_CLIENT, MESSAGE_MAX);
	ck_assert_int_eq(bench_feed(&b, "\x01\x03""abc\x80\x05""d", 8), 0);
	ck_assert_uint_eq(ws_decoder_held(b.d), 4);
	ws_decoder_stop(b.d);
	ws_decoder_stop(b.d);
	ck_assert_uint_eq(ws_decoder_held(b.d), 0);
	ck_assert_int_eq(bench_feed(&b, "efgh", 4), 0);
	ck_assert_uint_eq(b.said.len, 0);
	bench_cleanup(&b);
}
END_TEST

START_TEST(only_what_has_arrived_is_held)
{
	struct bench b;

	bench_init(&b, WS_CLIENT, (size_t)1 << 40);
	ck_assert_int_eq(bench_feed(&b, "\x82\x7f\0\0\0\xff\0\0\0\0", 10), 0);
	ck_assert_uint_eq(ws_decoder_held(b.d), 0);
	ck_assert_int_eq(bench_feed(&b, "abc", 3), 0);
	ck_assert_uint_eq(ws_decoder_held(b.d), 3);
	bench_cleanup(&b);
}
END_TEST

/* n fragments of this payload behind a first one that is empty; then the end. */
static enum err
feed_fragments(struct bench *b, unsigned n, const char *payload)
{
	enum err err = bench_feed(b, "\x02\x00", 2);
	struct buf one = { 0 };

	buf_add_char(&one, 0);
	buf_add_char(&one, (char)strlen(payload));
	buf_add_str(&one, payload);
	for (unsigned i = 0; i < n && err == 0; i++)
		err = bench_feed(b, one.data, one.len);
	buf_free(&one);
	return err != 0 ? err : bench_feed(b, "\x80\x00", 2);
}

START_TEST(small_fragments_are_bounded_and_others_are_not)
{
	static const struct {
		unsigned n;
		const char *payload;
		enum err err;
	} floods[] = {
		{ 1023, "", 0 },
		{ 1024, "", ERR_TOO_BIG },
		{ 1023, "123456789012345", 0 },
		{ 1024, "123456789012345", ERR_TOO_BIG },
		{ 5000, "1234567890123456", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(floods); i++) {
		struct bench b;

		bench_init(&b, WS_CLIENT, 1 << 20);
		/* Twice: each message has a bound of its own. */
		ck_assert_int_eq(feed_fragments(&b, 10, "x"), 0);
		ck_assert_int_eq(feed_fragments(&b, floods[i].n, floods[i].payload), floods[i].err);
		bench_cleanup(&b);
	}
}
END_TEST

START_TEST(events_that_nobody_wants_are_passed_over)
{
	static const struct ws_decoder_events none;
	struct ws_decoder *d = ws_decoder_new(WS_CLIENT, 10, &none, NULL);
	char wire[] = "\x81\x01""a\x89\x00\x8a\x00\x88\x00\xff";

	ck_assert_int_eq(ws_decoder_feed(d, wire, sizeof(wire) - 1), 0);
	ws_decoder_free(d);
	ws_decoder_free(NULL);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("ws_decoder");
	TCase *rules = tcase_create("rules");
	TCase *life = tcase_create("life");

	tcase_add_loop_test(rules, a_rule_holds_for_bytes_that_come_at_once, 0, ARRAY_LEN(cases));
	tcase_add_loop_test(rules, a_rule_holds_byte_by_byte, 0, ARRAY_LEN(cases));
	tcase_add_loop_test(rules, a_rule_holds_wherever_the_bytes_are_cut, 0, ARRAY_LEN(cases));
	tcase_add_test(rules, only_the_close_codes_of_the_rfc_are_taken);
	suite_add_tcase(s, rules);
	tcase_add_loop_test(life, what_the_encoder_writes_comes_back, 0, ARRAY_LEN(lengths));
	tcase_add_loop_test(life, a_control_frame_of_125_bytes_survives_any_cut, 0, 131);
	tcase_add_test(life, a_message_in_one_piece_is_not_copied);
	tcase_add_test(life, no_event_comes_after_one_that_stopped);
	tcase_add_test(life, a_decoder_stopped_from_outside_lets_go_of_its_message);
	tcase_add_test(life, only_what_has_arrived_is_held);
	tcase_add_test(life, small_fragments_are_bounded_and_others_are_not);
	tcase_add_test(life, events_that_nobody_wants_are_passed_over);
	suite_add_tcase(s, life);
	return s;
}

UNIT_MAIN_STATELESS(make_suite)
