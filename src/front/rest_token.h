/* SPDX-License-Identifier: ISC */
/*
 * Tokens of HTTP callers: the one they send, the one they are given for a request without
 * one, and what of a reply's they get to see.
 */
#ifndef FRONT_REST_TOKEN_H
#define FRONT_REST_TOKEN_H

#include <stdbool.h>

#include "codec/http_parse.h"

struct buf;
struct gate;
struct reply;
struct request;
struct token;

enum rest_bearer { REST_BEARER_NONE, REST_BEARER_GIVEN, REST_BEARER_TWICE };

/* "Authorization: Bearer TOKEN"; any other scheme is not for us.  Borrowed from the head. */
enum rest_bearer rest_token_find(const struct http_head *, struct http_text *token);

/*
 * A session of the caller's own for this application, which ends with the request unless a
 * handler keeps it.  Gives a reference, as the next one.
 */
struct token	*rest_token_new(const struct gate *, const char *application, const char *address);

/* The caller's session as this application knows it; NULL: it has just expired. */
struct token	*rest_token_for(const struct gate *, struct token *, const char *application);

/*
 * What the caller may have of a final's token, appended; nothing if that is none.  One that does
 * not verify goes no further.  Who came without a token (is_anonymous) gets none but for
 * a session that a handler has made somebody's: another would be of no use.  That is remembered
 * when it is first shown.
 */
void		 rest_token_of_reply(const struct gate *, const struct request *,
		    const struct reply *, bool is_anonymous, struct buf *);

#endif
