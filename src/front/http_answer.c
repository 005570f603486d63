/* SPDX-License-Identifier: ISC */
/*
 * Answers as bytes.
 */
#include <string.h>

#include "base/clock.h"
#include "front/http_int.h"

static const struct {
	int status;
	const char *reason;
} reasons[] = {
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 206, "Partial Content" },
	{ 301, "Moved Permanently" },
	{ 302, "Found" },
	{ 303, "See Other" },
	{ 304, "Not Modified" },
	{ 307, "Temporary Redirect" },
	{ 308, "Permanent Redirect" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 410, "Gone" },
	{ 411, "Length Required" },
	{ 412, "Precondition Failed" },
	{ 413, "Content Too Large" },
	{ 415, "Unsupported Media Type" },
	{ 416, "Range Not Satisfiable" },
	{ 417, "Expectation Failed" },
	{ 422, "Unprocessable Content" },
	{ 426, "Upgrade Required" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 499, "Client Closed Request" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
	{ 505, "HTTP Version Not Supported" },
	{ 508, "Loop Detected" },
};

static const char *
reason_of(int status)
{
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "";
}

/* Written anew each second at most. */
static const char *
date_now(struct http_server *s)
{
	time_t now = (time_t)(clock_wall_ms() / 1000);

	if (now != s->date_s || s->date[0] == '\0') {
		s->date_s = now;
		http_date_format(now, s->date);
	}
	return s->date;
}

/* These never have a body, and their length would mean something else. */
static bool
has_no_body(int status)
{
	return status == 204 || status == 304;
}

void
http_answer_write_head(struct buf *out, struct http_server *s, const struct http_answer *a,
    uint64_t len, const struct http_answer_to *to)
{
	buf_printf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\n", a->status, reason_of(a->status),
	    date_now(s));
	if (!has_no_body(a->status))
		buf_printf(out, "Content-Length: %llu\r\n", (unsigned long long)len);
	if (a->type != NULL)
		buf_printf(out, "Content-Type: %s\r\nX-Content-Type-Options: nosniff\r\n", a->type);
	if (a->extra != NULL)
		buf_add_str(out, a->extra);
	if (!to->keep_alive)
		buf_add_str(out, "Connection: close\r\n");
	else if (to->minor == 0)
		buf_add_str(out, "Connection: keep-alive\r\n");
	buf_add_str(out, "\r\n");
}

void
http_answer_write(struct buf *out, struct http_server *s, const struct http_answer *a,
    const struct http_answer_to *to)
{
	http_answer_write_head(out, s, a, a->len, to);
	if (!to->is_head && !has_no_body(a->status))
		buf_add(out, a->body, a->len);
}

struct http_answer
http_answer_text(int status, const char *extra, const char *text)
{
	return (struct http_answer){ .status = status, .type = "text/plain; charset=utf-8",
		.extra = extra, .body = text, .len = strlen(text) };
}
