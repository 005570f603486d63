/* SPDX-License-Identifier: ISC */
/*
 * id: names of sessions tell their part, to us alone; random names do not repeat.
 */
#include "base/id.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "unit.h"

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

static struct id_parts
parts_of(unsigned n)
{
	struct id_parts parts = { .n = n };

	id_random(&parts.key, sizeof(parts.key));
	return parts;
}

static const unsigned counts[] = { 1, 2, 3, 4, 7, 64, 255, 256, 1000, 4095, 4096 };

START_TEST(a_sid_tells_its_part)
{
	struct id_parts parts = parts_of(counts[_i]);
	char sid[ID_SID_LEN + 1];
	unsigned found;

	for (unsigned part = 0; part < parts.n; part += 1 + parts.n / 64) {
		id_sid_in(sid, &parts, part);
		ck_assert_uint_eq(strlen(sid), ID_SID_LEN);
		ck_assert_uint_eq(strspn(sid, LETTERS), ID_SID_LEN);
		found = parts.n;
		ck_assert(id_sid_part(sid, &parts, &found));
		ck_assert_uint_eq(found, part);
	}
	/* The last part, of which there may be one number less than of the others. */
	for (int i = 0; i < 200; i++) {
		id_sid_in(sid, &parts, parts.n - 1);
		ck_assert(id_sid_part(sid, &parts, &found));
		ck_assert_uint_eq(found, parts.n - 1);
	}
}
END_TEST

START_TEST(no_letter_of_a_sid_can_be_another)
{
	struct id_parts parts = parts_of(4);
	char sid[ID_SID_LEN + 1], other[ID_SID_LEN + 1];
	unsigned part, n_taken = 0;

	id_sid_in(sid, &parts, 3);
	for (size_t i = 0; i < ID_SID_LEN; i++) {
		for (const char *c = LETTERS; *c != '\0'; c++) {
			memcpy(other, sid, sizeof(other));
			other[i] = *c;
			n_taken += *c != sid[i] && id_sid_part(other, &parts, &part);
		}
	}
	/* Each is taken with a chance of one to 2^24. */
	ck_assert_uint_le(n_taken, 2);
}
END_TEST

static const char *const foreign[] = {
	"",
	"A",
	"AAAAAAAAAAAAAAAAAAAA",
	"6x8ZbhtDOtmwwI-wAAAC",
	"6x8ZbhtDOtmwwI-wAAACA",
	"6x8ZbhtDOtmwwI wAAAC",
	"\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4",
};

START_TEST(a_foreign_sid_tells_none)
{
	struct id_parts parts = parts_of(4), others = parts_of(4);
	char sid[ID_SID_LEN + 1];
	unsigned part, n_taken = 0;

	/* By chance one in 2^24 may. */
	for (int i = 0; i < 3; i++) {
		parts = parts_of(4);
		n_taken += id_sid_part(foreign[_i], &parts, &part);
	}
	for (int i = 0; i < 50; i++) {
		id_sid_in(sid, &others, 1);
		n_taken += id_sid_part(sid, &parts, &part);
	}
	ck_assert_uint_le(n_taken, 1);
}
END_TEST

/* ---- threads ---- */

#define N_THREADS 4
#define N_SIDS	  2000

static char sids[N_THREADS * N_SIDS][ID_SID_LEN + 1];

static void *
make_sids(void *arg)
{
	char (*own)[ID_SID_LEN + 1] = arg;

	for (int i = 0; i < N_SIDS; i++)
		id_sid(own[i]);
	return NULL;
}

static int
compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

START_TEST(threads_make_names_that_differ)
{
	pthread_t thread[N_THREADS];

	for (int i = 0; i < N_THREADS; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, make_sids, sids[i * N_SIDS]), 0);
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(thread[i], NULL);
	qsort(sids, ARRAY_LEN(sids), sizeof(sids[0]), compare);
	for (size_t i = 1; i < ARRAY_LEN(sids); i++)
		ck_assert_str_ne(sids[i - 1], sids[i]);
}
END_TEST

START_TEST(hex_has_two_digits_a_byte)
{
	char hex[2 * 100 + 1];

	id_hex(hex, (size_t)_i);
	ck_assert_uint_eq(strlen(hex), 2 * (size_t)_i);
	ck_assert_uint_eq(strspn(hex, "0123456789abcdef"), 2 * (size_t)_i);
}
END_TEST

/* Up to more than is kept for a thread; the last of them come whole, and not twice. */
static const size_t lengths[] = { 16, 17, 1000, 16383, 16384, 16385, 100000 };

START_TEST(random_bytes_come_in_any_number)
{
	static unsigned char a[100000], b[100000];
	static const unsigned char none[16];
	const size_t n = lengths[_i], last = n - sizeof(none);

	for (int i = 0; i < 3; i++) {
		memset(a, 0, sizeof(a));
		memset(b, 0, sizeof(b));
		id_random(a, n);
		id_random(b, n);
		ck_assert_mem_ne(a, b, sizeof(none));
		ck_assert_mem_ne(a + last, b + last, sizeof(none));
		ck_assert_mem_ne(a + last, none, sizeof(none));
		ck_assert_mem_ne(b + last, none, sizeof(none));
	}
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("id");
	TCase *tc = tcase_create("id");

	tcase_add_loop_test(tc, a_sid_tells_its_part, 0, ARRAY_LEN(counts));
	tcase_add_test(tc, no_letter_of_a_sid_can_be_another);
	tcase_add_loop_test(tc, a_foreign_sid_tells_none, 0, ARRAY_LEN(foreign));
	tcase_add_test(tc, threads_make_names_that_differ);
	tcase_add_loop_test(tc, hex_has_two_digits_a_byte, 1, 100);
	tcase_add_loop_test(tc, random_bytes_come_in_any_number, 0, ARRAY_LEN(lengths));
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN_STATELESS(make_suite)
