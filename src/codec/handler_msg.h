/* SPDX-License-Identifier: ISC */
/*
 * Lines between the daemon and a worker process: usher-handler(7).
 *
 * One JSON object a line, ended by LF and nothing else.  Lines of a handler are
 * read with json_scan, so that a message passes byte for byte.
 */
#ifndef CODEC_HANDLER_MSG_H
#define CODEC_HANDLER_MSG_H

#include "base/buf.h"
#include "base/err.h"
#include "codec/json_scan.h"
#include "codec/json_splice.h"
#include "codec/push_target.h"

enum handler_op {
	HANDLER_UNKNOWN,	/* an op this version does not know: log and ignore */
	HANDLER_READY,
	HANDLER_UNREADY,
	HANDLER_SEND,
	HANDLER_FINISH,
	HANDLER_FAIL,
	HANDLER_LOG,
	HANDLER_CALL,
	HANDLER_PUSH,
	HANDLER_PONG,
	HANDLER_OPS
};

/* A line of a handler.  Values are offsets into text, which is borrowed. */
struct handler_msg {
	const char *text;
	enum handler_op op;
	struct json_value op_name;	/* to name an unknown op */
	bool has_id;
	uint64_t id;
	struct json_value message;	/* send, finish, call, push; JSON_NONE: absent */
	struct json_object body;	/* members of message if it is an object, noted with
					 * envelope_names */
	struct json_value type;		/* send: JSON_STRING or JSON_NONE; call, push: JSON_STRING */
	struct json_value session;	/* finish: JSON_OBJECT or JSON_NONE */
	struct json_value secret;	/* finish: JSON_ARRAY of strings or JSON_NONE */
	struct json_value error, code;	/* fail: JSON_STRING or JSON_NONE */
	struct json_value status;	/* fail: JSON_NUMBER or JSON_NONE */
	struct json_value level, log_text, reason;	/* log, unready */
	struct json_value kit, types;	/* ready: JSON_STRING, JSON_ARRAY of strings, or JSON_NONE */
	uint64_t concurrency;		/* ready: how many requests at a time; 1 if absent */
	bool takes_cancel;		/* ready */
	uint64_t call;			/* call: the handler's number for it */
	struct json_value application;	/* call: JSON_STRING */
	struct push_target to;		/* push */
	const char *fault;		/* after ERR_BAD_LINE: why; static text */
};

/*
 * Reads one line, without its LF.  Borrows it.  ERR_BAD_LINE: not a JSON object,
 * no "op", a field of the wrong type, "send", "finish" or "fail" without an id, or
 * a name that we read twice in "message".  null counts as absent (but stays
 * JSON_NULL as a message).
 */
MUST_USE enum err	 handler_msg_decode(struct handler_msg *, const char *line, size_t len,
			    unsigned depth_max);

/* What a worker is told first.  Plain texts, but for settings. */
struct handler_hello {
	const char *node, *application;
	unsigned worker;
	const char *secret;		/* for QEWD's own workers alone; NULL: they get none */
	size_t secret_len;
	uint64_t lifetime_s;		/* with secret: of a new session */
	const char *settings;		/* with secret: a JSON object */
};

/* What a request line is made of; pointers are borrowed, texts are JSON unless said otherwise. */
struct handler_request {
	uint64_t id;
	const char *application;	/* plain text: its name here */
	const char *type;		/* with its quotes, as the client wrote it */
	size_t type_len;
	const char *message;		/* the client's object, or a text that has it ... */
	size_t message_len;
	const struct json_object *object;	/* ... here, noted with envelope_names, and it goes
						 * with these edits; NULL: the text as it is */
	const struct json_edit *edits;
	size_t n_edits;
	const char *session;		/* object */
	size_t session_len;
	const char *secret;		/* array of names */
	size_t secret_len;
	uint64_t deadline_ms;		/* what is left */
	const char *client_address;	/* plain text; NULL: unknown */
	const char *client_socket;	/* plain text; NULL: unknown */
	const char *request;		/* plain text: the request's id in the logs; NULL: none */
	const char *trace;		/* plain text: traceparent; NULL: none */
	bool is_rest;			/* an HTTP request to the application itself */
};

/*
 * Append one line with its LF.  LF and CR inside message, session and secret, where they can
 * only be white space, are written as blanks.
 */
void	handler_msg_encode_hello(struct buf *, const struct handler_hello *);
void	handler_msg_encode_request(struct buf *, const struct handler_request *);
void	handler_msg_encode_reply(struct buf *, uint64_t call, bool is_final, const char *message,
	    size_t len);
void	handler_msg_encode_cancel(struct buf *, uint64_t id);
void	handler_msg_encode_ping(struct buf *);
void	handler_msg_encode_stop(struct buf *);

#endif
