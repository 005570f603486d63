/* SPDX-License-Identifier: ISC */
/*
 * HTTP bodies: the same outcome however they arrive, and all that is refused.
 */
#include "codec/http_body.h"

#include <string.h>

#include "base/xmalloc.h"
#include "unit.h"

#define MAX 26

static const struct http_head chunked = { .is_chunked = true, .content_length = -1 };

/* What became of a body, fed in slices. */
struct outcome {
	enum err err;
	bool is_complete;
	size_t used;
	struct buf data;
};

/* Slices in memory of exactly their size, so that a sanitizer sees who reads behind them. */
static enum err
feed_slice(struct http_body *b, const char *p, size_t len, struct outcome *o)
{
	char *exact = xmemdup(p, len);
	size_t used;
	enum err err = http_body_feed(b, exact, len, &used, &o->data);

	free(exact);
	ck_assert_uint_le(used, len);
	ck_assert(err != ERR_NONE || used == len || http_body_is_complete(b));
	o->used += used;
	return err;
}

/* The first slice has first bytes, the others step. */
static void
feed(struct http_body *b, const char *wire, size_t len, size_t first, size_t step,
    struct outcome *o)
{
	size_t at = 0, n = first;

	*o = (struct outcome){ 0 };
	while (at < len && o->err == ERR_NONE && !http_body_is_complete(b)) {
		n = n < len - at ? n : len - at;
		o->err = feed_slice(b, wire + at, n, o);
		at += n;
		n = step;
	}
	o->is_complete = http_body_is_complete(b);
}

static void
assert_data(const struct outcome *o, const char *expected)
{
	ck_assert_uint_eq(o->data.len, strlen(expected));
	if (o->data.len > 0)
		ck_assert_mem_eq(o->data.data, expected, o->data.len);
}

#define A50  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A100 A50 A50
#define A1000 A100 A100 A100 A100 A100 A100 A100 A100 A100 A100

static const struct {
	const char *wire, *data;
	size_t behind;		/* bytes at the end that belong to the next request */
} good[] = {
	{ "0\r\n\r\n", "", 0 },
	{ "5\r\nhello\r\n0\r\n\r\n", "hello", 0 },
	{ "5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n\r\n", "hello world", 0 },
	{ "1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n", "abcdefghijklmnopqrstuvwxyz", 0 },
	{ "1A\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n", "abcdefghijklmnopqrstuvwxyz", 0 },
	{ "000000000000005\r\nhello\r\n000\r\n\r\n", "hello", 0 },
	{ "4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n", 0 },
	{ "5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n", 0 },
	{ "5;a\r\nhello\r\n0;b=c;d=\"e f\"\r\n\r\n", "hello", 0 },
	{ "5;\r\nhello\r\n0; \t\xff\r\n\r\n", "hello", 0 },
	{ "2;" A1000 "\r\nhi\r\n0\r\n\r\n", "hi", 0 },
	{ "2\r\nhi\r\n0\r\nA: b\r\nContent-MD5:\r\nX:\t \xff\r\n\r\n", "hi", 0 },
	{ "2\r\nhi\r\n0\r\nX: " A1000 A1000 A1000 A1000 "\r\n\r\n", "hi", 0 },
	{ "2\r\nhi\r\n0\r\n\r\nGET / HTTP/1.1\r\n", "hi", 16 },
	{ "0\r\n\r\n\r\n", "", 2 },
};

START_TEST(chunks_are_put_together_however_they_arrive)
{
	const char *wire = good[_i].wire;
	size_t len = strlen(wire);

	for (size_t first = 1; first <= len; first += len / 100 + 1) {
		for (int bytewise = 0; bytewise < 2; bytewise++) {
			struct http_body b;
			struct outcome o;

			ck_assert_int_eq(http_body_init(&b, &chunked, MAX), 0);
			ck_assert(!http_body_is_complete(&b));
			feed(&b, wire, len, first, bytewise ? 1 : len, &o);
			ck_assert_int_eq(o.err, 0);
			ck_assert(o.is_complete);
			ck_assert_uint_eq(o.used, len - good[_i].behind);
			assert_data(&o, good[_i].data);
			buf_free(&o.data);
		}
	}
}
END_TEST

#define TRAILING "2\r\nhi\r\n0\r\n"

static const struct {
	const char *wire;
	enum err err;
	const char *fault;	/* part of it */
} bad[] = {
	{ "\r\n", ERR_BAD_HTTP, "size is not" },
	{ "\n", ERR_BAD_HTTP, "size is not" },
	{ ";a\r\n", ERR_BAD_HTTP, "size is not" },
	{ " 5\r\nhello", ERR_BAD_HTTP, "size is not" },
	{ "5 \r\nhello", ERR_BAD_HTTP, "size is not" },
	{ "5 ;a\r\nhello", ERR_BAD_HTTP, "size is not" },
	{ "+5\r\nhello", ERR_BAD_HTTP, "size is not" },
	{ "-1\r\nhello", ERR_BAD_HTTP, "size is not" },
	{ "0x5\r\nhello", ERR_BAD_HTTP, "size is not" },
	{ "5_0\r\nhello", ERR_BAD_HTTP, "size is not" },
	{ "g\r\n", ERR_BAD_HTTP, "size is not" },
	{ "5\nhello\n0\n\n", ERR_BAD_HTTP, "size is not" },
	{ "5\r hello", ERR_BAD_HTTP, "CR without LF" },
	{ "5\r\rhello", ERR_BAD_HTTP, "CR without LF" },
	{ "0000000000000000", ERR_BAD_HTTP, "too many digits" },
	{ "ffffffffffffffff", ERR_BAD_HTTP, "too many digits" },
	{ "10000000000000005\r\nhello", ERR_BAD_HTTP, "too many digits" },
	{ "5;a\nhello\r\n0\r\n\r\n", ERR_BAD_HTTP, "control character in a chunk ext" },
	{ "5;a\x01\r\nhello", ERR_BAD_HTTP, "control character in a chunk ext" },
	{ "5;a\x7f\r\nhello", ERR_BAD_HTTP, "control character in a chunk ext" },
	{ "5;a\rb\r\nhello", ERR_BAD_HTTP, "CR without LF" },
	{ "2;" A1000 "aaaaaaaaaaaaaaaaaaaaaaaa", ERR_BAD_HTTP, "extensions are too long" },
	{ "2;" A100 A100 A100 A100 A100 "\r\nhi\r\n2;" A100 A100 A100 A100 A100 "\r\nhi\r\n"
	    "0;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", ERR_BAD_HTTP, "extensions are too long" },
	{ "5\r\nhello0\r\n\r\n", ERR_BAD_HTTP, "longer than its size" },
	{ "5\r\nhello\n0\r\n\r\n", ERR_BAD_HTTP, "longer than its size" },
	{ "5\r\nhello\r0\r\n\r\n", ERR_BAD_HTTP, "CR without LF" },
	{ "1b\r\n", ERR_TOO_BIG, "too long" },
	{ "fffffffffffffff\r\n", ERR_TOO_BIG, "too long" },
	{ "1a\r\nabcdefghijklmnopqrstuvwxyz\r\n1\r\n", ERR_TOO_BIG, "too long" },
	{ TRAILING "\n", ERR_BAD_HTTP, "name is not a token" },
	{ TRAILING "A b: c\r\n\r\n", ERR_BAD_HTTP, "name is not a token" },
	{ TRAILING "A : c\r\n\r\n", ERR_BAD_HTTP, "name is not a token" },
	{ TRAILING ": c\r\n\r\n", ERR_BAD_HTTP, "name is not a token" },
	{ TRAILING " A: c\r\n\r\n", ERR_BAD_HTTP, "name is not a token" },
	{ TRAILING "A: b\r\n c\r\n\r\n", ERR_BAD_HTTP, "name is not a token" },
	{ TRAILING "no colon\r\n\r\n", ERR_BAD_HTTP, "name is not a token" },
	{ TRAILING "A\r\n\r\n", ERR_BAD_HTTP, "name is not a token" },
	{ TRAILING "A: b\n\r\n", ERR_BAD_HTTP, "control character in a trailer" },
	{ TRAILING "A: \x01\r\n\r\n", ERR_BAD_HTTP, "control character in a trailer" },
	{ TRAILING "A: b\rc\r\n\r\n", ERR_BAD_HTTP, "CR without LF" },
	{ TRAILING "A: b\r\n\rx", ERR_BAD_HTTP, "CR without LF" },
	{ TRAILING "\rx", ERR_BAD_HTTP, "CR without LF" },
	{ TRAILING "A: " A1000 A1000 A1000 A1000 A100, ERR_BAD_HTTP, "trailers are too long" },
};

START_TEST(what_others_might_read_differently_is_refused)
{
	const char *wire = bad[_i].wire;
	size_t len = strlen(wire), where = 0;

	for (size_t first = 1; first <= len; first += len / 100 + 1) {
		struct http_body b;
		struct outcome o;

		ck_assert_int_eq(http_body_init(&b, &chunked, MAX), 0);
		feed(&b, wire, len, first, first == 1 ? 1 : len, &o);
		ck_assert_msg(o.err == bad[_i].err, "%s: %s", wire, b.fault);
		ck_assert_msg(strstr(b.fault, bad[_i].fault) != NULL, "%s: %s", wire, b.fault);
		ck_assert(!o.is_complete);
		ck_assert(first == 1 || o.used == where);	/* always at the same byte */
		where = o.used;
		buf_free(&o.data);
	}
}
END_TEST

/* A NUL, which no table of strings can hold. */
START_TEST(a_nul_is_refused_wherever_it_stands)
{
	static const char whole[] = "5;a\r\nhello\r\n0\r\nA: b\r\n\r\n";

	for (size_t at = 0; at < sizeof(whole) - 1; at++) {
		char wire[sizeof(whole)];
		struct http_body b;
		struct outcome o;
		bool is_data = at >= 5 && at < 10;

		memcpy(wire, whole, sizeof(whole));
		wire[at] = '\0';
		ck_assert_int_eq(http_body_init(&b, &chunked, MAX), 0);
		feed(&b, wire, sizeof(whole) - 1, sizeof(whole), 1, &o);
		ck_assert_int_eq(o.err, is_data ? ERR_NONE : ERR_BAD_HTTP);
		buf_free(&o.data);
	}
}
END_TEST

START_TEST(a_body_of_a_known_length_ends_with_it)
{
	static const char wire[] = "abcdefghijklmnopqrstuvwxyzGET";

	for (int64_t length = 1; length <= MAX; length++) {
		for (size_t step = 1; step < sizeof(wire); step++) {
			struct http_head head = { .content_length = length };
			struct http_body b;
			struct outcome o;

			ck_assert_int_eq(http_body_init(&b, &head, MAX), 0);
			ck_assert(!http_body_is_complete(&b));
			feed(&b, wire, sizeof(wire) - 1, step, step, &o);
			ck_assert_int_eq(o.err, 0);
			ck_assert(o.is_complete);
			ck_assert_uint_eq(o.used, (size_t)length);
			ck_assert_uint_eq(o.data.len, (size_t)length);
			ck_assert_mem_eq(o.data.data, wire, o.data.len);
			buf_free(&o.data);
		}
	}
}
END_TEST

START_TEST(without_a_length_or_with_zero_there_is_no_body)
{
	static const struct http_head heads[] = {
		{ .content_length = -1 }, { .content_length = 0 }
	};

	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		struct http_body b;
		struct outcome o = { 0 };

		ck_assert_int_eq(http_body_init(&b, &heads[i], 0), 0);
		ck_assert(http_body_is_complete(&b));
		ck_assert_int_eq(feed_slice(&b, "GET", 3, &o), 0);
		ck_assert_uint_eq(o.used, 0);
		ck_assert_uint_eq(o.data.len, 0);
	}
}
END_TEST

START_TEST(a_length_above_the_maximum_is_refused_at_once)
{
	struct http_head head = { .content_length = MAX + 1 };
	struct http_body b;

	ck_assert_int_eq(http_body_init(&b, &head, MAX), ERR_TOO_BIG);
	head.content_length = INT64_MAX;
	ck_assert_int_eq(http_body_init(&b, &head, MAX), ERR_TOO_BIG);
	ck_assert(!http_body_is_complete(&b));
}
END_TEST

/* What a peer claims costs nothing until it sends it. */
START_TEST(nothing_is_stored_before_it_comes)
{
	struct http_head head = { .content_length = INT64_MAX };
	struct http_body b;
	struct outcome o = { 0 };

	ck_assert_int_eq(http_body_init(&b, &head, UINT64_MAX), 0);
	ck_assert_int_eq(feed_slice(&b, "x", 1, &o), 0);
	ck_assert_uint_le(o.data.cap, 1024);
	buf_free(&o.data);
	o = (struct outcome){ 0 };
	ck_assert_int_eq(http_body_init(&b, &chunked, UINT64_MAX), 0);
	ck_assert_int_eq(feed_slice(&b, "fffffffffffffff\r\nx", 18, &o), 0);
	ck_assert_uint_le(o.data.cap, 1024);
	buf_free(&o.data);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("http_body");
	TCase *tc = tcase_create("http_body");

	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, chunks_are_put_together_however_they_arrive, 0, ARRAY_LEN(good));
	tcase_add_loop_test(tc, what_others_might_read_differently_is_refused, 0, ARRAY_LEN(bad));
	tcase_add_test(tc, a_nul_is_refused_wherever_it_stands);
	tcase_add_test(tc, a_body_of_a_known_length_ends_with_it);
	tcase_add_test(tc, without_a_length_or_with_zero_there_is_no_body);
	tcase_add_test(tc, a_length_above_the_maximum_is_refused_at_once);
	tcase_add_test(tc, nothing_is_stored_before_it_comes);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN_STATELESS(make_suite)
