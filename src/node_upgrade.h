/* SPDX-License-Identifier: ISC */
/*
 * A new usherd in place of this one: it gets the listening sockets, and when it serves, this one
 * drains.  Nobody who connects is refused meanwhile.
 */
#ifndef NODE_UPGRADE_H
#define NODE_UPGRADE_H

struct node;
struct node_upgrade;

/* fault: why this one goes on alone; NULL: the process pid serves, and this one is about to drain. */
typedef void	 node_upgrade_fn(const char *fault, int pid, void *arg);

/* Starts the program that this one was started by.  on_done may be called before this returns. */
void		 node_upgrade_begin(struct node *, node_upgrade_fn *on_done, void *arg);
/* Nobody waits for it any more. */
void		 node_upgrade_forget(struct node *, const void *arg);
/* The node ends: so does the new process, if it does not serve yet. */
void		 node_upgrade_end(struct node *);

#endif
