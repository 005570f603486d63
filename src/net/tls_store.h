/* SPDX-License-Identifier: ISC */
/*
 * All that a configuration says about TLS, read from its files.
 */
#ifndef NET_TLS_STORE_H
#define NET_TLS_STORE_H

#include "net/tls.h"

struct conf;
struct conf_destination;
struct conf_listener;
struct conf_url;
struct tls_store;

/*
 * Borrows the configuration for good.  From any thread.  NULL if a file cannot be used: *error, to be freed, says
 * which, why, and what to do.
 */
struct tls_store	*tls_store_new(const struct conf *, char **error);
void			 tls_store_free(struct tls_store *);	/* connections keep theirs; NULL is fine */

/* What a listener shows; NULL: it has no TLS. */
struct tls_server	*tls_store_server(const struct tls_store *, const struct conf_listener *);

/*
 * How a URL of a destination is dialled; NULL: without TLS.  Destinations that say the same
 * about the same URL have one and the same.
 */
struct tls_client	*tls_store_client(const struct tls_store *, const struct conf_destination *,
			    const struct conf_url *);
/* What it says, as a text that is equal for those that say the same; NULL: without TLS.  Gives. */
char			*tls_store_key(const struct conf_destination *, const struct conf_url *);

#endif
