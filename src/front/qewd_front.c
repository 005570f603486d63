/* SPDX-License-Identifier: ISC */
/*
 * One client after its Socket.IO session is up: registration, requests, replies.
 *
 * Read on_event() first: every message goes through the steps it lists.
 */
#include "front/qewd_front.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/idmap.h"
#include "base/log.h"
#include "base/strmap.h"
#include "base/xmalloc.h"
#include "codec/envelope.h"
#include "codec/json_splice.h"
#include "codec/usher_member.h"
#include "conf/conf.h"
#include "front/client.h"
#include "front/eio_session.h"
#include "front/qewd_reply.h"
#include "front/sio_server.h"
#include "net/loop.h"
#include "request/forward.h"
#include "request/push.h"
#include "request/request.h"
#include "request/service.h"
#include "token/claims.h"
#include "token/token_cache.h"

struct qewd_client {
	LIST_ENTRY(qewd_client) link;
	struct qewd_front *front;
	struct sio_session *sio;	/* NULL: closed */
	bool is_proven;			/* a node of ours: it shares a secret with us */
	char *application;		/* it registered for; NULL: not registered */
	size_t application_len;
	struct idmap by_usher_id;	/* a proven node's open calls, by its numbers */
	LIST_HEAD(, call) calls;	/* open */
	uint64_t n_calls;
	struct loop_work release;
};

/* A request of a client, as the client sees it: what its replies must carry. */
struct call {
	LIST_ENTRY(call) link;
	struct qewd_client *client;
	struct request *request;
	bool to_node;			/* a node, proven or not, relays it */
	bool has_ack, has_usher_id;
	uint64_t ack, usher_id;
};

struct qewd_front {
	const struct conf *conf;
	struct requests *requests;
	struct token_cache *tokens;
	struct service_table *services;
	bool is_draining;
	LIST_HEAD(, qewd_client) clients;
	struct strmap *by_sid;		/* the same, by their Engine.IO sid */
};

static void on_event(struct envelope *, bool, const uint64_t *, void *);
static void on_close(enum err, void *);
static void on_reply(struct request *, const struct reply *, void *);
static void on_final(struct request *, const struct reply *, void *);

static const struct sio_events sio_events = {
	.on_event = on_event,
	.on_close = on_close,
};

static const struct origin_ops origin_ops = {
	.on_reply = on_reply,
	.on_final = on_final,
};

struct qewd_front *
qewd_front_new(const struct conf *conf, struct requests *requests, struct token_cache *tokens,
    struct service_table *services)
{
	struct qewd_front *f = xcalloc(1, sizeof(*f));

	f->conf = conf;
	f->requests = requests;
	f->tokens = tokens;
	f->services = services;
	LIST_INIT(&f->clients);
	f->by_sid = strmap_new();
	return f;
}

void
qewd_front_free(struct qewd_front *f)
{
	if (f == NULL)
		return;
	strmap_free(f->by_sid, NULL);
	free(f);
}

void
qewd_front_drain(struct qewd_front *f)
{
	f->is_draining = true;
}

void
qewd_front_close_all(struct qewd_front *f, enum err why)
{
	struct qewd_client *c, *next;

	for (c = LIST_FIRST(&f->clients); c != NULL; c = next) {
		next = LIST_NEXT(c, link);
		sio_session_close(c->sio, why, NULL);
	}
}

void
qewd_front_on_session(struct eio_session *eio, void *arg)
{
	struct qewd_front *f = arg;
	struct qewd_client *c = xcalloc(1, sizeof(*c));

	c->front = f;
	LIST_INIT(&c->calls);
	LIST_INSERT_HEAD(&f->clients, c, link);
	c->sio = sio_session_new(f->requests->loop, f->conf, eio, &sio_events, c);
	*strmap_at(f->by_sid, eio_session_sid(eio), strlen(eio_session_sid(eio))) = c;
}

static void
call_free(struct call *call)
{
	LIST_REMOVE(call, link);
	call->client->n_calls--;
	if (call->has_usher_id)
		idmap_remove(&call->client->by_usher_id, call->usher_id);
	free(call);
}

static void
release(void *arg)
{
	struct qewd_client *c = arg;

	idmap_free(&c->by_usher_id);
	free(c->application);
	free(c);
}

/* The client is gone: its requests go on, and nobody hears of them. */
static void
on_close(enum err why UNUSED, void *arg)
{
	struct qewd_client *c = arg;
	struct call *call;

	strmap_remove(c->front->by_sid, sio_session_sid(c->sio), strlen(sio_session_sid(c->sio)));
	c->sio = NULL;
	while ((call = LIST_FIRST(&c->calls)) != NULL) {
		request_leave(call->request);
		call_free(call);
	}
	LIST_REMOVE(c, link);
	/* A message of this client may be up the stack. */
	loop_defer(c->front->requests->loop, LOOP_FREE, &c->release, release, c);
}

static const char *
label_of(const struct qewd_client *c)
{
	return sio_session_client(c->sio)->label;
}

static struct metrics *
counters(const struct qewd_front *f)
{
	return loop_metrics(f->requests->loop);
}

/* ---- beginning a request ---- */

static bool
is_limited(const struct qewd_client *c)
{
	return !c->is_proven && sio_session_client(c->sio)->listener->audience != CONF_FOR_NODES;
}

static void
set_client_text(char *to, const char *from)
{
	size_t len = strlen(from);

	if (len >= CLIENT_MAX)
		len = CLIENT_MAX - 1;
	memcpy(to, from, len);
	to[len] = '\0';
}

/* What a proven node says about the request; from anybody else the member counts for nothing. */
static void
read_member(struct call *call, struct request *r, const struct usher_member *u)
{
	struct idmap *by_id = &call->client->by_usher_id;

	/* A number that is in use would make two replies look alike: the node is told nothing then. */
	if (u->has_id && u->id != 0 && idmap_find(by_id, u->id) == NULL) {
		call->has_usher_id = true;
		call->usher_id = u->id;
		idmap_add(by_id, u->id, call);
	}
	r->hops = u->hops;
	if (u->client_socket[0] != '\0') {
		set_client_text(r->client_address, u->client_address);
		set_client_text(r->client_socket, u->client_socket);
	}
}

static struct call *
call_new(struct qewd_client *c, const struct envelope *env, const uint64_t *ack,
    const struct usher_member *u)
{
	struct call *call = xcalloc(1, sizeof(*call));
	struct request *r;

	call->client = c;
	call->has_ack = ack != NULL;
	call->ack = ack != NULL ? *ack : 0;
	call->to_node = c->is_proven || env->top.member[ENV_JWT].value.kind == JSON_TRUE;
	LIST_INSERT_HEAD(&c->calls, call, link);
	c->n_calls++;
	call->request = r = request_new(c->front->requests, &origin_ops, call, env, u->trace);
	set_client_text(r->client_address, sio_session_client(c->sio)->address);
	set_client_text(r->client_socket, sio_session_sid(c->sio));
	read_member(call, r, u);
	return call;
}

/* ---- registration ---- */

/* A final reply whose message was built here. */
static void
answer(struct call *call, const struct buf *message)
{
	struct json_object body;
	struct json_scan scan;
	struct reply reply = { .is_final = true, .is_local = true, .text = message->data,
		.body = &body };

	json_scan_init(&scan, message->data, message->len, 8);
	if (!json_scan_members(&scan, &reply.message, &envelope_names, &body, -1, NULL))
		fatalx("own message does not scan");
	metrics_inc(counters(call->client->front), METRIC_REGISTRATIONS);
	request_finish(call->request, &reply);
}

static struct claims_new
new_session(const struct qewd_client *c)
{
	return (struct claims_new){
		.socket = sio_session_sid(c->sio),
		.address = sio_session_client(c->sio)->address,
		.lifetime_s = c->front->conf->jwt.lifetime_s,
		.now_s = clock_wall_ms() / 1000,
	};
}

/* Did a node of ours announce a link, and does it share a secret with us? */
static bool
is_announcement(struct qewd_client *c, const struct usher_member *u)
{
	static struct log_limit limit;
	struct buf signed_text = { 0 };
	bool is_good;

	if (!u->is_link)
		return false;
	buf_add_str(&signed_text, USHER_PROOF_PREFIX);
	buf_add_str(&signed_text, sio_session_sid(c->sio));
	is_good = jwt_hmac_verify(token_cache_ring(c->front->tokens), signed_text.data,
	    signed_text.len, u->proof, strlen(u->proof));
	buf_free(&signed_text);
	metrics_inc(counters(c->front), is_good ? METRIC_NODES_PROVEN : METRIC_NODES_UNPROVEN);
	if (is_good)
		log_info_for(label_of(c), "is node %s", u->node);
	else if (log_allows(&limit))
		log_warnx_for(label_of(c), "says it is node %s, but its proof does not verify: "
		    "it does not share a secret with us", u->node);
	return is_good;
}

static void
set_application(struct qewd_client *c, const char *application, size_t len)
{
	free(c->application);
	c->application = xmemdup(application, len);
	c->application_len = len;
}

static void
on_register(struct call *call)
{
	struct qewd_client *c = call->client;
	struct request *r = call->request;
	struct buf application = { 0 }, token = { 0 }, message = { 0 };
	struct claims_new session = new_session(c);
	struct usher_member u;

	json_string_get(r->text, r->env.top.member[ENV_APPLICATION].value, &application);
	if (application.len == 0) {
		request_fail(r, ERR_BAD_MESSAGE, "application must be a non-empty string");
		return;
	}
	session.application = application.data;
	session.application_len = application.len;
	set_application(c, application.data, application.len);
	claims_register(token_cache_ring(c->front->tokens), &session, &token);
	buf_printf(&message, "{\"token\":\"%s\"", buf_str(&token));
	if (usher_member_decode(&u, r->text, r->env.top.member[ENV_USHER].value) &&
	    is_announcement(c, &u)) {
		c->is_proven = true;
		sio_session_trust(c->sio);
		buf_add_str(&message, ",\"usher\":");
		usher_member_encode_answer(&message, c->front->conf->node,
		    c->front->conf->limits.message);
	}
	buf_add_char(&message, '}');
	answer(call, &message);
	buf_free(&application);
	buf_free(&token);
	buf_free(&message);
}

/* r->token has been checked. */
static void
on_reregister(struct call *call)
{
	struct qewd_client *c = call->client;
	struct claims_new session = new_session(c);
	struct buf token = { 0 }, message = { 0 };

	set_application(c, call->request->token->application, call->request->token->application_len);
	claims_reregister(token_cache_ring(c->front->tokens), call->request->token, &session,
	    &token);
	buf_printf(&message, "{\"ok\":true,\"token\":\"%s\"}", buf_str(&token));
	answer(call, &message);
	buf_free(&token);
	buf_free(&message);
}

/* ---- the steps of a message; each ends the request itself where it says false ---- */

static bool
is_type(const struct request *r, const char *type)
{
	return r->type_len == strlen(type) && memcmp(r->type, type, r->type_len) == 0;
}

static bool
check_limits(struct call *call)
{
	struct qewd_client *c = call->client;

	if (c->front->is_draining) {
		request_fail(call->request, ERR_STOPPING, NULL);
		return false;
	}
	if (is_limited(c) && c->n_calls > c->front->conf->limits.in_flight_per_session) {
		request_fail(call->request, ERR_TOO_MANY,
		    "too many requests in flight (limits.in_flight_per_session)");
		return false;
	}
	return true;
}

static bool
check_form(struct call *call)
{
	struct request *r = call->request;

	if (envelope_check_request(&r->env) != 0) {
		request_fail(r, ERR_BAD_MESSAGE, r->env.fault);
		return false;
	}
	if (memchr(r->type, '\0', r->type_len) != NULL) {
		request_fail(r, ERR_BAD_MESSAGE, "type holds a NUL character");
		return false;
	}
	return true;
}

static void
refuse_token(struct request *r, enum jwt_fault fault)
{
	char *text = xasprintf("Invalid JWT: %s", jwt_fault_text(fault));

	request_fail(r, fault == JWT_EXPIRED ? ERR_TOKEN_EXPIRED : ERR_INVALID_TOKEN, text);
	free(text);
}

static bool
check_token(struct call *call)
{
	struct qewd_front *f = call->client->front;
	struct request *r = call->request;
	struct json_value v = r->env.top.member[ENV_TOKEN].value;
	enum jwt_fault fault = JWT_NOT_STRING;
	struct buf text = { 0 };

	if (!json_is_truthy(r->text, v)) {
		request_fail(r, ERR_NO_TOKEN, NULL);
		return false;
	}
	if (json_string_get(r->text, v, &text))
		fault = token_check(f->tokens, text.data, text.len, clock_wall_ms(), &r->token);
	buf_free(&text);
	if (fault == JWT_OK)
		return true;
	metrics_inc(counters(f), METRIC_TOKENS_REFUSED);
	log_debug_for("token", label_of(call->client), "refused: %s", jwt_fault_text(fault));
	refuse_token(r, fault);
	return false;
}

/* What only nodes may send, and what only a route lets in. */
static bool
check_permitted(struct call *call)
{
	struct qewd_client *c = call->client;
	struct request *r = call->request;

	if (is_type(r, "ewd-fragment") && service_find_exact(c->front->services,
	    r->token->application, r->token->application_len, r->type, r->type_len) == NULL) {
		request_fail(r, ERR_NOT_ALLOWED, "ewd-fragment is not mapped by u_services");
		return false;
	}
	if (is_type(r, "restRequest") && is_limited(c)) {
		request_fail(r, ERR_NOT_ALLOWED, "restRequest is not taken from browsers");
		return false;
	}
	return true;
}

/* A stock master says nothing about the client, but the token it forwards does. */
static void
read_client_of_token(struct call *call)
{
	struct request *r = call->request;
	struct buf socket = { 0 }, address = { 0 };

	if (!call->to_node || call->client->is_proven)
		return;
	claims_client(token_cache_ring(call->client->front->tokens), r->token, &socket, &address);
	if (socket.len > 0 && buf_str(&socket)[0] != '\0') {
		set_client_text(r->client_socket, buf_str(&socket));
		set_client_text(r->client_address, buf_str(&address));
	}
	buf_free(&socket);
	buf_free(&address);
}

/* An internal type is refused before a token is asked for: nobody gets anything from it. */
static bool
check_internal(struct call *call)
{
	struct request *r = call->request;

	if (!request_has_internal_type(r))
		return true;
	request_fail(r, ERR_NOT_ALLOWED, "messages of this type are not taken from clients");
	return false;
}

/* ---- cancellation ---- */

static bool
has_same_id(const struct request *a, const struct request *b)
{
	size_t a_len, b_len;
	const char *a_id = envelope_raw(&a->env, &a->env.top, ENV_MS_REQUEST_ID, &a_len);
	const char *b_id = envelope_raw(&b->env, &b->env.top, ENV_MS_REQUEST_ID, &b_len);

	return a_id != NULL && b_id != NULL && a_len == b_len && memcmp(a_id, b_id, a_len) == 0;
}

/* A browser's own open request that carries the same ms_requestId ends; no answer besides. */
static void
on_cancel(struct call *call)
{
	struct qewd_client *c = call->client;
	struct request *asking = call->request, *r = NULL;
	struct call *other;

	if (!check_token(call))
		return;
	LIST_FOREACH(other, &c->calls, link)
		if (other != call && has_same_id(other->request, asking))
			r = other->request;
	call_free(call);
	request_leave(asking);
	request_cancel(asking);
	if (r != NULL)
		request_cancel(r);
}

/* A node's: it names the request by its own number for it. */
static void
on_node_cancel(struct qewd_client *c, const struct usher_member *u)
{
	struct call *call = u->has_id ? idmap_find(&c->by_usher_id, u->id) : NULL;

	if (call != NULL)
		request_cancel(call->request);
}

static void
serve(struct call *call, const struct usher_member *u)
{
	struct qewd_front *f = call->client->front;

	/* Above the limits as well, and while draining: it makes room. */
	if (is_type(call->request, "usher-cancel")) {
		if (check_form(call))
			on_cancel(call);
		return;
	}
	if (!check_limits(call) || !check_form(call))
		return;
	if (is_type(call->request, "ewd-register")) {
		on_register(call);
		return;
	}
	if (is_type(call->request, "ewd-reregister")) {
		if (check_token(call))
			on_reregister(call);
		return;
	}
	if (!check_internal(call) || !check_token(call) || !check_permitted(call))
		return;
	read_client_of_token(call);
	forward(f->services, call->request, f->conf->timeouts.request_ms,
	    u->has_deadline ? u->deadline_ms : UINT64_MAX);
}

/* Is it a message at all?  What has no type gets no answer, as from stock. */
static bool
is_message(const struct envelope *env)
{
	struct json_value type = env->top.member[ENV_TYPE].value;

	return env->arg.kind == JSON_OBJECT && type.kind == JSON_STRING &&
	    type.end - type.start > 2;
}

static void
on_event(struct envelope *env, bool is_over_rate, const uint64_t *ack, void *arg)
{
	struct qewd_client *c = arg;
	struct usher_member u = { 0 };
	struct call *call;

	if (is_over_rate && is_message(env)) {
		call = call_new(c, env, ack, &u);
		request_fail(call->request, ERR_TOO_MANY, "too many messages or bytes a "
		    "second (limits.messages_per_second, limits.bytes_per_second)");
		return;
	}
	if (!is_message(env)) {
		metrics_inc(counters(c->front), METRIC_EVENTS_IGNORED);
		log_debug_for("sio", label_of(c), "event without a type ignored");
		return;
	}
	if (c->is_proven) {
		(void)usher_member_decode(&u, env->text, env->top.member[ENV_USHER].value);
		if (json_string_is(env->text, env->top.member[ENV_TYPE].value, "usher-cancel")) {
			on_node_cancel(c, &u);
			return;
		}
	}
	serve(call_new(c, env, ack, &u), &u);
}

/* ---- replies ---- */

/*
 * The token of a remote reply goes back under the name that the client's own token has, signed
 * with the secret that verified it; one that does not verify goes no further, and errors
 * carry none.
 */
static struct token *
translate_token(struct call *call, const struct reply *reply, struct qewd_reply_extra *x)
{
	struct qewd_front *f = call->client->front;
	const struct token *own = call->request->token;
	const struct json_member *m;
	static struct log_limit limit;
	struct token *t = NULL;
	struct buf text = { 0 };

	if (reply->body == NULL || own == NULL)
		return NULL;
	m = &reply->body->member[ENV_TOKEN];
	if (m->seen == 0)
		return NULL;
	if (reply->is_error) {
		x->set_token = true;
		return NULL;
	}
	if (!json_string_get(reply->text, m->value, &text) ||
	    token_check(f->tokens, text.data, text.len, clock_wall_ms(), &t) != JWT_OK) {
		metrics_inc(counters(f), METRIC_REPLY_TOKENS_REMOVED);
		if (log_allows(&limit))
			log_warnx("request %s: the token in the reply of %s does not verify; removed",
			    call->request->name, call->request->destination->name);
		x->set_token = true;
	} else if (t->application_len != own->application_len ||
	    memcmp(t->application, own->application, own->application_len) != 0) {
		x->set_token = true;
		x->token = token_for_name(f->tokens, t, own->application, own->application_len,
		    &x->token_len);
	}
	buf_free(&text);
	return t;
}

static void
write_reply(struct call *call, const struct reply *reply)
{
	struct sio_session *sio = call->client->sio;
	struct qewd_reply_extra x = {
		.to_node = call->to_node,
		.has_usher_id = call->has_usher_id,
		.usher_id = call->usher_id,
		.set_token = reply->token != NULL,
		.token = reply->token,
		.token_len = reply->token_len,
		.took_ms = clock_mono_ms() - call->request->begun_ms,
	};
	struct token *t = reply->is_local ? NULL : translate_token(call, reply, &x);
	uint64_t ack = call->ack;
	bool sends_ack = call->has_ack && reply->is_final;

	qewd_reply_write(sio_session_begin(sio), call->request, reply, &x);
	token_unref(t);
	/* May close the session, and then frees the call. */
	sio_session_end(sio, sends_ack ? &ack : NULL);
}

static void
on_reply(struct request *r UNUSED, const struct reply *reply, void *arg)
{
	write_reply(arg, reply);
}

static void
on_final(struct request *r, const struct reply *reply, void *arg)
{
	struct call *call = arg;

	write_reply(call, reply);
	if (r->origin != NULL)
		call_free(call);
}

/* ---- pushes ---- */

static void
send_push(struct qewd_client *c, const struct push *p)
{
	struct buf *b = sio_session_begin(c->sio);

	buf_add_str(b, "{\"type\":");
	buf_add(b, p->type, p->type_len);
	buf_add_str(b, ",\"message\":");
	buf_add(b, p->message, p->message_len);
	if (c->is_proven) {
		buf_add_str(b, ",\"usher\":");
		usher_member_encode_push(b, &p->to, p->hops + 1);
	}
	buf_add_char(b, '}');
	sio_session_end(c->sio, NULL);
	metrics_inc(counters(c->front), METRIC_PUSHES);
}

/* Nodes in front of us get all that is not for a socket here: they know their own clients. */
static bool
is_for(const struct qewd_client *c, const struct push_target *to)
{
	if (c->is_proven || to->kind == PUSH_ALL)
		return true;
	return to->kind == PUSH_APPLICATION && c->application != NULL &&
	    c->application_len == strlen(to->text) &&
	    memcmp(c->application, to->text, c->application_len) == 0;
}

void
qewd_front_push(const struct push *p, void *arg)
{
	struct qewd_front *f = arg;
	struct qewd_client *c, *next;

	if (p->hops > USHER_HOPS_MAX)
		return;
	c = p->to.kind == PUSH_SOCKET ? strmap_find(f->by_sid, p->to.text, strlen(p->to.text)) :
	    NULL;
	if (c != NULL) {
		send_push(c, p);
		return;
	}
	for (c = LIST_FIRST(&f->clients); c != NULL; c = next) {
		next = LIST_NEXT(c, link);	/* sending may close the session */
		if (is_for(c, &p->to))
			send_push(c, p);
	}
}
