/* SPDX-License-Identifier: ISC */
/*
 * Sockets are found by the name that another usherd gave them, else by the address that they
 * are bound to.
 */
#include "net/activation.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/xmalloc.h"

#define FIRST_FD 3
#define FDS_MAX	 256

struct socket {
	int fd;				/* -1: taken */
	char *name;			/* as configured there; "" if systemd gave it */
	bool is_foreign;
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
		struct sockaddr_storage storage;
	} at;
};

struct activation {
	struct socket *sockets;
	size_t n;
	int parent_fd;			/* -1: nobody waits */
};

/* ---- the environment ---- */

/* A number of the environment; -1: it is not there, or none. */
static long
number_of(const char *name)
{
	const char *text = getenv(name);
	char *end;
	long n;

	if (text == NULL || *text < '0' || *text > '9')
		return -1;
	errno = 0;
	n = strtol(text, &end, 10);
	return *end == '\0' && errno == 0 ? n : -1;
}

/* The part up to the next colon, "%3A" and "%25" decoded; *text is behind it.  Gives. */
static char *
next_name(const char **text)
{
	struct buf name = { 0 };
	const char *p = *text;

	for (; *p != '\0' && *p != ':'; p++) {
		if (strncmp(p, "%3A", 3) == 0 || strncmp(p, "%25", 3) == 0) {
			buf_add_char(&name, p[1] == '3' ? ':' : '%');
			p += 2;
		} else {
			buf_add_char(&name, *p);
		}
	}
	*text = *p == ':' ? p + 1 : p;
	return buf_take(&name);
}

char *
activation_name(const char *name, bool is_foreign)
{
	struct buf out = { 0 };

	buf_add_str(&out, is_foreign ? "" : ACTIVATION_OWN);
	for (const char *p = name; *p != '\0'; p++) {
		if (*p == ':')
			buf_add_str(&out, "%3A");
		else if (*p == '%')
			buf_add_str(&out, "%25");
		else
			buf_add_char(&out, *p);
	}
	return buf_take(&out);
}

/* Only what is meant for this process: the variables may have been inherited. */
static bool
is_for_us(bool is_upgrade)
{
	long pid = number_of("LISTEN_PID");

	return pid == (long)(is_upgrade ? getppid() : getpid());
}

/* false: *error.  Takes name. */
static bool
add_socket(struct activation *a, int fd, char *name, bool is_upgrade, char **error)
{
	struct socket *s = &a->sockets[a->n++];
	int is_listening = 0, type = 0;
	socklen_t len = sizeof(is_listening), type_len = sizeof(type), at_len = sizeof(s->at);
	size_t own_len = strlen(ACTIVATION_OWN);
	bool is_own = strncmp(name, ACTIVATION_OWN, own_len) == 0;

	s->fd = fd;
	s->is_foreign = !is_own;
	s->name = xstrdup(!is_upgrade ? "" : is_own ? name + own_len : name);
	free(name);
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &len) != 0 || !is_listening ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) != 0 || type != SOCK_STREAM ||
	    getsockname(fd, &s->at.any, &at_len) != 0) {
		*error = xasprintf("LISTEN_FDS: descriptor %d is no listening stream socket", fd);
		return false;
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return true;
}

static void
forget_environment(void)
{
	static const char *const names[] = { "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES",
		"LISTEN_PIDFDID", "USHER_UPGRADE" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unsetenv(names[i]);
}

struct activation *
activation_new(char **error)
{
	struct activation *a;
	long n = number_of("LISTEN_FDS"), parent_fd = number_of("USHER_UPGRADE");
	const char *names = getenv("LISTEN_FDNAMES");
	bool is_good = true;

	*error = NULL;
	if (n < 0 || n > FDS_MAX || parent_fd > INT_MAX || !is_for_us(parent_fd >= 0)) {
		forget_environment();
		return NULL;
	}
	a = xcalloc(1, sizeof(*a));
	a->parent_fd = (int)parent_fd;
	if (a->parent_fd >= 0)
		fcntl(a->parent_fd, F_SETFD, FD_CLOEXEC);
	a->sockets = xcalloc((size_t)n, sizeof(*a->sockets));
	if (names == NULL)
		names = "";
	for (int fd = FIRST_FD; is_good && fd < FIRST_FD + n; fd++)
		is_good = add_socket(a, fd, next_name(&names), a->parent_fd >= 0, error);
	forget_environment();
	if (is_good)
		return a;
	activation_free(a);
	return NULL;
}

void
activation_free(struct activation *a)
{
	if (a == NULL)
		return;
	if (a->parent_fd >= 0)
		close(a->parent_fd);
	for (size_t i = 0; i < a->n; i++) {
		if (a->sockets[i].fd >= 0)
			close(a->sockets[i].fd);
		free(a->sockets[i].name);
	}
	free(a->sockets);
	free(a);
}

bool
activation_is_upgrade(const struct activation *a)
{
	return a->parent_fd >= 0;
}

void
activation_tell(struct activation *a)
{
	if (write(a->parent_fd, "ready\n", 6) != 6)
		log_warn("cannot tell the usherd that started this one");
}

bool
activation_is_alone(const struct activation *a)
{
	char c;

	return recv(a->parent_fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
	    (errno != EAGAIN && errno != EINTR);
}

/* ---- finding ---- */

static bool
is_at(const struct socket *s, const struct listener_where *w)
{
	struct in6_addr in6;
	struct in_addr in;

	switch (s->at.any.sa_family) {
	case AF_UNIX:
		return w->unix_path != NULL && strcmp(s->at.un.sun_path, w->unix_path) == 0;
	case AF_INET:
		return w->unix_path == NULL && w->port == ntohs(s->at.in.sin_port) &&
		    inet_pton(AF_INET, w->host, &in) == 1 &&
		    in.s_addr == s->at.in.sin_addr.s_addr;
	case AF_INET6:
		return w->unix_path == NULL && w->port == ntohs(s->at.in6.sin6_port) &&
		    inet_pton(AF_INET6, w->host, &in6) == 1 &&
		    memcmp(&in6, &s->at.in6.sin6_addr, sizeof(in6)) == 0;
	default:
		return false;
	}
}

static struct socket *
find(struct activation *a, const struct listener_where *w, const char *name)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->sockets[i].fd >= 0 && strcmp(a->sockets[i].name, name) == 0)
			return &a->sockets[i];
	for (size_t i = 0; i < a->n; i++)
		if (a->sockets[i].fd >= 0 && is_at(&a->sockets[i], w))
			return &a->sockets[i];
	return NULL;
}

int
activation_take(struct activation *a, const struct listener_where *w, const char *name,
    bool *is_foreign)
{
	struct socket *s = a != NULL ? find(a, w, name) : NULL;
	int fd;

	if (s == NULL)
		return -1;
	*is_foreign = s->is_foreign;
	fd = s->fd;
	s->fd = -1;
	return fd;
}

static void
add_address(struct buf *b, const struct socket *s)
{
	char text[INET6_ADDRSTRLEN] = "?";

	switch (s->at.any.sa_family) {
	case AF_UNIX:
		buf_printf(b, "unix:%s", s->at.un.sun_path);
		break;
	case AF_INET:
		inet_ntop(AF_INET, &s->at.in.sin_addr, text, sizeof(text));
		buf_printf(b, "%s:%u", text, ntohs(s->at.in.sin_port));
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &s->at.in6.sin6_addr, text, sizeof(text));
		buf_printf(b, "[%s]:%u", text, ntohs(s->at.in6.sin6_port));
		break;
	default:
		buf_printf(b, "a socket of family %d", s->at.any.sa_family);
	}
}

char *
activation_left(const struct activation *a)
{
	struct buf names = { 0 };

	for (size_t i = 0; a != NULL && i < a->n; i++) {
		if (a->sockets[i].fd < 0)
			continue;
		if (names.len > 0)
			buf_add_str(&names, ", ");
		add_address(&names, &a->sockets[i]);
	}
	return names.len > 0 ? buf_take(&names) : NULL;
}
