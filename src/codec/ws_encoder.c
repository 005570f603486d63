/* SPDX-License-Identifier: ISC */
/*
 * WebSocket frames out: always final, the length in its shortest form.
 */
#include "codec/ws_encoder.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#ifdef FOR_AVX2
#include <immintrin.h>
#elif defined(FOR_SSE2)
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
	size_t n = 2;

	assert(opcode < WS_CLOSE || len <= CONTROL_MAX);
	head[0] = (uint8_t)(FIN | opcode);
	if (len < LENGTH_16) {
		head[1] = (uint8_t)len;
	} else if (len <= UINT16_MAX) {
		head[1] = LENGTH_16;
		head[2] = (uint8_t)(len >> 8);
		head[3] = (uint8_t)len;
		n = 4;
	} else {
		head[1] = LENGTH_64;
		len = htobe64(len);
		memcpy(head + 2, &len, sizeof(len));
		n = 10;
	}
	if (mask != NULL) {
		head[1] |= MASKED;
		memcpy(head + n, mask, 4);
		n += 4;
	}
	return n;
}

/*
 * Masking, by vectors as long as the processor has.  What is left behind the last whole step is
 * not masked byte by byte: with the bytes before it, it is one more vector, which is read before
 * they are changed and written after them.  Each gives what bits there are in all that came out.
 */

/* The key for what is n bytes further on. */
static inline uint64_t
turn(uint64_t key, size_t n)
{
	unsigned bits = 8 * (n & 3);

#if __BYTE_ORDER == __LITTLE_ENDIAN
	return key >> bits | key << (-bits & 63);
#else
	return key << bits | key >> (-bits & 63);
#endif
}

#ifdef FOR_AVX2
/* At least 32 bytes. */
static FOR_AVX2 bool
mask_with_avx2(uint8_t *p, size_t len, uint64_t key)
{
	const __m256i k = _mm256_set1_epi64x((long long)key);
	__m256i *last = (__m256i *)(void *)(p + len - sizeof(__m256i));
	__m256i end = _mm256_xor_si256(_mm256_loadu_si256(last),
	    _mm256_set1_epi64x((long long)turn(key, len)));
	__m256i seen = end;

	for (; len >= 4 * sizeof(__m256i); p += 4 * sizeof(__m256i), len -= 4 * sizeof(__m256i)) {
		__m256i *at = (__m256i *)(void *)p;
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
	for (; len >= sizeof(__m256i); p += sizeof(__m256i), len -= sizeof(__m256i)) {
		__m256i *at = (__m256i *)(void *)p;
		__m256i a = _mm256_xor_si256(_mm256_loadu_si256(at), k);

		_mm256_storeu_si256(at, a);
		seen = _mm256_or_si256(seen, a);
	}
	_mm256_storeu_si256(last, end);
	return _mm256_movemask_epi8(seen) == 0;
}
#endif

#ifdef FOR_SSE2
/* At least 16 bytes. */
static bool
mask_with_sse2(uint8_t *p, size_t len, uint64_t key)
{
	const __m128i k = _mm_set1_epi64x((long long)key);
	__m128i *last = (__m128i *)(void *)(p + len - sizeof(__m128i));
	__m128i end = _mm_xor_si128(_mm_loadu_si128(last),
	    _mm_set1_epi64x((long long)turn(key, len)));
	__m128i seen = end;

	for (; len >= 2 * sizeof(__m128i); p += 2 * sizeof(__m128i), len -= 2 * sizeof(__m128i)) {
		__m128i *at = (__m128i *)(void *)p;
		__m128i a = _mm_xor_si128(_mm_loadu_si128(at), k);
		__m128i b = _mm_xor_si128(_mm_loadu_si128(at + 1), k);

		_mm_storeu_si128(at, a);
		_mm_storeu_si128(at + 1, b);
		seen = _mm_or_si128(seen, _mm_or_si128(a, b));
	}
	if (len >= sizeof(__m128i)) {
		__m128i *at = (__m128i *)(void *)p;
		__m128i a = _mm_xor_si128(_mm_loadu_si128(at), k);

		_mm_storeu_si128(at, a);
		seen = _mm_or_si128(seen, a);
	}
	_mm_storeu_si128(last, end);
	return _mm_movemask_epi8(seen) == 0;
}
#endif

/* At least 8 bytes. */
static bool
mask_with_words(uint8_t *p, size_t len, uint64_t key)
{
	uint8_t *last = p + len - sizeof(uint64_t);
	uint64_t w, end, seen;

	memcpy(&end, last, sizeof(end));
	seen = end ^= turn(key, len);
	for (; len >= sizeof(w); p += sizeof(w), len -= sizeof(w)) {
		memcpy(&w, p, sizeof(w));
		seen |= w ^= key;
		memcpy(p, &w, sizeof(w));
	}
	memcpy(last, &end, sizeof(end));
	return (seen & TOP_BITS) == 0;
}

static bool
mask_bytes(uint8_t *p, size_t len, const uint8_t mask[4], size_t at)
{
	uint8_t seen = 0;

	for (size_t i = 0; i < len; i++)
		seen |= p[i] ^= mask[(at + i) & 3];
	return seen < 0x80;
}

bool
ws_mask(void *data, size_t len, const uint8_t mask[4], size_t at)
{
	uint32_t half;
	uint64_t key;

	if (len < sizeof(key))
		return mask_bytes(data, len, mask, at);
	memcpy(&half, mask, sizeof(half));
	key = turn((uint64_t)half << 32 | half, at);
#ifdef FOR_AVX2
	if (len >= sizeof(__m256i) && HAS_AVX2())
		return mask_with_avx2(data, len, key);
#endif
#ifdef FOR_SSE2
	if (len >= sizeof(__m128i))
		return mask_with_sse2(data, len, key);
#endif
	return mask_with_words(data, len, key);
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
