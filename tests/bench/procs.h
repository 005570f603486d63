/* SPDX-License-Identifier: ISC */
/*
 * What the processes under test have used: each one named, and all it has started.
 */
#ifndef BENCH_PROCS_H
#define BENCH_PROCS_H

#include <stdint.h>
#include <sys/types.h>

/* Adds a process and its descendants of this moment. */
void		procs_add(pid_t);
void		procs_add_alone(pid_t);		/* without them */
/* Processor time (user and system, all threads) since they began. */
uint64_t	procs_cpu_ns(void);
/* The part of it outside of the kernel, in steps of 10 ms. */
uint64_t	procs_user_ns(void);
/* Resident memory. */
uint64_t	procs_rss_bytes(void);

#endif
