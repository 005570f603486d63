/* SPDX-License-Identifier: ISC */
/*
 * How far a JSON string goes on with bytes that mean themselves: printable ASCII but for quotes
 * and backslashes.
 *
 * A name and most values are short, so a step is here to be part of who asks; what is longer is
 * a function.
 */
#ifndef CODEC_JSON_PLAIN_H
#define CODEC_JSON_PLAIN_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"

#ifdef FOR_SSE2
#include <emmintrin.h>

#define JSON_STEP 16	/* bytes looked at in one step */

/* Those of sixteen bytes that are plain have all their bits set. */
static inline __m128i
json_plain_of(const char *p)
{
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
	__m128i backslash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
	/* With its sign, a byte that is not ASCII is below a blank too. */
	__m128i high = _mm_cmpgt_epi8(v, _mm_set1_epi8(' ' - 1));

	return _mm_andnot_si128(_mm_or_si128(quote, backslash), high);
}

/* How many of the JSON_STEP bytes at p stand before the first that is not plain? */
static inline unsigned
json_plain_step(const char *p)
{
	/* Behind sixteen bits for as many bytes there is always a 1. */
	return (unsigned)__builtin_ctz(~(unsigned)_mm_movemask_epi8(json_plain_of(p)));
}

#else

#define JSON_STEP 8

/* A 64-bit word of eight times the byte b. */
#define JSON_EVERY(b) (UINT64_C(0x0101010101010101) * (b))

/*
 * The same.  A subtraction sets the top bit of a byte that is below what is subtracted; the borrow
 * reaches only bytes above one that was found, so the lowest bit is exact.
 */
static inline unsigned
json_plain_step(const char *p)
{
	uint64_t w, quote, backslash, special;

	memcpy(&w, p, sizeof(w));
	w = le64toh(w);
	quote = w ^ JSON_EVERY('"');
	backslash = w ^ JSON_EVERY('\\');
	special = (w | (w - JSON_EVERY(0x20)) | (quote - JSON_EVERY(1)) |
	    (backslash - JSON_EVERY(1))) & JSON_EVERY(0x80);
	return special != 0 ? (unsigned)__builtin_ctzll(special) / 8 : JSON_STEP;
}
#endif

/* The first byte of p up to end that is not plain; end: there is none. */
const char	*json_skip_plain(const char *p, const char *end);

#endif
