/* SPDX-License-Identifier: ISC */
/*
 * rest_message: what handlers get of an HTTP request.
 */
#include "front/rest_message.h"

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "conf/conf.h"
#include "front/rest_route.h"
#include "unit.h"

static struct conf_rest_route route = { .path = (char *)"/api/user/:id" };

/* A message of a request with these lines, taking the route; NULL: none can be made. */
static char *
message_of(const char *method, const char *target, const char *lines, const char *body)
{
	struct rest_match match = { .kind = REST_ROUTE, .route = &route };
	struct rest_recipient to = { "app", "T\"", 2, 7 };
	struct path_template *t;
	struct http_head head;
	struct buf text = { 0 }, out = { 0 };
	const char *fault;
	struct rest_source s = { .head = &head, .match = &match, .address = "192.0.2.1" };

	buf_printf(&text, "%s %s HTTP/1.1\r\nHost: h\r\n%s\r\n", method, target, lines);
	ck_assert_int_eq(http_parse_request(&head, text.data, text.len), 0);
	t = path_template_new(route.path, &fault);
	ck_assert(path_template_match(t, head.path.p, head.path.len, &match.vars));
	s.body_kind = rest_body_kind(&head);
	s.body = body;
	s.body_len = strlen(body);
	if (!rest_message_write(&out, &s, &to))
		ck_assert_uint_eq(out.len, 0);
	path_template_free(t);
	buf_free(&text);
	if (out.len > 0)
		return buf_take(&out);
	buf_free(&out);
	return NULL;
}

START_TEST(all_of_a_request_is_in_its_message)
{
	char *m = message_of("PUT", "/api/user/a%2Fb?x=1", "X-A: 1\r\nContent-Length: 9\r\n"
	    "Content-Type: application/json\r\n", "{\"n\":0.10}");

	ck_assert_str_eq(m, "{\"application\":\"app\",\"type\":\"restRequest\","
	    "\"pathTemplate\":\"/api/user/:id\",\"args\":{\"id\":\"a/b\"},"
	    "\"params\":{\"type\":\"user\",\"0\":\"a/b\"},\"path\":\"/api/user/a%2Fb?x=1\","
	    "\"method\":\"PUT\",\"headers\":{\"host\":\"h\",\"x-a\":\"1\",\"content-length\":\"9\","
	    "\"content-type\":\"application/json\"},\"query\":{\"x\":\"1\"},\"body\":{\"n\":0.10},"
	    "\"ip\":\"192.0.2.1\",\"ips\":[],\"token\":\"T\\\"\",\"jwt\":true,\"ms_requestId\":7}");
	free(m);
}
END_TEST

/* Lines of a head, and what of its headers handlers get. */
static const struct {
	const char *lines, *headers;
} headers[] = {
	{ "", "{\"host\":\"h\"}" },
	{ "X-A: 1\r\nx-a: 2\r\n", "{\"host\":\"h\",\"x-a\":\"1, 2\"}" },
	{ "Cookie: a=1\r\nCookie: b=2\r\n", "{\"host\":\"h\",\"cookie\":\"a=1; b=2\"}" },
	{ "User-Agent: a\r\nUser-Agent: b\r\n", "{\"host\":\"h\",\"user-agent\":\"a\"}" },
	{ "QEWD: ajax\r\nProxy-Authorization: x\r\nX: \"\\\r\n",
	    "{\"host\":\"h\",\"x\":\"\\\"\\\\\"}" },
	{ "__proto__: 1\r\n", "{\"host\":\"h\",\"__proto__\":\"1\"}" },
};

START_TEST(headers_are_as_node_gives_them)
{
	char *m = message_of("GET", "/api/user/1", headers[_i].lines, "");
	char want[256];

	snprintf(want, sizeof(want), "\"headers\":%s,\"query\":{}", headers[_i].headers);
	ck_assert_msg(strstr(m, want) != NULL, "%s in %s", want, m);
	ck_assert_ptr_null(strstr(m, "\"body\""));
	free(m);
}
END_TEST

START_TEST(a_head_is_a_get)
{
	char *m = message_of("HEAD", "/api/user/1/", "", "");

	ck_assert_ptr_nonnull(strstr(m, "\"method\":\"GET\""));
	ck_assert_ptr_nonnull(strstr(m, "\"params\":{\"type\":\"user\",\"0\":\"1/\"}"));
	free(m);
	route.method = (char *)"HEAD";
	m = message_of("HEAD", "/api/user/1", "", "");
	ck_assert_ptr_nonnull(strstr(m, "\"method\":\"HEAD\""));
	route.method = NULL;
	free(m);
}
END_TEST

START_TEST(a_path_that_cannot_be_decoded_makes_no_message)
{
	ck_assert_ptr_null(message_of("GET", "/api/user/%zz", "", ""));
}
END_TEST

static const struct {
	const char *lines;
	enum rest_body kind;
} kinds[] = {
	{ "", REST_BODY_NONE },
	{ "Content-Type: text/plain\r\n", REST_BODY_NONE },
	{ "Content-Length: 0\r\nContent-Type: text/plain\r\n", REST_BODY_NONE },
	{ "Content-Length: 1\r\n", REST_BODY_OTHER },
	{ "Content-Length: 1\r\nContent-Type: text/plain\r\n", REST_BODY_OTHER },
	{ "Content-Length: 1\r\nContent-Type: application/json\r\n", REST_BODY_JSON },
	{ "Transfer-Encoding: chunked\r\nContent-Type: Application/JSON\r\n", REST_BODY_JSON },
	{ "Content-Length: 1\r\nContent-Type: application/json ; charset=\"UTF-8\"\r\n",
	    REST_BODY_JSON },
	{ "Content-Length: 1\r\nContent-Type: application/json;v=1; charset=utf-8\r\n",
	    REST_BODY_JSON },
	{ "Content-Length: 1\r\nContent-Type: application/json; charset=latin1\r\n",
	    REST_BODY_OTHER },
	{ "Content-Length: 1\r\nContent-Type: application/json; charset=\r\n", REST_BODY_OTHER },
	{ "Content-Length: 1\r\nContent-Type: application/jsonp\r\n", REST_BODY_OTHER },
	{ "Content-Length: 1\r\nContent-Type: application/x-www-form-urlencoded\r\n",
	    REST_BODY_FORM },
};

START_TEST(a_body_is_json_or_a_form)
{
	struct http_head head;
	struct buf text = { 0 };

	buf_printf(&text, "POST /x HTTP/1.1\r\nHost: h\r\n%s\r\n", kinds[_i].lines);
	ck_assert_int_eq(http_parse_request(&head, text.data, text.len), 0);
	ck_assert_int_eq(rest_body_kind(&head), kinds[_i].kind);
	buf_free(&text);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("rest_message");
	TCase *tc = tcase_create("core");

	tcase_add_test(tc, all_of_a_request_is_in_its_message);
	tcase_add_loop_test(tc, headers_are_as_node_gives_them, 0, (int)ARRAY_LEN(headers));
	tcase_add_test(tc, a_head_is_a_get);
	tcase_add_test(tc, a_path_that_cannot_be_decoded_makes_no_message);
	tcase_add_loop_test(tc, a_body_is_json_or_a_form, 0, (int)ARRAY_LEN(kinds));
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(suite)
