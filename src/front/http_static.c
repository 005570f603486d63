/* SPDX-License-Identifier: ISC */
/*
 * Only what the configuration names can be asked for, so no path of a client ever reaches
 * the file system.
 */
#include "front/http_static.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "front/client.h"
#include "front/http_exchange.h"

#define FILE_MAX (64 << 20)

struct http_static {
	const struct conf *conf;
	struct http_service files;
};

static const struct {
	const char *ending, *type;
} types[] = {
	{ ".html", "text/html; charset=utf-8" },
	{ ".js", "text/javascript; charset=utf-8" },
	{ ".mjs", "text/javascript; charset=utf-8" },
	{ ".css", "text/css; charset=utf-8" },
	{ ".json", "application/json" },
	{ ".map", "application/json" },
	{ ".svg", "image/svg+xml" },
	{ ".png", "image/png" },
	{ ".jpg", "image/jpeg" },
	{ ".ico", "image/x-icon" },
	{ ".woff2", "font/woff2" },
	{ ".txt", "text/plain; charset=utf-8" },
};

const struct conf_static *
http_static_find(const struct conf *conf, struct http_text path)
{
	for (size_t i = 0; i < conf->n_statics; i++)
		if (strlen(conf->statics[i].path) == path.len &&
		    memcmp(conf->statics[i].path, path.p, path.len) == 0)
			return &conf->statics[i];
	return NULL;
}

static bool
read_all(int fd, size_t size, struct buf *content)
{
	while (size > 0) {
		ssize_t n = read(fd, buf_reserve(content, size), size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		if (n == 0)
			break;	/* it has become shorter */
		buf_used(content, (size_t)n);
		size -= (size_t)n;
	}
	return true;
}

bool
http_static_read(const struct conf_static *s, struct buf *content)
{
	int fd = open(s->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK), saved;
	struct stat st;
	bool is_good;

	if (fd < 0)
		return false;
	errno = 0;
	is_good = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= FILE_MAX &&
	    read_all(fd, (size_t)st.st_size, content);
	saved = errno != 0 ? errno : EFBIG;
	close(fd);
	errno = saved;
	return is_good;
}

const char *
http_static_type(const struct conf_static *s)
{
	size_t len = strlen(s->file), n;

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		n = strlen(types[i].ending);
		if (len >= n && strcmp(s->file + len - n, types[i].ending) == 0)
			return types[i].type;
	}
	return "application/octet-stream";
}

static bool
is_for_files(const struct http_head *head, const struct client *client UNUSED, void *arg)
{
	const struct http_static *s = arg;

	return http_static_find(s->conf, head->path) != NULL;
}

static size_t
on_head(struct http_exchange *x, void *arg UNUSED)
{
	static const struct http_answer options = { .status = 204,
		.extra = "Allow: GET, HEAD, OPTIONS\r\n" };
	struct http_text method = http_exchange_head(x)->method;

	if (http_text_is(method, "OPTIONS"))
		http_exchange_answer(x, &options);
	else if (!http_text_is(method, "GET") && !http_text_is(method, "HEAD"))
		http_exchange_refuse(x, 405, "Allow: GET, HEAD, OPTIONS\r\n",
		    "only GET and HEAD are served\n");
	return 0;
}

static void
on_file_request(struct http_exchange *x, void *arg)
{
	const struct http_static *s = arg;
	const struct conf_static *file = http_static_find(s->conf, http_exchange_head(x)->path);
	struct http_answer a = { .status = 200, .extra = "Cache-Control: no-cache\r\n" };
	struct buf content = { 0 };

	if (!http_static_read(file, &content)) {
		log_warn_for(http_exchange_client(x)->label, "static %s: %s", file->path, file->file);
		http_exchange_refuse(x, 500, NULL, "the file cannot be read\n");
	} else {
		a.type = http_static_type(file);
		a.body = content.data;
		a.len = content.len;
		http_exchange_answer(x, &a);
	}
	buf_free(&content);
}

struct http_static *
http_static_new(const struct conf *conf)
{
	struct http_static *s = xcalloc(1, sizeof(*s));

	s->conf = conf;
	s->files = (struct http_service){ is_for_files, on_head, on_file_request, s };
	return s;
}

void
http_static_free(struct http_static *s)
{
	free(s);
}

const struct http_service *
http_static_files(const struct http_static *s)
{
	return &s->files;
}
