/* SPDX-License-Identifier: ISC */
/*
 * Two answers of the daemon, and what changed between them.
 */
#include "ctl/top.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/histogram.h"
#include "base/xmalloc.h"
#include "codec/json_scan.h"
#include "ctl/answer.h"
#include "ctl/ask.h"
#include "ctl/table.h"

#define PATIENCE_S  10
#define EVERY_S	    2
#define ONCE_S	    1
#define DEPTH_MAX   16
#define HEAD_LINES  6
#define LINES_ELSE  1000	/* without a terminal */
#define QUESTION    "{\"command\":\"top\"}\n"
#define CLEAR	    "\033[H\033[2J"

/* A route as it was in one answer, and since the answer before. */
struct row {
	char *name, *why;		/* printable */
	uint64_t requests, errors;
	struct histogram took;
	double requests_s, errors_s;
	struct histogram took_since;
};

struct sample {
	struct buf line;		/* what the next two point into */
	struct answer answer;
	uint64_t uptime_ms, requests;
	struct row *row;
	size_t n;
};

/* ---- reading ---- */

static uint64_t
number_of(const char *text, struct json_value object, const char *name)
{
	uint64_t n = 0;

	json_number_u64(text, json_member_of(text, object, name), &n);
	return n;
}

static void
read_buckets(struct histogram *h, const char *text, struct json_value array)
{
	struct json_value v;
	struct json_scan s;

	json_scan_init(&s, text, array.end, DEPTH_MAX);
	s.pos = array.start;
	if (!json_scan_take(&s, '['))
		return;
	for (size_t i = 0; i <= HISTOGRAM_BOUNDS && json_scan_value(&s, &v); i++) {
		json_number_u64(text, v, &h->bucket[i]);
		if (!json_scan_take(&s, ','))
			return;
	}
}

static void
read_row(struct sample *sample, const char *text, struct json_value v)
{
	struct json_value why = json_member_of(text, v, "why");
	struct row *r;

	/* Those below a prefix are counted with the application's others. */
	if (json_string_is(text, json_member_of(text, v, "kind"), "prefix"))
		return;
	sample->row = xreallocarray(sample->row, sample->n + 1, sizeof(*sample->row));
	r = &sample->row[sample->n++];
	memset(r, 0, sizeof(*r));
	r->name = table_cell(FORMAT_TEXT, text, json_member_of(text, v, "route"));
	r->why = table_cell(FORMAT_FAULT, text, why);
	r->requests = number_of(text, v, "requests");
	r->errors = number_of(text, v, "errors");
	read_buckets(&r->took, text, json_member_of(text, v, "buckets"));
}

static void
read_rows(struct sample *sample, const char *text, struct json_value array)
{
	struct json_value v;
	struct json_scan s;

	json_scan_init(&s, text, array.end, DEPTH_MAX);
	s.pos = array.start;
	if (array.kind != JSON_ARRAY || !json_scan_take(&s, '['))
		return;
	while (json_scan_value(&s, &v)) {
		read_row(sample, text, v);
		if (!json_scan_take(&s, ','))
			return;
	}
}

static void
sample_free(struct sample *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->row[i].name);
		free(s->row[i].why);
	}
	free(s->row);
	buf_free(&s->line);
	*s = (struct sample){ .n = 0 };
}

/* false: there is none, which has been told, and *status is what to exit with. */
static bool
sample_take(struct sample *s, const char *socket_path, int *status)
{
	struct buf question = { .data = (char *)QUESTION, .len = strlen(QUESTION) };
	char *error = NULL;
	struct asking *asking = asking_new(socket_path, &question, &error);
	bool is_answered = asking != NULL && asking_next(asking, PATIENCE_S, &s->line, &error);

	asking_free(asking);
	if (!is_answered) {
		fprintf(stderr, "usherctl: %s\n", error);
		free(error);
		*status = STATUS_NO_DAEMON;
		return false;
	}
	if (!answer_read(&s->answer, socket_path, &s->line)) {
		*status = s->answer.status;
		return false;
	}
	s->uptime_ms = number_of(s->line.data, s->answer.result, "uptime_ms");
	s->requests = number_of(s->line.data, json_member_of(s->line.data, s->answer.result,
	    "counters"), "requests");
	read_rows(s, s->line.data, json_member_of(s->line.data, s->answer.result, "routes"));
	return true;
}

/* ---- what changed ---- */

static const struct row *
find_row(const struct sample *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->row[i].name, name) == 0)
			return &s->row[i];
	return NULL;
}

static double
rate(uint64_t before, uint64_t now, double seconds)
{
	return now > before ? (double)(now - before) / seconds : 0;
}

static void
compare(struct sample *now, const struct sample *before, double seconds)
{
	static const struct row none;

	for (size_t i = 0; i < now->n; i++) {
		struct row *r = &now->row[i];
		const struct row *was = find_row(before, r->name);

		if (was == NULL)
			was = &none;
		r->requests_s = rate(was->requests, r->requests, seconds);
		r->errors_s = rate(was->errors, r->errors, seconds);
		for (size_t k = 0; k <= HISTOGRAM_BOUNDS; k++)
			if (r->took.bucket[k] > was->took.bucket[k])
				r->took_since.bucket[k] = r->took.bucket[k] - was->took.bucket[k];
	}
}

/* The busiest first, then as they are written. */
static int
compare_rows(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->requests_s > y->requests_s || x->requests_s < y->requests_s)
		return x->requests_s < y->requests_s ? 1 : -1;
	return strcmp(x->name, y->name);
}

/* ---- drawing ---- */

static void
print_text(const struct sample *s, const char *name, enum format format, const char *before)
{
	char *cell = table_cell(format, s->line.data, json_member_of(s->line.data,
	    s->answer.result, name));

	printf("%s%s", before, cell);
	free(cell);
}

static void
print_head(const struct sample *s, double requests_s)
{
	print_text(s, "node", FORMAT_TEXT, "");
	print_text(s, "version", FORMAT_TEXT, "  usher ");
	print_text(s, "state", FORMAT_TEXT, "  ");
	print_text(s, "uptime_ms", FORMAT_AGE, "  up for ");
	printf("\nrequests a second %.1f", requests_s);
	print_text(s, "requests", FORMAT_NUMBER, "  open ");
	print_text(s, "sessions", FORMAT_NUMBER, "\nsessions ");
	print_text(s, "destinations_up", FORMAT_NUMBER, "  destinations up ");
	print_text(s, "destinations", FORMAT_NUMBER, " of ");
	print_text(s, "workers_ready", FORMAT_NUMBER, "  workers ready ");
	printf("\n\n%10s %10s %9s %9s %10s  %s\n", "REQUESTS/S", "ERRORS/S", "P50 ms", "P99 ms",
	    "REQUESTS", "ROUTE");
}

/* Nothing has gone this way since: a dash. */
static void
print_quantile(const struct histogram *h, unsigned per_mille)
{
	uint64_t bound = histogram_quantile(h, per_mille);

	if (bound == 0)
		printf(" %9s", "-");
	else
		printf(" %9llu", (unsigned long long)bound);
}

static void
draw(const struct sample *s, double requests_s, size_t lines_max)
{
	size_t n = s->n < lines_max - HEAD_LINES ? s->n : lines_max - HEAD_LINES;

	print_head(s, requests_s);
	for (size_t i = 0; i < n; i++) {
		const struct row *r = &s->row[i];

		printf("%10.1f %10.1f", r->requests_s, r->errors_s);
		print_quantile(&r->took_since, 500);
		print_quantile(&r->took_since, 990);
		printf(" %10llu  %s", (unsigned long long)r->requests, r->name);
		if (strcmp(r->why, "ok") != 0)
			printf("  (%s)", r->why);
		printf("\n");
	}
	if (n < s->n)
		printf("and %zu more\n", s->n - n);
	fflush(stdout);
}

static size_t
lines_of_terminal(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row <= HEAD_LINES + 1)
		return LINES_ELSE;
	return (size_t)size.ws_row - 1;
}

int
top_run(const char *socket_path, bool is_once)
{
	bool draws_again = !is_once && isatty(STDOUT_FILENO);
	struct sample before = { .n = 0 }, now = { .n = 0 };
	int status = EXIT_SUCCESS;
	unsigned n_drawn = 0;

	if (!sample_take(&before, socket_path, &status)) {
		sample_free(&before);
		return status;
	}
	do {
		sleep(n_drawn++ > 0 ? EVERY_S : ONCE_S);
		if (sample_take(&now, socket_path, &status)) {
			uint64_t passed_ms = now.uptime_ms > before.uptime_ms ?
			    now.uptime_ms - before.uptime_ms : 1000;
			double seconds = (double)passed_ms / 1000;

			compare(&now, &before, seconds);
			if (now.n > 0)
				qsort(now.row, now.n, sizeof(*now.row), compare_rows);
			fputs(draws_again ? CLEAR : "", stdout);
			draw(&now, rate(before.requests, now.requests, seconds),
			    draws_again ? lines_of_terminal() : LINES_ELSE);
		}
		sample_free(&before);
		before = now;
		now = (struct sample){ .n = 0 };
	} while (draws_again && status == EXIT_SUCCESS);
	sample_free(&before);
	return status;
}
