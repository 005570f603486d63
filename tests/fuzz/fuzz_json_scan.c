/* SPDX-License-Identifier: ISC */
/*
 * json_scan against jansson: the same texts are JSON, the same members are found
 * with the same values.
 *
 * jansson refuses some valid texts.  Those are not passed over: what it objects to is
 * replaced by something harmless of the same length until it reads the rest.
 *	- numbers beyond 64 bits or a double: "1e999" becomes "1.000";
 *	- lone surrogates in escapes: \ud800 becomes \ufffd, which is how we read it;
 *	- \u0000 in the name of a member: becomes \u0001.
 * It skips a NUL byte behind a number or a word, which is valid nowhere: NUL becomes
 * another control character.
 * Of members with one name both keep the last.  Our limit of depth is far below the
 * 2048 of jansson, so depth is compared with a count of brackets.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xmalloc.h"
#include "codec/json_scan.h"
#include "jansson_kinds.h"

#define DEPTH	16
#define TOO_DEEP "nested too deep"

enum { A, B, TYPE, MESSAGE };

static const char *const name_table[] = { "a", "b", "type", "message" };
static const struct json_names names = { ARRAY_LEN(name_table), name_table };

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
require(bool is_true)
{
	if (!is_true)
		abort();
}

/* What is the \u escape at p, if one is there?  -1: none. */
static long
escape_at(const char *p, size_t left)
{
	static const char hex[] = "0123456789abcdefABCDEF";
	char digits[5] = { 0 };

	if (left < 6 || p[0] != '\\' || p[1] != 'u')
		return -1;
	memcpy(digits, p + 2, 4);
	return strspn(digits, hex) == 4 ? strtol(digits, NULL, 16) : -1;
}

/* Outside of strings there is no backslash in a valid text, so strings are not looked for. */
static void
replace_escapes(char *text, size_t len, bool surrogates, bool nul)
{
	long c, next;

	for (size_t i = 0; i < len; i++) {
		if (text[i] != '\\')
			continue;
		if ((c = escape_at(text + i, len - i)) < 0) {
			i++;
			continue;
		}
		next = len - i > 6 ? escape_at(text + i + 6, len - i - 6) : -1;
		if (c >= 0xd800 && c <= 0xdbff && next >= 0xdc00 && next <= 0xdfff)
			i += 6;
		else if (surrogates && c >= 0xd800 && c <= 0xdfff)
			memcpy(text + i, "\\ufffd", 6);
		else if (nul && c == 0)
			memcpy(text + i, "\\u0001", 6);
		i += 5;
	}
}

static bool
is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

/* The number before end, which has five bytes at least, as it is too big for a double. */
static void
replace_number(char *text, size_t end)
{
	size_t start = end;

	while (start > 0 && is_one_of(text[start - 1], "+-.0123456789Ee"))
		start--;
	require(end - start >= 5);
	memset(text + start, '0', end - start);
	memcpy(text + start, "1.", 2);
}

/*
 * jansson's tree; text is changed until it has no reason of its own to refuse it.
 * Only in a valid text is a number certain to begin where its characters do.
 */
static json_t *
load(char *text, size_t len, bool is_valid)
{
	json_error_t e;
	json_t *tree;

	for (size_t i = 0; i < len; i++)
		if (text[i] == '\0')
			text[i] = '\1';
	replace_escapes(text, len, true, false);
	for (;;) {
		tree = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);
		if (tree != NULL)
			return tree;
		switch (json_error_code(&e)) {
		case json_error_numeric_overflow:
			if (!is_valid)
				return NULL;
			replace_number(text, (size_t)e.position);
			break;
		case json_error_null_byte_in_key:
			replace_escapes(text, len, false, true);
			break;
		default:
			return NULL;
		}
	}
}

/* How deep is a valid text? */
static unsigned
depth_of(const char *text, size_t len)
{
	unsigned depth = 0, deepest = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"')
			in_string = !in_string;
		else if (in_string)
			i += text[i] == '\\';
		else if (text[i] == '[' || text[i] == '{')
			deepest = ++depth > deepest ? depth : deepest;
		else if (text[i] == ']' || text[i] == '}')
			depth--;
	}
	return deepest;
}

static enum json_kind
kind_of(const json_t *t)
{
	static const enum json_kind kind[] = {
		[JANSSON_OBJECT] = JSON_OBJECT,
		[JANSSON_ARRAY] = JSON_ARRAY,
		[JANSSON_STRING] = JSON_STRING,
		[JSON_INTEGER] = JSON_NUMBER,
		[JSON_REAL] = JSON_NUMBER,
		[JANSSON_TRUE] = JSON_TRUE,
		[JANSSON_FALSE] = JSON_FALSE,
		[JANSSON_NULL] = JSON_NULL,
	};

	return kind[json_typeof(t)];
}

static void
check_string(const char *text, struct json_value v, const json_t *t)
{
	const char *want = json_string_value(t);
	size_t len = json_string_length(t);
	struct buf b = { 0 };

	require(json_string_get(text, v, &b));
	require(b.len == len && (len == 0 || memcmp(b.data, want, len) == 0));
	require(json_string_is(text, v, want) == (strlen(want) == len));
	require(json_is_truthy(text, v) == (len > 0));
	buf_free(&b);
}

static void
check_number(const char *text, struct json_value v, const json_t *t)
{
	bool is_integer = json_typeof(t) == JSON_INTEGER && text[v.start] != '-';
	double d, want = is_integer || json_typeof(t) == JSON_REAL ? json_number_value(t) :
	    (double)json_integer_value(t);
	uint64_t n;

	require(json_number_double(text, v, &d) && d == want);
	require(json_is_truthy(text, v) == (want != 0));
	if (json_number_u64(text, v, &n))
		require(is_integer && n == (uint64_t)json_integer_value(t));
	else
		require(!is_integer || json_integer_value(t) > (1LL << 53) - 1);
}

/* The value, cut out of the text, is the subtree t. */
static void
check_value(const char *text, struct json_value v, const json_t *t)
{
	json_t *cut;

	require(v.kind == kind_of(t) && v.end > v.start);
	cut = json_loadb(text + v.start, v.end - v.start, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	require(cut != NULL && json_equal(cut, t));
	json_decref(cut);
	if (v.kind == JSON_STRING)
		check_string(text, v, t);
	else if (v.kind == JSON_NUMBER)
		check_number(text, v, t);
	else
		require(json_is_truthy(text, v) == (v.kind <= JSON_ARRAY || v.kind == JSON_TRUE));
}

/* Only white space is between a member and its commas or the braces. */
static void
check_place(const char *text, const struct json_object *o, const struct json_member *m)
{
	uint32_t before = m->comma_before != 0 ? m->comma_before : o->open;
	uint32_t after = m->comma_after != 0 ? m->comma_after : o->close;

	require(text[before] == (m->comma_before != 0 ? ',' : '{'));
	require(text[after] == (m->comma_after != 0 ? ',' : '}'));
	require(text[m->name] == '"' && m->name < m->value.start);
	while (++before < m->name)
		require(is_one_of(text[before], " \t\r\n"));
	while (--after >= m->value.end)
		require(is_one_of(text[after], " \t\r\n"));
}

/* o is what was noted of the object t, which may be no object at all. */
static void
check_object(const char *text, const struct json_object *o, const json_t *t)
{
	uint32_t seen = 0;

	require(o->n_members >= json_object_size(t));
	for (size_t i = 0; i < names.n; i++) {
		const struct json_member *m = &o->member[i];
		const json_t *member = json_object_get(t, names.name[i]);

		require((member != NULL) == (m->seen > 0));
		require((member != NULL) == (m->value.kind != JSON_NONE));
		seen += m->seen;
		if (member == NULL)
			continue;
		check_value(text, m->value, member);
		check_place(text, o, m);
	}
	require(seen <= o->n_members);
}

static bool
scan(struct json_scan *s, const char *text, size_t len, struct json_value *v,
    struct json_object *o, struct json_object *sub)
{
	json_scan_init(s, text, len, DEPTH);
	return json_scan_members(s, v, &names, o, MESSAGE, sub) && json_scan_end(s);
}

/* text is what jansson read: it may differ from what was scanned first. */
static void
check_tree(const char *text, size_t len, const json_t *tree)
{
	struct json_object o, sub;
	struct json_value v;
	struct json_scan s;

	require(scan(&s, text, len, &v, &o, &sub));
	check_value(text, v, tree);
	check_object(text, &o, tree);
	check_object(text, &sub, json_object_get(tree, names.name[MESSAGE]));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct json_object o, sub;
	char *text = xmalloc(len);	/* not one byte more, so that a read too far is seen */
	struct json_value v, again;
	struct json_scan s;
	json_t *tree;
	bool is_json;

	if (len > 0)
		memcpy(text, data, len);
	is_json = scan(&s, text, len, &v, &o, &sub);
	require(is_json == (s.fault == NULL) && s.pos <= len);
	require(is_json == json_scan_text(text, len, DEPTH, &again));
	require(len == 0 || memcmp(text, data, len) == 0);

	tree = load(text, len, is_json);
	if (is_json || (tree != NULL && strcmp(s.fault, TOO_DEEP) == 0)) {
		require(tree != NULL);
		require(is_json == (depth_of(text, len) <= DEPTH));
	} else
		require(tree == NULL);
	if (is_json)
		check_tree(text, len, tree);
	json_decref(tree);
	free(text);
	return 0;
}
