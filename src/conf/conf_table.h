/* SPDX-License-Identifier: ISC */
/*
 * The table of every option: its name, type, default, limits, and a line of help.
 *
 * A name is the way from the top of the file: "limits.message"; "listen[].for" is
 * in each entry of a list, "applications.*.command" below each name of a map.
 */
#ifndef CONF_CONF_TABLE_H
#define CONF_CONF_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum conf_type {
	CONF_T_TEXT,		/* char *; min and max are bytes */
	CONF_T_PATH,		/* char *, made absolute */
	CONF_T_BOOL,
	CONF_T_COUNT,
	CONF_T_SIZE,		/* bytes */
	CONF_T_DURATION,	/* in ms */
	CONF_T_SECONDS,		/* a duration of whole seconds, in s */
	CONF_T_CHOICE,		/* one of words */
	CONF_T_THREADS,		/* a number, or "auto" */
	CONF_T_TEXTS,		/* char **, NULL-terminated; min and max are their number */
	CONF_T_VARIABLES,	/* char **, NULL-terminated "NAME=value", from a map */
	CONF_T_SETTINGS,	/* char *, a JSON object; from any map */
	CONF_T_ROUTES,		/* a list like u_services[] */
	CONF_T_ENTRIES,		/* a list of the maps that are NAME[] in the table, or one of them */
	CONF_T_LATER,		/* known, but not built: help names the feature */
};

/* Flags of an option. */
#define CONF_F_REQUIRED		0x1	/* wherever what it belongs to is given */
#define CONF_F_OFF		0x2	/* may be "off": CONF_NO_LIMIT, or NULL for a text */
#define CONF_F_ONE		0x4	/* of a list: a single text stands for a list of one */

/* A word that may be chosen, and what it becomes.  The last one has no word. */
struct conf_word {
	const char *word;
	unsigned value;
	bool is_later;		/* not supported yet */
};

struct conf_option {
	const char *name;
	enum conf_type type;
	unsigned flags;
	const char *fallback;	/* the default, as one would write it; NULL: none, or see help */
	uint64_t min, max;
	size_t offset;		/* where the value goes in the struct it belongs to */
	size_t size;		/* of that field; 0: it is fetched otherwise */
	const char *help;
	const struct conf_word *words;		/* of a choice */
	const char *(*check)(const char *);	/* of each text; NULL result: it is right */
};

extern const struct conf_option conf_options[];
extern const size_t conf_n_options;

/* The option of exactly this name, or NULL. */
const struct conf_option	*conf_option_find(const char *name);

/* Does the name of any option begin with prefix and then follow? */
bool				 conf_option_is_below(const char *prefix, const char *follow);

/*
 * The names directly below a section ("limits"), one a call: *i starts as 0.
 * Names come once for each option below them.  False at the end; name is cut at size.
 */
bool				 conf_option_next_name(const char *section, size_t *i, char *name,
				    size_t size);

#endif
