/* SPDX-License-Identifier: ISC */
/*
 * Are the programs that applications name there?  Before the start, when somebody looks.
 */
#ifndef CONF_CONF_PROGRAMS_H
#define CONF_CONF_PROGRAMS_H

#include "base/buf.h"

struct conf;

/*
 * Appends a line for each program that is not there, with what to do.  It may come later, so
 * this is no fault of the configuration.
 */
void	conf_programs_check(const struct conf *, struct buf *lines);

#endif
