/* SPDX-License-Identifier: ISC */
/*
 * One pass over a JSON text: validate it and note members of an object.
 *
 * Values are skipped by a loop with one bit a level (array or object), so a
 * peer's nesting never becomes our C stack; only the two objects whose members are
 * noted are functions inside one another.
 *
 * Most of what a request costs is spent here, so the cursor is handed on as p, from function to
 * function, and stays in a register: each gives the place behind what it took, or NULL
 * after a fault, which is then noted in the pass with its place.
 */
#include "codec/json_scan.h"

#include <assert.h>
#include <string.h>

#include "codec/json_plain.h"
#include "codec/utf8.h"

#define DEPTH_LIMIT	1024	/* bits in struct nest; a larger depth_max counts as this */

/*
 * Where that much is left no look at the end of the text is needed for the first step into a
 * string and two bytes behind it.
 */
#define ROOM	(1 + JSON_STEP + 2)

/* The arrays and objects around the cursor, inside the value being skipped. */
struct nest {
	uint64_t is_object;	/* bit 0: the innermost one; those of the last 64 levels at most */
	unsigned depth;
	uint64_t outer[DEPTH_LIMIT / 64];	/* is_object as it was when its last bit was used up */
};

/* What a pass over members notes, and where. */
struct pass {
	const struct json_names *names;
	json_find_fn *find;		/* NULL: they are compared one by one */
	struct json_object *o;
	struct json_object *sub;	/* NULL: no nested one */
	int nested;			/* -1: none */
	unsigned outer;			/* levels around o */
};

static const char *scan_object(struct json_scan *, const struct pass *, const char *p);
static inline const char *scan_value(struct json_scan *, unsigned outer, const char *p);
static inline bool is_simple(const struct json_scan *, const char *p);
static inline const char *scan_simple(struct json_scan *, const char *p);
static NO_INLINE const char *scan_atom(struct json_scan *, const char *p);
static inline const char *scan_string(struct json_scan *, const char *p);
static inline const char *short_name(const struct json_scan *, const char *p);
static inline const char *scan_colon(struct json_scan *, const char *p);
static RARE const char *fail(struct json_scan *, const char *p, const char *fault);

static inline uint32_t
offset(const struct json_scan *s, const char *p)
{
	return (uint32_t)(p - s->text);
}

static inline bool
is_at(const struct json_scan *s, const char *p, char c)
{
	return p < s->end && *p == c;
}

static inline const char *
skip_blanks(const struct json_scan *s, const char *p)
{
	/* Mostly there are none, and whatever else is up to a blank is no JSON. */
	while (p < s->end && (unsigned char)*p <= ' ' &&
	    (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

/* Is c what comes next?  Then *p is moved to it, else to whatever comes instead. */
static inline bool
comes(const struct json_scan *s, const char **p, char c)
{
	if (is_at(s, *p, c))	/* mostly no white space stands before it */
		return true;
	*p = skip_blanks(s, *p);
	return is_at(s, *p, c);
}

/* The kinds of valid values, by their first byte. */
static const uint8_t kind_of[128] = {
	['{'] = JSON_OBJECT, ['['] = JSON_ARRAY, ['"'] = JSON_STRING, ['t'] = JSON_TRUE,
	['f'] = JSON_FALSE, ['n'] = JSON_NULL, ['-'] = JSON_NUMBER, ['0' ... '9'] = JSON_NUMBER,
};

/*
 * What lies between start and end, which the scan has found to be a value; it has an escape if
 * one was seen since the start.
 */
static inline struct json_value
value_at(const struct json_scan *s, const char *start, const char *end)
{
	return (struct json_value){
		.kind = (enum json_kind)kind_of[(unsigned char)*start],
		.is_plain = !s->has_escape,
		.start = offset(s, start), .end = offset(s, end),
	};
}

/* Where the pass stands from now on; false: it stays at its fault. */
static bool
stand_at(struct json_scan *s, const char *p)
{
	if (p == NULL)
		return false;
	s->pos = offset(s, p);
	return true;
}

void
json_scan_init(struct json_scan *s, const char *text, size_t len, unsigned depth_max)
{
	*s = (struct json_scan){
		.text = text,
		.end = text,
		.narrow = text,
		.depth_max = depth_max < DEPTH_LIMIT ? depth_max : DEPTH_LIMIT,
	};
	if (len > JSON_TEXT_MAX) {
		s->fault = "longer than a JSON text may be";
		return;
	}
	s->end = text + len;
	if (len > ROOM)
		s->narrow = s->end - ROOM;
}

void
json_scan_clear(struct json_object *o, const struct json_names *names)
{
	o->open = o->close = o->n_members = o->twice = 0;
	memset(o->member, 0, names->n * sizeof(o->member[0]));
}

bool
json_scan_value(struct json_scan *s, struct json_value *v)
{
	const char *start, *p;

	*v = (struct json_value){ 0 };
	if (s->fault != NULL)
		return false;
	start = skip_blanks(s, s->text + s->pos);
	s->has_escape = false;
	p = scan_value(s, 0, start);
	if (!stand_at(s, p))
		return false;
	*v = value_at(s, start, p);
	return true;
}

bool
json_scan_members(struct json_scan *s, struct json_value *v, const struct json_names *names,
    struct json_object *o, int nested, struct json_object *sub)
{
	return json_scan_members_by(s, v, names, NULL, o, nested, sub);
}

bool
json_scan_members_by(struct json_scan *s, struct json_value *v, const struct json_names *names,
    json_find_fn *find, struct json_object *o, int nested, struct json_object *sub)
{
	const struct pass pass = {
		.names = names, .find = find, .o = o, .sub = sub,
		.nested = sub != NULL ? nested : -1,
	};
	const char *start, *p;

	assert(names->n <= JSON_NAMES_MAX);
	*v = (struct json_value){ 0 };
	json_scan_clear(o, names);
	if (sub != NULL)
		json_scan_clear(sub, names);
	if (s->fault != NULL)
		return false;
	start = skip_blanks(s, s->text + s->pos);
	s->has_escape = false;
	p = is_at(s, start, '{') ? scan_object(s, &pass, start) : scan_value(s, 0, start);
	if (!stand_at(s, p))
		return false;
	*v = value_at(s, start, p);
	return true;
}

bool
json_scan_take(struct json_scan *s, char c)
{
	const char *p;
	bool is_there;

	if (s->fault != NULL)
		return false;
	p = s->text + s->pos;
	is_there = comes(s, &p, c);
	s->pos = offset(s, p) + is_there;
	return is_there;
}

bool
json_scan_end(struct json_scan *s)
{
	const char *p;

	if (s->fault != NULL)
		return false;
	p = skip_blanks(s, s->text + s->pos);
	return p == s->end || fail(s, p, "something follows the value") != NULL;
}

bool
json_scan_text(const char *text, size_t len, unsigned depth_max, struct json_value *v)
{
	struct json_scan s;

	json_scan_init(&s, text, len, depth_max);
	return json_scan_value(&s, v) && json_scan_end(&s);
}

/* Which of names is the string between two quotes?  -1: none. */
static NO_INLINE int
compare_names(const struct json_names *names, const char *name, size_t len)
{
	const char *const *of = names->name;

	/* No byte of name is NUL, so this stops at the end of a shorter one; mostly at its start. */
	for (size_t i = 0; i < names->n; i++)
		if (of[i][0] == name[0] && strncmp(of[i], name, len) == 0 && of[i][len] == '\0')
			return (int)i;
	return -1;
}

static inline int
find_name(const struct pass *pass, const char *name, size_t len)
{
	return pass->find != NULL ? pass->find(name, len) :
	    compare_names(pass->names, name, len);
}

/* The same of one with escapes in it, from quote to quote. */
static RARE int
find_escaped_name(const struct json_names *names, const char *name, size_t len)
{
	for (size_t i = 0; i < names->n; i++)
		if (json_string_is(name, (struct json_value){ .kind = JSON_STRING,
		    .end = (uint32_t)len }, names->name[i]))
			return (int)i;
	return -1;
}

/* The value of the nested member: like any other, but noted if it is an object. */
static const char *
scan_nested(struct json_scan *s, const struct pass *pass, const char *p)
{
	const struct pass inner = {
		.names = pass->names,
		.find = pass->find,
		.o = pass->sub,
		.nested = -1,
		.outer = pass->outer + 1,
	};

	if (pass->o->member[pass->nested].seen > 1)
		json_scan_clear(pass->sub, pass->names);
	return is_at(s, p, '{') ? scan_object(s, &inner, p) : scan_value(s, inner.outer, p);
}

/* A name that was found: where it begins, where its value may, and which one it is. */
struct name {
	const char *start, *value;	/* value: NULL after a fault */
	int i;				/* -1: none of those looked for */
};

/* A name, behind white space or not, and its colon. */
static NO_INLINE struct name
find_any_name(struct json_scan *s, const struct pass *pass, const char *p)
{
	struct name n = { .start = skip_blanks(s, p), .i = -1 };

	s->has_escape = false;
	p = scan_string(s, n.start);
	if (p != NULL)
		n.value = scan_colon(s, p);
	if (n.value != NULL)
		n.i = s->has_escape ?
		    find_escaped_name(pass->names, n.start, (size_t)(p - n.start)) :
		    find_name(pass, n.start + 1, (size_t)(p - n.start) - 2);
	return n;
}

/* The same.  Most are short, and there is no white space before the colon. */
static inline struct name
scan_member_name(struct json_scan *s, const struct pass *pass, const char *p)
{
	const char *end = short_name(s, p);

	if (end == NULL)
		return find_any_name(s, pass, p);
	return (struct name){ .start = p, .value = end + 2,
		.i = find_name(pass, p + 1, (size_t)(end - p) - 1) };
}

/*
 * A member, behind white space or not, and behind the comma at this offset (0: it is the first).
 * *noted is it or NULL.
 */
static inline const char *
scan_member(struct json_scan *s, const struct pass *pass, const char *p, uint32_t comma,
    struct json_member **noted)
{
	struct name name = scan_member_name(s, pass, p);
	const char *value;
	struct json_member *m;

	*noted = NULL;
	if (name.value == NULL)
		return NULL;
	if (name.i < 0)
		return scan_value(s, pass->outer + 1, name.value);
	*noted = m = &pass->o->member[name.i];
	if (m->seen++ > 0)
		pass->o->twice |= 1U << name.i;
	value = skip_blanks(s, name.value);
	s->has_escape = false;
	p = name.i == pass->nested ? scan_nested(s, pass, value) :
	    scan_value(s, pass->outer + 1, value);
	if (p == NULL)
		return NULL;
	m->value.kind = kind_of[(unsigned char)*value];
	m->value.is_plain = !s->has_escape;
	m->value.start = offset(s, value);
	m->value.end = offset(s, p);
	m->name = offset(s, name.start);
	m->comma_before = comma;
	m->comma_after = 0;
	return p;
}

/* The object at p, which is at its '{'. */
static const char *
scan_object(struct json_scan *s, const struct pass *pass, const char *p)
{
	struct json_object *o = pass->o;
	struct json_member *noted;
	uint32_t comma = 0, n = 0;

	if (pass->outer >= s->depth_max)
		return fail(s, p, "nested too deep");
	o->open = offset(s, p);
	p++;
	if (!comes(s, &p, '}')) {
		for (;;) {
			p = scan_member(s, pass, p, comma, &noted);
			if (p == NULL)
				return NULL;
			n++;
			if (!comes(s, &p, ','))
				break;
			comma = offset(s, p);
			if (noted != NULL)
				noted->comma_after = comma;
			p++;
		}
		if (!is_at(s, p, '}'))
			return fail(s, p, "expected ',' or '}'");
	}
	o->n_members = n;
	o->close = offset(s, p);
	return p + 1;
}

static inline bool
is_bracket(const struct json_scan *s, const char *p)
{
	return p < s->end && (*p == '{' || *p == '[');
}

/* One level deeper. */
static inline void
enter(struct nest *n, bool is_object)
{
	if (n->depth % 64 == 0)
		n->outer[n->depth / 64] = n->is_object;
	n->is_object = n->is_object << 1 | is_object;
	n->depth++;
}

/* Back on the level around. */
static inline void
leave(struct nest *n)
{
	n->depth--;
	n->is_object >>= 1;
	if (n->depth % 64 == 0)
		n->is_object = n->outer[n->depth / 64];
}

/* A name, behind white space or not, and its colon. */
static NO_INLINE const char *
skip_any_name(struct json_scan *s, const char *p)
{
	p = scan_string(s, skip_blanks(s, p));
	return p != NULL ? scan_colon(s, p) : NULL;
}

/* The same; gives the place of the value. */
static inline const char *
skip_name(struct json_scan *s, const char *p)
{
	const char *end = short_name(s, p);

	return end != NULL ? end + 2 : skip_any_name(s, p);
}

/* The array or object at p, with outer levels around it. */
static NO_INLINE const char *
scan_levels(struct json_scan *s, unsigned outer, const char *p)
{
	struct nest nest;	/* of outer only what was entered is ever read */
	char closer = 0;

	nest.is_object = nest.depth = 0;
	for (;;) {	/* a value is due */
		if (is_simple(s, p)) {
			p = scan_simple(s, p);
		} else if (is_bracket(s, p = skip_blanks(s, p))) {
			if (outer + nest.depth >= s->depth_max)
				return fail(s, p, "nested too deep");
			closer = *p == '{' ? '}' : ']';
			enter(&nest, closer == '}');
			p++;
			if (!comes(s, &p, closer)) {
				if (closer == '}' && (p = skip_name(s, p)) == NULL)
					return NULL;
				continue;
			}
		} else {
			p = scan_atom(s, p);
		}
		if (p == NULL)
			return NULL;
		while (!is_at(s, p, ',')) {
			if (!comes(s, &p, closer)) {
				if (is_at(s, p, ','))
					break;
				return fail(s, p, closer == '}' ? "expected ',' or '}'" :
				    "expected ',' or ']'");
			}
			p++;
			leave(&nest);
			if (nest.depth == 0)
				return p;
			closer = (nest.is_object & 1) != 0 ? '}' : ']';
		}
		p++;
		if (closer == '}' && (p = skip_name(s, p)) == NULL)
			return NULL;
	}
}

/* Any value, behind white space or not, with outer levels around it. */
static inline const char *
scan_value(struct json_scan *s, unsigned outer, const char *p)
{
	if (is_simple(s, p))
		return scan_simple(s, p);
	p = skip_blanks(s, p);
	return is_bracket(s, p) ? scan_levels(s, outer, p) : scan_atom(s, p);
}

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const char *
skip_digits(const struct json_scan *s, const char *p)
{
	while (p < s->end && is_digit(*p))
		p++;
	return p;
}

/* At least one. */
static const char *
scan_digits(struct json_scan *s, const char *p)
{
	const char *end = skip_digits(s, p);

	return end > p ? end : fail(s, p, "expected a digit");
}

/* RFC 8259 section 6; what may follow is looked at by the caller. */
static NO_INLINE const char *
scan_any_number(struct json_scan *s, const char *p)
{
	const char *start = p;

	if (is_at(s, p, '-'))
		p++;
	if (is_at(s, p, '0'))
		p++;
	else if (p > start)
		p = scan_digits(s, p);
	else if ((p = skip_digits(s, p)) == start)
		return fail(s, p, "expected a value");
	if (p != NULL && is_at(s, p, '.'))
		p = scan_digits(s, p + 1);
	if (p != NULL && (is_at(s, p, 'e') || is_at(s, p, 'E'))) {
		p++;
		if (is_at(s, p, '+') || is_at(s, p, '-'))
			p++;
		p = scan_digits(s, p);
	}
	return p;
}

/* One that begins with a digit.  Nearly all have a few of them and nothing else. */
static inline const char *
scan_number(struct json_scan *s, const char *p)
{
	const char *start = p;

	do
		p++;
	while (p < s->end && is_digit(*p));
	if (p == s->end || (*start == '0' && p - start > 1) || *p == '.' || (*p | 0x20) == 'e')
		return scan_any_number(s, start);
	return p;
}

static inline const char *
scan_word(struct json_scan *s, const char *p, const char *word, size_t len)
{
	if ((size_t)(s->end - p) < len || memcmp(p, word, len) != 0)
		return fail(s, p, "expected a value");
	return p + len;
}

static bool
is_hex_digit(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* The escape at p.  A lone surrogate is valid JSON (RFC 8259 section 8.2). */
static const char *
scan_escape(struct json_scan *s, const char *p)
{
	size_t left = (size_t)(s->end - p);

	if (left < 2 || strchr("\"\\/bfnrtu", p[1]) == NULL || p[1] == '\0')
		return fail(s, p, "unknown escape in a string");
	if (p[1] != 'u')
		return p + 2;
	for (size_t i = 2; i < 6; i++)
		if (i >= left || !is_hex_digit(p[i]))
			return fail(s, p, "\\u without four hexadecimal digits");
	return p + 6;
}

/* All non-ASCII bytes from p on: characters begin and end within such a run. */
static const char *
scan_utf8(struct json_scan *s, const char *p)
{
	const char *end = p + utf8_run(p, (size_t)(s->end - p));

	if (end < s->end && (unsigned char)*end >= 0x80)
		return fail(s, p, "a string is not UTF-8");
	return end;
}

/* What is neither plain nor the end of its string. */
static RARE const char *
scan_special(struct json_scan *s, const char *p)
{
	if (p == s->end)
		return fail(s, p, "string without an end");
	if (*p == '\\') {
		s->has_escape = true;
		return scan_escape(s, p);
	}
	if ((unsigned char)*p >= 0x80)
		return scan_utf8(s, p);
	return fail(s, p, "control character in a string");
}

/* A string of which so much was found good. */
static NO_INLINE const char *
scan_long_string(struct json_scan *s, const char *p)
{
	for (; p != NULL; p = scan_special(s, p)) {
		p = json_skip_plain(p, s->end);
		if (is_at(s, p, '"'))
			return p + 1;
	}
	return NULL;
}

/* A string at the end of the text, or something else. */
static NO_INLINE const char *
scan_last_string(struct json_scan *s, const char *p)
{
	return is_at(s, p, '"') ? scan_long_string(s, p + 1) : fail(s, p, "expected a string");
}

/* A string, if one is at p.  Most are names, and short. */
static inline const char *
scan_string(struct json_scan *s, const char *p)
{
	if (p >= s->narrow || *p != '"')
		return scan_last_string(s, p);
	p += 1 + json_plain_step(p + 1);
	return *p == '"' ? p + 1 : scan_long_string(s, p);
}

/* Where the name that begins at p ends, if that is in its first step and its colon follows. */
static inline const char *
short_name(const struct json_scan *s, const char *p)
{
	if (p >= s->narrow || *p != '"')
		return NULL;
	p += 1 + json_plain_step(p + 1);
	return memcmp(p, "\":", 2) == 0 ? p : NULL;
}

static inline const char *
scan_colon(struct json_scan *s, const char *p)
{
	return comes(s, &p, ':') ? p + 1 : fail(s, p, "expected ':'");
}

/*
 * Nearly all values that are neither array nor object.  A string's first step needs no look at the
 * end of the text then.
 */
static inline bool
is_simple(const struct json_scan *s, const char *p)
{
	return p < s->narrow && (*p == '"' || is_digit(*p));
}

static inline const char *
scan_simple(struct json_scan *s, const char *p)
{
	return *p == '"' ? scan_string(s, p) : scan_number(s, p);
}

#define WORD(text) scan_word(s, p, text, sizeof(text) - 1)

/* A value that is neither array nor object. */
static NO_INLINE const char *
scan_atom(struct json_scan *s, const char *p)
{
	if (p == s->end)
		return fail(s, p, "expected a value");
	switch (*p) {
	case '"':
		return scan_string(s, p);
	case 't':
		return WORD("true");
	case 'f':
		return WORD("false");
	case 'n':
		return WORD("null");
	case '0' ... '9':
		return scan_number(s, p);
	default:
		return scan_any_number(s, p);
	}
}

/* fault tells what was expected; where the text just ended, that says more. */
static RARE const char *
fail(struct json_scan *s, const char *p, const char *fault)
{
	s->pos = offset(s, p);
	s->fault = p < s->end ? fault : "the text ends too early";
	return NULL;
}
