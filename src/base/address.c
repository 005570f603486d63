/* SPDX-License-Identifier: ISC */
/*
 * Addresses compared as 16 bytes, IPv4 as IPv4-mapped.
 */
#include "base/address.h"

#include <arpa/inet.h>
#include <string.h>

#define MAPPED_BITS 96

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

/* *is_v4: it was written as one.  false: no address. */
static bool
to_bytes(const char *text, uint8_t bytes[16], bool *is_v4)
{
	*is_v4 = inet_pton(AF_INET, text, bytes + 12) == 1;
	if (*is_v4)
		memcpy(bytes, mapped_prefix, sizeof(mapped_prefix));
	return *is_v4 || inet_pton(AF_INET6, text, bytes) == 1;
}

static bool
is_within(const uint8_t bytes[16], const struct address_net *net)
{
	unsigned whole = net->bits / 8, rest = net->bits % 8;

	if (memcmp(bytes, net->bytes, whole) != 0)
		return false;
	return rest == 0 || (bytes[whole] ^ net->bytes[whole]) >> (8 - rest) == 0;
}

/* Digits, at most three, and nothing else. */
static bool
parse_bits(const char *text, unsigned max, unsigned *bits)
{
	size_t n = strspn(text, "0123456789");

	*bits = 0;
	if (n == 0 || n > 3 || text[n] != '\0' || (n > 1 && text[0] == '0'))
		return false;
	for (; *text != '\0'; text++)
		*bits = *bits * 10 + (unsigned)(*text - '0');
	return *bits <= max;
}

/* Is any bit set behind those that count? */
static bool
has_more_bits(const struct address_net *net)
{
	for (unsigned i = net->bits; i < 128; i++)
		if ((net->bytes[i / 8] >> (7 - i % 8) & 1) != 0)
			return true;
	return false;
}

const char *
address_net_parse(const char *text, struct address_net *net)
{
	const char *slash = strchr(text, '/');
	size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
	char address[ADDRESS_TEXT_MAX];
	unsigned bits = 0;
	bool is_v4;

	memset(net, 0, sizeof(*net));
	if (strcmp(text, "unix:") == 0) {
		net->is_unix = true;
		return NULL;
	}
	if (len >= sizeof(address))
		return "must be an address or a network, such as \"10.0.0.0/8\"";
	memcpy(address, text, len);
	address[len] = '\0';
	if (!to_bytes(address, net->bytes, &is_v4))
		return "must be an address or a network, such as \"10.0.0.0/8\", "
		    "\"2001:db8::/32\" or \"unix:\"";
	if (slash == NULL)
		bits = is_v4 ? 32 : 128;
	else if (!parse_bits(slash + 1, is_v4 ? 32 : 128, &bits))
		return "must have a number of bits behind the slash: 0 to 32 of an IPv4 address, "
		    "0 to 128 of an IPv6 address";
	net->bits = is_v4 ? MAPPED_BITS + bits : bits;
	return has_more_bits(net) ? "has bits set behind those that count: \"10.0.0.0/8\" is a "
	    "network, \"10.0.0.1/8\" is none" : NULL;
}

bool
address_is_in(const char *address, const struct address_net *nets, size_t n)
{
	uint8_t bytes[16];
	bool is_unix = strcmp(address, ADDRESS_UNIX) == 0, is_v4;

	if (!is_unix && !to_bytes(address, bytes, &is_v4))
		return false;
	for (size_t i = 0; i < n; i++)
		if (nets[i].is_unix ? is_unix : !is_unix && is_within(bytes, &nets[i]))
			return true;
	return false;
}

void
address_print(const uint8_t *bytes, size_t n, char address[ADDRESS_TEXT_MAX])
{
	if (n == 16 && memcmp(bytes, mapped_prefix, sizeof(mapped_prefix)) == 0) {
		bytes += sizeof(mapped_prefix);
		n = 4;
	}
	inet_ntop(n == 4 ? AF_INET : AF_INET6, bytes, address, ADDRESS_TEXT_MAX);
}

static bool
is_port(const char *text, size_t len)
{
	if (len == 0 || len > 5)
		return false;
	for (size_t i = 0; i < len; i++)
		if (text[i] < '0' || text[i] > '9')
			return false;
	return true;
}

/* Cuts "[v6]:port", "[v6]" and "v4:port" down to the address. */
static bool
strip(const char **text, size_t *len)
{
	const char *end;

	if (*len > 0 && (*text)[0] == '[') {
		if ((end = memchr(*text, ']', *len)) == NULL)
			return false;
		size_t rest = *len - (size_t)(end + 1 - *text);

		++*text;
		*len = (size_t)(end - *text);
		return memchr(*text, ':', *len) != NULL &&
		    (rest == 0 || (end[1] == ':' && is_port(end + 2, rest - 1)));
	}
	end = memchr(*text, ':', *len);
	if (end == NULL || memchr(end + 1, ':', *len - (size_t)(end + 1 - *text)) != NULL)
		return true;
	if (!is_port(end + 1, *len - (size_t)(end + 1 - *text)))
		return false;
	*len = (size_t)(end - *text);
	return true;
}

bool
address_parse(const char *text, size_t len, char address[ADDRESS_TEXT_MAX])
{
	uint8_t bytes[16];
	bool is_v4;

	if (!strip(&text, &len) || len >= ADDRESS_TEXT_MAX || memchr(text, '\0', len) != NULL)
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	if (!to_bytes(address, bytes, &is_v4))
		return false;
	address_print(bytes, sizeof(bytes), address);
	return true;
}

bool
address_is_private(const char *address)
{
	static const char *const texts[] = {
		"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
		"169.254.0.0/16", "127.0.0.0/8", "fc00::/7", "fe80::/10", "::1",
	};
	struct address_net net;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (address_net_parse(texts[i], &net) == NULL && address_is_in(address, &net, 1))
			return true;
	return false;
}
