/* SPDX-License-Identifier: ISC */
/*
 * usherctl: the command line, and the question made of it.
 */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/admin_table.h"
#include "base/buf.h"
#include "base/compiler.h"
#include "ctl/answer.h"
#include "ctl/ask.h"
#include "ctl/top.h"

#define DEFAULT_SOCKET "/run/usher/usher.sock"
#define PATIENCE_S     10	/* for what is only looked at */

#define OPT(id) (1u << ADMIN_OPT_##id)

static const struct command {
	enum admin_kind kind;
	const char *name;
	const char *args;
	unsigned options;
	const char *help;
} commands[] = {
#define ADMIN_COMMAND(kind, name, function, args, options, help) \
	{ ADMIN_##kind, name, args, options, help },
#include "admin/admin_table.def"
};

static const struct {
	const char *name, *value, *help;
} options[] = {
#define ADMIN_OPTION(id, name, value, help) [ADMIN_OPT_##id] = { name, value, help },
#include "admin/admin_table.def"
};

struct arguments {
	const char *socket;
	const struct command *command;
	char **arg;
	size_t n_args;
	const char *option[ADMIN_OPT_N];	/* NULL: not given */
	unsigned long limit;			/* 0: not given */
	bool is_json;
};

/* ---- the command line ---- */

/* An option of a command is its number in the table behind OPT_OF_COMMANDS. */
enum { OPT_JSON = 256, OPT_VERSION, OPT_HELP, OPT_OF_COMMANDS };

static const struct option global_options[] = {
	{ "socket", required_argument, NULL, 's' },
	{ "limit", required_argument, NULL, 'n' },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
};

static void
print_command(const struct command *c)
{
	printf("  %s%s%s\n      %s\n", c->name, *c->args != '\0' ? " " : "", c->args, c->help);
	for (size_t i = 0; i < ADMIN_OPT_N; i++)
		if ((c->options & 1u << i) != 0)
			printf("        --%s%s%s  %s\n", options[i].name,
			    options[i].value != NULL ? "=" : "",
			    options[i].value != NULL ? options[i].value : "", options[i].help);
}

static void
print_help(void)
{
	puts("Usage: usherctl [-s SOCKET] [-n ROWS] [--json] COMMAND [ARGUMENT ...]\n"
	     "Shows what a running usherd is doing, and changes it.\n"
	     "\n"
	     "  -s, --socket=SOCKET  its admin.socket (default " DEFAULT_SOCKET ")\n"
	     "  -n, --limit=ROWS     rows of a long list, 1 to 10000 (default 1000)\n"
	     "      --json           print the answer as JSON\n"
	     "      --help           print this help and exit\n"
	     "      --version        print the version and exit\n"
	     "\n"
	     "Commands:");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		print_command(&commands[i]);
	puts("\n"
	     "Exit status: 0 answered, 1 the daemon refused, 2 wrong usage, 3 no daemon answers,\n"
	     "4 it was tried and did not succeed; of call, if it was answered with an error: 5 it\n"
	     "has not run, 6 it may have run, 7 it has run.\n"
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
	    n > ADMIN_LIMIT_MAX) {
		fprintf(stderr, "usherctl: \"%s\": --limit takes 1 to %d\n", text,
		    ADMIN_LIMIT_MAX);
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
take_option(struct arguments *a, int c)
{
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
		if (c < OPT_OF_COMMANDS) {
			fprintf(stderr, "Try 'usherctl --help' for more information.\n");
			exit(STATUS_USAGE);
		}
		a->option[c - OPT_OF_COMMANDS] = optarg != NULL ? optarg : "";
	}
}

/* Those of all commands: an option may stand before its command. */
static void
parse_options(int argc, char **argv, struct arguments *a)
{
	struct option all[ARRAY_LEN(global_options) + ADMIN_OPT_N + 1];
	size_t n = ARRAY_LEN(global_options);
	int c;

	memcpy(all, global_options, sizeof(global_options));
	for (size_t i = 0; i < ADMIN_OPT_N; i++)
		all[n++] = (struct option){ options[i].name, options[i].value != NULL ?
			required_argument : no_argument, NULL, OPT_OF_COMMANDS + (int)i };
	all[n] = (struct option){ 0 };
	while ((c = getopt_long(argc, argv, "s:n:", all, NULL)) != -1)
		take_option(a, c);
}

static void
check_use(const struct arguments *a)
{
	const struct command *c = a->command;
	size_t n_min, n_max;

	admin_count_args(c->args, &n_min, &n_max);
	if (a->n_args < n_min) {
		fprintf(stderr, "usherctl: an argument is missing: usherctl %s %s\n", c->name,
		    c->args);
		exit(STATUS_USAGE);
	}
	if (a->n_args > n_max) {
		fprintf(stderr, "usherctl: unexpected argument \"%s\"; try 'usherctl --help'\n",
		    a->arg[n_max]);
		exit(STATUS_USAGE);
	}
	for (size_t i = 0; i < ADMIN_OPT_N; i++) {
		if (a->option[i] != NULL && (c->options & 1u << i) == 0) {
			fprintf(stderr, "usherctl: %s does not take --%s; try 'usherctl --help'\n",
			    c->name, options[i].name);
			exit(STATUS_USAGE);
		}
	}
}

static void
parse_arguments(int argc, char **argv, struct arguments *a)
{
	parse_options(argc, argv, a);
	if (optind == argc) {
		fprintf(stderr, "usherctl: a command is missing; try 'usherctl --help'\n");
		exit(STATUS_USAGE);
	}
	if (strcmp(argv[optind], "help") == 0 && !a->is_json) {
		print_help();
		exit(EXIT_SUCCESS);
	}
	a->command = find_command(argv[optind]);
	a->arg = argv + optind + 1;
	a->n_args = (size_t)(argc - optind - 1);
	check_use(a);
}

/* ---- asking ---- */

static void
add_string(struct buf *b, const char *text)
{
	buf_add_json_string(b, text, strlen(text));
}

static void
encode_question(const struct arguments *a, struct buf *line)
{
	size_t n = 0;

	buf_add_str(line, "{\"command\":");
	add_string(line, a->command->name);
	if (a->limit > 0)
		buf_printf(line, ",\"limit\":%lu", a->limit);
	for (size_t i = 0; i < a->n_args; i++) {
		buf_add_str(line, i == 0 ? ",\"args\":[" : ",");
		add_string(line, a->arg[i]);
	}
	buf_add_str(line, a->n_args > 0 ? "]" : "");
	for (size_t i = 0; i < ADMIN_OPT_N; i++) {
		if (a->option[i] == NULL)
			continue;
		buf_add_str(line, n++ == 0 ? ",\"options\":{" : ",");
		add_string(line, options[i].name);
		buf_add_char(line, ':');
		add_string(line, a->option[i]);
	}
	buf_add_str(line, n > 0 ? "}}\n" : "}\n");
}

/* All lines of the answer.  Gives the exit status, or -1: there is none, and *error says why. */
static int
print_answers(struct asking *asking, const struct arguments *a, char **error)
{
	struct answer answer = { .is_last = false };
	struct buf line = { 0 };
	bool is_answered = true;

	while (!answer.is_last && is_answered) {
		is_answered = asking_next(asking, a->command->kind == ADMIN_LOOK ? PATIENCE_S : 0,
		    &line, error);
		if (is_answered && answer_read(&answer, a->socket, &line)) {
			answer_print(&answer, a->command->name, a->is_json);
			fflush(stdout);
		}
	}
	buf_free(&line);
	return is_answered ? answer.status : -1;
}

static int
ask(const struct arguments *a)
{
	struct buf line = { 0 };
	struct asking *asking;
	int status = -1;
	char *error;

	encode_question(a, &line);
	asking = asking_new(a->socket, &line, &error);
	if (asking != NULL)
		status = print_answers(asking, a, &error);
	asking_free(asking);
	buf_free(&line);
	if (status >= 0)
		return status;
	fprintf(stderr, "usherctl: %s\n", error);
	free(error);
	return STATUS_NO_DAEMON;
}

int
main(int argc, char **argv)
{
	struct arguments a = { .socket = DEFAULT_SOCKET };
	int status;

	parse_arguments(argc, argv, &a);
	if (strcmp(a.command->name, "top") == 0 && !a.is_json)
		status = top_run(a.socket, a.option[ADMIN_OPT_ONCE] != NULL);
	else
		status = ask(&a);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "usherctl: cannot write: %s\n", strerror(errno));
		return STATUS_REFUSED;
	}
	return status;
}
