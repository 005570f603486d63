/* SPDX-License-Identifier: ISC */
/*
 * Latencies, each of them kept, so that a percentile is one that was measured.
 */
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

struct samples {
	uint32_t *ns;		/* above UINT32_MAX: 4.29 s, cut to that */
	size_t n, cap;
};

void	samples_add(struct samples *, uint64_t ns);
void	samples_sort(struct samples *);
/* Of sorted ones, in microseconds; share is 0.5 for the median.  0 if there are none. */
double	samples_at(const struct samples *, double share);

#endif
