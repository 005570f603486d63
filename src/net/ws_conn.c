/* SPDX-License-Identifier: ISC */
/*
 * WebSocket on a conn: the decoder's events become ours, frames go out masked
 * in the client role.
 */
#include "net/ws_conn.h"

#include <stdlib.h>
#include <string.h>

#include "base/footprint.h"
#include "base/id.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "codec/ws_encoder.h"
#include "net/conn.h"
#include "net/loop.h"

#define CLOSE_WITHOUT_CODE 1005
#define FLUSH_BYTES	   (192 << 10)	/* of output */
#define GROW_BYTES	   (48 << 10)	/* the same, before more room is made for it */

/* What a peer's close code says, for the log (RFC 6455 section 7.4.1). */
static const struct {
	int code;
	const char *text;
} close_codes[] = {
	{ 1001, "1001, going away" },
	{ 1002, "1002, protocol error" },
	{ 1003, "1003, unsupported data" },
	{ 1007, "1007, invalid data" },
	{ 1008, "1008, policy violation" },
	{ 1009, "1009, message too big" },
	{ 1011, "1011, internal error" },
	{ 1013, "1013, try again later" },
};

/*
 * First what each message needs: of thousands of connections nothing is in the processor's caches
 * when one of them says something.
 */
struct ws_conn {
	struct conn *conn;		/* NULL: it has ended */
	const struct ws_events *ev;
	void *arg;
	size_t send_max;
	size_t frame_at;		/* a text being built begins here in the output ... */
	uint8_t head_len;		/* ... with so much room before it for its head */
	enum ws_role role : 8;
	bool is_sending;		/* whoever sends is not told of the end from within */
	enum err why : 16;
	struct ws_decoder decoder;

	struct loop *loop;
	const char *detail;		/* of the close under way */
	uint64_t sent;			/* of the end: bytes that were written, or will be */
	struct loop_work work;		/* to tell of the end, then to be freed */
};

_Static_assert(sizeof(void *) > 8 || sizeof(struct ws_conn) <= 208, "each client has one");

static void on_read(struct conn *, char *, size_t, void *);
static void on_conn_close(struct conn *, enum err, void *);
static void on_message(enum ws_opcode, const char *, size_t, void *);
static void on_ping(const char *, size_t, void *);
static void on_pong(const char *, size_t, void *);
static void on_close_frame(int, const char *, size_t, void *);

static const struct conn_events conn_events = {
	.on_read = on_read,
	.on_close = on_conn_close,
};

static const struct ws_decoder_events decoder_events = {
	.on_message = on_message,
	.on_ping = on_ping,
	.on_pong = on_pong,
	.on_close = on_close_frame,
};

struct ws_conn *
ws_conn_new(struct conn *conn, enum ws_role role, const struct ws_limits *limits,
    const struct ws_events *ev, void *arg)
{
	struct ws_conn *ws = xcalloc(1, sizeof(*ws));

	ws->conn = conn;
	ws->loop = conn_loop(conn);
	ws->role = role;
	ws->send_max = limits->send_max;
	ws_decoder_init(&ws->decoder, role, limits->message_max, &decoder_events, ws);
	ws->ev = ev;
	ws->arg = arg;
	conn_set_events(conn, &conn_events, ws);
	return ws;
}

void
ws_conn_feed(struct ws_conn *ws, char *data, size_t len)
{
	enum err e;

	if (ws->conn == NULL)
		return;
	__builtin_prefetch(ws->arg);	/* needed when the message is unmasked */
	e = ws_decoder_feed(&ws->decoder, data, len);
	if (e != 0)
		ws_conn_close(ws, e, ws_decoder_fault(&ws->decoder));
}

static void
on_read(struct conn *conn UNUSED, char *data, size_t len, void *arg)
{
	ws_conn_feed(arg, data, len);
}

void
ws_conn_set_send_max(struct ws_conn *ws, size_t send_max)
{
	ws->send_max = send_max;
}

static void
send_frame(struct ws_conn *ws, enum ws_opcode op, const void *data, size_t len)
{
	uint8_t mask[4];

	if (ws->role == WS_CLIENT)
		id_mask(mask);
	ws_encode_frame(conn_out(ws->conn), op, data, len, ws->role == WS_CLIENT ? mask : NULL);
	conn_touch(ws->conn);
}

void
ws_conn_send_text(struct ws_conn *ws, const char *data, size_t len)
{
	size_t queued;

	if (ws->conn == NULL)
		return;
	ws->is_sending = true;
	/* Much may have gathered in this turn: what counts is what the reader leaves. */
	if (conn_queued(ws->conn) + len > ws->send_max)
		conn_flush(ws->conn);
	queued = ws->conn != NULL ? conn_queued(ws->conn) : 0;
	if (queued > 0 && queued + len > ws->send_max)
		ws_conn_abort(ws, ERR_TOO_SLOW);
	if (ws->conn != NULL)
		send_frame(ws, WS_TEXT, data, len);
	ws->is_sending = false;
}

void
ws_conn_footprint(const struct ws_conn *ws, struct footprint *f)
{
	footprint_add(f, ws);
	if (ws->conn != NULL)
		conn_footprint(ws->conn, f);
}

/* Much that was gathered is written before its buffer has to grow, and so would be copied. */
static void
make_room(struct ws_conn *ws, size_t n)
{
	const struct buf *out = conn_out(ws->conn);

	if (out->cap - out->len >= n || conn_queued(ws->conn) < GROW_BYTES)
		return;
	ws->is_sending = true;
	conn_flush(ws->conn);
	ws->is_sending = false;
}

struct buf *
ws_conn_begin_text(struct ws_conn *ws, size_t expected)
{
	struct buf *out;

	if (ws->conn != NULL)
		make_room(ws, WS_HEAD_MAX + expected);
	if (ws->conn == NULL)
		return NULL;
	out = conn_out_for(ws->conn, WS_HEAD_MAX + expected);
	ws->frame_at = out->len;
	ws->head_len = (uint8_t)ws_head_len(expected, ws->role == WS_CLIENT);
	buf_used(out, ws->head_len);
	return out;
}

/* Its head goes before it, and it is moved if its length does not take what was expected. */
static void
finish_frame(struct ws_conn *ws, struct buf *out, size_t len)
{
	bool is_masked = ws->role == WS_CLIENT;
	size_t n = ws_head_len(len, is_masked), at = ws->frame_at;
	uint8_t mask[4], *head;

	if (n != ws->head_len) {
		buf_reserve(out, WS_HEAD_MAX);
		memmove(out->data + at + n, out->data + at + ws->head_len, len);
		out->len = at + n + len;
	}
	head = (uint8_t *)out->data + at;
	if (is_masked)
		id_mask(mask);
	(void)ws_encode_head(head, WS_TEXT, len, is_masked ? mask : NULL);
	if (is_masked)
		(void)ws_mask(head + n, len, mask, 0);
}

/*
 * What a reader leaves has a limit; but one message alone may be above it.  Much goes out before
 * the end of the turn: a buffer that grows is copied each time.
 */
static void
keep_to_limit(struct ws_conn *ws, size_t frame_len)
{
	size_t queued = conn_queued(ws->conn);

	if (queued <= ws->send_max && queued < FLUSH_BYTES)
		return;
	ws->is_sending = true;
	conn_flush(ws->conn);
	if (ws->conn != NULL && conn_queued(ws->conn) > frame_len &&
	    conn_queued(ws->conn) > ws->send_max)
		ws_conn_abort(ws, ERR_TOO_SLOW);
	ws->is_sending = false;
}

size_t
ws_conn_end_text(struct ws_conn *ws, char last, size_t max)
{
	struct buf *out = conn_out(ws->conn);
	size_t len;

	buf_add_char(out, last);
	len = out->len - ws->frame_at - ws->head_len;
	if (len > max) {
		out->len = ws->frame_at;
		return len;
	}
	finish_frame(ws, out, len);
	conn_touch(ws->conn);
	keep_to_limit(ws, out->len - ws->frame_at);
	return len;
}

uint64_t
ws_conn_position(const struct ws_conn *ws)
{
	return ws->conn != NULL ? conn_position(ws->conn) : ws->sent;
}

uint64_t
ws_conn_sent(const struct ws_conn *ws)
{
	return ws->conn != NULL ? conn_sent(ws->conn) : ws->sent;
}

static void
on_message(enum ws_opcode op, const char *data, size_t len, void *arg)
{
	struct ws_conn *ws = arg;

	loop_comes_to(ws->loop, data + len);
	if (op == WS_TEXT)
		ws->ev->on_text(ws, data, len, ws->arg);
	else
		ws_conn_close(ws, ERR_BINARY, NULL);
}

static void
on_ping(const char *data, size_t len, void *arg)
{
	struct ws_conn *ws = arg;

	/* Pongs count as output: a flood of pings by one who does not read ends like any other. */
	if (conn_queued(ws->conn) > ws->send_max)
		ws_conn_abort(ws, ERR_TOO_SLOW);
	else
		send_frame(ws, WS_PONG, data, len);
}

static void
on_pong(const char *data UNUSED, size_t len UNUSED, void *arg UNUSED)
{
}

/* Answer with the same code, once (RFC 6455 section 5.5.1). */
static void
on_close_frame(int code, const char *reason UNUSED, size_t len UNUSED, void *arg)
{
	struct ws_conn *ws = arg;
	uint8_t mask[4];

	if (ws->role == WS_CLIENT)
		id_mask(mask);
	for (size_t i = 0; i < ARRAY_LEN(close_codes); i++)
		if (close_codes[i].code == code)
			ws->detail = close_codes[i].text;
	ws_encode_close(conn_out(ws->conn), code == CLOSE_WITHOUT_CODE ? 0 : code, NULL,
	    ws->role == WS_CLIENT ? mask : NULL);
	conn_touch(ws->conn);
	conn_close(ws->conn, ERR_PEER_LEFT);
}

void
ws_conn_close(struct ws_conn *ws, enum err why, const char *detail)
{
	uint8_t mask[4];

	if (ws->conn == NULL)
		return;
	if (ws->role == WS_CLIENT)
		id_mask(mask);
	ws_encode_close(conn_out(ws->conn), err_ws_close(why), err_ws_close(why) != 0 ?
	    err_code(why) : NULL, ws->role == WS_CLIENT ? mask : NULL);
	conn_touch(ws->conn);
	ws->detail = detail;
	conn_close(ws->conn, why);
}

void
ws_conn_abort(struct ws_conn *ws, enum err why)
{
	if (ws->conn != NULL)
		conn_abort(ws->conn, why);
}

static void
release(void *arg)
{
	struct ws_conn *ws = arg;

	ws_decoder_cleanup(&ws->decoder);
	free(ws);
}

static void
tell_closed(void *arg)
{
	struct ws_conn *ws = arg;

	ws->ev->on_close(ws, ws->why, ws->detail, ws->arg);
	/* The decoder may be up the stack. */
	loop_defer(ws->loop, LOOP_FREE, &ws->work, release, ws);
}

static void
on_conn_close(struct conn *conn, enum err why, void *arg)
{
	struct ws_conn *ws = arg;

	ws->conn = NULL;
	ws->why = why;
	ws->sent = conn_sent(conn);
	if (ws->detail == NULL)
		ws->detail = conn_fault(conn);
	ws_decoder_stop(&ws->decoder);
	if (ws->is_sending)
		loop_defer(ws->loop, LOOP_FLUSH, &ws->work, tell_closed, ws);
	else
		tell_closed(ws);
}
