/* SPDX-License-Identifier: ISC */
/*
 * What the daemon and usherctl must agree on: the commands and their options.
 */
#ifndef ADMIN_ADMIN_TABLE_H
#define ADMIN_ADMIN_TABLE_H

#include <stddef.h>

#define ADMIN_ARGS_MAX	   4
#define ADMIN_LIMIT_MAX	   10000
#define ADMIN_LINE_MAX	   (1u << 20)	/* bytes of a question */
#define ADMIN_UNREAD_MAX   (1u << 20)	/* bytes of answers that wait to be read */

enum admin_option {
#define ADMIN_OPTION(id, name, value, help) ADMIN_OPT_##id,
#include "admin/admin_table.def"
	ADMIN_OPT_N
};

enum admin_kind { ADMIN_LOOK, ADMIN_ACT };

/* How many words a list of arguments has, as "DESTINATION [URL]": at least, and at most. */
static inline void
admin_count_args(const char *args, size_t *n_min, size_t *n_max)
{
	*n_min = *n_max = 0;
	for (const char *p = args; *p != '\0'; p++) {
		if (p != args && p[-1] != ' ')
			continue;
		(*n_max)++;
		*n_min += *p != '[';
	}
}

#endif
