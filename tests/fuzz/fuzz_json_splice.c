/* SPDX-License-Identifier: ISC */
/*
 * json_splice against jansson and against a simple list of members: the result
 * is the edited tree, and what was not edited is there byte for byte.
 *
 * The first three bytes of the input choose the edits of the top object, those of
 * the nested one, and the values; the text follows.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xmalloc.h"
#include "codec/json_scan.h"
#include "codec/json_splice.h"
#include "jansson_kinds.h"

#define DEPTH	64
#define N_NAMES 4

enum { A, B, C, IN };

static const char *const name_table[N_NAMES] = { "a", "b", "c", "in" };
static const struct json_names names = { N_NAMES, name_table };

static const char *const values[] = { "0.10", "{}", "[ 1e2,\"\\u00e9\" ]", "\"\"" };

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
require(bool is_true)
{
	if (!is_true)
		abort();
}

/* A pass over the text of an object: its next member in whole, and which of names it is. */
static bool
next_member(struct json_scan *s, const char *text, struct json_value *member,
    struct json_value *value, int *name)
{
	if (json_scan_take(s, '}'))
		return false;
	json_scan_take(s, ',');
	require(json_scan_value(s, member) && json_scan_take(s, ':') && json_scan_value(s, value));
	*name = -1;
	for (int i = 0; i < N_NAMES; i++)
		if (json_string_is(text, *member, name_table[i]))
			*name = i;
	member->end = value->end;
	return true;
}

static const struct json_edit *
edit_of(const struct json_edit *edits, size_t n, int name)
{
	for (size_t i = 0; i < n; i++)
		if (edits[i].name == name)
			return &edits[i];
	return NULL;
}

static void
add_value(struct buf *b, const char *text, const struct json_edit *e)
{
	if (e->object != NULL)
		json_splice_add(b, text, e->object, &names, e->edits, e->n_edits);
	else
		buf_add(b, e->value, e->len);
}

/* The members of the result, each behind a NUL, as they should be after the edits. */
static void
list_wanted(struct buf *list, const char *text, size_t len, const struct json_object *o,
    const struct json_edit *edits, size_t n)
{
	struct json_value member, value;
	const struct json_edit *e;
	struct json_scan s;
	int name;

	json_scan_init(&s, text, len, DEPTH);
	s.pos = o->open;
	require(json_scan_take(&s, '{'));
	while (next_member(&s, text, &member, &value, &name)) {
		e = edit_of(edits, n, name);
		if (e != NULL && e->value == NULL && e->object == NULL)
			continue;
		buf_add_char(list, '\0');
		buf_add(list, text + member.start,
		    (e == NULL ? member.end : value.start) - member.start);
		if (e != NULL)
			add_value(list, text, e);
	}
	for (size_t i = 0; i < n; i++) {
		if (o->member[edits[i].name].seen > 0 || edits[i].value == NULL)
			continue;
		buf_add_char(list, '\0');
		buf_printf(list, "\"%s\":", name_table[edits[i].name]);
		add_value(list, text, &edits[i]);
	}
}

/* Without a removal the white space around the members has to be the same as well. */
static void
check_exact(const struct buf *result, const char *text, const struct json_object *o,
    const struct json_edit *edits, size_t n)
{
	struct json_value member, value;
	const struct json_edit *e;
	struct buf want = { 0 };
	struct json_scan s;
	uint32_t done = o->open;
	int name;

	json_scan_init(&s, text, o->close + 1, DEPTH);
	s.pos = o->open + 1;
	while (next_member(&s, text, &member, &value, &name)) {
		if ((e = edit_of(edits, n, name)) == NULL)
			continue;
		buf_add(&want, text + done, value.start - done);
		add_value(&want, text, e);
		done = value.end;
	}
	buf_add(&want, text + done, o->close - done);
	require(result->len > want.len && memcmp(result->data, want.data, want.len) == 0);
	buf_free(&want);
}

/* What is between the members of the result was there before, apart from a comma. */
static void
check_bytes(const struct buf *result, const char *text, size_t len, const struct json_object *o,
    const struct json_edit *edits, size_t n)
{
	struct buf want = { 0 }, got = { 0 };
	struct json_object again, in;
	struct json_value v;
	struct json_scan s;
	bool removes = false;

	json_scan_init(&s, result->data, result->len, DEPTH + 1);
	require(json_scan_members(&s, &v, &names, &again, IN, &in) && json_scan_end(&s));
	require(v.kind == JSON_OBJECT && v.start == 0 && v.end == result->len);
	list_wanted(&want, text, len, o, edits, n);
	list_wanted(&got, result->data, result->len, &again, NULL, 0);
	require(want.len == got.len);
	require(want.len == 0 || memcmp(want.data, got.data, want.len) == 0);
	buf_free(&want);
	buf_free(&got);
	for (size_t i = 0; i < n; i++)
		removes |= edits[i].value == NULL && edits[i].object == NULL &&
		    o->member[edits[i].name].seen > 0;
	if (!removes)
		check_exact(result, text, o, edits, n);
}

static void
edit_tree(json_t *tree, const struct json_edit *edits, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct json_edit *e = &edits[i];
		const char *name = name_table[e->name];

		if (e->object != NULL)
			edit_tree(json_object_get(tree, name), e->edits, e->n_edits);
		else if (e->value != NULL)
			json_object_set_new(tree, name,
			    json_loadb(e->value, e->len, JSON_DECODE_ANY, NULL));
		else
			json_object_del(tree, name);
	}
}

/* jansson cannot read some valid texts (see fuzz_json_scan.c); those have no tree to edit. */
static void
check_tree(const struct buf *result, const char *text, const struct json_object *o,
    const struct json_edit *edits, size_t n)
{
	json_t *tree, *got;

	tree = json_loadb(text + o->open, o->close + 1 - o->open, JSON_ALLOW_NUL, NULL);
	if (tree == NULL)
		return;
	edit_tree(tree, edits, n);
	got = json_loadb(result->data, result->len, JSON_ALLOW_NUL, NULL);
	require(got != NULL && json_equal(tree, got));
	json_decref(tree);
	json_decref(got);
}

static void
check(const char *text, size_t len, const struct json_object *o, const struct json_edit *edits,
    size_t n)
{
	struct buf result = { 0 };
	char *out;

	json_splice_add(&result, text, o, &names, edits, n);
	require(json_splice_room(o, &names, edits, n) >= result.len);
	out = xmalloc(result.len);	/* not one byte more */
	require(json_splice(out, text, o, &names, edits, n) == result.len);
	require(memcmp(out, result.data, result.len) == 0);
	check_bytes(&result, text, len, o, edits, n);
	check_tree(&result, text, o, edits, n);
	free(out);
	buf_free(&result);
}

/* Two bits of choice a name: leave it, remove it, set it; or edit what is nested. */
static size_t
choose(struct json_edit *edits, const struct json_object *o, uint8_t choice, uint8_t seed,
    const struct json_object *in, const struct json_edit *in_edits, size_t n_in)
{
	size_t n = 0;

	for (int i = 0; i < N_NAMES; i++) {
		int name = (i + seed) % N_NAMES, what = choice >> (2 * name) & 3;
		const char *value = values[(name + (seed >> 2)) % N_NAMES];

		if (what == 0 || o->member[name].seen > 1)
			continue;
		if (what == 1)
			edits[n++] = (struct json_edit){ .name = name };
		else if (what == 3 && in != NULL && name == IN)
			edits[n++] = (struct json_edit){ .name = name, .object = in,
			    .edits = in_edits, .n_edits = n_in };
		else
			edits[n++] = (struct json_edit){
				.name = name, .value = value, .len = strlen(value)
			};
	}
	return n;
}

static void
splice(const char *text, size_t len, const uint8_t *choice)
{
	struct json_edit edits[N_NAMES], in_edits[N_NAMES];
	struct json_object o, in;
	struct json_value v;
	struct json_scan s;
	bool has_in;
	size_t n, n_in;

	json_scan_init(&s, text, len, DEPTH);
	if (!json_scan_members(&s, &v, &names, &o, IN, &in) || v.kind != JSON_OBJECT)
		return;
	has_in = o.member[IN].value.kind == JSON_OBJECT;
	n_in = has_in ? choose(in_edits, &in, choice[1], choice[2], NULL, NULL, 0) : 0;
	if (has_in)
		check(text, len, &in, in_edits, n_in);
	n = choose(edits, &o, choice[0], choice[2], has_in ? &in : NULL, in_edits, n_in);
	check(text, len, &o, edits, n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text;

	if (len < 4)
		return 0;
	text = xmemdup(data + 3, len - 3);
	splice(text, len - 3, data);
	require(memcmp(text, data + 3, len - 3) == 0);
	free(text);
	return 0;
}
