/* SPDX-License-Identifier: ISC */
#include "samples.h"

#include <stdlib.h>

#include "base/xmalloc.h"

#define CAP_FIRST 65536

void
samples_add(struct samples *s, uint64_t ns)
{
	if (s->n == s->cap) {
		s->cap = s->cap > 0 ? 2 * s->cap : CAP_FIRST;
		s->ns = xreallocarray(s->ns, s->cap, sizeof(*s->ns));
	}
	s->ns[s->n++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

void
samples_sort(struct samples *s)
{
	if (s->n > 0)
		qsort(s->ns, s->n, sizeof(*s->ns), compare);
}

double
samples_at(const struct samples *s, double share)
{
	return s->n > 0 ? s->ns[(size_t)((double)(s->n - 1) * share)] / 1e3 : 0;
}
