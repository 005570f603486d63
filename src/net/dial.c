/* SPDX-License-Identifier: ISC */
/*
 * Non-blocking connect(2) over the addresses of a host.
 */
#include "net/dial.h"

#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "net/loop.h"
#include "net/resolve.h"

struct dial {
	struct loop *loop;
	struct resolve_job *job;	/* under way; NULL: done */
	struct addrinfo *found, *next;	/* all of them; the next to try */
	int fd;				/* of the attempt under way; -1: none */
	int last_errno;
	struct event *event;
	struct timer timer;
	dial_done_fn *done;
	void *arg;
};

static void on_resolved(struct addrinfo *, const char *, void *);
static void on_timeout(void *);
static void try_next(struct dial *);

struct dial *
dial_start(struct loop *loop, struct resolver *r, const char *host, uint16_t port,
    uint64_t timeout_ms, dial_done_fn *done, void *arg)
{
	struct dial *d = xcalloc(1, sizeof(*d));

	d->loop = loop;
	d->fd = -1;
	d->done = done;
	d->arg = arg;
	d->job = resolve(r, loop, host, port, on_resolved, d);
	loop_timer_set(loop, &d->timer, timeout_ms, on_timeout, d);
	return d;
}

static void
drop_attempt(struct dial *d)
{
	if (d->event != NULL)
		event_free(d->event);
	d->event = NULL;
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}

void
dial_cancel(struct dial *d)
{
	if (d == NULL)
		return;
	if (d->job != NULL)
		resolve_cancel(d->job);
	drop_attempt(d);
	loop_timer_stop(d->loop, &d->timer);
	if (d->found != NULL)
		freeaddrinfo(d->found);
	free(d);
}

static void
finish(struct dial *d, int fd, enum err e, const char *why)
{
	dial_done_fn *done = d->done;
	void *arg = d->arg;

	dial_cancel(d);
	done(fd, e, why, arg);
}

static void
on_timeout(void *arg)
{
	finish(arg, -1, ERR_HANDSHAKE_TIMEOUT, "no connection within timeouts.dial");
}

static void
on_resolved(struct addrinfo *found, const char *why, void *arg)
{
	struct dial *d = arg;

	d->job = NULL;
	if (found == NULL) {
		finish(d, -1, ERR_NO_ADDRESS, why);
		return;
	}
	d->found = d->next = found;
	try_next(d);
}

static void
on_connected(evutil_socket_t fd, short what UNUSED, void *arg)
{
	struct dial *d = arg;
	socklen_t len = sizeof(int);
	int e = 0, on = 1;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len) != 0)
		e = errno;
	if (e != 0) {
		d->last_errno = e;
		drop_attempt(d);
		try_next(d);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	d->fd = -1;
	finish(d, fd, ERR_NONE, NULL);
}

static bool
is_loopback(const struct sockaddr *a)
{
	if (a->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr) >> 24 ==
		    IN_LOOPBACKNET;
	return a->sa_family == AF_INET6 &&
	    IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)a)->sin6_addr);
}

/*
 * BBR spreads what is sent over a round trip, by a timer for each packet, so that no queue builds
 * up on the way.  The loopback interface has no way, and the timers took a third of the CPU for
 * large messages (doc/performance.md).  Reno is in every kernel; if it is refused, nothing else is
 * lost.
 */
static void
leave_out_pacing(int fd)
{
	char name[16] = "";	/* TCP_CA_NAME_MAX */
	socklen_t len = sizeof(name) - 1;

	if (getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len) == 0 &&
	    strncmp(name, "bbr", 3) == 0)
		setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", strlen("reno"));
}

/* A socket that is connected, or being so; -1, and errno says why not. */
static int
begin_connect(const struct addrinfo *a)
{
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), saved;

	if (fd < 0)
		return -1;
	if (is_loopback(a->ai_addr))
		leave_out_pacing(fd);
	if (connect(fd, a->ai_addr, a->ai_addrlen) == 0 || errno == EINPROGRESS)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static void
try_next(struct dial *d)
{
	struct addrinfo *a;

	while ((a = d->next) != NULL) {
		d->next = a->ai_next;
		d->fd = begin_connect(a);
		if (d->fd >= 0) {
			d->event = event_new(loop_base(d->loop), d->fd, EV_WRITE, on_connected, d);
			if (d->event == NULL || event_add(d->event, NULL) != 0)
				fatalx("cannot watch a descriptor");
			return;
		}
		d->last_errno = errno;
	}
	finish(d, -1, ERR_REFUSED, strerror(d->last_errno));
}
