/* SPDX-License-Identifier: ISC */
/*
 * Where lines of the log go: standard error, which may be the journal, or a file.
 */
#ifndef BASE_LOG_OUT_H
#define BASE_LOG_OUT_H

#include <stdbool.h>
#include <stddef.h>

/* A whole line; what cannot be written is lost.  From any thread. */
void	log_out_write(const char *line, size_t len);
/* The same to standard error, wherever the others go. */
void	log_out_complain(const char *line, size_t len);

bool	log_out_is_journal(void);	/* it wants to be told the level */
bool	log_out_is_file(void);

#endif
