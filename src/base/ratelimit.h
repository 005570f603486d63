/* SPDX-License-Identifier: ISC */
/*
 * A token bucket: so much a second, with one second's worth saved up at most; and the patience
 * with who wants more than that, again and again.
 */
#ifndef BASE_RATELIMIT_H
#define BASE_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>

/* Zero-initialised the bucket is full. */
struct ratelimit {
	uint64_t level;		/* thousandths still there */
	uint64_t at_ms;		/* when that was so; 0: never used */
};

/*
 * Take n if there is as much; per_second UINT64_MAX never refuses.  now_ms may be older than the
 * last: then no time has passed.
 */
bool	ratelimit_take(struct ratelimit *, uint64_t per_second, uint64_t n, uint64_t now_ms);

/* Zero-initialised none has been refused. */
struct refusals {
	uint32_t level;		/* a minute's worth of each that is not forgotten yet */
	uint32_t at_s;		/* when that was so */
};

/*
 * One more.  true: that are more than max, whatever was taken in between.  As many as max are
 * forgotten in a minute, evenly.
 */
bool	refusals_add(struct refusals *, uint64_t max, uint64_t now_ms);

#endif
