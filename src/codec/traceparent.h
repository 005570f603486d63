/* SPDX-License-Identifier: ISC */
/*
 * The header field traceparent of W3C Trace Context: which trace a request belongs to, and
 * which step of it has caused this one.  "00-" 32 digits "-" 16 digits "-" 2 digits; its
 * 32 digits, the trace id, name a request on every node that it passes.
 */
#ifndef CODEC_TRACEPARENT_H
#define CODEC_TRACEPARENT_H

#include <stdbool.h>
#include <stddef.h>

#define TRACE_LEN    55		/* all of it */
#define TRACE_ID_AT  3
#define TRACE_ID_LEN 32
#define TRACE_MAX    64		/* a traceparent with its NUL, and room */

/* Is this whole text one of version 00, in lower case, with no id that is all zeros? */
bool	traceparent_is_valid(const char *text);

/*
 * The value of a header field as one of version 00: of a later version, what that has too.
 * false: it is none.
 */
bool	traceparent_read(char trace[TRACE_MAX], const char *value, size_t len);

/* The next step of a trace, with a step id of its own; begins a trace if parent is not valid. */
void	traceparent_follow(char trace[TRACE_MAX], const char *parent);

#endif
