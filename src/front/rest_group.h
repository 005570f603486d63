/* SPDX-License-Identifier: ISC */
/*
 * The answers of a group's members, made into one (protocol reference section 12.4).
 */
#ifndef FRONT_REST_GROUP_H
#define FRONT_REST_GROUP_H

#include <stddef.h>

struct reply;
struct rest_answer;
struct rest_group;
struct rest_style;

/* n members, at least one; the style is that of all, without a token, and borrowed. */
struct rest_group	*rest_group_new(const struct rest_style *, size_t n);
void			 rest_group_free(struct rest_group *);

/* Each has one before the answer is made; a copy, since a reload may free what it is of. */
void			 rest_group_set_name(struct rest_group *, size_t i, const char *name);

/*
 * The final of member i, once for each.  token: what a caller may have of it, NULL for none; the
 * first of all is the answer's.
 */
void			 rest_group_add(struct rest_group *, size_t i, const struct reply *,
			    const char *token, size_t token_len);

/* All members have answered: results if one succeeded, else their error or errors. */
void			 rest_group_answer(const struct rest_group *, struct rest_answer *);

#endif
