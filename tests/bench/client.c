/* SPDX-License-Identifier: ISC */
/*
 * States: upgrading (HTTP) -> opening (Engine.IO, namespace) -> registering -> ready.
 */
#include "client.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/xmalloc.h"
#include "codec/eio_packet.h"
#include "codec/json_scan.h"
#include "codec/sio_packet.h"
#include "codec/ws_decoder.h"
#include "codec/ws_encoder.h"
#include "codec/ws_handshake.h"

#define TARGET	    "/socket.io/?transport=websocket&EIO="
#define MESSAGE_MAX (64 << 20)
#define DEPTH_MAX   64
#define ADDRESSES   32		/* that clients come from */
#define KEEP_BYTES  (1 << 20)

enum client_state { UPGRADING, OPENING, REGISTERING, READY };

struct client {
	struct stream stream;		/* first, so that a stream is its client */
	const struct client_plan *plan;
	unsigned id;
	enum client_state state;
	char key[WS_KEY_LEN + 1];
	struct buf head;		/* of the answer, while upgrading */
	size_t head_scanned;
	struct ws_decoder *ws;		/* afterwards */
	struct buf token;		/* the newest, in quotes */
	uint64_t n_sent, n_done;	/* requests; the next has number n_sent */
	unsigned n_pings;		/* of the server */
	unsigned n_steps;		/* intermediates of the oldest request, so far */
	/*
	 * Those outstanding, by number modulo window; in any order, from there on in the first place
	 * that is free (due_ns is 0).
	 */
	struct { uint64_t number, due_ns; } *open;
};

enum { N_TYPE, N_FINISHED, N_MESSAGE, N_TOKEN, N_ERROR, N_ECHO, N_STEP, N_N };

static const struct json_names names = {
	.n = N_N,
	.name = (const char *const[]){ "type", "finished", "message", "token", "error", "echo",
	    "step" },
};

struct client_faults client_faults;
uint64_t client_pongs, client_steps;
static struct buf event;	/* being built */

static const struct stream_events stream_events;

struct client *
client_new(struct turn *t, const struct client_plan *plan, unsigned id)
{
	struct client *c = xcalloc(1, sizeof(*c));
	const char *target = plan->revision == 4 ? TARGET "4" : TARGET "3";
	unsigned char nonce[16];

	c->plan = plan;
	c->id = id;
	c->open = xcalloc(plan->window, sizeof(*c->open));
	stream_open(&c->stream, t, turn_connect(plan->port, 1 + id % ADDRESSES), &stream_events);
	id_random(nonce, sizeof(nonce));
	ws_handshake_request(&c->stream.out, "127.0.0.1", target, nonce, c->key);
	stream_touch(&c->stream);
	return c;
}

unsigned
client_outstanding(const struct client *c)
{
	return (unsigned)(c->n_sent - c->n_done);
}

static void
send_text(struct client *c, const char *data, size_t len)
{
	uint8_t mask[4];

	id_random(mask, sizeof(mask));
	ws_encode_frame(&c->stream.out, WS_TEXT, data, len, mask);
	stream_touch(&c->stream);
}

void
client_ping(struct client *c)
{
	send_text(c, "2", 1);
}

unsigned
client_pings(const struct client *c)
{
	return c->n_pings;
}

void
client_close(struct client *c)
{
	stream_close(&c->stream);
}

/* ---- requests ---- */

/* What params begin with; the payload and "}" follow. */
static int
params_head(const struct client *c, uint64_t number, char *out, size_t cap)
{
	return snprintf(out, cap, "{\"c\":%u,\"n\":%llu,\"i\":%u,\"pad\":", c->id,
	    (unsigned long long)number, c->plan->n_steps);
}

static const struct buf *
payload_of(const struct client *c, uint64_t number)
{
	return &c->plan->payload[number % c->plan->n_payloads];
}

void
client_request(struct client *c, uint64_t due_ns)
{
	const struct buf *payload = payload_of(c, c->n_sent);
	unsigned at = (unsigned)(c->n_sent % c->plan->window);
	char head[96];

	while (c->open[at].due_ns != 0)
		at = (at + 1) % c->plan->window;
	c->open[at].number = c->n_sent;
	c->open[at].due_ns = due_ns;
	params_head(c, c->n_sent++, head, sizeof(head));
	buf_reset(&event, KEEP_BYTES);
	buf_printf(&event, "42[\"ewdjs\",{\"type\":\"bench-%u\",\"token\":", c->id);
	buf_add(&event, c->token.data, c->token.len);
	buf_add_str(&event, ",\"params\":");
	buf_add_str(&event, head);
	buf_add(&event, payload->data, payload->len);
	buf_add_str(&event, "}}]");
	send_text(c, event.data, event.len);
}

/* ---- replies ---- */

/* The echo is not the one due: whose is it? */
static void
blame(const struct client *c, const char *echo, size_t len)
{
	unsigned long long number;
	char text[64];
	unsigned id;

	snprintf(text, sizeof(text), "%.*s", (int)(len < 60 ? len : 60), echo);
	if (sscanf(text, "{\"c\":%u,\"n\":%llu", &id, &number) != 2)
		client_faults.bytes++;
	else if (id != c->id)
		client_faults.owner++;
	else if (number != c->n_done)
		client_faults.order++;
	else
		client_faults.bytes++;
}

static bool
is_echo_of(const struct client *c, uint64_t number, const char *echo, size_t len)
{
	const struct buf *payload = payload_of(c, number);
	char head[96];
	size_t n = (size_t)params_head(c, number, head, sizeof(head));

	return len == n + payload->len + 1 && memcmp(echo, head, n) == 0 &&
	    memcmp(echo + n, payload->data, payload->len) == 0 && echo[len - 1] == '}';
}

/* Which one is answered: the oldest, or in any order the one that the echo names. */
static unsigned
find_open(const struct client *c, const char *echo, size_t len)
{
	unsigned window = c->plan->window, at = (unsigned)(c->n_done % window);
	unsigned long long number = c->n_done;
	char text[64];
	unsigned id;

	if (c->plan->any_order) {
		snprintf(text, sizeof(text), "%.*s", (int)(len < 60 ? len : 60), echo);
		if (sscanf(text, "{\"c\":%u,\"n\":%llu", &id, &number) == 2)
			at = (unsigned)(number % window);
		for (unsigned i = 0; i < window && (c->open[at].due_ns == 0 ||
		    c->open[at].number != number); i++)
			at = (at + 1) % window;
	}
	return at;
}

static void
take_token(struct client *c, const char *text, struct json_value token)
{
	if (token.kind != JSON_STRING)
		return;
	buf_reset(&c->token, KEEP_BYTES);
	buf_add(&c->token, text + token.start, token.end - token.start);
}

static void
on_final(struct client *c, const char *text, const struct json_object *message)
{
	struct json_value echo = message->member[N_ECHO].value;
	unsigned at = find_open(c, text + echo.start, echo.end - echo.start);
	uint64_t due_ns = c->open[at].due_ns;

	if (message->member[N_ERROR].value.kind != JSON_NONE) {
		if (client_faults.errors++ == 0)
			warnx("client %u: error reply: %.*s", c->id,
			    (int)(message->close + 1 - message->open), text + message->open);
	} else if (due_ns == 0 || !is_echo_of(c, c->open[at].number, text + echo.start,
	    echo.end - echo.start)) {
		blame(c, text + echo.start, echo.end - echo.start);
	}
	if (c->n_steps != c->plan->n_steps)
		client_faults.order++;
	take_token(c, text, message->member[N_TOKEN].value);
	c->n_steps = 0;
	c->open[at].due_ns = 0;
	c->n_done++;
	c->plan->on_final(c, due_ns, c->plan->arg);
}

static void
on_step(struct client *c, const char *text, const struct json_object *message)
{
	uint64_t step;

	client_steps++;
	if (!json_number_u64(text, message->member[N_STEP].value, &step) || step != c->n_steps++)
		client_faults.order++;
}

static void
on_reply(struct client *c, const char *text, const struct json_object *top,
    const struct json_object *message)
{
	char type[32];

	snprintf(type, sizeof(type), "bench-%u", c->id);
	if (!json_string_is(text, top->member[N_TYPE].value, type))
		client_faults.owner++;
	else if (c->n_done == c->n_sent)
		client_faults.order++;
	else if (top->member[N_FINISHED].value.kind == JSON_FALSE)
		on_step(c, text, message);
	else
		on_final(c, text, message);
}

static void
on_registered(struct client *c, const char *text, const struct json_object *message)
{
	if (message->member[N_TOKEN].value.kind != JSON_STRING)
		errx(1, "client %u: registration refused: %.*s", c->id,
		    (int)(message->close + 1 - message->open), text + message->open);
	take_token(c, text, message->member[N_TOKEN].value);
	c->state = READY;
	c->plan->on_ready(c, c->plan->arg);
}

/* ["ewdjs",{...}] */
static void
on_event(struct client *c, const char *text, size_t len)
{
	struct json_object top, message;
	struct json_value v;
	struct json_scan scan;

	json_scan_init(&scan, text, len, DEPTH_MAX);
	if (!json_scan_take(&scan, '[') || !json_scan_value(&scan, &v) ||
	    !json_scan_take(&scan, ',') ||
	    !json_scan_members(&scan, &v, &names, &top, N_MESSAGE, &message) ||
	    !json_scan_take(&scan, ']') || !json_scan_end(&scan))
		client_faults.bytes++;
	else if (c->state == REGISTERING)
		on_registered(c, text, &message);
	else if (c->state == READY)
		on_reply(c, text, &top, &message);
}

/* ---- packets ---- */

static void
register_now(struct client *c)
{
	buf_reset(&event, KEEP_BYTES);
	buf_printf(&event, "42[\"ewdjs\",{\"type\":\"ewd-register\",\"application\":\"%s\","
	    "\"jwt\":true}]", c->plan->application);
	send_text(c, event.data, event.len);
	c->state = REGISTERING;
}

static void
on_message(enum ws_opcode op, const char *data, size_t len, void *arg)
{
	struct client *c = arg;
	struct eio_packet p;
	struct sio_packet packet;

	if (op != WS_TEXT || eio_packet_decode(&p, data, len) != 0)
		errx(1, "client %u: malformed packet", c->id);
	client_pongs += p.type == EIO_PONG;
	if (p.type == EIO_OPEN && c->plan->revision == 4)
		send_text(c, "40", 2);		/* the namespace, which revision 3 does not ask for */
	if (p.type == EIO_PING) {
		c->n_pings++;
		send_text(c, "3", 1);
	}
	if (p.type != EIO_MESSAGE)
		return;
	if (sio_packet_decode(&packet, p.data, p.len) != 0)
		errx(1, "client %u: malformed Socket.IO packet", c->id);
	if (packet.type == SIO_CONNECT && c->state == OPENING)
		register_now(c);
	else if (packet.type == SIO_EVENT)
		on_event(c, packet.json, packet.json_len);
}

static const struct ws_decoder_events ws_events = { .on_message = on_message };

static void
feed(struct client *c, char *data, size_t len)
{
	if (ws_decoder_feed(c->ws, data, len) != 0)
		errx(1, "client %u: %s", c->id, ws_decoder_fault(c->ws));
}

static void
on_head(struct client *c, const char *data, size_t len)
{
	struct http_head head;
	const char *why = "not HTTP";
	size_t end;

	buf_add(&c->head, data, len);
	if ((end = http_head_end(c->head.data, c->head.len, &c->head_scanned)) == 0)
		return;
	if (http_parse_response(&head, c->head.data, end) != 0 ||
	    ws_handshake_check_answer(&head, c->key, &why) != 0)
		errx(1, "client %u: answer refused: %s: %.200s", c->id, why, buf_str(&c->head));
	c->ws = ws_decoder_new(WS_CLIENT, MESSAGE_MAX, &ws_events, c);
	c->state = OPENING;
	feed(c, c->head.data + end, c->head.len - end);
	buf_free(&c->head);
}

static void
on_read(struct stream *s, char *data, size_t len)
{
	struct client *c = (struct client *)s;

	if (c->state == UPGRADING)
		on_head(c, data, len);
	else
		feed(c, data, len);
}

static void
on_end(struct stream *s)
{
	struct client *c = (struct client *)s;

	if (client_faults.ended++ == 0)
		warnx("client %u: the server ended the connection", c->id);
}

static void
on_gone(struct stream *s)
{
	struct client *c = (struct client *)s;

	c->plan->on_gone(c, c->plan->arg);
	ws_decoder_free(c->ws);
	buf_free(&c->head);
	buf_free(&c->token);
	free(c->open);
	free(c);
}

static const struct stream_events stream_events = {
	.on_read = on_read, .on_end = on_end, .on_gone = on_gone,
};
