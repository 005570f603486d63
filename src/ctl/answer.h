/* SPDX-License-Identifier: ISC */
/*
 * A line that the daemon answered with: what it means, and printing it.
 */
#ifndef CTL_ANSWER_H
#define CTL_ANSWER_H

#include <stdbool.h>

#include "base/buf.h"
#include "codec/json_scan.h"

/* Exit status of usherctl; those of "call" come from the daemon. */
enum { STATUS_REFUSED = 1, STATUS_USAGE = 2, STATUS_NO_DAEMON = 3 };

struct answer {
	const char *text;		/* the line; borrowed */
	struct json_value result;
	bool is_last;
	int status;			/* what to exit with */
};

/* false: it says no, or is no answer: that has been told on stderr, and status is set. */
bool	answer_read(struct answer *, const char *socket_path, const struct buf *line);

/* The result, as a table or as JSON. */
void	answer_print(const struct answer *, const char *command, bool is_json);

#endif
