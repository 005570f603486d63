/* SPDX-License-Identifier: ISC */
/*
 * envelope: events and bare arguments, doubled names, raw members.
 */
#include "codec/envelope.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

#define DEPTH 4

static void
assert_raw(const struct envelope *e, const struct json_object *o, enum envelope_name name,
    const char *want)
{
	size_t len;
	const char *raw = envelope_raw(e, o, name, &len);

	if (want == NULL) {
		ck_assert_ptr_null(raw);
		ck_assert_uint_eq(len, 0);
		return;
	}
	ck_assert_ptr_nonnull(raw);
	ck_assert_uint_eq(len, strlen(want));
	ck_assert_mem_eq(raw, want, len);
}

/* The way of finding names that knows the table, and the table. */
START_TEST(every_name_is_found_and_nothing_else)
{
	const char *const others[] = { "", "t", "typ", "typo", "types", "jwtx", "errors", "Error",
	    "messagE", "finisher", "applicatiom", "responseTimes", "responseTims", "ms_requestIe" };

	for (int i = 0; i < ENV_N; i++)
		ck_assert_int_eq(envelope_find_name(envelope_names.name[i],
		    strlen(envelope_names.name[i])), i);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		ck_assert_int_eq(envelope_find_name(others[i], strlen(others[i])), -1);
}
END_TEST

/* An event as they nearly all are is read as is the same with white space or an escape in it. */
START_TEST(the_usual_event_is_read_like_any_other)
{
	static const char *const others[] = {
		"[\"ewdjs\",{\"type\":\"login\",\"message\":{\"error\":1}}]",
		" [\"ewdjs\",{\"type\":\"login\",\"message\":{\"error\":1}}]",
		"[ \"ewdjs\",{\"type\":\"login\",\"message\":{\"error\":1}}]",
		"[\"ewdjs\" ,{\"type\":\"login\",\"message\":{\"error\":1}}]",
		"[\"ewdjs\", {\"type\":\"login\",\"message\":{\"error\":1}}]",
		"[\"ewdjs\",{\"type\":\"login\",\"message\":{\"error\":1}} ]",
		"[\"ewdjs\",{\"type\":\"login\",\"message\":{\"error\":1}}] ",
		"[\"ewdj\\u0073\",{\"type\":\"login\",\"message\":{\"error\":1}}]",
		"[\"ewdjs\",{\"type\":\"login\",\"message\":{\"error\":1}},2,3]",
	};
	const char *text = others[_i];
	struct envelope e;

	ck_assert_int_eq(envelope_scan_event(&e, text, strlen(text), DEPTH), ERR_NONE);
	ck_assert_int_eq(e.event.kind, JSON_STRING);
	ck_assert(json_string_is(text, e.event, ENVELOPE_EVENT));
	ck_assert_int_eq(text[e.event.start], '"');
	ck_assert_int_eq(text[e.event.end - 1], '"');
	ck_assert_int_eq(text[e.arg.start], '{');
	ck_assert_int_eq(text[e.arg.end - 1], '}');
	ck_assert_int_eq(e.second.kind, strstr(text, ",2") != NULL ? JSON_NUMBER : JSON_NONE);
	assert_raw(&e, &e.top, ENV_TYPE, "\"login\"");
	assert_raw(&e, &e.message, ENV_ERROR, "1");
	for (size_t cut = strrchr(text, ']') - text; cut > 0; cut--)
		ck_assert_int_eq(envelope_scan_event(&e, text, cut, DEPTH), ERR_BAD_JSON);
}
END_TEST

static const struct {
	const char *text, *fault;
} unusual[] = {
	{ "[\"ewdjs\",", "the text ends too early" },
	{ "[\"ewdjs\",]", "expected a value" },
	{ "[\"ewdjs\",{}", "expected ',' or ']'" },
	{ "[\"ewdjs\",{}}", "expected ',' or ']'" },
	{ "[\"ewdjs\",{}]]", "something follows the value" },
	{ "[\"ewdjs\",{},]", "expected a value" },
	{ "[\"ewdjs\"", "expected ',' or ']'" },
	{ "[\"ewdjs\"}", "expected ',' or ']'" },
};

START_TEST(what_is_wrong_with_an_event_that_begins_as_usual_is_told)
{
	struct envelope e;

	memset(&e, 0xff, sizeof(e));
	ck_assert_int_eq(envelope_scan_event(&e, unusual[_i].text, strlen(unusual[_i].text), DEPTH),
	    ERR_BAD_JSON);
	ck_assert_str_eq(e.fault, unusual[_i].fault);
	ck_assert_uint_eq(e.top.n_members + e.top.member[ENV_TYPE].seen, 0);
}
END_TEST

START_TEST(a_request_keeps_its_bytes)
{
	static const char text[] = "[\"ewdjs\", { \"type\" : \"login\", \"token\":\"x.y.z\","
	    "\"params\":{\"price\":0.10,\"n\":18446744073709551616},\"\\u0074oken2\":1e2,"
	    "\"ms_requestId\": -0 } , [1]]";
	struct envelope e;

	ck_assert_int_eq(envelope_scan_event(&e, text, sizeof(text) - 1, DEPTH), ERR_NONE);
	ck_assert(json_string_is(text, e.event, ENVELOPE_EVENT));
	ck_assert_int_eq(e.arg.kind, JSON_OBJECT);
	ck_assert_uint_eq(e.top.n_members, 5);
	assert_raw(&e, &e.top, ENV_TYPE, "\"login\"");
	assert_raw(&e, &e.top, ENV_TOKEN, "\"x.y.z\"");
	assert_raw(&e, &e.top, ENV_MS_REQUEST_ID, "-0");
	assert_raw(&e, &e.top, ENV_JWT, NULL);
	assert_raw(&e, &e.message, ENV_TYPE, NULL);
	ck_assert_int_eq(envelope_check_request(&e), ERR_NONE);
}
END_TEST

START_TEST(a_reply_has_its_message_looked_into)
{
	static const char text[] = "[\"ewdjs\",{\"type\":\"login\",\"finished\":false,\"message\":"
	    " {\"token\":\"t\",\"error\":null},\"responseTime\":\"3ms\",\"usher\":{\"id\":7}}]";
	struct envelope e;

	ck_assert_int_eq(envelope_scan_event(&e, text, sizeof(text) - 1, DEPTH), ERR_NONE);
	assert_raw(&e, &e.top, ENV_MESSAGE, "{\"token\":\"t\",\"error\":null}");
	assert_raw(&e, &e.top, ENV_FINISHED, "false");
	assert_raw(&e, &e.top, ENV_RESPONSE_TIME, "\"3ms\"");
	assert_raw(&e, &e.top, ENV_USHER, "{\"id\":7}");
	assert_raw(&e, &e.message, ENV_TOKEN, "\"t\"");
	assert_raw(&e, &e.message, ENV_ERROR, "null");
	ck_assert_int_eq(envelope_check_reply(&e), ERR_NONE);
}
END_TEST

static const struct {
	const char *text;
	enum json_kind event, arg;
} events[] = {
	{ "[\"ewdjs\"]", JSON_STRING, JSON_NONE },
	{ " [ \"ewdjs\" ] ", JSON_STRING, JSON_NONE },
	{ "[\"ewdjs\",[]]", JSON_STRING, JSON_ARRAY },
	{ "[\"ewdjs\",null,{\"type\":1}]", JSON_STRING, JSON_NULL },
	{ "[2,{\"type\":1}]", JSON_NUMBER, JSON_OBJECT },
	{ "[\"\",\"\",\"\",\"\"]", JSON_STRING, JSON_STRING },
};

START_TEST(events_come_with_and_without_arguments)
{
	const char *text = events[_i].text;
	struct envelope e;

	ck_assert_int_eq(envelope_scan_event(&e, text, strlen(text), DEPTH), ERR_NONE);
	ck_assert_int_eq(e.event.kind, events[_i].event);
	ck_assert_int_eq(e.arg.kind, events[_i].arg);
	ck_assert_uint_eq(e.top.member[ENV_TYPE].seen, events[_i].arg == JSON_OBJECT);
	ck_assert_ptr_null(e.fault);
}
END_TEST

static const struct {
	const char *text;
	const char *fault;
} bad_events[] = {
	{ "", "an event is an array" },
	{ "{\"type\":1}", "an event is an array" },
	{ "\"ewdjs\"", "an event is an array" },
	{ "[]", "expected a value" },
	{ "[null,{}]", "the name of an event is a string" },
	{ "[{},{}]", "the name of an event is a string" },
	{ "[\"ewdjs\"", "expected ',' or ']'" },
	{ "[\"ewdjs\" {}]", "expected ',' or ']'" },
	{ "[\"ewdjs\",{}}", "expected ',' or ']'" },
	{ "[\"ewdjs\",]", "expected a value" },
	{ "[\"ewdjs\",{},]", "expected a value" },
	{ "[\"ewdjs\",{\"type\"}]", "expected ':'" },
	{ "[\"ewdjs\",{}]]", "something follows the value" },
	{ "[\"ewdjs\",{}] 1", "something follows the value" },
	{ "[\"ewdjs\",{\"a\":[[[[]]]]}]", "nested too deep" },
	{ "[\"ewdjs\",0,[[[[[]]]]]]", "nested too deep" },
	{ "[\"ewdjs\",{\"a\":\"\xff\"}]", "a string is not UTF-8" },
};

START_TEST(what_is_no_event_is_refused_with_a_reason)
{
	const char *text = bad_events[_i].text;
	struct envelope e;

	ck_assert_int_eq(envelope_scan_event(&e, text, strlen(text), DEPTH), ERR_BAD_JSON);
	ck_assert_str_eq(e.fault, bad_events[_i].fault);
}
END_TEST

/* No event is what it was when a byte is missing at its end. */
START_TEST(an_event_cut_anywhere_is_refused)
{
	static const char text[] =
	    "[\"ewdjs\",{\"type\":\"a\",\"message\":{\"token\":\"\\u00e9\"}},1]";
	struct envelope e;

	for (size_t cut = 0; cut < sizeof(text) - 1; cut++) {
		ck_assert_int_eq(envelope_scan_event(&e, text, cut, DEPTH), ERR_BAD_JSON);
		ck_assert_ptr_nonnull(e.fault);
	}
	ck_assert_int_eq(envelope_scan_event(&e, text, sizeof(text) - 1, DEPTH), ERR_NONE);
}
END_TEST

/* An event's array is no level: what passes as a body passes as an event. */
START_TEST(depth_is_that_of_the_argument)
{
	static const char event[] = "[\"ewdjs\",{\"a\":[{\"b\":[]}]}]";
	const char *arg = event + strlen("[\"ewdjs\",");
	struct envelope e;

	for (unsigned max = 0; max < 7; max++) {
		enum err want = max >= 4 ? ERR_NONE : ERR_BAD_JSON;

		ck_assert_int_eq(envelope_scan_event(&e, event, strlen(event), max), want);
		ck_assert_int_eq(envelope_scan_object(&e, arg, strlen(arg) - 1, max), want);
	}
}
END_TEST

START_TEST(a_bare_argument_is_scanned_like_that_of_an_event)
{
	static const char text[] = " {\"type\":\"a\",\"message\":{\"error\":\"x\"}}\n";
	struct envelope e;

	ck_assert_int_eq(envelope_scan_object(&e, text, sizeof(text) - 1, DEPTH), ERR_NONE);
	ck_assert_int_eq(e.event.kind, JSON_NONE);
	assert_raw(&e, &e.top, ENV_TYPE, "\"a\"");
	assert_raw(&e, &e.message, ENV_ERROR, "\"x\"");
	ck_assert_int_eq(envelope_scan_object(&e, "7", 1, DEPTH), ERR_NONE);
	ck_assert_int_eq(e.arg.kind, JSON_NUMBER);
	ck_assert_int_eq(envelope_scan_object(&e, "{} {}", 5, DEPTH), ERR_BAD_JSON);
	ck_assert_str_eq(e.fault, "something follows the value");
	ck_assert_int_eq(envelope_scan_object(&e, "", 0, DEPTH), ERR_BAD_JSON);
	ck_assert_str_eq(e.fault, "the text ends too early");
}
END_TEST

START_TEST(a_name_of_ours_twice_is_refused_and_named)
{
	const char *name = envelope_names.name[_i];
	char text[200], fault[100];
	struct envelope e;

	/* The second one is written with an escape: \u00XX for its first letter. */
	snprintf(text, sizeof(text), "{\"%s\":1,\"x\":2,\"\\u%04x%s\":3}", name, name[0], name + 1);
	ck_assert_int_eq(envelope_scan_object(&e, text, strlen(text), DEPTH), ERR_NONE);
	snprintf(fault, sizeof(fault), "\"%s\" occurs twice", name);
	ck_assert_int_eq(envelope_check_request(&e), ERR_BAD_MESSAGE);
	ck_assert_str_eq(e.fault, fault);
	e.fault = NULL;
	if (!(ENVELOPE_OF_REPLIES & 1U << _i)) {
		ck_assert_int_eq(envelope_check_reply(&e), ERR_NONE);
		return;
	}
	ck_assert_int_eq(envelope_check_reply(&e), ERR_BAD_MESSAGE);
	ck_assert_str_eq(e.fault, fault);
}
END_TEST

START_TEST(in_message_it_is_refused_in_replies_only)
{
	const char *name = envelope_names.name[_i];
	char text[200], fault[100];
	struct envelope e;

	snprintf(text, sizeof(text), "{\"type\":\"a\",\"message\":{\"%s\":1,\"%s\":1}}", name,
	    name);
	ck_assert_int_eq(envelope_scan_object(&e, text, strlen(text), DEPTH), ERR_NONE);
	ck_assert_int_eq(envelope_check_request(&e), ERR_NONE);
	if (!(ENVELOPE_OF_REPLIES & 1U << _i)) {
		ck_assert_int_eq(envelope_check_reply(&e), ERR_NONE);
		return;
	}
	ck_assert_int_eq(envelope_check_reply(&e), ERR_BAD_MESSAGE);
	snprintf(fault, sizeof(fault), "\"%s\" occurs twice in \"message\"", name);
	ck_assert_str_eq(e.fault, fault);
}
END_TEST

static const char *const harmless[] = {
	"{\"x\":1,\"x\":2,\"params\":{\"type\":1,\"type\":2},\"params\":3}",
	"{\"type\":\"type\",\"Type\":1,\"TYPE\":2,\"types\":3}",
	"{\"type\":1,\"message\":{\"type\":2,\"x\":{\"type\":3,\"type\":4},\"y\":1,\"y\":2}}",
	"{\"message\":[{\"token\":1,\"token\":2}]}",
	"[{\"type\":1,\"type\":2}]",
};

START_TEST(other_doubles_pass)
{
	struct envelope e;

	ck_assert_int_eq(envelope_scan_object(&e, harmless[_i], strlen(harmless[_i]), DEPTH),
	    ERR_NONE);
	ck_assert_int_eq(envelope_check_request(&e), ERR_NONE);
	ck_assert_int_eq(envelope_check_reply(&e), ERR_NONE);
	ck_assert_ptr_null(e.fault);
}
END_TEST

START_TEST(the_table_has_the_names_of_the_protocol)
{
	static const char *const want[] = {
		"type", "token", "jwt", "application", "ms_requestId", "usher", "service", "finished",
		"message", "error", "responseTime",
	};

	ck_assert_uint_eq(envelope_names.n, ARRAY_LEN(want));
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		ck_assert_str_eq(envelope_names.name[i], want[i]);
	ck_assert_str_eq(envelope_names.name[ENV_RESPONSE_TIME], "responseTime");
}
END_TEST

#define ADD_LOOP(tc, test, n) tcase_add_loop_test(tc, test, 0, (int)(n))

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("envelope");
	TCase *tc = tcase_create("envelope");

	tcase_add_test(tc, every_name_is_found_and_nothing_else);
	tcase_add_loop_test(tc, the_usual_event_is_read_like_any_other, 0, 9);
	tcase_add_loop_test(tc, what_is_wrong_with_an_event_that_begins_as_usual_is_told, 0,
	    (int)ARRAY_LEN(unusual));
	tcase_add_test(tc, a_request_keeps_its_bytes);
	tcase_add_test(tc, a_reply_has_its_message_looked_into);
	ADD_LOOP(tc, events_come_with_and_without_arguments, ARRAY_LEN(events));
	ADD_LOOP(tc, what_is_no_event_is_refused_with_a_reason, ARRAY_LEN(bad_events));
	tcase_add_test(tc, an_event_cut_anywhere_is_refused);
	tcase_add_test(tc, depth_is_that_of_the_argument);
	tcase_add_test(tc, a_bare_argument_is_scanned_like_that_of_an_event);
	ADD_LOOP(tc, a_name_of_ours_twice_is_refused_and_named, ENV_N);
	ADD_LOOP(tc, in_message_it_is_refused_in_replies_only, ENV_N);
	ADD_LOOP(tc, other_doubles_pass, ARRAY_LEN(harmless));
	tcase_add_test(tc, the_table_has_the_names_of_the_protocol);
	suite_add_tcase(suite, tc);
	return suite;
}

UNIT_MAIN_STATELESS(make_suite)
