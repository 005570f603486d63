/* SPDX-License-Identifier: ISC */
/*
 * Log lines: "2026-01-31T12:00:00.123Z warn  C-17 203.0.113.9:5512: text".
 *
 * A line is formatted into one buffer and written with one write(2), so lines
 * of several threads never mix.  Control characters, which may come from a
 * peer, are shown as '?'.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define LINE_MAX_BYTES 4096
#define LIMIT_LINES    10	/* of one kind, in LIMIT_MS */
#define LIMIT_MS       10000

static const char *const level_name[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

/* Areas of debug lines; usherd(8) explains them under -D. */
static const char *const area_name[] = {
	"conn", "http", "sio", "token", "request", "link", "pool",
};

static enum log_level level_shown = LOG_LEVEL_INFO;
static bool area_shown[ARRAY_LEN(area_name)], shows_some_area;

void
log_set_level(enum log_level level)
{
	level_shown = level;
}

bool
log_level_from_name(const char *name, enum log_level *level)
{
	for (size_t i = 0; i < ARRAY_LEN(level_name); i++) {
		if (strcmp(name, level_name[i]) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

bool
log_add_area(const char *area)
{
	bool all = strcmp(area, "all") == 0, found = all;

	for (size_t i = 0; i < ARRAY_LEN(area_name); i++) {
		if (all || strcmp(area, area_name[i]) == 0) {
			area_shown[i] = shows_some_area = true;
			found = true;
		}
	}
	return found;
}

bool
log_shows_area(const char *area)
{
	if (level_shown == LOG_LEVEL_DEBUG || !shows_some_area)
		return level_shown == LOG_LEVEL_DEBUG;
	for (size_t i = 0; i < ARRAY_LEN(area_name); i++)
		if (strcmp(area, area_name[i]) == 0)
			return area_shown[i];
	return false;
}

static size_t PRINTF_LIKE(3, 0)
put(char *line, size_t len, const char *fmt, va_list ap)
{
	int n = vsnprintf(line + len, LINE_MAX_BYTES - len, fmt, ap);

	if (n < 0)
		return len;
	return len + (size_t)n < LINE_MAX_BYTES - 1 ? len + (size_t)n : LINE_MAX_BYTES - 1;
}

static size_t PRINTF_LIKE(3, 4)
putf(char *line, size_t len, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	len = put(line, len, fmt, ap);
	va_end(ap);
	return len;
}

static size_t
put_head(char *line, enum log_level level, const char *area, const char *who)
{
	struct timespec now;
	struct tm tm;
	size_t len;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	len = strftime(line, LINE_MAX_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
	len = putf(line, len, ".%03ldZ %-5s ", now.tv_nsec / 1000000, level_name[level]);
	if (area != NULL)
		len = putf(line, len, "[%s] ", area);
	if (who != NULL)
		len = putf(line, len, "%s: ", who);
	return len;
}

static void
write_line(char *line, size_t len)
{
	size_t done = 0;
	ssize_t n;

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[len++] = '\n';
	while (done < len) {
		n = write(STDERR_FILENO, line + done, len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;	/* nowhere to complain */
		done += (size_t)n;
	}
}

void
log_msg(enum log_level level, const char *area, const char *who, int errnum, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES + 1];
	int saved = errno;
	va_list ap;
	size_t len;

	if (level > level_shown && level != LOG_LEVEL_DEBUG)
		return;
	len = put_head(line, level, area, who);
	va_start(ap, fmt);
	len = put(line, len, fmt, ap);
	va_end(ap);
	if (errnum != 0)
		len = putf(line, len, ": %s", strerror(errnum));
	write_line(line, len);
	errno = saved;
}

bool
log_allows(struct log_limit *l)
{
	uint64_t now_ms = clock_mono_ms();

	if (now_ms - l->since_ms >= LIMIT_MS) {
		if (l->left_out > 0)
			log_warnx("%u similar lines were left out", l->left_out);
		*l = (struct log_limit){ .since_ms = now_ms };
	}
	if (l->n >= LIMIT_LINES) {
		l->left_out++;
		return false;
	}
	l->n++;
	return true;
}

static void NO_RETURN PRINTF_LIKE(2, 0)
fatal_line(int errnum, const char *fmt, va_list ap)
{
	char line[LINE_MAX_BYTES + 1];
	size_t len;

	len = put_head(line, LOG_LEVEL_ERROR, NULL, NULL);
	len = put(line, len, fmt, ap);
	if (errnum != 0)
		len = putf(line, len, ": %s", strerror(errnum));
	write_line(line, len);
	exit(1);
}

void
fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fatal_line(errno, fmt, ap);
}

void
fatalx(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fatal_line(0, fmt, ap);
}
