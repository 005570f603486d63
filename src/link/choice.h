/* SPDX-License-Identifier: ISC */
/*
 * Who gets the next request: of those that are offered one after the other, the one with the
 * fewest requests under way for its share.
 */
#ifndef LINK_CHOICE_H
#define LINK_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

/* Zero-initialised nobody was offered yet. */
struct choice {
	uint64_t load;			/* of the best, with the request that it would get */
	unsigned share;			/* 0: there is none */
};

/* Is this one better than those before?  share is not 0; among equals the first stays. */
static inline bool
choice_offer(struct choice *c, uint64_t outstanding, unsigned share)
{
	if (c->share != 0 && (outstanding + 1) * c->share >= c->load * share)
		return false;
	c->load = outstanding + 1;
	c->share = share;
	return true;
}

#endif
