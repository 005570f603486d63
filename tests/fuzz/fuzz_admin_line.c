/* SPDX-License-Identifier: ISC */
/*
 * Any line on the admin socket, to a node that has nothing: one answer, which is a line of JSON
 * to jansson.  Commands that act on a node are not sent: there is none.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "admin/admin_command.h"
#include "admin/admin_commands.h"
#include "admin/admin_memory.h"
#include "admin/admin_view.h"
#include "base/buf.h"
#include "base/xmalloc.h"
#include "conf/conf.h"
#include "token/revoked.h"
#include "jansson_kinds.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define ADMIN_LOOK 0
#define ADMIN_ACT  1
static const struct {
	int kind;
	const char *name;
} commands[] = {
#define ADMIN_COMMAND(kind, name, function, args, options, help) { ADMIN_##kind, name },
#include "admin/admin_table.def"
};

static void
require(bool is_true)
{
	if (!is_true)
		abort();
}

static void
on_line(const struct buf *line, bool is_last, void *arg)
{
	size_t *n_lines = arg;
	json_error_t error;
	json_t *answer, *ok;

	require(is_last && line->len > 0 && line->data[line->len - 1] == '\n');
	require(memchr(line->data, '\n', line->len - 1) == NULL);
	answer = json_loadb(line->data, line->len, JSON_REJECT_DUPLICATES, &error);
	ok = json_object_get(answer, "ok");
	require(ok != NULL);
	if (json_typeof(ok) == JANSSON_TRUE)
		require(json_object_size(json_object_get(answer, "result")) > 0);
	else
		require(json_typeof(ok) == JANSSON_FALSE &&
		    json_string_value(json_object_get(answer, "code")) != NULL &&
		    json_string_value(json_object_get(answer, "error")) != NULL);
	json_decref(answer);
	++*n_lines;
}

/* Would it do something? */
static bool
acts(const uint8_t *data, size_t len)
{
	json_t *line = json_loadb((const char *)data, len, JSON_ALLOW_NUL, NULL);
	const char *name = json_string_value(json_object_get(line, "command"));
	bool is_action = false;

	for (size_t i = 0; name != NULL && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, name) == 0)
			is_action = commands[i].kind == ADMIN_ACT;
	json_decref(line);
	return is_action;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct conf conf = { .node = (char *)"fuzz" };
	struct admin_memory memory = { 0 };
	struct admin_view view = { .conf = &conf, .revoked = revoked_new(), .memory = &memory };
	size_t n_lines = 0;
	struct admin_asker asker = { .view = &view, .on_line = on_line, .arg = &n_lines };
	char *line;

	if (!acts(data, len)) {
		line = xmalloc(len);
		if (len > 0)
			memcpy(line, data, len);
		admin_commands_ask(&asker, line, len);
		require(n_lines == 1 && asker.open == NULL);
		free(line);
	}
	revoked_free(view.revoked);
	return 0;
}
