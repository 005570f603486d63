/* SPDX-License-Identifier: ISC */
/*
 * Lines of a worker, however they are cut on their way.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "codec/handler_msg.h"
#include "loop_unit.h"
#include "net/loop.h"
#include "unit.h"
#include "worker/handler_link.h"

#define LINE_MAX_BYTES 100

static const char wire[] =
    "{\"op\":\"send\",\"id\":1,\"message\":{\"n\":\"\xc3\xa9\"}}\n"
    "{\"op\":\"finish\",\"id\":1,\"message\":{}}\n";
static const char wanted[] = "send 1 finish 1 ";

static struct loop *loop;
static struct handler_link *line_link;
static struct buf seen;
static bool is_closed;
static enum err closed_why;
static int peer;

static void
on_msg(const struct handler_msg *msg, void *arg UNUSED)
{
	buf_printf(&seen, "%s %llu ", msg->op == HANDLER_SEND ? "send" :
	    msg->op == HANDLER_FINISH ? "finish" : "?", (unsigned long long)msg->id);
}

static void
on_close(enum err why, const char *detail UNUSED, void *arg UNUSED)
{
	is_closed = true;
	closed_why = why;
}

static const struct handler_link_events events = { .on_msg = on_msg, .on_close = on_close };

static void
setup(void)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	loop = loop_new();
	peer = pair[1];
	is_closed = false;
	seen.len = 0;
	line_link = handler_link_new(loop, pair[0], LINE_MAX_BYTES, 16, &events, NULL);
}

static void
teardown(void)
{
	if (!is_closed)
		handler_link_close(line_link, ERR_STOPPING);
	close(peer);
	loop_free(loop);
	buf_free(&seen);
}

static void
put(const char *bytes, size_t len)
{
	ck_assert_int_eq(write(peer, bytes, len), (ssize_t)len);
	handler_link_read_rest(line_link);
}

static bool
link_is_closed(void *arg UNUSED)
{
	return is_closed;
}

START_TEST(two_lines_survive_any_cut)
{
	put(wire, (size_t)_i);
	put(wire + _i, sizeof(wire) - 1 - (size_t)_i);
	ck_assert_str_eq(buf_str(&seen), wanted);
	ck_assert(!is_closed);
}
END_TEST

START_TEST(bytes_may_come_one_by_one)
{
	for (size_t i = 0; i < sizeof(wire) - 1; i++)
		put(wire + i, 1);
	ck_assert_str_eq(buf_str(&seen), wanted);
}
END_TEST

START_TEST(a_line_above_the_limit_ends_the_link)
{
	char big[LINE_MAX_BYTES + 1];

	memset(big, ' ', sizeof(big));
	put(big, sizeof(big));
	ck_assert(is_closed);
	ck_assert_int_eq(closed_why, ERR_TOO_BIG);
	ck_assert_uint_eq(seen.len, 0);
}
END_TEST

START_TEST(the_limit_holds_for_a_line_that_comes_whole_too)
{
	char big[LINE_MAX_BYTES + 2];

	memset(big, ' ', sizeof(big));
	big[sizeof(big) - 1] = '\n';
	put(big, sizeof(big));
	ck_assert_int_eq(closed_why, ERR_TOO_BIG);
}
END_TEST

START_TEST(nonsense_ends_the_link_and_what_follows_is_not_read)
{
	static const char nonsense[] =
	    "{\"op\":\"finish\",\"id\":1}\nno json\n{\"op\":\"finish\",\"id\":2}\n";

	put(nonsense, sizeof(nonsense) - 1);
	ck_assert_str_eq(buf_str(&seen), "finish 1 ");
	ck_assert_int_eq(closed_why, ERR_BAD_LINE);
}
END_TEST

START_TEST(the_end_inside_a_line_gives_no_message)
{
	put(wire, 10);
	shutdown(peer, SHUT_WR);
	loop_run_until(loop, link_is_closed, NULL);
	ck_assert_int_eq(closed_why, ERR_PEER_GONE);
	ck_assert_uint_eq(seen.len, 0);
}
END_TEST

static bool
is_readable(void *arg)
{
	char byte;

	return recv(*(int *)arg, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* Over a socket that keeps writes apart. */
START_TEST(all_lines_of_a_turn_are_one_write)
{
	struct handler_link *packets;
	struct buf line = { 0 };
	char got[256];
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	packets = handler_link_new(loop, pair[0], LINE_MAX_BYTES, 16, &events, NULL);
	handler_msg_encode_ping(&line);
	handler_link_send(packets, &line);
	for (uint64_t id = 1; id <= 2; id++) {
		handler_msg_encode_cancel(handler_link_out(packets, 64), id);
		handler_link_touch(packets);
	}
	ck_assert(!is_readable(&pair[1]));
	loop_run_until(loop, is_readable, &pair[1]);
	got[recv(pair[1], got, sizeof(got) - 1, 0)] = '\0';
	ck_assert_str_eq(got, "{\"op\":\"ping\"}\n{\"op\":\"cancel\",\"id\":1}\n"
	    "{\"op\":\"cancel\",\"id\":2}\n");
	ck_assert(!is_readable(&pair[1]));
	handler_link_close(packets, ERR_STOPPING);
	is_closed = false;	/* that was not the one of all tests */
	close(pair[1]);
	buf_free(&line);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("handler_link");
	TCase *tc = tcase_create("lines");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, two_lines_survive_any_cut, 1, sizeof(wire) - 1);
	tcase_add_test(tc, bytes_may_come_one_by_one);
	tcase_add_test(tc, a_line_above_the_limit_ends_the_link);
	tcase_add_test(tc, the_limit_holds_for_a_line_that_comes_whole_too);
	tcase_add_test(tc, nonsense_ends_the_link_and_what_follows_is_not_read);
	tcase_add_test(tc, the_end_inside_a_line_gives_no_message);
	tcase_add_test(tc, all_lines_of_a_turn_are_one_write);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
