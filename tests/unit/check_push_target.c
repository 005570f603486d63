/* SPDX-License-Identifier: ISC */
/*
 * push_target: exactly one of the three targets, and what it is comes back as it was.
 */
#include "codec/push_target.h"

#include <string.h>

#include "base/compiler.h"
#include "unit.h"

#define DEPTH 16

static bool
decode(struct push_target *t, const char *text)
{
	struct json_value v;

	ck_assert(json_scan_text(text, strlen(text), DEPTH, &v));
	return push_target_decode(t, text, v);
}

static const struct {
	const char *json;
	enum push_kind kind;
	const char *text;
	const char *written;
} targets[] = {
	{ "{\"socket\":\"S-1\"}", PUSH_SOCKET, "S-1", "{\"socket\":\"S-1\"}" },
	{ "{\"application\":\"test-app\"}", PUSH_APPLICATION, "test-app",
	    "{\"application\":\"test-app\"}" },
	{ "{\"all\":true}", PUSH_ALL, "", "{\"all\":true}" },
	{ " {\t\"s\\u006fcket\" : \"a\\u0062\\\"\\\\\\n\" } ", PUSH_SOCKET, "ab\"\\\n",
	    "{\"socket\":\"ab\\\"\\\\\\u000a\"}" },
	{ "{\"application\":\"\xc3\xa9\\u00e9\"}", PUSH_APPLICATION, "\xc3\xa9\xc3\xa9",
	    "{\"application\":\"\xc3\xa9\xc3\xa9\"}" },
};

START_TEST(a_target_is_read_and_written)
{
	struct push_target t, again;
	struct buf b = { 0 };

	ck_assert(decode(&t, targets[_i].json));
	ck_assert_int_eq(t.kind, targets[_i].kind);
	ck_assert_str_eq(t.text, targets[_i].text);
	push_target_encode(&b, &t);
	ck_assert_str_eq(buf_str(&b), targets[_i].written);
	ck_assert(decode(&again, buf_str(&b)));
	ck_assert_int_eq(again.kind, t.kind);
	ck_assert_str_eq(again.text, t.text);
	buf_free(&b);
}
END_TEST

/* Whoever errs must not reach more than he meant to. */
static const char *const no_targets[] = {
	"{}", "null", "true", "\"all\"", "[]", "[{\"all\":true}]", "5",
	"{\"all\":false}", "{\"all\":1}", "{\"all\":\"true\"}", "{\"all\":null}", "{\"All\":true}",
	"{\"socket\":null}", "{\"socket\":5}", "{\"socket\":\"\"}", "{\"socket\":{\"all\":true}}",
	"{\"socket\":\"a\\u0000b\"}", "{\"application\":[\"a\"]}", "{\"application\":\"\"}",
	"{\"socket\":\"a\",\"all\":true}", "{\"socket\":\"a\",\"application\":\"b\"}",
	"{\"socket\":\"a\",\"socket\":\"b\"}", "{\"all\":true,\"all\":true}",
	"{\"all\":true,\"x\":1}", "{\"x\":{\"all\":true}}",
};

START_TEST(anything_else_is_refused)
{
	struct push_target t;

	ck_assert_msg(!decode(&t, no_targets[_i]), "%s", no_targets[_i]);
	ck_assert_int_eq(t.kind, PUSH_NONE);
}
END_TEST

START_TEST(an_absent_one_is_refused)
{
	struct push_target t;

	ck_assert(!push_target_decode(&t, "{\"all\":true}", (struct json_value){ 0 }));
	ck_assert_int_eq(t.kind, PUSH_NONE);
}
END_TEST

/* One byte more than fits, with its NUL, is not cut but refused. */
START_TEST(a_name_has_a_greatest_length)
{
	struct push_target t;
	struct buf b = { 0 };

	buf_add_str(&b, "{\"socket\":\"");
	for (int i = 0; i < PUSH_TEXT_MAX - 2 + _i; i++)
		buf_add_char(&b, 'x');
	buf_add_str(&b, "\"}");
	ck_assert_int_eq(decode(&t, buf_str(&b)), _i < 2);
	ck_assert_uint_eq(strlen(t.text), _i < 2 ? PUSH_TEXT_MAX - 2u + (unsigned)_i : 0);
	buf_free(&b);
}
END_TEST

/* In the line of a handler: offsets count from the beginning of the whole text. */
START_TEST(is_read_where_it_stands)
{
	static const char text[] = "{\"op\":\"push\",\"to\": {\"socket\":\"S\"},\"type\":\"t\"}";
	struct json_value v = { .kind = JSON_OBJECT, .start = 19, .end = 33 };
	struct push_target t;

	ck_assert_int_eq(text[v.start], '{');
	ck_assert_int_eq(text[v.end - 1], '}');
	ck_assert(push_target_decode(&t, text, v));
	ck_assert_str_eq(t.text, "S");
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("push_target");
	TCase *tc = tcase_create("push_target");

	tcase_add_loop_test(tc, a_target_is_read_and_written, 0, ARRAY_LEN(targets));
	tcase_add_loop_test(tc, anything_else_is_refused, 0, ARRAY_LEN(no_targets));
	tcase_add_test(tc, an_absent_one_is_refused);
	tcase_add_loop_test(tc, a_name_has_a_greatest_length, 0, 4);
	tcase_add_test(tc, is_read_where_it_stands);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
