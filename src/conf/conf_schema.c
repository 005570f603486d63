/* SPDX-License-Identifier: ISC */
/*
 * Walks the table from the top, as conf_check walks a tree beside it.
 *
 * ${NAME} may stand in any value and is only known to the daemon, so each scalar may be a text
 * that holds one.
 */
#include "conf/conf_schema.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/xmalloc.h"
#include "conf/conf_table.h"
#include "conf/conf_value.h"

#define NAME_LONGEST 64
#define PORT "(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5]?[0-9]{1,4})"

/* What the form of a text must be, by the function that checks it. */
static const struct {
	const char *(*check)(const char *);
	const char *pattern;
} patterns[] = {
	{ conf_check_address, "^(([0-9]+[.]){3}[0-9]+|\\\\[[0-9A-Fa-f:.]+\\\\]):" PORT "$|^unix:." },
	{ conf_check_loopback, "^(127[.][0-9.]+|\\\\[[0-9A-Fa-f:.]+\\\\]):" PORT "$" },
	{ conf_check_url, "^([Ww][Ss]|[Hh][Tt][Tt][Pp])[Ss]?://." },
	{ conf_check_algorithm, "^HS256$" },
	{ conf_check_path, "^/" },
	{ conf_check_template, "^/" },
};

/* What belongs together below a name, of which one part is flagged nowhere. */
static const struct {
	const char *name, *rule;
} rules[] = {
	{ "", "\"anyOf\":[{\"required\":[\"listen\",\"jwt\"]},{\"required\":[\"include\"]}]" },
	{ "jwt", "\"anyOf\":[{\"required\":[\"secret\"]},{\"required\":[\"secret_file\"]},"
	    "{\"required\":[\"secrets\"]}]" },
	{ "destinations.*", "\"anyOf\":[{\"required\":[\"application\",\"urls\"]},"
	    "{\"required\":[\"destinations\"]}]" },
	{ "u_services[].types.*", "\"anyOf\":[{\"required\":[\"destination\"]},"
	    "{\"required\":[\"url\"]}]" },
	{ "applications.*", "\"anyOf\":[{\"required\":[\"command\"]},{\"required\":[\"qewd\"]}]" },
	{ "static[]", "\"anyOf\":[{\"required\":[\"file\"]},{\"required\":[\"root\"]}]" },
};

static void	 add_value(struct buf *, const char *name);

/* ---- scalars ---- */

static void
add_member_string(struct buf *b, const char *member, const char *text)
{
	buf_printf(b, ",\"%s\":", member);
	buf_add_json_string(b, text, strlen(text));
}

/* A text that the environment fills in, as one of "anyOf", which it ends. */
static void
end_any_of(struct buf *b)
{
	buf_add_str(b, "{\"type\":\"string\",\"pattern\":\"[$][{]\"}]");
}

static void
add_text(struct buf *b, const struct conf_option *o, bool is_bounded)
{
	buf_add_str(b, "\"anyOf\":[{\"type\":\"string\"");
	if (is_bounded)
		buf_printf(b, ",\"minLength\":%llu,\"maxLength\":%llu", (unsigned long long)o->min,
		    (unsigned long long)o->max);
	for (size_t i = 0; i < ARRAY_LEN(patterns); i++)
		if (o->check == patterns[i].check)
			buf_printf(b, ",\"pattern\":\"%s\"", patterns[i].pattern);
	buf_add_str(b, "},");
	end_any_of(b);
}

static void
add_integer(struct buf *b, const struct conf_option *o)
{
	buf_printf(b, "{\"type\":\"integer\",\"minimum\":%llu,\"maximum\":%llu},",
	    (unsigned long long)o->min, (unsigned long long)o->max);
}

static void
add_words(struct buf *b, const struct conf_option *o)
{
	const char *comma = "";

	buf_add_str(b, "{\"enum\":[");
	for (const struct conf_word *w = o->words; w->word != NULL; w++) {
		if (w->is_later)
			continue;
		buf_printf(b, "%s\"%s\"", comma, w->word);
		comma = ",";
	}
	buf_add_str(b, "]},");
}

static void
add_scalar(struct buf *b, const struct conf_option *o)
{
	buf_add_str(b, "\"anyOf\":[");
	if ((o->flags & CONF_F_OFF) != 0)
		buf_add_str(b, "{\"const\":\"off\"},");
	if (o->type == CONF_T_BOOL)
		buf_add_str(b, "{\"type\":\"boolean\"},");
	if (o->type == CONF_T_CHOICE)
		add_words(b, o);
	if (o->type == CONF_T_THREADS)
		buf_add_str(b, "{\"const\":\"auto\"},");
	if (o->type == CONF_T_COUNT || o->type == CONF_T_THREADS || o->type == CONF_T_SIZE)
		add_integer(b, o);
	if (o->type == CONF_T_SIZE)
		buf_add_str(b, "{\"type\":\"string\",\"pattern\":\"^[0-9]+([KM]i?B)?$\"},");
	if (o->type == CONF_T_DURATION || o->type == CONF_T_SECONDS)
		buf_add_str(b, "{\"type\":\"string\",\"pattern\":\"^[0-9]+(ms|s|m|h)$\"},");
	end_any_of(b);
}

/* A default is shown as one would write it. */
static void
add_default(struct buf *b, const struct conf_option *o)
{
	uint64_t number;
	bool flag;

	if (o->fallback == NULL)
		return;
	if (conf_value_count(o->fallback, &number) || conf_value_bool(o->fallback, &flag) ||
	    strcmp(o->fallback, "[]") == 0 || strcmp(o->fallback, "{}") == 0)
		buf_printf(b, ",\"default\":%s", o->fallback);
	else if (o->fallback[0] != '[')
		add_member_string(b, "default", o->fallback);
}

/* ---- lists and maps ---- */

static void
add_texts(struct buf *b, const struct conf_option *o)
{
	if ((o->flags & CONF_F_ONE) != 0) {
		buf_add_str(b, "\"anyOf\":[{");
		add_text(b, o, false);
		buf_add_str(b, "},{");
	}
	buf_printf(b, "\"type\":\"array\",\"minItems\":%llu,\"maxItems\":%llu,\"items\":{",
	    (unsigned long long)o->min, (unsigned long long)o->max);
	add_text(b, o, false);
	buf_add_char(b, '}');
	if ((o->flags & CONF_F_ONE) != 0)
		buf_add_str(b, "}]");
}

static void
add_list_of(struct buf *b, const char *name, uint64_t min, uint64_t max)
{
	buf_printf(b, "\"type\":\"array\",\"minItems\":%llu,\"maxItems\":%llu,\"items\":{",
	    (unsigned long long)min, (unsigned long long)max);
	add_value(b, name);
	buf_add_char(b, '}');
}

static void
add_entries(struct buf *b, const struct conf_option *o)
{
	char *name = xasprintf("%s[]", o->name);

	buf_add_str(b, "\"anyOf\":[{");
	add_value(b, name);
	buf_add_str(b, "},{");
	add_list_of(b, name, o->min, o->max);
	buf_add_str(b, "}]");
	free(name);
}

/* The names directly below one, each once. */
static void
add_properties(struct buf *b, const char *name)
{
	char key[NAME_LONGEST + 1], last[NAME_LONGEST + 1] = "";
	const char *comma = "";
	size_t i = 0;

	buf_add_str(b, ",\"additionalProperties\":false,\"properties\":{");
	while (conf_option_next_name(name, &i, key, sizeof(key))) {
		char *inside;

		if (strcmp(key, last) == 0)
			continue;
		strcpy(last, key);
		inside = xasprintf("%s%s%s", name, *name != '\0' ? "." : "", key);
		buf_printf(b, "%s\"%s\":{", comma, key);
		add_value(b, inside);
		buf_add_char(b, '}');
		comma = ",";
		free(inside);
	}
	buf_add_char(b, '}');
}

static void
add_required(struct buf *b, const char *name)
{
	size_t len = strlen(name);
	const char *before = ",\"required\":[";
	bool has_any = false;

	for (const struct conf_option *o = conf_options; o < conf_options + conf_n_options; o++) {
		if ((o->flags & CONF_F_REQUIRED) == 0 || strncmp(o->name, name, len) != 0 ||
		    o->name[len] != '.' || strpbrk(o->name + len + 1, ".[") != NULL)
			continue;
		buf_printf(b, "%s\"%s\"", has_any ? "," : before, o->name + len + 1);
		has_any = true;
	}
	if (has_any)
		buf_add_char(b, ']');
}

static void
add_map(struct buf *b, const char *name)
{
	buf_add_str(b, "\"type\":\"object\"");
	if (conf_option_is_below(name, ".*")) {
		char *inside = xasprintf("%s.*", name);

		buf_add_str(b, ",\"additionalProperties\":{");
		add_value(b, inside);
		buf_add_char(b, '}');
		free(inside);
	} else {
		add_properties(b, name);
		add_required(b, name);
	}
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (strcmp(rules[i].name, name) == 0)
			buf_printf(b, ",%s", rules[i].rule);
}

static void
add_section(struct buf *b, const char *name)
{
	char *inside = xasprintf("%s[]", name);
	bool takes_list = conf_option_is_below(name, "[]");
	bool takes_map = *name == '\0' || conf_option_is_below(name, ".");

	if (takes_list && takes_map)
		buf_add_str(b, "\"anyOf\":[{");
	if (takes_list)
		add_list_of(b, inside, strcmp(name, "listen") == 0 ? 1 : 0, 100000);
	if (takes_list && takes_map)
		buf_add_str(b, "},{");
	if (takes_map)
		add_map(b, name);
	if (takes_list && takes_map)
		buf_add_str(b, "}]");
	free(inside);
}

/* ---- all ---- */

/* Behind "{": the members that say what a value of this option is. */
static void
add_option(struct buf *b, const struct conf_option *o)
{
	switch (o->type) {
	case CONF_T_LATER:
		buf_add_str(b, "\"not\":{}");
		break;
	case CONF_T_TEXT:
	case CONF_T_PATH:
		add_text(b, o, true);
		break;
	case CONF_T_TEXTS:
		add_texts(b, o);
		break;
	case CONF_T_VARIABLES:
		buf_printf(b, "\"type\":\"object\",\"maxProperties\":%llu,\"propertyNames\":"
		    "{\"pattern\":\"^[^=]+$\",\"not\":{\"const\":\"USHER_FD\"}},"
		    "\"additionalProperties\":{\"type\":[\"string\",\"number\",\"boolean\"]}",
		    (unsigned long long)o->max);
		break;
	case CONF_T_SETTINGS:
		buf_add_str(b, "\"type\":\"object\"");
		break;
	case CONF_T_ROUTES:
		add_list_of(b, "u_services[]", 0, 100000);
		break;
	case CONF_T_ENTRIES:
		add_entries(b, o);
		break;
	default:
		add_scalar(b, o);
	}
	add_default(b, o);
	if (o->type != CONF_T_LATER) {
		add_member_string(b, "description", o->help);
	} else {
		buf_add_str(b, ",\"description\":\"not supported yet\"");
	}
}

static void
add_value(struct buf *b, const char *name)
{
	const struct conf_option *o = conf_option_find(name);

	if (o != NULL)
		add_option(b, o);
	else
		add_section(b, name);
}

void
conf_schema_write(struct buf *b)
{
	buf_add_str(b, "{\"$schema\":\"http://json-schema.org/draft-07/schema#\","
	    "\"title\":\"usher.yaml\",\"description\":\"configuration of usherd, see "
	    "usher.yaml(5)\",");
	add_section(b, "");
	buf_add_str(b, "}\n");
}
