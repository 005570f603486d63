/* SPDX-License-Identifier: ISC */
/*
 * Members are gathered in one pass, then sorted by name: a handler may give a
 * session of very many members, so nothing here may be quadratic.
 */
#include "token/claim_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "token/jwt.h"

#define FEW 16	/* claims that are sorted without the help, and the memory, of the library */

/* What a list is while it is read. */
struct reader {
	struct claim_list *list;
	struct json_scan scan;
	size_t cap;
};

/* Notes a name; where it lies is known only when names no longer moves. */
static void
add(struct reader *r, struct json_value name, struct json_value value)
{
	struct claim_list *list = r->list;
	size_t start = list->names.len;

	if (list->n == r->cap) {
		r->cap = r->cap > 0 ? 2 * r->cap : 16;
		list->claims = xreallocarray(list->claims, r->cap, sizeof(*list->claims));
	}
	json_string_get(list->text, name, &list->names);
	list->claims[list->n++] = (struct claim){
		.name_len = list->names.len - start, .raw_name = name, .value = value,
	};
}

static bool
read_member(struct reader *r)
{
	struct json_value name, value;

	if (!json_scan_value(&r->scan, &name) || name.kind != JSON_STRING ||
	    !json_scan_take(&r->scan, ':') || !json_scan_value(&r->scan, &value))
		return false;
	add(r, name, value);
	return true;
}

static bool
read_element(struct reader *r)
{
	struct json_value value;

	if (!json_scan_value(&r->scan, &value))
		return false;
	if (value.kind == JSON_STRING)
		add(r, value, value);
	return true;
}

static bool
read_all(struct reader *r, char open, char close, bool (*read_one)(struct reader *))
{
	if (!json_scan_take(&r->scan, open))
		return false;
	if (!json_scan_take(&r->scan, close)) {
		do {
			if (!read_one(r))
				return false;
		} while (json_scan_take(&r->scan, ','));
		if (!json_scan_take(&r->scan, close))
			return false;
	}
	return json_scan_end(&r->scan);
}

static int
compare_names(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

/* By name; of one name the one that comes first in the text. */
static int
compare(const void *a, const void *b)
{
	const struct claim *x = *(const struct claim *const *)a;
	const struct claim *y = *(const struct claim *const *)b;
	int order = compare_names(x->name, x->name_len, y->name, y->name_len);

	return order != 0 ? order : (x > y) - (x < y);
}

static void
sort(struct claim_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		list->by_name[i] = &list->claims[i];
	if (list->n > FEW) {
		qsort(list->by_name, list->n, sizeof(*list->by_name), compare);
		return;
	}
	for (size_t i = 1; i < list->n; i++) {
		const struct claim *c = list->by_name[i];
		size_t at;

		for (at = i; at > 0 && compare(&list->by_name[at - 1], &c) > 0; at--)
			list->by_name[at] = list->by_name[at - 1];
		list->by_name[at] = c;
	}
}

/* Leaves out each claim that a later one of its name replaces. */
static void
drop_replaced(struct claim_list *list)
{
	size_t n = 0;

	for (size_t i = 0; i + 1 < list->n; i++) {
		const struct claim *x = list->by_name[i], *y = list->by_name[i + 1];

		if (compare_names(x->name, x->name_len, y->name, y->name_len) == 0)
			list->claims[x - list->claims].name = NULL;
	}
	for (size_t i = 0; i < list->n; i++)
		if (list->claims[i].name != NULL)
			list->claims[n++] = list->claims[i];
	if (n < list->n) {
		list->n = n;
		sort(list);
	}
}

static bool
read_list(struct claim_list *list, const char *text, size_t len, unsigned depth_max, char open,
    char close, bool (*read_one)(struct reader *))
{
	struct reader r = { .list = list };
	const char *name;

	*list = (struct claim_list){ .text = text };
	json_scan_init(&r.scan, text, len, depth_max);
	if (!read_all(&r, open, close, read_one)) {
		claim_list_free(list);
		return false;
	}
	name = buf_str(&list->names);
	for (size_t i = 0; i < list->n; name += list->claims[i++].name_len)
		list->claims[i].name = name;
	list->by_name = xreallocarray(NULL, list->n, sizeof(*list->by_name));
	sort(list);
	drop_replaced(list);
	return true;
}

bool
claim_list_read(struct claim_list *list, const char *text, size_t len, unsigned depth_max)
{
	return read_list(list, text, len, depth_max - 1, '{', '}', read_member);
}

bool
claim_list_read_names(struct claim_list *list, const char *text, size_t len)
{
	return read_list(list, text, len, 1, '[', ']', read_element);
}

void
claim_list_free(struct claim_list *list)
{
	jwt_wipe(&list->names);
	free(list->claims);
	free(list->by_name);
	*list = (struct claim_list){ 0 };
}

const struct claim *
claim_list_find(const struct claim_list *list, const char *name, size_t len)
{
	size_t low = 0, high = list->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct claim *c = list->by_name[middle];
		int order = compare_names(name, len, c->name, c->name_len);

		if (order == 0)
			return c;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

bool
claim_is_truthy(const struct claim_list *list, const struct claim *c)
{
	return c != NULL && json_is_truthy(list->text, c->value);
}

static void
add_value(struct buf *b, const struct claim_list *list, struct json_value v)
{
	buf_add(b, list->text + v.start, v.end - v.start);
}

void
claim_add(struct buf *b, const struct claim_list *list, const struct claim *c)
{
	if (b->data[b->len - 1] != '{')
		buf_add_char(b, ',');
	add_value(b, list, c->raw_name);
	buf_add_char(b, ':');
	add_value(b, list, c->value);
}
