/* SPDX-License-Identifier: ISC */
/*
 * Engine.IO payloads: what one HTTP poll or post carries, several packets in one text.
 *
 * Revision 3 has two forms.  In the text form each packet follows its length, counted in
 * UTF-16 code units ("6:4hello1:2"); in the binary form it follows its length in bytes.
 * Revision 4 has packets with a record separator between them.  In all of them a packet
 * may be binary; nothing here is served with such a packet.
 */
#ifndef CODEC_EIO_PAYLOAD_H
#define CODEC_EIO_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum eio_form {
	EIO_TEXT_3,	/* EIO=3, text/plain */
	EIO_BINARY_3,	/* EIO=3, application/octet-stream */
	EIO_TEXT_4,	/* EIO=4 */
};

/* A payload that is being read. */
struct eio_payload {
	enum eio_form form;
	const char *p, *end;	/* what is left */
	bool is_more_due;	/* revision 4: a packet follows, be it an empty one */
	enum err err;		/* what is wrong with it; 0 so far */
	const char *fault;	/* the same for people: static text */
};

/* Borrows the data for as long as packets of it are used. */
void	eio_payload_init(struct eio_payload *, enum eio_form, const char *data, size_t len);

/*
 * The next packet, type digit included, as a text of valid UTF-8 that is not empty.
 * false: there are no more, or err says what is wrong: ERR_BAD_UTF8, ERR_BINARY (a
 * packet that is no text) or ERR_BAD_PACKET.  What was given before the fault stands.
 */
bool	eio_payload_next(struct eio_payload *, const char **packet, size_t *len);

/* Appends one more text packet to a payload of this revision (3: its text form). */
void	eio_payload_add(struct buf *, int revision, const char *packet, size_t len);

#endif
