/* SPDX-License-Identifier: ISC */
/*
 * Socket.IO packets: what stands before the JSON.
 */
#include "codec/sio_packet.h"

#include <assert.h>
#include <string.h>

#define ATTACHMENTS_MAX 10
#define ACK_MAX ((UINT64_C(1) << 53) - 1)	/* the last id that JavaScript counts to */

/* What is left of the packet. */
struct input {
	const char *p;
	size_t len;
};

static void
skip(struct input *in, size_t n)
{
	in->p += n;
	in->len -= n;
}

static bool
next_is_digit(const struct input *in)
{
	return in->len > 0 && in->p[0] >= '0' && in->p[0] <= '9';
}

/* "<n>-", n from 1 to ATTACHMENTS_MAX. */
static enum err
take_attachments(struct sio_packet *p, struct input *in)
{
	if (!next_is_digit(in) || in->p[0] == '0')
		return ERR_BAD_PACKET;
	while (next_is_digit(in)) {
		p->attachments = p->attachments * 10 + (unsigned)(in->p[0] - '0');
		if (p->attachments > ATTACHMENTS_MAX)
			return ERR_BAD_PACKET;
		skip(in, 1);
	}
	if (in->len == 0 || in->p[0] != '-')
		return ERR_BAD_PACKET;
	skip(in, 1);
	return ERR_NONE;
}

/* "/<name>[?<query>]" up to a comma or the end.  Old clients put a query there. */
static void
take_namespace(struct sio_packet *p, struct input *in)
{
	const char *comma, *query;
	size_t len;

	if (in->len == 0 || in->p[0] != '/')
		return;
	comma = memchr(in->p, ',', in->len);
	len = comma != NULL ? (size_t)(comma - in->p) : in->len;
	query = memchr(in->p, '?', len);
	p->ns = in->p;
	p->ns_len = query != NULL ? (size_t)(query - in->p) : len;
	skip(in, comma != NULL ? len + 1 : len);
}

static enum err
take_ack(struct sio_packet *p, struct input *in)
{
	while (next_is_digit(in)) {
		p->has_ack = true;
		p->ack = p->ack * 10 + (uint64_t)(in->p[0] - '0');
		if (p->ack > ACK_MAX)
			return ERR_BAD_PACKET;
		skip(in, 1);
	}
	return ERR_NONE;
}

enum err
sio_packet_decode(struct sio_packet *p, const char *data, size_t len)
{
	struct input in = { data, len };
	enum err err;

	if (len > 1 && data[0] == '0' + SIO_EVENT && data[1] == '[') {	/* as they nearly all are */
		*p = (struct sio_packet){ .type = SIO_EVENT, .ns = "/", .ns_len = 1,
			.json = data + 1, .json_len = len - 1 };
		return ERR_NONE;
	}
	if (len == 0 || data[0] < '0' + SIO_CONNECT || data[0] > '0' + SIO_BINARY_ACK)
		return ERR_BAD_PACKET;
	*p = (struct sio_packet){ .type = (enum sio_type)(data[0] - '0'), .ns = "/", .ns_len = 1 };
	skip(&in, 1);
	if (p->type == SIO_BINARY_EVENT || p->type == SIO_BINARY_ACK)
		if ((err = take_attachments(p, &in)) != ERR_NONE)
			return err;
	take_namespace(p, &in);
	if ((err = take_ack(p, &in)) != ERR_NONE)
		return err;
	p->json = in.p;
	p->json_len = in.len;
	return ERR_NONE;
}

bool
sio_packet_is_root(const struct sio_packet *p)
{
	return p->ns_len == 1;
}

void
sio_packet_encode_head(struct buf *b, enum sio_type type, const char *ns, size_t ns_len,
    const uint64_t *ack)
{
	assert(type < SIO_BINARY_EVENT);
	buf_add_char(b, (char)('0' + type));
	if (ns != NULL && !(ns_len == 1 && ns[0] == '/')) {
		buf_add(b, ns, ns_len);
		buf_add_char(b, ',');
	}
	if (ack != NULL)
		buf_add_u64(b, *ack);
}
