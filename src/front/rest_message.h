/* SPDX-License-Identifier: ISC */
/*
 * An HTTP request as the message that handlers get (protocol reference section 12.2).
 *
 * The body's JSON stands in it byte for byte.
 */
#ifndef FRONT_REST_MESSAGE_H
#define FRONT_REST_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "codec/http_parse.h"

struct rest_match;

enum rest_body { REST_BODY_NONE, REST_BODY_JSON, REST_BODY_FORM, REST_BODY_OTHER };

/* What a message is made of; all is borrowed. */
struct rest_source {
	const struct http_head *head;
	const struct rest_match *match;	/* of kind REST_ROUTE or REST_LOCAL */
	const char *address;		/* the caller's, without port */
	enum rest_body body_kind;
	const char *body;		/* JSON: validated */
	size_t body_len;
};

/* What differs among the members of a group. */
struct rest_recipient {
	const char *application;
	const char *token;		/* as it is, NULL: none */
	size_t token_len;
	uint64_t id;			/* ms_requestId; 0: none */
};

/* By the Content-Type of the request; NONE if it has no body. */
enum rest_body	 rest_body_kind(const struct http_head *);

/*
 * Appends the message, a JSON object.  false, and nothing appended, if a part of the path
 * cannot be decoded.
 */
MUST_USE bool	 rest_message_write(struct buf *, const struct rest_source *,
		    const struct rest_recipient *);

#endif
