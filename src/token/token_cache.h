/* SPDX-License-Identifier: ISC */
/*
 * Tokens that were verified lately, with their rewritten forms: at most
 * TOKEN_CACHE_ENTRIES and TOKEN_CACHE_BYTES, the one not used for longest going first.
 *
 * Bytes are all that a token takes, its forms and its session included; a token keeps the
 * TOKEN_FORMS_MAX forms that were used last.  What goes has no memory but that of those who hold it
 * yet.  exp and nbf are checked on every hit.  The table is seeded, so that nobody can choose
 * tokens that collide.  All tokens have to be given back before their cache goes.
 */
#ifndef TOKEN_TOKEN_CACHE_H
#define TOKEN_TOKEN_CACHE_H

#include "token/revoked.h"
#include "token/token.h"

#define TOKEN_CACHE_ENTRIES 4096
#define TOKEN_CACHE_BYTES   4000000
#define TOKEN_FORMS_MAX	    8

struct outside;
struct token_cache;
struct token_session;

/* The ring is borrowed and must outlive the cache. */
struct token_cache	*token_cache_new(struct jwt_ring *);
void			 token_cache_free(struct token_cache *);
struct jwt_ring		*token_cache_ring(struct token_cache *);
void			 token_cache_clear(struct token_cache *);
/*
 * Its ring has these secrets from now on (jwt_ring_set), and tokens of others are refused, wherever
 * they were seen before: of what is remembered it is not asked again whether its secret is there.
 */
void			 token_cache_set_secrets(struct token_cache *, const struct jwt_secret *,
			    size_t n);
/* The tokens that have expired go, with their sessions; its spares do (spares_trim). */
void			 token_cache_remove_expired(struct token_cache *, int64_t now_ms);
void			 token_cache_trim(struct token_cache *);
/*
 * Revoked sessions, borrowed, and the claim that names a user (NULL: none does); copied.  Without
 * them nothing is revoked.
 */
void			 token_cache_set_revoked(struct token_cache *, const struct revoked *,
			    const char *user_claim);
/* Who else signs tokens; takes it.  NULL: nobody does. */
void			 token_cache_set_outside(struct token_cache *, struct outside *);
bool			 token_cache_has_outside(const struct token_cache *);

/* What revoked_has() wants to know of a token; gives what is in the mark. */
void			 token_cache_mark(struct token_cache *, const struct token *,
			    struct revoked_mark *);
bool			 token_cache_is_revoked(struct token_cache *, struct token *);
size_t			 token_cache_count(const struct token_cache *);
size_t			 token_cache_bytes(const struct token_cache *);

/*
 * Is this a token of ours, or of an issuer with an application, valid now?  Then *t is a session of
 * ours in place of the latter, which lives for a few minutes and is made anew, as long as theirs is
 * good.  now_ms is wall-clock time.  On JWT_OK *t is a new reference.  A refused token is not
 * remembered.
 */
MUST_USE enum jwt_fault	 token_check(struct token_cache *, const char *text, size_t len,
			    int64_t now_ms, struct token **t);

/*
 * The same for a client that has shown one before: *place is what this said of that one, or 0.
 * Most show the same again, which is there then, and found with less effort; what else is there
 * does no harm.
 */
MUST_USE enum jwt_fault	 token_check_at(struct token_cache *, const char *text, size_t len,
			    int64_t now_ms, uint16_t *place, struct token **t);
/* That client will show it soon: it comes from memory while others work. */
void			 token_expect(const struct token_cache *, uint16_t place);

/* The same for a token that will not be shown again: it is neither looked for nor remembered. */
MUST_USE enum jwt_fault	 token_check_once(struct token_cache *, const char *text, size_t len,
			    int64_t now_ms, struct token **t);

/*
 * The same for a session that another event loop has for an outside token (is_outside), which was
 * issued at iat_s.
 */
MUST_USE enum jwt_fault	 token_check_outside(struct token_cache *, const char *text, size_t len,
			    int64_t iat_s, int64_t now_ms, struct token **t);

/*
 * The session as handlers of this application see it, decrypted when they first do, and kept with
 * t.  Borrowed from t until the cache is used again, which may forget t.
 */
const struct token_session *token_session_for(struct token_cache *, struct token *t,
			    const char *application);

#endif
