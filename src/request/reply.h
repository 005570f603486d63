/* SPDX-License-Identifier: ISC */
/*
 * A reply on its way from a destination to an origin: an intermediate or the final.
 *
 * It points into the text it came in (a line of a worker, an event of a link), so
 * that the origin can copy every byte that is not ours.  Valid during the call.
 */
#ifndef REQUEST_REPLY_H
#define REQUEST_REPLY_H

#include <stdbool.h>

#include "base/err.h"
#include "codec/json_scan.h"

struct reply {
	enum err err;			/* made by this node; 0: by a handler or a remote node */
	bool is_final;
	bool is_error;			/* a final that carries an error: no token belongs in it */
	bool is_local;			/* from a handler of this node */
	const char *text;		/* what the offsets below are into */
	const struct json_object *top;	/* the whole reply as a remote node sent it, noted with
					 * envelope_names; NULL: only type and message count */
	struct json_value type;		/* JSON_NONE: that of the request */
	struct json_value message;	/* JSON_NONE: {} */
	const struct json_object *body;	/* members of message, noted with envelope_names; NULL:
					 * message is no object */
	const char *token;		/* fresh token to put into message, plain text; NULL: none */
	size_t token_len;
};

#endif
