/* SPDX-License-Identifier: ISC */
/*
 * The UNIX socket of usherctl(8): accepting, and lines in and out.
 *
 * Only root, the user of the daemon and the members of admin.group are served: the file is theirs
 * alone (mode 0600, or 0660), and the kernel says who is at the other end.
 */
#ifndef ADMIN_ADMIN_SOCKET_H
#define ADMIN_ADMIN_SOCKET_H

#include <stdbool.h>

struct admin_socket;
struct admin_view;
struct listener;
struct listener_where;

/*
 * Borrows the view.  A group, or NULL, is admin.group.  NULL: it cannot listen at path, or not for
 * this group; *error, to be freed, says why.
 */
struct admin_socket	*admin_socket_new(const struct admin_view *,
			    const struct listener_where *, const char *group, char **error);
/* Another one, or NULL: none, for whoever connects from now on.  false as above: it stays. */
bool			 admin_socket_set_group(struct admin_socket *, const char *path,
			    const char *group, char **error);
struct listener		*admin_socket_listener(struct admin_socket *);
/* NULL is fine.  What was answered is still written. */
void			 admin_socket_free(struct admin_socket *);

#endif
