/* SPDX-License-Identifier: ISC */
#include "front/address_rates.h"

#include <stdio.h>

#include "conf/conf.h"
#include "unit.h"

static const struct conf_limits limits = {
	.messages_per_address = 3, .bytes_per_address = 1000,
};
static struct address_rates *a;

static void
setup(void)
{
	a = address_rates_new();
}

static void
teardown(void)
{
	address_rates_free(a);
}

START_TEST(each_address_has_its_own)
{
	for (int i = 0; i < 3; i++)
		ck_assert(address_rates_take(a, &limits, "192.0.2.1", 10, 1000));
	ck_assert(!address_rates_take(a, &limits, "192.0.2.1", 10, 1000));
	ck_assert(address_rates_take(a, &limits, "192.0.2.2", 10, 1000));
}
END_TEST

START_TEST(bytes_count_as_messages_do)
{
	ck_assert(address_rates_take(a, &limits, "192.0.2.1", 900, 1000));
	ck_assert(!address_rates_take(a, &limits, "192.0.2.1", 200, 1000));
	ck_assert(address_rates_take(a, &limits, "192.0.2.1", 200, 1200));
}
END_TEST

/* Whether it was forgotten meanwhile or not. */
START_TEST(after_a_second_all_of_it_is_there_again)
{
	for (uint64_t now_ms = 1000; now_ms < 20000; now_ms += 1000 + (uint64_t)_i) {
		for (int i = 0; i < 3; i++)
			ck_assert(address_rates_take(a, &limits, "192.0.2.1", 10, now_ms));
		ck_assert(!address_rates_take(a, &limits, "192.0.2.1", 10, now_ms));
	}
}
END_TEST

/* One address has sessions on two event loops, and one of those is 400 ms behind. */
START_TEST(loops_whose_clocks_differ_give_no_more)
{
	unsigned n_taken = 0;

	for (uint64_t ms = 0; ms < 10000; ms += 10) {
		n_taken += address_rates_take(a, &limits, "192.0.2.1", 10, 1400 + ms);
		n_taken += address_rates_take(a, &limits, "192.0.2.1", 10, 1000 + ms);
	}
	ck_assert_uint_ge(n_taken, 3 + 29);
	ck_assert_uint_le(n_taken, 3 + 30);
}
END_TEST

/* What the loop that is behind sends last does not make it older than it is. */
START_TEST(a_clock_behind_makes_nothing_forgotten_too_early)
{
	for (int i = 0; i < 3; i++)
		ck_assert(address_rates_take(a, &limits, "192.0.2.1", 10, 2000));
	ck_assert(!address_rates_take(a, &limits, "192.0.2.1", 10, 1000));
	ck_assert(!address_rates_take(a, &limits, "192.0.2.1", 10, 2001));
}
END_TEST

START_TEST(only_those_of_the_last_second_take_room)
{
	char address[32];

	for (unsigned i = 0; i < 10000; i++) {
		snprintf(address, sizeof(address), "10.0.%u.%u", i / 256, i % 256);
		ck_assert(address_rates_take(a, &limits, address, 10, 1000 + i));
		ck_assert_uint_le(address_rates_count(a), 1002);
	}
	ck_assert(address_rates_take(a, &limits, "192.0.2.1", 10, 100000));
	ck_assert_uint_eq(address_rates_count(a), 1);
}
END_TEST

START_TEST(without_limits_nothing_is_remembered)
{
	static const struct conf_limits none = { .messages_per_address = CONF_NO_LIMIT,
		.bytes_per_address = CONF_NO_LIMIT };

	for (int i = 0; i < 100; i++)
		ck_assert(address_rates_take(a, &none, "192.0.2.1", 1 << 30, 1000));
	ck_assert_uint_eq(address_rates_count(a), 0);
	address_rates_free(NULL);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("address_rates");
	TCase *tc = tcase_create("address_rates");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, each_address_has_its_own);
	tcase_add_test(tc, bytes_count_as_messages_do);
	tcase_add_loop_test(tc, after_a_second_all_of_it_is_there_again, 0, 3);
	tcase_add_test(tc, loops_whose_clocks_differ_give_no_more);
	tcase_add_test(tc, a_clock_behind_makes_nothing_forgotten_too_early);
	tcase_add_test(tc, only_those_of_the_last_second_take_room);
	tcase_add_test(tc, without_limits_nothing_is_remembered);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
