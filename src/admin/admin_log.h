/* SPDX-License-Identifier: ISC */
/*
 * What was set of the log, for the other commands.
 */
#ifndef ADMIN_ADMIN_LOG_H
#define ADMIN_ADMIN_LOG_H

struct admin_ask;

/* "log_level", and what was set at run time as an array "log_set" if anything was. */
void	admin_log_add_status(struct admin_ask *);

#endif
