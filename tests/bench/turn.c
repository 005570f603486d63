/* SPDX-License-Identifier: ISC */
/*
 * One epoll instance; a stream is watched for reading always, for writing after
 * EAGAIN only.
 */
#include "turn.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/xmalloc.h"

#define EVENTS_MAX  512
#define INPUT_BYTES 262144
#define KEEP_BYTES  512		/* of an output buffer while it is empty */
#define BACKLOG	    4096

struct turn {
	int epoll_fd;
	struct stream listener;
	void (*on_accept)(struct turn *, int);
	struct stream *dirty, *dead;
	char *input;
};

struct turn *
turn_new(void)
{
	struct turn *t = xcalloc(1, sizeof(*t));

	/* To wake when it is time, and not up to 50 us later. */
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	if ((t->epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0)
		err(1, "epoll_create1");
	t->listener.fd = -1;
	t->input = xmalloc(INPUT_BYTES);
	return t;
}

static void
watch(struct stream *s, int op, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = s };

	if (epoll_ctl(s->turn->epoll_fd, op, s->fd, &e) != 0)
		err(1, "epoll_ctl");
}

void
stream_open(struct stream *s, struct turn *t, int fd, const struct stream_events *ev)
{
	int on = 1;

	*s = (struct stream){ .turn = t, .ev = ev, .fd = fd };
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	watch(s, EPOLL_CTL_ADD, EPOLLIN);
}

void
stream_touch(struct stream *s)
{
	if (s->fd < 0 || s->is_dirty || s->waits_to_write)
		return;
	s->is_dirty = true;
	s->next_dirty = s->turn->dirty;
	s->turn->dirty = s;
}

void
stream_close(struct stream *s)
{
	if (s->fd < 0)
		return;
	close(s->fd);
	s->fd = -1;
	s->next_dead = s->turn->dead;
	s->turn->dead = s;
}

static void
end_of_stream(struct stream *s)
{
	if (s->ev->on_end != NULL)
		s->ev->on_end(s);
	stream_close(s);
}

static void
flush(struct stream *s)
{
	ssize_t n;

	while (s->written < s->out.len) {
		n = send(s->fd, s->out.data + s->written, s->out.len - s->written,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			if (!s->waits_to_write)
				watch(s, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
			s->waits_to_write = true;
			return;
		}
		if (n < 0) {
			end_of_stream(s);
			return;
		}
		s->written += (size_t)n;
	}
	s->written = 0;
	buf_reset(&s->out, KEEP_BYTES);
	if (s->waits_to_write)
		watch(s, EPOLL_CTL_MOD, EPOLLIN);
	s->waits_to_write = false;
}

static void
read_some(struct stream *s)
{
	ssize_t n = recv(s->fd, s->turn->input, INPUT_BYTES, MSG_DONTWAIT);

	if (n > 0)
		s->ev->on_read(s, s->turn->input, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		end_of_stream(s);
}

static void
accept_all(struct turn *t)
{
	int fd;

	while ((fd = accept4(t->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		t->on_accept(t, fd);
	if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
		err(1, "accept4");
}

static void
end_of_turn(struct turn *t)
{
	struct stream *s;

	while ((s = t->dirty) != NULL) {
		t->dirty = s->next_dirty;
		s->is_dirty = false;
		if (s->fd >= 0)
			flush(s);
	}
	while ((s = t->dead) != NULL) {
		t->dead = s->next_dead;
		buf_free(&s->out);
		s->ev->on_gone(s);
	}
}

/* To the nanosecond where there is a timeout; without one, by the call that valgrind knows too. */
static int
wait_for(struct turn *t, struct epoll_event *event, int64_t timeout_ns)
{
	struct timespec ts = { timeout_ns / 1000000000, timeout_ns % 1000000000 };

	if (timeout_ns < 0)
		return epoll_wait(t->epoll_fd, event, EVENTS_MAX, -1);
	return epoll_pwait2(t->epoll_fd, event, EVENTS_MAX, &ts, NULL);
}

void
turn_run(struct turn *t, int64_t timeout_ns)
{
	struct epoll_event event[EVENTS_MAX];
	int n;

	end_of_turn(t);		/* what was queued between turns */
	n = wait_for(t, event, timeout_ns);
	if (n < 0 && errno != EINTR)
		err(1, "epoll_pwait2");
	for (int i = 0; i < n; i++) {
		struct stream *s = event[i].data.ptr;

		if (s == &t->listener)
			accept_all(t);
		else if (s->fd >= 0 && (event[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
			read_some(s);
		if (s->fd >= 0 && (event[i].events & EPOLLOUT) != 0)
			flush(s);
	}
	end_of_turn(t);
}

static struct sockaddr_in
local(uint32_t address, uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(address) };
}

void
turn_listen(struct turn *t, uint16_t port, void (*on_accept)(struct turn *, int))
{
	struct sockaddr_in at = local(INADDR_LOOPBACK, port);
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, BACKLOG) != 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) != 0)
		err(1, "listen on port %u", port);
	t->on_accept = on_accept;
	t->listener = (struct stream){ .turn = t, .fd = fd };
	watch(&t->listener, EPOLL_CTL_ADD, EPOLLIN);
	fprintf(stderr, "listening on 127.0.0.1:%u\n", ntohs(at.sin_port));
}

int
turn_connect(uint16_t port, unsigned from)
{
	struct sockaddr_in to = local(INADDR_LOOPBACK, port);
	struct sockaddr_in own = local((INADDR_LOOPBACK & 0xff000000) | 0x100 | from, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		err(1, "socket");
	/* The port is chosen when it connects, so that each address has all ports to each peer. */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (from != 0 && bind(fd, (struct sockaddr *)&own, sizeof(own)) != 0)
		err(1, "bind");
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		err(1, "connect to port %u", port);
	return fd;
}

uint16_t
port_of(const char *text)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0' || port > UINT16_MAX)
		errx(2, "%s is no port", text);
	return (uint16_t)port;
}

void
raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		err(1, "getrlimit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		warn("setrlimit");
}

uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}
