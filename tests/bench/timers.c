/* SPDX-License-Identifier: ISC */
/*
 * usher-timers [N]...: what an operation costs, in nanoseconds, on a queue of N timers, and on tables
 * of N entries by number and by text (1,000 and 100,000).
 *
 * The timers are those of sessions: a few durations, each timer in an object of its own, and
 * they are set anew in an order that has nothing to do with where they are.  So are entries looked up
 * and removed; texts are as long as those that sessions are found by, numbers are given out in order.
 */
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/idmap.h"
#include "base/strmap.h"
#include "base/timerq.h"
#include "base/xmalloc.h"

#define OPERATIONS 2000000	/* at least, of each kind */
#define OBJECT	   320		/* bytes; about an Engine.IO session */
#define KEY_LEN	   20		/* of a sid */
#define SIZES_MAX  8		/* how many can be asked for ... */
#define LARGEST	   100000000	/* ... and of what size */

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

/* ---- tables ---- */

struct table_costs {
	double add, find, remove;	/* ns, of all of a kind */
};

/* Texts that differ at their ends, one after the other. */
static char *
make_keys(size_t n)
{
	char *keys = xmalloc(n * KEY_LEN + 1);

	for (size_t i = 0; i < n; i++)
		snprintf(keys + i * KEY_LEN, KEY_LEN + 1, "%0*zu", KEY_LEN, i);
	return keys;
}

static void
one_round_by_text(char *keys, size_t n, struct table_costs *costs)
{
	struct strmap *m = strmap_new();
	size_t n_found = 0, n_removed = 0;
	double t[4];

	t[0] = now_ns();
	for (size_t i = 0; i < n; i++)
		*strmap_at(m, keys + i * KEY_LEN, KEY_LEN) = keys;
	t[1] = now_ns();
	for (size_t i = 0; i < n; i++)
		n_found += strmap_find(m, keys + place(i, n) * KEY_LEN, KEY_LEN) == keys;
	t[2] = now_ns();
	for (size_t i = 0; i < n; i++)
		n_removed += strmap_remove(m, keys + place(i, n) * KEY_LEN, KEY_LEN) == keys;
	t[3] = now_ns();
	if (n_found != n || n_removed != n || strmap_count(m) != 0)
		errx(1, "%zu texts: %zu found, %zu removed", n, n_found, n_removed);
	costs->add += t[1] - t[0];
	costs->find += t[2] - t[1];
	costs->remove += t[3] - t[2];
	strmap_free(m, NULL);
}

static void
one_round_by_number(char *value, size_t n, struct table_costs *costs)
{
	struct idmap m = { 0 };
	size_t n_found = 0, n_removed = 0;
	double t[4];

	t[0] = now_ns();
	for (size_t i = 0; i < n; i++)
		idmap_add(&m, i + 1, value);
	t[1] = now_ns();
	for (size_t i = 0; i < n; i++)
		n_found += idmap_find(&m, place(i, n) + 1) == value;
	t[2] = now_ns();
	for (size_t i = 0; i < n; i++)
		n_removed += idmap_remove(&m, place(i, n) + 1) == value;
	t[3] = now_ns();
	if (n_found != n || n_removed != n || m.n != 0)
		errx(1, "%zu numbers: %zu found, %zu removed", n, n_found, n_removed);
	costs->add += t[1] - t[0];
	costs->find += t[2] - t[1];
	costs->remove += t[3] - t[2];
	idmap_free(&m);
}

static void
measure_table(void (*one_round_of)(char *, size_t, struct table_costs *), size_t n)
{
	char *keys = make_keys(n);
	size_t rounds = OPERATIONS / n + 1;
	struct table_costs costs = { 0 };
	double all = (double)n * (double)rounds;

	for (size_t i = 0; i < rounds; i++)
		one_round_of(keys, n, &costs);
	printf("%9zu %8.1f %8.1f %8.1f\n", n, costs.add / all, costs.find / all,
	    costs.remove / all);
	free(keys);
}

/* ---- all of them ---- */

static void
measure_timers(size_t n)
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

static void
usage(void)
{
	errx(2, "usage: usher-timers [NUMBER]...");
}

int
main(int argc, char **argv)
{
	static size_t size[SIZES_MAX] = { 1000, 100000 };
	int n = argc > 1 ? argc - 1 : 2;

	if (n > SIZES_MAX)
		usage();
	for (int i = 0; i < argc - 1; i++)
		if ((size[i] = (size_t)atol(argv[i + 1])) < 1 || size[i] > LARGEST)
			usage();
	printf("   timers      set    again     stop      due\n");
	for (int i = 0; i < n; i++)
		measure_timers(size[i]);
	printf("  by text      add     find   remove\n");
	for (int i = 0; i < n; i++)
		measure_table(one_round_by_text, size[i]);
	printf("by number      add     find   remove\n");
	for (int i = 0; i < n; i++)
		measure_table(one_round_by_number, size[i]);
	return 0;
}
