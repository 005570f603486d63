/* SPDX-License-Identifier: ISC */
/*
 * WebSocket frames out (RFC 6455 section 5.2): each message is one frame.
 */
#ifndef CODEC_WS_ENCODER_H
#define CODEC_WS_ENCODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "codec/ws_decoder.h"

/*
 * Write the head of an unfragmented frame of len bytes; gives its length (ws_head_len), and writes
 * these bytes and none behind them: the payload may be there already.  mask: 4 random bytes in the
 * client role, NULL in the server role.
 */
size_t	ws_encode_head(uint8_t head[WS_HEAD_MAX], enum ws_opcode, uint64_t len,
	    const uint8_t *mask);

/* How long that head is. */
static inline size_t
ws_head_len(uint64_t len, bool is_masked)
{
	return (len < 126 ? 2 : len <= UINT16_MAX ? 4 : 10) + (is_masked ? 4 : 0);
}

/*
 * Mask, or unmask, data in place, byte 0 of data being byte at of the payload (section 5.3).
 * true: what came out is ASCII, so that nobody needs to look at it again to know that.
 */
bool	ws_mask(void *data, size_t len, const uint8_t mask[4], size_t at);

/* Append a whole frame.  mask as above. */
void	ws_encode_frame(struct buf *, enum ws_opcode, const void *data, size_t len,
	    const uint8_t *mask);

/*
 * Append a close frame; code 0: without a body.  reason (NULL: none) is UTF-8 and cut
 * at 123 bytes, not inside a character.
 */
void	ws_encode_close(struct buf *, int code, const char *reason, const uint8_t *mask);

#endif
