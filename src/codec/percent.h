/* SPDX-License-Identifier: ISC */
/*
 * Percent-encoding (RFC 3986 section 2.1).
 */
#ifndef CODEC_PERCENT_H
#define CODEC_PERCENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/compiler.h"

/*
 * Appends the decoded bytes; false, and nothing appended, where a '%' is not followed by
 * two digits or the result is no UTF-8.
 */
MUST_USE bool	percent_decode(struct buf *, const char *text, size_t len);

/* Appends the bytes, whatever they are: as in forms, a '+' is a blank, a stray '%' is itself. */
void		percent_decode_form(struct buf *, const char *text, size_t len);

#endif
