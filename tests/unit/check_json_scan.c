/* SPDX-License-Identifier: ISC */
/*
 * json_scan: what is JSON and what is not, where members are, what values mean.
 */
#include "codec/json_scan.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define DEPTH 8

enum { A, B, TYPE, MESSAGE };

static const char *const name_table[] = { "a", "b", "type", "message" };
static const struct json_names names = { ARRAY_LEN(name_table), name_table };

/* A text with its length, as some hold a NUL. */
struct text {
	const char *p;
	size_t len;
};
#define TEXT(s) { s, sizeof(s) - 1 }

/* Scans a copy without anything behind it, so that the sanitizer sees a read too far. */
static bool
is_json(const char *text, size_t len, unsigned depth_max)
{
	char *copy = malloc(len > 0 ? len : 1);
	struct json_value v;
	bool ok;

	memcpy(copy, text, len);
	ok = json_scan_text(copy, len, depth_max, &v);
	free(copy);
	return ok;
}

/* The only value of a text. */
static struct json_value
value_of(const char *text)
{
	struct json_value v;

	ck_assert_msg(json_scan_text(text, strlen(text), DEPTH, &v), "%s", text);
	return v;
}

static void
assert_raw(const char *text, struct json_value v, const char *raw)
{
	ck_assert_int_ne(v.kind, JSON_NONE);
	ck_assert_uint_eq(v.end - v.start, strlen(raw));
	ck_assert_mem_eq(text + v.start, raw, strlen(raw));
}

static const struct text valid[] = {
	TEXT("{}"), TEXT("[]"), TEXT(" [ ] "), TEXT("\t{\r\n}\n"), TEXT("null"), TEXT("true"),
	TEXT("false"), TEXT("\"\""), TEXT("0"), TEXT("-0"), TEXT("0.10"), TEXT("1e2"),
	TEXT("1E+2"), TEXT("-1.5e-300"), TEXT("18446744073709551616"), TEXT("1e999999"),
	TEXT("[1,2,[3,{\"a\":[]}],\"x\"]"), TEXT("{\"a\":{\"b\":[{}]},\"c\":null}"),
	TEXT("{\"a\" : 1 ,\n\"a\"\t:2}"), TEXT("{\"\":0}"), TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
	TEXT("\"\\u0000\""), TEXT("{\"\\u0000\":1}"), TEXT("\"\\ud83d\\uDE00\""),
	TEXT("\"\\ud800\""), TEXT("\"\\udc00\\ud800\""), TEXT("\"\x7f\""),
	TEXT("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""), TEXT("\"\xed\x9f\xbf\xee\x80\x80\""),
	TEXT("\"\xf4\x8f\xbf\xbf\""), TEXT("\"/ [1,2] {a}\""),
};

START_TEST(valid_texts_are_accepted)
{
	ck_assert(is_json(valid[_i].p, valid[_i].len, DEPTH));
}
END_TEST

/* What has brackets or quotes around it is nothing without its last byte. */
START_TEST(a_text_cut_anywhere_is_refused)
{
	const struct text *t = &valid[_i];
	size_t len = t->len;

	while (strchr(" \n", t->p[len - 1]) != NULL)
		len--;
	if (strchr("}]\"", t->p[len - 1]) == NULL)
		return;
	for (size_t cut = 0; cut < len; cut++)
		ck_assert_msg(!is_json(t->p, cut, DEPTH), "%.*s", (int)cut, t->p);
}
END_TEST

static const struct {
	struct text text;
	uint32_t pos;
	const char *fault;
} invalid[] = {
	{ TEXT(""), 0, "the text ends too early" },
	{ TEXT("  "), 2, "the text ends too early" },
	{ TEXT("tru"), 0, "expected a value" },
	{ TEXT("True"), 0, "expected a value" },
	{ TEXT("nul\0"), 0, "expected a value" },
	{ TEXT("NaN"), 0, "expected a value" },
	{ TEXT("'a'"), 0, "expected a value" },
	{ TEXT("truex"), 4, "something follows the value" },
	{ TEXT("1 2"), 2, "something follows the value" },
	{ TEXT("{}\0"), 2, "something follows the value" },
	{ TEXT("[]]"), 2, "something follows the value" },
	{ TEXT("01"), 1, "something follows the value" },
	{ TEXT("-01"), 2, "something follows the value" },
	{ TEXT("0x10"), 1, "something follows the value" },
	{ TEXT("1\v"), 1, "something follows the value" },
	{ TEXT("1\xc2\xa0"), 1, "something follows the value" },
	{ TEXT("\xef\xbb\xbf{}"), 0, "expected a value" },
	{ TEXT("+1"), 0, "expected a value" },
	{ TEXT(".5"), 0, "expected a value" },
	{ TEXT("-"), 1, "the text ends too early" },
	{ TEXT("-a"), 1, "expected a digit" },
	{ TEXT("[1.]"), 3, "expected a digit" },
	{ TEXT("[1.e5]"), 3, "expected a digit" },
	{ TEXT("[1e]"), 3, "expected a digit" },
	{ TEXT("[1e+]"), 4, "expected a digit" },
	{ TEXT("[1,]"), 3, "expected a value" },
	{ TEXT("[,1]"), 1, "expected a value" },
	{ TEXT("[1 2]"), 3, "expected ',' or ']'" },
	{ TEXT("[1}"), 2, "expected ',' or ']'" },
	{ TEXT("[{\"a\":1]"), 7, "expected ',' or '}'" },
	{ TEXT("{\"a\":1]"), 6, "expected ',' or '}'" },
	{ TEXT("{\"a\":1,}"), 7, "expected a string" },
	{ TEXT("{,\"a\":1}"), 1, "expected a string" },
	{ TEXT("{a:1}"), 1, "expected a string" },
	{ TEXT("{1:1}"), 1, "expected a string" },
	{ TEXT("{\"a\"}"), 4, "expected ':'" },
	{ TEXT("{\"a\",1}"), 4, "expected ':'" },
	{ TEXT("{\"a\":}"), 5, "expected a value" },
	{ TEXT("[\"a\n\"]"), 3, "control character in a string" },
	{ TEXT("[\"\0\"]"), 2, "control character in a string" },
	{ TEXT("[\"\x1f\"]"), 2, "control character in a string" },
	{ TEXT("\"\\x41\""), 1, "unknown escape in a string" },
	{ TEXT("\"\\U0041\""), 1, "unknown escape in a string" },
	{ TEXT("\"\\\0\""), 1, "unknown escape in a string" },
	{ TEXT("\"\\u12g4\""), 1, "\\u without four hexadecimal digits" },
	{ TEXT("\"\\u123\""), 1, "\\u without four hexadecimal digits" },
	{ TEXT("\"\x80\""), 1, "a string is not UTF-8" },
	{ TEXT("\"\xc3\""), 1, "a string is not UTF-8" },
	{ TEXT("\"\xc0\xaf\""), 1, "a string is not UTF-8" },
	{ TEXT("\"\xe0\x9f\xbf\""), 1, "a string is not UTF-8" },
	{ TEXT("\"\xed\xa0\x80\""), 1, "a string is not UTF-8" },
	{ TEXT("\"\xf4\x90\x80\x80\""), 1, "a string is not UTF-8" },
	{ TEXT("\"\xff\""), 1, "a string is not UTF-8" },
	{ TEXT("\"abc"), 4, "the text ends too early" },
	{ TEXT("[[[[[[[[[1]]]]]]]]]"), 8, "nested too deep" },
	{ TEXT("[{\"a\":[{\"a\":[{\"a\":[{\"a\":[]}]}]}]}]"), 24, "nested too deep" },
};

/* Alone, and as an object whose members are noted: both ways through the code agree. */
START_TEST(invalid_texts_are_refused_with_place_and_reason)
{
	struct text t = invalid[_i].text;
	struct json_object o;
	struct json_value v;
	struct json_scan s;

	json_scan_init(&s, t.p, t.len, DEPTH);
	ck_assert(!json_scan_value(&s, &v) || !json_scan_end(&s));
	ck_assert_str_eq(s.fault, invalid[_i].fault);
	ck_assert_uint_eq(s.pos, invalid[_i].pos);

	json_scan_init(&s, t.p, t.len, DEPTH);
	ck_assert(!json_scan_members(&s, &v, &names, &o, -1, NULL) || !json_scan_end(&s));
	ck_assert_str_eq(s.fault, invalid[_i].fault);
	ck_assert_uint_eq(s.pos, invalid[_i].pos);
	ck_assert(!is_json(t.p, t.len, DEPTH));
}
END_TEST

START_TEST(a_pass_with_a_fault_finds_nothing_more)
{
	struct json_value v;
	struct json_scan s;

	json_scan_init(&s, "x 1", 3, DEPTH);
	ck_assert(!json_scan_value(&s, &v));
	s.pos = 2;
	ck_assert(!json_scan_value(&s, &v));
	ck_assert_int_eq(v.kind, JSON_NONE);
	ck_assert(!json_scan_take(&s, '1'));
	s.pos = 3;
	ck_assert(!json_scan_end(&s));
}
END_TEST

START_TEST(a_text_above_the_size_of_offsets_is_refused)
{
	struct json_value v;

	ck_assert(!json_scan_text("1", (size_t)JSON_TEXT_MAX + 1, DEPTH, &v));
}
END_TEST

/* Strings are read eight bytes at a time: the one that matters may be any of them. */
START_TEST(a_special_byte_is_seen_at_every_place_of_a_string)
{
	static const char specials[] = { '\x00', '\x01', '\x1f', '\x80', '\xff', '\\' };
	char text[40];

	for (int len = 1; len < 36; len++) {
		memset(text, _i % 2 == 0 ? ' ' : '~', sizeof(text));
		text[0] = '"';
		text[len + 1] = '"';
		ck_assert(is_json(text, (size_t)len + 2, DEPTH));
		for (int at = 1; at <= len; at++) {
			char before = text[at];

			text[at] = specials[_i / 2];
			ck_assert(!is_json(text, (size_t)len + 2, DEPTH));
			text[at] = '"';
			ck_assert(is_json(text, (size_t)at + 1, DEPTH));
			text[at] = before;
		}
	}
}
END_TEST

/* Long ones are read in longer steps. */
START_TEST(a_special_byte_is_seen_at_every_place_of_a_long_string)
{
	char text[700];

	memset(text, 'x', sizeof(text));
	text[0] = text[sizeof(text) - 1] = '"';
	ck_assert(is_json(text, sizeof(text), DEPTH));
	for (size_t at = 1; at < sizeof(text) - 1; at++) {
		text[at] = _i == 0 ? '\n' : '\x80';
		ck_assert(!is_json(text, sizeof(text), DEPTH));
		text[at] = '"';
		ck_assert(!is_json(text, sizeof(text), DEPTH));
		ck_assert(is_json(text, at + 1, DEPTH));
		text[at] = 'x';
	}
}
END_TEST

/* The pattern with so many of these bytes in place of its '@'; gives its length. */
static size_t
put(char *out, const char *pattern, const char *bytes, size_t len)
{
	const char *at = strchr(pattern, '@');
	size_t before = (size_t)(at - pattern);

	memcpy(out, pattern, before);
	memcpy(out + before, bytes, len);
	memcpy(out + before + len, at + 1, strlen(at + 1) + 1);
	return strlen(out);
}

/* Names, values and what follows, each of any length up to where the steps end. */
START_TEST(a_member_is_found_at_any_distance_from_the_end)
{
	static const char *const values[] = {
		"\"@\"", "[\"@\"]", "{\"@\":1}", "{\"a\":{\"@\":[1,2,true]}}",
	};
	static const char fill[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char text[300], value[100];
	struct json_object o;
	struct json_value v;
	struct json_scan s;

	for (int len = 0; len <= 36; len++) {
		for (int rest = 0; rest <= 36; rest++) {
			put(value, values[_i % 4], fill, (size_t)len);
			if (_i < 4)
				snprintf(text, sizeof(text), "{\"%.*s_\":0,\"type\":%s,\"%.*s!\":7}",
				    len, fill, value, rest, fill);
			else
				snprintf(text, sizeof(text),
				    " { \"%.*s_\" : 0 , \"type\" : %s\t,\n\"%.*s!\" : 7 } ", len, fill,
				    value, rest, fill);
			ck_assert(is_json(text, strlen(text), DEPTH));
			json_scan_init(&s, text, strlen(text), DEPTH);
			ck_assert(json_scan_members(&s, &v, &names, &o, -1, NULL));
			ck_assert(json_scan_end(&s));
			ck_assert_uint_eq(o.n_members, 3);
			ck_assert_uint_eq(o.member[TYPE].seen, 1);
			assert_raw(text, o.member[TYPE].value, value);
			ck_assert_int_eq(text[o.member[TYPE].comma_before], ',');
			ck_assert_int_eq(text[o.member[TYPE].comma_after], ',');
		}
	}
}
END_TEST

static const struct {
	const char *number;
	bool is_good;
} digits[] = {
	{ "@", true }, { "-@", true }, { "@.5", true }, { "@e7", true }, { "@E+7", true },
	{ "0@", false }, { "-0@", false }, { "@.", false }, { "@e", false }, { "@-", false },
	{ "@5.x", false }, { "0.@", true },
};

/* Also as the last of the text, and where the look ahead begins to fail. */
START_TEST(a_number_of_any_length_is_judged_alike)
{
	char text[120], number[60];

	for (size_t len = 1; len <= 40; len++) {
		put(number, digits[_i].number, "1234567890123456789012345678901234567890", len);
		ck_assert_int_eq(is_json(number, strlen(number), DEPTH), digits[_i].is_good);
		for (int rest = 0; rest <= 24; rest++) {
			int n = snprintf(text, sizeof(text), "[%s%*s]", number, rest, "");

			ck_assert_int_eq(is_json(text, (size_t)n, DEPTH), digits[_i].is_good);
			n = snprintf(text, sizeof(text), "{\"a\":%s,\"b\":\"%*s\"}", number, rest, "");
			ck_assert_int_eq(is_json(text, (size_t)n, DEPTH), digits[_i].is_good);
		}
	}
}
END_TEST

/* Characters that are not ASCII, whole or cut short, at every place of a string and of the text. */
START_TEST(utf8_is_judged_alike_at_every_place)
{
	static const struct {
		const char *bytes;
		bool is_good;
	} cases[] = {
		{ "\xc3\xa9", true }, { "\xe2\x82\xac", true }, { "\xf0\x9f\x98\x80", true },
		{ "\xd0\x94\xd0\xb0", true }, { "\xe6\x97\xa5\xc2\x80", true },
		{ "\xc3", false }, { "\xe2\x82", false }, { "\xf0\x9f\x98", false },
		{ "\xa9", false }, { "\xc0\x80", false }, { "\xed\xa0\x80", false },
		{ "\xe2\x82\xac\x80", false }, { "\xf4\x90\x80\x80", false }, { "\xc3\xa9\xff", false },
	};
	size_t len = strlen(cases[_i].bytes);
	char text[160];

	for (size_t before = 0; before <= 70; before++) {
		for (size_t behind = 0; behind <= 36; behind++) {
			size_t n = 0;

			text[n++] = '"';
			memset(text + n, 'x', before);
			memcpy(text + n + before, cases[_i].bytes, len);
			memset(text + n + before + len, 'y', behind);
			n += before + len + behind;
			text[n++] = '"';
			ck_assert_int_eq(is_json(text, n, DEPTH), cases[_i].is_good);
			ck_assert(!is_json(text, n - 1, DEPTH));
		}
	}
}
END_TEST

/* The innermost of so many is closed by the wrong bracket, then each around it. */
START_TEST(levels_of_any_number_are_told_apart)
{
	enum { LEVELS = 200 };
	char text[4 * LEVELS + 2 + LEVELS];
	size_t n = 0, innermost;

	for (unsigned i = 0; i < LEVELS; i++) {
		bool is_object = (i * 7 + i / 5) % 3 == 0;

		memcpy(text + n, is_object ? "{\"\":" : "[", is_object ? 4 : 1);
		n += is_object ? 4 : 1;
	}
	text[n++] = '1';
	innermost = n;
	for (unsigned i = LEVELS; i-- > 0;)
		text[n++] = (i * 7 + i / 5) % 3 == 0 ? '}' : ']';
	ck_assert(is_json(text, n, LEVELS));
	ck_assert(!is_json(text, n, LEVELS - 1));
	for (size_t at = innermost; at < n; at++) {
		text[at] ^= '}' ^ ']';
		ck_assert(!is_json(text, n, LEVELS));
		text[at] ^= '}' ^ ']';
	}
}
END_TEST

START_TEST(depth_is_counted_over_all_levels)
{
	static const char *const by_depth[] = {
		"1", "[1,{}]", "{\"message\":{\"a\":1}}", "{\"message\":{\"a\":[[],[]]}}",
		"{\"message\":{\"message\":[{\"b\":[]}]}}",
	};
	static const unsigned depth[] = { 0, 2, 2, 4, 5 };
	const char *text = by_depth[_i];
	struct json_object o, sub;
	struct json_value v;
	struct json_scan s;

	for (unsigned max = 0; max < 7; max++) {
		ck_assert_int_eq(is_json(text, strlen(text), max), max >= depth[_i]);
		json_scan_init(&s, text, strlen(text), max);
		ck_assert_int_eq(json_scan_members(&s, &v, &names, &o, MESSAGE, &sub),
		    max >= depth[_i]);
	}
}
END_TEST

START_TEST(no_depth_is_served_above_1024)
{
	static char text[2 * 1025];

	memset(text, '[', 1024);
	memset(text + 1024, ']', 1024);
	ck_assert(is_json(text, 2048, UINT32_MAX));
	ck_assert(!is_json(text, 2048, 1023));
	memset(text, '[', 1025);
	memset(text + 1025, ']', 1025);
	ck_assert(!is_json(text, 2050, UINT32_MAX));
}
END_TEST

/* After an array an object of the same level: the bit of the level must not stick. */
START_TEST(brackets_of_one_level_may_alternate)
{
	const char good[] = "[[1],{\"a\":1},[2],{\"b\":{}},[[]]]";
	const char bad[] = "[{\"a\":1},[\"a\":1]]";

	ck_assert(is_json(good, sizeof(good) - 1, DEPTH));
	ck_assert(!is_json(bad, sizeof(bad) - 1, DEPTH));
}
END_TEST

static const struct {
	const char *text;
	enum json_kind kind;
} kinds[] = {
	{ "{\"a\":[]}", JSON_OBJECT }, { "[{}]", JSON_ARRAY }, { "\"[]\"", JSON_STRING },
	{ "-0", JSON_NUMBER }, { "0.10", JSON_NUMBER }, { "1e2", JSON_NUMBER },
	{ "18446744073709551616", JSON_NUMBER }, { "true", JSON_TRUE },
	{ "false", JSON_FALSE }, { "null", JSON_NULL }, { "\"\\u0000\\/\\u00E9\"", JSON_STRING },
	{ "[ 1 ,\t2 ]", JSON_ARRAY },
};

/* As a text, as an element, as a member and as the nested member. */
START_TEST(a_value_has_its_kind_and_its_exact_bytes)
{
	struct json_object o, sub;
	struct json_value v;
	struct json_scan s;
	char text[200];

	snprintf(text, sizeof(text), " \n%s\t", kinds[_i].text);
	v = value_of(text);
	ck_assert_int_eq(v.kind, kinds[_i].kind);
	assert_raw(text, v, kinds[_i].text);

	snprintf(text, sizeof(text), "{\"x\":%s, \"a\" : %s ,\"message\":%s}", kinds[_i].text,
	    kinds[_i].text, kinds[_i].text);
	json_scan_init(&s, text, strlen(text), DEPTH);
	ck_assert(json_scan_members(&s, &v, &names, &o, MESSAGE, &sub));
	ck_assert(json_scan_end(&s));
	assert_raw(text, v, text);
	ck_assert_uint_eq(o.n_members, 3);
	ck_assert_int_eq(o.member[A].value.kind, kinds[_i].kind);
	assert_raw(text, o.member[A].value, kinds[_i].text);
	ck_assert_int_eq(o.member[MESSAGE].value.kind, kinds[_i].kind);
	assert_raw(text, o.member[MESSAGE].value, kinds[_i].text);
	ck_assert_uint_eq(o.member[B].seen, 0);
	ck_assert_int_eq(o.member[B].value.kind, JSON_NONE);
}
END_TEST

START_TEST(a_value_that_is_no_object_leaves_every_member_absent)
{
	const char text[] = "[{\"a\":1}]";
	struct json_object o, sub;
	struct json_value v;
	struct json_scan s;

	memset(&o, 0xff, sizeof(o));
	memset(&sub, 0xff, sizeof(sub));
	json_scan_init(&s, text, sizeof(text) - 1, DEPTH);
	ck_assert(json_scan_members(&s, &v, &names, &o, MESSAGE, &sub));
	ck_assert_int_eq(v.kind, JSON_ARRAY);
	for (size_t i = 0; i < names.n; i++) {
		ck_assert_uint_eq(o.member[i].seen, 0);
		ck_assert_int_eq(o.member[i].value.kind, JSON_NONE);
		ck_assert_uint_eq(sub.member[i].seen, 0);
	}
	ck_assert_uint_eq(o.n_members + sub.n_members, 0);
}
END_TEST

START_TEST(the_commas_of_a_member_are_found_across_white_space)
{
	const char text[] = " { \"a\" : 1 , \"x\":[1,2] ,\n\"b\":{\"q\":1,\"r\":2}\t}";
	struct json_object o;
	struct json_value v;
	struct json_scan s;
	uint32_t first = (uint32_t)(strchr(text, ',') - text);
	uint32_t last = (uint32_t)(strchr(text, '\n') - text) - 1;

	json_scan_init(&s, text, sizeof(text) - 1, DEPTH);
	ck_assert(json_scan_members(&s, &v, &names, &o, -1, NULL));
	ck_assert_uint_eq(o.open, 1);
	ck_assert_uint_eq(o.close, sizeof(text) - 2);
	ck_assert_uint_eq(o.n_members, 3);
	ck_assert_uint_eq(o.member[A].name, 3);
	ck_assert_uint_eq(o.member[A].comma_before, 0);
	ck_assert_uint_eq(o.member[A].comma_after, first);
	ck_assert_uint_eq(o.member[B].comma_before, last);
	ck_assert_uint_eq(o.member[B].comma_after, 0);
	ck_assert_int_eq(text[o.member[B].name], '"');
	ck_assert_int_eq(text[o.member[B].name + 1], 'b');
}
END_TEST

static const struct {
	const char *text;
	uint32_t seen;	/* "type" */
} spellings[] = {
	{ "{\"type\":1}", 1 },
	{ "{\"\\u0074ype\":1}", 1 },
	{ "{\"\\u0074\\u0079\\u0070\\u0065\":1}", 1 },
	{ "{\"typ\\u0065\":1}", 1 },
	{ "{\"type\\u0000\":1}", 0 },
	{ "{\"typ\":1}", 0 },
	{ "{\"types\":1}", 0 },
	{ "{\"Type\":1}", 0 },
	{ "{\"\":1}", 0 },
	{ "{\"\\u0000\":1}", 0 },
	{ "{\"\\type\":1}", 0 },
	{ "{\"type\\ud800\":1}", 0 },
	{ "{\"x\":{\"type\":1}}", 0 },
	{ "{\"x\":\"type\"}", 0 },
	{ "{\"type\":1,\"\\u0074ype\":2,\"type\":3}", 3 },
};

START_TEST(names_are_compared_after_unescaping)
{
	const char *text = spellings[_i].text;
	struct json_object o;
	struct json_value v;
	struct json_scan s;

	json_scan_init(&s, text, strlen(text), DEPTH);
	ck_assert(json_scan_members(&s, &v, &names, &o, -1, NULL));
	ck_assert_uint_eq(o.member[TYPE].seen, spellings[_i].seen);
	for (size_t i = 0; i < names.n; i++)
		ck_assert(i == TYPE || o.member[i].seen == 0);
}
END_TEST

START_TEST(the_last_of_several_members_with_one_name_stays)
{
	const char text[] = "{\"message\":{\"a\":1},\"a\":1,\"message\":{\"b\":2},\"\\u0061\":2}";
	struct json_object o, sub;
	struct json_value v;
	struct json_scan s;

	json_scan_init(&s, text, sizeof(text) - 1, DEPTH);
	ck_assert(json_scan_members(&s, &v, &names, &o, MESSAGE, &sub));
	ck_assert_uint_eq(o.n_members, 4);
	ck_assert_uint_eq(o.member[A].seen, 2);
	assert_raw(text, o.member[A].value, "2");
	ck_assert_uint_eq(o.member[A].comma_after, 0);
	ck_assert_int_eq(text[o.member[A].comma_before], ',');
	ck_assert_uint_eq(o.member[MESSAGE].seen, 2);
	assert_raw(text, o.member[MESSAGE].value, "{\"b\":2}");
	ck_assert_uint_eq(sub.member[A].seen, 0);
	ck_assert_uint_eq(sub.member[B].seen, 1);
	assert_raw(text, sub.member[B].value, "2");
	ck_assert_uint_eq(sub.open, o.member[MESSAGE].value.start);
	ck_assert_uint_eq(sub.close, o.member[MESSAGE].value.end - 1);
}
END_TEST

START_TEST(a_last_nested_member_of_another_kind_leaves_nothing_nested)
{
	const char text[] = "{\"message\":{\"a\":1},\"message\":[]}";
	struct json_object o, sub;
	struct json_value v;
	struct json_scan s;

	json_scan_init(&s, text, sizeof(text) - 1, DEPTH);
	ck_assert(json_scan_members(&s, &v, &names, &o, MESSAGE, &sub));
	ck_assert_int_eq(o.member[MESSAGE].value.kind, JSON_ARRAY);
	ck_assert_uint_eq(sub.member[A].seen, 0);
	ck_assert_uint_eq(sub.n_members, 0);
}
END_TEST

START_TEST(only_the_first_level_of_the_nested_member_is_noted)
{
	const char text[] = "{\"message\":{\"message\":{\"a\":1},\"x\":{\"b\":1}},\"b\":2}";
	struct json_object o, sub;
	struct json_value v;
	struct json_scan s;

	json_scan_init(&s, text, sizeof(text) - 1, DEPTH);
	ck_assert(json_scan_members(&s, &v, &names, &o, MESSAGE, &sub));
	ck_assert_uint_eq(sub.n_members, 2);
	ck_assert_uint_eq(sub.member[A].seen + sub.member[B].seen, 0);
	assert_raw(text, sub.member[MESSAGE].value, "{\"a\":1}");
	assert_raw(text, o.member[B].value, "2");
}
END_TEST

START_TEST(elements_are_taken_one_by_one)
{
	const char text[] = " [ 1 , \"a\",{} ] ";
	struct json_value v;
	struct json_scan s;

	json_scan_init(&s, text, sizeof(text) - 1, DEPTH);
	ck_assert(!json_scan_take(&s, '{'));
	ck_assert(json_scan_take(&s, '['));
	ck_assert(json_scan_value(&s, &v));
	assert_raw(text, v, "1");
	ck_assert(json_scan_take(&s, ','));
	ck_assert(json_scan_value(&s, &v));
	assert_raw(text, v, "\"a\"");
	ck_assert(!json_scan_take(&s, ']'));
	ck_assert(json_scan_take(&s, ','));
	ck_assert(json_scan_value(&s, &v));
	assert_raw(text, v, "{}");
	ck_assert(json_scan_take(&s, ']'));
	ck_assert(!json_scan_take(&s, ']'));
	ck_assert(json_scan_end(&s));
}
END_TEST

static const struct {
	const char *json;
	struct text plain;
} strings[] = {
	{ "\"\"", TEXT("") },
	{ "\"login\"", TEXT("login") },
	{ "\"a\\\"b\\\\c\\/d\"", TEXT("a\"b\\c/d") },
	{ "\"\\b\\f\\n\\r\\t\"", TEXT("\b\f\n\r\t") },
	{ "\"x\\u0000y\"", TEXT("x\0y") },
	{ "\"\\u007f\\u0080\\u07ff\"", TEXT("\x7f\xc2\x80\xdf\xbf") },
	{ "\"\\u0800\\uD7FF\\uffff\"", TEXT("\xe0\xa0\x80\xed\x9f\xbf\xef\xbf\xbf") },
	{ "\"\\ud800\\udc00\\uDBFF\\uDFFF\"", TEXT("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf") },
	{ "\"\\ud83d\\ude00!\"", TEXT("\xf0\x9f\x98\x80!") },
	{ "\"\\ud800\"", TEXT("\xef\xbf\xbd") },
	{ "\"\\udc00x\"", TEXT("\xef\xbf\xbdx") },
	{ "\"\\ud800\\ud800\\udc00\"", TEXT("\xef\xbf\xbd\xf0\x90\x80\x80") },
	{ "\"\\ud800\\u0041\"", TEXT("\xef\xbf\xbd" "A") },
	{ "\"\\ud800\\n\"", TEXT("\xef\xbf\xbd\n") },
	{ "\"\xe2\x82\xac\"", TEXT("\xe2\x82\xac") },
};

START_TEST(strings_are_unescaped)
{
	const char *json = strings[_i].json;
	struct text plain = strings[_i].plain;
	struct json_value v = value_of(json);
	struct buf b = { 0 };

	buf_add_char(&b, '>');
	ck_assert(json_string_get(json, v, &b));
	ck_assert_uint_eq(b.len, plain.len + 1);
	ck_assert_mem_eq(b.data + 1, plain.p, plain.len);
	buf_free(&b);

	/* No C string has a NUL inside, so only the others can be named. */
	ck_assert_int_eq(json_string_is(json, v, plain.p), strlen(plain.p) == plain.len);
	ck_assert(!json_string_is(json, v, "no such text"));
}
END_TEST

START_TEST(a_string_is_neither_its_beginning_nor_its_continuation)
{
	const char json[] = "\"lo\\u0067in\"";
	struct json_value v = value_of(json);

	ck_assert(json_string_is(json, v, "login"));
	ck_assert(!json_string_is(json, v, "logi"));
	ck_assert(!json_string_is(json, v, "lo"));
	ck_assert(!json_string_is(json, v, "logins"));
	ck_assert(!json_string_is(json, v, ""));
	ck_assert(!json_string_is("login", (struct json_value){ .end = 5 }, "login"));
}
END_TEST

/* Whatever the pass noted of it, the answer is the same. */
START_TEST(an_escape_is_remembered_at_every_place)
{
	char text[100], plain[50];
	struct json_object o;
	struct json_value v;
	struct json_scan s;

	for (int len = 0; len <= 40; len++) {
		for (int at = -1; at < len; at++) {
			int n = 0;

			memset(plain, 'x', (size_t)len);
			plain[len] = '\0';
			if (at >= 0)
				plain[at] = '\n';
			n = at < 0 ? snprintf(text, sizeof(text), "{\"a\":\"%s\",\"b\":\"\"}", plain) :
			    snprintf(text, sizeof(text), "{\"a\":\"%.*s\\n%s\",\"b\":\"\"}", at, plain,
			    plain + at + 1);
			json_scan_init(&s, text, (size_t)n, DEPTH);
			ck_assert(json_scan_members(&s, &v, &names, &o, -1, NULL));
			ck_assert_int_eq(o.member[A].value.is_plain, at < 0);
			ck_assert(o.member[B].value.is_plain);
			ck_assert(json_string_is(text, o.member[A].value, plain));
			o.member[A].value.is_plain = false;
			ck_assert(json_string_is(text, o.member[A].value, plain));
			plain[len > 0 ? len - 1 : 0] = '!';
			plain[len > 0 ? len : 1] = '\0';
			ck_assert(!json_string_is(text, o.member[A].value, plain));
		}
	}
}
END_TEST

START_TEST(a_name_that_occurs_again_is_noted)
{
	const char text[] = "{\"a\":1,\"type\":2,\"x\":1,\"x\":1,\"\\u0062\":1,\"typ\\u0065\":1,\"b\":1}";
	struct json_object o;
	struct json_value v;
	struct json_scan s;

	json_scan_init(&s, text, sizeof(text) - 1, DEPTH);
	ck_assert(json_scan_members(&s, &v, &names, &o, -1, NULL));
	ck_assert_uint_eq(o.twice, 1U << TYPE | 1U << B);
	json_scan_init(&s, "{\"b\":1}", 7, DEPTH);
	ck_assert(json_scan_members(&s, &v, &names, &o, -1, NULL));
	ck_assert_uint_eq(o.twice, 0);
}
END_TEST

START_TEST(what_is_no_string_gives_no_bytes)
{
	struct buf b = { 0 };

	ck_assert(!json_string_get("[1]", value_of("[1]"), &b));
	ck_assert(!json_string_get("", (struct json_value){ 0 }, &b));
	ck_assert_uint_eq(b.len, 0);
	ck_assert(!json_string_is("12", value_of("12"), ""));
}
END_TEST

static const struct {
	const char *json;
	bool is_u64;
	uint64_t u64;
	double real;
} numbers[] = {
	{ "0", true, 0, 0 },
	{ "7", true, 7, 7 },
	{ "9007199254740991", true, UINT64_C(9007199254740991), 9007199254740991.0 },
	{ "9007199254740992", false, 0, 9007199254740992.0 },
	{ "18446744073709551616", false, 0, 18446744073709551616.0 },
	{ "18446744073709551617000000000000000000000", false, 0, 18446744073709551617e21 },
	{ "-0", false, 0, -0.0 },
	{ "-1", false, 0, -1 },
	{ "1.0", false, 0, 1 },
	{ "0.10", false, 0, 0.1 },
	{ "1e2", false, 0, 100 },
	{ "1E-2", false, 0, 0.01 },
	{ "1e999", false, 0, INFINITY },
	{ "-1e999", false, 0, -INFINITY },
	{ "1e-999", false, 0, 0 },
	{ "0.1000000000000000000000000000000000000000000000000000000000000000000000000", false,
	    0, 0.1 },
};

START_TEST(numbers_have_the_values_javascript_gives_them)
{
	const char *json = numbers[_i].json;
	struct json_value v = value_of(json);
	uint64_t u64 = 42;
	double real;

	ck_assert_int_eq(json_number_u64(json, v, &u64), numbers[_i].is_u64);
	ck_assert_uint_eq(u64, numbers[_i].is_u64 ? numbers[_i].u64 : 42);
	ck_assert(json_number_double(json, v, &real));
	ck_assert(real == numbers[_i].real && signbit(real) == signbit(numbers[_i].real));
}
END_TEST

START_TEST(what_is_no_number_has_no_value)
{
	uint64_t u64;
	double real;

	ck_assert(!json_number_u64("\"1\"", value_of("\"1\""), &u64));
	ck_assert(!json_number_double("\"1\"", value_of("\"1\""), &real));
	ck_assert(!json_number_u64("", (struct json_value){ 0 }, &u64));
	ck_assert(!json_number_double("true", value_of("true"), &real));
}
END_TEST

static const struct {
	const char *json;
	bool is_truthy;
} truths[] = {
	{ "true", true }, { "false", false }, { "null", false }, { "{}", true }, { "[]", true },
	{ "\"\"", false }, { "\"0\"", true }, { "\"\\u0000\"", true }, { "0", false },
	{ "-0", false }, { "0.000", false }, { "0e5", false }, { "1e-999", false },
	{ "1e-300", true }, { "-1", true }, { "1e999", true },
};

START_TEST(truth_is_that_of_javascript)
{
	ck_assert_int_eq(json_is_truthy(truths[_i].json, value_of(truths[_i].json)),
	    truths[_i].is_truthy);
}
END_TEST

START_TEST(an_absent_value_is_not_true)
{
	ck_assert(!json_is_truthy("", (struct json_value){ 0 }));
}
END_TEST

#define ADD_LOOP(tc, test, table) tcase_add_loop_test(tc, test, 0, (int)ARRAY_LEN(table))

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("json_scan");
	TCase *text = tcase_create("text"), *members = tcase_create("members");
	TCase *values = tcase_create("values");

	ADD_LOOP(text, valid_texts_are_accepted, valid);
	ADD_LOOP(text, a_text_cut_anywhere_is_refused, valid);
	ADD_LOOP(text, invalid_texts_are_refused_with_place_and_reason, invalid);
	tcase_add_test(text, a_pass_with_a_fault_finds_nothing_more);
	tcase_add_test(text, a_text_above_the_size_of_offsets_is_refused);
	tcase_add_loop_test(text, a_special_byte_is_seen_at_every_place_of_a_string, 0, 12);
	tcase_add_loop_test(text, a_special_byte_is_seen_at_every_place_of_a_long_string, 0, 2);
	tcase_add_loop_test(text, a_member_is_found_at_any_distance_from_the_end, 0, 8);
	ADD_LOOP(text, a_number_of_any_length_is_judged_alike, digits);
	tcase_add_loop_test(text, utf8_is_judged_alike_at_every_place, 0, 14);
	tcase_add_test(text, levels_of_any_number_are_told_apart);
	tcase_add_loop_test(text, depth_is_counted_over_all_levels, 0, 5);
	tcase_add_test(text, no_depth_is_served_above_1024);
	tcase_add_test(text, brackets_of_one_level_may_alternate);
	tcase_add_test(text, elements_are_taken_one_by_one);
	suite_add_tcase(suite, text);

	ADD_LOOP(members, a_value_has_its_kind_and_its_exact_bytes, kinds);
	tcase_add_test(members, a_value_that_is_no_object_leaves_every_member_absent);
	tcase_add_test(members, the_commas_of_a_member_are_found_across_white_space);
	ADD_LOOP(members, names_are_compared_after_unescaping, spellings);
	tcase_add_test(members, the_last_of_several_members_with_one_name_stays);
	tcase_add_test(members, a_last_nested_member_of_another_kind_leaves_nothing_nested);
	tcase_add_test(members, only_the_first_level_of_the_nested_member_is_noted);
	tcase_add_test(members, a_name_that_occurs_again_is_noted);
	suite_add_tcase(suite, members);

	ADD_LOOP(values, strings_are_unescaped, strings);
	tcase_add_test(values, a_string_is_neither_its_beginning_nor_its_continuation);
	tcase_add_test(values, an_escape_is_remembered_at_every_place);
	tcase_add_test(values, what_is_no_string_gives_no_bytes);
	ADD_LOOP(values, numbers_have_the_values_javascript_gives_them, numbers);
	tcase_add_test(values, what_is_no_number_has_no_value);
	ADD_LOOP(values, truth_is_that_of_javascript, truths);
	tcase_add_test(values, an_absent_value_is_not_true);
	suite_add_tcase(suite, values);
	return suite;
}

UNIT_MAIN_STATELESS(make_suite)
