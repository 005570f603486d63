/* SPDX-License-Identifier: ISC */
/*
 * One client after its Socket.IO session is up: registration, requests, replies.
 *
 * Read on_event() and serve() first: every message takes that way, and gate.c has its checks.
 * A client whose connection drops while its requests are open is kept for a while (resume.c).
 */
#include "front/qewd_front.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/idmap.h"
#include "base/log.h"
#include "base/spares.h"
#include "base/strmap.h"
#include "base/xmalloc.h"
#include "codec/envelope.h"
#include "codec/json_scan.h"
#include "codec/usher_member.h"
#include "conf/conf.h"
#include "front/client.h"
#include "front/eio_session.h"
#include "front/gate.h"
#include "front/qewd_int.h"
#include "front/qewd_register.h"
#include "front/qewd_reply.h"
#include "front/qewd_roam.h"
#include "front/qewd_sids.h"
#include "front/resume.h"
#include "front/sio_server.h"
#include "net/loop.h"
#include "request/request.h"
#include "token/claims.h"
#include "token/token_cache.h"

static void on_event(struct envelope *, bool, const uint64_t *, void *);
static void on_close(enum err, void *);
static void on_reply(struct request *, const struct reply *, void *);
static void on_final(struct request *, const struct reply *, void *);
static void fetch(const void *);
static void on_dropped(void *);
static void on_end(void *);

static const struct sio_events sio_events = {
	.on_event = on_event,
	.on_close = on_close,
};

static const struct origin_ops origin_ops = {
	.on_reply = on_reply,
	.on_final = on_final,
	.fetch = fetch,
};

static const struct resume_events resume_events = {
	.on_dropped = on_dropped,
	.on_end = on_end,
};

struct qewd_front *
qewd_front_new(struct gate *gate)
{
	struct qewd_front *f = xcalloc(1, sizeof(*f));

	f->gate = gate;
	LIST_INIT(&f->clients);
	LIST_INIT(&f->away);
	LIST_INIT(&f->forwarding);
	f->resumes = resumes_new(gate->requests->loop, gate->conf->timeouts.resume_ms,
	    gate->conf->limits.send_queue);
	f->by_sid = strmap_new();
	return f;
}

void
qewd_front_free(struct qewd_front *f)
{
	if (f == NULL)
		return;
	resumes_free(f->resumes);
	strmap_free(f->by_sid, NULL);
	free(f);
}

void
qewd_front_reload(struct qewd_front *f)
{
	resumes_set(f->resumes, f->gate->conf->timeouts.resume_ms,
	    f->gate->conf->limits.send_queue);
}

struct sio_session *
qewd_front_on_session(struct qewd_front *f, struct eio_session *eio)
{
	struct qewd_client *c = xcalloc(1, sizeof(*c));

	c->front = f;
	LIST_INIT(&c->calls);
	LIST_INSERT_HEAD(&f->clients, c, link);
	c->sio = sio_session_new(f->gate->requests->loop, &f->gate->conf, eio, &sio_events, c);
	qewd_sids_add(f->by_sid, &c->sids, eio_session_sid(eio), c);
	return c->sio;
}

static void
call_free(struct call *call)
{
	LIST_REMOVE(call, link);
	call->client->n_calls--;
	if (call->has_usher_id)
		idmap_remove(call->client->by_usher_id, call->usher_id);
	spares_give(loop_spares(call->client->front->gate->requests->loop), call, sizeof(*call));
}

/* Its request goes on, and nobody hears of it. */
static void
leave(struct call *call)
{
	struct request *r = call->request;
	bool is_asking = call->is_asking;

	request_leave(r);
	call_free(call);
	if (is_asking)
		request_cancel(r);	/* nobody else would end it */
}

static void
release(void *arg)
{
	struct qewd_client *c = arg;

	if (c->by_usher_id != NULL)
		idmap_free(c->by_usher_id);
	free(c->by_usher_id);
	free(c->application);
	free(c->node);
	free(c);
}

void
qewd_client_forget(struct qewd_client *c)
{
	struct call *call;

	while ((call = LIST_FIRST(&c->calls)) != NULL)
		leave(call);
	roam_free(c);		/* while it has a name */
	qewd_sids_clear(c->front->by_sid, &c->sids);
	resume_free(c->resume);
	c->resume = NULL;
	LIST_REMOVE(c, link);
	/* A message of this client may be up the stack. */
	loop_defer(c->front->gate->requests->loop, LOOP_FREE, &c->release, release, c);
}

uint64_t
qewd_client_n_calls(const struct qewd_client *c)
{
	return c->roam == NULL ? c->n_calls : c->n_calls + roam_n_awaited(c);
}

static const char *
label_of(const struct qewd_client *c)
{
	return sio_session_client(c->sio)->label;
}

/* ---- away, and back ---- */

/* Nodes do not come back for a request: they have told their own clients that it is lost. */
static bool
is_kept(const struct call *call)
{
	return !call->client->front->gate->is_draining &&
	    (!call->to_node || call->request->cancel_on_leave);
}

static void
start_resume(struct qewd_client *c)
{
	if (c->resume == NULL)
		c->resume = resume_new(c->front->resumes, &resume_events);
	if (!resume_is_started(c->resume))
		resume_start(c->resume, c);
}

static void
keep_unsent(const char *text, size_t len, void *arg)
{
	struct qewd_client *c = arg;

	start_resume(c);
	resume_add(c->resume, text, len);
}

/* A client without open requests is gone; another is away, and may come back for them. */
static void
on_close(enum err why UNUSED, void *arg)
{
	struct qewd_client *c = arg;
	struct qewd_front *f = c->front;
	struct call *call, *next;

	if (!c->is_proven && !f->gate->is_draining)
		sio_session_each_unsent(c->sio, keep_unsent, c);
	c->sio = NULL;
	for (call = LIST_FIRST(&c->calls); call != NULL; call = next) {
		next = LIST_NEXT(call, link);
		if (is_kept(call))
			request_away(call->request);
		else
			leave(call);
	}
	if (LIST_EMPTY(&c->calls) && (c->resume == NULL || resume_is_empty(c->resume)) &&
	    !roam_is_awaited(c)) {
		qewd_client_forget(c);
		return;
	}
	LIST_REMOVE(c, link);
	LIST_INSERT_HEAD(&f->away, c, link);
	roam_tell(c, ROAM_AWAY);
	start_resume(c);
}

static void
cancel(struct call *call)
{
	struct request *r = call->request;

	call->is_asking = false;
	leave(call);
	request_cancel(r);
}

static struct call *
first_to_cancel(struct qewd_client *c)
{
	struct call *call;

	LIST_FOREACH(call, &c->calls, link)
		if (call->request->cancel_on_leave)
			break;
	return call;
}

/* Anew each time: one cancellation may end other requests. */
void
qewd_client_cancel_dropped(struct qewd_client *c)
{
	struct call *call;

	while ((call = first_to_cancel(c)) != NULL)
		cancel(call);
}

void
qewd_client_cancel_all(struct qewd_client *c)
{
	struct call *call;

	while ((call = LIST_FIRST(&c->calls)) != NULL)
		cancel(call);
}

/* Not from on_close() itself: whoever serves the request may be up its stack. */
static void
on_dropped(void *arg)
{
	struct qewd_client *c = arg;

	qewd_client_cancel_dropped(c);
	roam_tell(c, ROAM_DROPPED);
	if (LIST_EMPTY(&c->calls) && resume_is_empty(c->resume) && !roam_is_awaited(c))
		qewd_client_forget(c);
}

static void
on_end(void *arg)
{
	struct qewd_client *c = arg;

	metrics_inc(gate_metrics(c->front->gate), METRIC_RESUMES_MISSED);
	qewd_client_cancel_all(c);
	qewd_client_forget(c);
}

/* Requests, texts and names of a client that is away are this one's now. */
static uint64_t
take_over(struct qewd_client *c, struct qewd_client *away)
{
	struct call *call;
	uint64_t n = 0;

	while ((call = LIST_FIRST(&away->calls)) != NULL) {
		LIST_REMOVE(call, link);
		away->n_calls--;
		call->client = c;
		call->has_ack = false;	/* its number means another event on this socket */
		LIST_INSERT_HEAD(&c->calls, call, link);
		c->n_calls++;
		request_back(call->request);
		n++;
	}
	resume_stop(away->resume);
	c->resume = away->resume;
	away->resume = NULL;
	qewd_sids_move(c->front->by_sid, &away->sids, &c->sids, c);
	n += roam_move(away, c);
	qewd_client_forget(away);
	metrics_inc(gate_metrics(c->front->gate), METRIC_RESUMES);
	return n;
}

/*
 * A session is on this socket now.  The one it had, if that is not connected, names this
 * client from now on; *n: requests that were still open there.  false: it left nothing.
 * A client that says it has lost that connection is believed, if its own began later: it may know
 * so long before our heart-beat does.
 */
static bool
come_back(struct qewd_client *c, const struct token *t, bool has_lost, uint64_t *n)
{
	struct qewd_front *f = c->front;
	struct buf sid = { 0 }, address = { 0 };
	struct qewd_client *before;
	bool is_resumed = false;

	claims_client(token_cache_ring(f->gate->tokens), t, &sid, &address);
	before = strmap_find(f->by_sid, buf_str(&sid), strlen(buf_str(&sid)));
	if (has_lost && before != NULL && before != c && before->sio != NULL &&
	    !before->is_proven && roam_begun_ms(before) <= roam_begun_ms(c)) {
		sio_session_close(before->sio, ERR_REPLACED, NULL);
		before = strmap_find(f->by_sid, buf_str(&sid), strlen(buf_str(&sid)));
	}
	if (before == NULL) {
		qewd_sids_add(f->by_sid, &c->sids, buf_str(&sid), c);
	} else if (before->sio == NULL && !before->is_proven && !resume_is_over(before->resume)) {
		*n = take_over(c, before);
		is_resumed = true;
	}
	buf_free(&sid);
	buf_free(&address);
	return is_resumed;
}

/* What came for it while it was away, each text once; sending may close the session again. */
static void
deliver(struct qewd_client *c)
{
	while (c->sio != NULL && c->resume != NULL && !resume_is_empty(c->resume)) {
		resume_take(c->resume, sio_session_begin(c->sio));
		sio_session_end(c->sio, NULL);
	}
	if (c->sio != NULL) {
		resume_free(c->resume);
		c->resume = NULL;
	}
}

struct buf *
qewd_client_begin(struct qewd_client *c, struct buf *text, size_t expected, bool sends_ack)
{
	if (c->sio == NULL)
		return text;
	return sends_ack ? sio_session_begin(c->sio) : sio_session_begin_direct(c->sio, expected);
}

void
qewd_client_end(struct qewd_client *c, struct buf *text, const uint64_t *ack)
{
	if (c->sio != NULL)
		sio_session_end(c->sio, ack);
	else if (!roam_forward(c, text->data, text->len))
		resume_add(c->resume, text->data, text->len);
	buf_free(text);
}

void
qewd_client_send(struct qewd_client *c, const char *text, size_t len)
{
	struct buf kept = { 0 };

	buf_add(qewd_client_begin(c, &kept, len, false), text, len);
	qewd_client_end(c, &kept, NULL);
}

/* ---- beginning a request ---- */

static struct gate_sender
sender_of(const struct call *call)
{
	struct qewd_client *c = call->client;
	const struct client *who = sio_session_client(c->sio);

	return (struct gate_sender){
		.label = who->label,
		.is_limited = !c->is_proven && !who->is_node,
		.is_relay = call->to_node && !c->is_proven,
		.mark = call->to_node ? NULL : sio_session_mark(c->sio),
		.token_place = &c->token_place,
	};
}

/* What a proven node says about the request; from anybody else the member counts for nothing. */
static void
read_member(struct call *call, struct request *r, const struct usher_member *u)
{
	struct idmap **by_id = &call->client->by_usher_id;

	/* A number that is in use would make two replies look alike: the node is told nothing then. */
	if (u->has_id && u->id != 0 && (*by_id == NULL || idmap_find(*by_id, u->id) == NULL)) {
		if (*by_id == NULL)
			*by_id = xcalloc(1, sizeof(**by_id));
		call->has_usher_id = true;
		call->usher_id = u->id;
		idmap_add(*by_id, u->id, call);
	}
	r->hops = u->hops;
	/* Who asked over HTTP has an address and no socket. */
	if (u->client_socket[0] != '\0' || u->client_address[0] != '\0') {
		gate_set_client_text(r->client_address, u->client_address);
		gate_set_client_text(r->client_socket, u->client_socket);
	}
}

/* u: what a proven node says; NULL: it is none. */
static struct call *
call_new(struct qewd_client *c, const struct envelope *env, const uint64_t *ack,
    const struct usher_member *u)
{
	struct call *call = spares_take(loop_spares(c->front->gate->requests->loop), sizeof(*call));
	struct request *r;

	*call = (struct call){ .client = c };
	call->has_ack = ack != NULL;
	call->ack = ack != NULL ? *ack : 0;
	call->to_node = c->is_proven || env->top.member[ENV_JWT].value.kind == JSON_TRUE;
	LIST_INSERT_HEAD(&c->calls, call, link);
	c->n_calls++;
	footprint_add(&call->reply, c);
	sio_session_footprint(c->sio, &call->reply);
	call->request = r = request_new(c->front->gate->requests, &origin_ops, call, env,
	    u != NULL ? u->trace : "");
	gate_set_client_text(r->client_address, sio_session_client(c->sio)->address);
	gate_set_client_text(r->client_socket, sio_session_sid(c->sio));
	if (u != NULL)
		read_member(call, r, u);
	return call;
}

/* ---- registration ---- */

static struct registrant
registrant(const struct qewd_client *c)
{
	return (struct registrant){ sio_session_sid(c->sio), sio_session_client(c->sio)->address,
		sio_session_mark(c->sio) };
}

static void
set_application(struct qewd_client *c, const char *application, size_t len)
{
	free(c->application);
	c->application = xmemdup(application, len);
	c->application_len = (uint32_t)len;
}

static void
on_register(struct call *call)
{
	struct qewd_client *c = call->client;
	struct gate *g = c->front->gate;
	struct registrant who = registrant(c);
	struct buf application = { 0 }, message = { 0 };
	struct usher_member u;

	if (qewd_register(g, call->request, &who, &application, &message)) {
		set_application(c, application.data, application.len);
		if (qewd_register_is_node(g, call->request, who.socket, label_of(c), &u)) {
			c->is_proven = true;
			c->is_further = u.is_further;
			free(c->node);
			c->node = xstrdup(u.node);
			sio_session_trust(c->sio);
			buf_add_str(&message, ",\"usher\":");
			usher_member_encode_answer(&message, g->conf->node,
			    g->conf->limits.message);
		}
		qewd_register_answer(g, call->request, &message);
	}
	buf_free(&application);
	buf_free(&message);
}

static bool
says_lost(const struct request *r)
{
	struct json_value v = json_member_of(r->text, r->env.arg, "resume");

	return v.kind == JSON_TRUE;
}

void
qewd_client_answer(struct call *call, bool is_resumed, uint64_t n)
{
	struct qewd_client *c = call->client;
	struct gate *g = c->front->gate;
	struct registrant who = { c->sids.sid[0], call->request->client_address,
		c->sio != NULL ? sio_session_mark(c->sio) : NULL };
	struct buf message = { 0 };

	call->is_asking = false;
	qewd_reregister(g, call->request, &who, &message);
	if (is_resumed)
		buf_printf(&message, ",\"resumed\":%llu", (unsigned long long)n);
	qewd_register_answer(g, call->request, &message);
	buf_free(&message);
}

/* r->token has been checked. */
static void
on_reregister(struct call *call)
{
	struct qewd_client *c = call->client;
	const struct token *t = call->request->token;
	bool has_lost = says_lost(call->request), is_resumed;
	uint64_t n = 0;

	set_application(c, t->application, t->application_len);
	if (!c->is_proven && roam_ask(call, has_lost))
		return;		/* it is answered when another loop has said what it has */
	is_resumed = !c->is_proven && come_back(c, t, has_lost, &n);
	qewd_client_answer(call, is_resumed, n);
	deliver(c);
}

/* ---- cancellation ---- */

struct request *
qewd_client_find(const struct qewd_client *c, const struct call *but, const char *id, size_t len)
{
	struct request *found = NULL;
	const struct call *call;
	const char *own;
	size_t own_len;

	LIST_FOREACH(call, &c->calls, link) {
		own = envelope_raw(&call->request->env, &call->request->env.top,
		    ENV_MS_REQUEST_ID, &own_len);
		if (call != but && own != NULL && own_len == len && memcmp(own, id, len) == 0)
			found = call->request;
	}
	return found;
}

/* A browser's own open request that carries the same ms_requestId ends; no answer besides. */
static void
on_cancel(struct call *call)
{
	struct qewd_client *c = call->client;
	struct gate_sender sender = sender_of(call);
	struct request *asking = call->request, *r = NULL;
	const char *id;
	size_t len;

	if (!gate_check_token(c->front->gate, asking, &sender))
		return;
	id = envelope_raw(&asking->env, &asking->env.top, ENV_MS_REQUEST_ID, &len);
	if (id != NULL && (r = qewd_client_find(c, call, id, len)) == NULL)
		roam_cancel(c, id, len);
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
	struct call *call = u->has_id && c->by_usher_id != NULL ?
	    idmap_find(c->by_usher_id, u->id) : NULL;

	if (call != NULL)
		request_cancel(call->request);
}

static void
serve(struct call *call, const struct usher_member *u)
{
	struct gate *g = call->client->front->gate;
	struct request *r = call->request;
	struct gate_sender sender = sender_of(call);

	/* Above the limits as well, and while draining: it makes room. */
	if (gate_is_type(r, "usher-cancel")) {
		if (gate_check_form(r))
			on_cancel(call);
		return;
	}
	if (!gate_check_limits(g, r, &sender, qewd_client_n_calls(call->client)) ||
	    !gate_check_form(r))
		return;
	if (gate_is_type(r, "ewd-register")) {
		on_register(call);
	} else if (gate_is_type(r, "ewd-reregister")) {
		if (gate_check_token(g, r, &sender))
			on_reregister(call);
	} else {
		gate_pass(g, r, &sender, u != NULL && u->has_deadline ? u->deadline_ms : UINT64_MAX);
	}
}

/* Apart, as what a node says needs much room. */
static NO_INLINE void
on_node_event(struct qewd_client *c, struct envelope *env, const uint64_t *ack)
{
	struct json_value type = env->top.member[ENV_TYPE].value;
	struct usher_member u;

	(void)usher_member_decode(&u, env->text, env->top.member[ENV_USHER].value);
	if (json_string_is(env->text, type, "usher-cancel"))
		on_node_cancel(c, &u);
	else if (c->is_further && json_string_is(env->text, type, USHER_FIRST))
		c->is_further = false;
	else
		serve(call_new(c, env, ack, &u), &u);
}

static void
on_client_event(struct qewd_client *c, struct envelope *env, const uint64_t *ack)
{
	token_expect(c->front->gate->tokens, c->token_place);
	serve(call_new(c, env, ack, NULL), NULL);
}

static RARE void
ignore(struct qewd_client *c)
{
	metrics_inc(gate_metrics(c->front->gate), METRIC_EVENTS_IGNORED);
	log_debug_for("sio", label_of(c), "event without a type ignored");
}

static void
on_event(struct envelope *env, bool is_over_rate, const uint64_t *ack, void *arg)
{
	struct qewd_client *c = arg;

	if (!gate_is_message(env))
		ignore(c);
	else if (is_over_rate)
		request_fail(call_new(c, env, ack, NULL)->request, ERR_TOO_MANY, GATE_OVER_RATE);
	else if (c->is_proven)
		on_node_event(c, env, ack);
	else
		on_client_event(c, env, ack);
}

/* ---- replies ---- */

static void
fetch(const void *arg)
{
	const struct call *call = arg;

	footprint_fetch(&call->reply);
}

static void
write_reply(struct call *call, const struct reply *reply)
{
	struct qewd_client *c = call->client;
	const struct gate *g = c->front->gate;
	struct qewd_reply_extra x = {
		.to_node = call->to_node,
		.has_usher_id = call->has_usher_id,
		.usher_id = call->usher_id,
		.set_token = reply->token != NULL,
		.token = reply->token,
		.token_len = reply->token_len,
		.took_ms = loop_mono_ms(g->requests->loop) - call->request->begun_ms,
	};
	struct token *t = qewd_reply_translate(g->tokens, gate_metrics(g), call->request, reply,
	    &x);
	bool sends_ack = call->has_ack && reply->is_final;
	uint64_t ack = call->ack;
	struct buf kept = { 0 };

	qewd_reply_write(qewd_client_begin(c, &kept, qewd_reply_room(reply, &x), sends_ack),
	    call->request, reply, &x);
	/* May free the call. */
	qewd_client_end(c, &kept, sends_ack ? &ack : NULL);
	token_unref(t);
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
	if (r->origin != NULL) {
		struct qewd_client *c = call->client;

		call_free(call);
		roam_look(c);
	}
}
