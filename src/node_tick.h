/* SPDX-License-Identifier: ISC */
/*
 * What a node does now and then, whether there is work or not: tokens that have expired are
 * forgotten, on each loop; lines of the log that were left out are told; memory goes back.
 */
#ifndef NODE_TICK_H
#define NODE_TICK_H

#include "base/heap.h"
#include "base/timerq.h"

struct node_threads;

/* Zero-initialised it is stopped. */
struct node_tick {
	struct node_threads *threads;	/* borrowed; NULL: it is stopped */
	struct timer timer;		/* of the first loop */
	unsigned period_ms, n;		/* so often; so many times it was */
	struct heap heap;
};

/* The first time is now. */
void	node_tick_start(struct node_tick *, struct node_threads *, unsigned period_ms);
void	node_tick_stop(struct node_tick *);

#endif
