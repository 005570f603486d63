/* SPDX-License-Identifier: ISC */
/*
 * WebSocket frames: however the input is cut, the decoder says the same.
 *
 * The first byte of the input chooses role and cuts, the second the limit of a
 * message; frames follow.  A tiny limit is as interesting as a large one.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xmalloc.h"
#include "codec/utf8.h"
#include "codec/ws_decoder.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A run of the decoder and all it said. */
struct run {
	struct ws_decoder *d;
	struct buf said;
	size_t message_max;
	enum err err;
	bool has_closed;
};

static void
say(struct run *r, char letter, uint64_t number, const char *data, size_t len)
{
	if (r->has_closed)
		abort();
	buf_add_char(&r->said, letter);
	buf_add_u64(&r->said, number);
	buf_add_char(&r->said, ':');
	buf_add_u64(&r->said, len);
	buf_add_char(&r->said, ':');
	buf_add(&r->said, data, len);
}

static void
on_message(enum ws_opcode kind, const char *data, size_t len, void *arg)
{
	struct run *r = arg;

	if (len > r->message_max || (kind == WS_TEXT && !utf8_is_valid(data, len)) ||
	    (kind != WS_TEXT && kind != WS_BINARY))
		abort();
	say(r, 'M', kind, data, len);
	if (len == 3)	/* some messages make their reader stop */
		ws_decoder_stop(r->d);
}

static void
on_ping(const char *data, size_t len, void *arg)
{
	if (len > 125)
		abort();
	say(arg, 'P', 0, data, len);
}

static void
on_pong(const char *data, size_t len, void *arg)
{
	if (len > 125)
		abort();
	say(arg, 'Q', 0, data, len);
}

static void
on_close(int code, const char *reason, size_t len, void *arg)
{
	struct run *r = arg;

	if (len > 123 || !utf8_is_valid(reason, len) || code < 1000 || code > 4999)
		abort();
	say(r, 'C', (uint64_t)code, reason, len);
	r->has_closed = true;
}

static const struct ws_decoder_events events = { on_message, on_ping, on_pong, on_close };

/* Feeds pieces of the given size, each in memory of its own. */
static void
run_pieces(struct run *r, enum ws_role role, const uint8_t *data, size_t len, size_t piece)
{
	r->d = ws_decoder_new(role, r->message_max, &events, r);
	for (size_t i = 0; i < len && r->err == ERR_NONE; i += piece) {
		size_t n = len - i < piece ? len - i : piece;
		char *copy = xmemdup(data + i, n);

		r->err = ws_decoder_feed(r->d, copy, n);
		if (ws_decoder_held(r->d) > r->message_max)
			abort();
		free(copy);
	}
	if ((r->err != ERR_NONE) != (ws_decoder_fault(r->d)[0] != '\0'))
		abort();
	ws_decoder_free(r->d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct run whole = { 0 }, cut = { 0 };
	enum ws_role role;
	size_t piece;

	if (len < 3)
		return 0;
	role = (data[0] & 1) != 0 ? WS_CLIENT : WS_SERVER;
	piece = 1 + (data[0] >> 1) % 40;
	whole.message_max = cut.message_max = (data[1] & 1) != 0 ? 1 << 20 : data[1];
	data += 2;
	len -= 2;

	run_pieces(&whole, role, data, len, len);
	run_pieces(&cut, role, data, len, piece);
	if (whole.err != cut.err || whole.said.len != cut.said.len ||
	    (whole.said.len > 0 && memcmp(whole.said.data, cut.said.data, cut.said.len) != 0))
		abort();
	buf_free(&whole.said);
	buf_free(&cut.said);
	return 0;
}
