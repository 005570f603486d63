/* SPDX-License-Identifier: ISC */
/*
 * The commands that look back: errors, and the steps of a request that has ended.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/admin_command.h"
#include "admin/admin_json.h"
#include "admin/admin_view.h"
#include "base/clock.h"
#include "base/xmalloc.h"
#include "request/journal.h"
#include "request/request.h"

#define PREFIX_MIN  6		/* characters of an id that are enough */
#define MATCHES_MAX 32		/* of one id: a node may see it more than once */

static const char *
code_name(enum err e)
{
	return e == JOURNAL_RELAYED ? JOURNAL_RELAYED_CODE : err_code(e);
}

static const struct journal *
journal_of(const struct admin_view *v, size_t i)
{
	return v->loops[i].requests->journal;
}

/* ---- counts ---- */

/* Names and how often each came, of all loops together. */
struct counts {
	struct count {
		const char *name;
		uint64_t n;
	} *count;
	size_t n;
};

static void
add_count(struct counts *c, const char *name, uint64_t n)
{
	if (n == 0)
		return;
	for (size_t i = 0; i < c->n; i++) {
		if (strcmp(c->count[i].name, name) == 0) {
			c->count[i].n += n;
			return;
		}
	}
	c->count = xreallocarray(c->count, c->n + 1, sizeof(*c->count));
	c->count[c->n++] = (struct count){ name, n };
}

static void
count_by_code(struct counts *c, const struct journal *j)
{
	for (size_t i = 0; i < journal_n_routes(j); i++)
		for (int e = 0; e < ERR_N; e++)
			add_count(c, code_name((enum err)e),
			    journal_route_at(j, i)->errors[e]);
}

static void
count_by_route(struct counts *c, const struct journal *j)
{
	for (size_t i = 0; i < journal_n_routes(j); i++)
		for (int e = 0; e < ERR_N; e++)
			add_count(c, journal_route_at(j, i)->name,
			    journal_route_at(j, i)->errors[e]);
}

static void
count_by_node(struct counts *c, const struct journal *j)
{
	const struct journal_node *nodes;
	size_t n = journal_nodes(j, &nodes);

	for (size_t i = 0; i < n; i++)
		add_count(c, nodes[i].name, nodes[i].errors);
}

static const struct {
	const char *name;
	void (*count)(struct counts *, const struct journal *);
} kinds[] = {
	{ "code", count_by_code },
	{ "route", count_by_route },
	{ "node", count_by_node },
};

static int
compare_counts(const void *a, const void *b)
{
	const struct count *x = a, *y = b;

	if (x->n != y->n)
		return x->n < y->n ? 1 : -1;
	return strcmp(x->name, y->name);
}

static void
add_counts(struct admin_ask *a, size_t kind)
{
	struct counts c = { 0 };

	for (size_t i = 0; i < a->view->n_loops; i++)
		kinds[kind].count(&c, journal_of(a->view, i));
	if (c.n > 0)
		qsort(c.count, c.n, sizeof(*c.count), compare_counts);
	admin_json_text(&a->out, "by", kinds[kind].name);
	admin_json_open(&a->out, "counts", '[');
	for (size_t i = 0; i < c.n; i++) {
		admin_json_open(&a->out, NULL, '{');
		admin_json_text(&a->out, "name", c.count[i].name);
		admin_json_u64(&a->out, "errors", c.count[i].n);
		admin_json_close(&a->out, '}');
	}
	admin_json_close(&a->out, ']');
	free(c.count);
}

/* ---- the last errors ---- */

struct error_row {
	const struct journal *journal;
	const struct journal_error *error;
};

struct error_rows {
	const struct journal *journal;
	struct error_row *row;
	size_t n;
};

static bool
collect_error(const struct journal_error *e, void *arg)
{
	struct error_rows *rows = arg;

	rows->row = xreallocarray(rows->row, rows->n + 1, sizeof(*rows->row));
	rows->row[rows->n++] = (struct error_row){ rows->journal, e };
	return true;
}

static int
compare_errors(const void *a, const void *b)
{
	const struct error_row *x = a, *y = b;

	return (x->error->wall_ms < y->error->wall_ms) - (x->error->wall_ms > y->error->wall_ms);
}

static void
add_text_or_null(struct buf *out, const char *name, const char *text)
{
	admin_json_text(out, name, *text != '\0' ? text : NULL);
}

static void
add_error(struct admin_ask *a, const struct error_row *row, int64_t now_ms)
{
	const struct journal_error *e = row->error;

	admin_json_open(&a->out, NULL, '{');
	admin_json_u64(&a->out, "at_ms", (uint64_t)e->wall_ms);
	admin_json_u64(&a->out, "ago_ms", now_ms > e->wall_ms ? (uint64_t)(now_ms - e->wall_ms) : 0);
	admin_json_text(&a->out, "code", code_name(e->err));
	admin_json_text(&a->out, "route", journal_route_at(row->journal, e->route)->name);
	admin_json_text(&a->out, "type", e->type);
	admin_json_text(&a->out, "node", e->node);
	add_text_or_null(&a->out, "at", e->server);
	admin_json_text(&a->out, "request", e->id);
	add_text_or_null(&a->out, "text", e->text);
	admin_json_close(&a->out, '}');
}

/* The youngest first. */
static void
add_errors(struct admin_ask *a)
{
	struct error_rows rows = { 0 };
	int64_t now_ms = clock_wall_ms();

	for (size_t i = 0; i < a->view->n_loops; i++) {
		rows.journal = journal_of(a->view, i);
		journal_each_error(rows.journal, collect_error, &rows);
	}
	if (rows.n > 0)
		qsort(rows.row, rows.n, sizeof(*rows.row), compare_errors);
	admin_json_open(&a->out, "errors", '[');
	for (size_t i = 0; i < rows.n; i++)
		if (admin_takes_row(a))
			add_error(a, &rows.row[i], now_ms);
	admin_json_close(&a->out, ']');
	admin_add_left_out(a);
	free(rows.row);
}

void
admin_show_errors(struct admin_ask *a)
{
	const char *by = a->option[ADMIN_OPT_BY];
	size_t kind = 0;

	while (by != NULL && kind < ARRAY_LEN(kinds) && strcmp(kinds[kind].name, by) != 0)
		kind++;
	if (kind == ARRAY_LEN(kinds)) {
		admin_refuse(a, "bad_request", "--by takes code, route or node");
		return;
	}
	add_counts(a, kind);
	add_errors(a);
}

/* ---- one request ---- */

struct search {
	const char *prefix;
	size_t len;
	const struct journal *journal;
	struct match {
		const struct journal *journal;
		const struct journal_entry *entry;
	} match[MATCHES_MAX];
	size_t n;
};

static bool
match_entry(const struct journal_entry *e, void *arg)
{
	struct search *s = arg;

	if (strncmp(e->id, s->prefix, s->len) == 0)
		s->match[s->n++] = (struct match){ s->journal, e };
	return s->n < MATCHES_MAX;
}

static int
compare_matches(const void *a, const void *b)
{
	const struct match *x = a, *y = b;

	return (x->entry->begun_ms > y->entry->begun_ms) - (x->entry->begun_ms < y->entry->begun_ms);
}

/* A step, so many milliseconds after the request came. */
static void
add_step(struct admin_ask *a, size_t number, const char *step, uint32_t at, const char *fmt,
    const char *what)
{
	char text[JOURNAL_SERVER_MAX + 64];

	if (at == JOURNAL_NEVER)
		return;
	if (what != NULL)
		snprintf(text, sizeof(text), "%s%s", fmt, what);
	admin_json_open(&a->out, NULL, '{');
	admin_json_u64(&a->out, "number", number);
	admin_json_u64(&a->out, "at_ms", at);
	admin_json_text(&a->out, "step", step);
	admin_json_text(&a->out, "what", what != NULL ? text : NULL);
	admin_json_close(&a->out, '}');
}

static const char *
how_it_ended(const struct journal_entry *e)
{
	if (e->err != 0)
		return err_code((enum err)e->err);
	return e->is_error ? JOURNAL_RELAYED_CODE : "answered";
}

static const char *
who_heard(const struct journal_entry *e)
{
	if (!e->is_awaited)
		return "nobody waited for it any more";
	return e->is_away ? "kept for a client that is away" : "to whoever asked";
}

static void
add_steps(struct admin_ask *a, size_t number, const struct match *m)
{
	const struct journal_entry *e = m->entry;
	uint32_t handed = *e->server == '\0' ? JOURNAL_NEVER :
	    e->unqueued != JOURNAL_NEVER ? e->unqueued : e->submitted;
	char n[32];

	add_step(a, number, "received", 0, "", NULL);
	/* All in the turn in which it came, unless a fragment or a switch led there. */
	if (e->is_token_checked)
		add_step(a, number, "token checked", e->submitted != JOURNAL_NEVER ? e->submitted : 0,
		    "", NULL);
	if (e->route >= JOURNAL_ROUTES_FIRST)
		add_step(a, number, "route chosen", e->submitted, "",
		    journal_route_at(m->journal, e->route)->name);
	add_step(a, number, "queued", e->queued, "", NULL);
	add_step(a, number, "handed over", handed, "to ", e->server);
	snprintf(n, sizeof(n), "%u in all", e->n_replies);
	add_step(a, number, "first intermediate", e->replied, "", n);
	add_step(a, number, "final", e->ended, "", how_it_ended(e));
	add_step(a, number, "passed on", e->ended, "", who_heard(e));
}

static void
add_match(struct admin_ask *a, size_t number, const struct match *m, uint64_t now_ms)
{
	const struct journal_entry *e = m->entry;

	admin_json_open(&a->out, NULL, '{');
	admin_json_u64(&a->out, "number", number);
	admin_json_text(&a->out, "request", e->id);
	admin_json_text(&a->out, "type", e->type);
	admin_json_text(&a->out, "route", journal_route_at(m->journal, e->route)->name);
	add_text_or_null(&a->out, "at", e->server);
	admin_json_text(&a->out, "ended", how_it_ended(e));
	admin_json_u64(&a->out, "took_ms", e->ended);
	admin_json_u64(&a->out, "ago_ms", now_ms - e->begun_ms);
	admin_json_u64(&a->out, "bytes_in", e->bytes_in);
	admin_json_u64(&a->out, "bytes_out", e->bytes_out);
	admin_json_close(&a->out, '}');
}

static bool
is_open(const struct admin_view *v, const struct search *s)
{
	const struct request *r;

	for (size_t i = 0; i < v->n_loops; i++)
		LIST_FOREACH(r, &v->loops[i].requests->open, link)
			if (strncmp(r->name, s->prefix, s->len) == 0)
				return true;
	return false;
}

void
admin_show_explain(struct admin_ask *a)
{
	struct search s = { .prefix = a->arg[0], .len = strlen(a->arg[0]) };
	uint64_t now_ms = clock_mono_ms();

	if (s.len < PREFIX_MIN) {
		admin_refuse(a, "bad_request", "give at least %d characters of the request's id",
		    PREFIX_MIN);
		return;
	}
	for (size_t i = 0; i < a->view->n_loops && s.n < MATCHES_MAX; i++) {
		s.journal = journal_of(a->view, i);
		journal_each(s.journal, match_entry, &s);
	}
	if (s.n == 0) {
		admin_refuse(a, "not_found", is_open(a->view, &s) ?
		    "this request has not ended yet: \"requests\" shows where it is" :
		    "no such request is among the last that have ended");
		return;
	}
	qsort(s.match, s.n, sizeof(*s.match), compare_matches);
	admin_json_open(&a->out, "requests", '[');
	for (size_t i = 0; i < s.n; i++)
		add_match(a, i + 1, &s.match[i], now_ms);
	admin_json_close(&a->out, ']');
	admin_json_open(&a->out, "steps", '[');
	for (size_t i = 0; i < s.n; i++)
		add_steps(a, i + 1, &s.match[i]);
	admin_json_close(&a->out, ']');
}
