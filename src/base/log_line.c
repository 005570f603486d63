/* SPDX-License-Identifier: ISC */
/*
 * Text:  2026-01-31T12:00:00.123Z warn  C-17 203.0.113.9:5512: text
 * JSON:  {"time":"2026-01-31T12:00:00.123Z","level":"warn","node":"master-1",...,"text":"text"}
 */
#include "base/log_line.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"

#define FIELD_MAX 1024		/* of a JSON line: any but the text */

struct line {
	char *p;
	size_t len, cap;	/* what does not fit is left out */
};

static const char *const level_name[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

/* As syslog(3) counts. */
static const int priority[] = {
	[LOG_LEVEL_ERROR] = 3,
	[LOG_LEVEL_WARN] = 4,
	[LOG_LEVEL_INFO] = 6,
	[LOG_LEVEL_DEBUG] = 7,
};

static void
add(struct line *l, const char *s, size_t len)
{
	if (len > l->cap - l->len)
		len = l->cap - l->len;
	memcpy(l->p + l->len, s, len);
	l->len += len;
}

static void
add_str(struct line *l, const char *s)
{
	add(l, s, strlen(s));
}

static void
add_time(struct line *l, const struct timespec *time)
{
	char text[40], ms[8];
	struct tm tm;

	gmtime_r(&time->tv_sec, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	add_str(l, text);
	snprintf(ms, sizeof(ms), ".%03uZ", (unsigned)(time->tv_nsec / 1000000) % 1000);
	add_str(l, ms);
}

static void
add_priority(struct line *l, const struct log_entry *e)
{
	char text[4] = { '<', (char)('0' + priority[e->level]), '>', '\0' };

	if (e->is_for_journal)
		add_str(l, text);
}

/* ---- text ---- */

static void
add_subject(struct line *l, const struct log_subject *about)
{
	if (about->who != NULL) {
		add_str(l, about->who);
		add_str(l, ": ");
	}
	if (about->request != NULL) {
		add_str(l, "request ");
		add_str(l, about->request);
		if (about->client != NULL && about->client[0] != '\0') {
			add_str(l, " of ");
			add_str(l, about->client);
		}
		add_str(l, ": ");
	}
}

size_t
log_line_text(char *line, const struct log_entry *e)
{
	struct line l = { line, 0, LOG_TEXT_MAX - 1 };
	size_t begin;

	add_priority(&l, e);
	begin = l.len;
	if (!e->is_for_journal) {
		char level[8];

		add_time(&l, &e->time);
		snprintf(level, sizeof(level), " %-5s ", level_name[e->level]);
		add_str(&l, level);
	}
	if (e->area != NULL) {
		add_str(&l, "[");
		add_str(&l, e->area);
		add_str(&l, "] ");
	}
	add_subject(&l, &e->about);
	add_str(&l, e->text);
	for (size_t i = begin; i < l.len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[l.len++] = '\n';
	return l.len;
}

/* ---- JSON ---- */

/* Bytes of the UTF-8 character at s (RFC 3629); 0: there is none. */
static size_t
utf8_len(const unsigned char *s)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 :
	    (s[0] & 0xf0) == 0xe0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < n; i++)	/* a NUL ends it as well */
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90))
		return 0;	/* longer than need be, a surrogate, or beyond the last */
	return n;
}

/* One character at s as it stands in a JSON string; how many bytes of s it is. */
static size_t
escape(const unsigned char *s, char out[8], size_t *out_len)
{
	size_t n = utf8_len(s);

	if (n == 0) {
		*out_len = (size_t)snprintf(out, 8, "\\ufffd");
		return 1;
	}
	if (s[0] == '"' || s[0] == '\\') {
		out[0] = '\\';
		out[1] = (char)s[0];
		*out_len = 2;
	} else if (s[0] < 0x20 || s[0] == 0x7f) {
		*out_len = (size_t)snprintf(out, 8, "\\u%04x", s[0]);
	} else {
		memcpy(out, s, n);
		*out_len = n;
	}
	return n;
}

/* A string of at most max bytes, quotes and all; what is beyond is cut between characters. */
static void
add_string(struct line *l, const char *text, size_t max)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t left = max - 2, len;
	char out[8];

	add_str(l, "\"");
	while (*s != '\0') {
		s += escape(s, out, &len);
		if (len > left)
			break;
		add(l, out, len);
		left -= len;
	}
	add_str(l, "\"");
}

static void
add_field(struct line *l, const char *name, const char *value, size_t max)
{
	if (value == NULL || value[0] == '\0')
		return;
	add_str(l, ",\"");
	add_str(l, name);
	add_str(l, "\":");
	add_string(l, value, max);
}

/* Six fields of FIELD_MAX at most and the text: no part is ever left out. */
size_t
log_line_json(char *line, const struct log_entry *e)
{
	struct line l = { line, 0, LOG_LINE_MAX_BYTES };

	add_priority(&l, e);
	add_str(&l, "{\"time\":\"");
	add_time(&l, &e->time);
	add_str(&l, "\",\"level\":\"");
	add_str(&l, level_name[e->level]);
	add_str(&l, "\"");
	add_field(&l, "node", e->node, FIELD_MAX);
	add_field(&l, "area", e->area, FIELD_MAX);
	add_field(&l, "who", e->about.who, FIELD_MAX);
	add_field(&l, "request", e->about.request, FIELD_MAX);
	add_field(&l, "client", e->about.client, FIELD_MAX);
	add_str(&l, ",\"text\":");
	add_string(&l, e->text, 2 * LOG_TEXT_MAX);
	add_str(&l, "}\n");
	return l.len;
}
