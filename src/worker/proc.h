/* SPDX-License-Identifier: ISC */
/*
 * Child processes: spawn, signal, reap, and what they print.
 *
 * They are direct children, each the leader of a process group of its own; signals
 * go to the group.  What one writes to stdout is logged at info, stderr at warn,
 * under its name.
 */
#ifndef WORKER_PROC_H
#define WORKER_PROC_H

struct loop;
struct proc;
struct procs;

struct proc_spec {
	const char *name;		/* in the log: "test-app#1" */
	char *const *argv;		/* NULL-terminated; argv[0] is looked up in PATH */
	const char *directory;
	char *const *envp;		/* the whole environment */
};

/* The process has ended; p is freed after this call.  how: "exited with status 1". */
typedef void	 proc_exit_fn(struct proc *p, const char *how, void *arg);

/* Watches SIGCHLD on this loop: one a process. */
struct procs	*procs_new(struct loop *);
void		 procs_kill_all(struct procs *);	/* at once; they are not reaped */
void		 procs_free(struct procs *);	/* kills and reaps what still runs */

/*
 * Starts a process with a stream socket on its descriptor 3, whose other end goes
 * to *fd, the caller's.  Borrows the spec.  NULL: could not be started; *fd is the errno.
 */
struct proc	*proc_start(struct procs *, const struct proc_spec *, proc_exit_fn *, void *arg,
		    int *fd);
void		 proc_signal(struct proc *, int signo);
int		 proc_pid(const struct proc *);

#endif
