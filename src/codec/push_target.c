/* SPDX-License-Identifier: ISC */
/*
 * The target of a push, scanned and built.
 */
#include "codec/push_target.h"

#include <string.h>

enum name { P_SOCKET, P_APPLICATION, P_ALL, P_N };

static const struct json_names names = {
	.n = P_N,
	.name = (const char *const[]){
		[P_SOCKET] = "socket", [P_APPLICATION] = "application", [P_ALL] = "all",
	},
};

#define DEPTH_MAX 4

static bool
get_text(struct push_target *t, enum push_kind kind, const char *text, struct json_value v)
{
	struct buf b = { 0 };
	bool fits;

	fits = json_string_get(text, v, &b) && b.len > 0 && b.len < sizeof(t->text) &&
	    memchr(b.data, '\0', b.len) == NULL;
	if (fits) {
		memcpy(t->text, b.data, b.len);
		t->text[b.len] = '\0';
		t->kind = kind;
	}
	buf_free(&b);
	return fits;
}

bool
push_target_decode(struct push_target *t, const char *text, struct json_value v)
{
	const char *base = text + v.start;
	struct json_value again;
	struct json_object o;
	struct json_scan s;

	*t = (struct push_target){ .kind = PUSH_NONE };
	if (v.kind != JSON_OBJECT)
		return false;
	json_scan_init(&s, base, v.end - v.start, DEPTH_MAX);
	if (!json_scan_members(&s, &again, &names, &o, -1, NULL) || o.n_members != 1)
		return false;
	if (o.member[P_SOCKET].seen > 0)
		return get_text(t, PUSH_SOCKET, base, o.member[P_SOCKET].value);
	if (o.member[P_APPLICATION].seen > 0)
		return get_text(t, PUSH_APPLICATION, base, o.member[P_APPLICATION].value);
	if (o.member[P_ALL].value.kind == JSON_TRUE)
		t->kind = PUSH_ALL;
	return t->kind == PUSH_ALL;
}

void
push_target_encode(struct buf *b, const struct push_target *t)
{
	switch (t->kind) {
	case PUSH_SOCKET:
		buf_add_str(b, "{\"socket\":");
		break;
	case PUSH_APPLICATION:
		buf_add_str(b, "{\"application\":");
		break;
	default:
		buf_add_str(b, "{\"all\":true}");
		return;
	}
	buf_add_json_string(b, t->text, strlen(t->text));
	buf_add_char(b, '}');
}
