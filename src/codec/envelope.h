/* SPDX-License-Identifier: ISC */
/*
 * QEWD requests and replies: scanned without changing a byte, spliced where a
 * field is ours, built where the message is our own.
 *
 * Both are the one argument of a Socket.IO event "ewdjs":
 *	["ewdjs",{"type":"login","token":"...","params":{...}}]
 *	["ewdjs",{"type":"login","finished":true,"message":{...},"responseTime":"3ms"}]
 */
#ifndef CODEC_ENVELOPE_H
#define CODEC_ENVELOPE_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "codec/json_scan.h"

#define ENVELOPE_EVENT "ewdjs"

/* The names we read or write, in the top object and in "message". */
enum envelope_name {
	ENV_TYPE,
	ENV_TOKEN,
	ENV_JWT,
	ENV_APPLICATION,
	ENV_MS_REQUEST_ID,
	ENV_USHER,
	ENV_SERVICE,
	ENV_OF_REQUESTS,		/* what follows nobody looks at in a request */
	ENV_FINISHED = ENV_OF_REQUESTS,
	ENV_MESSAGE,
	ENV_ERROR,
	ENV_RESPONSE_TIME,
	ENV_N
};

/* The same as text: X(id, name) for each of them. */
#define ENVELOPE_NAMES(X)				\
	X(ENV_TYPE, "type")				\
	X(ENV_TOKEN, "token")				\
	X(ENV_JWT, "jwt")				\
	X(ENV_APPLICATION, "application")		\
	X(ENV_MS_REQUEST_ID, "ms_requestId")		\
	X(ENV_USHER, "usher")				\
	X(ENV_SERVICE, "service")			\
	X(ENV_FINISHED, "finished")			\
	X(ENV_MESSAGE, "message")			\
	X(ENV_ERROR, "error")				\
	X(ENV_RESPONSE_TIME, "responseTime")

extern const struct json_names envelope_names;

/* Bits of those that mean something in a reply. */
#define ENVELOPE_OF_REPLIES (((1U << ENV_N) - 1) & ~(1U << ENV_SERVICE))

/* Which of them is this one?  -1: none. */
int	envelope_find_name(const char *name, size_t len);

/* A scanned event.  Offsets are into text, which is borrowed. */
struct envelope {
	const char *text;
	size_t len;
	struct json_value event;	/* the event's name: JSON_STRING, or JSON_NUMBER */
	struct json_value arg;		/* first argument; JSON_NONE if there is none */
	struct json_value second;	/* an event's second argument; JSON_NONE if there is none */
	const char *fault;		/* after ERR_BAD_JSON or ERR_BAD_MESSAGE: why; static text */
	struct json_object top;		/* its members, if it is an object */
	struct json_object message;	/* members of its "message", if that is an object */
};

/* Bytes of the envelope of a request: its message, and what only replies have, nobody looks at. */
#define ENVELOPE_BYTES offsetof(struct envelope, top.member[ENV_OF_REQUESTS])

/*
 * Scans the array of a Socket.IO event: ["name", argument, ...].  Arguments
 * behind the second are validated and ignored.  Borrows text.
 * ERR_BAD_JSON: not JSON, deeper than depth_max, or not an array that begins with
 * a string or a number.  The array itself does not count as depth, so that an
 * argument passes or fails alike in an event and in an HTTP body.
 */
MUST_USE enum err	 envelope_scan_event(struct envelope *, const char *text, size_t len,
			    unsigned depth_max);

/* The same for a text that is the argument alone; event is then absent. */
MUST_USE enum err	 envelope_scan_object(struct envelope *, const char *text, size_t len,
			    unsigned depth_max);

/*
 * May it be served?  ERR_BAD_MESSAGE if a name that we read or write occurs
 * twice in the top object or (replies) in "message"; fault names it.
 */
MUST_USE enum err	 envelope_check_request(struct envelope *);
MUST_USE enum err	 envelope_check_reply(struct envelope *);

/*
 * The envelope of a request, of the same text wherever that is now.  It needs ENVELOPE_BYTES alone,
 * and has neither the members from ENV_OF_REQUESTS on nor those of its message.
 */
void	envelope_copy(struct envelope *, const struct envelope *from, const char *text);

/* The raw JSON text of a member of the top object or of message; NULL and 0 if absent. */
const char	*envelope_raw(const struct envelope *, const struct json_object *,
		    enum envelope_name, size_t *len);

#endif
