/* SPDX-License-Identifier: ISC */
/*
 * HTTP heads: what is taken, and above all what is refused and why.
 */
#include "codec/http_parse.h"

#include <string.h>

#include "base/buf.h"
#include "base/xmalloc.h"
#include "unit.h"

#define HOST "Host: a\r\n"

/*
 * A request as it comes from a stream, in memory of exactly its size.  Its texts are
 * gone when this returns, its numbers stay.
 */
static enum err
parse(struct http_head *h, const char *text, size_t len)
{
	char *exact = xmalloc(len);
	size_t scanned = 0;
	enum err err;

	memcpy(exact, text, len);
	ck_assert_uint_eq(http_head_end(exact, len, &scanned), len);
	err = http_parse_request(h, exact, len);
	free(exact);
	return err;
}

static struct http_head head;

static enum err
request(const char *text)
{
	return http_parse_request(&head, text, strlen(text));
}

static enum err
response(const char *text)
{
	return http_parse_response(&head, text, strlen(text));
}

static void
assert_text(struct http_text t, const char *expected)
{
	ck_assert_msg(t.len == strlen(expected) && memcmp(t.p, expected, t.len) == 0,
	    "\"%.*s\" instead of \"%s\"", (int)t.len, t.p, expected);
}

START_TEST(a_request_is_taken_apart)
{
	static const char text[] =
	    "GET /socket.io/?EIO=3&transport=polling?x HTTP/1.1\r\n"
	    "Host: example.org:8080\r\n"
	    "X-Empty:\r\n"
	    "X-Blank: \t \r\n"
	    "Cookie: \t io=abc; b=\xc3\xa9 \t\r\n"
	    "\r\n";
	size_t n;

	ck_assert_int_eq(request(text), 0);
	assert_text(head.method, "GET");
	assert_text(head.target, "/socket.io/?EIO=3&transport=polling?x");
	assert_text(head.path, "/socket.io/");
	assert_text(head.query, "EIO=3&transport=polling?x");
	ck_assert_int_eq(head.minor, 1);
	ck_assert_uint_eq(head.n_fields, 4);
	ck_assert_uint_eq(head.bytes, sizeof(text) - 1);
	ck_assert(head.keep_alive);
	ck_assert(!head.is_chunked);
	ck_assert_int_eq(head.content_length, -1);
	assert_text(head.field[0].name, "Host");
	assert_text(*http_find(&head, "HOST", &n), "example.org:8080");
	ck_assert_uint_eq(n, 1);
	assert_text(*http_find(&head, "x-empty", NULL), "");
	assert_text(*http_find(&head, "X-Blank", NULL), "");
	assert_text(*http_find(&head, "cookie", NULL), "io=abc; b=\xc3\xa9");
	ck_assert_ptr_null(http_find(&head, "Cooki", &n));
	ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(a_response_is_taken_apart)
{
	ck_assert_int_eq(response("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), 0);
	ck_assert_int_eq(head.status, 101);
	ck_assert_uint_eq(head.n_fields, 1);
	ck_assert_uint_eq(head.method.len, 0);
	ck_assert(head.keep_alive);
	ck_assert_int_eq(response("HTTP/1.0 503 \r\nContent-Length: 12\r\n\r\n"), 0);
	ck_assert_int_eq(head.status, 503);
	ck_assert_int_eq(head.content_length, 12);
	ck_assert(!head.keep_alive);
	ck_assert_int_eq(response("HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n"), 0);
	ck_assert_int_eq(head.status, 200);
	ck_assert(head.is_chunked);
}
END_TEST

static const char *const good_requests[] = {
	"GET / HTTP/1.1\r\n" HOST "\r\n",
	"\r\nGET / HTTP/1.1\r\n" HOST "\r\n",
	"GET / HTTP/1.0\r\n\r\n",
	"OPTIONS * HTTP/1.1\r\n" HOST "\r\n",
	"OPTIONS /x HTTP/1.1\r\n" HOST "\r\n",
	"M-SEARCH!#$%&'*+-.^_`|~ /x HTTP/1.1\r\n" HOST "\r\n",
	"GET //x/../y;z=1,2@(\"<{|}>\\^`\")%zz?? HTTP/1.1\r\n" HOST "\r\n",
	"GET / HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a_b-c.example.\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a:\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a:65535\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: [::ffff:127.0.0.1]\r\n\r\n",
	"GET / HTTP/1.1\r\nhOST:a\r\n\r\n",
	"POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n",
	"POST / HTTP/1.1\r\n" HOST "content-length:9223372036854775807\r\n\r\n",
	"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n",
	"GET / HTTP/1.1\r\n" HOST "a!#$%&'*+-.^_`|~09AZaz: x\r\n\r\n",
	"GET / HTTP/1.1\r\n" HOST "X: \x80\xff\t~!\r\n\r\n",
};

START_TEST(what_is_well_formed_is_taken)
{
	const char *text = good_requests[_i];
	enum err err = parse(&head, text, strlen(text));

	ck_assert_msg(err == 0, "%s: %s", text, head.fault);
	ck_assert_ptr_null(head.fault);
}
END_TEST

static const struct {
	int status;
	const char *text;
	const char *fault;	/* its beginning */
} bad_requests[] = {
	/* lines */
	{ 400, "\r\n\r\n", "request line" },
	{ 400, "\n\n", "line ends in LF" },
	{ 400, "GET / HTTP/1.1\n" HOST "\r\n", "line ends in LF" },
	{ 400, "GET / HTTP/1.1\r\nHost: a\n\r\n", "line ends in LF" },
	{ 400, "GET / HTTP/1.1\r\n" HOST "\n", "line ends in LF" },
	{ 400, "GET / HTTP/1.1\n\n", "line ends in LF" },
	{ 400, "\nGET / HTTP/1.1\r\n" HOST "\r\n", "line ends in LF" },
	{ 400, "GET / HTTP/1.1\r\r\n" HOST "\r\n", "no HTTP version" },
	{ 400, "GET / HTTP/1.1\rHost: a\r\n\r\n", "no HTTP version" },

	/* the request line */
	{ 400, "GET\r\n" HOST "\r\n", "request line" },
	{ 400, "GET /\r\n" HOST "\r\n", "request line" },
	{ 400, "GET / \r\n" HOST "\r\n", "no HTTP version" },
	{ 400, "GET  / HTTP/1.1\r\n" HOST "\r\n", "no HTTP version" },
	{ 400, "GET /  HTTP/1.1\r\n" HOST "\r\n", "no HTTP version" },
	{ 400, "GET / HTTP/1.1 \r\n" HOST "\r\n", "no HTTP version" },
	{ 400, " GET / HTTP/1.1\r\n" HOST "\r\n", "no HTTP version" },
	{ 400, "GET /a b HTTP/1.1\r\n" HOST "\r\n", "no HTTP version" },
	{ 400, "GET\t/ HTTP/1.1\r\n" HOST "\r\n", "request line" },
	{ 400, "GET /\tHTTP/1.1 HTTP/1.1\r\n" HOST "\r\n", "illegal character" },
	{ 400, " / HTTP/1.1\r\n" HOST "\r\n", "method" },
	{ 400, "G(T / HTTP/1.1\r\n" HOST "\r\n", "method" },
	{ 400, "G\xc3\x89T / HTTP/1.1\r\n" HOST "\r\n", "method" },

	/* the version */
	{ 505, "GET / HTTP/0.9\r\n\r\n", "neither" },
	{ 505, "GET / HTTP/2.0\r\n" HOST "\r\n", "neither" },
	{ 505, "PRI * HTTP/2.0\r\n\r\n", "neither" },
	{ 505, "GET / HTTP/1.2\r\n" HOST "\r\n", "neither" },
	{ 400, "GET / HTTP/1\r\n" HOST "\r\n", "no HTTP version" },
	{ 400, "GET / HTTP/1.10\r\n" HOST "\r\n", "no HTTP version" },
	{ 400, "GET / http/1.1\r\n" HOST "\r\n", "no HTTP version" },
	{ 400, "GET / HTTP/1,1\r\n" HOST "\r\n", "no HTTP version" },
	{ 400, "GET / HTTP/x.1\r\n" HOST "\r\n", "no HTTP version" },
	{ 400, "GET / HTTP/1.x\r\n" HOST "\r\n", "no HTTP version" },
	{ 400, "GET / HTCP/1.1\r\n" HOST "\r\n", "no HTTP version" },

	/* the target */
	{ 400, "GET  HTTP/1.1\r\n" HOST "\r\n", "request target does not" },
	{ 400, "GET x HTTP/1.1\r\n" HOST "\r\n", "request target does not" },
	{ 400, "GET http://a/ HTTP/1.1\r\n" HOST "\r\n", "request target does not" },
	{ 400, "GET ?x HTTP/1.1\r\n" HOST "\r\n", "request target does not" },
	{ 400, "GET * HTTP/1.1\r\n" HOST "\r\n", "target \"*\"" },
	{ 400, "OPTIONS ** HTTP/1.1\r\n" HOST "\r\n", "request target does not" },
	{ 400, "CONNECT a:443 HTTP/1.1\r\n" HOST "\r\n", "CONNECT" },
	{ 400, "CONNECT / HTTP/1.1\r\n" HOST "\r\n", "CONNECT" },
	{ 400, "GET /a#b HTTP/1.1\r\n" HOST "\r\n", "illegal character" },
	{ 400, "GET /\x01 HTTP/1.1\r\n" HOST "\r\n", "illegal character" },
	{ 400, "GET /\x7f HTTP/1.1\r\n" HOST "\r\n", "illegal character" },
	{ 400, "GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n", "illegal character" },
	{ 400, "GET /\r/ HTTP/1.1\r\n" HOST "\r\n", "illegal character" },

	/* header lines */
	{ 400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "folded" },
	{ 400, "GET / HTTP/1.1\r\n" HOST " folded\r\n\r\n", "folded" },
	{ 400, "GET / HTTP/1.1\r\n" HOST "\tfolded\r\n\r\n", "folded" },
	{ 400, "GET / HTTP/1.1\r\n" HOST " \r\n\r\n", "folded" },
	{ 400, "GET / HTTP/1.1\r\n" HOST "X\r\n\r\n", "header line without" },
	{ 400, "GET / HTTP/1.1\r\n" HOST ": x\r\n\r\n", "header name" },
	{ 400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "header name" },
	{ 400, "GET / HTTP/1.1\r\nHost\t: a\r\n\r\n", "header name" },
	{ 400, "GET / HTTP/1.1\r\n" HOST "a b: x\r\n\r\n", "header name" },
	{ 400, "GET / HTTP/1.1\r\n" HOST "a\x01: x\r\n\r\n", "header name" },
	{ 400, "GET / HTTP/1.1\r\n" HOST "\xc3\xa9: x\r\n\r\n", "header name" },
	{ 400, "GET / HTTP/1.1\r\n" HOST "(a): x\r\n\r\n", "header name" },
	{ 400, "GET / HTTP/1.1\r\n" HOST "a/b: x\r\n\r\n", "header name" },
	{ 400, "GET / HTTP/1.1\r\n" HOST "X: a\x01\r\n\r\n", "control character" },
	{ 400, "GET / HTTP/1.1\r\n" HOST "X: a\x7f\r\n\r\n", "control character" },
	{ 400, "GET / HTTP/1.1\r\n" HOST "X: a\x1b[0m\r\n\r\n", "control character" },
	{ 400, "GET / HTTP/1.1\r\n" HOST "X: a\r\r\n\r\n", "control character" },
	{ 400, "GET / HTTP/1.1\r\n" HOST "X: a\rY: b\r\n\r\n", "control character" },

	/* Host */
	{ 400, "GET / HTTP/1.1\r\n\r\n", "Host is missing" },
	{ 400, "GET / HTTP/1.1\r\n" HOST HOST "\r\n", "Host is there" },
	{ 400, "GET / HTTP/1.1\r\n" HOST "host: b\r\n\r\n", "Host is there" },
	{ 400, "GET / HTTP/1.0\r\n" HOST HOST "\r\n", "Host is there" },
	{ 400, "GET / HTTP/1.1\r\nHost:\r\n\r\n", "Host is not" },
	{ 400, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "Host is not" },
	{ 400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "Host is not" },
	{ 400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "Host is not" },
	{ 400, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "Host is not" },
	{ 400, "GET / HTTP/1.1\r\nHost: a?b\r\n\r\n", "Host is not" },
	{ 400, "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", "Host is not" },
	{ 400, "GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", "Host is not" },
	{ 400, "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", "Host is not" },
	{ 400, "GET / HTTP/1.1\r\nHost: a:4294967376\r\n\r\n", "Host is not" },
	{ 400, "GET / HTTP/1.1\r\nHost: :80\r\n\r\n", "Host is not" },
	{ 400, "GET / HTTP/1.1\r\nHost: ::1\r\n\r\n", "Host is not" },
	{ 400, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", "Host is not" },
	{ 400, "GET / HTTP/1.1\r\nHost: [a.example]\r\n\r\n", "Host is not" },
	{ 400, "GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n", "Host is not" },
	{ 400, "GET / HTTP/1.1\r\nHost: [::1]:x\r\n\r\n", "Host is not" },
	{ 400, "GET / HTTP/1.1\r\nHost: a]\r\n\r\n", "Host is not" },
	{ 400, "GET / HTTP/1.1\r\nHost: \xc3\xa9\r\n\r\n", "Host is not" },

	/* the length of the body */
	{ 400, "POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", "Content-Length is empty" },
	{ 400, "POST / HTTP/1.1\r\n" HOST "Content-Length: x\r\n\r\n", "Content-Length is not" },
	{ 400, "POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\n", "Content-Length is not" },
	{ 400, "POST / HTTP/1.1\r\n" HOST "Content-Length: -5\r\n\r\n", "Content-Length is not" },
	{ 400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5 5\r\n\r\n", "Content-Length is not" },
	{ 400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5,5\r\n\r\n", "Content-Length is not" },
	{ 400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\n", "Content-Length is not" },
	{ 400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5.0\r\n\r\n", "Content-Length is not" },
	{ 400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 9223372036854775808\r\n\r\n",
	    "Content-Length is beyond" },
	{ 400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n",
	    "Content-Length is beyond" },
	{ 400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\ncontent-length: 5\r\n\r\n",
	    "Content-Length is there" },
	{ 400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
	    "Content-Length beside" },
	{ 400, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
	    "Content-Length beside" },
	{ 400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "Transfer-Encoding in" },
	{ 501, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", "Transfer" },
	{ 501, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n", "Transfer" },
	{ 501, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n", "Transfer" },
	{ 501, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, chunked\r\n\r\n",
	    "Transfer" },
	{ 501, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked;x=1\r\n\r\n", "Transfer" },
	{ 501, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n", "Transfer" },
	{ 501, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n", "Transfer" },
};

START_TEST(what_could_be_read_in_two_ways_is_refused)
{
	const char *text = bad_requests[_i].text, *fault = bad_requests[_i].fault;
	enum err err;

	memset(&head, 0xa5, sizeof(head));
	err = http_parse_request(&head, text, strlen(text));
	ck_assert_msg(err == ERR_BAD_HTTP, "%s was taken", text);
	ck_assert_msg(strncmp(head.fault, fault, strlen(fault)) == 0, "%s: %s", text, head.fault);
	ck_assert_int_eq(head.status, bad_requests[_i].status);
}
END_TEST

START_TEST(each_refused_head_is_complete_as_a_stream)
{
	const char *text = bad_requests[_i].text;
	size_t scanned = 0;

	ck_assert_uint_gt(http_head_end(text, strlen(text), &scanned), 0);
}
END_TEST

static const struct {
	int status;
	const char *text;
} bad_responses[] = {
	{ 400, "\r\n" },
	{ 400, "\r\nHTTP/1.1 200 OK\r\n\r\n" },
	{ 400, "HTTP/1.1\r\n\r\n" },
	{ 400, "HTTP/1.1 \r\n\r\n" },
	{ 400, "HTTP/1.1 20 OK\r\n\r\n" },
	{ 400, "HTTP/1.1 2000 OK\r\n\r\n" },
	{ 400, "HTTP/1.1 2x0 OK\r\n\r\n" },
	{ 400, "HTTP/1.1 099 OK\r\n\r\n" },
	{ 400, "HTTP/1.1 600 OK\r\n\r\n" },
	{ 400, "HTTP/1.1  200 OK\r\n\r\n" },
	{ 400, "HTTP/1.1\t200 OK\r\n\r\n" },
	{ 400, "HTTP/1.1 200 O\x01K\r\n\r\n" },
	{ 400, "HTTP/1.1 200 OK\n\r\n" },
	{ 505, "HTTP/2.0 200 OK\r\n\r\n" },
	{ 505, "HTTP/0.9 200 OK\r\n\r\n" },
	{ 400, "ICY 200 OK\r\n\r\n" },
	{ 400, "HTTP/1.1 200 OK\r\nX : y\r\n\r\n" },
	{ 400, "HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n" },
	{ 400, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n" },
	{ 501, "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n" },
};

START_TEST(a_malformed_response_is_refused)
{
	ck_assert_int_eq(response(bad_responses[_i].text), ERR_BAD_HTTP);
	ck_assert_int_eq(head.status, bad_responses[_i].status);
	ck_assert_ptr_nonnull(head.fault);
}
END_TEST

START_TEST(a_nul_is_refused_everywhere)
{
	static const char text[] = "GET /abc HTTP/1.1\r\nHost: abc\r\nX-Y: abc\r\n\r\n";
	size_t len = sizeof(text) - 1;
	char with_nul[sizeof(text)];

	for (size_t i = 0; i < len; i++) {
		memcpy(with_nul, text, len);
		with_nul[i] = '\0';
		ck_assert_msg(http_parse_request(&head, with_nul, len) == ERR_BAD_HTTP,
		    "NUL at %zu was taken", i);
	}
}
END_TEST

/* Every control character, at every place of a value. */
START_TEST(only_tab_is_taken_among_control_characters)
{
	char text[] = "GET / HTTP/1.1\r\nHost: a\r\nX: abcde\r\n\r\n";
	char *value = strstr(text, "abcde");

	for (int c = 0; c < 0x20; c++) {
		for (size_t i = 0; i < 5; i++) {
			char kept = value[i];

			value[i] = (char)c;
			ck_assert_int_eq(http_parse_request(&head, text, sizeof(text) - 1),
			    c == '\t' ? 0 : ERR_BAD_HTTP);
			value[i] = kept;
		}
	}
}
END_TEST

/* Shortened anywhere it is not a head any more, and nothing beyond it is read. */
START_TEST(a_head_cut_short_is_refused)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";

	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		char *exact = xmalloc(len);

		memcpy(exact, text, len);
		ck_assert_int_eq(http_parse_request(&head, exact, len), ERR_BAD_HTTP);
		free(exact);
	}
}
END_TEST

START_TEST(bytes_behind_the_empty_line_are_refused)
{
	ck_assert_int_eq(request("GET / HTTP/1.1\r\n" HOST "\r\nX"), ERR_BAD_HTTP);
	ck_assert_int_eq(request("GET / HTTP/1.1\r\n" HOST "\r\n\r\n"), ERR_BAD_HTTP);
	ck_assert_int_eq(response("HTTP/1.1 200 OK\r\n\r\nX"), ERR_BAD_HTTP);
}
END_TEST

START_TEST(fields_are_limited_in_number)
{
	for (size_t n = HTTP_FIELDS_MAX - 1; n <= HTTP_FIELDS_MAX + 1; n++) {
		struct buf b = { 0 };
		enum err err;

		buf_add_str(&b, "GET / HTTP/1.1\r\n" HOST);
		for (size_t i = 1; i < n; i++)
			buf_printf(&b, "X-%zu: %zu\r\n", i, i);
		buf_add_str(&b, "\r\n");
		err = parse(&head, b.data, b.len);
		ck_assert_int_eq(err, n <= HTTP_FIELDS_MAX ? 0 : ERR_BAD_HTTP);
		ck_assert_uint_eq(head.n_fields, n <= HTTP_FIELDS_MAX ? n : HTTP_FIELDS_MAX);
		buf_free(&b);
	}
}
END_TEST

static const struct {
	const char *text;
	size_t end;
} ends[] = {
	{ "", 0 },
	{ "GET / HTTP/1.1\r\n", 0 },
	{ "GET / HTTP/1.1\r\n\r", 0 },
	{ "a\r\n\r\n", 5 },
	{ "a\r\nb\r\n\r\nbody\r\n\r\n", 8 },
	{ "\r\na\r\n\r\nxyz", 7 },
	{ "a\n\nb", 3 },
	{ "a\n\r\nb", 4 },
	{ "a\r\n\nb", 4 },
	{ "a\r\r\n\r\nb", 6 },
	{ "a\r\n\r\r\n\r\n", 8 },
	{ "a\r\nb: \n c\r\n\r\n", 13 },
	{ "\r\n\r\n", 4 },
	{ "\r\n\r", 0 },
	{ "a\r\n\rb\r\n", 0 },
};

START_TEST(the_end_of_a_head_is_found_however_it_arrives)
{
	const char *text = ends[_i].text;
	size_t len = strlen(text), scanned = 0;

	ck_assert_uint_eq(http_head_end(text, len, &scanned), ends[_i].end);
	ck_assert_uint_le(scanned, len);
	/* Asked again it is the same. */
	ck_assert_uint_eq(http_head_end(text, len, &scanned), ends[_i].end);
	for (size_t cut = 0; cut <= len; cut++) {
		size_t found;

		scanned = 0;
		found = http_head_end(text, cut, &scanned);
		if (found == 0)
			found = http_head_end(text, len, &scanned);
		ck_assert_uint_eq(found, ends[_i].end);
	}
	scanned = 0;
	for (size_t n = 1; n <= len; n++) {
		size_t found = http_head_end(text, n, &scanned);

		ck_assert_uint_eq(found, ends[_i].end > 0 && n >= ends[_i].end ? ends[_i].end : 0);
		if (found > 0)
			break;
	}
}
END_TEST

START_TEST(what_was_scanned_is_not_scanned_again)
{
	size_t scanned = 0;

	ck_assert_uint_eq(http_head_end("GET / HTTP/1.1\r\nHost: a", 23, &scanned), 0);
	ck_assert_uint_eq(scanned, 23);
	ck_assert_uint_eq(http_head_end("GET / HTTP/1.1\r\nHost: a\r\n", 25, &scanned), 0);
	ck_assert_uint_eq(scanned, 24);
}
END_TEST

static const struct {
	int minor;
	const char *connection;
	bool keep_alive;
} connections[] = {
	{ 1, "", true },
	{ 1, "Connection: keep-alive\r\n", true },
	{ 1, "Connection: close\r\n", false },
	{ 1, "Connection: Keep-Alive, CLOSE\r\n", false },
	{ 1, "Connection: x\r\nConnection: \t close\t ,\r\n", false },
	{ 1, "Connection: closed\r\n", true },
	{ 1, "Connection: close x\r\n", true },
	{ 0, "", false },
	{ 0, "Connection: keep-alive\r\n", true },
	{ 0, "Connection: keep-alive, close\r\n", false },
};

START_TEST(a_connection_is_kept_by_version_and_token)
{
	struct buf b = { 0 };

	buf_printf(&b, "GET / HTTP/1.%d\r\n" HOST "%s\r\n", connections[_i].minor,
	    connections[_i].connection);
	ck_assert_int_eq(parse(&head, b.data, b.len), 0);
	ck_assert_int_eq(head.keep_alive, connections[_i].keep_alive);
	buf_free(&b);
}
END_TEST

START_TEST(a_list_is_searched_for_whole_tokens)
{
	ck_assert_int_eq(request("GET / HTTP/1.1\r\n" HOST
	    "Upgrade: h2c,,WebSocket\t, x\r\nupgrade: last\r\n\r\n"), 0);
	ck_assert(http_lists(&head, "upgrade", "websocket"));
	ck_assert(http_lists(&head, "Upgrade", "H2C"));
	ck_assert(http_lists(&head, "Upgrade", "x"));
	ck_assert(http_lists(&head, "Upgrade", "last"));
	ck_assert(!http_lists(&head, "Upgrade", "socket"));
	ck_assert(!http_lists(&head, "Upgrade", "web"));
	ck_assert(!http_lists(&head, "Upgrad", "x"));
}
END_TEST

START_TEST(the_first_of_several_fields_is_given_with_their_number)
{
	size_t n;

	ck_assert_int_eq(request("GET / HTTP/1.1\r\n" HOST "X: 1\r\nx: 2\r\nX-: 3\r\n\r\n"), 0);
	assert_text(*http_find(&head, "X", &n), "1");
	ck_assert_uint_eq(n, 2);
}
END_TEST

static const struct {
	const char *query, *name;
	const char *value;	/* NULL: not to be had */
} queries[] = {
	{ "EIO=3&transport=polling", "EIO", "3" },
	{ "EIO=3&transport=polling", "transport", "polling" },
	{ "EIO=3", "eio", NULL },
	{ "EIO=3", "EI", NULL },
	{ "EIO=3", "EIOO", NULL },
	{ "", "EIO", NULL },
	{ "", "", NULL },
	{ "sid=", "sid", "" },
	{ "sid", "sid", "" },
	{ "sid&x=1", "sid", "" },
	{ "&&x=1&", "x", "1" },
	{ "x=1&x=2", "x", "1" },
	{ "x=a=b", "x", "a=b" },
	{ "x=%41%6a%C3%a9", "x", "Aj\xc3\xa9" },
	{ "x=a+b", "x", "a+b" },
	{ "x=%26%3d%25", "x", "&=%" },
	{ "%78=1", "x", "1" },
	{ "%7=1&x=2", "x", "2" },
	{ "x=%", "x", NULL },
	{ "x=%4", "x", NULL },
	{ "x=%4g", "x", NULL },
	{ "x=%g4", "x", NULL },
	{ "x=%-1", "x", NULL },
	{ "x=a%00b", "x", NULL },
	{ "x=1234567", "x", "1234567" },
	{ "x=%31%32%33%34%35%36%37", "x", "1234567" },
	{ "x=12345678", "x", NULL },
	{ "x?=1", "x", NULL },
};

START_TEST(a_query_parameter_is_decoded)
{
	size_t len = strlen(queries[_i].query);
	char *exact = xmalloc(len), value[8];
	bool found;

	memcpy(exact, queries[_i].query, len);
	found = http_query_get((struct http_text){ exact, len }, queries[_i].name, value,
	    sizeof(value));
	ck_assert_int_eq(found, queries[_i].value != NULL);
	if (found)
		ck_assert_str_eq(value, queries[_i].value);
	free(exact);
}
END_TEST

START_TEST(a_query_parameter_never_overflows_its_place)
{
	struct http_text query = { "x=&y=1", 6 };
	char one[1] = { 'q' };

	ck_assert(!http_query_get(query, "x", one, 0));
	ck_assert_int_eq(one[0], 'q');
	ck_assert(!http_query_get(query, "y", one, 1));
	ck_assert(http_query_get(query, "x", one, 1));
	ck_assert_int_eq(one[0], '\0');
}
END_TEST

START_TEST(methods_are_compared_byte_for_byte)
{
	ck_assert_int_eq(request("Get / HTTP/1.1\r\n" HOST "\r\n"), 0);
	ck_assert(http_text_is(head.method, "GET"));
	ck_assert(!http_text_equals(head.method, "GET"));
	ck_assert(http_text_equals(head.method, "Get"));
	ck_assert(!http_text_equals(head.method, "Ge"));
	ck_assert(!http_text_equals(head.method, "Gets"));
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("http_parse");
	TCase *heads = tcase_create("heads");
	TCase *fields = tcase_create("fields");

	tcase_add_test(heads, a_request_is_taken_apart);
	tcase_add_test(heads, a_response_is_taken_apart);
	tcase_add_loop_test(heads, what_is_well_formed_is_taken, 0, ARRAY_LEN(good_requests));
	tcase_add_loop_test(heads, what_could_be_read_in_two_ways_is_refused, 0,
	    ARRAY_LEN(bad_requests));
	tcase_add_loop_test(heads, each_refused_head_is_complete_as_a_stream, 0,
	    ARRAY_LEN(bad_requests));
	tcase_add_loop_test(heads, a_malformed_response_is_refused, 0, ARRAY_LEN(bad_responses));
	tcase_add_test(heads, a_nul_is_refused_everywhere);
	tcase_add_test(heads, only_tab_is_taken_among_control_characters);
	tcase_add_test(heads, a_head_cut_short_is_refused);
	tcase_add_test(heads, bytes_behind_the_empty_line_are_refused);
	tcase_add_test(heads, fields_are_limited_in_number);
	tcase_add_loop_test(heads, the_end_of_a_head_is_found_however_it_arrives, 0,
	    ARRAY_LEN(ends));
	tcase_add_test(heads, what_was_scanned_is_not_scanned_again);
	suite_add_tcase(s, heads);
	tcase_add_loop_test(fields, a_connection_is_kept_by_version_and_token, 0,
	    ARRAY_LEN(connections));
	tcase_add_test(fields, a_list_is_searched_for_whole_tokens);
	tcase_add_test(fields, the_first_of_several_fields_is_given_with_their_number);
	tcase_add_loop_test(fields, a_query_parameter_is_decoded, 0, ARRAY_LEN(queries));
	tcase_add_test(fields, a_query_parameter_never_overflows_its_place);
	tcase_add_test(fields, methods_are_compared_byte_for_byte);
	suite_add_tcase(s, fields);
	return s;
}

UNIT_MAIN_STATELESS(make_suite)
