/* SPDX-License-Identifier: ISC */
/*
 * One question to a daemon over its admin socket, and its answer.
 */
#ifndef CTL_ASK_H
#define CTL_ASK_H

#include <stdbool.h>

#include "base/buf.h"

/*
 * Appends the answer, a line without its end.  false: there is none; *error, to be freed,
 * says why.
 */
bool	ask(const char *socket_path, const char *command, unsigned long limit, struct buf *answer,
	    char **error);

#endif
