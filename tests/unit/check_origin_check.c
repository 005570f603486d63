/* SPDX-License-Identifier: ISC */
#include "front/origin_check.h"

#include <string.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "conf/conf.h"
#include "unit.h"

static char *const listed[] = {
	"https://app.example.org",
	"https://*.example.net",
	"http://dev.example.org:3000",
	"capacitor://localhost",
};
static char *const any[] = { "*" };

static const struct {
	const char *origin, *host;	/* host NULL: the request has none */
	bool is_allowed;
} rows[] = {
	/* Its own. */
	{ "http://example.com", "example.com", true },
	{ "https://example.com", "example.com", true },
	{ "https://example.com", "EXAMPLE.com", true },
	{ "https://example.com:443", "example.com", true },
	{ "https://example.com", "example.com:443", true },
	{ "http://example.com", "example.com:80", true },
	{ "http://example.com:8080", "example.com:8080", true },
	{ "http://[::1]:8080", "[::1]:8080", true },
	{ "http://[::1]", "[::1]", true },
	{ "http://example.com:8080", "example.com", false },
	{ "http://example.com", "example.com:8080", false },
	{ "http://example.com:443", "example.com", false },
	{ "http://[::1]:8080", "[::1]:8081", false },
	{ "http://evil.com", "example.com", false },
	{ "http://example.com.evil.com", "example.com", false },
	{ "http://example.com", NULL, false },
	{ "ftp://example.com", "example.com", false },
	{ "app://example.com", "example.com", false },

	/* Listed. */
	{ "https://app.example.org", "example.com", true },
	{ "https://app.example.org", NULL, true },
	{ "HTTPS://APP.example.ORG", NULL, true },
	{ "https://app.example.org:443", NULL, true },
	{ "http://app.example.org", NULL, false },
	{ "https://app.example.org:8443", NULL, false },
	{ "https://x.app.example.org", NULL, false },
	{ "http://dev.example.org:3000", NULL, true },
	{ "http://dev.example.org", NULL, false },
	{ "capacitor://localhost", "example.com", true },

	/* Any subdomain. */
	{ "https://a.example.net", NULL, true },
	{ "https://a.b.EXAMPLE.net", NULL, true },
	{ "https://example.net", NULL, false },
	{ "https://.example.net", NULL, false },
	{ "https://evilexample.net", NULL, false },
	{ "https://a.example.net.evil.com", NULL, false },
	{ "https://a.example.net:444", NULL, false },

	{ "https://a.example.net.", NULL, false },
	{ "https://a..example.net", NULL, false },
	{ "https://..example.net", NULL, false },
	{ "https://*.example.net", NULL, false },
	{ "https://user@a.example.net", NULL, false },
	{ "https://user:pw@a.example.net", NULL, false },
	{ "https://a.example.net:0444", NULL, false },
	{ "https://evil.com#.example.net", NULL, false },
	{ "https://evil.com?.example.net", NULL, false },
	{ "https://evil.com\\.example.net", NULL, false },
	{ "https://evil.com%2f.example.net", NULL, false },
	{ "https://evil.com:443:.example.net", NULL, false },
	{ "https://app.example.org.", NULL, false },
	{ "https://app.example.orga", NULL, false },
	{ "https://xapp.example.org", NULL, false },

	/* No origin of a page. */
	{ "null", "null", false },
	{ "", "", false },
	{ "https://", "", false },
	{ "example.com", "example.com", false },
	{ "://example.com", "example.com", false },
	{ "http://user@example.com", "example.com", false },
	{ "http://example.com/", "example.com", false },
	{ "https://evil.com/.example.net", NULL, false },
};

static struct http_text
text(const char *s)
{
	return (struct http_text){ s, strlen(s) };
}

START_TEST(its_own_and_the_listed_ones_are_allowed)
{
	struct http_text host = text(rows[_i].host != NULL ? rows[_i].host : "");

	ck_assert_int_eq(origin_check(text(rows[_i].origin), rows[_i].host != NULL ? &host : NULL,
	    CLIENT_ANY_SCHEME, listed, ARRAY_LEN(listed)), rows[_i].is_allowed);
}
END_TEST

/* Where it is known whether TLS was spoken, that is part of the origin. */
static const struct {
	const char *origin;
	enum client_scheme came_by;
	bool is_allowed;
} schemes[] = {
	{ "https://example.com", CLIENT_HTTPS, true },
	{ "http://example.com", CLIENT_HTTPS, false },
	{ "http://example.com", CLIENT_HTTP, true },
	{ "https://example.com", CLIENT_HTTP, false },
	{ "https://app.example.org", CLIENT_HTTP, true },
	{ "http://app.example.org", CLIENT_HTTP, false },
};

START_TEST(a_known_scheme_is_part_of_its_own_origin)
{
	struct http_text host = text("example.com");

	ck_assert_int_eq(origin_check(text(schemes[_i].origin), &host, schemes[_i].came_by, listed,
	    ARRAY_LEN(listed)), schemes[_i].is_allowed);
}
END_TEST

START_TEST(a_star_allows_every_page_but_not_null)
{
	ck_assert(origin_check(text("https://who.ever"), NULL, CLIENT_HTTPS, any, 1));
	ck_assert(!origin_check(text("null"), NULL, CLIENT_ANY_SCHEME, any, 1));
	ck_assert(!origin_check(text("https://who.ever"), NULL, CLIENT_HTTPS, NULL, 0));
}
END_TEST

#define ORIGIN(o) "GET / HTTP/1.1\r\nHost: example.com\r\n" o "\r\n"
#define VARY "Vary: Origin\r\n"
#define ALLOWED(o) VARY "Access-Control-Allow-Origin: " o "\r\n" \
	"Access-Control-Allow-Credentials: true\r\n"

static const struct {
	const char *request;
	enum conf_audience audience;
	bool is_allowed;
	const char *headers;
} headers[] = {
	{ ORIGIN(""), CONF_FOR_BROWSERS, true, "" },
	{ ORIGIN(""), CONF_FOR_NODES, true, "" },
	{ ORIGIN("Origin: http://example.com\r\n"), CONF_FOR_BROWSERS, true,
	    ALLOWED("http://example.com") },
	{ ORIGIN("Origin: https://a.example.net\r\n"), CONF_FOR_BOTH, true,
	    ALLOWED("https://a.example.net") },
	{ ORIGIN("Origin: https://a.example.net\r\n"), CONF_FOR_NODES, false, VARY },
	{ ORIGIN("Origin: https://evil.com\r\n"), CONF_FOR_BROWSERS, false, VARY },
	{ ORIGIN("Origin: null\r\n"), CONF_FOR_BROWSERS, false, VARY },
	{ ORIGIN("Origin:\r\n"), CONF_FOR_BROWSERS, false, VARY },
	{ ORIGIN("Origin: https://a b.example.net\r\n"), CONF_FOR_BROWSERS, false, VARY },
	{ ORIGIN("Origin: https://\xe4.example.net\r\n"), CONF_FOR_BROWSERS, false, VARY },
	{ ORIGIN("Origin: http://example.com\r\nOrigin: http://example.com\r\n"),
	    CONF_FOR_BROWSERS, false, VARY },
};

START_TEST(a_page_that_may_come_in_may_read_its_answer)
{
	struct conf_listener listener = { .audience = headers[_i].audience,
		.origins = (char **)(uintptr_t)listed, .n_origins = ARRAY_LEN(listed) };
	struct http_head head;
	struct buf b = { 0 };
	struct client client;

	client_init(&client, &listener, 1, "192.0.2.1", "192.0.2.1:5512");
	ck_assert_int_eq(http_parse_request(&head, headers[_i].request,
	    strlen(headers[_i].request)), 0);
	ck_assert_int_eq(origin_is_permitted(&head, &client), headers[_i].is_allowed);
	ck_assert_int_eq(origin_allow_headers(&b, &head, &client),
	    strlen(headers[_i].headers) > strlen(VARY));
	ck_assert_str_eq(buf_str(&b), headers[_i].headers);
	buf_free(&b);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("origin_check");
	TCase *tc = tcase_create("origin_check");

	tcase_add_loop_test(tc, its_own_and_the_listed_ones_are_allowed, 0, ARRAY_LEN(rows));
	tcase_add_loop_test(tc, a_known_scheme_is_part_of_its_own_origin, 0,
	    (int)ARRAY_LEN(schemes));
	tcase_add_test(tc, a_star_allows_every_page_but_not_null);
	tcase_add_loop_test(tc, a_page_that_may_come_in_may_read_its_answer, 0,
	    ARRAY_LEN(headers));
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN_STATELESS(make_suite)
