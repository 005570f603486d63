/* SPDX-License-Identifier: ISC */
/*
 * Engine.IO payloads: whatever is read is text inside the payload, in order; what was read
 * and is written again reads the same.
 *
 * The first byte of the input chooses the form.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xmalloc.h"
#include "codec/eio_payload.h"
#include "codec/utf8.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
require(bool is_true)
{
	if (!is_true)
		abort();
}

/* The packets of the payload, written in the text form of the revision. */
static enum err
rewrite(struct buf *out, int revision, enum eio_form form, const char *text, size_t len)
{
	const char *packet, *end = text;
	struct eio_payload pl;
	size_t n;

	eio_payload_init(&pl, form, text, len);
	while (eio_payload_next(&pl, &packet, &n)) {
		require(n > 0 && packet >= end && packet + n <= text + len);
		require(utf8_is_valid(packet, n) && packet[0] != 'b');
		end = packet + n;
		eio_payload_add(out, revision, packet, n);
	}
	require((pl.err != ERR_NONE) == (pl.fault != NULL));
	require(!eio_payload_next(&pl, &packet, &n));
	return pl.err;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf once = { 0 }, twice = { 0 };
	enum eio_form form;
	char *text;
	int revision;

	if (len == 0)
		return 0;
	form = (enum eio_form)(data[0] % 3);
	revision = form == EIO_TEXT_4 ? 4 : 3;
	text = xmemdup(data + 1, len - 1);
	(void)rewrite(&once, revision, form, text, len - 1);
	if (once.len > 0) {
		require(rewrite(&twice, revision, revision == 4 ? EIO_TEXT_4 : EIO_TEXT_3,
		    once.data, once.len) == ERR_NONE);
		require(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
	}
	free(text);
	buf_free(&once);
	buf_free(&twice);
	return 0;
}
