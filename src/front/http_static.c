/* SPDX-License-Identifier: ISC */
/*
 * Only what the configuration names can be asked for, so no path of a client ever reaches
 * the file system.
 */
#include "front/http_static.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (64 << 20)

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
