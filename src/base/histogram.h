/* SPDX-License-Identifier: ISC */
/*
 * How often something took how long, in buckets whose bounds are powers of two: adding is one
 * increment.  No lock: one of each loop, summed when read.
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

/* 1, 2, 4, ... 2^17 (131 s of milliseconds), and what is above. */
#define HISTOGRAM_BOUNDS 18

struct histogram {
	uint64_t bucket[HISTOGRAM_BOUNDS + 1];
	uint64_t sum;
};

/* The bound of a bucket: its values are at most that many. */
static inline uint64_t
histogram_bound(size_t i)
{
	return (uint64_t)1 << i;
}

/*
 * A value that was cut to whole units.  It is at most one more, so 1 (that may be 1.9) counts
 * as 2: a bucket never holds what is above its bound.
 */
static inline void
histogram_add(struct histogram *h, uint64_t value)
{
	size_t i = value == 0 ? 0 : 64 - (size_t)__builtin_clzll(value);

	h->bucket[i < HISTOGRAM_BOUNDS ? i : HISTOGRAM_BOUNDS]++;
	h->sum += value;
}

static inline uint64_t
histogram_count(const struct histogram *h)
{
	uint64_t n = 0;

	for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
		n += h->bucket[i];
	return n;
}

static inline void
histogram_sum(struct histogram *to, const struct histogram *from)
{
	for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
		to->bucket[i] += from->bucket[i];
	to->sum += from->sum;
}

/* The bound below which a share of the values is, in per mille; 0: there are none. */
static inline uint64_t
histogram_quantile(const struct histogram *h, unsigned per_mille)
{
	uint64_t n = histogram_count(h), seen = 0;

	for (size_t i = 0; i <= HISTOGRAM_BOUNDS && n > 0; i++) {
		seen += h->bucket[i];
		if (seen * 1000 >= n * per_mille)
			return histogram_bound(i);
	}
	return 0;
}

#endif
