/* SPDX-License-Identifier: ISC */
/*
 * What every unit test program shares: a main that runs one suite.
 */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>

/* A sanitizer makes a process dear, above all its end, when it is searched for leaks. */
#if defined(__has_feature)
#define UNIT_SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNIT_SANITIZED 1
#else
#define UNIT_SANITIZED 0
#endif

/* Runs the suite; the exit status of the program. */
static inline int
unit_run_as(Suite *suite, enum fork_status fork_status)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_set_fork_status(runner, fork_status);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Each test in a process of its own. */
static inline int
unit_run(Suite *suite)
{
	return unit_run_as(suite, CK_FORK_GETENV);
}

/* With a sanitizer all in one, unless CK_FORK says otherwise. */
static inline int
unit_run_stateless(Suite *suite)
{
	bool together = UNIT_SANITIZED && getenv("CK_FORK") == NULL;

	return unit_run_as(suite, together ? CK_NOFORK : CK_FORK_GETENV);
}

#define UNIT_MAIN(make_suite)			\
	int					\
	main(void)				\
	{					\
		return unit_run(make_suite());	\
	}

/* Of tests that leave nothing behind which others could meet. */
#define UNIT_MAIN_STATELESS(make_suite)				\
	int							\
	main(void)						\
	{							\
		return unit_run_stateless(make_suite());	\
	}

#endif
