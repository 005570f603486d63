/* SPDX-License-Identifier: ISC */
/*
 * Only traceparent is looked at.  X-Request-Id of a caller is not: nothing says that it is
 * unique, nor what may be in it.
 */
#include "front/http_trace.h"

#include <string.h>

#include "codec/http_parse.h"

void
http_trace_begin(char trace[TRACE_MAX], const struct http_head *head)
{
	size_t n = 0;
	const struct http_text *value = http_find(head, "traceparent", &n);
	char parent[TRACE_MAX];

	/* Two of them contradict each other (Trace Context, section 3.2). */
	if (n != 1 || !traceparent_read(parent, value->p, value->len))
		parent[0] = '\0';
	traceparent_follow(trace, parent);
}

void
http_trace_id(char id[TRACE_ID_LEN + 1], const char *trace)
{
	memcpy(id, trace + TRACE_ID_AT, TRACE_ID_LEN);
	id[TRACE_ID_LEN] = '\0';
}

void
http_trace_add_headers(struct buf *b, const char *trace)
{
	buf_printf(b, "X-Request-Id: %.*s\r\ntraceparent: %s\r\n", TRACE_ID_LEN,
	    trace + TRACE_ID_AT, trace);
}
