/* SPDX-License-Identifier: ISC */
/*
 * Tables for people, made of objects of JSON.
 */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include <stddef.h>

#include "codec/json_scan.h"

enum format {
	FORMAT_TEXT,
	FORMAT_NUMBER,		/* as it is, to the right */
	FORMAT_AGE,		/* milliseconds, as "2m05s" */
	FORMAT_BYTES,		/* as "12.3M" */
	FORMAT_YES,		/* a boolean */
	FORMAT_FAULT,		/* what is wrong; null is "ok" */
	FORMAT_LIST,		/* texts, one behind the other */
};

struct column {
	const char *head;
	const char *member;	/* of each row */
	enum format format;
};

/* A member of the answer: an array of objects, each a row. */
struct list {
	const char *member;
	const char *title;	/* above it; NULL: none */
	const char *nothing;	/* said if it has no rows; NULL: then not even its title is */
	const struct column *column;
	size_t n_columns;	/* JSON_NAMES_MAX at most */
};

/* A value as it stands in a table; none of its bytes drives the terminal.  Gives. */
char	*table_cell(enum format, const char *text, struct json_value);

/* Prints the rows of an array in text. */
void	table_print(const struct list *, const char *text, struct json_value array);

/* Prints the members of an object, one a line, under the heads as their names. */
void	table_print_object(const struct column *, size_t n, const char *text, struct json_value);

/*
 * Prints a result that nobody has made columns for: its "text" as a line, its other members one a
 * line, arrays of objects as tables whose columns are the members of their first row.
 */
void	table_print_any(const char *text, struct json_value result);

#endif
