/* SPDX-License-Identifier: ISC */
/*
 * Who connects, and what bounds them: so many at a time, lines so long, so much that is not
 * read yet, and a time to say something.
 */
#include "admin/admin_socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/admin_commands.h"
#include "admin/admin_view.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "net/conn.h"
#include "net/listener.h"
#include "net/loop.h"

#define PEERS_MAX  32
#define LINE_MAX_BYTES 4096
#define UNREAD_MAX (1 << 20)	/* answers that wait: no more lines are looked at above it */
#define IDLE_MS	   60000	/* without a line, or with answers that nobody reads */

struct admin_socket {
	const struct admin_view *view;
	struct listener *listener;
	LIST_HEAD(, peer) peers;	/* owned */
	unsigned n_peers;
};

struct peer {
	LIST_ENTRY(peer) link;
	struct admin_socket *socket;
	struct conn *conn;		/* NULL: it has ended */
	struct buf in;			/* read, and not looked at */
	struct timer idle_timer;
	struct loop_work release;
};

static void on_accept(int, const char *, const char *, void *);
static void on_read(struct conn *, char *, size_t, void *);
static void on_drained(struct conn *, void *);
static void on_close(struct conn *, enum err, void *);

static const struct conn_events conn_events = {
	.on_read = on_read,
	.on_drained = on_drained,
	.on_close = on_close,
};

struct admin_socket *
admin_socket_new(const struct admin_view *view, const char *path, char **error)
{
	struct admin_socket *s = xcalloc(1, sizeof(*s));
	struct listener_where where = { .unix_path = path };
	mode_t before;

	s->view = view;
	LIST_INIT(&s->peers);
	/* Nobody else can open it, not even between bind() and a chmod(). */
	before = umask(0177);
	s->listener = listener_new(view->loop, &where, on_accept, s, error);
	umask(before);
	if (s->listener != NULL)
		return s;
	free(s);
	return NULL;
}

void
admin_socket_free(struct admin_socket *s)
{
	struct peer *p;

	if (s == NULL)
		return;
	listener_free(s->listener);
	while ((p = LIST_FIRST(&s->peers)) != NULL) {
		if (conn_queued(p->conn) > 0)
			conn_close(p->conn, ERR_STOPPING);
		else
			conn_abort(p->conn, ERR_STOPPING);
	}
	free(s);
}

/* ---- who connects ---- */

/* The mode of the file is enough, as long as nobody changes it. */
static bool
is_permitted(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
		return false;
	if (peer.uid == 0 || peer.uid == geteuid())
		return true;
	log_warnx("admin.socket: refused: process %d of user %u", (int)peer.pid,
	    (unsigned)peer.uid);
	return false;
}

/* A line that fits into any socket's buffer; whoever it is for need not read it. */
static void
refuse(int fd, const char *code, const char *error)
{
	struct buf line = { 0 };

	admin_commands_refuse(&line, code, error);
	(void)send(fd, line.data, line.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	buf_free(&line);
	close(fd);
}

static void
on_idle(void *arg)
{
	struct peer *p = arg;

	conn_abort(p->conn, ERR_IDLE);
}

static void
set_idle_timer(struct peer *p)
{
	loop_timer_set(p->socket->view->loop, &p->idle_timer, IDLE_MS, on_idle, p);
}

static void
on_accept(int fd, const char *address UNUSED, const char *address_port UNUSED, void *arg)
{
	struct admin_socket *s = arg;
	struct peer *p;

	if (!is_permitted(fd)) {
		refuse(fd, "not_allowed", "this socket is for root and for the daemon's own user");
		return;
	}
	if (s->n_peers >= PEERS_MAX) {
		refuse(fd, "too_many", "too many connections to this socket");
		return;
	}
	p = xcalloc(1, sizeof(*p));
	p->socket = s;
	p->conn = conn_new(s->view->loop, fd, &conn_events, p);
	LIST_INSERT_HEAD(&s->peers, p, link);
	s->n_peers++;
	set_idle_timer(p);
}

static void
release(void *arg)
{
	struct peer *p = arg;

	buf_free(&p->in);
	free(p);
}

static void
on_close(struct conn *conn UNUSED, enum err why UNUSED, void *arg)
{
	struct peer *p = arg;
	struct loop *loop = p->socket->view->loop;

	LIST_REMOVE(p, link);
	p->socket->n_peers--;
	p->conn = NULL;
	loop_timer_stop(loop, &p->idle_timer);
	loop_defer(loop, LOOP_FREE, &p->release, release, p);
}

/* ---- lines ---- */

static void
answer(struct peer *p, const char *line, size_t len)
{
	set_idle_timer(p);
	admin_commands_answer(p->socket->view, line, len, conn_out(p->conn));
	conn_touch(p->conn);
}

/* Nobody knows where the next line begins. */
static void
refuse_long_line(struct peer *p)
{
	admin_commands_refuse(conn_out(p->conn), "bad_request", "the line is too long");
	conn_touch(p->conn);
	conn_close(p->conn, ERR_TOO_BIG);
}

/* One line after the other, unless too many answers wait to be read. */
static void
answer_lines(struct peer *p)
{
	const char *lf;

	while (p->conn != NULL && conn_queued(p->conn) <= UNREAD_MAX && p->in.len > 0 &&
	    (lf = memchr(p->in.data, '\n', p->in.len)) != NULL) {
		size_t len = (size_t)(lf - p->in.data);

		if (len > LINE_MAX_BYTES) {
			refuse_long_line(p);
			return;
		}
		answer(p, p->in.data, len);
		buf_consume(&p->in, len + 1);
	}
	if (p->conn == NULL)
		return;
	if (conn_queued(p->conn) > UNREAD_MAX)
		conn_pause(p->conn);
	else if (p->in.len > LINE_MAX_BYTES)
		refuse_long_line(p);
}

static void
on_read(struct conn *conn UNUSED, char *data, size_t len, void *arg)
{
	struct peer *p = arg;

	buf_add(&p->in, data, len);
	answer_lines(p);
}

static void
on_drained(struct conn *conn, void *arg)
{
	struct peer *p = arg;

	conn_resume(conn);
	answer_lines(p);
}
