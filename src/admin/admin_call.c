/* SPDX-License-Identifier: ISC */
/*
 * An origin: one message of the operator's own, through the node as a browser's would go.
 *
 * It gets a session as ewd-register gives one, passes the gate as a browser does, and its replies
 * are the lines of the answer.  Tokens are taken out of them.
 */
#include <stdlib.h>
#include <string.h>

#include "admin/admin_command.h"
#include "admin/admin_json.h"
#include "admin/admin_view.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/xmalloc.h"
#include "codec/envelope.h"
#include "codec/json_splice.h"
#include "conf/conf.h"
#include "front/gate.h"
#include "request/request.h"
#include "token/claims.h"
#include "token/token_cache.h"

#define LABEL "usherctl"

/* Exit status of usherctl: what is known of a message that was answered with an error. */
enum { EXIT_NOT_RUN = 5, EXIT_MAYBE_RUN = 6, EXIT_RUN = 7 };

static void on_reply(struct request *, const struct reply *, void *);
static void on_final(struct request *, const struct reply *, void *);

static const struct origin_ops origin_ops = {
	.on_reply = on_reply,
	.on_final = on_final,
};

/* ---- the message ---- */

static void
add_token(const struct admin_ask *a, struct buf *out)
{
	const struct gate *g = a->view->gate;
	char socket[33];
	struct claims_new session = {
		.application = a->arg[0],
		.application_len = strlen(a->arg[0]),
		.socket = socket,
		.address = "",
		.lifetime_s = g->conf->jwt.lifetime_s,
		.now_s = clock_wall_ms() / 1000,
	};

	id_hex(socket, 16);
	claims_register(token_cache_ring(g->tokens), &session, out);
}

/* The object that was given, with the type and a token of a new session in it. */
static void
build_message(const struct admin_ask *a, const struct envelope *given, struct buf *out)
{
	struct buf type = { 0 }, token = { 0 };

	buf_add_json_string(&type, a->arg[1], strlen(a->arg[1]));
	buf_add_char(&token, '"');
	add_token(a, &token);
	buf_add_char(&token, '"');
	json_splice_add(out, given->text, &given->top, &envelope_names, (const struct json_edit[]){
		{ .name = ENV_TYPE, .value = type.data, .len = type.len },
		{ .name = ENV_TOKEN, .value = token.data, .len = token.len },
	}, 2);
	buf_free(&type);
	buf_free(&token);
}

static void
send(struct admin_ask *a, const struct buf *message)
{
	const struct gate *g = a->view->gate;
	struct gate_sender sender = { .label = LABEL, .is_limited = true };
	struct envelope env;
	struct request *r;

	if (envelope_scan_object(&env, message->data, message->len, g->conf->limits.json_depth) !=
	    0 || !gate_is_message(&env)) {
		admin_refuse(a, "bad_request", "the message cannot be sent: is its type empty?");
		return;
	}
	a->own = r = request_new(g->requests, &origin_ops, a, &env, "");
	gate_set_client_text(r->client_address, LABEL);
	if (gate_check_limits(g, r, &sender, 1) && gate_check_form(r))
		gate_pass(g, r, &sender, UINT64_MAX);
}

/* Whoever asked has left before the final. */
static void
on_gone(struct admin_ask *a)
{
	struct request *r = a->own;

	if (r == NULL)
		return;
	request_leave(r);
	request_cancel(r);
}

void
admin_call(struct admin_ask *a)
{
	const char *text = a->n_args > 2 ? a->arg[2] : "{}";
	struct buf message = { 0 };
	struct envelope given;

	if (envelope_scan_object(&given, text, strlen(text),
	    a->view->gate->conf->limits.json_depth) != 0 || given.arg.kind != JSON_OBJECT) {
		admin_refuse(a, "bad_request", "JSON must be an object, such as "
		    "'{\"params\":{\"username\":\"rob\"}}'%s%s", given.fault != NULL ? ": " : "",
		    given.fault != NULL ? given.fault : "");
		return;
	}
	if (given.top.member[ENV_TYPE].seen > 0 || given.top.member[ENV_TOKEN].seen > 0 ||
	    a->arg[0][0] == '\0') {
		admin_refuse(a, "bad_request", "type and token are not part of JSON, and "
		    "APPLICATION is not empty");
		return;
	}
	build_message(a, &given, &message);
	a->on_gone = on_gone;
	send(a, &message);
	buf_free(&message);
}

/* ---- its replies ---- */

static void
add_reply(struct admin_ask *a, const struct request *r, const struct reply *reply)
{
	static const struct json_edit none[] = { { .name = ENV_TOKEN }, { .name = ENV_USHER } };
	size_t begin = a->out.len;

	admin_json_text(&a->out, "request", r->name);
	admin_json_bool(&a->out, "finished", reply->is_final);
	admin_json_u64(&a->out, "took_ms", clock_mono_ms() - r->begun_ms);
	buf_add_str(&a->out, ",\"message\":");
	if (reply->body != NULL)
		json_splice_add(&a->out, reply->text, reply->body, &envelope_names, none, 2);
	else if (reply->message.kind != JSON_NONE)
		buf_add(&a->out, reply->text + reply->message.start,
		    reply->message.end - reply->message.start);
	else
		buf_add_str(&a->out, "{}");
	admin_json_one_line(&a->out, begin);
}

static void
on_reply(struct request *r, const struct reply *reply, void *arg)
{
	struct admin_ask *a = arg;

	add_reply(a, r, reply);
	admin_more(a);
}

/* What a node says of an error that it made; a handler's own error has run. */
static int
exit_of(const struct reply *final)
{
	struct json_value ran;

	if (!final->is_error)
		return 0;
	ran = json_member_of(final->text, final->message, "ran");
	if (json_string_is(final->text, ran, "no"))
		return EXIT_NOT_RUN;
	return json_string_is(final->text, ran, "maybe") ? EXIT_MAYBE_RUN : EXIT_RUN;
}

static void
on_final(struct request *r, const struct reply *final, void *arg)
{
	struct admin_ask *a = arg;

	add_reply(a, r, final);
	a->own = NULL;
	admin_done_with(a, exit_of(final));
}
