/* SPDX-License-Identifier: ISC */
#include "base/address.h"

#include <string.h>

#include "unit.h"

static const struct {
	const char *net, *address;
	bool is_in;
} members[] = {
	{ "10.0.0.0/8", "10.0.0.0", true },
	{ "10.0.0.0/8", "10.255.255.255", true },
	{ "10.0.0.0/8", "11.0.0.0", false },
	{ "10.0.0.0/8", "9.255.255.255", false },
	{ "172.16.0.0/12", "172.31.255.255", true },
	{ "172.16.0.0/12", "172.32.0.0", false },
	{ "192.0.2.7", "192.0.2.7", true },
	{ "192.0.2.7/32", "192.0.2.7", true },
	{ "192.0.2.7", "192.0.2.6", false },
	{ "192.0.2.6/31", "192.0.2.7", true },
	{ "0.0.0.0/0", "203.0.113.9", true },
	{ "0.0.0.0/0", "2001:db8::1", false },
	{ "::/0", "2001:db8::1", true },
	{ "::/0", "203.0.113.9", true },
	{ "2001:db8::/33", "2001:db8:7fff::1", true },
	{ "2001:db8::/33", "2001:db8:8000::1", false },
	{ "2001:db8::1", "2001:0db8:0:0::1", true },
	{ "::ffff:10.0.0.0/104", "10.1.2.3", true },
	{ "10.0.0.0/8", "::ffff:10.1.2.3", true },
	{ "10.0.0.0/8", "unix", false },
	{ "unix:", "unix", true },
	{ "unix:", "0.0.0.0", false },
	{ "::/0", "unix", false },
	{ "10.0.0.0/8", "", false },
	{ "10.0.0.0/8", "10.0.0.0.1", false },
	{ "10.0.0.0/8", "balancer", false },
};

START_TEST(an_address_is_in_its_networks)
{
	struct address_net nets[2];

	ck_assert_ptr_null(address_net_parse("198.51.100.0/24", &nets[0]));
	ck_assert_ptr_null(address_net_parse(members[_i].net, &nets[1]));
	ck_assert_int_eq(address_is_in(members[_i].address, nets, 2), members[_i].is_in);
	ck_assert(!address_is_in(members[_i].address, nets, 1));
	ck_assert(!address_is_in(members[_i].address, NULL, 0));
}
END_TEST

static const char *const no_nets[] = {
	"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0.0/08",
	"10.0.0.0/ 8", "10.0.0.0/255.0.0.0", "10.0.0.1/8", "10.0.0/8", "2001:db8::/129",
	"2001:db8::1/64", "[2001:db8::1]", "10.0.0.1:80", "fe80::1%eth0", "unix", "unix:/run/x",
	"balancer", " 10.0.0.1", "10.0.0.1 ", "*", "10.0.0.0/4294967304",
	"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa",
};

START_TEST(what_is_no_network_is_told)
{
	struct address_net net;

	ck_assert_ptr_nonnull(address_net_parse(no_nets[_i], &net));
}
END_TEST

static const struct {
	const char *text, *address;	/* NULL: it is none */
} texts[] = {
	{ "192.0.2.7", "192.0.2.7" },
	{ "192.0.2.7:5512", "192.0.2.7" },
	{ "2001:DB8:0::1", "2001:db8::1" },
	{ "[2001:db8::1]", "2001:db8::1" },
	{ "[2001:db8::1]:5512", "2001:db8::1" },
	{ "::ffff:192.0.2.7", "192.0.2.7" },
	{ "[::ffff:c000:207]:1", "192.0.2.7" },
	{ "", NULL },
	{ "unknown", NULL },
	{ "unix", NULL },
	{ "_hidden", NULL },
	{ "192.0.2", NULL },
	{ "192.0.2.256", NULL },
	{ "192.0.2.07", NULL },
	{ "192.0.2.7:", NULL },
	{ "192.0.2.7:x", NULL },
	{ "192.0.2.7:555555", NULL },
	{ "[192.0.2.7]", NULL },
	{ "[2001:db8::1", NULL },
	{ "[2001:db8::1]x", NULL },
	{ "[2001:db8::1]:", NULL },
	{ "2001:db8::1]", NULL },
	{ "[]", NULL },
	{ "[", NULL },
	{ "fe80::1%eth0", NULL },
	{ "192.0.2.7 ", NULL },
	{ "\"192.0.2.7\"", NULL },
};

START_TEST(an_address_is_read_as_proxies_write_it)
{
	char address[ADDRESS_TEXT_MAX];
	char *exact = malloc(strlen(texts[_i].text) + 1);	/* so that nobody reads behind it */

	memcpy(exact, texts[_i].text, strlen(texts[_i].text));
	ck_assert_int_eq(address_parse(exact, strlen(texts[_i].text), address),
	    texts[_i].address != NULL);
	if (texts[_i].address != NULL)
		ck_assert_str_eq(address, texts[_i].address);
	free(exact);
}
END_TEST

START_TEST(a_text_with_a_nul_is_no_address)
{
	char address[ADDRESS_TEXT_MAX];

	ck_assert(!address_parse("192.0.2.7\0x", 11, address));
}
END_TEST

START_TEST(private_networks_are_known)
{
	static const char *const private[] = {
		"10.1.2.3", "172.20.0.1", "192.168.178.1", "127.0.0.1", "100.64.0.1",
		"169.254.1.1", "fd00::1", "fe80::1", "::1", "::ffff:10.0.0.1",
	};
	static const char *const public[] = {
		"203.0.113.9", "172.32.0.1", "2001:db8::1", "unix", "", "100.128.0.1",
	};

	for (size_t i = 0; i < ARRAY_LEN(private); i++)
		ck_assert(address_is_private(private[i]));
	for (size_t i = 0; i < ARRAY_LEN(public); i++)
		ck_assert(!address_is_private(public[i]));
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("address");
	TCase *tc = tcase_create("address");

	tcase_add_loop_test(tc, an_address_is_in_its_networks, 0, (int)ARRAY_LEN(members));
	tcase_add_loop_test(tc, what_is_no_network_is_told, 0, (int)ARRAY_LEN(no_nets));
	tcase_add_loop_test(tc, an_address_is_read_as_proxies_write_it, 0, (int)ARRAY_LEN(texts));
	tcase_add_test(tc, a_text_with_a_nul_is_no_address);
	tcase_add_test(tc, private_networks_are_known);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN_STATELESS(make_suite)
