/* SPDX-License-Identifier: ISC */
/*
 * handler_msg: lines of a handler read, lines of the daemon written.
 */
#include "codec/handler_msg.h"

#include <string.h>

#include "codec/envelope.h"
#include "codec/json_splice.h"
#include "unit.h"

#define DEPTH 6

static enum err
decode(struct handler_msg *m, const char *line)
{
	return handler_msg_decode(m, line, strlen(line), DEPTH);
}

static void
assert_raw(const struct handler_msg *m, struct json_value v, const char *want)
{
	ck_assert_int_ne(v.kind, JSON_NONE);
	ck_assert_uint_eq(v.end - v.start, strlen(want));
	ck_assert_mem_eq(m->text + v.start, want, strlen(want));
}

static const struct {
	const char *line;
	enum handler_op op;
	bool has_id;
	uint64_t id;
} lines[] = {
	{ "{\"op\":\"ready\"}", HANDLER_READY, false, 0 },
	{ "{\"op\":\"ready\",\"types\":[\"a\"],\"concurrency\":4,\"cancel\":true}", HANDLER_READY,
	    false, 0 },
	{ "{\"op\":\"unready\"}", HANDLER_UNREADY, false, 0 },
	{ "{\"op\":\"send\",\"id\":0}", HANDLER_SEND, true, 0 },
	{ "{\"op\":\"finish\",\"id\":9007199254740991}", HANDLER_FINISH, true,
	    UINT64_C(9007199254740991) },
	{ " { \"id\" : 7 , \"\\u006fp\" : \"f\\u0061il\" } \r", HANDLER_FAIL, true, 7 },
	{ "{\"op\":\"log\"}", HANDLER_LOG, false, 0 },
	{ "{\"op\":\"log\",\"id\":3}", HANDLER_LOG, true, 3 },
	{ "{\"op\":\"log\",\"id\":null}", HANDLER_LOG, false, 0 },
	{ "{\"op\":\"call\",\"id\":3,\"call\":1,\"application\":\"a\",\"type\":\"t\"}",
	    HANDLER_CALL, true, 3 },
	{ "{\"op\":\"push\",\"to\":{\"all\":true},\"type\":\"t\"}", HANDLER_PUSH, false, 0 },
	{ "{\"op\":\"push\",\"id\":8,\"to\":{\"all\":true},\"type\":\"t\"}", HANDLER_PUSH, true,
	    8 },
	{ "{\"op\":\"pong\"}", HANDLER_PONG, false, 0 },
	{ "{\"op\":\"pung\",\"id\":{}}", HANDLER_UNKNOWN, false, 0 },
	{ "{\"op\":\"\"}", HANDLER_UNKNOWN, false, 0 },
	{ "{\"op\":\"READY\"}", HANDLER_UNKNOWN, false, 0 },
	{ "{\"op\":\"readyy\",\"kit\":1}", HANDLER_UNKNOWN, false, 0 },
	{ "{\"op\":\"send\",\"id\":1,\"session\":1,\"kit\":1,\"x\":1,\"x\":2}", HANDLER_SEND,
	    true, 1 },
	{ "{\"op\":\"send\",\"op\":\"ready\"}", HANDLER_READY, false, 0 },
};

START_TEST(a_line_has_its_op_and_id)
{
	struct handler_msg m;

	ck_assert_int_eq(decode(&m, lines[_i].line), ERR_NONE);
	ck_assert_int_eq(m.op, lines[_i].op);
	ck_assert_int_eq(m.op_name.kind, JSON_STRING);
	ck_assert_int_eq(m.has_id, lines[_i].has_id);
	ck_assert_uint_eq(m.id, lines[_i].id);
	ck_assert_int_eq(m.session.kind, JSON_NONE);
	ck_assert_int_eq(m.kit.kind, JSON_NONE);
	ck_assert_ptr_null(m.fault);
}
END_TEST

#define CALL(rest) "{\"op\":\"call\",\"id\":1" rest "}"
#define PUSH(rest) "{\"op\":\"push\",\"to\":" rest "}"
#define NEEDS	   "a call needs \"application\" and \"type\""
#define NO_TARGET  "\"to\" is no socket, application or all"

static const struct {
	const char *line;
	const char *fault;
} bad_lines[] = {
	{ "", "the text ends too early" },
	{ "hello", "expected a value" },
	{ "[]", "not an object" },
	{ "\"ready\"", "not an object" },
	{ "{\"op\":\"ready\"} {}", "something follows the value" },
	{ "{\"op\":\"ready\",}", "expected a string" },
	{ "{\"op\":\"log\",\"text\":\"\xc3\"}", "a string is not UTF-8" },
	{ "{\"op\":\"send\",\"id\":1,\"message\":[[[[[[]]]]]]}", "nested too deep" },
	{ "{}", "no \"op\"" },
	{ "{\"op\":1}", "no \"op\"" },
	{ "{\"op\":null}", "no \"op\"" },
	{ "{\"message\":{\"op\":\"ready\"}}", "no \"op\"" },
	{ "{\"op\":\"send\"}", "no \"id\"" },
	{ "{\"op\":\"finish\",\"message\":{\"id\":1}}", "no \"id\"" },
	{ "{\"op\":\"fail\",\"id\":null}", "no \"id\"" },
	{ "{\"op\":\"finish\",\"id\":\"1\"}", "\"id\" is no request's number" },
	{ "{\"op\":\"finish\",\"id\":-1}", "\"id\" is no request's number" },
	{ "{\"op\":\"finish\",\"id\":1.0}", "\"id\" is no request's number" },
	{ "{\"op\":\"finish\",\"id\":1e2}", "\"id\" is no request's number" },
	{ "{\"op\":\"finish\",\"id\":18446744073709551616}", "\"id\" is no request's number" },
	{ "{\"op\":\"log\",\"id\":true}", "\"id\" is no request's number" },
	{ "{\"op\":\"pong\",\"id\":{}}", "\"id\" is no request's number" },
	{ "{\"op\":\"ready\",\"kit\":1}", "\"kit\" is no string" },
	{ "{\"op\":\"ready\",\"types\":\"a\"}", "\"types\" is no array" },
	{ "{\"op\":\"ready\",\"types\":[\"a\",null]}",
	    "\"types\" holds something that is no string" },
	{ "{\"op\":\"ready\",\"concurrency\":0}", "\"concurrency\" is no positive number" },
	{ "{\"op\":\"ready\",\"concurrency\":-1}", "\"concurrency\" is no positive number" },
	{ "{\"op\":\"ready\",\"concurrency\":1.5}", "\"concurrency\" is no positive number" },
	{ "{\"op\":\"ready\",\"concurrency\":\"4\"}", "\"concurrency\" is no positive number" },
	{ "{\"op\":\"unready\",\"reason\":{}}", "\"reason\" is no string" },
	{ "{\"op\":\"send\",\"id\":1,\"type\":1}", "\"type\" is no string" },
	{ "{\"op\":\"finish\",\"id\":1,\"session\":[]}", "\"session\" is no object" },
	{ "{\"op\":\"finish\",\"id\":1,\"secret\":{}}", "\"secret\" is no array" },
	{ "{\"op\":\"finish\",\"id\":1,\"secret\":[1]}",
	    "\"secret\" holds something that is no string" },
	{ "{\"op\":\"finish\",\"id\":1,\"secret\":[\"a\",[\"b\"]]}",
	    "\"secret\" holds something that is no string" },
	{ "{\"op\":\"fail\",\"id\":1,\"error\":{}}", "\"error\" is no string" },
	{ "{\"op\":\"fail\",\"id\":1,\"code\":404}", "\"code\" is no string" },
	{ "{\"op\":\"fail\",\"id\":1,\"status\":\"404\"}", "\"status\" is no number" },
	{ "{\"op\":\"fail\",\"id\":1,\"status\":{\"code\":404}}", "\"status\" is no number" },
	{ "{\"op\":\"call\",\"call\":1,\"application\":\"a\",\"type\":\"t\"}", "no \"id\"" },
	{ CALL(""), "no \"call\" number" },
	{ CALL(",\"call\":null,\"application\":\"a\",\"type\":\"t\""), "no \"call\" number" },
	{ CALL(",\"call\":\"1\",\"application\":\"a\",\"type\":\"t\""), "no \"call\" number" },
	{ CALL(",\"call\":1.5,\"application\":\"a\",\"type\":\"t\""), "no \"call\" number" },
	{ CALL(",\"call\":1,\"application\":\"a\""), NEEDS },
	{ CALL(",\"call\":1,\"type\":\"t\""), NEEDS },
	{ CALL(",\"call\":1,\"application\":\"a\",\"type\":null"), NEEDS },
	{ CALL(",\"call\":1,\"application\":{},\"type\":\"t\""), "\"application\" is no string" },
	{ CALL(",\"call\":1,\"application\":\"a\",\"type\":2"), "\"type\" is no string" },
	{ CALL(",\"call\":1,\"application\":\"a\",\"type\":\"t\",\"message\":[]"),
	    "the \"message\" of a call is no object" },
	{ CALL(",\"call\":1,\"application\":\"a\",\"type\":\"t\",\"message\":null"),
	    "the \"message\" of a call is no object" },
	{ CALL(",\"call\":1,\"application\":\"a\",\"type\":\"t\","
	    "\"message\":{\"type\":1,\"type\":2}"),
	    "a name of the protocol occurs twice in \"message\"" },
	{ PUSH("{\"all\":true}"), "a push needs \"type\"" },
	{ PUSH("{\"all\":true},\"type\":{}"), "\"type\" is no string" },
	{ "{\"op\":\"push\",\"type\":\"t\"}", NO_TARGET },
	{ PUSH("null,\"type\":\"t\""), NO_TARGET },
	{ PUSH("\"all\",\"type\":\"t\""), NO_TARGET },
	{ PUSH("{\"all\":true,\"socket\":\"S\"},\"type\":\"t\""), NO_TARGET },
	{ PUSH("{\"all\":true},\"type\":\"t\",\"message\":{\"usher\":1,\"usher\":2}"),
	    "a name of the protocol occurs twice in \"message\"" },
	{ "{\"op\":\"log\",\"level\":1}", "\"level\" is no string" },
	{ "{\"op\":\"log\",\"text\":[]}", "\"text\" is no string" },
	{ "{\"op\":\"send\",\"id\":1,\"message\":{\"error\":1,\"e\\u0072ror\":2}}",
	    "a name of the protocol occurs twice in \"message\"" },
	{ "{\"op\":\"finish\",\"id\":1,\"message\":{\"token\":1,\"x\":2,\"token\":1}}",
	    "a name of the protocol occurs twice in \"message\"" },
};

START_TEST(a_bad_line_is_refused_with_a_reason)
{
	struct handler_msg m;

	ck_assert_int_eq(decode(&m, bad_lines[_i].line), ERR_BAD_LINE);
	ck_assert_str_eq(m.fault, bad_lines[_i].fault);
}
END_TEST

START_TEST(a_message_passes_byte_for_byte)
{
	static const char *const messages[] = {
		"{ \"x\":0.10 ,\"y\":[1e2,18446744073709551616,-0],\"\\u0074\":\"\\u0000\\/\"\t}",
		"[ 1 ]", "\"\\ud800\"", "-0", "true", "false", "null", "{}",
	};
	struct handler_msg m;
	struct buf line = { 0 };

	buf_printf(&line, "{\"op\":\"%s\",\"id\":5, \"message\" : %s , \"type\":\"a\\u0062\"}",
	    _i % 2 == 0 ? "send" : "finish", messages[_i / 2]);
	ck_assert_int_eq(decode(&m, buf_str(&line)), ERR_NONE);
	assert_raw(&m, m.message, messages[_i / 2]);
	ck_assert_int_eq(m.type.kind, _i % 2 == 0 ? JSON_STRING : JSON_NONE);
	buf_free(&line);
}
END_TEST

START_TEST(an_absent_message_is_none)
{
	struct handler_msg m;

	ck_assert_int_eq(decode(&m, "{\"op\":\"finish\",\"id\":1}"), ERR_NONE);
	ck_assert_int_eq(m.message.kind, JSON_NONE);
	ck_assert_uint_eq(m.body.n_members, 0);
	ck_assert_int_eq(decode(&m, "{\"op\":\"fail\",\"id\":1,\"message\":{\"x\":1,\"x\":2}}"),
	    ERR_NONE);
	ck_assert_int_eq(m.message.kind, JSON_NONE);
}
END_TEST

/* What is noted in a message serves to splice it with the names of envelopes. */
START_TEST(a_message_can_be_spliced)
{
	static const char line[] = "{\"op\":\"finish\",\"id\":1,\"message\":"
	    "{\"op\":1,\"token\":2, \"op\":3,\"error\":4}}";
	static const struct json_edit edits[] = {
		{ .name = ENV_TOKEN, .value = "\"t\"", .len = 3 },
		{ .name = ENV_ERROR },
		{ .name = ENV_MS_REQUEST_ID, .value = "1e2", .len = 3 },
	};
	struct buf out = { 0 };
	struct handler_msg m;

	ck_assert_int_eq(decode(&m, line), ERR_NONE);
	ck_assert_uint_eq(m.body.n_members, 4);
	json_splice_add(&out, line, &m.body, &envelope_names, edits, ARRAY_LEN(edits));
	ck_assert_str_eq(buf_str(&out),
	    "{\"op\":1,\"token\":\"t\", \"op\":3,\"ms_requestId\":1e2}");
	buf_free(&out);
}
END_TEST

START_TEST(each_op_has_its_fields)
{
	struct handler_msg m;

	ck_assert_int_eq(decode(&m, "{\"op\":\"ready\",\"kit\":\"python/1\",\"reason\":1}"),
	    ERR_NONE);
	assert_raw(&m, m.kit, "\"python/1\"");
	ck_assert_int_eq(m.reason.kind, JSON_NONE);

	ck_assert_int_eq(decode(&m, "{\"op\":\"unready\",\"reason\":\"full\"}"), ERR_NONE);
	assert_raw(&m, m.reason, "\"full\"");

	ck_assert_int_eq(decode(&m, "{\"op\":\"finish\",\"id\":1,\"session\":{\"timeout\":5},"
	    "\"secret\":[\"a\", \"b\"]}"), ERR_NONE);
	assert_raw(&m, m.session, "{\"timeout\":5}");
	assert_raw(&m, m.secret, "[\"a\", \"b\"]");

	ck_assert_int_eq(decode(&m, "{\"op\":\"finish\",\"id\":1,\"secret\":[ ]}"), ERR_NONE);
	assert_raw(&m, m.secret, "[ ]");

	ck_assert_int_eq(decode(&m, "{\"op\":\"fail\",\"id\":1,\"error\":\"oops\","
	    "\"code\":\"no_handler\",\"status\":404}"), ERR_NONE);
	assert_raw(&m, m.error, "\"oops\"");
	assert_raw(&m, m.code, "\"no_handler\"");
	assert_raw(&m, m.status, "404");

	ck_assert_int_eq(decode(&m, "{\"op\":\"log\",\"level\":\"warn\",\"text\":\"t\"}"),
	    ERR_NONE);
	assert_raw(&m, m.level, "\"warn\"");
	assert_raw(&m, m.log_text, "\"t\"");
}
END_TEST

/* What a worker says of itself, and what counts where it says nothing. */
static const struct {
	const char *rest;
	uint64_t concurrency;
	bool takes_cancel;
	const char *types;	/* NULL: none */
} readies[] = {
	{ "", 1, false, NULL },
	{ ",\"types\":null,\"concurrency\":null,\"cancel\":null", 1, false, NULL },
	{ ",\"types\":[ ],\"concurrency\":1,\"cancel\":false", 1, false, "[ ]" },
	{ ",\"types\":[\"a\", \"\\u0062\"],\"concurrency\":64", 64, false, "[\"a\", \"\\u0062\"]" },
	{ ",\"concurrency\":9007199254740991,\"cancel\":true", UINT64_C(9007199254740991), true,
	    NULL },
	{ ",\"cancel\":\"true\"", 1, false, NULL },
	{ ",\"cancel\":1", 1, false, NULL },
};

START_TEST(ready_says_what_a_worker_can)
{
	struct buf line = { 0 };
	struct handler_msg m;

	buf_printf(&line, "{\"op\":\"ready\"%s}", readies[_i].rest);
	ck_assert_int_eq(decode(&m, buf_str(&line)), ERR_NONE);
	ck_assert_uint_eq(m.concurrency, readies[_i].concurrency);
	ck_assert_int_eq(m.takes_cancel, readies[_i].takes_cancel);
	if (readies[_i].types == NULL)
		ck_assert_int_eq(m.types.kind, JSON_NONE);
	else
		assert_raw(&m, m.types, readies[_i].types);
	buf_free(&line);
}
END_TEST

START_TEST(a_call_names_whom_it_asks)
{
	struct handler_msg m;

	ck_assert_int_eq(decode(&m, CALL(",\"call\":0,\"type\":\"a\\u0062\","
	    "\"application\":\"pay\", \"message\":{\"type\":\"x\", \"y\":1e2}")), ERR_NONE);
	ck_assert_uint_eq(m.call, 0);
	assert_raw(&m, m.application, "\"pay\"");
	assert_raw(&m, m.type, "\"a\\u0062\"");
	assert_raw(&m, m.message, "{\"type\":\"x\", \"y\":1e2}");
	ck_assert_uint_eq(m.body.member[ENV_TYPE].seen, 1);

	ck_assert_int_eq(decode(&m, CALL(",\"call\":9007199254740991,\"type\":\"t\","
	    "\"application\":\"\"")), ERR_NONE);
	ck_assert_uint_eq(m.call, UINT64_C(9007199254740991));
	ck_assert_int_eq(m.message.kind, JSON_NONE);
}
END_TEST

static const struct {
	const char *to;
	enum push_kind kind;
	const char *text;
} pushes[] = {
	{ "{\"all\":true}", PUSH_ALL, "" },
	{ "{\"socket\":\"S-1\"}", PUSH_SOCKET, "S-1" },
	{ "{ \"application\" : \"test \\u0061pp\" }", PUSH_APPLICATION, "test app" },
};

START_TEST(a_push_names_whom_it_is_for)
{
	struct buf line = { 0 };
	struct handler_msg m;

	buf_printf(&line, "{\"message\":[1],\"op\":\"push\",\"type\":\"t\",\"to\":%s}",
	    pushes[_i].to);
	ck_assert_int_eq(decode(&m, buf_str(&line)), ERR_NONE);
	ck_assert_int_eq(m.to.kind, pushes[_i].kind);
	ck_assert_str_eq(m.to.text, pushes[_i].text);
	assert_raw(&m, m.type, "\"t\"");
	assert_raw(&m, m.message, "[1]");
	buf_free(&line);
}
END_TEST

START_TEST(null_is_as_good_as_absent)
{
	struct handler_msg m;

	ck_assert_int_eq(decode(&m,
	    "{\"op\":\"finish\",\"id\":1,\"session\":null,\"secret\":null}"), ERR_NONE);
	ck_assert_int_eq(m.session.kind, JSON_NONE);
	ck_assert_int_eq(m.secret.kind, JSON_NONE);
	ck_assert_int_eq(decode(&m, "{\"op\":\"send\",\"id\":1,\"type\":null}"), ERR_NONE);
	ck_assert_int_eq(m.type.kind, JSON_NONE);
	ck_assert_int_eq(decode(&m, "{\"op\":\"fail\",\"id\":1,\"error\":null,\"code\":null,"
	    "\"status\":null}"), ERR_NONE);
	ck_assert_int_eq(m.error.kind, JSON_NONE);
	ck_assert_int_eq(m.code.kind, JSON_NONE);
	ck_assert_int_eq(m.status.kind, JSON_NONE);
}
END_TEST

START_TEST(hello_and_stop_are_lines)
{
	struct buf b = { 0 };

	handler_msg_encode_hello(&b, &(struct handler_hello){ .node = "master-1",
		.application = "test \"app\"\n", .worker = 3 });
	handler_msg_encode_stop(&b);
	ck_assert_str_eq(buf_str(&b), "{\"op\":\"hello\",\"protocol\":1,\"node\":\"master-1\","
	    "\"application\":\"test \\\"app\\\"\\u000a\",\"worker\":3}\n{\"op\":\"stop\"}\n");
	buf_free(&b);
}
END_TEST

/* Nobody but QEWD's own workers gets the secret; it may hold any bytes but is one line. */
START_TEST(the_hello_of_qewds_workers_has_secret_and_settings)
{
	struct handler_hello h = { .node = "n", .application = "a", .worker = 1,
		.secret = "s\"\n\\", .secret_len = 4, .lifetime_s = 300,
		.settings = "{\"port\":\n8080}" };
	struct json_value v;
	struct buf b = { 0 };

	handler_msg_encode_hello(&b, &h);
	ck_assert_str_eq(buf_str(&b), "{\"op\":\"hello\",\"protocol\":1,\"node\":\"n\","
	    "\"application\":\"a\",\"worker\":1,\"qewd\":{\"secret\":\"s\\\"\\u000a\\\\\","
	    "\"lifetime\":300,\"settings\":{\"port\": 8080}}}\n");
	ck_assert(json_scan_text(b.data, b.len, DEPTH, &v));
	b.len = 0;
	h.secret = NULL;
	handler_msg_encode_hello(&b, &h);
	ck_assert_ptr_null(strstr(buf_str(&b), "qewd"));
	ck_assert_ptr_null(strstr(buf_str(&b), "8080"));
	buf_free(&b);
}
END_TEST

START_TEST(replies_cancels_and_pings_are_lines)
{
	static const char message[] = "{\r\n\"x\":0.10}";
	struct buf b = { 0 };

	handler_msg_encode_reply(&b, 7, false, message, sizeof(message) - 1);
	handler_msg_encode_reply(&b, UINT64_MAX, true, "null", 4);
	handler_msg_encode_cancel(&b, 9);
	handler_msg_encode_ping(&b);
	ck_assert_str_eq(buf_str(&b),
	    "{\"op\":\"reply\",\"call\":7,\"finished\":false,\"message\":{  \"x\":0.10}}\n"
	    "{\"op\":\"reply\",\"call\":18446744073709551615,\"finished\":true,"
	    "\"message\":null}\n"
	    "{\"op\":\"cancel\",\"id\":9}\n{\"op\":\"ping\"}\n");
	buf_free(&b);
}
END_TEST

#define PIECE(field, s) .field = s, .field##_len = sizeof(s) - 1

START_TEST(a_request_is_one_line_whatever_its_white_space)
{
	static const struct handler_request r = {
		.id = UINT64_C(18446744073709551615),
		.application = "test-app",
		PIECE(type, "\"l\\u006fgin\""),
		PIECE(message, "{\r\n\t\"a\":0.10,\n\n\"b\":\"\\n\\u000a\" }"),
		PIECE(session, "{\"x\":\n1}"),
		PIECE(secret, "[\r\"s\"]"),
		.deadline_ms = 55000,
		.client_address = "203.0.113.9",
		.client_socket = "S-1",
		.request = "R-7",
		.trace = "00-ab-cd-01",
		.is_rest = true,
	};
	struct buf b = { 0 };

	buf_add_str(&b, "{");	/* what is there already does not matter */
	handler_msg_encode_request(&b, &r);
	ck_assert_str_eq(buf_str(&b) + 1, "{\"op\":\"request\",\"id\":18446744073709551615,"
	    "\"application\":\"test-app\",\"type\":\"l\\u006fgin\","
	    "\"message\":{  \t\"a\":0.10,  \"b\":\"\\n\\u000a\" },\"session\":{\"x\": 1},"
	    "\"secret\":[ \"s\"],\"deadline_ms\":55000,"
	    "\"client\":{\"address\":\"203.0.113.9\",\"socket\":\"S-1\"},"
	    "\"request\":\"R-7\",\"trace\":\"00-ab-cd-01\",\"rest\":true}\n");
	buf_free(&b);
}
END_TEST

START_TEST(a_message_goes_without_what_was_cut_from_it)
{
	static const char text[] =
	    "[\"ewdjs\",{\"type\":\"t\",\"token\":\"x\",\n\"params\":\r\n{}}]";
	static const struct json_edit without[] = { { .name = ENV_TOKEN }, { .name = ENV_USHER } };
	struct handler_request r = {
		.application = "a",
		PIECE(type, "\"t\""),
		PIECE(message, text),
		PIECE(session, "{}"),
		PIECE(secret, "[]"),
		.edits = without, .n_edits = ARRAY_LEN(without),
	};
	struct envelope e;
	struct buf b = { 0 };

	ck_assert_int_eq(envelope_scan_event(&e, text, sizeof(text) - 1, DEPTH), ERR_NONE);
	r.object = &e.top;
	handler_msg_encode_request(&b, &r);
	ck_assert_str_eq(buf_str(&b), "{\"op\":\"request\",\"id\":0,\"application\":\"a\","
	    "\"type\":\"t\",\"message\":{\"type\":\"t\", \"params\":  {}},\"session\":{},"
	    "\"secret\":[],\"deadline_ms\":0,\"client\":{}}\n");
	buf_free(&b);
}
END_TEST

START_TEST(what_is_unknown_of_a_client_is_left_out)
{
	static const char *const want[] = {
		"\"client\":{}}\n",
		"\"client\":{\"address\":\"::1\"}}\n",
		"\"client\":{\"socket\":\"S\"}}\n",
		"\"client\":{\"address\":\"::1\",\"socket\":\"S\"}}\n",
	};
	struct handler_request r = {
		.application = "a",
		PIECE(type, "\"t\""),
		PIECE(message, "{}"),
		PIECE(session, "{}"),
		PIECE(secret, "[]"),
		.client_address = _i & 1 ? "::1" : NULL,
		.client_socket = _i & 2 ? "S" : NULL,
	};
	struct json_value v;
	struct buf b = { 0 };

	handler_msg_encode_request(&b, &r);
	ck_assert(json_scan_text(b.data, b.len, DEPTH, &v));
	ck_assert_ptr_nonnull(strstr(buf_str(&b), want[_i]));
	buf_free(&b);
}
END_TEST

#define ADD_LOOP(tc, test, n) tcase_add_loop_test(tc, test, 0, (int)(n))

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("handler_msg");
	TCase *in = tcase_create("decode"), *out = tcase_create("encode");

	ADD_LOOP(in, a_line_has_its_op_and_id, ARRAY_LEN(lines));
	ADD_LOOP(in, a_bad_line_is_refused_with_a_reason, ARRAY_LEN(bad_lines));
	ADD_LOOP(in, a_message_passes_byte_for_byte, 16);
	tcase_add_test(in, an_absent_message_is_none);
	tcase_add_test(in, a_message_can_be_spliced);
	tcase_add_test(in, each_op_has_its_fields);
	ADD_LOOP(in, ready_says_what_a_worker_can, ARRAY_LEN(readies));
	tcase_add_test(in, a_call_names_whom_it_asks);
	ADD_LOOP(in, a_push_names_whom_it_is_for, ARRAY_LEN(pushes));
	tcase_add_test(in, null_is_as_good_as_absent);
	suite_add_tcase(suite, in);

	tcase_add_test(out, hello_and_stop_are_lines);
	tcase_add_test(out, the_hello_of_qewds_workers_has_secret_and_settings);
	tcase_add_test(out, replies_cancels_and_pings_are_lines);
	tcase_add_test(out, a_request_is_one_line_whatever_its_white_space);
	tcase_add_test(out, a_message_goes_without_what_was_cut_from_it);
	ADD_LOOP(out, what_is_unknown_of_a_client_is_left_out, 4);
	suite_add_tcase(suite, out);
	return suite;
}

UNIT_MAIN_STATELESS(make_suite)
