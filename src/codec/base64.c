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

/* The four letters of three bytes: nearly every group. */
static inline void
encode_three(char out[4], const uint8_t p[3], const char *letters)
{
	uint32_t bits = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];

	out[0] = letters[bits >> 18];
	out[1] = letters[bits >> 12 & 63];
	out[2] = letters[bits >> 6 & 63];
	out[3] = letters[bits & 63];
}

/* Returns how many letters the last group lacks of four. */
static size_t
encode(struct buf *b, const uint8_t *p, size_t n, const char *letters)
{
	char *out = buf_reserve(b, n / 3 * 4 + 4);
	size_t len = 0;

	for (; n >= 3; p += 3, n -= 3, len += 4)
		encode_three(out + len, p, letters);
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

/* What a letter of base64url stands for, plus one; 0: it is none. */
static const uint8_t value_plus_1[256] = {
	['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6, ['G'] = 7, ['H'] = 8,
	['I'] = 9, ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15,
	['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22,
	['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29,
	['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36,
	['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, ['q'] = 43,
	['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50,
	['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56, ['4'] = 57,
	['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['-'] = 63, ['_'] = 64,
};

/* The bits of n letters, the first the highest; false: one of them is none. */
static inline bool
bits_of(const char *text, size_t n, uint32_t *bits)
{
	*bits = 0;
	for (size_t i = 0; i < n; i++) {
		uint8_t v = value_plus_1[(uint8_t)text[i]];

		if (v == 0)
			return false;
		*bits = *bits << 6 | (uint32_t)(v - 1);
	}
	return true;
}

/* The same of four letters: nearly every group.  What is none has all bits of its value set. */
static inline bool
bits_of_four(const char *text, uint32_t *bits)
{
	uint32_t a = value_plus_1[(uint8_t)text[0]] - 1U, b = value_plus_1[(uint8_t)text[1]] - 1U;
	uint32_t c = value_plus_1[(uint8_t)text[2]] - 1U, d = value_plus_1[(uint8_t)text[3]] - 1U;

	*bits = a << 18 | b << 12 | c << 6 | d;
	return ((a | b | c | d) & 0x80) == 0;
}

bool
base64url_decode(struct buf *b, const char *text, size_t n)
{
	uint8_t *out;
	size_t len = 0;
	uint32_t bits;

	if (n % 4 == 1)
		return false;
	out = (uint8_t *)buf_reserve(b, n / 4 * 3 + 3);
	for (; n >= 4; text += 4, n -= 4) {
		if (!bits_of_four(text, &bits))
			return false;
		out[len++] = (uint8_t)(bits >> 16);
		out[len++] = (uint8_t)(bits >> 8);
		out[len++] = (uint8_t)bits;
	}
	/* Two letters are a byte and 4 bits more, three are two bytes and 2 bits more. */
	if (n > 0) {
		unsigned n_over = n == 2 ? 4 : 2;

		if (!bits_of(text, n, &bits) || (bits & ((1U << n_over) - 1)) != 0)
			return false;
		bits >>= n_over;
		if (n == 3)
			out[len++] = (uint8_t)(bits >> 8);
		out[len++] = (uint8_t)bits;
	}
	buf_used(b, len);
	return true;
}
