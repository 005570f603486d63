/* SPDX-License-Identifier: ISC */
/*
 * WebSocket frames (RFC 6455) into messages, either role, without I/O.
 *
 * Bytes go in through ws_decoder_feed() in pieces of any size; whole messages
 * come out as events.  HTTP and Socket.IO are not known here, so a test or a
 * fuzzer needs nothing but an array.  A message that arrives in one piece is
 * unmasked in place and handed over without a copy.
 */
#ifndef CODEC_WS_DECODER_H
#define CODEC_WS_DECODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "codec/utf8.h"

enum ws_role { WS_SERVER, WS_CLIENT };	/* which side decodes: a server gets masked frames */

#define WS_HEAD_MAX 14	/* longest frame head */

enum ws_opcode {
	WS_CONTINUATION = 0x0,
	WS_TEXT = 0x1,
	WS_BINARY = 0x2,
	WS_CLOSE = 0x8,
	WS_PING = 0x9,
	WS_PONG = 0xa,
};

/*
 * Data is valid during the call only.  Any of these may call ws_decoder_stop(),
 * none may feed or free the decoder.  NULL: not of interest.
 */
struct ws_decoder_events {
	/* A whole message; text is valid UTF-8.  data[len] must not be read. */
	void (*on_message)(enum ws_opcode text_or_binary, const char *data, size_t len, void *arg);
	void (*on_ping)(const char *data, size_t len, void *arg);
	void (*on_pong)(const char *data, size_t len, void *arg);
	/* code 1005: the frame had none.  The decoder has stopped. */
	void (*on_close)(int code, const char *reason, size_t len, void *arg);
};

/*
 * Its fields are its own, and here for whoever has one inside an object of theirs: each connection
 * does.  What each message needs comes first.
 */
struct ws_decoder {
	size_t message_max;
	const struct ws_decoder_events *ev;	/* borrowed, as is arg */
	void *arg;

	/* the frame */
	size_t at;		/* bytes of payload we had */
	uint64_t left;		/* bytes of payload still to come */
	uint8_t mask[4];
	enum ws_role role : 8;
	uint8_t step;
	bool is_feeding;
	uint8_t head_len;	/* bytes of head we have */
	uint8_t head[WS_HEAD_MAX];

	/* the message */
	enum ws_opcode kind : 8;	/* WS_CONTINUATION: we are between messages */
	struct utf8_state utf8;
	uint16_t n_small;	/* its small fragments */
	struct buf message;	/* its fragments so far */

	char *control;		/* payload of a control frame that comes in pieces; else NULL, mostly */
	const char *fault;
};

/*
 * message_max: a longer message ends decoding with ERR_TOO_BIG, decided on the
 * announced length before anything is stored; so does a message in more than
 * 1,024 fragments of less than 16 bytes.  ev and arg are borrowed.
 */
struct ws_decoder	*ws_decoder_new(enum ws_role, size_t message_max,
			    const struct ws_decoder_events *ev, void *arg);
void			 ws_decoder_free(struct ws_decoder *);

/* The same inside another object. */
void			 ws_decoder_init(struct ws_decoder *, enum ws_role, size_t message_max,
			    const struct ws_decoder_events *ev, void *arg);
void			 ws_decoder_cleanup(struct ws_decoder *);

/*
 * Decode len bytes; data is unmasked in place.  Returns 0, or what the peer did
 * wrong: ERR_BAD_FRAME, ERR_BAD_UTF8, ERR_TOO_BIG; the decoder then ignores all
 * further input.  Events are called before this returns; after
 * one that stopped the decoder no further event comes.
 */
MUST_USE enum err	 ws_decoder_feed(struct ws_decoder *, void *data, size_t len);

/* Why the feed failed, for the log; static text, "" before that. */
const char		*ws_decoder_fault(const struct ws_decoder *);

/* Ignore all further input: no more events. */
void			 ws_decoder_stop(struct ws_decoder *);

/* Bytes held for a message that is not complete. */
size_t			 ws_decoder_held(const struct ws_decoder *);

#endif
