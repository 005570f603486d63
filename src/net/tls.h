/* SPDX-License-Identifier: ISC */
/*
 * TLS: the certificates of a listener, what links trust and show, and the state of one
 * connection, which net/conn drives.
 *
 * Nothing of it blocks, and no other part of the program knows OpenSSL's libssl.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/compiler.h"

struct conf_listener;
struct conf_tls_client;
struct tls;
struct tls_client;
struct tls_server;
struct tls_trust;

/*
 * The certificates of a listener that has some, as their files are now.
 * NULL: *error, to be freed, names the file, what is wrong with it and what to do.
 */
struct tls_server	*tls_server_new(const struct conf_listener *, char **error);
struct tls_server	*tls_server_ref(struct tls_server *);	/* one more to free it; NULL is fine */
/* No more connections; those it has keep what they need.  NULL is fine. */
void			 tls_server_free(struct tls_server *);

/* What links trust and show, by the settings of a destination. */
struct tls_trust	*tls_trust_new(const struct conf_tls_client *, char **error);
void			 tls_trust_free(struct tls_trust *);	/* as for a listener */

/*
 * A host that is dialled, perhaps again and again: then handshakes are short.  From one loop alone;
 * each that dials it has a copy, which makes handshakes of its own.
 */
struct tls_client	*tls_client_new(struct tls_trust *, const char *host);
struct tls_client	*tls_client_copy(const struct tls_client *);
struct tls_client	*tls_client_ref(struct tls_client *);	/* one more to free it */
void			 tls_client_free(struct tls_client *);	/* as for a listener */

/* One more connection, for conn_new_tls() to take. */
struct tls	*tls_accept(struct tls_server *);
struct tls	*tls_connect(struct tls_client *);

/* ---- for net/conn alone ---- */

/* Why no bytes went. */
enum tls_stop {
	TLS_WANTS_READ,		/* go on when bytes have come in ... */
	TLS_WANTS_WRITE,	/* ... when bytes can be written */
	TLS_ENDED,		/* the peer has ended the stream */
	TLS_RESET,		/* the stream failed below TLS */
	TLS_BROKEN,		/* for good; tls_fault() says why */
};

void	 tls_set_fd(struct tls *, int fd);	/* borrowed */
void	 tls_free(struct tls *);		/* says nothing to the peer; NULL is fine */

/*
 * As read and write; -1: *stop tells why.  Until tls_begin_turn() is called again no more than
 * a fixed number of bytes is taken from the socket: then it "wants to read", too, and the socket
 * is readable.  A write that is to go on must be repeated with its bytes and maybe more.
 */
void	 tls_begin_turn(struct tls *);
ssize_t	 tls_read(struct tls *, void *, size_t, enum tls_stop *stop);
ssize_t	 tls_write(struct tls *, const void *, size_t, enum tls_stop *stop);

/* Says that no more output follows.  False: it wants to write that later. */
bool	 tls_end_output(struct tls *);

/* The handshake is over; *is_resumed: it was a short one. */
bool	 tls_is_up(const struct tls *, bool *is_resumed);

/* Of what TLS_BROKEN was told: one line for the log. */
const char *tls_fault(const struct tls *);

/* What to tell, outside TLS, a client that spoke plain HTTP; NULL: this was something else. */
const char *tls_plain_answer(const struct tls *);

#endif
