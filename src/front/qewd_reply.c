/* SPDX-License-Identifier: ISC */
/*
 * Replies, spliced where a whole one came from a remote node, built otherwise.
 */
#include "front/qewd_reply.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/metrics.h"
#include "codec/json_splice.h"
#include "codec/usher_member.h"
#include "net/loop.h"
#include "request/request.h"
#include "token/token_reply.h"

#define OWN_ROOM 100	/* for what we put in, as a rule */

/* Checks the token of a reply: NULL, and why, if it goes no further. */
static struct token *
check_token(struct token_cache *tokens, const struct reply *reply, const struct token *own,
    int64_t now_ms, bool *is_rewritten, enum jwt_fault *fault)
{
	struct json_value v = reply->body->member[ENV_TOKEN].value;
	struct token *t = NULL;
	struct buf room = { 0 };
	const char *text;
	size_t len;

	*fault = JWT_SEGMENTS;		/* no string */
	if (json_string_view(reply->text, v, &text, &len, &room))
		*fault = token_check_reply(tokens, text, len, own, now_ms, &t, is_rewritten);
	buf_free(&room);
	return *fault == JWT_OK ? t : NULL;
}

/* It has a token. */
static NO_INLINE struct token *
translate(struct token_cache *tokens, struct metrics *metrics, const struct request *r,
    const struct reply *reply, struct qewd_reply_extra *x)
{
	static struct log_limit limit = { .about = "tokens in replies" };
	struct token *own = r->token, *t = NULL;
	enum jwt_fault fault = JWT_OK;
	bool is_rewritten = false;

	if (!reply->is_error)
		t = check_token(tokens, reply, own, loop_wall_ms(r->all->loop), &is_rewritten,
		    &fault);
	if (t == NULL) {
		x->set_token = true;
	} else if (is_rewritten) {
		x->set_token = true;
		x->token = t->text;
		x->token_len = t->len;
	}
	if (t != NULL && t != own && reply->is_final)
		token_supersede(tokens, own);
	if (t == NULL && !reply->is_error) {
		metrics_inc(metrics, METRIC_REPLY_TOKENS_REMOVED);
		if (log_allows(&limit))
			log_warnx_of(request_subject(r, NULL), "the token in the reply of %s does "
			    "not verify; removed: %s", r->destination->name, jwt_fault_text(fault));
	}
	return t;
}

struct token *
qewd_reply_translate(struct token_cache *tokens, struct metrics *metrics, const struct request *r,
    const struct reply *reply, struct qewd_reply_extra *x)
{
	if (reply->is_local || reply->body == NULL || r->token == NULL ||
	    reply->body->member[ENV_TOKEN].seen == 0)
		return NULL;
	return translate(tokens, metrics, r, reply, x);
}

/* The values that go in, as JSON texts; they live as long as the edits that point to them. */
struct parts {
	const char *type, *ms_request_id;
	size_t type_len, ms_request_id_len;
	char usher[USHER_ID_MAX], response_time[24];
	size_t usher_len, response_time_len;
	struct json_edit in_message[2];
	size_t n_in_message;
};

static void
add_edit(struct json_edit *edits, size_t *n, int name, const char *value, size_t len)
{
	edits[(*n)++] = (struct json_edit){ .name = name, .value = value, .len = len };
}

/*
 * Where the client's ms_requestId goes.  A stock master takes its callback away at the
 * first reply that carries it, so a node never gets it in an intermediate.
 */
static bool
id_goes_on_top(const struct parts *p, const struct reply *reply, const struct qewd_reply_extra *x)
{
	return p->ms_request_id != NULL && (reply->is_final || !x->to_node);
}

static bool
id_goes_into_message(const struct parts *p, const struct reply *reply,
    const struct qewd_reply_extra *x)
{
	return p->ms_request_id != NULL && reply->is_final && reply->is_local &&
	    (x->to_node || reply->err == 0);
}

static void
edit_message(struct parts *p, const struct reply *reply, const struct qewd_reply_extra *x)
{
	p->n_in_message = 0;
	if (x->set_token)	/* letters of base64url and dots: nothing to escape */
		p->in_message[p->n_in_message++] = (struct json_edit){ .name = ENV_TOKEN,
			.value = x->token, .len = x->token_len, .is_bare = x->token != NULL };
	if (id_goes_into_message(p, reply, x))
		add_edit(p->in_message, &p->n_in_message, ENV_MS_REQUEST_ID, p->ms_request_id,
		    p->ms_request_id_len);
	else if (p->ms_request_id != NULL && !x->to_node && !reply->is_local && reply->is_final)
		add_edit(p->in_message, &p->n_in_message, ENV_MS_REQUEST_ID, NULL, 0);
}

static void
prepare(struct parts *p, const struct request *r, const struct reply *reply,
    const struct qewd_reply_extra *x)
{
	p->type = envelope_raw(&r->env, &r->env.top, ENV_TYPE, &p->type_len);
	p->ms_request_id = envelope_raw(&r->env, &r->env.top, ENV_MS_REQUEST_ID,
	    &p->ms_request_id_len);
	p->usher_len = x->has_usher_id ? usher_member_put_id(p->usher, x->usher_id) : 0;
	p->response_time_len = buf_put_u64(p->response_time, x->took_ms);
	memcpy(p->response_time + p->response_time_len, "ms", 2);
	p->response_time_len += 2;
	edit_message(p, reply, x);
}

/* A whole reply of a remote node: copied around what is ours. */
static void
splice_reply(struct buf *b, const struct parts *p, const struct reply *reply,
    const struct qewd_reply_extra *x)
{
	struct json_edit edits[JSON_EDITS_MAX];
	const struct json_member *m = reply->top->member;
	size_t n = 0;

	if (m[ENV_TYPE].value.kind != JSON_STRING)
		add_edit(edits, &n, ENV_TYPE, p->type, p->type_len);
	if (m[ENV_FINISHED].value.kind != JSON_TRUE && m[ENV_FINISHED].value.kind != JSON_FALSE)
		add_edit(edits, &n, ENV_FINISHED, "true", 4);
	if (reply->body != NULL && p->n_in_message > 0)
		edits[n++] = (struct json_edit){ .name = ENV_MESSAGE, .object = reply->body,
			.edits = p->in_message, .n_edits = p->n_in_message };
	if (id_goes_on_top(p, reply, x))
		add_edit(edits, &n, ENV_MS_REQUEST_ID, p->ms_request_id, p->ms_request_id_len);
	add_edit(edits, &n, ENV_USHER, p->usher_len > 0 ? p->usher : NULL, p->usher_len);
	edits[n++] = (struct json_edit){ .name = ENV_RESPONSE_TIME, .value = p->response_time,
		.len = p->response_time_len, .is_bare = true };
	json_splice_add(b, reply->text, reply->top, &envelope_names, edits, n);
}

static void
add_message(struct buf *b, const struct parts *p, const struct reply *reply)
{
	if (reply->body != NULL)
		json_splice_add(b, reply->text, reply->body, &envelope_names, p->in_message,
		    p->n_in_message);
	else if (reply->message.kind != JSON_NONE)
		buf_add(b, reply->text + reply->message.start,
		    reply->message.end - reply->message.start);
	else
		buf_add_str(b, "{}");
}

static void
build_reply(struct buf *b, const struct parts *p, const struct reply *reply,
    const struct qewd_reply_extra *x)
{
	buf_add_str(b, "{\"type\":");
	if (reply->type.kind == JSON_STRING)
		buf_add(b, reply->text + reply->type.start, reply->type.end - reply->type.start);
	else
		buf_add(b, p->type, p->type_len);
	buf_add_str(b, reply->is_final ? ",\"finished\":true,\"message\":" :
	    ",\"finished\":false,\"message\":");
	add_message(b, p, reply);
	if (id_goes_on_top(p, reply, x)) {
		buf_add_str(b, ",\"ms_requestId\":");
		buf_add(b, p->ms_request_id, p->ms_request_id_len);
	}
	if (p->usher_len > 0) {
		buf_add_str(b, ",\"usher\":");
		buf_add(b, p->usher, p->usher_len);
	}
	buf_add_str(b, ",\"responseTime\":\"");
	buf_add(b, p->response_time, p->response_time_len);
	buf_add_str(b, "\"}");
}

void
qewd_reply_write(struct buf *b, const struct request *r, const struct reply *reply,
    const struct qewd_reply_extra *x)
{
	struct parts p;

	prepare(&p, r, reply, x);
	if (reply->top != NULL)
		splice_reply(b, &p, reply, x);
	else
		build_reply(b, &p, reply, x);
}

size_t
qewd_reply_room(const struct reply *reply, const struct qewd_reply_extra *x)
{
	size_t len = reply->top != NULL ? reply->top->close - reply->top->open :
	    reply->message.end - reply->message.start;

	return len + x->token_len + OWN_ROOM;
}

void
qewd_reply_write_message(struct buf *b, const struct request *r, const struct reply *reply,
    const struct qewd_reply_extra *x)
{
	struct parts p;

	prepare(&p, r, reply, x);
	add_message(b, &p, reply);
}
