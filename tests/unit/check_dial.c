/* SPDX-License-Identifier: ISC */
#include "net/dial.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/compiler.h"
#include "loop_unit.h"
#include "net/resolve.h"

#define N_WAITING 2	/* one more than listen(2) was told */

static struct loop *loop;
static struct resolver *resolver;
static int listening;
static uint16_t port;
static bool is_over;
static int dialled;
static enum err dial_err;
static int waiting[N_WAITING];	/* who connected before; -1: nobody */

static void
setup(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);

	loop = loop_new();
	resolver = resolver_new();
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listening = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_ge(listening, 0);
	ck_assert_int_eq(bind(listening, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(listening, 1), 0);
	ck_assert_int_eq(getsockname(listening, (struct sockaddr *)&a, &len), 0);
	port = ntohs(a.sin_port);
	is_over = false;
	dialled = -1;
	dial_err = ERR_NONE;
	for (unsigned i = 0; i < N_WAITING; i++)
		waiting[i] = -1;
}

static void
teardown(void)
{
	if (listening >= 0)
		close(listening);
	if (dialled >= 0)
		close(dialled);
	for (unsigned i = 0; i < N_WAITING; i++)
		if (waiting[i] >= 0)
			close(waiting[i]);
	resolver_free(resolver);
	loop_free(loop);
}

static void
on_done(int fd, enum err e, const char *why UNUSED, void *arg)
{
	ck_assert_ptr_eq(arg, &is_over);
	is_over = true;
	dialled = fd;
	dial_err = e;
}

static bool
is_done(void *arg)
{
	return *(bool *)arg;
}

static void
dial(const char *host)
{
	dial_start(loop, resolver, host, port, LOOP_WAIT_MS / 2, on_done, &is_over);
	ck_assert(!is_over);
	loop_run_until(loop, is_done, &is_over);
}

START_TEST(connects_without_delay)
{
	socklen_t len = sizeof(int);
	int on = 0;

	dial("127.0.0.1");
	ck_assert_int_eq(dial_err, ERR_NONE);
	ck_assert_int_ge(dialled, 0);
	ck_assert_int_eq(getsockopt(dialled, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
	ck_assert_int_ne(on, 0);
}
END_TEST

/* Whatever the system's own choice is; it can be wrong where that is BBR. */
START_TEST(does_not_pace_to_this_machine)
{
	char name[16] = "";
	socklen_t len = sizeof(name) - 1;

	dial("127.0.0.1");
	ck_assert_int_ge(dialled, 0);
	ck_assert_int_eq(getsockopt(dialled, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
	ck_assert_str_ne(name, "");
	ck_assert_msg(strncmp(name, "bbr", 3) != 0, "%s", name);
}
END_TEST

/* By the resolver's thread; where the first address is ::1 nobody listens there, and it is not the last. */
START_TEST(connects_to_a_name)
{
	dial("localhost");
	ck_assert_int_eq(dial_err, ERR_NONE);
	ck_assert_int_ge(dialled, 0);
}
END_TEST

START_TEST(says_that_nobody_listens)
{
	close(listening);
	listening = -1;
	dial("127.0.0.1");
	ck_assert_int_eq(dialled, -1);
	ck_assert_int_eq(dial_err, ERR_REFUSED);
}
END_TEST

/* Who has connected waits to be accepted, for ever, and nobody else may come. */
static void
fill_backlog(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (unsigned i = 0; i < N_WAITING; i++) {
		waiting[i] = socket(AF_INET, SOCK_STREAM, 0);
		ck_assert_int_ge(waiting[i], 0);
		ck_assert_int_eq(connect(waiting[i], (struct sockaddr *)&a, sizeof(a)), 0);
	}
	/* Of a listening socket this is how many wait. */
	while (getsockopt(listening, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
	    info.tcpi_unacked < N_WAITING)
		poll(NULL, 0, 1);
}

START_TEST(gives_up_after_its_time)
{
	fill_backlog();
	dial_start(loop, resolver, "127.0.0.1", port, 20, on_done, &is_over);
	loop_run_until(loop, is_done, &is_over);
	ck_assert_int_eq(dialled, -1);
	ck_assert_int_eq(dial_err, ERR_HANDSHAKE_TIMEOUT);
}
END_TEST

/* A name, which the resolver's thread looks up; cancelled before it is told, or never dialled. */
START_TEST(is_not_heard_of_once_cancelled_while_it_is_looked_up)
{
	struct dial *d = dial_start(loop, resolver, "localhost", port, LOOP_WAIT_MS, on_done,
	    &is_over);

	dial_cancel(d);
	loop_run_turns(loop, 50);
	ck_assert(!is_over);
	dial_cancel(NULL);
}
END_TEST

START_TEST(is_not_heard_of_once_cancelled_while_it_connects)
{
	struct dial *d;

	fill_backlog();
	d = dial_start(loop, resolver, "127.0.0.1", port, LOOP_WAIT_MS, on_done, &is_over);
	loop_run_turns(loop, 10);
	ck_assert(!is_over);
	dial_cancel(d);
	loop_run_turns(loop, 50);
	ck_assert(!is_over);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("dial");
	TCase *tc = tcase_create("dial");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, connects_without_delay);
	tcase_add_test(tc, does_not_pace_to_this_machine);
	tcase_add_test(tc, connects_to_a_name);
	tcase_add_test(tc, says_that_nobody_listens);
	tcase_add_test(tc, gives_up_after_its_time);
	tcase_add_test(tc, is_not_heard_of_once_cancelled_while_it_is_looked_up);
	tcase_add_test(tc, is_not_heard_of_once_cancelled_while_it_connects);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
