/* SPDX-License-Identifier: ISC */
/*
 * A session's packets, its heart-beat, its queue and its end.
 *
 * Revision 3: the client pings, silence for ping_interval + ping_timeout ends it.
 * Revision 4: the server pings, a missing pong ends it.
 */
#include "front/eio_session.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/footprint.h"
#include "base/id.h"
#include "base/log.h"
#include "base/ratelimit.h"
#include "base/strmap.h"
#include "base/xmalloc.h"
#include "codec/eio_packet.h"
#include "codec/eio_payload.h"
#include "front/address_rates.h"
#include "front/admission.h"
#include "front/client.h"
#include "front/eio_session_int.h"
#include "net/loop.h"
#include "token/revoked.h"

#define TRUSTED_REPLIES 4	/* largest replies that may wait for a node to read them */
#define REFUSED_MAX	100	/* packets over its rate that any client may send in a minute */

/*
 * Each idle client has one: small fields stand together.  First what each packet needs: of
 * thousands of clients nothing is in the processor's caches when one of them says something.
 */
struct eio_session {
	struct eio_env *env;
	const struct eio_transport *transport;	/* NULL: it has ended by itself */
	void *carrier;				/* its object; owns itself */
	const struct eio_events *ev;
	void *arg;
	uint8_t revision;
	bool has_ended;
	bool is_handed_out;		/* it has, and its client is still given the queue */
	bool is_full;			/* the queue was: it ends when nobody is up the stack */
	bool is_trusted;		/* a node that proved to be one */
	bool is_over_rate;		/* its last packet was */
	char sid[ID_SID_LEN + 1];
	struct ratelimit messages, bytes;
	uint64_t heard_ms;		/* when the last packet came */
	uint64_t n_in, n_out, bytes_in, bytes_out;	/* packets, for the log */
	struct revoked_mark mark;

	struct buf queue;		/* packets that wait: each its size_t of length, its bytes */
	/*
	 * Revision 3: the client is gone if it has said nothing until then; 4: the next ping is due,
	 * or its pong.  Full: it ends.
	 */
	struct timer timer;
	struct refusals refusals;	/* packets over the rate */
	uint64_t ping_interval_ms, ping_timeout_ms;	/* as its client was told */
	uint64_t begun_ms;
	char *bearer;			/* NULL: none came, or nobody asks for it */
	struct loop_work release;
	struct client client;		/* last, and only client_size() of it */
};

_Static_assert(sizeof(void *) > 8 || offsetof(struct eio_session, client) <= 312,
    "each client has one");

static void on_silence(void *);
static void ping_when_due(struct eio_session *);
static void send_queue(struct eio_session *);
static size_t queue_max(const struct eio_session *);

/* ---- beginning ---- */

static uint64_t
silence_max_ms(const struct eio_session *s)
{
	return s->ping_interval_ms + s->ping_timeout_ms;
}

struct eio_session *
eio_session_new(struct eio_env *env, const struct client *client, int revision)
{
	size_t client_len = client_size(client);
	struct eio_session *s = xcalloc(1, offsetof(struct eio_session, client) + client_len);

	s->env = env;
	memcpy(&s->client, client, client_len);
	s->revision = (uint8_t)revision;
	s->ping_interval_ms = env->conf->socketio.ping_interval_ms;
	s->ping_timeout_ms = env->conf->socketio.ping_timeout_ms;
	s->begun_ms = s->heard_ms = clock_mono_ms();
	if (env->parts != NULL)
		id_sid_in(s->sid, env->parts, env->part);
	else
		id_sid(s->sid);
	atomic_fetch_add_explicit(loop_load(env->loop), 1, memory_order_relaxed);
	*strmap_at(env->sessions, s->sid, ID_SID_LEN) = s;
	return s;
}

void
eio_session_keep_bearer(struct eio_session *s, struct http_text token)
{
	s->bearer = xstrndup(token.p, token.len);
}

static void
send_open(struct eio_session *s, bool can_upgrade)
{
	struct eio_open open = {
		.ping_interval_ms = s->ping_interval_ms,
		.ping_timeout_ms = s->ping_timeout_ms,
		.can_upgrade = can_upgrade,
	};
	struct buf b = { 0 };

	memcpy(open.sid, s->sid, sizeof(s->sid));
	eio_open_encode(&b, s->revision, &open, s->env->conf->limits.message);
	eio_session_send(s, b.data, b.len);
	buf_free(&b);
}

void
eio_session_begin(struct eio_session *s, const struct eio_transport *transport, void *carrier)
{
	struct eio_env *env = s->env;

	s->transport = transport;
	s->carrier = carrier;
	if (s->revision == 3)
		loop_timer_set_about(env->loop, &s->timer, silence_max_ms(s), on_silence, s);
	else
		ping_when_due(s);
	metrics_inc(loop_metrics(env->loop), METRIC_SESSIONS);
	send_open(s, strcmp(transport->name, "polling") == 0);
	env->on_session(s, env->arg);
}

void
eio_session_attach(struct eio_session *s, const struct eio_events *ev, void *arg)
{
	s->ev = ev;
	s->arg = arg;
}

void
eio_session_move(struct eio_session *s, const struct eio_transport *transport, void *carrier)
{
	log_debug_for("sio", s->client.label, "%s -> %s", s->transport->name, transport->name);
	s->transport = transport;
	s->carrier = carrier;
	transport->set_send_max(carrier, queue_max(s));
	send_queue(s);
}

void
eio_session_describe(const struct eio_session *s, struct eio_session_info *info)
{
	*info = (struct eio_session_info){
		.sid = s->sid,
		.address = s->client.address,
		.transport = s->transport != NULL ? s->transport->name : "none",
		.revision = s->revision,
		.begun_ms = s->begun_ms,
		.age_ms = clock_mono_ms() - s->begun_ms,
		.bytes_in = s->bytes_in,
		.bytes_out = s->bytes_out,
	};
}

/* ---- heart-beat: nobody needs it to the millisecond, and a crowd's costs less together ---- */

static void
on_ping_due(void *arg)
{
	struct eio_session *s = arg;

	eio_session_send(s, "2", 1);
	if (s->has_ended || s->is_full)
		return;
	/* Its pong sets the clock anew; without one it is gone. */
	loop_timer_set_about(s->env->loop, &s->timer, s->ping_timeout_ms, on_silence, s);
}

/* Up to a 256th before the client expects it, and never after that. */
static void
ping_when_due(struct eio_session *s)
{
	uint64_t after_ms = s->ping_interval_ms - s->ping_interval_ms / 256;

	loop_timer_set_about(s->env->loop, &s->timer, after_ms, on_ping_due, s);
}

/* The timer is not moved with every packet: it looks when the last one came. */
static void
on_silence(void *arg)
{
	struct eio_session *s = arg;
	uint64_t silent_ms = clock_mono_ms() - s->heard_ms, max_ms = silence_max_ms(s);

	if (s->revision == 3 && silent_ms < max_ms)
		loop_timer_set_about(s->env->loop, &s->timer, max_ms - silent_ms, on_silence, s);
	else
		eio_session_end(s, ERR_PING_TIMEOUT, NULL);
}

static void
on_ping(struct eio_session *s)
{
	if (s->revision == 3)
		eio_session_send(s, "3", 1);
	else
		eio_session_end(s, ERR_BAD_PACKET, "a ping from a client of revision 4");
}

static void
on_pong(struct eio_session *s)
{
	if (s->revision == 3 || s->is_full)
		return;
	ping_when_due(s);
}

/* ---- packets in ---- */

/* Every packet costs, whatever is in it.  Which limits refuse it; NULL: none. */
static const char *
rate_above(struct eio_session *s, size_t bytes)
{
	const struct conf_limits *limits = &s->env->conf->limits;
	uint64_t now_ms = s->heard_ms;

	if (s->is_trusted || s->client.is_node)
		return NULL;
	if (!ratelimit_take(&s->messages, limits->messages_per_second, 1, now_ms) ||
	    !ratelimit_take(&s->bytes, limits->bytes_per_second, bytes, now_ms))
		return "limits.messages_per_second or limits.bytes_per_second";
	if (!address_rates_take(s->env->rates, limits, s->client.address, bytes, now_ms))
		return "limits.messages_per_second_per_address or "
		    "limits.bytes_per_second_per_address";
	return NULL;
}

/* A burst is told so; who goes on as if nothing had been said is shut out. */
static bool
is_flooding(struct eio_session *s)
{
	uint64_t max = s->env->conf->limits.messages_per_second;

	if (max == CONF_NO_LIMIT || max < REFUSED_MAX)
		max = REFUSED_MAX;
	return s->is_over_rate && refusals_add(&s->refusals, max, s->heard_ms);
}

void
eio_session_on_packet(struct eio_session *s, const char *data, size_t len)
{
	struct eio_packet p;
	const char *rate;

	if (s->has_ended)
		return;
	__builtin_prefetch(s->arg);
	__builtin_prefetch(&s->client);
	if (eio_packet_decode(&p, data, len) != 0) {
		eio_session_end(s, ERR_BAD_PACKET, "malformed Engine.IO packet");
		return;
	}
	s->heard_ms = loop_mono_ms(s->env->loop);
	s->n_in++;
	s->bytes_in += len;
	metrics_add(loop_metrics(s->env->loop), METRIC_RECEIVED_BYTES, len);
	rate = rate_above(s, len);
	s->is_over_rate = rate != NULL;
	if (is_flooding(s)) {
		eio_session_close(s, ERR_TOO_MANY, rate);
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
		eio_session_end(s, ERR_PEER_LEFT, NULL);
		break;
	case EIO_OPEN:
		eio_session_end(s, ERR_BAD_PACKET, "an open packet from a client");
		break;
	case EIO_UPGRADE:
	case EIO_NOOP:
		break;
	}
}

/* ---- packets out ---- */

void
eio_session_footprint(const struct eio_session *s, struct footprint *f)
{
	footprint_add(f, s);
	if (s->transport != NULL && s->transport->footprint != NULL)
		s->transport->footprint(s->carrier, f);
}

/* What may wait for the client to read it. */
static size_t
queue_max(const struct eio_session *s)
{
	const struct conf_limits *limits = &s->env->conf->limits;

	return limits->send_queue + (s->is_trusted ? TRUSTED_REPLIES * limits->reply : 0);
}

/* Is there room?  One packet may be above the limit if nothing waits before it. */
static bool
has_room(const struct eio_session *s, size_t len)
{
	return s->queue.len == 0 || s->queue.len + len <= queue_max(s);
}

static void
on_full(void *arg)
{
	eio_session_end(arg, ERR_TOO_SLOW, NULL);
}

static void
enqueue(struct eio_session *s, const char *data, size_t len)
{
	if (!has_room(s, len))
		s->transport->flush(s->carrier);
	if (!has_room(s, len)) {
		s->is_full = true;
		loop_timer_set(s->env->loop, &s->timer, 0, on_full, s);
		return;
	}
	buf_add(&s->queue, &len, sizeof(len));
	buf_add(&s->queue, data, len);
}

void
eio_session_send(struct eio_session *s, const char *data, size_t len)
{
	if (s->has_ended || s->is_full)
		return;
	s->n_out++;
	s->bytes_out += len;
	metrics_add(loop_metrics(s->env->loop), METRIC_SENT_BYTES, len);
	if (!s->transport->send(s->carrier, data, len))
		enqueue(s, data, len);
}

struct buf *
eio_session_begin_packet(struct eio_session *s, size_t expected)
{
	if (s->has_ended || s->is_full || s->transport->begin == NULL)
		return NULL;
	return s->transport->begin(s->carrier, expected);
}

void
eio_session_end_packet(struct eio_session *s, char last)
{
	size_t len = s->transport->end(s->carrier, last);

	s->n_out++;
	s->bytes_out += len;
	metrics_add(loop_metrics(s->env->loop), METRIC_SENT_BYTES, len);
}

/* The packet at an offset of the queue, and the offset of the next. */
static const char *
packet_at(const struct buf *queue, size_t *at, size_t *len)
{
	const char *packet;

	memcpy(len, queue->data + *at, sizeof(*len));
	packet = queue->data + *at + sizeof(*len);
	*at += sizeof(*len) + *len;
	assert(*at <= queue->len);
	return packet;
}

void
eio_session_take_queue(struct eio_session *s, struct buf *payload)
{
	const char *packet;
	size_t len;

	for (size_t at = 0; at < s->queue.len;) {
		packet = packet_at(&s->queue, &at, &len);
		eio_payload_add(payload, s->revision, packet, len);
	}
	buf_free(&s->queue);
}

void
eio_session_each_unsent(const struct eio_session *s,
    void (*fn)(const char *packet, size_t len, void *arg), void *arg)
{
	const char *packet;
	size_t len;

	for (size_t at = 0; at < s->queue.len && !s->is_handed_out;) {
		packet = packet_at(&s->queue, &at, &len);
		fn(packet, len, arg);
	}
}

/* The session may end meanwhile; what is left is dropped then. */
static void
send_queue(struct eio_session *s)
{
	struct buf queue = s->queue;
	const char *packet;
	size_t len;

	s->queue = (struct buf){ 0 };
	for (size_t at = 0; at < queue.len && !s->has_ended && !s->is_full;) {
		packet = packet_at(&queue, &at, &len);
		if (!s->transport->send(s->carrier, packet, len))
			enqueue(s, packet, len);
	}
	buf_free(&queue);
}

/* ---- ending ---- */

/* One line for a session: at info where the client was at fault. */
static void
log_end(const struct eio_session *s, enum err why, const char *detail)
{
	static struct log_limit limit = { .about = "sessions that ended by a fault" };
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

/* The only way to its end.  Everybody hears of it once: above, then below. */
static void
end(struct eio_session *s, enum err why, const char *detail, bool is_orderly)
{
	struct loop *loop = s->env->loop;

	if (s->has_ended)
		return;
	s->has_ended = true;
	loop_timer_stop(loop, &s->timer);
	if (err_is_fault(why))
		metrics_inc(loop_metrics(loop), METRIC_SESSIONS_FAULTY);
	log_end(s, why, detail);
	s->is_handed_out = s->transport != NULL && s->transport->hands_out != NULL &&
	    s->transport->hands_out(s->carrier, is_orderly);
	if (s->ev != NULL)
		s->ev->on_close(why, s->arg);
	if (s->transport != NULL)
		s->transport->close(s->carrier, why, detail, is_orderly);
}

void
eio_session_close(struct eio_session *s, enum err why, const char *detail)
{
	/* A client that came back elsewhere polls here no more, and has what waits there. */
	end(s, why, detail, why != ERR_REPLACED);
}

void
eio_session_end(struct eio_session *s, enum err why, const char *detail)
{
	end(s, why, detail, false);
}

void
eio_session_lost(struct eio_session *s, enum err why, const char *detail)
{
	s->transport = NULL;
	end(s, why, detail, false);
	eio_session_gone(s);
}

static void
release(void *arg)
{
	struct eio_session *s = arg;

	buf_free(&s->queue);
	free(s->bearer);
	revoked_mark_cleanup(&s->mark);
	free(s);
}

void
eio_session_gone(struct eio_session *s)
{
	assert(s->has_ended);
	s->transport = NULL;
	strmap_remove(s->env->sessions, s->sid, ID_SID_LEN);
	admission_release_session(s->env->admission, s->client.address);
	atomic_fetch_sub_explicit(loop_load(s->env->loop), 1, memory_order_relaxed);
	loop_defer(s->env->loop, LOOP_FREE, &s->release, release, s);
}

/* ---- questions ---- */

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

const char *
eio_session_bearer(const struct eio_session *s)
{
	return s->bearer;
}

const struct client *
eio_session_client(const struct eio_session *s)
{
	return &s->client;
}

struct revoked_mark *
eio_session_mark(struct eio_session *s)
{
	return &s->mark;
}

bool
eio_session_is_over_rate(const struct eio_session *s)
{
	return s->is_over_rate;
}

void
eio_session_trust(struct eio_session *s)
{
	s->is_trusted = true;
	if (s->transport != NULL)
		s->transport->set_send_max(s->carrier, queue_max(s));
}

bool
eio_session_is_trusted(const struct eio_session *s)
{
	return s->is_trusted;
}

struct eio_env *
eio_session_env(const struct eio_session *s)
{
	return s->env;
}

const struct eio_transport *
eio_session_transport(const struct eio_session *s)
{
	return s->transport;
}

void *
eio_session_carrier(const struct eio_session *s)
{
	return s->carrier;
}

bool
eio_session_has_ended(const struct eio_session *s)
{
	return s->has_ended;
}

bool
eio_session_has_queue(const struct eio_session *s)
{
	return s->queue.len > 0;
}
