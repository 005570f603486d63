/* SPDX-License-Identifier: ISC */
/*
 * http_parse against http-parser: ours is stricter, but what it takes it reads as the other
 * does, since a head that two programs read differently is how requests are smuggled.  The
 * same of http_body, for bodies in chunks.
 */
#include <http_parser.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "codec/http_body.h"
#include "codec/http_parse.h"
#include "unit.h"

#define N_HEADS	   20000	/* for each seed */
#define N_BODIES   20000
#define BODY_MAX   200
#define FIELDS_MAX 64

static uint64_t random_state;

static unsigned
next_random(unsigned below)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)((random_state >> 33) % below);
}

#define PICK(list) list[next_random(sizeof(list) / sizeof((list)[0]))]

/* ---- making heads: pieces, some of them wrong, and now and then a changed byte ---- */

static const char *const methods[] = { "GET", "GET", "HEAD", "POST", "OPTIONS" };
static const char *const targets[] = { "/", "/a/b.js?x=1&y", "/?", "/%20", "*", "/a#b", "/a//" };
static const char *const versions[] = { "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0" };
static const char *const fields[] = {
	"Host: a", "Host: a", "Host: example.org:80", "Connection: close",
	"Connection: keep-alive", "Connection: Upgrade, close", "Connection: keep-alive, x",
	"Content-Length: 0", "Content-Length: 12", "Content-Length: 007", "Content-Length: +1",
	"Content-Length: 18446744073709551616", "Transfer-Encoding: chunked",
	"Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked, gzip",
	"X-A:b", "X-A: \t b c \t ", "X-Empty:", "X-A : b", "X A: b", " folded: x",
	"X-Long: 0123456789012345678901234567890123456789", "Origin: http://a", "Upgrade: websocket",
};

static void
make_head(struct buf *b)
{
	buf_printf(b, "%s %s %s\r\n", PICK(methods), PICK(targets), PICK(versions));
	if (next_random(8) > 0)
		buf_add_str(b, "Host: a\r\n");
	for (unsigned n = next_random(4); n > 0; n--)
		buf_printf(b, "%s%s", PICK(fields), next_random(100) == 0 ? "\n" : "\r\n");
	buf_add_str(b, "\r\n");
	if (next_random(3) == 0)
		b->data[next_random((unsigned)b->len - 4)] = (char)next_random(256);
}

/* ---- the oracle ---- */

struct oracle {
	struct buf url;
	struct buf name[FIELDS_MAX], value[FIELDS_MAX];
	size_t n;
	bool was_value, is_complete, keep_alive;
};

static int
on_url(http_parser *p, const char *at, size_t len)
{
	buf_add(&((struct oracle *)p->data)->url, at, len);
	return 0;
}

static int
on_name(http_parser *p, const char *at, size_t len)
{
	struct oracle *o = p->data;

	if (o->n == 0 || o->was_value)
		o->n++;
	o->was_value = false;
	buf_add(&o->name[o->n - 1], at, len);
	return 0;
}

static int
on_value(http_parser *p, const char *at, size_t len)
{
	struct oracle *o = p->data;

	o->was_value = true;
	buf_add(&o->value[o->n - 1], at, len);
	return 0;
}

static int
on_headers_complete(http_parser *p)
{
	struct oracle *o = p->data;

	o->is_complete = true;
	o->keep_alive = http_should_keep_alive(p);
	http_parser_pause(p, 1);	/* a body is not of interest */
	return 0;
}

static void
oracle_cleanup(struct oracle *o)
{
	buf_free(&o->url);
	for (size_t i = 0; i < FIELDS_MAX; i++) {
		buf_free(&o->name[i]);
		buf_free(&o->value[i]);
	}
}

static void
assert_same(const struct buf *theirs, struct http_text ours, const char *head)
{
	size_t len = theirs->len;

	/* It leaves blanks at the end of a value. */
	while (len > 0 && (theirs->data[len - 1] == ' ' || theirs->data[len - 1] == '\t'))
		len--;
	if (len != ours.len || (len > 0 && memcmp(theirs->data, ours.p, len) != 0))
		ck_abort_msg("the oracle reads '%.*s', ours '%.*s' in\n%s", (int)len, theirs->data,
		    (int)ours.len, ours.p, head);
}

static void
compare(const struct http_head *h, struct buf *wire)
{
	static const http_parser_settings settings = {
		.on_url = on_url, .on_header_field = on_name, .on_header_value = on_value,
		.on_headers_complete = on_headers_complete,
	};
	const char *head = buf_str(wire);
	struct oracle o = { 0 };
	http_parser p;

	http_parser_init(&p, HTTP_REQUEST);
	p.data = &o;
	http_parser_execute(&p, &settings, wire->data, wire->len);
	/* It knows a list of methods; any token may be one. */
	if (HTTP_PARSER_ERRNO(&p) == HPE_INVALID_METHOD) {
		oracle_cleanup(&o);
		return;
	}
	ck_assert_msg(o.is_complete, "the oracle refuses (%s)\n%s",
	    http_errno_description(HTTP_PARSER_ERRNO(&p)), head);
	assert_same(&o.url, h->target, head);
	ck_assert_uint_eq(o.n, h->n_fields);
	for (size_t i = 0; i < o.n; i++) {
		assert_same(&o.name[i], h->field[i].name, head);
		assert_same(&o.value[i], h->field[i].value, head);
	}
	ck_assert_int_eq(p.http_minor, h->minor);
	/* Of "close" beside "keep-alive" ours obeys "close", the oracle in HTTP/1.0 does not. */
	ck_assert_msg(o.keep_alive || !h->keep_alive, "keep-alive: ours %d\n%s", h->keep_alive, head);
	ck_assert_msg(((p.flags & F_CHUNKED) != 0) == h->is_chunked, "chunked: ours %d\n%s",
	    h->is_chunked, head);
	ck_assert_msg(p.content_length == (h->content_length < 0 ? UINT64_MAX :
	    (uint64_t)h->content_length), "length: ours %lld\n%s", (long long)h->content_length,
	    head);
	oracle_cleanup(&o);
}

START_TEST(reads_what_it_takes_as_the_oracle_does)
{
	unsigned n_taken = 0;

	random_state = (uint64_t)_i;
	for (int i = 0; i < N_HEADS; i++) {
		struct buf wire = { 0 };
		struct http_head h;
		size_t scanned = 0, end;

		make_head(&wire);
		end = http_head_end(wire.data, wire.len, &scanned);
		if (end == wire.len && http_parse_request(&h, wire.data, end) == 0) {
			compare(&h, &wire);
			n_taken++;
		}
		buf_free(&wire);
	}
	ck_assert_uint_gt(n_taken, N_HEADS / 10);
	ck_assert_uint_lt(n_taken, N_HEADS - N_HEADS / 10);
}
END_TEST

/* ---- bodies in chunks ---- */

#define CHUNKED_HEAD "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

static const struct {
	const char *before, *behind;
} around_size[] = {
	{ "", "" }, { "", "" }, { "", "" }, { "", "" }, { "", "" }, { "0", "" }, { "", ";a=b" },
	{ "", ";a=\"b;c\"" }, { "", ";" }, { "", " " }, { " ", "" }, { "0x", "" }, { "+", "" },
};
static const char *const trailers[] = { "", "", "", "A: b\r\n", "X-B:c\r\nD:\r\n", " folded\r\n",
	"A : b\r\n" };

static const char *
line_end(void)
{
	return next_random(60) == 0 ? "\n" : "\r\n";
}

static void
make_body(struct buf *b)
{
	for (unsigned n = next_random(4); n > 0; n--) {
		unsigned size = 1 + next_random(20);
		unsigned around = next_random(ARRAY_LEN(around_size));

		buf_printf(b, "%s%x%s%s", around_size[around].before, size +
		    (next_random(50) == 0), around_size[around].behind, line_end());
		for (unsigned i = 0; i < size; i++)
			buf_add_char(b, (char)next_random(256));
		buf_add_str(b, line_end());
	}
	buf_printf(b, "0%s%s%s", line_end(), PICK(trailers), line_end());
	if (next_random(4) == 0)
		b->data[next_random((unsigned)b->len)] = (char)next_random(256);
}

struct body_oracle {
	struct buf data;
	bool is_complete;
};

static int
on_body(http_parser *p, const char *at, size_t len)
{
	buf_add(&((struct body_oracle *)p->data)->data, at, len);
	return 0;
}

static int
on_message_complete(http_parser *p)
{
	((struct body_oracle *)p->data)->is_complete = true;
	http_parser_pause(p, 1);	/* what follows is another message */
	return 0;
}

/* Ours took all of it, and read this. */
static void
compare_body(const struct buf *ours, const struct buf *wire)
{
	static const http_parser_settings settings = {
		.on_body = on_body, .on_message_complete = on_message_complete,
	};
	struct body_oracle o = { 0 };
	http_parser p;
	size_t n;

	http_parser_init(&p, HTTP_REQUEST);
	p.data = &o;
	http_parser_execute(&p, &settings, CHUNKED_HEAD, sizeof(CHUNKED_HEAD) - 1);
	n = http_parser_execute(&p, &settings, wire->data, wire->len);
	ck_assert_msg(o.is_complete, "the oracle does not see the end (%s) of\n%.*s",
	    http_errno_description(HTTP_PARSER_ERRNO(&p)), (int)wire->len, wire->data);
	ck_assert_uint_ge(n + 1, wire->len);	/* paused at the last byte, it has not counted it */
	ck_assert_uint_eq(o.data.len, ours->len);
	if (ours->len > 0)
		ck_assert_mem_eq(o.data.data, ours->data, ours->len);
	buf_free(&o.data);
}

START_TEST(reads_chunks_as_the_oracle_does)
{
	static const struct http_head head = { .is_chunked = true, .content_length = -1 };
	unsigned n_taken = 0;

	random_state = (uint64_t)_i;
	for (int i = 0; i < N_BODIES; i++) {
		struct buf wire = { 0 }, data = { 0 };
		struct http_body b;
		size_t used;

		make_body(&wire);
		ck_assert_int_eq(http_body_init(&b, &head, BODY_MAX), 0);
		if (http_body_feed(&b, wire.data, wire.len, &used, &data) == ERR_NONE &&
		    http_body_is_complete(&b)) {
			wire.len = used;
			compare_body(&data, &wire);
			n_taken++;
		}
		buf_free(&data);
		buf_free(&wire);
	}
	ck_assert_uint_gt(n_taken, N_BODIES / 10);
	ck_assert_uint_lt(n_taken, N_BODIES - N_BODIES / 10);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("http_oracle");
	TCase *tc = tcase_create("http_oracle");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, reads_what_it_takes_as_the_oracle_does, 1, 6);
	tcase_add_loop_test(tc, reads_chunks_as_the_oracle_does, 1, 6);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN_STATELESS(make_suite)
