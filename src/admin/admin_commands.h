/* SPDX-License-Identifier: ISC */
/*
 * What can be asked over the admin socket: a line of JSON in, a line of JSON out.
 *
 *	{"command":"requests","options":{"limit":"100"}}
 *	{"ok":true,"result":{...}}
 *	{"ok":false,"code":"no_command","error":"..."}
 *
 * A command that goes on for a while answers with several lines; "more":true says that others
 * follow.  Answers hold neither payloads nor tokens nor secrets, unless they are asked for and the
 * configuration permits it; ids of sockets are cut, since they let in who knows them.
 */
#ifndef ADMIN_ADMIN_COMMANDS_H
#define ADMIN_ADMIN_COMMANDS_H

#include <stddef.h>

struct admin_asker;
struct admin_view;
struct buf;

/* A line, given without its end, while none is open.  Its answer may come before this returns. */
void	admin_commands_ask(struct admin_asker *, const char *line, size_t len);

/* Nobody waits for the open question, if there is one. */
void	admin_commands_gone(struct admin_asker *);

/* Appends the result of a command that only looks, as an object. */
void	admin_commands_look(const struct admin_view *, const char *command, struct buf *out);

/* The line that refuses what was no question at all. */
void	admin_commands_refuse(struct buf *out, const char *code, const char *error);

#endif
