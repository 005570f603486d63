/* SPDX-License-Identifier: ISC */
/*
 * Messages between the front ends of a node's loops.  Each names a client by an id of its socket, and
 * finds it or not.
 */
#include "front/qewd_roam.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/strmap.h"
#include "base/xmalloc.h"
#include "front/gate.h"
#include "front/qewd_int.h"
#include "front/resume.h"
#include "front/sio_server.h"
#include "request/request.h"
#include "token/claims.h"
#include "token/token_cache.h"

/*
 * Loops that a message goes to, one after the other.  More is a ring, or a client that changed loops
 * so often while one request was open, which is cancelled then.
 */
#define WAYS_MAX 64

/* A client on a loop. */
struct place {
	unsigned part;
	char sid[ID_SID_LEN + 1];	/* by which it is found there */
};

/* What forwards to a client from another loop. */
struct source {
	struct place at;
	uint64_t n_awaited;		/* requests that were open when it began; 0: none is */
};

struct roam {
	bool is_forwarding;
	bool is_given_up;		/* too much waits for where it is: nothing goes there any more */
	struct place to;		/* then */
	struct source source[SIDS_MAX];	/* the oldest first */
	unsigned n;
};

enum kind {
	ASK,		/* what have you of sid?  to whoever has its socket now */
	ANSWER,		/* this, and what was kept for it: nothing can come between them */
	TEXT,		/* a reply or a push */
	EVENT,		/* roam_event */
	CANCEL,		/* the request with this ms_requestId */
	DONE,		/* no request is open here any more */
	LOST,		/* a text is: there was no room for it */
};

struct message {
	enum kind kind;
	struct qewd_front *to;
	char sid[ID_SID_LEN + 1];	/* of the client there */
	struct place from;
	bool has_lost;			/* ASK, as the next */
	uint64_t begun_ms;		/* when the session began that asks */
	unsigned ways;			/* that it went */
	uint64_t call;			/* ASK, ANSWER: the request that waits */
	bool is_source, is_resumed;	/* ANSWER, as the next two */
	struct buf *kept;		/* the oldest first */
	size_t n_kept;
	uint64_t n;
	enum roam_event event;
	struct buf text;		/* TEXT, CANCEL */
};

static void take(void *);

void
qewd_front_set_others(struct qewd_front *f, const struct qewd_others *others)
{
	f->others = others;
	resumes_share(f->resumes, others->n_kept_bytes, others->parts->n);
}

static size_t
bytes_of(const struct message *m)
{
	size_t bytes = sizeof(*m) + m->text.len;

	for (size_t i = 0; i < m->n_kept; i++)
		bytes += sizeof(m->kept[i]) + m->kept[i].len;
	return bytes;
}

/* Takes the text of m. */
static void
post(const struct qewd_front *f, const struct place *to, const struct message *m)
{
	struct message *copy = xmemdup(m, sizeof(*m));
	struct loop *loop;

	copy->to = f->others->front(to->part, &loop, f->others->arg);
	memcpy(copy->sid, to->sid, sizeof(copy->sid));
	loop_post_bytes(loop, take, copy, bytes_of(m));
}

/* For what clients and handlers may cause as often as they like. */
static bool
has_room(const struct qewd_front *f, const struct place *to, size_t len)
{
	struct loop *loop;

	f->others->front(to->part, &loop, f->others->arg);
	return loop_has_room(loop, sizeof(struct message) + len);
}

static struct qewd_client *
find(const struct qewd_front *f, const char *sid)
{
	return strmap_find(f->by_sid, sid, strlen(sid));
}

static struct place
place_of(const struct qewd_client *c)
{
	struct place p = { .part = c->front->others->own };

	memcpy(p.sid, c->sids.sid[0], sizeof(p.sid));
	return p;
}

static struct roam *
roam_of(struct qewd_client *c)
{
	if (c->roam == NULL)
		c->roam = xcalloc(1, sizeof(*c->roam));
	return c->roam;
}

static bool
is_forwarding(const struct qewd_client *c)
{
	return c->roam != NULL && c->roam->is_forwarding;
}

/* ---- asking ---- */

/* Where to look for what a socket had; false: here, or nowhere. */
static bool
find_way(const struct qewd_front *f, const char *sid, struct place *to)
{
	const struct qewd_client *c = find(f, sid);

	if (c != NULL && is_forwarding(c)) {
		*to = c->roam->to;
		return true;
	}
	if (c != NULL || !id_sid_part(sid, f->others->parts, &to->part) ||
	    to->part == f->others->own)
		return false;
	memcpy(to->sid, sid, sizeof(to->sid));
	return true;
}

static uint64_t
n_awaited(const struct roam *r)
{
	uint64_t n = 0;

	for (unsigned i = 0; r != NULL && i < r->n; i++)
		n += r->source[i].n_awaited;
	return n;
}

uint64_t
roam_begun_ms(const struct qewd_client *c)
{
	struct eio_session_info info;

	sio_session_describe(c->sio, &info);
	return info.begun_ms;
}

bool
roam_ask(struct call *call, bool has_lost)
{
	struct qewd_front *f = call->client->front;
	struct buf sid = { 0 }, address = { 0 };
	struct message m = { .kind = ASK, .has_lost = has_lost, .call = call->request->id };
	struct place to = { 0 };

	if (f->others == NULL)
		return false;
	claims_client(token_cache_ring(f->gate->tokens), call->request->token, &sid, &address);
	call->is_asking = find_way(f, buf_str(&sid), &to);
	buf_free(&sid);
	buf_free(&address);
	if (call->is_asking) {
		m.from = place_of(call->client);
		m.begun_ms = roam_begun_ms(call->client);
		post(f, &to, &m);
	}
	return call->is_asking;
}

/* ---- being asked ---- */

static bool
is_awaited(const struct qewd_client *c)
{
	return !LIST_EMPTY(&c->calls) || roam_is_awaited(c);
}

/* A client without anything, so that pushes to this socket find where it is now. */
static struct qewd_client *
make_alias(struct qewd_front *f, const char *sid)
{
	struct qewd_client *c = xcalloc(1, sizeof(*c));

	c->front = f;
	LIST_INIT(&c->calls);
	qewd_sids_add(f->by_sid, &c->sids, sid, c);
	return c;
}

static void
take_kept(struct message *answer, struct resume *texts)
{
	while (!resume_is_empty(texts)) {
		answer->kept = xreallocarray(answer->kept, answer->n_kept + 1,
		    sizeof(*answer->kept));
		answer->kept[answer->n_kept] = (struct buf){ 0 };
		resume_take(texts, &answer->kept[answer->n_kept++]);
	}
}

/* From now on c forwards; it is in no list. */
static void
forward_to(struct qewd_client *c, const struct place *to, struct message *answer)
{
	struct qewd_front *f = c->front;
	struct roam *r = roam_of(c);
	struct resume *texts = c->resume;
	struct call *call;

	LIST_INSERT_HEAD(&f->forwarding, c, link);
	c->resume = NULL;
	if (texts != NULL)
		resume_stop(texts);
	LIST_FOREACH(call, &c->calls, link) {
		call->has_ack = false;	/* its number means another event on that socket */
		request_back(call->request);
		answer->n++;
	}
	roam_tell(c, ROAM_BACK);
	r->is_forwarding = true;
	r->to = *to;
	answer->is_source = true;
	answer->from = place_of(c);
	answer->n += n_awaited(r);
	if (texts != NULL)
		take_kept(answer, texts);
	resume_free(texts);
	post(f, to, answer);
}

/* It would forward to itself. */
static bool
asks_itself(const struct qewd_client *c, const struct message *m)
{
	const struct qewd_front *f = m->to;

	return m->from.part == f->others->own && (strcmp(m->from.sid, m->sid) == 0 ||
	    (c != NULL && find(f, m->from.sid) == c));
}

static bool
is_asking(const struct qewd_client *c)
{
	const struct call *call;

	LIST_FOREACH(call, &c->calls, link)
		if (call->is_asking)
			return true;
	return false;
}

/* Whoever came later is believed: what an elder socket says may be late itself. */
static bool
gives_way(const struct qewd_client *c, const struct message *m)
{
	return m->has_lost && c->sio != NULL && !c->is_proven && roam_begun_ms(c) <= m->begun_ms;
}

static void
on_ask(struct message *m)
{
	struct qewd_front *f = m->to;
	struct qewd_client *c = find(f, m->sid);
	struct message answer = { .kind = ANSWER, .call = m->call };

	if (c != NULL && is_forwarding(c) && m->ways < WAYS_MAX) {
		post(f, &c->roam->to, m);
		return;
	}
	/* Two that ask for each other would each forward to the other. */
	if (asks_itself(c, m) || (c != NULL && is_asking(c))) {
		post(f, &m->from, &answer);
		return;
	}
	if (c != NULL && gives_way(c, m)) {
		sio_session_close(c->sio, ERR_REPLACED, NULL);
		c = find(f, m->sid);
	}
	if (c == NULL && !f->gate->is_draining) {
		forward_to(make_alias(f, m->sid), &m->from, &answer);
	} else if (c != NULL && c->sio == NULL && c->resume != NULL && !c->is_proven &&
	    !resume_is_over(c->resume)) {
		LIST_REMOVE(c, link);
		answer.is_resumed = true;
		metrics_inc(gate_metrics(f->gate), METRIC_RESUMES);
		forward_to(c, &m->from, &answer);
	} else {
		post(f, &m->from, &answer);
	}
}

/* ---- the answer ---- */

static struct call *
find_asking(const struct qewd_client *c, uint64_t id)
{
	struct call *call;

	LIST_FOREACH(call, &c->calls, link)
		if (call->is_asking && call->request->id == id)
			break;
	return call;
}

static void
tell(const struct qewd_front *f, const struct place *to, enum roam_event event,
    const struct place *from, unsigned ways)
{
	struct message m = { .kind = EVENT, .event = event, .from = *from, .ways = ways };

	post(f, to, &m);
}

static void
drop_source(struct qewd_client *c, unsigned i)
{
	struct roam *r = c->roam;
	struct place own = place_of(c);

	tell(c->front, &r->source[i].at, ROAM_GONE, &own, 0);
	r->n--;
	memmove(&r->source[i], &r->source[i + 1], (r->n - i) * sizeof(r->source[0]));
}

static void
add_source(struct qewd_client *c, const struct source *source)
{
	struct roam *r = roam_of(c);

	if (r->n == SIDS_MAX)
		drop_source(c, 0);
	r->source[r->n++] = *source;
}

/*
 * Where it is the loop does not keep up, as a client may not: its session ends there, and what is
 * open for it here, though not from within a reply.
 */
static void
give_up(struct qewd_client *c)
{
	static struct log_limit limit = { .about = "clients that came back on another loop" };
	struct roam *r = c->roam;
	struct place own = place_of(c);
	struct message lost = { .kind = LOST };

	metrics_inc(gate_metrics(c->front->gate), METRIC_RESUMES_DROPPED);
	if (log_allows(&limit))
		log_warnx("event loop %u does not keep up: a client that came back there is closed "
		    "(limits.between_loops)", r->to.part);
	r->is_given_up = true;
	post(c->front, &r->to, &lost);
	tell(c->front, &own, ROAM_GONE, &own, 0);
}

/* Takes the text of m, or it is lost. */
static void
pass_on(struct qewd_client *c, struct message *m)
{
	struct roam *r = c->roam;

	if (!r->is_given_up && !has_room(c->front, &r->to, m->text.len))
		give_up(c);
	if (r->is_given_up)
		buf_free(&m->text);
	else
		post(c->front, &r->to, m);
	m->text = (struct buf){ 0 };
}

static void
on_text(struct message *m)
{
	struct qewd_client *c = find(m->to, m->sid);

	if (c != NULL && is_forwarding(c)) {
		pass_on(c, m);
	} else if (c != NULL) {
		qewd_client_send(c, m->text.data, m->text.len);
	}
}

static void
send_kept(const struct message *answer)
{
	for (size_t i = 0; i < answer->n_kept; i++) {
		struct message m = { .kind = TEXT, .to = answer->to, .text = answer->kept[i] };

		memcpy(m.sid, answer->sid, sizeof(m.sid));
		on_text(&m);
		answer->kept[i] = m.text;
	}
}

/* The client may be away by now, and have moved on; or be gone, and nobody else will say so. */
static void
on_answer(struct message *m)
{
	struct qewd_client *c = find(m->to, m->sid);
	struct place gone = { .part = m->to->others->own };
	struct call *call;

	if (c == NULL) {
		memcpy(gone.sid, m->sid, sizeof(gone.sid));
		if (m->is_source)
			tell(m->to, &m->from, ROAM_GONE, &gone, 0);
		return;
	}
	if (m->is_source)
		add_source(c, &(struct source){ m->from, m->n });
	if (m->is_source && c->sio == NULL && !is_forwarding(c))
		roam_tell(c, ROAM_AWAY);
	if ((call = find_asking(c, m->call)) != NULL)
		qewd_client_answer(call, m->is_resumed, m->n);
	send_kept(m);
}

/* ---- what follows ---- */

bool
roam_forward(struct qewd_client *c, const char *text, size_t len)
{
	struct message m = { .kind = TEXT };

	if (!is_forwarding(c))
		return false;
	buf_add(&m.text, text, len);
	pass_on(c, &m);
	return true;
}

/* It leaves nothing that it could come back for: of that, something is missing. */
static void
on_lost(struct message *m)
{
	struct qewd_client *c = find(m->to, m->sid);

	if (c != NULL && is_forwarding(c)) {
		post(m->to, &c->roam->to, m);
		return;
	}
	if (c != NULL && c->sio != NULL)
		sio_session_close(c->sio, ERR_TOO_SLOW, "limits.between_loops");
	if ((c = find(m->to, m->sid)) != NULL) {
		qewd_client_cancel_all(c);
		qewd_client_forget(c);
	}
}

static void
tell_sources(struct qewd_client *c, enum roam_event event, unsigned ways)
{
	struct place own;

	for (unsigned i = 0; c->roam != NULL && i < c->roam->n; i++) {
		own = place_of(c);
		tell(c->front, &c->roam->source[i].at, event, &own, ways);
	}
}

void
roam_tell(struct qewd_client *c, enum roam_event event)
{
	tell_sources(c, event, 0);
}

static void
set_away(struct qewd_client *c, bool is_away)
{
	struct call *call;

	LIST_FOREACH(call, &c->calls, link)
		if (is_away)
			request_away(call->request);
		else
			request_back(call->request);
}

static void look(struct qewd_client *, unsigned ways);

static void
end_forwarding(struct qewd_client *c)
{
	qewd_client_cancel_all(c);
	qewd_client_forget(c);
}

static void
on_event(struct message *m)
{
	struct qewd_client *c = find(m->to, m->sid);

	if (c == NULL || !is_forwarding(c))
		return;
	switch (m->event) {
	case ROAM_AWAY:
		set_away(c, true);
		tell_sources(c, ROAM_AWAY, m->ways);
		break;
	case ROAM_BACK:
		c->roam->to = m->from;	/* it has another socket there */
		set_away(c, false);
		tell_sources(c, ROAM_BACK, m->ways);
		break;
	case ROAM_DROPPED:
		qewd_client_cancel_dropped(c);
		tell_sources(c, ROAM_DROPPED, m->ways);
		look(c, m->ways);
		break;
	case ROAM_GONE:
		end_forwarding(c);
		break;
	}
}

static void
cancel_at_sources(struct qewd_client *c, const char *id, size_t len, unsigned ways)
{
	for (unsigned i = 0; c->roam != NULL && i < c->roam->n; i++) {
		struct message m = { .kind = CANCEL, .ways = ways };

		if (!has_room(c->front, &c->roam->source[i].at, len))
			continue;	/* the request goes on */
		buf_add(&m.text, id, len);
		post(c->front, &c->roam->source[i].at, &m);
	}
}

void
roam_cancel(struct qewd_client *c, const char *id, size_t len)
{
	cancel_at_sources(c, id, len, 0);
}

static void
on_cancel(struct message *m)
{
	struct qewd_client *c = find(m->to, m->sid);
	struct request *r;

	if (c == NULL)
		return;
	if ((r = qewd_client_find(c, NULL, m->text.data, m->text.len)) != NULL)
		request_cancel(r);
	else
		cancel_at_sources(c, m->text.data, m->text.len, m->ways);
}

uint64_t
roam_n_awaited(const struct qewd_client *c)
{
	return n_awaited(c->roam);
}

bool
roam_is_awaited(const struct qewd_client *c)
{
	return n_awaited(c->roam) > 0;
}

static void
look(struct qewd_client *c, unsigned ways)
{
	struct message m = { .kind = DONE, .ways = ways };

	if (!is_forwarding(c) || is_awaited(c))
		return;
	m.from = place_of(c);
	post(c->front, &c->roam->to, &m);
}

void
roam_look(struct qewd_client *c)
{
	look(c, 0);
}

static void
on_done(struct message *m)
{
	struct qewd_client *c = find(m->to, m->sid);

	for (unsigned i = 0; c != NULL && c->roam != NULL && i < c->roam->n; i++)
		if (strcmp(c->roam->source[i].at.sid, m->from.sid) == 0)
			c->roam->source[i].n_awaited = 0;
	if (c != NULL)
		look(c, m->ways);
}

uint64_t
roam_move(struct qewd_client *from, struct qewd_client *to)
{
	struct roam *r = from->roam;
	uint64_t n = n_awaited(r);

	from->roam = NULL;
	for (unsigned i = 0; r != NULL && i < r->n; i++)
		add_source(to, &r->source[i]);
	free(r);
	roam_tell(to, ROAM_BACK);
	return n;
}

void
roam_free(struct qewd_client *c)
{
	if (c->roam == NULL)
		return;
	roam_tell(c, ROAM_GONE);
	free(c->roam);
	c->roam = NULL;
}

/* No question makes one; should there be one all the same, nothing runs in it for ever. */
static void
break_ring(const struct message *m)
{
	struct qewd_client *c = find(m->to, m->sid);

	log_debug_for("sio", m->sid, "what comes for it runs in a ring between loops");
	if (c != NULL && is_forwarding(c))
		end_forwarding(c);
}

static void
take(void *arg)
{
	static void (*const on_kind[])(struct message *) = {
		[ASK] = on_ask, [ANSWER] = on_answer, [TEXT] = on_text, [EVENT] = on_event,
		[CANCEL] = on_cancel, [DONE] = on_done, [LOST] = on_lost,
	};
	struct message *m = arg;

	m->ways++;
	if (m->ways > WAYS_MAX && m->kind != ASK)
		break_ring(m);
	else
		on_kind[m->kind](m);
	for (size_t i = 0; i < m->n_kept; i++)
		buf_free(&m->kept[i]);
	free(m->kept);
	buf_free(&m->text);
	free(m);
}
