/* SPDX-License-Identifier: ISC */
/*
 * What operators set at run time, for the other commands.
 */
#ifndef ADMIN_ADMIN_ACTIONS_H
#define ADMIN_ADMIN_ACTIONS_H

struct admin_ask;

/* "drain" with a destination. */
void	admin_drain_destination(struct admin_ask *);

/* What is set, as an array "set"; nothing if nothing is. */
void	admin_add_overrides(struct admin_ask *);

/* The command "drain" with a destination, and perhaps a URL. */
void	admin_drain_destination(struct admin_ask *);

#endif
