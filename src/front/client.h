/* SPDX-License-Identifier: ISC */
/*
 * Who is at the other end of an accepted connection, or of one that a trusted proxy passes on.
 */
#ifndef FRONT_CLIENT_H
#define FRONT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"
#include "net/listener.h"

struct http_head;
struct proxy_v2;

/* How a client's own connection began, as far as it is known. */
enum client_scheme { CLIENT_ANY_SCHEME, CLIENT_HTTP, CLIENT_HTTPS };

struct client {
	char address[ADDRESS_MAX];	/* without port */
	const struct conf_listener *listener;	/* where it came in; borrowed */
	enum client_scheme scheme;
	bool is_trusted;	/* a trusted proxy: what it says of others counts */
	bool is_node;		/* where it came in, or from, only nodes are: no limits, no pages */
	/*
	 * "C-17 203.0.113.9:5512", "C-17 203.0.113.9 via 10.0.0.1:5512", for the log.  Last: whoever
	 * keeps a client for long has room for what there is of it (client_size).
	 */
	char label[2 * ADDRESS_MAX + 24];
};

/* Of a client with this label, as far as the label's end. */
size_t	client_size(const struct client *);

/* Of a connection on this listener; texts as in a listener_accept_fn. */
void	client_init(struct client *, const struct conf_listener *, uint64_t number,
	    const char *address, const char *address_port);

/* false: its listener is for nodes, and it is none of them.  A proxy may ask for one. */
bool	client_may_come_in(const struct client *);

/* It is a trusted proxy, and the connection is somebody else's, as its header says. */
void	client_set_proxied(struct client *, const struct proxy_v2 *);

/*
 * The same for one request on its connection: X-Forwarded-For, whose rightmost address that is no
 * trusted proxy is the client's, and the last word of X-Forwarded-Proto.  What cannot be read
 * ends the way back to the client: whoever passed it on counts as the client.
 */
void	client_set_forwarded(struct client *, const struct http_head *);

#endif
