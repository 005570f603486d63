/* SPDX-License-Identifier: ISC */
/*
 * Revoked sessions in a file, a line of JSON each:
 *
 *	{"kind":"user","name":"anna","before":1790000000,"since":1790000000,"until":1790086400,"who":"root"}
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/xmalloc.h"
#include "codec/json_scan.h"
#include "token/revoked.h"

#define FILE_MAX (128u << 20)	/* REVOKED_MAX lines of the longest names */

enum member { KIND, NAME, BEFORE, SINCE, UNTIL, WHO, N_MEMBERS };

static const struct json_names member_names = {
	.n = N_MEMBERS,
	.name = (const char *const[]){
		[KIND] = "kind", [NAME] = "name", [BEFORE] = "before", [SINCE] = "since",
		[UNTIL] = "until", [WHO] = "who",
	},
};

/* ---- writing ---- */

static void
add_line(const struct revoked_entry *e, void *arg)
{
	struct buf *b = arg;

	buf_printf(b, "{\"kind\":\"%s\"", revoked_kind_name(e->kind));
	if (e->name != NULL) {
		buf_add_str(b, ",\"name\":");
		buf_add_json_string(b, e->name, strlen(e->name));
	}
	if (e->before_s != INT64_MAX)
		buf_printf(b, ",\"before\":%" PRId64, e->before_s);
	buf_printf(b, ",\"since\":%" PRId64 ",\"until\":%" PRId64 ",\"who\":", e->since_s,
	    e->until_s);
	buf_add_json_string(b, e->who, strlen(e->who));
	buf_add_str(b, "}\n");
}

static bool
write_all(int fd, const char *data, size_t len)
{
	ssize_t n;

	for (size_t at = 0; at < len; at += (size_t)n) {
		n = write(fd, data + at, len - at);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			return false;
	}
	return fsync(fd) == 0;
}

/* A file beside it takes its place when it is whole. */
char *
revoked_save(const struct revoked *r, const char *path)
{
	char *beside = xasprintf("%s.new", path), *why = NULL;
	struct buf text = { 0 };
	bool is_good;
	int fd;

	revoked_each(r, add_line, &text);
	fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	is_good = fd >= 0 && write_all(fd, text.data, text.len);
	if (!is_good)
		why = xasprintf("%s: %s", beside, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (is_good && rename(beside, path) != 0)
		why = xasprintf("%s: %s", path, strerror(errno));
	if (why != NULL)
		unlink(beside);
	buf_free(&text);
	free(beside);
	return why;
}

/* ---- reading ---- */

static bool
read_time(const char *text, struct json_value v, int64_t *seconds)
{
	uint64_t n;

	if (!json_number_u64(text, v, &n) || n > INT64_MAX / 1000)
		return false;
	*seconds = (int64_t)n;
	return true;
}

/* name and kind are given, whatever the answer. */
static bool
read_entry(const char *line, size_t len, struct revoked_entry *e, struct buf *name, struct buf *kind)
{
	struct buf who = { 0 };
	struct json_object o;
	struct json_value v;
	struct json_scan s;
	bool is_good;

	json_scan_init(&s, line, len, 4);
	if (!json_scan_members(&s, &v, &member_names, &o, -1, NULL) || !json_scan_end(&s) ||
	    v.kind != JSON_OBJECT)
		return false;
	*e = (struct revoked_entry){ .before_s = INT64_MAX };
	is_good = json_string_get(line, o.member[KIND].value, kind) &&
	    revoked_kind_find(buf_str(kind), &e->kind) &&
	    read_time(line, o.member[SINCE].value, &e->since_s) &&
	    read_time(line, o.member[UNTIL].value, &e->until_s) &&
	    (e->kind == REVOKED_JTI || read_time(line, o.member[BEFORE].value, &e->before_s)) &&
	    (e->kind == REVOKED_BEFORE || (json_string_get(line, o.member[NAME].value, name) &&
	    strlen(buf_str(name)) == name->len));
	e->name = buf_str(name);
	json_string_get(line, o.member[WHO].value, &who);
	snprintf(e->who, sizeof(e->who), "%s", buf_str(&who));
	buf_free(&who);
	return is_good;
}

static bool
load_line(struct revoked *r, const char *line, size_t len, int64_t now_s)
{
	struct buf name = { 0 }, kind = { 0 };
	struct revoked_entry e;
	bool is_good;

	is_good = read_entry(line, len, &e, &name, &kind) &&
	    (e.until_s <= now_s || revoked_add(r, &e, now_s));
	buf_free(&name);
	buf_free(&kind);
	return is_good;
}

static char *
load_text(struct revoked *r, const char *path, const char *text, size_t len, int64_t now_s)
{
	unsigned n = 1;

	for (const char *p = text, *end = text + len; p < end; n++) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));

		if (stop == NULL || !load_line(r, p, (size_t)(stop - p), now_s))
			return xasprintf("%s:%u: this is no line of revoked sessions", path, n);
		p = stop + 1;
	}
	return NULL;
}

static bool
read_all(int fd, struct buf *text)
{
	ssize_t n;

	do {
		n = read(fd, buf_reserve(text, 65536), 65536);
		if (n > 0)
			buf_used(text, (size_t)n);
	} while ((n > 0 && text->len <= FILE_MAX) || (n < 0 && errno == EINTR));
	if (text->len > FILE_MAX)
		errno = EFBIG;
	return n == 0;
}

char *
revoked_load(struct revoked *r, const char *path, int64_t now_s)
{
	struct buf text = { 0 };
	char *why = NULL;
	struct stat st;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ENOENT)
		return NULL;
	if (fd < 0 || fstat(fd, &st) != 0)
		why = xasprintf("%s: %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		why = xasprintf("%s: it is no regular file", path);
	else if (!read_all(fd, &text))
		why = xasprintf("%s: %s", path, strerror(errno));
	else
		why = load_text(r, path, text.data, text.len, now_s);
	if (fd >= 0)
		close(fd);
	buf_free(&text);
	return why;
}
