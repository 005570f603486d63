/* SPDX-License-Identifier: ISC */
/*
 * Values and what stands before them.
 */
#include "admin/admin_json.h"

#include <string.h>

#include "conf/conf.h"

/* A bracket that opens is never the last byte of a value, so it tells who comes first. */
static void
begin_value(struct buf *b, const char *name)
{
	if (b->len > 0 && b->data[b->len - 1] != '{' && b->data[b->len - 1] != '[')
		buf_add_char(b, ',');
	if (name == NULL)
		return;
	buf_add_json_string(b, name, strlen(name));
	buf_add_char(b, ':');
}

void
admin_json_open(struct buf *b, const char *name, char bracket)
{
	begin_value(b, name);
	buf_add_char(b, bracket);
}

void
admin_json_close(struct buf *b, char bracket)
{
	buf_add_char(b, bracket);
}

void
admin_json_text(struct buf *b, const char *name, const char *text)
{
	if (text != NULL) {
		admin_json_bytes(b, name, text, strlen(text));
		return;
	}
	begin_value(b, name);
	buf_add_str(b, "null");
}

void
admin_json_bytes(struct buf *b, const char *name, const char *text, size_t len)
{
	begin_value(b, name);
	buf_add_json_string(b, text, len);
}

void
admin_json_u64(struct buf *b, const char *name, uint64_t value)
{
	begin_value(b, name);
	buf_add_u64(b, value);
}

void
admin_json_limit(struct buf *b, const char *name, uint64_t value)
{
	if (value == CONF_NO_LIMIT)
		admin_json_text(b, name, NULL);
	else
		admin_json_u64(b, name, value);
}

void
admin_json_bool(struct buf *b, const char *name, bool value)
{
	begin_value(b, name);
	buf_add_str(b, value ? "true" : "false");
}

void
admin_json_one_line(struct buf *b, size_t from)
{
	for (size_t i = from; i < b->len; i++)
		if (b->data[i] == '\n' || b->data[i] == '\r')
			b->data[i] = ' ';
}
