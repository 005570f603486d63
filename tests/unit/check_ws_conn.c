/* SPDX-License-Identifier: ISC */
/*
 * ws_conn over a socket pair: what it answers by itself, its limits and its ends.
 *
 * The peer is the test: it writes frames with the encoder and reads with a decoder
 * of the other role, which notes what comes as a line, such as T(hello)Q(x)C1000(bye).
 */
#include "net/ws_conn.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/footprint.h"
#include "base/xmalloc.h"
#include "codec/ws_encoder.h"
#include "front/eio_session_int.h"
#include "front/eio_websocket.h"
#include "loop_unit.h"
#include "net/conn.h"

#define MESSAGE_MAX 1000
#define SEND_MAX    100000
#define MUCH	    (4u << 20)	/* bytes: more than a socket holds */

static const uint8_t mask[4] = { 1, 2, 3, 4 };

static struct loop *loop;
static struct conn *under;	/* the connection below; not to be used after an end */
static struct ws_conn *ws;	/* NULL after on_close */
static enum ws_role role;
static int peer;		/* -1: closed */
static bool peer_is_at_end;
static struct ws_decoder *peer_decoder;
static struct buf peer_said;	/* what came from ws */
static struct buf got;		/* texts, each with a blank behind it */
static unsigned n_closed;
static enum err closed_why;
static bool closes_on_text;
static bool answers_on_text;	/* and notes in got what the peer has when it has answered */

static void peer_reads(void);
static void send_text(const char *text, size_t len);

static struct ws_conn *other;	/* one more */
static bool answers_other;

static void
answer(const char *data, size_t len)
{
	if (answers_other)
		ws_conn_send_text(other, data, len);
	else
		send_text(data, len);
	peer_reads();
	buf_add_str(&got, buf_str(&peer_said));
	buf_add_char(&got, ' ');
	loop_stop(loop);
}

static void
on_text(struct ws_conn *w, const char *data, size_t len, void *arg)
{
	ck_assert_ptr_eq(w, ws);
	ck_assert_ptr_eq(arg, &got);
	buf_add(&got, data, len);
	buf_add_char(&got, ' ');
	if (answers_on_text)
		answer(data, len);
	if (closes_on_text)
		ws_conn_close(w, ERR_STOPPING, "test");
}

static void
on_close(struct ws_conn *w UNUSED, enum err why, const char *detail UNUSED, void *arg UNUSED)
{
	n_closed++;
	closed_why = why;
	ws = NULL;
}

static bool builds_in_place;	/* texts to send are built in the output, and not as expected */

static void
send_text(const char *text, size_t len)
{
	struct buf *b;

	if (!builds_in_place || len == 0) {
		ws_conn_send_text(ws, text, len);
		return;
	}
	b = ws_conn_begin_text(ws, len % 3 * 100);
	if (b == NULL)
		return;
	buf_add(b, text, len - 1);
	ck_assert_uint_eq(ws_conn_end_text(ws, text[len - 1], SIZE_MAX), len);
}

static const struct ws_events events = { .on_text = on_text, .on_close = on_close };

/* ---- the peer ---- */

static void
say(char letter, int code, const char *data, size_t len)
{
	buf_add_char(&peer_said, letter);
	if (code != 0)
		buf_add_u64(&peer_said, (uint64_t)code);
	buf_add_char(&peer_said, '(');
	buf_add(&peer_said, data, len);
	buf_add_char(&peer_said, ')');
}

static void
peer_on_message(enum ws_opcode kind, const char *data, size_t len, void *arg UNUSED)
{
	say(kind == WS_TEXT ? 'T' : 'B', 0, data, len);
}

static void
peer_on_ping(const char *data, size_t len, void *arg UNUSED)
{
	say('P', 0, data, len);
}

static void
peer_on_pong(const char *data, size_t len, void *arg UNUSED)
{
	say('Q', 0, data, len);
}

static void
peer_on_close(int code, const char *reason, size_t len, void *arg UNUSED)
{
	say('C', code, reason, len);
}

static const struct ws_decoder_events peer_events = {
	peer_on_message, peer_on_ping, peer_on_pong, peer_on_close
};

/* Frames as the peer's role has to send them. */
static void
peer_sends(enum ws_opcode op, const void *data, size_t len)
{
	struct buf b = { 0 };

	ws_encode_frame(&b, op, data, len, role == WS_SERVER ? mask : NULL);
	ck_assert_int_eq(write(peer, b.data, b.len), (ssize_t)b.len);
	buf_free(&b);
}

static void
peer_sends_text(const char *text)
{
	peer_sends(WS_TEXT, text, strlen(text));
}

static void
peer_reads(void)
{
	char bytes[65536];
	ssize_t n;

	while ((n = read(peer, bytes, sizeof(bytes))) > 0)
		ck_assert_int_eq(ws_decoder_feed(peer_decoder, bytes, (size_t)n), 0);
	peer_is_at_end = n == 0;
}

static bool
peer_has_heard(void *want)
{
	peer_reads();
	return strcmp(buf_str(&peer_said), want) == 0;
}

static void
wait_until_peer_hears(const char *want)
{
	loop_run_until(loop, peer_has_heard, (void *)(uintptr_t)want);
}

static bool
peer_sees_end(void *arg UNUSED)
{
	peer_reads();
	return peer_is_at_end;
}

static bool
has_closed(void *arg UNUSED)
{
	return n_closed > 0;
}

static bool
is_freed(void *arg UNUSED)
{
	return *loop_conns(loop) == 0;
}

static void
peer_closes(void)
{
	close(peer);
	peer = -1;
}

/* ---- frame of a test ---- */

static void
begin(enum ws_role of_ws)
{
	static const struct conn_events none = { 0 };
	static const struct ws_limits limits = { MESSAGE_MAX, SEND_MAX };
	int pair[2];

	signal(SIGPIPE, SIG_IGN);	/* as the daemon does */
	role = of_ws;
	loop = loop_new();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	peer = pair[1];
	ck_assert_int_eq(fcntl(peer, F_SETFL, O_NONBLOCK), 0);
	peer_decoder = ws_decoder_new(of_ws == WS_SERVER ? WS_CLIENT : WS_SERVER, 2 * MUCH,
	    &peer_events, NULL);
	under = conn_new(loop, pair[0], &none, NULL);
	ws = ws_conn_new(under, of_ws, &limits, &events, &got);
	n_closed = 0;
	closes_on_text = answers_on_text = peer_is_at_end = builds_in_place = false;
}

static void
setup_server(void)
{
	begin(WS_SERVER);
}

static void
setup_in_place(void)
{
	begin(WS_SERVER);
	builds_in_place = true;
}

static void
setup_client(void)
{
	begin(WS_CLIENT);
}

static void
teardown(void)
{
	if (ws != NULL)
		ws_conn_abort(ws, ERR_STOPPING);
	if (peer >= 0)
		peer_closes();
	loop_run_until(loop, is_freed, NULL);
	ck_assert_uint_eq(n_closed, 1);
	loop_free(loop);
	ws_decoder_free(peer_decoder);
	buf_free(&peer_said);
	buf_free(&got);
}

/* ---- in both roles ---- */

static bool
has_two_texts(void *arg UNUSED)
{
	return strcmp(buf_str(&got), "hello world ") == 0;
}

START_TEST(texts_go_both_ways)
{
	peer_sends_text("hello");
	peer_sends_text("world");
	loop_run_until(loop, has_two_texts, NULL);
	ws_conn_send_text(ws, "hi", 2);
	ws_conn_send_text(ws, "", 0);
	wait_until_peer_hears("T(hi)T()");
}
END_TEST

/* Whatever length was expected, the frame has its own in the shortest form. */
START_TEST(a_text_may_be_built_in_place)
{
	static const size_t lens[] = { 1, 125, 126, 300, 65535, 65536, 70000 };
	size_t len = lens[_i];
	char *text = xmalloc(len);
	struct buf *b;

	memset(text, 'x', len);
	for (size_t k = 0; k < ARRAY_LEN(lens); k++) {
		buf_free(&peer_said);
		b = ws_conn_begin_text(ws, lens[k]);
		buf_add(b, "dropped", 7);
		ck_assert_uint_eq(ws_conn_end_text(ws, '!', 7), 8);
		b = ws_conn_begin_text(ws, lens[k]);
		buf_add(b, text, len - 1);
		ck_assert_uint_eq(ws_conn_end_text(ws, 'x', len), len);
		while (peer_said.len < len + 3) {
			loop_run_turns(loop, 1);
			peer_reads();
		}
		ck_assert_uint_eq(peer_said.len, len + 3);
		ck_assert_mem_eq(peer_said.data + 2, text, len);
	}
	free(text);
}
END_TEST

/* More than the output gathers before it makes more room for itself. */
START_TEST(the_answer_to_the_last_message_of_a_turn_does_not_wait_for_its_end)
{
	answers_on_text = true;
	peer_sends_text("a");
	peer_sends_text("b");
	loop_run(loop);		/* one turn, in which no timer is due */
	ck_assert_str_eq(buf_str(&got), "a  b T(a)T(b) ");
	peer_sends_text("c");
	loop_run(loop);
	ck_assert_str_eq(buf_str(&got), "a  b T(a)T(b) c T(a)T(b)T(c) ");
}
END_TEST

static int other_peer;		/* of one that has something to say in the same turn, or before */
static bool other_was_first;

static void
on_other_text(struct ws_conn *w UNUSED, const char *data UNUSED, size_t len UNUSED,
    void *arg UNUSED)
{
	char byte;

	other_was_first = got.len == 0;
	ws_conn_send_text(other, "x", 1);
	ck_assert_int_eq(read(other_peer, &byte, 1), other_was_first ? -1 : 1);
}

static void
on_other_close(struct ws_conn *w UNUSED, enum err why, const char *detail UNUSED, void *arg)
{
	if (arg != NULL)
		*(enum err *)arg = why;
	other = NULL;
}

START_TEST(an_answer_waits_for_the_end_of_a_turn_in_which_others_are_to_be_read)
{
	static const struct ws_events other_events = {
		.on_text = on_other_text, .on_close = on_other_close
	};
	static const struct conn_events none = { 0 };
	static const struct ws_limits limits = { MESSAGE_MAX, SEND_MAX };
	struct buf b = { 0 };
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	other_peer = pair[1];
	ck_assert_int_eq(fcntl(other_peer, F_SETFL, O_NONBLOCK), 0);
	other = ws_conn_new(conn_new(loop, pair[0], &none, NULL), WS_SERVER, &limits,
	    &other_events, NULL);
	answers_on_text = true;
	ws_encode_frame(&b, WS_TEXT, "x", 1, mask);
	ck_assert_int_eq(write(other_peer, b.data, b.len), (ssize_t)b.len);
	peer_sends_text("a");
	loop_run(loop);
	ck_assert_str_eq(buf_str(&got), other_was_first ? "a T(a) " : "a  ");
	wait_until_peer_hears("T(a)");
	ws_conn_abort(other, ERR_STOPPING);
	close(other_peer);
	buf_free(&b);
}
END_TEST

/* Both ends of a connection over TCP, of which the second has been reset by the first. */
static int
reset_connection(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(at);
	int door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), far, near;
	struct pollfd gone;

	ck_assert_int_eq(bind(door, (struct sockaddr *)&at, len), 0);
	ck_assert_int_eq(listen(door, 1), 0);
	ck_assert_int_eq(getsockname(door, (struct sockaddr *)&at, &len), 0);
	far = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(far, (struct sockaddr *)&at, len), 0);
	near = accept4(door, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(near, 0);
	close(door);
	ck_assert_int_eq(setsockopt(far, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 },
	    sizeof(struct linger)), 0);
	close(far);
	gone = (struct pollfd){ .fd = near };
	ck_assert_int_eq(poll(&gone, 1, LOOP_WAIT_MS), 1);
	ck_assert_int_ne(gone.revents & POLLERR, 0);
	return near;
}

static bool
other_has_closed(void *arg UNUSED)
{
	return other == NULL;
}

START_TEST(a_reset_that_an_answer_meets_before_the_end_of_its_turn_is_told)
{
	static const struct ws_events other_events = {
		.on_text = on_other_text, .on_close = on_other_close
	};
	static const struct conn_events none = { 0 };
	static const struct ws_limits limits = { MESSAGE_MAX, SEND_MAX };
	enum err why = ERR_NONE;
	struct conn *c = conn_new(loop, reset_connection(), &none, NULL);

	other = ws_conn_new(c, WS_SERVER, &limits, &other_events, &why);
	conn_pause(c);		/* so that not a read meets it */
	answers_on_text = answers_other = true;
	peer_sends_text("a");
	loop_run(loop);
	loop_run_until(loop, other_has_closed, NULL);
	ck_assert_int_eq(why, ERR_RESET);
	answers_other = false;
}
END_TEST

/* Its transport too gives the carrier, which is the WebSocket, and the connection under it. */
START_TEST(a_text_touches_it_and_its_connection)
{
	struct footprint f = { .n = 0 };
	const struct ws_conn *mine = ws;

	ws_conn_footprint(ws, &f);
	ck_assert_uint_eq(f.n, 2);
	ck_assert_ptr_eq(f.object[0], ws);
	ck_assert_ptr_eq(f.object[1], under);
	f.n = 0;
	eio_websocket_transport.footprint(ws, &f);
	ck_assert_uint_eq(f.n, 2);
	ck_assert_ptr_eq(f.object[1], under);
	for (unsigned i = 0; i <= FOOTPRINT_MAX; i++)
		footprint_add(&f, ws);
	ck_assert_uint_eq(f.n, FOOTPRINT_MAX);
	footprint_fetch(&f);
	conn_abort(under, ERR_RESET);
	f.n = 0;
	ws_conn_footprint(mine, &f);	/* there until the end of the turn */
	ck_assert_uint_eq(f.n, 1);
}
END_TEST

START_TEST(large_texts_built_in_one_turn_come_in_order)
{
	const size_t len = 30000;
	struct buf want = { 0 };
	char *text = xmalloc(len);

	builds_in_place = true;
	for (char c = 'a'; c < 'g'; c++) {
		memset(text, c, len);
		send_text(text, len);
		buf_add_str(&want, "T(");
		buf_add(&want, text, len);
		buf_add_char(&want, ')');
		peer_reads();
	}
	wait_until_peer_hears(buf_str(&want));
	buf_free(&want);
	free(text);
}
END_TEST

/* The end is met where room is made for the next text, and told when that has been given up. */
START_TEST(one_who_is_gone_gets_no_text_built_for_it)
{
	char text[1000] = { 0 };
	struct buf *b = NULL;
	size_t sent = 0;

	peer_closes();
	while (sent < SEND_MAX && (b = ws_conn_begin_text(ws, sizeof(text))) != NULL) {
		buf_add(b, text, sizeof(text) - 1);
		ck_assert_uint_eq(ws_conn_end_text(ws, 'x', SIZE_MAX), sizeof(text));
		sent += sizeof(text);
	}
	ck_assert_ptr_null(b);
	ck_assert_uint_eq(n_closed, 0);
	ck_assert_ptr_null(ws_conn_begin_text(ws, 1));
	loop_run_turns(loop, 1);
	ck_assert_uint_eq(n_closed, 1);
}
END_TEST

START_TEST(bytes_behind_the_handshake_count)
{
	struct buf b = { 0 };

	ws_encode_frame(&b, WS_TEXT, "hello", 5, role == WS_SERVER ? mask : NULL);
	ws_encode_frame(&b, WS_TEXT, "wor", 3, role == WS_SERVER ? mask : NULL);
	ws_conn_feed(ws, b.data, b.len);
	ck_assert_str_eq(buf_str(&got), "hello wor ");
	buf_free(&b);
}
END_TEST

START_TEST(a_ping_is_answered_with_its_bytes)
{
	peer_sends(WS_PING, "are you there", 13);
	peer_sends(WS_PING, "", 0);
	peer_sends(WS_PONG, "unasked", 7);
	wait_until_peer_hears("Q(are you there)Q()");
}
END_TEST

START_TEST(a_close_is_answered_once_with_its_code)
{
	struct buf b = { 0 };

	ws_encode_close(&b, 4001, "bye", role == WS_SERVER ? mask : NULL);
	ws_encode_close(&b, 4002, "again", role == WS_SERVER ? mask : NULL);
	ck_assert_int_eq(write(peer, b.data, b.len), (ssize_t)b.len);
	buf_free(&b);
	loop_run_until(loop, peer_sees_end, NULL);
	ck_assert_str_eq(buf_str(&peer_said), "C4001()");
	ck_assert_int_eq(closed_why, ERR_PEER_LEFT);
}
END_TEST

START_TEST(a_close_without_a_code_is_answered_without_one)
{
	peer_sends(WS_CLOSE, "", 0);
	loop_run_until(loop, peer_sees_end, NULL);
	ck_assert_str_eq(buf_str(&peer_said), "C1005()");
	ck_assert_int_eq(closed_why, ERR_PEER_LEFT);
}
END_TEST

START_TEST(our_close_says_why_and_the_answer_to_it_is_not_answered)
{
	ws_conn_send_text(ws, "last", 4);
	ws_conn_close(ws, ERR_STOPPING, NULL);
	ck_assert_uint_eq(n_closed, 1);
	ck_assert_int_eq(closed_why, ERR_STOPPING);
	peer_sends(WS_CLOSE, "\x03\xe9", 2);
	loop_run_until(loop, peer_sees_end, NULL);
	ck_assert_str_eq(buf_str(&peer_said), "T(last)C1001(stopping)");
}
END_TEST

START_TEST(an_end_without_a_code_sends_none)
{
	ws_conn_close(ws, ERR_CANCELLED, NULL);
	loop_run_until(loop, peer_sees_end, NULL);
	ck_assert_str_eq(buf_str(&peer_said), "C1005()");
}
END_TEST

START_TEST(an_abort_sends_nothing)
{
	ws_conn_send_text(ws, "dropped", 7);
	ws_conn_abort(ws, ERR_TOO_SLOW);
	loop_run_until(loop, peer_sees_end, NULL);
	ck_assert_str_eq(buf_str(&peer_said), "");
	ck_assert_int_eq(closed_why, ERR_TOO_SLOW);
}
END_TEST

START_TEST(a_peer_that_is_gone_ends_it)
{
	peer_closes();
	loop_run_until(loop, has_closed, NULL);
	ck_assert_int_eq(closed_why, ERR_PEER_GONE);
}
END_TEST

START_TEST(a_text_callback_may_close_and_hears_no_more)
{
	struct buf b = { 0 };

	closes_on_text = true;
	ws_encode_frame(&b, WS_TEXT, "one", 3, role == WS_SERVER ? mask : NULL);
	ws_encode_frame(&b, WS_TEXT, "two", 3, role == WS_SERVER ? mask : NULL);
	ck_assert_int_eq(write(peer, b.data, b.len), (ssize_t)b.len);
	buf_free(&b);
	loop_run_until(loop, peer_sees_end, NULL);
	ck_assert_str_eq(buf_str(&got), "one ");
	ck_assert_str_eq(buf_str(&peer_said), "C1001(stopping)");
}
END_TEST

/* ---- what ends it ---- */

START_TEST(a_message_above_the_limit_ends_it_with_1009)
{
	char text[MESSAGE_MAX + 1];

	memset(text, 'x', sizeof(text));
	peer_sends(WS_TEXT, text, MESSAGE_MAX);
	peer_sends(WS_TEXT, text, MESSAGE_MAX + 1);
	loop_run_until(loop, peer_sees_end, NULL);
	ck_assert_uint_eq(got.len, MESSAGE_MAX + 1);
	ck_assert_str_eq(buf_str(&peer_said), "C1009(too_big)");
	ck_assert_int_eq(closed_why, ERR_TOO_BIG);
}
END_TEST

/* First bytes of a frame, masked with zeroes, and the close they bring. */
static const struct {
	const char *bytes;
	size_t len;
	const char *heard;
	enum err why;
} bad[] = {
	{ "\x81\x01z", 3, "C1002(bad_frame)", ERR_BAD_FRAME },	/* not masked */
	{ "\xc1\x80\0\0\0\0", 6, "C1002(bad_frame)", ERR_BAD_FRAME },	/* reserved bit */
	{ "\x81\x81\0\0\0\0\xff", 7, "C1007(bad_utf8)", ERR_BAD_UTF8 },
	{ "\x82\x81\0\0\0\0z", 7, "C1003(binary_refused)", ERR_BINARY },
};

START_TEST(what_is_no_text_message_ends_it)
{
	ck_assert_int_eq(write(peer, bad[_i].bytes, bad[_i].len), (ssize_t)bad[_i].len);
	loop_run_until(loop, peer_sees_end, NULL);
	ck_assert_str_eq(buf_str(&peer_said), bad[_i].heard);
	ck_assert_int_eq(closed_why, bad[_i].why);
}
END_TEST

static void
send_much(void)
{
	char *text = xmalloc(MUCH);

	memset(text, 'm', MUCH);
	send_text(text, MUCH);
	free(text);
}

START_TEST(one_large_message_may_exceed_an_empty_queue)
{
	send_much();
	ck_assert_uint_eq(n_closed, 0);
	loop_run_turns(loop, 3);
	while (peer_said.len < MUCH) {
		peer_reads();
		loop_run_turns(loop, 1);
	}
	ck_assert_uint_eq(peer_said.len, MUCH + 3);
	send_text("next", 4);
	loop_run_turns(loop, 1);
	ck_assert_uint_eq(n_closed, 0);
}
END_TEST

START_TEST(a_second_one_behind_it_ends_it)
{
	send_much();
	send_text("x", 1);
	ck_assert_uint_eq(n_closed, 0);		/* not from within */
	send_text("y", 1);
	loop_run_turns(loop, 1);
	ck_assert_uint_eq(n_closed, 1);
	ck_assert_int_eq(closed_why, ERR_TOO_SLOW);
}
END_TEST

/*
 * What the kernel still takes was read for all we know; behind that one who does not read gets
 * as much as the queue may hold, all of it within one turn or spread over many.
 */
START_TEST(many_small_ones_end_one_who_does_not_read)
{
	char text[1000] = { 0 };
	size_t sent = 0, taken;

	while (ws != NULL && sent < MUCH) {
		ck_assert_uint_le(conn_queued(under), SEND_MAX);
		send_text(text, sizeof(text));
		sent += sizeof(text);
		if (_i == 1)
			loop_run_turns(loop, 1);
		else if (conn_is_closed(under))
			break;
	}
	ck_assert_uint_eq(n_closed, _i);
	loop_run_turns(loop, 1);
	ck_assert_uint_eq(n_closed, 1);
	ck_assert_int_eq(closed_why, ERR_TOO_SLOW);
	peer_reads();
	taken = peer_said.len;
	ck_assert_uint_gt(taken, 0);
	ck_assert_uint_gt(sent, taken + SEND_MAX - 5 * sizeof(text));
	ck_assert_uint_lt(sent, MUCH);
}
END_TEST

/* However much is sent in one turn, it counts as slow only if it leaves it unread. */
START_TEST(many_small_ones_do_not_end_one_who_reads)
{
	char text[1000];
	size_t sent = 0;

	memset(text, 'x', sizeof(text));
	while (sent < MUCH) {
		send_text(text, sizeof(text));
		ck_assert_uint_eq(n_closed, 0);
		sent += sizeof(text);
		if (sent % 50000 == 0)
			peer_reads();
	}
	while (conn_queued(under) > 0) {
		peer_reads();
		loop_run_turns(loop, 1);
	}
	peer_reads();
	ck_assert_uint_eq(n_closed, 0);
	ck_assert_uint_eq(peer_said.len, sent / sizeof(text) * (sizeof(text) + 3));
}
END_TEST

START_TEST(pings_of_one_who_does_not_read_end_it)
{
	send_much();
	loop_run_turns(loop, 2);
	peer_sends(WS_PING, "", 0);
	loop_run_until(loop, has_closed, NULL);
	ck_assert_int_eq(closed_why, ERR_TOO_SLOW);
}
END_TEST

static TCase *
case_of_both(const char *name, void (*setup)(void))
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, texts_go_both_ways);
	tcase_add_loop_test(tc, a_text_may_be_built_in_place, 0, 7);
	tcase_add_test(tc, the_answer_to_the_last_message_of_a_turn_does_not_wait_for_its_end);
	tcase_add_test(tc,
	    an_answer_waits_for_the_end_of_a_turn_in_which_others_are_to_be_read);
	tcase_add_test(tc, a_reset_that_an_answer_meets_before_the_end_of_its_turn_is_told);
	tcase_add_test(tc, a_text_touches_it_and_its_connection);
	tcase_add_test(tc, large_texts_built_in_one_turn_come_in_order);
	tcase_add_test(tc, one_who_is_gone_gets_no_text_built_for_it);
	tcase_add_test(tc, bytes_behind_the_handshake_count);
	tcase_add_test(tc, a_ping_is_answered_with_its_bytes);
	tcase_add_test(tc, a_close_is_answered_once_with_its_code);
	tcase_add_test(tc, a_close_without_a_code_is_answered_without_one);
	tcase_add_test(tc, our_close_says_why_and_the_answer_to_it_is_not_answered);
	tcase_add_test(tc, an_end_without_a_code_sends_none);
	tcase_add_test(tc, an_abort_sends_nothing);
	tcase_add_test(tc, a_peer_that_is_gone_ends_it);
	tcase_add_test(tc, a_text_callback_may_close_and_hears_no_more);
	return tc;
}

/* How much may wait for its reader. */
static void
add_limits(TCase *tc)
{
	tcase_add_test(tc, one_large_message_may_exceed_an_empty_queue);
	tcase_add_test(tc, a_second_one_behind_it_ends_it);
	tcase_add_loop_test(tc, many_small_ones_end_one_who_does_not_read, 0, 2);
	tcase_add_test(tc, many_small_ones_do_not_end_one_who_reads);
}

static Suite *
make_suite(void)
{
	Suite *s = suite_create("ws_conn");
	TCase *tc = case_of_both("server", setup_server), *in_place = tcase_create("in place");

	suite_add_tcase(s, case_of_both("client", setup_client));
	tcase_add_test(tc, a_message_above_the_limit_ends_it_with_1009);
	tcase_add_loop_test(tc, what_is_no_text_message_ends_it, 0, ARRAY_LEN(bad));
	add_limits(tc);
	tcase_add_checked_fixture(in_place, setup_in_place, teardown);
	tcase_set_timeout(in_place, 20);
	add_limits(in_place);
	suite_add_tcase(s, in_place);
	tcase_add_test(tc, pings_of_one_who_does_not_read_end_it);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
