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

static void	 fill_option(const struct conf_option *, const struct conf_node *, char *field);

/* The value at "pool.size" below a map, unless it was found bad. */
static const struct conf_node *
find(const struct conf_node *map, const char *path)
{
	const struct conf_node *node = map;
	char name[CONF_YAML_KEY_MAX + 1];
	size_t len;

	while (node != NULL && *path != '\0') {
		len = strcspn(path, ".");
		assert(len < sizeof(name));
		memcpy(name, path, len);
		name[len] = '\0';
		node = conf_node_get(node, name);
		path += path[len] == '.' ? len + 1 : len;
	}
	return node != NULL && !node->is_bad ? node : NULL;
}

/* The default of an option as a value; NULL if it has none.  Gives. */
static struct conf_node *
fallback_of(const struct conf_option *option)
{
	static const struct conf_source ours = { (char *)"default", (char *)"/" };
	struct conf_faults faults = { 0 };
	struct conf_node *node;

	if (option->fallback == NULL)
		return NULL;
	if (strchr("[{", option->fallback[0]) == NULL)
		return conf_node_new_scalar(&ours, option->fallback);
	node = conf_yaml_parse(&ours, option->fallback, strlen(option->fallback), &faults);
	assert(node != NULL && faults.n == 0);
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

void
conf_fill(const char *section, const struct conf_node *map, void *object)
{
	size_t len = strlen(section);

	for (size_t i = 0; i < conf_n_options; i++) {
		const struct conf_option *o = &conf_options[i];
		const char *rest = name_inside(o, section, len);
		const struct conf_node *node;
		struct conf_node *fallback = NULL;

		if (o->size == 0 || rest == NULL)
			continue;
		if ((node = find(map, rest)) == NULL)
			node = fallback = fallback_of(o);
		if (node != NULL)
			fill_option(o, node, (char *)object + o->offset);
		conf_node_free(fallback);
	}
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
