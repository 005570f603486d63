/* SPDX-License-Identifier: ISC */
/*
 * Each test is a process of its own, whose descriptors from 3 on are what it was started with.
 */
#include "net/activation.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/xmalloc.h"
#include "unit.h"

static char path[64];

/* A socket that listens, at this descriptor; its port, 0 of a UNIX socket. */
static uint16_t
listen_at(int fd, int family)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(in);
	int s = socket(family, SOCK_STREAM, 0);

	if (family == AF_UNIX) {
		snprintf(path, sizeof(path), "/tmp/check_activation.%d", (int)getpid());
		strcpy(un.sun_path, path);
		unlink(path);
		ck_assert_int_eq(bind(s, (struct sockaddr *)&un, sizeof(un)), 0);
	} else {
		ck_assert_int_eq(bind(s, (struct sockaddr *)&in, sizeof(in)), 0);
		ck_assert_int_eq(getsockname(s, (struct sockaddr *)&in, &len), 0);
	}
	ck_assert_int_eq(listen(s, 8), 0);
	ck_assert_int_eq(dup2(s, fd), fd);
	if (s != fd)
		close(s);
	return family == AF_UNIX ? 0 : ntohs(in.sin_port);
}

static void
set_environment(long pid, const char *fds, const char *names, const char *upgrade)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", pid);
	setenv("LISTEN_PID", text, 1);
	setenv("LISTEN_FDS", fds, 1);
	if (names != NULL)
		setenv("LISTEN_FDNAMES", names, 1);
	if (upgrade != NULL)
		setenv("USHER_UPGRADE", upgrade, 1);
}

static struct activation *
must_begin(void)
{
	struct activation *a;
	char *error;

	a = activation_new(&error);
	ck_assert_msg(a != NULL, "%s", error != NULL ? error : "none");
	/* Workers do not get any of it. */
	ck_assert_ptr_null(getenv("LISTEN_PID"));
	ck_assert_ptr_null(getenv("LISTEN_FDS"));
	ck_assert_ptr_null(getenv("LISTEN_FDNAMES"));
	ck_assert_ptr_null(getenv("USHER_UPGRADE"));
	return a;
}

START_TEST(systemds_sockets_are_found_by_their_address)
{
	struct listener_where tcp = { .host = "127.0.0.1" }, un = { .unix_path = path }, none = tcp;
	bool is_foreign = false;
	struct activation *a;
	char *left;

	tcp.port = listen_at(3, AF_INET);
	listen_at(4, AF_UNIX);
	none.port = (uint16_t)(tcp.port ^ 1);
	set_environment(getpid(), "2", "usher.socket:usher.socket", NULL);
	a = must_begin();
	ck_assert(!activation_is_upgrade(a));
	ck_assert_int_ne(fcntl(3, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_ne(fcntl(3, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_eq(activation_take(a, &none, "usher.socket", &is_foreign), -1);
	left = activation_left(a);
	ck_assert_ptr_nonnull(strstr(left, ", unix:/tmp/check_activation."));
	free(left);
	ck_assert_int_eq(activation_take(a, &un, "unix:web.sock", &is_foreign), 4);
	ck_assert(is_foreign);
	ck_assert_int_eq(activation_take(a, &tcp, "x", &is_foreign), 3);
	ck_assert_int_eq(activation_take(a, &tcp, "x", &is_foreign), -1);
	ck_assert_ptr_null(activation_left(a));
	activation_free(a);
	ck_assert_int_ge(fcntl(3, F_GETFD), 0);		/* the caller's */
	unlink(path);
}
END_TEST

START_TEST(another_usherds_are_found_by_the_name_that_it_had_for_them)
{
	struct listener_where where = { .host = "127.0.0.1", .port = 0 };
	char *own = activation_name("127.0.0.1:0", false), *foreign = activation_name("100%:a", true);
	char *names = xasprintf("%s:%s", own, foreign);
	bool is_foreign = true;
	struct activation *a;
	int pair[2];
	char text[8];

	ck_assert_str_eq(own, "usherd 127.0.0.1%3A0");
	ck_assert_str_eq(foreign, "100%25%3Aa");
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	ck_assert_int_eq(dup2(pair[1], 40), 40);
	close(pair[1]);
	ck_assert_int_eq(dup2(pair[0], 41), 41);
	close(pair[0]);
	listen_at(3, AF_INET);
	listen_at(4, AF_INET);
	set_environment(getppid(), "2", names, "40");
	a = must_begin();
	ck_assert(activation_is_upgrade(a));
	ck_assert_int_eq(activation_take(a, &where, "127.0.0.1:0", &is_foreign), 3);
	ck_assert(!is_foreign);
	ck_assert_int_eq(activation_take(a, &where, "100%:a", &is_foreign), 4);
	ck_assert(is_foreign);
	activation_tell(a);
	ck_assert_int_eq(read(41, text, sizeof(text)), 6);
	ck_assert_mem_eq(text, "ready\n", 6);
	ck_assert(!activation_is_alone(a));
	close(41);
	ck_assert(activation_is_alone(a));
	activation_free(a);
	free(own);
	free(foreign);
	free(names);
}
END_TEST

/* What the environment says, of which nothing is for this process. */
static const struct {
	int pid;		/* added to its own */
	const char *fds;
} foreign_environments[] = {
	{ 1, "1" }, { 0, "" }, { 0, "x" }, { 0, "-1" }, { 0, "1x" }, { 0, "257" },
	{ 0, "99999999999999999999" },
};

START_TEST(what_is_meant_for_others_is_left_alone)
{
	struct activation *a;
	char *error;

	listen_at(3, AF_INET);
	set_environment(getpid() + foreign_environments[_i].pid, foreign_environments[_i].fds, NULL,
	    NULL);
	a = activation_new(&error);
	ck_assert_ptr_null(a);
	ck_assert_ptr_null(error);
	ck_assert_ptr_null(getenv("LISTEN_FDS"));
	ck_assert_int_ge(fcntl(3, F_GETFD), 0);
	ck_assert_int_eq(activation_take(NULL, &(struct listener_where){ .host = "127.0.0.1" }, "x",
	    &(bool){ false }), -1);
	activation_free(NULL);
}
END_TEST

START_TEST(what_does_not_listen_is_refused)
{
	struct activation *a;
	char *error;

	listen_at(3, AF_INET);
	ck_assert_int_eq(dup2(_i == 0 ? socket(AF_INET, SOCK_STREAM, 0) :
	    _i == 1 ? socket(AF_INET, SOCK_DGRAM, 0) : open("/dev/null", O_RDONLY), 4), 4);
	set_environment(getpid(), "2", NULL, NULL);
	a = activation_new(&error);
	ck_assert_ptr_null(a);
	ck_assert_str_eq(error, "LISTEN_FDS: descriptor 4 is no listening stream socket");
	free(error);
	ck_assert_int_lt(fcntl(3, F_GETFD), 0);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("activation");
	TCase *tc = tcase_create("activation");

	tcase_add_test(tc, systemds_sockets_are_found_by_their_address);
	tcase_add_test(tc, another_usherds_are_found_by_the_name_that_it_had_for_them);
	tcase_add_loop_test(tc, what_is_meant_for_others_is_left_alone, 0,
	    (int)ARRAY_LEN(foreign_environments));
	tcase_add_loop_test(tc, what_does_not_listen_is_refused, 0, 3);
	suite_add_tcase(s, tc);
	return s;
}

/* What libcheck opens stays out of the way. */
int
main(void)
{
	int null = open("/dev/null", O_RDONLY);

	for (int fd = 3; fd < 10; fd++)
		if (fd != null)
			dup2(null, fd);
	return unit_run(make_suite());
}
