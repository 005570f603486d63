/* SPDX-License-Identifier: ISC */
/*
 * The trace of an HTTP request: from its header, and back in that of its answer.
 */
#ifndef FRONT_HTTP_TRACE_H
#define FRONT_HTTP_TRACE_H

#include "base/buf.h"
#include "codec/traceparent.h"

struct http_head;

/* The next step of the caller's trace, so that its tools can follow it; else a trace begins. */
void	http_trace_begin(char trace[TRACE_MAX], const struct http_head *);

/* The id in it, by which errors and the log call the request. */
void	http_trace_id(char id[TRACE_ID_LEN + 1], const char *trace);

/* Header lines that tell the caller: X-Request-Id and traceparent. */
void	http_trace_add_headers(struct buf *, const char *trace);

#endif
