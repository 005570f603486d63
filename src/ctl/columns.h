/* SPDX-License-Identifier: ISC */
/*
 * What the answers to commands look like as tables.
 */
#ifndef CTL_COLUMNS_H
#define CTL_COLUMNS_H

#include "ctl/table.h"

#define COLUMNS_LISTS_MAX 3

/*
 * The lists of a command's answer; behind the last one of less than COLUMNS_LISTS_MAX, one without
 * columns.  One without a member is of the answer itself.  NULL: it is printed as it comes.
 */
const struct list *columns_of(const char *command);

#endif
