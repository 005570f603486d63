/* SPDX-License-Identifier: ISC */
/*
 * loop: timers, posts from other threads, and the order of the end of a turn.
 */
#include "net/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "loop_unit.h"

static struct loop *loop;
static char said[64];

static void
setup(void)
{
	loop = loop_new();
	said[0] = '\0';
}

static void
teardown(void)
{
	loop_free(loop);
}

static void
say(const char *word)
{
	strncat(said, word, sizeof(said) - strlen(said) - 1);
}

static void
stop(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

START_TEST(a_timer_set_before_the_loop_runs_is_due)
{
	struct timer t = { 0 };
	uint64_t begun_ms = clock_mono_ms();

	loop_timer_set(loop, &t, 20, stop, NULL);
	loop_run(loop);
	ck_assert_uint_ge(clock_mono_ms() - begun_ms, 20);
}
END_TEST

START_TEST(a_stopped_loop_may_run_again)
{
	struct timer t = { 0 };

	for (int i = 0; i < 3; i++) {
		loop_timer_set(loop, &t, 0, stop, NULL);
		loop_run(loop);
		ck_assert(!timer_is_set(&t));
	}
}
END_TEST

START_TEST(a_loop_stopped_before_it_runs_returns_at_once)
{
	loop_stop(loop);
	loop_run(loop);
}
END_TEST

/* ---- posts ---- */

#define N_THREADS 4
#define N_POSTS	  1000

static unsigned n_posted;

static void
on_post(void *arg)
{
	(void)arg;
	if (++n_posted == N_THREADS * N_POSTS)
		loop_stop(loop);
}

static void *
post_many(void *arg)
{
	for (int i = 0; i < N_POSTS; i++)
		loop_post(loop, on_post, arg);
	return NULL;
}

START_TEST(posts_of_other_threads_all_arrive)
{
	pthread_t thread[N_THREADS];

	n_posted = 0;
	for (int i = 0; i < N_THREADS; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, post_many, NULL), 0);
	loop_run(loop);
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(thread[i], NULL);
	ck_assert_uint_eq(n_posted, N_THREADS * N_POSTS);
}
END_TEST

static void
say_posted(void *word)
{
	say(word);
}

START_TEST(posts_keep_their_order_and_none_is_lost_at_the_end)
{
	loop_post(loop, say_posted, "a");
	loop_post(loop, say_posted, "b");
	loop_post(loop, say_posted, "c");
	loop_free(loop);
	loop = NULL;
	ck_assert_str_eq(said, "abc");
}
END_TEST

START_TEST(a_loop_has_room_for_so_many_bytes_and_for_anything_alone)
{
	ck_assert(loop_has_room(loop, SIZE_MAX));
	loop_post(loop, say_posted, "a");
	ck_assert(loop_has_room(loop, SIZE_MAX / 2));
	loop_run_posts(loop);

	loop_set_post_bytes_max(loop, 1000);
	ck_assert(loop_has_room(loop, SIZE_MAX));
	loop_post_bytes(loop, say_posted, "b", 400);
	ck_assert(loop_has_room(loop, 400));
	ck_assert(!loop_has_room(loop, 600));	/* a post takes some itself */
	ck_assert(!loop_has_room(loop, SIZE_MAX));
	loop_post_bytes(loop, say_posted, "c", 5000);	/* it is there all the same */
	ck_assert(!loop_has_room(loop, 0));
	ck_assert_uint_eq(loop_run_posts(loop), 2);
	ck_assert(loop_has_room(loop, SIZE_MAX));
}
END_TEST

/* However small they are. */
START_TEST(the_number_of_posts_is_bounded_with_their_bytes)
{
	unsigned n = 0;

	loop_set_post_bytes_max(loop, 1000);
	for (; loop_has_room(loop, 0) && n < 1000; n++)
		loop_post(loop, say_posted, "x");
	ck_assert_uint_ge(n, 10);
	ck_assert_uint_le(n, 100);
	ck_assert_uint_eq(loop_run_posts(loop), n);
}
END_TEST

/* What thread number / N_POSTS posts as its number % N_POSTS-th. */
static unsigned n_of_thread[N_THREADS];

static void
on_numbered(void *arg)
{
	unsigned number = (unsigned)(uintptr_t)arg, of = number / N_POSTS;

	ck_assert_uint_eq(number % N_POSTS, n_of_thread[of]);
	n_of_thread[of]++;
	on_post(NULL);
}

static void *
post_numbered(void *arg)
{
	for (uintptr_t i = 0; i < N_POSTS; i++)
		loop_post(loop, on_numbered, (void *)((uintptr_t)arg * N_POSTS + i));
	return NULL;
}

START_TEST(posts_of_one_thread_come_in_its_order)
{
	pthread_t thread[N_THREADS];

	n_posted = 0;
	memset(n_of_thread, 0, sizeof(n_of_thread));
	for (uintptr_t i = 0; i < N_THREADS; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, post_numbered, (void *)i), 0);
	loop_run(loop);
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < N_THREADS; i++)
		ck_assert_uint_eq(n_of_thread[i], N_POSTS);
}
END_TEST

static struct loop_work look_work;
static unsigned n_in_turn;

static void
look_at_turn(void *arg)
{
	(void)arg;
	n_in_turn = n_posted;
	loop_stop(loop);
}

static void
count_in_turn(void *arg)
{
	(void)arg;
	n_posted++;
	loop_defer(loop, LOOP_FLUSH, &look_work, look_at_turn, NULL);
}

static void *
post_batch(void *arg)
{
	for (int i = 0; i < N_POSTS; i++)
		loop_post(loop, count_in_turn, arg);
	return NULL;
}

/* So what they lead to is written at once. */
START_TEST(posts_that_wait_are_called_in_one_turn)
{
	pthread_t thread;

	n_posted = n_in_turn = 0;
	look_work = (struct loop_work){ 0 };
	ck_assert_int_eq(pthread_create(&thread, NULL, post_batch, NULL), 0);
	pthread_join(thread, NULL);
	loop_run(loop);
	ck_assert_uint_eq(n_in_turn, N_POSTS);
}
END_TEST

static unsigned n_left;

static void
post_again(void *arg)
{
	if (n_left-- > 0)
		loop_post(loop, post_again, arg);
	else
		loop_stop(loop);
}

/* Its wake is not the one that is being answered. */
START_TEST(a_post_of_a_post_wakes_the_loop_again)
{
	n_left = 100;
	loop_post(loop, post_again, NULL);
	loop_run(loop);
	ck_assert_uint_eq(n_left, UINT32_MAX);
}
END_TEST

static void
count_and_stop(void *arg)
{
	(void)arg;
	if (++n_posted == N_POSTS)
		loop_stop(loop);
}

static void *
post_for_a_loop_that_stops(void *arg)
{
	for (int i = 0; i < N_POSTS; i++)
		loop_post(loop, count_and_stop, arg);
	return NULL;
}

START_TEST(what_is_posted_while_a_loop_stops_is_called_once)
{
	pthread_t thread[N_THREADS];
	unsigned n_before;

	n_posted = 0;
	for (int i = 0; i < N_THREADS; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, post_for_a_loop_that_stops,
		    NULL), 0);
	loop_run(loop);
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(thread[i], NULL);
	n_before = n_posted;
	ck_assert_uint_ge(n_before, N_POSTS);
	ck_assert_uint_eq(loop_run_posts(loop), N_THREADS * N_POSTS - n_before);
	ck_assert_uint_eq(n_posted, N_THREADS * N_POSTS);
	ck_assert_uint_eq(loop_run_posts(loop), 0);
}
END_TEST

/* ---- the end of a turn ---- */

static struct loop_work flush_work, free_work, late_work;

static void
on_late(void *arg)
{
	(void)arg;
	say("late ");
	loop_stop(loop);
}

static void
on_free_phase(void *arg)
{
	(void)arg;
	say("free ");
	loop_defer(loop, LOOP_FLUSH, &late_work, on_late, NULL);
}

static void
on_flush_phase(void *arg)
{
	(void)arg;
	say("flush ");
}

static void
defer_both(void *arg)
{
	(void)arg;
	loop_defer(loop, LOOP_FREE, &free_work, on_free_phase, NULL);
	loop_defer(loop, LOOP_FLUSH, &flush_work, on_flush_phase, NULL);
	loop_defer(loop, LOOP_FLUSH, &flush_work, on_flush_phase, NULL);
	say("event ");
}

/* The turn after it does not block, or this would hang. */
START_TEST(a_turn_flushes_then_frees_and_leaves_new_work_to_the_next)
{
	struct timer t = { 0 };

	flush_work = free_work = late_work = (struct loop_work){ 0 };
	loop_timer_set(loop, &t, 0, defer_both, NULL);
	loop_run(loop);
	ck_assert_str_eq(said, "event flush free late ");
}
END_TEST

/* ---- signals ---- */

static void
on_signal(int signo, void *arg)
{
	(void)arg;
	say(signo == SIGUSR1 ? "usr1" : "?");
	loop_stop(loop);
}

static void
raise_usr1(void *arg)
{
	(void)arg;
	raise(SIGUSR1);
}

START_TEST(a_signal_comes_as_an_event)
{
	struct timer t = { 0 };

	loop_on_signal(loop, SIGUSR1, on_signal, NULL);
	loop_timer_set(loop, &t, 0, raise_usr1, NULL);
	loop_run(loop);
	ck_assert_str_eq(said, "usr1");
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("loop");
	TCase *tc = tcase_create("loop");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, a_timer_set_before_the_loop_runs_is_due);
	tcase_add_test(tc, a_stopped_loop_may_run_again);
	tcase_add_test(tc, a_loop_stopped_before_it_runs_returns_at_once);
	tcase_add_test(tc, posts_of_other_threads_all_arrive);
	tcase_add_test(tc, posts_of_one_thread_come_in_its_order);
	tcase_add_test(tc, posts_that_wait_are_called_in_one_turn);
	tcase_add_test(tc, a_post_of_a_post_wakes_the_loop_again);
	tcase_add_test(tc, what_is_posted_while_a_loop_stops_is_called_once);
	tcase_add_test(tc, posts_keep_their_order_and_none_is_lost_at_the_end);
	tcase_add_test(tc, a_loop_has_room_for_so_many_bytes_and_for_anything_alone);
	tcase_add_test(tc, the_number_of_posts_is_bounded_with_their_bytes);
	tcase_add_test(tc, a_turn_flushes_then_frees_and_leaves_new_work_to_the_next);
	tcase_add_test(tc, a_signal_comes_as_an_event);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
