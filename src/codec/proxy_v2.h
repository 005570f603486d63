/* SPDX-License-Identifier: ISC */
/*
 * The binary header of the PROXY protocol, version 2: what a balancer says about its client
 * before the first byte of a connection.
 */
#ifndef CODEC_PROXY_V2_H
#define CODEC_PROXY_V2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

#define PROXY_V2_FIXED	16	/* bytes that every header begins with */
#define PROXY_V2_SIGN	12	/* of these, always the same: no other protocol begins so */
#define PROXY_V2_MAX	4096	/* a longer header is refused; usual are 28 to 600 bytes */

extern const uint8_t proxy_v2_sign[PROXY_V2_SIGN];

enum proxy_v2_state {
	PROXY_V2_MORE,		/* so far it is one; need is set */
	PROXY_V2_BAD,		/* fault says why */
	PROXY_V2_WHOLE,
};

struct proxy_v2 {
	size_t need;		/* bytes of the header, as far as is known; PROXY_V2_FIXED at first */
	const char *fault;	/* static text */
	bool has_address;	/* false: the balancer speaks for itself, or does not know */
	char address[ADDRESS_TEXT_MAX];
	uint16_t port;
	bool is_tls;		/* it says that its client came over TLS */
};

/* Looks at the first n bytes of a connection.  PROXY_V2_WHOLE: n >= need, which is its length. */
enum proxy_v2_state	proxy_v2_decode(const uint8_t *, size_t n, struct proxy_v2 *);

#endif
