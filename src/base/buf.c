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

#define CAP_FIRST   256
#define PART_BYTES  256		/* of a JSON string */
#define SPECIAL_MAX 6		/* bytes that stand for one or a few */

void
buf_drop(struct buf *b)
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

/* Two digits for each number below 100. */
static const char pairs[] =
    "00010203040506070809101112131415161718192021222324"
    "25262728293031323334353637383940414243444546474849"
    "50515253545556575859606162636465666768697071727374"
    "75767778798081828384858687888990919293949596979899";

/* How many digits v has. */
static inline size_t
n_digits(uint64_t v)
{
	static const uint64_t power[] = {	/* of ten, the first with so many digits */
		0, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000,
		UINT64_C(10000000000), UINT64_C(100000000000), UINT64_C(1000000000000),
		UINT64_C(10000000000000), UINT64_C(100000000000000), UINT64_C(1000000000000000),
		UINT64_C(10000000000000000), UINT64_C(100000000000000000),
		UINT64_C(1000000000000000000), UINT64_C(10000000000000000000),
	};
	/* 1233 / 4096 is the logarithm of 2, as near as it needs to be for 64 bits. */
	size_t n = (size_t)(64 - __builtin_clzll(v | 1)) * 1233 >> 12;

	return n + (v >= power[n]);
}

size_t
buf_put_u64(char *out, uint64_t v)
{
	size_t n = n_digits(v), at = n;

	for (; v >= 100; v /= 100)
		memcpy(out + (at -= 2), pairs + 2 * (v % 100), 2);
	if (v >= 10)
		memcpy(out, pairs + 2 * v, 2);
	else
		out[0] = (char)('0' + v);
	return n;
}

void
buf_add_u64(struct buf *b, uint64_t v)
{
	buf_used(b, buf_put_u64(buf_reserve(b, BUF_U64_MAX), v));
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

/* Copies what stands for itself, nearly always all; how many bytes that were. */
static inline size_t
put_plain(char *out, const unsigned char *p, size_t n)
{
	const size_t step = sizeof(uint64_t);
	size_t i = 0;

	for (; n - i >= step && are_plain(p + i); i += step)
		memcpy(out + i, p + i, step);
	if (n >= step && n - i < step && are_plain(p + n - step)) {	/* it ends within a word */
		memcpy(out + n - step, p + n - step, step);
		return n;
	}
	for (; i < n && special[p[i]] == 0; i++)
		out[i] = (char)p[i];
	return i;
}

/* What does not stand for itself begins at p: what stands for it, and how much that is of p. */
static RARE size_t
put_special(char *out, const unsigned char *p, size_t n, size_t *len)
{
	static const char digits[] = "0123456789abcdef";

	*len = 1;
	if (p[0] == '"' || p[0] == '\\') {
		out[0] = '\\';
		out[1] = (char)p[0];
		return 2;
	}
	if (p[0] < 0x20) {
		memcpy(out, "\\u00", 4);
		out[4] = digits[p[0] >> 4];
		out[5] = digits[p[0] & 15];
		return 6;
	}
	if ((*len = utf8_sequence(p, n)) > 0) {
		memcpy(out, p, *len);
		return *len;
	}
	*len = 1;
	memcpy(out, "\xef\xbf\xbd", 3);
	return 3;
}

size_t
buf_put_json_string(char *out, const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t i, len, at = 1;

	out[0] = '"';
	at += i = put_plain(out + at, p, n);
	while (i < n) {
		at += put_special(out + at, p + i, n - i, &len);
		i += len;
		len = put_plain(out + at, p + i, n - i);
		at += len;
		i += len;
	}
	out[at] = '"';
	return at + 1;
}

void
buf_add_json_string(struct buf *b, const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	char *out = buf_reserve(b, n + 2);
	size_t len, i = put_plain(out + 1, p, n);

	out[0] = '"';
	b->len += 1 + i;
	/* In parts, so that a long text does not take the room of the worst. */
	while (i < n) {
		size_t part = n - i < PART_BYTES ? n - i : PART_BYTES;

		out = buf_reserve(b, PART_BYTES + SPECIAL_MAX);
		len = put_plain(out, p + i, part);
		b->len += len;
		i += len;
		if (len == part)
			continue;
		b->len += put_special(out + len, p + i, n - i, &len);
		i += len;
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
