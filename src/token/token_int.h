/* SPDX-License-Identifier: ISC */
/*
 * What the files of this folder share: how a token comes to be, and its forms.
 */
#ifndef TOKEN_TOKEN_INT_H
#define TOKEN_TOKEN_INT_H

#include "token/token.h"

/* A token rewritten for another application; one block, its texts behind it. */
struct token_form {
	struct token_form *next;
	char *application;	/* NUL-terminated; may hold NULs */
	size_t application_len;
	char *text;		/* NUL-terminated */
	size_t len;
};

/*
 * Verifies and reads a token; its time is not checked.  On JWT_OK *t is the only
 * reference.
 */
MUST_USE enum jwt_fault	 token_new(struct jwt_ring *, const char *text, size_t len,
			    struct token **t);

/* The same of a token whose signature is known to be right, and its payload. */
MUST_USE enum jwt_fault	 token_read(const char *text, size_t len, const char *payload,
			    size_t payload_len, unsigned key, struct token **t);

/* JWT_OK, JWT_NOT_YET or JWT_EXPIRED, in the order of the stock master. */
MUST_USE enum jwt_fault	 token_check_time(const struct token *, int64_t now_ms);

/* Bytes of its block. */
size_t			 token_bytes(const struct token *);

#endif
