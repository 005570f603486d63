/* SPDX-License-Identifier: ISC */
/*
 * How many requests may be sent a second time: so many of a hundred, with a few saved up for
 * quiet times.  Where everything fails, retries must not add to it.
 */
#ifndef LINK_RETRY_BUDGET_H
#define LINK_RETRY_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#define RETRY_COST  100		/* a request earns its percentage, a retry costs this */
#define RETRY_SAVED 10		/* retries that can be saved up; there from the beginning */

struct retry_budget {
	uint64_t level;
};

static inline void
retry_budget_init(struct retry_budget *b)
{
	b->level = RETRY_SAVED * RETRY_COST;
}

/* One more request. */
static inline void
retry_budget_earn(struct retry_budget *b, unsigned percent)
{
	b->level += percent;
	if (b->level > RETRY_SAVED * RETRY_COST)
		b->level = RETRY_SAVED * RETRY_COST;
}

/* May one be sent again? */
static inline bool
retry_budget_take(struct retry_budget *b, unsigned percent)
{
	if (percent == 0 || b->level < RETRY_COST)
		return false;
	b->level -= RETRY_COST;
	return true;
}

#endif
