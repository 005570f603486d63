/* SPDX-License-Identifier: ISC */
/*
 * What a line of the log looks like: text for people, JSON for machines.
 *
 * Writes into memory that is there already: a line can be made whatever the state of the heap is.
 */
#ifndef BASE_LOG_LINE_H
#define BASE_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/log.h"

#define LOG_TEXT_MAX	   4096		/* a line of text, with its line feed */
#define LOG_LINE_MAX_BYTES 16384	/* a line in any form */

/* Texts that are NULL are left out. */
struct log_entry {
	struct timespec time;
	enum log_level level;
	const char *node;
	const char *area;
	struct log_subject about;
	const char *text;
	bool is_for_journal;		/* has time and level of its own: "<4>" says the level */
};

/*
 * Write the line with its line feed into line[LOG_LINE_MAX_BYTES]; give its length.  A text that
 * is too long is cut.  Control characters, which may come from a peer, are shown as '?' in
 * text, and escaped in JSON, which is one object whatever the texts are: bytes that are no
 * UTF-8 become U+FFFD.
 */
size_t	log_line_text(char *line, const struct log_entry *);
size_t	log_line_json(char *line, const struct log_entry *);

#endif
