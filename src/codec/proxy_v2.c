/* SPDX-License-Identifier: ISC */
/*
 * Signature, version and command, family, length; addresses; then fields of type, length and
 * value up to the end.
 *
 * LOCAL and unknown families count as the balancer's own connection: their addresses and
 * fields are skipped unread, as the protocol wants it.
 */
#include "codec/proxy_v2.h"

#include <string.h>

#define COMMAND_LOCAL 0x20
#define COMMAND_PROXY 0x21

#define FAMILY_INET	0x10
#define FAMILY_INET6	0x20
#define FAMILY_UNIX	0x30
#define PROTOCOL_STREAM 0x01

#define FIELD_CRC32C 0x03
#define FIELD_SSL    0x20
#define CLIENT_SSL   0x01	/* first bit of the SSL field: the client came over TLS */

const uint8_t proxy_v2_sign[PROXY_V2_SIGN] = "\r\n\r\n\0\r\nQUIT\n";

static size_t
u16(const uint8_t *p)
{
	return (size_t)p[0] << 8 | p[1];
}

/* CRC-32C (Castagnoli); headers are short and rare, so there is no table. */
static uint32_t
crc32c(uint32_t crc, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (0x82f63b78 & -(crc & 1));
	}
	return crc;
}

/* The sum is over the whole header, with zeros where the sum itself stands. */
static bool
sum_fits(const uint8_t *head, size_t len, const uint8_t *field)
{
	static const uint8_t zeros[4];
	size_t before = (size_t)(field - head);
	uint32_t crc = 0xffffffff;

	crc = crc32c(crc, head, before);
	crc = crc32c(crc, zeros, sizeof(zeros));
	crc = ~crc32c(crc, field + 4, len - before - 4);
	return crc == ((uint32_t)u16(field) << 16 | (uint32_t)u16(field + 2));
}

/* NULL, or what is wrong. */
static const char *
read_field(const uint8_t *head, unsigned type, const uint8_t *value, size_t len,
    struct proxy_v2 *out)
{
	switch (type) {
	case FIELD_CRC32C:
		if (len != 4)
			return "a checksum that is not 4 bytes long";
		return sum_fits(head, out->need, value) ? NULL : "the checksum is wrong";
	case FIELD_SSL:
		if (len < 5)
			return "a TLS field of fewer than 5 bytes";
		out->is_tls = (value[0] & CLIENT_SSL) != 0;
		return NULL;
	default:
		return NULL;
	}
}

static const char *
read_fields(const uint8_t *head, size_t at, struct proxy_v2 *out)
{
	const char *fault;
	size_t len;

	for (; at < out->need; at += len) {
		if (out->need - at < 3)
			return "a field is cut off";
		len = u16(head + at + 1);
		if (len > out->need - at - 3)
			return "a field is longer than the header";
		fault = read_field(head, head[at], head + at + 3, len, out);
		if (fault != NULL)
			return fault;
		at += 3;
	}
	return NULL;
}

/* Two addresses of n bytes each, two ports: the source comes first. */
static const char *
read_inet(const uint8_t *head, size_t n, struct proxy_v2 *out)
{
	const uint8_t *p = head + PROXY_V2_FIXED;

	if (out->need - PROXY_V2_FIXED < 2 * n + 4)
		return "shorter than its addresses";
	address_print(p, n, out->address);
	out->port = (uint16_t)u16(p + 2 * n);
	out->has_address = true;
	return read_fields(head, PROXY_V2_FIXED + 2 * n + 4, out);
}

/* What came over a UNIX socket has no address that would tell one client from another. */
static const char *
read_unix(const uint8_t *head, struct proxy_v2 *out)
{
	if (out->need - PROXY_V2_FIXED < 216)
		return "shorter than its addresses";
	memcpy(out->address, ADDRESS_UNIX, sizeof(ADDRESS_UNIX));
	out->has_address = true;
	return read_fields(head, PROXY_V2_FIXED + 216, out);
}

static const char *
read_proxied(const uint8_t *head, struct proxy_v2 *out)
{
	switch (head[13]) {
	case FAMILY_INET | PROTOCOL_STREAM:
		return read_inet(head, 4, out);
	case FAMILY_INET6 | PROTOCOL_STREAM:
		return read_inet(head, 16, out);
	case FAMILY_UNIX | PROTOCOL_STREAM:
		return read_unix(head, out);
	default:
		return (head[13] & 0xf0) > FAMILY_UNIX || (head[13] & 0x0f) > 2 ?
		    "an address family or transport that there is not" :
		    head[13] == 0 ? NULL : "not about a stream";
	}
}

static enum proxy_v2_state
bad(struct proxy_v2 *out, const char *fault)
{
	out->fault = fault;
	return PROXY_V2_BAD;
}

enum proxy_v2_state
proxy_v2_decode(const uint8_t *p, size_t n, struct proxy_v2 *out)
{
	const char *fault;

	memset(out, 0, sizeof(*out));
	out->need = PROXY_V2_FIXED;
	if (memcmp(p, proxy_v2_sign, n < PROXY_V2_SIGN ? n : PROXY_V2_SIGN) != 0)
		return bad(out, "no header of PROXY protocol version 2");
	/* Whatever can be told to be wrong is, before more is waited for. */
	if (n > 12 && p[12] != COMMAND_LOCAL && p[12] != COMMAND_PROXY)
		return bad(out, "another version, or a command that there is not");
	if (n < PROXY_V2_FIXED)
		return PROXY_V2_MORE;
	out->need += u16(p + 14);
	if (out->need > PROXY_V2_MAX)
		return bad(out, "longer than 4096 bytes");
	if (n < out->need)
		return PROXY_V2_MORE;
	fault = p[12] == COMMAND_PROXY ? read_proxied(p, out) : NULL;
	return fault != NULL ? bad(out, fault) : PROXY_V2_WHOLE;
}
