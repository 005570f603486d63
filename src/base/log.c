/* SPDX-License-Identifier: ISC */
/*
 * Which lines are shown, and how many of a kind; log_line makes them, log_out writes them.
 */
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_line.h"
#include "base/log_out.h"
#include "base/xmalloc.h"

#define LIMIT_LINES 10		/* of one kind, in LIMIT_MS */
#define LIMIT_MS    10000

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

/* What every thread looks at, and one may change. */
static _Atomic enum log_level level_shown = LOG_LEVEL_INFO, level_set = LOG_LEVEL_INFO;
static atomic_bool is_overridden;
static atomic_bool area_shown[ARRAY_LEN(area_name)], shows_some_area;
atomic_bool log_shows_debug;

static _Atomic enum log_format line_format;

/* Set before there are threads. */
static char *node_name;

/* Limits, and the list of those that left lines out, which is looked at without the lock. */
static pthread_mutex_t limits_lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_limit *_Atomic limits_full;

void
log_set_format(enum log_format format, const char *node)
{
	line_format = format;
	if (node_name != NULL && node != NULL && strcmp(node_name, node) == 0)
		return;
	free(node_name);
	node_name = node != NULL ? xstrdup(node) : NULL;
}

static void
show(enum log_level level, bool some_area)
{
	level_shown = level;
	shows_some_area = some_area;
	log_shows_debug = level == LOG_LEVEL_DEBUG || some_area;
}

void
log_set_level(enum log_level level)
{
	level_set = level;
	if (!is_overridden)
		show(level, shows_some_area);
}

void
log_override_level(enum log_level level)
{
	is_overridden = true;
	show(level, shows_some_area);
}

void
log_end_override(void)
{
	is_overridden = false;
	show(level_set, shows_some_area);
}

enum log_level
log_get_level(void)
{
	return level_shown;
}

const char *
log_level_name(enum log_level level)
{
	return level_name[level];
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
			area_shown[i] = true;
			show(level_shown, true);
			found = true;
		}
	}
	return found;
}

bool
log_has_area(const char *area)
{
	for (size_t i = 0; i < ARRAY_LEN(area_name); i++)
		if (strcmp(area, area_name[i]) == 0)
			return true;
	return strcmp(area, "all") == 0;
}

void
log_remove_area(const char *area)
{
	bool all = strcmp(area, "all") == 0, shows_some = false;

	for (size_t i = 0; i < ARRAY_LEN(area_name); i++) {
		if (all || strcmp(area, area_name[i]) == 0)
			area_shown[i] = false;
		shows_some = shows_some || area_shown[i];
	}
	show(level_shown, shows_some);
}

bool
log_shows_debug_of(const char *area)
{
	if (level_shown == LOG_LEVEL_DEBUG || !shows_some_area)
		return level_shown == LOG_LEVEL_DEBUG;
	for (size_t i = 0; i < ARRAY_LEN(area_name); i++)
		if (strcmp(area, area_name[i]) == 0)
			return area_shown[i];
	return false;
}

static size_t
make_line(char *line, enum log_level level, const char *area, const struct log_subject *about,
    const char *text)
{
	struct log_entry e = { .level = level, .node = node_name, .area = area, .text = text,
		.is_for_journal = log_out_is_journal() };

	if (about != NULL)
		e.about = *about;
	clock_gettime(CLOCK_REALTIME, &e.time);
	return line_format == LOG_FORMAT_JSON ? log_line_json(line, &e) : log_line_text(line, &e);
}

static void PRINTF_LIKE(3, 0)
format_text(char *text, int errnum, const char *fmt, va_list ap)
{
	int n = vsnprintf(text, LOG_TEXT_MAX, fmt, ap);
	size_t len = n < 0 ? 0 : n < LOG_TEXT_MAX ? (size_t)n : LOG_TEXT_MAX - 1;

	if (errnum != 0)
		snprintf(text + len, LOG_TEXT_MAX - len, ": %s", strerror(errnum));
}

static void PRINTF_LIKE(5, 0)
vlog(enum log_level level, const char *area, const struct log_subject *about, int errnum,
    const char *fmt, va_list ap)
{
	char text[LOG_TEXT_MAX], line[LOG_LINE_MAX_BYTES];
	int saved = errno;

	if (level <= level_shown || level == LOG_LEVEL_DEBUG) {
		format_text(text, errnum, fmt, ap);
		log_out_write(line, make_line(line, level, area, about, text));
	}
	errno = saved;
}

void
log_msg(enum log_level level, const char *area, const char *who, int errnum, const char *fmt, ...)
{
	struct log_subject about = { .who = who };
	va_list ap;

	va_start(ap, fmt);
	vlog(level, area, &about, errnum, fmt, ap);
	va_end(ap);
}

void
log_about(enum log_level level, const char *area, struct log_subject about, int errnum,
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vlog(level, area, &about, errnum, fmt, ap);
	va_end(ap);
}

/* ---- limits ---- */

static void
say_left_out(const char *about, unsigned n)
{
	if (about != NULL)
		log_warnx("%u more lines about %s were left out", n, about);
	else
		log_warnx("%u similar lines were left out", n);
}

/* With the lock: its lines are counted anew.  How many were left out. */
static unsigned
restart(struct log_limit *l, uint64_t now_ms)
{
	unsigned left_out = l->left_out;
	struct log_limit *head = limits_full;

	if (head == l) {
		limits_full = l->next;
	} else {
		for (; head != NULL; head = head->next)
			if (head->next == l)
				head->next = l->next;
	}
	l->since_ms = now_ms;
	l->n = l->left_out = 0;
	l->next = NULL;
	return left_out;
}

bool
log_allows(struct log_limit *l)
{
	uint64_t now_ms = clock_mono_ms();
	unsigned left_out = 0;
	bool is_allowed;

	pthread_mutex_lock(&limits_lock);
	if (now_ms - l->since_ms >= LIMIT_MS)
		left_out = restart(l, now_ms);
	is_allowed = l->n < LIMIT_LINES;
	if (is_allowed) {
		l->n++;
	} else if (l->left_out++ == 0) {
		l->next = limits_full;
		limits_full = l;
	}
	pthread_mutex_unlock(&limits_lock);
	if (left_out > 0)
		say_left_out(l->about, left_out);
	return is_allowed;
}

/* Of all that are older: what they left out. */
static void
flush_limits(uint64_t age_ms)
{
	uint64_t now_ms = clock_mono_ms();
	struct log_limit *l = NULL;
	const char *about = NULL;
	unsigned left_out = 0;

	while (limits_full != NULL) {
		pthread_mutex_lock(&limits_lock);
		for (l = limits_full; l != NULL && now_ms - l->since_ms < age_ms; l = l->next)
			continue;
		if (l != NULL) {
			about = l->about;
			left_out = restart(l, now_ms);
		}
		pthread_mutex_unlock(&limits_lock);
		if (l == NULL)
			break;
		say_left_out(about, left_out);
	}
}

void
log_tick(void)
{
	flush_limits(LIMIT_MS);
}

void
log_finish(void)
{
	flush_limits(0);
}

/* ---- the end ---- */

/* Whoever started us looks at standard error. */
static void NO_RETURN PRINTF_LIKE(2, 0)
fatal_line(int errnum, const char *fmt, va_list ap)
{
	char text[LOG_TEXT_MAX], line[LOG_LINE_MAX_BYTES];
	size_t len;

	format_text(text, errnum, fmt, ap);
	len = make_line(line, LOG_LEVEL_ERROR, NULL, NULL, text);
	log_out_write(line, len);
	if (log_out_is_file())
		log_out_complain(line, len);
	/* Not exit(): other threads go on, while it takes libraries down that they use. */
	fflush(stdout);
	_exit(1);
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
