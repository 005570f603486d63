/* SPDX-License-Identifier: ISC */
/*
 * The members of a JSON object, in their order and by their unescaped names, as
 * raw texts: so that claims pass from one token to the next without being
 * printed anew.
 */
#ifndef TOKEN_CLAIM_LIST_H
#define TOKEN_CLAIM_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "codec/json_scan.h"

struct claim {
	const char *name;		/* unescaped; owned by the list */
	size_t name_len;
	struct json_value raw_name;	/* with its quotes */
	struct json_value value;
};

/* Zero-initialised, it is empty. */
struct claim_list {
	const char *text;		/* borrowed as long as the list is used */
	struct claim *claims;		/* owned; in the order of the text */
	size_t n;
	const struct claim **by_name;	/* owned; the same, sorted */
	struct buf names;		/* what the names point into */
};

/*
 * Reads an object whose members are nested less than depth_max deep.  Of several
 * members with one name only the last is kept, as in other parsers.  false, and an
 * empty list, if it is none.
 */
MUST_USE bool	claim_list_read(struct claim_list *, const char *text, size_t len,
		    unsigned depth_max);

/* The strings of an array, as claims that are their own value; others are left out. */
MUST_USE bool	claim_list_read_names(struct claim_list *, const char *text, size_t len);

void		claim_list_free(struct claim_list *);

/* NULL if there is none of this name. */
const struct claim *claim_list_find(const struct claim_list *, const char *name, size_t len);

/* JavaScript's reading of it; NULL is false. */
bool		claim_is_truthy(const struct claim_list *, const struct claim *);

/* Appends it to an object that is being written: a comma unless it is the first, name, value. */
void		claim_add(struct buf *, const struct claim_list *, const struct claim *);

#endif
