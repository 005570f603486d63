/* SPDX-License-Identifier: ISC */
/*
 * For tests with a real event loop: it runs until a condition holds, so no test sleeps
 * for a guess.
 */
#ifndef TESTS_UNIT_LOOP_UNIT_H
#define TESTS_UNIT_LOOP_UNIT_H

#include <stdbool.h>

#include "net/loop.h"
#include "unit.h"

#define LOOP_WAIT_MS 8000	/* less than check's own limit, so that the test says which wait */

struct loop_wait {
	struct loop *loop;
	struct timer timer;
	bool (*is_done)(void *);
	void *arg;
	unsigned left_ms;
};

static inline void
loop_wait_look(void *arg)
{
	struct loop_wait *w = arg;

	if (w->is_done(w->arg))
		loop_stop(w->loop);
	else if (w->left_ms-- == 0)
		ck_abort_msg("what the loop waits for did not happen");
	else
		loop_timer_set(w->loop, &w->timer, 1, loop_wait_look, w);
}

/* Runs the loop until is_done(arg), which is asked every millisecond. */
static inline void
loop_run_until(struct loop *loop, bool (*is_done)(void *), void *arg)
{
	struct loop_wait w = { .loop = loop, .is_done = is_done, .arg = arg,
		.left_ms = LOOP_WAIT_MS };

	loop_timer_set(loop, &w.timer, 0, loop_wait_look, &w);
	loop_run(loop);
}

static inline bool
loop_turns_are_over(void *arg)
{
	return (*(unsigned *)arg)-- == 0;
}

/* Lets what is under way happen: a number of turns. */
static inline void
loop_run_turns(struct loop *loop, unsigned turns)
{
	loop_run_until(loop, loop_turns_are_over, &turns);
}

#endif
