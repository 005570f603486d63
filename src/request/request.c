/* SPDX-License-Identifier: ISC */
/*
 * The life of a request: begun, submitted, answered, ended; and the error replies
 * that this node makes itself.
 */
#include "request/request.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/footprint.h"
#include "base/log.h"
#include "base/spares.h"
#include "base/xmalloc.h"
#include "net/loop.h"
#include "request/journal.h"
#include "request/switch.h"
#include "token/token.h"

#define FETCHED_BYTES 256	/* of a request that will be answered: what comes first */

static void on_deadline(void *);

/* The trace id stays the same on all nodes; each hop is a step of its own. */
static void
set_trace(struct request *r, const char *parent)
{
	traceparent_follow(r->trace, parent);
	memcpy(r->name, r->trace + TRACE_ID_AT, REQUEST_ID_LEN);
	r->name[REQUEST_ID_LEN] = '\0';
}

static void
set_message(struct request *r, const struct envelope *env)
{
	struct buf room = { 0 };
	const char *type;

	r->text = spares_take(loop_spares(r->all->loop), env->len + 1);
	memcpy(r->text, env->text, env->len);
	r->text[env->len] = '\0';
	envelope_copy(&r->env, env, r->text);
	json_string_view(r->text, r->env.top.member[ENV_TYPE].value, &type, &r->type_len, &room);
	r->type = r->type_len < sizeof(r->type_room) ? r->type_room : xmalloc(r->type_len + 1);
	memcpy(r->type, type, r->type_len);
	r->type[r->type_len] = '\0';
	buf_free(&room);
}

/* Of r, though maybe not its message any more. */
static void
free_message(struct request *r, char *text, size_t len, char *type)
{
	spares_give(loop_spares(r->all->loop), text, len + 1);
	if (type != r->type_room)
		free(type);
}

struct request *
request_new_relayed(struct requests *all, const struct origin_ops *origin, void *arg,
    const struct envelope *env, const char *trace)
{
	struct request *r = spares_take(loop_spares(all->loop), REQUEST_BYTES);

	memset(r, 0, offsetof(struct request, name));
	r->client_address[0] = r->client_socket[0] = '\0';
	r->all = all;
	r->id = ++all->last_id;
	r->origin = origin;
	r->origin_arg = arg;
	set_message(r, env);
	r->begun_ms = loop_mono_ms(all->loop);
	r->deadline_ms = UINT64_MAX;
	set_trace(r, trace);
	r->is_relayed = true;
	LIST_INSERT_HEAD(&all->open, r, link);
	return r;
}

struct request *
request_new(struct requests *all, const struct origin_ops *origin, void *arg,
    const struct envelope *env, const char *trace)
{
	struct request *r = request_new_relayed(all, origin, arg, env, trace);

	r->is_relayed = false;
	all->n_open++;
	if (all->n_open_in_all != NULL)
		atomic_fetch_add_explicit(all->n_open_in_all, 1, memory_order_relaxed);
	all->n_awaited++;
	metrics_inc(loop_metrics(all->loop), METRIC_REQUESTS);
	return r;
}

/* Those of other loops are counted there. */
static void
count(const struct request *r, enum metric which)
{
	if (!r->is_relayed)
		metrics_inc(loop_metrics(r->all->loop), which);
}

struct log_subject
request_subject(const struct request *r, const char *who)
{
	return (struct log_subject){ who, r->name, r->client_address };
}

static void
log_end(const struct request *r, const char *how, uint64_t now_ms)
{
	static struct log_limit limit = { .about = "slow requests" };
	uint64_t took_ms = now_ms - r->begun_ms;
	const char *where = r->destination != NULL ? r->destination->name : "nowhere";

	if (!r->is_relayed && took_ms >= r->all->slow_ms && log_allows(&limit))
		log_warnx_of(request_subject(r, NULL), "type %s at %s took %llu ms: %s", r->type,
		    where, (unsigned long long)took_ms, how);
	log_debug_of("request", request_subject(r, NULL), "type %s at %s: %s after %llu ms",
	    r->type, where, how, (unsigned long long)took_ms);
}

static void
no_longer_open(struct requests *all)
{
	all->n_open--;
	if (all->n_open_in_all != NULL)
		atomic_fetch_sub_explicit(all->n_open_in_all, 1, memory_order_relaxed);
}

static void
no_longer_awaited(struct requests *all)
{
	if (--all->n_awaited == 0 && all->on_idle != NULL)
		all->on_idle(all->on_idle_arg);
}

static bool
is_awaited(const struct request *r)
{
	return r->origin != NULL && !r->is_away && !r->is_relayed;
}

static void
show(const struct request *r, enum request_sight sight, const struct reply *reply)
{
	const struct request_watch *w = r->all->watch;

	if (w != NULL && !r->is_relayed)
		w->on_sight(r, sight, reply, w->arg);
}

/* The only way out. */
static void
end(struct request *r, const struct reply *final, const char *how)
{
	struct requests *all = r->all;
	uint64_t now_ms = loop_mono_ms(all->loop);

	assert(final->is_final);
	log_end(r, how, now_ms);
	/* Who has the answer may ask again at once, on another loop too. */
	if (!r->is_relayed)
		no_longer_open(all);
	if (r->origin != NULL)
		r->origin->on_final(r, final, r->origin_arg);
	/* They may have it by now: nobody waits for what follows. */
	loop_timer_stop(all->loop, &r->deadline_timer);
	count(r, final->err == 0 ? METRIC_REPLIES : METRIC_REQUESTS_FAILED);
	if (all->journal != NULL && !r->is_relayed)
		journal_end(all->journal, r, final, now_ms);
	show(r, REQUEST_ENDED, final);
	token_unref(r->token);
	if (r->application != NULL)	/* hardly ever: not even a call */
		free(r->application);
	free_message(r, r->text, r->env.len, r->type);
	LIST_REMOVE(r, link);
	if (is_awaited(r))
		no_longer_awaited(all);
	spares_give(loop_spares(all->loop), r, REQUEST_BYTES);
}

static void
limit(struct request *r, uint64_t now_ms, uint64_t left_ms)
{
	if (left_ms >= r->deadline_ms || now_ms + left_ms >= r->deadline_ms)
		return;
	r->deadline_ms = now_ms + left_ms;
	loop_timer_set_from(r->all->loop, &r->deadline_timer, now_ms, left_ms, on_deadline, r);
}

void
request_submit(struct request *r, struct destination *d, uint64_t timeout_ms)
{
	assert(r->destination == NULL);
	r->destination = d;
	r->server = NULL;
	r->submitted_ms = loop_mono_ms(r->all->loop);
	limit(r, r->submitted_ms, timeout_ms);
	show(r, REQUEST_SUBMITTED, NULL);
	d->ops->submit(d, r);
}

const char *
request_application(const struct request *r, size_t *len)
{
	*len = r->application != NULL ? strlen(r->application) : r->token->application_len;
	return r->application != NULL ? r->application : r->token->application;
}

void
request_replace(struct request *r, const struct envelope *env, struct token *t)
{
	char *text = r->text, *type = r->type;
	size_t len = r->env.len;

	set_message(r, env);	/* which may lie in the text before */
	free_message(r, text, len, type);
	if (t != NULL) {
		token_unref(r->token);
		r->token = t;
	}
	r->destination = NULL;
	r->served_by = NULL;
	r->server = NULL;
}

uint64_t
request_left_ms(const struct request *r)
{
	uint64_t now_ms = loop_mono_ms(r->all->loop);

	return r->deadline_ms > now_ms ? r->deadline_ms - now_ms : 0;
}

void
request_limit(struct request *r, uint64_t left_ms)
{
	limit(r, loop_mono_ms(r->all->loop), left_ms);
}

void
request_fetch(const struct request *r, enum request_fetch step)
{
	switch (step) {
	case REQUEST_FETCH_SELF:
		for (size_t at = 0; at < FETCHED_BYTES; at += FOOTPRINT_LINE)
			__builtin_prefetch((const char *)r + at, 1);
		break;
	case REQUEST_FETCH_PARTS:
		__builtin_prefetch(r->origin_arg, 1);
		__builtin_prefetch(r->text, 1);
		__builtin_prefetch(r->token, 1);
		break;
	case REQUEST_FETCH_ORIGIN:
		if (r->origin != NULL && r->origin->fetch != NULL)
			r->origin->fetch(r->origin_arg);
		break;
	}
}

static void
on_deadline(void *arg)
{
	struct request *r = arg;

	count(r, METRIC_TIMEOUTS);
	if (r->destination != NULL)
		r->destination->ops->cancel(r->destination, r, ERR_TIMEOUT);
	request_fail(r, ERR_TIMEOUT, NULL);
}

void
request_reply(struct request *r, const struct reply *reply)
{
	assert(!reply->is_final);
	count(r, METRIC_INTERMEDIATES);
	if (r->n_replies++ == 0)
		r->replied_ms = loop_mono_ms(r->all->loop);
	show(r, REQUEST_REPLIED, reply);
	if (r->origin != NULL)
		r->origin->on_reply(r, reply, r->origin_arg);
}

void
request_finish(struct request *r, const struct reply *reply)
{
	if (r->all->switches != NULL && !r->is_relayed && switch_final(r->all->switches, r, reply))
		return;
	end(r, reply, reply->is_error ? "answered with an error" : "answered");
}

/* Who reads "no" may send the request again: not when some handler has run, or may have. */
static const char *
ran(const struct request *r, enum err e)
{
	const char *it_ran = err_ran(e);

	return r->has_run && strcmp(it_ran, "no") == 0 ? "maybe" : it_ran;
}

/* The message of an error reply. */
static void
add_error_message(struct buf *b, const struct request *r, enum err e, const char *text, int status)
{
	buf_add_str(b, "{\"error\":");
	buf_add_json_string(b, text, strlen(text));
	buf_printf(b, ",\"code\":\"%s\",\"status\":{\"code\":%d}", err_code(e), status);
	if (err_http_status(e) == 401)
		buf_add_str(b, ",\"disconnect\":true");
	buf_add_str(b, ",\"by\":");
	buf_add_json_string(b, r->all->node, strlen(r->all->node));
	buf_printf(b, ",\"request\":\"%s\",\"ran\":\"%s\"", r->name, ran(r, e));
	if (e == ERR_TOO_MANY || e == ERR_OVERLOADED)
		buf_add_str(b, ",\"retry_after_ms\":1000");
	buf_add_char(b, '}');
}

void
request_fail(struct request *r, enum err e, const char *text)
{
	request_fail_status(r, e, text, err_http_status(e));
}

void
request_fail_status(struct request *r, enum err e, const char *text, int status)
{
	struct buf message = { 0 };
	struct json_object body;
	struct json_scan scan;
	struct reply final = {
		.err = e, .is_final = true, .is_error = true, .is_local = true,
		.body = &body,
	};

	assert(e != ERR_NONE);
	add_error_message(&message, r, e, text != NULL ? text : err_text(e), status);
	json_scan_init(&scan, message.data, message.len, 8);
	if (!json_scan_members(&scan, &final.message, &envelope_names, &body, -1, NULL))
		fatalx("own error message does not scan");
	final.text = message.data;
	end(r, &final, err_code(e));
	buf_free(&message);
}

void
request_cancel(struct request *r)
{
	if (r->destination != NULL)
		r->destination->ops->cancel(r->destination, r, ERR_CANCELLED);
	request_fail(r, ERR_CANCELLED, NULL);
}

/* One that ends may end others with it, so the list is looked at anew each time. */
uint64_t
requests_end(struct requests *all, bool (*fits)(struct request *, void *), void *arg, enum err e)
{
	struct request *r = LIST_FIRST(&all->open);
	uint64_t n = 0;

	while (r != NULL) {
		if (r->is_relayed || !fits(r, arg)) {	/* those end where they began */
			r = LIST_NEXT(r, link);
			continue;
		}
		if (r->destination != NULL)
			r->destination->ops->cancel(r->destination, r, ERR_CANCELLED);
		request_fail(r, e, NULL);
		n++;
		r = LIST_FIRST(&all->open);
	}
	return n;
}

void
request_give_up(struct request *r)
{
	if (r->destination != NULL)
		r->destination->ops->cancel(r->destination, r, ERR_CANCELLED);
	request_fail(r, ERR_TIMEOUT, NULL);
}

void
request_leave(struct request *r)
{
	bool was_awaited = is_awaited(r);

	r->origin = NULL;
	if (was_awaited)
		no_longer_awaited(r->all);
}

void
request_away(struct request *r)
{
	if (r->is_away)
		return;
	r->is_away = true;
	no_longer_awaited(r->all);
}

void
request_back(struct request *r)
{
	if (!r->is_away)
		return;
	r->is_away = false;
	r->all->n_awaited++;
}

bool
request_has_internal_type(const struct request *r)
{
	switch (r->type[0]) {
	case 'e':
		return strncmp(r->type, "ewd-", 4) == 0 && strcmp(r->type, "ewd-fragment") != 0;
	case 'q':
		return strncmp(r->type, "qoper8-", 7) == 0;
	case 'u':
		return strncmp(r->type, "usher-", 6) == 0;
	default:
		return false;
	}
}

char *
request_no_handler_text(const struct request *r, const char *application)
{
	return xasprintf("Handler not defined for %s messages of type %s", application, r->type);
}

void
request_queue_init(struct request_queue *q, uint64_t n_max, uint64_t bytes_max)
{
	TAILQ_INIT(&q->list);
	q->n = q->bytes = 0;
	q->n_max = n_max;
	q->bytes_max = bytes_max;
}

bool
request_queue_add(struct request_queue *q, struct request *r)
{
	if (q->n >= q->n_max || r->env.len > q->bytes_max ||
	    q->bytes > q->bytes_max - r->env.len)
		return false;
	TAILQ_INSERT_TAIL(&q->list, r, waiting);
	q->n++;
	q->bytes += r->env.len;
	r->server = NULL;
	r->queued_ms = loop_mono_ms(r->all->loop);
	r->unqueued_ms = 0;
	return true;
}

void
request_queue_return(struct request_queue *q, struct request *r)
{
	TAILQ_INSERT_HEAD(&q->list, r, waiting);
	r->server = NULL;
	if (r->queued_ms == 0)
		r->queued_ms = loop_mono_ms(r->all->loop);
	q->n++;
	q->bytes += r->env.len;
}

void
request_queue_remove(struct request_queue *q, struct request *r)
{
	TAILQ_REMOVE(&q->list, r, waiting);
	r->unqueued_ms = loop_mono_ms(r->all->loop);
	q->n--;
	q->bytes -= r->env.len;
}

struct request *
request_queue_first(const struct request_queue *q)
{
	return TAILQ_FIRST(&q->list);
}
