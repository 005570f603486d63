/* SPDX-License-Identifier: ISC */
/*
 * Calls of handlers: a request of our own with the session of the outer one, sent
 * through this node's routes like any other.
 */
#include "worker/call.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/strmap.h"
#include "base/xmalloc.h"
#include "codec/envelope.h"
#include "codec/handler_msg.h"
#include "codec/json_splice.h"
#include "request/forward.h"
#include "request/request.h"
#include "token/token_form.h"
#include "worker/pool.h"

#define CALLS_MAX	1000	/* open at a time, of one request */
#define TOO_MANY_TEXT	"1000 calls of the request are open"

struct call {
	LIST_ENTRY(call) link;
	struct calls *of;
	uint64_t number;		/* the handler's */
	struct request *request;
};

struct calls {
	const struct pool_env *env;
	struct strmap *numbers;		/* the worker's: those of all its open calls */
	const struct call_events *ev;
	void *arg;
	LIST_HEAD(, call) open;
	unsigned n;
};

static void on_reply(struct request *, const struct reply *, void *);
static void on_final(struct request *, const struct reply *, void *);

static const struct origin_ops origin_ops = {
	.on_reply = on_reply,
	.on_final = on_final,
};

struct calls *
calls_new(const struct pool_env *env, struct strmap *numbers, const struct call_events *ev,
    void *arg)
{
	struct calls *c = xcalloc(1, sizeof(*c));

	c->env = env;
	c->numbers = numbers;
	c->ev = ev;
	c->arg = arg;
	LIST_INIT(&c->open);
	return c;
}

static void
call_free(struct call *call)
{
	LIST_REMOVE(call, link);
	call->of->n--;
	strmap_remove(call->of->numbers, &call->number, sizeof(call->number));
	free(call);
}

void
calls_free(struct calls *c)
{
	struct call *call;

	if (c == NULL)
		return;
	while ((call = LIST_FIRST(&c->open)) != NULL) {
		struct request *r = call->request;

		call_free(call);
		request_leave(r);
		request_cancel(r);
	}
	free(c);
}

unsigned
calls_n_open(const struct calls *c)
{
	return c->n;
}

/* The event that a client would have sent: the handler's object with our type. */
static bool
build_event(const struct handler_msg *msg, unsigned depth_max, struct buf *text,
    struct envelope *env)
{
	const char *type = msg->text + msg->type.start;
	size_t type_len = msg->type.end - msg->type.start;
	struct json_edit edits[] = {
		{ .name = ENV_TYPE, .value = type, .len = type_len },
		{ .name = ENV_TOKEN },
		{ .name = ENV_USHER },
	};

	buf_add_str(text, "[\"" ENVELOPE_EVENT "\",");
	if (msg->message.kind == JSON_OBJECT) {
		json_splice_add(text, msg->text, &msg->body, &envelope_names, edits,
		    ARRAY_LEN(edits));
	} else {
		buf_add_str(text, "{\"type\":");
		buf_add(text, type, type_len);
		buf_add_char(text, '}');
	}
	buf_add_char(text, ']');
	return envelope_scan_event(env, text->data, text->len, depth_max) == 0;
}

/* The session of the outer request, as the application that is asked sees it. */
static bool
take_session(struct request *r, const struct pool_env *env, const struct request *outer,
    const struct handler_msg *msg)
{
	struct buf application = { 0 };
	bool is_good;

	json_string_get(msg->text, msg->application, &application);
	is_good = token_check_for(env->tokens, outer->token, application.data, application.len,
	    clock_wall_ms(), &r->token) == JWT_OK;
	buf_free(&application);
	return is_good;
}

/* Sends it on its way, or answers it at once. */
static void
ask(const struct calls *c, struct request *r, const struct request *outer,
    const struct handler_msg *msg)
{
	if (c->n > CALLS_MAX)
		request_fail(r, ERR_OVERLOADED, TOO_MANY_TEXT);
	else if (c->env->services == NULL)
		request_fail(r, ERR_STOPPING, NULL);
	else if (request_has_internal_type(r))
		request_fail(r, ERR_NOT_ALLOWED, "messages of this type cannot be asked for");
	else if (memchr(r->type, '\0', r->type_len) != NULL || r->type_len == 0)
		request_fail(r, ERR_BAD_MESSAGE, "type is empty or holds a NUL character");
	else if (outer->token == NULL)
		request_fail(r, ERR_NO_TOKEN, NULL);
	else if (take_session(r, c->env, outer, msg))
		forward(c->env->services, r, c->env->request_timeout_ms, request_left_ms(outer));
	else
		request_fail(r, ERR_TOKEN_EXPIRED, NULL);
}

bool
calls_begin(struct calls *c, struct request *outer, const struct handler_msg *msg)
{
	struct buf text = { 0 };
	struct envelope env;
	struct request *r;
	struct call *call;
	void **place;

	place = strmap_at(c->numbers, &msg->call, sizeof(msg->call));
	if (*place != NULL)
		return false;
	*place = call = xcalloc(1, sizeof(*call));
	/* Validated as part of the handler's line, so this only counts the depth anew. */
	if (!build_event(msg, c->env->depth_max, &text, &env))
		fatalx("own event does not scan");
	call->of = c;
	call->number = msg->call;
	LIST_INSERT_HEAD(&c->open, call, link);
	c->n++;
	call->request = r = request_new(c->env->requests, &origin_ops, call, &env, outer->trace);
	buf_free(&text);
	r->asked_for = outer;
	r->hops = outer->hops + 1;
	memcpy(r->client_address, outer->client_address, sizeof(r->client_address));
	memcpy(r->client_socket, outer->client_socket, sizeof(r->client_socket));
	ask(c, r, outer, msg);
	return true;
}

/* The message without the token: a nested call does not change the session. */
static void
give(struct call *call, const struct reply *reply)
{
	static const struct json_edit without[] = { { .name = ENV_TOKEN } };
	struct calls *c = call->of;
	struct buf b = { 0 };

	if (reply->body != NULL)
		json_splice_add(&b, reply->text, reply->body, &envelope_names, without, 1);
	else if (reply->message.kind != JSON_NONE)
		buf_add(&b, reply->text + reply->message.start,
		    reply->message.end - reply->message.start);
	else
		buf_add_str(&b, "{}");
	c->ev->on_reply(call->number, reply->is_final, b.data, b.len, c->arg);
	buf_free(&b);
}

static void
on_reply(struct request *r UNUSED, const struct reply *reply, void *arg)
{
	give(arg, reply);
}

static void
on_final(struct request *r UNUSED, const struct reply *reply, void *arg)
{
	struct call *call = arg;
	struct call answered = *call;

	/* Closed before the handler hears of it: it may go on at once. */
	call_free(call);
	give(&answered, reply);
}
