/* SPDX-License-Identifier: ISC */
/*
 * A template becomes a small program, and matching looks from the end of the path which
 * of its steps can still come to a good end; so no choice is ever taken back, and no
 * path is expensive.
 */
#include "codec/path_template.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "codec/percent.h"

#define DEPTH_MAX 8	/* optional parts inside one another */

/*
 * A step at one place of the path.  All but the two that take a character lead to later
 * steps at the same place.
 */
enum op {
	OP_TEXT,		/* these bytes, as they are */
	OP_SEGMENT_CHAR,	/* any one byte but '/' */
	OP_ANY_CHAR,
	OP_FORK,		/* to first, if that can come to a good end, else to second */
	OP_OPEN, OP_CLOSE,	/* here a variable begins; ends */
	OP_END,			/* of the path */
};

struct step {
	enum op op;
	const char *text;		/* OP_TEXT: into the template */
	size_t len;
	size_t first, second;		/* OP_FORK; the two that take a character go on at first */
	size_t var;			/* OP_OPEN, OP_CLOSE */
};

struct path_template {
	char *text;			/* as given */
	size_t len;			/* without a slash at its end */
	char *names[PATH_VARS_MAX];
	size_t n_names;
	struct step *steps;
	size_t n_steps;
};

/* The state of compiling one. */
struct parser {
	struct path_template *t;
	const char *p, *end;
	unsigned depth;
	const char *fault;
};

static bool parse_sequence(struct parser *);

/* ---- compiling ---- */

static size_t
add_step(struct path_template *t, struct step step)
{
	t->steps = xreallocarray(t->steps, t->n_steps + 1, sizeof(struct step));
	t->steps[t->n_steps] = step;
	return t->n_steps++;
}

static bool
fail(struct parser *x, const char *fault)
{
	x->fault = fault;
	return false;
}

static bool
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	    c == '_';
}

static bool
parse_name(struct parser *x, size_t *var)
{
	struct path_template *t = x->t;
	const char *start = ++x->p;

	while (x->p < x->end && is_name_char(*x->p))
		x->p++;
	if (x->p == start)
		return fail(x, "':' and '*' are followed by a name of letters, digits and '_'");
	if (t->n_names == PATH_VARS_MAX)
		return fail(x, "too many variables");
	*var = t->n_names;
	t->names[t->n_names++] = xstrndup(start, (size_t)(x->p - start));
	return true;
}

/* One character or more, as many as can be. */
static bool
parse_segment(struct parser *x)
{
	struct path_template *t = x->t;
	size_t var, again;

	if (!parse_name(x, &var))
		return false;
	add_step(t, (struct step){ .op = OP_OPEN, .var = var });
	add_step(t, (struct step){ .op = OP_SEGMENT_CHAR, .first = t->n_steps + 1 });
	again = t->n_steps;
	add_step(t, (struct step){ .op = OP_FORK, .first = again + 1, .second = again + 2 });
	add_step(t, (struct step){ .op = OP_SEGMENT_CHAR, .first = again });
	add_step(t, (struct step){ .op = OP_CLOSE, .var = var });
	return true;
}

/* Any characters, as few as can be. */
static bool
parse_rest(struct parser *x)
{
	struct path_template *t = x->t;
	size_t var, again;

	if (!parse_name(x, &var))
		return false;
	add_step(t, (struct step){ .op = OP_OPEN, .var = var });
	again = t->n_steps;
	add_step(t, (struct step){ .op = OP_FORK, .first = again + 2, .second = again + 1 });
	add_step(t, (struct step){ .op = OP_ANY_CHAR, .first = again });
	add_step(t, (struct step){ .op = OP_CLOSE, .var = var });
	return true;
}

static bool
parse_optional(struct parser *x)
{
	size_t fork;

	if (x->depth == DEPTH_MAX)
		return fail(x, "optional parts are nested too deeply");
	x->depth++;
	x->p++;
	fork = add_step(x->t, (struct step){ .op = OP_FORK, .first = x->t->n_steps + 1 });
	if (!parse_sequence(x))
		return false;
	if (x->t->n_steps == fork + 1)
		return fail(x, "an optional part is empty");
	if (x->p == x->end)
		return fail(x, "a '(' has no ')'");
	x->p++;
	x->depth--;
	x->t->steps[fork].second = x->t->n_steps;
	return true;
}

static bool
parse_text(struct parser *x)
{
	const char *start = x->p;

	for (; x->p < x->end && strchr("()*:", *x->p) == NULL; x->p++)
		if ((unsigned char)*x->p <= ' ' || *x->p == '?' || *x->p == '#' || *x->p == 0x7f)
			return fail(x, "a path has no blanks, '?' or '#'");
	add_step(x->t, (struct step){ .op = OP_TEXT, .text = start,
	    .len = (size_t)(x->p - start) });
	return true;
}

/* Up to the end, or to the ')' of the part it is. */
static bool
parse_sequence(struct parser *x)
{
	bool is_good = true;

	while (is_good && x->p < x->end) {
		if (*x->p == ')')
			return x->depth > 0 || fail(x, "a ')' has no '('");
		else if (*x->p == '(')
			is_good = parse_optional(x);
		else if (*x->p == ':')
			is_good = parse_segment(x);
		else if (*x->p == '*')
			is_good = parse_rest(x);
		else
			is_good = parse_text(x);
	}
	return is_good;
}

static bool
compile(struct parser *x)
{
	if (*x->p != '/')
		return fail(x, "a path begins with '/'");
	if (x->end - x->p > PATH_TEMPLATE_MAX)
		return fail(x, "a path template has 512 bytes at most");
	if (!parse_sequence(x))
		return false;
	add_step(x->t, (struct step){ .op = OP_END });
	return true;
}

/* A slash at the end of a path or of a template counts for nothing; "/" itself stays. */
static size_t
without_slash(const char *path, size_t len)
{
	return len > 1 && path[len - 1] == '/' ? len - 1 : len;
}

struct path_template *
path_template_new(const char *text, const char **fault)
{
	struct path_template *t = xcalloc(1, sizeof(*t));
	struct parser x = { .t = t };

	t->text = xstrdup(text);
	t->len = without_slash(t->text, strlen(t->text));
	x.p = t->text;
	x.end = t->text + t->len;
	if (compile(&x))
		return t;
	*fault = x.fault;
	path_template_free(t);
	return NULL;
}

void
path_template_free(struct path_template *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n_names; i++)
		free(t->names[i]);
	free(t->steps);
	free(t->text);
	free(t);
}

const char *
path_template_text(const struct path_template *t)
{
	return t->text;
}

bool
path_template_has(const struct path_template *t, const char *name)
{
	for (size_t i = 0; i < t->n_names; i++)
		if (strcmp(t->names[i], name) == 0)
			return true;
	return false;
}

/* ---- matching ---- */

/* Which steps can come to a good end from which place: (len + 1) rows of n_steps. */
struct reach {
	const struct path_template *t;
	const char *path;
	size_t len;
	bool *can;
};

static bool *
can(const struct reach *r, size_t step, size_t pos)
{
	return &r->can[pos * r->t->n_steps + step];
}

/* Needs to be known: later steps at this place, and all of them at later places. */
static bool
can_succeed(const struct reach *r, size_t i, size_t pos)
{
	const struct step *s = &r->t->steps[i];

	switch (s->op) {
	case OP_TEXT:
		return s->len <= r->len - pos && memcmp(r->path + pos, s->text, s->len) == 0 &&
		    *can(r, i + 1, pos + s->len);
	case OP_SEGMENT_CHAR:
		return pos < r->len && r->path[pos] != '/' && *can(r, s->first, pos + 1);
	case OP_ANY_CHAR:
		return pos < r->len && *can(r, s->first, pos + 1);
	case OP_FORK:
		return *can(r, s->first, pos) || *can(r, s->second, pos);
	case OP_OPEN:
	case OP_CLOSE:
		return *can(r, i + 1, pos);
	case OP_END:
		return pos == r->len;
	}
	return false;
}

static void
look(struct reach *r)
{
	for (size_t pos = r->len + 1; pos-- > 0;)
		for (size_t i = r->t->n_steps; i-- > 0;)
			*can(r, i, pos) = can_succeed(r, i, pos);
}

/* The one way that is to be taken; there is one. */
static void
walk(const struct reach *r, struct path_vars *vars)
{
	size_t i = 0, pos = 0;

	for (;;) {
		const struct step *s = &r->t->steps[i];

		switch (s->op) {
		case OP_TEXT:
			pos += s->len;
			i++;
			break;
		case OP_SEGMENT_CHAR:
		case OP_ANY_CHAR:
			pos++;
			i = s->first;
			break;
		case OP_FORK:
			i = *can(r, s->first, pos) ? s->first : s->second;
			break;
		case OP_OPEN:
			vars->var[s->var].value = r->path + pos;
			i++;
			break;
		case OP_CLOSE:
			vars->var[s->var].len = (size_t)(r->path + pos - vars->var[s->var].value);
			i++;
			break;
		case OP_END:
			return;
		}
	}
}

/* Most templates do not fit most paths, and mostly the first bytes tell. */
static bool
has_prefix(const struct path_template *t, const char *path, size_t len)
{
	const struct step *first = &t->steps[0];

	return first->op != OP_TEXT ||
	    (first->len <= len && memcmp(path, first->text, first->len) == 0);
}

bool
path_template_match(const struct path_template *t, const char *path, size_t len,
    struct path_vars *vars)
{
	struct reach r = { .t = t, .path = path, .len = without_slash(path, len) };
	bool is_match;

	vars->n = t->n_names;
	for (size_t i = 0; i < t->n_names; i++)
		vars->var[i] = (struct path_var){ .name = t->names[i] };
	if (!has_prefix(t, path, r.len))
		return false;
	r.can = xcalloc((r.len + 1) * t->n_steps, sizeof(bool));
	look(&r);
	is_match = *can(&r, 0, 0);
	if (is_match)
		walk(&r, vars);
	free(r.can);
	return is_match;
}

/* ---- variables ---- */

/* Does a later one of the same name count instead? */
static bool
is_overruled(const struct path_vars *vars, size_t i)
{
	for (size_t j = i + 1; j < vars->n; j++)
		if (vars->var[j].value != NULL && strcmp(vars->var[j].name, vars->var[i].name) == 0)
			return true;
	return false;
}

bool
path_vars_get(const struct path_vars *vars, const char *name, struct buf *out)
{
	for (size_t i = 0; i < vars->n; i++)
		if (vars->var[i].value != NULL && !is_overruled(vars, i) &&
		    strcmp(vars->var[i].name, name) == 0)
			return percent_decode(out, vars->var[i].value, vars->var[i].len);
	return false;
}

bool
path_vars_add_json(struct buf *out, const struct path_vars *vars)
{
	struct buf value = { 0 };
	size_t start = out->len;
	bool is_good = true, is_first = true;

	buf_add_char(out, '{');
	for (size_t i = 0; i < vars->n && is_good; i++) {
		if (vars->var[i].value == NULL || is_overruled(vars, i))
			continue;
		buf_reset(&value, SIZE_MAX);
		is_good = percent_decode(&value, vars->var[i].value, vars->var[i].len);
		if (!is_first)
			buf_add_char(out, ',');
		is_first = false;
		buf_add_json_string(out, vars->var[i].name, strlen(vars->var[i].name));
		buf_add_char(out, ':');
		buf_add_json_string(out, value.data, value.len);
	}
	buf_add_char(out, '}');
	if (!is_good)
		out->len = start;
	buf_free(&value);
	return is_good;
}
