/* SPDX-License-Identifier: ISC */
/*
 * A node: everything that runs, built in order from a configuration, and taken
 * down again.
 */
#ifndef NODE_H
#define NODE_H

struct conf;
struct dev;
struct node;

/*
 * Listens, dials its links and serves when node_run() is called.  NULL: it cannot
 * listen; the reason was logged.  Takes a reference to conf.  dev, for --dev, is
 * borrowed; NULL otherwise.
 */
struct node	*node_new(struct conf *, struct dev *);

/*
 * Serves until SIGTERM (drains) or SIGINT (quick).  A second signal ends the process
 * there and then, with status 1.
 */
void		 node_run(struct node *);
void		 node_free(struct node *);

#endif
