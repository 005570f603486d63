/* SPDX-License-Identifier: ISC */
/*
 * A byte buffer that grows by doubling.
 */
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xmalloc.h"

#define CAP_FIRST 256

void
buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ 0 };
}

void
buf_reset(struct buf *b, size_t keep)
{
	b->len = 0;
	if (b->cap > keep)
		buf_free(b);
}

void
buf_grow(struct buf *b, size_t n)
{
	size_t cap = b->cap > 0 ? b->cap : CAP_FIRST;

	if (n > SIZE_MAX / 4 || b->len > SIZE_MAX / 4)
		fatalx("buffer of %zu and %zu bytes", b->len, n);
	while (cap < b->len + n)
		cap *= 2;
	b->data = xrealloc(b->data, cap);
	b->cap = cap;
}

/* The digits end where out does; gives where they begin. */
static char *
put_digits(char *end, uint64_t v)
{
	do {
		*--end = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	return end;
}

size_t
buf_put_u64(char *out, uint64_t v)
{
	char digits[20], *end = digits + sizeof(digits), *at = put_digits(end, v);

	memcpy(out, at, (size_t)(end - at));
	return (size_t)(end - at);
}

void
buf_add_u64(struct buf *b, uint64_t v)
{
	buf_used(b, buf_put_u64(buf_reserve(b, 20), v));
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	assert(fmt != NULL);
	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		fatalx("vsnprintf: %s", fmt);
	buf_reserve(b, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

/* Length of the UTF-8 sequence at p, 0 if it is none (RFC 3629 section 4). */
static size_t
utf8_sequence(const unsigned char *p, size_t n)
{
	size_t want = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;

	if (p[0] < 0xc2 || p[0] > 0xf4 || n < want)
		return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	for (size_t i = 1; i < want; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return want;
}

/* Bytes that do not stand for themselves in a JSON string: 1. */
static const unsigned char special[256] = {
	[0 ... 0x1f] = 1, ['"'] = 1, ['\\'] = 1, [0x80 ... 0xff] = 1,
};

/* Eight bytes that all stand for themselves?  (What a subtraction borrows only adds to the doubt.) */
static inline bool
are_plain(const unsigned char *p)
{
	const uint64_t each = UINT64_C(0x0101010101010101);
	uint64_t w, quote, backslash;

	memcpy(&w, p, sizeof(w));
	quote = w ^ each * '"';
	backslash = w ^ each * '\\';
	return ((w | (w - each * 0x20) | (quote - each) | (backslash - each)) & each * 0x80) == 0;
}

/* How many bytes at p stand for themselves: nearly always all of them. */
static size_t
plain_run(const unsigned char *p, size_t n)
{
	size_t i = 0;

	while (n - i >= sizeof(uint64_t) && are_plain(p + i))
		i += sizeof(uint64_t);
	while (i < n && special[p[i]] == 0)
		i++;
	return i;
}

void
buf_add_json_string(struct buf *b, const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t i = 0, len;

	buf_add_char(b, '"');
	while (i < n) {
		unsigned char c = p[i];

		if ((len = plain_run(p + i, n - i)) > 0) {
			buf_add(b, p + i, len);
			i += len;
		} else if (c == '"' || c == '\\') {
			buf_add_char(b, '\\');
			buf_add_char(b, (char)c);
			i++;
		} else if (c < 0x20) {
			buf_printf(b, "\\u%04x", c);
			i++;
		} else if ((len = utf8_sequence(p + i, n - i)) > 0) {
			buf_add(b, p + i, len);
			i += len;
		} else {
			buf_add_str(b, "\xef\xbf\xbd");
			i++;
		}
	}
	buf_add_char(b, '"');
}

void
buf_consume(struct buf *b, size_t n)
{
	assert(n <= b->len);
	b->len -= n;
	if (b->len > 0 && n > 0)
		memmove(b->data, b->data + n, b->len);
}

char *
buf_str(struct buf *b)
{
	*buf_reserve(b, 1) = '\0';
	return b->data;
}

char *
buf_take(struct buf *b)
{
	char *s = buf_str(b);

	*b = (struct buf){ 0 };
	return s;
}
