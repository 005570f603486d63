/* SPDX-License-Identifier: ISC */
/*
 * Who connects, and what bounds them: so many at a time, lines so long, so much that is not
 * read yet, and a time to say something.
 */
#include "admin/admin_socket.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/admin_command.h"
#include "admin/admin_commands.h"
#include "admin/admin_view.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "conf/conf.h"
#include "net/conn.h"
#include "net/listener.h"
#include "net/loop.h"

#define PEERS_MAX  32
#define GROUPS_MAX 1024	/* of a process; of one in more only its primary group counts */
#define IDLE_MS	   60000	/* without a line, or with answers that nobody reads */

struct admin_socket {
	const struct admin_view *view;
	struct listener *listener;
	LIST_HEAD(, peer) peers;	/* owned */
	unsigned n_peers;
	bool has_group;			/* whose members are served as well */
	gid_t group;
};

struct peer {
	LIST_ENTRY(peer) link;
	struct admin_socket *socket;
	struct conn *conn;		/* NULL: it has ended */
	struct buf in;			/* read, and not looked at */
	struct admin_asker asker;
	int fd;				/* the connection's */
	gid_t gid;			/* of the process that connected */
	bool is_asking;			/* answer_lines() is up the stack */
	struct timer idle_timer;	/* while nothing is asked */
	struct timer again_timer;	/* the next line may be looked at */
	struct loop_work release;
};

static void on_accept(int, const char *, const char *, void *);
static void on_read(struct conn *, char *, size_t, void *);
static void on_drained(struct conn *, void *);
static void on_close(struct conn *, enum err, void *);
static void on_line(const struct buf *, bool, void *);
static size_t queued(void *);
static bool may_ask(const struct admin_socket *, int, uid_t, gid_t);

static const struct conn_events conn_events = {
	.on_read = on_read,
	.on_drained = on_drained,
	.on_close = on_close,
};

/* Who is connected may ask on only as long as it might connect. */
static void
close_strangers(struct admin_socket *s)
{
	struct peer *p, *next;

	for (p = LIST_FIRST(&s->peers); p != NULL; p = next) {
		next = LIST_NEXT(p, link);
		if (may_ask(s, p->fd, p->asker.who.uid, p->gid))
			continue;
		log_info("admin.group: process %d of user %u is not served any more",
		    (int)p->asker.who.pid, (unsigned)p->asker.who.uid);
		conn_close(p->conn, ERR_NOT_ALLOWED);
	}
}

/* The file is the owner's alone again. */
static bool
close_to_group(struct admin_socket *s, const char *path, char **error)
{
	if (chmod(path, 0600) != 0) {
		*error = xasprintf("admin.group: %s cannot be taken from its group: %s", path,
		    strerror(errno));
		return false;
	}
	s->has_group = false;
	close_strangers(s);
	return true;
}

bool
admin_socket_set_group(struct admin_socket *s, const char *path, const char *name, char **error)
{
	const struct group *group;

	if (name == NULL)
		return close_to_group(s, path, error);
	if ((group = getgrnam(name)) == NULL) {
		*error = xasprintf("admin.group: there is no group \"%s\"", name);
		return false;
	}
	if (chown(path, (uid_t)-1, group->gr_gid) != 0 || chmod(path, 0660) != 0) {
		*error = xasprintf("admin.group: the file cannot be given to group \"%s\": %s; is "
		    "the daemon's user a member?", name, strerror(errno));
		return false;
	}
	s->has_group = true;
	s->group = group->gr_gid;
	close_strangers(s);
	return true;
}

/* A file that the usherd before made may be open to a group that is not configured any more. */
static bool
open_to_group(struct admin_socket *s, const struct listener_where *where, const char *name,
    char **error)
{
	if (name == NULL && (where->fd <= 0 || where->is_foreign))
		return true;
	return admin_socket_set_group(s, where->unix_path, name, error);
}

struct admin_socket *
admin_socket_new(const struct admin_view *view, const struct listener_where *where,
    const char *group, char **error)
{
	struct admin_socket *s = xcalloc(1, sizeof(*s));
	mode_t before;

	s->view = view;
	LIST_INIT(&s->peers);
	/* Nobody else can open it, not even between bind() and a chmod(). */
	before = umask(0177);
	s->listener = listener_new(view->loop, where, on_accept, s, error);
	umask(before);
	if (s->listener != NULL && open_to_group(s, where, group, error))
		return s;
	listener_free(s->listener);
	free(s);
	return NULL;
}

struct listener *
admin_socket_listener(struct admin_socket *s)
{
	return s->listener;
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

/* Of the process at the other end, when it connected. */
static bool
is_member(int fd, gid_t group, gid_t primary)
{
	gid_t groups[GROUPS_MAX];
	socklen_t len = sizeof(groups);

	if (primary == group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) != 0)
		return false;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++)
		if (groups[i] == group)
			return true;
	return false;
}

/* The mode of the file is enough, as long as nobody changes it. */
static bool
may_ask(const struct admin_socket *s, int fd, uid_t uid, gid_t gid)
{
	return uid == 0 || uid == geteuid() || (s->has_group && is_member(fd, s->group, gid));
}

static bool
is_permitted(const struct admin_socket *s, int fd, struct ucred *peer)
{
	socklen_t len = sizeof(*peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &len) != 0)
		return false;
	if (may_ask(s, fd, peer->uid, peer->gid))
		return true;
	log_warnx("admin.socket: refused: process %d of user %u", (int)peer->pid,
	    (unsigned)peer->uid);
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
	struct ucred who;
	struct peer *p;

	if (!is_permitted(s, fd, &who)) {
		refuse(fd, "not_allowed", "this socket is for root and for the daemon's own user");
		return;
	}
	if (s->n_peers >= PEERS_MAX) {
		refuse(fd, "too_many", "too many connections to this socket");
		return;
	}
	p = xcalloc(1, sizeof(*p));
	p->socket = s;
	p->asker = (struct admin_asker){ .view = s->view, .who = { who.uid, who.pid },
		.on_line = on_line, .queued = queued, .arg = p };
	p->fd = fd;
	p->gid = who.gid;
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
	admin_commands_gone(&p->asker);
	loop_timer_stop(loop, &p->idle_timer);
	loop_timer_stop(loop, &p->again_timer);
	loop_defer(loop, LOOP_FREE, &p->release, release, p);
}

/* ---- lines ---- */

/* Nobody knows where the next line begins. */
static void
refuse_long_line(struct peer *p)
{
	admin_commands_refuse(conn_out(p->conn), "bad_request", "the line is too long");
	conn_touch(p->conn);
	conn_close(p->conn, ERR_TOO_BIG);
}

/*
 * One line after the other, unless the last one is not answered yet, or too many answers wait
 * to be read.
 */
static void
answer_lines(struct peer *p)
{
	const char *lf;

	while (p->conn != NULL && p->asker.open == NULL &&
	    conn_queued(p->conn) <= ADMIN_UNREAD_MAX && p->in.len > 0 &&
	    (lf = memchr(p->in.data, '\n', p->in.len)) != NULL) {
		size_t len = (size_t)(lf - p->in.data);

		if (len > ADMIN_LINE_MAX) {
			refuse_long_line(p);
			return;
		}
		loop_timer_stop(p->socket->view->loop, &p->idle_timer);
		p->is_asking = true;
		admin_commands_ask(&p->asker, p->in.data, len);
		p->is_asking = false;
		buf_consume(&p->in, len + 1);
	}
	if (p->conn == NULL)
		return;
	if (conn_queued(p->conn) > ADMIN_UNREAD_MAX)
		conn_pause(p->conn);
	else if (p->asker.open == NULL && p->in.len > ADMIN_LINE_MAX)
		refuse_long_line(p);
}

static void
on_again(void *arg)
{
	answer_lines(arg);
}

/* Not the next line at once: whatever ended the question is up the stack. */
static void
on_line(const struct buf *line, bool is_last, void *arg)
{
	struct peer *p = arg;

	if (p->conn == NULL)
		return;
	conn_send(p->conn, line->data, line->len);
	if (!is_last)
		return;
	set_idle_timer(p);
	if (!p->is_asking)
		loop_timer_set(p->socket->view->loop, &p->again_timer, 0, on_again, p);
}

static size_t
queued(void *arg)
{
	const struct peer *p = arg;

	return p->conn != NULL ? conn_queued(p->conn) : 0;
}

static void
on_read(struct conn *conn UNUSED, char *data, size_t len, void *arg)
{
	struct peer *p = arg;

	if (p->asker.open != NULL && p->in.len > ADMIN_LINE_MAX) {
		refuse_long_line(p);	/* it does not wait for answers, and goes on for ever */
		return;
	}
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
