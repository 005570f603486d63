/* SPDX-License-Identifier: ISC */
/*
 * posix_spawn, because to fork a process that has threads is unsafe; and what must
 * be reset in the child: blocked and ignored signals, the group, descriptors.
 */
#include "worker/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "net/conn.h"
#include "net/loop.h"

#define CHILD_FD	3	/* where the child finds its stream */
#define OUTPUT_LINE_MAX 2048	/* a longer line of output is logged in pieces */

/* One of the two output pipes. */
struct output {
	struct proc *proc;
	struct conn *conn;	/* NULL: at its end */
	enum log_level level;
	struct buf line;	/* not complete yet */
};

struct proc {
	LIST_ENTRY(proc) link;
	char *name;
	pid_t pid;
	struct output out, err;
	proc_exit_fn *on_exit;
	void *arg;
};

struct procs {
	struct loop *loop;
	LIST_HEAD(, proc) list;
};

static void on_child(int signo, void *arg);
static void on_output(struct conn *, char *, size_t, void *);
static void on_output_close(struct conn *, enum err, void *);

static const struct conn_events output_events = {
	.on_read = on_output,
	.on_close = on_output_close,
};

struct procs *
procs_new(struct loop *loop)
{
	struct procs *all = xcalloc(1, sizeof(*all));

	all->loop = loop;
	LIST_INIT(&all->list);
	loop_on_signal(loop, SIGCHLD, on_child, all);
	return all;
}

static void
proc_free(struct proc *p)
{
	LIST_REMOVE(p, link);
	if (p->out.conn != NULL)
		conn_abort(p->out.conn, ERR_PEER_GONE);
	if (p->err.conn != NULL)
		conn_abort(p->err.conn, ERR_PEER_GONE);
	buf_free(&p->out.line);
	buf_free(&p->err.line);
	free(p->name);
	free(p);
}

void
procs_kill_all(struct procs *all)
{
	struct proc *p;

	LIST_FOREACH(p, &all->list, link)
		kill(-p->pid, SIGKILL);
}

void
procs_free(struct procs *all)
{
	struct proc *p;

	if (all == NULL)
		return;
	while ((p = LIST_FIRST(&all->list)) != NULL) {
		kill(-p->pid, SIGKILL);
		waitpid(p->pid, NULL, 0);
		proc_free(p);
	}
	free(all);
}

static int
spawn(const struct proc_spec *spec, int stream, int out, int err, pid_t *pid)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int e;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attr);
	/* Blocked signals and ignored ones would be inherited: the child starts afresh. */
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setflags(&attr,
	    POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&files, err, STDERR_FILENO);
	posix_spawn_file_actions_adddup2(&files, stream, CHILD_FD);
	posix_spawn_file_actions_addclosefrom_np(&files, CHILD_FD + 1);
	posix_spawn_file_actions_addchdir_np(&files, spec->directory);
	e = posix_spawnp(pid, spec->argv[0], &files, &attr, spec->argv, spec->envp);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return e;
}

static void
close_all(const int *fd, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fd[i] >= 0)
			close(fd[i]);
}

/*
 * A descriptor above those that the child's dup2 calls overwrite; with close-on-exec, which
 * dup2 onto itself would not clear.
 */
static int
above(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, 10);

	close(fd);
	return high;
}

static void
output_init(struct output *o, struct proc *p, struct loop *loop, int fd, enum log_level level)
{
	o->proc = p;
	o->level = level;
	o->conn = conn_new(loop, fd, &output_events, o);
}

struct proc *
proc_start(struct procs *all, const struct proc_spec *spec, proc_exit_fn *on_exit_fn, void *arg,
    int *fd)
{
	int pair[2] = { -1, -1 }, out[2] = { -1, -1 }, err[2] = { -1, -1 }, e;
	struct proc *p;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0 ||
	    pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0 ||
	    (pair[1] = above(pair[1])) < 0 || (out[1] = above(out[1])) < 0 ||
	    (err[1] = above(err[1])) < 0) {
		e = errno;
		goto fail;
	}
	if ((e = spawn(spec, pair[1], out[1], err[1], &pid)) != 0)
		goto fail;
	close(pair[1]);
	close(out[1]);
	close(err[1]);
	p = xcalloc(1, sizeof(*p));
	p->name = xstrdup(spec->name);
	p->pid = pid;
	p->on_exit = on_exit_fn;
	p->arg = arg;
	output_init(&p->out, p, all->loop, out[0], LOG_LEVEL_INFO);
	output_init(&p->err, p, all->loop, err[0], LOG_LEVEL_WARN);
	LIST_INSERT_HEAD(&all->list, p, link);
	metrics_inc(loop_metrics(all->loop), METRIC_WORKERS_STARTED);
	*fd = pair[0];
	return p;
fail:
	close_all(pair, 2);
	close_all(out, 2);
	close_all(err, 2);
	*fd = e;
	return NULL;
}

void
proc_signal(struct proc *p, int signo)
{
	kill(-p->pid, signo);
}

int
proc_pid(const struct proc *p)
{
	return (int)p->pid;
}

static void
log_line(struct output *o)
{
	log_msg(o->level, NULL, o->proc->name, 0, "%s", buf_str(&o->line));
	o->line.len = 0;
}

static void
on_output(struct conn *conn UNUSED, char *data, size_t len, void *arg)
{
	struct output *o = arg;

	for (size_t i = 0; i < len; i++) {
		if (data[i] != '\n')
			buf_add_char(&o->line, data[i]);
		if (data[i] == '\n' || o->line.len >= OUTPUT_LINE_MAX)
			log_line(o);
	}
}

static void
on_output_close(struct conn *conn UNUSED, enum err why UNUSED, void *arg)
{
	struct output *o = arg;

	if (o->line.len > 0)
		log_line(o);
	o->conn = NULL;
}

static void
ended(struct proc *p, int status)
{
	char how[64];

	if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), "was killed by signal %d (%s)", WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else
		snprintf(how, sizeof(how), "exited with status %d", WEXITSTATUS(status));
	/* Its last words, which are still in the pipes. */
	if (p->out.conn != NULL)
		conn_read_rest(p->out.conn);
	if (p->err.conn != NULL)
		conn_read_rest(p->err.conn);
	p->on_exit(p, how, p->arg);
	proc_free(p);
}

/* By pid, never by -1: the process may have other children, such as a test's. */
static void
on_child(int signo UNUSED, void *arg)
{
	struct procs *all = arg;
	struct proc *p, *next;
	int status;

	for (p = LIST_FIRST(&all->list); p != NULL; p = next) {
		next = LIST_NEXT(p, link);
		if (waitpid(p->pid, &status, WNOHANG) == p->pid)
			ended(p, status);
	}
}
