/* SPDX-License-Identifier: ISC */
/*
 * HTTP/1.1 heads, strictly: one pass over the lines, then what the fields mean
 * for the framing of the body.
 *
 * Nothing is copied.  Each rule that fails leaves a sentence in h->fault, and the
 * parser goes no further.
 */
#include "codec/http_parse.h"

#include <string.h>

/* Classes of characters (RFC 9110 section 5.6.2 and 5.5, RFC 3986). */
enum {
	C_TOKEN = 1,	/* may be in a method or the name of a field */
	C_VALUE = 2,	/* may be in a value: all but control characters */
	C_TARGET = 4,	/* may be in a request target: visible ASCII but '#' */
	C_HOST = 8,	/* may be in the name of a host, or its IPv4 address */
};

#define PLAIN	(C_VALUE | C_TARGET)
#define TOKEN	(C_VALUE | C_TARGET | C_TOKEN)
#define LETTER	(C_VALUE | C_TARGET | C_TOKEN | C_HOST)

static const uint8_t class_of[256] = {
	['\t'] = C_VALUE, [' '] = C_VALUE,
	['#'] = C_VALUE | C_TOKEN,
	['"'] = PLAIN, ['('] = PLAIN, [')'] = PLAIN, [','] = PLAIN, ['/'] = PLAIN,
	[';' ... '@'] = PLAIN, ['\\'] = PLAIN, ['{'] = PLAIN, ['}'] = PLAIN,
	['!'] = TOKEN, ['$'] = TOKEN, ['&'] = TOKEN, ['\''] = TOKEN, ['*'] = TOKEN,
	['+'] = TOKEN, ['^'] = TOKEN, ['`'] = TOKEN, ['|'] = TOKEN,
	['%'] = LETTER, ['-'] = LETTER, ['.'] = LETTER, ['_'] = LETTER, ['~'] = LETTER,
	['0' ... '9'] = LETTER, ['A' ... 'Z'] = LETTER, ['a' ... 'z'] = LETTER,
	[':'] = PLAIN, ['['] = PLAIN, [']'] = PLAIN,
	[0x80 ... 0xff] = C_VALUE,
};

/* What is left of the head. */
struct input {
	const char *p;
	size_t len;
};

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
all_of(struct http_text t, uint8_t class)
{
	for (size_t i = 0; i < t.len; i++)
		if ((class_of[(uint8_t)t.p[i]] & class) == 0)
			return false;
	return true;
}

bool
http_text_equals(struct http_text t, const char *s)
{
	return strlen(s) == t.len && memcmp(t.p, s, t.len) == 0;
}

bool
http_text_is(struct http_text t, const char *s)
{
	if (strlen(s) != t.len)
		return false;
	for (size_t i = 0; i < t.len; i++)
		if (lower(t.p[i]) != lower(s[i]))
			return false;
	return true;
}

static struct http_text
trim(struct http_text t)
{
	while (t.len > 0 && is_blank(t.p[0])) {
		t.p++;
		t.len--;
	}
	while (t.len > 0 && is_blank(t.p[t.len - 1]))
		t.len--;
	return t;
}

/* Takes what stands before c, and c, off the front of t; all of t if there is no c. */
static bool
take_until(struct http_text *t, char c, struct http_text *before)
{
	const char *at = t->len > 0 ? memchr(t->p, c, t->len) : NULL;

	*before = *t;
	if (at == NULL) {
		t->p += t->len;
		t->len = 0;
		return false;
	}
	before->len = (size_t)(at - t->p);
	t->p = at + 1;
	t->len -= before->len + 1;
	return true;
}

/*
 * An empty line that is LF alone ends a head too: it is the parser that refuses
 * it, at once, where waiting for CR LF would keep the peer until its timeout.
 */
size_t
http_head_end(const char *data, size_t len, size_t *scanned)
{
	size_t at = *scanned, next;
	const char *lf;

	while (at < len && (lf = memchr(data + at, '\n', len - at)) != NULL) {
		at = (size_t)(lf - data);
		next = at + 1;
		if (next < len && data[next] == '\r')
			next++;
		*scanned = at;
		if (next == len)
			return 0;	/* what follows this line is not here yet */
		if (data[next] == '\n')
			return next + 1;
		at++;
	}
	*scanned = len;
	return 0;
}

static enum err
fail(struct http_head *h, int status, const char *fault)
{
	h->status = status;
	h->fault = fault;
	return ERR_BAD_HTTP;
}

/* All but the fields, which n_fields tells to be none. */
static void
reset(struct http_head *h, size_t len)
{
	h->method = h->target = h->path = h->query = (struct http_text){ "", 0 };
	h->status = 0;
	h->minor = 1;
	h->n_fields = 0;
	h->keep_alive = false;
	h->is_chunked = false;
	h->content_length = -1;
	h->bytes = len;
	h->fault = NULL;
}

/* The next line without its CR LF. */
static enum err
next_line(struct http_head *h, struct input *in, struct http_text *line)
{
	const char *lf = in->len > 0 ? memchr(in->p, '\n', in->len) : NULL;

	if (lf == NULL)
		return fail(h, 400, "head does not end with an empty line");
	if (lf == in->p || lf[-1] != '\r')
		return fail(h, 400, "line ends in LF without CR");
	line->p = in->p;
	line->len = (size_t)(lf - 1 - in->p);
	in->p = lf + 1;
	in->len -= line->len + 2;
	return ERR_NONE;
}

/* "HTTP/1.0" or "HTTP/1.1". */
static enum err
parse_version(struct http_head *h, struct http_text t)
{
	if (t.len != 8 || memcmp(t.p, "HTTP/", 5) != 0 || !is_digit(t.p[5]) || t.p[6] != '.' ||
	    !is_digit(t.p[7]))
		return fail(h, 400, "no HTTP version");
	if (t.p[5] != '1' || t.p[7] > '1')
		return fail(h, 505, "neither HTTP/1.0 nor HTTP/1.1");
	h->minor = t.p[7] - '0';
	return ERR_NONE;
}

static enum err
parse_target(struct http_head *h)
{
	struct http_text rest = h->target;

	if (http_text_equals(h->method, "CONNECT"))
		return fail(h, 400, "CONNECT is not served");
	if (!all_of(h->target, C_TARGET))
		return fail(h, 400, "illegal character in the request target");
	if (http_text_equals(h->target, "*")) {
		if (!http_text_equals(h->method, "OPTIONS"))
			return fail(h, 400, "target \"*\" is for OPTIONS alone");
	} else if (h->target.len == 0 || h->target.p[0] != '/') {
		return fail(h, 400, "request target does not begin with \"/\"");
	}
	take_until(&rest, '?', &h->path);
	h->query = rest;
	return ERR_NONE;
}

/* method SP target SP version */
static enum err
parse_request_line(struct http_head *h, struct http_text line)
{
	enum err err;

	if (!take_until(&line, ' ', &h->method) || !take_until(&line, ' ', &h->target))
		return fail(h, 400, "request line is not method, target and version");
	if ((err = parse_version(h, line)) != ERR_NONE)
		return err;
	if (h->method.len == 0 || !all_of(h->method, C_TOKEN))
		return fail(h, 400, "method is not a token");
	return parse_target(h);
}

/* version SP 3DIGIT [SP reason] */
static enum err
parse_status_line(struct http_head *h, struct http_text line)
{
	struct http_text version, code;
	enum err err;

	take_until(&line, ' ', &version);
	take_until(&line, ' ', &code);
	if ((err = parse_version(h, version)) != ERR_NONE)
		return err;
	if (code.len != 3 || !is_digit(code.p[0]) || !is_digit(code.p[1]) || !is_digit(code.p[2]) ||
	    code.p[0] < '1' || code.p[0] > '5')
		return fail(h, 400, "no status code");
	if (!all_of(line, C_VALUE))
		return fail(h, 400, "control character in the reason phrase");
	h->status = (code.p[0] - '0') * 100 + (code.p[1] - '0') * 10 + (code.p[2] - '0');
	return ERR_NONE;
}

static enum err
parse_field(struct http_head *h, struct http_text line)
{
	struct http_field *f;

	if (is_blank(line.p[0]))
		return fail(h, 400, "folded header line");
	if (h->n_fields == HTTP_FIELDS_MAX)
		return fail(h, 400, "too many header fields");
	f = &h->field[h->n_fields];
	if (!take_until(&line, ':', &f->name))
		return fail(h, 400, "header line without a colon");
	if (f->name.len == 0 || !all_of(f->name, C_TOKEN))
		return fail(h, 400, "header name is not a token");
	if (!all_of(line, C_VALUE))
		return fail(h, 400, "control character in a header value");
	f->value = trim(line);
	h->n_fields++;
	return ERR_NONE;
}

static enum err
parse_fields(struct http_head *h, struct input *in)
{
	struct http_text line;
	enum err err;

	for (;;) {
		if ((err = next_line(h, in, &line)) != ERR_NONE)
			return err;
		if (line.len == 0)
			break;
		if ((err = parse_field(h, line)) != ERR_NONE)
			return err;
	}
	return in->len == 0 ? ERR_NONE : fail(h, 400, "empty line inside the head");
}

static enum err
parse_content_length(struct http_head *h, struct http_text t)
{
	int64_t n = 0;

	if (t.len == 0)
		return fail(h, 400, "Content-Length is empty");
	for (size_t i = 0; i < t.len; i++) {
		if (!is_digit(t.p[i]))
			return fail(h, 400, "Content-Length is not a number");
		if (n > (INT64_MAX - (t.p[i] - '0')) / 10)
			return fail(h, 400, "Content-Length is beyond all measure");
		n = n * 10 + (t.p[i] - '0');
	}
	h->content_length = n;
	return ERR_NONE;
}

/*
 * How long is the body (RFC 9112 section 6)?  Where the RFC lets a recipient repair
 * a message, two recipients may repair it differently: refused.
 */
static enum err
check_framing(struct http_head *h)
{
	size_t n_lengths, n_codings;
	const struct http_text *length = http_find(h, "Content-Length", &n_lengths);
	const struct http_text *coding = http_find(h, "Transfer-Encoding", &n_codings);

	if (n_lengths > 1)
		return fail(h, 400, "Content-Length is there more than once");
	if (length != NULL && coding != NULL)
		return fail(h, 400, "Content-Length beside Transfer-Encoding");
	if (length != NULL)
		return parse_content_length(h, *length);
	if (coding == NULL)
		return ERR_NONE;
	if (h->minor == 0)
		return fail(h, 400, "Transfer-Encoding in HTTP/1.0");
	if (n_codings > 1 || !http_text_is(*coding, "chunked"))
		return fail(h, 501, "Transfer-Encoding other than chunked");
	h->is_chunked = true;
	return ERR_NONE;
}

/* Hexadecimal digits, ":" and ".": an IPv6 address, or nobody's. */
static bool
is_literal(struct http_text t)
{
	for (size_t i = 0; i < t.len; i++) {
		char c = lower(t.p[i]);

		if (!is_digit(c) && !(c >= 'a' && c <= 'f') && c != ':' && c != '.')
			return false;
	}
	return t.len > 1;
}

/* Digits, also none (RFC 3986 section 3.2.3), that are no more than 65535. */
static bool
is_port(struct http_text t)
{
	unsigned n = 0;

	for (size_t i = 0; i < t.len; i++) {
		if (!is_digit(t.p[i]) || (n = n * 10 + (unsigned)(t.p[i] - '0')) > 65535)
			return false;
	}
	return true;
}

/* uri-host [ ":" port ] */
static bool
is_host(struct http_text t)
{
	struct http_text name;

	if (t.len > 0 && t.p[0] == '[') {
		t.p++;
		t.len--;
		if (!take_until(&t, ']', &name) || !is_literal(name))
			return false;
		return t.len == 0 || (t.p[0] == ':' && is_port((struct http_text){ t.p + 1, t.len - 1 }));
	}
	take_until(&t, ':', &name);
	return name.len > 0 && all_of(name, C_HOST) && is_port(t);
}

static enum err
check_host(struct http_head *h)
{
	size_t n;
	const struct http_text *host = http_find(h, "Host", &n);

	if (n > 1)
		return fail(h, 400, "Host is there more than once");
	if (host == NULL)
		return h->minor == 0 ? ERR_NONE : fail(h, 400, "Host is missing");
	if (!is_host(*host))
		return fail(h, 400, "Host is not a name and a port");
	return ERR_NONE;
}

static enum err
check_fields(struct http_head *h)
{
	bool is_closing = http_lists(h, "Connection", "close");

	h->keep_alive = !is_closing && (h->minor == 1 || http_lists(h, "Connection", "keep-alive"));
	return check_framing(h);
}

enum err
http_parse_request(struct http_head *h, const char *data, size_t len)
{
	struct input in = { data, len };
	struct http_text line;
	enum err err;

	reset(h, len);
	/* Some clients add a CR LF to the body before (RFC 9112 section 2.2). */
	if (len >= 2 && data[0] == '\r' && data[1] == '\n') {
		in.p += 2;
		in.len -= 2;
	}
	if ((err = next_line(h, &in, &line)) != ERR_NONE ||
	    (err = parse_request_line(h, line)) != ERR_NONE ||
	    (err = parse_fields(h, &in)) != ERR_NONE ||
	    (err = check_host(h)) != ERR_NONE)
		return err;
	return check_fields(h);
}

enum err
http_parse_response(struct http_head *h, const char *data, size_t len)
{
	struct input in = { data, len };
	struct http_text line;
	enum err err;

	reset(h, len);
	if ((err = next_line(h, &in, &line)) != ERR_NONE ||
	    (err = parse_status_line(h, line)) != ERR_NONE ||
	    (err = parse_fields(h, &in)) != ERR_NONE)
		return err;
	return check_fields(h);
}

const struct http_text *
http_find(const struct http_head *h, const char *name, size_t *n_found)
{
	const struct http_text *found = NULL;
	size_t n = 0;

	for (size_t i = 0; i < h->n_fields; i++) {
		if (!http_text_is(h->field[i].name, name))
			continue;
		if (n++ == 0)
			found = &h->field[i].value;
	}
	if (n_found != NULL)
		*n_found = n;
	return found;
}

bool
http_lists(const struct http_head *h, const char *name, const char *token)
{
	struct http_text rest, item;

	for (size_t i = 0; i < h->n_fields; i++) {
		if (!http_text_is(h->field[i].name, name))
			continue;
		rest = h->field[i].value;
		while (rest.len > 0) {
			take_until(&rest, ',', &item);
			if (http_text_is(trim(item), token))
				return true;
		}
	}
	return false;
}

bool
http_is_token(char c)
{
	return (class_of[(uint8_t)c] & C_TOKEN) != 0;
}

bool
http_is_value(char c)
{
	return (class_of[(uint8_t)c] & C_VALUE) != 0;
}

int
http_hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	c = lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes one decoded byte off the front of t, which is not empty; -1: '%' without two digits. */
static int
take_decoded(struct http_text *t)
{
	int c = (uint8_t)t->p[0], high, low;
	size_t n = 1;

	if (c == '%') {
		high = t->len >= 3 ? http_hex_value(t->p[1]) : -1;
		low = t->len >= 3 ? http_hex_value(t->p[2]) : -1;
		if (high < 0 || low < 0)
			return -1;
		c = high << 4 | low;
		n = 3;
	}
	t->p += n;
	t->len -= n;
	return c;
}

/* Is this, decoded, the name? */
static bool
decodes_to(struct http_text t, const char *name)
{
	for (; *name != '\0'; name++)
		if (t.len == 0 || take_decoded(&t) != (uint8_t)*name)
			return false;
	return t.len == 0;
}

bool
http_decode(struct http_text t, char *out, size_t cap)
{
	size_t n = 0;

	while (t.len > 0) {
		int c = take_decoded(&t);

		if (c <= 0 || n >= cap)
			return false;
		out[n++] = (char)c;
	}
	if (n >= cap)
		return false;
	out[n] = '\0';
	return true;
}

bool
http_query_get(struct http_text query, const char *name, char *out, size_t cap)
{
	struct http_text pair, key;

	while (query.len > 0) {
		take_until(&query, '&', &pair);
		take_until(&pair, '=', &key);
		if (decodes_to(key, name))
			return http_decode(pair, out, cap);
	}
	return false;
}
