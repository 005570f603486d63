/* SPDX-License-Identifier: ISC */
/*
 * usherctl: the command line, and what each command's answer looks like as a table.
 */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "codec/json_scan.h"
#include "ctl/ask.h"
#include "ctl/table.h"

#define DEFAULT_SOCKET "/run/usher/usher.sock"
#define LIMIT_MAX      10000
#define ANSWER_DEPTH   16

/* Exit status. */
enum { STATUS_REFUSED = 1, STATUS_USAGE = 2, STATUS_NO_DAEMON = 3 };

enum { OPT_JSON = 256, OPT_VERSION, OPT_HELP };

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, 's' },
	{ "limit", required_argument, NULL, 'n' },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

/* ---- what answers look like ---- */

static const struct column status_rows[] = {
	{ "node", "node", FORMAT_TEXT },
	{ "version", "version", FORMAT_TEXT },
	{ "state", "state", FORMAT_TEXT },
	{ "up for", "uptime_ms", FORMAT_AGE },
	{ "process", "pid", FORMAT_NUMBER },
	{ "configuration", "configuration", FORMAT_TEXT },
	{ "sessions", "sessions", FORMAT_NUMBER },
	{ "sessions away", "sessions_away", FORMAT_NUMBER },
	{ "open requests", "requests", FORMAT_NUMBER },
	{ "destinations", "destinations", FORMAT_NUMBER },
	{ "destinations up", "destinations_up", FORMAT_NUMBER },
	{ "applications", "applications", FORMAT_NUMBER },
	{ "workers ready", "workers_ready", FORMAT_NUMBER },
};

static const struct column route_columns[] = {
	{ "KIND", "kind", FORMAT_TEXT },
	{ "APPLICATION", "application", FORMAT_TEXT },
	{ "METHOD", "method", FORMAT_TEXT },
	{ "PATTERN", "pattern", FORMAT_TEXT },
	{ "DESTINATION", "destination", FORMAT_TEXT },
	{ "TIMEOUT", "timeout_ms", FORMAT_AGE },
	{ "STATE", "why", FORMAT_FAULT },
};

static const struct column destination_columns[] = {
	{ "DESTINATION", "destination", FORMAT_TEXT },
	{ "APPLICATION", "application", FORMAT_TEXT },
	{ "PROTOCOL", "protocol", FORMAT_TEXT },
	{ "UP", "up", FORMAT_YES },
	{ "URLS", "urls", FORMAT_NUMBER },
	{ "QUEUE", "queue", FORMAT_NUMBER },
	{ "BYTES", "queue_bytes", FORMAT_BYTES },
	{ "MAX", "queue_max", FORMAT_NUMBER },
};

static const struct column link_columns[] = {
	{ "DESTINATION", "destination", FORMAT_TEXT },
	{ "URL", "url", FORMAT_TEXT },
	{ "#", "number", FORMAT_NUMBER },
	{ "STATE", "state", FORMAT_TEXT },
	{ "FOR", "since_ms", FORMAT_AGE },
	{ "PROTOCOL", "protocol", FORMAT_TEXT },
	{ "NODE", "node", FORMAT_TEXT },
	{ "IN FLIGHT", "in_flight", FORMAT_NUMBER },
	{ "TIMES UP", "times_up", FORMAT_NUMBER },
	{ "LAST ERROR", "last_error", FORMAT_TEXT },
};

static const struct column pool_columns[] = {
	{ "APPLICATION", "application", FORMAT_TEXT },
	{ "FAILING", "failing", FORMAT_YES },
	{ "SIZE", "size", FORMAT_NUMBER },
	{ "STARTING", "starting", FORMAT_NUMBER },
	{ "IDLE", "idle", FORMAT_NUMBER },
	{ "BUSY", "busy", FORMAT_NUMBER },
	{ "UNREADY", "unready", FORMAT_NUMBER },
	{ "LEAVING", "leaving", FORMAT_NUMBER },
	{ "IN FLIGHT", "in_flight", FORMAT_NUMBER },
	{ "QUEUE", "queue", FORMAT_NUMBER },
	{ "STARTED", "started", FORMAT_NUMBER },
	{ "LOST", "lost", FORMAT_NUMBER },
	{ "TYPES", "types", FORMAT_LIST },
};

static const struct column worker_columns[] = {
	{ "WORKER", "worker", FORMAT_TEXT },
	{ "PROCESS", "pid", FORMAT_NUMBER },
	{ "STATE", "state", FORMAT_TEXT },
	{ "IN FLIGHT", "in_flight", FORMAT_NUMBER },
	{ "FINISHED", "finished", FORMAT_NUMBER },
	{ "MEMORY", "memory", FORMAT_BYTES },
};

static const struct column session_columns[] = {
	{ "SID", "sid", FORMAT_TEXT },
	{ "STATE", "state", FORMAT_TEXT },
	{ "ADDRESS", "address", FORMAT_TEXT },
	{ "APPLICATION", "application", FORMAT_TEXT },
	{ "TRANSPORT", "transport", FORMAT_TEXT },
	{ "EIO", "eio", FORMAT_NUMBER },
	{ "NODE", "node", FORMAT_TEXT },
	{ "CALLS", "calls", FORMAT_NUMBER },
	{ "IN", "bytes_in", FORMAT_BYTES },
	{ "OUT", "bytes_out", FORMAT_BYTES },
	{ "AGE", "age_ms", FORMAT_AGE },
};

static const struct column request_columns[] = {
	{ "REQUEST", "request", FORMAT_TEXT },
	{ "AGE", "age_ms", FORMAT_AGE },
	{ "LEFT", "left_ms", FORMAT_AGE },
	{ "APPLICATION", "application", FORMAT_TEXT },
	{ "TYPE", "type", FORMAT_TEXT },
	{ "DESTINATION", "destination", FORMAT_TEXT },
	{ "WHERE", "where", FORMAT_TEXT },
	{ "AT", "at", FORMAT_TEXT },
	{ "FROM", "from", FORMAT_TEXT },
};

static const struct column counter_columns[] = {
	{ "COUNTER", "counter", FORMAT_TEXT },
	{ "VALUE", "value", FORMAT_NUMBER },
	{ "MEANING", "help", FORMAT_TEXT },
};

#define COLUMNS(c) (c), ARRAY_LEN(c)

#define LISTS_MAX 2

static const struct command {
	const char *name;
	const char *help;
	struct list list[LISTS_MAX];	/* none: the answer is one object */
} commands[] = {
	{ "status", "the node: its version, since when it runs, what it has to do", { { 0 } } },
	{ "routes", "who serves what, and what nobody serves now", {
		{ "routes", NULL, "no routes", COLUMNS(route_columns) } } },
	{ "links", "destinations and the links to them", {
		{ "destinations", NULL, "no destinations", COLUMNS(destination_columns) },
		{ "links", "", "no links", COLUMNS(link_columns) } } },
	{ "pools", "applications and their worker processes", {
		{ "pools", NULL, "no applications", COLUMNS(pool_columns) },
		{ "workers", "", "no workers", COLUMNS(worker_columns) } } },
	{ "sessions", "who is connected", {
		{ "sessions", NULL, "no sessions", COLUMNS(session_columns) } } },
	{ "requests", "open requests, the oldest first, and where they are", {
		{ "requests", NULL, "no open requests", COLUMNS(request_columns) } } },
	{ "counters", "what has been counted since the start", {
		{ "counters", NULL, "no counters", COLUMNS(counter_columns) } } },
};

/* ---- the command line ---- */

struct arguments {
	const char *socket;
	const struct command *command;
	unsigned long limit;		/* 0: not given */
	bool is_json;
};

static void
print_help(void)
{
	puts("Usage: usherctl [-s SOCKET] [-n ROWS] [--json] COMMAND\n"
	     "Shows what a running usherd is doing.\n"
	     "\n"
	     "  -s, --socket=SOCKET  its admin.socket (default " DEFAULT_SOCKET ")\n"
	     "  -n, --limit=ROWS     rows of a long list, 1 to 10000 (default 1000)\n"
	     "      --json           print the answer as JSON\n"
	     "      --help           print this help and exit\n"
	     "      --version        print the version and exit\n"
	     "\n"
	     "Commands:");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].help);
	puts("\n"
	     "Exit status: 0 answered, 1 the daemon refused, 2 wrong usage, 3 no daemon answers.\n"
	     "\n"
	     "Manual: usherctl(8).");
}

static void
print_version(void)
{
	puts("usherctl (" PACKAGE_NAME ") " PACKAGE_VERSION "\n"
	     "License ISC.  There is no warranty, to the extent permitted by law.");
}

static unsigned long
parse_limit(const char *text)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || n < 1 ||
	    n > LIMIT_MAX) {
		fprintf(stderr, "usherctl: \"%s\": --limit takes 1 to %d\n", text, LIMIT_MAX);
		exit(STATUS_USAGE);
	}
	return n;
}

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	fprintf(stderr, "usherctl: there is no command \"%s\"; try 'usherctl --help'\n", name);
	exit(STATUS_USAGE);
}

static void
parse_arguments(int argc, char **argv, struct arguments *a)
{
	int c;

	while ((c = getopt_long(argc, argv, "s:n:", long_options, NULL)) != -1) {
		switch (c) {
		case 's':
			a->socket = optarg;
			break;
		case 'n':
			a->limit = parse_limit(optarg);
			break;
		case OPT_JSON:
			a->is_json = true;
			break;
		case OPT_HELP:
			print_help();
			exit(EXIT_SUCCESS);
		case OPT_VERSION:
			print_version();
			exit(EXIT_SUCCESS);
		default:
			fprintf(stderr, "Try 'usherctl --help' for more information.\n");
			exit(STATUS_USAGE);
		}
	}
	if (optind == argc) {
		fprintf(stderr, "usherctl: a command is missing; try 'usherctl --help'\n");
		exit(STATUS_USAGE);
	}
	if (strcmp(argv[optind], "help") == 0) {
		print_help();
		exit(EXIT_SUCCESS);
	}
	a->command = find_command(argv[optind]);
	if (optind + 1 < argc) {
		fprintf(stderr, "usherctl: unexpected argument \"%s\"; try 'usherctl --help'\n",
		    argv[optind + 1]);
		exit(STATUS_USAGE);
	}
}

/* ---- answers ---- */

enum member { MEMBER_OK, MEMBER_RESULT, MEMBER_ERROR, MEMBER_N };

static const struct json_names answer_names = {
	.n = MEMBER_N,
	.name = (const char *const[]){
		[MEMBER_OK] = "ok", [MEMBER_RESULT] = "result", [MEMBER_ERROR] = "error",
	},
};

/* The lists of a result in text, and how many rows the daemon left out. */
static void
print_lists(const struct command *command, const char *text, struct json_value result)
{
	const char *member[LISTS_MAX + 1] = { "left_out" };
	struct json_names names = { 1, member };
	uint64_t n_left_out = 0;
	struct json_object o;
	struct json_scan s;

	for (; names.n <= LISTS_MAX && command->list[names.n - 1].member != NULL; names.n++)
		member[names.n] = command->list[names.n - 1].member;
	json_scan_init(&s, text + result.start, result.end - result.start, ANSWER_DEPTH);
	if (!json_scan_members(&s, &result, &names, &o, -1, NULL))
		return;
	for (size_t i = 1; i < names.n; i++)
		table_print(&command->list[i - 1], s.text, o.member[i].value);
	if (json_number_u64(s.text, o.member[0].value, &n_left_out) && n_left_out > 0)
		printf("and %llu more (--limit)\n", (unsigned long long)n_left_out);
}

static void
print_result(const struct arguments *a, const char *text, struct json_value result)
{
	if (a->is_json)
		printf("%.*s\n", (int)(result.end - result.start), text + result.start);
	else if (a->command->list[0].member == NULL)
		table_print_object(COLUMNS(status_rows), text, result);
	else
		print_lists(a->command, text, result);
}

static int
print_answer(const struct arguments *a, const struct buf *answer)
{
	struct buf error = { 0 };
	struct json_object o;
	struct json_value v;
	struct json_scan s;

	json_scan_init(&s, answer->data, answer->len, ANSWER_DEPTH);
	if (!json_scan_members(&s, &v, &answer_names, &o, -1, NULL) || !json_scan_end(&s) ||
	    o.member[MEMBER_OK].value.kind == JSON_NONE) {
		fprintf(stderr, "usherctl: %s is no admin socket of usherd: it did not answer with "
		    "JSON\n", a->socket);
		return STATUS_NO_DAEMON;
	}
	if (o.member[MEMBER_OK].value.kind == JSON_TRUE &&
	    o.member[MEMBER_RESULT].value.kind == JSON_OBJECT) {
		print_result(a, s.text, o.member[MEMBER_RESULT].value);
		return EXIT_SUCCESS;
	}
	json_string_get(s.text, o.member[MEMBER_ERROR].value, &error);
	fprintf(stderr, "usherctl: refused: %s\n", buf_str(&error));
	buf_free(&error);
	return STATUS_REFUSED;
}

int
main(int argc, char **argv)
{
	struct arguments a = { .socket = DEFAULT_SOCKET };
	struct buf answer = { 0 };
	char *error;
	int status;

	parse_arguments(argc, argv, &a);
	if (!ask(a.socket, a.command->name, a.limit, &answer, &error)) {
		fprintf(stderr, "usherctl: %s\n", error);
		free(error);
		buf_free(&answer);
		return STATUS_NO_DAEMON;
	}
	status = print_answer(&a, &answer);
	buf_free(&answer);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "usherctl: cannot write: %s\n", strerror(errno));
		return STATUS_REFUSED;
	}
	return status;
}
