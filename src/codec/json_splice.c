/* SPDX-License-Identifier: ISC */
/*
 * Changing members of a scanned JSON object.
 *
 * The edits of members that are there become cuts: pieces of the text to leave
 * out, with what stands there instead.  Sorted, they turn the work into copying
 * what lies between them.
 */
#include "codec/json_splice.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

/* [start, end) of the text is replaced by the value of edit, or by nothing. */
struct cut {
	uint32_t start, end;
	const struct json_member *member;
	const struct json_edit *edit;
};

/* Around a new member: a comma, quotes, a colon. */
#define MEMBER_ROOM 6

static size_t	collect_cuts(struct cut *, const struct json_object *, const struct json_edit *,
		    size_t n);
static void	give_last_commas(struct cut *, size_t n);
static char	*put_name(char *, const char *);
static char	*put_value(char *, const char *text, const struct json_names *,
		    const struct json_edit *);

static inline bool
is_removal(const struct json_edit *e)
{
	return e->value == NULL && e->object == NULL;
}

static inline char *
put(char *p, const char *from, size_t n)
{
	memcpy(p, from, n);
	return p + n;
}

size_t
json_splice(char *out, const char *text, const struct json_object *o,
    const struct json_names *names, const struct json_edit *edits, size_t n)
{
	struct cut cuts[JSON_EDITS_MAX];
	size_t n_cuts, n_left = o->n_members;
	uint32_t pos = o->open;
	char *p = out;

	assert(n <= JSON_EDITS_MAX);
	n_cuts = collect_cuts(cuts, o, edits, n);
	for (const struct cut *cut = cuts; cut < cuts + n_cuts; cut++) {
		p = put(p, text + pos, cut->start - pos);
		pos = cut->end;
		if (is_removal(cut->edit))
			n_left--;
		else
			p = put_value(p, text, names, cut->edit);
	}
	p = put(p, text + pos, o->close - pos);
	for (const struct json_edit *e = edits; e < edits + n; e++) {
		if (o->member[e->name].seen > 0 || is_removal(e))
			continue;
		if (n_left++ > 0)
			*p++ = ',';
		p = put_value(put_name(p, names->name[e->name]), text, names, e);
	}
	*p++ = '}';
	return (size_t)(p - out);
}

size_t
json_splice_room(const struct json_object *o, const struct json_names *names,
    const struct json_edit *edits, size_t n)
{
	size_t room = o->close + 1 - o->open;

	for (const struct json_edit *e = edits; e < edits + n; e++) {
		if (is_removal(e))
			continue;
		room += MEMBER_ROOM + (e->object == NULL ? e->len :
		    json_splice_room(e->object, names, e->edits, e->n_edits));
		if (o->member[e->name].seen == 0)
			room += strlen(names->name[e->name]);
	}
	return room;
}

void
json_splice_add(struct buf *b, const char *text, const struct json_object *o,
    const struct json_names *names, const struct json_edit *edits, size_t n)
{
	char *out = buf_reserve(b, json_splice_room(o, names, edits, n));

	buf_used(b, json_splice(out, text, o, names, edits, n));
}

/* The cuts that the edits of present members make, in the order of the text; how many. */
static size_t
collect_cuts(struct cut *cuts, const struct json_object *o, const struct json_edit *edits,
    size_t n)
{
	size_t n_cuts = 0, at;

	for (const struct json_edit *e = edits; e < edits + n; e++) {
		const struct json_member *m = &o->member[e->name];
		struct cut cut;

		assert(m->seen <= 1);
		if (m->seen == 0)
			continue;
		cut = (struct cut){ m->value.start, m->value.end, m, e };
		if (is_removal(e)) {
			cut.start = m->name;
			if (m->comma_after != 0)
				cut.end = m->comma_after + 1;
		}
		for (at = n_cuts++; at > 0 && cuts[at - 1].start > cut.start; at--)
			cuts[at] = cuts[at - 1];
		cuts[at] = cut;
	}
	give_last_commas(cuts, n_cuts);
	return n_cuts;
}

/*
 * A removed member takes the comma behind it.  Where it and all behind it go,
 * the comma before it has to go as well, or the one that stays in front of them
 * would be followed by a comma and nothing.
 */
static void
give_last_commas(struct cut *cuts, size_t n)
{
	uint32_t comma = 0;	/* what the last member has behind it */

	for (; n > 0; n--) {
		struct cut *cut = &cuts[n - 1];

		if (!is_removal(cut->edit) || cut->member->comma_after != comma)
			break;
		comma = cut->member->comma_before;
		cut->end = cut->member->value.end;
		if (comma == 0)
			break;	/* it is the first one: none of them stays */
		cut->start = comma;
	}
}

/* The name of a new member; the names of the table need no escapes. */
static char *
put_name(char *p, const char *name)
{
	*p++ = '"';
	p = put(p, name, strlen(name));
	return put(p, "\":", 2);
}

/* The new value of a member. */
static char *
put_value(char *p, const char *text, const struct json_names *names, const struct json_edit *e)
{
	if (e->object != NULL)
		return p + json_splice(p, text, e->object, names, e->edits, e->n_edits);
	if (!e->is_bare)
		return put(p, e->value, e->len);
	*p++ = '"';
	p = put(p, e->value, e->len);
	*p++ = '"';
	return p;
}
