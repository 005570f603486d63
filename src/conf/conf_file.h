/* SPDX-License-Identifier: ISC */
/*
 * Files: reads the configuration and what it includes into one tree.
 */
#ifndef CONF_CONF_FILE_H
#define CONF_CONF_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/compiler.h"
#include "conf/conf_fault.h"
#include "conf/conf_yaml.h"

#define CONF_FILES_MAX 256	/* included ones */

/* The merged tree, and the files its nodes come from. */
struct conf_tree {
	struct conf_node *root;		/* a map */
	struct arena nodes;
	struct conf_source **source;	/* the main file first */
	size_t n_sources;
};

/*
 * Reads a file, expands ${NAME}, and merges what it includes: maps key by key,
 * lists of maps one behind the other; anything else given twice is a fault.
 * NULL, with the faults noted, if the main file gives no map; faults may also be
 * noted beside a tree.
 */
MUST_USE struct conf_tree	*conf_tree_load(const char *path, struct conf_faults *);
void				 conf_tree_free(struct conf_tree *);

/* An absolute path: a relative one starts from the folder of the file it stands in.  Gives. */
char	*conf_file_absolute(const struct conf_source *, const char *path);

/*
 * The content of a regular file of at most max bytes, with a NUL behind it.  NULL:
 * *why, borrowed until the next call, says what is wrong with it.  Gives.
 */
MUST_USE char	*conf_file_read(const char *path, size_t max, size_t *len, const char **why);
/* The same; *mode: who may do what with this very file.  Set if it was read. */
MUST_USE char	*conf_file_read_mode(const char *path, size_t max, size_t *len, mode_t *mode,
		    const char **why);

#endif
