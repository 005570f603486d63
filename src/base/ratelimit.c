/* SPDX-License-Identifier: ISC */
/*
 * The bucket is counted in thousandths, so that one millisecond adds per_second.
 */
#include "base/ratelimit.h"

bool
ratelimit_take(struct ratelimit *r, uint64_t per_second, uint64_t n, uint64_t now_ms)
{
	uint64_t full, passed;

	if (per_second >= UINT64_MAX / 1000000)
		return true;
	full = per_second * 1000;
	passed = r->at_ms == 0 ? 1000 : now_ms > r->at_ms ? now_ms - r->at_ms : 0;
	if (passed > 1000)
		passed = 1000;
	r->level += passed * per_second;
	if (r->level > full)
		r->level = full;
	r->at_ms = now_ms;
	/* What is larger than the whole bucket passes when the bucket is full, and empties it. */
	if (n * 1000 > r->level && r->level < full)
		return false;
	r->level = n * 1000 < r->level ? r->level - n * 1000 : 0;
	return true;
}
