/* SPDX-License-Identifier: ISC */
/*
 * The first byte is looked at without taking it: a header begins with CR, as nothing else that
 * is spoken here does.  From then on bytes are read up to the end of the header, and no further.
 */
#include "net/proxy_intro.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "codec/proxy_v2.h"
#include "net/loop.h"

struct proxy_intro {
	struct loop *loop;
	int fd;
	struct event *event;
	struct timer timer;		/* it takes too long */
	proxy_intro_fn *fn;
	void *arg;
	size_t n;			/* bytes of the header that are here */
	uint8_t head[PROXY_V2_MAX];
};

static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_too_late(void *arg);

struct proxy_intro *
proxy_intro_new(struct loop *loop, int fd, uint64_t within_ms, proxy_intro_fn *fn, void *arg)
{
	struct proxy_intro *p = xcalloc(1, sizeof(*p));

	p->loop = loop;
	p->fd = fd;
	p->fn = fn;
	p->arg = arg;
	p->event = event_new(loop_base(loop), fd, EV_READ | EV_PERSIST, on_readable, p);
	if (p->event == NULL || event_add(p->event, NULL) != 0)
		fatalx("cannot watch a descriptor");
	loop_timer_set(loop, &p->timer, within_ms, on_too_late, p);
	return p;
}

void
proxy_intro_free(struct proxy_intro *p)
{
	if (p == NULL)
		return;
	loop_timer_stop(p->loop, &p->timer);
	event_free(p->event);
	free(p);
}

/* Half a header is a bad one; who says nothing at all has just been looking. */
static void
end(struct proxy_intro *p, const char *why)
{
	struct proxy_v2 header = { .fault = "a header that is cut off" };

	if (p->n > 0)
		p->fn(&header, header.fault, p->arg);
	else
		p->fn(NULL, why, p->arg);
}

static void
on_too_late(void *arg)
{
	struct proxy_intro *p = arg;

	end(p, "it took longer than timeouts.http_head");
}

/* 0: there is nothing now; -1: it is over, and has been told. */
static ssize_t
receive(struct proxy_intro *p, size_t want, int flags)
{
	ssize_t n;

	do
		n = recv(p->fd, p->head + p->n, want, flags);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		return n;
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	end(p, n == 0 ? "it ended before its first byte" : "it was reset");
	return -1;
}

/* Is a header to be expected?  false: not, or not yet. */
static bool
looks_like_header(struct proxy_intro *p)
{
	ssize_t n;

	if (p->n > 0)
		return true;
	if ((n = receive(p, 1, MSG_PEEK)) <= 0)
		return false;
	if (p->head[0] == proxy_v2_sign[0])
		return true;
	p->fn(NULL, NULL, p->arg);
	return false;
}

static void
on_readable(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct proxy_intro *p = arg;
	struct proxy_v2 header = { .need = PROXY_V2_FIXED };
	enum proxy_v2_state state = PROXY_V2_MORE;
	ssize_t n;

	if (!looks_like_header(p))
		return;
	while (state == PROXY_V2_MORE) {
		if (p->n > 0)
			(void)proxy_v2_decode(p->head, p->n, &header);
		if ((n = receive(p, header.need - p->n, 0)) <= 0)
			return;
		p->n += (size_t)n;
		state = proxy_v2_decode(p->head, p->n, &header);
	}
	p->fn(&header, header.fault, p->arg);
}
