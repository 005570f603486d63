/* SPDX-License-Identifier: ISC */
/*
 * A verified token: what the rest of the program knows of a session.
 *
 * What it says never changes.  What token_cache keeps with it does, and is not to be held: its
 * forms, its session, where the table has it.  Objects are shared by counting references; they live
 * on one loop and are found again through token_cache.  Each is one block of memory, with its texts
 * behind it: where each reply has a token of its own, many are made and freed.
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

struct token;

/* Where the table of token_cache.c has it, or a form of it. */
struct token_link {
	struct token_link *next;	/* of its bucket */
	struct token *token;		/* NULL, of a form: it is in no table */
	uint64_t hash;
};

struct token {
	/* First what is looked at when it is shown again. */
	struct token_link own_link;
	unsigned refs;
	unsigned key;			/* index in the ring of the secret that verified it */
	char *text;			/* the token itself; NUL-terminated */
	size_t len;			/* JWT_MAX_BYTES at most */
	char *stands_for;		/* the outside token that finds it, without a NUL; owned;
					 * NULL: none does */
	int64_t nbf_ms;			/* INT64_MIN: absent, null or 0 */
	int64_t exp_ms;			/* INT64_MAX: never (absent, null as stock writes it for a
					 * session without timeout, or 0) */
	uint64_t cleared;		/* revoked_generation() by which it was not revoked */
	char *application;		/* the claim; "" if absent or no string; NUL-terminated */
	size_t application_len;		/* may hold NULs */
	struct token_form *forms;	/* for other applications, at most a few, the one used last
					 * first; the twin is in the block, others are owned */
	uint16_t place;			/* in the table */
	uint16_t life_s;		/* of one that stands for another: it had so long to live */
	bool is_known;			/* it is in the table */
	bool is_superseded;		/* it is there, and was not used since then */
	bool is_outside;		/* it stands for one of theirs */

	struct token_form *twin;	/* what it was rewritten from; NULL: nothing */
	struct token_session *session;	/* as a handler saw it last; owned; NULL: none did */
	struct token_home *home;	/* of its cache, where its block comes from */
	size_t bytes;			/* of the block */
	size_t charged;			/* bytes that the table counts for it */
	size_t stands_for_len;
	char *payload;			/* its claims, a JSON object; NUL-terminated */
	size_t payload_len;
	char *jti;			/* NUL-terminated; NULL: has none, or it holds NULs, or is
					 * no string */
	int64_t iat_s;			/* of the outside token it stands for, if any;
					 * INT64_MIN: absent, or no number */
	struct json_object claims;	/* noted in payload with claim_names; the block has room for
					 * these alone */
};

struct token	*token_ref(struct token *);
void		 token_unref(struct token *);	/* NULL is fine */

#endif
