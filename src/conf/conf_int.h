/* SPDX-License-Identifier: ISC */
/*
 * What the files that build a struct conf share.  Not for other folders.
 */
#ifndef CONF_CONF_INT_H
#define CONF_CONF_INT_H

#include "conf/conf.h"
#include "conf/conf_fault.h"
#include "conf/conf_yaml.h"

/*
 * Adds what the tree says about remote applications: "destinations" and "u_services"
 * in both forms.  The applications are in conf already.  Notes faults.
 */
void	 conf_services_build(struct conf *, const struct conf_node *root, struct conf_faults *);
void	 conf_services_cleanup(struct conf *);

/* A fault at a key of a map if it names a file that cannot be read; path may be NULL. */
void	 conf_check_file(const struct conf_node *map, const char *key, const char *path,
	    const char *shown, struct conf_faults *);

/* A copy of the text of a scalar below a map; NULL if it is not there or bad.  Gives. */
char	*conf_text_of(const struct conf_node *map, const char *key);

/* jwt.issuers; and its end. */
void	conf_issuers_build(struct conf *, const struct conf_node *root, struct conf_faults *);
void	conf_issuers_cleanup(struct conf_jwt *);

#endif
