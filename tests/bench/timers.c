/* SPDX-License-Identifier: ISC */
/*
 * usher-timers [N]...: what an operation on a queue of N timers costs, in nanoseconds (1,000 and
 * 100,000).
 *
 * The timers are those of sessions: a few durations, each timer in an object of its own, and
 * they are set anew in an order that has nothing to do with where they are.
 */
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/timerq.h"
#include "base/xmalloc.h"

#define OPERATIONS 2000000	/* at least, of each kind */
#define OBJECT	   320		/* bytes; about an Engine.IO session */

struct object {
	struct timer timer;
	char rest[OBJECT - sizeof(struct timer)];
};

static const uint64_t durations[] = { 25000, 45000, 60000, 85000 };

struct costs {
	double set, again, stop, due;	/* ns, of all of a kind */
};

static void
on_due(void *arg)
{
	++*(uint64_t *)arg;
}

static double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* A number that meets all below n, in no order: n and the factor have no common divisor. */
static size_t
place(size_t i, size_t n)
{
	return i * 982451653 % n;
}

static void
one_round(struct object *object, size_t n, struct costs *costs)
{
	struct timerq *q = timerq_new();
	uint64_t n_due = 0, now_ms = 0;
	double t[5];

	t[0] = now_ns();
	for (size_t i = 0; i < n; i++)
		timer_set(q, &object[place(i, n)].timer, now_ms += i % 64 == 0, durations[i % 4],
		    on_due, &n_due);
	t[1] = now_ns();
	for (size_t i = 0; i < n; i++)
		timer_set(q, &object[place(i, n)].timer, now_ms += i % 64 == 0,
		    durations[i * 7 % 4], on_due, &n_due);
	t[2] = now_ns();
	for (size_t i = 0; i < n; i += 2)
		timer_stop(q, &object[place(i, n)].timer);
	t[3] = now_ns();
	while (timerq_next_due(q) != TIMERQ_NEVER)
		timerq_run(q, now_ms += 1000);
	t[4] = now_ns();
	if (n_due != n - (n + 1) / 2)
		errx(1, "%zu timers: %llu were due", n, (unsigned long long)n_due);
	costs->set += t[1] - t[0];
	costs->again += t[2] - t[1];
	costs->stop += t[3] - t[2];
	costs->due += t[4] - t[3];
	timerq_free(q);
}

static void
measure(size_t n)
{
	struct object *object = xcalloc(n, sizeof(*object));
	size_t rounds = OPERATIONS / n + 1;
	struct costs costs = { 0 };
	double all = (double)n * (double)rounds;

	for (size_t i = 0; i < rounds; i++)
		one_round(object, n, &costs);
	printf("%9zu %8.1f %8.1f %8.1f %8.1f\n", n, costs.set / all, costs.again / all,
	    costs.stop / (all / 2), costs.due / (all / 2));
	free(object);
}

int
main(int argc, char **argv)
{
	static const size_t usual[] = { 1000, 100000 };
	int n = argc > 1 ? argc - 1 : (int)(sizeof(usual) / sizeof(usual[0]));

	printf("   timers      set    again     stop      due\n");
	for (int i = 0; i < n; i++) {
		long size = argc > 1 ? atol(argv[i + 1]) : (long)usual[i];

		if (size < 1)
			errx(2, "usage: usher-timers [NUMBER]...");
		measure((size_t)size);
	}
	return 0;
}
