/* SPDX-License-Identifier: ISC */
/*
 * query: the object that Node, and so Express, makes of a query string.
 */
#include "codec/query.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/compiler.h"
#include "codec/json_scan.h"
#include "unit.h"

static const struct {
	const char *text, *json;
} cases[] = {
	{ "", "{}" },
	{ "&&", "{}" },
	{ "=", "{\"\":\"\"}" },
	{ "=x", "{\"\":\"x\"}" },
	{ "a", "{\"a\":\"\"}" },
	{ "a=", "{\"a\":\"\"}" },
	{ "a=1&b=two", "{\"a\":\"1\",\"b\":\"two\"}" },
	{ "&a=1&&b=2&", "{\"a\":\"1\",\"b\":\"2\"}" },
	{ "a=b=c", "{\"a\":\"b=c\"}" },
	{ "a=x+y%20z%2B", "{\"a\":\"x y z+\"}" },
	{ "a+b=1", "{\"a b\":\"1\"}" },
	{ "%C3%BC=%22%5C%0a", "{\"\xc3\xbc\":\"\\\"\\\\\\u000a\"}" },
	{ "\xc3\xbc=\xe2\x82\xac", "{\"\xc3\xbc\":\"\xe2\x82\xac\"}" },
	/* A '%' that means nothing stands for itself. */
	{ "a=%&b=%4&c=%zz&d=%%41&e=%4z%41", "{\"a\":\"%\",\"b\":\"%4\",\"c\":\"%zz\","
	    "\"d\":\"%A\",\"e\":\"%4zA\"}" },
	{ "x=%E0%A4%A", "{\"x\":\"\xef\xbf\xbd%A\"}" },
	/* One U+FFFD for as many bytes as could have become a character. */
	{ "a=%ff+", "{\"a\":\"\xef\xbf\xbd \"}" },
	{ "a=%e0%80", "{\"a\":\"\xef\xbf\xbd\xef\xbf\xbd\"}" },
	{ "a=%f0%9f%98", "{\"a\":\"\xef\xbf\xbd\"}" },
	{ "a=%f0%9f%98%c3%bc", "{\"a\":\"\xef\xbf\xbd\xc3\xbc\"}" },
	{ "a=%ed%a0%80%f0%9f%98%80",
	    "{\"a\":\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xf0\x9f\x98\x80\"}" },
	/* A name that comes again makes a list; brackets mean nothing. */
	{ "a=1&a=2", "{\"a\":[\"1\",\"2\"]}" },
	{ "a=1&b=x&a=2&a=3", "{\"a\":[\"1\",\"2\",\"3\"],\"b\":\"x\"}" },
	{ "a=1&%61=2", "{\"a\":[\"1\",\"2\"]}" },
	{ "%ff=1&%fe=2", "{\"\xef\xbf\xbd\":[\"1\",\"2\"]}" },
	{ "a[b]=2", "{\"a[b]\":\"2\"}" },
	{ "d[]=1&d[]=2&k[0]=z", "{\"d[]\":[\"1\",\"2\"],\"k[0]\":\"z\"}" },
	{ "a%5Bb%5D=1&a[b=c]=1", "{\"a[b]\":\"1\",\"a[b\":\"c]=1\"}" },
	{ "__proto__=1&toString=2", "{\"__proto__\":\"1\",\"toString\":\"2\"}" },
};

static void
check(const char *text, size_t len, const char *json)
{
	struct buf b = { 0 };
	struct json_value v;

	query_add_json(&b, text, len);
	ck_assert_msg(json_scan_text(b.data, b.len, 16, &v), "%.*s", (int)b.len, b.data);
	ck_assert_str_eq(buf_str(&b), json);
	buf_free(&b);
}

START_TEST(a_query_becomes_an_object)
{
	check(cases[_i].text, strlen(cases[_i].text), cases[_i].json);
}
END_TEST

START_TEST(a_nul_is_a_character_like_any_other)
{
	check("a%00=b%00", 9, "{\"a\\u0000\":\"b\\u0000\"}");
}
END_TEST

START_TEST(pairs_above_the_limit_are_left_out)
{
	struct buf text = { 0 }, b = { 0 };
	char last[32];

	for (int i = 0; i < 2 * QUERY_PAIRS_MAX; i++)
		buf_printf(&text, "n%d=%d&", i, i);
	query_add_json(&b, text.data, text.len);
	snprintf(last, sizeof(last), "\"n%d\":", QUERY_PAIRS_MAX - 1);
	ck_assert_ptr_nonnull(strstr(buf_str(&b), last));
	snprintf(last, sizeof(last), "\"n%d\":", QUERY_PAIRS_MAX);
	ck_assert_ptr_null(strstr(buf_str(&b), last));
	buf_free(&text);
	buf_free(&b);
}
END_TEST

START_TEST(parts_that_are_empty_count_as_pairs)
{
	struct buf text = { 0 };

	for (int i = 0; i < QUERY_PAIRS_MAX - 1; i++)
		buf_add_char(&text, '&');
	buf_add_str(&text, "a=1&b=2");
	check(text.data, text.len, "{\"a\":\"1\"}");
	buf_free(&text);
}
END_TEST

/* Texts of many pairs, and the longest that one head or body may have. */
enum shape { SHAPE_LIST, SHAPE_NAMES, SHAPE_MIXED, SHAPE_LONG, SHAPE_BAD, SHAPE_N };

static void
write_shape(struct buf *b, int shape)
{
	if (shape == SHAPE_MIXED)
		buf_add_str(b, "a[x]=1");
	for (int i = 0; i < QUERY_PAIRS_MAX && shape < SHAPE_LONG; i++)
		buf_printf(b, shape == SHAPE_NAMES ? "&a%d" : "&a[]", i);
	for (int i = 0; i < 300000 && shape == SHAPE_LONG; i++)
		buf_add_str(b, "%41");
	for (int i = 0; i < 300000 && shape == SHAPE_BAD; i++)
		buf_add_str(b, "%e0");
}

/*
 * Linear, these take milliseconds of the processor even with sanitizers; a loop over
 * what is there for each pair took seconds.
 */
START_TEST(no_text_takes_long)
{
	struct buf text = { 0 }, b = { 0 };
	clock_t start;

	write_shape(&text, _i);
	start = clock();
	for (int i = 0; i < 10; i++) {
		query_add_json(&b, text.data, text.len);
		buf_reset(&b, SIZE_MAX);
	}
	ck_assert_msg(clock() - start < 2 * CLOCKS_PER_SEC, "shape %d: %.1f s", _i,
	    (double)(clock() - start) / CLOCKS_PER_SEC);
	buf_free(&text);
	buf_free(&b);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("query");
	TCase *tc = tcase_create("core");

	tcase_add_loop_test(tc, a_query_becomes_an_object, 0, (int)ARRAY_LEN(cases));
	tcase_add_test(tc, a_nul_is_a_character_like_any_other);
	tcase_add_test(tc, pairs_above_the_limit_are_left_out);
	tcase_add_test(tc, parts_that_are_empty_count_as_pairs);
	tcase_add_loop_test(tc, no_text_takes_long, 0, SHAPE_N);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(suite)
