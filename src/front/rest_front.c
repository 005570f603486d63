/* SPDX-License-Identifier: ISC */
/*
 * From an HTTP request to requests for all it goes to, and back.
 *
 * on_head() refuses what cannot be served before a body is taken; on_request() lists the steps
 * of what can.
 */
#include "front/rest_front.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "codec/envelope.h"
#include "conf/conf.h"
#include "front/client.h"
#include "front/gate.h"
#include "front/http_exchange.h"
#include "front/http_trace.h"
#include "front/origin_check.h"
#include "front/rest_answer.h"
#include "front/rest_group.h"
#include "front/rest_message.h"
#include "front/rest_token.h"
#include "net/loop.h"
#include "request/destination.h"
#include "request/journal.h"
#include "request/request.h"
#include "request/service.h"
#include "token/token_cache.h"

#define JSON_TYPE "application/json; charset=utf-8"

struct rest_front {
	const struct gate *gate;
	struct rest_table *table;
	struct http_service service, fallback;
	uint64_t last_id;		/* ms_requestId */
};

/* One of the requests that an HTTP request becomes. */
struct part {
	struct rest_call *call;
	struct buf text;		/* the message, until it is sent */
	struct envelope env;		/* scanned in text */
	struct token *token;		/* NULL: what the caller sent was not looked at */
	struct request *request;	/* NULL: not begun, or over */
};

/* An HTTP request, until its answer. */
struct rest_call {
	struct rest_front *front;
	struct http_exchange *exchange;	/* NULL: whoever asked is gone */
	struct rest_table *table;	/* a reference; of the next */
	const struct rest_target *target;	/* for its beginning: its members may go */
	struct rest_style style;
	struct rest_group *group;	/* NULL: there is one part */
	uint64_t timeout_ms;		/* of all parts; 0: each its destination's */
	unsigned route;			/* its number in the journal */
	bool is_anonymous;		/* the caller sent no token */
	bool is_local;			/* it is for a local application itself */
	bool cancels_on_leave;
	bool is_idempotent;
	uint64_t begun_ms;
	char trace[TRACE_MAX];		/* of all parts */
	char name[TRACE_ID_LEN + 1];	/* its id */
	struct timer gone_timer;
	size_t n_open;			/* parts, and whoever else must find the call there */
	size_t n;
	struct part part[];		/* as target->member */
};

/* A step that failed: what is answered. */
struct refusal {
	enum err err;
	int status;			/* 0: that of err */
	char *text;			/* owned; NULL: that of err */
};

static bool	 is_for(const struct http_head *, const struct client *, void *);
static bool	 is_like(const struct http_head *, const struct client *, void *);
static size_t	 on_head(struct http_exchange *, void *);
static void	 on_request(struct http_exchange *, void *);
static void	 on_gone(void *);
static void	 on_reply(struct request *, const struct reply *, void *);
static void	 on_final(struct request *, const struct reply *, void *);
static void	 release(struct rest_call *);

static const struct origin_ops origin_ops = {
	.on_reply = on_reply,
	.on_final = on_final,
};

struct rest_front *
rest_front_new(const struct gate *gate, struct rest_table *table)
{
	struct rest_front *f = xcalloc(1, sizeof(*f));

	f->gate = gate;
	f->table = table;
	f->service = f->fallback = (struct http_service){ .on_head = on_head,
		.on_request = on_request, .on_bad_body = origin_refuse_body, .arg = f };
	f->service.is_for = is_for;
	f->fallback.is_for = is_like;
	return f;
}

void
rest_front_free(struct rest_front *f)
{
	if (f == NULL)
		return;
	rest_table_unref(f->table);
	free(f);
}

struct rest_table *
rest_front_set_table(struct rest_front *f, struct rest_table *table)
{
	struct rest_table *before = f->table;

	f->table = table;
	return before;
}

const struct http_service *
rest_front_service(const struct rest_front *f)
{
	return &f->service;
}

const struct http_service *
rest_front_fallback(const struct rest_front *f)
{
	return &f->fallback;
}

static bool
is_for(const struct http_head *head, const struct client *client UNUSED, void *arg)
{
	const struct rest_front *f = arg;
	struct rest_match m;

	rest_table_find(f->table, head->method, head->path, &m);
	return m.kind != REST_NOTHING;
}

static bool
is_like(const struct http_head *head, const struct client *client UNUSED, void *arg)
{
	const struct rest_front *f = arg;

	return rest_table_begins(f->table, head->path);
}

/* ---- answers ---- */

static struct rest_style
style_of(const struct rest_front *f)
{
	return (struct rest_style){
		.errors_qewd = f->gate->conf->http_errors_qewd != 0,
		.node = f->gate->conf->node,
	};
}

/* Does one of the header lines begin so?  Values are the handler's. */
static bool
has_line(const char *lines, const char *begin)
{
	for (const char *p = lines; p != NULL && *p != '\0'; p = strchr(p, '\n')) {
		p += strspn(p, "\n");
		if (strncasecmp(p, begin, strlen(begin)) == 0)
			return true;
	}
	return false;
}

static void
send_answer(struct http_exchange *x, struct rest_answer *a, uint64_t begun_ms, const char *trace)
{
	/* A handler that says who may read it knows better. */
	if (!has_line(buf_str(&a->extra), "access-control-allow-origin:"))
		(void)origin_allow_headers(&a->extra, http_exchange_head(x),
		    http_exchange_client(x));
	http_trace_add_headers(&a->extra, trace);
	buf_printf(&a->extra, "X-ResponseTime: %llums\r\n",
	    (unsigned long long)(clock_mono_ms() - begun_ms));
	http_exchange_answer(x, &(struct http_answer){
		.status = a->status,
		.type = a->type.len > 0 ? buf_str(&a->type) : JSON_TYPE,
		.extra = buf_str(&a->extra),
		.body = a->body.data,
		.len = a->body.len,
	});
	rest_answer_cleanup(a);
}

/* extra: header lines, or NULL. */
static void
refuse(struct rest_front *f, struct http_exchange *x, const struct refusal *why, const char *extra)
{
	struct rest_style style = style_of(f);
	struct rest_answer a = { 0 };
	char trace[TRACE_MAX], id[TRACE_ID_LEN + 1];

	http_trace_begin(trace, http_exchange_head(x));
	http_trace_id(id, trace);
	style.request = id;
	metrics_inc(gate_metrics(f->gate), METRIC_REST_REFUSED);
	log_debug_of("http", ((struct log_subject){ http_exchange_client(x)->label, id, NULL }),
	    "refused: %s", err_code(why->err));
	rest_answer_from_error(&a, &style, why->err,
	    why->text != NULL ? why->text : err_text(why->err),
	    why->status != 0 ? why->status : err_http_status(why->err));
	if (extra != NULL)
		buf_add_str(&a.extra, extra);
	send_answer(x, &a, clock_mono_ms(), trace);
	free(why->text);
}

/* ---- heads ---- */

static bool
is_options(const struct http_head *head)
{
	return http_text_equals(head->method, "OPTIONS");
}

/* A page of a permitted origin may send what it likes. */
static void
add_asked_headers(struct buf *extra, const struct http_head *head)
{
	const struct http_text *asked = http_find(head, "access-control-request-headers", NULL);

	if (asked == NULL || asked->len == 0)
		return;
	buf_add_str(extra, "Access-Control-Allow-Headers: ");
	buf_add(extra, asked->p, asked->len);
	buf_add_str(extra, "\r\n");
}

static void
answer_options(struct rest_front *f, struct http_exchange *x)
{
	const struct http_head *head = http_exchange_head(x);
	bool is_preflight = http_find(head, "access-control-request-method", NULL) != NULL;
	struct buf extra = { 0 }, methods = { 0 };

	rest_table_add_methods(f->table, head->path, &methods);
	buf_printf(&extra, "Allow: %s\r\n", buf_str(&methods));
	if (is_preflight && origin_allow_headers(&extra, head,
	    http_exchange_client(x))) {
		buf_printf(&extra, "Access-Control-Allow-Methods: %s\r\n", buf_str(&methods));
		add_asked_headers(&extra, head);
	}
	http_exchange_answer(x, &(struct http_answer){ .status = 204, .extra = buf_str(&extra) });
	buf_free(&extra);
	buf_free(&methods);
}

static void
refuse_method(struct rest_front *f, struct http_exchange *x)
{
	struct buf extra = { 0 };

	buf_add_str(&extra, "Allow: ");
	rest_table_add_methods(f->table, http_exchange_head(x)->path, &extra);
	buf_add_str(&extra, "\r\n");
	refuse(f, x, &(struct refusal){ .err = ERR_METHOD_NOT_ALLOWED }, buf_str(&extra));
	buf_free(&extra);
}

/* As QEWD says it. */
static char *
no_destination_text(const struct rest_match *m)
{
	struct buf name = { 0 };
	char *text;

	if (!path_vars_get(&m->vars, "destination", &name))
		buf_add_str(&name, "(it cannot be decoded)");
	text = xasprintf("No such destination: %s", buf_str(&name));
	buf_free(&name);
	return text;
}

/* What is sent in chunks counts by its head: its length is not known yet. */
static bool
takes_from(const struct rest_front *f, const struct client *client, const struct http_head *head)
{
	return client->is_node || gate_takes_from(f->gate, client->address,
	    head->is_chunked ? 0 : (size_t)head->content_length);
}

static bool
check_head(struct rest_front *f, struct http_exchange *x, const struct rest_match *m)
{
	const struct http_head *head = http_exchange_head(x);

	if (f->gate->is_draining) {
		refuse(f, x, &(struct refusal){ .err = ERR_STOPPING }, NULL);
	} else if (!gate_has_room(f->gate, 1)) {
		refuse(f, x, &(struct refusal){ .err = ERR_OVERLOADED,
		    .text = xstrdup("too many requests in flight (limits.in_flight)") }, NULL);
	} else if (!takes_from(f, http_exchange_client(x), head)) {
		refuse(f, x, &(struct refusal){ .err = ERR_TOO_MANY,
		    .text = xstrdup(GATE_OVER_RATE) }, NULL);
	} else if (!origin_is_permitted(head, http_exchange_client(x))) {
		metrics_inc(gate_metrics(f->gate), METRIC_ORIGINS_REFUSED);
		refuse(f, x, &(struct refusal){ .err = ERR_NOT_ALLOWED,
		    .text = xstrdup("pages of this origin are not permitted") }, NULL);
	} else if (m->kind == REST_NOTHING) {
		refuse(f, x, &(struct refusal){ .err = ERR_NO_ROUTE }, NULL);
	} else if (m->kind == REST_NO_METHOD) {
		refuse_method(f, x);
	} else if (m->target == NULL) {
		refuse(f, x, &(struct refusal){ .err = ERR_NO_ROUTE,
		    .text = no_destination_text(m) }, NULL);
	} else if (rest_body_kind(head) == REST_BODY_OTHER) {
		refuse(f, x, &(struct refusal){ .err = ERR_BAD_MESSAGE, .status = 415,
		    .text = xstrdup("a body is application/json or "
		    "application/x-www-form-urlencoded, in UTF-8") },
		    "Accept: application/json, application/x-www-form-urlencoded\r\n");
	} else {
		return true;
	}
	return false;
}

static size_t
on_head(struct http_exchange *x, void *arg)
{
	struct rest_front *f = arg;
	const struct http_head *head = http_exchange_head(x);
	struct rest_match m;

	rest_table_find(f->table, head->method, head->path, &m);
	if (is_options(head) && m.kind != REST_ROUTE) {
		answer_options(f, x);
		return 0;
	}
	return check_head(f, x, &m) ? f->gate->conf->limits.http_body : 0;
}

/* ---- tokens ---- */

/* *t: the caller's token, verified; NULL if there is none, or it is not to be looked at. */
static bool
check_token(struct rest_front *f, const struct rest_match *m, struct http_text bearer,
    struct token **t, struct refusal *why)
{
	enum jwt_fault fault;

	if (bearer.len == 0 || (m->route != NULL && m->route->bypass_jwt_check))
		return true;
	fault = token_check(f->gate->tokens, bearer.p, bearer.len, clock_wall_ms(), t);
	if (fault == JWT_OK)
		return true;
	metrics_inc(gate_metrics(f->gate), METRIC_TOKENS_REFUSED);
	why->err = jwt_fault_err(fault);
	why->text = xasprintf("Invalid JWT: %s", jwt_fault_text(fault));
	return false;
}

/* ---- requests ---- */

/* Routes of paths are known by these names; those of applications by the application. */
static unsigned
route_number(const struct rest_front *f, const struct rest_match *m)
{
	const struct route *local;
	char *name;

	if (m->kind == REST_LOCAL) {
		local = service_find_local(f->gate->services, m->target->member[0]->name);
		if (local == NULL)
			return JOURNAL_NO_ROUTE;
		if (*local->number == 0)
			*local->number = journal_route(f->gate->requests->journal, local->name);
		return *local->number;
	}
	if (m->number == NULL)
		return JOURNAL_NO_ROUTE;
	if (*m->number == 0) {
		name = xasprintf("%s %s", m->route->method != NULL ? m->route->method : "any",
		    m->route->path);
		*m->number = journal_route(f->gate->requests->journal, name);
		free(name);
	}
	return *m->number;
}

static struct rest_group *
group_new(const struct rest_style *style, const struct rest_target *target)
{
	struct rest_group *group = rest_group_new(style, target->n);

	for (size_t i = 0; i < target->n; i++)
		rest_group_set_name(group, i, target->member[i]->name);
	return group;
}

static struct rest_call *
call_new(struct rest_front *f, struct http_exchange *x, const struct rest_match *m)
{
	struct rest_call *call = xcalloc(1, sizeof(*call) + m->target->n * sizeof(struct part));

	call->front = f;
	call->exchange = x;
	call->table = rest_table_ref(f->table);
	call->target = m->target;
	http_trace_begin(call->trace, http_exchange_head(x));
	http_trace_id(call->name, call->trace);
	call->style = style_of(f);
	call->style.request = call->name;
	call->is_local = call->style.keeps_lists = m->kind == REST_LOCAL;
	call->begun_ms = clock_mono_ms();
	call->n = m->target->n;
	call->route = route_number(f, m);
	if (m->target->is_group)
		call->group = group_new(&call->style, m->target);
	if (m->route != NULL) {
		call->timeout_ms = m->route->timeout_ms;
		call->cancels_on_leave = m->route->cancel_on_leave != 0;
		call->is_idempotent = m->route->is_idempotent;
	}
	if (call->timeout_ms == 0)
		call->timeout_ms = m->target->timeout_ms;
	for (size_t i = 0; i < call->n; i++)
		call->part[i].call = call;
	return call;
}

static void
call_free(struct rest_call *call)
{
	loop_timer_stop(call->front->gate->requests->loop, &call->gone_timer);
	for (size_t i = 0; i < call->n; i++) {
		buf_free(&call->part[i].text);
		token_unref(call->part[i].token);
	}
	rest_group_free(call->group);
	rest_table_unref(call->table);
	free(call);
}

/* t: the caller's session; NULL: it has none, or it was not looked at. */
static bool
take_token(struct part *p, const struct destination *d, struct token *t, struct refusal *why)
{
	const struct gate *g = p->call->front->gate;

	if (p->call->is_anonymous)
		p->token = rest_token_new(g, d->application,
		    http_exchange_client(p->call->exchange)->address);
	else if (t != NULL)
		p->token = rest_token_for(g, t, d->application);
	if (t == NULL || p->token != NULL)
		return true;
	why->err = ERR_TOKEN_EXPIRED;
	return false;
}

/* The message; bearer is what the caller sent. */
static bool
write_message(struct part *p, const struct rest_source *source, const struct destination *d,
    struct http_text bearer, struct refusal *why)
{
	struct rest_front *f = p->call->front;
	unsigned depth_max = f->gate->conf->limits.json_depth;
	struct rest_recipient to = { .application = d->application };

	to.token = p->token != NULL ? p->token->text : bearer.p;
	to.token_len = p->token != NULL ? p->token->len : bearer.len;
	if (source->match->kind == REST_ROUTE)
		to.id = ++f->last_id;
	why->err = ERR_BAD_MESSAGE;
	if (!rest_message_write(&p->text, source, &to))
		why->text = xstrdup("the path cannot be decoded");
	else if (envelope_scan_object(&p->env, p->text.data, p->text.len, depth_max) != ERR_NONE)
		why->text = xstrdup(p->env.fault);
	else
		return gate_is_message(&p->env);
	return false;
}

/* All are prepared first: one that cannot be served must cost the others nothing. */
static bool
prepare(struct rest_call *call, const struct rest_source *source, struct token *t,
    struct http_text bearer, struct refusal *why)
{
	for (size_t i = 0; i < call->n; i++) {
		const struct destination *d = call->target->member[i];

		if (!take_token(&call->part[i], d, t, why) ||
		    !write_message(&call->part[i], source, d, bearer, why))
			return false;
	}
	return true;
}

static uint64_t
timeout_for(const struct rest_call *call, const struct destination *d)
{
	uint64_t timeout_ms = call->timeout_ms;

	if (timeout_ms != 0 && (call->group == NULL || d->timeout_ms == 0))
		return timeout_ms;
	if (d->timeout_ms == 0)
		return call->front->gate->conf->timeouts.request_ms;
	/* A group waits for none of its members longer than it may. */
	if (timeout_ms == 0 && call->group != NULL)
		timeout_ms = call->front->gate->conf->timeouts.request_ms;
	return timeout_ms != 0 && timeout_ms < d->timeout_ms ? timeout_ms : d->timeout_ms;
}

static void
begin(struct part *p, struct destination *d, const char *trace)
{
	struct rest_call *call = p->call;
	struct request *r;

	p->request = r = request_new(call->front->gate->requests, &origin_ops, p, &p->env, trace);
	r->token = p->token;
	r->is_rest = call->is_local;
	r->is_idempotent = call->is_idempotent;
	r->route = (uint16_t)call->route;
	p->token = NULL;
	gate_set_client_text(r->client_address, http_exchange_client(call->exchange)->address);
	buf_free(&p->text);	/* r has a copy */
	if (request_has_internal_type(r))
		request_fail(r, ERR_NOT_ALLOWED,
		    "messages of this type are not taken from clients");
	else if (gate_check_form(r))
		request_submit(r, d, timeout_for(call, d));
}

static void
begin_all(struct rest_call *call)
{
	http_exchange_wait(call->exchange, on_gone, call);
	/* One more than there are, so that it is not over before all have begun. */
	call->n_open = call->n + 1;
	for (size_t i = 0; i < call->n; i++)
		begin(&call->part[i], call->target->member[i], call->trace);
	release(call);
}

static bool
check_body(const struct rest_front *f, const struct rest_source *s, struct refusal *why)
{
	struct json_value v;

	/* One level less than a message may have, which it will be in. */
	if (s->body_kind != REST_BODY_JSON || s->body_len == 0 ||
	    json_scan_text(s->body, s->body_len, f->gate->conf->limits.json_depth - 1, &v))
		return true;
	why->err = ERR_BAD_MESSAGE;
	why->text = xstrdup("the body is no JSON, or nested too deeply (limits.json_depth)");
	return false;
}

/* false: it is to be refused. */
static bool
serve(struct rest_front *f, struct http_exchange *x, const struct rest_source *source,
    struct refusal *why)
{
	struct http_text bearer;
	struct token *t = NULL;
	struct rest_call *call;
	bool is_good;

	if (rest_token_find(source->head, &bearer) == REST_BEARER_TWICE) {
		why->err = ERR_BAD_MESSAGE;
		why->text = xstrdup("more than one Authorization");
		return false;
	}
	if (!check_body(f, source, why) || !check_token(f, source->match, bearer, &t, why))
		return false;
	call = call_new(f, x, source->match);
	call->is_anonymous = bearer.len == 0;
	is_good = prepare(call, source, t, bearer, why);
	token_unref(t);
	if (is_good)
		begin_all(call);
	else
		call_free(call);
	return is_good;
}

static void
on_request(struct http_exchange *x, void *arg)
{
	struct rest_front *f = arg;
	struct rest_match match;
	struct rest_source source = {
		.head = http_exchange_head(x),
		.match = &match,
		.address = http_exchange_client(x)->address,
	};
	struct refusal why = { 0 };

	rest_table_find(f->table, source.head->method, source.head->path, &match);
	if (match.target == NULL) {
		(void)check_head(f, x, &match);	/* its route went while its body came */
		return;
	}
	source.body = http_exchange_body(x, &source.body_len);
	source.body_kind = rest_body_kind(source.head);
	metrics_inc(gate_metrics(f->gate), METRIC_REST_REQUESTS);
	if (!serve(f, x, &source, &why))
		refuse(f, x, &why, NULL);
}

static void
on_gone_for_long(void *arg)
{
	struct rest_call *call = arg;

	call->n_open++;		/* the last cancellation would free it */
	for (size_t i = 0; i < call->n; i++)
		if (call->part[i].request != NULL)
			request_cancel(call->part[i].request);
	release(call);
}

/*
 * Nobody can be told any more, but the requests go on for as long as those of clients that may
 * come back.  They are not cancelled here, where whoever serves them may be up the stack.
 */
static void
on_gone(void *arg)
{
	struct rest_call *call = arg;
	const struct gate *g = call->front->gate;

	call->exchange = NULL;
	for (size_t i = 0; i < call->n; i++) {
		struct request *r = call->part[i].request;

		if (r != NULL && g->is_draining)
			request_leave(r);
		else if (r != NULL)
			request_away(r);
	}
	if (g->is_draining)
		call_free(call);
	else
		loop_timer_set(g->requests->loop, &call->gone_timer,
		    call->cancels_on_leave ? 0 : g->conf->timeouts.resume_ms,
		    on_gone_for_long, call);
}

/* ---- replies ---- */

static void
on_reply(struct request *r, const struct reply *reply UNUSED, void *arg UNUSED)
{
	log_debug_of("request", request_subject(r, NULL),
	    "an intermediate has no place in an HTTP answer");
}

static void
answer_group(struct rest_call *call)
{
	struct rest_answer a = { 0 };

	rest_group_answer(call->group, &a);
	send_answer(call->exchange, &a, call->begun_ms, call->trace);
}

static void
answer_one(struct rest_call *call, const struct reply *reply, const struct buf *token)
{
	struct rest_answer a = { 0 };

	call->style.token = token->len > 0 ? token->data : NULL;
	call->style.token_len = token->len;
	rest_answer_from_reply(&a, &call->style, reply);
	send_answer(call->exchange, &a, call->begun_ms, call->trace);
}

/* What is open is one less; with the last the call is over. */
static void
release(struct rest_call *call)
{
	if (--call->n_open > 0)
		return;
	if (call->group != NULL && call->exchange != NULL)
		answer_group(call);
	call_free(call);
}

static void
take_final(struct part *p, struct request *r, const struct reply *reply)
{
	struct rest_call *call = p->call;
	size_t i = (size_t)(p - call->part);
	struct buf token = { 0 };

	rest_token_of_reply(call->front->gate, r, reply, call->is_anonymous, &token);
	if (call->group == NULL)
		answer_one(call, reply, &token);
	else
		rest_group_add(call->group, i, reply, token.len > 0 ? token.data : NULL, token.len);
	buf_free(&token);
}

static void
on_final(struct request *r, const struct reply *reply, void *arg)
{
	struct part *p = arg;

	p->request = NULL;
	if (p->call->exchange != NULL)
		take_final(p, r, reply);
	release(p->call);
}
