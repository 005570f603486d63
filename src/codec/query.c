/* SPDX-License-Identifier: ISC */
/*
 * Pairs are put into a small tree, which is then written.
 */
#include "codec/query.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/xmalloc.h"
#include "codec/percent.h"

#define PARTS_MAX (QUERY_DEPTH_MAX + 2)

enum kind { KIND_TEXT, KIND_TRUE, KIND_LIST, KIND_OBJECT };

/* A value, and its name in the object or its index in the list that it is in. */
struct node {
	struct buf name;
	unsigned index;
	enum kind kind;
	struct buf text;		/* KIND_TEXT */
	struct node **child;		/* KIND_LIST: by index */
	size_t n;
};

struct part {
	const char *p;
	size_t len;
};

/* The name of a pair, taken apart: "a[b][]" is "a", "b", "". */
struct name {
	struct part part[PARTS_MAX];
	size_t n;
};

static struct node *
node_new(enum kind kind)
{
	struct node *n = xcalloc(1, sizeof(*n));

	n->kind = kind;
	return n;
}

static void
node_free(struct node *n)
{
	for (size_t i = 0; i < n->n; i++)
		node_free(n->child[i]);
	free(n->child);
	buf_free(&n->name);
	buf_free(&n->text);
	free(n);
}

/* ---- the place of a pair ---- */

static struct node *
insert(struct node *parent, size_t at, struct node *child)
{
	parent->child = xreallocarray(parent->child, parent->n + 1, sizeof(struct node *));
	memmove(parent->child + at + 1, parent->child + at,
	    (parent->n - at) * sizeof(struct node *));
	parent->child[at] = child;
	parent->n++;
	return child;
}

static struct node *
find_member(const struct node *object, struct part name)
{
	for (size_t i = 0; i < object->n; i++) {
		struct node *child = object->child[i];

		if (child->name.len == name.len &&
		    (name.len == 0 || memcmp(child->name.data, name.p, name.len) == 0))
			return child;
	}
	return NULL;
}

static struct node *
find_element(const struct node *list, unsigned index)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->child[i]->index == index)
			return list->child[i];
	return NULL;
}

static struct node *
add_member(struct node *object, struct part name, enum kind kind)
{
	struct node *child = insert(object, object->n, node_new(kind));

	buf_add(&child->name, name.p, name.len);
	return child;
}

static struct node *
add_element(struct node *list, unsigned index, enum kind kind)
{
	size_t at = list->n;
	struct node *child;

	while (at > 0 && list->child[at - 1]->index > index)
		at--;
	child = insert(list, at, node_new(kind));
	child->index = index;
	return child;
}

static struct node *
append(struct node *list, enum kind kind)
{
	return add_element(list, list->n > 0 ? list->child[list->n - 1]->index + 1 : 0, kind);
}

/* Is it "0" to "20", or empty: a place in a list? */
static bool
is_index(struct part part, unsigned *index)
{
	*index = 0;
	if (part.len > 2 || (part.len == 2 && part.p[0] == '0'))
		return false;
	for (size_t i = 0; i < part.len; i++) {
		if (part.p[i] < '0' || part.p[i] > '9')
			return false;
		*index = *index * 10 + (unsigned)(part.p[i] - '0');
	}
	return *index <= QUERY_INDEX_MAX;
}

/* A list that gets a name beside its indices. */
static void
make_object(struct node *list)
{
	list->kind = KIND_OBJECT;
	for (size_t i = 0; i < list->n; i++)
		buf_printf(&list->child[i]->name, "%u", list->child[i]->index);
}

/* A text that gets another value beside it. */
static void
make_list(struct node *n)
{
	struct node *old = node_new(n->kind);

	old->text = n->text;
	n->kind = KIND_LIST;
	n->text = (struct buf){ 0 };
	insert(n, 0, old);
}

/* "[]" in an object: the first number that no member has. */
static struct node *
add_numbered(struct node *object, enum kind kind)
{
	char number[16];
	struct part name = { .p = number };

	for (unsigned i = 0;; i++) {
		name.len = (size_t)snprintf(number, sizeof(number), "%u", i);
		if (find_member(object, name) == NULL)
			return add_member(object, name, kind);
	}
}

/* What assigning to would change how an object works, in programs that do so carelessly. */
static bool
is_inherited(struct part part)
{
	static const char *const name[] = {
		"__proto__", "constructor", "hasOwnProperty", "isPrototypeOf",
		"propertyIsEnumerable", "toLocaleString", "toString", "valueOf",
		"__defineGetter__", "__defineSetter__", "__lookupGetter__", "__lookupSetter__",
	};

	for (size_t i = 0; i < ARRAY_LEN(name); i++)
		if (part.len == strlen(name[i]) && memcmp(part.p, name[i], part.len) == 0)
			return true;
	return false;
}

/* A text for what is an object becomes the name of a member of it. */
static void
add_flag(struct node *object, const struct buf *value)
{
	struct part name = { value->data, value->len };

	if (!is_inherited(name) && find_member(object, name) == NULL)
		add_member(object, name, KIND_TRUE);
}

/* The child that a part of a name means, made if it is not there. */
static struct node *
child_of(struct node *parent, struct part part, enum kind kind, bool *is_new)
{
	struct node *child = NULL;
	unsigned index;

	*is_new = true;
	if (parent->kind == KIND_LIST && !is_index(part, &index))
		make_object(parent);
	if (parent->kind == KIND_LIST && part.len == 0)
		return append(parent, kind);
	if (parent->kind == KIND_LIST) {
		if ((child = find_element(parent, index)) == NULL)
			return add_element(parent, index, kind);
	} else if ((child = find_member(parent, part)) == NULL) {
		return add_member(parent, part, kind);
	}
	*is_new = false;
	return child;
}

/* What the part behind is put into. */
static enum kind
kind_for(struct part next)
{
	unsigned index;

	return is_index(next, &index) ? KIND_LIST : KIND_OBJECT;
}

static void
put(struct node *top, const struct name *name, const struct buf *value)
{
	struct node *n = top;
	bool is_new;

	for (size_t i = 0; i + 1 < name->n; i++) {
		struct part next = name->part[i + 1];

		n = child_of(n, name->part[i], kind_for(next), &is_new);
		if (n->kind == KIND_TEXT || n->kind == KIND_TRUE)
			make_list(n);
		if (n->kind == KIND_OBJECT && next.len == 0 && i + 2 == name->n) {
			n = add_numbered(n, KIND_TEXT);
			buf_add(&n->text, value->data, value->len);
			return;
		}
	}
	n = child_of(n, name->part[name->n - 1], KIND_TEXT, &is_new);
	if (!is_new && n->kind == KIND_OBJECT) {
		add_flag(n, value);
		return;
	}
	if (!is_new) {
		if (n->kind != KIND_LIST)
			make_list(n);
		n = append(n, KIND_TEXT);
	}
	buf_add(&n->text, value->data, value->len);
}

/* ---- reading ---- */

static void
add_part(struct name *name, const char *p, size_t len)
{
	name->part[name->n++] = (struct part){ p, len };
}

/* "a[b][c]"; a bracket that is not closed belongs to the name.  false: it is not to be kept. */
static bool
split_name(struct name *name, const char *p, size_t len)
{
	const char *end = p + len, *open = memchr(p, '[', len), *close;

	name->n = 0;
	if (open == NULL || memchr(open, ']', (size_t)(end - open)) == NULL)
		open = end;
	if (open > p)
		add_part(name, p, (size_t)(open - p));
	for (p = open; p < end && *p == '['; p = close + 1) {
		close = memchr(p, ']', (size_t)(end - p));
		if (close == NULL)
			break;
		if (name->n > QUERY_DEPTH_MAX) {
			add_part(name, p, (size_t)(end - p));
			break;
		}
		add_part(name, p + 1, (size_t)(close - p - 1));
	}
	for (size_t i = 0; i < name->n; i++)
		if (is_inherited(name->part[i]))
			return false;
	return name->n > 0 && (name->n > 1 || name->part[0].len > 0);
}

/* A '+' is a blank; what cannot be decoded stays as it is. */
static void
decode(struct buf *out, const char *p, size_t len)
{
	struct buf text = { 0 };

	buf_add(&text, p, len);
	for (size_t i = 0; i < len; i++)
		if (text.data[i] == '+')
			text.data[i] = ' ';
	buf_reset(out, SIZE_MAX);
	if (len > 0 && !percent_decode(out, text.data, len))
		buf_add(out, text.data, len);
	buf_free(&text);
}

/* A '=' inside brackets belongs to the name. */
static const char *
find_equals(const char *p, size_t len)
{
	const char *behind = memmem(p, len, "]=", 2);

	return behind != NULL ? behind + 1 : memchr(p, '=', len);
}

static void
read_pair(struct node *top, const char *p, size_t len)
{
	const char *equals = find_equals(p, len), *end = p + len;
	struct buf text = { 0 }, value = { 0 };
	struct name name;

	decode(&text, p, (size_t)((equals != NULL ? equals : end) - p));
	if (equals != NULL)
		decode(&value, equals + 1, (size_t)(end - equals - 1));
	if (text.len > 0 && split_name(&name, text.data, text.len))
		put(top, &name, &value);
	buf_free(&text);
	buf_free(&value);
}

/* ---- writing ---- */

static void
write_node(struct buf *out, const struct node *n)
{
	if (n->kind == KIND_TEXT) {
		buf_add_json_string(out, n->text.data, n->text.len);
		return;
	}
	if (n->kind == KIND_TRUE) {
		buf_add_str(out, "true");
		return;
	}
	buf_add_char(out, n->kind == KIND_LIST ? '[' : '{');
	for (size_t i = 0; i < n->n; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		if (n->kind == KIND_OBJECT) {
			buf_add_json_string(out, n->child[i]->name.data, n->child[i]->name.len);
			buf_add_char(out, ':');
		}
		write_node(out, n->child[i]);
	}
	buf_add_char(out, n->kind == KIND_LIST ? ']' : '}');
}

void
query_add_json(struct buf *out, const char *text, size_t len)
{
	struct node *top = node_new(KIND_OBJECT);
	const char *p = text, *end = text + len, *amp;

	for (unsigned n = 0; p < end && n < QUERY_PAIRS_MAX; n++, p = amp + 1) {
		if ((amp = memchr(p, '&', (size_t)(end - p))) == NULL)
			amp = end;
		read_pair(top, p, (size_t)(amp - p));
	}
	write_node(out, top);
	node_free(top);
}
