/* SPDX-License-Identifier: ISC */
/*
 * log: standard error is a pipe here, and a line is what can be read from it.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit.h"

#define LIMIT_LINES 10		/* as log.h promises: so many in so long */
#define LIMIT_MS    10000
#define HEAD_LEN 31		/* "2026-01-31T12:00:00.123Z warn  " */

static int from_log, saved_stderr;
static char line[8192];		/* what was read last */

static void
setup(void)
{
	int fd[2];

	ck_assert_int_eq(pipe2(fd, O_CLOEXEC | O_NONBLOCK), 0);
	saved_stderr = dup(STDERR_FILENO);
	ck_assert_int_eq(dup2(fd[1], STDERR_FILENO), STDERR_FILENO);
	close(fd[1]);
	from_log = fd[0];
}

static void
teardown(void)
{
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(from_log);
}

/* All that was logged since; "" if nothing was. */
static const char *
logged(void)
{
	ssize_t n = read(from_log, line, sizeof(line) - 1);

	line[n > 0 ? n : 0] = '\0';
	return line;
}

START_TEST(a_line_has_time_level_and_text)
{
	log_warnx("number %d", 7);
	logged();
	ck_assert_uint_eq(strlen(line), HEAD_LEN + 9);
	ck_assert_str_eq(line + 23, "Z warn  number 7\n");
	ck_assert_int_eq(line[4], '-');
	ck_assert_int_eq(line[10], 'T');
	ck_assert_int_eq(line[19], '.');
}
END_TEST

START_TEST(who_it_is_about_stands_in_front)
{
	log_info_for("C-17 203.0.113.9:5512", "closed");
	ck_assert_str_eq(logged() + HEAD_LEN, "C-17 203.0.113.9:5512: closed\n");
}
END_TEST

START_TEST(errno_is_explained_and_kept)
{
	errno = ENOENT;
	log_error("file");
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_str_eq(logged() + HEAD_LEN, "file: No such file or directory\n");
	log_errorx("file");
	ck_assert_str_eq(logged() + HEAD_LEN, "file\n");
}
END_TEST

/* Otherwise a peer could write lines of its own, or to the operator's terminal. */
START_TEST(control_characters_are_not_passed_on)
{
	log_warnx("a%sb", "\n2026-01-31 error \x1b[2J\r\t\x7f");
	ck_assert_str_eq(logged() + HEAD_LEN, "a?2026-01-31 error ?[2J???b\n");
}
END_TEST

START_TEST(a_line_that_is_too_long_is_cut)
{
	char text[6000];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	errno = EIO;
	log_error("%s", text);
	logged();
	ck_assert_uint_eq(strlen(line), 4096);
	ck_assert_int_eq(line[4095], '\n');
	ck_assert_int_eq(line[4094], 'x');
	ck_assert_ptr_eq(strchr(line, '\n'), line + 4095);
}
END_TEST

START_TEST(what_is_below_the_level_is_not_shown)
{
	log_set_level(LOG_LEVEL_WARN);
	log_info("not shown");
	ck_assert_str_eq(logged(), "");
	log_warnx("shown");
	ck_assert_str_eq(logged() + HEAD_LEN, "shown\n");
	log_set_level(LOG_LEVEL_ERROR);
	log_warnx("not shown");
	ck_assert_str_eq(logged(), "");
}
END_TEST

START_TEST(debug_lines_are_shown_by_area)
{
	log_debug("link", "not shown");
	ck_assert_str_eq(logged(), "");
	ck_assert(log_add_area("link"));
	log_debug("link", "one");
	ck_assert_str_eq(logged() + HEAD_LEN, "[link] one\n");
	log_debug_for("link", "L-1", "two");
	ck_assert_str_eq(logged() + HEAD_LEN, "[link] L-1: two\n");
	log_debug("pool", "not shown");
	ck_assert_str_eq(logged(), "");
}
END_TEST

START_TEST(all_areas_are_shown_when_asked_for)
{
	ck_assert(!log_add_area("no such area"));
	ck_assert(!log_shows_area("conn"));
	if (_i == 0)
		ck_assert(log_add_area("all"));
	else
		log_set_level(LOG_LEVEL_DEBUG);
	ck_assert(log_shows_area("conn") && log_shows_area("pool"));
}
END_TEST

START_TEST(levels_have_names)
{
	enum log_level level = LOG_LEVEL_ERROR;

	ck_assert(log_level_from_name("debug", &level));
	ck_assert_int_eq(level, LOG_LEVEL_DEBUG);
	ck_assert(log_level_from_name("error", &level));
	ck_assert_int_eq(level, LOG_LEVEL_ERROR);
	ck_assert(!log_level_from_name("Debug", &level));
	ck_assert(!log_level_from_name("", &level));
	ck_assert_int_eq(level, LOG_LEVEL_ERROR);
}
END_TEST

/* A limit that is full, begun so long ago. */
static struct log_limit
full_limit(uint64_t age_ms, unsigned left_out)
{
	return (struct log_limit){ .since_ms = clock_mono_ms() - age_ms, .n = LIMIT_LINES,
		.left_out = left_out };
}

START_TEST(ten_lines_of_a_kind_are_allowed_and_the_rest_is_counted)
{
	struct log_limit one = { 0 }, other = { 0 };

	for (unsigned i = 0; i < LIMIT_LINES; i++)
		ck_assert(log_allows(&one));
	for (unsigned i = 0; i < 5; i++)
		ck_assert(!log_allows(&one));
	ck_assert_uint_eq(one.left_out, 5);
	ck_assert(log_allows(&other));
	ck_assert_str_eq(logged(), "");
}
END_TEST

START_TEST(when_time_has_passed_a_line_says_how_many_were_left_out)
{
	struct log_limit l = full_limit(LIMIT_MS, 17);

	ck_assert(log_allows(&l));
	ck_assert_str_eq(logged() + HEAD_LEN, "17 similar lines were left out\n");
	ck_assert_uint_eq(l.left_out, 0);
	for (unsigned i = 1; i < LIMIT_LINES; i++)
		ck_assert(log_allows(&l));
	ck_assert(!log_allows(&l));
	ck_assert_str_eq(logged(), "");
}
END_TEST

START_TEST(nothing_is_said_where_nothing_was_left_out)
{
	struct log_limit l = full_limit(LIMIT_MS, 0);

	ck_assert(log_allows(&l));
	ck_assert_str_eq(logged(), "");
}
END_TEST

START_TEST(before_its_time_a_limit_stays_full)
{
	struct log_limit l = full_limit(LIMIT_MS / 2, 1);

	ck_assert(!log_allows(&l));
	ck_assert_uint_eq(l.left_out, 2);
	ck_assert_str_eq(logged(), "");
}
END_TEST

START_TEST(a_fatal_error_ends_the_process_with_1)
{
	log_set_level(LOG_LEVEL_ERROR);
	fatalx("cannot go on");
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("log");
	TCase *tc = tcase_create("log");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_line_has_time_level_and_text);
	tcase_add_test(tc, who_it_is_about_stands_in_front);
	tcase_add_test(tc, errno_is_explained_and_kept);
	tcase_add_test(tc, control_characters_are_not_passed_on);
	tcase_add_test(tc, a_line_that_is_too_long_is_cut);
	tcase_add_test(tc, what_is_below_the_level_is_not_shown);
	tcase_add_test(tc, debug_lines_are_shown_by_area);
	tcase_add_loop_test(tc, all_areas_are_shown_when_asked_for, 0, 2);
	tcase_add_test(tc, levels_have_names);
	tcase_add_test(tc, ten_lines_of_a_kind_are_allowed_and_the_rest_is_counted);
	tcase_add_test(tc, when_time_has_passed_a_line_says_how_many_were_left_out);
	tcase_add_test(tc, nothing_is_said_where_nothing_was_left_out);
	tcase_add_test(tc, before_its_time_a_limit_stays_full);
	tcase_add_exit_test(tc, a_fatal_error_ends_the_process_with_1, 1);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
