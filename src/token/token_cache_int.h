/* SPDX-License-Identifier: ISC */
/*
 * What token_cache.c shares with token_form.c, token_reply.c and token_exchange.c.  Not for other
 * files.
 */
#ifndef TOKEN_TOKEN_CACHE_INT_H
#define TOKEN_TOKEN_CACHE_INT_H

#include "base/buf.h"
#include "token/token_cache.h"
#include "token/token_int.h"
#include "token/token_table.h"

struct token_cache {
	struct jwt_ring *ring;		/* borrowed */
	const struct revoked *revoked;	/* borrowed; NULL: nothing is */
	struct outside *outside;	/* owned; NULL: nobody else signs tokens */
	char *user_claim;		/* NULL: users have no names; owned */
	bool has_odd_user;		/* that is the application, which is rewritten */
	struct token_table *table;
	struct token_home home;		/* of tokens; its spares are owned */
	struct buf payload, renamed, text;	/* of a token that is being made */
};

/* token_cache.c */

/* The texts of tokens that were being made, which are large here and there. */
void			 token_cache_drop_rooms(struct token_cache *);

/* A token that takes more than it did. */
void			 token_cache_charge(struct token_cache *, struct token *);

/* Verifies a token of ours; its time is not checked.  On JWT_OK *t is the only reference. */
MUST_USE enum jwt_fault	 token_cache_verify(struct token_cache *, const char *text, size_t len,
			    struct token **t);

/*
 * A token that is remembered: only its time or the operator can have made it invalid, and then it
 * is forgotten.  On JWT_OK *out is a new reference.
 */
MUST_USE enum jwt_fault	 token_cache_check_again(struct token_cache *, struct token *,
			    int64_t now_ms, struct token **out);

/* The same for one that is not; takes it. */
MUST_USE enum jwt_fault	 token_cache_check_new(struct token_cache *, struct token *,
			    int64_t now_ms, struct token **out);

/*
 * Gives t, which it takes, or what is known of the same text: that stays, with its forms and its
 * session, and gets the form that t has.
 */
struct token		*token_cache_remember(struct token_cache *, struct token *);

/* token_form.c */

/* The form for this name, which then is the first of the list; NULL: there is none. */
struct token_form	*token_form_find(struct token *, const char *name, size_t n);

/* A text that is a form of the token as well; copied. */
void			 token_form_keep(struct token_cache *, struct token *,
			    const struct token_form *like);

/* token_exchange.c */

/* A session for a token of theirs that was sent as if it were ours; it is not checked yet. */
MUST_USE enum jwt_fault	 token_exchange_shown(struct token_cache *, const char *text, size_t len,
			    int64_t now_ms, struct token **t);

#endif
