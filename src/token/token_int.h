/* SPDX-License-Identifier: ISC */
/*
 * What the files of this folder share: how a token comes to be, and its forms.
 */
#ifndef TOKEN_TOKEN_INT_H
#define TOKEN_TOKEN_INT_H

#include "token/token.h"

struct spares;

/* Where the blocks of tokens come from and go to. */
struct token_home {
	struct spares *spares;
	size_t n_tokens;	/* that there are */
};

/*
 * A token rewritten for another application; one block, its texts behind it.  It is found by its
 * text as long as its token is in the table.
 */
struct token_form {
	struct token_link link;	/* the first member: token_table.c comes from there to the form */
	struct token_form *next;
	char *application;	/* NUL-terminated; may hold NULs */
	size_t application_len;
	char *text;		/* NUL-terminated */
	size_t len;
};

_Static_assert(sizeof(void *) > 8 || sizeof(struct token_form) <= 64, "most tokens have one");

/* Claims that were read, before there is a token of them. */
struct token_reading {
	struct json_object claims;
	const char *payload;		/* borrowed */
	size_t payload_len;
	unsigned key;
	const char *application, *jti;	/* unescaped, in the payload or in the rooms */
	size_t application_len, jti_len;	/* jti NULL: it has none that counts */
	struct buf application_room, jti_room;
	int64_t exp_ms, nbf_ms, iat_s;
};

/*
 * Verifies a token and reads it; its time is not checked.  Borrows the payload's room, which
 * begins anew.  On JWT_OK it is to be cleaned up.
 */
MUST_USE enum jwt_fault	 token_reading_verify(struct token_reading *, struct jwt_ring *,
			    const char *text, size_t len, struct buf *payload);
/* The same for one that was signed right now with the first secret, and needs no check of that. */
MUST_USE enum jwt_fault	 token_reading_own(struct token_reading *, const struct jwt_ring *,
			    const char *text, size_t len, struct buf *payload);
/* What a token says; borrows all of it. */
void			 token_reading_again(struct token_reading *, const struct token *);
void			 token_reading_cleanup(struct token_reading *);

/*
 * The same claims with another application, every other byte of the payload kept.  Borrows both,
 * and the room for the payload, which begins anew.
 */
void			 token_reading_rename(struct token_reading *,
			    const struct token_reading *from, const char *application, size_t n,
			    struct buf *payload);

/*
 * Their token, and the only reference to it; its block is of this home.  twin: the application
 * and the text that it was rewritten from; NULL: it was not, or that had no application.
 */
struct token		*token_of(struct token_home *, const struct token_reading *,
			    const char *text, size_t len, const struct token_form *twin);

/* JWT_OK, JWT_NOT_YET or JWT_EXPIRED, in the order of the stock master. */
MUST_USE enum jwt_fault	 token_check_time(const struct token *, int64_t now_ms);
MUST_USE enum jwt_fault	 token_reading_check_time(const struct token_reading *, int64_t now_ms);

/* What is looked at when it is shown again comes from memory while others work. */
void			 token_fetch(const struct token *);

/* Bytes of all that it has. */
size_t			 token_bytes(const struct token *);

#endif
