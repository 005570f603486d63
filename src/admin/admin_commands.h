/* SPDX-License-Identifier: ISC */
/*
 * What can be asked over the admin socket: a line of JSON in, a line of JSON out.
 *
 *	{"command":"requests","limit":100}
 *	{"ok":true,"result":{...}}
 *	{"ok":false,"code":"no_command","error":"..."}
 *
 * Answers hold neither payloads nor tokens nor secrets; ids of sockets are cut, since they
 * let in who knows them.
 */
#ifndef ADMIN_ADMIN_COMMANDS_H
#define ADMIN_ADMIN_COMMANDS_H

#include <stddef.h>

struct admin_view;
struct buf;

/* Appends the answer to a line, which is given without its end, and a line feed. */
void	admin_commands_answer(const struct admin_view *, const char *line, size_t len,
	    struct buf *out);

/* The same for what was no line at all. */
void	admin_commands_refuse(struct buf *out, const char *code, const char *error);

#endif
