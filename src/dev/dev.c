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
#include "base/clock.h"
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
#define WATCH_FLAGS   (IN_ONLYDIR | IN_DONT_FOLLOW)
#define GRACE_MS      1000	/* what a worker has begun as it started, it may end by then */
#define CHAIN_MAX     3		/* starts in a row that are due to changes during the last one */

struct folder {
	int wd;			/* of inotify */
	unsigned depth;		/* how many more inside one another are watched */
	char *path;
};

struct dev {
	char *folder, *conf_path, *page_path;
	struct conn *watch;		/* NULL: nothing is watched */
	int fd;				/* inotify */
	struct folder watched[WATCH_MAX];
	unsigned n_watched;
	bool has_overflown;		/* told that there are more folders than that */
	unsigned n_alive;		/* workers */
	char newest[96];		/* name of the worker started last */
	bool newest_is_ready;
	uint64_t n_starts;
	uint64_t quiet_since_ms;	/* since when no worker starts or ends; 0: one does */
	uint64_t chain_start;		/* the last start during which files changed */
	unsigned chain;			/* how many starts in a row that were */
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
	const char *tmp = getenv("TMPDIR");

	d->folder = xasprintf("%s/usher-dev-XXXXXX",
	    tmp != NULL && tmp[0] == '/' ? tmp : "/tmp");
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
	while (d->n_watched > 0)
		free(d->watched[--d->n_watched].path);
	free(d->folder);
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

/* ---- which folders ---- */

/* Folders that tools fill. */
static bool
is_for_tools(const char *name)
{
	return name[0] == '.' || strcmp(name, "node_modules") == 0 ||
	    strcmp(name, "__pycache__") == 0 || strcmp(name, "venv") == 0;
}

static struct folder *
find_folder(struct dev *d, int wd)
{
	for (unsigned i = 0; i < d->n_watched; i++)
		if (d->watched[i].wd == wd)
			return &d->watched[i];
	return NULL;
}

static bool
add_folder(struct dev *d, const char *path, unsigned depth)
{
	int wd;

	if (d->n_watched >= WATCH_MAX) {
		if (!d->has_overflown)
			log_warnx("more than %d folders: those from %s on are not watched",
			    WATCH_MAX, path);
		d->has_overflown = true;
		return false;
	}
	if ((wd = inotify_add_watch(d->fd, path, WATCH_EVENTS | WATCH_FLAGS)) < 0)
		return false;
	if (find_folder(d, wd) == NULL)
		d->watched[d->n_watched++] = (struct folder){ wd, depth, xstrdup(path) };
	return true;
}

static void
watch_folder(struct dev *d, const char *path, unsigned depth)
{
	struct dirent *e;
	char *inside;
	DIR *dir;

	if (!add_folder(d, path, depth) || depth == 0 || (dir = opendir(path)) == NULL)
		return;
	while ((e = readdir(dir)) != NULL) {
		/* Not every file system says what it is; what is no folder is not added. */
		if ((e->d_type != DT_DIR && e->d_type != DT_UNKNOWN) || is_for_tools(e->d_name))
			continue;
		inside = xasprintf("%s/%s", path, e->d_name);
		watch_folder(d, inside, depth - 1);
		free(inside);
	}
	closedir(dir);
}

static void
forget_folder(struct dev *d, struct folder *f)
{
	free(f->path);
	*f = d->watched[--d->n_watched];
}

/* It went elsewhere, and all below it; if that is here too, it is found there. */
static void
unwatch_below(struct dev *d, const char *path)
{
	size_t len = strlen(path);

	for (unsigned i = 0; i < d->n_watched; i++) {
		const struct folder *f = &d->watched[i];

		if (strncmp(f->path, path, len) == 0 && (f->path[len] == '\0' || f->path[len] == '/'))
			inotify_rm_watch(d->fd, f->wd);	/* IN_IGNORED follows */
	}
}

static void
on_folder_event(struct dev *d, const struct inotify_event *e, const struct folder *in,
    const char *name)
{
	char *path = xasprintf("%s/%s", in->path, name);

	if ((e->mask & (IN_CREATE | IN_MOVED_TO)) != 0 && in->depth > 0)
		watch_folder(d, path, in->depth - 1);
	else if ((e->mask & IN_MOVED_FROM) != 0)
		unwatch_below(d, path);
	free(path);
}

/* ---- what is a change ---- */

/* Files that a handler's language writes beside its sources are no change. */
static bool
is_noise(const char *name)
{
	static const char *const ends[] = { "~", ".log", ".pyc" };
	size_t len = strlen(name);

	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (len >= strlen(ends[i]) && strcmp(name + len - strlen(ends[i]), ends[i]) == 0)
			return true;
	return len == 0 || is_for_tools(name);
}

static void
on_settled(void *arg)
{
	struct dev *d = arg;

	d->on_change(d->arg);
}

/*
 * A handler may write into its own folder as it starts or ends, and would be started again for
 * that, for ever.  So changes at such times count only in a few starts in a row; those of the
 * user come at other times, or later again.
 */
static bool
is_of_the_start(struct dev *d, const char *name)
{
	if (d->quiet_since_ms != 0 && clock_mono_ms() - d->quiet_since_ms >= GRACE_MS)
		return false;
	if (d->chain_start != d->n_starts) {
		d->chain = d->chain_start + 1 == d->n_starts ? d->chain + 1 : 1;
		d->chain_start = d->n_starts;
		if (d->chain > CHAIN_MAX)
			log_info("%s: files change whenever the handler starts; what changes then "
			    "does not start it again", name);
	}
	return d->chain > CHAIN_MAX;
}

static void
on_file_event(struct dev *d, const char *name)
{
	if (is_noise(name) || is_of_the_start(d, name))
		return;
	if (!timer_is_set(&d->settle_timer))
		log_info("%s has changed", name);	/* the first one tells enough */
	loop_timer_set(d->loop, &d->settle_timer, SETTLE_MS, on_settled, d);
}

static void
on_event(struct dev *d, const struct inotify_event *e, const char *name)
{
	struct folder *in = find_folder(d, e->wd);

	if ((e->mask & IN_Q_OVERFLOW) != 0) {
		watch_folder(d, ".", WATCH_DEPTH);
		on_file_event(d, "more than is told");
	} else if (in == NULL) {
		return;
	} else if ((e->mask & IN_IGNORED) != 0) {
		forget_folder(d, in);
	} else if (e->len > 0) {
		if ((e->mask & IN_ISDIR) != 0 && !is_for_tools(name))
			on_folder_event(d, e, in, name);
		on_file_event(d, name);
	}
}

static void
on_inotify(struct conn *conn UNUSED, char *data, size_t len, void *arg)
{
	struct inotify_event e;

	while (len >= sizeof(e)) {
		memcpy(&e, data, sizeof(e));
		on_event(arg, &e, data + sizeof(e));
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

/* ---- what workers do ---- */

/* Of the one worker there is, whether it is starting, or followed by another one. */
static void
note_life(struct dev *d, enum pool_sight what, const char *worker)
{
	bool is_newest = strcmp(worker, d->newest) == 0, is_quiet;

	if (what == POOL_STARTED) {
		snprintf(d->newest, sizeof(d->newest), "%s", worker);
		d->newest_is_ready = false;
		d->n_starts++;
		d->n_alive++;
	} else if (what == POOL_READY) {
		d->newest_is_ready = true;
	} else {
		d->n_alive--;
		/* Who stays, if it was the newest, has long been ready. */
		d->newest_is_ready = d->newest_is_ready || is_newest;
	}
	is_quiet = d->n_alive == 0 || (d->n_alive == 1 && d->newest_is_ready);
	d->quiet_since_ms = is_quiet ? clock_mono_ms() : 0;
}

void
dev_show(enum pool_sight what, const char *worker, const char *type, size_t type_len,
    const char *text, size_t len, void *dev)
{
	if (what != POOL_ASKED && what != POOL_ANSWERED) {
		note_life(dev, what, worker);
		return;
	}
	printf("%s %s %.*s %.*s\n", what == POOL_ASKED ? "->" : "<-", worker, (int)type_len, type,
	    (int)len, text);
	fflush(stdout);
}
