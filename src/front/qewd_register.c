/* SPDX-License-Identifier: ISC */
/*
 * The answers to ewd-register and ewd-reregister (protocol reference section 6), and
 * the proof of a link.
 */
#include "front/qewd_register.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "codec/envelope.h"
#include "codec/usher_member.h"
#include "conf/conf.h"
#include "front/gate.h"
#include "net/loop.h"
#include "request/request.h"
#include "token/claims.h"
#include "token/token_cache.h"
#include "token/token_exchange.h"

static struct claims_new
new_session(const struct gate *g, const struct registrant *who)
{
	return (struct claims_new){
		.socket = who->socket,
		.address = who->address,
		.lifetime_s = g->conf->jwt.lifetime_s,
		.now_s = clock_wall_ms() / 1000,
	};
}

/* false: the request has ended: it brought a token of somebody else, which is of no use. */
static bool
begin_session(const struct gate *g, struct request *r, const struct claims_new *session,
    struct buf *token)
{
	struct json_value v = r->env.top.member[ENV_TOKEN].value;
	enum jwt_fault fault;
	struct buf text = { 0 };
	char *why;

	if (!token_cache_has_outside(g->tokens) || !json_is_truthy(r->text, v)) {
		claims_register(token_cache_ring(g->tokens), session, token);
		return true;
	}
	fault = json_string_get(r->text, v, &text) ?
	    token_exchange(g->tokens, text.data, text.len, session, token) : JWT_NOT_STRING;
	buf_free(&text);
	if (fault == JWT_OK)
		return true;
	metrics_inc(gate_metrics(g), METRIC_TOKENS_REFUSED);
	why = xasprintf("Invalid JWT: %s", jwt_fault_text(fault));
	request_fail(r, jwt_fault_err(fault), fault == JWT_REVOKED ? NULL : why);
	free(why);
	return false;
}

bool
qewd_register(const struct gate *g, struct request *r, const struct registrant *who,
    struct buf *application, struct buf *message)
{
	struct claims_new session = new_session(g, who);
	struct buf token = { 0 };

	json_string_get(r->text, r->env.top.member[ENV_APPLICATION].value, application);
	if (application->len == 0) {
		request_fail(r, ERR_BAD_MESSAGE, "application must be a non-empty string");
		return false;
	}
	session.application = application->data;
	session.application_len = application->len;
	if (!begin_session(g, r, &session, &token))
		return false;
	if (who->mark != NULL)
		gate_mark_new(g, &token, who->mark);
	buf_printf(message, "{\"token\":\"%s\"", buf_str(&token));
	buf_free(&token);
	return true;
}

void
qewd_reregister(const struct gate *g, const struct request *r, const struct registrant *who,
    struct buf *message)
{
	struct claims_new session = new_session(g, who);
	struct buf token = { 0 };

	claims_reregister(token_cache_ring(g->tokens), r->token, &session, &token);
	buf_printf(message, "{\"ok\":true,\"token\":\"%s\"", buf_str(&token));
	buf_free(&token);
}

void
qewd_register_answer(const struct gate *g, struct request *r, struct buf *message)
{
	buf_add_char(message, '}');
	metrics_inc(gate_metrics(g), METRIC_REGISTRATIONS);
	gate_answer(r, message, false);
}

/* The proof: the socket's own sid, signed with a secret that we share. */
static bool
is_proof(const struct gate *g, const char *sid, const char *proof)
{
	struct buf signed_text = { 0 };
	bool is_good;

	buf_add_str(&signed_text, USHER_PROOF_PREFIX);
	buf_add_str(&signed_text, sid);
	is_good = jwt_hmac_verify(token_cache_ring(g->tokens), signed_text.data, signed_text.len,
	    proof, strlen(proof));
	buf_free(&signed_text);
	return is_good;
}

bool
qewd_register_is_node(const struct gate *g, const struct request *r, const char *sid,
    const char *label, struct usher_member *u)
{
	static struct log_limit limit = { .about = "nodes whose proof does not verify" };
	bool is_good;

	if (!usher_member_decode(u, r->text, r->env.top.member[ENV_USHER].value) || !u->is_link)
		return false;
	is_good = is_proof(g, sid, u->proof);
	metrics_inc(gate_metrics(g), is_good ? METRIC_NODES_PROVEN : METRIC_NODES_UNPROVEN);
	if (is_good)
		log_info_for(label, "is node %s", u->node);
	else if (log_allows(&limit))
		log_warnx_for(label, "says it is node %s, but its proof does not verify: "
		    "it does not share a secret with us", u->node);
	return is_good;
}
