/* SPDX-License-Identifier: ISC */
/*
 * Where a node listens: for clients, for its operator.  What has the same address in another
 * configuration keeps its socket, whatever else is said about it.
 */
#ifndef NODE_DOORS_H
#define NODE_DOORS_H

struct conf;
struct listener;
struct node;
struct node_doors;
struct tls_store;

/*
 * All that the configuration wants, those that are open already among them; nothing of the node's
 * is changed but who may use the admin socket, and that only if all else is there: the switch is to
 * follow.  NULL, and nothing is other than before: *error, to be freed, says what and why.
 */
struct node_doors	*node_doors_open(struct node *, const struct conf *, struct tls_store *,
			    char **error);
/*
 * They are the node's from now on, and say what this configuration says, which is the node's
 * already; those that are not among them close.  Takes them.
 */
void			 node_doors_switch(struct node *, struct node_doors *);
/* What the operator asked through and is not among them any more: now that it was answered. */
void			 node_doors_forget(struct node *);
/* Each listener, with the name that another usherd finds it by. */
void			 node_doors_each(struct node *, void (*fn)(struct listener *,
			    const char *name, void *arg), void *arg);
/* Clients that connect wait. */
void			 node_doors_pause(struct node *);
/*
 * For who takes over from another process: the operator waits as well; the socket files are this
 * one's to remove; nobody waits any more.
 */
void			 node_doors_pause_all(struct node *);
void			 node_doors_own(struct node *);
void			 node_doors_resume_all(struct node *);
void			 node_doors_close(struct node *);	/* to clients; again: no effect */
void			 node_doors_close_admin(struct node *);	/* before what they look at goes */
void			 node_doors_free(struct node *);

#endif
