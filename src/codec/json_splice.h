/* SPDX-License-Identifier: ISC */
/*
 * Changing members of a scanned JSON object by copying the pieces around them.
 *
 * Every byte that is not part of a changed member stays as it is.  A member is
 * replaced where it stands, else inserted before the closing brace; a removed one
 * goes with one comma, so that the result is valid JSON again.
 */
#ifndef CODEC_JSON_SPLICE_H
#define CODEC_JSON_SPLICE_H

#include <stdbool.h>
#include <stddef.h>

#include "codec/json_scan.h"

struct json_edit {
	int name;		/* index into the table the object was scanned with */
	const char *value;	/* new value, a JSON text; NULL and no object: remove the member */
	size_t len;
	bool is_bare;		/* value is what stands between the quotes of a string */
	const struct json_object *object;	/* or: the member's own value (an object noted with
						 * the same table) with these edits applied */
	const struct json_edit *edits;
	size_t n_edits;
};

#define JSON_EDITS_MAX 12

/*
 * Writes the object with the edits applied to out and gives its length, which is at most what
 * json_splice_room() says.  Each name is edited at most once, n is at most JSON_EDITS_MAX; a
 * name that occurs several times must not be edited (the callers refuse those).
 */
size_t	json_splice(char *out, const char *text, const struct json_object *,
	    const struct json_names *, const struct json_edit *, size_t n);
size_t	json_splice_room(const struct json_object *, const struct json_names *,
	    const struct json_edit *, size_t n);

/* The same, appended to a buffer. */
void	json_splice_add(struct buf *, const char *text, const struct json_object *,
	    const struct json_names *, const struct json_edit *, size_t n);

#endif
