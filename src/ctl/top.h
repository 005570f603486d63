/* SPDX-License-Identifier: ISC */
/*
 * The command "top": rates of a node and of its routes, drawn again and again.
 */
#ifndef CTL_TOP_H
#define CTL_TOP_H

#include <stdbool.h>

/* Gives the exit status.  is_once, and without a terminal: drawn once, after a second. */
int	top_run(const char *socket_path, bool is_once);

#endif
