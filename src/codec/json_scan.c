/* SPDX-License-Identifier: ISC */
/*
 * One pass over a JSON text: validate it and note members of an object.
 *
 * Values are skipped by a loop with one bit a level (array or object), so a
 * peer's nesting never becomes our C stack; only the two objects whose members are
 * noted are functions inside one another.
 */
#include "codec/json_scan.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/xmalloc.h"
#include "codec/utf8.h"

#define DEPTH_LIMIT	1024	/* bits in struct nest; a larger depth_max counts as this */
#define END_OF_TEXT	(-1)
#define NUMBER_MAX	((UINT64_C(1) << 53) - 1)	/* Number.MAX_SAFE_INTEGER */

/* A 64-bit word of eight times the byte b. */
#define EVERY(b)	(UINT64_C(0x0101010101010101) * (b))

/* The arrays and objects around the cursor, inside the value being skipped. */
struct nest {
	uint64_t is_object[DEPTH_LIMIT / 64];	/* bit n: level n; set when it is entered */
	unsigned outer;				/* levels around that value */
	unsigned depth;
};

/* What a pass over members notes, and where. */
struct pass {
	const struct json_names *names;
	struct json_object *o;
	struct json_object *sub;	/* NULL: no nested one */
	int nested;
	unsigned outer;			/* levels around o */
};

static bool	scan_object(struct json_scan *, const struct pass *);
static bool	scan_value(struct json_scan *, unsigned outer, struct json_value *);
static bool	scan_atom(struct json_scan *);
static bool	scan_name(struct json_scan *, struct json_value *, bool *has_escape);
static bool	scan_string(struct json_scan *, bool *has_escape);
static bool	fail(struct json_scan *, const char *fault);
static inline int peek(struct json_scan *);

void
json_scan_init(struct json_scan *s, const char *text, size_t len, unsigned depth_max)
{
	*s = (struct json_scan){
		.text = text,
		.depth_max = depth_max < DEPTH_LIMIT ? depth_max : DEPTH_LIMIT,
	};
	if (len > JSON_TEXT_MAX)
		s->fault = "longer than a JSON text may be";
	else
		s->len = (uint32_t)len;
}

void
json_scan_clear(struct json_object *o, const struct json_names *names)
{
	o->open = o->close = o->n_members = 0;
	memset(o->member, 0, names->n * sizeof(o->member[0]));
}

bool
json_scan_value(struct json_scan *s, struct json_value *v)
{
	*v = (struct json_value){ 0 };
	return s->fault == NULL && scan_value(s, 0, v);
}

bool
json_scan_members(struct json_scan *s, struct json_value *v, const struct json_names *names,
    struct json_object *o, int nested, struct json_object *sub)
{
	const struct pass pass = { .names = names, .o = o, .sub = sub, .nested = nested };

	assert(names->n <= JSON_NAMES_MAX);
	*v = (struct json_value){ 0 };
	json_scan_clear(o, names);
	if (sub != NULL)
		json_scan_clear(sub, names);
	if (s->fault != NULL)
		return false;
	if (peek(s) != '{')
		return scan_value(s, 0, v);
	if (!scan_object(s, &pass))
		return false;
	*v = (struct json_value){ JSON_OBJECT, o->open, o->close + 1 };
	return true;
}

bool
json_scan_take(struct json_scan *s, char c)
{
	if (s->fault != NULL || peek(s) != (unsigned char)c)
		return false;
	s->pos++;
	return true;
}

bool
json_scan_end(struct json_scan *s)
{
	if (s->fault != NULL)
		return false;
	return peek(s) == END_OF_TEXT || fail(s, "something follows the value");
}

bool
json_scan_text(const char *text, size_t len, unsigned depth_max, struct json_value *v)
{
	struct json_scan s;

	json_scan_init(&s, text, len, depth_max);
	return json_scan_value(&s, v) && json_scan_end(&s);
}

/* Which of names is the string v?  -1: none. */
static int
find_name(const struct json_names *names, const char *text, struct json_value v, bool has_escape)
{
	const char *p = text + v.start + 1, *name;
	size_t len = v.end - v.start - 2, i, k;

	for (i = 0; i < names->n; i++) {
		name = names->name[i];
		if (has_escape) {
			if (json_string_is(text, v, name))
				return (int)i;
			continue;
		}
		/* No byte of p is NUL, so this stops at the end of name; mostly at its start. */
		for (k = 0; k < len && name[k] == p[k]; k++)
			;
		if (k == len && name[k] == '\0')
			return (int)i;
	}
	return -1;
}

/* The value of the nested member: like any other, but noted if it is an object. */
static bool
scan_nested(struct json_scan *s, const struct pass *pass, struct json_value *v)
{
	const struct pass inner = {
		.names = pass->names,
		.o = pass->sub,
		.nested = -1,
		.outer = pass->outer + 1,
	};

	json_scan_clear(pass->sub, pass->names);
	if (peek(s) != '{')
		return scan_value(s, pass->outer + 1, v);
	if (!scan_object(s, &inner))
		return false;
	*v = (struct json_value){ JSON_OBJECT, pass->sub->open, pass->sub->close + 1 };
	return true;
}

/*
 * A member, with its name, behind the comma at this offset.  noted is where it
 * was noted, or NULL.
 */
static bool
scan_member(struct json_scan *s, const struct pass *pass, uint32_t comma,
    struct json_member **noted)
{
	struct json_value name, value;
	struct json_member *m;
	bool has_escape;
	int i;

	if (!scan_name(s, &name, &has_escape))
		return false;
	pass->o->n_members++;
	*noted = NULL;
	i = find_name(pass->names, s->text, name, has_escape);
	if (i < 0)
		return scan_value(s, pass->outer + 1, &value);
	*noted = m = &pass->o->member[i];
	*m = (struct json_member){
		.name = name.start, .comma_before = comma, .seen = m->seen + 1
	};
	if (i == pass->nested && pass->sub != NULL)
		return scan_nested(s, pass, &m->value);
	return scan_value(s, pass->outer + 1, &m->value);
}

/* The object at the cursor, which is at its '{'. */
static bool
scan_object(struct json_scan *s, const struct pass *pass)
{
	struct json_object *o = pass->o;
	struct json_member *noted;
	uint32_t comma = 0;
	int c;

	if (pass->outer >= s->depth_max)
		return fail(s, "nested too deep");
	o->open = s->pos++;
	if (peek(s) != '}') {
		for (;;) {
			if (!scan_member(s, pass, comma, &noted))
				return false;
			c = peek(s);
			if (c != ',')
				break;
			comma = s->pos++;
			if (noted != NULL)
				noted->comma_after = comma;
		}
		if (c != '}')
			return fail(s, "expected ',' or '}'");
	}
	o->close = s->pos++;
	return true;
}

static bool
in_object(const struct nest *n)
{
	unsigned level = n->depth - 1;

	return (n->is_object[level / 64] >> (level % 64) & 1) != 0;
}

/* Goes into the array or object whose bracket is at the cursor. */
static bool
enter(struct json_scan *s, struct nest *n, bool is_object)
{
	uint64_t bit = UINT64_C(1) << (n->depth % 64);

	if (n->outer + n->depth >= s->depth_max)
		return fail(s, "nested too deep");
	if (is_object)
		n->is_object[n->depth / 64] |= bit;
	else
		n->is_object[n->depth / 64] &= ~bit;
	n->depth++;
	s->pos++;
	return true;
}

/*
 * Behind a bracket (is_first) or a value: leaves what ends here, and goes to
 * where the next value begins unless all has ended.
 */
static bool
go_on(struct json_scan *s, struct nest *n, bool is_first)
{
	bool has_escape, is_object;
	struct json_value name;
	int c;

	for (; n->depth > 0; is_first = false) {
		is_object = in_object(n);
		c = peek(s);
		if (c == (is_object ? '}' : ']')) {
			s->pos++;
			n->depth--;
			continue;
		}
		if (!is_first) {
			if (c != ',')
				return fail(s, is_object ? "expected ',' or '}'" :
				    "expected ',' or ']'");
			s->pos++;
		}
		return !is_object || scan_name(s, &name, &has_escape);
	}
	return true;
}

/* The kind of a valid value, by its first byte. */
static enum json_kind
kind_of(int first)
{
	switch (first) {
	case '{':
		return JSON_OBJECT;
	case '[':
		return JSON_ARRAY;
	case '"':
		return JSON_STRING;
	case 't':
		return JSON_TRUE;
	case 'f':
		return JSON_FALSE;
	case 'n':
		return JSON_NULL;
	default:
		return JSON_NUMBER;
	}
}

static bool
is_bracket(int c)
{
	return c == '{' || c == '[';
}

/* The array or object at the cursor, with outer levels around it. */
static bool
scan_levels(struct json_scan *s, unsigned outer)
{
	struct nest nest;	/* not cleared: a bit is set or cleared when its level is entered */
	bool enters;
	int c;

	nest.outer = outer;
	nest.depth = 0;
	do {
		c = peek(s);
		enters = is_bracket(c);
		if (!(enters ? enter(s, &nest, c == '{') : scan_atom(s)))
			return false;
		if (!go_on(s, &nest, enters))
			return false;
	} while (nest.depth > 0);
	return true;
}

/* Any value, with outer levels around it. */
static bool
scan_value(struct json_scan *s, unsigned outer, struct json_value *v)
{
	int first = peek(s);
	uint32_t start = s->pos;

	if (!(is_bracket(first) ? scan_levels(s, outer) : scan_atom(s)))
		return false;
	*v = (struct json_value){ kind_of(first), start, s->pos };
	return true;
}

static inline int
byte_at(const struct json_scan *s)
{
	return s->pos < s->len ? (unsigned char)s->text[s->pos] : END_OF_TEXT;
}

static bool
is_blank(int c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Skips white space; gives the byte behind it without taking it. */
static inline int
peek(struct json_scan *s)
{
	while (s->pos < s->len && is_blank((unsigned char)s->text[s->pos]))
		s->pos++;
	return byte_at(s);
}

/* The name of a member and its colon. */
static bool
scan_name(struct json_scan *s, struct json_value *name, bool *has_escape)
{
	peek(s);
	name->kind = JSON_STRING;
	name->start = s->pos;
	if (!scan_string(s, has_escape))
		return false;
	name->end = s->pos;
	if (peek(s) != ':')
		return fail(s, "expected ':'");
	s->pos++;
	return true;
}

static bool
skip_digits(struct json_scan *s)
{
	uint32_t start = s->pos;

	while (byte_at(s) >= '0' && byte_at(s) <= '9')
		s->pos++;
	return s->pos > start;
}

/* RFC 8259 section 6; what may follow is looked at by the caller. */
static bool
scan_number(struct json_scan *s)
{
	uint32_t start = s->pos;

	if (byte_at(s) == '-')
		s->pos++;
	if (byte_at(s) == '0')
		s->pos++;
	else if (!skip_digits(s))
		return fail(s, s->pos > start ? "expected a digit" : "expected a value");
	if (byte_at(s) == '.') {
		s->pos++;
		if (!skip_digits(s))
			return fail(s, "expected a digit");
	}
	if (byte_at(s) == 'e' || byte_at(s) == 'E') {
		s->pos++;
		if (byte_at(s) == '+' || byte_at(s) == '-')
			s->pos++;
		if (!skip_digits(s))
			return fail(s, "expected a digit");
	}
	return true;
}

static bool
scan_word(struct json_scan *s, const char *word)
{
	size_t len = strlen(word);

	if (s->len - s->pos < len || memcmp(s->text + s->pos, word, len) != 0)
		return fail(s, "expected a value");
	s->pos += (uint32_t)len;
	return true;
}

/* A value that is neither array nor object. */
static bool
scan_atom(struct json_scan *s)
{
	bool has_escape;

	switch (byte_at(s)) {
	case '"':
		return scan_string(s, &has_escape);
	case 't':
		return scan_word(s, "true");
	case 'f':
		return scan_word(s, "false");
	case 'n':
		return scan_word(s, "null");
	default:
		return scan_number(s);
	}
}

/* Printable ASCII that means itself in a string. */
static bool
is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/*
 * The top bits of those of eight bytes that are not plain.  A subtraction sets the top bit
 * of a byte that is below what is subtracted; the borrow reaches only bytes above one
 * that was found, so the lowest bit is exact.
 */
static inline uint64_t
special_bits(uint64_t w)
{
	uint64_t quote = w ^ EVERY('"'), backslash = w ^ EVERY('\\');

	return (w | (w - EVERY(0x20)) | (quote - EVERY(1)) | (backslash - EVERY(1))) &
	    EVERY(0x80);
}

#ifdef __SSE2__
/* Of sixteen bytes: bit n is set if byte n is not plain. */
static inline unsigned
special_of_16(const char *p)
{
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
	__m128i backslash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
	/* With its sign, a byte that is not ASCII is below a blank too. */
	__m128i low = _mm_cmplt_epi8(v, _mm_set1_epi8(' '));

	return (unsigned)_mm_movemask_epi8(_mm_or_si128(low, _mm_or_si128(quote, backslash)));
}
#endif

/* Nearly all of a payload passes here: in steps of sixteen bytes where there is SSE2, then eight. */
static void
skip_plain(struct json_scan *s)
{
	uint32_t i = s->pos;
	uint64_t w;

#ifdef __SSE2__
	for (; s->len - i >= sizeof(__m128i); i += (uint32_t)sizeof(__m128i)) {
		unsigned special = special_of_16(s->text + i);

		if (special != 0) {
			s->pos = i + (uint32_t)__builtin_ctz(special);
			return;
		}
	}
#endif
	for (; s->len - i >= sizeof(w); i += (uint32_t)sizeof(w)) {
		memcpy(&w, s->text + i, sizeof(w));
		w = special_bits(le64toh(w));
		if (w != 0) {
			s->pos = i + (uint32_t)__builtin_ctzll(w) / 8;
			return;
		}
	}
	while (i < s->len && is_plain((unsigned char)s->text[i]))
		i++;
	s->pos = i;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The escape at the cursor.  A lone surrogate is valid JSON (RFC 8259 section 8.2). */
static bool
scan_escape(struct json_scan *s)
{
	const char *p = s->text + s->pos;
	uint32_t left = s->len - s->pos;

	if (left < 2 || strchr("\"\\/bfnrtu", p[1]) == NULL || p[1] == '\0')
		return fail(s, "unknown escape in a string");
	if (p[1] != 'u') {
		s->pos += 2;
		return true;
	}
	for (uint32_t i = 2; i < 6; i++)
		if (i >= left || hex_digit(p[i]) < 0)
			return fail(s, "\\u without four hexadecimal digits");
	s->pos += 6;
	return true;
}

/* All non-ASCII bytes from the cursor on: characters begin and end within such a run. */
static bool
scan_utf8(struct json_scan *s)
{
	uint32_t end = s->pos;

	while (end < s->len && (unsigned char)s->text[end] >= 0x80)
		end++;
	if (!utf8_is_valid(s->text + s->pos, end - s->pos))
		return fail(s, "a string is not UTF-8");
	s->pos = end;
	return true;
}

/* A string, if one is at the cursor. */
static bool
scan_string(struct json_scan *s, bool *has_escape)
{
	int c;

	*has_escape = false;
	if (byte_at(s) != '"')
		return fail(s, "expected a string");
	s->pos++;
	for (;;) {
		skip_plain(s);
		c = byte_at(s);
		if (c == '"')
			break;
		if (c == '\\') {
			*has_escape = true;
			if (!scan_escape(s))
				return false;
		} else if (c >= 0x80) {
			if (!scan_utf8(s))
				return false;
		} else if (c != END_OF_TEXT)
			return fail(s, "control character in a string");
		else
			return fail(s, "string without an end");
	}
	s->pos++;
	return true;
}

/* fault tells what was expected; where the text just ended, that says more. */
static bool
fail(struct json_scan *s, const char *fault)
{
	s->fault = s->pos < s->len ? fault : "the text ends too early";
	return false;
}

static uint32_t
hex4(const char *p)
{
	return (uint32_t)(hex_digit(p[0]) << 12 | hex_digit(p[1]) << 8 | hex_digit(p[2]) << 4 |
	    hex_digit(p[3]));
}

static size_t
put_utf8(char out[4], uint32_t c)
{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	for (size_t i = n; i > 1; i--) {
		out[i - 1] = (char)(0x80 | (c & 0x3f));
		c >>= 6;
	}
	out[0] = (char)(lead[n] | c);
	return n;
}

/* A \u escape at *p, or two that are one character; moves *p behind it. */
static uint32_t
unescape_u(const char **p, const char *end)
{
	uint32_t c = hex4(*p + 2), low;

	*p += 6;
	if (c < 0xd800 || c > 0xdfff)
		return c;
	if (c <= 0xdbff && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u') {
		low = hex4(*p + 2);
		if (low >= 0xdc00 && low <= 0xdfff) {
			*p += 6;
			return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		}
	}
	return 0xfffd;
}

/* The escape at *p as UTF-8, and its length; moves *p behind it. */
static size_t
unescape(char out[4], const char **p, const char *end)
{
	char c = (*p)[1];

	if (c == 'u')
		return put_utf8(out, unescape_u(p, end));
	*p += 2;
	switch (c) {
	case 'b':
		out[0] = '\b';
		break;
	case 'f':
		out[0] = '\f';
		break;
	case 'n':
		out[0] = '\n';
		break;
	case 'r':
		out[0] = '\r';
		break;
	case 't':
		out[0] = '\t';
		break;
	default:
		out[0] = c;
	}
	return 1;
}

struct json_value
json_member_of(const char *text, struct json_value v, const char *name)
{
	const struct json_names names = { 1, &name };
	struct json_object o;
	struct json_scan scan;

	json_scan_init(&scan, text, v.end, UINT16_MAX);
	scan.pos = v.start;
	if (v.kind != JSON_OBJECT || !json_scan_members(&scan, &v, &names, &o, -1, NULL))
		return (struct json_value){ .kind = JSON_NONE };
	return o.member[0].value;
}

bool
json_string_is(const char *text, struct json_value v, const char *s)
{
	const char *p, *end;
	char c[4];
	size_t n;

	if (v.kind != JSON_STRING)
		return false;
	p = text + v.start + 1;
	end = text + v.end - 1;
	while (p < end) {
		if (*p != '\\') {
			if (*s++ != *p++)
				return false;
			continue;
		}
		n = unescape(c, &p, end);
		for (size_t i = 0; i < n; i++)
			if (*s == '\0' || *s++ != c[i])	/* \u0000 is not the end of s */
				return false;
	}
	return *s == '\0';
}

bool
json_string_get(const char *text, struct json_value v, struct buf *out)
{
	const char *p, *end, *backslash;
	char c[4];

	if (v.kind != JSON_STRING)
		return false;
	p = text + v.start + 1;
	end = text + v.end - 1;
	while (p < end) {
		backslash = memchr(p, '\\', (size_t)(end - p));
		if (backslash == NULL)
			backslash = end;
		buf_add(out, p, (size_t)(backslash - p));
		p = backslash;
		if (p < end)
			buf_add(out, c, unescape(c, &p, end));
	}
	return true;
}

bool
json_number_u64(const char *text, struct json_value v, uint64_t *out)
{
	uint64_t n = 0;

	if (v.kind != JSON_NUMBER)
		return false;
	for (uint32_t i = v.start; i < v.end; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(text[i] - '0');
		if (n > NUMBER_MAX)
			return false;
	}
	*out = n;
	return true;
}

bool
json_number_double(const char *text, struct json_value v, double *out)
{
	size_t len = v.end - v.start;
	char few[64], *copy = few;

	if (v.kind != JSON_NUMBER)
		return false;
	if (len >= sizeof(few))
		copy = xmalloc(len + 1);	/* strtod() wants a NUL behind it */
	memcpy(copy, text + v.start, len);
	copy[len] = '\0';
	*out = strtod(copy, NULL);	/* the program stays in the C locale */
	if (copy != few)
		free(copy);
	return true;
}

bool
json_is_truthy(const char *text, struct json_value v)
{
	double d;

	switch (v.kind) {
	case JSON_OBJECT:
	case JSON_ARRAY:
	case JSON_TRUE:
		return true;
	case JSON_STRING:
		return v.end - v.start > 2;
	case JSON_NUMBER:
		return json_number_double(text, v, &d) && d != 0;
	default:
		return false;
	}
}
