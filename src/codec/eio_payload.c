/* SPDX-License-Identifier: ISC */
/*
 * Engine.IO payloads, packet by packet, without a copy.
 */
#include "codec/eio_payload.h"

#include <stdint.h>

#include "codec/utf8.h"

#define SEPARATOR	'\x1e'
#define LENGTH_END	'\xff'	/* of a length in the binary form */
#define LENGTH_DIGITS	10	/* no length is longer */

void
eio_payload_init(struct eio_payload *pl, enum eio_form form, const char *data, size_t len)
{
	*pl = (struct eio_payload){ .form = form, .is_more_due = true };
	/* What is not there may be NULL, to which nothing can be added. */
	pl->p = len > 0 ? data : "";
	pl->end = pl->p + len;
}

static bool
fail(struct eio_payload *pl, enum err err, const char *fault)
{
	pl->err = err;
	pl->fault = fault;
	return false;
}

/* ---- lengths ---- */

/* How many UTF-16 code units the character takes that begins with this byte of UTF-8. */
static size_t
units_of(char lead)
{
	uint8_t byte = (uint8_t)lead;

	if ((byte & 0xc0) == 0x80)
		return 0;		/* the middle of a character */
	return byte < 0xf0 ? 1 : 2;
}

static size_t
count_units(const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += units_of(text[i]);
	return n;
}

/*
 * A decimal number whose digits are zero, zero + 1 and so on, and the byte behind it.  What
 * is above the bytes that are left is a fault in any case, so that nothing overflows.
 */
static bool
take_length(struct eio_payload *pl, char zero, char behind, uint64_t *n)
{
	size_t digits = 0;

	for (*n = 0; pl->p < pl->end && *pl->p != behind; pl->p++) {
		uint8_t digit = (uint8_t)(*pl->p - zero);

		if (digit > 9 || ++digits > LENGTH_DIGITS)
			return fail(pl, ERR_BAD_PACKET, "malformed length in an Engine.IO payload");
		*n = *n * 10 + digit;
	}
	if (digits == 0 || pl->p == pl->end)
		return fail(pl, ERR_BAD_PACKET, "packet without a length in an Engine.IO payload");
	pl->p++;
	return true;
}

/* ---- packets ---- */

/* "b": this packet is base64 of something binary. */
static bool
give_text(struct eio_payload *pl, const char *packet, size_t len)
{
	if (!utf8_is_valid(packet, len))
		return fail(pl, ERR_BAD_UTF8, "Engine.IO payload that is not UTF-8");
	if (packet[0] == 'b')
		return fail(pl, ERR_BINARY, "binary packet in an Engine.IO payload");
	return true;
}

/* The bytes of as many units; a pair of them is not cut. */
static bool
take_units(struct eio_payload *pl, uint64_t n_units, size_t *len)
{
	const char *p = pl->p;
	uint64_t n = 0;

	while (p < pl->end && n + units_of(*p) <= n_units)
		n += units_of(*p++);
	if (n < n_units)
		return fail(pl, ERR_BAD_PACKET, "length that does not fit its Engine.IO packet");
	*len = (size_t)(p - pl->p);
	return true;
}

static bool
next_text_3(struct eio_payload *pl, const char **packet, size_t *len)
{
	uint64_t n_units = 0;

	/* Empty packets are passed over, as stock does. */
	while (n_units == 0) {
		if (pl->p == pl->end && !pl->is_more_due)
			return false;
		pl->is_more_due = false;
		if (!take_length(pl, '0', ':', &n_units))
			return false;
	}
	if (!take_units(pl, n_units, len))
		return false;
	*packet = pl->p;
	pl->p += *len;
	return give_text(pl, *packet, *len);
}

static bool
next_binary_3(struct eio_payload *pl, const char **packet, size_t *len)
{
	uint64_t n;
	char kind;

	if (pl->p == pl->end) {
		if (pl->is_more_due)
			fail(pl, ERR_BAD_PACKET, "empty Engine.IO payload");
		return false;
	}
	pl->is_more_due = false;
	kind = *pl->p++;
	if (kind != 0 && kind != 1)
		return fail(pl, ERR_BAD_PACKET, "packet of no kind in an Engine.IO payload");
	if (!take_length(pl, 0, LENGTH_END, &n))
		return false;
	if (n == 0 || n > (size_t)(pl->end - pl->p))
		return fail(pl, ERR_BAD_PACKET, "length that does not fit its Engine.IO packet");
	if (kind == 1)
		return fail(pl, ERR_BINARY, "binary packet in an Engine.IO payload");
	*packet = pl->p;
	*len = (size_t)n;
	pl->p += n;
	return give_text(pl, *packet, *len);
}

static bool
next_text_4(struct eio_payload *pl, const char **packet, size_t *len)
{
	const char *p = pl->p;

	if (!pl->is_more_due)
		return false;
	while (p < pl->end && *p != SEPARATOR)
		p++;
	if (p == pl->p)
		return fail(pl, ERR_BAD_PACKET, "empty packet in an Engine.IO payload");
	*packet = pl->p;
	*len = (size_t)(p - pl->p);
	pl->is_more_due = p < pl->end;
	pl->p = pl->is_more_due ? p + 1 : p;
	return give_text(pl, *packet, *len);
}

bool
eio_payload_next(struct eio_payload *pl, const char **packet, size_t *len)
{
	if (pl->err != ERR_NONE)
		return false;
	switch (pl->form) {
	case EIO_TEXT_3:
		return next_text_3(pl, packet, len);
	case EIO_BINARY_3:
		return next_binary_3(pl, packet, len);
	case EIO_TEXT_4:
		break;
	}
	return next_text_4(pl, packet, len);
}

void
eio_payload_add(struct buf *b, int revision, const char *packet, size_t len)
{
	if (revision == 3) {
		buf_add_u64(b, count_units(packet, len));
		buf_add_char(b, ':');
	} else if (b->len > 0) {
		buf_add_char(b, SEPARATOR);
	}
	buf_add(b, packet, len);
}
