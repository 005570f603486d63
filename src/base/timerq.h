/* SPDX-License-Identifier: ISC */
/*
 * Timers by the hundred thousand: one FIFO list per duration, exact to the
 * millisecond where that is wanted.
 *
 * Most timers of a server share a few durations (deadlines, heart-beats), and of one
 * duration the first to be set is the first to be due.  So setting and stopping
 * are a list operation; a small heap of the lists tells which is due next.  The queue
 * has no clock: it is told the time.
 */
#ifndef BASE_TIMERQ_H
#define BASE_TIMERQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMERQ_NEVER UINT64_MAX

struct timerq;
struct timerq_list;

/* Inside the object it belongs to; zero-initialised it is not set. */
struct timer {
	struct timer *next, *prev;
	struct timerq_list *list;	/* NULL: not set */
	uint64_t due_ms;
	void (*on_due)(void *arg);
	void *arg;
};

struct timerq	*timerq_new(void);
/* Timers still set are dropped; what they are in must still be there. */
void		 timerq_free(struct timerq *);

/*
 * Calls on_due(arg) once, after_ms from now_ms; a timer that was set is set anew.
 * on_due may set and stop any timer and free the object this one is in.
 */
void		 timer_set(struct timerq *, struct timer *, uint64_t now_ms, uint64_t after_ms,
		    void (*on_due)(void *), void *arg);
/*
 * The same, but up to a 256th of after_ms later: of many timers that were set one after the other,
 * as those of heart-beats, many are due at once, and whoever waits for them wakes less often.
 */
void		 timer_set_about(struct timerq *, struct timer *, uint64_t now_ms,
		    uint64_t after_ms, void (*on_due)(void *), void *arg);
void		 timer_stop(struct timerq *, struct timer *);	/* fine if not set */
bool		 timer_is_set(const struct timer *);

/* Calls what is due at now_ms. */
void		 timerq_run(struct timerq *, uint64_t now_ms);

/*
 * Different durations among the timers that are set (one that is exact for some and "about" for
 * others is two): what an operation costs depends on the logarithm of their number, and not on the
 * number of timers.
 */
size_t		 timerq_durations(const struct timerq *);

/* When the next timer is due, TIMERQ_NEVER if none is set. */
uint64_t	 timerq_next_due(const struct timerq *);

#endif
