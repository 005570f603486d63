/* SPDX-License-Identifier: ISC */
/*
 * Engine.IO packets and the Socket.IO packets inside them: what was read and is
 * written again reads the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xmalloc.h"
#include "codec/eio_packet.h"
#include "codec/sio_packet.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
require(bool is_true)
{
	if (!is_true)
		abort();
}

static void
try_open(const struct eio_packet *p)
{
	struct eio_open open, again;
	struct eio_packet packet;
	struct buf b = { 0 };

	if (eio_open_decode(&open, p->data, p->len) != ERR_NONE)
		return;
	require(strlen(open.sid) > 0 && strlen(open.sid) <= EIO_SID_MAX);
	eio_open_encode(&b, 4, &open, 1000);
	require(eio_packet_decode(&packet, b.data, b.len) == ERR_NONE);
	require(eio_open_decode(&again, packet.data, packet.len) == ERR_NONE);
	require(strcmp(open.sid, again.sid) == 0);
	require(open.ping_interval_ms == again.ping_interval_ms);
	require(open.ping_timeout_ms == again.ping_timeout_ms);
	buf_free(&b);
}

static void
try_message(const struct eio_packet *p)
{
	struct sio_packet s, again;
	struct buf b = { 0 };

	if (sio_packet_decode(&s, p->data, p->len) != ERR_NONE)
		return;
	require(s.json + s.json_len == p->data + p->len);
	require(s.ns_len > 0 && s.ns[0] == '/');
	if (s.type == SIO_BINARY_EVENT || s.type == SIO_BINARY_ACK) {
		require(s.attachments >= 1 && s.attachments <= 10);
		return;
	}
	/* Other text could be taken for a namespace or an id on the second reading. */
	if (s.json_len > 0 && s.json[0] != '[' && s.json[0] != '{')
		return;
	sio_packet_encode_head(&b, s.type, s.ns, s.ns_len, s.has_ack ? &s.ack : NULL);
	buf_add(&b, s.json, s.json_len);
	require(sio_packet_decode(&again, b.data, b.len) == ERR_NONE);
	require(again.type == s.type && again.has_ack == s.has_ack && again.ack == s.ack);
	require(again.ns_len == s.ns_len && memcmp(again.ns, s.ns, s.ns_len) == 0);
	require(sio_packet_is_root(&again) == sio_packet_is_root(&s));
	require(again.json_len == s.json_len && memcmp(again.json, s.json, s.json_len) == 0);
	buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = xmalloc(len);
	struct eio_packet p;

	if (len > 0)
		memcpy(text, data, len);
	if (eio_packet_decode(&p, text, len) == ERR_NONE) {
		require(p.data == text + 1 && p.len == len - 1);
		if (p.type == EIO_OPEN)
			try_open(&p);
		else if (p.type == EIO_MESSAGE)
			try_message(&p);
	}
	free(text);
	return 0;
}
