/* SPDX-License-Identifier: ISC */
/*
 * Base64 (RFC 4648): the standard alphabet with padding, and base64url without.
 */
#ifndef CODEC_BASE64_H
#define CODEC_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

void	base64_encode(struct buf *, const void *, size_t);
void	base64url_encode(struct buf *, const void *, size_t);

/*
 * Strict: no white space, no padding, no foreign letter, unused bits zero.  false,
 * and nothing appended, if it is not the one encoding of some bytes.
 */
bool	base64url_decode(struct buf *, const char *, size_t);

#endif
