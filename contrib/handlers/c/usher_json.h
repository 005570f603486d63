/* SPDX-License-Identifier: ISC */
/*
 * As much JSON as the kit needs, private to it: check a text, find a member, write a
 * string or a number.  Text that has been checked may be walked without looking for
 * faults; all of this stays inside the text whatever is in it.
 */
#ifndef USHER_JSON_H
#define USHER_JSON_H

#include <stdbool.h>
#include <stddef.h>

/* A growing text; empty when all zero.  Whoever holds it frees data. */
struct usher_buf {
	char *data;	/* ends with a NUL as soon as something was added */
	size_t len;
	size_t size;
};

/* A part of somebody else's text. */
struct usher_slice {
	const char *at;	/* NULL: nothing */
	size_t len;
};

void	*usher_xrealloc(void *, size_t);
void	 usher_buf_add(struct usher_buf *, const char *, size_t);
void	 usher_buf_adds(struct usher_buf *, const char *);

/* One value of JSON, with nothing but white space around it, and valid UTF-8. */
bool	usher_json_is_valid(const char *, size_t);

/*
 * Walks the members of an object, or the elements of an array (their name is
 * nothing).  at begins as the whole text; false at the end, or if it is neither.
 */
struct usher_walk {
	const char *at;		/* NULL: not begun */
	const char *end;
	bool is_object;
	struct usher_slice name;	/* as written, with its quotes */
	struct usher_slice value;
};
struct usher_walk	usher_walk(struct usher_slice);
bool			usher_walk_next(struct usher_walk *);

/* The member at a path as in usher_get_string(); of several of one name the last one. */
struct usher_slice	usher_json_find(struct usher_slice, const char *path);

/* A string as written against a C string. */
bool	usher_json_equals(struct usher_slice, const char *, size_t);

/* Adds what the string means; false if it is no string or has a NUL in it. */
bool	usher_json_decode(struct usher_buf *, struct usher_slice);

void	usher_json_add_string(struct usher_buf *, const char *);
void	usher_json_add_number(struct usher_buf *, double);
bool	usher_json_number(struct usher_slice, double *);

/* Adds a checked text so that it fits on one line: ends of lines become blanks. */
void	usher_json_add_line(struct usher_buf *, const char *, size_t);

#endif
