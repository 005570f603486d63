/* SPDX-License-Identifier: ISC */
/*
 * usher-null [--new-tokens | --hold] PORT SECRET: a service that answers at once, to measure what
 * stands in front of it.  Socket.IO over WebSocket, revision 3.
 *
 * To a stock peer it is a stock service, to a node that proves to know the secret a node with
 * a multiplexed link.  A request is answered by its params:
 *	{"type":T,"finished":true,"message":{"echo":PARAMS},"responseTime":"0ms"}
 * after as many intermediate replies as params.i says.  With --new-tokens each answer carries
 * a token that was never seen before; with --hold the intermediates come, and the final never
 * does.  It trusts whoever sends: only what it needs is checked.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/xmalloc.h"
#include "codec/eio_packet.h"
#include "codec/json_scan.h"
#include "codec/json_splice.h"
#include "codec/sio_packet.h"
#include "codec/usher_member.h"
#include "codec/ws_decoder.h"
#include "codec/ws_encoder.h"
#include "codec/ws_handshake.h"
#include "token/claims.h"
#include "turn.h"

#define MESSAGE_MAX (16 << 20)
#define DEPTH_MAX   64
#define LIFETIME_S  3600
#define KEEP_BYTES  (1 << 20)

struct session {
	struct stream stream;		/* first, so that a stream is its session */
	struct ws_decoder *ws;		/* NULL: the head of the request is still coming */
	struct buf head;
	size_t head_scanned;
	char sid[ID_SID_LEN + 1];
	bool is_node;
};

enum { N_TYPE, N_PARAMS, N_TOKEN, N_USHER, N_APPLICATION, N_I, N_N };

static const struct json_names names = {
	.n = N_N,
	.name = (const char *const[]){ "type", "params", "token", "usher", "application", "i" },
};

static const struct json_names serial_name = { .n = 1, .name = (const char *const[]){ "serial" } };

static struct jwt_ring *ring;
static bool gives_new_tokens, holds;
static struct buf reply;	/* being built */

static void
send_text(struct session *s, const struct buf *text)
{
	ws_encode_frame(&s->stream.out, WS_TEXT, text->data, text->len, NULL);
	stream_touch(&s->stream);
}

/* ---- answers ---- */

static void
add_value(struct buf *b, const char *text, struct json_value v)
{
	buf_add(b, text + v.start, v.end - v.start);
}

static void
begin_reply(const char *text, const struct json_object *request, bool is_finished)
{
	buf_reset(&reply, KEEP_BYTES);
	buf_add_str(&reply, "42[\"ewdjs\",{\"type\":");
	add_value(&reply, text, request->member[N_TYPE].value);
	buf_add_str(&reply, is_finished ? ",\"finished\":true,\"message\":" :
	    ",\"finished\":false,\"message\":");
}

static void
end_reply(struct session *s, const struct usher_member *u)
{
	buf_add_str(&reply, ",\"responseTime\":\"0ms\"");
	if (s->is_node && u->has_id) {
		buf_add_str(&reply, ",\"usher\":");
		usher_member_encode_reply(&reply, u->id);
	}
	buf_add_str(&reply, "}]");
	send_text(s, &reply);
}

static bool
is_proven(struct session *s, const struct usher_member *u)
{
	char text[sizeof(USHER_PROOF_PREFIX) + ID_SID_LEN];
	int n = snprintf(text, sizeof(text), "%s%s", USHER_PROOF_PREFIX, s->sid);

	return u->is_link && jwt_hmac_verify(ring, text, (size_t)n, u->proof, strlen(u->proof));
}

static void
on_register(struct session *s, const char *text, const struct json_object *request,
    const struct usher_member *u)
{
	struct json_value application = request->member[N_APPLICATION].value;
	struct claims_new new = { .socket = s->sid, .address = "127.0.0.1",
		.lifetime_s = LIFETIME_S, .now_s = clock_wall_ms() / 1000 };

	if (application.kind != JSON_STRING)
		errx(1, "registration without an application");
	new.application = text + application.start + 1;
	new.application_len = application.end - application.start - 2;
	s->is_node = is_proven(s, u);
	begin_reply(text, request, true);
	buf_add_str(&reply, "{\"token\":\"");
	claims_register(ring, &new, &reply);
	buf_add_char(&reply, '"');
	if (s->is_node) {
		buf_add_str(&reply, ",\"usher\":");
		usher_member_encode_answer(&reply, "null", MESSAGE_MAX);
	}
	buf_add_char(&reply, '}');
	end_reply(s, &(struct usher_member){ 0 });
}

/* The same claims and a number of its own. */
static void
add_new_token(const char *text, struct json_value token)
{
	static uint64_t serial;
	struct buf payload = { 0 }, claims = { 0 }, number = { 0 };
	struct json_object o;
	struct json_value v;
	struct json_scan scan;
	unsigned key;

	if (token.kind != JSON_STRING || jwt_verify(ring, text + token.start + 1,
	    token.end - token.start - 2, &payload, &key) != JWT_OK)
		errx(1, "request without a valid token");
	buf_add_u64(&number, ++serial);
	json_scan_init(&scan, payload.data, payload.len, DEPTH_MAX);
	if (!json_scan_members(&scan, &v, &serial_name, &o, -1, NULL))
		errx(1, "token without claims");
	json_splice_add(&claims, payload.data, &o, &serial_name,
	    &(struct json_edit){ .name = 0, .value = number.data, .len = number.len }, 1);
	buf_add_str(&reply, ",\"token\":\"");
	jwt_sign(ring, key, claims.data, claims.len, &reply);
	buf_add_char(&reply, '"');
	buf_free(&payload);
	buf_free(&claims);
	buf_free(&number);
}

static void
on_request(struct session *s, const char *text, const struct json_object *request,
    const struct json_object *params, const struct usher_member *u)
{
	uint64_t n_steps = 0;

	json_number_u64(text, params->member[N_I].value, &n_steps);
	for (uint64_t i = 0; i < n_steps; i++) {
		begin_reply(text, request, false);
		buf_printf(&reply, "{\"step\":%u}", (unsigned)i);
		end_reply(s, u);
	}
	if (holds)
		return;
	begin_reply(text, request, true);
	buf_add_str(&reply, "{\"echo\":");
	add_value(&reply, text, request->member[N_PARAMS].value);
	if (gives_new_tokens)
		add_new_token(text, request->member[N_TOKEN].value);
	buf_add_char(&reply, '}');
	end_reply(s, u);
}

/* ["ewdjs",{...}] */
static void
on_event(struct session *s, const char *text, size_t len)
{
	struct json_object request, params;
	struct usher_member u = { 0 };
	struct json_value v;
	struct json_scan scan;

	json_scan_init(&scan, text, len, DEPTH_MAX);
	if (!json_scan_take(&scan, '[') || !json_scan_value(&scan, &v) ||
	    !json_scan_take(&scan, ',') ||
	    !json_scan_members(&scan, &v, &names, &request, N_PARAMS, &params))
		errx(1, "malformed event");
	if (request.member[N_USHER].value.kind == JSON_OBJECT)
		usher_member_decode(&u, text, request.member[N_USHER].value);
	v = request.member[N_TYPE].value;
	if (json_string_is(text, v, "ewd-register"))
		on_register(s, text, &request, &u);
	else if (request.member[N_PARAMS].value.kind == JSON_OBJECT)
		on_request(s, text, &request, &params, &u);
}

static void
on_message(enum ws_opcode op, const char *data, size_t len, void *arg)
{
	struct session *s = arg;
	struct eio_packet p;
	struct sio_packet packet;

	if (op != WS_TEXT || eio_packet_decode(&p, data, len) != 0) {
		warnx("malformed packet");
		stream_close(&s->stream);
	} else if (p.type == EIO_PING) {
		ws_encode_frame(&s->stream.out, WS_TEXT, "3", 1, NULL);
		stream_touch(&s->stream);
	} else if (p.type == EIO_MESSAGE && sio_packet_decode(&packet, p.data, p.len) == 0 &&
	    packet.type == SIO_EVENT) {
		on_event(s, packet.json, packet.json_len);
	}
}

static void
on_close_frame(int code, const char *reason, size_t len, void *arg)
{
	struct session *s = arg;

	(void)code, (void)reason, (void)len;
	stream_close(&s->stream);
}

static const struct ws_decoder_events ws_events = {
	.on_message = on_message, .on_close = on_close_frame,
};

/* ---- streams ---- */

static void
begin_session(struct session *s, const struct http_head *head)
{
	struct eio_open open = { .ping_interval_ms = 25000, .ping_timeout_ms = 20000 };

	ws_handshake_accept(&s->stream.out, head);
	s->ws = ws_decoder_new(WS_SERVER, MESSAGE_MAX, &ws_events, s);
	id_sid(s->sid);
	memcpy(open.sid, s->sid, sizeof(s->sid));
	buf_reset(&reply, KEEP_BYTES);
	eio_open_encode(&reply, 3, &open, 0);
	send_text(s, &reply);
	ws_encode_frame(&s->stream.out, WS_TEXT, "40", 2, NULL);
}

static void
on_head(struct session *s, const char *data, size_t len)
{
	struct http_head head;
	const char *why = "not HTTP";
	int status;
	size_t end;

	buf_add(&s->head, data, len);
	if ((end = http_head_end(s->head.data, s->head.len, &s->head_scanned)) == 0)
		return;
	if (http_parse_request(&head, s->head.data, end) != 0 ||
	    ws_handshake_check(&head, &status, &why) != 0) {
		warnx("refused: %s", why);
		stream_close(&s->stream);
		return;
	}
	begin_session(s, &head);
	if (ws_decoder_feed(s->ws, s->head.data + end, s->head.len - end) != 0)
		stream_close(&s->stream);
	buf_free(&s->head);
}

static void
on_read(struct stream *stream, char *data, size_t len)
{
	struct session *s = (struct session *)stream;

	if (s->ws == NULL) {
		on_head(s, data, len);
	} else if (ws_decoder_feed(s->ws, data, len) != 0) {
		warnx("%s", ws_decoder_fault(s->ws));
		stream_close(stream);
	}
}

static void
on_gone(struct stream *stream)
{
	struct session *s = (struct session *)stream;

	ws_decoder_free(s->ws);
	buf_free(&s->head);
	free(s);
}

static const struct stream_events stream_events = { .on_read = on_read, .on_gone = on_gone };

static void
on_accept(struct turn *t, int fd)
{
	struct session *s = xcalloc(1, sizeof(*s));

	stream_open(&s->stream, t, fd, &stream_events);
}

int
main(int argc, char **argv)
{
	struct jwt_secret secret = { .id = "bench" };
	struct turn *t;

	gives_new_tokens = argc > 1 && strcmp(argv[1], "--new-tokens") == 0;
	holds = argc > 1 && strcmp(argv[1], "--hold") == 0;
	argv += gives_new_tokens || holds;
	argc -= gives_new_tokens || holds;
	if (argc != 3)
		errx(2, "usage: usher-null [--new-tokens | --hold] PORT SECRET");
	raise_descriptors();
	secret.bytes = (const unsigned char *)argv[2];
	secret.len = strlen(argv[2]);
	ring = jwt_ring_new(&secret, 1);
	t = turn_new();
	turn_listen(t, port_of(argv[1]), on_accept);
	for (;;)
		turn_run(t, -1);
}
