/* SPDX-License-Identifier: ISC */
/*
 * ws_decoder against wslay, another implementation of RFC 6455: for frames made at random,
 * good and bad, both say the same.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <wslay/wslay.h>

#include "base/buf.h"
#include "codec/ws_decoder.h"
#include "codec/ws_encoder.h"
#include "unit.h"

#define MESSAGE_MAX 300
#define N_STREAMS   3000	/* for each seed */

static uint64_t random_state;

static unsigned
next_random(unsigned below)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)((random_state >> 33) % below);
}

/* ---- making frames ---- */

static size_t
make_payload(uint8_t *p, unsigned opcode)
{
	static const char *const pieces[] = { "a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
		"plain", "\xc3", "\xa4", "\xff", "" };
	static const unsigned lengths[] = { 0, 1, 2, 7, 125, 126, 127, 200, 290, 320 };
	size_t n = 0, want = lengths[next_random(10)];

	if (opcode == WS_CLOSE && next_random(4) > 0) {
		unsigned code = next_random(2) == 0 ? 1000 + next_random(20) : next_random(6000);

		if (code >= 1012 && code <= 1014)
			code = 1011;	/* registered after the oracle was written */
		p[n++] = (uint8_t)(code >> 8);
		p[n++] = (uint8_t)code;
		want = n + next_random(10);
	}
	while (n < want) {
		/* Bad pieces of UTF-8 are rare, or hardly a text would pass. */
		const char *piece = pieces[next_random(next_random(20) == 0 ? 9 : 5)];

		memcpy(p + n, piece, strlen(piece));
		n += strlen(piece);
	}
	return n;
}

static void
add_length(struct buf *b, size_t len, bool is_masked)
{
	unsigned form = len < 126 ? 0 : 1;
	int bytes;

	if (next_random(60) == 0)
		form += next_random(2) + 1;	/* longer than need be */
	if (form > 2)
		form = 2;
	buf_add_char(b, (char)((is_masked ? 0x80 : 0) | (form == 0 ? len : form == 1 ? 126 : 127)));
	bytes = form == 0 ? 0 : form == 1 ? 2 : 8;
	while (bytes-- > 0)
		buf_add_char(b, (char)((uint64_t)len >> (8 * bytes)));
}

static void
add_frame(struct buf *b, enum ws_role decodes, bool *in_message)
{
	static const uint8_t opcodes[] = { WS_TEXT, WS_TEXT, WS_BINARY, WS_PING, WS_PONG, WS_CLOSE };
	uint8_t payload[400], mask[4] = { 0 };
	unsigned opcode = opcodes[next_random(6)], head;
	bool is_masked = decodes == WS_SERVER, is_fin = next_random(3) > 0;
	size_t len;

	if (opcode == WS_CLOSE && next_random(3) > 0)
		opcode = WS_TEXT;
	if (opcode >= WS_CLOSE)
		is_fin = next_random(30) > 0;
	else if (*in_message && next_random(40) > 0)
		opcode = WS_CONTINUATION;
	if (next_random(80) == 0)
		opcode = next_random(16);
	if (opcode < WS_CLOSE)
		*in_message = !is_fin;
	if (next_random(80) == 0)
		is_masked = !is_masked;
	len = make_payload(payload, opcode);
	if (opcode >= WS_CLOSE && len > 125 && next_random(10) > 0)
		len = 5;
	head = (is_fin ? 0x80 : 0) | opcode | (next_random(80) == 0 ? 1u << (4 + next_random(3)) : 0);
	buf_add_char(b, (char)head);
	add_length(b, len, is_masked);
	if (is_masked) {
		for (int i = 0; i < 4; i++)
			mask[i] = (uint8_t)next_random(256);
		buf_add(b, mask, 4);
		ws_mask(payload, len, mask, 0);
	}
	buf_add(b, payload, len);
}

/* ---- what each says: T(text)B(bytes)P(ping)Q(pong)C1000(reason), then "!" for a fault ---- */

static void
say(struct buf *said, char letter, int code, const void *data, size_t len)
{
	buf_add_char(said, letter);
	if (code != 0)
		buf_add_u64(said, (uint64_t)code);
	buf_add_char(said, '(');
	buf_add(said, data, len);
	buf_add_char(said, ')');
}

static void
our_message(enum ws_opcode kind, const char *data, size_t len, void *arg)
{
	say(arg, kind == WS_TEXT ? 'T' : 'B', 0, data, len);
}

static void
our_ping(const char *data, size_t len, void *arg)
{
	say(arg, 'P', 0, data, len);
}

static void
our_pong(const char *data, size_t len, void *arg)
{
	say(arg, 'Q', 0, data, len);
}

static void
our_close(int code, const char *reason, size_t len, void *arg)
{
	say(arg, 'C', code, reason, len);
}

/* In two pieces, cut anywhere. */
static void
ask_ours(const struct buf *wire, enum ws_role role, struct buf *said)
{
	static const struct ws_decoder_events events = { our_message, our_ping, our_pong,
		our_close };
	struct ws_decoder *d = ws_decoder_new(role, MESSAGE_MAX, &events, said);
	struct buf copy = { 0 };
	size_t cut = next_random((unsigned)wire->len + 1);

	buf_add(&copy, wire->data, wire->len);
	if (ws_decoder_feed(d, copy.data, cut) != 0 ||
	    ws_decoder_feed(d, copy.data + cut, copy.len - cut) != 0)
		buf_add_char(said, '!');
	ws_decoder_free(d);
	buf_free(&copy);
}

struct oracle {
	const struct buf *wire;
	size_t at;
	struct buf *said;
};

static ssize_t
oracle_recv(wslay_event_context_ptr ctx, uint8_t *buf, size_t len, int flags, void *arg)
{
	struct oracle *o = arg;
	size_t left = o->wire->len - o->at;

	(void)flags;
	if (left == 0) {
		wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	len = len < left ? len : left;
	memcpy(buf, o->wire->data + o->at, len);
	o->at += len;
	return (ssize_t)len;
}

static void
oracle_message(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *m, void *arg)
{
	struct oracle *o = arg;

	(void)ctx;
	switch (m->opcode) {
	case WSLAY_TEXT_FRAME:
		say(o->said, 'T', 0, m->msg, m->msg_length);
		break;
	case WSLAY_BINARY_FRAME:
		say(o->said, 'B', 0, m->msg, m->msg_length);
		break;
	case WSLAY_PING:
		say(o->said, 'P', 0, m->msg, m->msg_length);
		break;
	case WSLAY_PONG:
		say(o->said, 'Q', 0, m->msg, m->msg_length);
		break;
	case WSLAY_CONNECTION_CLOSE:
		if (m->msg_length >= 2)
			say(o->said, 'C', m->status_code, m->msg + 2, m->msg_length - 2);
		else if (m->msg_length == 0)
			say(o->said, 'C', 1005, NULL, 0);
		else	/* it lets half a code pass, against RFC 6455 section 5.5.1 */
			buf_add_char(o->said, '!');
		break;
	}
}

static void
ask_oracle(const struct buf *wire, enum ws_role role, struct buf *said)
{
	static const struct wslay_event_callbacks callbacks = {
		.recv_callback = oracle_recv,
		.on_msg_recv_callback = oracle_message,
	};
	struct oracle o = { wire, 0, said };
	wslay_event_context_ptr ctx;

	ck_assert_int_eq(role == WS_SERVER ? wslay_event_context_server_init(&ctx, &callbacks, &o) :
	    wslay_event_context_client_init(&ctx, &callbacks, &o), 0);
	wslay_event_config_set_max_recv_msg_length(ctx, MESSAGE_MAX);
	/* Some faults are returned, others end its reading. */
	if (wslay_event_recv(ctx) != 0 ||
	    (!wslay_event_get_read_enabled(ctx) && !wslay_event_get_close_received(ctx)))
		buf_add_char(said, '!');
	wslay_event_context_free(ctx);
}

static void
dump(const struct buf *wire)
{
	for (size_t i = 0; i < wire->len; i++)
		fprintf(stderr, "%02x", (uint8_t)wire->data[i]);
	fprintf(stderr, "\n");
}

static void
compare(enum ws_role role, unsigned *n_faults)
{
	struct buf wire = { 0 }, ours = { 0 }, theirs = { 0 };
	bool in_message = false;

	for (unsigned n = 1 + next_random(8); n > 0; n--)
		add_frame(&wire, role, &in_message);
	ask_ours(&wire, role, &ours);
	ask_oracle(&wire, role, &theirs);
	if (ours.len != theirs.len || memcmp(buf_str(&ours), buf_str(&theirs), ours.len) != 0) {
		dump(&wire);
		ck_abort_msg("ours says %s, the oracle %s", buf_str(&ours), buf_str(&theirs));
	}
	*n_faults += ours.len > 0 && ours.data[ours.len - 1] == '!';
	buf_free(&wire);
	buf_free(&ours);
	buf_free(&theirs);
}

/* Streams are long enough for faults, and short enough for streams without one. */
START_TEST(says_what_the_oracle_says)
{
	unsigned n_faults = 0;

	random_state = (uint64_t)_i;
	for (int i = 0; i < N_STREAMS; i++)
		compare(i % 2 == 0 ? WS_SERVER : WS_CLIENT, &n_faults);
	ck_assert_uint_gt(n_faults, N_STREAMS / 10);
	ck_assert_uint_lt(n_faults, N_STREAMS - N_STREAMS / 10);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("ws_oracle");
	TCase *tc = tcase_create("ws_oracle");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, says_what_the_oracle_says, 1, 6);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
