/* SPDX-License-Identifier: ISC */
/*
 * One event base, one timer for all timers, an eventfd for posts from other threads.
 *
 * A turn is one event_base_loop(EVLOOP_ONCE), then the end-of-turn work in two
 * phases: write what was queued, then free what died.  Event priorities are not used: a flush
 * event of lower priority would starve under load.
 */
#include "net/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/log.h"
#include "base/spares.h"
#include "base/xmalloc.h"

#define READ_BUFFER_BYTES 262144	/* so that messages of 64 KiB are mostly one piece, not copied together */
#define SIGNALS_MAX	  8

struct post {
	struct post *next;
	void (*fn)(void *);
	void *arg;
};

struct signal_watch {
	struct event *event;
	void (*on_signal)(int, void *);
	void *arg;
};

struct loop {
	struct event_base *base;
	bool is_stopping;
	struct timerq *timers;
	struct event *timer;		/* the one libevent timer */
	uint64_t timer_due_ms;		/* what it is set to; TIMERQ_NEVER: not set */
	struct loop_work *work[LOOP_PHASES], **work_tail[LOOP_PHASES];
	struct loop_work work_end;	/* behind the last of each list */
	struct signal_watch signals[SIGNALS_MAX];
	size_t n_signals;
	struct metrics metrics;
	struct loop_lag lag;
	size_t n_conns;
	atomic_size_t load;
	char *read_buffer;
	struct spares *spares;
	const char *read_end;		/* of what was read last; NULL: nothing */
	bool is_last;			/* its last message is being served, and no event is left */
	bool is_in_turn;		/* only then the times below are good */
	uint64_t mono_ms;		/* 0: not read yet in this turn */
	int64_t wall_ms;

	pthread_mutex_t post_lock;	/* guards the posts */
	struct post *posts, **posts_tail;
	atomic_size_t post_bytes;	/* of those; changed under the lock, read without it */
	atomic_size_t post_bytes_max;
	int wake_fd;			/* eventfd */
	struct event *wake;
};

static void on_timer(evutil_socket_t fd, short what, void *arg);
static void on_wake(evutil_socket_t fd, short what, void *arg);

/* All that waits in a phase; its list is empty then. */
static struct loop_work *
take_work(struct loop *loop, int phase)
{
	struct loop_work *first = loop->work[phase];

	loop->work[phase] = &loop->work_end;
	loop->work_tail[phase] = &loop->work[phase];
	return first;
}

struct loop *
loop_new(void)
{
	struct loop *loop = xcalloc(1, sizeof(*loop));
	struct event_config *config = event_config_new();

	/* No lock: libevent is never called from another thread. */
	if (config == NULL || event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) != 0 ||
	    (loop->base = event_base_new_with_config(config)) == NULL)
		fatalx("cannot make an event base");
	event_config_free(config);
	loop->timers = timerq_new();
	loop->timer_due_ms = TIMERQ_NEVER;
	loop->timer = evtimer_new(loop->base, on_timer, loop);
	for (int i = 0; i < LOOP_PHASES; i++)
		(void)take_work(loop, i);
	loop->read_buffer = xmalloc(READ_BUFFER_BYTES);
	loop->spares = spares_new();
	pthread_mutex_init(&loop->post_lock, NULL);
	loop->posts_tail = &loop->posts;
	atomic_init(&loop->post_bytes_max, SIZE_MAX);
	if ((loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
		fatal("eventfd");
	loop->wake = event_new(loop->base, loop->wake_fd, EV_READ | EV_PERSIST, on_wake, loop);
	if (loop->timer == NULL || loop->wake == NULL || event_add(loop->wake, NULL) != 0)
		fatalx("cannot make an event");
	return loop;
}

static void end_of_turn(struct loop *);

static bool
has_work(const struct loop *loop)
{
	return loop->work[LOOP_FLUSH] != &loop->work_end ||
	    loop->work[LOOP_FREE] != &loop->work_end;
}

void
loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	loop_run_posts(loop);
	while (has_work(loop))
		end_of_turn(loop);
	for (size_t i = 0; i < loop->n_signals; i++)
		event_free(loop->signals[i].event);
	event_free(loop->wake);
	close(loop->wake_fd);
	event_free(loop->timer);
	timerq_free(loop->timers);
	event_base_free(loop->base);
	pthread_mutex_destroy(&loop->post_lock);
	free(loop->read_buffer);
	spares_free(loop->spares);
	free(loop);
}

static void
arm_timer(struct loop *loop)
{
	uint64_t due_ms = timerq_next_due(loop->timers), now_ms, wait_ms;
	struct timeval tv;

	if (due_ms == loop->timer_due_ms)
		return;
	loop->timer_due_ms = due_ms;
	if (due_ms == TIMERQ_NEVER) {
		evtimer_del(loop->timer);
		return;
	}
	now_ms = clock_mono_ms();
	wait_ms = due_ms > now_ms ? due_ms - now_ms : 0;
	tv.tv_sec = (time_t)(wait_ms / 1000);
	tv.tv_usec = (suseconds_t)(wait_ms % 1000 * 1000);
	evtimer_add(loop->timer, &tv);
}

static void
note_lag(struct loop_lag *lag, uint64_t due_ms, uint64_t now_ms)
{
	uint64_t late_ms = now_ms > due_ms ? now_ms - due_ms : 0;

	histogram_add(&lag->late, late_ms);
	if (late_ms > lag->max_ms)
		lag->max_ms = late_ms;
}

static void
on_timer(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct loop *loop = arg;
	uint64_t now_ms = clock_mono_ms();

	note_lag(&loop->lag, loop->timer_due_ms, now_ms);
	loop->timer_due_ms = TIMERQ_NEVER;
	timerq_run(loop->timers, now_ms);
}

/* Takes each list once: what is added meanwhile waits for the next turn. */
static void
end_of_turn(struct loop *loop)
{
	loop->is_last = false;
	for (int i = 0; i < LOOP_PHASES; i++) {
		struct loop_work *w = take_work(loop, i), *next;

		for (; w != &loop->work_end; w = next) {
			next = w->next;
			w->next = NULL;
			/* What the next works on, and the one behind it, come meanwhile. */
			__builtin_prefetch(next->next, 1);
			__builtin_prefetch(next->arg, 1);
			w->fn(w->arg);
		}
	}
	arm_timer(loop);
}

void
loop_run(struct loop *loop)
{
	/* Timers may have been set before, and each turn arms them at its end only. */
	arm_timer(loop);
	while (!loop->is_stopping) {
		int now = has_work(loop) ? EVLOOP_NONBLOCK : 0;

		loop->is_in_turn = true;
		loop->mono_ms = 0;
		loop->wall_ms = 0;
		if (event_base_loop(loop->base, EVLOOP_ONCE | now) < 0)
			fatalx("event_base_loop failed");
		end_of_turn(loop);
	}
	loop->is_in_turn = false;
	loop->is_stopping = false;
}

void
loop_stop(struct loop *loop)
{
	loop->is_stopping = true;
}

void
loop_defer(struct loop *loop, enum loop_phase phase, struct loop_work *w, void (*fn)(void *),
    void *arg)
{
	if (w->next != NULL)
		return;
	w->fn = fn;
	w->arg = arg;
	w->next = &loop->work_end;
	*loop->work_tail[phase] = w;
	loop->work_tail[phase] = &w->next;
}

bool
loop_work_is_waiting(const struct loop_work *w)
{
	return w->next != NULL;
}

void
loop_reads_to(struct loop *loop, const char *end)
{
	loop->read_end = end;
}

void
loop_comes_to(struct loop *loop, const char *at)
{
	if (at == loop->read_end && !loop->is_last)
		loop->is_last = event_base_get_num_events(loop->base,
		    EVENT_BASE_COUNT_ACTIVE) == 0;
}

bool
loop_is_last(const struct loop *loop)
{
	return loop->is_last;
}

void
loop_post(struct loop *loop, void (*fn)(void *), void *arg)
{
	loop_post_bytes(loop, fn, arg, 0);
}

static void
set_post_bytes(struct loop *loop, size_t bytes)
{
	atomic_store_explicit(&loop->post_bytes, bytes, memory_order_relaxed);
}

static size_t
post_bytes(struct loop *loop)
{
	return atomic_load_explicit(&loop->post_bytes, memory_order_relaxed);
}

void
loop_post_bytes(struct loop *loop, void (*fn)(void *), void *arg, size_t bytes)
{
	struct post *p = xmalloc(sizeof(*p));
	uint64_t one = 1;
	bool was_empty;

	*p = (struct post){ .fn = fn, .arg = arg };
	pthread_mutex_lock(&loop->post_lock);
	was_empty = loop->posts == NULL;
	*loop->posts_tail = p;
	loop->posts_tail = &p->next;
	set_post_bytes(loop, post_bytes(loop) + sizeof(*p) + bytes);
	pthread_mutex_unlock(&loop->post_lock);
	/* One wake for a batch; EAGAIN would mean that it is awake anyway. */
	if (was_empty && write(loop->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_error("eventfd");
}

bool
loop_has_room(struct loop *loop, size_t bytes)
{
	size_t max = atomic_load_explicit(&loop->post_bytes_max, memory_order_relaxed);
	size_t n = post_bytes(loop);

	return n == 0 || (n <= max && bytes <= max - n);
}

void
loop_set_post_bytes_max(struct loop *loop, size_t bytes_max)
{
	atomic_store_explicit(&loop->post_bytes_max, bytes_max, memory_order_relaxed);
}

size_t
loop_run_posts(struct loop *loop)
{
	struct post *p, *next;
	size_t n = 0;

	pthread_mutex_lock(&loop->post_lock);
	p = loop->posts;
	loop->posts = NULL;
	loop->posts_tail = &loop->posts;
	set_post_bytes(loop, 0);
	pthread_mutex_unlock(&loop->post_lock);
	for (; p != NULL; p = next) {
		next = p->next;
		p->fn(p->arg);
		free(p);
		n++;
	}
	return n;
}

static void
on_wake(evutil_socket_t fd, short what UNUSED, void *arg)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_error("eventfd");
	loop_run_posts(arg);
}

/* Looks at the clock, not more than once in a turn. */
static NO_INLINE uint64_t
look_mono(struct loop *loop)
{
	uint64_t now_ms = clock_mono_ms();

	if (loop->is_in_turn)
		loop->mono_ms = now_ms;
	return now_ms;
}

static NO_INLINE int64_t
look_wall(struct loop *loop)
{
	int64_t now_ms = clock_wall_ms();

	if (loop->is_in_turn)
		loop->wall_ms = now_ms;
	return now_ms;
}

uint64_t
loop_mono_ms(struct loop *loop)
{
	return loop->is_in_turn && loop->mono_ms != 0 ? loop->mono_ms : look_mono(loop);
}

int64_t
loop_wall_ms(struct loop *loop)
{
	return loop->is_in_turn && loop->wall_ms != 0 ? loop->wall_ms : look_wall(loop);
}

struct spares *
loop_spares(struct loop *loop)
{
	return loop->spares;
}

void
loop_timer_set(struct loop *loop, struct timer *t, uint64_t after_ms, void (*on_due)(void *),
    void *arg)
{
	/* The clock itself: after a long turn the timer would be short otherwise. */
	timer_set(loop->timers, t, clock_mono_ms(), after_ms, on_due, arg);
}

void
loop_timer_set_from(struct loop *loop, struct timer *t, uint64_t from_ms, uint64_t after_ms,
    void (*on_due)(void *), void *arg)
{
	timer_set(loop->timers, t, from_ms, after_ms, on_due, arg);
}

void
loop_timer_set_about(struct loop *loop, struct timer *t, uint64_t after_ms, void (*on_due)(void *),
    void *arg)
{
	timer_set_about(loop->timers, t, clock_mono_ms(), after_ms, on_due, arg);
}

void
loop_timer_stop(struct loop *loop, struct timer *t)
{
	timer_stop(loop->timers, t);
}

static void
on_signal_event(evutil_socket_t signo, short what UNUSED, void *arg)
{
	struct signal_watch *w = arg;

	w->on_signal((int)signo, w->arg);
}

void
loop_on_signal(struct loop *loop, int signo, void (*on_signal)(int, void *), void *arg)
{
	struct signal_watch *w;

	if (loop->n_signals == SIGNALS_MAX)
		fatalx("too many signals");
	w = &loop->signals[loop->n_signals++];
	w->on_signal = on_signal;
	w->arg = arg;
	w->event = evsignal_new(loop->base, signo, on_signal_event, w);
	if (w->event == NULL || evsignal_add(w->event, NULL) != 0)
		fatalx("cannot watch signal %d", signo);
}

struct metrics *
loop_metrics(struct loop *loop)
{
	return &loop->metrics;
}

atomic_size_t *
loop_load(struct loop *loop)
{
	return &loop->load;
}

const struct loop_lag *
loop_lag(const struct loop *loop)
{
	return &loop->lag;
}

size_t *
loop_conns(struct loop *loop)
{
	return &loop->n_conns;
}

struct event_base *
loop_base(struct loop *loop)
{
	return loop->base;
}

char *
loop_read_buffer(struct loop *loop, size_t *size)
{
	*size = READ_BUFFER_BYTES;
	return loop->read_buffer;
}
