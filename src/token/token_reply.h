/* SPDX-License-Identifier: ISC */
/*
 * Tokens that clients are given: those of replies, and those that are issued here.
 */
#ifndef TOKEN_TOKEN_REPLY_H
#define TOKEN_TOKEN_REPLY_H

#include "token/token.h"

struct claims_update;
struct token_cache;

/*
 * The token of a reply, checked as by token_check(): *t is what the client gets whose own token is
 * own.  If the application is another than own's, that is rewritten as by token_for_name(); the
 * client will send it back, and then it is known already, with its form for the application that
 * it came with.  JWT_SEGMENTS as well: it would be longer than JWT_MAX_BYTES, and refused then.
 */
MUST_USE enum jwt_fault	 token_check_reply(struct token_cache *, const char *text, size_t len,
			    const struct token *own, int64_t now_ms, struct token **t,
			    bool *is_rewritten);

/*
 * claims_issue() into an empty buffer, and whoever showed t, which then counts as superseded, will
 * show what is there.  If t is remembered that is as well, in this cache, as if it had been shown
 * and verified already: it was signed here.
 */
void			 token_issue(struct token_cache *, struct token *t,
			    const struct claims_update *, struct buf *token);

/*
 * Whoever showed it has been given another.  It is remembered for a while yet, for longer if it is
 * used.
 */
void			 token_supersede(struct token_cache *, struct token *);

#endif
