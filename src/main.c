/* SPDX-License-Identifier: ISC */
/*
 * usherd: the command line, and one node.
 */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>

#include "base/log.h"
#include "conf/conf.h"
#include "conf/conf_programs.h"
#include "conf/conf_schema.h"
#include "dev/dev.h"
#include "net/activation.h"
#include "net/tls_store.h"
#include "node.h"

#define DEFAULT_CONF "/etc/usher/usher.yaml"

#define DEV_PORT     8080
#define OTHER_DESCRIPTORS 64

enum { OPT_DEFAULTS = 256, OPT_SCHEMA, OPT_VERSION, OPT_HELP, OPT_DEV, OPT_PORT };

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "test", no_argument, NULL, 't' },
	{ "debug", required_argument, NULL, 'D' },
	{ "dev", no_argument, NULL, OPT_DEV },
	{ "port", required_argument, NULL, OPT_PORT },
	{ "defaults", no_argument, NULL, OPT_DEFAULTS },
	{ "schema", no_argument, NULL, OPT_SCHEMA },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
    "Usage: usherd [-t] [-c FILE] [-D AREA]...\n"
    "  or:  usherd --dev [--port=PORT] [-D AREA]... -- COMMAND [ARGUMENT]...\n"
    "Forwards the messages of browsers to remote applications, and runs handlers.\n"
    "\n"
    "  -c, --config=FILE   read this configuration (default " DEFAULT_CONF ")\n"
    "  -t, --test          check the configuration and exit\n"
    "  -D, --debug=AREA    log debug lines of conn, http, sio, token, request, link,\n"
    "                      pool, or all\n"
    "      --dev           try a handler: serve COMMAND as application \"dev\" on\n"
    "                      127.0.0.1, with a page to call it, and start it anew when\n"
    "                      files in this folder change\n"
    "      --port=PORT     with --dev: listen there (default 8080; 0: any)\n"
    "      --defaults      print every option with its default and exit\n"
    "      --schema        print a JSON Schema of the configuration, for editors, and exit\n"
    "      --help          print this help and exit\n"
    "      --version       print the version and exit\n"
    "\n"
    "Manuals: usherd(8), usher.yaml(5), usher-handler(7), usher-handler-test(1).\n";

struct arguments {
	const char *conf_path;
	bool only_test;
	bool is_dev;
	uint16_t port;
	bool has_port;
	char **command;			/* with --dev */
};

static void
print_version(void)
{
	puts("usherd (" PACKAGE_NAME ") " PACKAGE_VERSION "\n"
	     "License ISC.  There is no warranty, to the extent permitted by law.");
	exit(EX_OK);
}

static void
print_defaults(void)
{
	conf_print_defaults(stdout);
	exit(EX_OK);
}

static void
print_schema(void)
{
	struct buf b = { 0 };

	conf_schema_write(&b);
	fwrite(b.data, 1, b.len, stdout);
	buf_free(&b);
	exit(EX_OK);
}

static uint16_t
parse_port(const char *text)
{
	char *end;
	long port = strtol(text, &end, 10);

	if (*text == '\0' || *end != '\0' || port < 0 || port > 65535) {
		fprintf(stderr, "usherd: \"%s\" is no port: --port takes 0 to 65535, --dev "
		    "listens on 127.0.0.1 alone\n", text);
		exit(EX_USAGE);
	}
	return (uint16_t)port;
}

static void
check_dev(struct arguments *a, char **command)
{
	if (a->conf_path != NULL || a->only_test) {
		fprintf(stderr, "usherd: --dev goes without -c and -t: it has a configuration of "
		    "its own\n");
		exit(EX_USAGE);
	}
	if (*command == NULL) {
		fprintf(stderr, "usherd: --dev needs a command: usherd --dev -- python3 "
		    "handler.py\n");
		exit(EX_USAGE);
	}
	a->command = command;
}

static void
parse_arguments(int argc, char **argv, struct arguments *a)
{
	int c;

	while ((c = getopt_long(argc, argv, "c:tD:", long_options, NULL)) != -1) {
		switch (c) {
		case 'c':
			a->conf_path = optarg;
			break;
		case 't':
			a->only_test = true;
			break;
		case 'D':
			if (!log_add_area(optarg)) {
				fprintf(stderr, "usherd: no area \"%s\"; try 'usherd --help'\n", optarg);
				exit(EX_USAGE);
			}
			break;
		case OPT_DEV:
			a->is_dev = true;
			break;
		case OPT_PORT:
			a->port = parse_port(optarg);
			a->has_port = true;
			break;
		case OPT_DEFAULTS:
			print_defaults();
			break;
		case OPT_SCHEMA:
			print_schema();
			break;
		case OPT_VERSION:
			print_version();
			break;
		case OPT_HELP:
			fputs(usage, stdout);
			exit(EX_OK);
		default:
			fprintf(stderr, "Try 'usherd --help' for more information.\n");
			exit(EX_USAGE);
		}
	}
	if (a->is_dev) {
		check_dev(a, argv + optind);
		return;
	}
	if (a->has_port) {
		fprintf(stderr, "usherd: --port goes with --dev; without it, listen[].address in the "
		    "configuration says where to listen\n");
		exit(EX_USAGE);
	}
	if (optind < argc) {
		fprintf(stderr, "usherd: unexpected argument \"%s\"; try 'usherd --help'\n",
		    argv[optind]);
		exit(EX_USAGE);
	}
}

static struct conf *
load(const struct arguments *a, struct dev *dev)
{
	struct conf *conf;
	char *error;

	conf = conf_load(dev != NULL ? dev_conf_path(dev) : a->conf_path, &error);
	if (dev != NULL)
		dev_forget_conf(dev);
	if (conf != NULL)
		return conf;
	fprintf(stderr, "%s\n", error);
	free(error);
	dev_free(dev);
	exit(EX_CONFIG);
}

static void
check_programs(const struct conf *conf)
{
	struct buf lines = { 0 };

	conf_programs_check(conf, &lines);
	fputs(buf_str(&lines), stderr);
	buf_free(&lines);
}

/* Certificates and keys, which the configuration names. */
static struct tls_store *
load_tls(struct conf *conf, struct dev *dev)
{
	struct tls_store *tls;
	char *error;

	if ((tls = tls_store_new(conf, &error)) != NULL)
		return tls;
	fprintf(stderr, "%s: TLS: %s\n", conf->path, error);
	free(error);
	conf_unref(conf);
	dev_free(dev);
	exit(EX_CONFIG);
}

/* What was wrong until here went to standard error, and what follows goes where it was asked for. */
static void
start_log(const struct conf *conf)
{
	log_set_level(conf->log_level);
	log_set_format(conf->log_format, conf->node);
	if (conf->log_file == NULL || log_open(conf->log_file))
		return;
	fprintf(stderr, "%s: log.file: cannot write to %s: %s; its folder must be there, and the "
	    "user of usherd may write to it\n", conf->path, conf->log_file, strerror(errno));
	exit(EX_CANTCREAT);
}

/* Writing to a peer that is gone gives EPIPE, which net/conn looks at. */
static void
ignore_sigpipe(void)
{
	struct sigaction sa = { .sa_handler = SIG_IGN };

	sigaction(SIGPIPE, &sa, NULL);
}

/*
 * Secrets are in our memory: no core file and no other process of our user is to have them.
 * Whoever looks for a fault sets USHER_DUMPABLE.
 */
static void
protect_memory(void)
{
	if (getenv("USHER_DUMPABLE") == NULL && prctl(PR_SET_DUMPABLE, 0) != 0)
		log_warn("prctl(PR_SET_DUMPABLE)");
}

/* Those that systemd listens on for us, or that another usherd hands over. */
static struct activation *
take_sockets(void)
{
	struct activation *a;
	char *error;

	a = activation_new(&error);
	if (error == NULL)
		return a;
	fprintf(stderr, "usherd: %s\n", error);
	free(error);
	exit(EX_UNAVAILABLE);
}

/*
 * Each session is a descriptor, and each link, worker and file one more.  Nobody who leaves
 * limits.sessions as it is has promised that many.
 */
static void
raise_descriptors(const struct conf *conf)
{
	uint64_t sessions = conf->limits.sessions == CONF_NO_LIMIT ? 0 : conf->limits.sessions;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		log_warn("RLIMIT_NOFILE");
	else if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < sessions + OTHER_DESCRIPTORS)
		log_msg(sessions > CONF_SESSIONS ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
		    NULL, NULL, 0, "the system permits %llu descriptors, and limits.sessions "
		    "(%llu) needs more: raise LimitNOFILE of the service, or \"ulimit -n\", or "
		    "lower limits.sessions", (unsigned long long)limit.rlim_max,
		    (unsigned long long)sessions);
}

int
main(int argc, char **argv)
{
	struct arguments a = { .port = DEV_PORT };
	struct node_start start = { .argv = argv };
	struct dev *dev = NULL;
	struct tls_store *tls;
	struct conf *conf;
	struct node *node;

	protect_memory();
	ignore_sigpipe();
	log_init();
	parse_arguments(argc, argv, &a);
	if (a.is_dev)
		dev = dev_new(a.command, a.port);
	else if (a.conf_path == NULL)
		a.conf_path = DEFAULT_CONF;
	conf = load(&a, dev);
	if (!a.is_dev)
		check_programs(conf);
	tls = load_tls(conf, dev);
	if (!a.only_test)
		start.activation = take_sockets();
	if (a.only_test) {
		printf("%s: configuration is good\n", a.conf_path);
		tls_store_free(tls);
		conf_unref(conf);
		return EX_OK;
	}
	start_log(conf);
	conf_warn(conf);
	raise_descriptors(conf);
	node = node_new(conf, tls, dev, &start);
	if (node == NULL) {
		if (conf->log_file != NULL)
			fprintf(stderr, "usherd: not started: see the end of %s\n", conf->log_file);
		conf_unref(conf);
		dev_free(dev);
		return EX_UNAVAILABLE;
	}
	conf_unref(conf);	/* the node has its own */
	node_run(node);
	node_free(node);
	dev_free(dev);
	log_finish();
	log_info("stopped");
	return EX_OK;
}
