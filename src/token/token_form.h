/* SPDX-License-Identifier: ISC */
/*
 * A token rewritten for other applications: its forms, which are kept with it.
 */
#ifndef TOKEN_TOKEN_FORM_H
#define TOKEN_TOKEN_FORM_H

#include "token/token.h"

struct token_cache;

/*
 * The same token for another application (protocol reference section 4.3): claim
 * "application" replaced, every other byte of the payload kept, signed with the
 * secret that verified it.  NUL-terminated, and borrowed from t until this is called for t again,
 * or a reply checked; t->text itself if the names are equal.
 */
const char		*token_for_application(struct token_cache *, struct token *t,
			    const char *application, size_t *len);

/* The same with a name of n bytes, such as the claim of another token, which may hold NULs. */
const char		*token_for_name(struct token_cache *, struct token *t, const char *name,
			    size_t n, size_t *len);

/*
 * That form as a token of its own, if t is good yet: *own is a new reference, perhaps to t.  It
 * began when t did, for an outside token or not, and is remembered if t is.
 */
MUST_USE enum jwt_fault	 token_check_for(struct token_cache *, struct token *t, const char *name,
			    size_t n, int64_t now_ms, struct token **own);

#endif
