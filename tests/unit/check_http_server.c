/* SPDX-License-Identifier: ISC */
/*
 * http_server over a socket pair: files for readers of every speed, what requests without
 * end may cost, and exchanges that are answered later, or never.
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
#include "front/http_exchange.h"
#include "front/http_static.h"
#include "loop_unit.h"
#include "net/conn.h"

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

/* ---- a service whose requests wait until the test answers them ---- */

static struct http_exchange *waiting;	/* NULL: none */
static unsigned n_gone;
static struct conn *taken;
static struct buf taken_rest;

static void
on_gone(void *arg)
{
	ck_assert_ptr_eq(arg, &n_gone);
	waiting = NULL;
	n_gone++;
}

static bool
is_later(const struct http_head *head, const struct client *client UNUSED, void *arg UNUSED)
{
	return http_text_is(head->path, "/later") || http_text_is(head->path, "/take");
}

static void
on_taken_read(struct conn *conn UNUSED, char *data, size_t len, void *arg UNUSED)
{
	buf_add(&taken_rest, data, len);
}

static void
on_taken_close(struct conn *conn UNUSED, enum err why UNUSED, void *arg UNUSED)
{
	admission_release(admission, "192.0.2.1");
	taken = NULL;
}

static size_t
on_later_head(struct http_exchange *x, void *arg UNUSED)
{
	static const struct conn_events events = { .on_read = on_taken_read,
		.on_close = on_taken_close };
	size_t len;
	char *rest;

	if (http_text_is(http_exchange_head(x)->path, "/take")) {
		taken = http_exchange_take(x, &rest, &len);
		buf_add(&taken_rest, rest, len);
		conn_set_events(taken, &events, NULL);
		return 0;
	}
	waiting = x;
	http_exchange_wait(x, on_gone, &n_gone);
	return 10;
}

static void
on_later_request(struct http_exchange *x, void *arg UNUSED)
{
	ck_assert_ptr_eq(x, waiting);
}

static struct http_service later = {
	.is_for = is_later,
	.on_head = on_later_head,
	.on_request = on_later_request,
};

static void
on_bad_later_body(struct http_exchange *x, int status, const char *text, void *arg UNUSED)
{
	ck_assert_ptr_eq(x, waiting);
	waiting = NULL;
	http_exchange_refuse(x, status, "X-Own: way\r\n", text);
}

static bool
is_taken_with(void *text)
{
	return taken_rest.len == strlen(text) && memcmp(taken_rest.data, text, taken_rest.len) == 0;
}

static bool
is_waiting(void *arg UNUSED)
{
	return waiting != NULL;
}

static bool
is_gone(void *arg UNUSED)
{
	return n_gone > 0;
}

static void
answer_later(const char *text)
{
	struct http_exchange *x = waiting;
	struct http_answer a = { .status = 200, .body = text, .len = strlen(text) };

	waiting = NULL;
	http_exchange_answer(x, &a);
}

static void
setup(void)
{
	int pair[2], fd = mkstemp(file);

	signal(SIGPIPE, SIG_IGN);	/* as the daemon does */
	later.on_bad_body = NULL;
	n_gone = 0;
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, FILE_BYTES), 0);
	close(fd);
	statics[0] = (struct conf_static){ .path = "/big", .file = file };
	conf = (struct conf){
		.statics = statics, .n_statics = 1,
		.limits = { .http_head = 1000, .send_queue = SEND_QUEUE },
		.timeouts = { .http_head_ms = 5000, .http_body_ms = 5000, .idle_ms = IDLE_MS,
		    .send_ms = 5000 },
	};
	loop = loop_new();
	admission = admission_new(10, 10);
	server = http_server_new(loop, &conf, admission);
	conf.refs = 1;
	files = http_static_new(&conf);
	http_server_add(server, http_static_files(files));
	http_server_add(server, &later);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	peer = pair[1];
	ck_assert_int_eq(fcntl(peer, F_SETFL, O_NONBLOCK), 0);
	http_server_accept(server, &listener, NULL, pair[0], "192.0.2.1", "192.0.2.1:1");
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
	buf_free(&taken_rest);
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

#define LATER "GET /later HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n"

/* The text of the last answer is there. */
static bool
peer_has(void *text)
{
	while (peer_reads(1 << 20) > 0)
		;
	return peer_got.len > 0 && strstr(buf_str(&peer_got), text) != NULL;
}

START_TEST(an_answer_may_come_later_and_those_behind_wait_for_it)
{
	const struct http_head *head;

	peer_sends(LATER LATER);
	loop_run_until(loop, is_waiting, NULL);
	loop_run_turns(loop, 3);
	head = http_exchange_head(waiting);
	peer_sends(LATER);	/* more comes in: what the head says stays */
	loop_run_turns(loop, 3);
	ck_assert(http_text_is(head->path, "/later"));
	ck_assert(http_text_is(*http_find(head, "X", NULL), "y"));
	for (int i = 0; i < 3; i++) {
		loop_run_until(loop, is_waiting, NULL);
		ck_assert_uint_eq(loop_metrics(loop)->value[METRIC_HTTP_REQUESTS], (uint64_t)i);
		answer_later(i == 0 ? "first" : i == 1 ? "second" : "third");
	}
	loop_run_until(loop, peer_has, (char *)"third");
	ck_assert(strstr(peer_got.data, "first") < strstr(peer_got.data, "second"));
	ck_assert(strstr(peer_got.data, "second") < strstr(peer_got.data, "third"));
	ck_assert_uint_eq(n_gone, 0);
}
END_TEST

/* Longer than any timer of the connection. */
START_TEST(who_waits_for_an_answer_is_not_idle)
{
	uint64_t until_ms = clock_mono_ms() + 2 * IDLE_MS;

	peer_sends(LATER);
	loop_run_until(loop, is_waiting, NULL);
	while (clock_mono_ms() < until_ms)
		loop_run_turns(loop, 5);
	answer_later("at last");
	loop_run_until(loop, peer_has, (char *)"at last");
}
END_TEST

START_TEST(who_leaves_before_the_answer_is_gone_once)
{
	peer_sends(LATER LATER);
	loop_run_until(loop, is_waiting, NULL);
	shutdown(peer, SHUT_RDWR);
	loop_run_until(loop, is_gone, NULL);
	loop_run_turns(loop, 3);
	ck_assert_uint_eq(n_gone, 1);
}
END_TEST

START_TEST(the_end_of_the_server_is_an_end_of_waiting)
{
	peer_sends(LATER);
	loop_run_until(loop, is_waiting, NULL);
	http_server_free(server);
	server = NULL;
	ck_assert_uint_eq(n_gone, 1);
	loop_run_until(loop, peer_sees_end, NULL);
	ck_assert_uint_eq(peer_got.len, 0);
}
END_TEST

START_TEST(what_was_answered_is_written_when_the_server_ends)
{
	peer_sends(LATER);
	loop_run_until(loop, is_waiting, NULL);
	answer_later("last words");
	http_server_free(server);
	server = NULL;
	loop_run_until(loop, peer_has, (char *)"last words");
	loop_run_until(loop, peer_sees_end, NULL);
}
END_TEST

static const struct {
	const char *body, *status;
} bad_bodies[] = {
	{ "Content-Length: 11\r\n\r\n", "HTTP/1.1 413 " },
	{ "Transfer-Encoding: chunked\r\n\r\nb\r\n", "HTTP/1.1 413 " },
	{ "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", "HTTP/1.1 400 " },
};

START_TEST(a_body_that_is_refused_is_an_end_of_waiting)
{
	peer_sends("POST /later HTTP/1.1\r\nHost: a\r\n");
	peer_sends(bad_bodies[_i].body);
	loop_run_until(loop, peer_sees_end, NULL);
	ck_assert_mem_eq(peer_got.data, bad_bodies[_i].status, strlen(bad_bodies[_i].status));
	ck_assert_uint_eq(n_gone, 1);
}
END_TEST

START_TEST(a_service_may_refuse_a_body_in_its_own_way)
{
	later.on_bad_body = on_bad_later_body;
	peer_sends("POST /later HTTP/1.1\r\nHost: a\r\n");
	peer_sends(bad_bodies[_i].body);
	loop_run_until(loop, peer_sees_end, NULL);
	ck_assert_mem_eq(peer_got.data, bad_bodies[_i].status, strlen(bad_bodies[_i].status));
	ck_assert_ptr_nonnull(strstr(buf_str(&peer_got), "\r\nX-Own: way\r\n"));
	ck_assert_ptr_nonnull(strstr(buf_str(&peer_got), "\r\nConnection: close\r\n"));
	ck_assert_ptr_null(waiting);
	ck_assert_uint_eq(n_gone, 0);
}
END_TEST

START_TEST(a_body_that_is_whole_is_given)
{
	const char *body;
	size_t len;

	peer_sends("POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234");
	loop_run_until(loop, is_waiting, NULL);
	peer_sends("56789" GET_BIG);
	loop_run_turns(loop, 5);
	body = http_exchange_body(waiting, &len);
	ck_assert_uint_eq(len, 10);
	ck_assert_mem_eq(body, "0123456789", 10);
	answer_later("thanks");
	loop_run_until(loop, peer_has_file, NULL);
}
END_TEST

/* What a client sends while it waits for an answer stays with it, most of it. */
START_TEST(little_is_read_ahead)
{
	static const char requests[] = LATER LATER LATER LATER LATER LATER LATER LATER;
	size_t sent = 0;
	ssize_t n;

	peer_sends(LATER);
	loop_run_until(loop, is_waiting, NULL);
	for (int i = 0; i < 50; i++) {
		while ((n = write(peer, requests, sizeof(requests) - 1)) > 0)
			sent += (size_t)n;
		loop_run_turns(loop, 2);
	}
	ck_assert_uint_lt(sent, 2 << 20);	/* the buffers of the socket, for the most part */
	answer_later("");
	loop_run_until(loop, is_waiting, NULL);
	http_server_free(server);	/* who is not read cannot be seen to leave */
	server = NULL;
}
END_TEST

START_TEST(a_connection_that_was_taken_has_what_came_behind_the_head)
{
	peer_sends("GET /take HTTP/1.1\r\nHost: a\r\n\r\nbehind");
	loop_run_until(loop, is_taken_with, (char *)"behind");
	peer_sends(", and more");
	loop_run_until(loop, is_taken_with, (char *)"behind, and more");
	ck_assert_uint_eq(loop_metrics(loop)->value[METRIC_HTTP_REQUESTS], 0);
	http_server_free(server);	/* it is not the server's */
	server = NULL;
	ck_assert_ptr_nonnull(taken);
}
END_TEST

START_TEST(a_server_that_drains_ends_what_is_idle_and_what_is_answered)
{
	peer_sends(LATER LATER);
	loop_run_until(loop, is_waiting, NULL);
	http_server_drain(server);
	loop_run_turns(loop, 3);
	ck_assert_ptr_nonnull(waiting);
	answer_later("done");
	loop_run_until(loop, peer_sees_end, NULL);
	ck_assert_ptr_nonnull(strstr(buf_str(&peer_got), "Connection: close\r\n\r\ndone"));
	ck_assert_ptr_null(waiting);
}
END_TEST

/* Reads no more than it must for the file to be queued to its end. */
static bool
file_is_answered(void *arg UNUSED)
{
	if (loop_metrics(loop)->value[METRIC_HTTP_REQUESTS] > 0)
		return true;
	peer_reads(FILE_BYTES / 64);
	return false;
}

static bool
peer_reads_and_is_waiting(void *arg UNUSED)
{
	while (peer_reads(1 << 20) > 0)
		;
	ck_assert(!peer_is_at_end);
	return waiting != NULL;
}

START_TEST(a_server_that_drains_serves_what_waits_behind_an_answer)
{
	peer_sends(GET_BIG LATER);
	loop_run_until(loop, file_is_answered, NULL);
	ck_assert_ptr_null(waiting);
	http_server_drain(server);
	loop_run_until(loop, peer_reads_and_is_waiting, NULL);
	answer_later("done");
	loop_run_until(loop, peer_sees_end, NULL);
	ck_assert_uint_gt(peer_got.len, FILE_BYTES);
	ck_assert_mem_eq(peer_got.data + peer_got.len - 4, "done", 4);
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
	tcase_add_test(tc, an_answer_may_come_later_and_those_behind_wait_for_it);
	tcase_add_test(tc, who_waits_for_an_answer_is_not_idle);
	tcase_add_test(tc, who_leaves_before_the_answer_is_gone_once);
	tcase_add_test(tc, the_end_of_the_server_is_an_end_of_waiting);
	tcase_add_test(tc, what_was_answered_is_written_when_the_server_ends);
	tcase_add_loop_test(tc, a_service_may_refuse_a_body_in_its_own_way, 0,
	    ARRAY_LEN(bad_bodies));
	tcase_add_loop_test(tc, a_body_that_is_refused_is_an_end_of_waiting, 0,
	    ARRAY_LEN(bad_bodies));
	tcase_add_test(tc, a_body_that_is_whole_is_given);
	tcase_add_test(tc, little_is_read_ahead);
	tcase_add_test(tc, a_connection_that_was_taken_has_what_came_behind_the_head);
	tcase_add_test(tc, a_server_that_drains_ends_what_is_idle_and_what_is_answered);
	tcase_add_test(tc, a_server_that_drains_serves_what_waits_behind_an_answer);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
