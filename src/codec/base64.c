/* SPDX-License-Identifier: ISC */
/*
 * Base64: three bytes are four letters.
 */
#include "codec/base64.h"

#include <stdint.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "base/compiler.h"

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

#ifdef FOR_AVX2
#define LONG_BYTES 48	/* from here on it is worth the look at the processor */

/*
 * In steps of 24 bytes, which are 32 letters; how many bytes were done.  From its number to a
 * letter there is one distance for each kind of letter.
 */
static FOR_AVX2 size_t
encode_long(char *out, const uint8_t *p, size_t n, const char *letters)
{
	/* Capitals are 13, small letters 0, digits 1 to 10, the last two 11 and 12. */
	const __m256i distance = _mm256_setr_epi8('a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
	    '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, (char)(letters[62] - 62),
	    (char)(letters[63] - 63), 'A', 0, 0, 'a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
	    '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, (char)(letters[62] - 62),
	    (char)(letters[63] - 63), 'A', 0, 0);
	const __m256i spread = _mm256_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10,
	    1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
	size_t done = 0;

	/* Each half is read as 16 bytes, of which 12 count. */
	for (; n - done >= 28; done += 24, out += 32) {
		__m256i v, odd, even, number, kind;

		v = _mm256_inserti128_si256(_mm256_castsi128_si256(
		    _mm_loadu_si128((const __m128i *)(const void *)(p + done))),
		    _mm_loadu_si128((const __m128i *)(const void *)(p + done + 12)), 1);
		v = _mm256_shuffle_epi8(v, spread);
		odd = _mm256_mulhi_epu16(_mm256_and_si256(v, _mm256_set1_epi32(0x0fc0fc00)),
		    _mm256_set1_epi32(0x04000040));
		even = _mm256_mullo_epi16(_mm256_and_si256(v, _mm256_set1_epi32(0x003f03f0)),
		    _mm256_set1_epi32(0x01000010));
		number = _mm256_or_si256(odd, even);
		kind = _mm256_subs_epu8(number, _mm256_set1_epi8(51));
		kind = _mm256_or_si256(kind, _mm256_and_si256(_mm256_set1_epi8(13),
		    _mm256_cmpgt_epi8(_mm256_set1_epi8(26), number)));
		_mm256_storeu_si256((__m256i *)(void *)out,
		    _mm256_add_epi8(number, _mm256_shuffle_epi8(distance, kind)));
	}
	return done;
}
#endif

/* Returns how many letters the last group lacks of four. */
static size_t
encode(struct buf *b, const uint8_t *p, size_t n, const char *letters)
{
	char *out = buf_reserve(b, n / 3 * 4 + 4);
	size_t len = 0;

#ifdef FOR_AVX2
	if (n >= LONG_BYTES && HAS_AVX2()) {
		size_t done = encode_long(out, p, n, letters);

		len = done / 3 * 4;
		p += done;
		n -= done;
	}
#endif
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

#ifdef FOR_AVX2
#define LONG_LETTERS 64	/* from here on it is worth the look at the processor */

/* The bytes of v between the two, themselves included. */
static inline FOR_AVX2 __m256i
between(__m256i v, char low, char high)
{
	return _mm256_and_si256(_mm256_cmpgt_epi8(v, _mm256_set1_epi8((char)(low - 1))),
	    _mm256_cmpgt_epi8(_mm256_set1_epi8((char)(high + 1)), v));
}

static inline FOR_AVX2 __m256i
add_where(__m256i v, __m256i where, int n)
{
	return _mm256_add_epi8(v, _mm256_and_si256(where, _mm256_set1_epi8((char)n)));
}

/*
 * In steps of 32 letters, which are 24 bytes; how many letters were done.  Stops in front of what
 * is none.  Writes up to four bytes more than those.
 */
static FOR_AVX2 size_t
decode_long(uint8_t *out, const char *text, size_t n)
{
	const __m256i order = _mm256_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1,
	    2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
	size_t done = 0;

	for (; n - done >= 32; done += 32, out += 24) {
		__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(text + done));
		__m256i capital = between(v, 'A', 'Z'), small = between(v, 'a', 'z');
		__m256i digit = between(v, '0', '9'), dash = between(v, '-', '-');
		__m256i line = between(v, '_', '_');
		__m256i any = _mm256_or_si256(_mm256_or_si256(capital, small),
		    _mm256_or_si256(digit, _mm256_or_si256(dash, line)));

		if (_mm256_movemask_epi8(any) != -1)
			break;
		v = add_where(v, capital, -'A');
		v = add_where(v, small, 26 - 'a');
		v = add_where(v, digit, 52 - '0');
		v = add_where(v, dash, 62 - '-');
		v = add_where(v, line, 63 - '_');
		v = _mm256_maddubs_epi16(v, _mm256_set1_epi32(0x01400140));
		v = _mm256_madd_epi16(v, _mm256_set1_epi32(0x00011000));
		v = _mm256_shuffle_epi8(v, order);
		_mm_storeu_si128((__m128i *)(void *)out, _mm256_castsi256_si128(v));
		_mm_storeu_si128((__m128i *)(void *)(out + 12), _mm256_extracti128_si256(v, 1));
	}
	return done;
}
#endif

bool
base64url_decode(struct buf *b, const char *text, size_t n)
{
	uint8_t *out;
	size_t len = 0;
	uint32_t bits;

	if (n % 4 == 1)
		return false;
	out = (uint8_t *)buf_reserve(b, n / 4 * 3 + 4);
#ifdef FOR_AVX2
	if (n >= LONG_LETTERS && HAS_AVX2()) {
		size_t done = decode_long(out, text, n);

		len = done / 4 * 3;
		text += done;
		n -= done;
	}
#endif
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
