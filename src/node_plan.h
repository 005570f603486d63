/* SPDX-License-Identifier: ISC */
/*
 * What becomes of a node's parts when it gets a configuration: which of the old ones stay, and
 * which connections are needed.
 *
 * It is made by a thread of its own while the node serves: of the node it knows the old
 * configuration alone.
 */
#ifndef NODE_PLAN_H
#define NODE_PLAN_H

#include <stddef.h>

#include "conf/conf.h"

struct tls_client;
struct tls_store;

#define PLAN_NEW SIZE_MAX	/* in place of a number: there was none before */

/* A URL that some destinations share, since they trust the same over TLS. */
struct plan_url {
	char *id;			/* of its remote; owned */
	const struct conf_url *url;
	struct tls_client *tls;		/* borrowed; NULL: without TLS */
	enum conf_protocol protocol;
	const char *application;	/* to register for */
};

enum plan_roll { PLAN_STAYS, PLAN_ROLLS_SETTINGS, PLAN_ROLLS_FILES };

struct node_plan {
	struct conf *conf;		/* a reference */
	struct tls_store *tls;		/* owned, until it is the node's */
	struct conf *old;		/* a reference; NULL: the node is new */
	size_t *old_set;		/* as conf->destinations: the number of the one that stays */
	size_t *old_pool;		/* as conf->applications, like the next */
	enum plan_roll *roll;		/* do its workers stay? */
	struct plan_url *urls;
	size_t n_urls;
	size_t **url_of;		/* as conf->destinations: for each of its URLs */
};

/* Takes a reference to both configurations, and tls. */
struct node_plan	*node_plan_new(struct conf *, struct tls_store *tls, struct conf *old);
void			 node_plan_free(struct node_plan *);	/* NULL is fine */

#endif
