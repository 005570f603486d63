/* SPDX-License-Identifier: ISC */
/*
 * query: the object that Express makes of a query string.
 */
#include "codec/query.h"

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "codec/json_scan.h"
#include "unit.h"

static const struct {
	const char *text, *json;
} cases[] = {
	{ "", "{}" },
	{ "&&", "{}" },
	{ "=x", "{}" },
	{ "a", "{\"a\":\"\"}" },
	{ "a=", "{\"a\":\"\"}" },
	{ "a=1&b=two", "{\"a\":\"1\",\"b\":\"two\"}" },
	{ "a=b=c", "{\"a\":\"b=c\"}" },
	{ "a=x+y%20z%2B", "{\"a\":\"x y z+\"}" },
	{ "a+b=1", "{\"a b\":\"1\"}" },
	{ "%C3%BC=%22%5C%0a", "{\"\xc3\xbc\":\"\\\"\\\\\\u000a\"}" },
	{ "a=%zz&b=%ff+", "{\"a\":\"%zz\",\"b\":\"%ff \"}" },
	{ "a=1&a=2", "{\"a\":[\"1\",\"2\"]}" },
	{ "a=1&a=2&a=3", "{\"a\":[\"1\",\"2\",\"3\"]}" },
	{ "a[]=1", "{\"a\":[\"1\"]}" },
	{ "a[]=1&a[]=2&a=3", "{\"a\":[\"1\",\"2\",\"3\"]}" },
	{ "a=1&a[]=2", "{\"a\":[\"1\",\"2\"]}" },
	{ "a[1]=y&a[0]=x", "{\"a\":[\"x\",\"y\"]}" },
	{ "a[20]=x", "{\"a\":[\"x\"]}" },
	{ "a[21]=x", "{\"a\":{\"21\":\"x\"}}" },
	{ "a[01]=x", "{\"a\":{\"01\":\"x\"}}" },
	{ "a[0]=x&a[b]=y", "{\"a\":{\"0\":\"x\",\"b\":\"y\"}}" },
	{ "a[b]=1&a[c]=2", "{\"a\":{\"b\":\"1\",\"c\":\"2\"}}" },
	{ "a[b]=1&a[b]=2", "{\"a\":{\"b\":[\"1\",\"2\"]}}" },
	{ "a[b]=1&a[]=2&a[]=3", "{\"a\":{\"b\":\"1\",\"0\":\"2\",\"1\":\"3\"}}" },
	{ "a[b]=1&a=c&a=b", "{\"a\":{\"b\":\"1\",\"c\":true}}" },
	{ "a[b]=1&a=c&a[c]=2", "{\"a\":{\"b\":\"1\",\"c\":[true,\"2\"]}}" },
	{ "a[b]=1&a=__proto__&a=1&a[x]=1&a=2&a[y]=2",
	    "{\"a\":{\"b\":\"1\",\"1\":true,\"x\":\"1\",\"2\":true,\"y\":\"2\"}}" },
	{ "a[b][c]=1&a[b][d][]=2", "{\"a\":{\"b\":{\"c\":\"1\",\"d\":[\"2\"]}}}" },
	{ "a[0][b]=1&a[1][b]=2", "{\"a\":[{\"b\":\"1\"},{\"b\":\"2\"}]}" },
	{ "a%5Bb%5D=1", "{\"a\":{\"b\":\"1\"}}" },
	{ "[a]=1", "{\"a\":\"1\"}" },
	{ "a[b=1", "{\"a[b\":\"1\"}" },
	{ "a]b=1", "{\"a]b\":\"1\"}" },
	{ "a[b]c=1", "{\"a\":{\"b\":\"1\"}}" },
	{ "a[b=c]=1", "{\"a\":{\"b=c\":\"1\"}}" },
	{ "a[b][c][d][e][f][g][h]=1",
	    "{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":{\"f\":{\"[g][h]\":\"1\"}}}}}}}" },
	{ "__proto__=1&a[__proto__]=2&__proto__[x]=3&a[constructor][prototype]=4&toString=5",
	    "{}" },
	{ "%5f_proto__[x]=1&hasOwnProperty[]=1&b=2", "{\"b\":\"2\"}" },
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

/* Also: with so many the time is still short. */
START_TEST(pairs_above_the_limit_are_left_out)
{
	struct buf text = { 0 }, b = { 0 };
	char last[32];

	for (int i = 0; i < 2 * QUERY_PAIRS_MAX; i++)
		buf_printf(&text, "a[n%d]=%d&", i, i);
	query_add_json(&b, text.data, text.len);
	snprintf(last, sizeof(last), "\"n%d\":", QUERY_PAIRS_MAX - 1);
	ck_assert_ptr_nonnull(strstr(buf_str(&b), last));
	snprintf(last, sizeof(last), "\"n%d\":", QUERY_PAIRS_MAX);
	ck_assert_ptr_null(strstr(buf_str(&b), last));
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
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(suite)
