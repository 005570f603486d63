/* SPDX-License-Identifier: ISC */
/*
 * Pairs are gathered under their names, in the order in which these first come, and then
 * written.
 */
#include "codec/query.h"

#include <stdlib.h>
#include <string.h>

#include "base/strmap.h"
#include "base/xmalloc.h"
#include "codec/percent.h"
#include "codec/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd"

/* All that comes under one name; both texts are JSON already. */
struct field {
	struct buf name;
	struct buf values;		/* parted by commas */
	size_t n_values;
};

struct query {
	struct field *field;
	size_t n;
	struct strmap *by_name;		/* of the fields above */
};

/* A copy of the bytes that is UTF-8: what could not become a character is one U+FFFD. */
static void
add_utf8(struct buf *out, const char *p, size_t len)
{
	struct utf8_state state = { 0 };
	size_t start = out->len;	/* of the character at hand */

	for (size_t i = 0; i < len; i++) {
		bool is_good = utf8_feed(&state, p + i, 1);

		if (!is_good && out->len > start) {
			out->len = start;
			buf_add_str(out, REPLACEMENT);
			start = out->len;
			state = (struct utf8_state){ 0 };
			is_good = utf8_feed(&state, p + i, 1);
		}
		if (is_good) {
			buf_add_char(out, p[i]);
		} else {
			buf_add_str(out, REPLACEMENT);
			state = (struct utf8_state){ 0 };
		}
		if (utf8_is_complete(&state))
			start = out->len;
	}
	if (out->len > start) {
		out->len = start;
		buf_add_str(out, REPLACEMENT);
	}
}

/* Appends the text, decoded, as a JSON string. */
static void
add_decoded(struct buf *out, const char *p, size_t len)
{
	struct buf bytes = { 0 }, text = { 0 };

	percent_decode_form(&bytes, p, len);
	add_utf8(&text, bytes.data, bytes.len);
	buf_add_json_string(out, text.data, text.len);
	buf_free(&bytes);
	buf_free(&text);
}

static struct field *
field_at(struct query *q, struct buf *name)
{
	void **place = strmap_at(q->by_name, name->data, name->len);
	struct field *f;

	if (*place != NULL)
		return *place;
	*place = f = &q->field[q->n++];
	f->name = *name;
	*name = (struct buf){ 0 };
	return f;
}

static void
read_pair(struct query *q, const char *p, size_t len)
{
	const char *equals = memchr(p, '=', len), *end = p + len;
	struct buf name = { 0 };
	struct field *f;

	if (len == 0)
		return;
	add_decoded(&name, p, (size_t)((equals != NULL ? equals : end) - p));
	f = field_at(q, &name);
	if (f->n_values++ > 0)
		buf_add_char(&f->values, ',');
	p = equals != NULL ? equals + 1 : end;
	add_decoded(&f->values, p, (size_t)(end - p));
	buf_free(&name);
}

static void
write_fields(struct buf *out, const struct query *q)
{
	buf_add_char(out, '{');
	for (size_t i = 0; i < q->n; i++) {
		const struct field *f = &q->field[i];

		if (i > 0)
			buf_add_char(out, ',');
		buf_add(out, f->name.data, f->name.len);
		buf_add_str(out, f->n_values > 1 ? ":[" : ":");
		buf_add(out, f->values.data, f->values.len);
		if (f->n_values > 1)
			buf_add_char(out, ']');
	}
	buf_add_char(out, '}');
}

static void
cleanup(struct query *q)
{
	for (size_t i = 0; i < q->n; i++) {
		buf_free(&q->field[i].name);
		buf_free(&q->field[i].values);
	}
	free(q->field);
	strmap_free(q->by_name, NULL);
}

/* Room for as many fields as there can be: they are pointed to, so they must not move. */
static size_t
count_pairs(const char *p, const char *end)
{
	size_t n = 1;

	while (n < QUERY_PAIRS_MAX && (p = memchr(p, '&', (size_t)(end - p))) != NULL) {
		n++;
		p++;
	}
	return n;
}

void
query_add_json(struct buf *out, const char *text, size_t len)
{
	const char *p = text, *end = text + len, *amp;
	struct query q = { 0 };
	size_t n_pairs;

	if (len == 0) {
		buf_add_str(out, "{}");
		return;
	}
	n_pairs = count_pairs(text, end);
	q.field = xcalloc(n_pairs, sizeof(*q.field));
	q.by_name = strmap_new();
	for (size_t n = 0; p < end && n < n_pairs; n++, p = amp + 1) {
		if ((amp = memchr(p, '&', (size_t)(end - p))) == NULL)
			amp = end;
		read_pair(&q, p, (size_t)(amp - p));
	}
	write_fields(out, &q);
	cleanup(&q);
}
