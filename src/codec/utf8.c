/* SPDX-License-Identifier: ISC */
/*
 * UTF-8 validation.  ASCII is passed over 64 bytes at a time; what follows a
 * lead byte is a range check of the next byte, so a piece may end anywhere.
 */
#include "codec/utf8.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define ASCII_8 UINT64_C(0x8080808080808080)

/* Are the 64 bytes at p ASCII? */
static inline bool
are_64_ascii(const uint8_t *p)
{
#ifdef __SSE2__
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

	while (n - i >= 64 && are_64_ascii(p + i))
		i += 64;
	while (n - i >= sizeof(eight)) {
		memcpy(&eight, p + i, sizeof(eight));
		if ((eight & ASCII_8) != 0)
			break;
		i += sizeof(eight);
	}
	while (i < n && p[i] < 0x80)
		i++;
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
		i += ascii_prefix(p + i, n - i);
		if (i < n && !begin_character(u, p[i++]))
			return false;
	}
	return true;
}

bool
utf8_is_complete(const struct utf8_state *u)
{
	return u->need == 0;
}

bool
utf8_is_valid(const void *data, size_t n)
{
	struct utf8_state u = { 0 };

	return utf8_feed(&u, data, n) && utf8_is_complete(&u);
}
