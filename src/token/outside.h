/* SPDX-License-Identifier: ISC */
/*
 * Tokens that others have signed (jwt.issuers), and what of them goes into a session of ours.
 */
#ifndef TOKEN_OUTSIDE_H
#define TOKEN_OUTSIDE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "token/jwt.h"

#define OUTSIDE_JTI_MAX 24

struct conf_issuer;
struct conf_jwt;
struct outside;

/* A token that verified. */
struct outside_session {
	const struct conf_issuer *issuer;
	struct buf claims;		/* members of JSON, each behind a comma; owned */
	int64_t exp_s;			/* when it ends */
	int64_t iat_s;			/* it was issued; INT64_MIN: it does not say */
	char jti[OUTSIDE_JTI_MAX];	/* of our session; the same for the same signed text */
};

/* Borrows the configuration, whose keys have been checked.  NULL: it names no issuer. */
struct outside	*outside_new(const struct conf_jwt *);
void		 outside_free(struct outside *);	/* NULL is fine */

/*
 * Checks form, issuer, key, signature, audience and time, in this order.  JWT_ALGORITHM: it is
 * of nobody that we know.  On JWT_OK the session is given, to be freed with outside_cleanup().
 */
MUST_USE enum jwt_fault	 outside_verify(const struct outside *, const char *token, size_t len,
			    int64_t now_ms, struct outside_session *);
void			 outside_cleanup(struct outside_session *);

#endif
