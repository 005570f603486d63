/* SPDX-License-Identifier: ISC */
/*
 * Metrics as Prometheus reads them: the text format, version 0.0.4.
 *
 * A family is begun once, its samples follow.  Names carry their unit; durations are given
 * in milliseconds and written in seconds.
 */
#ifndef BASE_EXPOSITION_H
#define BASE_EXPOSITION_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/histogram.h"

enum exposition_type { EXPOSITION_COUNTER, EXPOSITION_GAUGE, EXPOSITION_HISTOGRAM };

/* Of a sample; values are escaped. */
struct exposition_label {
	const char *name;
	const char *value;
};

/* name is borrowed until the next family begins. */
struct exposition {
	struct buf *out;
	const char *prefix;		/* of all names: "usher_" */
	const char *name;		/* of the family */
};

void	exposition_begin(struct exposition *, enum exposition_type, const char *name,
	    const char *help);

void	exposition_add(struct exposition *, const struct exposition_label *, size_t n_labels,
	    uint64_t value);
void	exposition_add_ms(struct exposition *, const struct exposition_label *, size_t n_labels,
	    uint64_t ms);
/* Of milliseconds: the buckets, the sum and the count. */
void	exposition_add_histogram(struct exposition *, const struct exposition_label *,
	    size_t n_labels, const struct histogram *);

#endif
