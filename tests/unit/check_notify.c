/* SPDX-License-Identifier: ISC */
#include "base/notify.h"

#include <dirent.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/log.h"
#include "unit.h"

static int manager = -1;	/* the service manager's end */
static char text[1024];

/* A socket of this name, "@" for an abstract one, which NOTIFY_SOCKET names. */
static void
listen_at(const char *name)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	size_t len = strlen(name);

	memcpy(at.sun_path, name, len);
	if (name[0] == '@')
		at.sun_path[0] = '\0';
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	ck_assert_int_ge(manager, 0);
	ck_assert_int_eq(bind(manager, (struct sockaddr *)&at,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)), 0);
	ck_assert_int_eq(setenv("NOTIFY_SOCKET", name, 1), 0);
}

/* The next datagram; "" if there is none. */
static const char *
received(void)
{
	ssize_t n = recv(manager, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static size_t
count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

/* Warnings are meant here. */
static void
begin(void)
{
	log_set_level(LOG_LEVEL_ERROR);
}

static void
stop_listening(void)
{
	if (manager >= 0)
		close(manager);
	manager = -1;
	unsetenv("NOTIFY_SOCKET");
}

START_TEST(a_state_goes_to_a_socket_by_its_path_and_by_its_abstract_name)
{
	char name[64];

	snprintf(name, sizeof(name), _i == 0 ? "/tmp/check_notify.%d" : "@check_notify.%d",
	    (int)getpid());
	listen_at(name);
	notify("READY=1\nMAINPID=%d", 4711);
	ck_assert_str_eq(received(), "READY=1\nMAINPID=4711");
	ck_assert_str_eq(received(), "");
	unlink(name);
}
END_TEST

START_TEST(a_reload_tells_the_time_of_the_monotonic_clock)
{
	long long us = 0;
	char name[64];

	snprintf(name, sizeof(name), "@check_notify.reload.%d", (int)getpid());
	listen_at(name);
	notify_reloading();
	ck_assert_int_eq(sscanf(received(), "RELOADING=1\nMONOTONIC_USEC=%lld", &us), 1);
	ck_assert_int_gt(us, 0);
}
END_TEST

START_TEST(without_a_manager_nobody_is_told_and_nothing_happens)
{
	static const char *const names[] = { NULL, "", "relative", "/tmp/check_notify.nobody",
		"/tmp/check_notify.nobody/below" };
	size_t before = count_descriptors();
	char long_name[300];

	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[0] = '/';
	long_name[sizeof(long_name) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (names[i] != NULL)
			setenv("NOTIFY_SOCKET", names[i], 1);
		notify("READY=1");
	}
	setenv("NOTIFY_SOCKET", long_name, 1);
	notify("READY=1");
	ck_assert_uint_eq(count_descriptors(), before);
}
END_TEST

START_TEST(a_manager_that_does_not_read_is_not_waited_for)
{
	char name[64];

	snprintf(name, sizeof(name), "@check_notify.deaf.%d", (int)getpid());
	listen_at(name);
	for (int i = 0; i < 5000; i++)
		notify("STATUS=%d", i);
	ck_assert_str_eq(received(), "STATUS=0");
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("notify");
	TCase *tc = tcase_create("notify");

	tcase_add_checked_fixture(tc, begin, stop_listening);
	tcase_add_loop_test(tc, a_state_goes_to_a_socket_by_its_path_and_by_its_abstract_name, 0, 2);
	tcase_add_test(tc, a_reload_tells_the_time_of_the_monotonic_clock);
	tcase_add_test(tc, without_a_manager_nobody_is_told_and_nothing_happens);
	tcase_add_test(tc, a_manager_that_does_not_read_is_not_waited_for);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
