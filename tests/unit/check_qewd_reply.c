/* SPDX-License-Identifier: ISC */
/*
 * qewd_reply: a reply as each kind of client gets it, byte for byte.
 *
 * Each row is a request, a reply (what a handler gave as message, or the whole object that a
 * remote node sent), a client, and the text that goes out.
 */
#include "front/qewd_reply.h"

#include <string.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "request/request.h"
#include "unit.h"

enum client { BROWSER, STOCK_MASTER, NODE };
enum kind { LOCAL_FINAL, LOCAL_SEND, LOCAL_ERROR, REMOTE_FINAL, REMOTE_SEND };
enum token_edit { KEEP, SET, REMOVE };

#define REQUEST	   "{\"type\":\"lo\\u0067in\",\"x\":1}"
#define REQUEST_ID "{\"type\":\"lo\\u0067in\",\"ms_requestId\": 1.0 ,\"x\":1}"
#define TYPE	   "{\"type\":\"lo\\u0067in\","

static const struct {
	enum client client;
	enum kind kind;
	enum token_edit token;
	const char *request, *reply, *want;
} rows[] = {
	/* A handler's final: built around its bytes. */
	{ BROWSER, LOCAL_FINAL, KEEP, REQUEST, "{\"n\": 0.10 ,\"m\":1e2}",
	    TYPE "\"finished\":true,\"message\":{\"n\": 0.10 ,\"m\":1e2},"
	    "\"responseTime\":\"3ms\"}" },
	{ BROWSER, LOCAL_FINAL, SET, REQUEST, "{\"ok\":true}",
	    TYPE "\"finished\":true,\"message\":{\"ok\":true,\"token\":\"a.b.c\"},"
	    "\"responseTime\":\"3ms\"}" },
	{ BROWSER, LOCAL_FINAL, SET, REQUEST, "{}",
	    TYPE "\"finished\":true,\"message\":{\"token\":\"a.b.c\"},"
	    "\"responseTime\":\"3ms\"}" },
	{ BROWSER, LOCAL_FINAL, SET, REQUEST, "{\"token\":\"of the handler\",\"ok\":1}",
	    TYPE "\"finished\":true,\"message\":{\"token\":\"a.b.c\",\"ok\":1},"
	    "\"responseTime\":\"3ms\"}" },
	{ BROWSER, LOCAL_FINAL, KEEP, REQUEST, NULL,
	    TYPE "\"finished\":true,\"message\":{},\"responseTime\":\"3ms\"}" },
	{ BROWSER, LOCAL_FINAL, KEEP, REQUEST, "[1, 2]",
	    TYPE "\"finished\":true,\"message\":[1, 2],\"responseTime\":\"3ms\"}" },
	{ BROWSER, LOCAL_FINAL, KEEP, REQUEST, "\"text\"",
	    TYPE "\"finished\":true,\"message\":\"text\",\"responseTime\":\"3ms\"}" },

	/* The client's id: both places in a final of our own handler. */
	{ BROWSER, LOCAL_FINAL, SET, REQUEST_ID, "{\"ok\":true}",
	    TYPE "\"finished\":true,\"message\":{\"ok\":true,\"token\":\"a.b.c\","
	    "\"ms_requestId\":1.0},\"ms_requestId\":1.0,\"responseTime\":\"3ms\"}" },
	{ STOCK_MASTER, LOCAL_FINAL, SET, REQUEST_ID, "{\"ok\":true}",
	    TYPE "\"finished\":true,\"message\":{\"ok\":true,\"token\":\"a.b.c\","
	    "\"ms_requestId\":1.0},\"ms_requestId\":1.0,\"responseTime\":\"3ms\"}" },
	{ NODE, LOCAL_FINAL, SET, REQUEST_ID, "{\"ok\":true}",
	    TYPE "\"finished\":true,\"message\":{\"ok\":true,\"token\":\"a.b.c\","
	    "\"ms_requestId\":1.0},\"ms_requestId\":1.0,\"usher\":{\"id\":7},"
	    "\"responseTime\":\"3ms\"}" },
	{ BROWSER, LOCAL_FINAL, KEEP, REQUEST_ID, "[1]",
	    TYPE "\"finished\":true,\"message\":[1],\"ms_requestId\":1.0,"
	    "\"responseTime\":\"3ms\"}" },

	/* Intermediates: an id for browsers, never for a node. */
	{ BROWSER, LOCAL_SEND, KEEP, REQUEST_ID, "{\"step\":1}",
	    TYPE "\"finished\":false,\"message\":{\"step\":1},\"ms_requestId\":1.0,"
	    "\"responseTime\":\"3ms\"}" },
	{ BROWSER, LOCAL_SEND, KEEP, REQUEST, "{\"step\":1}",
	    TYPE "\"finished\":false,\"message\":{\"step\":1},\"responseTime\":\"3ms\"}" },
	{ STOCK_MASTER, LOCAL_SEND, KEEP, REQUEST_ID, "{\"step\":1}",
	    TYPE "\"finished\":false,\"message\":{\"step\":1},\"responseTime\":\"3ms\"}" },
	{ NODE, LOCAL_SEND, KEEP, REQUEST_ID, "{\"step\":1}",
	    TYPE "\"finished\":false,\"message\":{\"step\":1},\"usher\":{\"id\":7},"
	    "\"responseTime\":\"3ms\"}" },

	/* An error of this node: on top for browsers; nodes look inside as well. */
	{ BROWSER, LOCAL_ERROR, KEEP, REQUEST_ID, "{\"error\":\"e\"}",
	    TYPE "\"finished\":true,\"message\":{\"error\":\"e\"},\"ms_requestId\":1.0,"
	    "\"responseTime\":\"3ms\"}" },
	{ STOCK_MASTER, LOCAL_ERROR, KEEP, REQUEST_ID, "{\"error\":\"e\"}",
	    TYPE "\"finished\":true,\"message\":{\"error\":\"e\",\"ms_requestId\":1.0},"
	    "\"ms_requestId\":1.0,\"responseTime\":\"3ms\"}" },
	{ NODE, LOCAL_ERROR, KEEP, REQUEST, "{\"error\":\"e\"}",
	    TYPE "\"finished\":true,\"message\":{\"error\":\"e\"},\"usher\":{\"id\":7},"
	    "\"responseTime\":\"3ms\"}" },

	/* What a remote node sent is copied around what is ours. */
	{ BROWSER, REMOTE_FINAL, KEEP, REQUEST,
	    "{ \"type\":\"login\", \"finished\":true,\"message\": {\"n\":18446744073709551616},"
	    "\"responseTime\":\"99ms\",\"extra\":[ ] }",
	    "{ \"type\":\"login\", \"finished\":true,\"message\": {\"n\":18446744073709551616},"
	    "\"responseTime\":\"3ms\",\"extra\":[ ] }" },
	{ BROWSER, REMOTE_FINAL, KEEP, REQUEST_ID,
	    "{\"type\":\"login\",\"finished\":true,\"message\":{\"ok\":1,\"ms_requestId\":1},"
	    "\"ms_requestId\":1,\"responseTime\":\"9ms\"}",
	    "{\"type\":\"login\",\"finished\":true,\"message\":{\"ok\":1},"
	    "\"ms_requestId\":1.0,\"responseTime\":\"3ms\"}" },
	{ BROWSER, REMOTE_FINAL, KEEP, REQUEST_ID,
	    "{\"type\":\"login\",\"finished\":true,\"message\":{\"ok\":1}}",
	    "{\"type\":\"login\",\"finished\":true,\"message\":{\"ok\":1},"
	    "\"ms_requestId\":1.0,\"responseTime\":\"3ms\"}" },
	{ STOCK_MASTER, REMOTE_FINAL, KEEP, REQUEST_ID,
	    "{\"type\":\"login\",\"finished\":true,\"message\":{\"ok\":1,\"ms_requestId\":1.0},"
	    "\"ms_requestId\":1.0,\"responseTime\":\"9ms\"}",
	    "{\"type\":\"login\",\"finished\":true,\"message\":{\"ok\":1,\"ms_requestId\":1.0},"
	    "\"ms_requestId\":1.0,\"responseTime\":\"3ms\"}" },

	/* The member of a link: taken out for browsers and stock, replaced for the next node. */
	{ BROWSER, REMOTE_FINAL, KEEP, REQUEST,
	    "{\"type\":\"login\",\"finished\":true,\"message\":{},\"usher\":{\"id\":4}}",
	    "{\"type\":\"login\",\"finished\":true,\"message\":{},\"responseTime\":\"3ms\"}" },
	{ STOCK_MASTER, REMOTE_SEND, KEEP, REQUEST_ID,
	    "{\"usher\":{\"id\":4},\"type\":\"login\",\"finished\":false,\"message\":{}}",
	    "{\"type\":\"login\",\"finished\":false,\"message\":{},\"responseTime\":\"3ms\"}" },
	{ NODE, REMOTE_FINAL, KEEP, REQUEST,
	    "{\"type\":\"login\",\"finished\":true,\"usher\":{\"id\":4},\"message\":{}}",
	    "{\"type\":\"login\",\"finished\":true,\"usher\":{\"id\":7},\"message\":{},"
	    "\"responseTime\":\"3ms\"}" },
	{ NODE, REMOTE_SEND, KEEP, REQUEST_ID,
	    "{\"type\":\"news\",\"finished\":false,\"message\":[1]}",
	    "{\"type\":\"news\",\"finished\":false,\"message\":[1],\"usher\":{\"id\":7},"
	    "\"responseTime\":\"3ms\"}" },
	{ BROWSER, REMOTE_SEND, KEEP, REQUEST_ID,
	    "{\"type\":\"news\",\"finished\":false,\"message\":{\"ms_requestId\":5}}",
	    "{\"type\":\"news\",\"finished\":false,\"message\":{\"ms_requestId\":5},"
	    "\"ms_requestId\":1.0,\"responseTime\":\"3ms\"}" },

	/* Shapes that lack something. */
	{ BROWSER, REMOTE_FINAL, KEEP, REQUEST, "{\"error\":\"e\"}",
	    "{\"error\":\"e\",\"type\":\"lo\\u0067in\",\"finished\":true,"
	    "\"responseTime\":\"3ms\"}" },
	{ BROWSER, REMOTE_FINAL, KEEP, REQUEST,
	    "{\"type\":null,\"finished\":\"yes\",\"message\":{\"error\":\"e\"}}",
	    "{\"type\":\"lo\\u0067in\",\"finished\":true,\"message\":{\"error\":\"e\"},"
	    "\"responseTime\":\"3ms\"}" },

	/* The token of a remote final, translated or not verified. */
	{ BROWSER, REMOTE_FINAL, SET, REQUEST,
	    "{\"type\":\"login\",\"finished\":true,\"message\":{\"token\":\"r.r.r\",\"ok\":1}}",
	    "{\"type\":\"login\",\"finished\":true,\"message\":{\"token\":\"a.b.c\",\"ok\":1},"
	    "\"responseTime\":\"3ms\"}" },
	{ BROWSER, REMOTE_FINAL, REMOVE, REQUEST,
	    "{\"type\":\"login\",\"finished\":true,\"message\":{\"ok\":1,\"token\":\"r.r.r\"}}",
	    "{\"type\":\"login\",\"finished\":true,\"message\":{\"ok\":1},"
	    "\"responseTime\":\"3ms\"}" },
	{ BROWSER, REMOTE_FINAL, REMOVE, REQUEST_ID,
	    "{\"type\":\"login\",\"finished\":true,\"message\":{\"token\":\"r\",\"ms_requestId\":1}}",
	    "{\"type\":\"login\",\"finished\":true,\"message\":{},\"ms_requestId\":1.0,"
	    "\"responseTime\":\"3ms\"}" },
};

static void
scan_reply(struct reply *reply, struct envelope *env, enum kind kind, const char *text)
{
	bool is_remote = kind == REMOTE_FINAL || kind == REMOTE_SEND;
	struct json_scan s;

	*reply = (struct reply){
		.err = kind == LOCAL_ERROR ? ERR_TIMEOUT : ERR_NONE,
		.is_final = kind != LOCAL_SEND && kind != REMOTE_SEND,
		.is_error = kind == LOCAL_ERROR,
		.is_local = !is_remote,
		.text = text,
	};
	if (text == NULL)
		return;
	if (is_remote) {
		ck_assert_int_eq(envelope_scan_object(env, text, strlen(text), 16), 0);
		reply->top = &env->top;
		reply->type = env->top.member[ENV_TYPE].value;
		reply->message = env->top.member[ENV_MESSAGE].value;
	} else {
		json_scan_init(&s, text, strlen(text), 16);
		ck_assert(json_scan_members(&s, &reply->message, &envelope_names, &env->message,
		    -1, NULL));
	}
	if (reply->message.kind == JSON_OBJECT)
		reply->body = &env->message;
}

static void
scan_request(struct request *r, const char *text)
{
	*r = (struct request){ 0 };
	ck_assert_int_eq(envelope_scan_object(&r->env, text, strlen(text), 16), 0);
}

START_TEST(goes_out_as_its_client_needs_it)
{
	struct qewd_reply_extra x = {
		.to_node = rows[_i].client != BROWSER,
		.has_usher_id = rows[_i].client == NODE,
		.usher_id = 7,
		.set_token = rows[_i].token != KEEP,
		.token = rows[_i].token == SET ? "a.b.c" : NULL,
		.token_len = rows[_i].token == SET ? 5 : 0,
		.took_ms = 3,
	};
	struct buf out = { 0 };
	struct envelope env;
	struct json_value whole;
	struct request r;
	struct reply reply;

	scan_request(&r, rows[_i].request);
	scan_reply(&reply, &env, rows[_i].kind, rows[_i].reply);
	qewd_reply_write(&out, &r, &reply, &x);
	ck_assert_str_eq(buf_str(&out), rows[_i].want);
	ck_assert(json_scan_text(out.data, out.len, 16, &whole));
	buf_free(&out);
}
END_TEST

/* A handler may send intermediates under another type. */
START_TEST(an_intermediate_of_another_type_keeps_it)
{
	static const char text[] = "{\"type\":\"pro\\u0067ress\",\"message\":{\"n\":1}}";
	struct qewd_reply_extra x = { .took_ms = 0 };
	struct reply reply = { .is_local = true, .text = text };
	struct envelope env;
	struct buf out = { 0 };
	struct request r;

	scan_request(&r, REQUEST);
	ck_assert_int_eq(envelope_scan_object(&env, text, sizeof(text) - 1, 16), 0);
	reply.type = env.top.member[ENV_TYPE].value;
	reply.message = env.top.member[ENV_MESSAGE].value;
	reply.body = &env.message;
	qewd_reply_write(&out, &r, &reply, &x);
	ck_assert_str_eq(buf_str(&out), "{\"type\":\"pro\\u0067ress\",\"finished\":false,"
	    "\"message\":{\"n\":1},\"responseTime\":\"0ms\"}");
	buf_free(&out);
}
END_TEST

/* It is appended: the head of the event is there already. */
START_TEST(is_written_behind_what_is_there)
{
	struct qewd_reply_extra x = { .took_ms = 3 };
	struct reply reply = { .is_final = true, .is_local = true };
	struct buf out = { 0 };
	struct request r;

	scan_request(&r, "{\"type\":\"t\"}");
	buf_add_str(&out, "42[\"ewdjs\",");
	qewd_reply_write(&out, &r, &reply, &x);
	ck_assert_str_eq(buf_str(&out), "42[\"ewdjs\",{\"type\":\"t\",\"finished\":true,"
	    "\"message\":{},\"responseTime\":\"3ms\"}");
	buf_free(&out);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("qewd_reply");
	TCase *tc = tcase_create("qewd_reply");

	tcase_add_loop_test(tc, goes_out_as_its_client_needs_it, 0, ARRAY_LEN(rows));
	tcase_add_test(tc, an_intermediate_of_another_type_keeps_it);
	tcase_add_test(tc, is_written_behind_what_is_there);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
