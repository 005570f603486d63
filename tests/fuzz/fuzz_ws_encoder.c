/* SPDX-License-Identifier: ISC */
/*
 * WebSocket frames out and in again: the decoder of the other side reads what was written.
 *
 * The first byte of the input chooses role and kind, the next four are the mask, the
 * next two a close code; the rest is what is sent.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xmalloc.h"
#include "codec/utf8.h"
#include "codec/ws_decoder.h"
#include "codec/ws_encoder.h"

#define HEAD_BYTES 7
#define REASON_MAX 123
#define MESSAGE_MAX (1 << 20)

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
require(bool is_true)
{
	if (!is_true)
		abort();
}

/* What the other side has read. */
struct seen {
	struct buf text;
	int kind;	/* an opcode; -1: nothing yet */
	int code;
};

static void
see(struct seen *s, int kind, const char *data, size_t len)
{
	require(s->kind == -1);
	s->kind = kind;
	buf_add(&s->text, data, len);
}

static void
on_message(enum ws_opcode kind, const char *data, size_t len, void *arg)
{
	see(arg, kind, data, len);
}

static void
on_ping(const char *data, size_t len, void *arg)
{
	see(arg, WS_PING, data, len);
}

static void
on_pong(const char *data, size_t len, void *arg)
{
	see(arg, WS_PONG, data, len);
}

static void
on_close(int code, const char *reason, size_t len, void *arg)
{
	struct seen *s = arg;

	s->code = code;
	see(s, WS_CLOSE, reason, len);
}

static const struct ws_decoder_events events = { on_message, on_ping, on_pong, on_close };

static void
read_back(struct seen *s, enum ws_role reader, struct buf *wire)
{
	struct ws_decoder *d = ws_decoder_new(reader, MESSAGE_MAX, &events, s);

	require(ws_decoder_feed(d, wire->data, wire->len) == ERR_NONE);
	require(ws_decoder_held(d) == 0);
	ws_decoder_free(d);
}

static void
try_frame(enum ws_opcode op, enum ws_role reader, const uint8_t *mask, const uint8_t *data,
    size_t len)
{
	struct seen s = { .kind = -1 };
	struct buf wire = { 0 };

	ws_encode_frame(&wire, op, data, len, mask);
	require(wire.len >= len + 2 && wire.len <= len + WS_HEAD_MAX);
	read_back(&s, reader, &wire);
	require(s.kind == (int)op && s.text.len == len);
	require(len == 0 || memcmp(s.text.data, data, len) == 0);
	buf_free(&wire);
	buf_free(&s.text);
}

/* A reason that is too long is cut, between characters. */
static void
try_close(int code, enum ws_role reader, const uint8_t *mask, const uint8_t *data, size_t len)
{
	char *reason = xstrndup((const char *)data, len);
	struct seen s = { .kind = -1 };
	struct buf wire = { 0 };

	ws_encode_close(&wire, code, reason, mask);
	read_back(&s, reader, &wire);
	require(s.kind == WS_CLOSE && s.code == (code != 0 ? code : 1005));
	require(s.text.len <= REASON_MAX && s.text.len <= strlen(reason));
	if (code != 0) {
		require(s.text.len == 0 || memcmp(s.text.data, reason, s.text.len) == 0);
		require(s.text.len + 3 >= REASON_MAX || s.text.len == strlen(reason));
	}
	buf_free(&wire);
	buf_free(&s.text);
	free(reason);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *mask, *text = data + HEAD_BYTES;
	enum ws_role reader;
	bool is_text;

	if (len < HEAD_BYTES)
		return 0;
	len -= HEAD_BYTES;
	reader = (data[0] & 1) != 0 ? WS_SERVER : WS_CLIENT;
	mask = reader == WS_SERVER ? data + 1 : NULL;
	is_text = utf8_is_valid(text, len);
	switch (data[0] >> 1 & 3) {
	case 0:
		try_frame(is_text ? WS_TEXT : WS_BINARY, reader, mask, text, len);
		break;
	case 1:
		try_frame(WS_PING, reader, mask, text, len < 125 ? len : 125);
		break;
	case 2:
		try_frame(WS_PONG, reader, mask, text, len < 125 ? len : 125);
		break;
	default:
		if (is_text)
			try_close((data[0] & 0x80) != 0 ? 0 : 3000 + (data[5] << 8 | data[6]) % 2000,
			    reader, mask, text, len);
		break;
	}
	return 0;
}
