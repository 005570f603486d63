/* SPDX-License-Identifier: ISC */
/*
 * From nodes of the tree to fields of a struct, by the table of options.
 */
#include "conf/conf_fill.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "codec/json_scan.h"
#include "conf/conf_check.h"
#include "conf/conf_file.h"
#include "conf/conf_table.h"

struct field {
	const struct conf_option *option;
	const char *name;			/* in the section, such as "pool.size" */
	const struct conf_node *fallback;	/* the default; NULL: it has none */
};

struct conf_section {
	struct field *fields;
	size_t n;
	struct arena nodes;			/* of the defaults */
};

static void	 fill_option(const struct conf_option *, const struct conf_node *, char *field);

/* The value at "pool.size" below a map, unless it was found bad. */
static const struct conf_node *
find(const struct conf_node *map, const char *path)
{
	const struct conf_node *node = map;
	char name[CONF_YAML_KEY_MAX + 1];
	const char *dot;

	while (node != NULL && (dot = strchr(path, '.')) != NULL) {
		assert((size_t)(dot - path) < sizeof(name));
		memcpy(name, path, (size_t)(dot - path));
		name[dot - path] = '\0';
		node = conf_node_get(node, name);
		path = dot + 1;
	}
	node = conf_node_get(node, path);
	return node != NULL && !node->is_bad ? node : NULL;
}

/* The default of an option as a value; NULL if it has none. */
static const struct conf_node *
fallback_of(struct arena *nodes, const struct conf_option *option)
{
	static const struct conf_source ours = { (char *)"default", (char *)"/" };
	struct conf_faults faults = { 0 };
	struct conf_node *node;

	if (option->fallback == NULL)
		return NULL;
	if (strchr("[{", option->fallback[0]) != NULL) {
		node = conf_yaml_parse(nodes, &ours, option->fallback, strlen(option->fallback),
		    &faults);
		assert(node != NULL && faults.n == 0);
		return node;
	}
	node = arena_alloc(nodes, sizeof(*node));
	node->kind = CONF_SCALAR;
	node->source = &ours;
	node->text = (char *)option->fallback;
	node->is_plain = true;
	return node;
}

/* What follows the section's name in the name of an option directly in it; else NULL. */
static const char *
name_inside(const struct conf_option *option, const char *section, size_t len)
{
	const char *rest = option->name;

	if (len > 0) {
		if (rest[0] != section[0] || strncmp(rest, section, len) != 0 || rest[len] != '.')
			return NULL;
		rest += len + 1;
	}
	return strpbrk(rest, "*[") == NULL ? rest : NULL;
}

struct conf_section *
conf_section_new(const char *section)
{
	struct conf_section *s = xcalloc(1, sizeof(*s));
	size_t len = strlen(section);

	s->fields = xcalloc(conf_n_options, sizeof(*s->fields));
	for (size_t i = 0; i < conf_n_options; i++) {
		const struct conf_option *o = &conf_options[i];
		const char *name = o->size > 0 ? name_inside(o, section, len) : NULL;

		if (name != NULL)
			s->fields[s->n++] = (struct field){ o, name, fallback_of(&s->nodes, o) };
	}
	return s;
}

void
conf_section_fill(const struct conf_section *s, const struct conf_node *map, void *object)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct field *f = &s->fields[i];
		const struct conf_node *node = find(map, f->name);

		if (node == NULL)
			node = f->fallback;
		if (node != NULL)
			fill_option(f->option, node, (char *)object + f->option->offset);
	}
}

void
conf_section_free(struct conf_section *s)
{
	arena_free(&s->nodes);
	free(s->fields);
	free(s);
}

void
conf_fill(const char *section, const struct conf_node *map, void *object)
{
	struct conf_section *s = conf_section_new(section);

	conf_section_fill(s, map, object);
	conf_section_free(s);
}

static char **
texts_of(const struct conf_node *list)
{
	char **texts = xcalloc(list->n + 1, sizeof(*texts));

	for (size_t i = 0; i < list->n; i++)
		texts[i] = xstrdup(list->item[i]->text);
	return texts;
}

static char **
variables_of(const struct conf_node *map)
{
	char **variables = xcalloc(map->n + 1, sizeof(*variables));

	for (size_t i = 0; i < map->n; i++)
		variables[i] = xasprintf("%s=%s", map->key[i].name, map->item[i]->text);
	return variables;
}

/* Without quotes, these are what they are in JSON too; all else is text. */
static bool
is_json_word(const struct conf_node *node)
{
	struct json_value v;

	return node->is_plain && !node->is_expanded &&
	    json_scan_text(node->text, strlen(node->text), 1, &v) && v.kind != JSON_STRING &&
	    v.kind != JSON_OBJECT && v.kind != JSON_ARRAY;
}

static void
add_json(struct buf *b, const struct conf_node *node)
{
	bool is_map = node->kind == CONF_MAP;

	if (node->kind == CONF_SCALAR) {
		if (node->is_plain && !node->is_expanded &&
		    (node->text[0] == '\0' || strcmp(node->text, "~") == 0))
			buf_add_str(b, "null");	/* YAML's other ways to write it */
		else if (is_json_word(node))
			buf_add_str(b, node->text);
		else
			buf_add_json_string(b, node->text, strlen(node->text));
		return;
	}
	buf_add_char(b, is_map ? '{' : '[');
	for (size_t i = 0; i < node->n; i++) {
		if (i > 0)
			buf_add_char(b, ',');
		if (is_map) {
			buf_add_json_string(b, node->key[i].name, strlen(node->key[i].name));
			buf_add_char(b, ':');
		}
		add_json(b, node->item[i]);
	}
	buf_add_char(b, is_map ? '}' : ']');
}

static char *
json_of(const struct conf_node *map)
{
	struct buf b = { 0 };

	add_json(&b, map);
	return buf_take(&b);
}

/* Fields have the width that suits their users. */
static void
fill_number(const struct conf_option *option, const struct conf_node *node, char *field)
{
	struct buf why = { 0 };
	uint64_t value;
	bool is_good = conf_check_number(option, node, &value, &why);

	assert(is_good);
	(void)is_good;
	buf_free(&why);
	if (option->size == sizeof(uint64_t)) {
		memcpy(field, &value, sizeof(value));
	} else if (option->type == CONF_T_BOOL) {
		*(bool *)(void *)field = value != 0;
	} else {
		unsigned narrow = (unsigned)value;

		assert(option->size == sizeof(narrow) && narrow == value);
		memcpy(field, &narrow, sizeof(narrow));
	}
}

static void
fill_option(const struct conf_option *option, const struct conf_node *node, char *field)
{
	switch (option->type) {
	case CONF_T_TEXT:
		if ((option->flags & CONF_F_OFF) == 0 || strcmp(node->text, "off") != 0)
			*(char **)(void *)field = xstrdup(node->text);
		break;
	case CONF_T_PATH:
		*(char **)(void *)field = conf_file_absolute(node->source, node->text);
		break;
	case CONF_T_TEXTS:
		*(char ***)(void *)field = texts_of(node);
		break;
	case CONF_T_VARIABLES:
		*(char ***)(void *)field = variables_of(node);
		break;
	case CONF_T_SETTINGS:
		*(char **)(void *)field = json_of(node);
		break;
	default:
		fill_number(option, node, field);
	}
}
