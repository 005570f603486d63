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

/* Where the result goes; counts only, while p is NULL. */
struct sink {
	char *p;
	size_t len;
};

/* Around a new member: a comma, quotes, a colon. */
#define MEMBER_ROOM 8

static size_t	collect_cuts(struct cut *, const struct json_object *, const struct json_edit *,
		    size_t n);
static void	give_last_commas(struct cut *, size_t n);
static inline void put(struct sink *, const char *, size_t);
static void	put_name(struct sink *, const char *);
static void	put_value(struct sink *, const char *text, const struct json_names *,
		    const struct json_edit *);

static bool
is_removal(const struct json_edit *e)
{
	return e->value == NULL && e->object == NULL;
}

size_t
json_splice(char *out, const char *text, const struct json_object *o,
    const struct json_names *names, const struct json_edit *edits, size_t n)
{
	struct cut cuts[JSON_EDITS_MAX];
	struct sink sink = { .p = out };
	size_t n_cuts, n_left = o->n_members;
	uint32_t pos = o->open;

	assert(n <= JSON_EDITS_MAX);
	n_cuts = collect_cuts(cuts, o, edits, n);
	for (size_t i = 0; i < n_cuts; i++) {
		put(&sink, text + pos, cuts[i].start - pos);
		pos = cuts[i].end;
		if (is_removal(cuts[i].edit))
			n_left--;
		else
			put_value(&sink, text, names, cuts[i].edit);
	}
	put(&sink, text + pos, o->close - pos);
	for (size_t i = 0; i < n; i++) {
		if (o->member[edits[i].name].seen > 0 || is_removal(&edits[i]))
			continue;
		if (n_left++ > 0)
			put(&sink, ",", 1);
		put_name(&sink, names->name[edits[i].name]);
		put_value(&sink, text, names, &edits[i]);
	}
	put(&sink, "}", 1);
	return sink.len;
}

/* What the edits add at most. */
static size_t
room_for(const struct json_names *names, const struct json_edit *edits, size_t n)
{
	size_t room = 0;

	for (size_t i = 0; i < n; i++) {
		if (!is_removal(&edits[i]))
			room += MEMBER_ROOM + strlen(names->name[edits[i].name]) + edits[i].len;
		if (edits[i].object != NULL)
			room += edits[i].object->close + 1 - edits[i].object->open +
			    room_for(names, edits[i].edits, edits[i].n_edits);
	}
	return room;
}

void
json_splice_add(struct buf *b, const char *text, const struct json_object *o,
    const struct json_names *names, const struct json_edit *edits, size_t n)
{
	size_t room = o->close + 1 - o->open + room_for(names, edits, n);

	buf_used(b, json_splice(buf_reserve(b, room), text, o, names, edits, n));
}

/* The cuts that the edits of present members make, in the order of the text; how many. */
static size_t
collect_cuts(struct cut *cuts, const struct json_object *o, const struct json_edit *edits,
    size_t n)
{
	size_t n_cuts = 0, at;

	for (size_t i = 0; i < n; i++) {
		const struct json_member *m = &o->member[edits[i].name];
		struct cut cut = { m->value.start, m->value.end, m, &edits[i] };

		assert(m->seen <= 1);
		if (m->seen == 0)
			continue;
		if (is_removal(&edits[i])) {
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

static inline void
put(struct sink *sink, const char *p, size_t n)
{
	if (sink->p != NULL)
		memcpy(sink->p + sink->len, p, n);
	sink->len += n;
}

/* The name of a new member; the names of the table need no escapes. */
static void
put_name(struct sink *sink, const char *name)
{
	size_t len = strlen(name);

	put(sink, "\"", 1);
	put(sink, name, len);
	put(sink, "\":", 2);
}

/* The new value of a member. */
static void
put_value(struct sink *sink, const char *text, const struct json_names *names,
    const struct json_edit *e)
{
	char *out = sink->p != NULL ? sink->p + sink->len : NULL;

	if (e->object != NULL) {
		sink->len += json_splice(out, text, e->object, names, e->edits, e->n_edits);
		return;
	}
	if (e->is_bare)
		put(sink, "\"", 1);
	put(sink, e->value, e->len);
	if (e->is_bare)
		put(sink, "\"", 1);
}
