/* SPDX-License-Identifier: ISC */
/*
 * The configuration as operators write it: what it becomes, what is refused and in
 * which words, and that the table of options, conf/full.yaml, `usherd --defaults`
 * and usher.yaml(5) say the same.
 */
#include "conf/conf.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/xmalloc.h"
#include "conf/conf_file.h"
#include "conf/conf_table.h"
#include "conf/conf_value.h"
#include "unit.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define LISTEN "listen: [{ address: \"127.0.0.1:8080\" }]\n"
#define JWT    "jwt: { secret: \"" SECRET "\" }\n"
#define HEAD   LISTEN JWT

static char folder[] = "/tmp/check_conf.XXXXXX";	/* the current directory of each test */

static void
write_bytes(const char *name, const char *bytes, size_t len)
{
	FILE *f = fopen(name, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
	fclose(f);
}

static void
write_text(const char *name, const char *text)
{
	write_bytes(name, text, strlen(text));
}

static void
write_secret(const char *name, const char *text, mode_t mode)
{
	write_text(name, text);
	ck_assert_int_eq(chmod(name, mode), 0);
}

static void
enter_folder(void)
{
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
}

static void
leave_folder(void)
{
	char *command = xasprintf("rm -rf %s", folder);

	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(system(command), 0);
	free(command);
}

static struct conf *
load_good(const char *text)
{
	struct conf *conf;
	char *error;

	write_text("u.yaml", text);
	conf = conf_load("u.yaml", &error);
	ck_assert_msg(conf != NULL, "%s", error);
	ck_assert_ptr_null(error);
	return conf;
}

/* The faults of a text that must be refused.  Gives. */
static char *
load_bad(const char *text)
{
	struct conf *conf;
	char *error;

	write_text("u.yaml", text);
	conf = conf_load("u.yaml", &error);
	ck_assert_msg(conf == NULL, "accepted: %s", text);
	ck_assert_ptr_nonnull(error);
	return error;
}

START_TEST(the_least_configuration_has_all_defaults)
{
	struct conf *conf = load_good(HEAD);
	char host[256];

	gethostname(host, sizeof(host));
	ck_assert_str_eq(conf->node, host);
	ck_assert_str_eq(conf->path, "u.yaml");
	ck_assert_uint_eq(conf->threads, 1);
	ck_assert_uint_eq(conf->n_listeners, 1);
	ck_assert_str_eq(conf->listeners[0].address, "127.0.0.1:8080");
	ck_assert_str_eq(conf->listeners[0].host, "127.0.0.1");
	ck_assert_uint_eq(conf->listeners[0].port, 8080);
	ck_assert_int_eq(conf->listeners[0].audience, CONF_FOR_BROWSERS);
	ck_assert_uint_eq(conf->listeners[0].n_origins, 0);
	ck_assert_uint_eq(conf->jwt.n_secrets, 1);
	ck_assert_uint_eq(conf->jwt.secrets[0].len, 32);
	ck_assert_mem_eq(conf->jwt.secrets[0].bytes, SECRET, 32);
	ck_assert_str_eq(conf->jwt.secrets[0].id, "1");
	ck_assert_uint_eq(conf->jwt.lifetime_s, 300);
	ck_assert_str_eq(conf->socketio.path, "/socket.io/");
	ck_assert_uint_eq(conf->socketio.ping_interval_ms, 25000);
	ck_assert_uint_eq(conf->socketio.ping_timeout_ms, 20000);
	ck_assert_uint_eq(conf->socketio.connect_timeout_ms, 45000);
	ck_assert_uint_eq(conf->socketio.upgrade_timeout_ms, 10000);
	ck_assert_str_eq(conf->socketio.cookie, "io");
	ck_assert_uint_eq(conf->limits.sessions, 65536);
	ck_assert_uint_eq(conf->limits.sessions_per_address, 1024);
	ck_assert_uint_eq(conf->limits.in_flight_per_session, 64);
	ck_assert_uint_eq(conf->limits.messages_per_second, 1000);
	ck_assert_uint_eq(conf->limits.bytes_per_second, 10000000);
	ck_assert_uint_eq(conf->limits.message, 1000000);
	ck_assert_uint_eq(conf->limits.reply, 32000000);
	ck_assert_uint_eq(conf->limits.handler_message, 64000000);
	ck_assert_uint_eq(conf->limits.send_queue, 4000000);
	ck_assert_uint_eq(conf->limits.http_head, 16384);
	ck_assert_uint_eq(conf->limits.http_body, 1000000);
	ck_assert_uint_eq(conf->limits.json_depth, 64);
	ck_assert_uint_eq(conf->timeouts.http_head_ms, 10000);
	ck_assert_uint_eq(conf->timeouts.http_body_ms, 30000);
	ck_assert_uint_eq(conf->timeouts.handshake_ms, 10000);
	ck_assert_uint_eq(conf->timeouts.dial_ms, 10000);
	ck_assert_uint_eq(conf->timeouts.idle_ms, 75000);
	ck_assert_uint_eq(conf->timeouts.request_ms, 60000);
	ck_assert_uint_eq(conf->timeouts.drain_ms, 30000);
	ck_assert_int_eq(conf->log_level, LOG_LEVEL_INFO);
	ck_assert_uint_eq(conf->log_slow_ms, 2000);
	ck_assert_uint_eq(conf->n_destinations + conf->n_services + conf->n_applications +
	    conf->n_statics, 0);
	conf_unref(conf);
	conf_unref(NULL);
}
END_TEST

/* Whatever the machine has. */
START_TEST(threads_are_a_number_or_one_for_each_processor)
{
	struct conf *conf = load_good(HEAD "threads: 4\n");

	ck_assert_uint_eq(conf->threads, 4);
	conf_unref(conf);
	conf = load_good(HEAD "threads: auto\n");
	ck_assert_uint_ge(conf->threads, 1);
	ck_assert_uint_le(conf->threads, sysconf(_SC_NPROCESSORS_CONF));
	conf_unref(conf);
}
END_TEST

START_TEST(a_reference_keeps_the_configuration)
{
	struct conf *conf = load_good(HEAD);

	ck_assert_ptr_eq(conf_ref(conf), conf);
	conf_unref(conf);
	ck_assert_uint_eq(conf->listeners[0].port, 8080);
	conf_unref(conf);
}
END_TEST

START_TEST(what_is_written_replaces_the_defaults)
{
	struct conf *conf = load_good(
	    "node: master-1\n"
	    "threads: 1\n"
	    "listen:\n"
	    "  - { address: \"[0:0::0]:8080\", for: both,\n"
	    "      origins: [\"https://a.example.org\", \"https://*.example.org:8443\", \"*\"] }\n"
	    "  - { address: \"unix:web.sock\", for: nodes }\n"
	    "  - { address: \"127.0.0.1:0\" }\n"
	    "  - { address: \"127.0.0.1:0\" }\n"
	    "jwt: { secret: abc, allow_short_secret: true, algorithms: [HS256], lifetime: 2h }\n"
	    "socketio: { path: /io, ping_interval: 100ms, cookie: off }\n"
	    "limits: { sessions: off, message: 2MiB, reply: 5000000, bytes_per_second: \"3KB\" }\n"
	    "timeouts: { request: 5m }\n"
	    "log: { level: debug, slow: off, format: text }\n");

	ck_assert_str_eq(conf->node, "master-1");
	ck_assert_str_eq(conf->listeners[0].host, "::");
	ck_assert_int_eq(conf->listeners[0].audience, CONF_FOR_BOTH);
	ck_assert_uint_eq(conf->listeners[0].n_origins, 3);
	ck_assert_str_eq(conf->listeners[0].origins[1], "https://*.example.org:8443");
	ck_assert_ptr_null(conf->listeners[1].host);
	ck_assert_int_eq(conf->listeners[1].unix_path[0], '/');
	ck_assert_ptr_nonnull(strstr(conf->listeners[1].unix_path, "/web.sock"));
	ck_assert_int_eq(conf->listeners[1].audience, CONF_FOR_NODES);
	ck_assert_uint_eq(conf->listeners[2].port, 0);
	ck_assert_uint_eq(conf->jwt.secrets[0].len, 3);
	ck_assert_uint_eq(conf->jwt.lifetime_s, 7200);
	ck_assert_str_eq(conf->socketio.path, "/io/");
	ck_assert_uint_eq(conf->socketio.ping_interval_ms, 100);
	ck_assert_ptr_null(conf->socketio.cookie);
	ck_assert_uint_eq(conf->limits.sessions, CONF_NO_LIMIT);
	ck_assert_uint_eq(conf->limits.message, 2 * 1024 * 1024);
	ck_assert_uint_eq(conf->limits.reply, 5000000);
	ck_assert_uint_eq(conf->limits.bytes_per_second, 3000);
	ck_assert_uint_eq(conf->timeouts.request_ms, 300000);
	ck_assert_int_eq(conf->log_level, LOG_LEVEL_DEBUG);
	ck_assert_uint_eq(conf->log_slow_ms, CONF_NO_LIMIT);
	conf_unref(conf);
}
END_TEST

START_TEST(the_list_of_the_qewd_article_works_as_written)
{
	struct conf *conf = load_good(HEAD
	    "u_services:\n"
	    "  - application: jwt\n"
	    "    types:\n"
	    "      login: { url: \"ws://127.0.0.1:8081\", application: test-app }\n"
	    "      steps: { url: \"http://127.0.0.1:8081/\", application: test-app, timeout: 5s }\n"
	    "      plain: { url: \"http://Node.example.org\" }\n"
	    "  - application: other\n"
	    "    types: { \"*\": { url: \"ws://[0::1]:81\", application: test-app } }\n"
	    "  - application: jwt\n"
	    "    types: { \"report.*\": { url: \"ws://127.0.0.1:82\", application: test-app } }\n");
	const struct conf_service *s = conf->services;

	ck_assert_uint_eq(conf->n_services, 2);
	ck_assert_str_eq(s[0].application, "jwt");
	ck_assert_uint_eq(s[0].n_routes, 4);
	ck_assert_str_eq(s[0].routes[0].pattern, "login");
	ck_assert_str_eq(s[0].routes[0].target.destination->name, "test-app@ws://127.0.0.1:8081");
	ck_assert_str_eq(s[0].routes[0].target.destination->application, "test-app");
	ck_assert_uint_eq(s[0].routes[0].target.destination->n_urls, 1);
	ck_assert_str_eq(s[0].routes[0].target.destination->urls[0].text, "ws://127.0.0.1:8081");
	ck_assert_uint_eq(s[0].routes[0].target.destination->links, 8);
	ck_assert_uint_eq(s[0].routes[0].target.destination->queue, 10000);
	ck_assert_uint_eq(s[0].routes[0].target.destination->queue_bytes, 64000000);
	ck_assert_uint_eq(s[0].routes[0].timeout_ms, 0);
	ck_assert_ptr_eq(s[0].routes[1].target.destination, s[0].routes[0].target.destination);
	ck_assert_uint_eq(s[0].routes[1].timeout_ms, 5000);
	ck_assert_str_eq(s[0].routes[2].target.destination->application, "jwt");
	ck_assert_str_eq(s[0].routes[2].target.destination->urls[0].host, "node.example.org");
	ck_assert_uint_eq(s[0].routes[2].target.destination->urls[0].port, 80);
	ck_assert_str_eq(s[0].routes[3].pattern, "report.*");
	ck_assert_str_eq(s[1].routes[0].pattern, "*");
	ck_assert_str_eq(s[1].routes[0].target.destination->urls[0].text, "ws://[::1]:81");
	ck_assert_str_eq(s[1].routes[0].target.destination->urls[0].host, "::1");
	ck_assert_uint_eq(conf->n_destinations, 4);
	conf_unref(conf);
}
END_TEST

START_TEST(qewds_object_works_as_json)
{
	struct conf *conf = load_good(HEAD
	    "u_services: {\n"
	    "  \"destinations\": {\n"
	    "    \"auth\": { \"application\": \"remote\", \"host\": \"http://10.0.0.5:8081\" },\n"
	    "    \"pay\": { \"application\": \"pay-app\", \"url\": \"ws://10.0.0.6:8081\" }\n"
	    "  },\n"
	    "  \"routes\": [\n"
	    "    { \"application\": \"web\",\n"
	    "      \"types\": { \"login\": { \"destination\": \"auth\" },\n"
	    "      \"buy\": { \"destination\": \"pay\" },\n"
	    "      \"x\": { \"url\": \"http://10.0.0.7\", \"application\": \"y\" } } }\n"
	    "  ]\n"
	    "}\n");
	const struct conf_route *r = conf->services[0].routes;

	ck_assert_uint_eq(conf->n_services, 1);
	ck_assert_str_eq(r[0].target.destination->name, "auth");
	ck_assert_str_eq(r[0].target.destination->application, "remote");
	ck_assert_str_eq(r[0].target.destination->urls[0].text, "ws://10.0.0.5:8081");
	ck_assert_str_eq(r[1].target.destination->urls[0].text, "ws://10.0.0.6:8081");
	ck_assert_str_eq(r[2].target.destination->urls[0].text, "ws://10.0.0.7:80");
	conf_unref(conf);
}
END_TEST

START_TEST(routes_find_destinations_and_local_applications)
{
	struct conf *conf = load_good(HEAD
	    "u_services: [{ application: web, types: { a: { destination: auth },\n"
	    "    b: { destination: here, timeout: 100ms } } }]\n"
	    "destinations:\n"
	    "  auth: { application: x, urls: [\"ws://h1:1\", \"ws://h2:2\"], protocol: qewd,\n"
	    "    links: 3, timeout: 7s, queue: off, queue_bytes: 1KiB }\n"
	    "applications: { here: { command: [\"python3\", \"handler.py\"] } }\n");
	const struct conf_route *r = conf->services[0].routes;

	ck_assert_str_eq(r[0].target.destination->name, "auth");
	ck_assert_ptr_null(r[0].target.application);
	ck_assert_uint_eq(r[0].target.destination->n_urls, 2);
	ck_assert_str_eq(r[0].target.destination->urls[1].host, "h2");
	ck_assert_int_eq(r[0].target.destination->protocol, CONF_PROTOCOL_QEWD);
	ck_assert_uint_eq(r[0].target.destination->links, 3);
	ck_assert_uint_eq(r[0].target.destination->timeout_ms, 7000);
	ck_assert_uint_eq(r[0].target.destination->queue, CONF_NO_LIMIT);
	ck_assert_uint_eq(r[0].target.destination->queue_bytes, 1024);
	ck_assert_ptr_null(r[1].target.destination);
	ck_assert_ptr_eq(r[1].target.application, &conf->applications[0]);
	ck_assert_uint_eq(r[1].timeout_ms, 100);
	conf_unref(conf);
}
END_TEST

START_TEST(an_application_knows_its_worker_processes)
{
	struct conf *conf;
	char *here = realpath(".", NULL);
	struct conf_application *a;

	ck_assert_int_eq(mkdir("sub", 0700), 0);
	conf = load_good(HEAD
	    "applications:\n"
	    "  one: { command: [\"python3\", \"handler.py\", \"\"],\n"
	    "    pool: { size: 4, concurrency: 1 } }\n"
	    "  two: { command: [./run], directory: sub, \n"
	    "    environment: { A: 1, B: \"x=y\", C: \"\" },\n"
	    "    pass_environment: [LD_LIBRARY_PATH], pool: { queue: 5, deadline: 1s,\n"
	    "    start_timeout: 2s, stop_grace: 3s } }\n");
	a = conf->applications;
	ck_assert_uint_eq(conf->n_applications, 2);
	ck_assert_str_eq(a[0].name, "one");
	ck_assert_str_eq(a[0].command[1], "handler.py");
	ck_assert_str_eq(a[0].command[2], "");
	ck_assert_ptr_null(a[0].command[3]);
	ck_assert_str_eq(a[0].directory, here);
	ck_assert_ptr_null(a[0].environment[0]);
	ck_assert_ptr_null(a[0].pass_environment[0]);
	ck_assert_uint_eq(a[0].pool_size, 4);
	ck_assert_uint_eq(a[0].pool_queue, 10000);
	ck_assert_uint_eq(a[0].pool_deadline_ms, 55000);
	ck_assert_uint_eq(a[0].pool_start_timeout_ms, 30000);
	ck_assert_uint_eq(a[0].pool_stop_grace_ms, 10000);
	ck_assert_ptr_nonnull(strstr(a[1].directory, "/sub"));
	ck_assert_str_eq(a[1].environment[0], "A=1");
	ck_assert_str_eq(a[1].environment[1], "B=x=y");
	ck_assert_str_eq(a[1].environment[2], "C=");
	ck_assert_ptr_null(a[1].environment[3]);
	ck_assert_str_eq(a[1].pass_environment[0], "LD_LIBRARY_PATH");
	ck_assert_uint_eq(a[1].pool_size, 2);
	ck_assert_uint_eq(a[1].pool_queue, 5);
	ck_assert_uint_eq(a[1].pool_deadline_ms, 1000);
	conf_unref(conf);
	free(here);
}
END_TEST

START_TEST(a_pool_has_defaults_and_takes_what_is_written)
{
	struct conf *conf = load_good(HEAD
	    "applications:\n"
	    "  one: { command: [x] }\n"
	    "  two: { command: [x], pool: { concurrency: 65536, prefork: true, idle: off,\n"
	    "    hang: 10ms, max_messages: 1, max_memory: 1MB, queue: off, queue_bytes: 1KiB } }\n"
	    "  three: { command: [x], pool: { prefork: false, idle: 1ms, max_messages: off,\n"
	    "    max_memory: off, queue_bytes: off } }\n");
	const struct conf_application *a = conf->applications;

	ck_assert_uint_eq(a[0].pool_concurrency, 1);
	ck_assert(!a[0].pool_prefork && !a[0].qewd);
	ck_assert_uint_eq(a[0].pool_idle_ms, 3600000);
	ck_assert_uint_eq(a[0].pool_hang_ms, 10000);
	ck_assert_uint_eq(a[0].pool_max_messages, CONF_NO_LIMIT);
	ck_assert_uint_eq(a[0].pool_max_memory, CONF_NO_LIMIT);
	ck_assert_uint_eq(a[0].pool_queue_bytes, 64000000);
	ck_assert_str_eq(a[0].settings, "{}");
	ck_assert_uint_eq(a[1].pool_concurrency, 65536);
	ck_assert(a[1].pool_prefork);
	ck_assert_uint_eq(a[1].pool_idle_ms, CONF_NO_LIMIT);
	ck_assert_uint_eq(a[1].pool_hang_ms, 10);
	ck_assert_uint_eq(a[1].pool_max_messages, 1);
	ck_assert_uint_eq(a[1].pool_max_memory, 1000000);
	ck_assert_uint_eq(a[1].pool_queue, CONF_NO_LIMIT);
	ck_assert_uint_eq(a[1].pool_queue_bytes, 1024);
	ck_assert(!a[2].pool_prefork);
	ck_assert_uint_eq(a[2].pool_idle_ms, 1);
	ck_assert_uint_eq(a[2].pool_max_messages, CONF_NO_LIMIT);
	ck_assert_uint_eq(a[2].pool_max_memory, CONF_NO_LIMIT);
	ck_assert_uint_eq(a[2].pool_queue_bytes, CONF_NO_LIMIT);
	conf_unref(conf);
}
END_TEST

START_TEST(qewds_workers_need_no_command_but_may_have_one)
{
	static const char script[] = "/node/usher-qewd-worker.js";
	struct conf *conf = load_good(HEAD
	    "applications:\n"
	    "  one: { qewd: true }\n"
	    "  two: { qewd: true, command: [./mine, x] }\n"
	    "  three: { qewd: false, command: [./mine] }\n");
	const struct conf_application *a = conf->applications;

	ck_assert(a[0].qewd);
	ck_assert_str_eq(a[0].command[0], "node");
	ck_assert_uint_gt(strlen(a[0].command[1]), strlen(script));
	ck_assert_str_eq(a[0].command[1] + strlen(a[0].command[1]) - strlen(script), script);
	ck_assert_ptr_null(a[0].command[2]);
	ck_assert(a[1].qewd);
	ck_assert_str_eq(a[1].command[0], "./mine");
	ck_assert_str_eq(a[1].command[1], "x");
	ck_assert_ptr_null(a[1].command[2]);
	ck_assert(!a[2].qewd);
	conf_unref(conf);
}
END_TEST

/* What settings become: as JSON says it where it can, else as text. */
static const struct {
	const char *yaml, *json;
} settings[] = {
	{ "{}", "{}" },
	{ "{ a: text, \"b c\": 'quoted' }", "{\"a\":\"text\",\"b c\":\"quoted\"}" },
	{ "{ a: 1, b: -0.10, c: 1e2, d: 18446744073709551616 }",
	    "{\"a\":1,\"b\":-0.10,\"c\":1e2,\"d\":18446744073709551616}" },
	{ "{ a: \"1\", b: '1e2', c: \"true\", d: 'null' }",
	    "{\"a\":\"1\",\"b\":\"1e2\",\"c\":\"true\",\"d\":\"null\"}" },
	{ "{ a: true, b: false, c: null }", "{\"a\":true,\"b\":false,\"c\":null}" },
	{ "{ a: 012, b: 0x10, c: +1, d: .5, e: True, f: yes, g: 1 2, h: 10s }",
	    "{\"a\":\"012\",\"b\":\"0x10\",\"c\":\"+1\",\"d\":\".5\",\"e\":\"True\",\"f\":\"yes\","
	    "\"g\":\"1 2\",\"h\":\"10s\"}" },
	{ "{ a: [1, \"1\", [], [[x]], {}], b: { c: { d: [{ e: 1 }] } } }",
	    "{\"a\":[1,\"1\",[],[[\"x\"]],{}],\"b\":{\"c\":{\"d\":[{\"e\":1}]}}}" },
	{ "{ a: \"q\\\"\\\\ \\n\\e \\u00e9\", \"k\\\"\": 1 }",
	    "{\"a\":\"q\\\"\\\\ \\u000a\\u001b \xc3\xa9\",\"k\\\"\":1}" },
	{ "\n      a:\n        - 1\n        - b: x\n          c: [y]\n      d: >\n        folded\n"
	    "        text\n",
	    "{\"a\":[1,{\"b\":\"x\",\"c\":[\"y\"]}],\"d\":\"folded text\\u000a\"}" },
	/* Whoever fills in the environment must not decide what kind a value is. */
	{ "{ a: \"${CHECK_CONF_PORT}\", b: [\"x${CHECK_CONF_PORT}\"] }",
	    "{\"a\":\"8080\",\"b\":[\"x8080\"]}" },
};

START_TEST(settings_become_json)
{
	char *text = xasprintf(HEAD "applications:\n  x:\n    qewd: true\n    settings: %s\n",
	    settings[_i].yaml);
	struct conf *conf;

	setenv("CHECK_CONF_PORT", "8080", 1);
	conf = load_good(text);
	ck_assert_str_eq(conf->applications[0].settings, settings[_i].json);
	conf_unref(conf);
	free(text);
}
END_TEST

/* Only what contradicts is refused: one that leaves it open goes with any. */
static const char *const protocols[][2] = {
	{ "qewd", "qewd" }, { "usher", "usher" }, { "auto", "usher" }, { "qewd", "auto" },
};

START_TEST(destinations_with_one_url_may_agree_on_its_protocol)
{
	char *text = xasprintf(HEAD "destinations:\n"
	    "  d: { application: a, urls: [\"ws://h\"], protocol: %s }\n"
	    "  e: { application: b, urls: [\"ws://h\"], protocol: %s }\n"
	    "  f: { application: b, urls: [\"ws://other\"], protocol: usher }\n"
	    "  g: { application: b, urls: [\"ws://other:81\"], protocol: qewd }\n",
	    protocols[_i][0], protocols[_i][1]);

	conf_unref(load_good(text));
	free(text);
}
END_TEST

START_TEST(tls_is_one_certificate_or_several_and_wss_a_link_over_it)
{
	struct conf *conf = load_good("listen:\n"
	    "  - { address: \"127.0.0.1:8443\", tls: { certificate: u.yaml, key: u.yaml } }\n"
	    "  - address: \"127.0.0.1:8444\"\n"
	    "    tls:\n"
	    "      - { certificate: u.yaml, key: u.yaml }\n"
	    "      - { certificate: /proc/self/exe, key: u.yaml, client_ca: u.yaml }\n" JWT
	    "destinations:\n"
	    "  far: { application: a, urls: [\"WSS://Far.example\", \"https://[::0:1]:9\"], "
	    "tls: { ca: u.yaml, certificate: u.yaml, key: u.yaml, name: node.internal } }\n"
	    "  near: { application: a, urls: [\"ws://near\"] }\n");
	const struct conf_listener *several = &conf->listeners[1];
	const struct conf_destination *far = &conf->destinations[0];

	ck_assert_uint_eq(conf->listeners[0].n_tls, 1);
	ck_assert(conf->listeners[0].tls[0].certificate[0] == '/');
	ck_assert_ptr_null(conf->listeners[0].tls[0].client_ca);
	ck_assert_uint_eq(several->n_tls, 2);
	ck_assert_str_eq(several->tls[1].certificate, "/proc/self/exe");
	ck_assert_ptr_nonnull(several->tls[1].client_ca);
	ck_assert_str_eq(far->urls[0].text, "wss://far.example:443");
	ck_assert_uint_eq(far->urls[0].port, 443);
	ck_assert(far->urls[0].is_tls);
	ck_assert_str_eq(far->urls[1].text, "wss://[::1]:9");
	ck_assert_str_eq(far->tls.name, "node.internal");
	ck_assert(far->tls.verify);
	ck_assert(!conf->destinations[1].urls[0].is_tls);
	ck_assert(conf->destinations[1].tls.verify);
	conf_unref(conf);
}
END_TEST

/* Modes of a secret_file, and what is said of them. */
static const struct {
	mode_t mode;
	const char *refused;
	bool is_warned_of;
} secret_modes[] = {
	{ 0600, NULL, false },
	{ 0400, NULL, false },
	{ 0640, NULL, false },
	{ 0440, NULL, false },
	{ 0660, NULL, true },
	{ 0644, "every user of this machine can read", false },
	{ 0604, "every user of this machine can read", false },
	{ 0602, "every user of this machine can change", false },
	{ 0666, "every user of this machine can read", false },
};

START_TEST(a_secret_file_is_for_its_owner_and_its_group)
{
	static const char yaml[] = LISTEN "jwt: { secret_file: mode.secret }\n";
	struct conf *conf;

	write_secret("mode.secret", SECRET, secret_modes[_i].mode);
	if (secret_modes[_i].refused != NULL) {
		char *error = load_bad(yaml);

		ck_assert_msg(strstr(error, secret_modes[_i].refused) != NULL, "%s", error);
		free(error);
	} else {
		conf = load_good(yaml);
		ck_assert_int_eq(conf->jwt.secrets[0].loose_file != NULL,
		    secret_modes[_i].is_warned_of);
		conf_unref(conf);
	}
}
END_TEST

START_TEST(secrets_come_from_files_too)
{
	struct conf *conf;

	write_secret("a.secret", SECRET "\n", 0600);
	write_bytes("b.secret", "01234567\0\n0123456789abcdef01234567\n\n", 36);
	ck_assert_int_eq(chmod("b.secret", 0600), 0);
	conf = load_good(LISTEN "jwt: { secret_file: a.secret }\n");
	ck_assert_uint_eq(conf->jwt.secrets[0].len, 32);
	conf_unref(conf);
	conf = load_good(LISTEN "jwt: { secrets: [{ id: new, secret_file: b.secret },\n"
	    "  { secret: \"" SECRET "x\" }] }\n");
	ck_assert_uint_eq(conf->jwt.n_secrets, 2);
	ck_assert_str_eq(conf->jwt.secrets[0].id, "new");
	ck_assert_uint_eq(conf->jwt.secrets[0].len, 35);
	ck_assert_mem_eq(conf->jwt.secrets[0].bytes + 7, "7\0\n0", 4);
	ck_assert_str_eq(conf->jwt.secrets[1].id, "2");
	ck_assert_uint_eq(conf->jwt.secrets[1].len, 33);
	conf_unref(conf);
}
END_TEST

START_TEST(the_environment_fills_in_values)
{
	struct conf *conf;
	char *error;

	setenv("CHECK_CONF_SECRET", SECRET, 1);
	setenv("CHECK_CONF_SIZE", "7", 1);
	setenv("CHECK_CONF_EMPTY", "", 1);
	unsetenv("CHECK_CONF_NONE");
	conf = load_good(LISTEN
	    "node: a-${CHECK_CONF_NONE:-b}-${CHECK_CONF_EMPTY:-c}-${CHECK_CONF_EMPTY}-$d-$${e}\n"
	    "jwt: { secret: \"${CHECK_CONF_SECRET}\" }\n"
	    "applications: { x: { command: [\"${CHECK_CONF_SIZE}\", \"$HOME\"],\n"
	    "    pool: { size: \"${CHECK_CONF_SIZE}\" } } }\n");
	ck_assert_str_eq(conf->node, "a-b-c--$d-${e}");
	ck_assert_mem_eq(conf->jwt.secrets[0].bytes, SECRET, 32);
	ck_assert_uint_eq(conf->applications[0].pool_size, 7);
	ck_assert_str_eq(conf->applications[0].command[0], "7");
	ck_assert_str_eq(conf->applications[0].command[1], "$HOME");
	conf_unref(conf);
	error = load_bad(HEAD "node: \"${CHECK_CONF_NONE}\"\n");
	ck_assert_str_eq(error, "u.yaml:3: the environment has no CHECK_CONF_NONE; "
	    "set it, or write ${CHECK_CONF_NONE:-default}");
	free(error);
}
END_TEST

START_TEST(included_files_are_merged)
{
	struct conf *conf;
	char *error, *here = realpath(".", NULL);

	ck_assert_int_eq(mkdir("conf.d", 0700), 0);
	ck_assert_int_eq(mkdir("conf.d/h", 0700), 0);
	write_text("conf.d/10.yaml",
	    "limits: { reply: 2MB }\n"
	    "u_services: [{ application: a, types: { y: { destination: here } } }]\n"
	    "applications: { here: { command: [x] }, there: { command: [x], directory: h } }\n");
	write_text("conf.d/20.yaml", "listen: [{ address: \"127.0.0.1:8081\" }]\n");
	write_text("extra", "node: extra\n");
	conf = load_good(HEAD
	    "include: [\"conf.d/*.yaml\", extra, \"none/*.yaml\"]\n"
	    "limits: { message: 1KB }\n"
	    "u_services: [{ application: a, types: { x: { url: \"ws://h\" } } }]\n");
	ck_assert_uint_eq(conf->limits.message, 1000);
	ck_assert_uint_eq(conf->limits.reply, 2000000);
	ck_assert_str_eq(conf->node, "extra");
	ck_assert_uint_eq(conf->n_listeners, 2);
	ck_assert_uint_eq(conf->listeners[1].port, 8081);
	ck_assert_uint_eq(conf->services[0].n_routes, 2);
	ck_assert(strncmp(conf->applications[0].directory, here, strlen(here)) == 0);
	ck_assert_str_eq(conf->applications[0].directory + strlen(here), "/conf.d");
	ck_assert_str_eq(conf->applications[1].directory + strlen(here), "/conf.d/h");
	conf_unref(conf);

	write_text("conf.d/30.yaml", "limits:\n  reply: 3MB\n  mesage: 1KB\n"
	    "applications: { there: { command: [y] } }\nlisten: x\ninclude: [a]\n");
	error = load_bad(HEAD "include: [\"conf.d/*.yaml\", missing.yaml]\n");
	ck_assert_str_eq(error,
	    "conf.d/30.yaml:2: \"reply\" is given in conf.d/10.yaml, line 1 already\n"
	    "conf.d/30.yaml:3: limits.mesage: unknown key; did you mean \"message\"?\n"
	    "conf.d/30.yaml:4: \"command\" is given in conf.d/10.yaml, line 3 already\n"
	    "conf.d/30.yaml:5: \"listen\" is given in u.yaml, line 1 already\n"
	    "conf.d/30.yaml:6: an included file must not include others\n"
	    "missing.yaml:1: the file cannot be read: No such file or directory");
	free(error);
	free(here);
}
END_TEST

START_TEST(files_are_found_beside_the_configuration)
{
	struct conf *conf;
	char *error;

	ck_assert_int_eq(mkdir("[a]*", 0700), 0);
	write_text("[a]*/x.js", "//");
	write_text("[a]*/more.yaml", "static: [{ path: /x.js, file: x.js }]\n");
	write_text("[a]*/u.yaml", HEAD "include: [\"mor?.yaml\"]\n");
	conf = conf_load("[a]*/u.yaml", &error);
	ck_assert_msg(conf != NULL, "%s", error);
	ck_assert_uint_eq(conf->n_statics, 1);
	ck_assert_str_eq(conf->statics[0].path, "/x.js");
	ck_assert_int_eq(conf->statics[0].file[0], '/');
	ck_assert_int_eq(access(conf->statics[0].file, R_OK), 0);
	conf_unref(conf);
}
END_TEST

#define TYPE(text)   HEAD "u_services: [{ application: a, types: { t: " text " } }]\n"
#define DEST(text)   HEAD "destinations: { d: " text " }\n"
#define APP(text)    HEAD "applications: { x: " text " }\n"
#define POOL(text)   APP("{ command: [x], pool: { " text " } }")
#define SAME_URL(one, other)						\
	HEAD "destinations:\n"						\
	"  d: { application: a, urls: [\"ws://h:81\", \"ws://i\"], protocol: " one " }\n" \
	"  e: { application: b, urls: [\"ws://j\", \"http://I:80/\"], protocol: " other " }\n"
#define ORIGIN(text) "listen: [{ address: \"127.0.0.1:1\", origins: [\"" text "\"] }]\n" JWT

#define PROXIES(text) \
	"listen: [{ address: \"127.0.0.1:1\", trusted_proxies: [\"" text "\"] }]\n" JWT

#define TLS(text)    "listen: [{ address: \"127.0.0.1:1\", tls: " text " }]\n" JWT
#define FAR(url, tls) \
	HEAD "destinations: { far: { application: a, urls: [\"" url "\"], tls: { " tls " } } }\n"

/* Each of these has faults; the words are those of the first. */
static const struct {
	const char *text;
	const char *fault;
} bad[] = {
	{ "", "u.yaml:1: the file is empty" },
	{ "just text\n", "u.yaml:1: the file must hold a map" },
	{ "[]\n", "u.yaml:1: the file must hold a map" },
	{ JWT, "u.yaml:1: \"listen\" is missing" },
	{ LISTEN, "u.yaml:1: \"jwt\" is missing" },
	{ HEAD "nodes: a\n", "u.yaml:3: nodes: unknown key; did you mean \"node\"?" },
	{ HEAD "xyzzyxyzzy: a\n", "u.yaml:3: xyzzyxyzzy: unknown key; known here: node, include" },
	{ HEAD "limits: { mesage: 1KB }\n",
	    "u.yaml:3: limits.mesage: unknown key; did you mean \"message\"?" },
	{ HEAD "limits.message: 1KB\n", "u.yaml:3: limits.message: unknown key" },
	{ HEAD "node: a\nnode: b\n", "u.yaml:4: duplicate key \"node\"" },
	{ HEAD "node: [a]\n", "u.yaml:3: node: must be text" },
	{ HEAD "node: 5\n", "u.yaml:3: node: must be text: put it in quotes" },
	{ HEAD "node: true\n", "u.yaml:3: node: must be text: put it in quotes" },
	{ HEAD "node:\n", "u.yaml:3: node: has no value" },
	{ HEAD "node: \"\"\n", "u.yaml:3: node: must be a name" },
	{ HEAD "node: \"a\\tb\"\n", "u.yaml:3: node: must be a name without control" },
	{ HEAD "limits: 5\n", "u.yaml:3: limits: must be a map" },
	{ HEAD "limits:\n", "u.yaml:3: limits: must be a map" },
	{ HEAD "static: { path: /x }\n", "u.yaml:3: static: must be a list" },
	{ HEAD "static: [5]\n", "u.yaml:3: static[]: must be a map" },
	{ HEAD "threads: 257\n", "u.yaml:3: threads: must be auto, or a number from 1 to 256" },
	{ HEAD "threads: many\n", "u.yaml:3: threads: must be auto, or a number" },
	{ HEAD "threads: 0\n", "u.yaml:3: threads: must be auto, or a number from 1 to 256" },
	{ HEAD "include: x.yaml\n", "u.yaml:3: include: must be a list" },
	{ HEAD "include: [no.yaml]\n", "no.yaml:1: the file cannot be read: No such file" },

	{ "listen: []\n" JWT, "u.yaml:1: listen: must have 1 to 64 entries" },
	{ "listen: 8080\n" JWT, "u.yaml:1: listen: must be a list" },
	{ "listen: [{}]\n" JWT, "u.yaml:1: listen[]: \"address\" is missing" },
	{ "listen: [{ address: \"8080\" }]\n" JWT,
	    "u.yaml:1: listen[].address: must be a numeric" },
	{ "listen: [{ address: \"localhost:80\" }]\n" JWT,
	    "u.yaml:1: listen[].address: must be a" },
	{ "listen: [{ address: \"1.2.3.4:65536\" }]\n" JWT, "u.yaml:1: listen[].address: must be" },
	{ "listen: [{ address: \"1.2.3.4\" }]\n" JWT, "u.yaml:1: listen[].address: must be" },
	{ "listen: [{ address: \"1.2.3.4:\" }]\n" JWT, "u.yaml:1: listen[].address: must be" },
	{ "listen: [{ address: \"1.2.3.4:+1\" }]\n" JWT, "u.yaml:1: listen[].address: must be" },
	{ "listen: [{ address: \"::1:80\" }]\n" JWT, "u.yaml:1: listen[].address: must be" },
	{ "listen: [{ address: \"[::1:80\" }]\n" JWT, "u.yaml:1: listen[].address: must be" },
	{ "listen: [{ address: \"[::1]80\" }]\n" JWT, "u.yaml:1: listen[].address: must be" },
	{ "listen: [{ address: \"unix:\" }]\n" JWT,
	    "u.yaml:1: listen[].address: must name a path" },
	{ "listen: [{ address: \"unix:/" SECRET SECRET SECRET SECRET "\" }]\n" JWT,
	    "u.yaml:1: listen[].address: has a path that is too long" },
	{ "listen: [{ address: \"1.2.3.4:80\" }, { address: \"1.2.3.4:80\" }]\n" JWT,
	    "u.yaml:1: listen[].address: this address is given twice" },
	{ "listen: [{ address: \"unix:a\" }, { address: \"unix:a\" }]\n" JWT,
	    "u.yaml:1: listen[].address: this address is given twice" },
	{ "listen: [{ address: \"1.2.3.4:80\", for: all }]\n" JWT,
	    "u.yaml:1: listen[].for: must be browsers, nodes or both" },
	{ "listen: [{ address: \"1.2.3.4:80\", for: [both] }]\n" JWT,
	    "u.yaml:1: listen[].for: must be browsers, nodes or both" },
	{ TLS("{}"), "u.yaml:1: listen[].tls: \"certificate\" is missing" },
	{ TLS("{ certificate: none }"), "u.yaml:1: listen[].tls: \"key\" is missing" },
	{ TLS("yes"), "u.yaml:1: listen[].tls: must be a map, or a list of 1 to 64 maps" },
	{ TLS("[]"), "u.yaml:1: listen[].tls: must be a map, or a list of 1 to 64 maps" },
	{ TLS("[here]"), "u.yaml:1: listen[].tls[]: must be a map" },
	{ TLS("{ cert: a, key: b }"), "u.yaml:1: listen[].tls.cert: unknown key; known here: "
	    "certificate, key, client_ca" },
	{ TLS("{ certificate: none, key: none }"),
	    "u.yaml:1: listen[].tls.certificate: /" },
	{ TLS("{ certificate: u.yaml, key: none }"),
	    "u.yaml:1: listen[].tls.key: /" },
	{ TLS("{ certificate: u.yaml, key: /dev/null }"),
	    "u.yaml:1: listen[].tls.key: /dev/null cannot be read: it is no regular file" },
	{ TLS("{ certificate: u.yaml, key: u.yaml, client_ca: none }"),
	    "u.yaml:1: listen[].tls.client_ca: /" },
	{ TLS("[{ certificate: u.yaml, key: u.yaml, client_ca: u.yaml }, "
	    "{ certificate: u.yaml, key: u.yaml, client_ca: u.yaml }]"),
	    "u.yaml:1: listen[].tls[].client_ca: is given twice" },
	{ FAR("ws://h", "ca: u.yaml"),
	    "u.yaml:3: destinations.far.tls: none of its URLs begins with wss://" },
	{ FAR("wss://h", "ca: none"), "u.yaml:3: destinations.far.tls.ca: /" },
	{ FAR("wss://h", "key: u.yaml"),
	    "u.yaml:3: destinations.far.tls: certificate and key go together" },
	{ FAR("wss://h", "certificate: u.yaml, key: none"),
	    "u.yaml:3: destinations.far.tls.key: /" },
	{ FAR("wss://h", "verify: false, ca: u.yaml"),
	    "u.yaml:3: destinations.far.tls: verify: false makes ca and name useless" },
	{ FAR("wss://h", "name: \"no name\""),
	    "u.yaml:3: destinations.far.tls.name: must be a host name" },
	{ FAR("wss://h", "verify: maybe"),
	    "u.yaml:3: destinations.far.tls.verify: must be true or false" },
	{ PROXIES("10.0.0.1/8"), "u.yaml:1: listen[].trusted_proxies[]: has bits set behind" },
	{ PROXIES("10.0.0.0/33"), "u.yaml:1: listen[].trusted_proxies[]: must have a number of bits" },
	{ PROXIES("10.0.0.0/"), "u.yaml:1: listen[].trusted_proxies[]: must have a number of bits" },
	{ PROXIES("balancer"), "u.yaml:1: listen[].trusted_proxies[]: must be an address or a network" },
	{ PROXIES("10.0.0"), "u.yaml:1: listen[].trusted_proxies[]: must be an address or a network" },
	{ PROXIES("0.0.0.0/0"), "u.yaml:1: listen[].trusted_proxies: 0.0.0.0/0 is everybody" },
	{ PROXIES("::/0"), "u.yaml:1: listen[].trusted_proxies: ::/0 is everybody" },
	{ "listen: [{ address: \"1.2.3.4:80\", nodes: [\"10.0.0.1\"] }]\n" JWT,
	    "u.yaml:1: listen[].nodes: an address for browsers has no nodes" },
	{ "listen: [{ address: \"1.2.3.4:80\", for: both, nodes: [worker-1] }]\n" JWT,
	    "u.yaml:1: listen[].nodes[]: must be an address or a network" },
	{ ORIGIN("example.org"), "u.yaml:1: listen[].origins[]: must be \"https://host\"" },
	{ ORIGIN("null"), "u.yaml:1: listen[].origins[]: must be \"https://host\"" },
	{ ORIGIN("https://"), "u.yaml:1: listen[].origins[]: must be \"https://host\"" },
	{ ORIGIN("https://*"), "u.yaml:1: listen[].origins[]: must be \"https://host\"" },
	{ ORIGIN("https://a.*.b"), "u.yaml:1: listen[].origins[]: must be \"https://host\"" },
	{ ORIGIN("https://a:0"), "u.yaml:1: listen[].origins[]: must be \"https://host\"" },
	{ ORIGIN("https://a/"), "u.yaml:1: listen[].origins[]: must end behind host and port" },

	{ LISTEN "jwt: {}\n", "u.yaml:2: jwt: must have exactly one of secret, secret_file" },
	{ LISTEN "jwt: { secret: \"" SECRET "\", secret_file: x }\n",
	    "u.yaml:2: jwt: must have ex" },
	{ LISTEN "jwt: { secret: short }\n", "u.yaml:2: the secret has 5 bytes: it must have 32" },
	{ LISTEN "jwt: { secret: \"\", allow_short_secret: true }\n",
	    "u.yaml:2: jwt.secret: must" },
	{ LISTEN "jwt: { secret: 12345678901234567890123456789012 }\n",
	    "u.yaml:2: jwt.secret: must be text" },
	{ LISTEN "jwt: { secret: short, allow_short_secret: yes }\n",
	    "u.yaml:2: jwt.allow_short_secret: must be true or false" },
	{ LISTEN "jwt: { secret: short, allow_short_secret: \"true\" }\n",
	    "u.yaml:2: jwt.allow_short_secret: must be true or false" },
	{ LISTEN "jwt: { secret_file: none }\n", "u.yaml:2: secret_file: " },
	{ LISTEN "jwt: { secret_file: /dev/zero }\n",
	    "u.yaml:2: secret_file: /dev/zero cannot be read: it is no regular file" },
	{ LISTEN "jwt: { secret_file: /dev/null }\n", "u.yaml:2: secret_file: /dev/null cannot" },
	{ LISTEN "jwt: { secret_file: empty, allow_short_secret: true }\n",
	    "u.yaml:2: the secret is empty; openssl rand -hex 32 makes one" },
	{ LISTEN "jwt: { secrets: [] }\n", "u.yaml:2: jwt.secrets: must have 1 to 16 entries" },
	{ LISTEN "jwt: { secrets: [{}] }\n",
	    "u.yaml:2: jwt.secrets[]: must have either secret or" },
	{ LISTEN "jwt: { secrets: [{ secret: a }] }\n", "u.yaml:2: the secret has 1 bytes" },
	{ LISTEN "jwt: { secrets: [{ id: \"2\", secret: \"" SECRET "\" },\n"
	    "  { secret: \"" SECRET "\" }] }\n",
	    "u.yaml:3: jwt.secrets[].id: \"2\" is given twice" },
	{ LISTEN "jwt: { secret: \"" SECRET "\", algorithms: [HS256, RS256] }\n",
	    "u.yaml:2: jwt.algorithms[]: not supported yet" },
	{ LISTEN "jwt: { secret: \"" SECRET "\", algorithms: [none] }\n",
	    "u.yaml:2: jwt.algorithms[]: must be HS256" },
	{ LISTEN "jwt: { secret: \"" SECRET "\", algorithms: [] }\n",
	    "u.yaml:2: jwt.algorithms: must have 1 to 16 entries" },
	{ LISTEN "jwt: { secret: \"" SECRET "\", lifetime: 300 }\n",
	    "u.yaml:2: jwt.lifetime: must be a duration of whole seconds" },
	{ LISTEN "jwt: { secret: \"" SECRET "\", lifetime: 1500ms }\n",
	    "u.yaml:2: jwt.lifetime: must be a duration of whole seconds" },

	{ HEAD "socketio: { path: io }\n", "u.yaml:3: socketio.path: must begin with \"/\"" },
	{ HEAD "socketio: { path: \"/a?b\" }\n", "u.yaml:3: socketio.path: must be printable" },
	{ HEAD "socketio: { upgrade_timeout: 9ms }\n",
	    "u.yaml:3: socketio.upgrade_timeout: must be a duration" },
	{ HEAD "socketio: { cookie: \"a b\" }\n", "u.yaml:3: socketio.cookie: must be a name" },
	{ HEAD "socketio: { cookie: \"a;b\" }\n", "u.yaml:3: socketio.cookie: must be a name" },
	{ HEAD "socketio: { cookie: false }\n", "u.yaml:3: socketio.cookie: must be text" },

	{ HEAD "limits: { message: 1GB }\n",
	    "u.yaml:3: limits.message: must be a size in bytes, KB, MB, KiB or MiB "
	    "from 1KB to 1024MiB" },
	{ HEAD "limits: { message: -1 }\n", "u.yaml:3: limits.message: must be a size" },
	{ HEAD "limits: { message: off }\n", "u.yaml:3: limits.message: must be a size" },
	{ HEAD "limits: { message: 1.5MB }\n", "u.yaml:3: limits.message: must be a size" },
	{ HEAD "limits: { message: 99999999999999999999MB }\n",
	    "u.yaml:3: limits.message: must be" },
	{ HEAD "limits: { sessions: \"5\" }\n",
	    "u.yaml:3: limits.sessions: must be a number from 1 to 1000000000, or off" },
	{ HEAD "limits: { sessions: 18446744073709551615 }\n",
	    "u.yaml:3: limits.sessions: must be" },
	{ HEAD "limits: { json_depth: 0x10 }\n", "u.yaml:3: limits.json_depth: must be a number" },
	{ HEAD "limits: { http_body: 999 }\n", "u.yaml:3: limits.http_body: must be a size" },
	{ HEAD "timeouts: { request: 60 }\n",
	    "u.yaml:3: timeouts.request: must be a duration in ms, s, m or h from 1ms to 24h" },
	{ HEAD "timeouts: { request: 0s }\n", "u.yaml:3: timeouts.request: must be a duration" },
	{ HEAD "timeouts: { request: 1 s }\n", "u.yaml:3: timeouts.request: must be a duration" },
	{ HEAD "timeouts: { request: 1d }\n", "u.yaml:3: timeouts.request: must be a duration" },
	{ HEAD "timeouts: { request: {} }\n", "u.yaml:3: timeouts.request: must be a duration" },
	{ HEAD "timeouts: { http_body: off }\n", "u.yaml:3: timeouts.http_body: must be a" },
	{ HEAD "timeouts: { resume: 0s }\n", "u.yaml:3: timeouts.resume: " },
	{ HEAD "http: { errors: stock }\n", "u.yaml:3: http.errors: must be usher or qewd" },
	{ HEAD "http: { ajax: 1 }\n", "u.yaml:3: http.ajax: must be true or false" },
	{ HEAD "clients: { events: { shop: 7 } }\n", "u.yaml:3: clients.events.shop: must be text" },
	{ HEAD "clients: { events: { shop: [] } }\n",
	    "u.yaml:3: clients.events.shop: must have 1 to 1024 entries" },
	{ HEAD "clients: { events: { shop: \"a*b\" } }\n", "u.yaml:3: clients.events.shop: may have" },
	{ HEAD "clients: { events: { a/b: \"*\" } }\n",
	    "u.yaml:3: clients.events.a/b: the name must not hold \"/\"" },
	{ HEAD "permit_application_switch: { a: { b: yes } }\n",
	    "u.yaml:3: permit_application_switch.a.b: must be true or false" },
	{ HEAD "applications: { a: { command: [x], services: [b] } }\n",
	    "u.yaml:3: applications.a.services: there is no local application \"b\"" },
	{ HEAD "applications: { a: { command: [x], fragments: nowhere } }\n",
	    "u.yaml:3: applications.a.fragments: there is no directory " },
	{ HEAD "applications: { a: { command: [x], rest: /r }, b: { command: [x], rest: /r } }\n",
	    "u.yaml:3: applications.b.rest: a has /r already" },
	{ HEAD "destinations: { d: { destinations: [a, b] } }\n",
	    "u.yaml:3: destinations.d.destinations: there is no destination or application \"a\"" },
	{ HEAD "destinations: { d: { destinations: [a, a] }, a: { application: x, urls: [\"ws://h\"] } }\n",
	    "u.yaml:3: destinations.d.destinations: a is given twice" },
	{ HEAD "destinations: { d: { destinations: [e] }, e: { destinations: [d] } }\n",
	    "u.yaml:3: destinations.d: the group is a member of itself" },
	{ HEAD "destinations: { d: { application: x, destinations: [d] } }\n",
	    "u.yaml:3: destinations.d: a group has destinations, and no application" },
	{ HEAD "u_services: { destinations: { a: { destinations: [b] } } }\n",
	    "u.yaml:3: destinations.a.destinations: there is no destination" },
	{ HEAD "destinations: { g: { destinations: [d] }, d: { application: x, urls: [\"ws://h\"] } }\n"
	    "u_services: [{ application: a, types: { t: { destination: g } } }]\n",
	    "u.yaml:4: u_services[].types.t: \"g\" is a group" },
	{ HEAD "u_services: [{ path: /x, method: GET, destination: a }]\n",
	    "u.yaml:3: u_services[].destination: there is no destination or application \"a\"" },
	{ HEAD "u_services: { routes: [{ path: /x }] }\n",
	    "u.yaml:3: u_services[]: must have a destination, or \":destination\"" },
	{ HEAD "u_services: [{ path: x, destination: a }]\n",
	    "u.yaml:3: u_services[].path: must begin with" },
	{ HEAD "u_services: [{ path: \"/x(/:y\", destination: a }]\n",
	    "u.yaml:3: u_services[].path: must have a \")\" for each" },
	{ HEAD "u_services: [{ path: \"/x/:\", destination: a }]\n",
	    "u.yaml:3: u_services[].path: must have a name behind each" },
	{ HEAD "u_services: [{ path: \"/x(/:y)()\", destination: a }]\n",
	    "u.yaml:3: u_services[].path: /x(/:y)(): an optional part is empty" },
	{ HEAD "u_services: [{ path: \"/x/:destinations\" }]\n",
	    "u.yaml:3: u_services[]: must have a destination, or \":destination\"" },
	{ HEAD "u_services: [{ path: /x, method: get, destination: a }]\n",
	    "u.yaml:3: u_services[].method: must be GET, HEAD" },
	{ HEAD "u_services: [{ path: /:destination, application: a }]\n",
	    "u.yaml:3: u_services[]: must have either a path, or an application with types" },
	{ HEAD "u_services: [{ application: a, types: {}, timeout: 1s }]\n",
	    "u.yaml:3: u_services[].timeout: goes with path" },
	{ HEAD "destinations: { d: { application: a, urls: [\"ws://h\"], health: { eject: 10m } } }\n",
	    "u.yaml:3: destinations.d.health: eject_max must not be below eject" },
	{ HEAD "u_services: [{ application: a, types: { t: { url: \"ws://h\", on_leave: stay } } }]\n",
	    "u.yaml:3: u_services[].types.t.on_leave: must be keep or cancel" },
	{ HEAD "admin: { http: \"0.0.0.0:9180\" }\n",
	    "u.yaml:3: admin.http: must be a loopback address and a port" },
	{ HEAD "admin: { http: \"[::]:9180\" }\n",
	    "u.yaml:3: admin.http: must be a loopback address and a port" },
	{ HEAD "admin: { http: \"unix:/run/usher/http.sock\" }\n",
	    "u.yaml:3: admin.http: must be a loopback address and a port" },
	{ HEAD "admin: { http: \"localhost:9180\" }\n",
	    "u.yaml:3: admin.http: must be a loopback address and a port" },
	{ HEAD "admin: { socket: [a] }\n", "u.yaml:3: admin.socket: must be text" },
	{ HEAD "admin: { sockets: a }\n",
	    "u.yaml:3: admin.sockets: unknown key; did you mean \"socket\"?" },
	{ HEAD "admin: { socket: \"\" }\n", "u.yaml:3: admin.socket: must have 1 to 107 bytes" },
	{ HEAD "admin: { http: \"127.0.0.1:8080\" }\n",
	    "u.yaml:3: admin.http: listen has this address already" },
	{ HEAD "log: { format: xml }\n", "u.yaml:3: log.format: must be text or json" },
	{ HEAD "log: { file: \"\" }\n", "u.yaml:3: log.file: must have 1 to 4096 bytes" },
	{ DEST("{ application: x, urls: [\"ws://h\"], links: 0 }"),
	    "u.yaml:3: destinations.d.links:" },
	{ HEAD "destinations: { \"a@b\": { application: x, urls: [\"ws://h\"] } }\n",
	    "u.yaml:3: destinations.a@b: the name must not hold \"@\"" },
	{ DEST("{ application: x, urls: [\"ws://h\"] }") "applications: { d: { command: [x] } }\n",
	    "u.yaml:3: the name \"d\" is given twice: u.yaml, line 4 has it" },
	{ DEST("{ application: x, urls: [\"ws://h\"] }")
	    "u_services: { destinations: { d: { application: x, host: \"ws://h\" } } }\n",
	    "u.yaml:4: the name \"d\" is given twice: u.yaml, line 3 has it" },

	{ HEAD "u_services: 5\n", "u.yaml:3: u_services: must be a list or a map" },
	{ HEAD "u_services: { routes: {} }\n", "u.yaml:3: u_services.routes: must be a list" },
	{ HEAD "u_services: { route: [] }\n",
	    "u.yaml:3: u_services.route: unknown key; did you mean \"routes\"?" },
	{ HEAD "u_services: [{ types: {} }]\n",
	    "u.yaml:3: u_services[]: must have \"application\"" },
	{ HEAD "u_services: [{ application: a }]\n",
	    "u.yaml:3: u_services[]: must have \"types\"" },
	{ HEAD "u_services: { destinations: { a: { application: b } } }\n",
	    "u.yaml:3: u_services.destinations.a: must have a host" },
	{ HEAD "u_services: { destinations: { a: { host: \"ws://h\" } } }\n",
	    "u.yaml:3: u_services.destinations.a: \"application\" is missing" },
	{ TYPE("{ url: \"ftp://h\" }"), "u.yaml:3: u_services[].types.t.url: must be a URL" },
	{ TYPE("{ url: \"h:8080\" }"), "u.yaml:3: u_services[].types.t.url: must be a URL" },
	{ TYPE("{ url: \"ws://h/x\" }"),
	    "u.yaml:3: u_services[].types.t.url: must not have a path" },
	{ TYPE("{ url: \"ws://\" }"), "u.yaml:3: u_services[].types.t.url: has no proper host" },
	{ TYPE("{ url: \"ws://u:p@h\" }"),
	    "u.yaml:3: u_services[].types.t.url: has no proper port" },
	{ TYPE("{ url: \"ws://h:0\" }"), "u.yaml:3: u_services[].types.t.url: has no proper port" },
	{ TYPE("{ url: \"ws://[::g]\" }"),
	    "u.yaml:3: u_services[].types.t.url: has no proper host" },
	{ HEAD "u_services: [{ application: a, types: { \"a*b\": { url: \"ws://h\" } } }]\n",
	    "u.yaml:3: u_services[].types: \"a*b\" may have one \"*\", as its last character" },
	{ HEAD "u_services:\n  - { application: a, types: { t: { url: \"ws://h\" } } }\n"
	    "  - { application: a, types: { t: { url: \"ws://i\" } } }\n",
	    "u.yaml:5: u_services[].types: \"t\" of application \"a\" is routed in "
	    "u.yaml, line 4" },

	{ APP("{}"), "u.yaml:3: applications.x: \"command\" is missing" },
	{ APP("{ command: \"a b\" }"), "u.yaml:3: applications.x.command: must be a list" },
	{ APP("{ command: [] }"), "u.yaml:3: applications.x.command: must have 1 to 1024" },
	{ APP("{ command: [\"\"] }"), "u.yaml:3: applications.x.command: the program has no name" },
	{ APP("{ command: [sleep, 5] }"), "u.yaml:3: applications.x.command[]: must be text: put" },
	{ APP("{ command: [x], directory: none }"),
	    "u.yaml:3: applications.x.directory: there is no directory /" },
	{ APP("{ command: [x], environment: [a] }"),
	    "u.yaml:3: applications.x.environment: must be" },
	{ APP("{ command: [x], environment: { A: [] } }"),
	    "u.yaml:3: applications.x.environment.A: must be text" },
	{ APP("{ command: [x], environment: { A: } }"),
	    "u.yaml:3: applications.x.environment.A: must be text" },
	{ APP("{ command: [x], environment: { USHER_FD: 4 } }"),
	    "u.yaml:3: applications.x.environment: USHER_FD is set by the daemon" },
	{ APP("{ command: [x], environment: { A=B: 4 } }"),
	    "u.yaml:3: applications.x.environment: a name must not hold \"=\"" },
	{ APP("{ command: [x], pass_environment: [USHER_SECRET] }"),
	    "u.yaml:3: applications.x.pass_environment[]: must not name USHER_" },
	{ APP("{ command: [x], pool: { size: 0 } }"),
	    "u.yaml:3: applications.x.pool.size: must be" },
	{ POOL("concurrency: 0"), "u.yaml:3: applications.x.pool.concurrency: must be a number" },
	{ POOL("concurrency: 65537"),
	    "u.yaml:3: applications.x.pool.concurrency: must be a number from 1 to 65536" },
	{ POOL("concurrency: off"), "u.yaml:3: applications.x.pool.concurrency: must be" },
	{ POOL("prefork: 1"), "u.yaml:3: applications.x.pool.prefork: must be true or false" },
	{ POOL("prefork: \"true\""), "u.yaml:3: applications.x.pool.prefork: must be true or" },
	{ POOL("idle: 60"), "u.yaml:3: applications.x.pool.idle: must be a duration in ms, s, m or "
	    "h from 1ms to 24h, or off" },
	{ POOL("idle: 0s"), "u.yaml:3: applications.x.pool.idle: must be a duration" },
	{ POOL("hang: 9ms"), "u.yaml:3: applications.x.pool.hang: must be a duration in ms, s, m "
	    "or h from 10ms to 24h" },
	{ POOL("hang: off"), "u.yaml:3: applications.x.pool.hang: must be a duration" },
	{ POOL("max_messages: 0"), "u.yaml:3: applications.x.pool.max_messages: must be a number" },
	{ POOL("max_memory: 999KB"), "u.yaml:3: applications.x.pool.max_memory: must be a size" },
	{ POOL("queue_bytes: many"), "u.yaml:3: applications.x.pool.queue_bytes: must be a size" },
	{ POOL("max_message: 1"),
	    "u.yaml:3: applications.x.pool.max_message: unknown key; did you mean "
	    "\"max_messages\"?" },
	{ APP("{ qewd: {} }"), "u.yaml:3: applications.x.qewd: must be true or false" },
	{ APP("{ qewd: false }"), "u.yaml:3: applications.x: \"command\" is missing" },
	{ APP("{ qewd: true, command: [] }"),
	    "u.yaml:3: applications.x.command: must have 1 to 1024" },
	{ APP("{ qewd: true, settings: [] }"), "u.yaml:3: applications.x.settings: must be a map" },
	{ APP("{ qewd: true, settings: }"), "u.yaml:3: applications.x.settings: must be a map" },
	{ APP("{ qewd: true, settings: { a: 1, a: 2 } }"), "u.yaml:3: duplicate key \"a\"" },
	{ APP("{ qewd: true, settings: { a: [\"${\"] } }"), "u.yaml:3: \"${\" without \"}\"" },

	{ SAME_URL("qewd", "usher"), "u.yaml:5: destinations.e.protocol: differs from that of "
	    "destinations.d, which has the same URL" },
	{ SAME_URL("usher", "qewd"), "u.yaml:5: destinations.e.protocol: differs from that of "
	    "destinations.d, which has the same URL" },

	{ HEAD "static: [{ path: /x }]\n", "u.yaml:3: static[]: must have either a file or a root" },
	{ HEAD "static: [{ path: /x, file: empty, root: / }]\n",
	    "u.yaml:3: static[]: must have either a file or a root" },
	{ HEAD "static: [{ path: x, file: empty }]\n", "u.yaml:3: static[].path: must begin with" },
	{ HEAD "static: [{ path: /a/../b, file: empty }]\n",
	    "u.yaml:3: static[].path: must not ho" },
	{ HEAD "static: [{ path: /x, file: none }]\n", "u.yaml:3: static[].file: /" },
	{ HEAD "static: [{ path: /x, file: / }]\n",
	    "u.yaml:3: static[].file: / cannot be read: it i" },
	{ HEAD "static: [{ path: /socket.io/, file: empty }]\n",
	    "u.yaml:3: static[].path: Socket.IO" },
	{ HEAD "static: [{ path: /x, file: empty }, { path: /x, file: empty }]\n",
	    "u.yaml:3: static[].path: /x is given twice" },
	{ HEAD "static: [{ path: /, root: www }]\n",
	    "u.yaml:3: static[].root: there is no directory /" },
	{ HEAD "static: [{ path: /, root: empty }]\n",
	    "u.yaml:3: static[].root: there is no directory /" },

	{ HEAD "node: \"${\"\n", "u.yaml:3: \"${\" without \"}\"" },
	{ HEAD "node: \"${1A}\"\n", "u.yaml:3: must be ${NAME} or ${NAME:-default}" },
	{ HEAD "node: \"${A:b}\"\n", "u.yaml:3: must be ${NAME} or ${NAME:-default}" },
};

START_TEST(a_bad_file_is_refused_with_its_line_and_what_would_be_right)
{
	char *error;

	write_secret("empty", "", 0600);
	error = load_bad(bad[_i].text);
	ck_assert_msg(strncmp(error, bad[_i].fault, strlen(bad[_i].fault)) == 0,
	    "%s\nis refused as: %s\nand not as: %s", bad[_i].text, error, bad[_i].fault);
	free(error);
}
END_TEST

START_TEST(unreadable_files_are_refused)
{
	static const struct {
		const char *path, *fault;
	} cases[] = {
		{ "none.yaml", "none.yaml:1: the file cannot be read: No such file or directory; "
		    "name another with -c" },
		{ "/dev/zero", "/dev/zero:1: the file cannot be read: it is no regular file; "
		    "name another with -c" },
		{ ".", ".:1: the file cannot be read: it is no regular file; "
		    "name another with -c" },
		{ "fifo", "fifo:1: the file cannot be read: it is no regular file; "
		    "name another with -c" },
	};
	char *error;

	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ck_assert_ptr_null(conf_load(cases[i].path, &error));
		ck_assert_str_eq(error, cases[i].fault);
		free(error);
	}
}
END_TEST

START_TEST(all_faults_are_told_at_once_in_the_order_of_lines)
{
	char *error = load_bad(
	    "listen: [{ adress: \"127.0.0.1:8080\" }]\n"
	    "jwt: { secret: short }\n"
	    "limits:\n"
	    "  message: big\n"
	    "u_services: [{ application: a, types: { t: { destination: d } } }]\n");

	ck_assert_str_eq(error,
	    "u.yaml:1: listen[].adress: unknown key; did you mean \"address\"?\n"
	    "u.yaml:1: listen[]: \"address\" is missing: where to listen: address:port, "
	    "[address]:port or unix:/path\n"
	    "u.yaml:2: the secret has 5 bytes: it must have 32 or more, such as "
	    "\"openssl rand -hex 32\" prints (or set jwt.allow_short_secret: true)\n"
	    "u.yaml:4: limits.message: must be a size in bytes, KB, MB, KiB or MiB from 1KB to "
	    "1024MiB\n"
	    "u.yaml:5: u_services[].types.t: there is no destination or application \"d\"");
	free(error);
}
END_TEST

START_TEST(no_fault_shows_a_secret)
{
	static const char *const texts[] = {
		LISTEN "jwt: { secret: geheim }\n",
		LISTEN "jwt: { secret: [geheim] }\n",
		LISTEN "jwt: { secrets: [geheim] }\n",
		LISTEN "jwt: { secrets: [{ secret: geheim, secret_file: x }] }\n",
		TYPE("{ url: \"ws://u:geheim@h\" }"),
		APP("{ command: [x], environment: { A: [geheim] } }"),
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		char *error = load_bad(texts[i]);

		ck_assert_msg(strstr(error, "geheim") == NULL, "%s", error);
		free(error);
	}
}
END_TEST

/* What comes behind them is not looked at, and must not be used. */
START_TEST(twenty_faults_are_enough)
{
	struct buf text = { 0 };
	unsigned n = 0;
	char *error;

	for (unsigned i = 0; i < 90000; i++)
		buf_printf(&text, "k%u: 1\n", i);
	buf_add_str(&text, "limits: { sessions: many }\nlisten: 5\nlog: { level: {} }\n");
	error = load_bad(buf_str(&text));
	for (const char *p = error; (p = strchr(p, '\n')) != NULL; p++)
		n++;
	ck_assert_uint_eq(n, CONF_FAULTS_MAX - 1);
	free(error);
	buf_free(&text);
}
END_TEST

/* A large table that is right takes about as long as one that is wrong. */
START_TEST(a_large_routing_table_loads_within_a_second)
{
	struct timespec begin, end;
	struct buf text = { 0 };
	struct conf *conf;

	buf_add_str(&text, HEAD "u_services:\n  - application: a\n    types:\n");
	for (unsigned i = 0; i < 3000; i++)
		buf_printf(&text, "      t%u: { url: \"ws://h%u:80\", application: b }\n", i, i);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
	conf = load_good(buf_str(&text));
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	ck_assert_uint_eq(conf->n_destinations, 3000);
	ck_assert_str_eq(conf->services[0].routes[2999].target.destination->urls[0].host, "h2999");
	ck_assert((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000 <
	    1000);
	conf_unref(conf);
	buf_free(&text);
}
END_TEST

START_TEST(numbers_with_units_are_printed_as_they_are_read)
{
	static const char *const durations[] = { "0ms", "1ms", "1500ms", "2s", "90s", "5m", "24h" };
	static const char *const sizes[] = {
		"0", "999", "1KB", "16KiB", "1MB", "64MiB", "1000001"
	};
	struct buf out = { 0 };
	uint64_t value;

	for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
		ck_assert(conf_value_duration(durations[i], &value));
		conf_value_add_duration(&out, value);
		ck_assert_str_eq(buf_str(&out), durations[i]);
		out.len = 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		ck_assert(conf_value_size(sizes[i], &value));
		conf_value_add_size(&out, value);
		ck_assert_str_eq(buf_str(&out), sizes[i]);
		out.len = 0;
	}
	buf_free(&out);
}
END_TEST

/* A file of the source tree.  Gives. */
static char *
read_source(const char *name)
{
	char *path = xasprintf("%s/%s", TOP_SRCDIR, name), *text;
	const char *why;
	size_t len;

	text = conf_file_read(path, 1 << 20, &len, &why);
	ck_assert_msg(text != NULL, "%s: %s", path, why);
	free(path);
	return text;
}

/* The value at the name of an option, in the first entry of a list or map that has it. */
static const struct conf_node *
example_of(const struct conf_node *node, const char *name)
{
	size_t len = strcspn(name, ".[");
	bool is_each = *name == '*' || strncmp(name, "[]", 2) == 0;
	const struct conf_node *found = NULL;
	char *part;

	if (node == NULL || *name == '\0')
		return node;
	if (*name == '.')
		return example_of(node, name + 1);
	if (is_each) {
		for (size_t i = 0; node->kind != CONF_SCALAR && i < node->n && found == NULL; i++)
			found = example_of(node->item[i], name + (*name == '*' ? 1 : 2));
		return found;
	}
	part = xstrndup(name, len);
	found = example_of(conf_node_get(node, part), name + len);
	free(part);
	return found;
}

/* A line such as "#   - key: ..." stands in the text. */
static bool
is_commented(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (const char *line = text; line != NULL; line = strchr(line + 1, '\n')) {
		const char *p = line + strspn(line, "\n\t ");

		if (*p != '#')
			continue;
		p += strspn(p, "# -");
		if (strncmp(p, key, len) == 0 && p[len] == ':')
			return true;
	}
	return false;
}

/* A value as its default is written in the table. */
static char *
text_of(const struct conf_node *node)
{
	struct buf out = { 0 };

	if (node->kind == CONF_SCALAR)
		return xstrdup(node->text);
	buf_add_char(&out, node->kind == CONF_LIST ? '[' : '{');
	for (size_t i = 0; i < node->n; i++)
		buf_printf(&out, "%s%s", i > 0 ? ", " : "", node->item[i]->text);
	buf_add_char(&out, node->kind == CONF_LIST ? ']' : '}');
	return buf_take(&out);
}

START_TEST(what_serves_http_and_events_is_read)
{
	struct conf *conf = load_good(HEAD
	    "destinations:\n"
	    "  a: { application: x, urls: [\"ws://h\"] }\n"
	    "  g: { destinations: [a, app], timeout: 2s }\n"
	    "applications:\n"
	    "  app: { command: [x], rest: /local, services: [other], fragments: / }\n"
	    "  other: { command: [x] }\n"
	    "u_services:\n"
	    "  - { path: \"/u/:id(/*rest)\", method: GET, destination: g, timeout: 3s }\n"
	    "  - { path: /any/:destination, bypassJWTCheck: true, on_leave: cancel }\n"
	    "  - { application: w, types: { t: { destination: a, on_leave: cancel }, u: { destination: app } } }\n"
	    "permit_application_switch: { app: { x: true, y: false } }\n"
	    "clients: { events: { shop: \"*\", blog: [read, \"list.*\"] } }\n"
	    "http: { ajax: false, errors: qewd }\n"
	    "timeouts: { resume: off }\n");
	const struct conf_destination *g = conf->rest_routes[0].target.destination;

	ck_assert_uint_eq(conf->n_rest_routes, 2);
	ck_assert_str_eq(conf->rest_routes[0].path, "/u/:id(/*rest)");
	ck_assert_str_eq(conf->rest_routes[0].method, "GET");
	ck_assert_uint_eq(conf->rest_routes[0].timeout_ms, 3000);
	ck_assert(!conf->rest_routes[0].bypass_jwt_check);
	ck_assert_str_eq(g->name, "g");
	ck_assert_uint_eq(g->n_members, 2);
	ck_assert_uint_eq(g->timeout_ms, 2000);
	ck_assert_str_eq(g->members[0].destination->name, "a");
	ck_assert_ptr_eq(g->members[1].application, &conf->applications[0]);
	ck_assert_ptr_null(conf->rest_routes[1].method);
	ck_assert_ptr_null(conf->rest_routes[1].target.destination);
	ck_assert_ptr_null(conf->rest_routes[1].target.application);
	ck_assert(conf->rest_routes[1].bypass_jwt_check);
	ck_assert_uint_eq(conf->rest_routes[1].cancel_on_leave, 1);
	ck_assert_uint_eq(conf->services[0].routes[0].cancel_on_leave, 1);
	ck_assert_uint_eq(conf->services[0].routes[1].cancel_on_leave, 0);
	ck_assert_str_eq(conf->applications[0].rest, "/local");
	ck_assert_str_eq(conf->applications[0].services[0], "other");
	ck_assert_ptr_null(conf->applications[0].services[1]);
	ck_assert_str_eq(conf->applications[0].fragments, "/");
	ck_assert_uint_eq(conf->n_switches, 1);
	ck_assert_str_eq(conf->switches[0].from, "app");
	ck_assert_str_eq(conf->switches[0].to, "x");
	ck_assert_uint_eq(conf->n_events, 2);
	ck_assert_str_eq(conf->events[0].types[0], "*");
	ck_assert_str_eq(conf->events[1].application, "blog");
	ck_assert_str_eq(conf->events[1].types[1], "list.*");
	ck_assert_ptr_null(conf->events[1].types[2]);
	ck_assert(!conf->http_ajax);
	ck_assert_uint_eq(conf->http_errors_qewd, 1);
	ck_assert_uint_eq(conf->timeouts.resume_ms, 0);
	conf_unref(conf);
}
END_TEST

/* The last part of a name that is no "*".  Gives. */
static char *
last_word_of(const char *name)
{
	char *word = xstrdup(name), *dot;

	while ((dot = strrchr(word, '.')) != NULL && strcmp(dot, ".*") == 0)
		*dot = '\0';
	if (dot != NULL)
		memmove(word, dot + 1, strlen(dot));
	return word;
}

START_TEST(full_yaml_has_every_option_at_its_default)
{
	static const struct conf_source source = { (char *)"full.yaml", (char *)"/" };
	char *text = read_source("conf/full.yaml");
	struct conf_faults faults = { 0 };
	struct arena nodes = { 0 };
	struct conf_node *root = conf_yaml_parse(&nodes, &source, text, strlen(text), &faults);

	ck_assert_ptr_nonnull(root);
	for (size_t i = 0; i < conf_n_options; i++) {
		const struct conf_option *o = &conf_options[i];
		const struct conf_node *node = example_of(root, o->name);
		char *key = last_word_of(o->name), *value;

		if (o->type == CONF_T_LATER) {
			free(key);
			ck_assert_msg(node == NULL, "%s is not built", o->name);
			continue;
		}
		ck_assert_msg(node != NULL ||
		    (o->fallback == NULL && is_commented(text, key)), "%s is missing", o->name);
		free(key);
		if (node == NULL || o->fallback == NULL)
			continue;
		value = text_of(node);
		ck_assert_msg(strcmp(value, o->fallback) == 0, "%s is %s, not %s", o->name, value,
		    o->fallback);
		free(value);
	}
	arena_free(&nodes);
	free(text);
}
END_TEST

START_TEST(the_examples_load)
{
	static const char *const names[] = { "behind-haproxy", "behind-nginx", "both", "full",
		"master", "rest", "worker" };

	write_secret("jwt.secret", SECRET "\n", 0600);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char *name = xasprintf("conf/%s.yaml", names[i]), *text = read_source(name);

		conf_unref(load_good(text));
		free(text);
		free(name);
	}
}
END_TEST

START_TEST(defaults_are_printed_one_line_an_option)
{
	size_t size, n_lines = 0, n_options = 0;
	char *text, *line;
	FILE *out = open_memstream(&text, &size);

	conf_print_defaults(out);
	fclose(out);
	for (char *p = text; (p = strchr(p, '\n')) != NULL; p++)
		n_lines++;
	for (size_t i = 0; i < conf_n_options; i++) {
		const struct conf_option *o = &conf_options[i];

		ck_assert_ptr_nonnull(o->help);
		if (o->type == CONF_T_LATER)
			continue;
		n_options++;
		line = xasprintf("%-40s %-12s %s\n", o->name, o->fallback != NULL ? o->fallback :
		    (o->flags & CONF_F_REQUIRED) != 0 ? "(required)" : "-", o->help);
		ck_assert_msg(strstr(text, line) != NULL, "%s", line);
		free(line);
	}
	ck_assert_uint_eq(n_lines, n_options);
	ck_assert_ptr_nonnull(strstr(text, "limits.message                           1MB "));
	free(text);
}
END_TEST

/* The paragraph of an option in the manual, from its tag to the next; NULL: none.  Gives. */
static char *
paragraph_of(const char *manual, const char *name)
{
	char *tag = xasprintf("\n.It Ic %s\n", name);
	const char *begin = strstr(manual, tag), *end;

	free(tag);
	if (begin == NULL)
		return NULL;
	end = strstr(begin + 1, "\n.It ");
	if (end == NULL || (strstr(begin, "\n.El") != NULL && strstr(begin, "\n.El") < end))
		end = strstr(begin, "\n.El");
	return xstrndup(begin, (size_t)(end - begin));
}

START_TEST(the_manual_has_a_paragraph_for_each_option)
{
	char *manual = read_source("man/usher.yaml.5");
	size_t n_paragraphs = 0, n_options = 0;

	for (const char *p = manual; (p = strstr(p, "\n.It Ic ")) != NULL; p++)
		n_paragraphs++;
	for (size_t i = 0; i < conf_n_options; i++) {
		const struct conf_option *o = &conf_options[i];
		char *text = paragraph_of(manual, o->name), *value;

		if (o->type == CONF_T_LATER) {
			ck_assert_msg(text == NULL, "%s is not built", o->name);
			continue;
		}
		n_options++;
		ck_assert_msg(text != NULL, "%s is missing", o->name);
		value = xasprintf("Default: %s%s", o->fallback != NULL ? o->fallback : "",
		    o->fallback != NULL ? "." : "");
		if (o->fallback != NULL)
			ck_assert_msg(strstr(text, value) != NULL, "%s: no \"%s\"", o->name, value);
		else if ((o->flags & CONF_F_REQUIRED) != 0)
			ck_assert_msg(strstr(text, "Required.") != NULL, "%s: required", o->name);
		free(value);
		free(text);
	}
	ck_assert_uint_eq(n_paragraphs, n_options);
	free(manual);
}
END_TEST

/* The limits of each number stand in its paragraph, in its own units. */
START_TEST(the_manual_tells_the_limits)
{
	char *manual = read_source("man/usher.yaml.5");

	for (size_t i = 0; i < conf_n_options; i++) {
		const struct conf_option *o = &conf_options[i];
		char *text, *range;
		struct buf out = { 0 };
		bool is_size = o->type == CONF_T_SIZE, is_count = o->type == CONF_T_COUNT;
		uint64_t unit = o->type == CONF_T_SECONDS ? 1000 : 1;

		if (!is_size && !is_count && o->type != CONF_T_DURATION &&
		    o->type != CONF_T_SECONDS)
			continue;
		for (unsigned k = 0; k < 2; k++) {
			uint64_t v = (k == 0 ? o->min : o->max) * unit;

			buf_add_str(&out, k == 0 ? "" : " to ");
			if (is_count)
				buf_add_u64(&out, v);
			else if (is_size)
				conf_value_add_size(&out, v);
			else
				conf_value_add_duration(&out, v);
		}
		range = xasprintf("Limits: %s%s.", buf_str(&out),
		    (o->flags & CONF_F_OFF) != 0 ? ", or off" : "");
		text = paragraph_of(manual, o->name);
		ck_assert_msg(text != NULL && strstr(text, range) != NULL, "%s: no \"%s\"", o->name,
		    range);
		free(range);
		free(text);
		buf_free(&out);
	}
	free(manual);
}
END_TEST

static TCase *
case_in_folder(Suite *suite, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, enter_folder, leave_folder);
	tcase_set_timeout(tc, 30);
	suite_add_tcase(suite, tc);
	return tc;
}

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("conf");
	TCase *good = case_in_folder(suite, "good"), *refused = case_in_folder(suite, "refused");
	TCase *agree = tcase_create("agree"), *examples = case_in_folder(suite, "examples");

	tcase_add_test(good, the_least_configuration_has_all_defaults);
	tcase_add_test(good, threads_are_a_number_or_one_for_each_processor);
	tcase_add_test(good, a_reference_keeps_the_configuration);
	tcase_add_test(good, what_is_written_replaces_the_defaults);
	tcase_add_test(good, the_list_of_the_qewd_article_works_as_written);
	tcase_add_test(good, qewds_object_works_as_json);
	tcase_add_test(good, routes_find_destinations_and_local_applications);
	tcase_add_test(good, an_application_knows_its_worker_processes);
	tcase_add_test(good, a_pool_has_defaults_and_takes_what_is_written);
	tcase_add_test(good, qewds_workers_need_no_command_but_may_have_one);
	tcase_add_loop_test(good, settings_become_json, 0, ARRAY_LEN(settings));
	tcase_add_loop_test(good, destinations_with_one_url_may_agree_on_its_protocol, 0,
	    ARRAY_LEN(protocols));
	tcase_add_test(good, tls_is_one_certificate_or_several_and_wss_a_link_over_it);
	tcase_add_test(good, what_serves_http_and_events_is_read);
	tcase_add_test(good, secrets_come_from_files_too);
	tcase_add_loop_test(good, a_secret_file_is_for_its_owner_and_its_group, 0,
	    (int)ARRAY_LEN(secret_modes));
	tcase_add_test(good, the_environment_fills_in_values);
	tcase_add_test(good, included_files_are_merged);
	tcase_add_test(good, files_are_found_beside_the_configuration);
	tcase_add_test(good, a_large_routing_table_loads_within_a_second);
	tcase_add_test(good, numbers_with_units_are_printed_as_they_are_read);
	tcase_add_loop_test(refused, a_bad_file_is_refused_with_its_line_and_what_would_be_right, 0,
	    ARRAY_LEN(bad));
	tcase_add_test(refused, unreadable_files_are_refused);
	tcase_add_test(refused, all_faults_are_told_at_once_in_the_order_of_lines);
	tcase_add_test(refused, no_fault_shows_a_secret);
	tcase_add_test(refused, twenty_faults_are_enough);
	tcase_add_test(examples, the_examples_load);
	tcase_add_test(agree, full_yaml_has_every_option_at_its_default);
	tcase_add_test(agree, defaults_are_printed_one_line_an_option);
	tcase_add_test(agree, the_manual_has_a_paragraph_for_each_option);
	tcase_add_test(agree, the_manual_tells_the_limits);
	suite_add_tcase(suite, agree);
	return suite;
}

UNIT_MAIN_STATELESS(make_suite)
