/* SPDX-License-Identifier: ISC */
/*
 * SipHash-1-3: a hash under a secret key, so that whoever chooses the keys of a
 * table cannot choose which of them collide.
 */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
	uint64_t k[2];		/* random, one key a table */
};

uint64_t	siphash(const struct siphash_key *, const void *, size_t);

#endif
