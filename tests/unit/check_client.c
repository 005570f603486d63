/* SPDX-License-Identifier: ISC */
#include "front/client.h"

#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "base/compiler.h"
#include "codec/http_parse.h"
#include "codec/proxy_v2.h"
#include "unit.h"

static struct address_net proxies[3], nodes[2];
static struct conf_listener listener;

static void
setup(void)
{
	ck_assert_ptr_null(address_net_parse("10.0.0.0/8", &proxies[0]));
	ck_assert_ptr_null(address_net_parse("2001:db8::/32", &proxies[1]));
	ck_assert_ptr_null(address_net_parse("unix:", &proxies[2]));
	ck_assert_ptr_null(address_net_parse("192.0.2.0/24", &nodes[0]));
	ck_assert_ptr_null(address_net_parse("10.0.0.1", &nodes[1]));
	listener = (struct conf_listener){ .proxies = proxies, .n_proxies = 3 };
}

static const struct {
	const char *peer, *fields, *address;
	enum client_scheme scheme;
} forwarded[] = {
	{ "10.0.0.1", "", "10.0.0.1", CLIENT_ANY_SCHEME },
	{ "10.0.0.1", "X-Forwarded-For: 203.0.113.9\r\n", "203.0.113.9", CLIENT_ANY_SCHEME },
	{ "unix", "X-Forwarded-For: 203.0.113.9\r\n", "203.0.113.9", CLIENT_ANY_SCHEME },
	{ "10.0.0.1", "X-Forwarded-For: 203.0.113.9:5512\r\n", "203.0.113.9", CLIENT_ANY_SCHEME },
	{ "10.0.0.1", "x-forwarded-for: [2001:db9::7]:80\r\n", "2001:db9::7", CLIENT_ANY_SCHEME },

	/* The rightmost that is not trusted; what stands before it anybody could have written. */
	{ "10.0.0.1", "X-Forwarded-For: 198.51.100.1, 203.0.113.9\r\n", "203.0.113.9",
	    CLIENT_ANY_SCHEME },
	{ "10.0.0.1", "X-Forwarded-For: 198.51.100.1,203.0.113.9 ,\t10.0.0.2,2001:db8::5\r\n",
	    "203.0.113.9", CLIENT_ANY_SCHEME },
	{ "10.0.0.1", "X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 203.0.113.9, 10.0.0.3\r\n",
	    "203.0.113.9", CLIENT_ANY_SCHEME },
	{ "10.0.0.1", "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 10.0.0.3\r\n",
	    "203.0.113.9", CLIENT_ANY_SCHEME },
	{ "10.0.0.1", "X-Forwarded-For: 10.0.0.9, 10.0.0.3\r\n", "10.0.0.9", CLIENT_ANY_SCHEME },

	/* What cannot be read ends the way back. */
	{ "10.0.0.1", "X-Forwarded-For: unknown\r\n", "10.0.0.1", CLIENT_ANY_SCHEME },
	{ "10.0.0.1", "X-Forwarded-For:\r\n", "10.0.0.1", CLIENT_ANY_SCHEME },
	{ "10.0.0.1", "X-Forwarded-For: ,\r\n", "10.0.0.1", CLIENT_ANY_SCHEME },
	{ "10.0.0.1", "X-Forwarded-For: 203.0.113.9,\r\n", "10.0.0.1", CLIENT_ANY_SCHEME },
	{ "10.0.0.1", "X-Forwarded-For: 203.0.113.9, x, 10.0.0.7\r\n", "10.0.0.7",
	    CLIENT_ANY_SCHEME },

	{ "10.0.0.1", "X-Forwarded-Proto: https\r\n", "10.0.0.1", CLIENT_HTTPS },
	{ "10.0.0.1", "X-Forwarded-Proto: HTTP\r\n", "10.0.0.1", CLIENT_HTTP },
	{ "10.0.0.1", "X-Forwarded-Proto: http, https\r\n", "10.0.0.1", CLIENT_HTTPS },
	{ "10.0.0.1", "X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http\r\n", "10.0.0.1",
	    CLIENT_HTTP },
	{ "10.0.0.1", "X-Forwarded-Proto: gopher\r\n", "10.0.0.1", CLIENT_ANY_SCHEME },
};

START_TEST(a_proxy_tells_for_whom_it_asks)
{
	struct http_head head;
	struct client c;
	char request[512];

	snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n",
	    forwarded[_i].fields);
	ck_assert_int_eq(http_parse_request(&head, request, strlen(request)), 0);
	client_init(&c, &listener, 17, forwarded[_i].peer, forwarded[_i].peer);
	ck_assert(c.is_trusted);
	client_set_forwarded(&c, &head);
	ck_assert_str_eq(c.address, forwarded[_i].address);
	ck_assert_int_eq(c.scheme, forwarded[_i].scheme);
}
END_TEST

START_TEST(the_log_names_both)
{
	struct proxy_v2 first = { .has_address = true, .address = "10.0.0.2", .is_tls = true };
	static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n"
	    "X-Forwarded-For: 203.0.113.9\r\n\r\n";
	struct http_head head;
	struct client c;

	client_init(&c, &listener, 17, "10.0.0.1", "10.0.0.1:5512");
	ck_assert_str_eq(c.label, "C-17 10.0.0.1:5512");
	client_set_proxied(&c, &(struct proxy_v2){ .has_address = false });
	ck_assert_str_eq(c.label, "C-17 10.0.0.1:5512");
	client_set_proxied(&c, &first);
	ck_assert_str_eq(c.label, "C-17 10.0.0.2 via 10.0.0.1:5512");
	ck_assert_int_eq(c.scheme, CLIENT_HTTPS);
	ck_assert(c.is_trusted);
	ck_assert_int_eq(http_parse_request(&head, request, strlen(request)), 0);
	client_set_forwarded(&c, &head);
	ck_assert_str_eq(c.label, "C-17 203.0.113.9 via 10.0.0.1:5512");
	ck_assert(!c.is_trusted);
}
END_TEST

static const struct {
	enum conf_audience audience;
	bool has_list;
	const char *address;
	bool is_node, may_come_in;
} who[] = {
	{ CONF_FOR_BROWSERS, false, "192.0.2.1", false, true },
	{ CONF_FOR_BOTH, false, "192.0.2.1", false, true },
	{ CONF_FOR_NODES, false, "192.0.2.1", true, true },
	{ CONF_FOR_NODES, true, "192.0.2.1", true, true },
	{ CONF_FOR_NODES, true, "198.51.100.1", false, false },
	{ CONF_FOR_BOTH, true, "192.0.2.1", true, true },
	{ CONF_FOR_BOTH, true, "198.51.100.1", false, true },
	/* A trusted proxy asks for others, even if it is in the list. */
	{ CONF_FOR_BOTH, true, "10.0.0.1", false, true },
	{ CONF_FOR_NODES, true, "10.0.0.1", false, false },
};

START_TEST(nodes_are_known_by_their_listener_and_address)
{
	struct client c;

	listener.audience = who[_i].audience;
	listener.nodes = nodes;
	listener.n_nodes = who[_i].has_list ? 2 : 0;
	client_init(&c, &listener, 1, who[_i].address, who[_i].address);
	ck_assert_int_eq(c.is_node, who[_i].is_node);
	ck_assert_int_eq(client_may_come_in(&c), who[_i].may_come_in);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("client");
	TCase *tc = tcase_create("client");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, a_proxy_tells_for_whom_it_asks, 0, (int)ARRAY_LEN(forwarded));
	tcase_add_test(tc, the_log_names_both);
	tcase_add_loop_test(tc, nodes_are_known_by_their_listener_and_address, 0,
	    (int)ARRAY_LEN(who));
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
