/* SPDX-License-Identifier: ISC */
/*
 * handler_msg: a line that is read has the fields its op promises; a message that
 * is written to a handler is one line, and the same message to jansson.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xmalloc.h"
#include "codec/envelope.h"
#include "codec/handler_msg.h"
#include "codec/json_splice.h"
#include "jansson_kinds.h"

#define DEPTH 8

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
require(bool is_true)
{
	if (!is_true)
		abort();
}

/* Of this kind and inside the text; or absent, as it must be where another op is meant. */
static void
check_field(const struct handler_msg *m, size_t len, struct json_value v, enum json_kind kind,
    enum handler_op op)
{
	struct json_value again;

	if (v.kind == JSON_NONE)
		return;
	require(m->op == op && v.kind == kind && v.start < v.end && v.end < len);
	require(json_scan_text(m->text + v.start, v.end - v.start, DEPTH, &again));
	require(again.kind == kind);
}

static void
check_fields(const struct handler_msg *m, size_t len)
{
	check_field(m, len, m->kit, JSON_STRING, HANDLER_READY);
	check_field(m, len, m->types, JSON_ARRAY, HANDLER_READY);
	check_field(m, len, m->reason, JSON_STRING, HANDLER_UNREADY);
	if (m->op != HANDLER_CALL && m->op != HANDLER_PUSH)
		check_field(m, len, m->type, JSON_STRING, HANDLER_SEND);
	check_field(m, len, m->application, JSON_STRING, HANDLER_CALL);
	check_field(m, len, m->session, JSON_OBJECT, HANDLER_FINISH);
	check_field(m, len, m->secret, JSON_ARRAY, HANDLER_FINISH);
	check_field(m, len, m->error, JSON_STRING, HANDLER_FAIL);
	check_field(m, len, m->code, JSON_STRING, HANDLER_FAIL);
	check_field(m, len, m->status, JSON_NUMBER, HANDLER_FAIL);
	check_field(m, len, m->level, JSON_STRING, HANDLER_LOG);
	check_field(m, len, m->log_text, JSON_STRING, HANDLER_LOG);
	require(m->op_name.kind == JSON_STRING);
	if (m->op == HANDLER_SEND || m->op == HANDLER_FINISH || m->op == HANDLER_FAIL ||
	    m->op == HANDLER_CALL)
		require(m->has_id);
	require(m->message.kind == JSON_NONE || m->op == HANDLER_SEND ||
	    m->op == HANDLER_FINISH || m->op == HANDLER_CALL || m->op == HANDLER_PUSH);
	require((m->concurrency > 0) == (m->op == HANDLER_READY));
	require(!m->takes_cancel || m->op == HANDLER_READY);
}

/* A call says whom it asks for what: never with a message that is no object. */
static void
check_call(const struct handler_msg *m, size_t len)
{
	if (m->op != HANDLER_CALL)
		return;
	check_field(m, len, m->type, JSON_STRING, HANDLER_CALL);
	require(m->application.kind == JSON_STRING && m->type.kind == JSON_STRING);
	require(m->message.kind == JSON_NONE || m->message.kind == JSON_OBJECT);
}

/* A push has a target, and nothing else has: written, it is read as the same. */
static void
check_push(const struct handler_msg *m, size_t len)
{
	struct push_target again;
	struct json_value v;
	struct buf b = { 0 };

	require((m->to.kind != PUSH_NONE) == (m->op == HANDLER_PUSH));
	if (m->op != HANDLER_PUSH)
		return;
	check_field(m, len, m->type, JSON_STRING, HANDLER_PUSH);
	require(m->type.kind == JSON_STRING);
	push_target_encode(&b, &m->to);
	require(json_scan_text(b.data, b.len, DEPTH, &v));
	require(push_target_decode(&again, b.data, v));
	require(again.kind == m->to.kind && strcmp(again.text, m->to.text) == 0);
	buf_free(&b);
}

/* Splicing the noted message gives valid JSON with the member put in. */
static void
check_splice(const struct handler_msg *m)
{
	static const struct json_edit edits[] = {
		{ .name = ENV_TOKEN, .value = "\"t\"", .len = 3 },
		{ .name = ENV_ERROR },
	};
	struct envelope e;
	struct buf b = { 0 };

	if (m->message.kind != JSON_OBJECT)
		return;
	json_splice_add(&b, m->text, &m->body, &envelope_names, edits, ARRAY_LEN(edits));
	require(envelope_scan_object(&e, b.data, b.len, DEPTH) == ERR_NONE);
	require(json_string_is(b.data, e.top.member[ENV_TOKEN].value, "t"));
	require(e.top.member[ENV_ERROR].seen == 0);
	buf_free(&b);
}

/* jansson finds in the line what it finds in the text; NULL where it cannot read the text. */
static void
check_message(const struct buf *line, const char *text, size_t len)
{
	json_t *message = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	json_t *tree;

	if (message == NULL)
		return;
	tree = json_loadb(line->data, line->len, JSON_ALLOW_NUL, NULL);
	require(tree != NULL && json_equal(json_object_get(tree, "message"), message));
	json_decref(tree);
	json_decref(message);
}

/* The same line is made of a message that is cut while it is written, and of one cut before. */
static void
check_spliced(struct handler_request *r)
{
	static const struct json_edit without[] = { { .name = ENV_TOKEN } };
	struct buf before = { 0 }, one = { 0 }, other = { 0 };
	struct envelope e;

	if (envelope_scan_object(&e, r->message, r->message_len, DEPTH) != ERR_NONE ||
	    e.arg.kind != JSON_OBJECT || e.top.member[ENV_TOKEN].seen > 1)
		return;
	r->object = &e.top;
	r->edits = without;
	r->n_edits = 1;
	handler_msg_encode_request(&one, r);
	json_splice_add(&before, r->message, &e.top, &envelope_names, without, 1);
	r->object = NULL;
	r->message = before.data;
	r->message_len = before.len;
	handler_msg_encode_request(&other, r);
	require(one.len == other.len && memcmp(one.data, other.data, one.len) == 0);
	buf_free(&before);
	buf_free(&one);
	buf_free(&other);
}

/* Any valid text may stand for the client's message. */
static void
check_request(const char *text, size_t len)
{
	struct handler_request r = {
		.id = len,
		.application = "a",
		.type = "\"t\"",
		.type_len = 3,
		.message = text,
		.message_len = len,
		.session = "{}",
		.session_len = 2,
		.secret = "[]",
		.secret_len = 2,
		.client_address = len % 2 == 0 ? "::1" : NULL,
	};
	struct buf b = { 0 };
	struct json_value v;

	if (!json_scan_text(text, len, DEPTH, &v))
		return;
	handler_msg_encode_request(&b, &r);
	require(memchr(b.data, '\n', b.len) == b.data + b.len - 1);
	require(memchr(b.data, '\r', b.len) == NULL);
	require(json_scan_text(b.data, b.len, DEPTH + 1, &v));
	check_message(&b, text, len);
	buf_free(&b);
	check_spliced(&r);
}

/* Nor does it matter who answers the call of a handler. */
static void
check_reply(const char *text, size_t len)
{
	struct json_value v;
	struct buf b = { 0 };

	if (!json_scan_text(text, len, DEPTH, &v))
		return;
	handler_msg_encode_reply(&b, len, len % 2 == 0, text, len);
	require(memchr(b.data, '\n', b.len) == b.data + b.len - 1);
	require(memchr(b.data, '\r', b.len) == NULL);
	require(json_scan_text(b.data, b.len, DEPTH + 1, &v));
	check_message(&b, text, len);
	buf_free(&b);
}

/* Text that is not JSON at all may be in the names, and in a secret. */
static void
check_hello(const char *text, size_t len)
{
	char *name = xstrndup(text, len);
	struct json_value v;
	struct buf b = { 0 };

	handler_msg_encode_hello(&b, &(struct handler_hello){ .node = name, .application = name,
		.worker = (unsigned)len, .secret = len % 2 == 0 ? text : NULL, .secret_len = len,
		.lifetime_s = len, .settings = "{}" });
	require(memchr(b.data, '\n', b.len) == b.data + b.len - 1);
	require(json_scan_text(b.data, b.len, 3, &v));
	free(name);
	buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = xmalloc(len);	/* not one byte more */
	struct handler_msg m;

	if (len > 0)
		memcpy(text, data, len);
	if (handler_msg_decode(&m, text, len, DEPTH) == ERR_NONE) {
		require(m.fault == NULL);
		check_fields(&m, len);
		check_call(&m, len);
		check_push(&m, len);
		check_splice(&m);
	} else
		require(m.fault != NULL);
	check_request(text, len);
	check_reply(text, len);
	check_hello(text, len);
	free(text);
	return 0;
}
