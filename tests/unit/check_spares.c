/* SPDX-License-Identifier: ISC */
#include "base/spares.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

/* What it says of its size is true: the sanitizers look at every byte. */
START_TEST(every_size_has_room_for_itself)
{
	struct spares *s = spares_new();

	for (size_t n = 1; n < 600000; n += 1 + n / 7) {
		char *p = spares_take(s, n);

		memset(p, 0x55, n);
		spares_give(s, p, n);
		p = spares_take(s, n);
		memset(p, 0xaa, n);
		spares_give(s, p, n);
	}
	spares_free(s);
}
END_TEST

START_TEST(blocks_that_are_out_are_different_ones)
{
	struct spares *s = spares_new();
	uint64_t *p[300];

	for (int round = 0; round < 3; round++) {
		for (uint64_t i = 0; i < 300; i++)
			*(p[i] = spares_take(s, 100 + 20 * (i % 40))) = i;
		for (uint64_t i = 0; i < 300; i++) {
			ck_assert_uint_eq(*p[i], i);
			spares_give(s, p[i], 100 + 20 * (i % 40));
		}
	}
	spares_free(s);
}
END_TEST

/* However it grew meanwhile. */
START_TEST(a_buffer_comes_back_with_all_its_room)
{
	static const size_t grown[] = { 0, 10, 700, 3000, 100000, 900000 };
	struct spares *s = spares_new();
	struct buf b = { 0 };
	size_t cap;

	for (size_t i = 0; i < ARRAY_LEN(grown); i++) {
		spares_take_buf(s, &b, 600);
		ck_assert(b.len == 0 && b.cap >= 600);
		memset(buf_reserve(&b, grown[i]), 0x55, grown[i]);
		buf_used(&b, grown[i]);
		cap = b.cap;
		spares_give_buf(s, &b);
		ck_assert(b.data == NULL && b.len == 0 && b.cap == 0);
		spares_take_buf(s, &b, cap);
		ck_assert(b.cap >= cap);
		memset(b.data, 0xaa, b.cap);
		spares_give_buf(s, &b);
	}
	b.data = malloc(777);	/* a size that is none of ours */
	b.cap = 777;
	spares_give_buf(s, &b);
	spares_give_buf(s, &b);
	spares_free(s);
}
END_TEST

#ifndef __SANITIZE_ADDRESS__
/* A crowd of some sizes; then one block of one size is needed again and again. */
START_TEST(what_nobody_needed_for_a_while_is_freed)
{
	struct spares *s = spares_new();
	void *p[300];
	size_t kept;

	for (size_t i = 0; i < 300; i++)
		p[i] = spares_take(s, 100 + 500 * (i % 4));
	ck_assert_uint_eq(spares_bytes(s), 0);
	for (size_t i = 0; i < 300; i++)
		spares_give(s, p[i], 100 + 500 * (i % 4));
	kept = spares_bytes(s);
	ck_assert_uint_gt(kept, 300 * 100);
	spares_trim(s);		/* all of it was in use since the beginning */
	ck_assert_uint_eq(spares_bytes(s), kept);
	for (int round = 0; round < 3; round++) {
		p[0] = spares_take(s, 600);
		spares_give(s, p[0], 600);
		spares_trim(s);
		ck_assert_uint_ge(spares_bytes(s), 600);
		ck_assert_uint_lt(spares_bytes(s), 1200);
	}
	spares_trim(s);
	ck_assert_uint_eq(spares_bytes(s), 0);
	spares_trim(s);
	spares_free(s);
}
END_TEST
#endif

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("spares");
	TCase *tc = tcase_create("spares");

	tcase_add_test(tc, every_size_has_room_for_itself);
	tcase_add_test(tc, blocks_that_are_out_are_different_ones);
	tcase_add_test(tc, a_buffer_comes_back_with_all_its_room);
#ifndef __SANITIZE_ADDRESS__
	tcase_add_test(tc, what_nobody_needed_for_a_while_is_freed);
#endif
	suite_add_tcase(suite, tc);
	return suite;
}

UNIT_MAIN(make_suite)
