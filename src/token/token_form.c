/* SPDX-License-Identifier: ISC */
/* Tokens rewritten for other applications. */
#include "token/token_form.h"

#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "token/token_cache_int.h"

struct token_form *
token_form_find(struct token *t, const char *name, size_t n)
{
	struct token_form **link, *form;

	for (link = &t->forms; (form = *link) != NULL; link = &form->next) {
		if (form->application_len != n || memcmp(form->application, name, n) != 0)
			continue;
		*link = form->next;
		form->next = t->forms;
		t->forms = form;
		return form;
	}
	return NULL;
}

/* Of too many forms the one not used for longest goes. */
static void
drop_form(struct token_cache *c, struct token *t)
{
	struct token_form **link = &t->forms, *form;

	for (int kept = 0; kept < TOKEN_FORMS_MAX && *link != NULL; kept++)
		link = &(*link)->next;
	form = *link;
	if (form == NULL)
		return;
	*link = form->next;
	token_table_remove_form(c->table, form);
	if (form != t->twin)
		free(form);
}

/* One more, the first of the list; takes it. */
static void
add_form(struct token_cache *c, struct token *t, struct token_form *form)
{
	form->next = t->forms;
	t->forms = form;
	if (t->is_known)
		token_table_add_form(c->table, t, form);
	drop_form(c, t);
	token_cache_charge(c, t);
}

static struct token_form *
form_new(const char *name, size_t n, const char *text, size_t len)
{
	struct token_form *form = xmalloc(sizeof(*form) + n + 1 + len + 1);
	char *at = (char *)(form + 1);

	*form = (struct token_form){ .application = at, .application_len = n,
		.text = at + n + 1, .len = len };
	memcpy(form->application, name, n);
	form->application[n] = '\0';
	memcpy(form->text, text, len);
	form->text[len] = '\0';
	return form;
}

void
token_form_keep(struct token_cache *c, struct token *t, const struct token_form *like)
{
	const struct token_form *form;

	form = token_form_find(t, like->application, like->application_len);
	if (form == NULL || form->len != like->len ||
	    memcmp(form->text, like->text, like->len) != 0)
		add_form(c, t, form_new(like->application, like->application_len, like->text,
		    like->len));
}

static struct token_form *
make_form(struct token_cache *c, const struct token *t, const char *name, size_t n)
{
	struct token_reading g, renamed;
	struct token_form *form;

	token_reading_again(&g, t);
	token_reading_rename(&renamed, &g, name, n, &c->renamed);
	c->text.len = 0;
	jwt_sign(c->ring, t->key, renamed.payload, renamed.payload_len, &c->text);
	form = form_new(name, n, c->text.data, c->text.len);
	token_cache_drop_rooms(c);
	return form;
}

const char *
token_for_name(struct token_cache *c, struct token *t, const char *name, size_t n, size_t *len)
{
	struct token_form *form;

	if (t->application_len == n && memcmp(t->application, name, n) == 0) {
		*len = t->len;
		return t->text;
	}
	form = token_form_find(t, name, n);
	if (form == NULL) {
		form = make_form(c, t, name, n);
		add_form(c, t, form);
	}
	*len = form->len;
	return form->text;
}

const char *
token_for_application(struct token_cache *c, struct token *t, const char *application,
    size_t *len)
{
	return token_for_name(c, t, application, strlen(application), len);
}

enum jwt_fault
token_check_for(struct token_cache *c, struct token *t, const char *name, size_t n,
    int64_t now_ms, struct token **out)
{
	enum jwt_fault fault;
	struct token *known;
	const char *text;
	size_t len;

	text = token_for_name(c, t, name, n, &len);
	if (text == t->text && t->is_known)
		return token_cache_check_again(c, t, now_ms, out);
	known = token_table_find(c->table, token_table_hash(c->table, text, len), text, len);
	if (known != NULL && (known->is_outside || !t->is_outside))
		return token_cache_check_again(c, known, now_ms, out);
	fault = t->is_outside ? token_check_outside(c, text, len, t->iat_s, now_ms, out) :
	    token_check_once(c, text, len, now_ms, out);
	if (fault == JWT_OK && t->is_known)
		*out = token_cache_remember(c, *out);
	return fault;
}
