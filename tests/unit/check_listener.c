/* SPDX-License-Identifier: ISC */
#include "net/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/compiler.h"
#include "loop_unit.h"

static struct loop *loop;
static unsigned n_accepted;
static char accepted_address[ADDRESS_MAX], accepted_port[ADDRESS_MAX];
static char directory[64], path[96];

static void
on_accept(int fd, const char *address, const char *address_port, void *arg)
{
	ck_assert_ptr_eq(arg, &n_accepted);
	n_accepted++;
	snprintf(accepted_address, sizeof(accepted_address), "%s", address);
	snprintf(accepted_port, sizeof(accepted_port), "%s", address_port);
	close(fd);
}

static void
setup(void)
{
	loop = loop_new();
	n_accepted = 0;
	snprintf(directory, sizeof(directory), "/tmp/check_listener.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/socket", directory);
}

static void
teardown(void)
{
	loop_free(loop);
	unlink(path);
	rmdir(directory);
}

static struct listener *
listen_at(const char *host, uint16_t port, const char *unix_path)
{
	struct listener_where w = { .host = host, .port = port, .unix_path = unix_path };
	char *error = NULL;
	struct listener *l = listener_new(loop, &w, on_accept, &n_accepted, &error);

	ck_assert_msg(l != NULL, "%s", error);
	return l;
}

static char *
refusal(const char *host, uint16_t port, const char *unix_path)
{
	struct listener_where w = { .host = host, .port = port, .unix_path = unix_path };
	char *error = NULL;

	ck_assert_ptr_null(listener_new(loop, &w, on_accept, &n_accepted, &error));
	ck_assert_ptr_nonnull(error);
	return error;
}

static uint16_t
port_of(const struct listener *l)
{
	return (uint16_t)strtoul(strrchr(listener_address(l), ':') + 1, NULL, 10);
}

/* A connected socket; the listener has not been asked yet. */
static int
connect_to(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static int
connect_to_path(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(a.sun_path, path, strlen(path) + 1);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static bool
has_accepted(void *n)
{
	return n_accepted >= *(unsigned *)n;
}

static void
wait_for_accepts(unsigned n)
{
	loop_run_until(loop, has_accepted, &n);
}

START_TEST(tells_the_port_that_the_system_chose)
{
	struct listener *l = listen_at("127.0.0.1", 0, NULL);

	ck_assert_mem_eq(listener_address(l), "127.0.0.1:", 10);
	ck_assert_uint_ne(port_of(l), 0);
	listener_free(l);
	listener_free(NULL);
}
END_TEST

START_TEST(hands_over_every_connection_with_its_address)
{
	struct listener *l = listen_at("127.0.0.1", 0, NULL);
	int fd[100];

	for (size_t i = 0; i < ARRAY_LEN(fd); i++)
		fd[i] = connect_to(port_of(l));
	wait_for_accepts(ARRAY_LEN(fd));
	ck_assert_str_eq(accepted_address, "127.0.0.1");
	ck_assert_mem_eq(accepted_port, "127.0.0.1:", 10);
	for (size_t i = 0; i < ARRAY_LEN(fd); i++)
		close(fd[i]);
	listener_free(l);
}
END_TEST

START_TEST(a_port_that_is_taken_is_refused)
{
	struct listener *l = listen_at("127.0.0.1", 0, NULL);
	char *error = refusal("127.0.0.1", port_of(l), NULL);

	ck_assert_int_eq(strncmp(error, "Address already in use: ", 24), 0);
	free(error);
	listener_free(l);
}
END_TEST

START_TEST(a_name_is_no_address)
{
	char *error = refusal("localhost", 0, NULL);

	ck_assert_str_eq(error, "localhost is no numeric address");
	free(error);
}
END_TEST

START_TEST(a_socket_file_is_served_and_removed)
{
	struct listener *l = listen_at(NULL, 0, path);
	struct stat st;
	int fd = connect_to_path();

	ck_assert_mem_eq(listener_address(l), "unix:/", 6);
	wait_for_accepts(1);
	ck_assert_str_eq(accepted_address, "unix");
	close(fd);
	listener_free(l);
	ck_assert_int_ne(stat(path, &st), 0);
}
END_TEST

/* Bound but without a listener, as after a crash. */
START_TEST(a_stale_socket_file_is_replaced)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(a.sun_path, path, strlen(path) + 1);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	close(fd);
	listener_free(listen_at(NULL, 0, path));
}
END_TEST

START_TEST(a_live_socket_file_is_not_replaced)
{
	struct listener *l = listen_at(NULL, 0, path);
	char *error = refusal(NULL, 0, path);
	int fd = connect_to_path();

	ck_assert_int_eq(strncmp(error, "Address already in use: ", 24), 0);
	free(error);
	close(fd);
	listener_free(l);
}
END_TEST

START_TEST(a_file_that_is_no_socket_is_not_removed)
{
	FILE *f = fopen(path, "w");
	struct stat st;

	ck_assert_ptr_nonnull(f);
	fclose(f);
	free(refusal(NULL, 0, path));
	ck_assert_int_eq(stat(path, &st), 0);
}
END_TEST

START_TEST(a_path_that_is_too_long_is_refused)
{
	char longer[200];

	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	free(refusal(NULL, 0, longer));
}
END_TEST

/* Those who wait are served as soon as there are descriptors again. */
START_TEST(without_descriptors_it_pauses_and_goes_on)
{
	struct listener *l = listen_at("127.0.0.1", 0, NULL);
	int fd = connect_to(port_of(l));
	struct rlimit old, none;

	getrlimit(RLIMIT_NOFILE, &old);
	none = old;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	loop_run_turns(loop, 20);
	setrlimit(RLIMIT_NOFILE, &old);
	ck_assert_uint_eq(n_accepted, 0);
	ck_assert_uint_eq(loop_metrics(loop)->value[METRIC_ACCEPT_PAUSES], 1);
	wait_for_accepts(1);
	close(fd);
	listener_free(l);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("listener");
	TCase *tc = tcase_create("listener");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, tells_the_port_that_the_system_chose);
	tcase_add_test(tc, hands_over_every_connection_with_its_address);
	tcase_add_test(tc, a_port_that_is_taken_is_refused);
	tcase_add_test(tc, a_name_is_no_address);
	tcase_add_test(tc, a_socket_file_is_served_and_removed);
	tcase_add_test(tc, a_stale_socket_file_is_replaced);
	tcase_add_test(tc, a_live_socket_file_is_not_replaced);
	tcase_add_test(tc, a_file_that_is_no_socket_is_not_removed);
	tcase_add_test(tc, a_path_that_is_too_long_is_refused);
	tcase_add_test(tc, without_descriptors_it_pauses_and_goes_on);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
