/* SPDX-License-Identifier: ISC */
/*
 * The checks of a message, in the order of gate.h; each ends the request where it says false.
 */
#include "front/gate.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "codec/envelope.h"
#include "conf/conf.h"
#include "front/address_rates.h"
#include "front/fragment.h"
#include "front/gate_service.h"
#include "net/loop.h"
#include "request/forward.h"
#include "request/request.h"
#include "request/service.h"
#include "token/claims.h"
#include "token/token_cache.h"

struct metrics *
gate_metrics(const struct gate *g)
{
	return loop_metrics(g->requests->loop);
}

bool
gate_is_message(const struct envelope *env)
{
	struct json_value type = env->top.member[ENV_TYPE].value;

	return env->arg.kind == JSON_OBJECT && type.kind == JSON_STRING &&
	    type.end - type.start > 2;
}

bool
gate_is_type(const struct request *r, const char *type)
{
	/* Nearly all differ in their first letter. */
	return r->type[0] == type[0] && r->type_len == strlen(type) &&
	    memcmp(r->type, type, r->type_len) == 0;
}

void
gate_set_client_text(char *to, const char *from)
{
	size_t len = strlen(from);

	if (len >= CLIENT_MAX)
		len = CLIENT_MAX - 1;
	memcpy(to, from, len);
	to[len] = '\0';
}

bool
gate_has_room(const struct gate *g, size_t n_more)
{
	uint64_t max = g->conf->limits.in_flight;

	return max == CONF_NO_LIMIT || requests_n_open(g->requests) + n_more <= max;
}

bool
gate_takes_from(const struct gate *g, const char *address, size_t bytes)
{
	return address_rates_take(g->rates, &g->conf->limits, address, bytes, clock_mono_ms());
}

bool
gate_check_limits(const struct gate *g, struct request *r, const struct gate_sender *sender,
    uint64_t n_open)
{
	if (g->is_draining) {
		request_fail(r, ERR_STOPPING, NULL);
		return false;
	}
	if (!gate_has_room(g, 0)) {
		request_fail(r, ERR_OVERLOADED, "too many requests in flight (limits.in_flight)");
		return false;
	}
	if (sender->is_limited && n_open > g->conf->limits.in_flight_per_session) {
		request_fail(r, ERR_TOO_MANY,
		    "too many requests in flight (limits.in_flight_per_session)");
		return false;
	}
	return true;
}

bool
gate_check_form(struct request *r)
{
	if (envelope_check_request(&r->env) != 0) {
		request_fail(r, ERR_BAD_MESSAGE, r->env.fault);
		return false;
	}
	/* Without an escape there is none. */
	if (!r->env.top.member[ENV_TYPE].value.is_plain &&
	    memchr(r->type, '\0', r->type_len) != NULL) {
		request_fail(r, ERR_BAD_MESSAGE, "type holds a NUL character");
		return false;
	}
	return true;
}

static RARE void
refuse_token(struct request *r, enum jwt_fault fault)
{
	char *text = xasprintf("Invalid JWT: %s", jwt_fault_text(fault));

	request_fail(r, jwt_fault_err(fault), fault == JWT_REVOKED ? NULL : text);
	free(text);
}

/* The same token again, as nearly always, costs one comparison. */
static void
set_mark(const struct gate *g, const struct request *r, struct revoked_mark *mark)
{
	const struct token *t = r->token;
	struct revoked_mark m;

	if (memcmp(mark->tail, t->text + t->len - sizeof(mark->tail), sizeof(mark->tail)) == 0)
		return;
	token_cache_mark(g->tokens, t, &m);
	revoked_mark_move(mark, &m);
}

void
gate_mark_new(const struct gate *g, const struct buf *token, struct revoked_mark *mark)
{
	struct revoked_mark m;
	struct token *t;

	/* Not remembered: whoever registers only would push out the tokens of others. */
	if (token_check_once(g->tokens, token->data, token->len,
	    loop_wall_ms(g->requests->loop), &t) != JWT_OK)
		return;
	token_cache_mark(g->tokens, t, &m);
	revoked_mark_move(mark, &m);
	token_unref(t);
}

bool
gate_check_token(const struct gate *g, struct request *r, const struct gate_sender *sender)
{
	struct json_value v = r->env.top.member[ENV_TOKEN].value;
	enum jwt_fault fault = JWT_NOT_STRING;
	uint16_t no_place = 0;
	struct buf room = { 0 };
	const char *text;
	size_t len;

	if (r->token != NULL)
		return true;
	if (v.kind == JSON_STRING ? v.end - v.start <= 2 : !json_is_truthy(r->text, v)) {
		request_fail(r, ERR_NO_TOKEN, NULL);
		return false;
	}
	if (json_string_view(r->text, v, &text, &len, &room))
		fault = token_check_at(g->tokens, text, len, loop_wall_ms(g->requests->loop),
		    sender->token_place != NULL ? sender->token_place : &no_place, &r->token);
	buf_free(&room);
	if (fault == JWT_OK) {
		if (sender->mark != NULL)
			set_mark(g, r, sender->mark);
		return true;
	}
	metrics_inc(gate_metrics(g), METRIC_TOKENS_REFUSED);
	log_debug_for("token", sender->label, "refused: %s", jwt_fault_text(fault));
	refuse_token(r, fault);
	return false;
}

/* An internal type is refused before a token is asked for: nobody gets anything from it. */
static bool
check_internal(struct request *r)
{
	if (!request_has_internal_type(r))
		return true;
	request_fail(r, ERR_NOT_ALLOWED, "messages of this type are not taken from clients");
	return false;
}

/* What only nodes may send. */
static bool
check_permitted(struct request *r, const struct gate_sender *sender)
{
	if (!gate_is_type(r, "restRequest") || !sender->is_limited)
		return true;
	request_fail(r, ERR_NOT_ALLOWED, "restRequest is not taken from browsers");
	return false;
}

/* A stock master says nothing about the client, but the token it forwards does. */
static void
read_client_of_token(const struct gate *g, struct request *r)
{
	struct buf socket = { 0 }, address = { 0 };

	claims_client(token_cache_ring(g->tokens), r->token, &socket, &address);
	if (socket.len > 0 && buf_str(&socket)[0] != '\0') {
		gate_set_client_text(r->client_socket, buf_str(&socket));
		gate_set_client_text(r->client_address, buf_str(&address));
	}
	buf_free(&socket);
	buf_free(&address);
}

/* The route that names its type; NULL: what is left is for applications here. */
static const struct route *
find_route(const struct gate *g, const struct request *r)
{
	const struct route *route;
	const char *application;
	size_t len;

	application = request_application(r, &len);
	if (gate_is_type(r, "ewd-fragment"))
		return service_find_exact(g->services, application, len, r->type, r->type_len);
	route = service_find(g->services, application, len, r->type, r->type_len);
	return service_is_local(route) ? NULL : route;
}

/* To the application that it names, else as any other. */
static void
pass_to_service(const struct gate *g, struct request *r, const struct gate_sender *sender,
    uint64_t left_ms)
{
	const struct conf_application *a;
	bool is_other;

	if (!gate_find_service(g, r, sender, &a, &is_other))
		return;
	if (is_other)
		forward_by(service_find_local(g->services, a->name), r,
		    g->conf->timeouts.request_ms, left_ms);
	else
		forward(g->services, r, g->conf->timeouts.request_ms, left_ms);
}

void
gate_pass(const struct gate *g, struct request *r, const struct gate_sender *sender,
    uint64_t left_ms)
{
	const struct route *route;

	if (!check_internal(r) || !gate_check_token(g, r, sender) || !check_permitted(r, sender))
		return;
	if (sender->is_relay)
		read_client_of_token(g, r);
	route = find_route(g, r);
	if (route != NULL)
		forward_by(route, r, g->conf->timeouts.request_ms, left_ms);
	else if (gate_is_type(r, "ewd-fragment"))
		fragment_serve(g, r, sender, left_ms);
	else
		pass_to_service(g, r, sender, left_ms);
}

void
gate_answer(struct request *r, const struct buf *message, bool is_error)
{
	struct json_object body;
	struct json_scan scan;
	struct reply reply = { .is_final = true, .is_error = is_error, .is_local = true,
		.text = message->data, .body = &body };

	json_scan_init(&scan, message->data, message->len, 8);
	if (!json_scan_members(&scan, &reply.message, &envelope_names, &body, -1, NULL))
		fatalx("own message does not scan");
	request_finish(r, &reply);
}
