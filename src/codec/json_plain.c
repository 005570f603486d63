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
static inline FOR_AVX2 __m256i
specials_of_32(const char *p)
{
	__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)p);
	__m256i quote = _mm256_cmpeq_epi8(v, _mm256_set1_epi8('"'));
	__m256i backslash = _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\\'));
	__m256i low = _mm256_cmpgt_epi8(_mm256_set1_epi8(' '), v);

	return _mm256_or_si256(low, _mm256_or_si256(quote, backslash));
}

/* At least 32 bytes. */
static FOR_AVX2 const char *
skip_with_avx2(const char *p, const char *end)
{
	unsigned special;

	for (; end - p >= 128; p += 128) {
		__m256i a = _mm256_or_si256(specials_of_32(p), specials_of_32(p + 32));
		__m256i b = _mm256_or_si256(specials_of_32(p + 64), specials_of_32(p + 96));

		if (_mm256_movemask_epi8(_mm256_or_si256(a, b)) != 0)
			break;
	}
	for (; end - p >= 32; p += 32) {
		special = (unsigned)_mm256_movemask_epi8(specials_of_32(p));
		if (special != 0)
			return p + __builtin_ctz(special);
	}
	special = (unsigned)_mm256_movemask_epi8(specials_of_32(end - 32));
	return special != 0 ? end - 32 + __builtin_ctz(special) : end;
}
#endif

#ifdef FOR_SSE2
static inline bool
has_special_in_64(const char *p)
{
	__m128i a = _mm_or_si128(json_specials_of(p), json_specials_of(p + 16));
	__m128i b = _mm_or_si128(json_specials_of(p + 32), json_specials_of(p + 48));

	return _mm_movemask_epi8(_mm_or_si128(a, b)) != 0;
}
#endif

const char *
json_skip_plain(const char *p, const char *end)
{
	size_t n;

#ifdef FOR_AVX2
	if (end - p >= 32 && HAS_AVX2())
		return skip_with_avx2(p, end);
#endif
	if (end - p < JSON_STEP)
		return skip_bytes(p, end);
#ifdef FOR_SSE2
	while (end - p >= 64 && !has_special_in_64(p))
		p += 64;
#endif
	for (; end - p >= JSON_STEP; p += JSON_STEP)
		if ((n = json_plain_step(p)) < JSON_STEP)
			return p + n;
	return end - JSON_STEP + json_plain_step(end - JSON_STEP);
}
