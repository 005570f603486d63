/* SPDX-License-Identifier: ISC */
/*
 * Is it UTF-8 (RFC 3629)?  In one go, or in pieces cut anywhere.
 */
#ifndef CODEC_UTF8_H
#define CODEC_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialised at the start of a text. */
struct utf8_state {
	uint8_t need;		/* continuation bytes still due */
	uint8_t low, high;	/* what the next of them may be */
};

/* Feeds a piece; false as soon as no continuation could make it valid. */
bool	utf8_feed(struct utf8_state *, const void *, size_t);

/* Does the text end here, or in the middle of a character? */
static inline bool
utf8_is_complete(const struct utf8_state *u)
{
	return u->need == 0;
}

/* A whole text. */
bool	utf8_is_valid(const void *, size_t);

/* How many of the bytes at the start are characters that are not ASCII, all of them whole? */
size_t	utf8_run(const void *, size_t);

#endif
