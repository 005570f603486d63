/* SPDX-License-Identifier: ISC */
/*
 * Following requests live: what the rest of the admin must do for it.
 */
#ifndef ADMIN_ADMIN_TRACE_H
#define ADMIN_ADMIN_TRACE_H

#include <stdbool.h>

struct admin_view;

/* Loops are held: frees traces that are over, and looks on no longer if there is none. */
void	admin_trace_sweep(const struct admin_view *);

/* Does anybody look on? */
bool	admin_trace_is_on(const struct admin_view *);

/* Nobody looks on any more, and no loop runs. */
struct admin_memory;
void	admin_trace_cleanup(struct admin_memory *);

#endif
