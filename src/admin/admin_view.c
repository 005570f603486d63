/* SPDX-License-Identifier: ISC */
/*
 * Looking at several loops as if there were one.
 */
#include "admin/admin_view.h"

#include <string.h>

#include "net/loop.h"

void
admin_hold(const struct admin_view *v)
{
	if (v->hold != NULL)
		v->hold(v->arg);
}

void
admin_release(const struct admin_view *v)
{
	if (v->release != NULL)
		v->release(v->arg);
}

void
admin_sum_metrics(const struct admin_view *v, struct metrics *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (size_t i = 0; i < v->n_loops; i++) {
		const struct metrics *m = loop_metrics(v->loops[i].loop);

		for (int k = 0; k < METRIC_N; k++)
			sum->value[k] += m->value[k];
	}
}
