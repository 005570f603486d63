/* SPDX-License-Identifier: ISC */
/*
 * Building a message out of a request's head and body, as Express and QEWD do it.
 */
#include "front/rest_message.h"

#include <string.h>
#include <strings.h>

#include "codec/percent.h"
#include "codec/query.h"
#include "conf/conf.h"
#include "front/rest_route.h"

/* ---- the kind of a body ---- */

/* The media type is this, whatever its parameters are but for a charset other than UTF-8. */
static bool
is_type(struct http_text value, const char *type)
{
	struct http_text name = value;
	const char *semicolon = memchr(value.p, ';', value.len), *charset;

	if (semicolon != NULL)
		name.len = (size_t)(semicolon - value.p);
	while (name.len > 0 && (name.p[name.len - 1] == ' ' || name.p[name.len - 1] == '\t'))
		name.len--;
	if (!http_text_is(name, type))
		return false;
	charset = semicolon;
	while (charset != NULL && charset < value.p + value.len &&
	    strncasecmp(charset, "charset=", 8) != 0)
		charset++;
	if (charset == NULL || charset == value.p + value.len)
		return true;
	charset += 8;
	if (*charset == '"')
		charset++;
	return (size_t)(value.p + value.len - charset) >= 5 &&
	    strncasecmp(charset, "utf-8", 5) == 0;
}

enum rest_body
rest_body_kind(const struct http_head *head)
{
	const struct http_text *type;

	if (head->content_length <= 0 && !head->is_chunked)
		return REST_BODY_NONE;
	type = http_find(head, "content-type", NULL);
	if (type != NULL && is_type(*type, "application/json"))
		return REST_BODY_JSON;
	if (type != NULL && is_type(*type, "application/x-www-form-urlencoded"))
		return REST_BODY_FORM;
	return REST_BODY_OTHER;
}

/* ---- members ---- */

static void
add_name(struct buf *b, const char *name)
{
	buf_add_str(b, ",\"");
	buf_add_str(b, name);
	buf_add_str(b, "\":");
}

static void
add_text(struct buf *b, const char *name, const char *text, size_t len)
{
	add_name(b, name);
	buf_add_json_string(b, text, len);
}

/*
 * "qewd: ajax" would make QEWD's own workers take the body for the message.  The other is
 * for a proxy, if it is for anybody.
 */
static bool
is_dropped(struct http_text name)
{
	return http_text_is(name, "qewd") || http_text_is(name, "proxy-authorization");
}

/* Of these Node.js, and so a handler, knows only the first. */
static bool
is_single(struct http_text name)
{
	static const char *const single[] = {
		"age", "authorization", "content-length", "content-type", "etag", "expires", "from",
		"host", "if-modified-since", "if-unmodified-since", "last-modified", "location",
		"max-forwards", "referer", "retry-after", "server", "user-agent",
	};

	for (size_t i = 0; i < ARRAY_LEN(single); i++)
		if (http_text_is(name, single[i]))
			return true;
	return false;
}

static bool
is_same_name(struct http_text a, struct http_text b)
{
	return a.len == b.len && strncasecmp(a.p, b.p, a.len) == 0;
}

/* Was there one of the same name before it? */
static bool
is_repeated(const struct http_head *head, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_same_name(head->field[i].name, head->field[n].name))
			return true;
	return false;
}

static void
add_lower(struct buf *b, struct http_text name)
{
	struct buf lower = { 0 };

	buf_add(&lower, name.p, name.len);
	for (size_t i = 0; i < lower.len; i++)
		if (lower.data[i] >= 'A' && lower.data[i] <= 'Z')
			lower.data[i] = (char)(lower.data[i] - 'A' + 'a');
	buf_add_json_string(b, lower.data, lower.len);
	buf_free(&lower);
}

/* The values of all fields of this name. */
static void
add_values(struct buf *b, const struct http_head *head, size_t first)
{
	struct http_text name = head->field[first].name;
	struct buf value = { 0 };

	buf_add(&value, head->field[first].value.p, head->field[first].value.len);
	for (size_t i = first + 1; i < head->n_fields && !is_single(name); i++) {
		if (!is_same_name(head->field[i].name, name))
			continue;
		buf_add_str(&value, http_text_is(name, "cookie") ? "; " : ", ");
		buf_add(&value, head->field[i].value.p, head->field[i].value.len);
	}
	buf_add_json_string(b, value.data, value.len);
	buf_free(&value);
}

static void
add_headers(struct buf *b, const struct http_head *head)
{
	bool is_first = true;

	add_name(b, "headers");
	buf_add_char(b, '{');
	for (size_t i = 0; i < head->n_fields; i++) {
		if (is_dropped(head->field[i].name) || is_repeated(head, i))
			continue;
		if (!is_first)
			buf_add_char(b, ',');
		is_first = false;
		add_lower(b, head->field[i].name);
		buf_add_char(b, ':');
		add_values(b, head, i);
	}
	buf_add_char(b, '}');
}

/* ---- params: what Express finds behind the first segment, or behind a prefix ---- */

static bool
add_decoded(struct buf *b, struct http_text text)
{
	struct buf value = { 0 };
	bool is_good = percent_decode(&value, text.p, text.len);

	if (is_good)
		buf_add_json_string(b, value.data, value.len);
	buf_free(&value);
	return is_good;
}

/* "/api/user/17": type "user", rest "17". */
static void
split_path(struct http_text path, struct http_text *type, struct http_text *rest)
{
	const char *end = path.p + path.len;
	const char *first = path.len > 1 ? memchr(path.p + 1, '/', path.len - 1) : NULL, *second;

	if (first == NULL || first + 1 == end)
		return;
	second = memchr(first + 1, '/', (size_t)(end - first - 1));
	type->p = first + 1;
	type->len = (size_t)((second != NULL ? second : end) - type->p);
	if (second != NULL)
		*rest = (struct http_text){ second + 1, (size_t)(end - second - 1) };
}

static bool
add_params(struct buf *b, const struct rest_source *s)
{
	struct http_text type = s->match->type, rest = s->match->rest;
	bool is_good = true;

	if (s->match->kind == REST_ROUTE)
		split_path(s->head->path, &type, &rest);
	add_name(b, "params");
	buf_add_char(b, '{');
	if (type.p != NULL) {
		buf_add_str(b, "\"type\":");
		is_good = add_decoded(b, type);
	}
	if (is_good && rest.p != NULL) {
		buf_add_str(b, ",\"0\":");
		is_good = add_decoded(b, rest);
	}
	buf_add_char(b, '}');
	return is_good;
}

/* ---- the whole ---- */

static bool
add_type(struct buf *b, const struct rest_source *s)
{
	buf_add_str(b, ",\"type\":");
	if (s->match->kind == REST_LOCAL)
		return add_decoded(b, s->match->type);
	buf_add_str(b, "\"restRequest\"");
	return true;
}

/* Handlers of GET serve HEAD, unless the route is for HEAD alone. */
static void
add_method(struct buf *b, const struct rest_source *s)
{
	const struct conf_rest_route *route = s->match->route;
	struct http_text method = s->head->method;

	if (method.len == 4 && memcmp(method.p, "HEAD", 4) == 0 &&
	    (route == NULL || route->method == NULL || strcmp(route->method, "HEAD") != 0))
		add_text(b, "method", "GET", 3);
	else
		add_text(b, "method", method.p, method.len);
}

static void
add_body(struct buf *b, const struct rest_source *s)
{
	if (s->body_kind == REST_BODY_NONE || s->body_len == 0)
		return;
	add_name(b, "body");
	if (s->body_kind == REST_BODY_FORM)
		query_add_json(b, s->body, s->body_len);
	else
		buf_add(b, s->body, s->body_len);
}

static bool
add_route(struct buf *b, const struct rest_source *s)
{
	if (s->match->kind != REST_ROUTE)
		return true;
	add_text(b, "pathTemplate", s->match->route->path, strlen(s->match->route->path));
	add_name(b, "args");
	return path_vars_add_json(b, &s->match->vars);
}

bool
rest_message_write(struct buf *b, const struct rest_source *s, const struct rest_recipient *to)
{
	const struct http_head *head = s->head;
	size_t start = b->len;

	buf_add_str(b, "{\"application\":");
	buf_add_json_string(b, to->application, strlen(to->application));
	if (!add_type(b, s) || !add_route(b, s) || !add_params(b, s)) {
		b->len = start;
		return false;
	}
	add_text(b, "path", head->target.p, head->target.len);
	add_method(b, s);
	add_headers(b, head);
	add_name(b, "query");
	query_add_json(b, head->query.p, head->query.len);
	add_body(b, s);
	add_text(b, "ip", s->address, strlen(s->address));
	buf_add_str(b, ",\"ips\":[]");
	if (to->token != NULL)
		add_text(b, "token", to->token, to->token_len);
	buf_add_str(b, ",\"jwt\":true");
	if (to->id != 0) {
		buf_add_str(b, ",\"ms_requestId\":");
		buf_add_u64(b, to->id);
	}
	buf_add_char(b, '}');
	return true;
}
