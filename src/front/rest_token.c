/* SPDX-License-Identifier: ISC */
/*
 * Finding, making and judging tokens of HTTP callers.
 */
#include "front/rest_token.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "codec/envelope.h"
#include "conf/conf.h"
#include "front/gate.h"
#include "net/loop.h"
#include "request/request.h"
#include "token/claims.h"
#include "token/token_cache.h"
#include "token/token_form.h"

enum rest_bearer
rest_token_find(const struct http_head *head, struct http_text *token)
{
	static const char scheme[] = "bearer ";
	size_t n, len = sizeof(scheme) - 1;
	const struct http_text *value = http_find(head, "authorization", &n);

	*token = (struct http_text){ NULL, 0 };
	if (n > 1)
		return REST_BEARER_TWICE;
	if (value == NULL || value->len <= len || strncasecmp(value->p, scheme, len) != 0)
		return REST_BEARER_NONE;
	*token = (struct http_text){ value->p + len, value->len - len };
	while (token->len > 0 && *token->p == ' ') {
		token->p++;
		token->len--;
	}
	return token->len > 0 ? REST_BEARER_GIVEN : REST_BEARER_NONE;
}

struct token *
rest_token_new(const struct gate *g, const char *application, const char *address)
{
	int64_t now_ms = clock_wall_ms();
	struct buf text = { 0 };
	struct token *t = NULL;

	claims_register(token_cache_ring(g->tokens), &(struct claims_new){
		.application = application,
		.application_len = strlen(application),
		.socket = "",
		.address = address,
		.lifetime_s = g->conf->jwt.lifetime_s,
		.now_s = now_ms / 1000,
	}, &text);
	/* Not remembered, here and below: anybody's would push out those of the others. */
	if (token_check_once(g->tokens, text.data, text.len, now_ms, &t) != JWT_OK)
		fatalx("own token does not verify");
	buf_free(&text);
	return t;
}

struct token *
rest_token_for(const struct gate *g, struct token *t, const char *application)
{
	struct token *own;

	return token_check_for(g->tokens, t, application, strlen(application), clock_wall_ms(),
	    &own) == JWT_OK ? own : NULL;
}

/* Has a handler made it the session of somebody it knows? */
static bool
is_authenticated(const struct gate *g, const struct token *t)
{
	static const char *const name[] = { "authenticated" };
	static const struct json_names names = { 1, name };
	struct buf session = { 0 }, secret = { 0 };
	struct json_object o;
	struct json_value v;
	struct json_scan scan;
	bool is_true;

	claims_session(token_cache_ring(g->tokens), t, t->application, &session, &secret);
	json_scan_init(&scan, session.data, session.len, UINT16_MAX);
	is_true = json_scan_members(&scan, &v, &names, &o, -1, NULL) &&
	    json_is_truthy(session.data, o.member[0].value);
	jwt_wipe(&session);
	buf_free(&secret);
	return is_true;
}

/* A fresh one of ours, or what stands in the message. */
static bool
get_token(const struct reply *reply, struct buf *text)
{
	if (reply->token != NULL)
		buf_add(text, reply->token, reply->token_len);
	else if (reply->body != NULL)
		return json_string_get(reply->text, reply->body->member[ENV_TOKEN].value, text);
	return reply->token != NULL;
}

void
rest_token_of_reply(const struct gate *g, const struct request *r, const struct reply *reply,
    bool is_anonymous, struct buf *text)
{
	static struct log_limit limit = { .about = "tokens in replies" };
	struct token *t = NULL;
	enum jwt_fault fault;

	if (reply->is_error || !get_token(reply, text))
		return;
	fault = is_anonymous ?
	    token_check_once(g->tokens, text->data, text->len, clock_wall_ms(), &t) :
	    token_check(g->tokens, text->data, text->len, clock_wall_ms(), &t);
	if (fault != JWT_OK) {
		buf_reset(text, 0);
		metrics_inc(gate_metrics(g), METRIC_REPLY_TOKENS_REMOVED);
		if (log_allows(&limit))
			log_warnx_of(request_subject(r, NULL), "the token in the reply of %s does "
			    "not verify; removed", r->destination->name);
	} else if (is_anonymous && !is_authenticated(g, t)) {
		buf_reset(text, 0);
	}
	token_unref(t);
}
