/* SPDX-License-Identifier: ISC */
/*
 * Reading values that a scan has validated: strings unescaped, numbers, what is true.
 */
#include "codec/json_scan.h"

#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"

#define NUMBER_MAX	((UINT64_C(1) << 53) - 1)	/* Number.MAX_SAFE_INTEGER */

static uint32_t
hex_digit(char c)
{
	return (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

static uint32_t
hex4(const char *p)
{
	return hex_digit(p[0]) << 12 | hex_digit(p[1]) << 8 | hex_digit(p[2]) << 4 | hex_digit(p[3]);
}

static size_t
put_utf8(char out[4], uint32_t c)
{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	for (size_t i = n; i > 1; i--) {
		out[i - 1] = (char)(0x80 | (c & 0x3f));
		c >>= 6;
	}
	out[0] = (char)(lead[n] | c);
	return n;
}

/* A \u escape at *p, or two that are one character; moves *p behind it. */
static uint32_t
unescape_u(const char **p, const char *end)
{
	uint32_t c = hex4(*p + 2), low;

	*p += 6;
	if (c < 0xd800 || c > 0xdfff)
		return c;
	if (c <= 0xdbff && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u') {
		low = hex4(*p + 2);
		if (low >= 0xdc00 && low <= 0xdfff) {
			*p += 6;
			return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		}
	}
	return 0xfffd;
}

/* The escape at *p as UTF-8, and its length; moves *p behind it. */
static size_t
unescape(char out[4], const char **p, const char *end)
{
	char c = (*p)[1];

	if (c == 'u')
		return put_utf8(out, unescape_u(p, end));
	*p += 2;
	switch (c) {
	case 'b':
		out[0] = '\b';
		break;
	case 'f':
		out[0] = '\f';
		break;
	case 'n':
		out[0] = '\n';
		break;
	case 'r':
		out[0] = '\r';
		break;
	case 't':
		out[0] = '\t';
		break;
	default:
		out[0] = c;
	}
	return 1;
}

struct json_value
json_member_of(const char *text, struct json_value v, const char *name)
{
	const struct json_names names = { 1, &name };
	struct json_object o;
	struct json_scan scan;

	json_scan_init(&scan, text, v.end, UINT16_MAX);
	scan.pos = v.start;
	if (v.kind != JSON_OBJECT || !json_scan_members(&scan, &v, &names, &o, -1, NULL))
		return (struct json_value){ .kind = JSON_NONE };
	return o.member[0].value;
}

/* The same of one with escapes. */
static RARE bool
is_after_unescaping(const char *p, const char *end, const char *s, size_t len)
{
	char c[4];
	size_t n;

	for (; p < end; s += n, len -= n) {
		c[0] = *p;
		if (*p == '\\') {
			n = unescape(c, &p, end);
		} else {
			p++;
			n = 1;
		}
		if (n > len || memcmp(c, s, n) != 0)
			return false;
	}
	return len == 0;
}

/* Is it known or seen to be without escapes? */
static inline bool
is_plain(const char *text, struct json_value v)
{
	return v.is_plain || memchr(text + v.start + 1, '\\', v.end - v.start - 2) == NULL;
}

bool
json_string_equals(const char *text, struct json_value v, const char *s, size_t len)
{
	const char *p = text + v.start + 1;
	size_t has = v.end - v.start - 2;

	/* An escape is longer than what it stands for. */
	if (v.kind != JSON_STRING || has < len)
		return false;
	if (!is_plain(text, v))
		return is_after_unescaping(p, p + has, s, len);
	return has == len && memcmp(p, s, len) == 0;
}

bool
json_string_get(const char *text, struct json_value v, struct buf *out)
{
	const char *p, *end, *backslash;
	char c[4];

	if (v.kind != JSON_STRING)
		return false;
	p = text + v.start + 1;
	end = text + v.end - 1;
	while (p < end) {
		backslash = memchr(p, '\\', (size_t)(end - p));
		if (backslash == NULL)
			backslash = end;
		buf_add(out, p, (size_t)(backslash - p));
		p = backslash;
		if (p < end)
			buf_add(out, c, unescape(c, &p, end));
	}
	return true;
}

bool
json_string_view_any(const char *text, struct json_value v, const char **s, size_t *len,
    struct buf *room)
{
	if (v.kind != JSON_STRING)
		return false;
	*s = text + v.start + 1;
	*len = v.end - v.start - 2;
	if (is_plain(text, v))
		return true;
	json_string_get(text, v, room);
	*s = room->data;
	*len = room->len;
	return true;
}

bool
json_number_u64(const char *text, struct json_value v, uint64_t *out)
{
	uint64_t n = 0;

	if (v.kind != JSON_NUMBER)
		return false;
	for (uint32_t i = v.start; i < v.end; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(text[i] - '0');
		if (n > NUMBER_MAX)
			return false;
	}
	*out = n;
	return true;
}

/*
 * Digits with a point among them at most, few enough that both they and the power of ten below
 * them are exact, so that one division rounds right: times in tokens, nearly always.
 */
static bool
read_short(const char *p, size_t len, double *out)
{
	static const double power[] = {
		1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15
	};
	size_t n_behind = 0;
	bool is_behind = false;
	uint64_t n = 0;

	if (len > 15)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (p[i] >= '0' && p[i] <= '9') {
			n = n * 10 + (uint64_t)(p[i] - '0');
			n_behind += is_behind;
		} else if (p[i] == '.') {
			is_behind = true;
		} else {
			return false;
		}
	}
	*out = (double)n / power[n_behind];
	return true;
}

bool
json_number_double(const char *text, struct json_value v, double *out)
{
	size_t len = v.end - v.start;
	char few[64], *copy = few;

	if (v.kind != JSON_NUMBER)
		return false;
	if (read_short(text + v.start, len, out))
		return true;
	if (len >= sizeof(few))
		copy = xmalloc(len + 1);	/* strtod() wants a NUL behind it */
	memcpy(copy, text + v.start, len);
	copy[len] = '\0';
	*out = strtod(copy, NULL);	/* the program stays in the C locale */
	if (copy != few)
		free(copy);
	return true;
}

bool
json_value_is_truthy(const char *text, struct json_value v)
{
	double d;

	switch (v.kind) {
	case JSON_OBJECT:
	case JSON_ARRAY:
	case JSON_TRUE:
		return true;
	case JSON_STRING:
		return v.end - v.start > 2;
	case JSON_NUMBER:
		return json_number_double(text, v, &d) && d != 0;
	default:
		return false;
	}
}
