/* SPDX-License-Identifier: ISC */
/*
 * Entries are kept as text until the last is there.
 */
#include "front/rest_group.h"

#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "front/rest_answer.h"

struct member {
	char *name;
	struct rest_entry entry;
};

struct rest_group {
	const struct rest_style *style;
	struct buf token;
	size_t n;
	struct member member[];
};

struct rest_group *
rest_group_new(const struct rest_style *style, size_t n)
{
	struct rest_group *g = xcalloc(1, sizeof(*g) + n * sizeof(struct member));

	g->style = style;
	g->n = n;
	return g;
}

void
rest_group_free(struct rest_group *g)
{
	if (g == NULL)
		return;
	for (size_t i = 0; i < g->n; i++) {
		free(g->member[i].name);
		rest_entry_cleanup(&g->member[i].entry);
	}
	buf_free(&g->token);
	free(g);
}

void
rest_group_set_name(struct rest_group *g, size_t i, const char *name)
{
	free(g->member[i].name);
	g->member[i].name = xstrdup(name);
}

void
rest_group_add(struct rest_group *g, size_t i, const struct reply *reply, const char *token,
    size_t token_len)
{
	rest_entry_from_reply(&g->member[i].entry, g->style, reply);
	if (token != NULL && g->token.len == 0)
		buf_add(&g->token, token, token_len);
}

static void
add_messages(struct buf *b, const struct rest_group *g)
{
	buf_add_char(b, '{');
	for (size_t i = 0; i < g->n; i++) {
		if (i > 0)
			buf_add_char(b, ',');
		buf_add_json_string(b, g->member[i].name, strlen(g->member[i].name));
		buf_add_char(b, ':');
		buf_add(b, g->member[i].entry.message.data, g->member[i].entry.message.len);
	}
	buf_add_char(b, '}');
}

static bool
is_same_text(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

/* What all members say, if they say the same. */
static void
compare(const struct rest_group *g, bool *all_failed, bool *is_same_error, int *status)
{
	const struct rest_entry *first = &g->member[0].entry;

	*all_failed = *is_same_error = true;
	*status = first->status;
	for (size_t i = 0; i < g->n; i++) {
		const struct rest_entry *e = &g->member[i].entry;

		*all_failed &= e->error.len > 0;
		*is_same_error &= is_same_text(&e->error, &first->error);
		if (e->status != *status)
			*status = 400;
	}
}

static void
add_results(struct rest_answer *a, const struct rest_group *g)
{
	buf_add_str(&a->body, "{\"results\":");
	add_messages(&a->body, g);
	if (g->token.len > 0) {
		buf_add_str(&a->body, ",\"token\":\"");
		buf_add(&a->body, g->token.data, g->token.len);
		buf_add_char(&a->body, '"');
	}
	buf_add_char(&a->body, '}');
}

void
rest_group_answer(const struct rest_group *g, struct rest_answer *a)
{
	bool all_failed, is_same_error;
	int status;

	compare(g, &all_failed, &is_same_error, &status);
	if (!all_failed) {
		a->status = 200;
		add_results(a, g);
		return;
	}
	/* QEWD forgets what its members said. */
	a->status = g->style->errors_qewd ? 400 : status;
	buf_add_str(&a->body, "{\"error\":");
	if (is_same_error) {
		buf_add(&a->body, g->member[0].entry.error.data, g->member[0].entry.error.len);
	} else {
		buf_add_str(&a->body, "{\"destinations\":");
		add_messages(&a->body, g);
		buf_add_char(&a->body, '}');
	}
	buf_add_char(&a->body, '}');
}
