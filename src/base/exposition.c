/* SPDX-License-Identifier: ISC */
/*
 * HELP, TYPE, and a line a sample.
 */
#include "base/exposition.h"

#include <assert.h>
#include <string.h>

#define LABELS_MAX 8

static const char *const type_name[] = {
	[EXPOSITION_COUNTER] = "counter",
	[EXPOSITION_GAUGE] = "gauge",
	[EXPOSITION_HISTOGRAM] = "histogram",
};

/* In a HELP backslash and line feed are escaped, in the value of a label the quote as well. */
static void
add_escaped(struct buf *b, const char *text, char quote)
{
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '\\' || (*p == quote && quote != '\0'))
			buf_add_char(b, '\\');
		if (*p == '\n')
			buf_add_str(b, "\\n");
		else
			buf_add_char(b, *p);
	}
}

void
exposition_begin(struct exposition *e, enum exposition_type type, const char *name,
    const char *help)
{
	e->name = name;
	buf_printf(e->out, "# HELP %s%s ", e->prefix, name);
	add_escaped(e->out, help, '\0');
	buf_printf(e->out, "\n# TYPE %s%s %s\n", e->prefix, name, type_name[type]);
}

static void
begin_sample(struct exposition *e, const char *suffix, const struct exposition_label *label,
    size_t n_labels)
{
	buf_add_str(e->out, e->prefix);
	buf_add_str(e->out, e->name);
	buf_add_str(e->out, suffix);
	for (size_t i = 0; i < n_labels; i++) {
		buf_add_char(e->out, i == 0 ? '{' : ',');
		buf_add_str(e->out, label[i].name);
		buf_add_str(e->out, "=\"");
		add_escaped(e->out, label[i].value, '"');
		buf_add_char(e->out, '"');
	}
	buf_add_str(e->out, n_labels > 0 ? "} " : " ");
}

static void
add_seconds(struct buf *b, uint64_t ms)
{
	buf_printf(b, "%llu.%03u", (unsigned long long)(ms / 1000), (unsigned)(ms % 1000));
}

void
exposition_add(struct exposition *e, const struct exposition_label *label, size_t n_labels,
    uint64_t value)
{
	begin_sample(e, "", label, n_labels);
	buf_add_u64(e->out, value);
	buf_add_char(e->out, '\n');
}

void
exposition_add_ms(struct exposition *e, const struct exposition_label *label, size_t n_labels,
    uint64_t ms)
{
	begin_sample(e, "", label, n_labels);
	add_seconds(e->out, ms);
	buf_add_char(e->out, '\n');
}

/* Buckets are cumulative here: each holds what the smaller ones do. */
void
exposition_add_histogram(struct exposition *e, const struct exposition_label *label,
    size_t n_labels, const struct histogram *h)
{
	struct exposition_label with_bound[LABELS_MAX];
	struct buf bound = { 0 };
	uint64_t n = 0;

	assert(n_labels < LABELS_MAX);
	for (size_t i = 0; i < n_labels; i++)
		with_bound[i] = label[i];
	for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++) {
		n += h->bucket[i];
		buf_reset(&bound, SIZE_MAX);
		if (i < HISTOGRAM_BOUNDS)
			add_seconds(&bound, histogram_bound(i));
		else
			buf_add_str(&bound, "+Inf");
		with_bound[n_labels] = (struct exposition_label){ "le", buf_str(&bound) };
		begin_sample(e, "_bucket", with_bound, n_labels + 1);
		buf_add_u64(e->out, n);
		buf_add_char(e->out, '\n');
	}
	buf_free(&bound);
	begin_sample(e, "_sum", label, n_labels);
	add_seconds(e->out, h->sum);
	buf_add_char(e->out, '\n');
	begin_sample(e, "_count", label, n_labels);
	buf_add_u64(e->out, n);
	buf_add_char(e->out, '\n');
}
