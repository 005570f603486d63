/* SPDX-License-Identifier: ISC */
/*
 * json_splice: members replaced, removed and inserted, all else byte for byte.
 */
#include "codec/json_splice.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define DEPTH 8

enum { A, B, C, IN };

static const char *const name_table[] = { "a", "b", "c", "in" };
static const struct json_names names = { ARRAY_LEN(name_table), name_table };

#define SET(n, v) { .name = n, .value = v, .len = sizeof(v) - 1 }
#define REMOVE(n) { .name = n }

/* Both ways of splicing, into memory of exactly the size that the result has. */
static void
assert_spliced(const char *text, const struct json_object *o, const struct json_edit *edits,
    size_t n, const char *want)
{
	size_t len = strlen(want);
	struct buf b = { 0 };
	char *out = malloc(len);

	buf_add_char(&b, '>');
	json_splice_add(&b, text, o, &names, edits, n);
	ck_assert_msg(b.len == len + 1 && memcmp(b.data + 1, want, len) == 0,
	    "%s became %.*s, not %s", text, (int)b.len - 1, b.data + 1, want);
	ck_assert_uint_le(len, json_splice_room(o, &names, edits, n));
	ck_assert_uint_eq(json_splice(out, text, o, &names, edits, n), len);
	ck_assert_mem_eq(out, want, len);
	buf_free(&b);
	free(out);
}

static void
scan(const char *text, struct json_object *o, struct json_object *in)
{
	struct json_value v;
	struct json_scan s;

	json_scan_init(&s, text, strlen(text), DEPTH);
	ck_assert(json_scan_members(&s, &v, &names, o, IN, in));
	ck_assert(json_scan_end(&s));
	ck_assert_int_eq(v.kind, JSON_OBJECT);
}

static const struct {
	const char *text;
	struct json_edit edits[4];
	size_t n;
	const char *want;
} cases[] = {
	/* Nothing to do. */
	{ "{}", { { 0 } }, 0, "{}" },
	{ " { \"a\" : 1 } ", { { 0 } }, 0, "{ \"a\" : 1 }" },
	{ "{\"x\":0.10}", { REMOVE(A), REMOVE(B) }, 2, "{\"x\":0.10}" },

	/* Replaced where it stands. */
	{ "{\"a\":1}", { SET(A, "\"new\"") }, 1, "{\"a\":\"new\"}" },
	{ "{ \"a\"\t:\n1 ,\"x\":1e2}", { SET(A, "{}") }, 1, "{ \"a\"\t:\n{} ,\"x\":1e2}" },
	{ "{\"x\":-0,\"\\u0061\":[1]}", { SET(A, "2") }, 1, "{\"x\":-0,\"\\u0061\":2}" },
	{ "{\"b\":1,\"x\":\"\\u0000\",\"a\":2}", { SET(A, "3"), SET(B, "4") }, 2,
	    "{\"b\":4,\"x\":\"\\u0000\",\"a\":3}" },

	/* Inserted before the closing brace. */
	{ "{}", { SET(A, "1") }, 1, "{\"a\":1}" },
	{ "{ \n}", { SET(A, "1") }, 1, "{ \n\"a\":1}" },
	{ "{}", { SET(C, "1"), SET(A, "2"), SET(B, "3") }, 3, "{\"c\":1,\"a\":2,\"b\":3}" },
	{ "{\"x\":18446744073709551616}", { SET(A, "1") }, 1,
	    "{\"x\":18446744073709551616,\"a\":1}" },
	{ "{\"x\":1 } ", { SET(A, "1"), SET(B, "2") }, 2, "{\"x\":1 ,\"a\":1,\"b\":2}" },

	/* Removed: the only one, the first, the last, one between. */
	{ "{\"a\":1}", { REMOVE(A) }, 1, "{}" },
	{ "{ \"a\" : 1 }", { REMOVE(A) }, 1, "{  }" },
	{ "{\"a\":1,\"x\":2}", { REMOVE(A) }, 1, "{\"x\":2}" },
	{ "{\"x\":2,\"a\":1}", { REMOVE(A) }, 1, "{\"x\":2}" },
	{ "{\"x\":1,\"a\":1,\"y\":2}", { REMOVE(A) }, 1, "{\"x\":1,\"y\":2}" },
	{ "{ \"x\" : 1 , \"a\" : 1 , \"y\" : 2 }", { REMOVE(A) }, 1,
	    "{ \"x\" : 1 ,  \"y\" : 2 }" },
	{ "{ \"x\" : 1 , \"a\" : 1 }", { REMOVE(A) }, 1, "{ \"x\" : 1  }" },

	/* Removed neighbours. */
	{ "{\"a\":1,\"b\":2,\"x\":3}", { REMOVE(A), REMOVE(B) }, 2, "{\"x\":3}" },
	{ "{\"x\":3,\"a\":1,\"b\":2}", { REMOVE(A), REMOVE(B) }, 2, "{\"x\":3}" },
	{ "{\"x\":3,\"b\":1,\"a\":2}", { REMOVE(A), REMOVE(B) }, 2, "{\"x\":3}" },
	{ "{\"x\":3,\"a\":1,\"b\":2,\"y\":4}", { REMOVE(A), REMOVE(B) }, 2,
	    "{\"x\":3,\"y\":4}" },
	{ "{\"a\":1,\"b\":2}", { REMOVE(A), REMOVE(B) }, 2, "{}" },
	{ "{ \"a\" : 1 , \"b\" : 2 , \"c\" : 3 }", { REMOVE(C), REMOVE(A), REMOVE(B) }, 3,
	    "{    }" },
	{ "{\"a\":1,\"x\":3,\"b\":2}", { REMOVE(A), REMOVE(B) }, 2, "{\"x\":3}" },
	{ "{\"a\":1,\"x\":3,\"b\":2,\"c\":4}", { REMOVE(A), REMOVE(B), REMOVE(C) }, 3,
	    "{\"x\":3}" },

	/* All together. */
	{ "{\"a\":1,\"b\":2,\"c\":3}", { REMOVE(A), SET(B, "9"), REMOVE(C) }, 3, "{\"b\":9}" },
	{ "{\"b\":2,\"a\":1}", { REMOVE(A), SET(B, "9"), SET(C, "8") }, 3,
	    "{\"b\":9,\"c\":8}" },
	{ "{\"a\":1}", { SET(C, "8"), REMOVE(A) }, 2, "{\"c\":8}" },
	{ "{\"a\":1,\"b\":2}", { REMOVE(B), SET(C, "8"), REMOVE(A), SET(IN, "{}") }, 4,
	    "{\"c\":8,\"in\":{}}" },

	/* Other names may be doubled, and names inside values are no members. */
	{ "{\"x\":1,\"x\":2,\"a\":{\"a\":1,\"b\":2}}", { REMOVE(B), SET(C, "1") }, 2,
	    "{\"x\":1,\"x\":2,\"a\":{\"a\":1,\"b\":2},\"c\":1}" },
	{ "{\"a\":1,\"a\":2,\"b\":3}", { REMOVE(B) }, 1, "{\"a\":1,\"a\":2}" },
};

START_TEST(edits_change_their_members_and_no_other_byte)
{
	struct json_object o, in;

	scan(cases[_i].text, &o, &in);
	assert_spliced(cases[_i].text, &o, cases[_i].edits, cases[_i].n, cases[_i].want);
}
END_TEST

/* What the order of the edits is must not matter to members that are there. */
START_TEST(edits_come_in_any_order)
{
	static const char text[] = "{ \"a\":1, \"x\":0, \"b\":2, \"c\":3 }";
	static const int order[6][3] = {
		{ A, B, C }, { A, C, B }, { B, A, C }, { B, C, A }, { C, A, B }, { C, B, A },
	};
	struct json_edit edits[3] = { { 0 } };
	struct json_object o, in;

	for (size_t i = 0; i < 3; i++)
		edits[i].name = order[_i][i];
	scan(text, &o, &in);
	assert_spliced(text, &o, edits, 3, "{  \"x\":0 }");
}
END_TEST

static const struct {
	const char *text;
	struct json_edit edits[2];
	size_t n;
	const char *want;
} nested[] = {
	{ "{\"x\":1,\"in\":{\"a\":1},\"y\":2}", { SET(B, "2") }, 1,
	    "{\"x\":1,\"in\":{\"a\":1,\"b\":2},\"y\":2,\"c\":0}" },
	{ "{\"in\" : { \"a\":1 , \"x\":0.10 } }", { REMOVE(A) }, 1,
	    "{\"in\" : {  \"x\":0.10 } ,\"c\":0}" },
	{ "{\"in\":{}}", { SET(A, "[]"), SET(IN, "1") }, 2,
	    "{\"in\":{\"a\":[],\"in\":1},\"c\":0}" },
	{ "{\"c\":9,\"in\":{ \"b\":1 }}", { REMOVE(B) }, 1, "{\"c\":0,\"in\":{  }}" },
	{ "{\"c\":9,\"in\":{}}", { { 0 } }, 0, "{\"c\":0,\"in\":{}}" },
};

START_TEST(a_nested_object_is_edited_where_it_stands)
{
	const char *text = nested[_i].text;
	struct json_object o, in;
	struct json_edit edits[] = {
		SET(C, "0"),
		{ .name = IN, .object = &in, .edits = nested[_i].edits,
		    .n_edits = nested[_i].n },
	};

	scan(text, &o, &in);
	assert_spliced(text, &o, edits, ARRAY_LEN(edits), nested[_i].want);
}
END_TEST

/* Names and tokens need no escapes, and get their quotes while they are copied. */
START_TEST(a_bare_string_gets_its_quotes)
{
	static const struct json_edit edits[] = {
		{ .name = A, .value = "x", .len = 1, .is_bare = true },
		{ .name = C, .value = "", .len = 0, .is_bare = true },
	};
	const char *text = "{\"a\":1,\"b\":2}";
	struct json_object o, in;

	scan(text, &o, &in);
	assert_spliced(text, &o, edits, ARRAY_LEN(edits), "{\"a\":\"x\",\"b\":2,\"c\":\"\"}");
}
END_TEST

/* The object may stand anywhere in the text, as that of an event does. */
START_TEST(only_the_object_is_written)
{
	static const char text[] = "[\"e\",{\"a\":1},2]";
	static const struct json_edit edits[] = { SET(A, "7") };
	struct json_object o;
	struct json_value v;
	struct json_scan s;

	json_scan_init(&s, text, sizeof(text) - 1, DEPTH);
	ck_assert(json_scan_take(&s, '['));
	ck_assert(json_scan_value(&s, &v));
	ck_assert(json_scan_take(&s, ','));
	ck_assert(json_scan_members(&s, &v, &names, &o, -1, NULL));
	assert_spliced(text, &o, edits, 1, "{\"a\":7}");
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("json_splice");
	TCase *tc = tcase_create("splice");

	tcase_add_loop_test(tc, edits_change_their_members_and_no_other_byte, 0,
	    (int)ARRAY_LEN(cases));
	tcase_add_loop_test(tc, edits_come_in_any_order, 0, 6);
	tcase_add_loop_test(tc, a_nested_object_is_edited_where_it_stands, 0,
	    (int)ARRAY_LEN(nested));
	tcase_add_test(tc, a_bare_string_gets_its_quotes);
	tcase_add_test(tc, only_the_object_is_written);
	suite_add_tcase(suite, tc);
	return suite;
}

UNIT_MAIN_STATELESS(make_suite)
