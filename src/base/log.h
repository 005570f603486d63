/* SPDX-License-Identifier: ISC */
/*
 * The log: one line a call, to standard error or to a file, as text or as JSON.
 *
 * error: the operator must act.  warn: it goes on, but worse.  info: start,
 * stop, link up and down.  debug: of one area ("link", "sio", "pool", ...), shown
 * when that area was asked for.  Tokens, secrets and payloads are never logged.
 *
 * The _for variants put in front who the line is about: a label such as
 * "C-17 203.0.113.9:5512" kept by the object.  The _of variants say more: what a
 * request was called at its first node, on every node.  Calls keep errno, and may
 * come from any thread.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Whom a line is about; NULL: nobody. */
struct log_subject {
	const char *who;		/* a connection, link or worker: its label */
	const char *request;		/* its id */
	const char *client;		/* the address where the request began */
};

/* Before the first line: finds out whether standard error is the journal, which wants levels. */
void	log_init(void);
/* node is named in lines of JSON, NULL: none is; once there are threads it stays. */
void	log_set_format(enum log_format, const char *node);
/* To this file from now on, before there are threads; false: errno says why not. */
MUST_USE bool	log_open(const char *path);
/* The file was moved away: begins a new one.  Without a file it does nothing. */
void	log_reopen(void);

void	log_set_level(enum log_level);
/* This one counts instead, until its end. */
void	log_override_level(enum log_level);
void	log_end_override(void);
enum log_level	log_get_level(void);
const char	*log_level_name(enum log_level);
bool	log_level_from_name(const char *, enum log_level *);
bool	log_add_area(const char *area);		/* "all" shows every area; false: no such area */
void	log_remove_area(const char *area);
bool	log_has_area(const char *area);		/* is there such a one? */

/* Some debug lines are shown; log.c alone sets it. */
extern atomic_bool log_shows_debug;
bool	log_shows_debug_of(const char *area);	/* are these? */

static inline bool
log_shows_area(const char *area)
{
	return atomic_load_explicit(&log_shows_debug, memory_order_relaxed) &&
	    log_shows_debug_of(area);
}

/* who may be NULL; errnum 0 adds no strerror().  RARE: whatever leads to a line is, to compilers. */
RARE void log_msg(enum log_level, const char *area, const char *who, int errnum,
	    const char *fmt, ...) PRINTF_LIKE(5, 6);

RARE void log_about(enum log_level, const char *area, struct log_subject, int errnum,
	    const char *fmt, ...) PRINTF_LIKE(5, 6);

#define log_error(...)	 log_msg(LOG_LEVEL_ERROR, NULL, NULL, errno, __VA_ARGS__)
#define log_errorx(...)	 log_msg(LOG_LEVEL_ERROR, NULL, NULL, 0, __VA_ARGS__)
#define log_warn(...)	 log_msg(LOG_LEVEL_WARN, NULL, NULL, errno, __VA_ARGS__)
#define log_warnx(...)	 log_msg(LOG_LEVEL_WARN, NULL, NULL, 0, __VA_ARGS__)
#define log_info(...)	 log_msg(LOG_LEVEL_INFO, NULL, NULL, 0, __VA_ARGS__)
#define log_error_for(who, ...)  log_msg(LOG_LEVEL_ERROR, NULL, who, errno, __VA_ARGS__)
#define log_errorx_for(who, ...) log_msg(LOG_LEVEL_ERROR, NULL, who, 0, __VA_ARGS__)
#define log_warn_for(who, ...)	 log_msg(LOG_LEVEL_WARN, NULL, who, errno, __VA_ARGS__)
#define log_warnx_for(who, ...)	 log_msg(LOG_LEVEL_WARN, NULL, who, 0, __VA_ARGS__)
#define log_info_for(who, ...)	 log_msg(LOG_LEVEL_INFO, NULL, who, 0, __VA_ARGS__)
#define log_warnx_of(about, ...) log_about(LOG_LEVEL_WARN, NULL, about, 0, __VA_ARGS__)
#define log_info_of(about, ...)	 log_about(LOG_LEVEL_INFO, NULL, about, 0, __VA_ARGS__)
#define log_debug_of(area, about, ...)				\
	do {							\
		if (log_shows_area(area))			\
			log_about(LOG_LEVEL_DEBUG, area, about, 0, __VA_ARGS__); \
	} while (0)
#define log_debug(area, ...)					\
	do {							\
		if (log_shows_area(area))			\
			log_msg(LOG_LEVEL_DEBUG, area, NULL, 0, __VA_ARGS__); \
	} while (0)
#define log_debug_for(area, who, ...)				\
	do {							\
		if (log_shows_area(area))			\
			log_msg(LOG_LEVEL_DEBUG, area, who, 0, __VA_ARGS__); \
	} while (0)

/*
 * For lines that a peer can cause at will: ten in ten seconds, then one that says how many
 * were left out.  A static one at each place that logs; zero-initialised but for .about, which
 * is what these lines are about.
 */
struct log_limit {
	const char *about;		/* "slow requests"; NULL: not said */
	uint64_t since_ms;
	unsigned n, left_out;
	struct log_limit *next;		/* of those that left lines out */
};

bool	log_allows(struct log_limit *);

/* From time to time: says what was left out and is over.  At the end: all of it. */
void	log_tick(void);
void	log_finish(void);

/* Start-up failure or broken invariant: logs and ends the process. */
void	fatal(const char *fmt, ...) PRINTF_LIKE(1, 2) NO_RETURN;	/* with strerror(errno) */
void	fatalx(const char *fmt, ...) PRINTF_LIKE(1, 2) NO_RETURN;

#endif
