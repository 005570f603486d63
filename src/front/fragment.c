/* SPDX-License-Identifier: ISC */
/*
 * A file is opened below its folder by openat2(2): the kernel sees to it that neither a path
 * nor a link leads out of it.  Names that begin with a dot are not there.
 */
#include "front/fragment.h"

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
#include "codec/envelope.h"
#include "codec/utf8.h"
#include "conf/conf.h"
#include "front/gate.h"
#include "front/gate_service.h"
#include "request/forward.h"
#include "request/request.h"
#include "request/service.h"

#define TRIES	       8	/* while something in the path is being renamed */
#define READ_BYTES     65536
#define NAME_MAX_BYTES 1024

enum name { NAME_PARAMS, NAME_FILE, NAME_N };

static const struct json_names names = {
	.n = NAME_N,
	.name = (const char *const[]){ [NAME_PARAMS] = "params", [NAME_FILE] = "file" },
};

/* What "params" says; JSON_NONE: no file. */
static struct json_value
find_file(const struct request *r)
{
	struct json_value v = r->env.arg;
	struct json_object o = { 0 };
	struct json_scan scan;

	for (int i = 0; i < NAME_N && v.kind == JSON_OBJECT; i++) {
		json_scan_init(&scan, r->text, v.end, UINT16_MAX);
		scan.pos = v.start;
		if (!json_scan_members(&scan, &v, &names, &o, -1, NULL))
			break;
		v = o.member[i].value;
		if (i == NAME_FILE)
			return v;
	}
	return (struct json_value){ .kind = JSON_NONE };
}

static bool
is_good_name(const char *name, size_t len)
{
	if (len == 0 || len > NAME_MAX_BYTES || strlen(name) != len || name[0] == '.')
		return false;
	return strstr(name, "/.") == NULL;
}

/* May a program that puts paths together without looking at them be asked for it? */
static bool
is_inside(const struct buf *name)
{
	const char *p = name->data;

	if (name->len == 0 || name->len > NAME_MAX_BYTES || strlen(p) != name->len ||
	    *p == '/' || strchr(p, '\\') != NULL)
		return false;
	for (;; p++) {
		size_t len = strcspn(p, "/");

		if (len == 2 && memcmp(p, "..", 2) == 0)
			return false;
		p += len;
		if (*p == '\0')
			return true;
	}
}

/* -1: there is no such file. */
static int
open_below(const char *folder, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;

	if (root < 0) {
		log_warn("fragments: %s", folder);
		return -1;
	}
	for (int i = 0; i < TRIES; i++) {
		fd = (int)syscall(SYS_openat2, root, name, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	close(root);
	return fd;
}

/* An ordinary file of text, not above FRAGMENT_MAX. */
static bool
read_file(int fd, struct buf *b)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > FRAGMENT_MAX)
		return false;
	/* It may have grown: one byte more would show it. */
	while (b->len <= FRAGMENT_MAX) {
		n = read(fd, buf_reserve(b, READ_BYTES), READ_BYTES);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0;
		buf_used(b, (size_t)n);
	}
	return false;
}

static bool
load(const struct conf_application *a, const struct buf *name, struct buf *content)
{
	bool is_good;
	int fd;

	if (!is_good_name(name->data, name->len) || (fd = open_below(a->fragments, name->data)) < 0)
		return false;
	is_good = read_file(fd, content) && utf8_is_valid(buf_str(content), content->len);
	close(fd);
	return is_good;
}

/* QEWD's answers. */
static void
answer(struct request *r, const struct buf *name, bool is_there, const struct buf *content)
{
	struct buf message = { 0 };
	char *text;

	if (is_there) {
		buf_add_str(&message, "{\"fragmentName\":");
		buf_add_json_string(&message, name->data, name->len);
		buf_add_str(&message, ",\"content\":");
		buf_add_json_string(&message, content->data, content->len);
	} else {
		text = xasprintf("Fragment file %s does not exist", name->data);
		buf_add_str(&message, "{\"error\":");
		buf_add_json_string(&message, text, strlen(text));
		buf_add_str(&message, ",\"file\":");
		buf_add_json_string(&message, name->data, name->len);
		free(text);
	}
	buf_add_char(&message, '}');
	gate_answer(r, &message, !is_there);
	buf_free(&message);
}

/* From the application's folder; without one, by QEWD's own worker, which has a folder. */
static void
serve(const struct gate *g, struct request *r, const struct conf_application *a,
    const struct buf *name, uint64_t left_ms)
{
	struct buf content = { 0 };
	bool is_there;

	if (a->fragments == NULL && is_inside(name)) {
		forward_by(service_find_local(g->services, a->name), r,
		    g->conf->timeouts.request_ms, left_ms);
		return;
	}
	is_there = a->fragments != NULL && load(a, name, &content);
	(void)buf_str(&content);
	answer(r, name, is_there, &content);
	buf_free(&content);
}

void
fragment_serve(const struct gate *g, struct request *r, const struct gate_sender *sender,
    uint64_t left_ms)
{
	const struct conf_application *a;
	struct buf name = { 0 };
	bool is_other;

	if (!gate_find_service(g, r, sender, &a, &is_other))
		return;
	if (a == NULL || (a->fragments == NULL && !a->qewd))
		request_fail(r, ERR_NOT_ALLOWED, "ewd-fragment is not mapped by u_services, and "
		    "there is no folder of fragments");
	else if (!json_string_get(r->text, find_file(r), &name))
		request_fail(r, ERR_BAD_MESSAGE, "params.file must be a string");
	else {
		(void)buf_str(&name);
		serve(g, r, a, &name, left_ms);
	}
	buf_free(&name);
}
