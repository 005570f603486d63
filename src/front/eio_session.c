/* SPDX-License-Identifier: ISC */
/*
 * Accepting a session, its packets and its heart-beat.
 *
 * Revision 3: the client pings, silence for ping_interval + ping_timeout ends it.
 * Revision 4: the server pings, a missing pong ends it.
 */
#include "front/eio_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/ratelimit.h"
#include "base/xmalloc.h"
#include "codec/eio_packet.h"
#include "codec/ws_handshake.h"
#include "front/admission.h"
#include "front/client.h"
#include "front/origin_check.h"
#include "net/conn.h"
#include "net/loop.h"
#include "net/ws_conn.h"

#define TRUSTED_REPLIES 4	/* largest replies that may wait for a node to read them */
#define REFUSED_MAX	100	/* packets over its rate in a row that any client may send */

struct eio_session {
	struct eio_env *env;
	struct client client;
	int revision;
	char sid[ID_SID_LEN + 1];
	struct ws_conn *ws;		/* NULL: closed */
	const struct eio_events *ev;
	void *arg;
	struct timer ping_timer;	/* revision 4: the next ping is due */
	struct timer silence_timer;	/* the client is gone if it says nothing until then */
	bool is_trusted;		/* a node that proved to be one */
	struct ratelimit messages, bytes;
	uint64_t n_refused;		/* packets over the rate in a row */
	uint64_t heard_ms;		/* when the last packet came */
	uint64_t begun_ms;
	uint64_t n_in, n_out, bytes_in, bytes_out;	/* packets, for the log */
	struct loop_work release;
};

static void on_text(struct ws_conn *, const char *, size_t, void *);
static void on_ws_close(struct ws_conn *, enum err, const char *, void *);
static void on_ping_due(void *);
static void on_silence(void *);

static const struct ws_events ws_events = {
	.on_text = on_text,
	.on_close = on_ws_close,
};

/* ---- accepting ---- */

static const struct eio_refusal
	transport_unknown = { 400, "", "{\"code\":0,\"message\":\"Transport unknown\"}" },
	session_unknown = { 400, "", "{\"code\":1,\"message\":\"Session ID unknown\"}" },
	bad_method = { 400, "", "{\"code\":2,\"message\":\"Bad handshake method\"}" },
	bad_request = { 400, "", "{\"code\":3,\"message\":\"Bad request\"}" },
	bad_version = { 426, "Sec-WebSocket-Version: 13\r\n",
	    "{\"code\":3,\"message\":\"Bad request\"}" },
	forbidden = { 403, "", "{\"code\":4,\"message\":\"Forbidden\"}" },
	unsupported = { 400, "", "{\"code\":5,\"message\":\"Unsupported protocol version\"}" },
	draining = { 503, "", "{\"code\":4,\"message\":\"node is draining\"}" };

static bool
origin_is_clean(const struct http_head *head)
{
	const struct http_text *origin = http_find(head, "Origin", NULL);

	for (size_t i = 0; origin != NULL && i < origin->len; i++)
		if ((unsigned char)origin->p[i] <= 0x20 || (unsigned char)origin->p[i] >= 0x7f)
			return false;
	return true;
}

/* Only the page's own origin and listed ones; browsers do not come in where nodes do. */
static bool
origin_is_allowed(struct eio_env *env, const struct client *client, const struct http_head *head)
{
	const struct http_text *origin = http_find(head, "Origin", NULL);
	const struct http_text *host = http_find(head, "Host", NULL);
	const struct conf_listener *l = client->listener;
	static struct log_limit limit;

	if (origin == NULL)
		return true;
	if (l->audience != CONF_FOR_NODES &&
	    origin_check(*origin, host, l->origins, l->n_origins))
		return true;
	metrics_inc(loop_metrics(env->loop), METRIC_ORIGINS_REFUSED);
	if (!log_allows(&limit))
		return false;
	log_warnx_for(client->label, "refused: Origin %.*s with Host %.*s; %s of %s",
	    (int)origin->len, origin->p, host != NULL ? (int)host->len : 0,
	    host != NULL ? host->p : "", l->audience == CONF_FOR_NODES ?
	    "browsers are not served: \"for: nodes\"" : "it is not in \"origins\"", l->address);
	return false;
}

/* In the order of the reference, section 2.2. */
static const struct eio_refusal *
check(struct eio_env *env, const struct client *client, const struct http_head *head,
    int *revision)
{
	char transport[16], sid[EIO_SID_MAX + 1], eio[8];
	const char *why;
	int status;

	if (!http_query_get(head->query, "transport", transport, sizeof(transport)) ||
	    strcmp(transport, "websocket") != 0)
		return &transport_unknown;
	if (!origin_is_clean(head))
		return &bad_request;
	if (http_query_get(head->query, "sid", sid, sizeof(sid)) && sid[0] != '\0')
		return &session_unknown;
	if (!http_text_is(head->method, "GET"))
		return &bad_method;
	if (ws_handshake_check(head, &status, &why) != 0) {
		log_debug_for("http", client->label, "upgrade refused: %s", why);
		return status == 426 ? &bad_version : &bad_request;
	}
	if (env->is_draining)
		return &draining;
	if (!origin_is_allowed(env, client, head))
		return &forbidden;
	if (!http_query_get(head->query, "EIO", eio, sizeof(eio)) ||
	    (strcmp(eio, "3") != 0 && strcmp(eio, "4") != 0))
		return &unsupported;
	*revision = eio[0] - '0';
	return NULL;
}

static void
send_open(struct eio_session *s)
{
	const struct conf *conf = s->env->conf;
	struct eio_open open = {
		.ping_interval_ms = conf->socketio.ping_interval_ms,
		.ping_timeout_ms = conf->socketio.ping_timeout_ms,
	};
	struct buf b = { 0 };

	memcpy(open.sid, s->sid, sizeof(s->sid));
	eio_open_encode(&b, s->revision, &open, conf->limits.message);
	eio_session_send(s, b.data, b.len);
	buf_free(&b);
}

static uint64_t
silence_max_ms(const struct eio_session *s)
{
	return s->env->conf->socketio.ping_interval_ms + s->env->conf->socketio.ping_timeout_ms;
}

bool
eio_accept(struct eio_env *env, const struct client *client, const struct http_head *head,
    struct conn *conn, char *rest, size_t len, struct eio_refusal *refusal)
{
	struct ws_limits limits = { env->conf->limits.message, env->conf->limits.send_queue };
	const struct eio_refusal *no;
	struct eio_session *s;
	int revision;

	if ((no = check(env, client, head, &revision)) != NULL) {
		*refusal = *no;
		return false;
	}
	s = xcalloc(1, sizeof(*s));
	s->env = env;
	s->client = *client;
	s->revision = revision;
	id_sid(s->sid);
	ws_handshake_accept(conn_out(conn), head);
	conn_touch(conn);
	s->ws = ws_conn_new(conn, WS_SERVER, &limits, &ws_events, s);
	s->begun_ms = s->heard_ms = clock_mono_ms();
	loop_timer_set(env->loop, &s->silence_timer, silence_max_ms(s), on_silence, s);
	if (revision == 4)
		loop_timer_set(env->loop, &s->ping_timer, env->conf->socketio.ping_interval_ms,
		    on_ping_due, s);
	metrics_inc(loop_metrics(env->loop), METRIC_SESSIONS);
	send_open(s);
	env->on_session(s, env->arg);
	if (s->ws != NULL)
		ws_conn_feed(s->ws, rest, len);
	return true;
}

void
eio_session_attach(struct eio_session *s, const struct eio_events *ev, void *arg)
{
	s->ev = ev;
	s->arg = arg;
}

/* ---- heart-beat ---- */

static void
on_ping_due(void *arg)
{
	struct eio_session *s = arg;

	eio_session_send(s, "2", 1);
	if (s->ws == NULL)
		return;
	/* Its pong sets the clock anew; without one it is gone. */
	loop_timer_set(s->env->loop, &s->silence_timer, s->env->conf->socketio.ping_timeout_ms,
	    on_silence, s);
}

/* The timer is not moved with every packet: it looks when the last one came. */
static void
on_silence(void *arg)
{
	struct eio_session *s = arg;
	uint64_t silent_ms = clock_mono_ms() - s->heard_ms, max_ms = silence_max_ms(s);

	if (s->revision == 3 && silent_ms < max_ms)
		loop_timer_set(s->env->loop, &s->silence_timer, max_ms - silent_ms, on_silence, s);
	else
		eio_session_close(s, ERR_PING_TIMEOUT, NULL);
}

static void
on_ping(struct eio_session *s)
{
	if (s->revision == 3)
		eio_session_send(s, "3", 1);
	else
		eio_session_close(s, ERR_BAD_PACKET, "a ping from a client of revision 4");
}

static void
on_pong(struct eio_session *s)
{
	if (s->revision == 3)
		return;
	loop_timer_set(s->env->loop, &s->silence_timer, silence_max_ms(s), on_silence, s);
	loop_timer_set(s->env->loop, &s->ping_timer, s->env->conf->socketio.ping_interval_ms,
	    on_ping_due, s);
}

/* ---- packets ---- */

/* Every packet costs, whatever is in it. */
static void
count_rate(struct eio_session *s, size_t bytes)
{
	const struct conf_limits *limits = &s->env->conf->limits;
	uint64_t now_ms = s->heard_ms;

	if (s->is_trusted || s->client.listener->audience == CONF_FOR_NODES ||
	    (ratelimit_take(&s->messages, limits->messages_per_second, 1, now_ms) &&
	    ratelimit_take(&s->bytes, limits->bytes_per_second, bytes, now_ms)))
		s->n_refused = 0;
	else
		s->n_refused++;
}

/* A burst is told so; who goes on as if nothing had been said is shut out. */
static bool
is_flooding(const struct eio_session *s)
{
	return s->n_refused > REFUSED_MAX &&
	    s->n_refused > s->env->conf->limits.messages_per_second;
}

static void
on_text(struct ws_conn *ws UNUSED, const char *data, size_t len, void *arg)
{
	struct eio_session *s = arg;
	struct eio_packet p;

	if (eio_packet_decode(&p, data, len) != 0) {
		eio_session_close(s, ERR_BAD_PACKET, "malformed Engine.IO packet");
		return;
	}
	s->heard_ms = clock_mono_ms();
	s->n_in++;
	s->bytes_in += len;
	count_rate(s, len);
	if (is_flooding(s)) {
		eio_session_close(s, ERR_TOO_MANY, "limits.messages_per_second or "
		    "limits.bytes_per_second");
		return;
	}
	switch (p.type) {
	case EIO_MESSAGE:
		s->ev->on_message(p.data, p.len, s->arg);
		break;
	case EIO_PING:
		on_ping(s);
		break;
	case EIO_PONG:
		on_pong(s);
		break;
	case EIO_CLOSE:
		eio_session_close(s, ERR_PEER_LEFT, NULL);
		break;
	case EIO_OPEN:
		eio_session_close(s, ERR_BAD_PACKET, "an open packet from a client");
		break;
	case EIO_UPGRADE:
	case EIO_NOOP:
		break;
	}
}

void
eio_session_send(struct eio_session *s, const char *data, size_t len)
{
	if (s->ws == NULL)
		return;
	s->n_out++;
	s->bytes_out += len;
	ws_conn_send_text(s->ws, data, len);
}

void
eio_session_close(struct eio_session *s, enum err why, const char *detail)
{
	if (s->ws != NULL)
		ws_conn_close(s->ws, why, detail);
}

static void
release(void *arg)
{
	free(arg);
}

/* One line for a session: at info where the client was at fault. */
static void
log_end(const struct eio_session *s, enum err why, const char *detail)
{
	static struct log_limit limit;
	bool is_fault = err_is_fault(why);

	if (is_fault ? !log_allows(&limit) : !log_shows_area("sio"))
		return;
	log_msg(is_fault ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, is_fault ? NULL : "sio",
	    s->client.label, 0, "closed: %s%s%s; %llu ms, packets in %llu (%llu bytes), out %llu "
	    "(%llu bytes)", err_text(why), detail != NULL ? ": " : "", detail != NULL ? detail : "",
	    (unsigned long long)(clock_mono_ms() - s->begun_ms), (unsigned long long)s->n_in,
	    (unsigned long long)s->bytes_in, (unsigned long long)s->n_out,
	    (unsigned long long)s->bytes_out);
}

static void
on_ws_close(struct ws_conn *ws UNUSED, enum err why, const char *detail, void *arg)
{
	struct eio_session *s = arg;
	struct loop *loop = s->env->loop;

	s->ws = NULL;
	loop_timer_stop(loop, &s->ping_timer);
	loop_timer_stop(loop, &s->silence_timer);
	admission_release(s->env->admission, s->client.address);
	if (err_is_fault(why))
		metrics_inc(loop_metrics(loop), METRIC_SESSIONS_FAULTY);
	log_end(s, why, detail);
	if (s->ev != NULL)
		s->ev->on_close(why, s->arg);
	loop_defer(loop, LOOP_FREE, &s->release, release, s);
}

int
eio_session_revision(const struct eio_session *s)
{
	return s->revision;
}

const char *
eio_session_sid(const struct eio_session *s)
{
	return s->sid;
}

const struct client *
eio_session_client(const struct eio_session *s)
{
	return &s->client;
}

bool
eio_session_is_over_rate(const struct eio_session *s)
{
	return s->n_refused > 0;
}

void
eio_session_trust(struct eio_session *s)
{
	const struct conf_limits *limits = &s->env->conf->limits;

	s->is_trusted = true;
	if (s->ws != NULL)
		ws_conn_set_send_max(s->ws, limits->send_queue + TRUSTED_REPLIES * limits->reply);
}

bool
eio_session_is_trusted(const struct eio_session *s)
{
	return s->is_trusted;
}
