/* SPDX-License-Identifier: ISC */
#include "conf/conf_diff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/xmalloc.h"
#include "conf/conf.h"
#include "unit.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define OTHER  "fedcba9876543210fedcba9876543210"
#define HEAD   "listen: [{ address: \"127.0.0.1:8080\" }]\n"
#define JWT    "jwt: { secret: \"" SECRET "\" }\n"
#define APP(more) HEAD JWT "applications: { a: { command: [x, y]" more " } }\n"

static struct conf *
load(const char *text)
{
	char name[] = "/tmp/check_conf_diff.XXXXXX", *error;
	int fd = mkstemp(name);
	struct conf *conf;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	conf = conf_load(name, &error);
	unlink(name);
	ck_assert_msg(conf != NULL, "%s", error);
	return conf;
}

/* Two of an application, and would its workers be started in the same way? */
static const struct {
	const char *a, *b;
	bool is_same;
} workers[] = {
	{ APP(""), APP(""), true },
	{ APP(""), APP(", pool: { size: 7, queue: 3, deadline: 2s }"), true },
	{ APP(""), APP(", pass_environment: []"), true },
	{ APP(", environment: { A: \"1\", B: \"2\" }"), APP(", environment: { A: \"1\", B: \"2\" }"),
	    true },
	{ APP(""), APP(", environment: { A: \"1\" }"), false },
	{ APP(", environment: { A: \"1\" }"), APP(", environment: { A: \"2\" }"), false },
	{ APP(", environment: { A: \"1\" }"), APP(", environment: { A: \"1\", B: \"2\" }"), false },
	{ APP(", pass_environment: [A]"), APP(", pass_environment: [A, B]"), false },
	{ APP(", pass_environment: [A]"), APP(""), false },
	{ APP(""), APP(", directory: /"), false },
	{ APP(""), APP(", pool: { concurrency: 2 }"), false },
	{ APP(""), HEAD JWT "applications: { a: { command: [x, z] } }\n", false },
	{ APP(""), HEAD JWT "applications: { a: { command: [x] } }\n", false },
	{ APP(""), HEAD JWT "applications: { a: { command: [x, y, z] } }\n", false },
};

START_TEST(workers_are_the_same_if_they_would_be_started_the_same)
{
	struct conf *a = load(workers[_i].a), *b = load(workers[_i].b);

	ck_assert_int_eq(conf_same_workers(&a->applications[0], &b->applications[0]),
	    workers[_i].is_same);
	ck_assert_int_eq(conf_same_workers(&b->applications[0], &a->applications[0]),
	    workers[_i].is_same);
	conf_unref(a);
	conf_unref(b);
}
END_TEST

/* Two nodes: are their secrets the same, and what they tell workers of QEWD's own? */
static const struct {
	const char *a, *b;
	bool same_secrets, same_hello;
} nodes[] = {
	{ HEAD "node: n\n" JWT, HEAD "node: n\n" JWT, true, true },
	{ HEAD "node: n\n" JWT, HEAD "node: m\n" JWT, true, false },
	{ HEAD "node: n\n" JWT, HEAD "node: n\njwt: { secret: \"" SECRET "\", lifetime: 1h }\n",
	    true, false },
	{ HEAD "node: n\n" JWT, HEAD "node: n\njwt: { secret: \"" OTHER "\" }\n", false, false },
	{ HEAD "node: n\n" JWT, HEAD "node: n\njwt: { secret: \"" SECRET "x\" }\n", false, false },
	{ HEAD "node: n\n" JWT, HEAD "node: n\njwt: { secrets: [{ id: new, secret: \"" SECRET "\" }] }\n",
	    true, true },
	{ HEAD "node: n\n" JWT, HEAD "node: n\njwt: { secrets: [{ secret: \"" SECRET "\" }, { secret: \""
	    OTHER "\" }] }\n", false, true },
	{ HEAD "node: n\n" JWT, HEAD "node: n\njwt: { secrets: [{ secret: \"" OTHER "\" }, { secret: \""
	    SECRET "\" }] }\n", false, false },
};

START_TEST(secrets_are_compared_byte_for_byte_and_in_order)
{
	struct conf *a = load(nodes[_i].a), *b = load(nodes[_i].b);

	ck_assert_int_eq(conf_same_secrets(a, b), nodes[_i].same_secrets);
	ck_assert_int_eq(conf_same_secrets(b, a), nodes[_i].same_secrets);
	ck_assert_int_eq(conf_same_hello(a, b), nodes[_i].same_hello);
	ck_assert_int_eq(conf_same_hello(b, a), nodes[_i].same_hello);
	conf_unref(a);
	conf_unref(b);
}
END_TEST

START_TEST(what_is_fixed_stays_and_is_named)
{
	struct conf *old = load(HEAD "node: old\nthreads: 2\njwt: { secret: \"" SECRET
	    "\", revoked_file: /old.revoked }\n");
	struct conf *new = load(HEAD "node: new\nthreads: 3\nlog: { file: /new.log }\n" JWT);
	char *names = conf_keep_fixed(new, old);

	ck_assert_str_eq(names, "node (stays \"old\"), threads (stays 2), "
	    "log.file (stays standard error), jwt.revoked_file (stays /old.revoked)");
	free(names);
	ck_assert_str_eq(new->node, "old");
	ck_assert_uint_eq(new->threads, 2);
	ck_assert_ptr_null(new->log_file);
	ck_assert_str_eq(new->jwt.revoked_file, "/old.revoked");
	ck_assert_ptr_null(conf_keep_fixed(new, old));
	conf_unref(new);
	conf_unref(old);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("conf_diff");
	TCase *tc = tcase_create("conf_diff");

	tcase_add_loop_test(tc, workers_are_the_same_if_they_would_be_started_the_same, 0,
	    (int)ARRAY_LEN(workers));
	tcase_add_loop_test(tc, secrets_are_compared_byte_for_byte_and_in_order, 0,
	    (int)ARRAY_LEN(nodes));
	tcase_add_test(tc, what_is_fixed_stays_and_is_named);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
