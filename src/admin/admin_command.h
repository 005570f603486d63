/* SPDX-License-Identifier: ISC */
/*
 * What a command of the admin socket works with.  A new one is a line in admin_table.def and
 * the function that it names.
 */
#ifndef ADMIN_ADMIN_COMMAND_H
#define ADMIN_ADMIN_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "admin/admin_table.h"
#include "base/buf.h"
#include "base/compiler.h"

struct admin_view;

/* Who asks, as the kernel says. */
struct admin_who {
	uid_t uid;
	pid_t pid;
};

/* Where questions come from and answers go to: a connection.  One question at a time. */
struct admin_asker {
	const struct admin_view *view;
	struct admin_who who;
	/* A line of an answer; is_last: the next question may come. */
	void (*on_line)(const struct buf *, bool is_last, void *arg);
	size_t (*queued)(void *arg);		/* bytes that nobody has read yet */
	void *arg;
	struct admin_ask *open;			/* asked, and not answered to its end */
};

/* A question. */
struct admin_ask {
	const struct admin_view *view;
	struct admin_who who;
	const char *arg[ADMIN_ARGS_MAX];	/* NULL: not given */
	size_t arg_len[ADMIN_ARGS_MAX];		/* they may hold NULs only where nobody minds */
	size_t n_args;
	const char *option[ADMIN_OPT_N];	/* NULL: not given; "" if it takes no value */
	uint64_t limit;				/* rows of a long list */
	uint64_t n_rows;			/* so far, those left out as well */
	struct buf out;				/* members of "result" are written to it */

	/* For what is not answered at once: called when nobody waits for it any more. */
	void (*on_gone)(struct admin_ask *);
	void *own;				/* the command's */

	struct admin_asker *asker;		/* admin_commands.c alone; so are the next */
	struct buf texts[ADMIN_ARGS_MAX + ADMIN_OPT_N];
};

/* Sends what is in out as a line of the answer, after which others come. */
void	admin_more(struct admin_ask *);
/* The same, and the answer is complete; the question is gone. */
void	admin_done(struct admin_ask *);
/* The same; code, if not 0, becomes the exit status of usherctl. */
void	admin_done_with(struct admin_ask *, int code);
/* What is in out is dropped.  The question is gone. */
void	admin_refuse(struct admin_ask *, const char *code, const char *fmt, ...)
	    PRINTF_LIKE(3, 4);

/* Whoever asked does not read: what can be left out should be. */
bool	admin_is_slow(const struct admin_ask *);

/* Is there room for one more row?  And how many there was no room for, as a member. */
bool	admin_takes_row(struct admin_ask *);
void	admin_add_left_out(struct admin_ask *);

/* "root" or "user 1000"; for the log and for what is kept. */
#define ADMIN_WHO_MAX 32
void	admin_who_text(const struct admin_who *, char text[ADMIN_WHO_MAX]);

/* Members of status that admin_sessions.c knows. */
void	admin_sessions_add_status(struct admin_ask *);

/* The functions of all commands, wherever they are. */
#define ADMIN_COMMAND(kind, name, function, args, options, help) void function(struct admin_ask *);
#include "admin/admin_table.def"

#endif
