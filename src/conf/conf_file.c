/* SPDX-License-Identifier: ISC */
/*
 * The main file and those it includes become one tree.
 */
#include "conf/conf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/xmalloc.h"
#include "conf/conf_value.h"

#define PIECE 65536	/* bytes that are read at a time */

static struct conf_node	*read_file(struct conf_tree *, const char *, struct conf_faults *);
static void		 include_all(struct conf_tree *, struct conf_faults *);

struct conf_tree *
conf_tree_load(const char *path, struct conf_faults *faults)
{
	struct conf_tree *tree = xcalloc(1, sizeof(*tree));

	tree->root = read_file(tree, path, faults);
	if (tree->root == NULL) {
		conf_tree_free(tree);
		return NULL;
	}
	include_all(tree, faults);
	return tree;
}

void
conf_tree_free(struct conf_tree *tree)
{
	if (tree == NULL)
		return;
	arena_free(&tree->nodes);
	for (size_t i = 0; i < tree->n_sources; i++) {
		free(tree->source[i]->name);
		free(tree->source[i]->folder);
		free(tree->source[i]);
	}
	free(tree->source);
	free(tree);
}

/* The part of a path up to and with its last slash; "" if there is none. */
static char *
folder_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return xstrndup(path, slash != NULL ? (size_t)(slash - path + 1) : 0);
}

/* The folder a file is in, as an absolute path. */
static char *
absolute_folder(const char *path)
{
	char *part = folder_part(path), *folder = realpath(*part != '\0' ? part : ".", NULL);

	if (folder == NULL)
		folder = xstrdup("/");	/* it went away: whatever is looked up there is not found */
	free(part);
	return folder;
}

static const struct conf_source *
add_source(struct conf_tree *tree, const char *path)
{
	struct conf_source *source = xcalloc(1, sizeof(*source));

	source->name = xstrdup(path);
	source->folder = absolute_folder(path);
	tree->source = xreallocarray(tree->source, tree->n_sources + 1,
	    sizeof(struct conf_source *));
	tree->source[tree->n_sources++] = source;
	return source;
}

char *
conf_file_absolute(const struct conf_source *source, const char *path)
{
	if (*path == '/')
		return xstrdup(path);
	return xasprintf("%s/%s", strcmp(source->folder, "/") != 0 ? source->folder : "", path);
}

/*
 * All of it, up to one byte above max.  False: errno says why.  There is room for all of it from
 * the beginning, for a buffer that grows leaves copies behind, and it may be a secret.
 */
static bool
read_all(int fd, size_t size, size_t max, struct buf *out)
{
	buf_reserve(out, (size < max ? size : max) + 2 * PIECE);
	while (out->len <= max) {
		char *room = buf_reserve(out, PIECE);
		ssize_t n = read(fd, room, PIECE);

		if (n == 0)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0)
			buf_used(out, (size_t)n);
	}
	return true;
}

char *
conf_file_read(const char *path, size_t max, size_t *len, const char **why)
{
	mode_t mode;

	return conf_file_read_mode(path, max, len, &mode, why);
}

char *
conf_file_read_mode(const char *path, size_t max, size_t *len, mode_t *mode, const char **why)
{
	/* O_NONBLOCK, or a FIFO without a writer would hold us here. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct buf out = { 0 };
	struct stat st;

	*why = NULL;
	if (fd < 0 || fstat(fd, &st) != 0)
		*why = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		*why = "it is no regular file";
	else if (!read_all(fd, (size_t)st.st_size, max, &out))
		*why = strerror(errno);
	else if (out.len > max)
		*why = "it is too large: 4 MiB at most";
	if (fd >= 0)
		close(fd);
	if (*why != NULL) {
		buf_free(&out);
		return NULL;
	}
	*mode = st.st_mode;
	*len = out.len;
	return buf_take(&out);
}

/* Replaces ${NAME} in all values below node. */
static void
expand(struct arena *arena, struct conf_node *node, struct conf_faults *faults)
{
	struct buf out = { 0 };
	char *wrong;

	for (size_t i = 0; i < node->n; i++)
		expand(arena, node->item[i], faults);
	if (node->kind != CONF_SCALAR || strstr(node->text, "${") == NULL)
		return;
	if ((wrong = conf_value_expand(node->text, &out)) != NULL) {
		conf_node_fault(node, faults, "%s", wrong);
		free(wrong);
		buf_free(&out);
		return;
	}
	node->text = arena_strdup(arena, buf_str(&out));
	node->is_expanded = true;
	explicit_bzero(out.data, out.len);
	buf_free(&out);
}

/* A file as a tree whose root is a map; NULL with the fault noted. */
static struct conf_node *
read_file(struct conf_tree *tree, const char *path, struct conf_faults *faults)
{
	struct conf_node *root;
	const char *why;
	char *bytes;
	size_t len;

	if ((bytes = conf_file_read(path, CONF_YAML_BYTES_MAX, &len, &why)) == NULL) {
		/* Only the first file is named on the command line, the others in it. */
		conf_faults_add(faults, path, 1, "the file cannot be read: %s%s", why,
		    tree->n_sources == 0 ? "; name another with -c" : "");
		return NULL;
	}
	root = conf_yaml_parse(&tree->nodes, add_source(tree, path), bytes, len, faults);
	explicit_bzero(bytes, len);
	free(bytes);
	if (root == NULL)
		return NULL;
	if (root->kind != CONF_MAP) {
		conf_node_fault(root, faults,
		    "the file must hold a map: lines of \"option: value\"");
		return NULL;
	}
	expand(&tree->nodes, root, faults);
	return root;
}

static bool
has_scalar(const struct conf_node *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->item[i]->kind == CONF_SCALAR)
			return true;
	return false;
}

static bool
may_join(const struct conf_node *a, const struct conf_node *b)
{
	if (a->kind != b->kind || a->kind == CONF_SCALAR)
		return false;
	return a->kind == CONF_MAP || (!has_scalar(a) && !has_scalar(b));
}

/* Puts all of from, a map of another file, into the map to. */
static void
merge(struct arena *arena, struct conf_node *to, struct conf_node *from,
    struct conf_faults *faults)
{
	for (size_t i = 0; i < from->n; i++) {
		const struct conf_key *key = &from->key[i];
		struct conf_node *value = from->item[i], *there = conf_node_get(to, key->name);

		if (there == NULL)
			conf_node_add(arena, to, key->name, key->line, value);
		else if (!may_join(there, value))
			conf_faults_add(faults, value->source->name, key->line,
			    "\"%s\" is given in %s, line %u already", key->name,
			    there->source->name, there->line);
		else if (there->kind == CONF_MAP)
			merge(arena, there, value, faults);
		else
			conf_node_move_all(arena, there, value);
	}
}

static void
include_file(struct conf_tree *tree, const char *path, struct conf_node *from,
    struct conf_faults *faults)
{
	struct conf_node *root;

	if (tree->n_sources > CONF_FILES_MAX) {
		if (!from->is_bad)
			conf_node_fault(from, faults, "more than %d files are included",
			    CONF_FILES_MAX);
		return;
	}
	if ((root = read_file(tree, path, faults)) == NULL)
		return;
	for (size_t i = 0; i < root->n; i++) {
		if (strcmp(root->key[i].name, "include") != 0)
			continue;
		conf_faults_add(faults, path, root->key[i].line,
		    "an included file must not include others");
		conf_node_remove(root, i--);
	}
	merge(&tree->nodes, tree->root, root, faults);
}

/* A glob pattern that is looked up beside the file it stands in. */
static char *
pattern_beside(const struct conf_source *source, const char *pattern)
{
	char *folder = folder_part(source->name);
	struct buf out = { 0 };

	for (const char *p = folder; *pattern != '/' && *p != '\0'; p++) {
		if (strchr("*?[\\", *p) != NULL)
			buf_add_char(&out, '\\');
		buf_add_char(&out, *p);
	}
	buf_add_str(&out, pattern);
	free(folder);
	return buf_take(&out);
}

/* One pattern.  Without wild cards it names a file that must be there. */
static void
include_pattern(struct conf_tree *tree, struct conf_node *node, struct conf_faults *faults)
{
	bool is_name = strpbrk(node->text, "*?[") == NULL;
	char *pattern = pattern_beside(node->source, node->text);
	glob_t found = { 0 };

	if (glob(pattern, is_name ? GLOB_NOCHECK : 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			include_file(tree, found.gl_pathv[i], node, faults);
	globfree(&found);
	free(pattern);
}

/* A malformed "include" is left to the check of all options. */
static void
include_all(struct conf_tree *tree, struct conf_faults *faults)
{
	struct conf_node *list = conf_node_get(tree->root, "include");

	if (list == NULL || list->kind != CONF_LIST)
		return;
	for (size_t i = 0; i < list->n; i++)
		if (list->item[i]->kind == CONF_SCALAR && !list->item[i]->is_bad)
			include_pattern(tree, list->item[i], faults);
}
