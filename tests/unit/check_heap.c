/* SPDX-License-Identifier: ISC */
/*
 * Memory that is free between what stays goes back to the system; when it is time for that.
 */
#include "base/heap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/xmalloc.h"
#include "unit.h"

#define BLOCKS 20000
#define SIZE   1000
#define STAYS  100	/* each so many-th block */

/* Sanitizers have an allocator of their own. */
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define CAN_TRIM
#endif

#ifdef CAN_TRIM
static long
resident_bytes(void)
{
	long all, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%ld %ld", &all, &resident), 2);
	fclose(f);
	return resident * sysconf(_SC_PAGESIZE);
}

START_TEST(pages_between_what_stays_are_given_back)
{
	static char *block[BLOCKS];
	struct heap h = { 0 };
	long before, full, after;

	before = resident_bytes();
	for (size_t i = 0; i < BLOCKS; i++)
		block[i] = memset(xmalloc(SIZE), 1, SIZE);
	full = resident_bytes();
	ck_assert_int_ge(full - before, (long)BLOCKS * SIZE / 2);
	for (size_t i = 0; i < BLOCKS - 1; i++)
		if (i % STAYS != 0)
			free(block[i]);
	heap_trim(&h);
	after = resident_bytes();
	ck_assert_int_le(after - before, (full - before) / 4);
	for (size_t i = 0; i < BLOCKS; i += STAYS)
		ck_assert_int_eq(block[i][SIZE - 1], 1);
	for (size_t i = 0; i < BLOCKS; i += STAYS)
		free(block[i]);
	free(block[BLOCKS - 1]);
}
END_TEST

/* It takes more than what counts as work, each time. */
START_TEST(giving_back_is_no_work_that_makes_it_due_again)
{
	enum { PIECES = 50000, FREE = 9000, STAYING = 464 };
	char **block = xcalloc(2 * PIECES, sizeof(*block));
	struct heap h = { 0 };
	int n = 0;

	for (size_t i = 0; i < 2 * PIECES; i++)
		block[i] = xmalloc(i % 2 == 0 ? FREE : STAYING);
	for (size_t i = 0; i < 2 * PIECES; i += 2)
		free(block[i]);
	while (heap_is_due(&h)) {
		heap_trim(&h);
		ck_assert_int_lt(++n, 10);
	}
	ck_assert_int_ge(n, 3);
	for (size_t i = 1; i < 2 * PIECES; i += 2)
		free(block[i]);
	free(block);
}
END_TEST
#endif

/* Of this process, in milliseconds. */
static long
worked_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
work(long ms)
{
	long begin = worked_ms();

	while (worked_ms() - begin < ms)
		;
}

START_TEST(it_is_due_after_work_and_a_few_times_more)
{
	struct heap h = { 0 };

	for (int round = 0; round < 2; round++) {
		int n = 0;

		work(100);
		while (heap_is_due(&h))
			ck_assert_int_lt(++n, 10);
		ck_assert_int_ge(n, 3);
		ck_assert(!heap_is_due(&h));
	}
}
END_TEST

START_TEST(it_is_quiet_while_there_is_little_work)
{
	struct heap h = { 0 };

	work(2000);
	ck_assert(heap_is_due(&h));
	ck_assert(!heap_is_quiet(&h));
	work(100);
	ck_assert(heap_is_due(&h));
	ck_assert(heap_is_quiet(&h));
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("heap");
	TCase *tc = tcase_create("heap");

	tcase_set_timeout(tc, 30);
#ifdef CAN_TRIM
	tcase_add_test(tc, pages_between_what_stays_are_given_back);
	tcase_add_test(tc, giving_back_is_no_work_that_makes_it_due_again);
#endif
	tcase_add_test(tc, it_is_due_after_work_and_a_few_times_more);
	tcase_add_test(tc, it_is_quiet_while_there_is_little_work);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
