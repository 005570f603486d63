/* SPDX-License-Identifier: ISC */
/*
 * Sessions of ours for tokens that others sign (outside.h).
 */
#ifndef TOKEN_TOKEN_EXCHANGE_H
#define TOKEN_TOKEN_EXCHANGE_H

#include "token/token.h"

struct claims_new;
struct token_cache;

/*
 * A token of ours for one of theirs, which is checked; new says all but the outside, and lifetime_s
 * at most.  JWT_ALGORITHM: it is none of theirs.  JWT_REVOKED: the session would be, had it begun
 * when theirs was issued.
 */
MUST_USE enum jwt_fault	 token_exchange(struct token_cache *, const char *text, size_t len,
			    const struct claims_new *, struct buf *token);

#endif
