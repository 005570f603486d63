/* SPDX-License-Identifier: ISC */
/*
 * One function a family or a group of them.
 *
 * Names of series come from the configuration and from tables of this program alone: nothing
 * that a client sends becomes one.
 */
#include "config.h"

#include "admin/admin_metrics.h"

#include <stdlib.h>
#include <string.h>

#include "admin/admin_routes.h"
#include "admin/admin_view.h"
#include "base/compiler.h"
#include "base/exposition.h"
#include "base/strmap.h"
#include "base/xmalloc.h"
#include "conf/conf.h"
#include "front/qewd_front.h"
#include "link/link.h"
#include "link/link_set.h"
#include "link/remote.h"
#include "net/loop.h"
#include "request/journal.h"
#include "request/request.h"
#include "token/jwt.h"
#include "token/token_cache.h"
#include "worker/pool.h"

#define LABELS(...) (const struct exposition_label[]){ __VA_ARGS__ }, \
	sizeof((const struct exposition_label[]){ __VA_ARGS__ }) / sizeof(struct exposition_label)

static void
add_gauge(struct exposition *e, const char *name, const char *help, uint64_t value)
{
	exposition_begin(e, EXPOSITION_GAUGE, name, help);
	exposition_add(e, NULL, 0, value);
}

/* ---- the node ---- */

static void
count_client(const struct qewd_client_info *info, void *arg)
{
	uint64_t *n = arg;

	n[info->is_away]++;
}

static void
add_node(const struct admin_view *v, struct exposition *e)
{
	uint64_t n_clients[2] = { 0 }, n_conns = 0, n_requests = 0;

	for (size_t i = 0; i < v->n_loops; i++) {
		qewd_front_each(v->loops[i].front, count_client, n_clients);
		n_conns += *loop_conns(v->loops[i].loop);
		n_requests += v->loops[i].requests->n_open;
	}
	exposition_begin(e, EXPOSITION_GAUGE, "build_info",
	    "version of the daemon, name of the node");
	exposition_add(e, LABELS({ "version", PACKAGE_VERSION }, { "node", v->conf->node }), 1);
	exposition_begin(e, EXPOSITION_GAUGE, "start_time_seconds",
	    "when the node began, since 1970");
	exposition_add_ms(e, NULL, 0, (uint64_t)v->begun_wall_ms);
	add_gauge(e, "draining", "1: no new messages are taken", v->state == ADMIN_DRAINING);
	add_gauge(e, "event_loops", "event loops, a thread each", v->n_loops);
	add_gauge(e, "sessions_open", "Socket.IO sessions that are connected", n_clients[0]);
	add_gauge(e, "sessions_away", "sessions that lost their connection and may come back",
	    n_clients[1]);
	add_gauge(e, "connections_open", "connections of any kind, worker processes included",
	    n_conns);
	add_gauge(e, "requests_open", "requests that have not ended", n_requests);
}

static void
add_counters(const struct metrics *m, struct exposition *e)
{
	for (int i = 0; i < METRIC_N; i++) {
		char *name = xasprintf("%s_total", metrics_name((enum metric)i));

		exposition_begin(e, EXPOSITION_COUNTER, name, metrics_help((enum metric)i));
		exposition_add(e, NULL, 0, m->value[i]);
		free(name);
	}
}

/* ---- tokens ---- */

/* Those that are of no secret in the configuration any more are of no interest. */
static void
add_token_checks(const struct admin_view *v, struct exposition *e)
{
	exposition_begin(e, EXPOSITION_COUNTER, "token_checks_total",
	    "checks that found a token good, by the id of its secret");
	for (size_t i = 0; i < v->conf->jwt.n_secrets; i++) {
		uint64_t n = 0;

		for (size_t k = 0; k < v->n_loops; k++) {
			const struct jwt_ring *ring = token_cache_ring(v->loops[k].tokens);

			n += jwt_ring_checks(ring, jwt_ring_number(ring, i));
		}
		exposition_add(e, LABELS({ "key", v->conf->jwt.secrets[i].id }), n);
	}
}

/* The same counters once more, of what was turned away before it became a request. */
static void
add_refusals(const struct metrics *m, struct exposition *e)
{
	static const struct {
		const char *reason;
		enum metric metric;
	} reasons[] = {
		{ "connection_limit", METRIC_CONNECTIONS_REFUSED },
		{ "session_limit", METRIC_SESSIONS_REFUSED },
		{ "faulty_session", METRIC_SESSIONS_FAULTY },
		{ "origin", METRIC_ORIGINS_REFUSED },
		{ "bad_http", METRIC_HTTP_BAD },
		{ "tls", METRIC_TLS_FAILED },
		{ "token", METRIC_TOKENS_REFUSED },
		{ "rest", METRIC_REST_REFUSED },
		{ "no_message", METRIC_EVENTS_IGNORED },
		{ "unproven_node", METRIC_NODES_UNPROVEN },
	};

	exposition_begin(e, EXPOSITION_COUNTER, "refusals_total",
	    "what was turned away, by the reason");
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		exposition_add(e, LABELS({ "reason", reasons[i].reason }),
		    m->value[reasons[i].metric]);
}

static void
add_lag(const struct admin_view *v, struct exposition *e)
{
	struct histogram sum = { .sum = 0 };
	uint64_t max_ms = 0;

	for (size_t i = 0; i < v->n_loops; i++) {
		const struct loop_lag *lag = loop_lag(v->loops[i].loop);

		histogram_sum(&sum, &lag->late);
		if (lag->max_ms > max_ms)
			max_ms = lag->max_ms;
	}
	exposition_begin(e, EXPOSITION_HISTOGRAM, "loop_lag_seconds",
	    "how late timers of the event loops were run");
	exposition_add_histogram(e, NULL, 0, &sum);
	exposition_begin(e, EXPOSITION_GAUGE, "loop_lag_max_seconds",
	    "the most of it since the node began");
	exposition_add_ms(e, NULL, 0, max_ms);
}

/* ---- routes ---- */

/* Each name once: those of the configuration, then those that have been served besides. */
struct route_names {
	struct strmap *seen;
	const char **name;
	size_t n;
};

static void
add_name(struct route_names *names, const char *name)
{
	void **at = strmap_at(names->seen, name, strlen(name));
	char *kept;

	if (*at != NULL)
		return;
	*at = kept = xstrdup(name);
	names->name = xreallocarray(names->name, names->n + 1, sizeof(*names->name));
	names->name[names->n++] = kept;
}

static void
add_route_name(const struct admin_route *r, void *arg)
{
	char name[ADMIN_ROUTE_NAME_MAX];

	admin_route_name(r, name);
	add_name(arg, name);
}

static void
collect_names(const struct admin_view *v, struct route_names *names)
{
	names->seen = strmap_new();
	admin_routes_each(v, add_route_name, names);
	for (size_t i = 0; i < v->n_loops; i++) {
		const struct journal *j = v->loops[i].requests->journal;

		for (size_t k = 0; k < journal_n_routes(j); k++)
			add_name(names, journal_route_at(j, k)->name);
	}
}

/* The sums of all loops; what they point to stays empty if nothing was served. */
static void
sum_route(const struct admin_view *v, const char *name, struct histogram *took,
    struct histogram *queued, uint64_t *n_errors)
{
	memset(took, 0, sizeof(*took));
	memset(queued, 0, sizeof(*queued));
	*n_errors = 0;
	for (size_t i = 0; i < v->n_loops; i++) {
		const struct journal_route *r = journal_find_route(v->loops[i].requests->journal,
		    name);

		if (r == NULL)
			continue;
		histogram_sum(took, &r->took);
		histogram_sum(queued, &r->queued);
		for (int k = 0; k < ERR_N; k++)
			*n_errors += r->errors[k];
	}
}

enum route_family { ROUTE_TOOK, ROUTE_QUEUED, ROUTE_ERRORS };

static void
add_routes(const struct admin_view *v, struct exposition *e)
{
	static const struct {
		enum exposition_type type;
		const char *name, *help;
	} family[] = {
		[ROUTE_TOOK] = { EXPOSITION_HISTOGRAM, "request_duration_seconds",
		    "from the message to its final, by route" },
		[ROUTE_QUEUED] = { EXPOSITION_HISTOGRAM, "request_queue_seconds",
		    "time in the queue, of requests that had to wait, by route" },
		[ROUTE_ERRORS] = { EXPOSITION_COUNTER, "route_errors_total",
		    "requests that were answered with an error, by route" },
	};
	struct route_names names = { .n = 0 };
	struct histogram took, queued;
	uint64_t n_errors;

	collect_names(v, &names);
	for (size_t k = 0; k < ARRAY_LEN(family); k++) {
		exposition_begin(e, family[k].type, family[k].name, family[k].help);
		for (size_t i = 0; i < names.n; i++) {
			sum_route(v, names.name[i], &took, &queued, &n_errors);
			if (k == ROUTE_ERRORS)
				exposition_add(e, LABELS({ "route", names.name[i] }), n_errors);
			else
				exposition_add_histogram(e, LABELS({ "route", names.name[i] }),
				    k == ROUTE_TOOK ? &took : &queued);
		}
	}
	strmap_free(names.seen, free);
	free(names.name);
}

static void
add_errors(const struct admin_view *v, struct exposition *e)
{
	uint64_t n[ERR_N] = { 0 };

	for (size_t i = 0; i < v->n_loops; i++) {
		const struct journal *j = v->loops[i].requests->journal;

		for (size_t k = 0; k < journal_n_routes(j); k++)
			for (int err = 0; err < ERR_N; err++)
				n[err] += journal_route_at(j, k)->errors[err];
	}
	exposition_begin(e, EXPOSITION_COUNTER, "errors_total",
	    "requests that were answered with an error, by its code; answered_error: made by a "
	    "handler or a remote service");
	for (int err = 0; err < ERR_N; err++)
		if (err == JOURNAL_RELAYED || err_http_status((enum err)err) != 0)
			exposition_add(e, LABELS({ "code", err == JOURNAL_RELAYED ?
			    JOURNAL_RELAYED_CODE : err_code((enum err)err) }), n[err]);
}

/* ---- destinations ---- */

/* Of a destination, or of one of its URLs. */
struct link_counts {
	uint64_t n, n_up, in_flight, n_ups;
	uint64_t n_ejections;
	bool is_ejected, is_set_aside;
};

static void
count_link(const struct link *l, void *arg)
{
	struct link_counts *counts = arg;
	struct link_info info;

	link_describe(l, &info);
	counts->n++;
	counts->n_up += info.is_up;
	counts->in_flight += info.in_flight;
	counts->n_ups += info.n_ups;
}

/* A URL that is given twice is one. */
static bool
is_repeated(const struct link_set *s, size_t i)
{
	const char *url = remote_url(link_set_remote(s, i));

	for (size_t k = 0; k < i; k++)
		if (strcmp(remote_url(link_set_remote(s, k)), url) == 0)
			return true;
	return false;
}

enum link_family {
	LINKS, LINKS_UP, LINK_REQUESTS, LINK_UPS, URL_EJECTED, URL_EJECTIONS, URL_SET_ASIDE,
};

/* All loops have the same URLs, in the same order. */
static void
count_url(const struct admin_view *v, size_t destination, size_t url, struct link_counts *counts)
{
	const struct remote *r;
	struct link_set_url about;

	memset(counts, 0, sizeof(*counts));
	for (size_t i = 0; i < v->n_loops; i++) {
		r = link_set_remote(v->loops[i].link_sets[destination], url);
		if (r == NULL)
			continue;
		remote_each_link(r, count_link, counts);
		link_set_describe_url(v->loops[i].link_sets[destination], url, &about);
		counts->n_ejections += about.n_ejections;
		counts->is_ejected = counts->is_ejected || about.health == HEALTH_EJECTED;
		counts->is_set_aside = about.use != OVERRIDE_NONE;
	}
}

static uint64_t
url_value(const struct link_counts *c, enum link_family which)
{
	switch (which) {
	case LINKS:
		return c->n;
	case LINKS_UP:
		return c->n_up;
	case LINK_REQUESTS:
		return c->in_flight;
	case LINK_UPS:
		return c->n_ups;
	case URL_EJECTED:
		return c->is_ejected;
	case URL_EJECTIONS:
		return c->n_ejections;
	default:
		return c->is_set_aside;
	}
}

static void
add_urls(const struct admin_view *v, struct exposition *e, enum link_family which,
    size_t destination)
{
	const struct link_set *s = v->loops[0].link_sets[destination];
	const char *name = v->conf->destinations[destination].name;
	const struct remote *r;
	struct link_counts c;

	for (size_t i = 0; (r = link_set_remote(s, i)) != NULL; i++) {
		if (is_repeated(s, i))
			continue;
		count_url(v, destination, i, &c);
		exposition_add(e, LABELS({ "destination", name }, { "url", remote_url(r) }),
		    url_value(&c, which));
	}
}

static void
add_links(const struct admin_view *v, struct exposition *e)
{
	static const struct {
		enum exposition_type type;
		const char *name, *help;
	} family[] = {
		[LINKS] = { EXPOSITION_GAUGE, "links",
		    "links to a URL of a destination, which others may share" },
		[LINKS_UP] = { EXPOSITION_GAUGE, "links_up", "those of them that are up" },
		[LINK_REQUESTS] = { EXPOSITION_GAUGE, "link_requests",
		    "requests under way on them" },
		[LINK_UPS] = { EXPOSITION_COUNTER, "link_ups_total", "how often they came up" },
		[URL_EJECTED] = { EXPOSITION_GAUGE, "url_ejected",
		    "1: the URL fails, and is left alone for a while" },
		[URL_EJECTIONS] = { EXPOSITION_COUNTER, "url_ejections_total",
		    "how often that was so" },
		[URL_SET_ASIDE] = { EXPOSITION_GAUGE, "url_set_aside",
		    "1: an operator has drained or disabled the URL" },
	};

	for (size_t k = 0; k < ARRAY_LEN(family); k++) {
		exposition_begin(e, family[k].type, family[k].name, family[k].help);
		for (size_t i = 0; i < v->conf->n_destinations; i++)
			add_urls(v, e, (enum link_family)k, i);
	}
}

enum destination_family {
	DESTINATION_UP, DESTINATION_QUEUE, DESTINATION_QUEUE_BYTES, DESTINATION_PAUSED,
	DESTINATION_SET_ASIDE,
};

static uint64_t
destination_value(const struct admin_view *v, size_t destination, enum destination_family which)
{
	uint64_t n, bytes, n_max, sum = 0;

	if (which == DESTINATION_UP)
		return admin_routes_is_up(v, destination);
	if (which == DESTINATION_PAUSED)
		return link_set_is_paused(v->loops[0].link_sets[destination]);
	if (which == DESTINATION_SET_ASIDE)
		return link_set_use(v->loops[0].link_sets[destination]) != OVERRIDE_NONE;
	for (size_t i = 0; i < v->n_loops; i++) {
		link_set_queue(v->loops[i].link_sets[destination], &n, &bytes, &n_max);
		sum += which == DESTINATION_QUEUE ? n : bytes;
	}
	return sum;
}

static void
add_destinations(const struct admin_view *v, struct exposition *e)
{
	static const struct {
		const char *name, *help;
	} family[] = {
		[DESTINATION_UP] = { "destination_up", "1: a link to the destination is up" },
		[DESTINATION_QUEUE] = { "destination_queue_requests",
		    "requests that wait for a link" },
		[DESTINATION_QUEUE_BYTES] = { "destination_queue_bytes", "their bytes" },
		[DESTINATION_PAUSED] = { "destination_paused",
		    "1: an operator has paused the destination" },
		[DESTINATION_SET_ASIDE] = { "destination_set_aside",
		    "1: an operator has drained or disabled it" },
	};
	const struct conf *conf = v->conf;

	for (size_t k = 0; k < ARRAY_LEN(family); k++) {
		exposition_begin(e, EXPOSITION_GAUGE, family[k].name, family[k].help);
		for (size_t i = 0; i < conf->n_destinations; i++)
			if (conf->destinations[i].n_members == 0)
				exposition_add(e,
				    LABELS({ "destination", conf->destinations[i].name }),
				    destination_value(v, i, (enum destination_family)k));
	}
}

/* ---- applications ---- */

static void
add_workers(struct exposition *e, const struct pool_info *info)
{
	const struct {
		const char *state;
		unsigned n;
	} states[] = {
		{ "starting", info->n_starting }, { "idle", info->n_idle },
		{ "busy", info->n_busy }, { "unready", info->n_unready },
		{ "leaving", info->n_leaving },
	};

	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		exposition_add(e, LABELS({ "application", info->application },
		    { "state", states[i].state }), states[i].n);
}

enum pool_family {
	POOL_WORKERS_MAX, POOL_FAILING, POOL_REQUESTS, POOL_QUEUE, POOL_QUEUE_BYTES,
	POOL_WORKERS_STARTED, POOL_WORKERS_LOST, POOL_PAUSED, POOL_SET_ASIDE,
};

static uint64_t
pool_value(const struct pool_info *info, enum pool_family which)
{
	switch (which) {
	case POOL_WORKERS_MAX:
		return info->size;
	case POOL_FAILING:
		return info->is_failing;
	case POOL_REQUESTS:
		return info->in_flight;
	case POOL_QUEUE:
		return info->queue;
	case POOL_QUEUE_BYTES:
		return info->queue_bytes;
	case POOL_WORKERS_STARTED:
		return info->n_started;
	case POOL_PAUSED:
		return info->is_paused;
	case POOL_SET_ASIDE:
		return info->use != OVERRIDE_NONE;
	default:
		return info->n_lost;
	}
}

static void
add_pools(const struct admin_view *v, struct exposition *e)
{
	static const struct {
		enum exposition_type type;
		const char *name, *help;
	} family[] = {
		[POOL_WORKERS_MAX] = { EXPOSITION_GAUGE, "pool_workers_max",
		    "worker processes at most" },
		[POOL_FAILING] = { EXPOSITION_GAUGE, "pool_failing",
		    "1: no worker is ready, and none is started for a while" },
		[POOL_REQUESTS] = { EXPOSITION_GAUGE, "pool_requests", "requests at workers" },
		[POOL_QUEUE] = { EXPOSITION_GAUGE, "pool_queue_requests",
		    "requests waiting for a worker" },
		[POOL_QUEUE_BYTES] = { EXPOSITION_GAUGE, "pool_queue_bytes", "their bytes" },
		[POOL_WORKERS_STARTED] = { EXPOSITION_COUNTER, "pool_workers_started_total",
		    "worker processes of the application started" },
		[POOL_WORKERS_LOST] = { EXPOSITION_COUNTER, "pool_workers_lost_total",
		    "those of them that ended unasked" },
		[POOL_PAUSED] = { EXPOSITION_GAUGE, "pool_paused",
		    "1: an operator has paused the application" },
		[POOL_SET_ASIDE] = { EXPOSITION_GAUGE, "pool_set_aside",
		    "1: an operator has drained or disabled it" },
	};
	struct pool_info info;

	exposition_begin(e, EXPOSITION_GAUGE, "pool_workers",
	    "worker processes by what they are doing");
	for (size_t i = 0; i < v->conf->n_applications; i++) {
		pool_describe(v->pools[i], &info);
		add_workers(e, &info);
	}
	for (size_t k = 0; k < ARRAY_LEN(family); k++) {
		exposition_begin(e, family[k].type, family[k].name, family[k].help);
		for (size_t i = 0; i < v->conf->n_applications; i++) {
			pool_describe(v->pools[i], &info);
			exposition_add(e, LABELS({ "application", info.application }),
			    pool_value(&info, (enum pool_family)k));
		}
	}
}

void
admin_metrics_write(const struct admin_view *v, struct buf *b)
{
	struct exposition e = { .out = b, .prefix = "usher_" };
	struct metrics m;

	admin_sum_metrics(v, &m);
	add_node(v, &e);
	add_counters(&m, &e);
	add_refusals(&m, &e);
	add_token_checks(v, &e);
	add_routes(v, &e);
	add_errors(v, &e);
	add_lag(v, &e);
	add_destinations(v, &e);
	add_links(v, &e);
	add_pools(v, &e);
}
