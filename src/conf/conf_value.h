/* SPDX-License-Identifier: ISC */
/*
 * What the texts in a configuration mean: numbers with units, addresses, URLs,
 * names.  No files, no faults: the callers know where a text stands.
 */
#ifndef CONF_CONF_VALUE_H
#define CONF_CONF_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "conf/conf.h"

/* These take the whole text, or say false.  "off" is not known here. */
MUST_USE bool	 conf_value_bool(const char *, bool *);
MUST_USE bool	 conf_value_count(const char *, uint64_t *);
MUST_USE bool	 conf_value_threads(const char *, uint64_t *);	/* or "auto" */
MUST_USE bool	 conf_value_duration(const char *, uint64_t *ms);
MUST_USE bool	 conf_value_size(const char *, uint64_t *bytes);

/* The shortest text that reads back as this value. */
void		 conf_value_add_duration(struct buf *, uint64_t ms);
void		 conf_value_add_size(struct buf *, uint64_t bytes);

/* Would YAML take this text, without quotes, as null, a number, or true or false? */
bool		 conf_value_is_no_text(const char *);

/*
 * ${NAME} and ${NAME:-default} become what the environment says; "$${" is a "${"
 * that stays.  NULL, or what is wrong, to be freed; out then holds some part.
 * A result longer than CONF_EXPANDED_MAX is wrong, too.
 */
#define CONF_EXPANDED_MAX 65536
MUST_USE char	*conf_value_expand(const char *, struct buf *out);

/*
 * The following say what is wrong and what would be right, as a sentence without
 * its subject in static text, or NULL.  What they fill in is given, but only then.
 */
MUST_USE const char	*conf_value_listener(const char *, struct conf_listener *);
MUST_USE const char	*conf_value_url(const char *, struct conf_url *);

/* The same, for texts that need no conversion. */
const char	*conf_check_address(const char *);	/* of a listener */
const char	*conf_check_loopback(const char *);	/* the same, but of this host alone */
const char	*conf_check_url(const char *);
const char	*conf_check_host(const char *);		/* a name or an address, as in a URL */
const char	*conf_check_origin(const char *);
const char	*conf_check_network(const char *);	/* an address, or a network */
const char	*conf_check_name(const char *);		/* of a node, application, destination */
const char	*conf_check_pattern(const char *);	/* of message types */
const char	*conf_check_algorithm(const char *);
const char	*conf_check_path(const char *);		/* that clients ask for: "/a/b" */
const char	*conf_check_template(const char *);	/* of such paths: "/a/:name" */
const char	*conf_check_method(const char *);	/* of HTTP requests: "GET" */
const char	*conf_check_cookie(const char *);	/* a name of one */
const char	*conf_check_variable(const char *);	/* a name to pass on to workers */

#endif
