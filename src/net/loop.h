/* SPDX-License-Identifier: ISC */
/*
 * An event loop and what happens at the end of each of its turns.
 *
 * An object lives on one loop for all its life.  Other threads reach it through
 * loop_post() only.  Together with net/conn and net/listener this is the only
 * code that knows libevent.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/histogram.h"
#include "base/metrics.h"
#include "base/timerq.h"

struct event_base;
struct loop;
struct spares;

struct loop	*loop_new(void);
void		 loop_free(struct loop *);	/* after loop_run() has returned */

void		 loop_run(struct loop *);	/* returns after loop_stop(); may be called again */
void		 loop_stop(struct loop *);

/*
 * Calls fn(arg) on the loop's thread, soon.  From any thread.  What one thread posts comes in the
 * order in which it was posted; the loop is woken once, however much waits.
 *
 * It is the only way from one loop to another.  arg is what the loop that gets it may keep: bytes,
 * numbers, and what nobody else has any more.  An object of the loop that posts is
 * named by its id there, and looked up when an answer comes back, since it may be gone by then.
 * fn is called in any case, perhaps as late as in loop_free(), so that it can free arg.
 */
void		 loop_post(struct loop *, void (*fn)(void *), void *arg);

/* The same, of something that takes so many bytes of memory until fn has freed it. */
void		 loop_post_bytes(struct loop *, void (*fn)(void *), void *arg, size_t bytes);

/*
 * May so much more wait for the loop?  Where nothing waits anything may.  From any thread.  Posts
 * are never refused: who makes one of what peers send, and as often as they like, asks first.  As
 * others may post between the two, and the loop works on what it has taken, there may be some more
 * than the maximum, which is for what waits.
 */
bool		 loop_has_room(struct loop *, size_t bytes);
void		 loop_set_post_bytes_max(struct loop *, size_t);	/* at first there is none */

/* Calls what was posted; gives how much that was.  For a loop that does not run any more. */
size_t		 loop_run_posts(struct loop *);

/*
 * The clocks of base/clock.h, read once a turn at most: what is done in one turn is done at one
 * time.
 */
uint64_t	 loop_mono_ms(struct loop *);
int64_t		 loop_wall_ms(struct loop *);

struct spares	*loop_spares(struct loop *);	/* memory for what is short-lived */

/*
 * Timers of this loop: after_ms from now; or from from_ms, which was now in this turn; or up to a
 * 256th later, together with others (timer_set_about()).
 */
void		 loop_timer_set(struct loop *, struct timer *, uint64_t after_ms,
		    void (*on_due)(void *), void *arg);
void		 loop_timer_set_from(struct loop *, struct timer *, uint64_t from_ms,
		    uint64_t after_ms, void (*on_due)(void *), void *arg);
void		 loop_timer_set_about(struct loop *, struct timer *, uint64_t after_ms,
		    void (*on_due)(void *), void *arg);
void		 loop_timer_stop(struct loop *, struct timer *);

/* Calls on_signal(signo, arg) on this loop whenever the process gets that signal. */
void		 loop_on_signal(struct loop *, int signo, void (*on_signal)(int, void *),
		    void *arg);

struct metrics	*loop_metrics(struct loop *);	/* this loop's counters */

/*
 * What this loop has to do, for whoever gives it more: sessions, and connections that belong to
 * none.  The front end counts them; any thread may look.
 */
atomic_size_t	*loop_load(struct loop *);

/* How late its timers were run, in milliseconds: what else it did was in their way. */
struct loop_lag {
	struct histogram late;
	uint64_t max_ms;
};

const struct loop_lag *loop_lag(const struct loop *);

/* Open connections of this loop, those lingering included; net/conn counts them. */
size_t		*loop_conns(struct loop *);

/*
 * End of turn, for net/: each work is done once, after all callbacks of this turn;
 * what is added meanwhile waits for the next turn, which then does not block.
 */
enum loop_phase { LOOP_FLUSH, LOOP_FREE, LOOP_PHASES };

/* Zero-initialised; there are many in a connection, hence no flag of its own. */
struct loop_work {
	struct loop_work *next;		/* NULL: it does not wait */
	void (*fn)(void *arg);
	void *arg;
};

void		 loop_defer(struct loop *, enum loop_phase, struct loop_work *,
		    void (*fn)(void *), void *arg);
bool		 loop_work_is_waiting(const struct loop_work *);

/*
 * What was read ends here, for net/conn; and, for who takes messages out of it: the one that is
 * given now ends there.  Where both are the same, and no other event of this turn is left, the turn
 * has as a rule nothing more to send than what follows from that message, and loop_is_last() until
 * its end.
 */
void		 loop_reads_to(struct loop *, const char *end);
void		 loop_comes_to(struct loop *, const char *at);
bool		 loop_is_last(const struct loop *);

struct event_base *loop_base(struct loop *);	/* for net/ alone */
char		*loop_read_buffer(struct loop *, size_t *size);	/* scratch for one read */

#endif
