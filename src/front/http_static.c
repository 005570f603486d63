/* SPDX-License-Identifier: ISC */
/*
 * A path that was checked is opened below the folder by openat2(2), so that the kernel is
 * the one who sees to it that no link leads out of it.
 */
#include "front/http_static.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "front/client.h"
#include "front/http_exchange.h"
#include "front/http_file.h"

#define INDEX "index.html"
#define TRIES 8		/* to open a path in which something is being renamed */

struct http_static {
	struct conf *conf;		/* a reference */
	int *root;			/* for each entry of the configuration; -1: none */
	struct http_service files, roots;
};

static bool	 is_for_files(const struct http_head *, const struct client *, void *);
static bool	 is_for_roots(const struct http_head *, const struct client *, void *);
static size_t	 on_head(struct http_exchange *, void *);
static void	 on_file_request(struct http_exchange *, void *);
static void	 on_root_request(struct http_exchange *, void *);

struct http_static *
http_static_new(struct conf *conf)
{
	struct http_static *s = xcalloc(1, sizeof(*s));

	s->conf = conf_ref(conf);
	s->root = xcalloc(conf->n_statics, sizeof(*s->root));
	for (size_t i = 0; i < conf->n_statics; i++) {
		s->root[i] = conf->statics[i].root == NULL ? -1 :
		    open(conf->statics[i].root, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (s->root[i] < 0 && conf->statics[i].root != NULL)
			log_warn("static %s: %s", conf->statics[i].path, conf->statics[i].root);
	}
	s->files = (struct http_service){ .is_for = is_for_files, .on_head = on_head,
		.on_request = on_file_request, .arg = s };
	s->roots = (struct http_service){ .is_for = is_for_roots, .on_head = on_head,
		.on_request = on_root_request, .arg = s };
	return s;
}

void
http_static_free(struct http_static *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->conf->n_statics; i++)
		if (s->root[i] >= 0)
			close(s->root[i]);
	conf_unref(s->conf);
	free(s->root);
	free(s);
}

void
http_static_swap(struct http_static *a, struct http_static *b)
{
	struct conf *conf = a->conf;
	int *root = a->root;

	a->conf = b->conf;
	a->root = b->root;
	b->conf = conf;
	b->root = root;
}

const struct http_service *
http_static_files(const struct http_static *s)
{
	return &s->files;
}

const struct http_service *
http_static_roots(const struct http_static *s)
{
	return &s->roots;
}

/* ---- paths ---- */

static bool
segment_is_good(const char *p, size_t len, bool is_last)
{
	static const char known[] = ".well-known";

	if (len == 0)
		return is_last;
	return p[0] != '.' || (len == sizeof(known) - 1 && memcmp(p, known, len) == 0);
}

/* A slash that was encoded is not one that separates, and no file has it in its name. */
static bool
has_encoded_slash(struct http_text path)
{
	for (size_t i = 0; i + 2 < path.len; i++)
		if (path.p[i] == '%' && path.p[i + 1] == '2' &&
		    (path.p[i + 2] == 'f' || path.p[i + 2] == 'F'))
			return true;
	return false;
}

bool
http_static_path(struct http_text path, char out[HTTP_STATIC_PATH_MAX])
{
	size_t len;

	if (has_encoded_slash(path) || !http_decode(path, out, HTTP_STATIC_PATH_MAX) ||
	    out[0] != '/')
		return false;
	for (const char *p = out; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f || *p == '\\')
			return false;
	for (const char *p = out + 1;; p += len + 1) {
		len = strcspn(p, "/");
		if (!segment_is_good(p, len, p[len] == '\0'))
			return false;
		if (p[len] == '\0')
			return true;
	}
}

const struct conf_static *
http_static_find_file(const struct conf *conf, const char *path)
{
	for (size_t i = 0; i < conf->n_statics; i++)
		if (conf->statics[i].file != NULL && strcmp(conf->statics[i].path, path) == 0)
			return &conf->statics[i];
	return NULL;
}

const struct conf_static *
http_static_find_root(const struct conf *conf, const char *path, const char **inside)
{
	const struct conf_static *best = NULL;
	size_t best_len = 0;

	for (size_t i = 0; i < conf->n_statics; i++) {
		const struct conf_static *s = &conf->statics[i];
		size_t len = strlen(s->path);

		if (len > 0 && s->path[len - 1] == '/')
			len--;	/* "/docs/" and "/docs" are the same folder */
		if (s->root == NULL || strncmp(path, s->path, len) != 0 ||
		    (path[len] != '/' && path[len] != '\0') || (best != NULL && len <= best_len))
			continue;
		best = s;
		best_len = len;
	}
	if (best != NULL)
		*inside = path + best_len + (path[best_len] == '/');
	return best;
}

/* ---- requests ---- */

static bool
is_for_files(const struct http_head *head, const struct client *client UNUSED, void *arg)
{
	const struct http_static *s = arg;
	char path[HTTP_STATIC_PATH_MAX];

	return s->conf->n_statics > 0 && http_decode(head->path, path, sizeof(path)) &&
	    http_static_find_file(s->conf, path) != NULL;
}

static bool
is_for_roots(const struct http_head *head, const struct client *client UNUSED, void *arg)
{
	const struct http_static *s = arg;
	char path[HTTP_STATIC_PATH_MAX];
	const char *inside;

	return s->conf->n_statics > 0 && http_static_path(head->path, path) &&
	    http_static_find_root(s->conf, path, &inside) != NULL;
}

/* What is no reading is answered without looking for the file. */
static size_t
on_head(struct http_exchange *x, void *arg UNUSED)
{
	static const char allow[] = "Allow: GET, HEAD, OPTIONS\r\n";
	static const struct http_answer options = { .status = 204, .extra = allow };
	struct http_text method = http_exchange_head(x)->method;

	if (http_text_equals(method, "OPTIONS"))
		http_exchange_answer(x, &options);
	else if (!http_text_equals(method, "GET") && !http_text_equals(method, "HEAD"))
		http_exchange_refuse(x, 405, allow, "only GET and HEAD are served\n");
	return 0;
}

static void
refuse_missing(struct http_exchange *x)
{
	http_exchange_refuse(x, 404, NULL, "nothing is served at this path\n");
}

/* It was there at start. */
static void
on_file_request(struct http_exchange *x, void *arg)
{
	static struct log_limit limit = { .about = "files that cannot be served" };
	const struct http_static *s = arg;
	const struct conf_static *entry;
	char path[HTTP_STATIC_PATH_MAX];
	struct stat st;
	int fd;

	http_decode(http_exchange_head(x)->path, path, sizeof(path));
	if ((entry = http_static_find_file(s->conf, path)) == NULL) {
		refuse_missing(x);	/* it went while the request's body came */
		return;
	}
	fd = open(entry->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		http_file_serve(x, fd, &st, entry->file);
		return;
	}
	if (log_allows(&limit))
		log_warn_for(http_exchange_client(x)->label, "static %s: %s", entry->path,
		    entry->file);
	if (fd >= 0)
		close(fd);
	http_exchange_refuse(x, 500, NULL, "the file cannot be read\n");
}

/* Opens what is inside a folder, and nothing that is not; -1: it cannot be served. */
static int
open_inside(int root, const char *path)
{
	static struct log_limit limit = { .about = "files that cannot be served" };
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	long fd = -1;

	for (int i = 0; i < TRIES; i++) {
		fd = syscall(SYS_openat2, root, *path != '\0' ? path : ".", &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	if (fd < 0 && errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG &&
	    log_allows(&limit))
		log_warn("static: %s", path);	/* also a kernel without openat2 */
	return (int)fd;
}

/* The path with a slash behind it, so that relative links of the page are right. */
static void
redirect_to_folder(struct http_exchange *x)
{
	const struct http_head *head = http_exchange_head(x);
	struct buf extra = { 0 };

	/* As it was sent.  It does not begin with "//", which would be another host. */
	buf_printf(&extra, "Location: %.*s/%s%.*s\r\n", (int)head->path.len, head->path.p,
	    head->query.len > 0 ? "?" : "", (int)head->query.len, head->query.p);
	http_exchange_refuse(x, 301, buf_str(&extra), "this is a folder\n");
	buf_free(&extra);
}

static void
on_root_request(struct http_exchange *x, void *arg)
{
	const struct http_static *s = arg;
	char path[HTTP_STATIC_PATH_MAX + sizeof(INDEX)];
	const struct conf_static *entry;
	const char *inside;
	struct stat st = { 0 };
	bool is_folder;
	int fd;

	http_static_path(http_exchange_head(x)->path, path);
	is_folder = path[strlen(path) - 1] == '/';
	if (is_folder)
		strcat(path, INDEX);
	if ((entry = http_static_find_root(s->conf, path, &inside)) == NULL) {
		refuse_missing(x);
		return;
	}
	fd = open_inside(s->root[entry - s->conf->statics], inside);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		http_file_serve(x, fd, &st, path);
		return;
	}
	if (fd >= 0)
		close(fd);
	if (fd >= 0 && S_ISDIR(st.st_mode) && !is_folder)
		redirect_to_folder(x);
	else
		refuse_missing(x);
}
