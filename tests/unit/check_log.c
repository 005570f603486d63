/* SPDX-License-Identifier: ISC */
/*
 * log: standard error is a pipe here, and a line is what can be read from it.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit.h"

#define LIMIT_LINES 10		/* as log.h promises: so many in so long */
#define LIMIT_MS    10000
#define HEAD_LEN 31		/* "2026-01-31T12:00:00.123Z warn  " */

static int from_log, saved_stderr;
static char line[32768];		/* what was read last */

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
	log_finish();
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
	log_finish();
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

START_TEST(what_was_left_out_is_told_when_its_time_has_passed_or_at_the_end)
{
	static struct log_limit old = { .about = "mice" }, young = { .about = "cats" };

	for (unsigned i = 0; i < LIMIT_LINES + 3; i++) {
		(void)log_allows(&old);
		(void)log_allows(&young);
	}
	log_tick();
	ck_assert_str_eq(logged(), "");
	old.since_ms -= LIMIT_MS;
	log_tick();
	ck_assert_str_eq(logged() + HEAD_LEN, "3 more lines about mice were left out\n");
	ck_assert(log_allows(&old));
	log_tick();
	ck_assert_str_eq(logged(), "");
	log_finish();
	ck_assert_str_eq(logged() + HEAD_LEN, "3 more lines about cats were left out\n");
	log_finish();
	ck_assert_str_eq(logged(), "");
}
END_TEST

/* What follows the time, up to the line feed. */
static const char *
logged_json(void)
{
	logged();
	ck_assert_uint_gt(strlen(line), 35);
	ck_assert_int_eq(strncmp(line, "{\"time\":\"20", 11), 0);
	ck_assert_int_eq(strncmp(line + 32, "Z\",", 3), 0);
	return line + 35;
}

START_TEST(a_line_of_json_is_an_object_with_what_is_known)
{
	struct log_subject about = { "C-1 203.0.113.9:5512", "4bf92f35", "203.0.113.9" };

	log_set_format(LOG_FORMAT_JSON, "master-1");
	log_warnx("number %d", 7);
	ck_assert_str_eq(logged_json(),
	    "\"level\":\"warn\",\"node\":\"master-1\",\"text\":\"number 7\"}\n");
	log_about(LOG_LEVEL_DEBUG, "link", about, 0, "up");
	ck_assert_str_eq(logged_json(), "\"level\":\"debug\",\"node\":\"master-1\","
	    "\"area\":\"link\",\"who\":\"C-1 203.0.113.9:5512\",\"request\":\"4bf92f35\","
	    "\"client\":\"203.0.113.9\",\"text\":\"up\"}\n");
}
END_TEST

/* Text from a peer, and what it is in JSON. */
static const struct {
	const char *text, *json;
} escapes[] = {
	{ "a\"b\\c/", "a\\\"b\\\\c/" },
	{ "\n\x1b\x7f", "\\u000a\\u001b\\u007f" },
	{ "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xad",
	    "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xad" },
	{ "\xff|\xc3", "\\ufffd|\\ufffd" },
	{ "\xc0\xaf", "\\ufffd\\ufffd" },			/* longer than need be */
	{ "\xe0\x80\xaf", "\\ufffd\\ufffd\\ufffd" },
	{ "\xf0\x80\x80\xaf", "\\ufffd\\ufffd\\ufffd\\ufffd" },
	{ "\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd" },	/* a surrogate */
	{ "\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd" },
	{ "\xf5\x80\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd" },
	{ "\xe2\x82", "\\ufffd\\ufffd" },
};

START_TEST(texts_in_json_are_escaped_whatever_they_hold)
{
	char *want = NULL;

	log_set_format(LOG_FORMAT_JSON, NULL);
	log_warnx("%s", escapes[_i].text);
	ck_assert_int_gt(asprintf(&want, "\"level\":\"warn\",\"text\":\"%s\"}\n",
	    escapes[_i].json), 0);
	ck_assert_str_eq(logged_json(), want);
	free(want);
}
END_TEST

START_TEST(a_line_of_json_that_is_too_long_is_cut_and_stays_an_object)
{
	char text[4000];
	size_t len;

	memset(text, 1, sizeof(text));
	text[sizeof(text) - 1] = '\0';
	log_set_format(LOG_FORMAT_JSON, text);
	log_about(LOG_LEVEL_ERROR, text, (struct log_subject){ text, text, text }, 0, "%s", text);
	logged_json();
	len = strlen(line);
	ck_assert_uint_lt(len, 16384);
	ck_assert_str_eq(line + len - 8, "u0001\"}\n");
}
END_TEST

START_TEST(the_journal_is_told_the_level_and_not_the_time)
{
	struct stat st;
	char stream[64];

	ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
	    (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_init();
	log_errorx("one");
	ck_assert_str_eq(logged(), "<3>one\n");
	log_warnx_for("L-1", "two");
	ck_assert_str_eq(logged(), "<4>L-1: two\n");
	log_info("three");
	ck_assert_str_eq(logged(), "<6>three\n");
	log_msg(LOG_LEVEL_DEBUG, "link", NULL, 0, "four");
	ck_assert_str_eq(logged(), "<7>[link] four\n");
	log_set_format(LOG_FORMAT_JSON, NULL);
	log_info("five");
	ck_assert_int_eq(strncmp(logged(), "<6>{\"time\":\"", 12), 0);
}
END_TEST

START_TEST(another_stream_than_that_of_the_journal_is_none)
{
	setenv("JOURNAL_STREAM", "1:2", 1);
	log_init();
	log_info("one");
	ck_assert_str_eq(logged() + HEAD_LEN, "one\n");
}
END_TEST

START_TEST(a_file_that_was_moved_away_is_begun_anew)
{
	char folder[] = "/tmp/check_log.XXXXXX", path[64], moved[64], text[256];
	FILE *f;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/log", folder);
	snprintf(moved, sizeof(moved), "%s/log.1", folder);
	ck_assert(log_open(path));
	log_info("one");
	ck_assert_int_eq(rename(path, moved), 0);
	log_info("two");
	log_reopen();
	log_info("three");
	ck_assert_str_eq(logged(), "");
	ck_assert_ptr_nonnull(f = fopen(path, "r"));
	ck_assert_ptr_nonnull(fgets(text, sizeof(text), f));
	ck_assert_str_eq(text + HEAD_LEN, "three\n");
	ck_assert_ptr_null(fgets(text, sizeof(text), f));
	fclose(f);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(unlink(moved), 0);
	ck_assert_int_eq(rmdir(folder), 0);
	log_reopen();		/* its folder is gone: the old file stays, and nobody dies */
	log_info("four");
}
END_TEST

START_TEST(a_file_in_no_folder_is_refused)
{
	ck_assert(!log_open("/nonexistent/log"));
	ck_assert_int_eq(errno, ENOENT);
	log_info("one");
	ck_assert_str_eq(logged() + HEAD_LEN, "one\n");
}
END_TEST

START_TEST(a_closed_pipe_loses_the_line_and_no_more)
{
	signal(SIGPIPE, SIG_IGN);
	close(from_log);
	errno = ENOENT;
	log_info("to nobody");
	ck_assert_int_eq(errno, ENOENT);
	from_log = dup(STDIN_FILENO);
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
	tcase_add_test(tc, what_was_left_out_is_told_when_its_time_has_passed_or_at_the_end);
	tcase_add_test(tc, a_line_of_json_is_an_object_with_what_is_known);
	tcase_add_loop_test(tc, texts_in_json_are_escaped_whatever_they_hold, 0,
	    ARRAY_LEN(escapes));
	tcase_add_test(tc, a_line_of_json_that_is_too_long_is_cut_and_stays_an_object);
	tcase_add_test(tc, the_journal_is_told_the_level_and_not_the_time);
	tcase_add_test(tc, another_stream_than_that_of_the_journal_is_none);
	tcase_add_test(tc, a_file_that_was_moved_away_is_begun_anew);
	tcase_add_test(tc, a_file_in_no_folder_is_refused);
	tcase_add_test(tc, a_closed_pipe_loses_the_line_and_no_more);
	tcase_add_exit_test(tc, a_fatal_error_ends_the_process_with_1, 1);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
