/* SPDX-License-Identifier: ISC */
/*
 * Socket.IO packets (protocol revisions 4 and 5, carried by Engine.IO 3 and 4):
 *	<type>[<attachments>-][<namespace>,][<ack id>][<JSON>]
 * The JSON is not looked at here; envelope_scan_event() validates an event's.
 */
#ifndef CODEC_SIO_PACKET_H
#define CODEC_SIO_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"

enum sio_type {
	SIO_CONNECT = 0,
	SIO_DISCONNECT = 1,
	SIO_EVENT = 2,
	SIO_ACK = 3,
	SIO_ERROR = 4,		/* CONNECT_ERROR in protocol 5 */
	SIO_BINARY_EVENT = 5,
	SIO_BINARY_ACK = 6,
};

struct sio_packet {
	enum sio_type type;
	unsigned attachments;	/* binary types: 1 to 10 */
	const char *ns;		/* namespace with its slash, not NUL-terminated; a query is cut off */
	size_t ns_len;
	bool has_ack;
	uint64_t ack;
	const char *json;	/* the rest; borrowed */
	size_t json_len;
};

/*
 * The data of an Engine.IO message.  Borrows it.  ERR_BAD_PACKET: empty, no type,
 * a malformed attachment count, or an ack id above 2^53-1.
 */
MUST_USE enum err	sio_packet_decode(struct sio_packet *, const char *data, size_t len);

/* Is it the default namespace? */
bool	sio_packet_is_root(const struct sio_packet *);

/*
 * Append what stands before the JSON of a packet, without the Engine.IO type:
 * ns NULL or "/" writes none; ack, if not NULL, is the id.
 */
void	sio_packet_encode_head(struct buf *, enum sio_type, const char *ns, size_t ns_len,
	    const uint64_t *ack);

#endif
