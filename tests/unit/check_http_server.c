/* SPDX-License-Identifier: ISC */
/*
 * http_server over a socket pair: files for readers of every speed, and what
 * requests without end may cost.
 */
#include "front/http_server.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "conf/conf.h"
#include "front/admission.h"
#include "front/http_static.h"
#include "loop_unit.h"

#define FILE_BYTES (4u << 20)
#define SEND_QUEUE 100000
#define IDLE_MS	   100
#define GET_BIG	   "GET /big HTTP/1.1\r\nHost: a\r\n\r\n"
#define N_GETS	   40

static struct loop *loop;
static struct http_server *server;
static struct admission *admission;
static struct http_static *files;
static struct conf_listener listener = { .address = "test" };
static struct conf_static statics[1];
static struct conf conf;
static char file[] = "/tmp/check_http_server.XXXXXX";
static int peer;
static struct buf peer_got;
static bool peer_is_at_end;

static void
setup(void)
{
	int pair[2], fd = mkstemp(file);

	signal(SIGPIPE, SIG_IGN);	/* as the daemon does */
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, FILE_BYTES), 0);
	close(fd);
	statics[0] = (struct conf_static){ .path = "/big", .file = file };
	conf = (struct conf){
		.statics = statics, .n_statics = 1,
		.limits = { .http_head = 1000, .send_queue = SEND_QUEUE },
		.timeouts = { .http_head_ms = 5000, .http_body_ms = 5000, .idle_ms = IDLE_MS },
	};
	loop = loop_new();
	admission = admission_new(10, 10);
	server = http_server_new(loop, &conf, admission);
	files = http_static_new(&conf);
	http_server_add(server, http_static_files(files));
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	peer = pair[1];
	ck_assert_int_eq(fcntl(peer, F_SETFL, O_NONBLOCK), 0);
	http_server_accept(server, &listener, pair[0], "192.0.2.1", "192.0.2.1:1");
	peer_is_at_end = false;
}

static bool
is_freed(void *arg UNUSED)
{
	return *loop_conns(loop) == 0;
}

static void
teardown(void)
{
	close(peer);
	loop_run_until(loop, is_freed, NULL);
	http_server_free(server);
	http_static_free(files);
	admission_free(admission);
	loop_free(loop);
	buf_free(&peer_got);
	unlink(file);
}

static void
peer_sends(const char *text)
{
	ck_assert_int_eq(write(peer, text, strlen(text)), (ssize_t)strlen(text));
}

static size_t
peer_reads(size_t max)
{
	ssize_t n = read(peer, buf_reserve(&peer_got, max), max);

	peer_is_at_end = n == 0;
	if (n > 0)
		buf_used(&peer_got, (size_t)n);
	return n > 0 ? (size_t)n : 0;
}

static bool
peer_sees_end(void *arg UNUSED)
{
	while (peer_reads(1 << 20) > 0)
		;
	return peer_is_at_end;
}

static bool
peer_has_file(void *arg UNUSED)
{
	while (peer_reads(1 << 20) > 0)
		;
	return peer_got.len > FILE_BYTES;
}

static const struct {
	const char *request, *status;
} answers[] = {
	{ "HEAD /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 OK\r\n" },
	{ "GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "HTTP/1.1 404 " },
	{ "PUT /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "HTTP/1.1 405 " },
	{ "GET /big HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", "HTTP/1.1 413 " },
	{ "GET /big HTTP/1.1\r\n\r\n", "HTTP/1.1 400 " },
	{ "GET /big HTTP/2.0\r\nHost: a\r\n\r\n", "HTTP/1.1 505 " },
};

START_TEST(answers_and_closes)
{
	peer_sends(answers[_i].request);
	loop_run_until(loop, peer_sees_end, NULL);
	buf_str(&peer_got);
	ck_assert_mem_eq(peer_got.data, answers[_i].status, strlen(answers[_i].status));
	ck_assert_uint_lt(peer_got.len, 1000);
	ck_assert_ptr_nonnull(strstr(peer_got.data, "Connection: close\r\n"));
}
END_TEST

START_TEST(a_head_above_the_limit_is_refused)
{
	char head[1100];

	memset(head, 'x', sizeof(head));
	head[sizeof(head) - 1] = '\0';
	peer_sends(head);
	loop_run_until(loop, peer_sees_end, NULL);
	ck_assert_mem_eq(peer_got.data, "HTTP/1.1 431 ", 13);
}
END_TEST

START_TEST(an_idle_connection_is_closed)
{
	peer_sends(GET_BIG);
	loop_run_until(loop, peer_has_file, NULL);
	loop_run_until(loop, peer_sees_end, NULL);
}
END_TEST

/* Longer than the idle time: as long as it reads, it is not idle. */
static bool
peer_has_file_slowly(void *next_ms)
{
	uint64_t *at = next_ms;

	if (clock_mono_ms() < *at)
		return false;
	*at = clock_mono_ms() + IDLE_MS / 4;
	peer_reads(FILE_BYTES / 16);
	ck_assert(!peer_is_at_end);
	return peer_got.len > FILE_BYTES;
}

START_TEST(a_slow_reader_is_not_idle)
{
	uint64_t next_ms = 0;

	peer_sends(GET_BIG);
	loop_run_until(loop, peer_has_file_slowly, &next_ms);
}
END_TEST

static bool
all_are_answered(void *arg UNUSED)
{
	while (peer_reads(1 << 20) > 0)
		buf_reset(&peer_got, 1 << 20);
	return loop_metrics(loop)->value[METRIC_HTTP_REQUESTS] == N_GETS;
}

/* A few bytes ask for megabytes each; they wait until those before them have been read. */
START_TEST(requests_in_a_row_cost_no_more_than_one_answer)
{
	for (int i = 0; i < N_GETS; i++)
		peer_sends(GET_BIG);
	loop_run_turns(loop, 10);
	ck_assert_uint_le(loop_metrics(loop)->value[METRIC_HTTP_REQUESTS], 1);
	loop_run_until(loop, all_are_answered, NULL);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("http_server");
	TCase *tc = tcase_create("http_server");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 20);
	tcase_add_loop_test(tc, answers_and_closes, 0, ARRAY_LEN(answers));
	tcase_add_test(tc, a_head_above_the_limit_is_refused);
	tcase_add_test(tc, an_idle_connection_is_closed);
	tcase_add_test(tc, a_slow_reader_is_not_idle);
	tcase_add_test(tc, requests_in_a_row_cost_no_more_than_one_answer);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
