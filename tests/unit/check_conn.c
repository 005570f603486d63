/* SPDX-License-Identifier: ISC */
/*
 * conn over a socket pair: every way in which it can end, and output that is larger than
 * the kernel takes at once.
 *
 * The peer is the other descriptor, read and written by the test itself.
 */
#include "net/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/xmalloc.h"
#include "loop_unit.h"

#define MUCH (8u << 20)		/* bytes: more than a socket holds and one write takes */

/* What a callback is told to do to its connection. */
enum deed { NOTHING, CLOSE, ABORT, CLOSE_TWICE, CLOSE_AND_ABORT, PAUSE };

static struct loop *loop;
static struct conn *conn;	/* NULL after on_close, as in an owner */
static int peer;		/* the other end; -1: closed */
static struct buf got;		/* by on_read */
static struct buf peer_got;
static enum deed on_read_does, on_drained_does;
static unsigned n_closed, n_drained;
static enum err closed_why;

static void
do_deed(enum deed deed)
{
	struct conn *c = conn;

	switch (deed) {
	case NOTHING:
		break;
	case CLOSE:
		conn_close(c, ERR_IDLE);
		break;
	case ABORT:
		conn_abort(c, ERR_IDLE);
		break;
	case CLOSE_TWICE:
		conn_close(c, ERR_IDLE);
		conn_close(c, ERR_TIMEOUT);
		break;
	case CLOSE_AND_ABORT:
		conn_close(c, ERR_IDLE);
		conn_abort(c, ERR_TIMEOUT);
		break;
	case PAUSE:
		conn_pause(c);
		break;
	}
}

static void
on_read(struct conn *c, char *data, size_t len, void *arg)
{
	ck_assert_ptr_eq(c, conn);
	ck_assert_ptr_eq(arg, &got);
	ck_assert(!conn_is_closed(c));
	buf_add(&got, data, len);
	do_deed(on_read_does);
}

static void
on_drained(struct conn *c, void *arg UNUSED)
{
	ck_assert_uint_eq(conn_queued(c), 0);
	n_drained++;
	do_deed(on_drained_does);
}

static void
on_close(struct conn *c, enum err why, void *arg UNUSED)
{
	ck_assert(conn_is_closed(c));
	n_closed++;
	closed_why = why;
	conn = NULL;
}

static const struct conn_events events = {
	.on_read = on_read,
	.on_drained = on_drained,
	.on_close = on_close,
};

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

static void
setup(void)
{
	int pair[2];

	signal(SIGPIPE, SIG_IGN);	/* as the daemon does */
	loop = loop_new();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	peer = pair[1];
	ck_assert_int_eq(fcntl(peer, F_SETFL, O_NONBLOCK), 0);
	conn = conn_new(loop, pair[0], &events, &got);
	on_read_does = on_drained_does = NOTHING;
	n_closed = n_drained = 0;
	closed_why = ERR_NONE;
}

static void
teardown(void)
{
	if (conn != NULL)
		conn_abort(conn, ERR_STOPPING);
	if (peer >= 0)
		peer_closes();
	loop_run_until(loop, is_freed, NULL);
	loop_free(loop);
	buf_free(&got);
	buf_free(&peer_got);
}

/* ---- the peer ---- */

/* Reads what is there; true at the end of the stream. */
static bool
peer_reads(size_t max)
{
	ssize_t n;

	do {
		n = read(peer, buf_reserve(&peer_got, max), max);
		if (n > 0)
			buf_used(&peer_got, (size_t)n);
	} while (n > 0 && max >= MUCH);
	if (n < 0)
		ck_assert_int_eq(errno, EAGAIN);
	return n == 0;
}

static bool
peer_sees_end(void *arg UNUSED)
{
	return peer_reads(MUCH);
}

static void
peer_sends(const char *text)
{
	ck_assert_int_eq(write(peer, text, strlen(text)), (ssize_t)strlen(text));
}

static bool
has_closed(void *arg UNUSED)
{
	return n_closed > 0;
}

static bool
has_drained(void *arg UNUSED)
{
	return n_drained > 0;
}

static bool
has_got(void *n)
{
	return got.len >= *(size_t *)n;
}

static void
wait_for_input(size_t n)
{
	loop_run_until(loop, has_got, &n);
}

static void
send_much(void)
{
	char *bytes = xmalloc(MUCH);

	for (size_t i = 0; i < MUCH; i++)
		bytes[i] = (char)(i * 7 + i / 251);
	conn_send(conn, bytes, MUCH);
	free(bytes);
}

static void
assert_peer_got_much(void)
{
	ck_assert_uint_eq(peer_got.len, MUCH);
	for (size_t i = 0; i < MUCH; i++)
		if (peer_got.data[i] != (char)(i * 7 + i / 251))
			ck_abort_msg("byte %zu is wrong", i);
}

/* ---- bytes ---- */

START_TEST(bytes_go_both_ways)
{
	peer_sends("ping");
	wait_for_input(4);
	ck_assert_str_eq(buf_str(&got), "ping");
	conn_send(conn, "po", 2);
	conn_send(conn, "ng", 2);
	ck_assert_uint_eq(conn_queued(conn), 4);
	loop_run_until(loop, has_drained, NULL);
	ck_assert(!peer_reads(100));
	ck_assert_str_eq(buf_str(&peer_got), "pong");
	ck_assert_uint_eq(n_drained, 1);
}
END_TEST

START_TEST(a_slow_reader_gets_everything)
{
	send_much();
	loop_run_turns(loop, 5);
	ck_assert_uint_eq(n_drained, 0);
	ck_assert_uint_gt(conn_queued(conn), 0);
	while (n_drained == 0) {
		peer_reads(65536);
		loop_run_turns(loop, 1);
	}
	peer_reads(MUCH);
	assert_peer_got_much();
	ck_assert_uint_eq(n_drained, 1);
	ck_assert_uint_eq(n_closed, 0);
}
END_TEST

START_TEST(a_paused_one_reads_nothing_until_it_goes_on)
{
	conn_pause(conn);
	conn_pause(conn);
	peer_sends("wait");
	loop_run_turns(loop, 5);
	ck_assert_uint_eq(got.len, 0);
	conn_resume(conn);
	conn_resume(conn);
	wait_for_input(4);
}
END_TEST

START_TEST(a_callback_may_pause_its_connection)
{
	on_read_does = PAUSE;
	peer_sends("a");
	wait_for_input(1);
	peer_sends("b");
	loop_run_turns(loop, 5);
	ck_assert_uint_eq(got.len, 1);
}
END_TEST

START_TEST(the_rest_can_be_read_at_once)
{
	char big[200000];

	memset(big, 'r', sizeof(big));
	ck_assert_int_gt(write(peer, big, sizeof(big)), 70000);
	peer_sends("");
	shutdown(peer, SHUT_WR);
	conn_read_rest(conn);
	ck_assert_uint_gt(got.len, 70000);
	ck_assert_uint_eq(n_closed, 1);
	ck_assert_int_eq(closed_why, ERR_PEER_GONE);
}
END_TEST

/* ---- ends ---- */

START_TEST(a_peer_that_leaves_ends_it_once)
{
	peer_sends("bye");
	peer_closes();
	loop_run_until(loop, is_freed, NULL);
	ck_assert_str_eq(buf_str(&got), "bye");
	ck_assert_uint_eq(n_closed, 1);
	ck_assert_int_eq(closed_why, ERR_PEER_GONE);
}
END_TEST

START_TEST(writing_to_a_peer_that_left_ends_it_once)
{
	conn_pause(conn);
	peer_closes();
	conn_send(conn, "x", 1);
	loop_run_until(loop, is_freed, NULL);
	ck_assert_uint_eq(n_closed, 1);
	ck_assert_int_eq(closed_why, ERR_PEER_GONE);
}
END_TEST

START_TEST(a_close_tells_the_owner_before_it_returns)
{
	conn_close(conn, ERR_STOPPING);
	ck_assert_uint_eq(n_closed, 1);
	ck_assert_int_eq(closed_why, ERR_STOPPING);
}
END_TEST

START_TEST(a_close_writes_what_is_queued_and_shuts)
{
	conn_send(conn, "last words", 10);
	conn_close(conn, ERR_IDLE);
	loop_run_until(loop, peer_sees_end, NULL);
	ck_assert_str_eq(buf_str(&peer_got), "last words");
	ck_assert_uint_eq(*loop_conns(loop), 1);	/* it lingers */
	peer_closes();
	loop_run_until(loop, is_freed, NULL);
	ck_assert_uint_eq(n_closed, 1);
}
END_TEST

START_TEST(a_close_of_a_paused_one_sees_its_peer_leave)
{
	conn_pause(conn);
	conn_close(conn, ERR_IDLE);
	loop_run_until(loop, peer_sees_end, NULL);
	peer_closes();
	loop_run_until(loop, is_freed, NULL);
	ck_assert_uint_eq(n_closed, 1);
}
END_TEST

START_TEST(a_lingering_one_drops_input_and_output)
{
	struct conn *lingering = conn;

	conn_close(conn, ERR_IDLE);
	conn_send(lingering, "too late", 8);
	peer_sends("too late");
	loop_run_until(loop, peer_sees_end, NULL);
	ck_assert_uint_eq(peer_got.len, 0);
	ck_assert_uint_eq(got.len, 0);
}
END_TEST

START_TEST(a_lingering_one_does_not_wait_for_ever)
{
	conn_close(conn, ERR_IDLE);
	loop_run_until(loop, is_freed, NULL);	/* the peer does nothing */
	ck_assert_uint_eq(n_closed, 1);
}
END_TEST

START_TEST(a_close_with_much_queued_writes_it_all)
{
	send_much();
	conn_close(conn, ERR_IDLE);
	loop_run_until(loop, peer_sees_end, NULL);
	assert_peer_got_much();
}
END_TEST

struct slow_read {
	uint64_t next_ms;
};

/* Some bytes every few milliseconds: for longer than a peer that does nothing is given. */
static bool
peer_sees_end_slowly(void *arg)
{
	struct slow_read *s = arg;

	if (clock_mono_ms() < s->next_ms)
		return false;
	s->next_ms = clock_mono_ms() + 80;
	return peer_reads(200000);
}

START_TEST(a_close_with_much_queued_waits_for_a_slow_reader)
{
	struct slow_read slow = { 0 };

	send_much();
	conn_close(conn, ERR_IDLE);
	loop_run_until(loop, peer_sees_end_slowly, &slow);
	assert_peer_got_much();
}
END_TEST

START_TEST(a_close_after_which_nobody_reads_is_given_up)
{
	send_much();
	conn_close(conn, ERR_IDLE);
	loop_run_until(loop, is_freed, NULL);
	ck_assert_uint_eq(n_closed, 1);
}
END_TEST

START_TEST(an_abort_drops_what_is_queued)
{
	conn_send(conn, "never sent", 10);
	conn_abort(conn, ERR_TOO_SLOW);
	ck_assert_uint_eq(n_closed, 1);
	ck_assert_int_eq(closed_why, ERR_TOO_SLOW);
	loop_run_until(loop, is_freed, NULL);
	ck_assert(peer_reads(100));
	ck_assert_uint_eq(peer_got.len, 0);
}
END_TEST

START_TEST(a_close_may_be_followed_by_an_abort)
{
	struct conn *lingering = conn;

	conn_close(conn, ERR_IDLE);
	conn_abort(lingering, ERR_TIMEOUT);
	loop_run_until(loop, is_freed, NULL);
	ck_assert_uint_eq(n_closed, 1);
	ck_assert_int_eq(closed_why, ERR_IDLE);
}
END_TEST

START_TEST(callbacks_may_end_it_in_every_way)
{
	on_read_does = (enum deed)_i;
	peer_sends("go");
	loop_run_until(loop, has_closed, NULL);
	ck_assert_int_eq(closed_why, ERR_IDLE);
	peer_closes();
	loop_run_until(loop, is_freed, NULL);
	ck_assert_uint_eq(n_closed, 1);
	ck_assert_str_eq(buf_str(&got), "go");
}
END_TEST

START_TEST(the_drained_event_may_end_it_in_every_way)
{
	on_drained_does = (enum deed)_i;
	conn_send(conn, "all", 3);
	loop_run_until(loop, peer_sees_end, NULL);
	ck_assert_str_eq(buf_str(&peer_got), "all");
	peer_closes();
	loop_run_until(loop, is_freed, NULL);
	ck_assert_uint_eq(n_closed, 1);
	ck_assert_int_eq(closed_why, ERR_IDLE);
}
END_TEST

START_TEST(both_directions_at_once_do_not_disturb_each_other)
{
	on_read_does = (enum deed)_i;
	send_much();
	loop_run_turns(loop, 3);	/* waits to write */
	peer_sends("x");
	peer_reads(MUCH);		/* now it is readable and writable in one turn */
	loop_run_until(loop, has_closed, NULL);
	peer_closes();
	loop_run_until(loop, is_freed, NULL);
	ck_assert_uint_eq(n_closed, 1);
}
END_TEST

static unsigned n_other_reads;

static void
on_other_read(struct conn *c UNUSED, char *data UNUSED, size_t len UNUSED, void *arg UNUSED)
{
	n_other_reads++;
}

static bool
has_read_elsewhere(void *arg UNUSED)
{
	return n_other_reads > 0;
}

START_TEST(another_owner_gets_the_events_from_then_on)
{
	static const struct conn_events other = { .on_read = on_other_read, .on_close = on_close };

	n_other_reads = 0;
	conn_set_events(conn, &other, NULL);
	peer_sends("x");
	loop_run_until(loop, has_read_elsewhere, NULL);
	ck_assert_uint_eq(got.len, 0);
	conn_send(conn, "y", 1);	/* no on_drained: not of interest */
	loop_run_turns(loop, 2);
	ck_assert_uint_eq(n_drained, 0);
}
END_TEST

static void
add_ends(TCase *tc)
{
	tcase_add_test(tc, a_peer_that_leaves_ends_it_once);
	tcase_add_test(tc, writing_to_a_peer_that_left_ends_it_once);
	tcase_add_test(tc, a_close_tells_the_owner_before_it_returns);
	tcase_add_test(tc, a_close_writes_what_is_queued_and_shuts);
	tcase_add_test(tc, a_close_of_a_paused_one_sees_its_peer_leave);
	tcase_add_test(tc, a_lingering_one_drops_input_and_output);
	tcase_add_test(tc, a_lingering_one_does_not_wait_for_ever);
	tcase_add_test(tc, a_close_with_much_queued_writes_it_all);
	tcase_add_test(tc, a_close_with_much_queued_waits_for_a_slow_reader);
	tcase_add_test(tc, a_close_after_which_nobody_reads_is_given_up);
	tcase_add_test(tc, an_abort_drops_what_is_queued);
	tcase_add_test(tc, a_close_may_be_followed_by_an_abort);
	tcase_add_loop_test(tc, callbacks_may_end_it_in_every_way, CLOSE, CLOSE_AND_ABORT + 1);
	tcase_add_loop_test(tc, the_drained_event_may_end_it_in_every_way, CLOSE,
	    CLOSE_AND_ABORT + 1);
	tcase_add_loop_test(tc, both_directions_at_once_do_not_disturb_each_other, CLOSE,
	    CLOSE_AND_ABORT + 1);
}

static Suite *
make_suite(void)
{
	Suite *s = suite_create("conn");
	TCase *tc = tcase_create("conn");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, bytes_go_both_ways);
	tcase_add_test(tc, a_slow_reader_gets_everything);
	tcase_add_test(tc, a_paused_one_reads_nothing_until_it_goes_on);
	tcase_add_test(tc, a_callback_may_pause_its_connection);
	tcase_add_test(tc, the_rest_can_be_read_at_once);
	tcase_add_test(tc, another_owner_gets_the_events_from_then_on);
	add_ends(tc);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
