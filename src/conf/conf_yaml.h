/* SPDX-License-Identifier: ISC */
/*
 * A strict reader for the part of YAML that a configuration needs (JSON is
 * inside it): maps, lists and scalars, each knowing its file and line.
 *
 * Refused are anchors, aliases, tags, directives, several documents, keys that
 * are no text, keys that occur twice, and whatever is larger or deeper than a
 * configuration can sensibly be.  What a key means is not known here.
 */
#ifndef CONF_CONF_YAML_H
#define CONF_CONF_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "conf/conf_fault.h"

#define CONF_YAML_BYTES_MAX (4 * 1024 * 1024)
#define CONF_YAML_DEPTH_MAX 16		/* maps and lists inside one another */
#define CONF_YAML_NODES_MAX 100000
#define CONF_YAML_KEY_MAX   256		/* bytes */

/* A file that values come from. */
struct conf_source {
	char *name;		/* as shown in faults */
	char *folder;		/* absolute; what relative paths in it start from */
};

enum conf_kind { CONF_SCALAR, CONF_LIST, CONF_MAP };

/* A value.  All of a tree is in one arena. */
struct conf_node {
	enum conf_kind kind;
	const struct conf_source *source;	/* borrowed, outlives the node */
	unsigned line;
	char *text;			/* of a scalar; holds no NUL character */
	bool is_plain;			/* written without quotes: may be a number or true, false */
	bool is_expanded;		/* text came from the environment: quotes say nothing */
	bool is_bad;			/* a fault of it was noted */
	struct conf_node **item;	/* of a list, or the values of a map */
	struct conf_key {
		char *name;
		unsigned line;
	} *key;				/* of a map: key[i] names item[i] */
	size_t n;
};

/*
 * Reads a document of len bytes.  NULL, with the fault noted, if it is not one we
 * take.  Faults that do not
 * hinder reading on (a key given twice) are noted beside a result.  Borrows source
 * for the life of the nodes, which ends with that of the arena.
 */
MUST_USE struct conf_node	*conf_yaml_parse(struct arena *, const struct conf_source *source,
				    const char *bytes, size_t len, struct conf_faults *);

/* Borrows the value of a key of a map; NULL if it is no map (or NULL) or lacks the key. */
struct conf_node	*conf_node_get(const struct conf_node *map, const char *key);

/*
 * Trees of the same arena, or of one that lives as long.  Moves all of a map or list to the end of
 * another of its kind; from is then empty.
 */
void	 conf_node_move_all(struct arena *, struct conf_node *to, struct conf_node *from);

/* Adds to a map; borrows the name. */
void	 conf_node_add(struct arena *, struct conf_node *map, char *name, unsigned line,
	    struct conf_node *value);

/* Leaves the i-th value out of a map or list. */
void	 conf_node_remove(struct conf_node *, size_t i);

/* Notes a fault of this value and marks it bad. */
void	 conf_node_fault(struct conf_node *, struct conf_faults *, const char *fmt, ...)
	    PRINTF_LIKE(3, 4);

#endif
