/* SPDX-License-Identifier: ISC */
/*
 * The clock of a process counts utime and stime together, in nanoseconds where
 * /proc/PID/stat has steps of 10 ms.
 */
#include "procs.h"

#include <err.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define PROCS_MAX 64

static pid_t pid_of[PROCS_MAX];
static size_t n_procs;

void
procs_add_alone(pid_t pid)
{
	if (n_procs == PROCS_MAX)
		errx(1, "more than %d processes", PROCS_MAX);
	pid_of[n_procs++] = pid;
}

void
procs_add(pid_t pid)
{
	char path[64];
	FILE *f;
	int child;

	procs_add_alone(pid);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	if ((f = fopen(path, "r")) == NULL)
		err(1, "%s", path);
	while (fscanf(f, "%d", &child) == 1)
		procs_add(child);
	fclose(f);
}

uint64_t
procs_cpu_ns(void)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n_procs; i++) {
		struct timespec ts;
		clockid_t clock;

		if (clock_getcpuclockid(pid_of[i], &clock) != 0 || clock_gettime(clock, &ts) != 0)
			errx(1, "process %d is gone", (int)pid_of[i]);
		sum += (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	}
	return sum;
}

static uint64_t
user_ns_of(pid_t pid)
{
	unsigned long ticks = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if ((f = fopen(path, "r")) == NULL)
		err(1, "%s", path);
	/* The name, in brackets, has no space with those that are measured here. */
	if (fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu", &ticks) != 1)
		errx(1, "%s: no times", path);
	fclose(f);
	return (uint64_t)ticks * 1000000000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

uint64_t
procs_user_ns(void)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n_procs; i++)
		sum += user_ns_of(pid_of[i]);
	return sum;
}

static uint64_t
rss_bytes_of(pid_t pid)
{
	unsigned long kib = 0;
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	if ((f = fopen(path, "r")) == NULL)
		err(1, "%s", path);
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "Rss: %lu kB", &kib) == 1)
			break;
	fclose(f);
	return (uint64_t)kib * 1024;
}

uint64_t
procs_rss_bytes(void)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n_procs; i++)
		sum += rss_bytes_of(pid_of[i]);
	return sum;
}
