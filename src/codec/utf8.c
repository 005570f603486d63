/* SPDX-License-Identifier: ISC */
/*
 * UTF-8 validation.  ASCII is passed over 128 bytes at a time where there is AVX2, 64 where there
 * is not; a character that follows another one in one look at four bytes.  The first behind ASCII,
 * one that is cut by the end of a piece, and what is wrong are looked at byte by byte: what follows
 * a lead byte is a range check of the next byte, so a piece may end anywhere.
 */
#include "codec/utf8.h"

#include <endian.h>
#include <string.h>

#include "base/compiler.h"

#ifdef FOR_AVX2
#include <immintrin.h>
#elif defined(FOR_SSE2)
#include <emmintrin.h>
#endif

#define ASCII_8 UINT64_C(0x8080808080808080)

#ifdef FOR_AVX2
/* How many bytes at the start of p, 32 or more, are ASCII. */
static FOR_AVX2 size_t
ascii_with_avx2(const uint8_t *p, size_t n)
{
	size_t i = 0;
	unsigned other;

	for (; n - i >= 128; i += 128) {
		const __m256i *at = (const __m256i *)(const void *)(p + i);
		__m256i a = _mm256_or_si256(_mm256_loadu_si256(at), _mm256_loadu_si256(at + 1));
		__m256i b = _mm256_or_si256(_mm256_loadu_si256(at + 2), _mm256_loadu_si256(at + 3));

		if (_mm256_movemask_epi8(_mm256_or_si256(a, b)) != 0)
			break;
	}
	for (; n > i; i += 32) {
		if (n - i < 32)		/* what is before is ASCII */
			i = n - 32;
		other = (unsigned)_mm256_movemask_epi8(
		    _mm256_loadu_si256((const __m256i *)(const void *)(p + i)));
		if (other != 0)
			return i + (size_t)__builtin_ctz(other);
	}
	return n;
}
#endif

/* Are the 64 bytes at p ASCII? */
static inline bool
are_64_ascii(const uint8_t *p)
{
#ifdef FOR_SSE2
	const __m128i *at = (const __m128i *)(const void *)p;
	__m128i a = _mm_or_si128(_mm_loadu_si128(at), _mm_loadu_si128(at + 1));
	__m128i b = _mm_or_si128(_mm_loadu_si128(at + 2), _mm_loadu_si128(at + 3));

	return _mm_movemask_epi8(_mm_or_si128(a, b)) == 0;
#else
	uint64_t w[8];

	memcpy(w, p, sizeof(w));
	return ((w[0] | w[1] | w[2] | w[3] | w[4] | w[5] | w[6] | w[7]) & ASCII_8) == 0;
#endif
}

/* How many bytes at the start of p are ASCII. */
static size_t
ascii_prefix(const uint8_t *p, size_t n)
{
	uint64_t eight;
	size_t i = 0;

#ifdef FOR_AVX2
	if (n >= 32 && HAS_AVX2())
		return ascii_with_avx2(p, n);
#endif
	while (n - i >= 64 && are_64_ascii(p + i))
		i += 64;
	while (n - i >= sizeof(eight)) {
		memcpy(&eight, p + i, sizeof(eight));
		eight = le64toh(eight) & ASCII_8;
		if (eight != 0)
			return i + (size_t)__builtin_ctzll(eight) / 8;
		i += sizeof(eight);
	}
	while (i < n && p[i] < 0x80)
		i++;
	return i;
}

/*
 * How long is the character at p, of which four bytes can be read?  0: it is ASCII, or none.
 * The same rules as below, with the lead byte in the lowest place.
 */
static inline size_t
character(const uint8_t *p)
{
	uint32_t w;

	memcpy(&w, p, sizeof(w));
	w = le32toh(w);
	if ((w & 0xc0e0) == 0x80c0)		/* not overlong: a bit above the lowest six */
		return (w & 0x1e) != 0 ? 2 : 0;
	if ((w & 0xc0c0f0) == 0x8080e0)		/* nor a surrogate: ed, then a0 to bf */
		return (w & 0x200f) != 0 && (w & 0x200f) != 0x200d ? 3 : 0;
	if ((w & 0xc0c0c0f8) == 0x808080f0)	/* nor above U+10FFFF: f4, then 90 to bf, or f5 on */
		return (w & 0x3007) != 0 && ((w & 4) == 0 || (w & 0x3003) == 0) ? 4 : 0;
	return 0;
}

size_t
utf8_run(const void *data, size_t n)
{
	const uint8_t *p = data;
	uint8_t last[4] = { 0 };
	size_t i = 0, len;

	while (n - i >= 4) {
		len = character(p + i);
		if (len == 0)
			return i;
		i += len;
	}
	while (i < n) {		/* no character goes beyond, as that would have a NUL in it */
		memcpy(last, p + i, n - i);
		last[n - i] = 0;
		len = character(last);
		if (len == 0)
			break;
		i += len;
	}
	return i;
}

/*
 * The table of RFC 3629 section 4: only the second byte has a range of its own,
 * which is where overlong forms, surrogates and all above U+10FFFF are refused.
 */
static bool
begin_character(struct utf8_state *u, uint8_t lead)
{
	u->low = 0x80;
	u->high = 0xbf;
	if (lead >= 0xc2 && lead <= 0xdf) {
		u->need = 1;
	} else if (lead >= 0xe0 && lead <= 0xef) {
		u->need = 2;
		if (lead == 0xe0)
			u->low = 0xa0;
		else if (lead == 0xed)
			u->high = 0x9f;
	} else if (lead >= 0xf0 && lead <= 0xf4) {
		u->need = 3;
		if (lead == 0xf0)
			u->low = 0x90;
		else if (lead == 0xf4)
			u->high = 0x8f;
	} else {
		return false;
	}
	return true;
}

bool
utf8_feed(struct utf8_state *u, const void *data, size_t n)
{
	const uint8_t *p = data;
	size_t i = 0;

	while (i < n) {
		if (u->need > 0) {
			if (p[i] < u->low || p[i] > u->high)
				return false;
			u->low = 0x80;
			u->high = 0xbf;
			u->need--;
			i++;
			continue;
		}
		if (p[i] < 0x80)
			i += ascii_prefix(p + i, n - i);
		else
			i += utf8_run(p + i, n - i);
		if (i < n && p[i] >= 0x80 && !begin_character(u, p[i++]))
			return false;
	}
	return true;
}

bool
utf8_is_valid(const void *data, size_t n)
{
	struct utf8_state u = { 0 };

	return utf8_feed(&u, data, n) && utf8_is_complete(&u);
}
