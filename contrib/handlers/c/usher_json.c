/* SPDX-License-Identifier: ISC */
/*
 * As much JSON as the kit needs.
 *
 * usher_json_is_valid() is the only place that judges a text.  All else walks a
 * text by its brackets and strings and takes any nonsense between them as it is,
 * without ever leaving the text.
 */
#include "usher_json.h"

#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX	1024	/* of a text that is checked */
#define EXACT_MAX	9007199254740992.0	/* whole numbers below are exact */

static bool	check_value(const char **, const char *end, unsigned depth);
static bool	check_members(const char **, const char *end, unsigned depth, char close);
static bool	check_string(const char **, const char *end);
static bool	check_escape(const char **, const char *end);
static bool	check_number(const char **, const char *end);
static bool	check_word(const char **, const char *end, const char *word);
static size_t	utf8_length(const char *, const char *end);
static void	skip_space(const char **, const char *end);
static void	skip_value(const char **, const char *end);
static void	skip_string(const char **, const char *end);
static uint32_t	decode_char(const char **, const char *end);
static uint32_t	decode_unit(const char **, const char *end);
static void	add_utf8(struct usher_buf *, uint32_t);
static locale_t	c_locale(void);

void *
usher_xrealloc(void *p, size_t size)
{
	p = realloc(p, size);
	if (p == NULL) {
		fputs("usher: out of memory\n", stderr);
		abort();
	}
	return p;
}

void
usher_buf_add(struct usher_buf *b, const char *data, size_t len)
{
	if (b->size - b->len <= len) {
		size_t size = b->len + len + 1;

		b->size = size < 128 ? 256 : size * 2;
		b->data = usher_xrealloc(b->data, b->size);
	}
	if (len > 0)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void
usher_buf_adds(struct usher_buf *b, const char *s)
{
	usher_buf_add(b, s, strlen(s));
}

bool
usher_json_is_valid(const char *text, size_t len)
{
	const char *at = text, *end = text + len;

	if (!check_value(&at, end, 0))
		return false;
	skip_space(&at, end);
	return at == end;
}

static bool
check_value(const char **at, const char *end, unsigned depth)
{
	skip_space(at, end);
	if (*at == end || depth > DEPTH_MAX)
		return false;
	switch (**at) {
	case '{':
		return check_members(at, end, depth, '}');
	case '[':
		return check_members(at, end, depth, ']');
	case '"':
		return check_string(at, end);
	case 't':
		return check_word(at, end, "true");
	case 'f':
		return check_word(at, end, "false");
	case 'n':
		return check_word(at, end, "null");
	default:
		return check_number(at, end);
	}
}

/* The inside of an object or array, from its first bracket to its last. */
static bool
check_members(const char **at, const char *end, unsigned depth, char close)
{
	(*at)++;
	skip_space(at, end);
	if (*at < end && **at == close) {
		(*at)++;
		return true;
	}
	for (;;) {
		skip_space(at, end);
		if (close == '}') {
			if (*at == end || **at != '"' || !check_string(at, end))
				return false;
			skip_space(at, end);
			if (*at == end || *(*at)++ != ':')
				return false;
		}
		if (!check_value(at, end, depth + 1))
			return false;
		skip_space(at, end);
		if (*at == end)
			return false;
		if (**at == close) {
			(*at)++;
			return true;
		}
		if (*(*at)++ != ',')
			return false;
	}
}

/* Plain ASCII of a string, which most are made of. */
static void
skip_plain(const char **at, const char *end)
{
	const char *s = *at;

	while (s < end && (unsigned char)*s >= 0x20 && (unsigned char)*s < 0x80 && *s != '"' &&
	    *s != '\\')
		s++;
	*at = s;
}

static bool
check_string(const char **at, const char *end)
{
	for ((*at)++; *at < end;) {
		size_t n;

		skip_plain(at, end);
		if (*at == end)
			return false;
		if (**at == '"') {
			(*at)++;
			return true;
		}
		if (**at == '\\') {
			if (!check_escape(at, end))
				return false;
			continue;
		}
		n = utf8_length(*at, end);
		if (n == 0 || (unsigned char)**at < 0x20)
			return false;
		*at += n;
	}
	return false;
}

static bool
check_escape(const char **at, const char *end)
{
	if (end - *at < 2 || strchr("\"\\/bfnrtu", (*at)[1]) == NULL || (*at)[1] == '\0')
		return false;
	if ((*at)[1] != 'u') {
		*at += 2;
		return true;
	}
	if (end - *at < 6)
		return false;
	for (int i = 2; i < 6; i++) {
		if ((*at)[i] == '\0' || strchr("0123456789abcdefABCDEF", (*at)[i]) == NULL)
			return false;
	}
	*at += 6;
	return true;
}

/* Skips digits; false if there is none. */
static bool
check_digits(const char **at, const char *end)
{
	const char *begin = *at;

	while (*at < end && **at >= '0' && **at <= '9')
		(*at)++;
	return *at > begin;
}

static bool
check_number(const char **at, const char *end)
{
	if (*at < end && **at == '-')
		(*at)++;
	if (*at < end && **at == '0')
		(*at)++;
	else if (!check_digits(at, end))
		return false;
	if (*at < end && **at == '.') {
		(*at)++;
		if (!check_digits(at, end))
			return false;
	}
	if (*at < end && (**at == 'e' || **at == 'E')) {
		(*at)++;
		if (*at < end && (**at == '+' || **at == '-'))
			(*at)++;
		if (!check_digits(at, end))
			return false;
	}
	return true;
}

static bool
check_word(const char **at, const char *end, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(end - *at) < n || memcmp(*at, word, n) != 0)
		return false;
	*at += n;
	return true;
}

/* Bytes of the character there, 0 if it is not UTF-8: overlong, a surrogate, cut. */
static size_t
utf8_length(const char *text, const char *end)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n, left = (size_t)(end - text);
	unsigned char low = 0x80, high = 0xbf;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (left < n || s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++) {
		if (s[i] < 0x80 || s[i] > 0xbf)
			return 0;
	}
	return n;
}

static void
skip_space(const char **at, const char *end)
{
	while (*at < end && (**at == ' ' || **at == '\t' || **at == '\n' || **at == '\r'))
		(*at)++;
}

struct usher_walk
usher_walk(struct usher_slice s)
{
	struct usher_walk w = { 0 };

	if (s.at == NULL)
		return w;
	w.at = s.at;
	w.end = s.at + s.len;
	skip_space(&w.at, w.end);
	if (w.at < w.end && (*w.at == '{' || *w.at == '[')) {
		w.is_object = *w.at == '{';
		w.at++;
	} else {
		w.at = w.end;
	}
	return w;
}

bool
usher_walk_next(struct usher_walk *w)
{
	w->name = w->value = (struct usher_slice){ 0 };
	skip_space(&w->at, w->end);
	if (w->at < w->end && *w->at == ',') {
		w->at++;
		skip_space(&w->at, w->end);
	}
	if (w->at == w->end || *w->at == '}' || *w->at == ']')
		return false;
	if (w->is_object) {
		w->name.at = w->at;
		skip_value(&w->at, w->end);
		w->name.len = (size_t)(w->at - w->name.at);
		skip_space(&w->at, w->end);
		if (w->at < w->end && *w->at == ':')
			w->at++;
		skip_space(&w->at, w->end);
	}
	w->value.at = w->at;
	skip_value(&w->at, w->end);
	w->value.len = (size_t)(w->at - w->value.at);
	return w->value.len > 0;
}

/* Goes to the end of a value: a string, what is between brackets, or a word. */
static void
skip_value(const char **at, const char *end)
{
	size_t depth = 0;

	while (*at < end) {
		char c = **at;

		if (c == '"') {
			skip_string(at, end);
		} else if (c == '{' || c == '[') {
			depth++;
			(*at)++;
		} else if (c == '}' || c == ']') {
			if (depth == 0)
				return;
			depth--;
			(*at)++;
		} else if (depth == 0) {
			*at += strcspn(*at, ",:]}[{\" \t\r\n");
			if (*at > end)
				*at = end;
			return;
		} else {
			(*at)++;
			continue;
		}
		if (depth == 0)
			return;
	}
}

static void
skip_string(const char **at, const char *end)
{
	for ((*at)++; *at < end; (*at)++) {
		if (**at == '"') {
			(*at)++;
			return;
		}
		if (**at == '\\' && end - *at > 1)
			(*at)++;
	}
}

/* The next name of a path, its "\." and "\\" made plain; moves on behind its dot. */
static void
next_name(struct usher_buf *name, const char **path)
{
	name->len = 0;
	usher_buf_add(name, "", 0);
	while (**path != '\0') {
		if (**path == '.') {
			(*path)++;
			return;
		}
		if (**path == '\\' && (*path)[1] != '\0')
			(*path)++;
		usher_buf_add(name, (*path)++, 1);
	}
	*path = NULL;
}

/* The element of that name or, in an array, of that number. */
static struct usher_slice
find_one(struct usher_slice s, const struct usher_buf *name)
{
	struct usher_walk w = usher_walk(s);
	struct usher_slice found = { 0 };
	char number[24];

	for (size_t i = 0; usher_walk_next(&w); i++) {
		if (w.is_object) {
			if (usher_json_equals(w.name, name->data, name->len))
				found = w.value;
			continue;
		}
		snprintf(number, sizeof(number), "%zu", i);
		if (strcmp(number, name->data) == 0)
			return w.value;
	}
	return found;
}

struct usher_slice
usher_json_find(struct usher_slice s, const char *path)
{
	struct usher_buf name = { 0 };
	const char *end = s.at + s.len;

	if (*path == '\0') {
		if (s.at != NULL) {
			skip_space(&s.at, end);
			s.len = (size_t)(end - s.at);
		}
		return s;
	}
	while (path != NULL && s.at != NULL) {
		next_name(&name, &path);
		s = find_one(s, &name);
	}
	free(name.data);
	return s;
}

bool
usher_json_equals(struct usher_slice s, const char *text, size_t len)
{
	struct usher_buf plain = { 0 };
	bool is_equal;

	if (s.len < len + 2 || s.at[0] != '"')
		return false;
	if (memchr(s.at, '\\', s.len) == NULL)
		return s.len == len + 2 && memcmp(s.at + 1, text, len) == 0;
	is_equal = usher_json_decode(&plain, s) && plain.len == len &&
	    memcmp(plain.data, text, len) == 0;
	free(plain.data);
	return is_equal;
}

bool
usher_json_decode(struct usher_buf *b, struct usher_slice s)
{
	const char *at = s.at, *end = s.at + s.len;

	if (s.len < 2 || *at != '"')
		return false;
	usher_buf_add(b, "", 0);
	for (at++; at < end && *at != '"';) {
		const char *plain = at;
		uint32_t c;

		while (at < end && *at != '"' && *at != '\\')
			at++;
		if (memchr(plain, '\0', (size_t)(at - plain)) != NULL)
			return false;
		usher_buf_add(b, plain, (size_t)(at - plain));
		if (at == end || *at == '"')
			break;
		c = decode_char(&at, end);
		if (c == 0)
			return false;
		add_utf8(b, c);
	}
	return true;
}

/* The character behind a backslash; half a surrogate pair is U+FFFD. */
static uint32_t
decode_char(const char **at, const char *end)
{
	static const char escapes[] = "bfnrt", meant[] = "\b\f\n\r\t";
	const char *found;
	uint32_t c, low;

	if (end - *at < 2)
		return 0;
	if ((*at)[1] != 'u') {
		char plain = (*at)[1];

		*at += 2;
		found = plain == '\0' ? NULL : strchr(escapes, plain);
		return found != NULL ? (uint32_t)meant[found - escapes] : (unsigned char)plain;
	}
	c = decode_unit(at, end);
	if (c < 0xd800 || c > 0xdfff)
		return c;
	if (c < 0xdc00 && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u') {
		const char *behind = *at;

		low = decode_unit(&behind, end);
		if (low >= 0xdc00 && low <= 0xdfff) {
			*at = behind;
			return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		}
	}
	return 0xfffd;
}

/* Four digits behind "\u". */
static uint32_t
decode_unit(const char **at, const char *end)
{
	char digits[5] = "";
	size_t n = end - *at < 6 ? 0 : 4;

	memcpy(digits, *at + 2, n);
	*at += n == 0 ? end - *at : 6;
	return (uint32_t)strtoul(digits, NULL, 16);
}

static void
add_utf8(struct usher_buf *b, uint32_t c)
{
	char s[4];

	if (c < 0x80) {
		s[0] = (char)c;
		usher_buf_add(b, s, 1);
	} else if (c < 0x800) {
		s[0] = (char)(0xc0 | c >> 6);
		s[1] = (char)(0x80 | (c & 0x3f));
		usher_buf_add(b, s, 2);
	} else if (c < 0x10000) {
		s[0] = (char)(0xe0 | c >> 12);
		s[1] = (char)(0x80 | (c >> 6 & 0x3f));
		s[2] = (char)(0x80 | (c & 0x3f));
		usher_buf_add(b, s, 3);
	} else {
		s[0] = (char)(0xf0 | c >> 18);
		s[1] = (char)(0x80 | (c >> 12 & 0x3f));
		s[2] = (char)(0x80 | (c >> 6 & 0x3f));
		s[3] = (char)(0x80 | (c & 0x3f));
		usher_buf_add(b, s, 4);
	}
}

void
usher_json_add_string(struct usher_buf *b, const char *s)
{
	const char *end = s + strlen(s);

	usher_buf_adds(b, "\"");
	while (s < end) {
		char escape[8];
		size_t n = utf8_length(s, end);

		if (n == 0) {
			usher_buf_adds(b, "\xef\xbf\xbd");
			n = 1;
		} else if ((unsigned char)*s < 0x20) {
			snprintf(escape, sizeof(escape), "\\u%04x", (unsigned)*s);
			usher_buf_adds(b, escape);
		} else {
			if (*s == '"' || *s == '\\')
				usher_buf_adds(b, "\\");
			usher_buf_add(b, s, n);
		}
		s += n;
	}
	usher_buf_adds(b, "\"");
}

/* Whole numbers without a point, others with as few digits as say exactly the same. */
void
usher_json_add_number(struct usher_buf *b, double number)
{
	locale_t before;
	char text[40];

	if (!isfinite(number)) {
		usher_buf_adds(b, "null");
		return;
	}
	before = uselocale(c_locale());
	if (number < EXACT_MAX && number > -EXACT_MAX &&
	    number == (double)(long long)number) {
		snprintf(text, sizeof(text), "%.0f", number == 0 ? 0.0 : number);
	} else {
		for (int digits = 15; digits <= 17; digits++) {
			snprintf(text, sizeof(text), "%.*g", digits, number);
			if (strtod(text, NULL) == number)
				break;
		}
	}
	uselocale(before);
	usher_buf_adds(b, text);
}

bool
usher_json_number(struct usher_slice s, double *number)
{
	const char *at = s.at;
	struct usher_buf text = { 0 };
	locale_t before;

	if (s.at == NULL || !check_number(&at, s.at + s.len))
		return false;
	usher_buf_add(&text, s.at, (size_t)(at - s.at));
	before = uselocale(c_locale());
	*number = strtod(text.data, NULL);
	uselocale(before);
	free(text.data);
	return true;
}

/* Numbers have a point in JSON, whatever the program's setlocale() says. */
static locale_t
c_locale(void)
{
	static locale_t locale;

	if (locale == (locale_t)0)
		locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	if (locale == (locale_t)0) {
		perror("usher: newlocale");
		abort();
	}
	return locale;
}

void
usher_json_add_line(struct usher_buf *b, const char *text, size_t len)
{
	size_t from = b->len;

	usher_buf_add(b, text, len);
	for (char *at = b->data + from; (at = strpbrk(at, "\n\r")) != NULL; at++)
		*at = ' ';
}
