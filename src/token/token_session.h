/* SPDX-License-Identifier: ISC */
/*
 * The session of a token as handlers of an application see it, kept with the token: nearly every
 * message of a client shows the token of the one before, and need not be decrypted again.
 *
 * It holds secrets of users in the clear and is wiped when it goes: with its token, or when
 * token_cache forgets that, whoever holds it yet.
 */
#ifndef TOKEN_TOKEN_SESSION_H
#define TOKEN_TOKEN_SESSION_H

#include "token/token.h"

/* One block, its texts behind it. */
struct token_session {
	size_t bytes;			/* of the block */
	const char *application;	/* that sees it; NUL-terminated */
	const char *session;		/* a JSON object */
	size_t session_len;
	const char *secret;		/* a JSON array of names */
	size_t secret_len;
};

/* As claims_session() gives it. */
struct token_session	*token_session_new(struct jwt_ring *, const struct token *,
			    const char *application);
void			 token_session_free(struct token_session *);	/* NULL is fine */

#endif
