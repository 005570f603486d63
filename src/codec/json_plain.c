/* SPDX-License-Identifier: ISC */
/*
 * Long strings, where nearly all of a large payload is: 128 bytes at a time where there is AVX2,
 * 64 where there is SSE2, else eight.
 *
 * What is left behind the last whole step is looked at once more together with bytes before it,
 * which are known to be plain and so are in nobody's way.
 */
#include "codec/json_plain.h"

#include <stdbool.h>

#ifdef FOR_AVX2
#include <immintrin.h>
#endif

static bool
is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static const char *
skip_bytes(const char *p, const char *end)
{
	while (p < end && is_plain((unsigned char)*p))
		p++;
	return p;
}

#ifdef FOR_AVX2
/*
 * Which bytes are a quote or a backslash?  The low half of either is found in a table, where it
 * stands for that byte alone; no byte is what the others stand for.
 */
static inline FOR_AVX2 __m256i
marks_of(__m256i v)
{
	const __m256i mark = _mm256_setr_epi8(1, 0, '"', 0, 0, 0, 0, 0, 0, 0, 0, 0, '\\', 0, 0, 0,
	    1, 0, '"', 0, 0, 0, 0, 0, 0, 0, 0, 0, '\\', 0, 0, 0);

	return _mm256_cmpeq_epi8(v, _mm256_shuffle_epi8(mark, v));
}

/* Which are control characters or, with their sign, not ASCII? */
static inline FOR_AVX2 __m256i
lows_of(__m256i v)
{
	return _mm256_cmpgt_epi8(_mm256_set1_epi8(' '), v);
}

static inline FOR_AVX2 bool
has_special_in_128(const char *p)
{
	const __m256i *at = (const __m256i *)(const void *)p;
	__m256i a = _mm256_loadu_si256(at), b = _mm256_loadu_si256(at + 1);
	__m256i c = _mm256_loadu_si256(at + 2), d = _mm256_loadu_si256(at + 3);
	__m256i low = lows_of(_mm256_min_epi8(_mm256_min_epi8(a, b), _mm256_min_epi8(c, d)));
	__m256i mark = _mm256_or_si256(_mm256_or_si256(marks_of(a), marks_of(b)),
	    _mm256_or_si256(marks_of(c), marks_of(d)));

	return _mm256_movemask_epi8(_mm256_or_si256(low, mark)) != 0;
}

/* Those of 32 bytes that are not plain: a bit each. */
static inline FOR_AVX2 unsigned
specials_of_32(const char *p)
{
	__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)p);

	return (unsigned)_mm256_movemask_epi8(_mm256_or_si256(lows_of(v), marks_of(v)));
}

/* At least 32 bytes. */
static FOR_AVX2 const char *
skip_with_avx2(const char *p, const char *end)
{
	unsigned special;

	while (end - p >= 128 && !has_special_in_128(p))
		p += 128;
	for (; end - p >= 32; p += 32) {
		special = specials_of_32(p);
		if (special != 0)
			return p + __builtin_ctz(special);
	}
	special = specials_of_32(end - 32);
	return special != 0 ? end - 32 + __builtin_ctz(special) : end;
}
#endif

#ifdef FOR_SSE2
static inline bool
are_64_plain(const char *p)
{
	__m128i a = _mm_and_si128(json_plain_of(p), json_plain_of(p + 16));
	__m128i b = _mm_and_si128(json_plain_of(p + 32), json_plain_of(p + 48));

	return _mm_movemask_epi8(_mm_and_si128(a, b)) == 0xffff;
}
#endif

const char *
json_skip_plain(const char *p, const char *end)
{
	unsigned n;

#ifdef FOR_AVX2
	if (end - p >= 32 && HAS_AVX2())
		return skip_with_avx2(p, end);
#endif
	if (end - p < JSON_STEP)
		return skip_bytes(p, end);
#ifdef FOR_SSE2
	while (end - p >= 64 && are_64_plain(p))
		p += 64;
#endif
	for (; end - p >= JSON_STEP; p += JSON_STEP)
		if ((n = json_plain_step(p)) < JSON_STEP)
			return p + n;
	return end - JSON_STEP + json_plain_step(end - JSON_STEP);
}
