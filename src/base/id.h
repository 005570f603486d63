/* SPDX-License-Identifier: ISC */
/*
 * Random bytes, and names that nobody can guess.
 */
#ifndef BASE_ID_H
#define BASE_ID_H

#include <stddef.h>
#include <stdint.h>

#define ID_SID_LEN 20	/* Engine.IO session ids: 120 random bits */

void	id_random(void *, size_t);
void	id_sid(char sid[ID_SID_LEN + 1]);		/* letters of base64url */
void	id_hex(char *hex, size_t n_bytes);		/* 2 * n_bytes digits and a NUL */

#endif
