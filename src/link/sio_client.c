/* SPDX-License-Identifier: ISC */
/*
 * States of a client: dialing -> upgrading (HTTP) -> opening (Engine.IO, namespace)
 * -> open -> closed.
 */
#include "link/sio_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/id.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "codec/eio_packet.h"
#include "codec/envelope.h"
#include "codec/sio_packet.h"
#include "codec/ws_handshake.h"
#include "net/conn.h"
#include "net/dial.h"
#include "net/loop.h"
#include "net/tls.h"
#include "net/ws_conn.h"

#define TARGET		 "/socket.io/?EIO=3&transport=websocket"
#define EVENT_HEAD	 "42[\"" ENVELOPE_EVENT "\","
#define HEARTBEAT_MIN_MS 1000	/* what a server announces is clamped to these */
#define HEARTBEAT_MAX_MS 60000
#define KEEP_BYTES	 65536	/* of the buffer that events are built in */

enum client_state { CLIENT_DIALING, CLIENT_UPGRADING, CLIENT_OPENING, CLIENT_OPEN, CLIENT_CLOSED };

static const char *const state_name[] = {
	[CLIENT_DIALING] = "dialing",
	[CLIENT_UPGRADING] = "upgrading",
	[CLIENT_OPENING] = "opening",
	[CLIENT_OPEN] = "open",
	[CLIENT_CLOSED] = "closed",
};

struct sio_client {
	struct loop *loop;
	const struct sio_client_config *config;	/* borrowed */
	const struct sio_client_events *ev;
	void *arg;
	enum client_state state;
	struct dial *dial;		/* while dialing */
	struct conn *conn;		/* while upgrading */
	struct ws_conn *ws;		/* afterwards */
	char key[WS_KEY_LEN + 1];
	struct buf head;		/* of the answer, while upgrading */
	size_t head_scanned;
	struct eio_open open;		/* open.sid is "" until it came */
	struct timer handshake_timer;
	struct timer ping_timer, pong_timer;
	bool is_direct;			/* an event is built in the output of ws ... */
	struct buf event;		/* ... or here, if nobody will get it */
	uint64_t sent;			/* of the end: bytes that were sent, or will be */
	struct loop_work release;
};

_Static_assert(sizeof(void *) > 8 || sizeof(struct sio_client) <= 432, "each link has one");

static void on_dialed(int, enum err, const char *, void *);
static void on_head(struct conn *, char *, size_t, void *);
static void on_conn_close(struct conn *, enum err, void *);
static void on_text(struct ws_conn *, const char *, size_t, void *);
static void on_ws_close(struct ws_conn *, enum err, const char *, void *);
static void on_handshake_timeout(void *);
static void on_ping_due(void *);

static const struct conn_events head_events = {
	.on_read = on_head,
	.on_close = on_conn_close,
};

static const struct ws_events ws_events = {
	.on_text = on_text,
	.on_close = on_ws_close,
};

/* The only place that assigns c->state. */
static void
set_state(struct sio_client *c, enum client_state next)
{
	log_debug("link", "client of %s:%u: %s -> %s", c->config->host, c->config->port,
	    state_name[c->state], state_name[next]);
	c->state = next;
}

struct sio_client *
sio_client_new(struct loop *loop, struct resolver *resolver, const struct sio_client_config *config,
    const struct sio_client_events *ev, void *arg)
{
	struct sio_client *c = xcalloc(1, sizeof(*c));

	c->loop = loop;
	c->config = config;
	c->ev = ev;
	c->arg = arg;
	c->dial = dial_start(loop, resolver, config->host, config->port, config->dial_ms,
	    on_dialed, c);
	return c;
}

static void
release(void *arg)
{
	struct sio_client *c = arg;

	buf_free(&c->head);
	buf_free(&c->event);
	free(c);
}

/* Whatever ended it: tell the owner, once. */
static void
ended(struct sio_client *c, enum err why, const char *detail)
{
	if (c->state == CLIENT_CLOSED)
		return;
	set_state(c, CLIENT_CLOSED);
	loop_timer_stop(c->loop, &c->handshake_timer);
	loop_timer_stop(c->loop, &c->ping_timer);
	loop_timer_stop(c->loop, &c->pong_timer);
	c->ev->on_close(why, detail, c->arg);
	loop_defer(c->loop, LOOP_FREE, &c->release, release, c);
}

void
sio_client_close(struct sio_client *c, enum err why, const char *detail)
{
	switch (c->state) {
	case CLIENT_DIALING:
		dial_cancel(c->dial);
		ended(c, why, detail);
		break;
	case CLIENT_UPGRADING:
		conn_abort(c->conn, why);
		break;
	case CLIENT_OPEN:
		ws_conn_send_text(c->ws, "41", 2);
		/* FALLTHROUGH */
	case CLIENT_OPENING:
		ws_conn_close(c->ws, why, detail);
		break;
	case CLIENT_CLOSED:
		break;
	}
}

/* ---- connecting ---- */

static void
on_dialed(int fd, enum err e, const char *why, void *arg)
{
	struct sio_client *c = arg;
	unsigned char nonce[16];
	struct buf request = { 0 };
	char host[300];

	c->dial = NULL;
	if (fd < 0) {
		ended(c, e, why);
		return;
	}
	set_state(c, CLIENT_UPGRADING);
	c->conn = c->config->tls == NULL ? conn_new(c->loop, fd, &head_events, c) :
	    conn_new_tls(c->loop, fd, tls_connect(c->config->tls), &head_events, c);
	id_random(nonce, sizeof(nonce));
	snprintf(host, sizeof(host), strchr(c->config->host, ':') != NULL ? "[%s]:%u" : "%s:%u",
	    c->config->host, c->config->port);
	ws_handshake_request(&request, host, TARGET, nonce, c->key);
	conn_send(c->conn, request.data, request.len);
	buf_free(&request);
	loop_timer_set(c->loop, &c->handshake_timer, c->config->handshake_ms, on_handshake_timeout,
	    c);
}

static void
on_handshake_timeout(void *arg)
{
	sio_client_close(arg, ERR_HANDSHAKE_TIMEOUT, "no Socket.IO connection within timeouts.handshake");
}

static void
on_conn_close(struct conn *conn, enum err why, void *arg)
{
	struct sio_client *c = arg;

	c->conn = NULL;
	ended(c, why, conn_fault(conn));
}

static void
on_head(struct conn *conn, char *data, size_t len, void *arg)
{
	struct sio_client *c = arg;
	struct ws_limits limits = { c->config->message_max, c->config->send_max };
	struct http_head head;
	const char *why = NULL;
	struct buf rest;
	size_t end;

	buf_add(&c->head, data, len);
	end = http_head_end(c->head.data, c->head.len, &c->head_scanned);
	if (end == 0) {
		if (c->head.len > c->config->head_max)
			conn_abort(conn, ERR_HEAD_TOO_BIG);
		return;
	}
	if (http_parse_response(&head, c->head.data, end) != 0 ||
	    ws_handshake_check_answer(&head, c->key, &why) != 0) {
		log_debug("link", "client of %s:%u: answer refused: %s", c->config->host,
		    c->config->port, why != NULL ? why : head.fault);
		conn_abort(conn, ERR_BAD_HANDSHAKE);
		return;
	}
	rest = c->head;
	c->head = (struct buf){ 0 };
	c->conn = NULL;
	c->ws = ws_conn_new(conn, WS_CLIENT, &limits, &ws_events, c);
	set_state(c, CLIENT_OPENING);
	ws_conn_feed(c->ws, rest.data + end, rest.len - end);
	buf_free(&rest);
}

/* ---- packets ---- */

static uint64_t
clamp(uint64_t ms)
{
	return ms < HEARTBEAT_MIN_MS ? HEARTBEAT_MIN_MS : ms > HEARTBEAT_MAX_MS ? HEARTBEAT_MAX_MS : ms;
}

static void
bad(struct sio_client *c, const char *detail)
{
	sio_client_close(c, ERR_BAD_PACKET, detail);
}

static void
on_engine_open(struct sio_client *c, const struct eio_packet *p)
{
	if (c->open.sid[0] != '\0' || eio_open_decode(&c->open, p->data, p->len) != 0) {
		bad(c, "unusable open packet");
		return;
	}
	loop_timer_set(c->loop, &c->ping_timer, clamp(c->open.ping_interval_ms), on_ping_due, c);
}

/* Nothing reads there: what is queued must not reach it after all, once it is sent elsewhere. */
static void
on_pong_missing(void *arg)
{
	struct sio_client *c = arg;

	if (c->ws != NULL)
		ws_conn_abort(c->ws, ERR_PING_TIMEOUT);
}

static void
on_ping_due(void *arg)
{
	struct sio_client *c = arg;

	ws_conn_send_text(c->ws, "2", 1);
	if (c->state == CLIENT_CLOSED)
		return;
	loop_timer_set(c->loop, &c->pong_timer, clamp(c->open.ping_timeout_ms), on_pong_missing, c);
}

/* Any packet shows that the server lives. */
static void
note_life(struct sio_client *c)
{
	if (!timer_is_set(&c->pong_timer))
		return;
	loop_timer_stop(c->loop, &c->pong_timer);
	loop_timer_set(c->loop, &c->ping_timer, clamp(c->open.ping_interval_ms), on_ping_due, c);
}

static void
on_connected(struct sio_client *c)
{
	if (c->state != CLIENT_OPENING)
		return;
	loop_timer_stop(c->loop, &c->handshake_timer);
	set_state(c, CLIENT_OPEN);
	c->ev->on_open(c->open.sid, c->arg);
}

static void
on_sio_event(struct sio_client *c, const struct sio_packet *p)
{
	struct envelope env;

	if (c->state != CLIENT_OPEN)
		return;
	if (envelope_scan_event(&env, p->json, p->json_len, c->config->depth_max) != 0) {
		sio_client_close(c, ERR_BAD_JSON, env.fault);
		return;
	}
	if (json_string_is(env.text, env.event, ENVELOPE_EVENT) && env.arg.kind == JSON_OBJECT)
		c->ev->on_event(&env, c->arg);
}

static void
on_sio_packet(struct sio_client *c, const struct eio_packet *eio)
{
	struct sio_packet p;

	if (c->open.sid[0] == '\0' || sio_packet_decode(&p, eio->data, eio->len) != 0) {
		bad(c, "malformed Socket.IO packet");
		return;
	}
	if (!sio_packet_is_root(&p))
		return;
	switch (p.type) {
	case SIO_CONNECT:
		on_connected(c);
		break;
	case SIO_EVENT:
		on_sio_event(c, &p);
		break;
	case SIO_DISCONNECT:
		sio_client_close(c, ERR_PEER_LEFT, "server disconnected the namespace");
		break;
	case SIO_ERROR:
		sio_client_close(c, ERR_NOT_ALLOWED, "server refused the namespace");
		break;
	case SIO_ACK:
		break;
	case SIO_BINARY_EVENT:
	case SIO_BINARY_ACK:
		sio_client_close(c, ERR_BINARY, NULL);
		break;
	}
}

static void
on_text(struct ws_conn *ws UNUSED, const char *data, size_t len, void *arg)
{
	struct sio_client *c = arg;
	struct eio_packet p;

	if (eio_packet_decode(&p, data, len) != 0) {
		bad(c, "malformed Engine.IO packet");
		return;
	}
	note_life(c);
	switch (p.type) {
	case EIO_OPEN:
		on_engine_open(c, &p);
		break;
	case EIO_MESSAGE:
		on_sio_packet(c, &p);
		break;
	case EIO_CLOSE:
		sio_client_close(c, ERR_PEER_LEFT, NULL);
		break;
	case EIO_PING:	/* the server's side of revision 4; harmless */
	case EIO_PONG:
	case EIO_UPGRADE:
	case EIO_NOOP:
		break;
	}
}

static void
on_ws_close(struct ws_conn *ws, enum err why, const char *detail, void *arg)
{
	struct sio_client *c = arg;

	c->sent = ws_conn_sent(ws);
	c->ws = NULL;
	ended(c, why, detail);
}

/* ---- sending ---- */

uint64_t
sio_client_position(const struct sio_client *c)
{
	return c->ws != NULL ? ws_conn_position(c->ws) : c->sent;
}

uint64_t
sio_client_sent(const struct sio_client *c)
{
	return c->ws != NULL ? ws_conn_sent(c->ws) : c->sent;
}

struct buf *
sio_client_begin(struct sio_client *c, size_t expected)
{
	struct buf *b = NULL;

	if (c->state == CLIENT_OPEN)
		b = ws_conn_begin_text(c->ws, sizeof(EVENT_HEAD) + expected);
	c->is_direct = b != NULL;
	if (b == NULL) {	/* it goes nowhere */
		b = &c->event;
		buf_reset(b, KEEP_BYTES);
	}
	buf_add_str(b, EVENT_HEAD);
	return b;
}

bool
sio_client_end(struct sio_client *c, size_t max)
{
	if (c->is_direct)
		return ws_conn_end_text(c->ws, ']', max) <= max;
	return c->event.len < max;
}
