/* SPDX-License-Identifier: ISC */
/*
 * Connecting, writing a line, reading lines.
 */
#include "ctl/ask.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/xmalloc.h"

#define CONNECT_S  10		/* to connect and to write */
#define READ_BYTES 65536
#define ANSWER_MAX (256u << 20)

struct asking {
	int fd;
	struct buf in;			/* read, and not given */
};

static char *
why_not_connected(const char *path)
{
	switch (errno) {
	case ENOENT:
		return xasprintf("cannot connect to %s: there is no such socket; does usherd run, "
		    "and is this its admin.socket? (usherctl -s SOCKET)", path);
	case ECONNREFUSED:
		return xasprintf("cannot connect to %s: nobody listens there; does usherd run?",
		    path);
	case EACCES:
		return xasprintf("cannot connect to %s: it is for root and for the user of the "
		    "daemon, or for members of admin.group", path);
	default:
		return xasprintf("cannot connect to %s: %s", path, strerror(errno));
	}
}

/* -1: *error says why. */
static int
connect_to(const char *path, char **error)
{
	const struct timeval patience = { .tv_sec = CONNECT_S };
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd;

	if ((size_t)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path) >= sizeof(a.sun_path)) {
		*error = xasprintf("cannot connect to %s: the path is too long", path);
		return -1;
	}
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0) {
		*error = xasprintf("cannot make a socket: %s", strerror(errno));
		return -1;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) != 0) {
		*error = why_not_connected(path);
		close(fd);
		return -1;
	}
	return fd;
}

/* A daemon that refuses has answered and closed before it reads: so nothing is made of errors. */
static void
write_line(int fd, const struct buf *line)
{
	size_t done = 0;
	ssize_t n;

	while (done < line->len) {
		n = send(fd, line->data + done, line->len - done, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		done += (size_t)n;
	}
}

struct asking *
asking_new(const char *socket_path, const struct buf *line, char **error)
{
	int fd = connect_to(socket_path, error);
	struct asking *a;

	if (fd < 0)
		return NULL;
	a = xcalloc(1, sizeof(*a));
	a->fd = fd;
	write_line(fd, line);
	return a;
}

void
asking_free(struct asking *a)
{
	if (a == NULL)
		return;
	close(a->fd);
	buf_free(&a->in);
	free(a);
}

/* false: *error says why. */
static bool
read_more(struct asking *a, unsigned patience_s, char **error)
{
	char *room = buf_reserve(&a->in, READ_BYTES);
	ssize_t n;

	while ((n = read(a->fd, room, READ_BYTES)) < 0 && errno == EINTR)
		;
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		*error = xasprintf("no answer within %u seconds", patience_s);
		return false;
	}
	if (n <= 0) {
		*error = xasprintf("the daemon closed the connection%s%s", n < 0 ? ": " : "",
		    n < 0 ? strerror(errno) : "");
		return false;
	}
	buf_used(&a->in, (size_t)n);
	return true;
}

bool
asking_next(struct asking *a, unsigned patience_s, struct buf *answer, char **error)
{
	const struct timeval patience = { .tv_sec = (time_t)patience_s };
	const char *lf;
	size_t from = 0;

	setsockopt(a->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	while (a->in.len == from ||
	    (lf = memchr(a->in.data + from, '\n', a->in.len - from)) == NULL) {
		from = a->in.len;
		if (from >= ANSWER_MAX) {
			*error = xstrdup("the answer is too long");
			return false;
		}
		if (!read_more(a, patience_s, error))
			return false;
	}
	buf_reset(answer, SIZE_MAX);
	buf_add(answer, a->in.data, (size_t)(lf - a->in.data));
	buf_consume(&a->in, (size_t)(lf - a->in.data) + 1);
	return true;
}
