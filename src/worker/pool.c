/* SPDX-License-Identifier: ISC */
/*
 * The life of workers and of the requests they serve.
 *
 * A worker is a slot of the pool: starting -> idle <-> busy, also unready, until it is
 * leaving (told to stop, or killed) and its process is reaped.  Replies are
 * tied to the request by its id, never to the worker alone, so a stray line can reach
 * nobody else.
 */
#include "worker/pool.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "codec/handler_msg.h"
#include "codec/json_splice.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "request/request.h"
#include "token/claims.h"
#include "worker/handler_link.h"
#include "worker/proc.h"

#define RETRY_FIRST_MS	100
#define RETRY_LAST_MS	10000
#define LIVED_MS	1000	/* a worker ready for so long is replaced at once */
#define KILL_AFTER_MS	1000	/* between SIGTERM and SIGKILL of a worker that hangs */

enum worker_state {
	WORKER_STARTING,
	WORKER_IDLE,
	WORKER_BUSY,
	WORKER_UNREADY,
	WORKER_LEAVING,
};

static const char *const state_name[] = {
	[WORKER_STARTING] = "starting",
	[WORKER_IDLE] = "idle",
	[WORKER_BUSY] = "busy",
	[WORKER_UNREADY] = "unready",
	[WORKER_LEAVING] = "leaving",
};

struct worker {
	struct pool *pool;
	unsigned number;		/* from 1, never used again */
	char name[96];
	enum worker_state state;
	struct proc *proc;
	struct handler_link *link;	/* NULL: closed */
	struct request *request;	/* being served; NULL: none */
	bool wants_rest;		/* said unready while busy */
	uint64_t ready_ms;		/* since when; 0: never was */
	uint64_t n_finished;
	struct timer timer;		/* starting, or leaving: what comes next if it takes too long */
	int next_signal;		/* leaving: SIGTERM or SIGKILL */
};

struct pool {
	struct destination destination;	/* first */
	const struct pool_env *env;
	const struct conf_application *conf;
	char **envp;
	struct worker **slot;		/* conf->pool_size; NULL: not running */
	unsigned last_number;
	uint64_t last_id;		/* of requests handed over */
	struct request_queue queue;
	uint64_t retry_ms;		/* 0: start at once */
	struct timer retry_timer;
	bool is_stopping;
	void (*on_stopped)(void *);
	void *on_stopped_arg;
};

static void submit(struct destination *, struct request *);
static void cancel(struct destination *, struct request *, enum err);
static void on_msg(const struct handler_msg *, void *);
static void on_link_close(enum err, const char *, void *);
static void on_exit_of(struct proc *, const char *, void *);
static void start_workers(struct pool *);
static void next_work(struct worker *);

static const struct destination_ops ops = {
	.submit = submit,
	.cancel = cancel,
};

static const struct handler_link_events link_events = {
	.on_msg = on_msg,
	.on_close = on_link_close,
};

/* The only place that assigns worker->state. */
static void
set_state(struct worker *w, enum worker_state next)
{
	log_debug_for("pool", w->name, "%s -> %s", state_name[w->state], state_name[next]);
	w->state = next;
}

/* ---- making and ending a pool ---- */

static void
envp_add(char ***envp, size_t *n, char *entry)
{
	*envp = xreallocarray(*envp, *n + 2, sizeof(char *));
	(*envp)[(*n)++] = entry;
	(*envp)[*n] = NULL;
}

static void
envp_pass(char ***envp, size_t *n, const char *name)
{
	const char *value = getenv(name);

	/* Our own variables may hold secrets: USHER_FD is the only one a worker gets. */
	if (value != NULL && strncmp(name, "USHER_", 6) != 0)
		envp_add(envp, n, xasprintf("%s=%s", name, value));
}

static char **
envp_new(const struct conf_application *conf)
{
	static const char *const always[] = { "PATH", "HOME", "LANG", "TZ" };
	char **envp = NULL;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		envp_pass(&envp, &n, always[i]);
	for (char **name = conf->pass_environment; name != NULL && *name != NULL; name++)
		envp_pass(&envp, &n, *name);
	for (char **e = conf->environment; e != NULL && *e != NULL; e++)
		envp_add(&envp, &n, xstrdup(*e));
	envp_add(&envp, &n, xstrdup("USHER_FD=3"));
	return envp;
}

struct pool *
pool_new(const struct pool_env *env, const struct conf_application *conf)
{
	struct pool *p = xcalloc(1, sizeof(*p));

	p->destination.ops = &ops;
	p->destination.name = conf->name;
	p->destination.application = conf->name;
	p->env = env;
	p->conf = conf;
	p->envp = envp_new(conf);
	p->slot = xcalloc(conf->pool_size, sizeof(struct worker *));
	request_queue_init(&p->queue, conf->pool_queue, CONF_NO_LIMIT);
	return p;
}

struct destination *
pool_destination(struct pool *p)
{
	return &p->destination;
}

static bool
has_workers(const struct pool *p)
{
	for (unsigned i = 0; i < p->conf->pool_size; i++)
		if (p->slot[i] != NULL)
			return true;
	return false;
}

static void
worker_free(struct worker *w)
{
	loop_timer_stop(w->pool->env->loop, &w->timer);
	free(w);
}

void
pool_free(struct pool *p)
{
	if (p == NULL)
		return;
	loop_timer_stop(p->env->loop, &p->retry_timer);
	for (unsigned i = 0; i < p->conf->pool_size; i++)
		if (p->slot[i] != NULL)
			worker_free(p->slot[i]);
	for (char **e = p->envp; *e != NULL; e++)
		free(*e);
	free(p->envp);
	free(p->slot);
	free(p);
}

/* ---- starting and ending workers ---- */

static void
on_leaving_too_long(void *arg)
{
	struct worker *w = arg;

	log_debug_for("pool", w->name, "signal %d", w->next_signal);
	proc_signal(w->proc, w->next_signal);
	if (w->next_signal == SIGTERM) {
		w->next_signal = SIGKILL;
		loop_timer_set(w->pool->env->loop, &w->timer, KILL_AFTER_MS, on_leaving_too_long, w);
	}
}

/* Ask it to go: when it is done with its work, or within the grace. */
static void
worker_stop(struct worker *w)
{
	struct buf line = { 0 };

	handler_msg_encode_stop(&line);
	if (w->link != NULL)
		handler_link_send(w->link, &line);
	buf_free(&line);
	set_state(w, WORKER_LEAVING);
	w->next_signal = SIGTERM;
	loop_timer_set(w->pool->env->loop, &w->timer, w->pool->conf->pool_stop_grace_ms,
	    on_leaving_too_long, w);
}

/* Make it go. */
static void
worker_kill(struct worker *w, const char *why)
{
	if (w->state == WORKER_LEAVING && w->next_signal == SIGKILL)
		return;
	log_warnx_for(w->name, "%s; it is stopped", why);
	if (w->link != NULL)
		handler_link_close(w->link, ERR_WORKER_LOST);
	set_state(w, WORKER_LEAVING);
	w->next_signal = SIGTERM;
	on_leaving_too_long(w);
}

static void
on_start_timeout(void *arg)
{
	worker_kill(arg, "not ready within pool.start_timeout");
}

static void
worker_start(struct pool *p, struct worker **slot)
{
	struct worker *w = xcalloc(1, sizeof(*w));
	struct buf hello = { 0 };
	struct proc_spec spec = {
		.name = w->name,
		.argv = p->conf->command,
		.directory = p->conf->directory,
		.envp = p->envp,
	};
	int fd;

	w->pool = p;
	w->number = ++p->last_number;
	snprintf(w->name, sizeof(w->name), "%s#%u", p->conf->name, w->number);
	w->proc = proc_start(p->env->procs, &spec, on_exit_of, w, &fd);
	if (w->proc == NULL) {
		log_errorx_for(w->name, "cannot start %s: %s", p->conf->command[0], strerror(fd));
		free(w);
		return;
	}
	*slot = w;
	log_debug_for("pool", w->name, "started as process %d", proc_pid(w->proc));
	w->link = handler_link_new(p->env->loop, fd, p->env->line_max, p->env->depth_max,
	    &link_events, w);
	handler_msg_encode_hello(&hello, p->env->node, p->conf->name, w->number);
	handler_link_send(w->link, &hello);
	buf_free(&hello);
	loop_timer_set(p->env->loop, &w->timer, p->conf->pool_start_timeout_ms, on_start_timeout, w);
}

static void
on_retry(void *arg)
{
	struct pool *p = arg;

	start_workers(p);
}

static void
retry_later(struct pool *p)
{
	p->retry_ms = p->retry_ms == 0 ? RETRY_FIRST_MS : 2 * p->retry_ms;
	if (p->retry_ms > RETRY_LAST_MS)
		p->retry_ms = RETRY_LAST_MS;
	if (p->queue.n > 0)
		log_warnx("application %s: next attempt to start a worker in %llu ms",
		    p->conf->name, (unsigned long long)p->retry_ms);
	loop_timer_set(p->env->loop, &p->retry_timer, p->retry_ms, on_retry, p);
}

/* As many as there are requests that nobody is about to take. */
static void
start_workers(struct pool *p)
{
	uint64_t about_to_take = 0;

	if (p->is_stopping || timer_is_set(&p->retry_timer))
		return;
	for (unsigned i = 0; i < p->conf->pool_size; i++)
		if (p->slot[i] != NULL && p->slot[i]->state == WORKER_STARTING)
			about_to_take++;
	for (unsigned i = 0; i < p->conf->pool_size && about_to_take < p->queue.n; i++) {
		if (p->slot[i] != NULL)
			continue;
		worker_start(p, &p->slot[i]);
		if (p->slot[i] == NULL) {
			retry_later(p);
			return;
		}
		about_to_take++;
	}
}

/* Its stream has ended: nothing more can come from it. */
static void
on_link_close(enum err why, const char *detail, void *arg)
{
	struct worker *w = arg;
	struct request *r = w->request;
	char text[160];

	w->link = NULL;
	w->request = NULL;
	if (r != NULL) {
		r->served_by = NULL;
		request_fail(r, why == ERR_TOO_BIG ? ERR_REPLY_TOO_BIG : ERR_WORKER_LOST, NULL);
	}
	if (w->state == WORKER_LEAVING)
		return;
	snprintf(text, sizeof(text), "%s", detail != NULL ? detail : "closed its descriptor 3");
	if (why == ERR_BAD_LINE || why == ERR_TOO_BIG) {
		worker_kill(w, text);
		return;
	}
	/* Most likely it is exiting; if not, it has a moment. */
	set_state(w, WORKER_LEAVING);
	w->next_signal = SIGTERM;
	loop_timer_set(w->pool->env->loop, &w->timer, KILL_AFTER_MS, on_leaving_too_long, w);
}

static bool
deserves_retry_at_once(const struct worker *w)
{
	return w->n_finished > 0 ||
	    (w->ready_ms != 0 && clock_mono_ms() - w->ready_ms >= LIVED_MS);
}

static void
on_exit_of(struct proc *proc UNUSED, const char *how, void *arg)
{
	struct worker *w = arg;
	struct pool *p = w->pool;
	bool was_asked = p->is_stopping;

	/* A final reply may still be in the socket. */
	if (w->link != NULL)
		handler_link_read_rest(w->link);
	if (!was_asked) {
		log_warnx_for(w->name, "process %d %s", proc_pid(w->proc), how);
		metrics_inc(loop_metrics(p->env->loop), METRIC_WORKERS_LOST);
	}
	if (w->link != NULL)
		handler_link_close(w->link, ERR_WORKER_LOST);
	for (unsigned i = 0; i < p->conf->pool_size; i++)
		if (p->slot[i] == w)
			p->slot[i] = NULL;
	if (!was_asked && !deserves_retry_at_once(w))
		retry_later(p);
	worker_free(w);
	if (p->is_stopping) {
		if (!has_workers(p) && p->on_stopped != NULL)
			p->on_stopped(p->on_stopped_arg);
		return;
	}
	start_workers(p);
}

void
pool_stop(struct pool *p, bool is_quick, void (*on_stopped)(void *), void *arg)
{
	struct request *r;
	struct worker *w;

	p->is_stopping = true;
	p->on_stopped = on_stopped;
	p->on_stopped_arg = arg;
	loop_timer_stop(p->env->loop, &p->retry_timer);
	while ((r = request_queue_first(&p->queue)) != NULL) {
		request_queue_remove(&p->queue, r);
		request_fail(r, ERR_STOPPING, NULL);
	}
	for (unsigned i = 0; i < p->conf->pool_size; i++) {
		if ((w = p->slot[i]) == NULL || w->state == WORKER_LEAVING)
			continue;
		if (is_quick && w->state == WORKER_BUSY)
			worker_kill(w, "the node stops while it is at work");
		else
			worker_stop(w);
	}
	if (!has_workers(p))
		on_stopped(arg);
}

/* ---- handing requests over ---- */

static void
encode_request(struct worker *w, struct request *r, struct buf *line)
{
	static const struct json_edit without[] = {
		{ .name = ENV_TOKEN },
		{ .name = ENV_USHER },
	};
	struct pool *p = w->pool;
	struct buf message = { 0 }, session = { 0 }, secret = { 0 };
	const char *type;
	size_t type_len;

	type = envelope_raw(&r->env, &r->env.top, ENV_TYPE, &type_len);
	json_splice_add(&message, r->env.text, &r->env.top, &envelope_names, without,
	    ARRAY_LEN(without));
	claims_session(p->env->ring, r->token, p->conf->name, &session, &secret);
	handler_msg_encode_request(line, &(struct handler_request){
		.id = r->served_id,
		.application = p->conf->name,
		.type = type, .type_len = type_len,
		.message = message.data, .message_len = message.len,
		.session = session.data, .session_len = session.len,
		.secret = secret.data, .secret_len = secret.len,
		.deadline_ms = request_left_ms(r),
		.client_address = r->client_address,
		.client_socket = r->client_socket,
		.request = r->name,
		.trace = r->trace,
	});
	buf_free(&message);
	jwt_wipe(&session);	/* decrypted */
	buf_free(&secret);
}

static void
hand_over(struct worker *w, struct request *r)
{
	struct buf line = { 0 };

	w->request = r;
	r->served_by = w;
	r->served_id = ++w->pool->last_id;
	request_limit(r, w->pool->conf->pool_deadline_ms);
	set_state(w, WORKER_BUSY);
	log_debug_for("pool", w->name, "request %s", r->name);
	encode_request(w, r, &line);
	handler_link_send(w->link, &line);
	jwt_wipe(&line);
}

/* Slots whose worker will take a request as soon as it has started: those do not queue. */
static unsigned
n_startable(const struct pool *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->conf->pool_size; i++)
		n += p->slot[i] == NULL || p->slot[i]->state == WORKER_STARTING;
	return n;
}

static void
submit(struct destination *d, struct request *r)
{
	struct pool *p = (struct pool *)d;

	if (p->is_stopping) {
		request_fail(r, ERR_STOPPING, NULL);
		return;
	}
	for (unsigned i = 0; i < p->conf->pool_size; i++) {
		if (p->slot[i] != NULL && p->slot[i]->state == WORKER_IDLE) {
			hand_over(p->slot[i], r);
			return;
		}
	}
	p->queue.n_max = p->conf->pool_queue + n_startable(p);
	if (!request_queue_add(&p->queue, r)) {
		request_fail(r, ERR_OVERLOADED, "queue of the application is full (pool.queue)");
		return;
	}
	start_workers(p);
}

static void
cancel(struct destination *d, struct request *r, enum err why)
{
	struct pool *p = (struct pool *)d;
	struct worker *w = r->served_by;
	char text[128];

	if (w == NULL) {
		request_queue_remove(&p->queue, r);
		return;
	}
	w->request = NULL;
	r->served_by = NULL;
	snprintf(text, sizeof(text), "request %s: %s", r->name, err_text(why));
	worker_kill(w, text);
}

/* The worker is free: for the next in the queue, or until one comes. */
static void
next_work(struct worker *w)
{
	struct request *r = request_queue_first(&w->pool->queue);

	if (w->state == WORKER_LEAVING)
		return;
	if (w->wants_rest) {
		set_state(w, WORKER_UNREADY);
		return;
	}
	set_state(w, WORKER_IDLE);
	if (r != NULL) {
		request_queue_remove(&w->pool->queue, r);
		hand_over(w, r);
	}
}

/* ---- what a worker says ---- */

static void
on_ready(struct worker *w, const struct handler_msg *msg UNUSED)
{
	w->wants_rest = false;
	if (w->ready_ms == 0) {
		w->ready_ms = clock_mono_ms();
		log_info_for(w->name, "ready (process %d)", proc_pid(w->proc));
	}
	if (w->state != WORKER_STARTING && w->state != WORKER_UNREADY)
		return;
	loop_timer_stop(w->pool->env->loop, &w->timer);
	next_work(w);
}

static void
on_unready(struct worker *w, const struct handler_msg *msg)
{
	struct buf reason = { 0 };

	json_string_get(msg->text, msg->reason, &reason);
	log_info_for(w->name, "takes no work: %s", reason.len > 0 ? buf_str(&reason) : "no reason given");
	buf_free(&reason);
	w->wants_rest = true;
	if (w->state == WORKER_IDLE)
		set_state(w, WORKER_UNREADY);
}

/* The open request that a line is about, NULL if there is none. */
static struct request *
request_of(struct worker *w, const struct handler_msg *msg)
{
	if (w->request != NULL && w->request->served_id == msg->id)
		return w->request;
	metrics_inc(loop_metrics(w->pool->env->loop), METRIC_WORKER_STRAYS);
	log_debug_for("pool", w->name, "dropped a reply to no open request");
	return NULL;
}

static bool
is_too_big(const struct worker *w, const struct handler_msg *msg)
{
	return msg->message.end - msg->message.start > w->pool->env->reply_max;
}

static void
on_send(struct worker *w, const struct handler_msg *msg)
{
	struct request *r = request_of(w, msg);
	struct reply reply = {
		.is_local = true,
		.text = msg->text,
		.type = msg->type,
		.message = msg->message,
		.body = msg->message.kind == JSON_OBJECT ? &msg->body : NULL,
	};

	if (r == NULL)
		return;
	if (is_too_big(w, msg))
		log_warnx_for(w->name, "request %s: intermediate above limits.reply dropped", r->name);
	else
		request_reply(r, &reply);
}

/* The worker is done with its request, which the caller ends. */
static struct request *
release_request(struct worker *w)
{
	struct request *r = w->request;

	w->request = NULL;
	r->served_by = NULL;
	w->n_finished++;
	w->pool->retry_ms = 0;
	return r;
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
issue_token(struct worker *w, struct request *r, const struct handler_msg *msg, struct buf *token)
{
	const struct pool_env *env = w->pool->env;
	bool has_session = msg->session.kind == JSON_OBJECT, has_secret = msg->secret.kind == JSON_ARRAY;

	claims_issue(env->ring, r->token, &(struct claims_update){
		.session = has_session ? msg->text + msg->session.start : NULL,
		.session_len = has_session ? msg->session.end - msg->session.start : 0,
		.secret = has_secret ? msg->text + msg->secret.start : NULL,
		.secret_len = has_secret ? msg->secret.end - msg->secret.start : 0,
		.lifetime_s = env->session_lifetime_s,
		.now_s = clock_wall_ms() / 1000,
	}, token);
}

static void
finish_request(struct worker *w, struct request *r, const struct handler_msg *msg)
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
	if (reply.body != NULL && !reply.is_error) {
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

static void
on_finish(struct worker *w, const struct handler_msg *msg)
{
	struct request *r = request_of(w, msg);

	if (r == NULL)
		return;
	release_request(w);
	if (is_too_big(w, msg))
		request_fail(r, ERR_REPLY_TOO_BIG, NULL);
	else
		finish_request(w, r, msg);
	next_work(w);
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

/* An exception's first line; more of it is for the worker's stderr. */
static void
on_fail(struct worker *w, const struct handler_msg *msg)
{
	struct request *r = request_of(w, msg);
	struct buf error = { 0 };
	char *text;

	if (r == NULL)
		return;
	release_request(w);
	if (json_string_is(msg->text, msg->code, err_code(ERR_NO_HANDLER))) {
		text = request_no_handler_text(r, w->pool->conf->name);
		request_fail(r, ERR_NO_HANDLER, text);
		free(text);
	} else {
		json_string_get(msg->text, msg->error, &error);
		text = buf_take(&error);
		text[strcspn(text, "\r\n")] = '\0';
		request_fail_status(r, ERR_HANDLER_ERROR, text[0] != '\0' ? text : NULL,
		    status_of(msg));
		free(text);
	}
	next_work(w);
}

static void
on_log(struct worker *w, const struct handler_msg *msg)
{
	enum log_level level = LOG_LEVEL_INFO;
	struct buf name = { 0 }, text = { 0 };

	if (json_string_get(msg->text, msg->level, &name))
		log_level_from_name(buf_str(&name), &level);
	json_string_get(msg->text, msg->log_text, &text);
	if (level != LOG_LEVEL_DEBUG || log_shows_area("pool"))
		log_msg(level, NULL, w->name, 0, "%s", buf_str(&text));
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

static void (*const on_op[])(struct worker *, const struct handler_msg *) = {
	[HANDLER_UNKNOWN] = on_unknown,
	[HANDLER_READY] = on_ready,
	[HANDLER_UNREADY] = on_unready,
	[HANDLER_SEND] = on_send,
	[HANDLER_FINISH] = on_finish,
	[HANDLER_FAIL] = on_fail,
	[HANDLER_LOG] = on_log,
};

static void
on_msg(const struct handler_msg *msg, void *arg)
{
	on_op[msg->op](arg, msg);
}
