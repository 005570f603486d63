/* SPDX-License-Identifier: ISC */
/*
 * Numeric addresses as texts, and lists of networks ("10.0.0.0/8") that they may be in.
 *
 * IPv4-mapped IPv6 addresses are the IPv4 addresses they stand for.  "unix" is the address of
 * whoever comes in on a UNIX socket.
 */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define ADDRESS_TEXT_MAX 46	/* the longest IPv6 address, with its NUL */
#define ADDRESS_UNIX	 "unix"

/* An IPv4 network is kept as the IPv6 network of its mapped addresses. */
struct address_net {
	uint8_t bytes[16];
	unsigned bits;		/* of them that count */
	bool is_unix;		/* all UNIX sockets, and nothing else */
};

/*
 * "192.0.2.0/24", "2001:db8::/32", one address, or "unix:".  NULL, or what is wrong, as a
 * sentence without its subject, in static text.
 */
MUST_USE const char	*address_net_parse(const char *, struct address_net *);

/* Is the address in one of n networks?  What is no address is in none. */
bool	address_is_in(const char *address, const struct address_net *, size_t n);

/*
 * An address as forwarding proxies write it: bare, in brackets, with or without a port.  Writes
 * its usual form, without the port, or says false.
 */
MUST_USE bool	address_parse(const char *text, size_t len, char address[ADDRESS_TEXT_MAX]);

/* The usual form of 4 or 16 bytes in network order. */
void	address_print(const uint8_t *bytes, size_t n, char address[ADDRESS_TEXT_MAX]);

/* Of a network that is not the internet: RFC 1918, 4193, 6598, link-local, loopback. */
bool	address_is_private(const char *);

#endif
