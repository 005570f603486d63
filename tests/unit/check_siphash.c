/* SPDX-License-Identifier: ISC */
#include "base/siphash.h"

#include "unit.h"

/*
 * Published results of SipHash-1-3 for the key 00 01 .. 0f and the first n of the
 * bytes 00 01 02 ..., n from 0.
 */
static const uint64_t published[] = {
	UINT64_C(0xabac0158050fc4dc),
	UINT64_C(0xc9f49bf37d57ca93),
	UINT64_C(0x82cb9b024dc7d44d),
	UINT64_C(0x8bf80ab8e7ddf7fb),
	UINT64_C(0xcf75576088d38328),
	UINT64_C(0xdef9d52f49533b67),
	UINT64_C(0xc50d2b50c59f22a7),
	UINT64_C(0xd3927d989bb11140),
	UINT64_C(0x369095118d299a8e),
	UINT64_C(0x25a48eb36c063de4),
	UINT64_C(0x79de85ee92ff097f),
	UINT64_C(0x70c118c1f94dc352),
	UINT64_C(0x78a384b157b4d9a2),
	UINT64_C(0x306f760c1229ffa7),
	UINT64_C(0x605aa111c0f95d34),
	UINT64_C(0xd320d86d2a519956),
	UINT64_C(0xcc4fdd1a7d908b66),
	UINT64_C(0x9cf2689063dbd80c),
};
#define N_PUBLISHED (int)(sizeof(published) / sizeof(published[0]))

static const struct siphash_key published_key = {
	{ UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) }
};

START_TEST(gives_the_published_results)
{
	unsigned char data[N_PUBLISHED];

	for (int i = 0; i < N_PUBLISHED; i++)
		data[i] = (unsigned char)i;
	ck_assert_uint_eq(siphash(&published_key, data, (size_t)_i), published[_i]);
}
END_TEST

START_TEST(does_not_care_where_the_bytes_lie)
{
	unsigned char data[N_PUBLISHED + 8];

	for (int i = 0; i < N_PUBLISHED; i++)
		data[_i + i] = (unsigned char)i;
	ck_assert_uint_eq(siphash(&published_key, data + _i, 17), published[17]);
}
END_TEST

START_TEST(depends_on_every_bit_of_the_key)
{
	struct siphash_key other = published_key;

	other.k[_i / 64] ^= UINT64_C(1) << (_i % 64);
	ck_assert_uint_ne(siphash(&other, "token", 5), siphash(&published_key, "token", 5));
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("siphash");
	TCase *tc = tcase_create("siphash");

	tcase_add_loop_test(tc, gives_the_published_results, 0, N_PUBLISHED);
	tcase_add_loop_test(tc, does_not_care_where_the_bytes_lie, 0, 8);
	tcase_add_loop_test(tc, depends_on_every_bit_of_the_key, 0, 128);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN_STATELESS(make_suite)
