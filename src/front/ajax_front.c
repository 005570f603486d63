/* SPDX-License-Identifier: ISC */
/*
 * From the body of a POST to a request, and from its final to an answer.
 *
 * Read on_request() and serve() first.  A page of another site can make a browser send a
 * form anywhere, but not JSON to a server that does not permit its origin.
 */
#include "front/ajax_front.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "codec/envelope.h"
#include "conf/conf.h"
#include "front/ajax_callers.h"
#include "front/client.h"
#include "front/gate.h"
#include "front/http_exchange.h"
#include "front/http_trace.h"
#include "front/origin_check.h"
#include "front/qewd_register.h"
#include "front/qewd_reply.h"
#include "front/rest_answer.h"
#include "front/rest_message.h"
#include "net/loop.h"
#include "request/request.h"
#include "token/claims.h"
#include "token/token_cache.h"

#define PATH "/ajax"
#define JSON_TYPE "application/json; charset=utf-8"

struct ajax_front {
	const struct gate *gate;
	struct ajax_callers *callers;
	struct http_service service;
};

/* A message, until its answer. */
struct ajax_call {
	struct ajax_front *front;
	struct http_exchange *exchange;	/* NULL: whoever asked is gone */
	struct request *request;
	struct ajax_caller *caller;	/* NULL: not counted */
	struct timer gone_timer;
};

static bool	is_for(const struct http_head *, const struct client *, void *);
static size_t	on_head(struct http_exchange *, void *);
static void	on_request(struct http_exchange *, void *);
static void	on_gone(void *);
static void	on_reply(struct request *, const struct reply *, void *);
static void	on_final(struct request *, const struct reply *, void *);

static const struct origin_ops origin_ops = {
	.on_reply = on_reply,
	.on_final = on_final,
};

struct ajax_front *
ajax_front_new(const struct gate *gate)
{
	struct ajax_front *f = xcalloc(1, sizeof(*f));

	f->gate = gate;
	f->callers = ajax_callers_new(gate->conf->limits.sessions);
	f->service = (struct http_service){ .is_for = is_for, .on_head = on_head,
		.on_request = on_request, .on_bad_body = origin_refuse_body, .arg = f };
	return f;
}

void
ajax_front_free(struct ajax_front *f)
{
	if (f == NULL)
		return;
	ajax_callers_free(f->callers);
	free(f);
}

void
ajax_front_reload(struct ajax_front *f)
{
	ajax_callers_set_max(f->callers, f->gate->conf->limits.sessions);
}

const struct http_service *
ajax_front_service(const struct ajax_front *f)
{
	return &f->service;
}

bool
ajax_front_is_path(const struct http_head *head)
{
	return http_text_equals(head->path, PATH);
}

static bool
is_for(const struct http_head *head, const struct client *client, void *arg)
{
	const struct ajax_front *f = arg;

	return f->gate->conf->http_ajax && ajax_front_is_path(head) &&
	    !client->is_node;
}

/* ---- answers ---- */

static struct rest_style
style_of(const struct ajax_front *f)
{
	return (struct rest_style){
		.errors_qewd = f->gate->conf->http_errors_qewd != 0,
		.node = f->gate->conf->node,
	};
}

/* Answers are made for one page at a time, and hold tokens. */
static void
send_answer(struct http_exchange *x, int status, const struct buf *body, const char *more,
    uint64_t took_ms, const char *trace)
{
	struct buf extra = { 0 };

	http_trace_add_headers(&extra, trace);
	buf_printf(&extra, "X-ResponseTime: %llums\r\nCache-Control: no-store\r\n%s",
	    (unsigned long long)took_ms, more);
	if (origin_allow_headers(&extra, http_exchange_head(x), http_exchange_client(x)))
		buf_add_str(&extra, "Access-Control-Expose-Headers: X-ResponseTime, "
		    "X-Request-Id, traceparent\r\n");
	http_exchange_answer(x, &(struct http_answer){
		.status = status,
		.type = JSON_TYPE,
		.extra = buf_str(&extra),
		.body = body->data,
		.len = body->len,
	});
	buf_free(&extra);
}

/* What ends before it is a request.  more: header lines, or "". */
static void
refuse(const struct ajax_front *f, struct http_exchange *x, enum err e, const char *text,
    int status, const char *more)
{
	struct rest_style style = style_of(f);
	struct rest_answer a = { 0 };
	char trace[TRACE_MAX], id[TRACE_ID_LEN + 1];

	http_trace_begin(trace, http_exchange_head(x));
	http_trace_id(id, trace);
	style.request = id;
	log_debug_of("http", ((struct log_subject){ http_exchange_client(x)->label, id, NULL }),
	    "ajax: refused: %s", text);
	rest_answer_from_error(&a, &style, e, text, status);
	send_answer(x, a.status, &a.body, more, 0, trace);
	rest_answer_cleanup(&a);
}

/* A page of another origin asks whether it may. */
static void
answer_options(struct http_exchange *x)
{
	struct buf extra = { 0 };

	buf_add_str(&extra, "Allow: POST, OPTIONS\r\n");
	if (origin_allow_headers(&extra, http_exchange_head(x), http_exchange_client(x)))
		buf_add_str(&extra, "Access-Control-Allow-Methods: POST\r\n"
		    "Access-Control-Allow-Headers: Content-Type, traceparent\r\n"
		    "Access-Control-Max-Age: 600\r\n");
	http_exchange_answer(x, &(struct http_answer){ .status = 204, .extra = buf_str(&extra) });
	buf_free(&extra);
}

static bool
check_origin(const struct ajax_front *f, const struct http_exchange *x)
{
	if (origin_is_permitted(http_exchange_head(x), http_exchange_client(x)))
		return true;
	metrics_inc(gate_metrics(f->gate), METRIC_ORIGINS_REFUSED);
	return false;
}

static size_t
on_head(struct http_exchange *x, void *arg)
{
	struct ajax_front *f = arg;
	const struct conf_limits *limits = &f->gate->conf->limits;
	const struct http_head *head = http_exchange_head(x);

	if (http_text_equals(head->method, "OPTIONS"))
		answer_options(x);
	else if (!http_text_equals(head->method, "POST"))
		refuse(f, x, ERR_METHOD_NOT_ALLOWED, "messages are sent with POST",
		    err_http_status(ERR_METHOD_NOT_ALLOWED), "Allow: POST, OPTIONS\r\n");
	else if (!check_origin(f, x))
		refuse(f, x, ERR_NOT_ALLOWED, "pages of this origin are not permitted",
		    err_http_status(ERR_NOT_ALLOWED), "");
	else if (rest_body_kind(head) != REST_BODY_JSON)
		refuse(f, x, ERR_BAD_MESSAGE, "a message is application/json, in UTF-8", 415,
		    "Accept: application/json\r\n");
	else
		return limits->message < limits->http_body ? limits->message : limits->http_body;
	return 0;
}

/* ---- requests ---- */

/* The session's own count, or for who has none the address's.  false: the request has ended. */
static bool
count(struct ajax_call *call, const struct gate_sender *sender)
{
	struct ajax_front *f = call->front;
	struct request *r = call->request;
	const struct conf_limits *limits = &f->gate->conf->limits;
	const char *jti = r->token != NULL ? r->token->jti : NULL;
	uint64_t now_ms = clock_mono_ms();
	struct ajax_caller *c;
	struct buf key = { 0 };

	buf_printf(&key, "%c%s", jti != NULL ? 't' : 'a', jti != NULL ? jti : r->client_address);
	call->caller = c = ajax_callers_begin(f->callers, key.data, key.len, now_ms);
	buf_free(&key);
	if (c == NULL) {
		request_fail(r, ERR_TOO_MANY, "too many callers (limits.sessions)");
		return false;
	}
	if (!ratelimit_take(&c->messages, limits->messages_per_second, 1, now_ms) ||
	    !ratelimit_take(&c->bytes, limits->bytes_per_second, r->env.len, now_ms) ||
	    !gate_takes_from(f->gate, r->client_address, r->env.len)) {
		request_fail(r, ERR_TOO_MANY, GATE_OVER_RATE);
		return false;
	}
	return gate_check_limits(f->gate, r, sender, c->n_open);
}

static void
on_register(struct ajax_call *call)
{
	const struct gate *g = call->front->gate;
	struct request *r = call->request;
	struct registrant who = { .socket = r->client_socket, .address = r->client_address };
	struct buf application = { 0 }, message = { 0 };

	id_sid(r->client_socket);	/* a name like that of a socket, which there is none of */
	if (qewd_register(g, r, &who, &application, &message))
		qewd_register_answer(g, r, &message);
	buf_free(&application);
	buf_free(&message);
}

/* The session may have a socket besides: its name stays. */
static void
on_reregister(struct ajax_call *call)
{
	const struct gate *g = call->front->gate;
	struct request *r = call->request;
	struct registrant who = { .socket = r->client_socket, .address = r->client_address };
	struct buf message = { 0 };

	qewd_reregister(g, r, &who, &message);
	qewd_register_answer(g, r, &message);
	buf_free(&message);
}

/* So that what a handler pushes to "the socket that asked" reaches the session's, if it has one. */
static void
set_socket(const struct gate *g, struct request *r)
{
	struct buf socket = { 0 }, address = { 0 };

	claims_client(token_cache_ring(g->tokens), r->token, &socket, &address);
	gate_set_client_text(r->client_socket, buf_str(&socket));
	buf_free(&socket);
	buf_free(&address);
}

static void
serve(struct ajax_call *call, const struct client *client)
{
	const struct gate *g = call->front->gate;
	struct gate_sender sender = { .label = client->label, .is_limited = true };
	struct request *r = call->request;

	if (!gate_check_form(r))
		return;
	if (gate_is_type(r, "ewd-register")) {
		if (count(call, &sender))
			on_register(call);
		return;
	}
	if (!gate_check_token(g, r, &sender) || !count(call, &sender))
		return;
	set_socket(g, r);
	if (gate_is_type(r, "ewd-reregister"))
		on_reregister(call);
	else
		gate_pass(g, r, &sender, UINT64_MAX);
}

static void
on_request(struct http_exchange *x, void *arg)
{
	struct ajax_front *f = arg;
	const struct client *client = http_exchange_client(x);
	struct ajax_call *call;
	struct envelope env;
	char trace[TRACE_MAX];
	const char *body;
	size_t len;

	body = http_exchange_body(x, &len);
	if (envelope_scan_object(&env, body, len, f->gate->conf->limits.json_depth) != 0) {
		refuse(f, x, ERR_BAD_MESSAGE, env.fault, 400, "");
		return;
	}
	if (!gate_is_message(&env)) {
		refuse(f, x, ERR_BAD_MESSAGE, "a message is an object with a non-empty string type",
		    400, "");
		return;
	}
	call = xcalloc(1, sizeof(*call));
	call->front = f;
	call->exchange = x;
	http_exchange_wait(x, on_gone, call);
	http_trace_begin(trace, http_exchange_head(x));
	call->request = request_new(f->gate->requests, &origin_ops, call, &env, trace);
	gate_set_client_text(call->request->client_address, client->address);
	serve(call, client);
}

static void
call_free(struct ajax_call *call)
{
	loop_timer_stop(call->front->gate->requests->loop, &call->gone_timer);
	if (call->caller != NULL)
		ajax_caller_end(call->caller, clock_mono_ms());
	free(call);
}

/* The call ends with its request. */
static void
on_gone_for_long(void *arg)
{
	struct ajax_call *call = arg;

	request_cancel(call->request);
}

/*
 * Nobody can be told any more, but its request goes on for as long as those of clients that may
 * come back, and counts as open until it ends: leaving makes no room for more.  It is not
 * cancelled here, where whoever serves it may be up the stack.
 */
static void
on_gone(void *arg)
{
	struct ajax_call *call = arg;
	const struct gate *g = call->front->gate;
	struct request *r = call->request;

	call->exchange = NULL;
	if (g->is_draining) {
		request_leave(r);
		call_free(call);
		return;
	}
	request_away(r);
	loop_timer_set(g->requests->loop, &call->gone_timer,
	    r->cancel_on_leave ? 0 : g->conf->timeouts.resume_ms, on_gone_for_long, call);
}

/* ---- replies ---- */

static void
on_reply(struct request *r, const struct reply *reply UNUSED, void *arg UNUSED)
{
	log_debug_of("request", request_subject(r, NULL),
	    "an intermediate has no place in an answer to Ajax");
}

/* The status is in the message, or its error's own; of the message QEWD has the error alone. */
static int
write_error(struct buf *b, const struct ajax_front *f, const struct request *r,
    const struct reply *reply, const struct qewd_reply_extra *x)
{
	struct rest_style style = style_of(f);
	struct rest_entry e = { 0 };
	int status;

	rest_entry_from_reply(&e, &style, reply);
	status = e.status;
	if (style.errors_qewd || reply->body == NULL) {
		buf_add_str(b, "{\"error\":");
		buf_add(b, e.error.data, e.error.len);
		buf_add_char(b, '}');
	} else {
		qewd_reply_write_message(b, r, reply, x);
	}
	rest_entry_cleanup(&e);
	return status;
}

static void
answer(struct ajax_call *call, struct request *r, const struct reply *reply)
{
	const struct gate *g = call->front->gate;
	struct qewd_reply_extra x = {
		.set_token = reply->token != NULL,
		.token = reply->token,
		.token_len = reply->token_len,
	};
	struct token *t = qewd_reply_translate(g->tokens, gate_metrics(g), r, reply, &x);
	struct buf body = { 0 };
	int status = 200;

	if (reply->is_error)
		status = write_error(&body, call->front, r, reply, &x);
	else
		qewd_reply_write_message(&body, r, reply, &x);
	token_unref(t);
	send_answer(call->exchange, status, &body, "", clock_mono_ms() - r->begun_ms, r->trace);
	buf_free(&body);
}

static void
on_final(struct request *r, const struct reply *reply, void *arg)
{
	struct ajax_call *call = arg;

	if (call->exchange != NULL)
		answer(call, r, reply);
	call_free(call);
}
