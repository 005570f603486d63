/* SPDX-License-Identifier: ISC */
/*
 * The list of what is wrong with a configuration.
 */
#include "conf/conf_fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/xmalloc.h"

static unsigned
rank_of_file(const struct conf_faults *faults, const char *file)
{
	unsigned next = 0;

	for (unsigned i = 0; i < faults->n; i++) {
		if (strcmp(faults->fault[i].file, file) == 0)
			return faults->fault[i].file_rank;
		if (faults->fault[i].file_rank >= next)
			next = faults->fault[i].file_rank + 1;
	}
	return next;
}

void
conf_faults_add(struct conf_faults *faults, const char *file, unsigned line, const char *fmt, ...)
{
	struct conf_fault *fault;
	va_list ap;
	int n;

	if (faults->n == CONF_FAULTS_MAX) {
		faults->has_more = true;
		return;
	}
	fault = &faults->fault[faults->n];
	fault->file_rank = rank_of_file(faults, file);
	fault->rank = faults->n;
	fault->file = xstrdup(file);
	fault->line = line;
	va_start(ap, fmt);
	n = vasprintf(&fault->text, fmt, ap);
	va_end(ap);
	if (n < 0)
		fatalx("out of memory");
	faults->n++;
}

static int
by_file_and_line(const void *a, const void *b)
{
	const struct conf_fault *x = a, *y = b;

	if (x->file_rank != y->file_rank)
		return x->file_rank < y->file_rank ? -1 : 1;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->rank < y->rank ? -1 : 1;
}

/* Names come from the file; they must not write to the operator's terminal. */
static void
add_visible(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		buf_add_char(out, c < 0x20 || c == 0x7f ? '?' : (char)c);
	}
}

char *
conf_faults_take(struct conf_faults *faults)
{
	struct buf out = { 0 };

	qsort(faults->fault, faults->n, sizeof(faults->fault[0]), by_file_and_line);
	for (unsigned i = 0; i < faults->n; i++) {
		if (i > 0)
			buf_add_char(&out, '\n');
		add_visible(&out, faults->fault[i].file);
		buf_printf(&out, ":%u: ", faults->fault[i].line);
		add_visible(&out, faults->fault[i].text);
	}
	if (faults->has_more)
		buf_add_str(&out, " (and there are more faults)");
	conf_faults_cleanup(faults);
	return buf_take(&out);
}

void
conf_faults_cleanup(struct conf_faults *faults)
{
	for (unsigned i = 0; i < faults->n; i++) {
		free(faults->fault[i].file);
		free(faults->fault[i].text);
	}
	*faults = (struct conf_faults){ 0 };
}
