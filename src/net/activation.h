/* SPDX-License-Identifier: ISC */
/*
 * Listening sockets that the daemon was started with: by systemd (sd_listen_fds(3)), or by the
 * usherd that it takes over from, which passes them in the same way.
 */
#ifndef NET_ACTIVATION_H
#define NET_ACTIVATION_H

#include <stdbool.h>

#include "net/listener.h"

struct activation;

/*
 * Reads LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES, and takes them from the environment.  NULL:
 * there are none (*error is NULL), or one of them is no listening socket: *error, to be freed.
 */
struct activation	*activation_new(char **error);
void			 activation_free(struct activation *);	/* closes what was not taken; NULL is fine */

/* The daemon that started this one waits to be told that it serves (USHER_UPGRADE). */
bool			 activation_is_upgrade(const struct activation *);
/* Tells it so.  To be freed without having told is to say that it never will. */
void			 activation_tell(struct activation *);
/* It was told, and has let go of what it passed on; or it has ended. */
bool			 activation_is_alone(const struct activation *);

/*
 * The socket for this address, which name says in another way ("127.0.0.1:0" as configured); the
 * caller's from now on.  -1: none.  *is_foreign: its file belongs to who made it.
 */
int			 activation_take(struct activation *, const struct listener_where *,
			    const char *name, bool *is_foreign);

/* The addresses of those that nobody took, with commas; NULL: all were.  Gives. */
char			*activation_left(const struct activation *);

/*
 * For who passes them on: how a name is written in LISTEN_FDNAMES.  Gives.  Names of sockets that
 * are the daemon's own begin with ACTIVATION_OWN.
 */
#define ACTIVATION_OWN "usherd "
char			*activation_name(const char *name, bool is_foreign);

#endif
