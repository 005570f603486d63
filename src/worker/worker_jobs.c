/* SPDX-License-Identifier: ISC */
/*
 * The requests that a worker is at, and what it says.
 *
 * Replies are tied to a job by its id, never to the worker alone, so a stray line can
 * reach nobody else.
 */
#include "worker/worker_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "codec/handler_msg.h"
#include "codec/json_splice.h"
#include "conf/conf.h"
#include "request/request.h"
#include "token/claims.h"
#include "token/token_cache.h"
#include "token/token_reply.h"
#include "token/token_session.h"
#include "worker/call.h"
#include "worker/handler_link.h"

#define LINE_REST      512	/* of a request's line, beside its message and session; about */
#define ERROR_TEXT_MAX 4096	/* of what a failing handler says to its client */

/* A request that was handed over and for which no finish or fail has come. */
struct job {
	LIST_ENTRY(job) link;
	struct worker *worker;
	struct request *request;	/* NULL: cancelled, and answered without it */
	uint64_t id;			/* in lines */
	bool has_spoken;		/* a reply to it came */
	struct calls *calls;		/* NULL: it never made one */
	struct timer deadline_timer;	/* of a cancelled one: until then it may hold its place */
};

static void on_call_reply(uint64_t, bool, const char *, size_t, void *);

static const struct call_events call_events = {
	.on_reply = on_call_reply,
};

/* ---- jobs ---- */

static struct job *
job_find(const struct worker *w, uint64_t id)
{
	struct job *j;

	LIST_FOREACH(j, &w->jobs, link)
		if (j->id == id)
			return j;
	return NULL;
}

static void
job_free(struct job *j)
{
	loop_timer_stop(j->worker->env->loop, &j->deadline_timer);
	calls_free(j->calls);
	LIST_REMOVE(j, link);
	if (--j->worker->n_jobs == 0)
		j->worker->idle_since_ms = clock_mono_ms();
	free(j);
}

void
worker_free_jobs(struct worker *w)
{
	while (!LIST_EMPTY(&w->jobs))
		job_free(LIST_FIRST(&w->jobs));
}

/*
 * A reset says that it left bytes of ours unread: the last line, and so the last request,
 * never reached a handler.
 */
void
worker_end_jobs(struct worker *w, enum err why)
{
	bool was_unread;
	struct request *r;
	struct job *j;

	while ((j = LIST_FIRST(&w->jobs)) != NULL) {
		r = j->request;
		was_unread = why == ERR_RESET && j->id == w->unread_id && !j->has_spoken;
		job_free(j);
		if (r == NULL)
			continue;
		r->served_by = NULL;
		if (was_unread)
			w->ev->on_return(w, r, w->arg);
		else if (why == ERR_TOO_BIG)
			request_fail(r, ERR_REPLY_TOO_BIG, "reply above limits.handler_message");
		else
			request_fail(r, ERR_WORKER_LOST, NULL);
	}
}

/* There is room for another; or, if it is retiring, the last job was done. */
static void
job_done(struct worker *w)
{
	if (w->state == WORKER_LEAVING)
		return;
	if (w->is_retiring && w->n_jobs == 0)
		worker_stop(w, w->conf->pool_stop_grace_ms);
	else
		w->ev->on_room(w, w->arg);
}

bool
worker_is_stuck(const struct worker *w)
{
	const struct job *j;

	if (w->state != WORKER_READY || worker_has_room(w))
		return false;
	LIST_FOREACH(j, &w->jobs, link)
		if (j->calls == NULL || calls_n_open(j->calls) == 0)
			return false;
	return true;
}

/* ---- what it is told ---- */

/* For usherd --dev: what a handler is asked. */
static RARE void
show_request(const struct worker *w, const struct request *r, const char *type, size_t type_len,
    const struct json_edit *edits, size_t n_edits)
{
	struct buf message = { 0 };

	json_splice_add(&message, r->env.text, &r->env.top, &envelope_names, edits, n_edits);
	w->env->show(POOL_ASKED, w->name, type, type_len, message.data, message.len,
	    w->env->show_arg);
	buf_free(&message);
}

/* Its line is made in the output, which spares a copy of a session in the clear. */
static void
send_request(struct worker *w, const struct request *r, uint64_t id)
{
	static const struct json_edit without[] = {
		{ .name = ENV_TOKEN },
		{ .name = ENV_USHER },
	};
	static const struct token_session nobody = {	/* a token that nobody verified tells nothing */
		.session = "{}", .session_len = 2,
		.secret = "[]", .secret_len = 2,
	};
	const struct token_session *session = &nobody;
	struct buf *out;
	const char *type;
	size_t type_len;

	type = envelope_raw(&r->env, &r->env.top, ENV_TYPE, &type_len);
	if (w->env->show != NULL)
		show_request(w, r, type, type_len, without, ARRAY_LEN(without));
	if (r->token != NULL)
		session = token_session_for(w->env->tokens, r->token, w->conf->name);
	out = handler_link_out(w->link, r->env.len + session->session_len + LINE_REST);
	handler_msg_encode_request(out, &(struct handler_request){
		.id = id,
		.application = w->conf->name,
		.type = type, .type_len = type_len,
		.message = r->env.text, .message_len = r->env.len,
		.object = &r->env.top, .edits = without, .n_edits = ARRAY_LEN(without),
		.session = session->session, .session_len = session->session_len,
		.secret = session->secret, .secret_len = session->secret_len,
		.deadline_ms = request_left_ms(r),
		.client_address = r->client_address,
		.client_socket = r->client_socket,
		.request = r->name,
		.trace = r->trace,
		.is_rest = r->is_rest,
	});
	handler_link_touch(w->link);
	w->unread_id = id;
}

void
worker_submit(struct worker *w, struct request *r)
{
	struct job *j = xcalloc(1, sizeof(*j));

	j->worker = w;
	j->request = r;
	j->id = ++w->last_id;
	LIST_INSERT_HEAD(&w->jobs, j, link);
	w->n_jobs++;
	w->idle_since_ms = 0;
	r->served_by = w;
	r->server = w->name;
	r->served_id = j->id;
	request_limit(r, w->conf->pool_deadline_ms);
	log_debug_of("pool", request_subject(r, w->name), "is its next");
	w->is_at_rest = false;
	worker_watch(w);
	send_request(w, r, j->id);
}

/* A job whose time is over.  Who serves one at a time leaves it by its own end alone. */
static void
give_up(struct job *j, const char *why)
{
	struct worker *w = j->worker;

	if (w->n_jobs_max == 1 && w->n_jobs == 1) {
		worker_kill(w, why);
		return;
	}
	log_warnx_for(w->name, "%s", why);
	job_free(j);
	job_done(w);
}

static void
on_cancelled_too_long(void *arg)
{
	struct job *j = arg;

	give_up(j, "a cancelled request was not ended within its deadline");
}

static void
tell_cancel(const struct job *j)
{
	struct buf line = { 0 };

	if (!j->worker->takes_cancel)
		return;
	handler_msg_encode_cancel(&line, j->id);
	worker_send_line(j->worker, &line);
}

void
worker_cancel(struct worker *w, struct request *r, enum err why)
{
	struct job *j = job_find(w, r->served_id);
	char text[128];

	j->request = NULL;
	r->served_by = NULL;
	calls_free(j->calls);
	j->calls = NULL;
	tell_cancel(j);
	if (why == ERR_TIMEOUT) {
		snprintf(text, sizeof(text), "request %s: %s", r->name, err_text(why));
		give_up(j, text);
		return;
	}
	loop_timer_set(w->env->loop, &j->deadline_timer, request_left_ms(r), on_cancelled_too_long,
	    j);
}

/* ---- what it says ---- */

static void
stray(struct worker *w)
{
	metrics_inc(loop_metrics(w->env->loop), METRIC_WORKER_STRAYS);
	log_debug_for("pool", w->name, "dropped a line about no open request");
}

static bool
is_too_big(const struct worker *w, const struct handler_msg *msg)
{
	return msg->message.end - msg->message.start + (msg->type.end - msg->type.start) >
	    w->env->reply_max;
}

static void
on_send(struct worker *w, const struct handler_msg *msg)
{
	struct job *j = job_find(w, msg->id);
	struct reply reply = {
		.is_local = true,
		.text = msg->text,
		.type = msg->type,
		.message = msg->message,
		.body = msg->message.kind == JSON_OBJECT ? &msg->body : NULL,
	};

	if (j != NULL)
		j->has_spoken = true;
	if (j == NULL || j->request == NULL)
		stray(w);
	else if (is_too_big(w, msg))
		log_warnx_of(request_subject(j->request, w->name),
		    "intermediate above limits.reply dropped");
	else
		request_reply(j->request, &reply);
}

/* A message built here in place of the handler's: null, or an array that gets an id beside it. */
static void
rebuild_message(struct reply *reply, struct json_object *body, struct buf *text)
{
	struct json_scan scan;

	if (reply->message.kind == JSON_ARRAY) {
		buf_add_str(text, "{\"results\":");
		buf_add(text, reply->text + reply->message.start,
		    reply->message.end - reply->message.start);
		buf_add_char(text, '}');
	} else {
		buf_add_str(text, "{}");
	}
	json_scan_init(&scan, text->data, text->len, UINT16_MAX);
	if (!json_scan_members(&scan, &reply->message, &envelope_names, body, -1, NULL))
		fatalx("own message does not scan");
	reply->text = text->data;
	reply->body = body;
}

static void
issue_token(const struct worker *w, const struct request *r, const struct handler_msg *msg,
    struct buf *token)
{
	bool has_session = msg->session.kind == JSON_OBJECT;
	bool has_secret = msg->secret.kind == JSON_ARRAY;

	token_issue(w->env->tokens, r->token, &(struct claims_update){
		.session = has_session ? msg->text + msg->session.start : NULL,
		.session_len = has_session ? msg->session.end - msg->session.start : 0,
		.secret = has_secret ? msg->text + msg->secret.start : NULL,
		.secret_len = has_secret ? msg->secret.end - msg->secret.start : 0,
		.lifetime_s = w->env->session_lifetime_s,
		.now_s = clock_wall_ms() / 1000,
	}, token);
}

/*
 * Will somebody show a token that comes with the final?  A nested call does not change the session,
 * and one whose secret was taken away ends with what it has.
 */
static bool
shows_token(const struct worker *w, const struct request *r)
{
	return r->token != NULL && r->origin != NULL && r->asked_for == NULL &&
	    jwt_ring_has(w->env->ring, r->token->key);
}

static void
finish_request(const struct worker *w, struct request *r, const struct handler_msg *msg)
{
	struct buf text = { 0 }, token = { 0 };
	struct json_object body;
	struct reply reply = {
		.is_final = true,
		.is_local = true,
		.text = msg->text,
		.message = msg->message,
		.body = msg->message.kind == JSON_OBJECT ? &msg->body : NULL,
	};
	enum json_kind kind = msg->message.kind;

	if (kind == JSON_NONE || kind == JSON_NULL ||
	    (kind == JSON_ARRAY && r->env.top.member[ENV_MS_REQUEST_ID].seen > 0))
		rebuild_message(&reply, &body, &text);
	if (reply.body != NULL)
		reply.is_error = json_is_truthy(reply.text, reply.body->member[ENV_ERROR].value);
	if (reply.body != NULL && !reply.is_error && shows_token(w, r)) {
		issue_token(w, r, msg, &token);
		reply.token = token.data;
		reply.token_len = token.len;
	}
	/* A longer one would be refused wherever it is shown. */
	if (token.len > JWT_MAX_BYTES)
		request_fail(r, ERR_HANDLER_ERROR, "the handler's session is too big for a token");
	else
		request_finish(r, &reply);
	buf_free(&text);
	buf_free(&token);
}

/*
 * The worker is done with a job: its request, for the caller to end, or NULL if it was
 * cancelled or is none of ours.
 */
static struct request *
take_request(struct worker *w, const struct handler_msg *msg, bool *is_job)
{
	struct job *j = job_find(w, msg->id);
	struct request *r;

	*is_job = j != NULL;
	if (j == NULL) {
		stray(w);
		return NULL;
	}
	r = j->request;
	if (r != NULL)
		r->served_by = NULL;
	job_free(j);
	w->n_finished++;
	return r;
}

static void
on_finish(struct worker *w, const struct handler_msg *msg)
{
	bool is_job;
	struct request *r = take_request(w, msg, &is_job);

	if (r != NULL && is_too_big(w, msg))
		request_fail(r, ERR_REPLY_TOO_BIG, NULL);
	else if (r != NULL)
		finish_request(w, r, msg);
	if (is_job)
		job_done(w);
}

/* The HTTP status a handler asked for, if it is one of an error. */
static int
status_of(const struct handler_msg *msg)
{
	uint64_t status;

	if (json_number_u64(msg->text, msg->status, &status) && status >= 400 && status <= 599)
		return (int)status;
	return err_http_status(ERR_HANDLER_ERROR);
}

/* Of an exception the first line; more of it is for the worker's stderr. */
static void
fail_request(const struct worker *w, struct request *r, const struct handler_msg *msg)
{
	struct buf error = { 0 };
	char *text;

	if (json_string_is(msg->text, msg->code, err_code(ERR_NO_HANDLER))) {
		text = request_no_handler_text(r, w->conf->name);
		request_fail(r, ERR_NO_HANDLER, text);
	} else {
		json_string_get(msg->text, msg->error, &error);
		if (error.len > ERROR_TEXT_MAX)
			error.len = ERROR_TEXT_MAX;
		text = buf_take(&error);
		text[strcspn(text, "\r\n")] = '\0';
		request_fail_status(r, ERR_HANDLER_ERROR, text[0] != '\0' ? text : NULL,
		    status_of(msg));
	}
	free(text);
}

static void
on_fail(struct worker *w, const struct handler_msg *msg)
{
	bool is_job;
	struct request *r = take_request(w, msg, &is_job);

	if (r != NULL)
		fail_request(w, r, msg);
	if (is_job)
		job_done(w);
}

static void
on_call(struct worker *w, const struct handler_msg *msg)
{
	struct job *j = job_find(w, msg->id);

	if (j == NULL || j->request == NULL) {
		stray(w);
		return;
	}
	j->has_spoken = true;
	if (j->calls == NULL)
		j->calls = calls_new(w->env, w->calls, &call_events, w);
	if (!calls_begin(j->calls, j->request, msg)) {
		log_warnx_for(w->name, "dropped a call: another open call has number %llu",
		    (unsigned long long)msg->call);
		return;
	}
	if (worker_is_stuck(w))
		w->ev->on_stuck(w, w->arg);
}

static void
on_call_reply(uint64_t number, bool is_final, const char *message, size_t len, void *arg)
{
	struct worker *w = arg;
	struct buf line = { 0 };

	handler_msg_encode_reply(&line, number, is_final, message, len);
	worker_send_line(w, &line);
}

static void
on_push(struct worker *w, const struct handler_msg *msg)
{
	struct push p = {
		.to = msg->to,
		.type = msg->text + msg->type.start,
		.type_len = msg->type.end - msg->type.start,
		.message = "{}",
		.message_len = 2,
	};

	if (msg->message.kind != JSON_NONE) {
		p.message = msg->text + msg->message.start;
		p.message_len = msg->message.end - msg->message.start;
	}
	w->env->push.push(&p, w->env->push.arg);
}

static void
on_log(struct worker *w, const struct handler_msg *msg)
{
	const struct job *j = job_find(w, msg->id);
	struct log_subject about = { .who = w->name };
	enum log_level level = LOG_LEVEL_INFO;
	struct buf name = { 0 }, text = { 0 };

	if (j != NULL && j->request != NULL)
		about = request_subject(j->request, w->name);
	if (json_string_get(msg->text, msg->level, &name))
		log_level_from_name(buf_str(&name), &level);
	json_string_get(msg->text, msg->log_text, &text);
	if (level != LOG_LEVEL_DEBUG || log_shows_area("pool"))
		log_about(level, NULL, about, 0, "%s", buf_str(&text));
	buf_free(&name);
	buf_free(&text);
}

static void
on_unknown(struct worker *w, const struct handler_msg *msg)
{
	struct buf name = { 0 };

	json_string_get(msg->text, msg->op_name, &name);
	log_warnx_for(w->name, "unknown op \"%s\" ignored", buf_str(&name));
	buf_free(&name);
}

static void (*const on_op[HANDLER_OPS])(struct worker *, const struct handler_msg *) = {
	[HANDLER_UNKNOWN] = on_unknown,
	[HANDLER_READY] = worker_on_ready,
	[HANDLER_UNREADY] = worker_on_unready,
	[HANDLER_SEND] = on_send,
	[HANDLER_FINISH] = on_finish,
	[HANDLER_FAIL] = on_fail,
	[HANDLER_LOG] = on_log,
	[HANDLER_CALL] = on_call,
	[HANDLER_PUSH] = on_push,
	[HANDLER_PONG] = worker_on_pong,
};

/* For usherd --dev: what a handler says about its requests. */
static void
show(const struct worker *w, const struct handler_msg *msg)
{
	struct json_value v = msg->op == HANDLER_FAIL ? msg->error : msg->message;

	if (v.kind != JSON_NONE)
		w->env->show(POOL_ANSWERED, w->name, msg->text + msg->op_name.start,
		    msg->op_name.end - msg->op_name.start, msg->text + v.start, v.end - v.start,
		    w->env->show_arg);
}

void
worker_on_msg(const struct handler_msg *msg, void *arg)
{
	const struct worker *w = arg;

	if (w->env->show != NULL)
		show(w, msg);
	on_op[msg->op](arg, msg);
}
