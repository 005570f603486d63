/* SPDX-License-Identifier: ISC */
/*
 * One question to a daemon over its admin socket, and its answer.
 */
#ifndef CTL_ASK_H
#define CTL_ASK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct asking;

/* Connects and sends the line, given without its end.  NULL: *error, to be freed, says why. */
struct asking	*asking_new(const char *socket_path, const struct buf *line, char **error);
void		 asking_free(struct asking *);

/*
 * The next line of the answer, without its end, in place of what is in answer; false: there is
 * none, and *error, to be freed, says why.  patience_s: 0 is without end.
 */
bool		 asking_next(struct asking *, unsigned patience_s, struct buf *answer,
		    char **error);

#endif
