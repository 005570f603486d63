/* SPDX-License-Identifier: ISC */
/*
 * The counters and the state of a node in the text format of Prometheus (version 0.0.4).
 *
 * Labels hold names of the configuration alone, so that there are as many series as it says,
 * whatever clients do.
 */
#ifndef ADMIN_ADMIN_METRICS_H
#define ADMIN_ADMIN_METRICS_H

struct admin_view;
struct buf;

void	admin_metrics_write(const struct admin_view *, struct buf *);

#endif
