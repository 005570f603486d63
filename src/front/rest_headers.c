/* SPDX-License-Identifier: ISC */
/*
 * Names and values, one after the other; what is not fit for a header line is left out.
 */
#include "front/rest_headers.h"

#include <string.h>
#include <strings.h>

#include "base/compiler.h"
#include "token/claim_list.h"

#define DEPTH_MAX 1024
#define COOKIE_NAME "JSESSIONID"

/* Told by the server, or about the connection and not the answer. */
static const char *const reserved[] = {
	"connection", "content-encoding", "content-length", "date", "keep-alive",
	"proxy-connection", "te", "traceparent", "trailer", "transfer-encoding", "upgrade",
	"x-request-id", "x-responsetime",
};

/* RFC 9110 section 5.6.2. */
static bool
is_token(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)p[i] <= ' ' || (unsigned char)p[i] >= 0x7f ||
		    strchr("\"(),/:;<=>?@[\\]{}", p[i]) != NULL)
			return false;
	return len > 0;
}

static bool
is_reserved(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
		if (len == strlen(reserved[i]) && strncasecmp(name, reserved[i], len) == 0)
			return true;
	return false;
}

static bool
is_field_value(const struct buf *value)
{
	for (size_t i = 0; i < value->len; i++)
		if (((unsigned char)value->data[i] < ' ' && value->data[i] != '\t') ||
		    value->data[i] == 0x7f)
			return false;
	return value->len <= REST_HEADER_MAX;
}

/* A text, or a number or truth value as it is written; false: another kind, or not fit. */
static bool
get_value(const char *text, struct json_value v, struct buf *value)
{
	buf_reset(value, SIZE_MAX);
	switch (v.kind) {
	case JSON_STRING:
		json_string_get(text, v, value);
		return is_field_value(value);
	case JSON_NUMBER:
	case JSON_TRUE:
	case JSON_FALSE:
		buf_add(value, text + v.start, v.end - v.start);
		return is_field_value(value);
	default:
		return false;
	}
}

static void
add_line(struct buf *extra, const char *name, size_t len, const struct buf *value)
{
	buf_add(extra, name, len);
	buf_add_str(extra, ": ");
	buf_add(extra, value->data, value->len);
	buf_add_str(extra, "\r\n");
}

/* Where the lines go, and how many there may still be. */
struct sink {
	struct buf *type, *extra;
	unsigned left;
};

static void
add_one(struct sink *sink, const struct claim *c, const char *text, struct json_value v)
{
	struct buf value = { 0 };

	if (sink->left == 0 || !get_value(text, v, &value)) {
		buf_free(&value);
		return;
	}
	sink->left--;
	if (c->name_len == 12 && strncasecmp(c->name, "content-type", 12) == 0) {
		buf_reset(sink->type, SIZE_MAX);
		buf_add(sink->type, value.data, value.len);
	} else {
		add_line(sink->extra, c->name, c->name_len, &value);
	}
	buf_free(&value);
}

/* The value is one, or a list of them. */
static void
add_header(struct sink *sink, const struct claim *c, const char *text)
{
	struct json_value v = c->value, element;
	struct json_scan scan;

	if (!is_token(c->name, c->name_len) || is_reserved(c->name, c->name_len))
		return;
	if (v.kind != JSON_ARRAY) {
		add_one(sink, c, text, v);
		return;
	}
	json_scan_init(&scan, text, v.end, DEPTH_MAX);
	scan.pos = v.start + 1;
	while (json_scan_value(&scan, &element)) {
		add_one(sink, c, text, element);
		if (!json_scan_take(&scan, ','))
			break;
	}
}

void
rest_headers_add(const char *text, struct json_value v, struct buf *type, struct buf *extra)
{
	struct sink sink = { .type = type, .extra = extra, .left = REST_HEADERS_MAX };
	struct claim_list list;

	if (!claim_list_read(&list, text + v.start, v.end - v.start, DEPTH_MAX))
		return;
	for (size_t i = 0; i < list.n; i++)
		add_header(&sink, &list.claims[i], text + v.start);
	claim_list_free(&list);
}

/* ---- the cookie ---- */

static void
add_name(struct buf *cookie, const struct claim_list *list)
{
	const struct claim *c = claim_list_find(list, "name", 4);
	struct buf name = { 0 };

	if (c != NULL && json_string_get(list->text, c->value, &name) &&
	    is_token(name.data, name.len))
		buf_add(cookie, name.data, name.len);
	else
		buf_add_str(cookie, COOKIE_NAME);
	buf_free(&name);
}

static void
add_directives(struct buf *cookie, const struct claim_list *list)
{
	const struct claim *c = claim_list_find(list, "directives", 10);
	struct json_value element;
	struct json_scan scan;
	struct buf value = { 0 };

	if (c == NULL || c->value.kind != JSON_ARRAY) {
		buf_add_str(cookie, "; path=/");
		return;
	}
	json_scan_init(&scan, list->text, c->value.end, DEPTH_MAX);
	scan.pos = c->value.start + 1;
	while (json_scan_value(&scan, &element)) {
		if (element.kind == JSON_STRING && get_value(list->text, element, &value)) {
			buf_add_str(cookie, "; ");
			buf_add(cookie, value.data, value.len);
		}
		if (!json_scan_take(&scan, ','))
			break;
	}
	buf_free(&value);
}

void
rest_headers_add_cookie(const char *text, struct json_value v, const char *token,
    size_t token_len, struct buf *extra)
{
	struct claim_list list = { 0 };
	struct buf cookie = { 0 };

	if (v.kind != JSON_OBJECT ||
	    !claim_list_read(&list, text + v.start, v.end - v.start, DEPTH_MAX))
		list = (struct claim_list){ 0 };
	add_name(&cookie, &list);
	buf_add_char(&cookie, '=');
	buf_add(&cookie, token, token_len);
	add_directives(&cookie, &list);
	add_line(extra, "Set-Cookie", 10, &cookie);
	buf_free(&cookie);
	claim_list_free(&list);
}
