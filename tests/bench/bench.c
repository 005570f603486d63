/* SPDX-License-Identifier: ISC */
/*
 * usher-bench: loads a server with Socket.IO clients, checks every reply, and says in one
 * line of JSON what that cost the processes under test.
 *
 * Closed loop: each client keeps a number of requests outstanding.  Open loop (--rate):
 * requests are due at fixed times, and latency counts from then, whether or not an
 * earlier reply held the sending up (no coordinated omission).
 *
 * Idle: memory of each client that sits there, after --requests of it; with --beat what its pings
 * cost, or in revision 4 those of the server.
 */
#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/xmalloc.h"
#include "client.h"
#include "procs.h"
#include "samples.h"
#include "turn.h"

#define SECOND_NS     UINT64_C(1000000000)
#define OPEN_WINDOW   4096		/* requests of one client under way in the open loop */
#define OPENING_MAX   32		/* clients that connect at the same time */
#define IDLE_FIRST    64		/* clients there before memory is looked at */
#define SETTLE_NS     (SECOND_NS / 2)	/* before it is looked at again */
#define DRAIN_NS      (2 * SECOND_NS)	/* for the last replies to come */
#define OPEN_NS	      (120 * SECOND_NS)	/* for all clients to register */

enum mode { CLOSED_LOOP, OPEN_LOOP, CONNECTS, IDLE };

static const char *const mode_name[] = {
	[CLOSED_LOOP] = "closed", [OPEN_LOOP] = "open", [CONNECTS] = "connects", [IDLE] = "idle",
};

static struct options {
	enum mode mode;
	const char *label;
	unsigned connections, outstanding;
	double seconds, warmup, rate;
	uint64_t requests;		/* end after so many; 0: after seconds */
	size_t payload;
	const char *play;		/* file of payloads, a JSON text a line */
	double beat;			/* idle: each client pings every so many seconds; 0: never */
	bool is_holding;		/* idle: each has a request under way that nobody answers */
} options = {
	.label = "", .connections = 1, .outstanding = 1, .seconds = 2, .warmup = 0.5,
	.payload = 200,
};

static struct bench {
	struct turn *turn;
	struct client_plan plan;
	struct client **client;
	unsigned n_made, n_ready, n_gone;
	bool is_sending;		/* replies are followed by new requests */
	bool is_measuring;
	uint64_t n_finals;		/* measured */
	uint64_t n_beats_lost;		/* pings without a pong */
	struct samples latency;
	uint64_t cpu_ns, user_ns, own_cpu_ns, took_ns;
	uint64_t rss_bytes;		/* idle: of each client, or of each request */
} bench;

/* ---- options ---- */

static void
read_payloads(const char *path)
{
	FILE *f = fopen(path, "r");
	struct buf *all = NULL;
	char *line = NULL;
	size_t cap = 0, n = 0;
	ssize_t len;

	if (f == NULL)
		err(1, "%s", path);
	while ((len = getline(&line, &cap, f)) > 0) {
		all = xreallocarray(all, n + 1, sizeof(*all));
		all[n] = (struct buf){ 0 };
		buf_add(&all[n++], line, (size_t)len - (line[len - 1] == '\n'));
	}
	if (n == 0)
		errx(1, "%s: no payload", path);
	free(line);
	fclose(f);
	bench.plan.payload = all;
	bench.plan.n_payloads = n;
}

/* Words, so that params are about as long as asked for. */
static void
make_payload(size_t len)
{
	static const char words[] = "the quick brown fox jumps over 13 lazy dogs, ";
	static struct buf text;

	buf_add_char(&text, '"');
	for (size_t i = 0; i + 40 < len; i++)	/* 40: what stands around it */
		buf_add_char(&text, words[i % (sizeof(words) - 1)]);
	buf_add_char(&text, '"');
	bench.plan.payload = &text;
	bench.plan.n_payloads = 1;
}

static double
number_of(const char *text)
{
	char *end;
	double d = strtod(text, &end);

	if (*text == '\0' || *end != '\0' || d < 0)
		errx(2, "%s is no number", text);
	return d;
}

static void
usage(void)
{
	errx(2, "usage: usher-bench --port PORT [--label TEXT] [--pid PID | --pid-alone PID]...\n"
	    "    [--application NAME]\n"
	    "    [--connections N] [--outstanding N | --rate PER_SECOND | --connects | --idle]\n"
	    "    [--seconds S | --requests N] [--warmup S] [--payload BYTES | --play FILE]\n"
	    "    [--intermediates N] [--any-order] [--beat S] [--hold] [--revision 3|4]");
}

static void
read_options(int argc, char **argv)
{
	enum { PORT, LABEL, PID, APPLICATION, CONNECTIONS, OUTSTANDING, RATE, CONNECT, IDLING,
	    SECONDS, REQUESTS, WARMUP, PAYLOAD, PLAY, STEPS, ANY_ORDER, PID_ALONE, BEAT, HOLD,
	    REVISION };
	static const struct option known[] = {
		{ "port", required_argument, NULL, PORT },
		{ "label", required_argument, NULL, LABEL },
		{ "pid", required_argument, NULL, PID },
		{ "application", required_argument, NULL, APPLICATION },
		{ "connections", required_argument, NULL, CONNECTIONS },
		{ "outstanding", required_argument, NULL, OUTSTANDING },
		{ "rate", required_argument, NULL, RATE },
		{ "connects", no_argument, NULL, CONNECT },
		{ "idle", no_argument, NULL, IDLING },
		{ "seconds", required_argument, NULL, SECONDS },
		{ "requests", required_argument, NULL, REQUESTS },
		{ "warmup", required_argument, NULL, WARMUP },
		{ "payload", required_argument, NULL, PAYLOAD },
		{ "play", required_argument, NULL, PLAY },
		{ "intermediates", required_argument, NULL, STEPS },
		{ "any-order", no_argument, NULL, ANY_ORDER },
		{ "beat", required_argument, NULL, BEAT },
		{ "hold", no_argument, NULL, HOLD },
		{ "revision", required_argument, NULL, REVISION },
		{ "pid-alone", required_argument, NULL, PID_ALONE },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	bench.plan.application = "bench";
	bench.plan.revision = 3;
	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case PORT:	  bench.plan.port = port_of(optarg); break;
		case LABEL:	  options.label = optarg; break;
		case PID:	  procs_add((pid_t)number_of(optarg)); break;
		case APPLICATION: bench.plan.application = optarg; break;
		case CONNECTIONS: options.connections = (unsigned)number_of(optarg); break;
		case OUTSTANDING: options.outstanding = (unsigned)number_of(optarg); break;
		case RATE:	  options.rate = number_of(optarg); options.mode = OPEN_LOOP; break;
		case CONNECT:	  options.mode = CONNECTS; break;
		case IDLING:	  options.mode = IDLE; break;
		case SECONDS:	  options.seconds = number_of(optarg); break;
		case REQUESTS:	  options.requests = (uint64_t)number_of(optarg); break;
		case WARMUP:	  options.warmup = number_of(optarg); break;
		case PAYLOAD:	  options.payload = (size_t)number_of(optarg); break;
		case PLAY:	  options.play = optarg; break;
		case BEAT:	  options.beat = number_of(optarg); break;
		case HOLD:	  options.is_holding = true; bench.plan.n_steps = 1; break;
		case REVISION:	  bench.plan.revision = (int)number_of(optarg); break;
		case ANY_ORDER:	  bench.plan.any_order = true; break;
		case PID_ALONE:	  procs_add_alone((pid_t)number_of(optarg)); break;
		case STEPS:	  bench.plan.n_steps = (unsigned)number_of(optarg); break;
		default:	  usage();
		}
	}
	if (optind != argc || bench.plan.port == 0 || options.connections == 0 ||
	    options.outstanding == 0 || (options.mode == OPEN_LOOP && options.rate == 0) ||
	    (bench.plan.revision != 3 && bench.plan.revision != 4))
		usage();
	bench.plan.window = options.mode == OPEN_LOOP ? OPEN_WINDOW : options.outstanding;
}

/* ---- clients ---- */

static void
on_ready(struct client *c, void *arg UNUSED)
{
	bench.n_ready++;
	if (options.mode == CONNECTS) {
		bench.n_finals += bench.is_measuring;
		client_close(c);
	}
}

static void
on_gone(struct client *c, void *arg UNUSED)
{
	bench.n_gone++;
	if (options.mode != CONNECTS)
		errx(1, "a client was disconnected");
	(void)c;
}

static void
on_final(struct client *c, uint64_t due_ns, void *arg UNUSED)
{
	uint64_t now = now_ns();

	if (bench.is_measuring) {
		bench.n_finals++;
		samples_add(&bench.latency, now - due_ns);
	}
	if (bench.is_sending && options.mode == CLOSED_LOOP)
		client_request(c, now);
}

static void
add_client(void)
{
	struct client *c = client_new(bench.turn, &bench.plan, bench.n_made);

	if (options.mode != CONNECTS)
		bench.client[bench.n_made] = c;
	bench.n_made++;
}

/*
 * Opens clients up to number n, and waits until all of them are registered.  A crowd comes evenly
 * over an interval of heart-beats if those are the server's, which come as the sessions have begun.
 */
static void
open_clients(unsigned n)
{
	bool is_crowd = bench.plan.revision == 4 && n > IDLE_FIRST;
	uint64_t over_ns = is_crowd ? (uint64_t)(options.beat * SECOND_NS) : 0, gap_ns = over_ns / n;
	uint64_t began = now_ns(), until = began + over_ns + OPEN_NS;
	unsigned first = bench.n_made;

	while (bench.n_ready < n) {
		while (bench.n_made < n && bench.n_made - bench.n_ready < OPENING_MAX &&
		    now_ns() >= began + (bench.n_made - first) * gap_ns)
			add_client();
		turn_run(bench.turn, gap_ns > 0 ? SECOND_NS / 1000 : SECOND_NS);
		if (now_ns() > until)
			errx(1, "%u of %u clients registered", bench.n_ready, n);
	}
}

/* ---- the run ---- */

/* Sends what is due, at most the window; gives the time until the next. */
static int64_t
send_due(uint64_t *next_ns)
{
	static unsigned turn_of;
	uint64_t now = now_ns();

	while (*next_ns <= now) {
		struct client *c = bench.client[turn_of % options.connections];

		if (client_outstanding(c) == bench.plan.window)
			return SECOND_NS / 1000;
		client_request(c, *next_ns);
		*next_ns += (uint64_t)((double)SECOND_NS / options.rate);
		turn_of++;
	}
	return (int64_t)(*next_ns - now);
}

static void
run_until(uint64_t end_ns)
{
	static uint64_t next_ns;

	if (next_ns == 0)
		next_ns = now_ns();
	for (;;) {
		uint64_t now = now_ns();
		int64_t left = (int64_t)(end_ns - now), due = left;

		if (left <= 0 || (options.requests > 0 && bench.n_finals >= options.requests))
			return;
		if (options.mode == OPEN_LOOP)
			due = send_due(&next_ns);
		while (options.mode == CONNECTS && bench.n_made - bench.n_gone < options.connections)
			add_client();
		turn_run(bench.turn, due < left ? due : left);
	}
}

static uint64_t
own_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * SECOND_NS + (uint64_t)ts.tv_nsec;
}

static void
measure(void)
{
	uint64_t began;

	bench.is_sending = true;
	if (options.mode == CLOSED_LOOP)
		for (unsigned i = 0; i < options.connections; i++)
			for (unsigned k = 0; k < options.outstanding; k++)
				client_request(bench.client[i], now_ns());
	if (options.requests == 0)
		run_until(now_ns() + (uint64_t)(options.warmup * SECOND_NS));
	bench.is_measuring = true;
	bench.cpu_ns = procs_cpu_ns();
	bench.user_ns = procs_user_ns();
	bench.own_cpu_ns = own_cpu_ns();
	began = now_ns();
	run_until(began + (uint64_t)(options.seconds * SECOND_NS));
	bench.took_ns = now_ns() - began;
	bench.cpu_ns = procs_cpu_ns() - bench.cpu_ns;
	bench.user_ns = procs_user_ns() - bench.user_ns;
	bench.own_cpu_ns = own_cpu_ns() - bench.own_cpu_ns;
	bench.is_measuring = bench.is_sending = false;
}

static uint64_t
count_outstanding(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; options.mode != CONNECTS && i < bench.n_ready; i++)
		sum += client_outstanding(bench.client[i]);
	return sum;
}

/* Requests that nobody has answered, though somebody should have. */
static uint64_t
count_lost(void)
{
	return options.is_holding ? 0 : count_outstanding();
}

static void
drain(void)
{
	uint64_t until = now_ns() + DRAIN_NS;

	while (count_outstanding() > 0 && now_ns() < until)
		turn_run(bench.turn, SECOND_NS / 100);
}

/* The last pongs have as much time as the last replies. */
static void
drain_beats(uint64_t n_pings)
{
	uint64_t until = now_ns() + DRAIN_NS;

	while (client_pongs < n_pings && now_ns() < until)
		turn_run(bench.turn, SECOND_NS / 100);
	if (client_pongs > n_pings)
		errx(1, "%llu pongs to %llu pings", (unsigned long long)client_pongs,
		    (unsigned long long)n_pings);
	bench.n_beats_lost = n_pings - client_pongs;
}

/* Each client has had so many requests answered before it is idle. */
static void
make_requests(unsigned from, unsigned to)
{
	for (uint64_t n = 0; n < options.requests; n++)
		for (unsigned i = from; i < to; i++) {
			client_request(bench.client[i], now_ns());
			if (i % OPENING_MAX == 0 || i + 1 == to)
				drain();
		}
}

/* Pings, evenly over the interval; gives their number.  Each has to be answered by a pong. */
static uint64_t
ping_until(uint64_t until)
{
	uint64_t gap_ns = (uint64_t)(options.beat * SECOND_NS / bench.n_ready), next = now_ns();
	uint64_t now, n_pings = 0;

	client_pongs = 0;
	while ((now = now_ns()) < until) {
		for (; next <= now; next += gap_ns)
			client_ping(bench.client[n_pings++ % bench.n_ready]);
		turn_run(bench.turn, (int64_t)(next - now));
	}
	bench.n_finals = client_pongs;
	return n_pings;
}

/* The server's: to each client as many as there are intervals in the time, with 3 % to spare. */
static void
answer_until(uint64_t until)
{
	unsigned least = (unsigned)(options.seconds / options.beat / 1.03);
	unsigned *before = xcalloc(bench.n_ready, sizeof(*before));
	uint64_t now;

	for (unsigned i = 0; i < bench.n_ready; i++)
		before[i] = client_pings(bench.client[i]);
	while ((now = now_ns()) < until)
		turn_run(bench.turn, (int64_t)(until - now));
	for (unsigned i = 0; i < bench.n_ready; i++) {
		unsigned n = client_pings(bench.client[i]) - before[i];

		bench.n_finals += n;
		bench.n_beats_lost += n < least ? least - n : 0;
	}
	free(before);
}

static void
beat(void)
{
	uint64_t began = now_ns(), until = began + (uint64_t)(options.seconds * SECOND_NS);
	uint64_t n_pings = 0;

	bench.cpu_ns = procs_cpu_ns();
	bench.user_ns = procs_user_ns();
	if (bench.plan.revision == 3)
		n_pings = ping_until(until);
	else
		answer_until(until);
	bench.took_ns = now_ns() - began;
	bench.cpu_ns = procs_cpu_ns() - bench.cpu_ns;
	bench.user_ns = procs_user_ns() - bench.user_ns;
	if (bench.plan.revision == 3)
		drain_beats(n_pings);
}

static void
settle(void)
{
	for (uint64_t until = now_ns() + SETTLE_NS; now_ns() < until; )
		turn_run(bench.turn, SECOND_NS / 100);
}

/* Each sends a request; all have arrived when they had their intermediate reply. */
static void
hold(unsigned from, unsigned to)
{
	uint64_t until = now_ns() + OPEN_NS;

	for (unsigned i = from; i < to; i++) {
		client_request(bench.client[i], now_ns());
		while (client_steps + OPENING_MAX < i && now_ns() < until)
			turn_run(bench.turn, SECOND_NS / 100);
	}
	while (client_steps < to && now_ns() < until)
		turn_run(bench.turn, SECOND_NS / 100);
	if (client_steps < to)
		errx(1, "%llu of %u requests have arrived", (unsigned long long)client_steps, to);
	settle();
}

static void
idle(void)
{
	uint64_t before;

	open_clients(IDLE_FIRST);
	make_requests(0, IDLE_FIRST);
	if (options.is_holding) {
		open_clients(IDLE_FIRST + options.connections);
		hold(0, IDLE_FIRST);
		before = procs_rss_bytes();
		hold(IDLE_FIRST, bench.n_ready);
	} else {
		before = procs_rss_bytes();
		open_clients(IDLE_FIRST + options.connections);
		make_requests(IDLE_FIRST, bench.n_ready);
		settle();
	}
	bench.rss_bytes = (procs_rss_bytes() - before) / options.connections;
	if (options.beat > 0)
		beat();
}

/* ---- the line ---- */

static void
report(void)
{
	double n = bench.n_finals > 0 ? (double)bench.n_finals : 1;
	double seconds = (double)bench.took_ns / SECOND_NS;

	samples_sort(&bench.latency);
	printf("{\"label\":\"%s\",\"mode\":\"%s\",\"connections\":%u,\"outstanding\":%u,"
	    "\"payload\":%zu,\"intermediates\":%u,\"requests\":%llu,\"per_second\":%.0f,"
	    "\"cpu_us\":%.3f,\"user_us\":%.3f,\"load_cpu_us\":%.3f,"
	    "\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,"
	    "\"rss_bytes\":%llu,"
	    "\"owner\":%llu,\"order\":%llu,\"bytes\":%llu,\"errors\":%llu,\"ended\":%llu,"
	    "\"lost\":%llu,\"beats_lost\":%llu}\n",
	    options.label, mode_name[options.mode], options.connections, options.outstanding,
	    options.payload, bench.plan.n_steps, (unsigned long long)bench.n_finals,
	    seconds > 0 ? n / seconds : 0, (double)bench.cpu_ns / n / 1e3,
	    (double)bench.user_ns / n / 1e3,
	    (double)bench.own_cpu_ns / n / 1e3, samples_at(&bench.latency, 0.5),
	    samples_at(&bench.latency, 0.9), samples_at(&bench.latency, 0.99),
	    samples_at(&bench.latency, 1), (unsigned long long)bench.rss_bytes,
	    (unsigned long long)client_faults.owner, (unsigned long long)client_faults.order,
	    (unsigned long long)client_faults.bytes, (unsigned long long)client_faults.errors,
	    (unsigned long long)client_faults.ended, (unsigned long long)count_lost(),
	    (unsigned long long)bench.n_beats_lost);
}

static bool
is_clean(void)
{
	return client_faults.owner + client_faults.order + client_faults.bytes +
	    client_faults.errors + client_faults.ended + count_lost() + bench.n_beats_lost == 0;
}

int
main(int argc, char **argv)
{
	read_options(argc, argv);
	raise_descriptors();
	if (options.play != NULL)
		read_payloads(options.play);
	else
		make_payload(options.payload);
	bench.plan.on_ready = on_ready;
	bench.plan.on_final = on_final;
	bench.plan.on_gone = on_gone;
	bench.turn = turn_new();
	bench.client = xcalloc(options.connections + IDLE_FIRST, sizeof(*bench.client));
	if (options.mode == IDLE) {
		idle();
	} else {
		if (options.mode != CONNECTS)
			open_clients(options.connections);
		measure();
		drain();
	}
	report();
	return is_clean() ? 0 : 1;
}
