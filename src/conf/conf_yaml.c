/* SPDX-License-Identifier: ISC */
/*
 * YAML events of libyaml become a small tree.  The only file that knows libyaml.
 *
 * libyaml spends time quadratic in the number of open brackets, and in the number of
 * directives.  So directives never reach it, and its events are taken one at a time
 * and counted: it looks at most 1,024 bytes ahead of an event, and the event
 * that goes too deep, or is one too many, is the last one asked for.
 */
#include "conf/conf_yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/log.h"
#include "base/strmap.h"

#define KEYS_FEW    8	/* of a map, to compare each with each */
#define ITEMS_FIRST 4	/* that a list or map has room for; a power of two */

struct reader {
	yaml_parser_t parser;
	struct arena *arena;		/* of the tree */
	const struct conf_source *source;
	struct conf_faults *faults;
	const char *bytes;
	size_t len;
	unsigned depth;
	size_t n_nodes;
};

static bool			 is_readable(struct reader *);
static struct conf_node		*read_document(struct reader *);
static struct conf_node		*read_node(struct reader *, yaml_event_t *);

/*
 * What it has read may be a secret.  A scalar that outgrew its room has left its beginning in
 * memory that only libyaml knew: a secret in a file of its own does not come here.
 */
static void
forget(yaml_parser_t *p)
{
	explicit_bzero(p->raw_buffer.start, (size_t)(p->raw_buffer.end - p->raw_buffer.start));
	explicit_bzero(p->buffer.start, (size_t)(p->buffer.end - p->buffer.start));
}

struct conf_node *
conf_yaml_parse(struct arena *arena, const struct conf_source *source, const char *bytes,
    size_t len, struct conf_faults *faults)
{
	struct reader r = {
		.arena = arena, .source = source, .faults = faults,
		.bytes = len > 0 ? bytes : "", .len = len
	};
	struct conf_node *root;

	/* Some editors begin a file with a byte order mark, which UTF-8 does not need. */
	if (len >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
		r.bytes += 3;
		r.len -= 3;
	}
	if (!is_readable(&r))
		return NULL;
	if (!yaml_parser_initialize(&r.parser))
		fatalx("out of memory");
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)r.bytes, r.len);
	root = read_document(&r);
	forget(&r.parser);
	yaml_parser_delete(&r.parser);
	return root;
}

static unsigned
line_of(const struct reader *r, size_t offset)
{
	unsigned line = 1;

	for (size_t i = 0; i < offset && i < r->len; i++)
		line += r->bytes[i] == '\n';
	return line;
}

/* What can be told, and must be told, before libyaml sees the bytes. */
static bool
is_readable(struct reader *r)
{
	const char *nul, *name = r->source->name;

	if (r->len > CONF_YAML_BYTES_MAX) {
		conf_faults_add(r->faults, name, 1, "the file is larger than %d MiB",
		    CONF_YAML_BYTES_MAX / (1024 * 1024));
		return false;
	}
	if ((nul = memchr(r->bytes, '\0', r->len)) != NULL) {
		conf_faults_add(r->faults, name, line_of(r, (size_t)(nul - r->bytes)),
		    "a NUL byte: this is no text file");
		return false;
	}
	for (const char *p = r->bytes, *end = p + r->len; p != NULL && p < end;) {
		if (*p == '%') {
			conf_faults_add(r->faults, name, line_of(r, (size_t)(p - r->bytes)),
			    "a line must not begin with '%%': YAML directives are not taken");
			return false;
		}
		p = memchr(p, '\n', (size_t)(end - p));
		p = p != NULL ? p + 1 : NULL;
	}
	return true;
}

/* What libyaml found, in its words; a hint where these do not help. */
static void
fault_of_parser(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	const char *problem = p->problem != NULL ? p->problem : "cannot be read";
	const char *context = p->context != NULL ? p->context : "";
	bool is_alias = strstr(context, "alias") != NULL;
	bool is_tab = strstr(problem, "cannot start any token") != NULL;

	if (p->error == YAML_MEMORY_ERROR)
		fatalx("out of memory");
	if (p->error == YAML_READER_ERROR) {
		conf_faults_add(r->faults, r->source->name, line_of(r, p->problem_offset),
		    "no UTF-8 text: %s", problem);
		return;
	}
	conf_faults_add(r->faults, r->source->name, (unsigned)p->problem_mark.line + 1,
	    "no YAML: %s%s%s%s", context, *context != '\0' ? ", " : "", problem,
	    is_alias ? "; text that begins with '*' must be in quotes" :
	    is_tab ? "; tabs do not indent, and text that begins with @, ` or % must be in quotes" :
	    "");
}

/* The next event, to be deleted; false, with the fault noted, if there is none. */
static bool
next_event(struct reader *r, yaml_event_t *event)
{
	if (yaml_parser_parse(&r->parser, event))
		return true;
	fault_of_parser(r);
	return false;
}

static unsigned
event_line(const yaml_event_t *event)
{
	return (unsigned)event->start_mark.line + 1;
}

/* Skips an event that can only be of this type, such as the start of the stream. */
static bool
skip_event(struct reader *r, yaml_event_type_t type)
{
	yaml_event_t event;
	bool is_it;

	if (!next_event(r, &event))
		return false;
	is_it = event.type == type;
	yaml_event_delete(&event);
	return is_it;
}

/* After the first document only the end of the stream may follow. */
static bool
read_end(struct reader *r)
{
	yaml_event_t event;
	bool is_end;

	if (!skip_event(r, YAML_DOCUMENT_END_EVENT) || !next_event(r, &event))
		return false;
	is_end = event.type == YAML_STREAM_END_EVENT;
	if (!is_end)
		conf_faults_add(r->faults, r->source->name, event_line(&event),
		    "a second YAML document: a file must be one document");
	yaml_event_delete(&event);
	return is_end;
}

static struct conf_node *
read_document(struct reader *r)
{
	struct conf_node *root;
	yaml_event_t event;

	if (!skip_event(r, YAML_STREAM_START_EVENT) || !next_event(r, &event))
		return NULL;
	if (event.type == YAML_STREAM_END_EVENT) {
		conf_faults_add(r->faults, r->source->name, 1,
		    "the file is empty: it must at least say \"listen\" and \"jwt\"");
		yaml_event_delete(&event);
		return NULL;
	}
	yaml_event_delete(&event);
	if (!next_event(r, &event) || (root = read_node(r, &event)) == NULL)
		return NULL;
	return read_end(r) ? root : NULL;
}

/* Notes why reading ends here.  Always NULL. */
static struct conf_node *
give_up(struct reader *r, unsigned line, const char *why)
{
	conf_faults_add(r->faults, r->source->name, line, "%s", why);
	return NULL;
}

/*
 * Anchors and tags: of no use in a configuration, of much use for making a small
 * file large.  NULL: there are none.
 */
static const char *
decoration_of(const yaml_event_t *event)
{
	static const char anchor[] =
	    "YAML anchors (&name) are not taken; text that begins with '&' must be in quotes";
	static const char tag[] =
	    "YAML tags (!name) are not taken; text that begins with '!' must be in quotes";

	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return "YAML aliases (*name) are not taken; "
		    "text that begins with '*' must be in quotes";
	case YAML_SCALAR_EVENT:
		return event->data.scalar.anchor != NULL ? anchor :
		    event->data.scalar.tag != NULL ? tag : NULL;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.anchor != NULL ? anchor :
		    event->data.sequence_start.tag != NULL ? tag : NULL;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.anchor != NULL ? anchor :
		    event->data.mapping_start.tag != NULL ? tag : NULL;
	default:
		return NULL;
	}
}

static struct conf_node *
new_node(struct reader *r, enum conf_kind kind, unsigned line)
{
	struct conf_node *node = arena_alloc(r->arena, sizeof(*node));

	node->kind = kind;
	node->source = r->source;
	node->line = line;
	return node;
}

static struct conf_node *
read_scalar(struct reader *r, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	struct conf_node *node;

	if (memchr(text, '\0', event->data.scalar.length) != NULL)
		return give_up(r, event_line(event), "a NUL character in a text; leave it out");
	node = new_node(r, CONF_SCALAR, event_line(event));
	node->text = arena_memdup(r->arena, text, event->data.scalar.length);
	node->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	return node;
}

/* The same elements in twice the room; what they were in stays in the arena, unused. */
static void *
doubled(struct arena *arena, const void *old, size_t n, size_t size)
{
	void *new = arena_alloc(arena, (n > 0 ? 2 * n : ITEMS_FIRST) * size);

	return n > 0 ? memcpy(new, old, n * size) : new;
}

/* Room for one value more; the array is ITEMS_FIRST long, or a larger power of two. */
static void
grow(struct arena *arena, struct conf_node *node)
{
	if ((node->n & (node->n - 1)) != 0 || (node->n > 0 && node->n < ITEMS_FIRST))
		return;
	node->item = doubled(arena, node->item, node->n, sizeof(*node->item));
	if (node->kind == CONF_MAP)
		node->key = doubled(arena, node->key, node->n, sizeof(*node->key));
}

static struct conf_node *
read_list(struct reader *r, const yaml_event_t *start)
{
	struct conf_node *list = new_node(r, CONF_LIST, event_line(start)), *item;
	yaml_event_t event;

	while (next_event(r, &event)) {
		if (event.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&event);
			return list;
		}
		if ((item = read_node(r, &event)) == NULL)
			break;
		grow(r->arena, list);
		list->item[list->n++] = item;
	}
	return NULL;
}

/* What is wrong with this event as a key; NULL if it is one. */
static const char *
fault_of_key(const yaml_event_t *event)
{
	const unsigned char *name = event->data.scalar.value;

	if (decoration_of(event) != NULL)
		return decoration_of(event);
	if (event->type != YAML_SCALAR_EVENT)
		return "a key must be text: \"name: value\"";
	if (event->data.scalar.length == 0)
		return "an empty key";
	if (event->data.scalar.length > CONF_YAML_KEY_MAX)
		return "a key longer than 256 bytes";
	for (size_t i = 0; i < event->data.scalar.length; i++)
		if (name[i] < 0x20 || name[i] == 0x7f)
			return "a control character in a key";
	return NULL;
}

/* Of a small map; nearly all are. */
static bool
is_any_key_twice(const struct conf_node *map)
{
	for (size_t i = 1; i < map->n; i++)
		for (size_t k = 0; k < i; k++)
			if (strcmp(map->key[i].name, map->key[k].name) == 0)
				return true;
	return false;
}

/* By a table, since comparing each with each takes minutes in the largest file we read. */
static void
check_keys_differ(struct reader *r, const struct conf_node *map)
{
	struct strmap *seen;

	if (map->n <= KEYS_FEW && !is_any_key_twice(map))
		return;
	seen = strmap_new();
	for (size_t i = 0; i < map->n; i++) {
		const struct conf_key *key = &map->key[i], *before;
		void **place = strmap_at(seen, key->name, strlen(key->name));

		if ((before = *place) != NULL)
			conf_faults_add(r->faults, r->source->name, key->line,
			    "duplicate key \"%s\": it is given in line %u already", key->name,
			    before->line);
		*place = &map->key[i];
	}
	strmap_free(seen, NULL);
}

static struct conf_node *
read_map(struct reader *r, const yaml_event_t *start)
{
	struct conf_node *map = new_node(r, CONF_MAP, event_line(start)), *value;
	yaml_event_t key, event;
	const char *why;

	while (next_event(r, &key)) {
		if (key.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&key);
			check_keys_differ(r, map);
			return map;
		}
		value = NULL;
		if ((why = fault_of_key(&key)) != NULL)
			give_up(r, event_line(&key), why);
		else if (next_event(r, &event))
			value = read_node(r, &event);
		if (value != NULL)
			conf_node_add(r->arena, map, arena_memdup(r->arena,
			    (const char *)key.data.scalar.value, key.data.scalar.length),
			    event_line(&key), value);
		yaml_event_delete(&key);
		if (value == NULL)
			break;
	}
	return NULL;
}

static struct conf_node *
read_inside(struct reader *r, const yaml_event_t *event)
{
	struct conf_node *node;

	if (event->type == YAML_SCALAR_EVENT)
		return read_scalar(r, event);
	if (r->depth == CONF_YAML_DEPTH_MAX)
		return give_up(r, event_line(event),
		    "lists and maps are nested too deep: 16 inside one another at most");
	r->depth++;
	node = event->type == YAML_SEQUENCE_START_EVENT ? read_list(r, event) :
	    read_map(r, event);
	r->depth--;
	return node;
}

/* A value and all below it.  Takes the event. */
static struct conf_node *
read_node(struct reader *r, yaml_event_t *event)
{
	const char *why = decoration_of(event);
	struct conf_node *node;

	if (why == NULL && ++r->n_nodes > CONF_YAML_NODES_MAX)
		why = "more than 100,000 values; a configuration has fewer";
	node = why == NULL ? read_inside(r, event) : give_up(r, event_line(event), why);
	if (event->type == YAML_SCALAR_EVENT)
		explicit_bzero(event->data.scalar.value, event->data.scalar.length);
	yaml_event_delete(event);
	return node;
}

struct conf_node *
conf_node_get(const struct conf_node *map, const char *key)
{
	if (map == NULL || map->kind != CONF_MAP)
		return NULL;
	for (size_t i = 0; i < map->n; i++)
		if (strcmp(map->key[i].name, key) == 0)
			return map->item[i];
	return NULL;
}

void
conf_node_add(struct arena *arena, struct conf_node *map, char *name, unsigned line,
    struct conf_node *value)
{
	grow(arena, map);
	map->key[map->n] = (struct conf_key){ name, line };
	map->item[map->n++] = value;
}

void
conf_node_move_all(struct arena *arena, struct conf_node *to, struct conf_node *from)
{
	for (size_t i = 0; i < from->n; i++) {
		grow(arena, to);
		if (to->kind == CONF_MAP)
			to->key[to->n] = from->key[i];
		to->item[to->n++] = from->item[i];
	}
	from->n = 0;
}

void
conf_node_remove(struct conf_node *node, size_t i)
{
	node->n--;
	memmove(node->item + i, node->item + i + 1, (node->n - i) * sizeof(node->item[0]));
	if (node->kind == CONF_MAP)
		memmove(node->key + i, node->key + i + 1, (node->n - i) * sizeof(node->key[0]));
}

void
conf_node_fault(struct conf_node *node, struct conf_faults *faults, const char *fmt, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		fatalx("out of memory");
	conf_faults_add(faults, node->source->name, node->line, "%s", text);
	free(text);
	node->is_bad = true;
}
