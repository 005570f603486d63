/* SPDX-License-Identifier: ISC */
/*
 * The life of a worker process, and what it says.
 *
 * States: starting -> ready <-> unready, until it is leaving (told to stop, or
 * killed) and its process is reaped.  Replies are tied to a job by its id, never to
 * the worker alone, so a stray line can reach nobody else.
 */
#include "worker/worker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/strmap.h"
#include "base/xmalloc.h"
#include "codec/handler_msg.h"
#include "codec/json_splice.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "request/request.h"
#include "token/claims.h"
#include "worker/call.h"
#include "worker/handler_link.h"
#include "worker/proc.h"

#define LIVED_MS      1000	/* a worker ready for so long was of use */
#define ERROR_TEXT_MAX 4096	/* of what a failing handler says to its client */
#define KILL_AFTER_MS 1000	/* between SIGTERM and SIGKILL of a worker that hangs */

enum worker_state { WORKER_STARTING, WORKER_READY, WORKER_UNREADY, WORKER_LEAVING };

static const char *const state_name[] = {
	[WORKER_STARTING] = "starting",
	[WORKER_READY] = "ready",
	[WORKER_UNREADY] = "unready",
	[WORKER_LEAVING] = "leaving",
};

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

struct worker {
	const struct pool_env *env;
	const struct conf_application *conf;
	const struct worker_events *ev;
	void *arg;
	char name[96];			/* "test-app#1" */
	unsigned number;
	enum worker_state state;
	bool is_retiring;		/* ends when its jobs are done */
	bool was_asked;			/* to stop */
	struct proc *proc;
	struct handler_link *link;	/* NULL: closed */
	LIST_HEAD(, job) jobs;
	unsigned n_jobs, n_jobs_max;
	struct strmap *calls;		/* by number: all that its jobs have open */
	uint64_t last_id;
	uint64_t unread_id;		/* the job whose request is our last line; 0: another line is */
	bool takes_cancel;
	uint64_t ready_ms;		/* since when; 0: never was */
	uint64_t idle_since_ms;		/* 0: it has jobs */
	uint64_t n_finished;
	struct timer timer;		/* starting, or leaving: what comes next if it takes too long */
	int next_signal;		/* leaving: SIGTERM or SIGKILL */
	struct timer ping_timer;	/* with concurrency: the next ping, or its pong, is due */
	bool is_pinged;			/* its pong has not come */
};

static void on_msg(const struct handler_msg *, void *);
static void on_link_close(enum err, const char *, void *);
static void on_exit_of(struct proc *, const char *, void *);
static void on_call_reply(uint64_t, bool, const char *, size_t, void *);

static const struct handler_link_events link_events = {
	.on_msg = on_msg,
	.on_close = on_link_close,
};

static const struct call_events call_events = {
	.on_reply = on_call_reply,
};

/* The only place that assigns worker->state. */
static void
set_state(struct worker *w, enum worker_state next)
{
	log_debug_for("pool", w->name, "%s -> %s", state_name[w->state], state_name[next]);
	w->state = next;
}

static void
show_life(const struct worker *w, enum pool_sight what)
{
	if (w->env->show != NULL)
		w->env->show(what, w->name, "", 0, "", 0, w->env->show_arg);
}

static void
send_line(struct worker *w, struct buf *line)
{
	w->unread_id = 0;
	if (w->link != NULL)
		handler_link_send(w->link, line);
	buf_free(line);
}

/* ---- starting ---- */

static void
on_start_timeout(void *arg)
{
	worker_kill(arg, "not ready within pool.start_timeout");
}

static void
say_hello(struct worker *w)
{
	struct handler_hello hello = {
		.node = w->env->node,
		.application = w->conf->name,
		.worker = w->number,
	};
	struct buf line = { 0 };

	if (w->conf->qewd) {
		hello.secret = w->env->secret;
		hello.secret_len = w->env->secret_len;
		hello.lifetime_s = w->env->session_lifetime_s;
		hello.settings = w->conf->settings;
	}
	handler_msg_encode_hello(&line, &hello);
	handler_link_send(w->link, &line);
	jwt_wipe(&line);
}

struct worker *
worker_start(const struct pool_env *env, const struct conf_application *conf, char *const *envp,
    unsigned number, const struct worker_events *ev, void *arg)
{
	struct worker *w = xcalloc(1, sizeof(*w));
	struct proc_spec spec = {
		.name = w->name,
		.argv = conf->command,
		.directory = conf->directory,
		.envp = envp,
	};
	int fd;

	w->env = env;
	w->conf = conf;
	w->ev = ev;
	w->arg = arg;
	w->number = number;
	w->n_jobs_max = 1;
	LIST_INIT(&w->jobs);
	w->calls = strmap_new();
	snprintf(w->name, sizeof(w->name), "%s#%u", conf->name, number);
	w->proc = proc_start(env->procs, &spec, on_exit_of, w, &fd);
	if (w->proc == NULL) {
		log_errorx_for(w->name, "cannot start %s: %s", conf->command[0], strerror(fd));
		strmap_free(w->calls, NULL);
		free(w);
		return NULL;
	}
	log_debug_for("pool", w->name, "started as process %d", proc_pid(w->proc));
	show_life(w, POOL_STARTED);
	w->link = handler_link_new(env->loop, fd, env->line_max, env->depth_max, &link_events, w);
	say_hello(w);
	loop_timer_set(env->loop, &w->timer, conf->pool_start_timeout_ms, on_start_timeout, w);
	return w;
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
worker_free(struct worker *w)
{
	loop_timer_stop(w->env->loop, &w->timer);
	loop_timer_stop(w->env->loop, &w->ping_timer);
	while (!LIST_EMPTY(&w->jobs))
		job_free(LIST_FIRST(&w->jobs));
	strmap_free(w->calls, NULL);
	free(w);
}

void
worker_set_conf(struct worker *w, const struct conf_application *conf)
{
	w->conf = conf;
}

/* ---- questions ---- */

bool
worker_is_starting(const struct worker *w)
{
	return w->state == WORKER_STARTING;
}

bool
worker_is_ready(const struct worker *w)
{
	return w->state == WORKER_READY;
}

bool
worker_is_leaving(const struct worker *w)
{
	return w->state == WORKER_LEAVING;
}

bool
worker_is_retiring(const struct worker *w)
{
	return w->is_retiring;
}

bool
worker_was_asked(const struct worker *w)
{
	return w->was_asked;
}

const char *
worker_state_name(const struct worker *w)
{
	return state_name[w->state];
}

int
worker_pid(const struct worker *w)
{
	return w->proc != NULL ? proc_pid(w->proc) : 0;
}

bool
worker_has_room(const struct worker *w)
{
	return w->state == WORKER_READY && !w->is_retiring && w->n_jobs < w->n_jobs_max;
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

unsigned
worker_n_jobs(const struct worker *w)
{
	return w->n_jobs;
}

uint64_t
worker_n_finished(const struct worker *w)
{
	return w->n_finished;
}

uint64_t
worker_idle_ms(const struct worker *w)
{
	return w->idle_since_ms == 0 ? 0 : clock_mono_ms() - w->idle_since_ms + 1;
}

uint64_t
worker_memory(const struct worker *w)
{
	unsigned long long total, resident = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/statm", proc_pid(w->proc));
	if ((f = fopen(path, "re")) == NULL)
		return 0;
	if (fscanf(f, "%llu %llu", &total, &resident) != 2)
		resident = 0;
	fclose(f);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

bool
worker_was_of_use(const struct worker *w)
{
	return w->n_finished > 0 ||
	    (w->ready_ms != 0 && clock_mono_ms() - w->ready_ms >= LIVED_MS);
}

const char *
worker_name(const struct worker *w)
{
	return w->name;
}

unsigned
worker_number(const struct worker *w)
{
	return w->number;
}

/* ---- ending ---- */

static void
on_leaving_too_long(void *arg)
{
	struct worker *w = arg;

	log_debug_for("pool", w->name, "signal %d", w->next_signal);
	proc_signal(w->proc, w->next_signal);
	if (w->next_signal == SIGTERM) {
		w->next_signal = SIGKILL;
		loop_timer_set(w->env->loop, &w->timer, KILL_AFTER_MS, on_leaving_too_long, w);
	}
}

static void
leave(struct worker *w, uint64_t grace_ms)
{
	loop_timer_stop(w->env->loop, &w->ping_timer);
	set_state(w, WORKER_LEAVING);
	w->next_signal = SIGTERM;
	loop_timer_set(w->env->loop, &w->timer, grace_ms, on_leaving_too_long, w);
}

void
worker_stop(struct worker *w, uint64_t grace_ms)
{
	struct buf line = { 0 };

	if (w->state == WORKER_LEAVING)
		return;
	handler_msg_encode_stop(&line);
	send_line(w, &line);
	w->was_asked = true;
	leave(w, grace_ms);
}

void
worker_retire(struct worker *w)
{
	w->is_retiring = true;
	if (w->n_jobs == 0)
		worker_stop(w, w->conf->pool_stop_grace_ms);
}

void
worker_kill(struct worker *w, const char *why)
{
	if (w->state == WORKER_LEAVING && w->next_signal == SIGKILL)
		return;
	log_warnx_for(w->name, "%s; it is stopped", why);
	leave(w, 0);
	if (w->link != NULL)
		handler_link_close(w->link, ERR_WORKER_LOST);
}

/*
 * Its stream has ended: nothing more can come from it.  A reset says that it left bytes
 * of ours unread: the last line, and so the last request, never reached a handler.
 */
static void
on_link_close(enum err why, const char *detail, void *arg)
{
	bool was_unread, is_its_fault = why == ERR_BAD_LINE || why == ERR_TOO_BIG;
	struct worker *w = arg;
	struct request *r;
	struct job *j;

	w->link = NULL;
	/* Most likely it is exiting; if not, it has a moment. */
	if (w->state != WORKER_LEAVING && is_its_fault)
		worker_kill(w, detail);
	else if (w->state != WORKER_LEAVING)
		leave(w, KILL_AFTER_MS);
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

static void
on_exit_of(struct proc *proc UNUSED, const char *how, void *arg)
{
	struct worker *w = arg;

	/* It takes no more work, but a final reply may still be in the socket. */
	if (w->state != WORKER_LEAVING)
		set_state(w, WORKER_LEAVING);
	if (w->link != NULL)
		handler_link_read_rest(w->link);
	if (w->was_asked) {
		log_debug_for("pool", w->name, "process %d %s", proc_pid(w->proc), how);
	} else {
		log_warnx_for(w->name, "process %d %s", proc_pid(w->proc), how);
		metrics_inc(loop_metrics(w->env->loop), METRIC_WORKERS_LOST);
	}
	if (w->link != NULL)
		handler_link_close(w->link, ERR_WORKER_LOST);
	w->proc = NULL;
	show_life(w, POOL_GONE);
	w->ev->on_gone(w, w->arg);
	worker_free(w);
}

/* ---- pings: does a worker with several requests at a time still run? ---- */

static void
on_ping_due(void *arg)
{
	struct worker *w = arg;
	struct buf line = { 0 };

	if (w->is_pinged) {
		worker_kill(w, "no answer to a ping within pool.hang");
		return;
	}
	w->is_pinged = true;
	handler_msg_encode_ping(&line);
	send_line(w, &line);
	loop_timer_set(w->env->loop, &w->ping_timer, w->conf->pool_hang_ms, on_ping_due, w);
}

static void
on_pong(struct worker *w, const struct handler_msg *msg UNUSED)
{
	w->is_pinged = false;
}

/* ---- requests ---- */

static void
encode_request(const struct worker *w, const struct request *r, uint64_t id, struct buf *line)
{
	static const struct json_edit without[] = {
		{ .name = ENV_TOKEN },
		{ .name = ENV_USHER },
	};
	struct buf message = { 0 }, session = { 0 }, secret = { 0 };
	const char *type;
	size_t type_len;

	type = envelope_raw(&r->env, &r->env.top, ENV_TYPE, &type_len);
	json_splice_add(&message, r->env.text, &r->env.top, &envelope_names, without,
	    ARRAY_LEN(without));
	if (w->env->show != NULL)
		w->env->show(POOL_ASKED, w->name, type, type_len, message.data, message.len,
		    w->env->show_arg);
	if (r->token != NULL) {
		claims_session(w->env->ring, r->token, w->conf->name, &session, &secret);
	} else {	/* a token that nobody verified tells nothing */
		buf_add_str(&session, "{}");
		buf_add_str(&secret, "[]");
	}
	handler_msg_encode_request(line, &(struct handler_request){
		.id = id,
		.application = w->conf->name,
		.type = type, .type_len = type_len,
		.message = message.data, .message_len = message.len,
		.session = session.data, .session_len = session.len,
		.secret = secret.data, .secret_len = secret.len,
		.deadline_ms = request_left_ms(r),
		.client_address = r->client_address,
		.client_socket = r->client_socket,
		.request = r->name,
		.trace = r->trace,
		.is_rest = r->is_rest,
	});
	buf_free(&message);
	jwt_wipe(&session);	/* decrypted */
	buf_free(&secret);
}

void
worker_submit(struct worker *w, struct request *r)
{
	struct job *j = xcalloc(1, sizeof(*j));
	struct buf line = { 0 };

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
	encode_request(w, r, j->id, &line);
	handler_link_send(w->link, &line);
	w->unread_id = j->id;
	jwt_wipe(&line);
}

static struct job *
job_find(const struct worker *w, uint64_t id)
{
	struct job *j;

	LIST_FOREACH(j, &w->jobs, link)
		if (j->id == id)
			return j;
	return NULL;
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
	send_line(j->worker, &line);
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

/* ---- what a worker says ---- */

static void
on_ready(struct worker *w, const struct handler_msg *msg)
{
	bool is_first = w->ready_ms == 0;

	if (w->state != WORKER_STARTING && w->state != WORKER_UNREADY)
		return;
	loop_timer_stop(w->env->loop, &w->timer);
	w->takes_cancel = msg->takes_cancel;
	w->n_jobs_max = w->conf->pool_concurrency;
	if (msg->concurrency < w->n_jobs_max)
		w->n_jobs_max = (unsigned)msg->concurrency;
	set_state(w, WORKER_READY);
	if (is_first) {
		w->ready_ms = w->idle_since_ms = clock_mono_ms();
		log_info_for(w->name, "ready (process %d)", proc_pid(w->proc));
		show_life(w, POOL_READY);
	}
	if (w->n_jobs_max > 1 && !timer_is_set(&w->ping_timer))
		loop_timer_set(w->env->loop, &w->ping_timer, w->conf->pool_hang_ms, on_ping_due, w);
	w->ev->on_ready(w, msg, w->arg);
	if (worker_has_room(w))
		w->ev->on_room(w, w->arg);
}

static void
on_unready(struct worker *w, const struct handler_msg *msg)
{
	struct buf reason = { 0 };

	json_string_get(msg->text, msg->reason, &reason);
	log_info_for(w->name, "takes no work: %s",
	    reason.len > 0 ? buf_str(&reason) : "no reason given");
	buf_free(&reason);
	if (w->state == WORKER_READY)
		set_state(w, WORKER_UNREADY);
}

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

	claims_issue(w->env->ring, r->token, &(struct claims_update){
		.session = has_session ? msg->text + msg->session.start : NULL,
		.session_len = has_session ? msg->session.end - msg->session.start : 0,
		.secret = has_secret ? msg->text + msg->secret.start : NULL,
		.secret_len = has_secret ? msg->secret.end - msg->secret.start : 0,
		.lifetime_s = w->env->session_lifetime_s,
		.now_s = clock_wall_ms() / 1000,
	}, token);
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
	/* A session whose secret was taken away ends with what it has. */
	if (reply.body != NULL && !reply.is_error && r->token != NULL &&
	    jwt_ring_has(w->env->ring, r->token->key)) {
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
	send_line(w, &line);
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
	[HANDLER_READY] = on_ready,
	[HANDLER_UNREADY] = on_unready,
	[HANDLER_SEND] = on_send,
	[HANDLER_FINISH] = on_finish,
	[HANDLER_FAIL] = on_fail,
	[HANDLER_LOG] = on_log,
	[HANDLER_CALL] = on_call,
	[HANDLER_PUSH] = on_push,
	[HANDLER_PONG] = on_pong,
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

static void
on_msg(const struct handler_msg *msg, void *arg)
{
	const struct worker *w = arg;

	if (w->env->show != NULL)
		show(w, msg);
	on_op[msg->op](arg, msg);
}
