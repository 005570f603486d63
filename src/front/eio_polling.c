/* SPDX-License-Identifier: ISC */
/*
 * Polls and posts of a session.
 *
 * Packets gather in the session's queue; at the end of the loop's turn the poll that
 * waits gets all of them.  A session that has ended while no poll was there is kept
 * for a while, so that the next one hears of it.
 */
#include "front/eio_polling.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "codec/eio_payload.h"
#include "front/client.h"
#include "front/eio_answer.h"
#include "front/eio_session.h"
#include "front/eio_session_int.h"
#include "front/eio_websocket.h"
#include "front/http_exchange.h"
#include "net/loop.h"

#define LEAVE_MS	30000	/* for the client to come and hear that its session has ended */
#define NOOP_MS		50	/* a client that probes gets a poll without packets back */

/* Types of packets without data. */
#define CLOSE		"1"
#define NOOP		"6"

struct eio_polling {
	struct eio_session *session;
	struct loop *loop;
	struct http_exchange *poll;	/* waits for packets; NULL: none does */
	struct http_exchange *post;	/* its body is on its way; NULL: none is */
	struct eio_websocket *probe;	/* may take over; NULL: none */
	bool is_draining;		/* the probe has succeeded */
	bool is_leaving;		/* the session has ended, the next poll hears of it */
	bool is_over;			/* nothing is said any more; a post may be on its way */
	struct timer timer;		/* of the drained poll; leaving: we forget it */
	struct loop_work flush, release;
};

static void flush_later(struct eio_polling *);
static void on_poll_gone(void *);
static void on_post_gone(void *);
static bool on_send(void *, const char *, size_t);
static void on_flush(void *);
static void on_send_max(void *, size_t);
static bool hands_out(const void *, bool);
static void on_close(void *, enum err, const char *, bool);

const struct eio_transport eio_polling_transport = {
	.name = "polling",
	.send = on_send,
	.flush = on_flush,
	.set_send_max = on_send_max,
	.hands_out = hands_out,
	.close = on_close,
};

void
eio_polling_begin(struct eio_session *s, struct http_exchange *e)
{
	struct eio_polling *p = xcalloc(1, sizeof(*p));

	p->session = s;
	p->loop = eio_session_env(s)->loop;
	p->poll = e;
	eio_session_begin(s, &eio_polling_transport, p);
	on_flush(p);
}

bool
eio_polling_is_open(const struct eio_polling *p)
{
	return !p->is_over && (!eio_session_has_ended(p->session) || p->is_leaving);
}

/* ---- leaving ---- */

static void
release(void *arg)
{
	struct eio_polling *p = arg;

	/* Put off and released in the same turn: the flush comes in the next one. */
	if (loop_work_is_waiting(&p->flush))
		loop_defer(p->loop, LOOP_FREE, &p->release, release, p);
	else
		free(p);
}

/* There is nothing more to say.  A post on its way still has us in its hands. */
static void
leave(struct eio_polling *p)
{
	loop_timer_stop(p->loop, &p->timer);
	p->is_leaving = false;
	p->is_over = true;
	if (p->post != NULL)
		return;
	eio_session_gone(p->session);
	loop_defer(p->loop, LOOP_FREE, &p->release, release, p);
}

static void
on_leave_timeout(void *arg)
{
	leave(arg);
}

void
eio_polling_abandon(struct eio_polling *p)
{
	if (p->is_leaving)
		leave(p);
}

/* ---- polls ---- */

static void
answer_with(struct eio_polling *p, struct buf *payload)
{
	struct http_exchange *e = p->poll;

	p->poll = NULL;
	if (!p->is_leaving)
		loop_timer_stop(p->loop, &p->timer);
	eio_answer_payload(e, p->session, payload->data, payload->len);
	buf_free(payload);
}

/* The poll that waits gets what is queued, and packets without data: their types. */
static void
answer_poll(struct eio_polling *p, const char *types)
{
	struct buf payload = { 0 };

	eio_session_take_queue(p->session, &payload);
	for (; *types != '\0'; types++)
		eio_payload_add(&payload, eio_session_revision(p->session), types, 1);
	answer_with(p, &payload);
}

/* A poll without packets is ended by one that says nothing; no answer is ever empty. */
static void
release_poll(struct eio_polling *p)
{
	answer_poll(p, eio_session_has_queue(p->session) ? "" : NOOP);
}

static void
on_drained_poll(void *arg)
{
	struct eio_polling *p = arg;

	release_poll(p);
}

void
eio_polling_get(struct eio_polling *p, struct http_exchange *e)
{
	if (p->poll != NULL) {
		eio_answer_refusal(e, &eio_bad_request, false);
		eio_session_end(p->session, ERR_BAD_PACKET, "two polls at a time");
		return;
	}
	p->poll = e;
	if (p->is_leaving) {
		/* Stock has a noop before it where nothing else is. */
		answer_poll(p, eio_session_has_queue(p->session) ? CLOSE : NOOP CLOSE);
		leave(p);
	} else if (eio_session_has_queue(p->session)) {
		answer_poll(p, "");
	} else {
		http_exchange_wait(e, on_poll_gone, p);
		if (p->is_draining)
			loop_timer_set(p->loop, &p->timer, NOOP_MS, on_drained_poll, p);
	}
}

/* What it should have carried, and what the client has not heard of, cannot be told apart. */
static void
on_poll_gone(void *arg)
{
	struct eio_polling *p = arg;

	p->poll = NULL;
	eio_session_end(p->session, ERR_PEER_GONE, "under a poll");
}

static void
flush(void *arg)
{
	struct eio_polling *p = arg;

	if (!p->is_over)
		on_flush(p);
}

/* Whatever else this turn brings goes into the same answer. */
static void
flush_later(struct eio_polling *p)
{
	if (p->poll != NULL)
		loop_defer(p->loop, LOOP_FLUSH, &p->flush, flush, p);
}

/* ---- posts ---- */

static bool
is_octets(const struct http_exchange *e)
{
	const struct http_text *type = http_find(http_exchange_head(e), "Content-Type", NULL);
	struct http_text name;

	if (type == NULL)
		return false;
	name = *type;
	for (name.len = 0; name.len < type->len && type->p[name.len] != ';' &&
	    type->p[name.len] != ' '; name.len++)
		;
	return http_text_is(name, "application/octet-stream");
}

static enum eio_form
form_of(const struct eio_polling *p, const struct http_exchange *e)
{
	if (eio_session_revision(p->session) == 4)
		return EIO_TEXT_4;
	return is_octets(e) ? EIO_BINARY_3 : EIO_TEXT_3;
}

size_t
eio_polling_post_head(struct eio_polling *p, struct http_exchange *e)
{
	size_t max = eio_session_env(p->session)->conf->limits.message;
	const char *wrong = NULL;

	if (p->post != NULL)
		wrong = "two posts at a time";
	else if (eio_session_revision(p->session) == 4 && is_octets(e))
		wrong = "a post of octets in revision 4";
	if (wrong != NULL) {
		eio_answer_refusal(e, &eio_bad_request, true);
		eio_session_end(p->session, ERR_BAD_PACKET, wrong);
		return 0;
	}
	/* The session goes on, as with stock. */
	if (http_exchange_head(e)->content_length > (int64_t)max) {
		eio_answer_too_big(e);
		return 0;
	}
	p->post = e;
	http_exchange_wait(e, on_post_gone, p);
	return max;
}

/* Part of it may be lost, unless it was too long: then all of it is, and the client knows. */
void
eio_polling_refuse_post(struct eio_polling *p, struct http_exchange *e, int status)
{
	static const struct eio_refusal slow = {
		408, NULL, "{\"code\":3,\"message\":\"the body took too long\"}"
	};

	p->post = NULL;
	if (status == 413)
		eio_answer_too_big(e);
	else
		eio_answer_refusal(e, status == 408 ? &slow : &eio_bad_request, true);
	if (p->is_over)
		leave(p);
	else if (status != 413)
		eio_session_end(p->session, ERR_BAD_HTTP, "in a post");
}

/* It broke off in its body. */
static void
on_post_gone(void *arg)
{
	struct eio_polling *p = arg;

	p->post = NULL;
	if (p->is_over)
		leave(p);
	else
		eio_session_end(p->session, ERR_PEER_GONE, "in a post");
}

void
eio_polling_post(struct eio_polling *p, struct http_exchange *e)
{
	const char *body, *packet;
	struct eio_payload pl;
	size_t len;

	if (p->is_over) {
		p->post = NULL;
		eio_answer_refusal(e, &eio_session_unknown, false);
		leave(p);
		return;
	}
	body = http_exchange_body(e, &len);
	eio_payload_init(&pl, form_of(p, e), body, len);
	while (!eio_session_has_ended(p->session) && eio_payload_next(&pl, &packet, &len))
		eio_session_on_packet(p->session, packet, len);
	/* What was wrong is told by the end of the session, not by this answer: as stock. */
	if (pl.err != ERR_NONE)
		eio_session_end(p->session, pl.err, pl.fault);
	p->post = NULL;
	eio_answer_ok(e, p->session);
	if (p->is_over)
		leave(p);
}

/* ---- a WebSocket that probes ---- */

bool
eio_polling_add_probe(struct eio_polling *p, struct eio_websocket *probe)
{
	if (p->probe != NULL)
		return false;
	p->probe = probe;
	return true;
}

void
eio_polling_drain(struct eio_polling *p)
{
	p->is_draining = true;
	if (p->poll != NULL)
		release_poll(p);
}

void
eio_polling_remove_probe(struct eio_polling *p)
{
	p->probe = NULL;
	p->is_draining = false;
	if (!p->is_leaving)
		loop_timer_stop(p->loop, &p->timer);
}

struct eio_session *
eio_polling_hand_over(struct eio_polling *p)
{
	struct buf payload = { 0 };

	if (p->post != NULL)
		return NULL;
	p->probe = NULL;
	p->is_over = true;
	loop_timer_stop(p->loop, &p->timer);
	/* A client has none open now.  If it has, it gets nothing of the queue by it. */
	if (p->poll != NULL) {
		eio_payload_add(&payload, eio_session_revision(p->session), NOOP, 1);
		answer_with(p, &payload);
	}
	loop_defer(p->loop, LOOP_FREE, &p->release, release, p);
	return p->session;
}

/* ---- what the session asks of us ---- */

static bool
on_send(void *carrier, const char *data UNUSED, size_t len UNUSED)
{
	flush_later(carrier);
	return false;
}

static void
on_flush(void *carrier)
{
	struct eio_polling *p = carrier;

	if (p->poll != NULL && eio_session_has_queue(p->session))
		answer_poll(p, "");
}

/* The queue is the session's, and one answer has all of it. */
static void
on_send_max(void *carrier UNUSED, size_t max UNUSED)
{
}

static bool
hands_out(const void *carrier, bool is_orderly)
{
	const struct eio_polling *p = carrier;

	return p->poll != NULL || is_orderly;
}

static void
on_close(void *carrier, enum err why, const char *detail UNUSED, bool is_orderly)
{
	struct eio_polling *p = carrier;
	struct eio_websocket *probe = p->probe;

	p->probe = NULL;
	p->is_draining = false;
	loop_timer_stop(p->loop, &p->timer);
	if (probe != NULL)
		eio_websocket_abandon(probe, why);
	if (p->poll != NULL) {
		if (why == ERR_PEER_LEFT)
			release_poll(p);
		else
			answer_poll(p, CLOSE);
		leave(p);
	} else if (is_orderly) {
		p->is_leaving = true;
		loop_timer_set(p->loop, &p->timer, LEAVE_MS, on_leave_timeout, p);
	} else {
		leave(p);
	}
}
