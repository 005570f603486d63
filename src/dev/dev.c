/* SPDX-License-Identifier: ISC */
/*
 * The folder, the page and the file watch of --dev.
 */
#include "dev/dev.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/id.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "net/conn.h"
#include "net/loop.h"

#define SECRET_BYTES  32
#define WATCH_DEPTH   4		/* folders inside one another */
#define WATCH_MAX     500	/* folders in all */
#define SETTLE_MS     150	/* an editor writes more than one file */
#define WATCH_EVENTS  (IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM)

struct dev {
	char folder[64];
	char *conf_path, *page_path;
	struct conn *watch;		/* NULL: nothing is watched */
	int fd;				/* inotify */
	unsigned n_watched;
	struct loop *loop;
	struct timer settle_timer;
	void (*on_change)(void *);
	void *arg;
};

static const char page[] =
#include "dev/page.h"
;

static void
write_file(const char *path, const char *text, size_t len)
{
	FILE *f = fopen(path, "wxe");

	if (f == NULL || fwrite(text, 1, len, f) != len || fclose(f) != 0)
		fatal("%s", path);
}

/* A text that the loader does not look for variables in: "$${" is "${". */
static void
add_text(struct buf *b, const char *text)
{
	struct buf escaped = { 0 };

	for (; *text != '\0'; text++) {
		if (strncmp(text, "${", 2) == 0)
			buf_add_char(&escaped, '$');
		buf_add_char(&escaped, *text);
	}
	buf_add_json_string(b, escaped.data != NULL ? escaped.data : "", escaped.len);
	buf_free(&escaped);
}

/* The configuration is YAML in its JSON form: nothing in a command needs other quoting. */
static void
write_conf(const struct dev *d, char *const *command, uint16_t port)
{
	char secret[2 * SECRET_BYTES + 1], folder[PATH_MAX];
	struct buf b = { 0 };

	if (getcwd(folder, sizeof(folder)) == NULL)
		fatal("getcwd");
	id_hex(secret, SECRET_BYTES);
	buf_printf(&b, "{\"node\":\"dev\",\"listen\":[{\"address\":\"127.0.0.1:%u\","
	    "\"origins\":[\"http://localhost:*\"]}],\"jwt\":{\"secret\":\"%s\"},"
	    "\"applications\":{\"dev\":{\"pool\":{\"size\":1,\"prefork\":true},\"directory\":",
	    port, secret);
	add_text(&b, folder);
	buf_add_str(&b, ",\"command\":[");
	for (char *const *word = command; *word != NULL; word++) {
		if (word != command)
			buf_add_char(&b, ',');
		add_text(&b, *word);
	}
	buf_add_str(&b, "]}},\"static\":[{\"path\":\"/\",\"file\":");
	add_text(&b, d->page_path);
	buf_add_str(&b, "}]}");
	write_file(d->conf_path, b.data, b.len);
	buf_free(&b);
}

struct dev *
dev_new(char *const *command, uint16_t port)
{
	struct dev *d = xcalloc(1, sizeof(*d));

	snprintf(d->folder, sizeof(d->folder), "/tmp/usher-dev-XXXXXX");
	umask(077);
	if (mkdtemp(d->folder) == NULL)
		fatal("%s", d->folder);
	d->conf_path = xasprintf("%s/usher.yaml", d->folder);
	d->page_path = xasprintf("%s/index.html", d->folder);
	write_file(d->page_path, page, sizeof(page) - 1);
	write_conf(d, command, port);
	return d;
}

void
dev_free(struct dev *d)
{
	if (d == NULL)
		return;
	unlink(d->conf_path);
	unlink(d->page_path);
	rmdir(d->folder);
	free(d->conf_path);
	free(d->page_path);
	free(d);
}

void
dev_forget_conf(struct dev *d)
{
	unlink(d->conf_path);
}

const char *
dev_conf_path(const struct dev *d)
{
	return d->conf_path;
}

/* ---- watching ---- */

static bool
is_worth_watching(const struct dirent *e)
{
	return e->d_type == DT_DIR && e->d_name[0] != '.' &&
	    strcmp(e->d_name, "node_modules") != 0 && strcmp(e->d_name, "__pycache__") != 0;
}

static void
watch_folder(struct dev *d, const char *folder, unsigned depth)
{
	struct dirent *e;
	char *inside;
	DIR *dir;

	if (d->n_watched >= WATCH_MAX ||
	    inotify_add_watch(d->fd, folder, WATCH_EVENTS | IN_ONLYDIR) < 0)
		return;
	d->n_watched++;
	if (depth == 0 || (dir = opendir(folder)) == NULL)
		return;
	while ((e = readdir(dir)) != NULL) {
		if (!is_worth_watching(e))
			continue;
		inside = xasprintf("%s/%s", folder, e->d_name);
		watch_folder(d, inside, depth - 1);
		free(inside);
	}
	closedir(dir);
}

static void
on_settled(void *arg)
{
	struct dev *d = arg;

	d->on_change(d->arg);
}

/* Files that a handler's language writes beside its sources are no change. */
static bool
is_noise(const char *name)
{
	size_t len = strlen(name);

	return len == 0 || name[0] == '.' || name[len - 1] == '~' ||
	    strcmp(name, "__pycache__") == 0 || (len > 4 && strcmp(name + len - 4, ".log") == 0);
}

static void
on_inotify(struct conn *conn UNUSED, char *data, size_t len, void *arg)
{
	struct dev *d = arg;
	struct inotify_event e;

	while (len >= sizeof(e)) {
		memcpy(&e, data, sizeof(e));
		if (e.len > 0 && !is_noise(data + sizeof(e)))
			loop_timer_set(d->loop, &d->settle_timer, SETTLE_MS, on_settled, d);
		data += sizeof(e) + e.len;
		len -= sizeof(e) + e.len;
	}
}

static void
on_inotify_close(struct conn *conn UNUSED, enum err why UNUSED, void *arg)
{
	struct dev *d = arg;

	d->watch = NULL;
}

void
dev_watch(struct dev *d, struct loop *loop, void (*on_change)(void *), void *arg)
{
	static const struct conn_events events = {
		.on_read = on_inotify,
		.on_close = on_inotify_close,
	};

	d->loop = loop;
	d->on_change = on_change;
	d->arg = arg;
	if ((d->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) < 0) {
		log_warn("files are not watched");
		return;
	}
	watch_folder(d, ".", WATCH_DEPTH);
	d->watch = conn_new(loop, d->fd, &events, d);
}

void
dev_unwatch(struct dev *d)
{
	if (d == NULL || d->watch == NULL)
		return;
	loop_timer_stop(d->loop, &d->settle_timer);
	conn_abort(d->watch, ERR_STOPPING);
}

void
dev_show(const char *arrow, const char *worker, const char *type, size_t type_len,
    const char *text, size_t len, void *dev UNUSED)
{
	printf("%s %s %.*s %.*s\n", arrow, worker, (int)type_len, type, (int)len, text);
	fflush(stdout);
}
