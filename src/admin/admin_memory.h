/* SPDX-License-Identifier: ISC */
/*
 * What commands of the admin socket leave behind: one of each node, on the admin's own loop.
 */
#ifndef ADMIN_ADMIN_MEMORY_H
#define ADMIN_ADMIN_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "request/request.h"

#define ADMIN_AREA_MAX	16	/* bytes of the name of an area of the log */
#define ADMIN_AREAS_MAX 16

/* Set at run time, until its opposite. */
struct admin_setting {
	char what[ADMIN_AREA_MAX];	/* an area; "": the level */
	char by[32];
	int64_t since_ms;		/* wall clock */
};

/* Zeroed at first. */
struct admin_memory {
	struct admin_setting log[ADMIN_AREAS_MAX + 1];
	size_t n_log;
	LIST_HEAD(, admin_trace) traces;	/* changes only while all loops are held */
	struct request_watch watch;		/* of all loops, while there are traces */
};

#endif
