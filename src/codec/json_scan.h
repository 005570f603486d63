/* SPDX-License-Identifier: ISC */
/*
 * One pass over a JSON text: validates all of it (RFC 8259, UTF-8, a depth
 * limit) and notes where the members of an object we care for begin and end.
 *
 * No tree is built, nothing is allocated and no byte is changed, so a payload
 * can be passed on exactly as it came.  The names cared for are a constant table
 * of the caller; names in the text are compared after unescaping, as every
 * other parser does ("\u0074ype" is "type").
 */
#ifndef CODEC_JSON_SCAN_H
#define CODEC_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/compiler.h"

#define JSON_NAMES_MAX 28
#define JSON_TEXT_MAX  UINT32_MAX	/* offsets are 32 bits */

enum json_kind {
	JSON_NONE = 0,	/* absent */
	JSON_OBJECT,
	JSON_ARRAY,
	JSON_STRING,
	JSON_NUMBER,
	JSON_TRUE,
	JSON_FALSE,
	JSON_NULL,
};

/* Names to note: at most JSON_NAMES_MAX, unescaped ASCII. */
struct json_names {
	size_t n;
	const char *const *name;
};

/* A value in the text: [start, end), without white space around it. */
struct json_value {
	enum json_kind kind : 8;
	bool is_plain;		/* a string known to have no escapes; false tells nothing */
	uint32_t start, end;
};

/* A noted member.  Of several with one name the last one stays (as in other parsers). */
struct json_member {
	struct json_value value;
	uint32_t name;		/* offset of the opening quote of its name */
	uint32_t comma_before;	/* offset of the comma before it; 0: it is the first member */
	uint32_t comma_after;	/* 0: it is the last member */
	uint32_t seen;		/* how often the name occurred; 0: absent, kind is JSON_NONE */
};

/* An object whose members were noted. */
_Static_assert(JSON_NAMES_MAX <= 32, "json_object.twice has a bit for each name");
struct json_object {
	uint32_t open, close;	/* offsets of '{' and '}' */
	uint32_t n_members;	/* all of them, noted or not */
	uint32_t twice;		/* bit i: name i occurred more than once */
	struct json_member member[JSON_NAMES_MAX];	/* by index in the table of names; those
							 * behind its end are never written */
};

/* The cursor of a pass. */
struct json_scan {
	const char *text, *end;	/* borrowed */
	const char *narrow;	/* before this place enough follows for a short look ahead */
	uint32_t pos;
	unsigned depth_max;	/* objects and arrays inside one another */
	const char *fault;	/* what is wrong at pos; NULL while all is well; static text */
	bool has_escape;	/* had a string any, since this was cleared? */
};

/*
 * Borrows text until the pass is over.  A text above JSON_TEXT_MAX bytes is at
 * fault from the start; a depth_max above 1024 counts as 1024.
 */
void	json_scan_init(struct json_scan *, const char *text, size_t len, unsigned depth_max);

/* No member of these names is there. */
void	json_scan_clear(struct json_object *, const struct json_names *);

/*
 * The next value, of any kind.  After a false, fault and pos say what and where,
 * and this pass finds nothing more.
 */
MUST_USE bool	json_scan_value(struct json_scan *, struct json_value *);

/*
 * The next value; where it is an object, its members named in names are noted in
 * o (which is cleared first, so a value of another kind leaves every member absent).
 * nested: index of a name whose value, if it is an object, is noted in sub with
 * the same names in the same pass; -1 and NULL for none.  Where that name occurs
 * several times sub belongs to the last one.
 */
MUST_USE bool	json_scan_members(struct json_scan *, struct json_value *,
		    const struct json_names *names, struct json_object *o,
		    int nested, struct json_object *sub);

/* Which of the names is this one, which has no escapes?  -1: none. */
typedef int json_find_fn(const char *name, size_t len);

/*
 * The same with a way of finding names that is faster than comparing them one by one; it must
 * find what that would find.
 */
MUST_USE bool	json_scan_members_by(struct json_scan *, struct json_value *,
		    const struct json_names *names, json_find_fn *, struct json_object *o,
		    int nested, struct json_object *sub);

/* Skips white space and takes c if it is the next byte. */
bool	json_scan_take(struct json_scan *, char c);

/* Only white space is left. */
MUST_USE bool	json_scan_end(struct json_scan *);

/* A whole text that is one value, validated. */
MUST_USE bool	json_scan_text(const char *text, size_t len, unsigned depth_max,
		    struct json_value *);

/* The following read a value that a scan has validated; v is inside text. */

/* The member of that name, if v is an object; else, or without one, JSON_NONE.  A pass of its own. */
struct json_value json_member_of(const char *text, struct json_value v, const char *name);

/* Is it a string that unescapes to these bytes? */
bool	json_string_equals(const char *text, struct json_value v, const char *s, size_t len);

/* The same of a constant, which is mostly compared where it lies. */
static inline bool
json_string_is(const char *text, struct json_value v, const char *s)
{
	size_t len = strlen(s);

	if (!v.is_plain)
		return json_string_equals(text, v, s, len);
	return v.kind == JSON_STRING && v.end - v.start == len + 2 &&
	    memcmp(text + v.start + 1, s, len) == 0;
}

/*
 * Appends the unescaped bytes of a string (UTF-8; a lone surrogate becomes
 * U+FFFD).  false, and nothing appended, if v is no string.
 */
bool	json_string_get(const char *text, struct json_value v, struct buf *out);

/*
 * The same where it lies, if it has no escapes, else appended to room, which the caller frees;
 * valid as long as both are.
 */
bool	json_string_view_any(const char *text, struct json_value v, const char **s, size_t *len,
	    struct buf *room);

static inline bool
json_string_view(const char *text, struct json_value v, const char **s, size_t *len,
    struct buf *room)
{
	if (!v.is_plain || v.kind != JSON_STRING)
		return json_string_view_any(text, v, s, len, room);
	*s = text + v.start + 1;
	*len = v.end - v.start - 2;
	return true;
}

/* An integer of 0 to 2^53-1 written without fraction and exponent. */
bool	json_number_u64(const char *text, struct json_value v, uint64_t *out);

/* Any number as a double (JavaScript's reading of it). */
bool	json_number_double(const char *text, struct json_value v, double *out);

/* Is it a value that JavaScript takes as true?  (Not: absent, null, false, 0, "".) */
bool	json_value_is_truthy(const char *text, struct json_value v);

/* The same; mostly it is asked of what is absent. */
static inline bool
json_is_truthy(const char *text, struct json_value v)
{
	return v.kind != JSON_NONE && json_value_is_truthy(text, v);
}

#endif
