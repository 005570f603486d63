/* SPDX-License-Identifier: ISC */
/*
 * The head says what the client has and what it wants; the rest is a file that is sent.
 */
#include "front/http_file.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "front/http_date.h"
#include "front/http_exchange.h"

static const struct {
	const char *ending, *type;
} types[] = {
	{ ".html", "text/html; charset=utf-8" },
	{ ".htm", "text/html; charset=utf-8" },
	{ ".js", "text/javascript; charset=utf-8" },
	{ ".mjs", "text/javascript; charset=utf-8" },
	{ ".css", "text/css; charset=utf-8" },
	{ ".txt", "text/plain; charset=utf-8" },
	{ ".md", "text/markdown; charset=utf-8" },
	{ ".csv", "text/csv; charset=utf-8" },
	{ ".xml", "text/xml; charset=utf-8" },
	{ ".json", "application/json" },
	{ ".map", "application/json" },
	{ ".webmanifest", "application/manifest+json" },
	{ ".wasm", "application/wasm" },
	{ ".pdf", "application/pdf" },
	{ ".zip", "application/zip" },
	{ ".svg", "image/svg+xml" },
	{ ".png", "image/png" },
	{ ".jpg", "image/jpeg" },
	{ ".jpeg", "image/jpeg" },
	{ ".gif", "image/gif" },
	{ ".webp", "image/webp" },
	{ ".avif", "image/avif" },
	{ ".ico", "image/x-icon" },
	{ ".woff", "font/woff" },
	{ ".woff2", "font/woff2" },
	{ ".ttf", "font/ttf" },
	{ ".otf", "font/otf" },
	{ ".mp3", "audio/mpeg" },
	{ ".ogg", "audio/ogg" },
	{ ".mp4", "video/mp4" },
	{ ".webm", "video/webm" },
};

const char *
http_file_type(const char *name)
{
	size_t len = strlen(name), n;

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		n = strlen(types[i].ending);
		if (len >= n && strcasecmp(name + len - n, types[i].ending) == 0)
			return types[i].type;
	}
	return "application/octet-stream";
}

void
http_file_tag(const struct stat *st, char out[HTTP_FILE_TAG_LEN + 1])
{
	snprintf(out, HTTP_FILE_TAG_LEN + 1, "\"%llx-%llx.%lx-%llx\"",
	    (unsigned long long)st->st_size, (unsigned long long)st->st_mtim.tv_sec,
	    (unsigned long)st->st_mtim.tv_nsec, (unsigned long long)st->st_ino);
}

/* ---- what the client has ---- */

/* Is the tag in a list of them, or is the list "*"?  Weak ones count as well. */
static bool
lists_tag(struct http_text list, const char *tag)
{
	size_t len = strlen(tag);
	const char *p = list.p, *end = list.p + list.len, *quote;

	if (http_text_is(list, "*"))
		return true;
	while (p < end) {
		if (*p == ' ' || *p == '\t' || *p == ',') {
			p++;
			continue;
		}
		if (end - p > 2 && p[0] == 'W' && p[1] == '/')
			p += 2;
		quote = *p == '"' ? memchr(p + 1, '"', (size_t)(end - p - 1)) : NULL;
		if (quote == NULL)
			return false;	/* no list of tags */
		if ((size_t)(quote + 1 - p) == len && memcmp(p, tag, len) == 0)
			return true;
		p = quote + 1;
	}
	return false;
}

bool
http_file_is_fresh(const struct http_head *head, const struct stat *st)
{
	const struct http_text *since = http_find(head, "If-Modified-Since", NULL);
	char tag[HTTP_FILE_TAG_LEN + 1];
	bool has_list = false;
	time_t t;

	http_file_tag(st, tag);
	for (size_t i = 0; i < head->n_fields; i++) {
		if (!http_text_is(head->field[i].name, "If-None-Match"))
			continue;
		has_list = true;
		if (lists_tag(head->field[i].value, tag))
			return true;
	}
	/* A date is coarser than a tag, so it does not count beside one. */
	return !has_list && since != NULL && http_date_parse(*since, &t) && st->st_mtime <= t;
}

/* ---- what it wants ---- */

/* If-Range: parts of another version are of no use to the client. */
static bool
is_same_version(const struct http_head *head, const struct stat *st)
{
	size_t n;
	const struct http_text *version = http_find(head, "If-Range", &n);
	char tag[HTTP_FILE_TAG_LEN + 1];
	time_t t;

	if (version == NULL)
		return true;
	if (n > 1)
		return false;
	http_file_tag(st, tag);
	if (version->len > 0 && version->p[0] == '"')
		return version->len == strlen(tag) && memcmp(version->p, tag, version->len) == 0;
	return http_date_parse(*version, &t) && t == st->st_mtime;
}

/* The digits at *p; false: there are none.  What is too large for any file stays so. */
static bool
take_number(const char **p, const char *end, uint64_t *value)
{
	const char *begin = *p;

	for (*value = 0; *p < end && **p >= '0' && **p <= '9'; (*p)++)
		*value = *value > INT64_MAX / 16 ? INT64_MAX : *value * 10 + (uint64_t)(**p - '0');
	return *p > begin;
}

/* "bytes=first-last", "bytes=first-" or "bytes=-suffix". */
static enum http_file_part
read_range(struct http_text range, uint64_t size, uint64_t *at, uint64_t *len)
{
	const char *p, *end = range.p + range.len;
	uint64_t first, last;
	bool has_first, has_last;

	if (range.len < 6 || strncasecmp(range.p, "bytes=", 6) != 0)
		return HTTP_FILE_WHOLE;
	p = range.p + 6;
	has_first = take_number(&p, end, &first);
	if (p == end || *p++ != '-')
		return HTTP_FILE_WHOLE;
	has_last = take_number(&p, end, &last);
	if (p != end || (!has_first && !has_last) || (has_first && has_last && last < first))
		return HTTP_FILE_WHOLE;
	if (!has_first) {
		first = last < size ? size - last : 0;
		if (last == 0)
			return HTTP_FILE_BEYOND;
		has_last = false;
	}
	if (first >= size)
		return HTTP_FILE_BEYOND;
	*at = first;
	*len = has_last && last < size ? last - first + 1 : size - first;
	return HTTP_FILE_RANGE;
}

enum http_file_part
http_file_part(const struct http_head *head, const struct stat *st, uint64_t *at, uint64_t *len)
{
	size_t n;
	const struct http_text *range = http_find(head, "Range", &n);

	*at = 0;
	*len = (uint64_t)st->st_size;
	if (n != 1 || !http_text_equals(head->method, "GET") || !is_same_version(head, st))
		return HTTP_FILE_WHOLE;
	return read_range(*range, (uint64_t)st->st_size, at, len);
}

/* ---- the answer ---- */

static void
add_validators(struct buf *extra, const struct stat *st)
{
	char date[HTTP_DATE_LEN + 1], tag[HTTP_FILE_TAG_LEN + 1];

	http_date_format(st->st_mtime, date);
	http_file_tag(st, tag);
	buf_printf(extra, "ETag: %s\r\nLast-Modified: %s\r\nCache-Control: no-cache\r\n", tag,
	    date);
}

static void
answer_part(struct http_exchange *x, int fd, const struct stat *st, const char *name,
    struct buf *extra)
{
	struct http_answer a = { .status = 200, .type = http_file_type(name) };
	unsigned long long size = (unsigned long long)st->st_size;
	uint64_t at, len;

	switch (http_file_part(http_exchange_head(x), st, &at, &len)) {
	case HTTP_FILE_BEYOND:
		buf_printf(extra, "Content-Range: bytes */%llu\r\n", size);
		http_exchange_refuse(x, 416, buf_str(extra), "the file has no such range\n");
		close(fd);
		return;
	case HTTP_FILE_RANGE:
		a.status = 206;
		buf_printf(extra, "Content-Range: bytes %llu-%llu/%llu\r\n", (unsigned long long)at,
		    (unsigned long long)(at + len - 1), size);
		break;
	case HTTP_FILE_WHOLE:
		break;
	}
	buf_add_str(extra, "Accept-Ranges: bytes\r\n");
	a.extra = buf_str(extra);
	http_exchange_answer_file(x, &a, fd, at, len);
}

void
http_file_serve(struct http_exchange *x, int fd, const struct stat *st, const char *name)
{
	struct http_answer unchanged = { .status = 304 };
	struct buf extra = { 0 };

	add_validators(&extra, st);
	if (http_file_is_fresh(http_exchange_head(x), st)) {
		unchanged.extra = buf_str(&extra);
		http_exchange_answer(x, &unchanged);
		close(fd);
	} else {
		answer_part(x, fd, st, name, &extra);
	}
	buf_free(&extra);
}
