/* SPDX-License-Identifier: ISC */
/*
 * pool: real worker processes, few and small, with a fake origin before them.
 *
 * A worker is a shell script that does what the type of a request says and writes each line
 * it gets into the file "heard", behind its number; the file "go" lets those that wait
 * go on.  So a test can tell what a worker knows and decide when it goes on.
 */
#include "worker/pool.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "conf/conf.h"
#include "loop_unit.h"
#include "request/forward.h"
#include "request/override.h"
#include "request/request.h"
#include "request/service.h"
#include "token/claims.h"
#include "token/token_cache.h"
#include "worker/proc.h"

#define SECRET	   "a secret of the node that has enough bytes"
#define TIMEOUT_MS 60000	/* of requests whose deadline is not the test's subject */
#define ASKS_MAX   64
#define FOLDER_LEN 32

static const char script[] =
	"say() { printf '%s\\n' \"$1\" >&3; }\n"
	"finish() { say '{\"op\":\"finish\",\"id\":'$1',\"message\":{\"worker\":'$number'}}'; }\n"
	"call() { say '{\"op\":\"call\",\"id\":'$id',\"call\":7,\"application\":\"'$1'\","
	    "\"type\":\"'$2'\",\"message\":{\"x\":0.10,\"token\":\"t\"}}'; }\n"
	"wait_to_go() { while [ -e heard ] && [ ! -e go ]; do sleep 0.01; done; }\n"
	"held=' '\n"
	"while IFS= read -r line <&3; do\n"
	"	case $line in\n"
	"	'{\"op\":\"hello\"'*) number=${line##*:}; number=${number%\\}};;\n"
	"	esac\n"
	"	printf '%s\\n' \"$number $line\" >>heard\n"
	"	id=${line#*'\"id\":'}; id=${id%%[,\\}]*}\n"
	"	case $line in\n"
	"	'{\"op\":\"hello\"'*) printf '%s\\n' \"$number is $$\" >>heard; say \"$1\";;\n"
	"	'{\"op\":\"stop\"}') exit 0;;\n"
	"	'{\"op\":\"ping\"}') say '{\"op\":\"pong\"}';;\n"
	"	'{\"op\":\"cancel\"'*) case $held in *\" $id \"*) finish $id;; esac;;\n"
	"	'{\"op\":\"reply\"'*'\"finished\":true'*)\n"
	"		message=${line#*'\"message\":'}\n"
	"		say '{\"op\":\"finish\",\"id\":'$caller',\"message\":'\"$message\";;\n"
	"	*'\"type\":\"echo\"'*) finish $id;;\n"
	"	*'\"type\":\"hold\"'*) held=\"$held$id \";;\n"
	"	*'\"type\":\"wait\"'*) (wait_to_go; finish $id) &;;\n"
	"	*'\"type\":\"block\"'*) wait_to_go; finish $id;;\n"
	"	*'\"type\":\"hang\"'*) trap '' TERM; while :; do sleep 1; done;;\n"
	"	*'\"type\":\"crash\"'*) exit 1;;\n"
	"	*'\"type\":\"go and crash\"'*) wait_to_go; exit 1;;\n"
	"	*'\"type\":\"last\"'*) finish $id; wait_to_go; exit 0;;\n"
	"	*'\"type\":\"go and last\"'*) wait_to_go; finish $id; exit 0;;\n"
	"	*'\"type\":\"call\"'*) caller=$id; call app echo;;\n"
	"	*'\"type\":\"go and call\"'*) caller=$id; wait_to_go; call app echo;;\n"
	"	*'\"type\":\"ask\"'*) caller=$id; call app other;;\n"
	"	*'\"type\":\"go and ask\"'*) caller=$id; wait_to_go; call app other;;\n"
	"	*'\"type\":\"push\"'*) finish $id; say '{\"op\":\"push\",\"to\":{\"socket\":\"S\"},"
	    "\"type\":\"news\",\"message\":[1e2]}';;\n"
	"	*'\"type\":\"unready\"'*) say '{\"op\":\"unready\",\"reason\":\"full\"}'\n"
	"		finish $id; wait_to_go; say \"$1\";;\n"
	"	esac\n"
	"done\n";

/* A request and what came of it. */
struct ask {
	struct request *request;	/* NULL: it is over */
	bool is_over;
	unsigned n_replies;
	enum err err;
	char text[512];			/* message of the final */
};

static char folder[FOLDER_LEN];		/* the current directory of each test */
static struct loop *loop;
static struct procs *procs;
static struct requests all;
static struct pool_env env;
static struct conf_application conf;
static char *command[] = { (char *)"/bin/sh", (char *)"worker.sh", NULL, NULL };
static struct pool *pool;
static struct ask asks[ASKS_MAX];
static unsigned n_asks;
static struct request *elsewhere;	/* held by the fake destination */
static char pushed[2 * PUSH_TEXT_MAX];
static bool has_stopped;
static struct overrides *overrides;

/* ---- fakes ---- */

static void
on_reply(struct request *r, const struct reply *reply UNUSED, void *arg)
{
	struct ask *a = arg;

	ck_assert_ptr_eq(a->request, r);
	a->n_replies++;
}

static void
on_final(struct request *r, const struct reply *reply, void *arg)
{
	struct ask *a = arg;

	ck_assert_ptr_eq(a->request, r);
	ck_assert(!a->is_over);
	a->is_over = true;
	a->request = NULL;
	a->err = reply->err;
	snprintf(a->text, sizeof(a->text), "%.*s",
	    (int)(reply->message.end - reply->message.start), reply->text + reply->message.start);
}

static const struct origin_ops origin = { .on_reply = on_reply, .on_final = on_final };

static void
submit_elsewhere(struct destination *d UNUSED, struct request *r)
{
	ck_assert_ptr_null(elsewhere);
	elsewhere = r;
}

static void
cancel_elsewhere(struct destination *d UNUSED, struct request *r, enum err why UNUSED)
{
	ck_assert_ptr_eq(elsewhere, r);
	elsewhere = NULL;
}

static const struct destination_ops elsewhere_ops = {
	.submit = submit_elsewhere, .cancel = cancel_elsewhere
};
static struct destination elsewhere_destination = {
	.ops = &elsewhere_ops, .name = "elsewhere", .application = "elsewhere"
};

static void
on_push(const struct push *p, void *arg)
{
	ck_assert_ptr_eq(arg, pushed);
	snprintf(pushed, sizeof(pushed), "%d %s %.*s %.*s", (int)p->to.kind, p->to.text,
	    (int)p->type_len, p->type, (int)p->message_len, p->message);
}

static void
on_stopped(void *arg UNUSED)
{
	has_stopped = true;
}

/* ---- frame of a test ---- */

static void
enter_folder(void)
{
	FILE *f;

	snprintf(folder, sizeof(folder), "/tmp/check_pool.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
	f = fopen("worker.sh", "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(script, f), 0);
	ck_assert_int_eq(fclose(f), 0);
	f = fopen("heard", "w");
	ck_assert_ptr_nonnull(f);
	fclose(f);
}

static void
setup(void)
{
	static const struct jwt_secret secret = {
		"1", (const unsigned char *)SECRET, sizeof(SECRET) - 1
	};

	signal(SIGPIPE, SIG_IGN);	/* as the daemon does */
	log_set_level(LOG_LEVEL_ERROR);
	enter_folder();
	loop = loop_new();
	procs = procs_new(loop);
	all = (struct requests){ .loop = loop, .node = "n", .slow_ms = UINT64_MAX };
	env = (struct pool_env){
		.loop = loop, .procs = procs, .requests = &all,
		.ring = jwt_ring_new(&secret, 1),
		.push = { on_push, pushed },
		.node = "n", .secret = SECRET, .secret_len = sizeof(SECRET) - 1,
		.session_lifetime_s = 300, .request_timeout_ms = TIMEOUT_MS,
		.line_max = 1000000, .reply_max = 1000000, .depth_max = 64,
	};
	env.tokens = token_cache_new(env.ring);
	env.overrides = overrides = overrides_new();
	conf = (struct conf_application){
		.name = (char *)"app", .command = command, .directory = folder,
		.pool_size = 1, .pool_concurrency = 1,
		.pool_idle_ms = CONF_NO_LIMIT, .pool_hang_ms = TIMEOUT_MS,
		.pool_max_messages = CONF_NO_LIMIT, .pool_max_memory = CONF_NO_LIMIT,
		.pool_queue = 100, .pool_queue_bytes = 1000000,
		.pool_deadline_ms = TIMEOUT_MS, .pool_start_timeout_ms = TIMEOUT_MS,
		.pool_stop_grace_ms = TIMEOUT_MS,
	};
	command[2] = (char *)"{\"op\":\"ready\"}";
}

static bool
is_stopped_and_freed(void *arg UNUSED)
{
	return has_stopped && *loop_conns(loop) == 0;
}

/* Nothing is left over, whatever happened. */
static void
teardown(void)
{
	struct service_table *services = (struct service_table *)(uintptr_t)env.services;
	char *remove = xasprintf("rm -rf %s", folder);

	pool_stop(pool, true, on_stopped, NULL);
	loop_run_until(loop, is_stopped_and_freed, NULL);
	if (elsewhere != NULL)
		request_finish(elsewhere, &(struct reply){ .is_final = true });
	pool_free(pool);
	procs_free(procs);
	for (unsigned i = 0; i < n_asks; i++)
		ck_assert(asks[i].is_over);
	ck_assert_uint_eq(all.n_open, 0);
	service_table_free(services);
	token_cache_free(env.tokens);
	overrides_free(overrides);
	jwt_ring_free(env.ring);
	loop_free(loop);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(system(remove), 0);
	free(remove);
}

/* The pool of what conf says now; ready is the line of its workers. */
static void
begin(const char *ready)
{
	struct service_table *services = service_table_new();

	if (ready != NULL)
		command[2] = (char *)(uintptr_t)ready;
	pool = pool_new(&env, &conf);
	service_add(services, "app", "other", &elsewhere_destination, 0);
	service_add_local(services, "app", pool_destination(pool));
	env.services = services;
	pool_start(pool);
}

/* ---- asking ---- */

static struct token *
session(void)
{
	struct claims_new new = { .application = "app", .application_len = 3, .socket = "S",
		.address = "192.0.2.1", .lifetime_s = 300, .now_s = clock_wall_ms() / 1000 };
	struct buf text = { 0 };
	struct token *t;

	claims_register(env.ring, &new, &text);
	ck_assert_int_eq(token_check(env.tokens, text.data, text.len, clock_wall_ms(), &t),
	    JWT_OK);
	buf_free(&text);
	return t;
}

/* Made, and not submitted. */
static struct ask *
prepare(const char *type)
{
	struct ask *a = &asks[n_asks++];
	struct envelope e;
	char *text = xasprintf("{\"type\":\"%s\",\"token\":\"t\",\"n\":%u}", type, n_asks);

	ck_assert_uint_le(n_asks, ASKS_MAX);
	ck_assert_int_eq(envelope_scan_object(&e, text, strlen(text), 8), 0);
	a->request = request_new(&all, &origin, a, &e, "");
	a->request->token = session();
	free(text);
	return a;
}

static struct ask *
ask_within(const char *type, uint64_t timeout_ms)
{
	struct ask *a = prepare(type);

	request_submit(a->request, pool_destination(pool), timeout_ms);
	return a;
}

static struct ask *
ask(const char *type)
{
	return ask_within(type, TIMEOUT_MS);
}

static bool
is_over(void *arg)
{
	return ((struct ask *)arg)->is_over;
}

static void
wait_for(struct ask *a)
{
	loop_run_until(loop, is_over, a);
}

/* Which worker it was. */
static unsigned
served_by(struct ask *a)
{
	unsigned worker;

	wait_for(a);
	ck_assert_msg(a->err == ERR_NONE, "%s", a->text);
	ck_assert_int_eq(sscanf(a->text, "{\"worker\":%u}", &worker), 1);
	return worker;
}

static void
assert_fails(struct ask *a, enum err err)
{
	wait_for(a);
	ck_assert_msg(a->err == err, "%s", a->text);
}

/* ---- what workers heard ---- */

static char *
text_of(const char *file)
{
	static char text[100000];
	FILE *f = fopen(file, "r");

	ck_assert_ptr_nonnull(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return text;
}

static unsigned
n_heard(const char *piece)
{
	unsigned n = 0;

	for (const char *p = text_of("heard"); (p = strstr(p, piece)) != NULL; p++)
		n++;
	return n;
}

static bool
is_heard(void *piece)
{
	return n_heard(piece) > 0;
}

static void
wait_until_heard(const char *piece)
{
	loop_run_until(loop, is_heard, (void *)(uintptr_t)piece);
}

static void
go(void)
{
	FILE *f = fopen("go", "w");

	ck_assert_ptr_nonnull(f);
	fclose(f);
}

static uint64_t
counted(enum metric m)
{
	return loop_metrics(loop)->value[m];
}

static bool
has_counted_lost(void *n)
{
	return counted(METRIC_WORKERS_LOST) >= *(uint64_t *)n;
}

static void
wait_for_lost(uint64_t n)
{
	loop_run_until(loop, has_counted_lost, &n);
}

#define REQUEST(worker, id) #worker " {\"op\":\"request\",\"id\":" #id ","

/* ---- one at a time ---- */

START_TEST(a_worker_is_started_when_there_is_work)
{
	struct ask *a;

	begin(NULL);
	loop_run_turns(loop, 5);
	ck_assert_uint_eq(counted(METRIC_WORKERS_STARTED), 0);
	a = ask("echo");
	ck_assert_uint_eq(served_by(a), 1);
	ck_assert_uint_eq(served_by(ask("echo")), 1);
	ck_assert_uint_eq(counted(METRIC_WORKERS_STARTED), 1);
	ck_assert_uint_eq(n_heard("1 {\"op\":\"hello\",\"protocol\":1,\"node\":\"n\","
	    "\"application\":\"app\",\"worker\":1}\n"), 1);
	ck_assert_uint_eq(n_heard(REQUEST(1, 1) "\"application\":\"app\",\"type\":\"echo\","
	    "\"message\":{\"type\":\"echo\",\"n\":1},\"session\":{"), 1);
	ck_assert_uint_eq(n_heard("\"application\":\"app\""), 5);	/* hello 1, requests 2 */
	ck_assert_uint_eq(n_heard(SECRET), 0);
}
END_TEST

START_TEST(qewds_workers_alone_get_the_secret)
{
	conf.qewd = true;
	conf.settings = (char *)"{\"x\":[1]}";
	command[2] = (char *)"{\"op\":\"ready\"}";
	begin(NULL);
	ask("echo");
	wait_until_heard("\"qewd\":{\"secret\":\"" SECRET "\",\"lifetime\":300,"
	    "\"settings\":{\"x\":[1]}}}\n");
	wait_for(&asks[0]);
}
END_TEST

START_TEST(one_at_a_time_unless_both_sides_allow_more)
{
	static const struct {
		unsigned conf;
		const char *ready;
	} cases[] = {
		{ 1, "{\"op\":\"ready\",\"concurrency\":8}" },
		{ 8, "{\"op\":\"ready\"}" },
		{ 8, "{\"op\":\"ready\",\"concurrency\":1}" },
	};
	struct ask *a, *b;

	conf.pool_concurrency = cases[_i].conf;
	begin(cases[_i].ready);
	a = ask("wait");
	b = ask("wait");
	wait_until_heard(REQUEST(1, 1));
	loop_run_turns(loop, 20);
	ck_assert_uint_eq(n_heard("\"op\":\"request\""), 1);
	ck_assert_ptr_null(b->request->served_by);
	go();
	ck_assert_uint_eq(served_by(a), 1);
	ck_assert_uint_eq(served_by(b), 1);
}
END_TEST

START_TEST(concurrency_two_hands_over_two)
{
	struct ask *a, *b, *c;

	conf.pool_concurrency = (unsigned)(_i == 0 ? 2 : 64);
	begin(_i == 0 ? "{\"op\":\"ready\",\"concurrency\":64}" :
	    "{\"op\":\"ready\",\"concurrency\":2}");
	a = ask("wait");
	b = ask("wait");
	c = ask("wait");
	wait_until_heard(REQUEST(1, 1));
	wait_until_heard(REQUEST(1, 2));
	loop_run_turns(loop, 20);
	ck_assert_uint_eq(n_heard("\"op\":\"request\""), 2);
	ck_assert_ptr_nonnull(b->request->served_by);
	ck_assert_ptr_null(c->request->served_by);
	go();
	ck_assert_uint_eq(served_by(a), 1);
	ck_assert_uint_eq(served_by(b), 1);
	ck_assert_uint_eq(served_by(c), 1);
	ck_assert_uint_eq(counted(METRIC_WORKERS_STARTED), 1);
}
END_TEST

START_TEST(the_worker_with_the_fewest_requests_gets_the_next)
{
	conf.pool_size = 2;
	conf.pool_concurrency = 2;
	conf.pool_prefork = true;
	begin("{\"op\":\"ready\",\"concurrency\":2}");
	/* Ready to serve, both: each has finished one, which the other could not have taken. */
	for (int i = 0; i < 4; i++)
		ask("wait");
	wait_until_heard(REQUEST(1, 2));
	wait_until_heard(REQUEST(2, 2));
	go();
	for (int i = 0; i < 4; i++)
		wait_for(&asks[i]);
	ck_assert_int_eq(unlink("go"), 0);
	for (int i = 0; i < 4; i++)
		ask("hold");
	wait_until_heard(REQUEST(1, 4));
	wait_until_heard(REQUEST(2, 4));
	ck_assert_ptr_ne(asks[4].request->served_by, asks[5].request->served_by);
	ck_assert_ptr_ne(asks[6].request->served_by, asks[7].request->served_by);
}
END_TEST

START_TEST(a_full_queue_refuses)
{
	conf.pool_queue = 1;
	begin(NULL);
	ask("block");
	wait_until_heard(REQUEST(1, 1));
	ask("echo");
	assert_fails(ask("echo"), ERR_OVERLOADED);
	go();
	ck_assert_uint_eq(served_by(&asks[1]), 1);
}
END_TEST

START_TEST(prefork_starts_all_and_keeps_them)
{
	conf.pool_size = 3;
	conf.pool_prefork = _i == 0;
	conf.pool_idle_ms = 20;
	begin(NULL);
	if (_i == 0) {
		ck_assert_uint_eq(counted(METRIC_WORKERS_STARTED), 3);
		wait_until_heard("1 {\"op\":\"hello\"");
		wait_until_heard("2 {\"op\":\"hello\"");
		wait_until_heard("3 {\"op\":\"hello\"");
		loop_run_turns(loop, 100);
		ck_assert_uint_eq(n_heard("\"op\":\"stop\""), 0);
	}
	ck_assert_uint_le(served_by(ask("echo")), 3);
	ck_assert_uint_eq(counted(METRIC_WORKERS_STARTED), _i == 0 ? 3 : 1);
}
END_TEST

START_TEST(a_worker_without_work_is_ended)
{
	conf.pool_idle_ms = 30;
	begin(NULL);
	ck_assert_uint_eq(served_by(ask("echo")), 1);
	wait_until_heard("1 {\"op\":\"stop\"}");
	ck_assert_uint_eq(served_by(ask("echo")), 2);
	ck_assert_uint_eq(counted(METRIC_WORKERS_LOST), 0);
}
END_TEST

START_TEST(a_worker_at_work_is_not_idle)
{
	struct ask *a;

	conf.pool_idle_ms = 20;
	begin(NULL);
	a = ask("block");
	wait_until_heard(REQUEST(1, 1));
	loop_run_turns(loop, 100);
	go();
	ck_assert_uint_eq(served_by(a), 1);
}
END_TEST

START_TEST(what_is_unready_gets_no_work_until_it_is_ready_again)
{
	begin(NULL);
	ck_assert_uint_eq(served_by(ask("unready")), 1);
	ask("echo");
	loop_run_turns(loop, 20);
	ck_assert_ptr_null(asks[1].request->served_by);
	go();
	ck_assert_uint_eq(served_by(&asks[1]), 1);
}
END_TEST

START_TEST(a_push_goes_to_the_sink)
{
	char want[64];

	begin(NULL);
	ck_assert_uint_eq(served_by(ask("push")), 1);
	ck_assert_uint_eq(served_by(ask("echo")), 1);
	snprintf(want, sizeof(want), "%d S \"news\" [1e2]", (int)PUSH_SOCKET);
	ck_assert_str_eq(pushed, want);
}
END_TEST

/* ---- cancelling ---- */

START_TEST(a_handler_is_told_that_its_request_was_cancelled_and_frees_its_place)
{
	struct ask *a, *b;

	begin("{\"op\":\"ready\",\"cancel\":true}");
	a = ask("hold");
	b = ask("echo");
	wait_until_heard(REQUEST(1, 1));
	request_cancel(a->request);
	ck_assert(a->is_over);
	ck_assert_int_eq(a->err, ERR_CANCELLED);
	ck_assert_uint_eq(served_by(b), 1);	/* which it could not before the other's finish */
	ck_assert_uint_eq(n_heard("1 {\"op\":\"cancel\",\"id\":1}\n"), 1);
	ck_assert_uint_eq(counted(METRIC_WORKERS_LOST), 0);
	ck_assert_uint_eq(counted(METRIC_WORKER_STRAYS), 0);
}
END_TEST

/* Once with a worker that is told and does not care, once with one that cannot be told. */
START_TEST(a_cancelled_request_keeps_its_place_until_its_handler_ends)
{
	struct ask *a, *b;

	begin(_i == 0 ? "{\"op\":\"ready\",\"cancel\":true}" : "{\"op\":\"ready\"}");
	a = ask("wait");
	b = ask("echo");
	wait_until_heard(REQUEST(1, 1));
	request_cancel(a->request);
	assert_fails(a, ERR_CANCELLED);
	if (_i == 0)
		wait_until_heard("\"op\":\"cancel\"");
	loop_run_turns(loop, 20);
	ck_assert_ptr_null(b->request->served_by);
	go();
	ck_assert_uint_eq(served_by(b), 1);
	ck_assert_uint_eq(n_heard("\"op\":\"cancel\""), _i == 0 ? 1 : 0);
}
END_TEST

START_TEST(one_that_waits_is_cancelled_without_any_worker)
{
	begin("{\"op\":\"ready\",\"cancel\":true}");
	ask("hold");
	ask("echo");
	wait_until_heard(REQUEST(1, 1));
	request_cancel(asks[1].request);
	assert_fails(&asks[1], ERR_CANCELLED);
	request_cancel(asks[0].request);
	ck_assert_uint_eq(served_by(ask("echo")), 1);
	ck_assert_uint_eq(n_heard(REQUEST(1, 2)), 1);
	ck_assert_uint_eq(n_heard("\"n\":2"), 0);
}
END_TEST

START_TEST(a_cancelled_request_that_does_not_end_costs_its_worker_at_its_deadline)
{
	uint64_t begun_ms = clock_mono_ms();

	conf.pool_deadline_ms = 200;
	begin("{\"op\":\"ready\"}");
	ask("hold");
	wait_until_heard(REQUEST(1, 1));
	request_cancel(asks[0].request);
	ck_assert_int_eq(asks[0].err, ERR_CANCELLED);
	wait_for_lost(1);
	ck_assert_uint_ge(clock_mono_ms() - begun_ms, 200);
	ck_assert_uint_eq(served_by(ask("echo")), 2);
}
END_TEST

START_TEST(with_concurrency_it_costs_its_place_until_then)
{
	conf.pool_concurrency = 2;
	conf.pool_deadline_ms = 200;
	begin("{\"op\":\"ready\",\"concurrency\":2}");
	ask("hold");
	ask("hold");
	wait_until_heard(REQUEST(1, 2));
	request_cancel(asks[0].request);
	request_cancel(asks[1].request);
	ck_assert_uint_eq(served_by(ask("echo")), 1);
	ck_assert_uint_eq(counted(METRIC_WORKERS_LOST), 0);
}
END_TEST

START_TEST(the_deadline_of_a_request_costs_its_worker)
{
	conf.pool_deadline_ms = _i == 0 ? 50 : TIMEOUT_MS;
	begin(NULL);
	ask_within("hold", _i == 0 ? TIMEOUT_MS : 300);
	assert_fails(&asks[0], ERR_TIMEOUT);
	wait_for_lost(1);
	ck_assert_uint_eq(served_by(ask("echo")), 2);
}
END_TEST

START_TEST(with_concurrency_the_deadline_of_one_does_not_end_the_others)
{
	struct ask *a;

	conf.pool_concurrency = 2;
	begin("{\"op\":\"ready\",\"concurrency\":2,\"cancel\":true}");
	a = ask("wait");
	assert_fails(ask_within("hold", 500), ERR_TIMEOUT);
	wait_until_heard("1 {\"op\":\"cancel\",\"id\":2}\n");
	go();
	ck_assert_uint_eq(served_by(a), 1);
	ck_assert_uint_eq(counted(METRIC_WORKERS_LOST), 0);
}
END_TEST

/* ---- pings ---- */

START_TEST(a_worker_that_misses_its_ping_is_killed)
{
	conf.pool_concurrency = 2;
	conf.pool_hang_ms = 100;
	begin("{\"op\":\"ready\",\"concurrency\":2}");
	ask("hang");	/* and it does not care for SIGTERM */
	assert_fails(&asks[0], ERR_WORKER_LOST);
	ck_assert_uint_eq(counted(METRIC_WORKERS_LOST), 0);	/* it is still there */
	wait_for_lost(1);
	ck_assert_uint_eq(served_by(ask("echo")), 2);
}
END_TEST

static bool
has_three_pings(void *arg UNUSED)
{
	return n_heard("\"op\":\"ping\"") >= 3;
}

START_TEST(one_that_answers_them_lives)
{
	conf.pool_concurrency = 2;
	conf.pool_hang_ms = 300;
	begin("{\"op\":\"ready\",\"concurrency\":2}");
	ask("wait");
	loop_run_until(loop, has_three_pings, NULL);
	go();
	ck_assert_uint_eq(served_by(&asks[0]), 1);
}
END_TEST

START_TEST(one_with_a_request_at_a_time_is_not_pinged)
{
	struct ask *a;

	conf.pool_hang_ms = 10;
	begin(NULL);
	a = ask("block");
	wait_until_heard(REQUEST(1, 1));
	loop_run_turns(loop, 60);
	go();
	ck_assert_uint_eq(served_by(a), 1);
	ck_assert_uint_eq(n_heard("\"op\":\"ping\""), 0);
}
END_TEST

/* ---- replacing ---- */

START_TEST(max_messages_replaces_a_worker_and_loses_no_request)
{
	unsigned last = 1, n_workers = 1;

	conf.pool_max_messages = 2;
	conf.pool_concurrency = (unsigned)_i;
	begin("{\"op\":\"ready\",\"concurrency\":2}");
	ask("echo");
	ask("echo");
	while (n_workers < 4) {
		unsigned worker = served_by(ask("echo"));

		ck_assert_uint_lt(n_asks, ASKS_MAX);
		ck_assert_uint_ge(worker, last);
		n_workers += worker != last;
		last = worker;
		loop_run_turns(loop, 5);
	}
	for (unsigned i = 0; i < n_asks; i++)
		served_by(&asks[i]);
	ck_assert_uint_eq(counted(METRIC_WORKERS_LOST), 0);
	wait_until_heard("1 {\"op\":\"stop\"}");
}
END_TEST

/* The first works on for long: its successor wears out too, and there is room for one alone. */
START_TEST(while_one_is_leaving_no_second_is_replaced)
{
	struct ask *a;

	conf.pool_max_messages = 1;
	conf.pool_concurrency = 2;
	begin("{\"op\":\"ready\",\"concurrency\":2}");
	a = ask("wait");
	ck_assert_uint_eq(served_by(ask("echo")), 1);
	wait_until_heard("2 {\"op\":\"hello\"");
	while (served_by(ask("echo")) == 1)
		loop_run_turns(loop, 5);
	for (int i = 0; i < 5; i++) {
		ck_assert_uint_eq(served_by(ask("echo")), 2);
		loop_run_turns(loop, 5);
	}
	ck_assert_uint_eq(counted(METRIC_WORKERS_STARTED), 2);
	go();
	ck_assert_uint_eq(served_by(a), 1);
	wait_until_heard("1 {\"op\":\"stop\"}");
	wait_until_heard("3 {\"op\":\"hello\"");
	ck_assert_uint_eq(counted(METRIC_WORKERS_LOST), 0);
}
END_TEST

START_TEST(a_roll_replaces_all_one_after_the_other)
{
	conf.pool_size = 2;
	conf.pool_prefork = true;
	begin(NULL);
	ask("block");
	ask("block");
	wait_until_heard(REQUEST(1, 1));
	wait_until_heard(REQUEST(2, 1));
	pool_roll(pool);
	go();
	wait_until_heard("1 {\"op\":\"stop\"}");
	wait_until_heard("2 {\"op\":\"stop\"}");
	wait_until_heard("4 {\"op\":\"hello\"");
	ck_assert_uint_gt(served_by(ask("echo")), 2);
	ck_assert_uint_eq(counted(METRIC_WORKERS_STARTED), 4);
	ck_assert_uint_eq(counted(METRIC_WORKERS_LOST), 0);
}
END_TEST

/* ---- calls ---- */

START_TEST(a_call_to_the_full_pool_itself_is_answered_overloaded)
{
	begin(NULL);
	wait_for(ask("call"));
	ck_assert_int_eq(asks[0].err, ERR_NONE);	/* of the handler, which passes it on */
	ck_assert_ptr_nonnull(strstr(asks[0].text, "\"code\":\"overloaded\""));
	ck_assert_uint_eq(served_by(ask("echo")), 1);
}
END_TEST

START_TEST(while_fewer_run_a_call_starts_another)
{
	conf.pool_size = 2;
	begin(NULL);
	ck_assert_uint_eq(served_by(ask("call")), 2);
	ck_assert_uint_eq(n_heard(REQUEST(2, 1) "\"application\":\"app\",\"type\":\"echo\","
	    "\"message\":{\"x\":0.10,\"type\":\"echo\"},\"session\":{"), 1);
}
END_TEST

/* It waits as long as another may take it; when that one waits for a call too, none can. */
START_TEST(a_call_that_waits_is_refused_when_the_last_worker_waits_too)
{
	conf.pool_size = 2;
	conf.pool_prefork = true;
	begin(NULL);
	ask("go and ask");
	wait_until_heard("\"type\":\"go and ask\"");
	ask("call");
	wait_until_heard("\"type\":\"call\"");
	loop_run_turns(loop, 50);
	ck_assert(!asks[1].is_over);
	go();
	wait_for(&asks[1]);
	ck_assert_ptr_nonnull(strstr(asks[1].text, "\"code\":\"overloaded\""));
	ck_assert_ptr_nonnull(elsewhere);
	ck_assert(!asks[0].is_over);
	request_fail(elsewhere, ERR_LINK_LOST, NULL);
	elsewhere = NULL;
	wait_for(&asks[0]);
	ck_assert_ptr_nonnull(strstr(asks[0].text, "\"code\":\"link_lost\""));
}
END_TEST

START_TEST(a_call_that_waits_is_served_by_whoever_is_done)
{
	conf.pool_size = 2;
	conf.pool_prefork = true;
	begin(NULL);
	ask("block");
	wait_until_heard("\"type\":\"block\"");
	ask("call");
	wait_until_heard("\"type\":\"call\"");
	loop_run_turns(loop, 20);
	ck_assert(!asks[1].is_over);
	go();
	ck_assert_uint_eq(served_by(&asks[1]), served_by(&asks[0]));
}
END_TEST

START_TEST(what_a_handler_asked_for_is_cancelled_with_its_request)
{
	begin(NULL);
	go();
	ask("go and ask");
	wait_until_heard(REQUEST(1, 1));
	while (elsewhere == NULL)
		loop_run_turns(loop, 1);
	request_cancel(asks[0].request);
	ck_assert_ptr_null(elsewhere);	/* the fake was told */
}
END_TEST

/* ---- types ---- */

static void
assert_refused(const struct ask *a)
{
	ck_assert(a->is_over);
	ck_assert_int_eq(a->err, ERR_NO_HANDLER);
	ck_assert_ptr_nonnull(strstr(a->text,
	    "\"Handler not defined for app messages of type crash\""));
}

/* One that waits for the first worker, and one that comes when the types are known. */
START_TEST(types_that_were_not_announced_are_refused)
{
	begin("{\"op\":\"ready\",\"types\":[\"x\",\"\\u0065cho\"]}");
	ask("crash");
	ask("echo");
	ck_assert_uint_eq(served_by(&asks[1]), 1);
	assert_refused(&asks[0]);
	assert_refused(ask("crash"));
	ck_assert_uint_eq(n_heard("\"op\":\"request\""), 1);
}
END_TEST

/* ---- ends of workers ---- */

START_TEST(a_worker_that_ends_costs_its_own_requests_alone)
{
	struct ask *a, *b;

	begin(NULL);
	a = ask("crash");
	b = ask("echo");
	assert_fails(a, ERR_WORKER_LOST);
	ck_assert_uint_eq(served_by(b), 2);
	ck_assert_uint_eq(counted(METRIC_WORKERS_LOST), 1);
}
END_TEST

/* The next request was handed over already; nobody has read it, so nobody has run it. */
START_TEST(one_that_exits_without_reading_the_next_request_costs_nothing)
{
	struct ask *a, *b;

	begin(NULL);
	a = ask("last");
	b = ask("echo");
	ck_assert_uint_eq(served_by(a), 1);
	ck_assert_ptr_nonnull(b->request->served_by);
	loop_run_turns(loop, 3);
	go();
	ck_assert_uint_eq(served_by(b), 2);
	ck_assert_uint_eq(n_heard("\"n\":2"), 1);
}
END_TEST

START_TEST(what_it_did_not_read_goes_to_another_that_is_free)
{
	struct ask *b;

	conf.pool_size = 2;
	begin("{\"op\":\"ready\",\"cancel\":true}");
	ask("hold");
	wait_until_heard(REQUEST(1, 1));
	ck_assert_uint_eq(served_by(ask("last")), 2);
	b = ask("echo");
	loop_run_turns(loop, 3);
	ck_assert_ptr_nonnull(b->request->served_by);
	request_cancel(asks[0].request);
	ck_assert_uint_eq(served_by(ask("echo")), 1);
	ck_assert(!b->is_over);
	go();
	ck_assert_uint_eq(served_by(b), 1);
	ck_assert_uint_eq(counted(METRIC_WORKERS_STARTED), 2);
}
END_TEST

/* What it left unread is another line: the request was read, and may have run. */
START_TEST(a_request_that_was_read_is_not_run_again)
{
	conf.pool_concurrency = 2;
	begin("{\"op\":\"ready\",\"concurrency\":2,\"cancel\":true}");
	ask("hold");
	ask("go and crash");
	wait_until_heard("\"n\":2");
	request_cancel(asks[0].request);
	loop_run_turns(loop, 3);
	go();
	assert_fails(&asks[1], ERR_WORKER_LOST);
	ck_assert_uint_eq(n_heard("\"op\":\"cancel\""), 0);
	ck_assert_uint_eq(n_heard("\"n\":2"), 1);
}
END_TEST

static int
pid_of_first(void)
{
	const char *at = strstr(text_of("heard"), "1 is ");
	int pid;

	ck_assert_ptr_nonnull(at);
	ck_assert_int_eq(sscanf(at, "1 is %d", &pid), 1);
	return pid;
}

/* The same, gone before the next could be written: its last words are still to be read. */
START_TEST(one_that_has_ended_when_its_last_answer_is_read_costs_nothing)
{
	struct ask *a, *b;
	siginfo_t info;

	begin(NULL);
	a = ask("go and last");
	b = ask("echo");
	wait_until_heard(REQUEST(1, 1));
	go();
	ck_assert_int_eq(waitid(P_PID, (id_t)pid_of_first(), &info, WEXITED | WNOWAIT), 0);
	ck_assert_uint_eq(served_by(a), 1);
	ck_assert_uint_eq(served_by(b), 2);
}
END_TEST

START_TEST(one_that_does_not_get_ready_in_time_is_killed)
{
	conf.pool_start_timeout_ms = 50;
	begin("{\"op\":\"log\",\"text\":\"not yet\",\"level\":\"debug\"}");
	ask_within("echo", 400);
	wait_for_lost(2);
	assert_fails(&asks[0], ERR_TIMEOUT);
	ck_assert_uint_eq(n_heard("\"op\":\"request\""), 0);
}
END_TEST

static bool
is_tried_again(void *arg UNUSED)
{
	return strstr(text_of("log"), "app#2: cannot start ./none: No such file or dir") != NULL;
}

START_TEST(a_program_that_is_not_there_is_tried_again_and_again)
{
	static char *none[] = { (char *)"./none", NULL };

	ck_assert_ptr_nonnull(freopen("log", "w", stderr));
	conf.command = none;
	begin(NULL);
	ask("echo");
	loop_run_until(loop, is_tried_again, NULL);
	conf.command = command;
	ck_assert_uint_eq(served_by(&asks[0]), 3);
}
END_TEST

/* ---- the end of the pool ---- */

START_TEST(a_pool_that_stops_lets_its_workers_finish_and_refuses_the_rest)
{
	begin(NULL);
	ask("block");
	ask("echo");
	wait_until_heard(REQUEST(1, 1));
	pool_stop(pool, false, on_stopped, NULL);
	ck_assert_int_eq(asks[1].err, ERR_STOPPING);
	assert_fails(ask("echo"), ERR_STOPPING);
	go();
	ck_assert_uint_eq(served_by(&asks[0]), 1);
	loop_run_until(loop, is_stopped_and_freed, NULL);
	ck_assert_uint_eq(n_heard("1 {\"op\":\"stop\"}"), 1);
	ck_assert_uint_eq(counted(METRIC_WORKERS_LOST), 0);
}
END_TEST

START_TEST(a_quick_stop_does_not_wait_for_one_at_work)
{
	begin(NULL);
	ask("hold");
	wait_until_heard(REQUEST(1, 1));
	pool_stop(pool, true, on_stopped, NULL);
	ck_assert_int_eq(asks[0].err, ERR_WORKER_LOST);
	loop_run_until(loop, is_stopped_and_freed, NULL);
}
END_TEST

/* ---- what an operator has set ---- */

static void
set(enum override_kind kind)
{
	bool is_new;

	ck_assert(overrides_set(overrides, kind, "app", NULL, "operator", &is_new));
	pool_apply_overrides(pool);
}

static void
end_of(enum override_kind kind)
{
	ck_assert(overrides_clear(overrides, kind, "app", NULL));
	pool_apply_overrides(pool);
}

static struct pool_info
info(void)
{
	struct pool_info i;

	pool_describe(pool, &i);
	return i;
}

/* A reload makes pools in a thread of its own, which must not look at what operators set. */
START_TEST(what_is_set_counts_from_when_the_pool_is_told)
{
	bool is_new;

	ck_assert(overrides_set(overrides, OVERRIDE_PAUSED, "app", NULL, "operator", &is_new));
	begin(NULL);
	ck_assert_str_eq(pool_state(pool), "serving");
	pool_apply_overrides(pool);
	ck_assert_str_eq(pool_state(pool), "paused");
}
END_TEST

START_TEST(while_it_is_paused_requests_wait_and_start_no_worker)
{
	begin(NULL);
	set(OVERRIDE_PAUSED);
	for (int i = 0; i < 3; i++)
		ask("echo");
	loop_run_turns(loop, 20);
	ck_assert_uint_eq(counted(METRIC_WORKERS_STARTED), 0);
	ck_assert_uint_eq(info().queue, 3);
	ck_assert_uint_eq(info().n_to_serve, 0);
	end_of(OVERRIDE_PAUSED);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(served_by(&asks[i]), 1);
}
END_TEST

START_TEST(one_that_a_reload_has_removed_is_paused_no_more)
{
	begin(NULL);
	set(OVERRIDE_PAUSED);
	ask("echo");
	pool_leave(pool);
	ck_assert_uint_eq(served_by(&asks[0]), 1);
}
END_TEST

/* One of two workers holds the outer request, and the call waits until the other is free. */
START_TEST(a_call_of_its_own_goes_before_what_a_pause_holds_up)
{
	conf.pool_size = 2;
	conf.pool_prefork = true;
	begin("{\"op\":\"ready\",\"cancel\":true}");
	ask("hold");
	wait_until_heard("\"type\":\"hold\"");
	ask("go and call");
	wait_until_heard("\"type\":\"go and call\"");
	ask("echo");
	set(OVERRIDE_PAUSED);
	go();
	while (info().n_to_serve == 0)
		loop_run_turns(loop, 1);
	ck_assert_uint_eq(info().queue, 2);
	request_cancel(asks[0].request);
	served_by(&asks[1]);
	ck_assert_uint_eq(info().n_to_serve, 0);
	ck_assert(!asks[2].is_over);
	end_of(OVERRIDE_PAUSED);
	served_by(&asks[2]);
}
END_TEST

/* Its handler has asked another application, and a handler of that asks "app" in turn. */
START_TEST(a_call_that_comes_back_by_another_application_is_under_way)
{
	static const enum override_kind kinds[] = { OVERRIDE_PAUSED, OVERRIDE_DRAINED };
	struct ask *back;

	conf.pool_size = 2;
	begin(NULL);
	ask("ask");
	while (elsewhere == NULL)
		loop_run_turns(loop, 1);
	set(kinds[_i]);
	back = prepare("echo");
	back->request->asked_for = elsewhere;
	request_submit(back->request, pool_destination(pool), TIMEOUT_MS);
	served_by(back);
	back = prepare("echo");
	request_submit(back->request, pool_destination(pool), TIMEOUT_MS);
	loop_run_turns(loop, 20);
	ck_assert_int_eq(back->is_over, kinds[_i] == OVERRIDE_DRAINED);
}
END_TEST

START_TEST(what_a_final_has_led_back_is_under_way)
{
	static const enum override_kind kinds[] = { OVERRIDE_PAUSED, OVERRIDE_DRAINED };
	struct ask *a;

	begin(NULL);
	set(kinds[_i]);
	a = prepare("echo");
	a->request->is_under_way = true;
	request_submit(a->request, pool_destination(pool), TIMEOUT_MS);
	served_by(a);
}
END_TEST

START_TEST(a_drained_pool_still_has_to_serve_what_waits)
{
	begin(NULL);
	ask("echo");
	ask("echo");
	set(OVERRIDE_DRAINED);
	ck_assert_uint_eq(info().in_flight, 0);
	ck_assert_uint_eq(info().n_to_serve, 2);
	assert_fails(ask("echo"), ERR_STOPPING);
	served_by(&asks[0]);
	served_by(&asks[1]);
	ck_assert_uint_eq(info().n_to_serve, 0);
}
END_TEST

/* The worker of "last" has been given the next one already, and ends without reading it. */
START_TEST(what_comes_back_to_a_disabled_pool_is_refused)
{
	begin(NULL);
	ask("last");
	ask("echo");
	served_by(&asks[0]);
	ck_assert_ptr_nonnull(asks[1].request->served_by);
	loop_run_turns(loop, 3);
	set(OVERRIDE_DISABLED);
	go();
	assert_fails(&asks[1], ERR_STOPPING);
	ck_assert_uint_eq(n_heard("\"n\":2"), 0);
}
END_TEST

static TCase *
add_case(Suite *s, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	suite_add_tcase(s, tc);
	return tc;
}

static void
add_work(TCase *tc)
{
	tcase_add_test(tc, a_worker_is_started_when_there_is_work);
	tcase_add_test(tc, qewds_workers_alone_get_the_secret);
	tcase_add_loop_test(tc, one_at_a_time_unless_both_sides_allow_more, 0, 3);
	tcase_add_loop_test(tc, concurrency_two_hands_over_two, 0, 2);
	tcase_add_test(tc, the_worker_with_the_fewest_requests_gets_the_next);
	tcase_add_test(tc, a_full_queue_refuses);
	tcase_add_loop_test(tc, prefork_starts_all_and_keeps_them, 0, 2);
	tcase_add_test(tc, a_worker_without_work_is_ended);
	tcase_add_test(tc, a_worker_at_work_is_not_idle);
	tcase_add_test(tc, what_is_unready_gets_no_work_until_it_is_ready_again);
	tcase_add_test(tc, a_push_goes_to_the_sink);
	tcase_add_test(tc, types_that_were_not_announced_are_refused);
}

static void
add_cancelling(TCase *tc)
{
	tcase_add_test(tc,
	    a_handler_is_told_that_its_request_was_cancelled_and_frees_its_place);
	tcase_add_loop_test(tc, a_cancelled_request_keeps_its_place_until_its_handler_ends, 0, 2);
	tcase_add_test(tc, one_that_waits_is_cancelled_without_any_worker);
	tcase_add_test(tc,
	    a_cancelled_request_that_does_not_end_costs_its_worker_at_its_deadline);
	tcase_add_test(tc, with_concurrency_it_costs_its_place_until_then);
	tcase_add_loop_test(tc, the_deadline_of_a_request_costs_its_worker, 0, 2);
	tcase_add_test(tc, with_concurrency_the_deadline_of_one_does_not_end_the_others);
}

static void
add_ends(TCase *tc)
{
	tcase_add_test(tc, a_worker_that_misses_its_ping_is_killed);
	tcase_add_test(tc, one_that_answers_them_lives);
	tcase_add_test(tc, one_with_a_request_at_a_time_is_not_pinged);
	tcase_add_loop_test(tc, max_messages_replaces_a_worker_and_loses_no_request, 1, 3);
	tcase_add_test(tc, while_one_is_leaving_no_second_is_replaced);
	tcase_add_test(tc, a_roll_replaces_all_one_after_the_other);
	tcase_add_test(tc, a_worker_that_ends_costs_its_own_requests_alone);
	tcase_add_test(tc, one_that_exits_without_reading_the_next_request_costs_nothing);
	tcase_add_test(tc, what_it_did_not_read_goes_to_another_that_is_free);
	tcase_add_test(tc, a_request_that_was_read_is_not_run_again);
	tcase_add_test(tc, one_that_has_ended_when_its_last_answer_is_read_costs_nothing);
	tcase_add_test(tc, one_that_does_not_get_ready_in_time_is_killed);
	tcase_add_test(tc, a_program_that_is_not_there_is_tried_again_and_again);
	tcase_add_test(tc, a_pool_that_stops_lets_its_workers_finish_and_refuses_the_rest);
	tcase_add_test(tc, a_quick_stop_does_not_wait_for_one_at_work);
}

static void
add_overrides(TCase *tc)
{
	tcase_add_test(tc, what_is_set_counts_from_when_the_pool_is_told);
	tcase_add_test(tc, while_it_is_paused_requests_wait_and_start_no_worker);
	tcase_add_test(tc, one_that_a_reload_has_removed_is_paused_no_more);
	tcase_add_test(tc, a_call_of_its_own_goes_before_what_a_pause_holds_up);
	tcase_add_loop_test(tc, a_call_that_comes_back_by_another_application_is_under_way, 0, 2);
	tcase_add_loop_test(tc, what_a_final_has_led_back_is_under_way, 0, 2);
	tcase_add_test(tc, a_drained_pool_still_has_to_serve_what_waits);
	tcase_add_test(tc, what_comes_back_to_a_disabled_pool_is_refused);
}

static void
add_calls(TCase *tc)
{
	tcase_add_test(tc, a_call_to_the_full_pool_itself_is_answered_overloaded);
	tcase_add_test(tc, while_fewer_run_a_call_starts_another);
	tcase_add_test(tc, a_call_that_waits_is_refused_when_the_last_worker_waits_too);
	tcase_add_test(tc, a_call_that_waits_is_served_by_whoever_is_done);
	tcase_add_test(tc, what_a_handler_asked_for_is_cancelled_with_its_request);
}

static Suite *
make_suite(void)
{
	Suite *s = suite_create("pool");

	add_work(add_case(s, "work"));
	add_cancelling(add_case(s, "cancelling"));
	add_ends(add_case(s, "ends"));
	add_calls(add_case(s, "calls"));
	add_overrides(add_case(s, "overrides"));
	return s;
}

UNIT_MAIN(make_suite)
