/* SPDX-License-Identifier: ISC */
#include "codec/usher_member.h"

#include <string.h>

#include "base/compiler.h"
#include "unit.h"

static bool
decode(struct usher_member *u, const char *text)
{
	struct json_value v;

	ck_assert(json_scan_text(text, strlen(text), 16, &v));
	return usher_member_decode(u, text, v);
}

START_TEST(a_request_comes_back_as_it_was)
{
	struct usher_call u = { .id = 7, .deadline_ms = UINT64_C(9007199254740991), .hops = 8,
		.trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		.client_address = "2001:db8::1", .client_socket = "a\"\\b" };
	struct usher_member back;
	struct buf b = { 0 };

	usher_member_encode_request(&b, &u);
	ck_assert_str_eq(buf_str(&b), "{\"id\":7,\"deadline_ms\":9007199254740991,\"hops\":8,"
	    "\"trace\":\"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\","
	    "\"client\":{\"address\":\"2001:db8::1\",\"socket\":\"a\\\"\\\\b\"}}");
	ck_assert(decode(&back, b.data));
	ck_assert(back.has_id && back.has_deadline && !back.is_link);
	ck_assert_uint_eq(back.id, u.id);
	ck_assert_uint_eq(back.deadline_ms, u.deadline_ms);
	ck_assert_uint_eq(back.hops, u.hops);
	ck_assert_str_eq(back.trace, u.trace);
	ck_assert_str_eq(back.client_address, u.client_address);
	ck_assert_str_eq(back.client_socket, u.client_socket);
	buf_free(&b);
}
END_TEST

START_TEST(a_reply_carries_the_id_alone)
{
	struct buf b = { 0 };

	usher_member_encode_reply(&b, 42);
	ck_assert_str_eq(buf_str(&b), "{\"id\":42}");
	buf_free(&b);
}
END_TEST

static bool
is_id(const char *text, uint64_t *id)
{
	struct json_value v;

	ck_assert(json_scan_text(text, strlen(text), 16, &v));
	return usher_member_is_id(text, v, id);
}

START_TEST(an_id_alone_is_known_at_sight)
{
	static const char *const others[] = {
		"{\"id\":1.5}", "{\"id\":-1}", "{\"id\":1e2}", "{\"id\": 1}", "{\"id\":1,\"hops\":2}",
		"{\"id\":\"1\"}", "{\"id\":[]}", "{\"ie\":1}", "{}", "7", "\"{id:1}\"",
		"{\"id\":9007199254740993}", " {\"id\":1 } ",
	};
	uint64_t id;

	ck_assert(is_id("{\"id\":0}", &id) && id == 0);
	ck_assert(is_id("{\"id\":42}", &id) && id == 42);
	ck_assert(is_id(" {\"id\":123456789012345} ", &id) && id == UINT64_C(123456789012345));
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		ck_assert_msg(!is_id(others[i], &id), "%s", others[i]);
}
END_TEST

START_TEST(an_announcement_comes_back_as_it_was)
{
	struct usher_member u;
	struct buf b = { 0 };

	usher_member_encode_announcement(&b, "node \"a\"", "pr-oo_f", false);
	ck_assert_str_eq(buf_str(&b), "{\"link\":1,\"node\":\"node \\\"a\\\"\","
	    "\"proof\":\"pr-oo_f\"}");
	ck_assert(decode(&u, b.data));
	ck_assert(u.is_link);
	ck_assert_str_eq(u.node, "node \"a\"");
	ck_assert_str_eq(u.proof, "pr-oo_f");
	ck_assert(!u.is_further);
	buf_free(&b);
}
END_TEST

START_TEST(an_announcement_says_of_a_further_link_that_it_is_one)
{
	struct usher_member u;
	struct buf b = { 0 };

	usher_member_encode_announcement(&b, "a", "p", true);
	ck_assert_str_eq(buf_str(&b), "{\"link\":1,\"node\":\"a\",\"proof\":\"p\",\"further\":true}");
	ck_assert(decode(&u, b.data));
	ck_assert(u.is_link && u.is_further);
	buf_free(&b);
}
END_TEST

START_TEST(an_answer_says_how_much_the_node_takes)
{
	struct usher_member u;
	struct buf b = { 0 };

	usher_member_encode_answer(&b, "n", 1000000);
	ck_assert_str_eq(buf_str(&b), "{\"link\":1,\"node\":\"n\",\"message\":1000000}");
	ck_assert(decode(&u, b.data));
	ck_assert(u.is_link);
	ck_assert_uint_eq(u.message_max, 1000000);
	buf_free(&b);
}
END_TEST

static const struct {
	struct push_target to;
	uint64_t hops;
	const char *json;
} pushes[] = {
	{ { PUSH_SOCKET, "S-1" }, 0, "{\"push\":{\"socket\":\"S-1\"},\"hops\":0}" },
	{ { PUSH_APPLICATION, "a \"b\"" }, 8,
	    "{\"push\":{\"application\":\"a \\\"b\\\"\"},\"hops\":8}" },
	{ { PUSH_ALL, "" }, 1, "{\"push\":{\"all\":true},\"hops\":1}" },
};

START_TEST(a_push_comes_back_as_it_was)
{
	struct usher_member u;
	struct buf b = { 0 };

	usher_member_encode_push(&b, &pushes[_i].to, pushes[_i].hops);
	ck_assert_str_eq(buf_str(&b), pushes[_i].json);
	ck_assert(decode(&u, b.data));
	ck_assert_int_eq(u.push.kind, pushes[_i].to.kind);
	ck_assert_str_eq(u.push.text, pushes[_i].to.text);
	ck_assert_uint_eq(u.hops, pushes[_i].hops);
	ck_assert(!u.has_id && !u.is_link);
	buf_free(&b);
}
END_TEST

static const char *const no_objects[] = { "null", "1", "\"x\"", "[{\"link\":1}]", "true" };

START_TEST(what_is_no_object_is_refused)
{
	struct usher_member u;

	ck_assert(!decode(&u, no_objects[_i]));
	ck_assert(!u.is_link && !u.has_id);
}
END_TEST

START_TEST(an_absent_member_is_refused)
{
	struct usher_member u;

	ck_assert(!usher_member_decode(&u, "{}", (struct json_value){ .kind = JSON_NONE }));
}
END_TEST

/* The member inside a longer text: offsets count from its beginning. */
START_TEST(is_read_where_it_stands)
{
	static const char text[] = "{\"x\":[1,2,3],\"usher\": {\"id\":5} }";
	struct json_value v = { .kind = JSON_OBJECT, .start = 22, .end = 30 };
	struct usher_member u;

	ck_assert_int_eq(text[v.start], '{');
	ck_assert(usher_member_decode(&u, text, v));
	ck_assert_uint_eq(u.id, 5);
}
END_TEST

/* Of each, what is not as it must be counts as absent. */
static const char *const odd[] = {
	"{}",
	"{\"link\":2,\"id\":\"7\",\"deadline_ms\":-1,\"hops\":1.5,\"node\":7}",
	"{\"link\":\"1\",\"id\":1e3,\"deadline_ms\":null,\"trace\":[],\"client\":\"x\"}",
	"{\"link\":true,\"id\":9007199254740992,\"proof\":\"a\\u0000b\",\"node\":\"a\\nb\"}",
	"{\"push\":true,\"hops\":null}", "{\"push\":{}}", "{\"push\":{\"socket\":\"\"}}",
	"{\"push\":{\"all\":true,\"socket\":\"S\"}}", "{\"client\":{\"push\":{\"all\":true}}}",
	"{\"client\":{\"address\":\"\\u0007\",\"socket\":{}},\"usher\":{\"id\":1}}",
	"{\"node\":\"0123456789012345678901234567890123456789012345678901234567890123"
	    "0123456789012345678901234567890123456789012345678901234567890123\","
	    "\"proof\":\"0123456789012345678901234567890123456789012345678901234567890123\"}",
};

START_TEST(what_does_not_fit_counts_as_absent)
{
	struct usher_member u;

	ck_assert(decode(&u, odd[_i]));
	ck_assert(!u.is_link && !u.has_id && !u.has_deadline);
	ck_assert_uint_eq(u.hops, 0);
	ck_assert_int_eq(u.push.kind, PUSH_NONE);
	ck_assert_str_eq(u.node, "");
	ck_assert_str_eq(u.proof, "");
	ck_assert_str_eq(u.trace, "");
	ck_assert_str_eq(u.client_address, "");
	ck_assert_str_eq(u.client_socket, "");
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("usher_member");
	TCase *tc = tcase_create("usher_member");

	tcase_add_test(tc, a_request_comes_back_as_it_was);
	tcase_add_test(tc, a_reply_carries_the_id_alone);
	tcase_add_test(tc, an_id_alone_is_known_at_sight);
	tcase_add_test(tc, an_announcement_comes_back_as_it_was);
	tcase_add_test(tc, an_announcement_says_of_a_further_link_that_it_is_one);
	tcase_add_test(tc, an_answer_says_how_much_the_node_takes);
	tcase_add_loop_test(tc, a_push_comes_back_as_it_was, 0, ARRAY_LEN(pushes));
	tcase_add_loop_test(tc, what_is_no_object_is_refused, 0, ARRAY_LEN(no_objects));
	tcase_add_test(tc, an_absent_member_is_refused);
	tcase_add_test(tc, is_read_where_it_stands);
	tcase_add_loop_test(tc, what_does_not_fit_counts_as_absent, 0, ARRAY_LEN(odd));
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
