/* SPDX-License-Identifier: ISC */
/*
 * envelope: an event and its argument alone are judged alike, members are inside
 * the text, and what was spliced for forwarding reads the same again.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xmalloc.h"
#include "codec/envelope.h"
#include "codec/json_splice.h"

#define DEPTH 8

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
require(bool is_true)
{
	if (!is_true)
		abort();
}

/* Every member is where a value of its own begins and ends. */
static void
check_members(const struct envelope *e, const struct json_object *o, struct json_value outer)
{
	struct json_value v;
	const char *raw;
	size_t len;

	for (int i = 0; i < ENV_N; i++) {
		raw = envelope_raw(e, o, (enum envelope_name)i, &len);
		require((raw == NULL) == (o->member[i].seen == 0));
		require(raw != NULL || len == 0);
		if (raw == NULL)
			continue;
		require(raw > e->text + outer.start && raw + len < e->text + outer.end);
		require(json_scan_text(raw, len, DEPTH, &v));
		require(v.kind == o->member[i].value.kind && v.start == 0 && v.end == len);
	}
}

static bool
has_double(const struct json_object *o)
{
	for (int i = 0; i < ENV_N; i++)
		if (o->member[i].seen > 1)
			return true;
	return false;
}

static void
check_names(struct envelope *e)
{
	bool in_top = has_double(&e->top), in_message = has_double(&e->message);

	require(envelope_check_request(e) == (in_top ? ERR_BAD_MESSAGE : ERR_NONE));
	require((e->fault != NULL) == in_top);
	require(envelope_check_reply(e) == (in_top || in_message ? ERR_BAD_MESSAGE : ERR_NONE));
	require((e->fault != NULL) == (in_top || in_message));
}

/* As a link does: another token, no "usher", an id; all else stays. */
static void
check_forwarding(const struct envelope *e)
{
	static const struct json_edit edits[] = {
		{ .name = ENV_TOKEN, .value = "\"new\"", .len = 5 },
		{ .name = ENV_USHER },
		{ .name = ENV_MS_REQUEST_ID, .value = "17", .len = 2 },
	};
	struct envelope again;
	struct buf b = { 0 };

	json_splice_add(&b, e->text, &e->top, &envelope_names, edits, ARRAY_LEN(edits));
	require(envelope_scan_object(&again, b.data, b.len, DEPTH) == ERR_NONE);
	require(envelope_check_request(&again) == ERR_NONE);
	require(again.top.member[ENV_USHER].seen == 0);
	require(json_string_is(b.data, again.top.member[ENV_TOKEN].value, "new"));
	for (int i = 0; i < ENV_N; i++) {
		const char *before, *after;
		size_t n, m;

		if (i == ENV_TOKEN || i == ENV_USHER || i == ENV_MS_REQUEST_ID)
			continue;
		before = envelope_raw(e, &e->top, (enum envelope_name)i, &n);
		after = envelope_raw(&again, &again.top, (enum envelope_name)i, &m);
		require(n == m && (n == 0 || memcmp(before, after, n) == 0));
	}
	buf_free(&b);
}

static void
check_scanned(struct envelope *e)
{
	require(e->fault == NULL);
	if (e->arg.kind == JSON_OBJECT) {
		check_members(e, &e->top, e->arg);
		check_members(e, &e->message, e->top.member[ENV_MESSAGE].value);
	} else
		require(e->top.n_members == 0 && e->message.n_members == 0);
	check_names(e);
	if (e->arg.kind == JSON_OBJECT && !has_double(&e->top))
		check_forwarding(e);
}

/* The argument of an event, taken alone, has the same members. */
static void
check_event(struct envelope *e)
{
	size_t start = e->arg.start, len = e->arg.end - e->arg.start;
	struct envelope alone;
	struct json_value v;

	require(e->event.kind == JSON_STRING || e->event.kind == JSON_NUMBER);
	require(json_scan_text(e->text, e->len, DEPTH + 1, &v) && v.kind == JSON_ARRAY);
	check_scanned(e);
	if (e->arg.kind == JSON_NONE)
		return;
	require(envelope_scan_object(&alone, e->text + start, len, DEPTH) == ERR_NONE);
	require(alone.event.kind == JSON_NONE && alone.arg.kind == e->arg.kind);
	require(alone.top.n_members == e->top.n_members);
	require(alone.message.n_members == e->message.n_members);
	for (int i = 0; i < ENV_N; i++) {
		const struct json_member *m = &e->top.member[i], *n = &alone.top.member[i];

		require(m->seen == n->seen);
		require(m->seen == 0 || m->value.start == n->value.start + start);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = xmalloc(len);	/* not one byte more */
	struct json_value v;
	struct envelope e;

	if (len > 0)
		memcpy(text, data, len);
	if (envelope_scan_event(&e, text, len, DEPTH) == ERR_NONE)
		check_event(&e);
	else
		require(e.fault != NULL);
	if (envelope_scan_object(&e, text, len, DEPTH) == ERR_NONE) {
		require(json_scan_text(text, len, DEPTH, &v) && v.kind == e.arg.kind);
		check_scanned(&e);
	} else
		require(e.fault != NULL && !json_scan_text(text, len, DEPTH, &v));
	free(text);
	return 0;
}
