/* SPDX-License-Identifier: ISC */
/*
 * What differs between two configurations, where it matters to what is running.
 */
#ifndef CONF_CONF_DIFF_H
#define CONF_CONF_DIFF_H

#include <stdbool.h>

struct conf;
struct conf_application;

/* Would a worker of one be started as one of the other? */
bool	 conf_same_workers(const struct conf_application *, const struct conf_application *);

/* Are workers of QEWD's own told the same when they start? */
bool	 conf_same_hello(const struct conf *, const struct conf *);

bool	 conf_same_secrets(const struct conf *, const struct conf *);

/*
 * What cannot change while the node runs becomes again what it was in old; nobody else may have
 * the new one yet.  Gives the names of what was changed in vain, or NULL.
 */
char	*conf_keep_fixed(struct conf *, const struct conf *old);

#endif
