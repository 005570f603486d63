/* SPDX-License-Identifier: ISC */
/*
 * The bucket is counted in thousandths, so that one millisecond adds per_second.
 */
#include "base/ratelimit.h"

#define FORGET_S     60		/* in which as many refusals as there may be are forgotten */
#define REFUSALS_MAX (UINT32_MAX / FORGET_S / 2)

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
	/* Who shares it may have looked at the clock before another: no time counts twice. */
	if (now_ms > r->at_ms)
		r->at_ms = now_ms;
	/* What is larger than the whole bucket passes when the bucket is full, and empties it. */
	if (n * 1000 > r->level && r->level < full)
		return false;
	r->level = n * 1000 < r->level ? r->level - n * 1000 : 0;
	return true;
}

bool
refusals_add(struct refusals *f, uint64_t max, uint64_t now_ms)
{
	uint32_t now_s = (uint32_t)(now_ms / 1000);
	uint64_t forgotten;

	if (max > REFUSALS_MAX)
		max = REFUSALS_MAX;
	forgotten = (uint64_t)(now_s - f->at_s) * max;
	f->level = f->level > forgotten ? f->level - (uint32_t)forgotten : 0;
	f->at_s = now_s;
	if (f->level <= max * FORGET_S)
		f->level += FORGET_S;
	return f->level > max * FORGET_S;
}
