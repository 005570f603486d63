/* SPDX-License-Identifier: ISC */
/*
 * Answers of several lines, as "call" and "trace" give them: one line for people for each.
 */
#ifndef CTL_STREAM_H
#define CTL_STREAM_H

#include <stdbool.h>

#include "codec/json_scan.h"

/* Prints the result of a command that answers like this; false: it is none. */
bool	stream_print(const char *command, const char *text, struct json_value result);

#endif
