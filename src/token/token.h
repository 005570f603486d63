/* SPDX-License-Identifier: ISC */
/*
 * A verified token: what the rest of the program knows of a session.
 *
 * Objects are read-only and shared by counting references; they live on one loop
 * and are found again through token_cache.  Each is one block of memory, with its texts behind
 * it: where each reply has a token of its own, many are made and freed.
 */
#ifndef TOKEN_TOKEN_H
#define TOKEN_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/json_scan.h"
#include "token/jwt.h"

/* The claims we read or write. */
enum claim_name {
	CLAIM_EXP,
	CLAIM_IAT,
	CLAIM_ISS,
	CLAIM_APPLICATION,
	CLAIM_TIMEOUT,
	CLAIM_QEWD,
	CLAIM_NBF,
	CLAIM_JTI,
	CLAIM_N
};
extern const struct json_names claim_names;

struct token {
	unsigned refs;
	char *text;			/* the token itself, NUL-terminated, as are the next ones */
	size_t len;			/* JWT_MAX_BYTES at most */
	char *payload;			/* its claims, a JSON object */
	size_t payload_len;
	unsigned key;			/* index in the ring of the secret that verified it */
	char *application;		/* the claim; "" if absent or no string */
	size_t application_len;		/* may hold NULs */
	char *jti;			/* NULL: has none, or it is no string without NULs */
	int64_t exp_ms;			/* INT64_MAX: never (absent, null as stock writes it for a
					 * session without timeout, or 0) */
	int64_t nbf_ms;			/* INT64_MIN: absent, null or 0 */
	int64_t iat_s;			/* of the outside token it stands for, if any;
					 * INT64_MIN: absent, or no number */
	bool is_outside;		/* it stands for one of theirs */
	uint64_t cleared;		/* revoked_generation() by which it was not revoked */
	struct token_form *forms;	/* rewritten for other applications; owned, at most a few */
	struct token_session *session;	/* as a handler saw it last; owned; NULL: none did */
	struct entry *entry;		/* of token_cache, for it alone; NULL: it is not there */
	struct json_object claims;	/* noted in payload with claim_names; the block has room for
					 * these alone */
};

struct token	*token_ref(struct token *);
void		 token_unref(struct token *);	/* NULL is fine */

#endif
