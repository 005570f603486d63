/* SPDX-License-Identifier: ISC */
/*
 * Counters (metrics.def).  Each loop has a block of its own, so counting needs no
 * lock; blocks are summed when read.
 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stdint.h>

enum metric {
#define METRIC(name, text, help) METRIC_##name,
#include "base/metrics.def"
#undef METRIC
	METRIC_N
};

struct metrics {
	uint64_t value[METRIC_N];
};

static inline void
metrics_inc(struct metrics *m, enum metric which)
{
	m->value[which]++;
}

static inline void
metrics_add(struct metrics *m, enum metric which, uint64_t n)
{
	m->value[which] += n;
}

const char	*metrics_name(enum metric);
const char	*metrics_help(enum metric);

#endif
