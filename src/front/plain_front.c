/* SPDX-License-Identifier: ISC */
/*
 * One client of plain events: its session's token, its calls and their replies.
 *
 * The token is that of the handshake, or of a session made for a client that brings
 * none; the finals renew it.  Read on_event() first: it makes of an event the message
 * that QEWD's clients would have sent.
 */
#include "front/plain_front.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "codec/envelope.h"
#include "codec/json_splice.h"
#include "conf/conf.h"
#include "front/client.h"
#include "front/gate.h"
#include "front/qewd_reply.h"
#include "front/sio_server.h"
#include "net/loop.h"
#include "request/request.h"
#include "token/claims.h"
#include "token/token_cache.h"

#define CANCEL_EVENT	"usher:cancel"
#define TOKEN_EVENT	"auth"
#define PROGRESS	":progress"
#define DEADLINE_MAX_MS	(24 * 3600 * 1000u)	/* no route allows more */

struct plain_front {
	struct gate *gate;
	LIST_HEAD(, plain_client) gone;	/* without a connection, with open calls */
};

struct plain_client {
	LIST_ENTRY(plain_client) link;	/* among those that are gone */
	struct plain_front *front;
	struct sio_session *sio;	/* NULL: gone */
	struct timer gone_timer;
	struct buf token;		/* of its session, as text */
	bool is_new;			/* the client has not been told the token */
	uint64_t epoch;		/* one more with each session that the client begins with */
	LIST_HEAD(, plain_call) calls;	/* open */
	uint64_t n_calls;
	struct loop_work release;
};

struct plain_call {
	LIST_ENTRY(plain_call) link;
	struct plain_client *client;
	struct request *request;
	bool has_ack;
	uint64_t ack;
	struct buf id;			/* the client's own, as JSON; empty: none */
	bool has_own_token;		/* it says nothing about the socket's session */
	uint64_t epoch;		/* of the client, when it was begun */
	struct timer deadline_timer;	/* the client's own */
};

/* What a client says beside the argument, and in the handshake. */
enum option { OPTION_TOKEN, OPTION_APPLICATION, OPTION_ID, OPTION_DEADLINE, OPTION_N };

static const struct json_names option_names = {
	.n = OPTION_N,
	.name = (const char *const[]){
		[OPTION_TOKEN] = "token", [OPTION_APPLICATION] = "application",
		[OPTION_ID] = "id", [OPTION_DEADLINE] = "deadline_ms",
	},
};

static bool on_connect(const char *, size_t, struct buf *, void *);
static void on_connected(void *);
static void on_event(struct envelope *, bool, const uint64_t *, void *);
static void on_close(void *);
static void on_reply(struct request *, const struct reply *, void *);
static void on_final(struct request *, const struct reply *, void *);
static uint64_t n_calls(void *);

static const struct sio_named_events named_events = {
	.on_connect = on_connect,
	.on_connected = on_connected,
	.on_event = on_event,
	.on_close = on_close,
	.n_calls = n_calls,
};

static const struct origin_ops origin_ops = {
	.on_reply = on_reply,
	.on_final = on_final,
};

struct plain_front *
plain_front_new(struct gate *gate)
{
	struct plain_front *f = xcalloc(1, sizeof(*f));

	f->gate = gate;
	LIST_INIT(&f->gone);
	return f;
}

void
plain_front_free(struct plain_front *f)
{
	free(f);
}

void
plain_front_on_session(struct plain_front *f, struct sio_session *sio)
{
	struct plain_client *c = xcalloc(1, sizeof(*c));

	c->front = f;
	c->sio = sio;
	LIST_INIT(&c->calls);
	sio_session_attach_named(sio, &named_events, c);
}

static const char *
label_of(const struct plain_client *c)
{
	return sio_session_client(c->sio)->label;
}

/* ---- the session ---- */

/* An object of options; what is none has none of them. */
static void
read_options(struct json_object *o, const char *text, size_t len)
{
	struct json_scan scan;
	struct json_value v;

	json_scan_init(&scan, text, len, 8);
	if (!json_scan_members(&scan, &v, &option_names, o, -1, NULL) || !json_scan_end(&scan))
		*o = (struct json_object){ 0 };
}

static const struct conf_events *
find_application(const struct plain_front *f, const char *name, size_t len)
{
	const struct conf *conf = f->gate->conf;

	for (size_t i = 0; i < conf->n_events; i++)
		if (strlen(conf->events[i].application) == len &&
		    memcmp(conf->events[i].application, name, len) == 0)
			return &conf->events[i];
	return NULL;
}

/* A session of its own; its application is the one asked for, or the first. */
static void
begin_session(struct plain_client *c, const char *text, const struct json_object *options)
{
	const struct gate *g = c->front->gate;
	struct buf name = { 0 };
	const struct conf_events *e;
	struct claims_new session = {
		.socket = sio_session_sid(c->sio),
		.address = sio_session_client(c->sio)->address,
		.lifetime_s = g->conf->jwt.lifetime_s,
		.now_s = clock_wall_ms() / 1000,
	};

	json_string_get(text, options->member[OPTION_APPLICATION].value, &name);
	if ((e = find_application(c->front, buf_str(&name), name.len)) == NULL &&
	    g->conf->n_events > 0)
		e = &g->conf->events[0];
	/* A reload may have taken all of them away since it connected. */
	session.application = e != NULL ? e->application : "";
	session.application_len = strlen(session.application);
	sio_session_set_application(c->sio, session.application);
	c->token.len = 0;
	claims_register(token_cache_ring(g->tokens), &session, &c->token);
	gate_mark_new(g, &c->token, sio_session_mark(c->sio));
	c->is_new = true;
	c->epoch++;
	metrics_inc(gate_metrics(g), METRIC_REGISTRATIONS);
	buf_free(&name);
}

static void
add_refusal(struct buf *b, enum jwt_fault fault)
{
	enum err e = jwt_fault_err(fault);
	char *text = xasprintf("Invalid JWT: %s", jwt_fault_text(fault));

	buf_add_str(b, "{\"message\":");
	buf_add_json_string(b, text, strlen(text));
	buf_add_str(b, ",\"data\":{\"error\":");
	buf_add_json_string(b, text, strlen(text));
	buf_printf(b, ",\"code\":\"%s\",\"status\":{\"code\":%d},\"ran\":\"no\"}}", err_code(e),
	    err_http_status(e));
	free(text);
}

/* The token that the client brings; what is no string is refused as no token. */
static bool
take_token(const struct plain_client *c, const char *auth, const struct json_object *options,
    struct buf *token)
{
	const char *bearer = sio_session_bearer(c->sio);

	if (json_is_truthy(auth, options->member[OPTION_TOKEN].value)) {
		if (!json_string_get(auth, options->member[OPTION_TOKEN].value, token))
			buf_add_char(token, '?');
	} else if (bearer != NULL) {
		buf_add_str(token, bearer);
	}
	return token->len > 0;
}

static bool
on_connect(const char *auth, size_t len, struct buf *refusal, void *arg)
{
	struct plain_client *c = arg;
	const struct gate *g = c->front->gate;
	enum jwt_fault fault = JWT_OK;
	struct json_object options;
	struct buf token = { 0 };
	struct token *t = NULL;

	read_options(&options, auth, len);
	if (take_token(c, auth, &options, &token))
		fault = token_check(g->tokens, token.data, token.len, clock_wall_ms(), &t);
	else
		begin_session(c, auth, &options);
	if (t != NULL) {
		sio_session_set_application(c->sio, t->application);
		buf_free(&c->token);
		c->token = token;
		gate_mark_new(g, &c->token, sio_session_mark(c->sio));
		token = (struct buf){ 0 };
		c->epoch++;
	} else if (fault != JWT_OK) {
		metrics_inc(gate_metrics(g), METRIC_TOKENS_REFUSED);
		log_debug_for("token", label_of(c), "refused: %s", jwt_fault_text(fault));
		add_refusal(refusal, fault);
	}
	token_unref(t);
	buf_free(&token);
	return fault == JWT_OK;
}

static void
on_connected(void *arg)
{
	struct plain_client *c = arg;
	struct buf *b;

	if (!c->is_new)
		return;
	c->is_new = false;
	b = sio_session_begin_event(c->sio, TOKEN_EVENT, strlen(TOKEN_EVENT));
	buf_printf(b, "{\"token\":\"%s\"}", buf_str(&c->token));
	sio_session_end(c->sio, NULL);
}

static void
call_free(struct plain_call *call)
{
	LIST_REMOVE(call, link);
	call->client->n_calls--;
	loop_timer_stop(call->client->front->gate->requests->loop, &call->deadline_timer);
	buf_free(&call->id);
	free(call);
}

/* ---- the end ---- */

static void
release(void *arg)
{
	struct plain_client *c = arg;

	buf_free(&c->token);
	free(c);
}

static void
leave(struct plain_call *call)
{
	request_leave(call->request);
	call_free(call);
}

static void
forget(struct plain_client *c)
{
	while (!LIST_EMPTY(&c->calls))
		leave(LIST_FIRST(&c->calls));
	LIST_REMOVE(c, link);
	loop_timer_stop(c->front->gate->requests->loop, &c->gone_timer);
	/* An event of this client may be up the stack. */
	loop_defer(c->front->gate->requests->loop, LOOP_FREE, &c->release, release, c);
}

void
plain_front_forget_gone(struct plain_front *f)
{
	while (f != NULL && !LIST_EMPTY(&f->gone))
		forget(LIST_FIRST(&f->gone));
}

/* Anew each time: one cancellation may end other requests. */
static void
cancel_calls(struct plain_client *c, bool all)
{
	struct plain_call *call;

	do {
		LIST_FOREACH(call, &c->calls, link)
			if (all || call->request->cancel_on_leave)
				break;
		if (call != NULL) {
			struct request *r = call->request;

			leave(call);
			request_cancel(r);
		}
	} while (call != NULL);
}

static void
on_gone_for_long(void *arg)
{
	struct plain_client *c = arg;

	cancel_calls(c, true);
	forget(c);
}

/* Not from on_close() itself: whoever serves the request may be up its stack. */
static void
on_gone(void *arg)
{
	struct plain_client *c = arg;
	const struct gate *g = c->front->gate;

	cancel_calls(c, false);
	if (LIST_EMPTY(&c->calls))
		forget(c);
	else
		loop_timer_set(g->requests->loop, &c->gone_timer, g->conf->timeouts.resume_ms,
		    on_gone_for_long, c);
}

/*
 * An acknowledgement belongs to its connection, so nobody can be told any more: calls go on
 * for as long as those of other clients that may come back, or end at once.
 */
static void
on_close(void *arg)
{
	struct plain_client *c = arg;
	struct plain_front *f = c->front;
	struct plain_call *call;

	c->sio = NULL;
	LIST_INSERT_HEAD(&f->gone, c, link);
	if (LIST_EMPTY(&c->calls) || f->gate->is_draining) {
		forget(c);
		return;
	}
	LIST_FOREACH(call, &c->calls, link)
		request_away(call->request);
	loop_timer_set(f->gate->requests->loop, &c->gone_timer, 0, on_gone, c);
}

/* ---- calls ---- */

/* "APPLICATION/TYPE" of an application that may be called so; NULL: it is not. */
static const struct conf_events *
split_name(const struct plain_front *f, const struct buf *name, const char **type)
{
	const char *slash = name->len > 0 ? memchr(name->data, '/', name->len) : NULL;
	const struct conf_events *e;
	size_t type_len;

	if (slash == NULL)
		return NULL;
	*type = slash + 1;
	type_len = (size_t)(name->data + name->len - *type);
	e = find_application(f, name->data, (size_t)(slash - name->data));
	for (char **p = e != NULL ? e->types : NULL; p != NULL && *p != NULL; p++) {
		size_t fixed = strcspn(*p, "*");

		if (type_len > 0 && type_len >= fixed && memcmp(*type, *p, fixed) == 0 &&
		    ((*p)[fixed] == '*' || type_len == fixed))
			return e;
	}
	return NULL;
}

/* The message of a call: {"type":...,"params":...,"token":...}. */
static void
add_message(struct buf *b, const struct plain_client *c, const struct envelope *env,
    const char *type, size_t type_len, const struct json_object *options, const char *option_text)
{
	struct json_value token = options->member[OPTION_TOKEN].value;

	buf_add_str(b, "{\"type\":");
	buf_add_json_string(b, type, type_len);
	if (env->arg.kind != JSON_NONE) {
		buf_add_str(b, ",\"params\":");
		buf_add(b, env->text + env->arg.start, env->arg.end - env->arg.start);
	}
	if (json_is_truthy(option_text, token)) {
		buf_add_str(b, ",\"token\":");
		buf_add(b, option_text + token.start, token.end - token.start);
	} else if (c->token.len > 0) {
		buf_add_str(b, ",\"token\":");
		buf_add_json_string(b, c->token.data, c->token.len);
	}
	buf_add_char(b, '}');
}

static struct plain_call *
call_new(struct plain_client *c, const struct buf *message, const char *application,
    const uint64_t *ack)
{
	struct plain_call *call = xcalloc(1, sizeof(*call));
	const struct conf *conf = c->front->gate->conf;
	struct envelope env;
	struct request *r;

	/* The argument is one level deeper than it came. */
	if (envelope_scan_object(&env, message->data, message->len,
	    conf->limits.json_depth + 1) != 0)
		fatalx("own message does not scan: %s", env.fault);
	call->client = c;
	call->has_ack = ack != NULL;
	call->ack = ack != NULL ? *ack : 0;
	call->epoch = c->epoch;
	LIST_INSERT_HEAD(&c->calls, call, link);
	c->n_calls++;
	call->request = r = request_new(c->front->gate->requests, &origin_ops, call, &env, "");
	r->application = xstrdup(application);
	gate_set_client_text(r->client_address, sio_session_client(c->sio)->address);
	gate_set_client_text(r->client_socket, sio_session_sid(c->sio));
	return call;
}

/*
 * The client has waited long enough.  Its deadline is not the handler's, which would cost
 * the worker its life: where it runs, the request is cancelled.
 */
static void
on_deadline(void *arg)
{
	struct plain_call *call = arg;

	request_give_up(call->request);
}

static void
serve(struct plain_call *call, bool is_over_rate)
{
	struct plain_client *c = call->client;
	struct gate_sender sender = { .label = label_of(c), .is_limited = true,
		.mark = sio_session_mark(c->sio) };

	if (is_over_rate)
		request_fail(call->request, ERR_TOO_MANY, GATE_OVER_RATE);
	else if (gate_check_limits(c->front->gate, call->request, &sender, c->n_calls) &&
	    gate_check_form(call->request))
		gate_pass(c->front->gate, call->request, &sender, UINT64_MAX);
}

/* The id's own text says which call: 1 and "1" are two. */
static void
cancel(struct plain_client *c, const struct envelope *env)
{
	struct json_object options;
	const char *text = env->text + env->arg.start;
	struct json_value id;
	struct plain_call *call;

	read_options(&options, text, env->arg.end - env->arg.start);
	id = options.member[OPTION_ID].value;
	if (env->arg.kind != JSON_OBJECT || id.kind == JSON_NONE)
		return;
	LIST_FOREACH(call, &c->calls, link) {
		if (call->id.len == id.end - id.start &&
		    memcmp(call->id.data, text + id.start, call->id.len) == 0) {
			request_cancel(call->request);
			return;
		}
	}
}

/* No call of ours; whoever waits for an answer gets one. */
static void
refuse_name(struct plain_client *c, struct buf *name, const uint64_t *ack)
{
	char *text;
	struct buf *b;

	metrics_inc(gate_metrics(c->front->gate), METRIC_EVENTS_IGNORED);
	log_debug_for("sio", label_of(c), "event of another name ignored");
	if (ack == NULL)
		return;
	text = xasprintf("\"%s\" is no APPLICATION/TYPE of clients.events", buf_str(name));
	b = sio_session_begin_ack(c->sio, *ack);
	buf_add_str(b, "{\"error\":");
	buf_add_json_string(b, text, strlen(text));
	buf_printf(b, ",\"code\":\"%s\",\"status\":{\"code\":%d},\"by\":",
	    err_code(ERR_NOT_ALLOWED), err_http_status(ERR_NOT_ALLOWED));
	buf_add_json_string(b, c->front->gate->conf->node, strlen(c->front->gate->conf->node));
	buf_add_str(b, ",\"ran\":\"no\"}");
	sio_session_end(c->sio, NULL);
	free(text);
}

static void
on_call(struct plain_client *c, const struct envelope *env, struct buf *name,
    bool is_over_rate, const uint64_t *ack)
{
	const char *type, *text = env->text + env->second.start;
	const struct conf_events *e = split_name(c->front, name, &type);
	uint64_t deadline_ms;
	struct json_object options;
	struct buf message = { 0 };
	struct plain_call *call;
	struct json_value id;

	if (e == NULL) {
		refuse_name(c, name, ack);
		return;
	}
	read_options(&options, text, env->second.end - env->second.start);
	id = options.member[OPTION_ID].value;
	add_message(&message, c, env, type, (size_t)(name->data + name->len - type), &options,
	    text);
	call = call_new(c, &message, e->application, ack);
	call->has_own_token = json_is_truthy(text, options.member[OPTION_TOKEN].value);
	if (id.kind == JSON_STRING || id.kind == JSON_NUMBER)
		buf_add(&call->id, text + id.start, id.end - id.start);
	buf_free(&message);
	if (json_number_u64(text, options.member[OPTION_DEADLINE].value, &deadline_ms) &&
	    deadline_ms <= DEADLINE_MAX_MS)
		loop_timer_set(c->front->gate->requests->loop, &call->deadline_timer, deadline_ms,
		    on_deadline, call);
	serve(call, is_over_rate);
}

static void
on_event(struct envelope *env, bool is_over_rate, const uint64_t *ack, void *arg)
{
	struct plain_client *c = arg;
	struct buf name = { 0 };

	json_string_get(env->text, env->event, &name);
	if (name.len == strlen(CANCEL_EVENT) && memcmp(name.data, CANCEL_EVENT, name.len) == 0)
		cancel(c, env);
	else
		on_call(c, env, &name, is_over_rate, ack);
	buf_free(&name);
}

/* ---- replies ---- */

/* The message alone, with the token that its client can use. */
static void
add_reply(struct buf *b, const struct plain_call *call, const struct reply *reply,
    struct buf *token)
{
	struct gate *g = call->client->front->gate;
	struct qewd_reply_extra x = {
		.set_token = reply->token != NULL,
		.token = reply->token,
		.token_len = reply->token_len,
	};
	struct token *t = qewd_reply_translate(g->tokens, gate_metrics(g), call->request, reply,
	    &x);
	struct json_edit edits[2];
	struct buf text = { 0 };
	size_t n = 0;

	if (x.set_token && x.token != NULL) {
		buf_add(token, x.token, x.token_len);
		buf_add_json_string(&text, x.token, x.token_len);
	} else if (t != NULL) {
		json_string_get(reply->text, reply->body->member[ENV_TOKEN].value, token);
	}
	if (x.set_token)
		edits[n++] = (struct json_edit){ .name = ENV_TOKEN, .value = text.data,
			.len = text.len };
	if (reply->body != NULL)
		json_splice_add(b, reply->text, reply->body, &envelope_names, edits, n);
	else if (reply->message.kind != JSON_NONE)
		buf_add(b, reply->text + reply->message.start,
		    reply->message.end - reply->message.start);
	else
		buf_add_str(b, "{}");
	token_unref(t);
	buf_free(&text);
}

/* An intermediate under another type has that in its event's name. */
static void
add_event_name(struct buf *name, const struct request *r, const struct reply *reply)
{
	buf_printf(name, "%s/", r->application);
	if (!json_string_get(reply->text, reply->type, name))
		buf_add(name, r->type, r->type_len);
	buf_add_str(name, PROGRESS);
}

static void
on_reply(struct request *r, const struct reply *reply, void *arg)
{
	struct plain_call *call = arg;
	struct sio_session *sio = call->client->sio;
	struct buf name = { 0 }, token = { 0 };
	struct buf *b;

	if (sio == NULL)
		return;
	add_event_name(&name, r, reply);
	b = sio_session_begin_event(sio, name.data, name.len);
	add_reply(b, call, reply, &token);
	if (call->id.len > 0) {
		buf_add_str(b, ",{\"id\":");
		buf_add(b, call->id.data, call->id.len);
		buf_add_char(b, '}');
	}
	buf_free(&name);
	buf_free(&token);
	sio_session_end(sio, NULL);	/* may close the session, and then frees the call */
}

/* A token's claims but for the times that each final renews. */
static void
add_content(struct buf *b, const struct token *t)
{
	static const struct json_edit without_times[] = {
		{ .name = CLAIM_EXP }, { .name = CLAIM_IAT }
	};

	json_splice_add(b, t->payload, &t->claims, &claim_names, without_times,
	    ARRAY_LEN(without_times));
}

/* Did the handler leave the session as it was? */
static bool
is_unchanged(struct gate *g, const struct token *sent, const struct buf *text)
{
	struct buf before = { 0 }, after = { 0 };
	struct token *t = NULL;
	bool is_same = false;

	if (token_check(g->tokens, text->data, text->len, clock_wall_ms(), &t) == JWT_OK) {
		add_content(&before, sent);
		add_content(&after, t);
		is_same = before.len == after.len && memcmp(before.data, after.data, before.len) == 0;
	}
	token_unref(t);
	buf_free(&before);
	buf_free(&after);
	return is_same;
}

/*
 * The socket goes on with the token of a final; but not with that of a call with a session of
 * its own, and not where another call has changed the session since this one was sent,
 * and this one changed nothing: it would undo a login.
 */
static void
adopt_token(const struct plain_call *call, struct buf *token)
{
	struct plain_client *c = call->client;
	const struct token *sent = call->request->token;
	bool has_moved = sent != NULL && (sent->len != c->token.len ||
	    memcmp(sent->text, c->token.data, sent->len) != 0);

	if (token->len == 0 || call->has_own_token || call->epoch != c->epoch ||
	    (has_moved && is_unchanged(c->front->gate, sent, token))) {
		buf_free(token);
		return;
	}
	buf_free(&c->token);
	c->token = *token;
}

/* Whoever asks for no acknowledgement hears nothing, but the session goes on with its token. */
static void
on_final(struct request *r UNUSED, const struct reply *reply, void *arg)
{
	struct plain_call *call = arg;
	struct plain_client *c = call->client;
	struct buf token = { 0 }, unheard = { 0 };
	bool is_heard = call->has_ack && c->sio != NULL;
	struct buf *b = is_heard ? sio_session_begin_ack(c->sio, call->ack) : &unheard;

	add_reply(b, call, reply, &token);
	adopt_token(call, &token);
	call_free(call);
	if (is_heard)
		sio_session_end(c->sio, NULL);	/* may close the session */
	buf_free(&unheard);
}

static uint64_t
n_calls(void *arg)
{
	const struct plain_client *c = arg;

	return c->n_calls;
}
