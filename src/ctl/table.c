/* SPDX-License-Identifier: ISC */
/*
 * From values to cells, and from cells to lines.
 *
 * Some texts are chosen by clients of the daemon: none of their bytes may drive the terminal.
 */
#include "ctl/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xmalloc.h"

#define DEPTH_MAX 16

/* Rows of cells, one row behind the other. */
struct cells {
	char **cell;
	size_t n;
};

/* ---- values ---- */

/* The character at s, which is UTF-8, and the number of its bytes. */
static uint32_t
character_at(const char *s, size_t len, size_t *n)
{
	unsigned char first = (unsigned char)*s;
	uint32_t c;

	*n = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
	if (*n == 1 || *n > len) {
		*n = 1;
		return first;
	}
	c = first & (0x7fu >> *n);
	for (size_t i = 1; i < *n; i++)
		c = c << 6 | ((unsigned char)s[i] & 0x3f);
	return c;
}

/* Controls, ends of lines, and what turns the direction of writing. */
static bool
drives_terminal(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x200e || c == 0x200f ||
	    (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static void
add_printable(struct buf *b, const char *s, size_t len)
{
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		uint32_t c = character_at(s + i, len - i, &n);

		if (!drives_terminal(c))
			buf_add(b, s + i, n);
		else if (c < 0x100)
			buf_printf(b, "\\x%02x", c);
		else
			buf_printf(b, "\\u%04x", c);
	}
}

static void
add_text(struct buf *b, const char *text, struct json_value v)
{
	struct buf raw = { 0 };

	if (json_string_get(text, v, &raw))
		add_printable(b, raw.data, raw.len);
	else
		add_printable(b, text + v.start, v.end - v.start);
	buf_free(&raw);
}

static void
add_age(struct buf *b, uint64_t ms)
{
	unsigned long long s = ms / 1000;

	if (ms < 1000)
		buf_printf(b, "%llums", (unsigned long long)ms);
	else if (s < 60)
		buf_printf(b, "%llus", s);
	else if (s < 3600)
		buf_printf(b, "%llum%02llus", s / 60, s % 60);
	else if (s < 86400)
		buf_printf(b, "%lluh%02llum", s / 3600, s % 3600 / 60);
	else
		buf_printf(b, "%llud%02lluh", s / 86400, s % 86400 / 3600);
}

static void
add_bytes(struct buf *b, uint64_t bytes)
{
	static const char unit[] = "kMGTPE";
	double value = (double)bytes / 1000;
	size_t i = 0;

	if (bytes < 1000) {
		buf_add_u64(b, bytes);
		return;
	}
	for (; value >= 999.95 && i + 2 < sizeof(unit); i++)
		value /= 1000;
	buf_printf(b, "%.1f%c", value, unit[i]);
}

static void
add_list(struct buf *b, const char *text, struct json_value v)
{
	struct json_scan s;
	size_t n = 0;

	json_scan_init(&s, text + v.start, v.end - v.start, DEPTH_MAX);
	(void)json_scan_take(&s, '[');
	while (json_scan_value(&s, &v)) {
		buf_add_str(b, n++ > 0 ? ", " : "");
		add_text(b, s.text, v);
		if (!json_scan_take(&s, ','))
			break;
	}
	if (n == 0)
		buf_add_str(b, "none");
}

char *
table_cell(enum format format, const char *text, struct json_value v)
{
	struct buf b = { 0 };
	uint64_t n = 0;

	if (v.kind == JSON_NONE || v.kind == JSON_NULL)
		buf_add_str(&b, format == FORMAT_FAULT ? "ok" : "-");
	else if (format == FORMAT_AGE && json_number_u64(text, v, &n))
		add_age(&b, n);
	else if (format == FORMAT_BYTES && json_number_u64(text, v, &n))
		add_bytes(&b, n);
	else if (format == FORMAT_YES)
		buf_add_str(&b, v.kind == JSON_TRUE ? "yes" : "no");
	else if (format == FORMAT_LIST && v.kind == JSON_ARRAY)
		add_list(&b, text, v);
	else
		add_text(&b, text, v);
	return buf_take(&b);
}

/* ---- cells ---- */

static void
add_cell(struct cells *cells, char *cell)
{
	cells->cell = xreallocarray(cells->cell, cells->n + 1, sizeof(*cells->cell));
	cells->cell[cells->n++] = cell;
}

static void
read_row(struct cells *cells, const struct list *list, const char *text,
    const struct json_object *row)
{
	for (size_t i = 0; i < list->n_columns; i++)
		add_cell(cells, table_cell(list->column[i].format, text, row->member[i].value));
}

static void
read_rows(struct cells *cells, const struct list *list, const char *text, struct json_value array)
{
	const char *member[JSON_NAMES_MAX];
	struct json_names names = { list->n_columns, member };
	struct json_object row;
	struct json_value v;
	struct json_scan s;

	for (size_t i = 0; i < list->n_columns; i++)
		member[i] = list->column[i].member;
	json_scan_init(&s, text + array.start, array.end - array.start, DEPTH_MAX);
	(void)json_scan_take(&s, '[');
	while (json_scan_members(&s, &v, &names, &row, -1, NULL)) {
		read_row(cells, list, s.text, &row);
		if (!json_scan_take(&s, ','))
			break;
	}
}

/* Characters, not bytes. */
static size_t
width_of(const char *cell)
{
	size_t n = 0;

	for (; *cell != '\0'; cell++)
		n += ((unsigned char)*cell & 0xc0) != 0x80;
	return n;
}

static bool
is_right(enum format format)
{
	return format == FORMAT_NUMBER || format == FORMAT_AGE || format == FORMAT_BYTES;
}

/* The last one has no blanks behind it. */
static void
print_cell(const char *cell, size_t width, bool is_right_bound, bool is_last)
{
	int gap = (int)(width - width_of(cell));

	if (is_right_bound)
		printf("%*s%s", gap, "", cell);
	else
		printf("%s%*s", cell, is_last ? 0 : gap, "");
	fputs(is_last ? "\n" : "  ", stdout);
}

static void
print_cells(const struct list *list, const struct cells *cells)
{
	size_t width[JSON_NAMES_MAX], n = list->n_columns;

	for (size_t i = 0; i < n; i++)
		width[i] = strlen(list->column[i].head);
	for (size_t i = 0; i < cells->n; i++)
		if (width_of(cells->cell[i]) > width[i % n])
			width[i % n] = width_of(cells->cell[i]);
	for (size_t i = 0; i < n; i++)
		print_cell(list->column[i].head, width[i], is_right(list->column[i].format),
		    i + 1 == n);
	for (size_t i = 0; i < cells->n; i++)
		print_cell(cells->cell[i], width[i % n], is_right(list->column[i % n].format),
		    i % n + 1 == n);
}

static void
free_cells(struct cells *cells)
{
	for (size_t i = 0; i < cells->n; i++)
		free(cells->cell[i]);
	free(cells->cell);
}

void
table_print(const struct list *list, const char *text, struct json_value array)
{
	struct cells cells = { 0 };

	read_rows(&cells, list, text, array);
	if (list->title != NULL && (cells.n > 0 || list->nothing != NULL))
		printf("%s\n", list->title);
	if (cells.n > 0)
		print_cells(list, &cells);
	else if (list->nothing != NULL)
		printf("%s\n", list->nothing);
	free_cells(&cells);
}

void
table_print_object(const struct column *column, size_t n, const char *text, struct json_value v)
{
	const char *member[JSON_NAMES_MAX];
	struct json_names names = { n, member };
	struct json_object o;
	struct json_scan s;
	size_t width = 0;

	for (size_t i = 0; i < n; i++) {
		member[i] = column[i].member;
		if (strlen(column[i].head) > width)
			width = strlen(column[i].head);
	}
	json_scan_init(&s, text + v.start, v.end - v.start, DEPTH_MAX);
	if (!json_scan_members(&s, &v, &names, &o, -1, NULL))
		return;
	for (size_t i = 0; i < n; i++) {
		char *cell = table_cell(column[i].format, s.text, o.member[i].value);

		printf("%-*s  %s\n", (int)width, column[i].head, cell);
		free(cell);
	}
}

/* ---- what has no columns of its own ---- */

/* Members of an object, in their order, as far as they are noted. */
struct members {
	char *name[JSON_NAMES_MAX];
	struct json_value value[JSON_NAMES_MAX];
	size_t n;
};

static void
read_members(struct members *m, const char *text, struct json_value object)
{
	struct json_value v;
	struct json_scan s;

	m->n = 0;
	json_scan_init(&s, text, object.end, DEPTH_MAX);
	s.pos = object.start;
	if (!json_scan_take(&s, '{'))
		return;
	while (m->n < JSON_NAMES_MAX && json_scan_value(&s, &v)) {
		struct buf name = { 0 };

		if (!json_string_get(text, v, &name) || !json_scan_take(&s, ':') ||
		    !json_scan_value(&s, &m->value[m->n])) {
			buf_free(&name);
			return;
		}
		m->name[m->n++] = buf_take(&name);
		if (!json_scan_take(&s, ','))
			return;
	}
}

static void
free_members(struct members *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->name[i]);
}

static bool
ends_in(const char *name, const char *end)
{
	size_t len = strlen(name), end_len = strlen(end);

	return len >= end_len && strcmp(name + len - end_len, end) == 0;
}

static enum format
format_of(const char *name, struct json_value v)
{
	if (v.kind == JSON_NUMBER)
		return ends_in(name, "_ms") ? FORMAT_AGE :
		    ends_in(name, "bytes") ? FORMAT_BYTES : FORMAT_NUMBER;
	if (v.kind == JSON_TRUE || v.kind == JSON_FALSE)
		return FORMAT_YES;
	return v.kind == JSON_ARRAY ? FORMAT_LIST : FORMAT_TEXT;
}

/* "since_ms" is headed "since". */
static char *
head_of(const char *name)
{
	char *head = xstrdup(name);

	if (ends_in(head, "_ms"))
		head[strlen(head) - 3] = '\0';
	for (char *p = head; *p != '\0'; p++)
		if (*p == '_')
			*p = ' ';
	return head;
}

/* The first value of an array; JSON_NONE: it is empty. */
static struct json_value
first_of(const char *text, struct json_value array)
{
	struct json_value v;
	struct json_scan s;

	json_scan_init(&s, text, array.end, DEPTH_MAX);
	s.pos = array.start;
	if (!json_scan_take(&s, '[') || !json_scan_value(&s, &v))
		return (struct json_value){ .kind = JSON_NONE };
	return v;
}

static void
print_rows(const char *name, const char *text, struct json_value array)
{
	struct column column[JSON_NAMES_MAX];
	char *head[JSON_NAMES_MAX];
	struct members m;
	struct list list = { .member = name, .nothing = "none", .column = column };

	read_members(&m, text, first_of(text, array));
	for (size_t i = 0; i < m.n; i++) {
		head[i] = head_of(m.name[i]);
		column[i] = (struct column){ head[i], m.name[i], format_of(m.name[i], m.value[i]) };
	}
	list.n_columns = m.n;
	table_print(&list, text, array);
	for (size_t i = 0; i < m.n; i++)
		free(head[i]);
	free_members(&m);
}

static void
print_member(const char *name, const char *text, struct json_value v)
{
	struct json_value first = { .kind = JSON_NONE };
	char *cell, *head;

	if (v.kind == JSON_ARRAY)
		first = first_of(text, v);
	if (first.kind == JSON_OBJECT) {
		print_rows(name, text, v);
		return;
	}
	cell = table_cell(format_of(name, v), text, v);
	head = head_of(name);
	if (strcmp(name, "text") == 0)
		printf("%s\n", cell);
	else
		printf("%s  %s\n", head, cell);
	free(cell);
	free(head);
}

void
table_print_any(const char *text, struct json_value result)
{
	struct members m;

	read_members(&m, text, result);
	for (size_t i = 0; i < m.n; i++)
		print_member(m.name[i], text, m.value[i]);
	free_members(&m);
}
