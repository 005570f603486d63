/* SPDX-License-Identifier: ISC */
/*
 * Base64: three bytes are four letters.
 */
#include "codec/base64.h"

#include <stdint.h>

static const char standard[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* The one to four letters of one to three bytes; padding is left to the caller. */
static size_t
encode_group(char *out, const uint8_t *p, size_t n, const char *letters)
{
	uint32_t bits = (uint32_t)p[0] << 16;

	if (n > 1)
		bits |= (uint32_t)p[1] << 8;
	if (n > 2)
		bits |= p[2];
	for (size_t i = 0; i <= n; i++)
		out[i] = letters[bits >> (18 - 6 * i) & 63];
	return n + 1;
}

/* Returns how many letters the last group lacks of four. */
static size_t
encode(struct buf *b, const uint8_t *p, size_t n, const char *letters)
{
	char *out = buf_reserve(b, n / 3 * 4 + 4);
	size_t len = 0;

	for (; n >= 3; p += 3, n -= 3)
		len += encode_group(out + len, p, 3, letters);
	if (n > 0)
		len += encode_group(out + len, p, n, letters);
	buf_used(b, len);
	return n > 0 ? 3 - n : 0;
}

void
base64_encode(struct buf *b, const void *data, size_t n)
{
	for (size_t pad = encode(b, data, n, standard); pad > 0; pad--)
		buf_add_char(b, '=');
}

void
base64url_encode(struct buf *b, const void *data, size_t n)
{
	encode(b, data, n, url_safe);
}

/* What a letter of base64url stands for; -1: it is none. */
static int
value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-')
		return 62;
	return c == '_' ? 63 : -1;
}

bool
base64url_decode(struct buf *b, const char *text, size_t n)
{
	uint8_t *out;
	size_t len = 0;
	uint32_t bits = 0;	/* not yet written: the low n_bits of it */
	unsigned n_bits = 0;

	if (n % 4 == 1)
		return false;
	out = (uint8_t *)buf_reserve(b, n / 4 * 3 + 3);
	for (size_t i = 0; i < n; i++) {
		int v = value_of(text[i]);

		if (v < 0)
			return false;
		bits = bits << 6 | (uint32_t)v;
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			out[len++] = (uint8_t)(bits >> n_bits);
			bits &= (1U << n_bits) - 1;
		}
	}
	if (bits != 0)
		return false;
	buf_used(b, len);
	return true;
}
