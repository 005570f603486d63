/* SPDX-License-Identifier: ISC */
/*
 * Connecting, writing a line, reading a line; nothing takes longer than PATIENCE_S.
 */
#include "ctl/ask.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/xmalloc.h"

#define PATIENCE_S 10
#define READ_BYTES 65536
#define ANSWER_MAX (256u << 20)

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
		    "daemon", path);
	default:
		return xasprintf("cannot connect to %s: %s", path, strerror(errno));
	}
}

/* -1: *error says why. */
static int
connect_to(const char *path, char **error)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
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
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
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

static bool
read_line(int fd, struct buf *answer, char **error)
{
	const char *lf = NULL;
	ssize_t n;

	while (lf == NULL && answer->len < ANSWER_MAX) {
		char *room = buf_reserve(answer, READ_BYTES);

		n = read(fd, room, READ_BYTES);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			*error = xasprintf("no answer within %d seconds", PATIENCE_S);
			return false;
		}
		if (n <= 0) {
			*error = xasprintf("the daemon closed the connection%s%s",
			    n < 0 ? ": " : "", n < 0 ? strerror(errno) : "");
			return false;
		}
		lf = memchr(room, '\n', (size_t)n);
		buf_used(answer, (size_t)n);
	}
	if (lf == NULL) {
		*error = xstrdup("the answer is too long");
		return false;
	}
	answer->len = (size_t)(lf - answer->data);
	return true;
}

bool
ask(const char *socket_path, const char *command, unsigned long limit, struct buf *answer,
    char **error)
{
	int fd = connect_to(socket_path, error);
	struct buf line = { 0 };
	bool is_answered;

	if (fd < 0)
		return false;
	buf_add_str(&line, "{\"command\":");
	buf_add_json_string(&line, command, strlen(command));
	if (limit > 0)
		buf_printf(&line, ",\"limit\":%lu", limit);
	buf_add_str(&line, "}\n");
	write_line(fd, &line);
	is_answered = read_line(fd, answer, error);
	buf_free(&line);
	close(fd);
	return is_answered;
}
