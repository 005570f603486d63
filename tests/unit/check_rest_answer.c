/* SPDX-License-Identifier: ISC */
/*
 * rest_answer, rest_headers and rest_group: replies as HTTP answers.
 */
#include "front/rest_answer.h"

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "codec/envelope.h"
#include "front/rest_group.h"
#include "request/reply.h"
#include "unit.h"

#define NODE_ERROR "{\"error\":\"E\",\"code\":\"%s\",\"status\":{\"code\":%d}," \
		    "\"disconnect\":true,\"by\":\"n\",\"request\":\"r\",\"ran\":\"no\"}"

/* A final whose message is this text; "": it has none. */
static struct reply
reply_of(const char *message, struct json_object *body)
{
	struct reply r = { .is_final = true, .text = message };
	struct json_scan scan;

	json_scan_init(&scan, message, strlen(message), 32);
	if (message[0] == '\0')
		return r;
	ck_assert(json_scan_members(&scan, &r.message, &envelope_names, body, -1, NULL));
	r.body = r.message.kind == JSON_OBJECT ? body : NULL;
	return r;
}

static void
answer(struct rest_answer *a, const struct rest_style *style, const char *message)
{
	struct json_object body;
	struct reply r = reply_of(message, &body);

	*a = (struct rest_answer){ 0 };
	rest_answer_from_reply(a, style, &r);
}

static const struct {
	const char *message;
	const char *token;
	int status;
	const char *body;
} cases[] = {
	{ "", NULL, 200, "{}" },
	{ "{}", NULL, 200, "{}" },
	{ "{}", "T", 200, "{\"token\":\"T\"}" },
	{ "{\"n\":0.10, \"token\":\"x\",\"ms_requestId\":7}", "T", 200,
	    "{\"n\":0.10, \"token\":\"T\"}" },
	{ "{\"token\":\"x\",\"n\":1e2}", NULL, 200, "{\"n\":1e2}" },
	{ "[1,2]", NULL, 200, "{\"results\":[1,2]}" },
	{ "[1,2]", "T", 200, "{\"results\":[1,2],\"token\":\"T\"}" },
	{ "\"text\"", NULL, 200, "\"text\"" },
	{ "null", NULL, 200, "null" },
	{ "{\"error\":null,\"a\":1}", NULL, 200, "{\"error\":null,\"a\":1}" },
	{ "{\"error\":\"\",\"a\":1}", NULL, 200, "{\"error\":\"\",\"a\":1}" },
	{ "{\"error\":\"E\"}", "T", 400, "{\"error\":\"E\"}" },
	{ "{\"error\":\"E\",\"status\":{\"code\":418},\"more\":1}", NULL, 418,
	    "{\"error\":\"E\"}" },
	{ "{\"error\":\"E\",\"status\":{\"code\":\"404\"}}", NULL, 404, "{\"error\":\"E\"}" },
	{ "{\"error\":\"E\",\"status\":{\"code\":204}}", NULL, 400, "{\"error\":\"E\"}" },
	{ "{\"error\":\"E\",\"status\":{\"code\":99}}", NULL, 400, "{\"error\":\"E\"}" },
	{ "{\"error\":\"E\",\"status\":{\"code\":1000}}", NULL, 400, "{\"error\":\"E\"}" },
	{ "{\"error\":\"E\",\"status\":500}", NULL, 400, "{\"error\":\"E\"}" },
	{ "{\"error\":{\"x\":1}}", NULL, 400, "{\"error\":{\"x\":1}}" },
	{ "{\"error\":{\"response\":{\"y\":2}},\"status\":{\"code\":422}}", NULL, 422,
	    "{\"y\":2}" },
	{ "{\"error\":{\"response\":0}}", NULL, 400, "{\"error\":{\"response\":0}}" },
};

START_TEST(a_message_becomes_a_status_and_a_body)
{
	struct rest_style style = { .node = "n", .token = cases[_i].token, .token_len = 1 };
	struct rest_answer a;

	answer(&a, &style, cases[_i].message);
	ck_assert_int_eq(a.status, cases[_i].status);
	ck_assert_str_eq(buf_str(&a.body), cases[_i].body);
	ck_assert_uint_eq(a.extra.len, 0);
	rest_answer_cleanup(&a);
}
END_TEST

static const struct {
	const char *code;
	int ours, qewds;
} errors[] = {
	{ "invalid_token", 401, 400 }, { "token_expired", 401, 400 }, { "no_handler", 404, 400 },
	{ "not_allowed", 403, 403 }, { "link_down", 503, 503 }, { "timeout", 504, 504 },
	{ "too_big", 413, 413 }, { "handler_error", 500, 500 },
};

START_TEST(an_error_of_a_node_is_shown_whole_or_as_qewd_does)
{
	struct rest_style style = { .node = "n" };
	struct rest_answer a;
	char text[256];

	snprintf(text, sizeof(text), NODE_ERROR, errors[_i].code, errors[_i].ours);
	answer(&a, &style, text);
	ck_assert_int_eq(a.status, errors[_i].ours);
	ck_assert_ptr_nonnull(strstr(buf_str(&a.body), errors[_i].code));
	ck_assert_ptr_null(strstr(buf_str(&a.body), "disconnect"));
	rest_answer_cleanup(&a);
	style.errors_qewd = true;
	answer(&a, &style, text);
	ck_assert_int_eq(a.status, errors[_i].qewds);
	ck_assert_str_eq(buf_str(&a.body), "{\"error\":\"E\"}");
	rest_answer_cleanup(&a);
}
END_TEST

START_TEST(an_error_before_the_request_is_of_the_same_form)
{
	struct rest_style style = { .node = "n" };
	struct rest_answer a = { 0 };

	rest_answer_from_error(&a, &style, ERR_NO_ROUTE, "text", 404);
	ck_assert_int_eq(a.status, 404);
	ck_assert_ptr_nonnull(strstr(buf_str(&a.body), "{\"error\":\"text\",\"code\":\"no_route\","
	    "\"status\":{\"code\":404},\"by\":\"n\",\"request\":\""));
	rest_answer_cleanup(&a);
	style.errors_qewd = true;
	rest_answer_from_error(&a, &style, ERR_NO_ROUTE, "text", 404);
	ck_assert_int_eq(a.status, 400);
	ck_assert_str_eq(buf_str(&a.body), "{\"error\":\"text\"}");
	rest_answer_cleanup(&a);
}
END_TEST

START_TEST(a_member_that_is_there_twice_counts_for_nothing)
{
	struct rest_style style = { .node = "n" };
	struct rest_answer a;

	answer(&a, &style, "{\"qewd_response_headers\":{},\"a\":1,\"qewd_response_headers\":{}}");
	ck_assert_int_eq(a.status, 500);
	rest_answer_cleanup(&a);
}
END_TEST

START_TEST(qewds_bare_error_is_one)
{
	static const char text[] = "{\"error\":\"E\"}";
	struct rest_style style = { .node = "n" };
	struct rest_answer a = { 0 };
	struct json_object top;
	struct json_value v;
	struct json_scan scan;
	struct reply r = { .is_final = true, .is_error = true, .text = text, .top = &top };

	json_scan_init(&scan, text, strlen(text), 4);
	ck_assert(json_scan_members(&scan, &v, &envelope_names, &top, -1, NULL));
	rest_answer_from_reply(&a, &style, &r);
	ck_assert_int_eq(a.status, 400);
	ck_assert_str_eq(buf_str(&a.body), text);
	rest_answer_cleanup(&a);
}
END_TEST

START_TEST(a_list_of_an_application_itself_stays_one)
{
	struct rest_style style = { .node = "n", .keeps_lists = true };
	struct rest_answer a;

	answer(&a, &style, "[1]");
	ck_assert_str_eq(buf_str(&a.body), "[1]");
	rest_answer_cleanup(&a);
}
END_TEST

/* Header lines a handler asks for, and those it gets. */
static const struct {
	const char *headers, *lines, *type;
} headers[] = {
	{ "{}", "", "" },
	{ "{\"X-A\":\"b\"}", "X-A: b\r\n", "" },
	{ "{\"X-A\":1.50,\"X-B\":true}", "X-A: 1.50\r\nX-B: true\r\n", "" },
	{ "{\"Set-Cookie\":[\"a=1\",\"b=2\"]}", "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n", "" },
	{ "{\"content-TYPE\":\"text/csv\"}", "", "text/csv" },
	{ "{\"X-A\":\"a\\u0009b\"}", "X-A: a\tb\r\n", "" },
	{ "{\"X-A\":\"a\\r\\nX-B: 1\"}", "", "" },
	{ "{\"X-A\":\"a\\nb\"}", "", "" },
	{ "{\"X-A\":\"a\\u0000b\"}", "", "" },
	{ "{\"X-A\":\"\\u007f\"}", "", "" },
	{ "{\"X-A\":[\"a\",\"b\\rc\",null,{}]}", "X-A: a\r\n", "" },
	{ "{\"X A\":\"b\",\"X:A\":\"b\",\"\":\"b\",\"X\\r\\nA\":\"b\","
	    "\"\xc3\xbc\":\"b\"}", "", "" },
	{ "{\"X-A\":null,\"X-B\":{},\"X-C\":[]}", "", "" },
	{ "{\"Content-Length\":5,\"transfer-encoding\":\"chunked\",\"Connection\":\"close\","
	    "\"Keep-Alive\":\"1\",\"Upgrade\":\"x\",\"TE\":\"x\",\"Trailer\":\"x\","
	    "\"Content-Encoding\":\"gzip\",\"Date\":\"x\",\"X-ResponseTime\":\"x\"}", "", "" },
	{ "{\"X-A\":\"\\u00e9\"}", "X-A: \xc3\xa9\r\n", "" },
};

START_TEST(header_lines_are_checked)
{
	struct rest_style style = { .node = "n" };
	struct rest_answer a;
	char text[512];

	snprintf(text, sizeof(text), "{\"qewd_response_headers\":%s,\"x\":1}", headers[_i].headers);
	answer(&a, &style, text);
	ck_assert_str_eq(buf_str(&a.extra), headers[_i].lines);
	ck_assert_str_eq(buf_str(&a.type), headers[_i].type);
	ck_assert_str_eq(buf_str(&a.body), "{\"x\":1}");
	rest_answer_cleanup(&a);
}
END_TEST

START_TEST(lines_have_a_greatest_number_and_length)
{
	struct rest_style style = { .node = "n" };
	struct buf text = { 0 };
	struct rest_answer a;
	size_t n = 0;

	buf_add_str(&text, "{\"qewd_response_headers\":{\"X-Long\":\"");
	for (int i = 0; i < 9000; i++)
		buf_add_char(&text, 'x');
	buf_add_char(&text, '"');
	for (int i = 0; i < 100; i++)
		buf_printf(&text, ",\"X-%d\":1", i);
	buf_add_str(&text, "}}");
	answer(&a, &style, buf_str(&text));
	for (size_t i = 0; i < a.extra.len; i++)
		n += a.extra.data[i] == '\n';
	ck_assert_uint_eq(n, 64);
	ck_assert_ptr_null(strstr(buf_str(&a.extra), "Long"));
	rest_answer_cleanup(&a);
	buf_free(&text);
}
END_TEST

static const struct {
	const char *wish, *line;
} cookies[] = {
	{ "{}", "Set-Cookie: JSESSIONID=T; path=/\r\n" },
	{ "true", "Set-Cookie: JSESSIONID=T; path=/\r\n" },
	{ "{\"name\":\"SID\",\"directives\":[\"path=/x\",\"HttpOnly\"]}",
	    "Set-Cookie: SID=T; path=/x; HttpOnly\r\n" },
	{ "{\"name\":\"a b\",\"directives\":[\"x\\r\\nY: 1\",5]}", "Set-Cookie: JSESSIONID=T\r\n" },
	{ "{\"name\":\"a=b\"}", "Set-Cookie: JSESSIONID=T; path=/\r\n" },
};

START_TEST(a_token_moves_into_a_cookie)
{
	struct rest_style style = { .node = "n", .token = "T", .token_len = 1 };
	struct rest_answer a;
	char text[256];

	snprintf(text, sizeof(text), "{\"token\":\"T\",\"ok\":true,\"qewd_send_jwt_as_cookie\":%s}",
	    cookies[_i].wish);
	answer(&a, &style, text);
	ck_assert_str_eq(buf_str(&a.extra), cookies[_i].line);
	ck_assert_str_eq(buf_str(&a.body), "{\"ok\":true}");
	rest_answer_cleanup(&a);
	style.token = NULL;
	answer(&a, &style, text);
	ck_assert_uint_eq(a.extra.len, 0);
	ck_assert_str_eq(buf_str(&a.body), "{\"ok\":true}");
	rest_answer_cleanup(&a);
}
END_TEST

#define DOWN "{\"error\":\"down\",\"code\":\"link_down\",\"status\":{\"code\":503},\"by\":\"n\"," \
	     "\"request\":\"r\",\"ran\":\"no\"}"

static const struct {
	const char *a, *b;
	int ours, qewds;
	const char *body;		/* with QEWD's errors */
} groups[] = {
	{ "{\"x\":1,\"token\":\"t\"}", "{\"y\":2,\"token\":\"u\"}", 200, 200,
	    "{\"results\":{\"a\":{\"x\":1},\"b\":{\"y\":2}},\"token\":\"T\"}" },
	{ "{\"x\":1}", "{\"error\":\"E\"}", 200, 200,
	    "{\"results\":{\"a\":{\"x\":1},\"b\":{\"error\":\"E\"}},\"token\":\"T\"}" },
	{ "{\"x\":1}", DOWN, 200, 200, "{\"results\":{\"a\":{\"x\":1},"
	    "\"b\":{\"error\":\"down\",\"status\":{\"code\":503}}},\"token\":\"T\"}" },
	{ "[1]", "{\"ms_requestId\":4}", 200, 200,
	    "{\"results\":{\"a\":{\"results\":[1]},\"b\":{}},\"token\":\"T\"}" },
	{ "{\"error\":\"E\"}", "{\"error\":\"E\"}", 400, 400, "{\"error\":\"E\"}" },
	{ "{\"error\":\"E\"}", "{\"error\":\"F\"}", 400, 400, "{\"error\":{\"destinations\":"
	    "{\"a\":{\"error\":\"E\"},\"b\":{\"error\":\"F\"}}}}" },
	{ "{\"error\":\"E\",\"status\":{\"code\":404}}",
	    "{\"error\":\"E\",\"status\":{\"code\":404}}",
	    404, 400, "{\"error\":\"E\"}" },
	{ "{\"error\":\"E\",\"status\":{\"code\":404}}",
	    "{\"error\":\"E\",\"status\":{\"code\":403}}",
	    400, 400, "{\"error\":\"E\"}" },
	{ DOWN, DOWN, 503, 400, "{\"error\":\"down\"}" },
};

static void
answer_group(struct rest_answer *a, const struct rest_style *style, const char *first,
    const char *second)
{
	struct rest_group *g = rest_group_new(style, 2);
	struct json_object body;
	struct reply r;
	char name[] = "b";

	rest_group_set_name(g, 0, "a");
	rest_group_set_name(g, 1, name);
	name[0] = 'x';	/* the group has its own */
	/* The order in which they come does not matter. */
	r = reply_of(second, &body);
	rest_group_add(g, 1, &r, NULL, 0);
	r = reply_of(first, &body);
	rest_group_add(g, 0, &r, "T", 1);
	*a = (struct rest_answer){ 0 };
	rest_group_answer(g, a);
	rest_group_free(g);
}

START_TEST(the_answers_of_a_group_become_one)
{
	struct rest_style style = { .node = "n" };
	struct rest_answer a;

	answer_group(&a, &style, groups[_i].a, groups[_i].b);
	ck_assert_int_eq(a.status, groups[_i].ours);
	rest_answer_cleanup(&a);
	style.errors_qewd = true;
	answer_group(&a, &style, groups[_i].a, groups[_i].b);
	ck_assert_int_eq(a.status, groups[_i].qewds);
	ck_assert_str_eq(buf_str(&a.body), groups[_i].body);
	rest_answer_cleanup(&a);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("rest_answer");
	TCase *tc = tcase_create("core");

	tcase_add_loop_test(tc, a_message_becomes_a_status_and_a_body, 0, (int)ARRAY_LEN(cases));
	tcase_add_loop_test(tc, an_error_of_a_node_is_shown_whole_or_as_qewd_does, 0,
	    (int)ARRAY_LEN(errors));
	tcase_add_test(tc, an_error_before_the_request_is_of_the_same_form);
	tcase_add_test(tc, a_member_that_is_there_twice_counts_for_nothing);
	tcase_add_test(tc, qewds_bare_error_is_one);
	tcase_add_test(tc, a_list_of_an_application_itself_stays_one);
	tcase_add_loop_test(tc, header_lines_are_checked, 0, (int)ARRAY_LEN(headers));
	tcase_add_test(tc, lines_have_a_greatest_number_and_length);
	tcase_add_loop_test(tc, a_token_moves_into_a_cookie, 0, (int)ARRAY_LEN(cookies));
	tcase_add_loop_test(tc, the_answers_of_a_group_become_one, 0, (int)ARRAY_LEN(groups));
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(suite)
