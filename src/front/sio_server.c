/* SPDX-License-Identifier: ISC */
/*
 * Packets of one Socket.IO client.
 *
 * Revision 4 of the protocol (EIO=3): the server connects "/" unasked.  Revision 5
 * (EIO=4): the client must ask, in time and once.
 */
#include "front/sio_server.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/footprint.h"
#include "base/id.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "codec/envelope.h"
#include "codec/sio_packet.h"
#include "conf/conf.h"
#include "front/client.h"
#include "front/eio_session.h"
#include "net/loop.h"

#define TRUSTED_DEPTH_MAX 1000	/* what a node passes on must not end its link */

struct packet {
	struct buf text;
	size_t head;		/* bytes of it before the argument */
};

/* Each idle client has one: what is needed for a moment is made for that moment. */
struct sio_session {
	struct loop *loop;
	const struct conf *const *conf;	/* the one of now */
	struct eio_session *eio;
	bool is_connected;		/* the namespace "/" */
	bool is_direct;			/* a packet is being built by eio */
	const struct sio_events *ev;
	void *arg;
	const struct sio_named_events *named;	/* NULL: nobody asked for events of other names */
	void *named_arg;
	char *application;		/* of a client of named events; NULL: none */
	struct timer *connect_timer;	/* revision 5: to ask for a namespace; NULL: it has, or need not */
	struct packet *out;		/* being built; NULL otherwise */
	struct loop_work release;
};

_Static_assert(sizeof(void *) > 8 || sizeof(struct sio_session) <= 112, "each client has one");

static void on_message(const char *, size_t, void *);
static void on_eio_close(enum err, void *);
static void on_connect_timeout(void *);
static void drop_packet(struct sio_session *);

static const struct eio_events eio_events = {
	.on_message = on_message,
	.on_close = on_eio_close,
};

struct sio_session *
sio_session_new(struct loop *loop, const struct conf *const *conf, struct eio_session *eio,
    const struct sio_events *ev, void *arg)
{
	struct sio_session *s = xcalloc(1, sizeof(*s));

	s->loop = loop;
	s->conf = conf;
	s->eio = eio;
	s->ev = ev;
	s->arg = arg;
	eio_session_attach(eio, &eio_events, s);
	if (eio_session_revision(eio) == 3) {
		s->is_connected = true;
		eio_session_send(eio, "40", 2);
	} else {
		s->connect_timer = xcalloc(1, sizeof(*s->connect_timer));
		loop_timer_set(loop, s->connect_timer, (*conf)->socketio.connect_timeout_ms,
		    on_connect_timeout, s);
	}
	return s;
}

static void
stop_connect_timer(struct sio_session *s)
{
	if (s->connect_timer != NULL)
		loop_timer_stop(s->loop, s->connect_timer);
	free(s->connect_timer);
	s->connect_timer = NULL;
}

void
sio_session_attach_named(struct sio_session *s, const struct sio_named_events *named, void *arg)
{
	s->named = named;
	s->named_arg = arg;
}

void
sio_session_set_application(struct sio_session *s, const char *application)
{
	free(s->application);
	s->application = application != NULL ? xstrdup(application) : NULL;
}

const char *
sio_session_application(const struct sio_session *s)
{
	return s->application;
}

uint64_t
sio_session_n_named_calls(const struct sio_session *s)
{
	return s->named != NULL ? s->named->n_calls(s->named_arg) : 0;
}

uint64_t
sio_session_describe(const struct sio_session *s, struct eio_session_info *info)
{
	eio_session_describe(s->eio, info);
	return sio_session_n_named_calls(s);
}

void
sio_session_footprint(const struct sio_session *s, struct footprint *f)
{
	footprint_add(f, s);
	eio_session_footprint(s->eio, f);
}

static struct buf *
new_packet(struct sio_session *s)
{
	drop_packet(s);
	s->out = xcalloc(1, sizeof(*s->out));
	return &s->out->text;
}

static void
drop_packet(struct sio_session *s)
{
	if (s->out != NULL)
		buf_free(&s->out->text);
	free(s->out);
	s->out = NULL;
}

static void
on_connect_timeout(void *arg)
{
	sio_session_close(arg, ERR_HANDSHAKE_TIMEOUT, "no namespace asked for");
}

static void
bad(struct sio_session *s, const char *detail)
{
	sio_session_close(s, ERR_BAD_PACKET, detail);
}

static bool
is_revision_3(const struct sio_session *s)
{
	return eio_session_revision(s->eio) == 3;
}

/* ---- packets in ---- */

static void
refuse_namespace(struct sio_session *s, const struct sio_packet *p)
{
	struct buf b = { 0 };

	buf_add_char(&b, '4');
	sio_packet_encode_head(&b, SIO_ERROR, p->ns, p->ns_len, NULL);
	buf_add_str(&b, is_revision_3(s) ? "\"Invalid namespace\"" :
	    "{\"message\":\"Invalid namespace\"}");
	eio_session_send(s->eio, b.data, b.len);
	buf_free(&b);
}

/* Is what the client says of itself good?  Else it is told; it may ask again in time. */
static bool
is_welcome(struct sio_session *s, const struct sio_packet *p)
{
	struct buf b = { 0 };
	bool is_good;

	if (s->named == NULL)
		return true;
	buf_add_char(&b, '4');
	sio_packet_encode_head(&b, SIO_ERROR, NULL, 0, NULL);
	is_good = s->named->on_connect(p->json, p->json_len, &b, s->named_arg);
	if (!is_good)
		eio_session_send(s->eio, b.data, b.len);
	buf_free(&b);
	return is_good;
}

static void
on_connect(struct sio_session *s, const struct sio_packet *p)
{
	char sid[ID_SID_LEN + 1];
	struct buf b = { 0 };

	if (!sio_packet_is_root(p)) {
		refuse_namespace(s, p);
		return;
	}
	if (is_revision_3(s))
		return;		/* connected unasked; a repeated one is ignored as by stock */
	if (s->is_connected) {
		bad(s, "a second connect");
		return;
	}
	if (!is_welcome(s, p))
		return;
	s->is_connected = true;
	stop_connect_timer(s);
	id_sid(sid);
	buf_printf(&b, "40{\"sid\":\"%s\"}", sid);
	eio_session_send(s->eio, b.data, b.len);
	buf_free(&b);
	if (s->named != NULL)
		s->named->on_connected(s->named_arg);
}

static void
on_event(struct sio_session *s, const struct sio_packet *p)
{
	struct envelope env;

	if (envelope_scan_event(&env, p->json, p->json_len, eio_session_is_trusted(s->eio) ?
	    TRUSTED_DEPTH_MAX : (*s->conf)->limits.json_depth) != 0) {
		sio_session_close(s, ERR_BAD_JSON, env.fault);
		return;
	}
	if (json_string_is(env.text, env.event, ENVELOPE_EVENT)) {
		s->ev->on_event(&env, eio_session_is_over_rate(s->eio),
		    p->has_ack ? &p->ack : NULL, s->arg);
	} else if (s->named != NULL && env.event.kind == JSON_STRING) {
		s->named->on_event(&env, eio_session_is_over_rate(s->eio),
		    p->has_ack ? &p->ack : NULL, s->named_arg);
	} else {
		metrics_inc(loop_metrics(s->loop), METRIC_EVENTS_IGNORED);
		log_debug_for("sio", sio_session_client(s)->label, "event of another name ignored");
	}
}

/* What is for a namespace that is not connected: revision 4 ignores it, 5 ends the session. */
static bool
is_for_connected(struct sio_session *s, const struct sio_packet *p)
{
	if (s->is_connected && sio_packet_is_root(p))
		return true;
	if (!is_revision_3(s))
		bad(s, "a packet for a namespace that is not connected");
	return false;
}

static void
on_packet(struct sio_session *s, const struct sio_packet *p)
{
	switch (p->type) {
	case SIO_CONNECT:
		on_connect(s, p);
		break;
	case SIO_DISCONNECT:
		if (is_for_connected(s, p))
			s->is_connected = false;
		break;
	case SIO_EVENT:
		if (is_for_connected(s, p))
			on_event(s, p);
		break;
	case SIO_ACK:
		(void)is_for_connected(s, p);	/* we ask for none */
		break;
	case SIO_ERROR:
		bad(s, "an error packet from a client");
		break;
	case SIO_BINARY_EVENT:
	case SIO_BINARY_ACK:
		sio_session_close(s, ERR_BINARY, NULL);
		break;
	}
}

static void
on_message(const char *data, size_t len, void *arg)
{
	struct sio_session *s = arg;
	struct sio_packet p;

	/* Needed when the whole message has been scanned. */
	__builtin_prefetch(s->arg, 1);
	__builtin_prefetch((const char *)s->arg + 64, 1);
	if (sio_packet_decode(&p, data, len) != 0)
		bad(s, "malformed Socket.IO packet");
	else
		on_packet(s, &p);
}

static void
release(void *arg)
{
	struct sio_session *s = arg;

	drop_packet(s);
	free(s->application);
	free(s);
}

static void
on_eio_close(enum err why, void *arg)
{
	struct sio_session *s = arg;

	stop_connect_timer(s);
	if (s->named != NULL)
		s->named->on_close(s->named_arg);
	s->ev->on_close(why, s->arg);
	loop_defer(s->loop, LOOP_FREE, &s->release, release, s);
}

/* ---- events out ---- */

const char *
sio_session_sid(const struct sio_session *s)
{
	return eio_session_sid(s->eio);
}

const struct client *
sio_session_client(const struct sio_session *s)
{
	return eio_session_client(s->eio);
}

struct revoked_mark *
sio_session_mark(struct sio_session *s)
{
	return eio_session_mark(s->eio);
}

const char *
sio_session_bearer(const struct sio_session *s)
{
	return eio_session_bearer(s->eio);
}

void
sio_session_trust(struct sio_session *s)
{
	eio_session_trust(s->eio);
}

struct buf *
sio_session_begin_event(struct sio_session *s, const char *name, size_t len)
{
	struct buf *b = new_packet(s);

	buf_add_str(b, "42[");
	buf_add_json_string(b, name, len);
	buf_add_char(b, ',');
	s->out->head = b->len;
	return b;
}

struct buf *
sio_session_begin_direct(struct sio_session *s, size_t expected)
{
	static const char head[] = "42[\"" ENVELOPE_EVENT "\",";
	struct buf *b = s->is_connected ?
	    eio_session_begin_packet(s->eio, sizeof(head) + expected) : NULL;

	if (b == NULL)
		return sio_session_begin(s);
	s->is_direct = true;
	buf_add(b, head, sizeof(head) - 1);
	return b;
}

struct buf *
sio_session_begin(struct sio_session *s)
{
	return sio_session_begin_event(s, ENVELOPE_EVENT, strlen(ENVELOPE_EVENT));
}

static void
begin_ack(struct buf *b, uint64_t ack)
{
	b->len = 0;
	buf_add_char(b, '4');
	sio_packet_encode_head(b, SIO_ACK, NULL, 0, &ack);
	buf_add_char(b, '[');
}

struct buf *
sio_session_begin_ack(struct sio_session *s, uint64_t ack)
{
	struct buf *b = new_packet(s);

	begin_ack(b, ack);
	s->out->head = b->len;
	return b;
}

void
sio_session_end(struct sio_session *s, const uint64_t *ack)
{
	struct buf *out, b = { 0 };

	if (s->is_direct) {
		s->is_direct = false;
		eio_session_end_packet(s->eio, ']');
		return;
	}
	out = &s->out->text;
	buf_add_char(out, ']');
	if (s->is_connected)
		eio_session_send(s->eio, out->data, out->len);
	if (ack != NULL && s->is_connected) {
		begin_ack(&b, *ack);
		buf_add(&b, out->data + s->out->head, out->len - s->out->head);
		eio_session_send(s->eio, b.data, b.len);
		buf_free(&b);
	}
	drop_packet(s);
}

struct unsent {
	void (*fn)(const char *text, size_t len, void *arg);
	void *arg;
};

static void
on_unsent(const char *packet, size_t len, void *arg)
{
	static const char head[] = "42[\"" ENVELOPE_EVENT "\",";
	const struct unsent *u = arg;
	size_t head_len = sizeof(head) - 1;

	if (len > head_len && memcmp(packet, head, head_len) == 0)
		u->fn(packet + head_len, len - head_len - 1, u->arg);	/* without its ']' */
}

void
sio_session_each_unsent(const struct sio_session *s,
    void (*fn)(const char *text, size_t len, void *arg), void *arg)
{
	struct unsent u = { fn, arg };

	eio_session_each_unsent(s->eio, on_unsent, &u);
}

void
sio_session_close(struct sio_session *s, enum err why, const char *detail)
{
	eio_session_close(s->eio, why, detail);
}
