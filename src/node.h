/* SPDX-License-Identifier: ISC */
/*
 * A node: everything that runs, built in order from a configuration, and taken
 * down again.
 */
#ifndef NODE_H
#define NODE_H

struct activation;
struct conf;
struct dev;
struct node;
struct tls_store;

/* How the process was started. */
struct node_start {
	char *const *argv;		/* borrowed for good */
	struct activation *activation;	/* sockets it was given; taken; NULL: none */
};

/*
 * Listens, dials its links and serves when node_run() is called.  NULL: it cannot
 * listen; the reason was logged.  Takes a reference to conf, and tls, which was made from it, in
 * any case; borrows dev, for --dev; NULL otherwise.
 */
struct node	*node_new(struct conf *, struct tls_store *tls, struct dev *, struct node_start *);

/*
 * Serves until SIGTERM (drains) or SIGINT (quick).  SIGHUP reads the configuration anew, but
 * not with --dev, which ends with its terminal.  A second signal ends the process
 * there and then, with status 1.
 */
void		 node_run(struct node *);
void		 node_free(struct node *);

#endif
