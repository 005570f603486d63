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
#include <endian.h>
#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "codec/utf8.h"

#define DEPTH_LIMIT	1024	/* bits in struct nest; a larger depth_max counts as this */

/* A 64-bit word of eight times the byte b. */
#define EVERY(b)	(UINT64_C(0x0101010101010101) * (b))

/* The arrays and objects around the cursor, inside the value being skipped. */
struct nest {
	uint64_t is_object[DEPTH_LIMIT / 64];	/* bit n: level n; set when it is entered */
	unsigned depth;
};

/* What a pass over members notes, and where. */
struct pass {
	const struct json_names *names;
	json_find_fn *find;		/* NULL: they are compared one by one */
	struct json_object *o;
	struct json_object *sub;	/* NULL: no nested one */
	int nested;
	unsigned outer;			/* levels around o */
};

static const char *scan_object(struct json_scan *, const struct pass *, const char *p);
static inline const char *scan_value(struct json_scan *, unsigned outer, const char *p);
static inline const char *scan_atom(struct json_scan *, const char *p);
static inline const char *scan_name(struct json_scan *, const char *p);
static RARE const char *fail(struct json_scan *, const char *p, const char *fault);

static inline const char *
end_of(const struct json_scan *s)
{
	return s->text + s->len;
}

static inline uint32_t
offset(const struct json_scan *s, const char *p)
{
	return (uint32_t)(p - s->text);
}

static inline bool
is_at(const struct json_scan *s, const char *p, char c)
{
	return p < end_of(s) && *p == c;
}

static inline const char *
skip_blanks(const struct json_scan *s, const char *p)
{
	const char *end = end_of(s);

	/* Mostly there are none, and whatever else is up to a blank is no JSON. */
	while (p < end && (unsigned char)*p <= ' ' &&
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

/* What lies between start and end, which the scan has found to be a value. */
static inline struct json_value
value_at(const struct json_scan *s, const char *start, const char *end)
{
	return (struct json_value){
		.kind = (enum json_kind)kind_of[(unsigned char)*start],
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
	const char *start, *p;

	*v = (struct json_value){ 0 };
	if (s->fault != NULL)
		return false;
	start = skip_blanks(s, s->text + s->pos);
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
		.names = names, .find = find, .o = o, .sub = sub, .nested = nested
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
	return p == end_of(s) || fail(s, p, "something follows the value") != NULL;
}

bool
json_scan_text(const char *text, size_t len, unsigned depth_max, struct json_value *v)
{
	struct json_scan s;

	json_scan_init(&s, text, len, depth_max);
	return json_scan_value(&s, v) && json_scan_end(&s);
}

/* Which of names is the string between two quotes?  -1: none. */
static int
find_name(const struct pass *pass, const char *name, size_t len)
{
	const struct json_names *names = pass->names;
	const char *const *of = names->name;

	if (pass->find != NULL)
		return pass->find(name, len);
	/* No byte of name is NUL, so this stops at the end of a shorter one; mostly at its start. */
	for (size_t i = 0; i < names->n; i++)
		if (of[i][0] == name[0] && strncmp(of[i], name, len) == 0 && of[i][len] == '\0')
			return (int)i;
	return -1;
}

/* The same of one with escapes in it, from quote to quote. */
static RARE int
find_escaped_name(const struct json_names *names, const char *name, size_t len)
{
	for (size_t i = 0; i < names->n; i++)
		if (json_string_is(name, (struct json_value){ JSON_STRING, 0, (uint32_t)len },
		    names->name[i]))
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

	json_scan_clear(pass->sub, pass->names);
	return is_at(s, p, '{') ? scan_object(s, &inner, p) : scan_value(s, inner.outer, p);
}

/* A member with its name, behind the comma at this offset; 0: it is the first. */
static inline const char *
scan_member(struct json_scan *s, const struct pass *pass, const char *p, uint32_t comma)
{
	const char *name = p, *value, *end;
	struct json_member *m;
	int i;

	p = scan_name(s, p);
	if (p == NULL)
		return NULL;
	i = s->has_escape ? find_escaped_name(pass->names, name, s->string_len) :
	    find_name(pass, name + 1, s->string_len - 2);
	value = skip_blanks(s, p);
	if (i < 0)
		return scan_value(s, pass->outer + 1, value);
	m = &pass->o->member[i];
	*m = (struct json_member){
		.name = offset(s, name), .comma_before = comma, .seen = m->seen + 1
	};
	end = i == pass->nested && pass->sub != NULL ? scan_nested(s, pass, value) :
	    scan_value(s, pass->outer + 1, value);
	if (end == NULL)
		return NULL;
	m->value = value_at(s, value, end);
	if (comes(s, &end, ','))
		m->comma_after = offset(s, end);
	return end;
}

/* The object at p, which is at its '{'. */
static const char *
scan_object(struct json_scan *s, const struct pass *pass, const char *p)
{
	struct json_object *o = pass->o;
	uint32_t comma = 0, n = 0;

	if (pass->outer >= s->depth_max)
		return fail(s, p, "nested too deep");
	o->open = offset(s, p);
	p++;
	if (!comes(s, &p, '}')) {
		for (;;) {
			p = scan_member(s, pass, p, comma);
			if (p == NULL)
				return NULL;
			n++;
			if (!comes(s, &p, ','))
				break;
			comma = offset(s, p);
			p = skip_blanks(s, p + 1);
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
	return p < end_of(s) && (*p == '{' || *p == '[');
}

/* One level deeper. */
static inline void
enter(struct nest *n, bool is_object)
{
	uint64_t bit = UINT64_C(1) << (n->depth % 64);

	if (is_object)
		n->is_object[n->depth / 64] |= bit;
	else
		n->is_object[n->depth / 64] &= ~bit;
	n->depth++;
}

/* Back on the level around: is it an object? */
static inline bool
leave(struct nest *n)
{
	unsigned level = --n->depth - 1;

	return n->depth > 0 && (n->is_object[level / 64] >> (level % 64) & 1) != 0;
}

/* The array or object at p, with outer levels around it. */
static const char *
scan_levels(struct json_scan *s, unsigned outer, const char *p)
{
	struct nest nest;	/* not cleared: a bit is set or cleared when its level is entered */
	bool is_object = false, is_first;

	nest.depth = 0;
	for (;;) {
		is_first = is_bracket(s, p);
		if (is_first) {
			if (outer + nest.depth >= s->depth_max)
				return fail(s, p, "nested too deep");
			is_object = *p == '{';
			enter(&nest, is_object);
			p++;
		} else if ((p = scan_atom(s, p)) == NULL) {
			return NULL;
		}
		if (is_first || !comes(s, &p, ',')) {
			while (comes(s, &p, is_object ? '}' : ']')) {
				p++;
				is_object = leave(&nest);
				is_first = false;
				if (nest.depth == 0)
					return p;
			}
			if (!is_first && !is_at(s, p, ','))
				return fail(s, p, is_object ? "expected ',' or '}'" :
				    "expected ',' or ']'");
		}
		if (!is_first)
			p = skip_blanks(s, p + 1);
		if (is_object) {
			if ((p = scan_name(s, p)) == NULL)
				return NULL;
			p = skip_blanks(s, p);
		}
	}
}

/* Any value, with outer levels around it. */
static inline const char *
scan_value(struct json_scan *s, unsigned outer, const char *p)
{
	return is_bracket(s, p) ? scan_levels(s, outer, p) : scan_atom(s, p);
}

static const char *
skip_digits(const struct json_scan *s, const char *p)
{
	while (p < end_of(s) && *p >= '0' && *p <= '9')
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
static const char *
scan_number(struct json_scan *s, const char *p)
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

static const char *
scan_word(struct json_scan *s, const char *p, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(end_of(s) - p) < len || memcmp(p, word, len) != 0)
		return fail(s, p, "expected a value");
	return p + len;
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
/* Those of sixteen bytes that are not plain have their top bits set. */
static inline __m128i
specials_of(const char *p)
{
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
	__m128i backslash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
	/* With its sign, a byte that is not ASCII is below a blank too. */
	__m128i low = _mm_cmplt_epi8(v, _mm_set1_epi8(' '));

	return _mm_or_si128(low, _mm_or_si128(quote, backslash));
}

static inline bool
has_special_in_64(const char *p)
{
	__m128i a = _mm_or_si128(specials_of(p), specials_of(p + 16));
	__m128i b = _mm_or_si128(specials_of(p + 32), specials_of(p + 48));

	return _mm_movemask_epi8(_mm_or_si128(a, b)) != 0;
}
#endif

#ifdef FOR_AVX2
#define LONG_BYTES 256	/* from here on it is worth the look at the processor */

static inline FOR_AVX2 __m256i
specials_of_32(const char *p)
{
	__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)p);
	__m256i quote = _mm256_cmpeq_epi8(v, _mm256_set1_epi8('"'));
	__m256i backslash = _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\\'));
	__m256i low = _mm256_cmpgt_epi8(_mm256_set1_epi8(' '), v);

	return _mm256_or_si256(low, _mm256_or_si256(quote, backslash));
}

/* Whole steps of 128 plain bytes. */
static FOR_AVX2 const char *
skip_long_plain(const char *p, const char *end)
{
	for (; end - p >= 128; p += 128) {
		__m256i a = _mm256_or_si256(specials_of_32(p), specials_of_32(p + 32));
		__m256i b = _mm256_or_si256(specials_of_32(p + 64), specials_of_32(p + 96));

		if (_mm256_movemask_epi8(_mm256_or_si256(a, b)) != 0)
			break;
	}
	return p;
}
#endif

/* Nearly all of a payload passes here: in steps of sixteen bytes where there is SSE2, then eight. */
static inline const char *
skip_plain(const char *p, const char *end)
{
	uint64_t w;

#ifdef FOR_AVX2
	if (end - p >= LONG_BYTES && !has_special_in_64(p) && HAS_AVX2())
		p = skip_long_plain(p + 64, end);
#endif
#ifdef __SSE2__
	while ((size_t)(end - p) >= 4 * sizeof(__m128i) && !has_special_in_64(p))
		p += 4 * sizeof(__m128i);
	for (; (size_t)(end - p) >= sizeof(__m128i); p += sizeof(__m128i)) {
		unsigned special = (unsigned)_mm_movemask_epi8(specials_of(p));

		if (special != 0)
			return p + __builtin_ctz(special);
	}
#endif
	for (; (size_t)(end - p) >= sizeof(w); p += sizeof(w)) {
		memcpy(&w, p, sizeof(w));
		w = special_bits(le64toh(w));
		if (w != 0)
			return p + __builtin_ctzll(w) / 8;
	}
	while (p < end && is_plain((unsigned char)*p))
		p++;
	return p;
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
	size_t left = (size_t)(end_of(s) - p);

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
	const char *end = p;

	while (end < end_of(s) && (unsigned char)*end >= 0x80)
		end++;
	return utf8_is_valid(p, (size_t)(end - p)) ? end : fail(s, p, "a string is not UTF-8");
}

/* What is neither plain nor the end of its string. */
static RARE const char *
scan_special(struct json_scan *s, const char *p)
{
	if (p == end_of(s))
		return fail(s, p, "string without an end");
	if (*p == '\\') {
		s->has_escape = true;
		return scan_escape(s, p);
	}
	if ((unsigned char)*p >= 0x80)
		return scan_utf8(s, p);
	return fail(s, p, "control character in a string");
}

/* A string from behind its quote on. */
static const char *
scan_long_string(struct json_scan *s, const char *p)
{
	const char *end = end_of(s);

	for (; p != NULL; p = scan_special(s, p)) {
		p = skip_plain(p, end);
		if (p < end && *p == '"')
			return p + 1;
	}
	return NULL;
}

/* A string, if one is at p.  Most are names, and short. */
static inline const char *
scan_string(struct json_scan *s, const char *p)
{
	const char *end = end_of(s);

	if (!is_at(s, p, '"'))
		return fail(s, p, "expected a string");
	p++;
	s->has_escape = false;
#ifdef __SSE2__
	if ((size_t)(end - p) >= sizeof(__m128i)) {
		unsigned special = (unsigned)_mm_movemask_epi8(specials_of(p));
		const char *quote = p + __builtin_ctz(special | 1U << 16);

		if (special != 0 && *quote == '"')
			return quote + 1;
	}
#endif
	return scan_long_string(s, p);
}

/* The name of a member and its colon. */
static inline const char *
scan_name(struct json_scan *s, const char *p)
{
	const char *name = p;

	p = scan_string(s, p);
	if (p == NULL)
		return NULL;
	s->string_len = (uint32_t)(p - name);
	return comes(s, &p, ':') ? p + 1 : fail(s, p, "expected ':'");
}

/* A value that is neither array nor object. */
static inline const char *
scan_atom(struct json_scan *s, const char *p)
{
	if (p == end_of(s))
		return fail(s, p, "expected a value");
	switch (*p) {
	case '"':
		return scan_string(s, p);
	case 't':
		return scan_word(s, p, "true");
	case 'f':
		return scan_word(s, p, "false");
	case 'n':
		return scan_word(s, p, "null");
	default:
		return scan_number(s, p);
	}
}

/* fault tells what was expected; where the text just ended, that says more. */
static RARE const char *
fail(struct json_scan *s, const char *p, const char *fault)
{
	s->pos = offset(s, p);
	s->fault = p < end_of(s) ? fault : "the text ends too early";
	return NULL;
}
