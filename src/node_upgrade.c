/* SPDX-License-Identifier: ISC */
/*
 * The new process is started as systemd would start it: sockets from descriptor 3 on, and their
 * names in the environment; one more descriptor, on which it says that it serves.
 */
#include "node_upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/xmalloc.h"
#include "net/activation.h"
#include "net/conn.h"
#include "net/listener.h"
#include "net/loop.h"
#include "node_doors.h"
#include "node_int.h"

#define FIRST_FD 3
#define READY_MS 60000	/* for the new process to serve */
#define REAP_MS	 10	/* how often we look whether it has ended */
#define REAPS	 500	/* then it is killed */

extern char **environ;

struct node_upgrade {
	struct node *node;
	node_upgrade_fn *on_done;	/* NULL: nobody waits */
	void *arg;
	pid_t pid;
	struct conn *conn;		/* to it; NULL: closed */
	bool is_ready;			/* it serves */
	struct timer timer;
	unsigned n_reaps;
};

/* For a connection whose owner is gone. */
static void ignore_read(struct conn *, char *, size_t, void *);
static void ignore_close(struct conn *, enum err, void *);

static const struct conn_events end_events = {
	.on_read = ignore_read,
	.on_close = ignore_close,
};

/* What the new process gets. */
struct gift {
	int *fd;			/* high enough to be out of the way of 3, 4, ... */
	size_t n;
	int low;			/* the first number that is out of the way */
	struct buf names;
};

static void on_read(struct conn *, char *, size_t, void *);
static void on_close(struct conn *, enum err, void *);
static void reap(void *);

static const struct conn_events conn_events = {
	.on_read = on_read,
	.on_close = on_close,
};

/* ---- starting it ---- */

static void
count(struct listener *l UNUSED, const char *name UNUSED, void *arg)
{
	struct gift *g = arg;

	g->low++;
}

static void
add(struct listener *l, const char *name, void *arg)
{
	struct gift *g = arg;
	char *text = activation_name(name, listener_is_foreign(l));

	if (g->n > 0)
		buf_add_char(&g->names, ':');
	buf_add_str(&g->names, text);
	free(text);
	g->fd = xreallocarray(g->fd, g->n + 2, sizeof(*g->fd));	/* one more for its answer */
	g->fd[g->n++] = fcntl(listener_fd(l), F_DUPFD_CLOEXEC, g->low);
}

static bool
is_replaced(const char *variable)
{
	static const char *const names[] = { "LISTEN_PID=", "LISTEN_FDS=", "LISTEN_FDNAMES=",
		"USHER_UPGRADE=" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strncmp(variable, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

/* The last four are owned by the list, the others borrowed. */
static char **
environment_of(struct gift *g, size_t *n_borrowed)
{
	size_t n = 0;
	char **envp;

	while (environ[n] != NULL)
		n++;
	envp = xcalloc(n + 5, sizeof(*envp));
	*n_borrowed = 0;
	for (size_t i = 0; i < n; i++)
		if (!is_replaced(environ[i]))
			envp[(*n_borrowed)++] = environ[i];
	n = *n_borrowed;
	envp[n++] = xasprintf("LISTEN_PID=%d", (int)getpid());
	envp[n++] = xasprintf("LISTEN_FDS=%zu", g->n);
	envp[n++] = xasprintf("LISTEN_FDNAMES=%s", buf_str(&g->names));
	envp[n++] = xasprintf("USHER_UPGRADE=%zu", FIRST_FD + g->n);
	return envp;
}

/* Signals as for a worker: those that we ignore or block would be so there. */
static int
spawn(struct gift *g, char *const *argv, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	size_t n_borrowed;
	char **envp = environment_of(g, &n_borrowed);
	int error;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	for (size_t i = 0; i <= g->n; i++)
		posix_spawn_file_actions_adddup2(&actions, g->fd[i], FIRST_FD + (int)i);
	posix_spawn_file_actions_addclosefrom_np(&actions, FIRST_FD + (int)g->n + 1);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	error = posix_spawnp(pid, argv[0], &actions, &attr, argv, envp);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	for (size_t i = n_borrowed; envp[i] != NULL; i++)
		free(envp[i]);
	free(envp);
	return error;
}

/* -1: errno says why. */
static int
start(struct node *n, pid_t *pid)
{
	struct gift g = { .low = FIRST_FD + 1 };
	int pair[2], error;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
		return -1;
	node_doors_each(n, count, &g);
	g.fd = xcalloc(1, sizeof(*g.fd));
	node_doors_each(n, add, &g);
	g.fd[g.n] = fcntl(pair[1], F_DUPFD_CLOEXEC, g.low);
	close(pair[1]);
	error = spawn(&g, n->argv, pid);
	for (size_t i = 0; i <= g.n; i++)
		if (g.fd[i] >= 0)
			close(g.fd[i]);
	free(g.fd);
	buf_free(&g.names);
	if (error == 0)
		return pair[0];
	close(pair[0]);
	errno = error;
	return -1;
}

/* ---- what becomes of it ---- */

static void
finish(struct node_upgrade *u, const char *fault)
{
	struct node *n = u->node;

	loop_timer_stop(n->loop, &u->timer);
	n->upgrade = NULL;
	if (fault != NULL)
		log_errorx("upgrade: this usherd goes on: %s", fault);
	else
		log_info("upgrade: process %d serves: this one drains", (int)u->pid);
	if (u->on_done != NULL)
		u->on_done(fault, (int)u->pid, u->arg);
	if (fault == NULL) {
		notify("MAINPID=%d", (int)u->pid);
		node_hand_over(n);
	} else if (n->state == NODE_DRAINING) {
		node_doors_close(n);
	}
	free(u);
}

static void
on_read(struct conn *conn, char *data, size_t len, void *arg)
{
	struct node_upgrade *u = arg;

	u->is_ready = len >= 5 && memcmp(data, "ready", 5) == 0;
	conn_abort(conn, ERR_PEER_LEFT);
}

static void
on_too_late(void *arg)
{
	struct node_upgrade *u = arg;

	kill(u->pid, SIGKILL);
}

/* It serves; or it has closed its end without a word, since it has ended or will soon. */
static void
on_close(struct conn *conn UNUSED, enum err why UNUSED, void *arg)
{
	struct node_upgrade *u = arg;

	u->conn = NULL;
	if (u->is_ready)
		finish(u, NULL);
	else
		reap(u);
}

static void
reap(void *arg)
{
	struct node_upgrade *u = arg;
	char *fault;
	int status;

	if (waitpid(u->pid, &status, WNOHANG) != u->pid) {
		if (++u->n_reaps == REAPS)
			kill(u->pid, SIGKILL);
		loop_timer_set(u->node->loop, &u->timer, REAP_MS, reap, u);
		return;
	}
	fault = WIFEXITED(status) ?
	    xasprintf("the new one (process %d) ended with status %d before it served; the log "
	    "says why", (int)u->pid, WEXITSTATUS(status)) :
	    xasprintf("the new one (process %d) was ended by signal %d before it served",
	    (int)u->pid, WTERMSIG(status));
	finish(u, fault);
	free(fault);
}

static void
ignore_read(struct conn *conn UNUSED, char *data UNUSED, size_t len UNUSED, void *arg UNUSED)
{
}

static void
ignore_close(struct conn *conn UNUSED, enum err why UNUSED, void *arg UNUSED)
{
}

/* ---- for the node ---- */

void
node_upgrade_begin(struct node *n, node_upgrade_fn *on_done, void *arg)
{
	struct node_upgrade *u;
	char *fault;
	pid_t pid;
	int fd;

	if (n->upgrade != NULL) {
		on_done("another one is under way", 0, arg);
		return;
	}
	if ((fd = start(n, &pid)) < 0) {
		fault = xasprintf("%s cannot be started: %s", n->argv[0], strerror(errno));
		log_errorx("upgrade: this usherd goes on: %s", fault);
		on_done(fault, 0, arg);
		free(fault);
		return;
	}
	log_info("upgrade: started %s as process %d", n->argv[0], (int)pid);
	n->upgrade = u = xcalloc(1, sizeof(*u));
	u->node = n;
	u->on_done = on_done;
	u->arg = arg;
	u->pid = pid;
	u->conn = conn_new(n->loop, fd, &conn_events, u);
	loop_timer_set(n->loop, &u->timer, READY_MS, on_too_late, u);
}

void
node_upgrade_forget(struct node *n, const void *arg)
{
	if (n->upgrade != NULL && n->upgrade->arg == arg)
		n->upgrade->on_done = NULL;
}

void
node_upgrade_end(struct node *n)
{
	struct node_upgrade *u = n->upgrade;

	if (u == NULL)
		return;
	n->upgrade = NULL;
	kill(u->pid, SIGKILL);
	waitpid(u->pid, NULL, 0);
	loop_timer_stop(n->loop, &u->timer);
	if (u->conn != NULL) {
		conn_set_events(u->conn, &end_events, NULL);
		conn_abort(u->conn, ERR_STOPPING);
	}
	free(u);
}
