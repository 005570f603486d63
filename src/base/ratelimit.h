/* SPDX-License-Identifier: ISC */
/*
 * A token bucket: so much a second, with one second's worth saved up at most.
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

/* Take n if there is as much; per_second UINT64_MAX never refuses. */
bool	ratelimit_take(struct ratelimit *, uint64_t per_second, uint64_t n, uint64_t now_ms);

#endif
