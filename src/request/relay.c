/* SPDX-License-Identifier: ISC */
/*
 * Both ends of a relay, and the posts between them.
 */
#include "request/relay.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/idmap.h"
#include "base/strmap.h"
#include "base/xmalloc.h"
#include "codec/envelope.h"
#include "net/loop.h"
#include "request/request.h"
#include "token/token_cache.h"

struct relay_in {
	struct requests *requests;
	struct token_cache *tokens;
	relay_find_fn *find;
	void *arg;
	struct idmap *by_id;		/* for each loop: the id there -> struct relayed */
	unsigned n_loops;
	bool is_stopped;
};

struct relay_out {
	struct requests *requests;
	unsigned number;
	struct relay_in *to;		/* for the posts */
	struct loop *loop;		/* its */
	struct idmap in_flight;		/* id -> request */
	struct strmap *destinations;	/* "name\napplication" -> struct relay_destination */
	bool is_stopped;
};

struct relay_destination {
	struct destination destination;	/* first */
	struct relay_out *out;
	char *name, *application;
};

/* A request on the loop that serves it. */
struct relayed {
	struct relay_in *in;
	struct relay_out *from;		/* for the posts */
	struct loop *loop;		/* its */
	unsigned number;		/* of that loop */
	uint64_t id;			/* there */
	struct request *request;
	bool is_given_up;		/* whoever asked was told, and hears no more */
};

/* Posts.  Each frees its own. */
struct submission {
	struct relay_in *to;
	struct relay_out *from;
	struct loop *loop;
	unsigned number;
	uint64_t id;
	char *destination;
	char *text;
	struct envelope env;		/* scanned in text */
	char *token;			/* NULL: it was not looked at */
	size_t token_len;
	int64_t token_iat_s;
	bool is_outside;		/* as that token */
	char *application;		/* request.application */
	uint64_t begun_ms, deadline_ms, hops;
	bool is_rest, is_idempotent, has_run, is_under_way;
	unsigned char n_retries;
	char trace[TRACE_MAX];
	char client_address[CLIENT_MAX], client_socket[CLIENT_MAX];
};

struct cancellation {
	struct relay_in *to;
	unsigned number;
	uint64_t id;
	enum err why;
};

struct answer {
	struct relay_out *to;
	uint64_t id;
	struct reply reply;		/* points to what follows */
	struct json_object top, body;
	char *text, *token;
	bool is_given_up;		/* the end, without a reply */
	char server[REQUEST_SERVER_MAX];	/* whoever had it last; "": nobody */
	uint64_t queued_ms, unqueued_ms;
};

/* What peers send waits for another loop up to limits.between_loops. */
#define NO_ROOM "too much waits for another event loop (limits.between_loops)"

static void submit(struct destination *, struct request *);
static void cancel(struct destination *, struct request *, enum err);
static void on_reply(struct request *, const struct reply *, void *);
static void on_final(struct request *, const struct reply *, void *);
static void take_submission(void *);
static void take_cancellation(void *);
static void take_answer(void *);

static const struct destination_ops ops = {
	.submit = submit,
	.cancel = cancel,
};

static const struct origin_ops origin_ops = {
	.on_reply = on_reply,
	.on_final = on_final,
};

/* ---- a loop whose requests are served elsewhere ---- */

struct relay_out *
relay_out_new(struct requests *requests, unsigned number, struct relay_in *to, struct loop *loop)
{
	struct relay_out *out = xcalloc(1, sizeof(*out));

	out->requests = requests;
	out->number = number;
	out->to = to;
	out->loop = loop;
	out->destinations = strmap_new();
	return out;
}

void
relay_out_stop(struct relay_out *out, enum err why)
{
	struct idmap *map = &out->in_flight;
	struct request *r;

	out->is_stopped = true;
	/* Each is taken out first: one that ends may end others, and nothing is added any more. */
	for (size_t i = 0; map->n > 0; i = (i + 1) % map->cap) {
		if ((r = map->entry[i].value) == NULL)
			continue;
		idmap_remove(map, r->id);
		request_fail(r, why, NULL);
	}
}

static void
free_destination(void *arg)
{
	struct relay_destination *d = arg;

	free(d->name);
	free(d->application);
	free(d);
}

void
relay_out_free(struct relay_out *out)
{
	if (out == NULL)
		return;
	strmap_free(out->destinations, free_destination);
	idmap_free(&out->in_flight);
	free(out);
}

struct destination *
relay_destination(struct relay_out *out, const char *name, const char *application)
{
	/* One of the name before a reload may be for another application, and be in use. */
	char *key = xasprintf("%s\n%s", name, application);
	void **at = strmap_at(out->destinations, key, strlen(key));
	struct relay_destination *d = *at;

	free(key);
	if (d != NULL)
		return &d->destination;
	*at = d = xcalloc(1, sizeof(*d));
	d->out = out;
	d->name = xstrdup(name);
	d->application = xstrdup(application);
	d->destination = (struct destination){ .ops = &ops, .name = d->name,
		.application = d->application };
	return &d->destination;
}

const struct request *
relay_served(const struct request *r)
{
	const struct relay_destination *d;
	const struct relayed *there;

	if (r->destination == NULL || r->destination->ops != &ops)
		return r;
	d = (const struct relay_destination *)r->destination;
	there = idmap_find(&d->out->to->by_id[d->out->number], r->id);
	return there != NULL ? there->request : r;
}

static char *
copy_text(const char *text)
{
	return text != NULL ? xstrdup(text) : NULL;
}

/* What it takes while it waits there. */
static size_t
submission_bytes(const struct request *r)
{
	return sizeof(struct submission) + r->env.len + (r->token != NULL ? r->token->len : 0);
}

/*
 * limits.in_flight alone is not enough: of those that were cancelled on their way it knows nothing
 * any more.
 */
static bool
is_refused(const struct relay_out *out, struct request *r)
{
	if (out->is_stopped)
		request_fail(r, ERR_STOPPING, NULL);
	else if (!loop_has_room(out->loop, submission_bytes(r)))
		request_fail(r, ERR_OVERLOADED, NO_ROOM);
	else
		return false;
	return true;
}

static void
submit(struct destination *destination, struct request *r)
{
	struct relay_destination *d = (struct relay_destination *)destination;
	struct relay_out *out = d->out;
	struct submission *s;

	if (is_refused(out, r))
		return;
	s = xmalloc(sizeof(*s));
	*s = (struct submission){ .to = out->to, .from = out, .loop = out->requests->loop,
		.number = out->number, .id = r->id, .destination = xstrdup(d->name),
		.text = xmemdup(r->text, r->env.len),
		.application = copy_text(r->application), .begun_ms = r->begun_ms,
		.deadline_ms = r->deadline_ms, .hops = r->hops,
		.is_rest = r->is_rest, .is_idempotent = r->is_idempotent,
		.has_run = r->has_run, .is_under_way = r->is_under_way, .n_retries = r->n_retries };
	envelope_copy(&s->env, &r->env, s->text);
	if (r->token != NULL) {
		s->token = xmemdup(r->token->text, r->token->len);
		s->token_len = r->token->len;
		s->token_iat_s = r->token->iat_s;
		s->is_outside = r->token->is_outside;
	}
	memcpy(s->trace, r->trace, sizeof(s->trace));
	memcpy(s->client_address, r->client_address, sizeof(s->client_address));
	memcpy(s->client_socket, r->client_socket, sizeof(s->client_socket));
	idmap_add(&out->in_flight, r->id, r);
	loop_post_bytes(out->loop, take_submission, s, submission_bytes(r));
}

static void
cancel(struct destination *destination, struct request *r, enum err why)
{
	struct relay_out *out = ((struct relay_destination *)destination)->out;
	struct cancellation *c = xmalloc(sizeof(*c));

	idmap_remove(&out->in_flight, r->id);
	*c = (struct cancellation){ out->to, out->number, r->id, why };
	loop_post(out->loop, take_cancellation, c);
}

/* Its text and its token are its own now. */
static void
take_answer(void *arg)
{
	struct answer *a = arg;
	struct request *r = idmap_find(&a->to->in_flight, a->id);

	if (r != NULL && (a->is_given_up || a->reply.is_final)) {
		idmap_remove(&a->to->in_flight, a->id);
		r->server = *a->server != '\0' ? a->server : NULL;
		r->queued_ms = a->queued_ms;
		r->unqueued_ms = a->unqueued_ms;
	}
	if (r != NULL && a->is_given_up) {
		r->has_run = true;
		request_fail(r, ERR_OVERLOADED, NO_ROOM);
	} else if (r != NULL && !a->reply.is_final) {
		request_reply(r, &a->reply);
	} else if (r != NULL) {
		if (a->reply.err == ERR_TIMEOUT)
			metrics_inc(loop_metrics(a->to->requests->loop), METRIC_TIMEOUTS);
		request_finish(r, &a->reply);
	}
	free(a->text);
	free(a->token);
	free(a);
}

/* ---- the loop that serves ---- */

struct relay_in *
relay_in_new(struct requests *requests, struct token_cache *tokens, unsigned n_loops,
    relay_find_fn *find, void *arg)
{
	struct relay_in *in = xcalloc(1, sizeof(*in));

	in->requests = requests;
	in->tokens = tokens;
	in->find = find;
	in->arg = arg;
	in->n_loops = n_loops;
	in->by_id = xcalloc(n_loops, sizeof(struct idmap));
	return in;
}

void
relay_in_stop(struct relay_in *in)
{
	in->is_stopped = true;
}

void
relay_in_free(struct relay_in *in)
{
	if (in == NULL)
		return;
	for (unsigned i = 0; i < in->n_loops; i++)
		idmap_free(&in->by_id[i]);
	free(in->by_id);
	free(in);
}

static struct request *
begin(struct relay_in *in, const struct submission *s)
{
	struct relayed *d = xcalloc(1, sizeof(*d));
	struct request *r;

	*d = (struct relayed){ .in = in, .from = s->from, .loop = s->loop, .number = s->number,
		.id = s->id };
	d->request = r = request_new_relayed(in->requests, &origin_ops, d, &s->env, s->trace);
	memcpy(r->trace, s->trace, sizeof(r->trace));
	r->begun_ms = s->begun_ms;
	r->hops = s->hops;
	r->is_rest = s->is_rest;
	r->is_idempotent = s->is_idempotent;
	r->has_run = s->has_run;
	r->is_under_way = s->is_under_way;
	r->n_retries = s->n_retries;
	r->application = copy_text(s->application);
	memcpy(r->client_address, s->client_address, sizeof(r->client_address));
	memcpy(r->client_socket, s->client_socket, sizeof(r->client_socket));
	idmap_add(&in->by_id[s->number], s->id, d);
	return r;
}

/* It was found good a moment ago; its time may be over since, or its secret gone. */
static enum jwt_fault
read_token(struct relay_in *in, struct request *r, const struct submission *s)
{
	int64_t now_ms = clock_wall_ms();

	if (s->token == NULL)
		return JWT_OK;
	if (s->is_outside)
		return token_check_outside(in->tokens, s->token, s->token_len, s->token_iat_s,
		    now_ms, &r->token);
	if (s->is_rest)	/* as a rest_front does: most come with a session of their own */
		return token_check_once(in->tokens, s->token, s->token_len, now_ms, &r->token);
	return token_check(in->tokens, s->token, s->token_len, now_ms, &r->token);
}

/* As the gate does. */
static void
refuse_token(struct request *r, enum jwt_fault fault)
{
	char *text = xasprintf("Invalid JWT: %s", jwt_fault_text(fault));

	request_fail(r, jwt_fault_err(fault), fault == JWT_REVOKED ? NULL : text);
	free(text);
}

static void
serve(struct relay_in *in, struct request *r, const struct submission *s)
{
	struct destination *d = in->is_stopped ? NULL : in->find(s->destination, in->arg);
	uint64_t now_ms = clock_mono_ms();
	enum jwt_fault fault;

	if (d == NULL)
		request_fail(r, ERR_STOPPING, NULL);
	else if ((fault = read_token(in, r, s)) != JWT_OK)
		refuse_token(r, fault);
	else
		request_submit(r, d, s->deadline_ms > now_ms ? s->deadline_ms - now_ms : 0);
}

static void
take_submission(void *arg)
{
	struct submission *s = arg;

	serve(s->to, begin(s->to, s), s);
	free(s->destination);
	free(s->text);
	free(s->token);
	free(s->application);
	free(s);
}

static void
forget(struct relayed *d)
{
	idmap_remove(&d->in->by_id[d->number], d->id);
	free(d);
}

/* Where it began it has ended; here nobody hears of it. */
static void
take_cancellation(void *arg)
{
	struct cancellation *c = arg;
	struct relayed *d = idmap_find(&c->to->by_id[c->number], c->id);
	struct request *r;

	if (d != NULL) {
		r = d->request;
		forget(d);
		request_leave(r);
		if (r->destination != NULL)
			r->destination->ops->cancel(r->destination, r, c->why);
		request_fail(r, c->why, NULL);
	}
	free(c);
}

/* How far into its text a reply reaches. */
static size_t
length_of(const struct reply *reply)
{
	size_t len = reply->message.end > reply->type.end ? reply->message.end : reply->type.end;

	return reply->top != NULL && reply->top->close + 1u > len ? reply->top->close + 1u : len;
}

/* What it takes while it waits there. */
static size_t
answer_bytes(const struct reply *reply)
{
	return sizeof(struct answer) + length_of(reply) +
	    (reply->token != NULL ? reply->token_len : 0);
}

/* Without a reply: the end, unless it gets one. */
static struct answer *
new_answer(const struct relayed *d)
{
	struct answer *a = xmalloc(sizeof(*a));

	a->to = d->from;
	a->id = d->id;
	a->text = a->token = NULL;
	a->is_given_up = true;
	a->server[0] = '\0';
	if (d->request->server != NULL)
		memcpy(a->server, d->request->server, sizeof(a->server));
	a->queued_ms = d->request->queued_ms;
	a->unqueued_ms = d->request->unqueued_ms;
	return a;
}

static void
post_answer(const struct relayed *d, const struct reply *reply)
{
	struct answer *a = new_answer(d);

	a->is_given_up = false;
	a->reply = *reply;
	a->text = xmemdup(reply->text, length_of(reply));
	a->token = reply->token != NULL ? xmemdup(reply->token, reply->token_len) : NULL;
	a->reply.text = a->text;
	a->reply.token = a->token;
	if (reply->top != NULL) {
		a->top = *reply->top;
		a->reply.top = &a->top;
	}
	if (reply->body != NULL) {
		a->body = *reply->body;
		a->reply.body = &a->body;
	}
	loop_post_bytes(d->loop, take_answer, a, answer_bytes(reply));
}

/*
 * Its loop is too slow for what a handler or service sends, as a client may be: the request ends
 * there, and is cancelled here, though not from within a reply.
 */
static void
give_up(struct relayed *d)
{
	struct cancellation *c = xmalloc(sizeof(*c));

	d->is_given_up = true;
	loop_post(d->loop, take_answer, new_answer(d));
	*c = (struct cancellation){ d->in, d->number, d->id, ERR_OVERLOADED };
	loop_post(d->in->requests->loop, take_cancellation, c);
}

static void
on_reply(struct request *r UNUSED, const struct reply *reply, void *arg)
{
	struct relayed *d = arg;

	if (d->is_given_up)
		return;
	if (loop_has_room(d->loop, answer_bytes(reply)))
		post_answer(d, reply);
	else
		give_up(d);
}

/* One for each open request, so limits.in_flight and limits.reply bound them. */
static void
on_final(struct request *r UNUSED, const struct reply *reply, void *arg)
{
	struct relayed *d = arg;

	if (!d->is_given_up)
		post_answer(d, reply);
	forget(d);
}
