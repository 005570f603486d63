/* SPDX-License-Identifier: ISC */
/*
 * Templates of REST paths, as QEWD's routes have them:
 *
 *	"/api/user/:id"		one segment, or a part of one, under the name "id"
 *	"/api/report(-:year)"	a part that may be absent; such parts may nest
 *
 * and "*name" for all that follows, also nothing.
 *
 * A template fits a path as a whole.  Where there is a choice, a ":name" takes as much as
 * it can, a "*name" as little as it can, and an optional part is there if it can be.
 */
#ifndef CODEC_PATH_TEMPLATE_H
#define CODEC_PATH_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/compiler.h"

#define PATH_TEMPLATE_MAX 512	/* bytes of a template */
#define PATH_VARS_MAX	  16	/* names in it */

struct path_template;

/* What a variable stands for; still percent-encoded, and borrowed. */
struct path_var {
	const char *name;
	const char *value;		/* NULL: the optional part it is in is absent */
	size_t len;
};

struct path_vars {
	size_t n;
	struct path_var var[PATH_VARS_MAX];
};

/* NULL if it is malformed: *fault then says why; static text. */
struct path_template	*path_template_new(const char *text, const char **fault);
void			 path_template_free(struct path_template *);
const char		*path_template_text(const struct path_template *);

/* Is there a variable of this name? */
bool			 path_template_has(const struct path_template *, const char *name);

/*
 * Does it fit?  path is that of a URL, as it was sent; a slash at its end counts for nothing.
 * Takes time in proportion to the length of both, whatever they are.
 */
MUST_USE bool		 path_template_match(const struct path_template *, const char *path,
			    size_t len, struct path_vars *);

/* Appends a variable's value; false, and nothing appended: it is absent, or cannot be decoded. */
MUST_USE bool		 path_vars_get(const struct path_vars *, const char *name, struct buf *);

/*
 * Appends {"name":"decoded value",...}, without those that are absent; of several with one name
 * the last that is there counts.  false, and nothing appended: one cannot be decoded.
 */
MUST_USE bool		 path_vars_add_json(struct buf *, const struct path_vars *);

#endif
