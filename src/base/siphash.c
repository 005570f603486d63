/* SPDX-License-Identifier: ISC */
/*
 * SipHash (Aumasson and Bernstein, 2012) with one round a word and three at the
 * end, which is what hash tables use: nobody gets to see the result.
 */
#include "base/siphash.h"

#include <endian.h>
#include <string.h>

struct state {
	uint64_t v[4];
};

static uint64_t
rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void
sip_round(struct state *s)
{
	s->v[0] += s->v[1];
	s->v[2] += s->v[3];
	s->v[1] = rotate(s->v[1], 13) ^ s->v[0];
	s->v[3] = rotate(s->v[3], 16) ^ s->v[2];
	s->v[0] = rotate(s->v[0], 32);
	s->v[2] += s->v[1];
	s->v[0] += s->v[3];
	s->v[1] = rotate(s->v[1], 17) ^ s->v[2];
	s->v[3] = rotate(s->v[3], 21) ^ s->v[0];
	s->v[2] = rotate(s->v[2], 32);
}

static inline void
add_word(struct state *s, uint64_t word)
{
	s->v[3] ^= word;
	sip_round(s);
	s->v[0] ^= word;
}

/* Up to seven bytes, the first the lowest. */
static inline uint64_t
tail_of(const unsigned char *p, size_t len)
{
	uint32_t low, high;
	uint64_t word = 0;

	if (len >= 4) {		/* two words that overlap */
		memcpy(&low, p, sizeof(low));
		memcpy(&high, p + len - 4, sizeof(high));
		return le32toh(low) | (uint64_t)le32toh(high) << (8 * (len - 4));
	}
	for (size_t i = 0; i < len; i++)
		word |= (uint64_t)p[i] << (8 * i);
	return word;
}

uint64_t
siphash(const struct siphash_key *key, const void *data, size_t len)
{
	struct state s = { {			/* "somepseudorandomlygeneratedbytes" */
		key->k[0] ^ UINT64_C(0x736f6d6570736575),
		key->k[1] ^ UINT64_C(0x646f72616e646f6d),
		key->k[0] ^ UINT64_C(0x6c7967656e657261),
		key->k[1] ^ UINT64_C(0x7465646279746573),
	} };
	const unsigned char *p = data;
	uint64_t word, last = (uint64_t)len << 56;

	for (; len >= sizeof(word); p += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		add_word(&s, le64toh(word));
	}
	add_word(&s, last | tail_of(p, len));

	s.v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(&s);
	return s.v[0] ^ s.v[1] ^ s.v[2] ^ s.v[3];
}
