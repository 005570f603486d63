/* SPDX-License-Identifier: ISC */
/*
 * Reading and printing lines of the daemon.
 */
#include "ctl/answer.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctl/columns.h"
#include "ctl/stream.h"
#include "ctl/table.h"

#define DEPTH_MAX 64

enum member { MEMBER_OK, MEMBER_RESULT, MEMBER_ERROR, MEMBER_MORE, MEMBER_EXIT, MEMBER_N };

static const struct json_names answer_names = {
	.n = MEMBER_N,
	.name = (const char *const[]){
		[MEMBER_OK] = "ok", [MEMBER_RESULT] = "result", [MEMBER_ERROR] = "error",
		[MEMBER_MORE] = "more", [MEMBER_EXIT] = "exit",
	},
};

bool
answer_read(struct answer *a, const char *socket_path, const struct buf *line)
{
	struct buf error = { 0 };
	uint64_t status = 0;
	struct json_object o;
	struct json_value v;
	struct json_scan s;

	*a = (struct answer){ .text = line->data, .is_last = true };
	json_scan_init(&s, line->data, line->len, DEPTH_MAX);
	if (!json_scan_members(&s, &v, &answer_names, &o, -1, NULL) || !json_scan_end(&s) ||
	    o.member[MEMBER_OK].value.kind == JSON_NONE) {
		fprintf(stderr, "usherctl: %s is no admin socket of usherd: it did not answer with "
		    "JSON\n", socket_path);
		a->status = STATUS_NO_DAEMON;
		return false;
	}
	a->result = o.member[MEMBER_RESULT].value;
	if (o.member[MEMBER_OK].value.kind == JSON_TRUE && a->result.kind == JSON_OBJECT) {
		a->is_last = o.member[MEMBER_MORE].value.kind != JSON_TRUE;
		if (json_number_u64(s.text, o.member[MEMBER_EXIT].value, &status))
			a->status = (int)status;
		return true;
	}
	json_string_get(s.text, o.member[MEMBER_ERROR].value, &error);
	fprintf(stderr, "usherctl: refused: %s\n", buf_str(&error));
	buf_free(&error);
	a->status = STATUS_REFUSED;
	return false;
}

/* The lists of a result, and how many rows the daemon left out. */
static void
print_lists(const struct answer *a, const struct list *list)
{
	uint64_t n_left_out = 0;

	for (size_t i = 0; i < COLUMNS_LISTS_MAX && list[i].n_columns > 0; i++) {
		struct json_value v = { .kind = JSON_NONE };

		if (list[i].member != NULL)
			v = json_member_of(a->text, a->result, list[i].member);
		else
			table_print_object(list[i].column, list[i].n_columns, a->text, a->result);
		if (v.kind == JSON_ARRAY)	/* what is left out is not worth a word */
			table_print(&list[i], a->text, v);
	}
	if (json_number_u64(a->text, json_member_of(a->text, a->result, "left_out"), &n_left_out) &&
	    n_left_out > 0)
		printf("and %llu more (--limit)\n", (unsigned long long)n_left_out);
}

void
answer_print(const struct answer *a, const char *command, bool is_json)
{
	const struct list *list = columns_of(command);

	if (is_json)
		printf("%.*s\n", (int)(a->result.end - a->result.start),
		    a->text + a->result.start);
	else if (list != NULL)
		print_lists(a, list);
	else if (!stream_print(command, a->text, a->result))
		table_print_any(a->text, a->result);
}
