/* SPDX-License-Identifier: ISC */
/*
 * Walks a tree beside the table of options.
 *
 * What the table says of a name ("applications.*.pool") is looked up once: a file may have ten
 * thousand routes.  The name to show ("applications.test-app.pool") is made when there is a fault
 * to tell.
 */
#include "conf/conf_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "conf/conf_value.h"

#define NAME_LONGEST 64		/* keys longer than this resemble none of ours */

/* What the table says of a name. */
struct form {
	struct form *next;			/* below the same one */
	struct form *below;			/* as far as they were asked for */
	const char *name;			/* in the table */
	const char *key;			/* the last part of it */
	const struct conf_option *option;	/* NULL: it is none itself */
	bool takes_list, takes_map;		/* there are options below it */
	bool names_are_free;			/* of a map */
	bool requires;				/* there are options that must be there */
};

/* What all places share. */
struct check {
	struct conf_faults *faults;
	struct form *top;
	struct arena forms;
};

struct place {
	struct check *check;
	struct form *form;
	const struct place *above;	/* NULL: the top of the file */
	const char *key;		/* to the operator; NULL: an entry of the list above */
};

static void	 check_value(const struct place *, struct conf_node *);
static void	 check_map(const struct place *, struct conf_node *);
static void	 check_list(const struct place *, struct conf_node *);
static void	 check_option(const struct place *, const struct conf_option *,
		    struct conf_node *);

static void	 fault_in(const struct place *, const char *file, unsigned line, const char *fmt,
		    va_list) PRINTF_LIKE(4, 0);
static void	 fault(const struct place *, struct conf_node *, const char *fmt, ...)
		    PRINTF_LIKE(3, 4);
static void	 fault_at(const struct place *, const struct conf_source *, unsigned line,
		    const char *fmt, ...) PRINTF_LIKE(4, 5);

/* ---- names ---- */

/* An option directly below a name that must be there: what its key is.  Else NULL. */
static const char *
required_below(const struct conf_option *o, const char *name)
{
	size_t len = strlen(name);

	return (o->flags & CONF_F_REQUIRED) != 0 && strncmp(o->name, name, len) == 0 &&
	    o->name[len] == '.' && strchr(o->name + len + 1, '.') == NULL ?
	    o->name + len + 1 : NULL;
}

/* Takes the name, which is the arena's; key is in it. */
static struct form *
form_new(struct arena *forms, const char *name, const char *key)
{
	struct form *form = arena_alloc(forms, sizeof(*form));

	form->name = name;
	form->key = key;
	form->option = conf_option_find(name);
	form->takes_list = conf_option_is_below(name, "[]");
	form->takes_map = conf_option_is_below(name, ".");
	form->names_are_free = conf_option_is_below(name, ".*");
	for (size_t i = 0; i < conf_n_options && !form->requires; i++)
		form->requires = required_below(&conf_options[i], name) != NULL;
	return form;
}

/* Of a key of a map ("*": any), or of an entry of a list ("[]"). */
static struct form *
form_below(struct check *check, struct form *above, const char *key)
{
	const char *dot = *above->name != '\0' && *key != '[' ? "." : "";
	size_t len = strlen(above->name) + strlen(dot);
	struct form *form;
	char *name;

	for (form = above->below; form != NULL; form = form->next)
		if (strcmp(form->key, key) == 0)
			return form;
	name = arena_alloc(&check->forms, len + strlen(key) + 1);
	stpcpy(stpcpy(stpcpy(name, above->name), dot), key);
	form = form_new(&check->forms, name, name + len);
	form->next = above->below;
	above->below = form;
	return form;
}

static void
add_shown(struct buf *out, const struct place *at)
{
	if (at->above == NULL)
		return;
	add_shown(out, at->above);
	if (at->key == NULL)
		buf_add_str(out, "[]");
	else
		buf_printf(out, "%s%s", out->len > 0 ? "." : "", at->key);
}

/* A fault in a line of a file, whose text follows the name of the place. */
static void
fault_in(const struct place *at, const char *file, unsigned line, const char *fmt, va_list ap)
{
	struct buf shown = { 0 };
	char *text;

	if (vasprintf(&text, fmt, ap) < 0)
		fatalx("out of memory");
	add_shown(&shown, at);
	conf_faults_add(at->check->faults, file, line, "%s%s", buf_str(&shown), text);
	buf_free(&shown);
	free(text);
}

/* The value is bad; the text, such as ": must be a map", says why. */
static void
fault(const struct place *at, struct conf_node *node, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fault_in(at, node->source->name, node->line, fmt, ap);
	va_end(ap);
	node->is_bad = true;
}

/* The same without a value that is bad. */
static void
fault_at(const struct place *at, const struct conf_source *source, unsigned line,
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fault_in(at, source->name, line, fmt, ap);
	va_end(ap);
}

/* ---- walking ---- */

void
conf_check_tree(struct conf_node *root, struct conf_faults *faults)
{
	static const char *const mandatory[] = { "listen", "jwt" };
	struct check check = { .faults = faults };
	struct place top = { .check = &check };

	for (size_t i = 0; i < ARRAY_LEN(mandatory); i++)
		if (conf_node_get(root, mandatory[i]) == NULL)
			conf_faults_add(faults, root->source->name, root->line,
			    "\"%s\" is missing: %s", mandatory[i], i == 0 ?
			    "add listen: [{ address: \"127.0.0.1:8080\" }]" :
			    "add jwt: { secret_file: jwt.secret }");
	top.form = check.top = form_new(&check.forms, "", "");
	check_map(&top, root);
	arena_free(&check.forms);
}

static void
check_value(const struct place *at, struct conf_node *node)
{
	const struct form *form = at->form;

	if (at->check->faults->has_more)
		return;
	if (form->option != NULL)
		check_option(at, form->option, node);
	else if (form->takes_list && node->kind == CONF_LIST)
		check_list(at, node);
	else if (form->takes_map && node->kind == CONF_MAP)
		check_map(at, node);
	else
		fault(at, node, ": must be a %s", form->takes_list && form->takes_map ?
		    "list or a map" : form->takes_list ? "list" : "map");
}

static void
check_list(const struct place *at, struct conf_node *list)
{
	struct place inside = { at->check, form_below(at->check, at->form, "[]"), at, NULL };

	for (size_t i = 0; i < list->n; i++)
		check_value(&inside, list->item[i]);
}

/* How many letters must be put in, left out or changed to make one the other. */
static size_t
distance(const char *a, const char *b)
{
	size_t row[NAME_LONGEST + 1], n = strlen(a), m = strlen(b);

	if (n > NAME_LONGEST || m > NAME_LONGEST)
		return SIZE_MAX;
	for (size_t j = 0; j <= m; j++)
		row[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			best = best < row[j] + 1 ? best : row[j] + 1;
			row[j] = best < row[j - 1] + 1 ? best : row[j - 1] + 1;
		}
	}
	return row[m];
}

/* The known key that was probably meant; else all that are known. */
static void
add_advice(struct buf *out, const char *section, const char *key)
{
	char name[NAME_LONGEST + 1], nearest[NAME_LONGEST + 1] = "", last[NAME_LONGEST + 1] = "";
	size_t best = strlen(key) / 3 + 2, i = 0, d;
	struct buf all = { 0 };

	while (conf_option_next_name(section, &i, name, sizeof(name))) {
		if ((d = distance(key, name)) < best) {
			best = d;
			strcpy(nearest, name);
		}
		if (strcmp(name, last) != 0 && conf_options[i - 1].type != CONF_T_LATER)
			buf_printf(&all, "%s%s", all.len > 0 ? ", " : "", name);
		strcpy(last, name);
	}
	if (*nearest != '\0')
		buf_printf(out, "did you mean \"%s\"?", nearest);
	else
		buf_printf(out, "known here: %s", buf_str(&all));
	buf_free(&all);
}

static void
fault_unknown(const struct place *at, const struct conf_node *map, size_t i)
{
	struct buf advice = { 0 };

	add_advice(&advice, at->above->form->name, map->key[i].name);
	fault_at(at, map->item[i]->source, map->key[i].line, ": unknown key; %s",
	    buf_str(&advice));
	buf_free(&advice);
}

/* What must be there, unless the map is of a form that we cannot judge yet. */
static void
check_required(const struct place *at, const struct conf_node *map, bool has_later)
{
	for (size_t i = 0; i < conf_n_options && at->form->requires && !has_later; i++) {
		const char *key = required_below(&conf_options[i], at->form->name);

		if (key != NULL && conf_node_get(map, key) == NULL)
			fault_at(at, map->source, map->line, ": \"%s\" is missing: %s", key,
			    conf_options[i].help);
	}
}

static void
check_map(const struct place *at, struct conf_node *map)
{
	bool names_are_free = at->form->names_are_free;
	bool has_later = false;

	for (size_t i = 0; i < map->n && !at->check->faults->has_more; i++) {
		const char *key = map->key[i].name;
		struct form *form = form_below(at->check, at->form, names_are_free ? "*" : key);
		struct place inside = { at->check, form, at, key };
		bool is_known = form->option != NULL || form->takes_map || form->takes_list;

		/* "*" and "a.b" are no names of ours, though the table has such texts. */
		if (is_known && (names_are_free || strpbrk(key, "*.[") == NULL))
			check_value(&inside, map->item[i]);
		else
			fault_unknown(&inside, map, i);
		has_later = has_later || (form->option != NULL && form->option->type == CONF_T_LATER);
	}
	check_required(at, map, has_later);
}

/* What is wrong with this value as a text; NULL if it is one. */
static const char *
fault_of_text(const struct conf_option *option, const struct conf_node *node)
{
	if (node->kind != CONF_SCALAR)
		return "must be text";
	if (node->is_plain && !node->is_expanded && conf_value_is_no_text(node->text))
		return *node->text == '\0' ? "has no value" : "must be text: put it in quotes";
	return option->check != NULL ? option->check(node->text) : NULL;
}

static void
check_text(const struct place *at, const struct conf_option *option, struct conf_node *node)
{
	const char *wrong = fault_of_text(option, node);
	size_t len;

	if (wrong != NULL) {
		fault(at, node, ": %s", wrong);
		return;
	}
	len = strlen(node->text);
	if (len < option->min || len > option->max)
		fault(at, node, ": must have %llu to %llu bytes",
		    (unsigned long long)option->min, (unsigned long long)option->max);
}

static void
check_texts(const struct place *at, const struct conf_option *option, struct conf_node *list)
{
	if (list->kind == CONF_SCALAR && (option->flags & CONF_F_ONE) != 0) {
		check_text(at, option, list);
		return;
	}
	if (list->kind != CONF_LIST) {
		fault(at, list, ": must be a list of texts, in brackets");
		return;
	}
	if (list->n < option->min || list->n > option->max)
		fault(at, list, ": must have %llu to %llu entries",
		    (unsigned long long)option->min, (unsigned long long)option->max);
	for (size_t i = 0; i < list->n; i++) {
		struct conf_node *item = list->item[i];
		const char *wrong = item->is_bad ? NULL : fault_of_text(option, item);

		if (wrong != NULL)
			fault(at, item, "[]: %s", wrong);
		list->is_bad = list->is_bad || item->is_bad;
	}
}

/* Environment variables: here a plain number is as good as a text. */
static void
check_variables(const struct place *at, const struct conf_option *option, struct conf_node *map)
{
	if (map->kind != CONF_MAP || map->n > option->max) {
		fault(at, map, ": must be a map of at most %llu texts",
		    (unsigned long long)option->max);
		return;
	}
	for (size_t i = 0; i < map->n; i++) {
		struct conf_node *item = map->item[i];

		if (strchr(map->key[i].name, '=') != NULL)
			fault(at, item, ": a name must not hold \"=\"");
		else if (strcmp(map->key[i].name, "USHER_FD") == 0)
			fault(at, item, ": USHER_FD is set by the daemon");
		else if (item->kind != CONF_SCALAR ||
		    (item->is_plain && !item->is_expanded && *item->text == '\0'))
			fault(at, item, ".%s: must be text (\"\" for an empty one)",
			    map->key[i].name);
		map->is_bad = map->is_bad || item->is_bad;
	}
}

static void
check_number(const struct place *at, const struct conf_option *option, struct conf_node *node)
{
	struct buf why = { 0 };
	uint64_t value;

	if (!conf_check_number(option, node, &value, &why))
		fault(at, node, ": %s", buf_str(&why));
	buf_free(&why);
}

/* One map stands for a list of one. */
static void
check_entries(const struct place *at, const struct conf_option *option, struct conf_node *node)
{
	struct place one = *at;

	if (node->kind == CONF_LIST && node->n >= option->min && node->n <= option->max) {
		check_list(at, node);
	} else if (node->kind == CONF_MAP) {
		one.form = form_below(at->check, at->form, "[]");
		check_map(&one, node);
	} else {
		fault(at, node, ": must be a map, or a list of %llu to %llu maps",
		    (unsigned long long)option->min, (unsigned long long)option->max);
	}
}

/* A list like u_services[], in another place. */
static void
check_routes(const struct place *at, struct conf_node *node)
{
	struct place routes = *at;

	if (node->kind == CONF_LIST) {
		routes.form = form_below(at->check, at->check->top, "u_services");
		check_list(&routes, node);
	} else {
		fault(at, node, ": must be a list");
	}
}

static void
check_option(const struct place *at, const struct conf_option *option, struct conf_node *node)
{
	if (node->is_bad)
		return;
	switch (option->type) {
	case CONF_T_LATER:
		fault(at, node, ": not supported yet (%s); remove this key", option->help);
		break;
	case CONF_T_TEXT:
	case CONF_T_PATH:
		check_text(at, option, node);
		break;
	case CONF_T_TEXTS:
		check_texts(at, option, node);
		break;
	case CONF_T_VARIABLES:
		check_variables(at, option, node);
		break;
	case CONF_T_SETTINGS:
		if (node->kind != CONF_MAP)
			fault(at, node, ": must be a map");
		break;
	case CONF_T_ENTRIES:
		check_entries(at, option, node);
		break;
	case CONF_T_ROUTES:
		check_routes(at, node);
		break;
	default:
		check_number(at, option, node);
	}
}

/* One of the words of a choice; else *why lists them. */
static bool
read_word(const struct conf_option *option, const char *text, uint64_t *value, struct buf *why)
{
	const struct conf_word *w;

	for (w = option->words; w->word != NULL; w++) {
		if (strcmp(w->word, text) != 0)
			continue;
		if (w->is_later)
			buf_printf(why, "not supported yet: \"%s\"; ", text);
		else
			*value = w->value;
		break;
	}
	if (w->word != NULL && !w->is_later)
		return true;
	buf_add_str(why, "must be ");
	for (w = option->words; w->word != NULL; w++)
		if (!w->is_later)
			buf_printf(why, "%s%s", w == option->words ? "" :
			    w[1].word == NULL || w[1].is_later ? " or " : ", ", w->word);
	return false;
}

static void
add_value(struct buf *out, enum conf_type type, uint64_t value)
{
	if (type == CONF_T_DURATION || type == CONF_T_SECONDS)
		conf_value_add_duration(out, type == CONF_T_SECONDS ? value * 1000 : value);
	else if (type == CONF_T_SIZE)
		conf_value_add_size(out, value);
	else
		buf_add_u64(out, value);
}

/* What a value of this option looks like. */
static bool
say_what_is_right(const struct conf_option *option, struct buf *why)
{
	static const char *const noun[] = {
		[CONF_T_BOOL] = "true or false",
		[CONF_T_COUNT] = "a number",
		[CONF_T_THREADS] = "auto, or a number",
		[CONF_T_SIZE] = "a size in bytes, KB, MB, KiB or MiB",
		[CONF_T_DURATION] = "a duration in ms, s, m or h",
		[CONF_T_SECONDS] = "a duration of whole seconds, in s, m or h",
	};

	buf_printf(why, "must be %s", noun[option->type]);
	if (option->type == CONF_T_BOOL)
		return false;
	buf_add_str(why, " from ");
	add_value(why, option->type, option->min);
	buf_add_str(why, " to ");
	add_value(why, option->type, option->max);
	if ((option->flags & CONF_F_OFF) != 0)
		buf_add_str(why, ", or off");
	return false;
}

static bool
read_unlimited(const struct conf_option *option, const char *text, uint64_t *value)
{
	bool flag;

	switch (option->type) {
	case CONF_T_BOOL:
		if (!conf_value_bool(text, &flag))
			return false;
		*value = flag;
		return true;
	case CONF_T_THREADS:
		return conf_value_threads(text, value);
	case CONF_T_COUNT:
		return conf_value_count(text, value);
	case CONF_T_SIZE:
		return conf_value_size(text, value);
	case CONF_T_DURATION:
		return conf_value_duration(text, value);
	case CONF_T_SECONDS:
		if (!conf_value_duration(text, value) || *value % 1000 != 0)
			return false;
		*value /= 1000;
		return true;
	default:
		return false;
	}
}

/* In quotes "5" is a text; sizes and durations are texts to YAML anyway. */
static bool
is_text_for_number(const struct conf_option *option, const struct conf_node *node)
{
	return !node->is_plain && !node->is_expanded &&
	    (option->type == CONF_T_BOOL || option->type == CONF_T_COUNT);
}

bool
conf_check_number(const struct conf_option *option, const struct conf_node *node, uint64_t *value,
    struct buf *why)
{
	*value = 0;
	if (node->kind == CONF_SCALAR && option->type == CONF_T_CHOICE)
		return read_word(option, node->text, value, why);
	if (option->type == CONF_T_CHOICE)
		return read_word(option, "", value, why);
	if (node->kind != CONF_SCALAR)
		return say_what_is_right(option, why);
	if ((option->flags & CONF_F_OFF) != 0 && strcmp(node->text, "off") == 0) {
		*value = CONF_NO_LIMIT;
		return true;
	}
	if (is_text_for_number(option, node) || !read_unlimited(option, node->text, value) ||
	    (option->type != CONF_T_BOOL && (*value < option->min || *value > option->max)))
		return say_what_is_right(option, why);
	return true;
}
