/* SPDX-License-Identifier: ISC */
/*
 * Random bytes, and names that nobody can guess.
 */
#ifndef BASE_ID_H
#define BASE_ID_H

#include <stddef.h>
#include <stdint.h>

#define ID_SID_LEN   20	/* Engine.IO session ids: 120 random bits */
#define ID_PARTS_MAX 256	/* of what has the sessions of a node; they cost 8 of the bits */

void	id_random(void *, size_t);
void	id_sid(char sid[ID_SID_LEN + 1]);		/* letters of base64url */
/* The same of one that is kept in this part of n (an event loop), and where it is kept. */
void	id_sid_in(char sid[ID_SID_LEN + 1], unsigned part, unsigned n);
unsigned id_sid_part(const char *sid, unsigned n);	/* of a foreign one any */
void	id_hex(char *hex, size_t n_bytes);		/* 2 * n_bytes digits and a NUL */

#endif
