/* SPDX-License-Identifier: ISC */
/*
 * JSON Web Tokens (RFC 7519) as QEWD makes them: HS256 over a ring of shared
 * secrets, and the "qewd" claim encrypted under the same secrets.
 *
 * The first secret of the ring signs, all verify.  Each keyed HMAC context is
 * made once and kept, which is what makes a check cheap.  A secret keeps its number for as long as
 * the ring knows it, wherever it stands in the configuration.
 */
#ifndef TOKEN_JWT_H
#define TOKEN_JWT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"

#define JWT_MAX_BYTES 65536	/* a longer token is refused before it is hashed */
#define JWT_DEPTH_MAX 64	/* of a payload: objects and arrays inside one another */

/* Why a token is refused; texts in the words of the stock master, which clients match on. */
enum jwt_fault {
	JWT_OK,
	JWT_NO_TOKEN,		/* "Error: No token supplied": an empty string */
	JWT_NOT_STRING,		/* "TypeError: token.split is not a function" */
	JWT_SEGMENTS,		/* "Error: Not enough or too many segments" */
	JWT_BAD_JSON,		/* "SyntaxError: ...": a header or payload that is not JSON, or no
				 * object, or base64url that is none, or names twice what we read */
	JWT_ALGORITHM,		/* "Error: Algorithm not supported": anything but HS256 */
	JWT_SIGNATURE,		/* "Error: Signature verification failed" */
	JWT_BAD_TIME,		/* "Error: exp or nbf is not a number": ours alone, since comparing
				 * with one that is none would let the token live for ever */
	JWT_NOT_YET,		/* "Error: Token not yet active" */
	JWT_EXPIRED,		/* "Error: Token expired" */
	JWT_AUDIENCE,		/* "Error: Audience not expected": of jwt.issuers */
	JWT_REVOKED,		/* "Error: Session revoked": ours alone, by the operator */
	JWT_N
};

/* "Error: Token expired"; a client is told "Invalid JWT: " and this. */
const char	*jwt_fault_text(enum jwt_fault);
enum err	 jwt_fault_err(enum jwt_fault);		/* what such a client is told */

struct jwt_secret {
	const char *id;			/* for logs */
	const unsigned char *bytes;
	size_t len;
};

/* Belongs to one loop: its contexts are in use during each call. */
struct jwt_ring;

#define JWT_FIRST UINT_MAX	/* in place of a number: the first secret, which signs */

/*
 * Makes a keyed context of each secret, and keeps nothing else of them; at least
 * one, none empty.  jwt_ring_free() zeroes what was derived.
 */
struct jwt_ring	*jwt_ring_new(const struct jwt_secret *, size_t n);
void		 jwt_ring_free(struct jwt_ring *);
size_t		 jwt_ring_count(const struct jwt_ring *);

/*
 * From now on these are its secrets.  Numbers stay: those of secrets that are not among them are
 * good for the requests under way, but verify nothing any more, until jwt_ring_forget().  Where
 * tokens are remembered, by token_cache_set_secrets() alone.
 */
void		 jwt_ring_set(struct jwt_ring *, const struct jwt_secret *, size_t n);
bool		 jwt_has_usual_header(const char *token, size_t len);	/* that of jwt_sign() */
bool		 jwt_ring_has(const struct jwt_ring *, unsigned key);	/* it verifies tokens */
bool		 jwt_ring_is_first(const struct jwt_ring *, unsigned key);	/* and signs them */
unsigned	 jwt_ring_number(const struct jwt_ring *, size_t i);	/* of the i-th verifying */
/* Zeroes all that do not: nobody holds a token of theirs any more. */
void		 jwt_ring_forget(struct jwt_ring *);

/* Checks that found a token of this secret good, since the ring knows it; one more. */
uint64_t	 jwt_ring_checks(const struct jwt_ring *, unsigned key);
void		 jwt_ring_add_check(struct jwt_ring *, unsigned key);

/*
 * Checks form, algorithm and signature, not the time.  On JWT_OK the payload, a
 * JSON object, is appended to payload and *key is the index of the secret that
 * verified.  Signatures are compared in constant time.
 */
MUST_USE enum jwt_fault	jwt_verify(struct jwt_ring *, const char *token, size_t len,
			    struct buf *payload, unsigned *key);

/*
 * The two halves of it, for who reads the payload in between.  The first one checks the form and
 * appends the payload, or nothing on a fault; that may be no JSON yet.  fault: of the second one,
 * JWT_OK or JWT_ALGORITHM.
 */
struct jwt_parts {
	enum jwt_fault fault;
	size_t signed_len;		/* bytes of the token that are signed */
	const char *signature;
	size_t signature_len;
};
MUST_USE enum jwt_fault	jwt_unpack(const char *token, size_t len, struct buf *payload,
			    struct jwt_parts *);
MUST_USE enum jwt_fault	jwt_check_signature(struct jwt_ring *, const char *token,
			    const struct jwt_parts *, unsigned *key);

/*
 * Tokens are issued as of this time or later, even if it is not there yet: older ones are
 * revoked.  And when one is issued that is issued now.
 */
void		 jwt_issue_from(struct jwt_ring *, int64_t from_s);
int64_t		 jwt_issue_time(const struct jwt_ring *, int64_t now_s);

/* Appends a token of this payload, with QEWD's header, signed with secret number key. */
void		 jwt_sign(struct jwt_ring *, unsigned key, const char *payload, size_t len,
		    struct buf *token);

/* Zeroes all memory of a buffer and frees it: for what was decrypted or will be encrypted. */
void		 jwt_wipe(struct buf *);
void		 jwt_wipe_bytes(void *, size_t);	/* zeroes them */

/* The "qewd" claim: AES-256-CBC in hex (protocol reference section 7.1), secret number key. */
void		 jwt_encrypt(struct jwt_ring *, unsigned key, const char *plain, size_t len,
		    struct buf *hex);
/*
 * false, and nothing appended, if it is not such a text or its padding is wrong.  Memory
 * is reserved once, so that no copy of the plain text stays behind in freed memory.
 */
bool		 jwt_decrypt(struct jwt_ring *, unsigned key, const char *hex, size_t len,
		    struct buf *plain);

/* base64url(HMAC-SHA256(secret number key, data)): the proof of a link. */
void		 jwt_hmac(struct jwt_ring *, unsigned key, const void *data, size_t len,
		    struct buf *base64url);
/* Does the proof fit data under any secret of the ring?  In constant time for each secret. */
bool		 jwt_hmac_verify(struct jwt_ring *, const void *data, size_t len,
		    const char *proof, size_t proof_len);

#endif
