/* SPDX-License-Identifier: ISC */
/*
 * A stream with a persistent read event, and a write event only after EAGAIN.
 *
 * States: open -> lingering (closed by us in order: output still to be written,
 * input dropped until the peer's end or a timer) -> dead.  Lingering matters: to close
 * a socket with unread input makes the kernel send a reset, which can destroy a close
 * frame that the peer has not read yet.
 *
 * With TLS (net/tls) reading may have to wait until the socket can be written, and the other
 * way round; a TLS that broke is dropped, and the connection lingers without it.
 */
#include "net/conn.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/footprint.h"
#include "base/log.h"
#include "base/spares.h"
#include "base/xmalloc.h"
#include "net/loop.h"
#include "net/tls.h"

#define LINGER_MS	2000	/* closed: for the peer to take some more output, or to close too */
#define LINGER_MAX_MS	10000	/* in all, as long as it reads what was queued */
#define LINGER_BYTES	(16 << 20) /* that it sends meanwhile and nobody reads */
#define STALL_MS	30000	/* output that makes no progress for so long has no reader */
#define LARGE_READ	(16 << 10)
#define LAST_MAX	(256 << 10)	/* no more than this is taken for what may come */
#define WRITE_MAX	(1 << 20)	/* bytes in one write, so that one reader costs a turn little */
#define EARLY_MAX	(64 << 10)	/* more than that can wait for the end of the turn */
#define OWNER_BYTES	192		/* of what gets the bytes of a read, fetched ahead */

enum conn_state { CONN_OPEN, CONN_LINGERING, CONN_DEAD };

/* First what each read and each write needs. */
struct conn {
	struct loop *loop;
	const struct conn_events *ev;	/* borrowed */
	void *arg;
	struct tls *tls;		/* owned; NULL: plain, or it broke */
	int fd;
	enum conn_state state : 8;
	unsigned early_errno : 16;	/* of a write before its time: the kernel tells it once */
	bool is_paused;
	bool waits_to_write;		/* output waits, as a rule for the write event ... */
	bool watches_write;		/* ... which is set */
	bool is_shut;			/* our direction was shut down */
	bool is_secured;		/* the TLS handshake is over */
	bool reads_on_write;		/* TLS reads on when it can write ... */
	bool writes_on_read;		/* ... or writes on when it can read */
	bool is_pipe;			/* and no socket, as has turned out */
	uint32_t last_bytes;		/* of output that was written at once: as much may come again */
	uint32_t dropped;		/* lingering: bytes that came in */
	struct buf out;
	size_t written;			/* bytes of out that were written already */
	uint64_t n_written;		/* bytes that were written in all */
	struct loop_work flush;

	char *fault;			/* what broke the TLS */
	struct event *read_event, *write_event;
	union {
		uint64_t stall_ms;		/* open */
		uint64_t linger_until_ms;	/* lingering: however much progress it makes */
	};
	struct timer stall_timer;	/* output stalls; lingering: nor does the peer close */
	struct loop_work reread, release;
};

_Static_assert(sizeof(void *) > 8 || sizeof(struct conn) <= 248, "each client has one");

static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_writable(evutil_socket_t fd, short what, void *arg);
static void reread(void *arg);
static void flush_now(void *arg);
static void watch_write(struct conn *);
static void die(struct conn *);

struct conn *
conn_new(struct loop *loop, int fd, const struct conn_events *ev, void *arg)
{
	struct conn *c = xcalloc(1, sizeof(*c));

	c->loop = loop;
	c->fd = fd;
	c->stall_ms = STALL_MS;
	c->ev = ev;
	c->arg = arg;
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0)
		log_warn("fcntl");
	c->read_event = event_new(loop_base(loop), fd, EV_READ | EV_PERSIST, on_readable, c);
	if (c->read_event == NULL || event_add(c->read_event, NULL) != 0)
		fatalx("cannot watch a descriptor");
	++*loop_conns(loop);
	return c;
}

struct conn *
conn_new_tls(struct loop *loop, int fd, struct tls *tls, const struct conn_events *ev, void *arg)
{
	struct conn *c = conn_new(loop, fd, ev, arg);

	c->tls = tls;
	tls_set_fd(tls, fd);
	return c;
}

int
conn_detach(struct conn *c, struct tls **tls)
{
	int fd = c->fd;

	assert(c->state == CONN_OPEN && conn_queued(c) == 0);
	*tls = c->tls;
	c->tls = NULL;
	die(c);
	c->fd = -1;
	return fd;
}

void
conn_drop(int fd, struct tls *tls)
{
	tls_free(tls);
	close(fd);
}

struct conn *
conn_attach(struct loop *loop, int fd, struct tls *tls, const struct conn_events *ev, void *arg)
{
	struct conn *c;
	bool is_resumed;

	if (tls == NULL)
		return conn_new(loop, fd, ev, arg);
	c = conn_new_tls(loop, fd, tls, ev, arg);
	c->is_secured = tls_is_up(tls, &is_resumed);
	loop_defer(loop, LOOP_FLUSH, &c->reread, reread, c);
	return c;
}

void
conn_set_stall(struct conn *c, uint64_t within_ms)
{
	if (c->state == CONN_OPEN)
		c->stall_ms = within_ms;
}

void
conn_set_events(struct conn *c, const struct conn_events *ev, void *arg)
{
	c->ev = ev;
	c->arg = arg;
}

struct loop *
conn_loop(const struct conn *c)
{
	return c->loop;
}

const char *
conn_fault(const struct conn *c)
{
	return c->fault;
}

bool
conn_is_closed(const struct conn *c)
{
	return c->state != CONN_OPEN;
}

size_t
conn_queued(const struct conn *c)
{
	return c->out.len - c->written;
}

uint64_t
conn_position(const struct conn *c)
{
	return c->n_written + conn_queued(c);
}

uint64_t
conn_sent(const struct conn *c)
{
	return c->state == CONN_DEAD ? c->n_written : conn_position(c);
}

void
conn_footprint(const struct conn *c, struct footprint *f)
{
	footprint_add(f, c);
}

/* recv(2) and send(2) cost less than read(2) and write(2), which pipes need. */
static ssize_t
receive(struct conn *c, void *to, size_t len)
{
	ssize_t n;

	if (!c->is_pipe) {
		n = recv(c->fd, to, len, 0);
		if (n >= 0 || errno != ENOTSOCK)
			return n;
		c->is_pipe = true;
	}
	return read(c->fd, to, len);
}

static ssize_t
put(struct conn *c, const void *from, size_t len)
{
	ssize_t n;

	if (!c->is_pipe) {
		n = send(c->fd, from, len, MSG_NOSIGNAL);
		if (n >= 0 || errno != ENOTSOCK)
			return n;
		c->is_pipe = true;
	}
	return write(c->fd, from, len);
}

/* Bytes for the owner, or for nobody. */
static void
take(struct conn *c, char *data, size_t len)
{
	if (c->state == CONN_OPEN)
		c->ev->on_read(c, data, len, c->arg);
	else if ((c->dropped += (uint32_t)len) > LINGER_BYTES)
		die(c);
}

static void
on_stream_end(struct conn *c, enum err why)
{
	if (c->state == CONN_OPEN)
		conn_abort(c, why);
	else
		die(c);
}

/* ---- TLS ---- */

static void
note_handshake(struct conn *c)
{
	bool is_resumed;

	if (c->is_secured || !tls_is_up(c->tls, &is_resumed))
		return;
	c->is_secured = true;
	metrics_inc(loop_metrics(c->loop), METRIC_TLS_HANDSHAKES);
	if (is_resumed)
		metrics_inc(loop_metrics(c->loop), METRIC_TLS_RESUMED);
}

/*
 * OpenSSL has written its alert, and the peer gets a moment to read it.  Nothing that was queued
 * goes out plain.
 */
static void
on_tls_broken(struct conn *c)
{
	const char *answer = tls_plain_answer(c->tls);

	metrics_inc(loop_metrics(c->loop), METRIC_TLS_FAILED);
	c->fault = xstrdup(tls_fault(c->tls));
	tls_free(c->tls);
	c->tls = NULL;
	if (c->state != CONN_OPEN) {
		die(c);
		return;
	}
	c->waits_to_write = c->writes_on_read = c->reads_on_write = false;
	watch_write(c);
	c->written = 0;
	buf_free(&c->out);
	conn_close(c, ERR_BAD_TLS);
	if (answer != NULL)
		buf_add_str(&c->out, answer);
}

/* Neither reading nor writing goes on now. */
static void
on_tls_stop(struct conn *c, enum tls_stop stop)
{
	switch (stop) {
	case TLS_WANTS_READ:
	case TLS_WANTS_WRITE:
		break;
	case TLS_ENDED:
		on_stream_end(c, ERR_PEER_GONE);
		break;
	case TLS_RESET:
		on_stream_end(c, ERR_RESET);
		break;
	case TLS_BROKEN:
		on_tls_broken(c);
		break;
	}
}

/* What tls_read() gives until it stops, or its owner has enough. */
static void
read_tls(struct conn *c)
{
	enum tls_stop stop = TLS_WANTS_READ;
	size_t size, len;
	ssize_t n;

	tls_begin_turn(c->tls);
	do {
		char *data = loop_read_buffer(c->loop, &size);

		for (len = 0; len < size; len += (size_t)n)
			if ((n = tls_read(c->tls, data + len, size - len, &stop)) < 0)
				break;
		note_handshake(c);
		if (len > 0)
			take(c, data, len);
	} while (len == size && c->tls != NULL && c->state != CONN_DEAD && !c->is_paused);
	if (c->tls == NULL || c->state == CONN_DEAD || (c->is_paused && c->state == CONN_OPEN))
		return;		/* a paused one reads the rest, its end included, later */
	c->reads_on_write = stop == TLS_WANTS_WRITE;
	watch_write(c);
	if (stop == TLS_ENDED && len > 0)	/* what answers it is written first */
		loop_defer(c->loop, LOOP_FLUSH, &c->reread, reread, c);
	else
		on_tls_stop(c, stop);
	if (c->tls != NULL && c->state != CONN_DEAD && c->writes_on_read)
		flush_now(c);
}

/* Bytes that OpenSSL holds, the end of the stream too, are not told by the kernel again. */
static void
reread(void *arg)
{
	struct conn *c = arg;

	if (c->tls != NULL && c->state != CONN_DEAD && !(c->is_paused && c->state == CONN_OPEN))
		read_tls(c);
}

/* As write(2); 0: it is over, and has been told. */
static ssize_t
write_tls(struct conn *c, const char *data, size_t len)
{
	enum tls_stop stop;
	ssize_t n = tls_write(c->tls, data, len, &stop);

	note_handshake(c);
	c->writes_on_read = n < 0 && stop == TLS_WANTS_READ;
	if (n >= 0)
		return n;
	if (stop == TLS_WANTS_READ || stop == TLS_WANTS_WRITE) {
		errno = EAGAIN;
		return -1;
	}
	on_tls_stop(c, stop);
	return 0;
}

/* ---- reading ---- */

/*
 * Behind a large part of a large message the rest has come mostly, and to read it with that part
 * costs less than to copy both together.  An end or a fault is met by the next read.
 */
static ssize_t
read_more(struct conn *c, char *to, size_t room, size_t n_read)
{
	int there = 0;
	ssize_t n;

	if (n_read < LARGE_READ || room == 0)
		return 0;
	/* Only what is there: a read that met a fault would hide it from the next one. */
	if (ioctl(c->fd, FIONREAD, &there) != 0 || there <= 0)
		return 0;
	n = receive(c, to, room);
	return n > 0 ? n : 0;
}

/* One read per event: the kernel tells again if there is more, after the others had their turn. */
static ssize_t
read_once(struct conn *c)
{
	size_t size;
	char *data = loop_read_buffer(c->loop, &size);
	ssize_t n;

	/* The owner comes from memory while the kernel is asked. */
	for (uintptr_t at = (uintptr_t)c->arg, end = at + OWNER_BYTES; at < end; at += 64)
		__builtin_prefetch((const void *)at, 1);
	do
		n = receive(c, data, size);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		n += read_more(c, data + n, size - (size_t)n, (size_t)n);
		loop_reads_to(c->loop, data + n);
		take(c, data, (size_t)n);
		loop_reads_to(c->loop, NULL);
		return n;
	}
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return n;
	on_stream_end(c, n == 0 ? ERR_PEER_GONE : ERR_RESET);
	return 0;
}

static void
on_readable(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct conn *c = arg;

	if (c->tls != NULL)
		read_tls(c);
	else
		read_once(c);
}

void
conn_read_rest(struct conn *c)
{
	int left = 0;
	ssize_t n;

	/* No more than there is now: somebody else may hold the other end and go on writing. */
	if (ioctl(c->fd, FIONREAD, &left) != 0)
		left = 0;
	while (c->state == CONN_OPEN && left >= 0 && (n = read_once(c)) > 0)
		left -= (int)n;
}

void
conn_pause(struct conn *c)
{
	if (c->state == CONN_OPEN && !c->is_paused) {
		c->is_paused = true;
		event_del(c->read_event);
	}
}

void
conn_resume(struct conn *c)
{
	if (c->state == CONN_OPEN && c->is_paused) {
		c->is_paused = false;
		event_add(c->read_event, NULL);
		if (c->tls != NULL)
			loop_defer(c->loop, LOOP_FLUSH, &c->reread, reread, c);
	}
}

struct buf *
conn_out(struct conn *c)
{
	return &c->out;
}

struct buf *
conn_out_for(struct conn *c, size_t n)
{
	if (c->out.cap > 0)
		buf_reserve(&c->out, n);
	else
		spares_take_buf(loop_spares(c->loop), &c->out, n > c->last_bytes ? n : c->last_bytes);
	return &c->out;
}

/*
 * Not worth waiting for the end of the turn: the peer can begin while we tidy up.  Once a turn:
 * what does not go, and why, and everything that is said later, is for that end.  Nobody who sends
 * is called from here.
 */
static void
write_early(struct conn *c)
{
	size_t left = conn_queued(c);
	ssize_t n;

	if (c->tls != NULL || c->written > 0 || left == 0 || left > EARLY_MAX)
		return;
	n = put(c, c->out.data, left);
	if (n > 0) {
		c->written = (size_t)n;
		c->n_written += (uint64_t)n;
	} else if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
		c->early_errno = (unsigned)errno & 0xffff;
	}
}

/* As write(2). */
static ssize_t
write_some(struct conn *c, const char *data, size_t len)
{
	if (c->tls != NULL)
		return write_tls(c, data, len);
	if (c->early_errno != 0) {
		errno = (int)c->early_errno;
		return -1;
	}
	return put(c, data, len);
}

void
conn_touch(struct conn *c)
{
	if (c->state == CONN_DEAD || c->waits_to_write)
		return;
	if (loop_is_last(c->loop))
		write_early(c);
	loop_defer(c->loop, LOOP_FLUSH, &c->flush, flush_now, c);
}

void
conn_flush(struct conn *c)
{
	if (c->state == CONN_OPEN && !c->waits_to_write && conn_queued(c) > 0)
		flush_now(c);
}

void
conn_send(struct conn *c, const void *data, size_t len)
{
	if (c->state != CONN_OPEN)
		return;
	buf_add(&c->out, data, len);
	conn_touch(c);
}

static void
on_stalled(void *arg)
{
	struct conn *c = arg;

	if (c->state == CONN_OPEN)
		conn_abort(c, ERR_TOO_SLOW);
	else
		die(c);
}

/* It goes on: the peer has its time anew. */
static void
set_stall_timer(struct conn *c)
{
	uint64_t now_ms, wait_ms;

	if (c->state == CONN_OPEN) {
		wait_ms = c->stall_ms;
	} else {
		now_ms = clock_mono_ms();
		wait_ms = now_ms + LINGER_MS < c->linger_until_ms ? LINGER_MS :
		    now_ms < c->linger_until_ms ? c->linger_until_ms - now_ms : 0;
	}
	loop_timer_set(c->loop, &c->stall_timer, wait_ms, on_stalled, c);
}

/* Sets the write event, or takes it back. */
static void
watch_write(struct conn *c)
{
	bool is_needed = (c->waits_to_write && !c->writes_on_read) || c->reads_on_write;

	if (is_needed == c->watches_write)
		return;
	if (c->write_event == NULL)
		c->write_event = event_new(loop_base(c->loop), c->fd, EV_WRITE | EV_PERSIST,
		    on_writable, c);
	if (c->write_event == NULL)
		fatalx("cannot watch a descriptor");
	c->watches_write = is_needed;
	if (is_needed)
		event_add(c->write_event, NULL);
	else
		event_del(c->write_event);
}

static void
wait_to_write(struct conn *c)
{
	c->waits_to_write = true;
	watch_write(c);
	set_stall_timer(c);
}

/* What is expected falls slowly: a buffer that is too small is copied when it grows. */
static void
note_bytes(struct conn *c)
{
	uint32_t len = c->out.len < LAST_MAX ? (uint32_t)c->out.len : LAST_MAX;
	uint32_t before = c->last_bytes - c->last_bytes / 8;

	c->last_bytes = len > before ? len : before;
}

static void
on_all_written(struct conn *c)
{
	note_bytes(c);
	c->written = 0;
	spares_give_buf(loop_spares(c->loop), &c->out);	/* an idle connection holds none */
	if (c->waits_to_write && c->state == CONN_OPEN)	/* else it is not set, nor in a cache */
		loop_timer_stop(c->loop, &c->stall_timer);
	c->waits_to_write = false;
	watch_write(c);
	if (c->state == CONN_OPEN) {
		if (c->ev->on_drained != NULL)
			c->ev->on_drained(c, c->arg);
	} else if (c->tls != NULL && !c->is_shut && !tls_end_output(c->tls)) {
		wait_to_write(c);
	} else if (!c->is_shut) {
		c->is_shut = true;
		set_stall_timer(c);
		if (shutdown(c->fd, SHUT_WR) != 0)
			die(c);	/* a pipe, or the peer is gone */
	}
}

static void
flush_now(void *arg)
{
	struct conn *c = arg;
	size_t left, done = 0;
	ssize_t n;

	if (c->state == CONN_DEAD)
		return;
	while ((left = conn_queued(c)) > 0) {
		left = left < WRITE_MAX ? left : WRITE_MAX;
		n = write_some(c, c->out.data + c->written, left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			wait_to_write(c);
			return;
		}
		if (n < 0)
			on_stream_end(c, errno == EPIPE ? ERR_PEER_GONE : ERR_RESET);
		if (n <= 0)
			return;
		c->written += (size_t)n;
		c->n_written += (uint64_t)n;
		done += (size_t)n;
		if (done >= WRITE_MAX && conn_queued(c) > 0) {
			wait_to_write(c);
			return;
		}
	}
	on_all_written(c);
}

static void
on_writable(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct conn *c = arg;

	if (c->reads_on_write) {
		c->reads_on_write = false;
		watch_write(c);
		reread(c);
	}
	if (c->state == CONN_DEAD || !c->waits_to_write || c->writes_on_read)
		return;
	/* Written bytes are dropped in large steps, so that a long queue is not moved each time. */
	if (c->written > c->out.len / 2) {
		buf_consume(&c->out, c->written);
		c->written = 0;
	}
	flush_now(c);
}

void
conn_close(struct conn *c, enum err why)
{
	if (c->state != CONN_OPEN)
		return;
	c->state = CONN_LINGERING;
	c->linger_until_ms = clock_mono_ms() + LINGER_MAX_MS;
	if (c->is_paused)
		event_add(c->read_event, NULL);
	set_stall_timer(c);
	conn_touch(c);
	c->ev->on_close(c, why, c->arg);
}

void
conn_abort(struct conn *c, enum err why)
{
	bool was_open = c->state == CONN_OPEN;

	die(c);
	if (was_open)
		c->ev->on_close(c, why, c->arg);
}

static void
release(void *arg)
{
	struct conn *c = arg;

	/* Queued and died in one and the same flush phase: that flush comes next turn. */
	if (loop_work_is_waiting(&c->flush) || loop_work_is_waiting(&c->reread)) {
		loop_defer(c->loop, LOOP_FREE, &c->release, release, c);
		return;
	}
	event_free(c->read_event);
	if (c->write_event != NULL)
		event_free(c->write_event);
	tls_free(c->tls);
	free(c->fault);
	if (c->fd >= 0)
		close(c->fd);
	buf_free(&c->out);
	--*loop_conns(c->loop);
	free(c);
}

/* The memory goes at the end of the turn: callers up the stack may still look at the state. */
static void
die(struct conn *c)
{
	if (c->state == CONN_DEAD)
		return;
	c->state = CONN_DEAD;
	event_del(c->read_event);
	if (c->write_event != NULL)
		event_del(c->write_event);
	loop_timer_stop(c->loop, &c->stall_timer);
	loop_defer(c->loop, LOOP_FREE, &c->release, release, c);
}
