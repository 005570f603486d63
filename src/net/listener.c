/* SPDX-License-Identifier: ISC */
/*
 * Accepting connections, pausing where descriptors run out.
 */
#include "net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "net/loop.h"

#define BACKLOG		1024
#define ACCEPTS_MAX	64	/* in one turn, so that sessions get theirs */
#define PAUSE_MS	200	/* without descriptors: until some have been closed */

struct listener {
	struct loop *loop;
	int fd;
	char *address;			/* as bound */
	char *unix_path;		/* NULL: TCP, or it is another's for good */
	bool owns_file;			/* and removes it */
	bool is_foreign;
	struct event *event;
	struct timer pause_timer;
	listener_accept_fn *accept;
	void *arg;
};

union any_address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
	struct sockaddr_storage storage;
};

static void on_acceptable(evutil_socket_t fd, short what, void *arg);

/* IPv4-mapped addresses are shown as the IPv4 address they are. */
static void
print_address(const union any_address *a, char *address, char *address_port)
{
	char text[INET6_ADDRSTRLEN] = "?";
	bool is_mapped;

	switch (a->any.sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &a->in.sin_addr, text, sizeof(text));
		snprintf(address, ADDRESS_MAX, "%s", text);
		snprintf(address_port, ADDRESS_MAX, "%s:%u", text, ntohs(a->in.sin_port));
		break;
	case AF_INET6:
		is_mapped = IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr);
		if (is_mapped)
			inet_ntop(AF_INET, &a->in6.sin6_addr.s6_addr[12], text, sizeof(text));
		else
			inet_ntop(AF_INET6, &a->in6.sin6_addr, text, sizeof(text));
		snprintf(address, ADDRESS_MAX, "%s", text);
		snprintf(address_port, ADDRESS_MAX, is_mapped ? "%s:%u" : "[%s]:%u", text,
		    ntohs(a->in6.sin6_port));
		break;
	default:
		snprintf(address, ADDRESS_MAX, "unix");
		snprintf(address_port, ADDRESS_MAX, "unix");
		break;
	}
}

static bool
resolve_where(const struct listener_where *w, union any_address *a, socklen_t *len)
{
	memset(a, 0, sizeof(*a));
	if (w->unix_path != NULL) {
		a->un.sun_family = AF_UNIX;
		*len = sizeof(a->un);
		return (size_t)snprintf(a->un.sun_path, sizeof(a->un.sun_path), "%s",
		    w->unix_path) < sizeof(a->un.sun_path);
	}
	if (inet_pton(AF_INET, w->host, &a->in.sin_addr) == 1) {
		a->in.sin_family = AF_INET;
		a->in.sin_port = htons(w->port);
		*len = sizeof(a->in);
		return true;
	}
	if (inet_pton(AF_INET6, w->host, &a->in6.sin6_addr) == 1) {
		a->in6.sin6_family = AF_INET6;
		a->in6.sin6_port = htons(w->port);
		*len = sizeof(a->in6);
		return true;
	}
	return false;
}

/* A socket file that nobody listens on is in the way after a crash. */
static void
remove_stale(const union any_address *a, socklen_t len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct stat st;

	if (fd < 0)
		return;
	if (connect(fd, &a->any, len) != 0 && errno == ECONNREFUSED &&
	    lstat(a->un.sun_path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(a->un.sun_path);
	close(fd);
}

/* What was wrong, and what the operator can do. */
static char *
listen_error(const struct listener_where *w, int errnum)
{
	const char *advice = "";

	if (errnum == EADDRINUSE)
		advice = w->unix_path != NULL ? ": a daemon listens there, or it is no socket" :
		    ": another program listens there; \"ss -ltnp\" shows it";
	else if (errnum == EADDRNOTAVAIL)
		advice = ": this machine has no such address; \"ip address\" shows those it has";
	else if (errnum == ENOENT && w->unix_path != NULL)
		advice = ": make its folder first";
	else if (errnum == EACCES && w->unix_path != NULL)
		advice = ": the user of usherd may not write to its folder";
	else if (errnum == EACCES)
		advice = ": a port below 1024 needs CAP_NET_BIND_SERVICE, or a socket of systemd";
	return xasprintf("%s%s", strerror(errnum), advice);
}

static int
open_socket(const union any_address *a, socklen_t len)
{
	int fd, on = 1;

	fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (a->any.sa_family == AF_UNIX)
		remove_stale(a, len);
	else
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (a->any.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, &a->any, len) != 0 || listen(fd, BACKLOG) != 0) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

struct listener *
listener_new(struct loop *loop, const struct listener_where *w, listener_accept_fn *fn, void *arg,
    char **error)
{
	char address[ADDRESS_MAX], address_port[ADDRESS_MAX];
	union any_address a;
	struct listener *l;
	socklen_t len;
	int fd;

	if (!resolve_where(w, &a, &len)) {
		*error = xasprintf("%s is no numeric address",
		    w->unix_path != NULL ? w->unix_path : w->host);
		return NULL;
	}
	if ((fd = w->fd > 0 ? w->fd : open_socket(&a, len)) < 0) {
		*error = listen_error(w, errno);
		return NULL;
	}
	len = sizeof(a);
	getsockname(fd, &a.any, &len);
	print_address(&a, address, address_port);
	l = xcalloc(1, sizeof(*l));
	l->loop = loop;
	l->fd = fd;
	l->accept = fn;
	l->arg = arg;
	l->address = w->unix_path != NULL ? xasprintf("unix:%s", w->unix_path) : xstrdup(address_port);
	l->unix_path = w->unix_path != NULL && !w->is_foreign ? xstrdup(w->unix_path) : NULL;
	l->owns_file = w->fd <= 0;
	l->is_foreign = w->is_foreign;
	l->event = event_new(loop_base(loop), fd, EV_READ | EV_PERSIST, on_acceptable, l);
	if (l->event == NULL || event_add(l->event, NULL) != 0)
		fatalx("cannot watch a descriptor");
	return l;
}

void
listener_free(struct listener *l)
{
	if (l == NULL)
		return;
	loop_timer_stop(l->loop, &l->pause_timer);
	event_free(l->event);
	close(l->fd);
	if (l->unix_path != NULL && l->owns_file)
		unlink(l->unix_path);
	free(l->unix_path);
	free(l->address);
	free(l);
}

int
listener_fd(const struct listener *l)
{
	return l->fd;
}

bool
listener_is_foreign(const struct listener *l)
{
	return l->is_foreign;
}

void
listener_keep_file(struct listener *l)
{
	l->owns_file = false;
}

void
listener_own_file(struct listener *l)
{
	l->owns_file = true;
}

void
listener_pause(struct listener *l)
{
	loop_timer_stop(l->loop, &l->pause_timer);
	event_del(l->event);
}

void
listener_resume(struct listener *l)
{
	event_add(l->event, NULL);
}

const char *
listener_address(const struct listener *l)
{
	return l->address;
}

static void
on_pause_over(void *arg)
{
	struct listener *l = arg;

	event_add(l->event, NULL);
}

/* No descriptors or memory: the waiting connections would wake us again and again. */
static void
pause_accepting(struct listener *l)
{
	log_warn("%s: not accepting for %u ms", l->address, PAUSE_MS);
	metrics_inc(loop_metrics(l->loop), METRIC_ACCEPT_PAUSES);
	event_del(l->event);
	loop_timer_set(l->loop, &l->pause_timer, PAUSE_MS, on_pause_over, l);
}

static void
on_acceptable(evutil_socket_t lfd, short what UNUSED, void *arg)
{
	char address[ADDRESS_MAX], address_port[ADDRESS_MAX];
	struct listener *l = arg;
	union any_address a;
	int fd, on = 1;

	for (int i = 0; i < ACCEPTS_MAX; i++) {
		socklen_t len = sizeof(a);

		memset(&a, 0, sizeof(a));
		fd = accept4(lfd, &a.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
			    errno == ENOBUFS)
				pause_accepting(l);
			else if (errno == EINTR || errno == ECONNABORTED)
				continue;
			return;
		}
		if (a.any.sa_family != AF_UNIX)
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		print_address(&a, address, address_port);
		metrics_inc(loop_metrics(l->loop), METRIC_CONNECTIONS);
		l->accept(fd, address, address_port, l->arg);
	}
}
