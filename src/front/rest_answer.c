/* SPDX-License-Identifier: ISC */
/*
 * A reply's message is copied around what is not for the caller.
 *
 * Of an error the caller sees {"error":...}, as from QEWD; errors that a node made itself
 * are shown whole, with their code.
 */
#include "front/rest_answer.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "codec/envelope.h"
#include "codec/json_splice.h"
#include "front/rest_headers.h"
#include "request/reply.h"

#define REPLY_DEPTH_MAX	1024

enum name {
	NAME_TOKEN,
	NAME_MS_REQUEST_ID,
	NAME_ERROR,
	NAME_STATUS,
	NAME_HEADERS,
	NAME_COOKIE,
	NAME_CODE,
	NAME_BY,
	NAME_RAN,
	NAME_DISCONNECT,
	NAME_RESPONSE,
	NAME_N
};

static const char *const name_table[NAME_N] = {
	[NAME_TOKEN] = "token",
	[NAME_MS_REQUEST_ID] = "ms_requestId",
	[NAME_ERROR] = "error",
	[NAME_STATUS] = "status",
	[NAME_HEADERS] = "qewd_response_headers",
	[NAME_COOKIE] = "qewd_send_jwt_as_cookie",
	[NAME_CODE] = "code",
	[NAME_BY] = "by",
	[NAME_RAN] = "ran",
	[NAME_DISCONNECT] = "disconnect",
	[NAME_RESPONSE] = "response",
};

static const struct json_names names = { NAME_N, name_table };

/* A reply's message, taken apart. */
struct parts {
	const char *text;
	struct json_value value;	/* JSON_NONE: there is none */
	struct json_object o;		/* its members, if it is an object */
	struct json_value error;	/* JSON_NONE: it is none */
	bool is_of_node;		/* an error that a node of ours made */
	bool is_ambiguous;		/* a member that counts is there twice */
};

/* ---- reading ---- */

static struct json_value
member(const struct parts *p, enum name name)
{
	return p->o.member[name].value;
}

static bool
is_truthy(const struct parts *p, enum name name)
{
	return json_is_truthy(p->text, member(p, name));
}

static bool
scan_object(const char *text, struct json_value v, struct json_object *o)
{
	struct json_scan scan;

	/* Offsets of the members are into text, as v is. */
	json_scan_init(&scan, text, v.end, REPLY_DEPTH_MAX);
	scan.pos = v.start;
	return json_scan_members(&scan, &v, &names, o, -1, NULL);
}

static void
read_reply(struct parts *p, const struct reply *reply)
{
	*p = (struct parts){ .text = reply->text, .value = reply->message };
	if (p->value.kind == JSON_OBJECT && scan_object(p->text, p->value, &p->o)) {
		for (int i = 0; i < NAME_N; i++)
			p->is_ambiguous |= p->o.member[i].seen > 1;
		if (is_truthy(p, NAME_ERROR))
			p->error = member(p, NAME_ERROR);
	} else if (reply->top != NULL &&
	    json_is_truthy(p->text, reply->top->member[ENV_ERROR].value)) {
		p->error = reply->top->member[ENV_ERROR].value;	/* QEWD's bare {"error":...} */
	}
	p->is_of_node = p->error.kind == JSON_STRING && member(p, NAME_CODE).kind == JSON_STRING &&
	    member(p, NAME_BY).kind == JSON_STRING && member(p, NAME_RAN).kind == JSON_STRING;
}

/* A status that an answer with a body can have. */
static bool
is_status(uint64_t status)
{
	return status >= 200 && status <= 599 && status != 204 && status != 205 && status != 304;
}

/* {"code":404}, and "404" too; 0: none that can be used. */
static int
read_status(const struct parts *p)
{
	struct json_object o;
	struct json_value code;
	struct buf digits = { 0 };
	uint64_t n = 0;
	char *end;

	if (member(p, NAME_STATUS).kind != JSON_OBJECT ||
	    !scan_object(p->text, member(p, NAME_STATUS), &o))
		return 0;
	code = o.member[NAME_CODE].value;
	if (json_string_get(p->text, code, &digits) && digits.len == 3) {
		n = strtoul(buf_str(&digits), &end, 10);
		if (*end != '\0')
			n = 0;
	} else if (!json_number_u64(p->text, code, &n)) {
		n = 0;
	}
	buf_free(&digits);
	return is_status(n) ? (int)n : 0;
}

/* Where QEWD has 400 and we have more to say. */
static bool
is_400_in_qewd(const char *code)
{
	static const enum err such[] = {
		ERR_BAD_MESSAGE, ERR_NO_TOKEN, ERR_INVALID_TOKEN, ERR_TOKEN_EXPIRED,
		ERR_NO_HANDLER, ERR_NO_ROUTE, ERR_METHOD_NOT_ALLOWED,
	};

	for (size_t i = 0; i < ARRAY_LEN(such); i++)
		if (strcmp(code, err_code(such[i])) == 0)
			return true;
	return strcmp(code, "session_revoked") == 0;
}

static int
status_of(const struct parts *p, const struct rest_style *style)
{
	struct buf code = { 0 };
	int status = read_status(p);

	if (style->errors_qewd && p->is_of_node &&
	    json_string_get(p->text, member(p, NAME_CODE), &code) &&
	    is_400_in_qewd(buf_str(&code)))
		status = 400;
	buf_free(&code);
	return status != 0 ? status : 400;
}

/* ---- writing ---- */

static void
add_value(struct buf *b, const char *text, struct json_value v)
{
	buf_add(b, text + v.start, v.end - v.start);
}

static void
add_token(struct buf *b, const struct rest_style *style)
{
	buf_add_char(b, '"');
	buf_add(b, style->token, style->token_len);	/* base64url and dots */
	buf_add_char(b, '"');
}

/* The message without what is for QEWD's machinery. */
static void
add_message(struct buf *b, const struct parts *p, const struct rest_style *style)
{
	struct buf token = { 0 };
	struct json_edit edits[] = {
		{ .name = NAME_TOKEN },
		{ .name = NAME_MS_REQUEST_ID },
		{ .name = p->error.kind != JSON_NONE ? NAME_DISCONNECT : NAME_HEADERS },
		{ .name = NAME_COOKIE },
	};
	size_t n = p->error.kind != JSON_NONE ? 3 : ARRAY_LEN(edits);

	if (style->token != NULL) {
		add_token(&token, style);
		edits[0].value = token.data;
		edits[0].len = token.len;
	}
	json_splice_add(b, p->text, &p->o, &names, edits, n);
	buf_free(&token);
}

static void
add_list(struct buf *b, const struct parts *p, const struct rest_style *style)
{
	buf_add_str(b, "{\"results\":");
	add_value(b, p->text, p->value);
	if (style->token != NULL) {
		buf_add_str(b, ",\"token\":");
		add_token(b, style);
	}
	buf_add_char(b, '}');
}

static void
add_success(struct buf *b, const struct parts *p, const struct rest_style *style)
{
	if (p->value.kind == JSON_OBJECT)
		add_message(b, p, style);
	else if (p->value.kind == JSON_ARRAY && !style->keeps_lists)
		add_list(b, p, style);
	else if (p->value.kind == JSON_NONE)
		buf_add_str(b, "{}");
	else
		add_value(b, p->text, p->value);
}

/* {"error":{"response":BODY}} chooses the whole body. */
static bool
add_response(struct buf *b, const struct parts *p)
{
	struct json_object o;

	if (p->error.kind != JSON_OBJECT || !scan_object(p->text, p->error, &o) ||
	    !json_is_truthy(p->text, o.member[NAME_RESPONSE].value))
		return false;
	add_value(b, p->text, o.member[NAME_RESPONSE].value);
	return true;
}

static void
add_error(struct buf *b, const struct parts *p, const struct rest_style *style)
{
	if (p->is_of_node && !style->errors_qewd) {
		add_message(b, p, style);
	} else if (!add_response(b, p)) {
		buf_add_str(b, "{\"error\":");
		add_value(b, p->text, p->error);
		buf_add_char(b, '}');
	}
}

/* What the handler wants beside the body; may move the token into a cookie. */
static void
take_wishes(struct rest_answer *a, const struct parts *p, struct rest_style *style)
{
	if (p->value.kind != JSON_OBJECT)
		return;
	if (member(p, NAME_HEADERS).kind == JSON_OBJECT)
		rest_headers_add(p->text, member(p, NAME_HEADERS), &a->type, &a->extra);
	if (is_truthy(p, NAME_COOKIE) && style->token != NULL) {
		rest_headers_add_cookie(p->text, member(p, NAME_COOKIE), style->token,
		    style->token_len, &a->extra);
		style->token = NULL;
	}
}

void
rest_answer_from_error(struct rest_answer *a, const struct rest_style *style, enum err e,
    const char *text, int status)
{
	a->status = style->errors_qewd && is_400_in_qewd(err_code(e)) &&
	    status == err_http_status(e) ? 400 : status;
	buf_add_str(&a->body, "{\"error\":");
	buf_add_json_string(&a->body, text, strlen(text));
	if (!style->errors_qewd) {
		buf_printf(&a->body, ",\"code\":\"%s\",\"status\":{\"code\":%d},\"by\":",
		    err_code(e), status);
		buf_add_json_string(&a->body, style->node, strlen(style->node));
		buf_printf(&a->body, ",\"request\":\"%s\",\"ran\":\"%s\"", style->request, err_ran(e));
	}
	buf_add_char(&a->body, '}');
}

static void
refuse_ambiguous(struct rest_answer *a, const struct rest_style *style)
{
	rest_answer_from_error(a, style, ERR_INTERNAL, "the reply is ambiguous",
	    err_http_status(ERR_INTERNAL));
}

void
rest_answer_from_reply(struct rest_answer *a, const struct rest_style *style,
    const struct reply *reply)
{
	struct rest_style s = *style;
	struct parts p;

	read_reply(&p, reply);
	if (p.is_ambiguous) {
		refuse_ambiguous(a, style);
		return;
	}
	if (p.error.kind != JSON_NONE) {
		s.token = NULL;
		a->status = status_of(&p, &s);
		add_error(&a->body, &p, &s);
		return;
	}
	a->status = 200;
	take_wishes(a, &p, &s);
	add_success(&a->body, &p, &s);
}

static void
set_ambiguous(struct rest_entry *e)
{
	buf_add_str(&e->message, "{\"error\":\"the reply is ambiguous\"}");
	buf_add_str(&e->error, "\"the reply is ambiguous\"");
	e->status = err_http_status(ERR_INTERNAL);
}

/* Of an error that a node made, QEWD has text and status. */
static void
add_bare(struct buf *b, const struct parts *p)
{
	buf_add_str(b, "{\"error\":");
	add_value(b, p->text, p->error);
	if (p->is_of_node) {
		buf_add_str(b, ",\"status\":");
		add_value(b, p->text, member(p, NAME_STATUS));
	}
	buf_add_char(b, '}');
}

void
rest_entry_from_reply(struct rest_entry *e, const struct rest_style *style,
    const struct reply *reply)
{
	struct rest_style s = *style;
	struct parts p;

	s.token = NULL;
	read_reply(&p, reply);
	if (p.is_ambiguous) {
		set_ambiguous(e);
		return;
	}
	if (p.error.kind == JSON_NONE) {
		e->status = 200;
		add_success(&e->message, &p, &s);
		return;
	}
	add_value(&e->error, p.text, p.error);
	e->status = status_of(&p, &s);
	if (p.value.kind != JSON_OBJECT ||
	    (p.is_of_node && style->errors_qewd && member(&p, NAME_STATUS).kind != JSON_NONE))
		add_bare(&e->message, &p);
	else
		add_message(&e->message, &p, &s);
}

void
rest_answer_cleanup(struct rest_answer *a)
{
	buf_free(&a->type);
	buf_free(&a->extra);
	buf_free(&a->body);
}

void
rest_entry_cleanup(struct rest_entry *e)
{
	buf_free(&e->message);
	buf_free(&e->error);
}
