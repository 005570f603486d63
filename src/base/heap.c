/* SPDX-License-Identifier: ISC */
/*
 * malloc_trim() of the GNU library; other libraries give back what they want.
 */
#include "base/heap.h"

#include <malloc.h>
#include <sys/resource.h>

#define WORK_MS	   20	/* less is no work: timers, an operator who looks */
#define QUIET_MS   1500	/* of half a minute: a twentieth of a processor */
#define AFTER_WORK 3	/* until what is kept was freed, by all loops, and its pages given back */

/* Of all threads. */
static int64_t
cpu_ms(void)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return (int64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000 +
	    (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000;
}

bool
heap_is_due(struct heap *h)
{
	int64_t now_ms = cpu_ms();

	h->worked_ms = now_ms - h->cpu_ms;
	h->cpu_ms = now_ms;
	if (h->worked_ms >= WORK_MS)
		h->left = AFTER_WORK + 1;
	if (h->left == 0)
		return false;
	h->left--;
	return true;
}

bool
heap_is_quiet(const struct heap *h)
{
	return h->worked_ms < QUIET_MS;
}

void
heap_trim(struct heap *h)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
	h->cpu_ms = cpu_ms();	/* its own time is no work: else it would be due for ever */
}
