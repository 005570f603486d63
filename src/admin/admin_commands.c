/* SPDX-License-Identifier: ISC */
/*
 * From a line to the command's function, and from what that writes to lines.
 */
#include "admin/admin_commands.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/admin_command.h"
#include "admin/admin_json.h"
#include "admin/admin_trace.h"
#include "admin/admin_view.h"
#include "base/buf.h"
#include "base/xmalloc.h"
#include "codec/json_scan.h"

#define LIMIT_DEFAULT 1000
#define DEPTH_MAX     4

#define OPT(id) (1u << ADMIN_OPT_##id)

static const struct command {
	enum admin_kind kind;
	const char *name;
	void (*fn)(struct admin_ask *);
	const char *args;
	unsigned options;
	const char *help;
} commands[] = {
#define ADMIN_COMMAND(kind, name, function, args, options, help) \
	{ ADMIN_##kind, name, function, args, options, help },
#include "admin/admin_table.def"
};

static const char *const option_name[] = {
#define ADMIN_OPTION(id, name, value, help) [ADMIN_OPT_##id] = name,
#include "admin/admin_table.def"
};

static const struct json_names option_names = { ADMIN_OPT_N, option_name };

/* ---- the line ---- */

enum member { MEMBER_COMMAND, MEMBER_ARGS, MEMBER_OPTIONS, MEMBER_LIMIT, MEMBER_N };

static const struct json_names member_names = {
	.n = MEMBER_N,
	.name = (const char *const[]){
		[MEMBER_COMMAND] = "command", [MEMBER_ARGS] = "args",
		[MEMBER_OPTIONS] = "options", [MEMBER_LIMIT] = "limit",
	},
};

/* Each noted, none twice, and none besides? */
static bool
has_only(const struct json_object *o, size_t n_names)
{
	uint32_t n = 0;

	for (size_t i = 0; i < n_names; i++) {
		if (o->member[i].seen > 1)
			return false;
		n += o->member[i].seen;
	}
	return n == o->n_members;
}

static const struct command *
find_command(const char *text, struct json_value v)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (json_string_is(text, v, commands[i].name))
			return &commands[i];
	return NULL;
}

static const char *
read_args(struct admin_ask *a, const char *text, struct json_value v)
{
	struct json_scan s;

	if (v.kind == JSON_NONE)
		return NULL;
	json_scan_init(&s, text + v.start, v.end - v.start, DEPTH_MAX);
	if (!json_scan_take(&s, '['))
		return "\"args\" must be an array of strings";
	while (json_scan_value(&s, &v)) {
		if (a->n_args == ADMIN_ARGS_MAX)
			return "there are too many \"args\"";
		if (!json_string_get(s.text, v, &a->texts[a->n_args]))
			return "\"args\" must be an array of strings";
		a->arg[a->n_args] = buf_str(&a->texts[a->n_args]);
		a->arg_len[a->n_args] = a->texts[a->n_args].len;
		a->n_args++;
		if (!json_scan_take(&s, ','))
			break;
	}
	return NULL;
}

static const char *
read_options(struct admin_ask *a, const char *text, struct json_value v)
{
	struct json_object o;
	struct json_scan s;

	if (v.kind == JSON_NONE)
		return NULL;
	json_scan_init(&s, text + v.start, v.end - v.start, DEPTH_MAX);
	if (!json_scan_members(&s, &v, &option_names, &o, -1, NULL) || v.kind != JSON_OBJECT)
		return "\"options\" must be an object";
	if (!has_only(&o, ADMIN_OPT_N))
		return "there is an unknown option, or one that is given twice";
	for (size_t i = 0; i < ADMIN_OPT_N; i++) {
		struct buf *b = &a->texts[ADMIN_ARGS_MAX + i];

		if (o.member[i].seen == 0)
			continue;
		if (!json_string_get(s.text, o.member[i].value, b))
			return "an option must be a string, \"\" if it takes no value";
		a->option[i] = buf_str(b);
	}
	return NULL;
}

static const char *
read_limit(struct admin_ask *a, const char *text, struct json_value v)
{
	a->limit = LIMIT_DEFAULT;
	if (v.kind != JSON_NONE && (!json_number_u64(text, v, &a->limit) || a->limit == 0 ||
	    a->limit > ADMIN_LIMIT_MAX))
		return "\"limit\" must be a number from 1 to 10000";
	return NULL;
}

/* NULL: the line is as it should be; else what is wrong with it. */
static const char *
read_line(struct admin_ask *a, const char *line, size_t len, struct json_value *command)
{
	struct json_object o;
	struct json_value v;
	struct json_scan s;
	const char *fault;

	json_scan_init(&s, line, len, DEPTH_MAX);
	if (!json_scan_members(&s, &v, &member_names, &o, -1, NULL) || !json_scan_end(&s))
		return "the line is not JSON";
	*command = o.member[MEMBER_COMMAND].value;
	if (v.kind != JSON_OBJECT || command->kind != JSON_STRING)
		return "the line must be an object with a \"command\", which is a string";
	if (!has_only(&o, MEMBER_N))
		return "the only members are \"command\", \"args\", \"options\" and \"limit\", "
		    "each once";
	if ((fault = read_args(a, line, o.member[MEMBER_ARGS].value)) != NULL ||
	    (fault = read_options(a, line, o.member[MEMBER_OPTIONS].value)) != NULL)
		return fault;
	return read_limit(a, line, o.member[MEMBER_LIMIT].value);
}

static const char *
check_use(const struct command *c, const struct admin_ask *a)
{
	size_t n_min, n_max;

	admin_count_args(c->args, &n_min, &n_max);
	if (a->n_args < n_min)
		return "an argument is missing";
	if (a->n_args > n_max)
		return "there is an argument too many";
	for (size_t i = 0; i < ADMIN_OPT_N; i++)
		if (a->option[i] != NULL && (c->options & 1u << i) == 0)
			return "the command does not take such an option";
	return NULL;
}

/* ---- the question ---- */

static struct admin_ask *
ask_new(struct admin_asker *asker)
{
	struct admin_ask *a = xcalloc(1, sizeof(*a));

	a->asker = asker;
	a->view = asker->view;
	a->who = asker->who;
	asker->open = a;
	return a;
}

static void
ask_free(struct admin_ask *a)
{
	a->asker->open = NULL;
	for (size_t i = 0; i < ARRAY_LEN(a->texts); i++)
		buf_free(&a->texts[i]);
	buf_free(&a->out);
	free(a);
}

void
admin_commands_ask(struct admin_asker *asker, const char *line, size_t len)
{
	const struct admin_view *view = asker->view;
	struct admin_ask *a;
	struct json_value name;
	const struct command *c;
	const char *fault;

	assert(asker->open == NULL);
	a = ask_new(asker);
	if ((fault = read_line(a, line, len, &name)) != NULL) {
		admin_refuse(a, "bad_request", "%s", fault);
	} else if ((c = find_command(line, name)) == NULL) {
		admin_refuse(a, "no_command", "there is no such command; \"help\" lists them");
	} else if ((fault = check_use(c, a)) != NULL) {
		admin_refuse(a, "bad_request", "%s: %s", c->name, fault);
	} else {
		admin_hold(view);
		admin_trace_sweep(view);
		c->fn(a);
		if (c->kind == ADMIN_LOOK && asker->open == a)
			admin_done(a);
		admin_release(view);
	}
}

void
admin_commands_gone(struct admin_asker *asker)
{
	struct admin_ask *a = asker->open;

	if (a == NULL)
		return;
	if (a->on_gone != NULL)
		a->on_gone(a);
	ask_free(a);
}

void
admin_commands_look(const struct admin_view *view, const char *command, struct buf *out)
{
	struct admin_asker nobody = { .view = view };
	struct admin_ask *a = ask_new(&nobody);

	a->limit = LIMIT_DEFAULT;
	buf_add_char(out, '{');
	admin_hold(view);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (commands[i].kind == ADMIN_LOOK && strcmp(commands[i].name, command) == 0)
			commands[i].fn(a);
	admin_release(view);
	buf_add(out, a->out.data, a->out.len);
	buf_add_char(out, '}');
	ask_free(a);
}

/* ---- its answer ---- */

static void
send_lines(struct admin_ask *a, const char *head, const char *tail, bool is_last)
{
	struct admin_asker *asker = a->asker;
	struct buf line = { 0 };

	buf_add_str(&line, head);
	buf_add_str(&line, ",\"result\":{");
	buf_add(&line, a->out.data, a->out.len);
	buf_add_str(&line, tail);
	buf_reset(&a->out, 0);
	if (is_last)
		ask_free(a);
	asker->on_line(&line, is_last, asker->arg);
	buf_free(&line);
}

void
admin_more(struct admin_ask *a)
{
	send_lines(a, "{\"ok\":true,\"more\":true", "}}\n", false);
}

void
admin_done(struct admin_ask *a)
{
	send_lines(a, "{\"ok\":true", "}}\n", true);
}

void
admin_done_with(struct admin_ask *a, int code)
{
	char head[64];

	if (code == 0)
		snprintf(head, sizeof(head), "{\"ok\":true");
	else
		snprintf(head, sizeof(head), "{\"ok\":true,\"exit\":%d", code);
	send_lines(a, head, "}}\n", true);
}

void
admin_commands_refuse(struct buf *out, const char *code, const char *error)
{
	buf_add_char(out, '{');		/* other answers may stand before it */
	admin_json_bool(out, "ok", false);
	admin_json_text(out, "code", code);
	admin_json_text(out, "error", error);
	admin_json_close(out, '}');
	buf_add_char(out, '\n');
}

void
admin_refuse(struct admin_ask *a, const char *code, const char *fmt, ...)
{
	struct admin_asker *asker = a->asker;
	struct buf line = { 0 };
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	admin_commands_refuse(&line, code, text);
	ask_free(a);
	asker->on_line(&line, true, asker->arg);
	buf_free(&line);
}

bool
admin_is_slow(const struct admin_ask *a)
{
	return a->asker->queued(a->asker->arg) > ADMIN_UNREAD_MAX;
}

bool
admin_takes_row(struct admin_ask *a)
{
	return ++a->n_rows <= a->limit;
}

void
admin_add_left_out(struct admin_ask *a)
{
	admin_json_u64(&a->out, "left_out", a->n_rows > a->limit ? a->n_rows - a->limit : 0);
}

void
admin_who_text(const struct admin_who *who, char text[ADMIN_WHO_MAX])
{
	if (who->uid == 0)
		snprintf(text, ADMIN_WHO_MAX, "root");
	else
		snprintf(text, ADMIN_WHO_MAX, "user %u", (unsigned)who->uid);
}

void
admin_show_help(struct admin_ask *a)
{
	admin_json_open(&a->out, "commands", '[');
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		admin_json_open(&a->out, NULL, '{');
		admin_json_text(&a->out, "command", commands[i].name);
		admin_json_text(&a->out, "args", commands[i].args);
		admin_json_text(&a->out, "help", commands[i].help);
		admin_json_close(&a->out, '}');
	}
	admin_json_close(&a->out, ']');
}
