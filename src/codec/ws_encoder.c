/* SPDX-License-Identifier: ISC */
/*
 * WebSocket frames out: always final, the length in its shortest form.
 */
#include "codec/ws_encoder.h"

#include <assert.h>
#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

#define FIN		0x80
#define MASKED		0x80
#define LENGTH_16	126
#define LENGTH_64	127
#define CONTROL_MAX	125	/* bytes a control frame may carry (section 5.5) */
#define TOP_BITS	UINT64_C(0x8080808080808080)

size_t
ws_encode_head(uint8_t head[WS_HEAD_MAX], enum ws_opcode opcode, uint64_t len, const uint8_t *mask)
{
	size_t n = 2, length_bytes = 0;

	assert(opcode < WS_CLOSE || len <= CONTROL_MAX);
	head[0] = (uint8_t)(FIN | opcode);
	if (len < LENGTH_16) {
		head[1] = (uint8_t)len;
	} else if (len <= UINT16_MAX) {
		head[1] = LENGTH_16;
		length_bytes = 2;
	} else {
		head[1] = LENGTH_64;
		length_bytes = 8;
	}
	while (length_bytes > 0)
		head[n++] = (uint8_t)(len >> 8 * --length_bytes);
	if (mask != NULL) {
		head[1] |= MASKED;
		memcpy(head + n, mask, 4);
		n += 4;
	}
	return n;
}

#ifdef FOR_AVX2
#define LONG_BYTES 1024	/* from here on it is worth the look at the processor */

/* In steps of 128 bytes; how many were done. */
static FOR_AVX2 size_t
mask_long(uint8_t *p, size_t len, uint64_t key, uint64_t *bits)
{
	const __m256i k = _mm256_set1_epi64x((long long)key);
	__m256i seen = _mm256_setzero_si256();
	size_t i = 0;

	for (; len - i >= 4 * sizeof(__m256i); i += 4 * sizeof(__m256i)) {
		__m256i *at = (__m256i *)(void *)(p + i);
		__m256i a = _mm256_xor_si256(_mm256_loadu_si256(at), k);
		__m256i b = _mm256_xor_si256(_mm256_loadu_si256(at + 1), k);
		__m256i c = _mm256_xor_si256(_mm256_loadu_si256(at + 2), k);
		__m256i d = _mm256_xor_si256(_mm256_loadu_si256(at + 3), k);

		_mm256_storeu_si256(at, a);
		_mm256_storeu_si256(at + 1, b);
		_mm256_storeu_si256(at + 2, c);
		_mm256_storeu_si256(at + 3, d);
		seen = _mm256_or_si256(seen, _mm256_or_si256(_mm256_or_si256(a, b),
		    _mm256_or_si256(c, d)));
	}
	if (_mm256_movemask_epi8(seen) != 0)
		*bits |= TOP_BITS;
	return i;
}
#endif

#ifdef __SSE2__
/* In steps of 64 bytes; how many were done. */
static size_t
mask_many(uint8_t *p, size_t len, uint64_t key, uint64_t *bits)
{
	const __m128i k = _mm_set1_epi64x((long long)key);
	__m128i seen = _mm_setzero_si128();
	size_t i = 0;

	for (; len - i >= 4 * sizeof(__m128i); i += 4 * sizeof(__m128i)) {
		__m128i *at = (__m128i *)(void *)(p + i);
		__m128i a = _mm_xor_si128(_mm_loadu_si128(at), k);
		__m128i b = _mm_xor_si128(_mm_loadu_si128(at + 1), k);
		__m128i c = _mm_xor_si128(_mm_loadu_si128(at + 2), k);
		__m128i d = _mm_xor_si128(_mm_loadu_si128(at + 3), k);

		_mm_storeu_si128(at, a);
		_mm_storeu_si128(at + 1, b);
		_mm_storeu_si128(at + 2, c);
		_mm_storeu_si128(at + 3, d);
		seen = _mm_or_si128(seen, _mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, d)));
	}
	if (_mm_movemask_epi8(seen) != 0)
		*bits |= TOP_BITS;
	return i;
}
#else
static size_t
mask_many(uint8_t *p, size_t len, uint64_t key, uint64_t *bits)
{
	(void)p, (void)len, (void)key, (void)bits;
	return 0;
}
#endif

bool
ws_mask(void *data, size_t len, const uint8_t mask[4], size_t at)
{
	uint8_t *p = data, turned[8];
	uint64_t key, eight, bits = 0;
	size_t i = 0;

	for (size_t k = 0; k < sizeof(turned); k++)
		turned[k] = mask[(at + k) & 3];
	memcpy(&key, turned, sizeof(key));
#ifdef FOR_AVX2
	if (len >= LONG_BYTES && HAS_AVX2())
		i = mask_long(p, len, key, &bits);
#endif
	i += mask_many(p + i, len - i, key, &bits);
	for (; len - i >= sizeof(eight); i += sizeof(eight)) {
		memcpy(&eight, p + i, sizeof(eight));
		eight ^= key;
		bits |= eight;
		memcpy(p + i, &eight, sizeof(eight));
	}
	for (; i < len; i++)
		bits |= p[i] ^= turned[i & 7];
	return (bits & TOP_BITS) == 0;
}

void
ws_encode_frame(struct buf *b, enum ws_opcode opcode, const void *data, size_t len,
    const uint8_t *mask)
{
	uint8_t head[WS_HEAD_MAX];
	size_t start;

	buf_reserve(b, WS_HEAD_MAX + len);
	buf_add(b, head, ws_encode_head(head, opcode, len, mask));
	start = b->len;
	buf_add(b, data, len);
	if (mask != NULL)
		ws_mask(b->data + start, len, mask, 0);
}

/* How much of a reason fits into a close frame without cutting a character in two. */
static size_t
reason_len(const char *reason)
{
	size_t len = strlen(reason);

	if (len <= CONTROL_MAX - 2)
		return len;
	len = CONTROL_MAX - 2;
	while (len > 0 && ((uint8_t)reason[len] & 0xc0) == 0x80)
		len--;
	return len;
}

void
ws_encode_close(struct buf *b, int code, const char *reason, const uint8_t *mask)
{
	uint8_t body[CONTROL_MAX];
	size_t len = 0;

	if (code != 0) {
		body[len++] = (uint8_t)(code >> 8);
		body[len++] = (uint8_t)code;
		if (reason != NULL) {
			size_t n = reason_len(reason);

			memcpy(body + len, reason, n);
			len += n;
		}
	}
	ws_encode_frame(b, WS_CLOSE, body, len, mask);
}
