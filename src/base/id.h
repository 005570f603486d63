/* SPDX-License-Identifier: ISC */
/*
 * Random bytes, and names that nobody can guess.
 */
#ifndef BASE_ID_H
#define BASE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/siphash.h"

#define ID_SID_LEN   20	/* Engine.IO session ids: 120 random bits */

void	id_random(void *, size_t);
/* Four of them; as their number is constant, two moves.  Each frame of a client takes a mask. */
void	id_mask(uint8_t mask[4]);
void	id_sid(char sid[ID_SID_LEN + 1]);		/* letters of base64url */

/* A node whose sessions are kept in n parts (its event loops), 4096 at most; the key is random. */
struct id_parts {
	unsigned n;
	struct siphash_key key;
};

/*
 * The same for a session of this part, which the id tells.  84 of its bits are random, and 24 say
 * by the key that it is ours.
 */
void	id_sid_in(char sid[ID_SID_LEN + 1], const struct id_parts *, unsigned part);
/* false: it is none that id_sid_in() has made with this key. */
bool	id_sid_part(const char *sid, const struct id_parts *, unsigned *part);

void	id_hex(char *hex, size_t n_bytes);		/* 2 * n_bytes digits and a NUL */

#endif
