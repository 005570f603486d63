/* SPDX-License-Identifier: ISC */
/*
 * The opening handshake of WebSocket (RFC 6455 section 4), both sides.
 *
 * Extensions are neither offered nor accepted.
 */
#ifndef CODEC_WS_HANDSHAKE_H
#define CODEC_WS_HANDSHAKE_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "codec/http_parse.h"

#define WS_KEY_LEN 24	/* base64 of 16 bytes */

/* Does this request ask for WebSocket at all ("Upgrade: websocket")? */
bool	ws_handshake_is_upgrade(const struct http_head *);

/*
 * Server: may it be accepted?  *http_status is then 101; otherwise 400 or 426
 * (another version: the answer must carry "Sec-WebSocket-Version: 13"), and
 * *why, static text, says what is missing.
 */
MUST_USE enum err	ws_handshake_check(const struct http_head *, int *http_status,
			    const char **why);

/* Server: append the 101 answer to a request that was checked. */
void	ws_handshake_accept(struct buf *, const struct http_head *);

/*
 * Client: append the request.  nonce is 16 random bytes, whose encoding, NUL-
 * terminated, is written to key; host is "name:port", target begins with "/".
 */
void	ws_handshake_request(struct buf *, const char *host, const char *target,
	    const unsigned char nonce[16], char key[WS_KEY_LEN + 1]);

/* Client: does the answer fit the key?  *why as above. */
MUST_USE enum err	ws_handshake_check_answer(const struct http_head *, const char *key,
			    const char **why);

#endif
