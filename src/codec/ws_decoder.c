/* SPDX-License-Identifier: ISC */
/*
 * WebSocket frames into messages: a loop over two steps, the head of a frame and
 * its payload.
 *
 * A head is collected in the decoder (14 bytes at most) and judged as a whole
 * before a byte of payload is looked at.  A payload that is a complete message in
 * one piece is used where it lies; all else is gathered in a buffer that grows
 * with what has arrived, never with what was announced.
 */
#include "codec/ws_decoder.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xmalloc.h"
#include "codec/utf8.h"
#include "codec/ws_encoder.h"

#define FIN		0x80
#define RESERVED	0x70
#define OPCODE		0x0f
#define MASKED		0x80
#define LENGTH		0x7f
#define LENGTH_16	126
#define LENGTH_64	127
#define CONTROL_MAX	125	/* bytes a control frame may carry (section 5.5) */
#define NO_CODE		1005	/* a close frame without a body (section 7.4.1) */

/* Nothing of a message's buffer above this is kept for the next one. */
#define KEEP_BYTES	2048

/*
 * Fragments smaller than SMALL_BYTES that one message may have.  Without a bound a
 * peer could go on for ever with empty ones, below every limit of size.
 */
#define SMALL_BYTES	16
#define SMALL_MAX	1024

enum step { STEP_HEAD, STEP_PAYLOAD, STEP_STOPPED };

_Static_assert(sizeof(void *) > 8 || sizeof(struct ws_decoder) <= 112, "each client has one");

/* What is left of the bytes being fed. */
struct input {
	char *p;
	size_t len;
};

static enum err	step_head(struct ws_decoder *, struct input *);
static enum err	step_payload(struct ws_decoder *, struct input *);

void
ws_decoder_init(struct ws_decoder *d, enum ws_role role, size_t message_max,
    const struct ws_decoder_events *ev, void *arg)
{
	*d = (struct ws_decoder){ .role = role, .step = STEP_HEAD, .message_max = message_max,
		.ev = ev, .arg = arg, .fault = "" };
}

void
ws_decoder_cleanup(struct ws_decoder *d)
{
	assert(!d->is_feeding);
	buf_free(&d->message);
	free(d->control);
}

struct ws_decoder *
ws_decoder_new(enum ws_role role, size_t message_max, const struct ws_decoder_events *ev,
    void *arg)
{
	struct ws_decoder *d = xmalloc(sizeof(*d));

	ws_decoder_init(d, role, message_max, ev, arg);
	return d;
}

void
ws_decoder_free(struct ws_decoder *d)
{
	if (d == NULL)
		return;
	ws_decoder_cleanup(d);
	free(d);
}

/* Is there something to do?  An empty payload is complete without a further byte. */
static bool
can_go_on(const struct ws_decoder *d, const struct input *in)
{
	switch ((enum step)d->step) {
	case STEP_HEAD:
		return in->len > 0;
	case STEP_PAYLOAD:
		return in->len > 0 || d->left == 0;
	case STEP_STOPPED:
		break;
	}
	return false;
}

enum err
ws_decoder_feed(struct ws_decoder *d, void *data, size_t len)
{
	struct input in = { data, len };
	enum err err = ERR_NONE;

	assert(!d->is_feeding);
	d->is_feeding = true;
	while (err == ERR_NONE && can_go_on(d, &in))
		err = d->step == STEP_HEAD ? step_head(d, &in) : step_payload(d, &in);
	d->is_feeding = false;
	if (err != ERR_NONE || d->step == STEP_STOPPED)
		ws_decoder_stop(d);
	return err;
}

const char *
ws_decoder_fault(const struct ws_decoder *d)
{
	return d->fault;
}

void
ws_decoder_stop(struct ws_decoder *d)
{
	d->step = STEP_STOPPED;
	d->kind = WS_CONTINUATION;
	/* Inside an event the buffer may be what the event is reading. */
	if (!d->is_feeding)
		buf_free(&d->message);
}

size_t
ws_decoder_held(const struct ws_decoder *d)
{
	return d->kind == WS_CONTINUATION ? 0 : d->message.len;
}

static enum err
fail(struct ws_decoder *d, enum err err, const char *fault)
{
	d->fault = fault;
	return err;
}

static enum ws_opcode
opcode_of(const struct ws_decoder *d)
{
	return (enum ws_opcode)(d->head[0] & OPCODE);
}

static bool
is_final(const struct ws_decoder *d)
{
	return (d->head[0] & FIN) != 0;
}

static bool
is_control(const struct ws_decoder *d)
{
	return (d->head[0] & WS_CLOSE) != 0;
}

/* The first two bytes are here: everything that can be said without the length. */
static enum err
check_start(struct ws_decoder *d)
{
	bool is_masked = (d->head[1] & MASKED) != 0;

	if ((d->head[0] & RESERVED) != 0)
		return fail(d, ERR_BAD_FRAME, "reserved bit is set");
	switch (opcode_of(d)) {
	case WS_CONTINUATION:
		if (d->kind == WS_CONTINUATION)
			return fail(d, ERR_BAD_FRAME, "continuation of no message");
		break;
	case WS_TEXT:
	case WS_BINARY:
		if (d->kind != WS_CONTINUATION)
			return fail(d, ERR_BAD_FRAME, "new message inside another");
		break;
	case WS_CLOSE:
	case WS_PING:
	case WS_PONG:
		if (!is_final(d))
			return fail(d, ERR_BAD_FRAME, "control frame in fragments");
		if ((d->head[1] & LENGTH) > CONTROL_MAX)
			return fail(d, ERR_BAD_FRAME, "control frame above 125 bytes");
		break;
	default:
		return fail(d, ERR_BAD_FRAME, "reserved opcode");
	}
	if (is_masked && d->role == WS_CLIENT)
		return fail(d, ERR_BAD_FRAME, "frame of a server is masked");
	if (!is_masked && d->role == WS_SERVER)
		return fail(d, ERR_BAD_FRAME, "frame of a client is not masked");
	return ERR_NONE;
}

/* How long this head is, by its first two bytes. */
static size_t
head_bytes(const struct ws_decoder *d)
{
	unsigned length = d->head[1] & LENGTH;

	return 2U + (length == LENGTH_16 ? 2 : length == LENGTH_64 ? 8 : 0) +
	    (d->role == WS_SERVER ? 4 : 0);
}

/* The payload length; its shortest form is the only one allowed (section 5.2). */
static enum err
read_length(struct ws_decoder *d)
{
	uint64_t len = d->head[1] & LENGTH;

	if (len == LENGTH_16) {
		len = (uint64_t)d->head[2] << 8 | d->head[3];
		if (len < LENGTH_16)
			return fail(d, ERR_BAD_FRAME, "length is not in its shortest form");
	} else if (len == LENGTH_64) {
		memcpy(&len, d->head + 2, sizeof(len));
		len = be64toh(len);
		if (len <= UINT16_MAX)
			return fail(d, ERR_BAD_FRAME, "length is not in its shortest form");
		if (len > INT64_MAX)
			return fail(d, ERR_BAD_FRAME, "length has its top bit set");
	}
	d->left = len;
	return ERR_NONE;
}

/* A frame of a message begins: may the message become as long as announced? */
static enum err
begin_data(struct ws_decoder *d)
{
	if (opcode_of(d) != WS_CONTINUATION) {
		d->kind = opcode_of(d);
		d->utf8 = (struct utf8_state){ 0 };
		d->n_small = 0;
	}
	/* Earlier fragments were held against the same limit: no wrap below 0. */
	if (d->left > d->message_max - d->message.len)
		return fail(d, ERR_TOO_BIG, "message is longer than allowed");
	if (!is_final(d) && d->left < SMALL_BYTES && ++d->n_small > SMALL_MAX)
		return fail(d, ERR_TOO_BIG, "message has too many small fragments");
	return ERR_NONE;
}

/* Takes what is missing of the first n bytes of the head, as far as it is there. */
static bool
has_head(struct ws_decoder *d, struct input *in, size_t n)
{
	size_t missing = n - d->head_len, k = missing < in->len ? missing : in->len;

	memcpy(d->head + d->head_len, in->p, k);
	d->head_len = (uint8_t)(d->head_len + k);
	in->p += k;
	in->len -= k;
	return k == missing;
}

/* A head that comes in pieces, or at the end of what was read. */
static RARE enum err
gather_head(struct ws_decoder *d, struct input *in, bool *is_whole)
{
	enum err err;

	if (d->head_len < 2) {
		if (!has_head(d, in, 2))
			return ERR_NONE;
		if ((err = check_start(d)) != ERR_NONE)
			return err;
	}
	*is_whole = has_head(d, in, head_bytes(d));
	return ERR_NONE;
}

static enum err
take_head(struct ws_decoder *d, struct input *in, bool *is_whole)
{
	enum err err;

	*is_whole = false;
	if (d->head_len > 0 || in->len < WS_HEAD_MAX)
		return gather_head(d, in, is_whole);
	memcpy(d->head, in->p, WS_HEAD_MAX);
	if ((err = check_start(d)) != ERR_NONE)
		return err;
	d->head_len = (uint8_t)head_bytes(d);
	in->p += d->head_len;
	in->len -= d->head_len;
	*is_whole = true;
	return ERR_NONE;
}

static enum err
step_head(struct ws_decoder *d, struct input *in)
{
	bool is_whole;
	enum err err = take_head(d, in, &is_whole);

	if (err != ERR_NONE || !is_whole)
		return err;
	if ((err = read_length(d)) != ERR_NONE)
		return err;
	if (!is_control(d) && (err = begin_data(d)) != ERR_NONE)
		return err;
	if (d->role == WS_SERVER)
		memcpy(d->mask, d->head + d->head_len - sizeof(d->mask), sizeof(d->mask));
	d->at = 0;
	d->step = STEP_PAYLOAD;
	return ERR_NONE;
}

/* The frame is over.  Set before its event, which may stop the decoder. */
static void
expect_head(struct ws_decoder *d)
{
	d->step = STEP_HEAD;
	d->head_len = 0;
}

/* The codes an endpoint may send (section 7.4; 1012 to 1014 were registered later). */
static bool
is_close_code(int code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
	    (code >= 3000 && code <= 4999);
}

static enum err
take_close(struct ws_decoder *d, const char *data, size_t len)
{
	int code = NO_CODE;

	if (len == 1)
		return fail(d, ERR_BAD_FRAME, "close frame with half a code");
	if (len >= 2) {
		code = (uint8_t)data[0] << 8 | (uint8_t)data[1];
		if (!is_close_code(code))
			return fail(d, ERR_BAD_FRAME, "close code is not allowed");
		data += 2;
		len -= 2;
	}
	if (!utf8_is_valid(data, len))
		return fail(d, ERR_BAD_UTF8, "close reason is not UTF-8");
	ws_decoder_stop(d);
	if (d->ev->on_close != NULL)
		d->ev->on_close(code, data, len, d->arg);
	return ERR_NONE;
}

static enum err
take_control(struct ws_decoder *d, const char *piece, size_t n)
{
	size_t len = d->at;

	if (n < len || d->left > 0) {	/* it comes in pieces */
		if (d->control == NULL)
			d->control = xmalloc(CONTROL_MAX);
		memcpy(d->control + len - n, piece, n);
		piece = d->control;
	}
	if (d->left > 0)
		return ERR_NONE;
	expect_head(d);
	switch (opcode_of(d)) {
	case WS_PING:
		if (d->ev->on_ping != NULL)
			d->ev->on_ping(piece, len, d->arg);
		return ERR_NONE;
	case WS_PONG:
		if (d->ev->on_pong != NULL)
			d->ev->on_pong(piece, len, d->arg);
		return ERR_NONE;
	default:
		return take_close(d, piece, len);
	}
}

/* The last frame of a message is complete; data is all of it. */
static inline enum err
end_message(struct ws_decoder *d, const char *data, size_t len)
{
	enum ws_opcode kind = d->kind;

	if (kind == WS_TEXT && !utf8_is_complete(&d->utf8))
		return fail(d, ERR_BAD_UTF8, "text ends inside a character");
	d->kind = WS_CONTINUATION;
	if (d->ev->on_message != NULL)
		d->ev->on_message(kind, data, len, d->arg);
	return ERR_NONE;
}

/* A piece of a message that is not whole in it. */
static enum err
gather_message(struct ws_decoder *d, const char *piece, size_t n, bool ends_message)
{
	enum err err;

	buf_add(&d->message, piece, n);
	if (!ends_message)
		return ERR_NONE;
	err = end_message(d, d->message.data, d->message.len);
	if (err == ERR_NONE)
		buf_reset(&d->message, KEEP_BYTES);
	return err;
}

/* ASCII is what a piece mostly is; then it is good unless it follows half a character. */
static enum err
take_data(struct ws_decoder *d, const char *piece, size_t n, bool is_ascii)
{
	bool ends_message = d->left == 0 && is_final(d);

	if (d->kind == WS_TEXT && !(is_ascii && utf8_is_complete(&d->utf8)) &&
	    !utf8_feed(&d->utf8, piece, n))
		return fail(d, ERR_BAD_UTF8, "text is not UTF-8");
	if (d->left == 0)
		expect_head(d);
	if (ends_message && d->message.len == 0)	/* the piece is the message */
		return end_message(d, piece, n);
	return gather_message(d, piece, n, ends_message);
}

static enum err
step_payload(struct ws_decoder *d, struct input *in)
{
	size_t n = in->len < d->left ? in->len : (size_t)d->left;
	char *piece = in->p;
	bool is_ascii = false;

	if (d->role == WS_SERVER)
		is_ascii = ws_mask(piece, n, d->mask, d->at);
	in->p += n;
	in->len -= n;
	d->left -= n;
	d->at += n;
	return is_control(d) ? take_control(d, piece, n) : take_data(d, piece, n, is_ascii);
}
