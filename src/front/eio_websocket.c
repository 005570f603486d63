/* SPDX-License-Identifier: ISC */
/*
 * One packet is one text message.
 *
 * An upgrade: the client sends "2probe" and gets "3probe", lets its poll and its post
 * finish, and sends "5".  From there on all packets go over the WebSocket, those first
 * that no poll has fetched.  Until then whatever goes wrong ends the WebSocket alone.
 */
#include "front/eio_websocket.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "codec/ws_handshake.h"
#include "conf/conf.h"
#include "front/admission.h"
#include "front/client.h"
#include "front/eio_polling.h"
#include "front/eio_session.h"
#include "front/eio_session_int.h"
#include "front/http_exchange.h"
#include "net/conn.h"
#include "net/loop.h"
#include "net/ws_conn.h"

struct probe {
	struct eio_polling *polling;	/* what it probes for */
	struct timer timer;		/* for the upgrade */
};

struct eio_websocket {
	struct eio_env *env;
	struct ws_conn *ws;		/* NULL: closed */
	struct eio_session *session;	/* whose transport this is; NULL: it probes, or is closed */
	struct probe *probe;		/* NULL: it does not probe */
	struct loop_work release;
	char address[];			/* under which its connection is counted */
};

_Static_assert(sizeof(void *) > 8 || sizeof(struct eio_websocket) <= 56, "each client has one");

static void on_text(struct ws_conn *, const char *, size_t, void *);
static void on_ws_close(struct ws_conn *, enum err, const char *, void *);
static void on_footprint(const void *, struct footprint *);
static bool on_send(void *, const char *, size_t);
static struct buf *on_begin(void *, size_t);
static size_t on_end(void *, char);
static void on_flush(void *);
static void on_send_max(void *, size_t);
static void on_close(void *, enum err, const char *, bool);

static const struct ws_events ws_events = {
	.on_text = on_text,
	.on_close = on_ws_close,
};

const struct eio_transport eio_websocket_transport = {
	.name = "websocket",
	.send = on_send,
	.begin = on_begin,
	.end = on_end,
	.footprint = on_footprint,
	.flush = on_flush,
	.set_send_max = on_send_max,
	.close = on_close,
};

/* Answers 101 and takes the connection; *rest is what came behind the request. */
static struct eio_websocket *
websocket_new(struct eio_env *env, struct http_exchange *e, char **rest, size_t *len)
{
	struct ws_limits limits = { env->conf->limits.message, env->conf->limits.send_queue };
	const char *address = http_exchange_peer(e)->address;
	struct eio_websocket *w = xcalloc(1, sizeof(*w) + strlen(address) + 1);
	struct buf head = { 0 };
	struct conn *conn;

	w->env = env;
	memcpy(w->address, address, strlen(address) + 1);
	ws_handshake_accept(&head, http_exchange_head(e));
	conn = http_exchange_take(e, rest, len);
	conn_send(conn, head.data, head.len);
	buf_free(&head);
	w->ws = ws_conn_new(conn, WS_SERVER, &limits, &ws_events, w);
	return w;
}

static void
feed_rest(struct eio_websocket *w, char *rest, size_t len)
{
	if (w->ws != NULL && len > 0)
		ws_conn_feed(w->ws, rest, len);
}

void
eio_websocket_begin(struct eio_session *s, struct http_exchange *e)
{
	struct eio_websocket *w;
	size_t len;
	char *rest;

	w = websocket_new(eio_session_env(s), e, &rest, &len);
	w->session = s;
	eio_session_begin(s, &eio_websocket_transport, w->ws);
	feed_rest(w, rest, len);
}

/* ---- the upgrade ---- */

static void
on_upgrade_timeout(void *arg)
{
	struct eio_websocket *w = arg;

	ws_conn_close(w->ws, ERR_HANDSHAKE_TIMEOUT, "no upgrade within socketio.upgrade_timeout");
}

void
eio_websocket_probe(struct eio_env *env, struct eio_polling *polling, struct http_exchange *e)
{
	struct eio_websocket *w;
	size_t len;
	char *rest;

	w = websocket_new(env, e, &rest, &len);
	if (polling == NULL || !eio_polling_add_probe(polling, w)) {
		ws_conn_close(w->ws, ERR_REFUSED, "a second WebSocket of a session");
		return;
	}
	w->probe = xcalloc(1, sizeof(*w->probe));
	w->probe->polling = polling;
	loop_timer_set(env->loop, &w->probe->timer, env->conf->socketio.upgrade_timeout_ms,
	    on_upgrade_timeout, w);
	feed_rest(w, rest, len);
}

/* Gives what it probed for; NULL: nothing. */
static struct eio_polling *
end_probe(struct eio_websocket *w)
{
	struct eio_polling *polling = w->probe != NULL ? w->probe->polling : NULL;

	if (w->probe != NULL)
		loop_timer_stop(w->env->loop, &w->probe->timer);
	free(w->probe);
	w->probe = NULL;
	return polling;
}

static void
take_over(struct eio_websocket *w)
{
	struct eio_session *s = eio_polling_hand_over(w->probe->polling);

	if (s == NULL) {
		ws_conn_close(w->ws, ERR_BAD_PACKET, "an upgrade during a post");
		return;
	}
	end_probe(w);
	w->session = s;
	eio_session_move(s, &eio_websocket_transport, w->ws);
}

static void
on_probe_packet(struct eio_websocket *w, const char *data, size_t len)
{
	if (len == 6 && memcmp(data, "2probe", len) == 0) {
		ws_conn_send_text(w->ws, "3probe", 6);
		if (w->probe != NULL)
			eio_polling_drain(w->probe->polling);
	} else if (len == 1 && data[0] == '5') {
		take_over(w);
	} else {
		ws_conn_close(w->ws, ERR_BAD_PACKET, "neither a probe nor an upgrade");
	}
}

void
eio_websocket_abandon(struct eio_websocket *w, enum err why)
{
	end_probe(w);
	ws_conn_close(w->ws, why, NULL);
}

/* ---- the WebSocket ---- */

static void
on_text(struct ws_conn *ws UNUSED, const char *data, size_t len, void *arg)
{
	struct eio_websocket *w = arg;

	if (w->session != NULL)
		eio_session_on_packet(w->session, data, len);
	else if (w->probe != NULL)
		on_probe_packet(w, data, len);
}

static void
on_ws_close(struct ws_conn *ws UNUSED, enum err why, const char *detail, void *arg)
{
	struct eio_websocket *w = arg;
	struct eio_session *s = w->session;
	struct eio_polling *polling = end_probe(w);

	w->ws = NULL;
	w->session = NULL;
	admission_release(w->env->admission, w->address);
	if (polling != NULL) {
		log_debug_for("sio", w->address, "upgrade failed: %s%s%s", err_text(why),
		    detail != NULL ? ": " : "", detail != NULL ? detail : "");
		eio_polling_remove_probe(polling);
	}
	if (s != NULL)
		eio_session_lost(s, why, detail);
	loop_defer(w->env->loop, LOOP_FREE, &w->release, free, w);
}

/* ---- what the session asks of us ---- */

/* The carrier is the WebSocket itself: nothing here is needed for a packet. */
static bool
on_send(void *carrier, const char *data, size_t len)
{
	ws_conn_send_text(carrier, data, len);
	return true;
}

static struct buf *
on_begin(void *carrier, size_t expected)
{
	return ws_conn_begin_text(carrier, expected);
}

static size_t
on_end(void *carrier, char last)
{
	return ws_conn_end_text(carrier, last, SIZE_MAX);
}

static void
on_footprint(const void *carrier, struct footprint *f)
{
	ws_conn_footprint(carrier, f);
}

/* Nothing is ever queued for us. */
static void
on_flush(void *carrier UNUSED)
{
}

static void
on_send_max(void *carrier, size_t max)
{
	ws_conn_set_send_max(carrier, max);
}

/* Whoever closes is told at once, by on_ws_close. */
static void
on_close(void *carrier, enum err why, const char *detail, bool is_orderly UNUSED)
{
	ws_conn_close(carrier, why, detail);
}
