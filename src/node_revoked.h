/* SPDX-License-Identifier: ISC */
/*
 * Who is revoked while another usherd has taken over: the operator speaks with that one, which
 * writes jwt.revoked_file, and sessions that are still here are to hear of it as well.
 */
#ifndef NODE_REVOKED_H
#define NODE_REVOKED_H

struct node;
struct node_revoked;

/* From now on the file is looked at.  NULL: none is configured. */
struct node_revoked	*node_revoked_watch(struct node *);
void			 node_revoked_free(struct node_revoked *);	/* NULL is fine */

#endif
