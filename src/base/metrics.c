/* SPDX-License-Identifier: ISC */
/*
 * Names of the counters.
 */
#include "base/metrics.h"

static const struct {
	const char *name, *help;
} table[METRIC_N] = {
#define METRIC(name, text, help) [METRIC_##name] = { text, help },
#include "base/metrics.def"
#undef METRIC
};

const char *
metrics_name(enum metric which)
{
	return table[which].name;
}

const char *
metrics_help(enum metric which)
{
	return table[which].help;
}
