/* SPDX-License-Identifier: ISC */
/*
 * Public keys of those who sign tokens elsewhere: RSA (RS256) and P-256 (ES256), from PEM or from
 * a JSON Web Key Set (RFC 7517).
 *
 * The kind of a key says what it verifies, and nothing else: a token cannot choose.
 */
#ifndef CODEC_PUBLIC_KEY_H
#define CODEC_PUBLIC_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define PUBLIC_KEYS_MAX 64

enum public_key_alg { PUBLIC_KEY_RS256, PUBLIC_KEY_ES256 };

struct public_key {
	enum public_key_alg alg;
	char *kid;		/* its name among several; NULL: it has none */
	void *pkey;		/* OpenSSL's */
};

struct public_keys {
	struct public_key key[PUBLIC_KEYS_MAX];
	size_t n;
};

/*
 * Reads a text: one or more public keys or certificates in PEM form, or a key set, of which keys
 * that are for other uses or algorithms are passed over.  NULL, or what is wrong, in static text;
 * there is at least one key then.
 */
MUST_USE const char	*public_keys_read(struct public_keys *, const char *text, size_t len);
void			 public_keys_cleanup(struct public_keys *);

/* "RS256", "ES256" */
const char		*public_key_alg_name(enum public_key_alg);

/* Is this the signature of data?  Any number of threads may ask. */
bool			 public_key_verify(const struct public_key *, const void *data, size_t len,
			    const uint8_t *signature, size_t signature_len);

#endif
