/* SPDX-License-Identifier: ISC */
/*
 * node_threads: loops that stand still when they are told to, who gets a connection, where a push
 * goes.
 *
 * The loops are real and have threads; what they have beside them is not there.
 */
#include "node_threads.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "loop_unit.h"
#include "node_loop.h"
#include "request/push.h"

#define N 4

static struct node_loop nl[N];
static struct node_threads *threads;
static pthread_t own_thread;

/* What came to each loop, there. */
static struct {
	unsigned n_pushes;
	char type[16], message[16];
	pthread_t thread;
} got[N];

static atomic_uint n_got;

/* In place of that of node_loop.c, which needs a front end. */
void
node_loop_push(struct node_loop *to, const struct push *p)
{
	snprintf(got[to->number].type, sizeof(got[0].type), "%.*s", (int)p->type_len, p->type);
	snprintf(got[to->number].message, sizeof(got[0].message), "%.*s", (int)p->message_len,
	    p->message);
	got[to->number].n_pushes++;
	got[to->number].thread = pthread_self();
	n_got++;
}

static void
setup(void)
{
	own_thread = pthread_self();
	memset(got, 0, sizeof(got));
	n_got = 0;
	threads = node_threads_new(N);
	for (unsigned i = 0; i < N; i++) {
		nl[i] = (struct node_loop){ .number = i, .loop = loop_new() };
		node_threads_add(threads, &nl[i]);
	}
}

static void
teardown(void)
{
	node_threads_stop(threads);
	node_threads_free(threads);
	for (unsigned i = 0; i < N; i++)
		loop_free(nl[i].loop);
}

/* ---- threads ---- */

static atomic_uint n_called;

static void
call_blocked(struct node_loop *to, void *arg)
{
	sigset_t blocked;

	ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, NULL, &blocked), 0);
	((int *)arg)[to->number] = sigismember(&blocked, SIGTERM) ? 1 : 2;
	n_called++;
}

static bool
all_are_called(void *arg)
{
	(void)arg;
	return n_called == N;
}

START_TEST(what_is_for_each_loop_is_called_in_its_thread)
{
	int is_blocked[N] = { 0 };

	n_called = 0;
	node_threads_start(threads);
	node_threads_each(threads, call_blocked, is_blocked);
	ck_assert_int_eq(is_blocked[0], 2);
	loop_run_until(nl[0].loop, all_are_called, NULL);
	/* Signals are for the first. */
	for (unsigned i = 1; i < N; i++)
		ck_assert_int_eq(is_blocked[i], 1);
}
END_TEST

START_TEST(loops_are_known_by_their_numbers)
{
	ck_assert_uint_eq(node_threads_count(threads), N);
	ck_assert_uint_eq(node_threads_parts(threads)->n, N);
	for (unsigned i = 0; i < N; i++)
		ck_assert_ptr_eq(node_threads_loop(threads, i), &nl[i]);
}
END_TEST

/* What the first loop gets from one that stops, and what that leads to, is called nevertheless. */
static unsigned n_answers;

static void
on_answer(void *arg)
{
	(void)arg;
	n_answers++;
}

static void
on_question(void *arg)
{
	(void)arg;
	loop_post(nl[0].loop, on_answer, NULL);
}

START_TEST(nothing_that_was_posted_is_lost_at_the_end)
{
	n_answers = 0;
	node_threads_start(threads);
	for (int i = 0; i < 300; i++)
		loop_post(nl[i % N].loop, on_question, NULL);
	node_threads_stop(threads);
	ck_assert_uint_eq(n_answers, 300);
}
END_TEST

/* ---- standing still ---- */

/* Each loop counts for itself, as fast as it can, in a plain number. */
static unsigned long turns[N];
static struct timer timers[N];

static void
count_turn(void *arg)
{
	struct node_loop *own = arg;

	turns[own->number]++;
	loop_timer_set(own->loop, &timers[own->number], 0, count_turn, own);
}

static void
begin_to_count(struct node_loop *own, void *arg)
{
	(void)arg;
	if (own->number > 0)
		count_turn(own);
}

static void
stop_to_count(struct node_loop *own, void *arg)
{
	(void)arg;
	loop_timer_stop(own->loop, &timers[own->number]);
}

static void
start_counting(void)
{
	memset(turns, 0, sizeof(turns));
	memset(timers, 0, sizeof(timers));
	node_threads_start(threads);
	node_threads_each(threads, begin_to_count, NULL);
}

static void
stop_counting(void)
{
	node_threads_each(threads, stop_to_count, NULL);
	node_threads_stop(threads);
}

static unsigned long
sum_of_turns(void)
{
	return turns[1] + turns[2] + turns[3];
}

static bool
have_gone_on(void *arg)
{
	unsigned long sum;

	node_threads_hold(threads);
	sum = sum_of_turns();
	node_threads_release(threads);
	return sum >= *(unsigned long *)arg + 30;
}

START_TEST(loops_that_are_held_do_nothing_and_go_on_afterwards)
{
	unsigned long before = 0, held;

	start_counting();
	for (int i = 0; i < 20; i++) {
		node_threads_hold(threads);
		held = sum_of_turns();
		turns[1]++;		/* theirs are ours meanwhile */
		loop_run_turns(nl[0].loop, 3);
		ck_assert_uint_eq(sum_of_turns(), held + 1);
		ck_assert_uint_ge(held, before);
		before = held;
		node_threads_release(threads);
		loop_run_until(nl[0].loop, have_gone_on, &before);
	}
	stop_counting();
}
END_TEST

START_TEST(they_stand_still_until_the_last_release)
{
	unsigned long held;

	start_counting();
	node_threads_hold(threads);
	held = sum_of_turns();
	node_threads_hold(threads);
	node_threads_hold(threads);
	node_threads_release(threads);
	node_threads_release(threads);
	loop_run_turns(nl[0].loop, 10);
	ck_assert_uint_eq(sum_of_turns(), held);
	node_threads_release(threads);
	loop_run_until(nl[0].loop, have_gone_on, &held);
	stop_counting();
}
END_TEST

/* Some may not have woken up from the last time when they are to stand still again. */
START_TEST(they_can_be_held_again_at_once)
{
	start_counting();
	for (int i = 0; i < 2000; i++) {
		unsigned long held;

		node_threads_hold(threads);
		held = sum_of_turns();
		turns[2]++;
		ck_assert_uint_eq(sum_of_turns(), held + 1);
		node_threads_release(threads);
	}
	stop_counting();
}
END_TEST

START_TEST(without_threads_there_is_nothing_to_hold)
{
	node_threads_hold(threads);
	node_threads_hold(threads);
	node_threads_release(threads);
	node_threads_release(threads);
	node_threads_start(threads);
	node_threads_stop(threads);
	node_threads_hold(threads);
	node_threads_release(threads);
}
END_TEST

/* What was posted before is done before, and what is posted meanwhile afterwards. */
static unsigned long at_post;

static void
note_turns(void *arg)
{
	at_post = *(unsigned long *)arg;
	n_called++;
}

static bool
is_called(void *arg)
{
	return n_called == *(unsigned *)arg;
}

START_TEST(posts_wait_while_loops_are_held)
{
	unsigned one = 1, two = 2;
	unsigned long number = 1;

	n_called = 0;
	node_threads_start(threads);
	loop_post(nl[1].loop, note_turns, &number);
	node_threads_hold(threads);
	ck_assert_uint_eq(n_called, 1);
	loop_post(nl[1].loop, note_turns, &number);
	loop_run_turns(nl[0].loop, 3);
	ck_assert(is_called(&one));
	number = 2;
	node_threads_release(threads);
	loop_run_until(nl[0].loop, is_called, &two);
	node_threads_stop(threads);
	ck_assert_uint_eq(at_post, 2);
}
END_TEST

/* ---- connections ---- */

static void
set_load(unsigned number, size_t load)
{
	atomic_store(loop_load(nl[number].loop), load);
}

START_TEST(the_loop_with_the_fewest_sessions_gets_the_next_connection)
{
	for (unsigned least = 0; least < N; least++) {
		for (unsigned i = 0; i < N; i++)
			set_load(i, i == least ? 6 : 7 + i);
		for (int i = 0; i < 5; i++)
			ck_assert_uint_eq(node_threads_choose(threads), least);
	}
}
END_TEST

START_TEST(loops_with_as_many_get_them_in_turn)
{
	unsigned n[N] = { 0 };

	for (int i = 0; i < 10 * N; i++)
		n[node_threads_choose(threads)]++;
	for (unsigned i = 0; i < N; i++)
		ck_assert_uint_eq(n[i], 10);
}
END_TEST

/* Many connect at once: none of them is counted by its loop before it is there. */
START_TEST(connections_on_their_way_count)
{
	unsigned n[N] = { 0 }, to;

	set_load(1, 10);
	for (int i = 0; i < 50; i++) {
		to = node_threads_choose(threads);
		n[to]++;
		if (to == 0)
			set_load(0, n[0]);
		else
			node_threads_sent(threads, to);
	}
	ck_assert_uint_eq(n[0], 15);
	ck_assert_uint_eq(n[1], 5);
	ck_assert_uint_eq(n[2], 15);
	ck_assert_uint_eq(n[3], 15);
	/* They come, and say so; some are gone again already. */
	for (int i = 0; i < 15; i++) {
		node_threads_taken(threads, 2);
		node_threads_taken(threads, 3);
	}
	set_load(2, 15);
	set_load(3, 14);
	ck_assert_uint_eq(node_threads_choose(threads), 3);
}
END_TEST

/* ---- pushes ---- */

static struct push
push_for(enum push_kind kind, const char *text)
{
	struct push p = { .to = { .kind = kind }, .type = "\"news\"", .type_len = 6,
		.message = "{\"a\":1}", .message_len = 7 };

	snprintf(p.to.text, sizeof(p.to.text), "%s", text);
	return p;
}

static bool
are_pushed(void *arg)
{
	return n_got == *(unsigned *)arg;
}

static void
assert_got(unsigned number, unsigned n)
{
	ck_assert_uint_eq(got[number].n_pushes, n);
	if (n == 0)
		return;
	ck_assert_str_eq(got[number].type, "\"news\"");
	ck_assert_str_eq(got[number].message, "{\"a\":1}");
	ck_assert_int_eq(pthread_equal(got[number].thread, own_thread) != 0, number == 0);
}

START_TEST(a_push_to_a_socket_of_ours_goes_to_its_loop_alone)
{
	unsigned part = (unsigned)_i, one = 1;
	char sid[ID_SID_LEN + 1];
	struct push p;

	id_sid_in(sid, node_threads_parts(threads), part);
	p = push_for(PUSH_SOCKET, sid);
	node_threads_start(threads);
	node_threads_push(threads, &nl[0], &p);
	if (part == 0)
		ck_assert_uint_eq(n_got, 1);
	loop_run_until(nl[0].loop, are_pushed, &one);
	node_threads_stop(threads);
	for (unsigned i = 0; i < N; i++)
		assert_got(i, i == part);
}
END_TEST

static const struct {
	enum push_kind kind;
	const char *text;
} wide[] = {
	{ PUSH_SOCKET, "6x8ZbhtDOtmwwI-wAAAC" },	/* of another node */
	{ PUSH_APPLICATION, "app" },
	{ PUSH_ALL, "" },
};

START_TEST(other_pushes_go_to_all_loops)
{
	struct push p = push_for(wide[_i].kind, wide[_i].text);
	unsigned all = N;

	node_threads_start(threads);
	node_threads_push(threads, &nl[0], &p);
	loop_run_until(nl[0].loop, are_pushed, &all);
	node_threads_stop(threads);
	for (unsigned i = 0; i < N; i++)
		assert_got(i, 1);
}
END_TEST

static void
push_from_here(void *arg)
{
	struct push p = push_for(PUSH_ALL, "");

	node_threads_push(threads, arg, &p);
	ck_assert_uint_eq(got[((struct node_loop *)arg)->number].n_pushes, 1);
}

START_TEST(a_push_of_another_loop_is_there_at_once_and_on_all_soon)
{
	unsigned all = N;

	node_threads_start(threads);
	loop_post(nl[2].loop, push_from_here, &nl[2]);
	loop_run_until(nl[0].loop, are_pushed, &all);
	node_threads_stop(threads);
	for (unsigned i = 0; i < N; i++)
		assert_got(i, 1);
}
END_TEST

/* It misses some, and only what it misses is counted, where they came from. */
START_TEST(a_loop_that_does_not_keep_up_misses_pushes)
{
	struct push p = push_for(PUSH_ALL, "");
	const uint64_t *n_dropped = &loop_metrics(nl[0].loop)->value[METRIC_PUSHES_DROPPED];
	unsigned n_got_there;

	loop_set_post_bytes_max(nl[2].loop, 10000);
	for (int i = 0; i < 100; i++)
		node_threads_push(threads, &nl[0], &p);
	ck_assert_uint_ge(*n_dropped, 10);
	ck_assert_uint_le(*n_dropped, 98);
	n_got_there = 100 - (unsigned)*n_dropped;
	node_threads_stop(threads);	/* calls what waits */
	for (unsigned i = 0; i < N; i++)
		ck_assert_uint_eq(got[i].n_pushes, i == 2 ? n_got_there : 100);
	/* Now it has room. */
	node_threads_push(threads, &nl[0], &p);
	node_threads_stop(threads);
	ck_assert_uint_eq(got[2].n_pushes, n_got_there + 1);
	ck_assert_uint_eq(*n_dropped, 100 - n_got_there);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("node_threads");
	TCase *tc = tcase_create("node_threads");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, what_is_for_each_loop_is_called_in_its_thread);
	tcase_add_test(tc, loops_are_known_by_their_numbers);
	tcase_add_test(tc, nothing_that_was_posted_is_lost_at_the_end);
	tcase_add_test(tc, loops_that_are_held_do_nothing_and_go_on_afterwards);
	tcase_add_test(tc, they_stand_still_until_the_last_release);
	tcase_add_test(tc, they_can_be_held_again_at_once);
	tcase_add_test(tc, without_threads_there_is_nothing_to_hold);
	tcase_add_test(tc, posts_wait_while_loops_are_held);
	tcase_add_test(tc, the_loop_with_the_fewest_sessions_gets_the_next_connection);
	tcase_add_test(tc, loops_with_as_many_get_them_in_turn);
	tcase_add_test(tc, connections_on_their_way_count);
	tcase_add_loop_test(tc, a_push_to_a_socket_of_ours_goes_to_its_loop_alone, 0, N);
	tcase_add_loop_test(tc, other_pushes_go_to_all_loops, 0, ARRAY_LEN(wide));
	tcase_add_test(tc, a_push_of_another_loop_is_there_at_once_and_on_all_soon);
	tcase_add_test(tc, a_loop_that_does_not_keep_up_misses_pushes);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
