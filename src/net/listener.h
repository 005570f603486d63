/* SPDX-License-Identifier: ISC */
/*
 * A listening socket: the one place where connections are accepted.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct listener;
struct loop;

#define ADDRESS_MAX 64	/* "[2001:db8::1]:65535", with its NUL; "unix" */

/* Where to listen: host and port, or unix_path. */
struct listener_where {
	const char *host;
	uint16_t port;
	const char *unix_path;
	int fd;				/* a socket that listens there already, for others too; 0: none */
	bool is_foreign;		/* and its file is somebody else's to remove */
};

/* Somebody connected.  Takes fd.  address is without port; both are plain text. */
typedef void listener_accept_fn(int fd, const char *address, const char *address_port, void *arg);

/*
 * NULL if it cannot listen there: *error, to be freed, says why.  A stale socket
 * file is replaced, a live one is not.
 */
struct listener	*listener_new(struct loop *, const struct listener_where *,
		    listener_accept_fn *, void *arg, char **error);
void		 listener_free(struct listener *);	/* NULL is fine; closes, removes a socket file */

/*
 * For who passes it on to another process; that one removes the file from now on, when it says so:
 * the file of a socket that was given as fd is not removed before that.
 */
int		 listener_fd(const struct listener *);
bool		 listener_is_foreign(const struct listener *);
void		 listener_keep_file(struct listener *);
void		 listener_own_file(struct listener *);	/* no effect if it is foreign */

/* Whoever connects waits; and does not any more. */
void		 listener_pause(struct listener *);
void		 listener_resume(struct listener *);

/* "127.0.0.1:8080", with the port that the system chose for 0. */
const char	*listener_address(const struct listener *);

#endif
