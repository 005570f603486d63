/* SPDX-License-Identifier: ISC */
/*
 * What every unit test program shares: a main that runs one suite, and the
 * feeding of a decoder in pieces.
 */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

#include <check.h>
#include <stdlib.h>

/* Runs the suite; the exit status of the program. */
static inline int
unit_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define UNIT_MAIN(make_suite)			\
	int					\
	main(void)				\
	{					\
		return unit_run(make_suite());	\
	}

#endif
