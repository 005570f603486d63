/* SPDX-License-Identifier: ISC */
/*
 * Engine.IO packets (protocol revisions 3 and 4): one type digit, then data.
 */
#ifndef CODEC_EIO_PACKET_H
#define CODEC_EIO_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"

enum eio_type {
	EIO_OPEN = 0,
	EIO_CLOSE = 1,
	EIO_PING = 2,
	EIO_PONG = 3,
	EIO_MESSAGE = 4,
	EIO_UPGRADE = 5,
	EIO_NOOP = 6,
};

#define EIO_SID_MAX 64	/* longest session id we take from a server */

struct eio_packet {
	enum eio_type type;
	const char *data;	/* borrowed */
	size_t len;
};

/* What an open packet says. */
struct eio_open {
	char sid[EIO_SID_MAX + 1];
	uint64_t ping_interval_ms;
	uint64_t ping_timeout_ms;
	bool can_upgrade;	/* a WebSocket may take over; decoding: false, we never ask for it */
};

/* One text message.  ERR_BAD_PACKET: empty, or the first byte is no type. */
MUST_USE enum err	eio_packet_decode(struct eio_packet *, const char *data, size_t len);

/*
 * Append the open packet, type digit included: exactly sid, upgrades,
 * pingInterval, pingTimeout and, in revision 4, maxPayload.
 */
void	eio_open_encode(struct buf *, int revision, const struct eio_open *, size_t max_payload);

/*
 * Read the data of an open packet.  Unknown members are ignored.  ERR_BAD_PACKET:
 * not an object, no sid, a sid with a byte outside [A-Za-z0-9_-], or no positive intervals.
 */
MUST_USE enum err	eio_open_decode(struct eio_open *, const char *data, size_t len);

#endif
