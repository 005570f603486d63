/* SPDX-License-Identifier: ISC */
/*
 * The commands that look: each writes what there is now.
 *
 * Lists are flat, one object a row, so that they are as easy to print as a table as they
 * are to filter.  A list that grows with what clients do has a limit, and says if it is cut.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/admin_actions.h"
#include "admin/admin_command.h"
#include "admin/admin_json.h"
#include "admin/admin_log.h"
#include "admin/admin_routes.h"
#include "admin/admin_view.h"
#include "base/clock.h"
#include "base/xmalloc.h"
#include "conf/conf.h"
#include "front/qewd_front.h"
#include "link/link.h"
#include "link/link_set.h"
#include "link/remote.h"
#include "net/loop.h"
#include "request/journal.h"
#include "request/relay.h"
#include "request/request.h"
#include "token/revoked.h"
#include "token/token.h"
#include "worker/pool.h"
#include "worker/worker.h"

#define SID_SHOWN     8		/* enough to tell two apart, and to find one in the log */
#define TYPE_SHOWN    128	/* bytes of a type, which clients choose */

/* ---- status ---- */

static void
count_client(const struct qewd_client_info *info, void *arg)
{
	uint64_t *n = arg;

	n[info->is_away]++;
}

static void
add_destination_counts(struct admin_ask *a)
{
	const struct conf *conf = a->view->conf;
	uint64_t n = 0, n_up = 0;

	for (size_t i = 0; i < conf->n_destinations; i++) {
		if (conf->destinations[i].n_members > 0)
			continue;
		n++;
		n_up += admin_routes_is_up(a->view, i);
	}
	admin_json_u64(&a->out, "destinations", n);
	admin_json_u64(&a->out, "destinations_up", n_up);
}

static void
add_counters(struct admin_ask *a)
{
	struct metrics m;

	admin_sum_metrics(a->view, &m);
	admin_json_open(&a->out, "counters", '{');
	for (int i = 0; i < METRIC_N; i++)
		admin_json_u64(&a->out, metrics_name(i), m.value[i]);
	admin_json_close(&a->out, '}');
}

/* Sessions of all loops, and away; those of each as a text, "12 11 12". */
static void
add_sessions(struct admin_ask *a)
{
	const struct admin_view *v = a->view;
	uint64_t n[2] = { 0 }, before;
	struct buf of_loops = { 0 };

	for (size_t i = 0; i < v->n_loops; i++) {
		before = n[0];
		qewd_front_each(v->loops[i].front, count_client, n);
		buf_printf(&of_loops, "%s%" PRIu64, i > 0 ? " " : "", n[0] - before);
	}
	admin_json_u64(&a->out, "sessions", n[0]);
	admin_json_u64(&a->out, "sessions_away", n[1]);
	admin_json_text(&a->out, "sessions_of_loops", buf_str(&of_loops));
	buf_free(&of_loops);
}

void
admin_show_status(struct admin_ask *a)
{
	const struct admin_view *v = a->view;
	uint64_t n_requests = 0, n_workers = 0;
	struct pool_info pool;

	for (size_t i = 0; i < v->n_loops; i++)
		n_requests += v->loops[i].requests->n_open;
	for (size_t i = 0; i < v->conf->n_applications; i++) {
		pool_describe(v->pools[i], &pool);
		n_workers += pool.n_idle + pool.n_busy;
	}
	admin_json_text(&a->out, "node", v->conf->node);
	admin_json_text(&a->out, "version", PACKAGE_VERSION);
	admin_json_u64(&a->out, "pid", (uint64_t)getpid());
	admin_json_text(&a->out, "state", v->state == ADMIN_DRAINING ? "draining" : "serving");
	admin_json_u64(&a->out, "uptime_ms", clock_mono_ms() - v->begun_ms);
	admin_json_text(&a->out, "configuration", v->conf->path);
	add_sessions(a);
	admin_json_u64(&a->out, "requests", n_requests);
	admin_json_u64(&a->out, "loops", v->n_loops);
	add_destination_counts(a);
	admin_json_u64(&a->out, "applications", v->conf->n_applications);
	admin_json_u64(&a->out, "workers_ready", n_workers);
	admin_add_overrides(a);
	admin_sessions_add_status(a);
	admin_log_add_status(a);
	add_counters(a);
}

/* What usherctl makes rates of. */
void
admin_show_top(struct admin_ask *a)
{
	admin_show_status(a);
	admin_show_routes(a);
	admin_show_pools(a);
}

void
admin_show_counters(struct admin_ask *a)
{
	struct metrics m;

	admin_sum_metrics(a->view, &m);
	admin_json_open(&a->out, "counters", '[');
	for (int i = 0; i < METRIC_N; i++) {
		admin_json_open(&a->out, NULL, '{');
		admin_json_text(&a->out, "counter", metrics_name(i));
		admin_json_u64(&a->out, "value", m.value[i]);
		admin_json_text(&a->out, "help", metrics_help(i));
		admin_json_close(&a->out, '}');
	}
	admin_json_close(&a->out, ']');
}

/* ---- routes ---- */

static const char *
kind_name(enum admin_route_kind kind)
{
	switch (kind) {
	case ADMIN_ROUTE_TYPE:
		return "type";
	case ADMIN_ROUTE_PATH:
		return "path";
	case ADMIN_ROUTE_PREFIX:
		return "prefix";
	default:
		return "local";
	}
}

/* What has gone this way since the node began. */
static void
add_route_counts(struct admin_ask *a, const struct admin_route *r)
{
	char name[ADMIN_ROUTE_NAME_MAX];
	struct histogram took = { .sum = 0 };
	uint64_t n_errors = 0, n;

	admin_route_name(r, name);
	for (size_t i = 0; i < a->view->n_loops; i++) {
		const struct journal_route *j = journal_find_route(
		    a->view->loops[i].requests->journal, name);

		if (j == NULL)
			continue;
		histogram_sum(&took, &j->took);
		for (int e = 0; e < ERR_N; e++)
			n_errors += j->errors[e];
	}
	n = histogram_count(&took);
	admin_json_text(&a->out, "route", name);
	admin_json_u64(&a->out, "requests", n);
	admin_json_u64(&a->out, "errors", n_errors);
	admin_json_u64(&a->out, "sum_ms", took.sum);
	admin_json_open(&a->out, "buckets", '[');
	for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
		admin_json_u64(&a->out, NULL, took.bucket[i]);
	admin_json_close(&a->out, ']');
	if (n > 0) {
		admin_json_u64(&a->out, "p50_ms", histogram_quantile(&took, 500));
		admin_json_u64(&a->out, "p99_ms", histogram_quantile(&took, 990));
	} else {
		admin_json_text(&a->out, "p50_ms", NULL);
		admin_json_text(&a->out, "p99_ms", NULL);
	}
}

static void
add_route(const struct admin_route *r, void *arg)
{
	struct admin_ask *a = arg;

	admin_json_open(&a->out, NULL, '{');
	admin_json_text(&a->out, "kind", kind_name(r->kind));
	admin_json_text(&a->out, "application", r->application);
	admin_json_text(&a->out, "method", r->method);
	admin_json_text(&a->out, "pattern", r->pattern);
	admin_json_text(&a->out, "destination", r->destination);
	admin_json_u64(&a->out, "timeout_ms", r->timeout_ms);
	add_route_counts(a, r);
	admin_json_bool(&a->out, "served", r->why == NULL);
	admin_json_text(&a->out, "why", r->why);
	admin_json_close(&a->out, '}');
}

void
admin_show_routes(struct admin_ask *a)
{
	admin_json_open(&a->out, "routes", '[');
	admin_routes_each(a->view, add_route, a);
	admin_json_close(&a->out, ']');
}

/* ---- links ---- */

static const char *
protocol_name(enum conf_protocol protocol)
{
	switch (protocol) {
	case CONF_PROTOCOL_QEWD:
		return "qewd";
	case CONF_PROTOCOL_USHER:
		return "usher";
	default:
		return "auto";
	}
}

static void
add_destination(struct admin_ask *a, size_t i)
{
	const struct conf_destination *d = &a->view->conf->destinations[i];
	uint64_t queue = 0, queue_bytes = 0, queue_max = 0, n, bytes;

	for (size_t k = 0; k < a->view->n_loops; k++) {
		link_set_queue(a->view->loops[k].link_sets[i], &n, &bytes, &queue_max);
		queue += n;
		queue_bytes += bytes;
	}
	admin_json_open(&a->out, NULL, '{');
	admin_json_text(&a->out, "destination", d->name);
	admin_json_text(&a->out, "application", d->application);
	admin_json_text(&a->out, "protocol", protocol_name(d->protocol));
	admin_json_bool(&a->out, "up", admin_routes_is_up(a->view, i));
	admin_json_text(&a->out, "state", link_set_state(a->view->link_sets[i]));
	admin_json_u64(&a->out, "urls", d->n_urls);
	admin_json_u64(&a->out, "queue", queue);
	admin_json_u64(&a->out, "queue_bytes", queue_bytes);
	admin_json_limit(&a->out, "queue_max", queue_max);
	admin_json_close(&a->out, '}');
}

/* A link among those of a destination. */
struct link_row {
	struct admin_ask *asking;
	const char *destination, *url;
	struct link_set_url about;
	size_t loop;
};

static void
add_link(const struct link *l, void *arg)
{
	const struct link_row *row = arg;
	struct buf *out = &row->asking->out;
	struct link_info info;

	link_describe(l, &info);
	admin_json_open(out, NULL, '{');
	admin_json_text(out, "destination", row->destination);
	admin_json_text(out, "url", row->url);
	admin_json_u64(out, "loop", row->loop);
	admin_json_u64(out, "number", info.number);
	admin_json_text(out, "state", info.state);
	admin_json_u64(out, "since_ms", info.since_ms);
	admin_json_text(out, "health", health_state_name(row->about.health));
	admin_json_u64(out, "ejected_ms", row->about.ejected_ms);
	admin_json_u64(out, "ejections", row->about.n_ejections);
	admin_json_text(out, "use", override_name(row->about.use));
	admin_json_text(out, "protocol", !info.is_up ? NULL :
	    info.is_multiplexed ? "usher" : "qewd");
	admin_json_text(out, "node", *info.node != '\0' ? info.node : NULL);
	admin_json_u64(out, "in_flight", info.in_flight);
	admin_json_u64(out, "times_up", info.n_ups);
	admin_json_text(out, "last_error", *info.last_error != '\0' ? info.last_error : NULL);
	admin_json_close(out, '}');
}

static void
add_links(struct admin_ask *a, size_t loop, size_t i)
{
	struct link_row row = { .asking = a, .destination = a->view->conf->destinations[i].name,
		.loop = loop };
	const struct remote *r;

	for (size_t k = 0; (r = link_set_remote(a->view->loops[loop].link_sets[i], k)) != NULL;
	    k++) {
		row.url = remote_url(r);
		link_set_describe_url(a->view->loops[loop].link_sets[i], k, &row.about);
		remote_each_link(r, add_link, &row);
	}
}

/* Groups have no links of their own. */
void
admin_show_links(struct admin_ask *a)
{
	const struct conf *conf = a->view->conf;

	admin_json_open(&a->out, "destinations", '[');
	for (size_t i = 0; i < conf->n_destinations; i++)
		if (conf->destinations[i].n_members == 0)
			add_destination(a, i);
	admin_json_close(&a->out, ']');
	admin_json_open(&a->out, "links", '[');
	for (size_t i = 0; i < conf->n_destinations; i++)
		for (size_t loop = 0; loop < a->view->n_loops; loop++)
			add_links(a, loop, i);
	admin_json_close(&a->out, ']');
}

/* ---- pools ---- */

/* Types in the order of their bytes. */
struct type_list {
	const char **type;
	size_t n;
};

static void
collect_type(const char *type, size_t len UNUSED, void *arg)
{
	struct type_list *list = arg;

	list->type = xreallocarray(list->type, list->n + 1, sizeof(*list->type));
	list->type[list->n++] = type;
}

static int
compare_types(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
add_types(struct admin_ask *a, const struct pool *p, bool is_known)
{
	struct type_list list = { 0 };

	if (!is_known) {
		admin_json_text(&a->out, "types", NULL);
		return;
	}
	pool_each_type(p, collect_type, &list);
	if (list.n > 0)
		qsort(list.type, list.n, sizeof(*list.type), compare_types);
	admin_json_open(&a->out, "types", '[');
	for (size_t i = 0; i < list.n; i++)
		admin_json_text(&a->out, NULL, list.type[i]);
	admin_json_close(&a->out, ']');
	free(list.type);
}

static void
add_pool(struct admin_ask *a, const struct pool *p)
{
	struct pool_info info;

	pool_describe(p, &info);
	admin_json_open(&a->out, NULL, '{');
	admin_json_text(&a->out, "application", info.application);
	admin_json_text(&a->out, "state", pool_state(p));
	admin_json_bool(&a->out, "failing", info.is_failing);
	admin_json_u64(&a->out, "size", info.size);
	admin_json_u64(&a->out, "starting", info.n_starting);
	admin_json_u64(&a->out, "idle", info.n_idle);
	admin_json_u64(&a->out, "busy", info.n_busy);
	admin_json_u64(&a->out, "unready", info.n_unready);
	admin_json_u64(&a->out, "leaving", info.n_leaving);
	admin_json_u64(&a->out, "in_flight", info.in_flight);
	admin_json_u64(&a->out, "queue", info.queue);
	admin_json_u64(&a->out, "queue_bytes", info.queue_bytes);
	admin_json_limit(&a->out, "queue_max", info.queue_max);
	admin_json_u64(&a->out, "started", info.n_started);
	admin_json_u64(&a->out, "lost", info.n_lost);
	add_types(a, p, info.has_types);
	admin_json_close(&a->out, '}');
}

/* A worker among those of an application. */
struct worker_row {
	struct admin_ask *asking;
	const char *application;
};

static void
add_worker(const struct worker *w, void *arg)
{
	const struct worker_row *row = arg;
	struct buf *out = &row->asking->out;
	int pid = worker_pid(w);

	admin_json_open(out, NULL, '{');
	admin_json_text(out, "application", row->application);
	admin_json_text(out, "worker", worker_name(w));
	admin_json_u64(out, "pid", (uint64_t)pid);
	admin_json_text(out, "state", worker_state_name(w));
	admin_json_u64(out, "in_flight", worker_n_jobs(w));
	admin_json_u64(out, "finished", worker_n_finished(w));
	admin_json_u64(out, "memory", pid > 0 ? worker_memory(w) : 0);
	admin_json_close(out, '}');
}

void
admin_show_pools(struct admin_ask *a)
{
	const struct admin_view *v = a->view;

	admin_json_open(&a->out, "pools", '[');
	for (size_t i = 0; i < v->conf->n_applications; i++)
		add_pool(a, v->pools[i]);
	admin_json_close(&a->out, ']');
	admin_json_open(&a->out, "workers", '[');
	for (size_t i = 0; i < v->conf->n_applications; i++) {
		struct worker_row row = { a, v->conf->applications[i].name };

		pool_each_worker(v->pools[i], add_worker, &row);
	}
	admin_json_close(&a->out, ']');
}

/* ---- sessions ---- */

/* Where an application has no name, as while it is not registered: null. */
static void
add_application(struct buf *out, const char *application, size_t len)
{
	if (application != NULL)
		admin_json_bytes(out, "application", application, len);
	else
		admin_json_text(out, "application", NULL);
}

struct session_row {
	struct admin_ask *asking;
	size_t loop;
};

static void
add_session(const struct qewd_client_info *info, void *arg)
{
	const struct session_row *row = arg;
	struct admin_ask *a = row->asking;

	if (!admin_takes_row(a))
		return;
	admin_json_open(&a->out, NULL, '{');
	admin_json_bytes(&a->out, "sid", info->eio.sid, strnlen(info->eio.sid, SID_SHOWN));
	admin_json_text(&a->out, "state", info->is_away ? "away" : "connected");
	admin_json_text(&a->out, "address", info->eio.address);
	add_application(&a->out, info->application, info->application_len);
	admin_json_text(&a->out, "transport", info->eio.transport);
	admin_json_u64(&a->out, "eio", (uint64_t)info->eio.revision);
	admin_json_text(&a->out, "node", info->node);
	admin_json_text(&a->out, "user", info->mark != NULL ? info->mark->user : NULL);
	admin_json_text(&a->out, "jti", info->mark != NULL ? info->mark->jti : NULL);
	admin_json_u64(&a->out, "loop", row->loop);
	admin_json_u64(&a->out, "calls", info->n_calls);
	admin_json_u64(&a->out, "bytes_in", info->eio.bytes_in);
	admin_json_u64(&a->out, "bytes_out", info->eio.bytes_out);
	admin_json_u64(&a->out, "age_ms", info->eio.age_ms);
	admin_json_close(&a->out, '}');
}

void
admin_show_sessions(struct admin_ask *a)
{
	admin_json_open(&a->out, "sessions", '[');
	for (size_t i = 0; i < a->view->n_loops; i++) {
		struct session_row row = { a, i };

		qewd_front_each(a->view->loops[i].front, add_session, &row);
	}
	admin_json_close(&a->out, ']');
	admin_add_left_out(a);
}

/* ---- requests ---- */

static void
add_place(struct buf *out, const struct request *r)
{
	const struct destination *d = r->destination;

	admin_json_text(out, "destination", d != NULL ? d->name : NULL);
	if (d == NULL) {
		admin_json_text(out, "where", "front");
		admin_json_text(out, "at", NULL);
	} else if (r->served_by == NULL || d->ops->server_name == NULL) {
		admin_json_text(out, "where", "queue");
		admin_json_text(out, "at", NULL);
	} else {
		admin_json_text(out, "where", d->ops->server_kind);
		admin_json_text(out, "at", d->ops->server_name(r));
	}
}

/* Since when it is where it is. */
static uint64_t
since_ms(const struct request *r)
{
	uint64_t latest_ms = r->begun_ms;

	if (r->destination == NULL)
		return latest_ms;
	if (r->submitted_ms > latest_ms)
		latest_ms = r->submitted_ms;
	if (r->served_by == NULL && r->queued_ms > latest_ms)
		latest_ms = r->queued_ms;
	if (r->served_by != NULL && r->unqueued_ms > latest_ms)
		latest_ms = r->unqueued_ms;
	return latest_ms;
}

static void
add_request(struct buf *out, const struct request *r, uint64_t now_ms)
{
	const char *application = NULL;
	size_t len = 0;

	if (r->application != NULL || r->token != NULL)
		application = request_application(r, &len);
	admin_json_open(out, NULL, '{');
	admin_json_text(out, "request", r->name);
	admin_json_bytes(out, "type", r->type, r->type_len < TYPE_SHOWN ? r->type_len : TYPE_SHOWN);
	add_application(out, application, len);
	add_place(out, relay_served(r));
	admin_json_u64(out, "age_ms", now_ms - r->begun_ms);
	admin_json_u64(out, "there_ms", now_ms - since_ms(relay_served(r)));
	if (r->deadline_ms != UINT64_MAX)
		admin_json_u64(out, "left_ms", request_left_ms(r));
	else
		admin_json_text(out, "left_ms", NULL);
	admin_json_text(out, "from", r->asked_for != NULL ? "handler" :
	    *r->client_address != '\0' ? r->client_address : NULL);
	admin_json_bool(out, "away", r->is_away || r->origin == NULL);
	admin_json_u64(out, "intermediates", r->n_replies);
	admin_json_u64(out, "hops", r->hops);
	admin_json_close(out, '}');
}

static int
compare_ages(const void *a, const void *b)
{
	const struct request *const *x = a, *const *y = b;

	if ((*x)->begun_ms != (*y)->begun_ms)
		return (*x)->begun_ms < (*y)->begun_ms ? -1 : 1;
	return ((*x)->id > (*y)->id) - ((*x)->id < (*y)->id);
}

/* Who is stuck comes first. */
void
admin_show_requests(struct admin_ask *a)
{
	const struct admin_view *v = a->view;
	const struct request **open, *r;
	uint64_t now_ms = clock_mono_ms();
	size_t n = 0;

	for (size_t i = 0; i < v->n_loops; i++)
		n += v->loops[i].requests->n_open;
	open = xcalloc(n + 1, sizeof(*open));
	n = 0;
	for (size_t i = 0; i < v->n_loops; i++)
		LIST_FOREACH(r, &v->loops[i].requests->open, link)
			if (!r->is_relayed)
				open[n++] = r;
	if (n > 0)
		qsort(open, n, sizeof(*open), compare_ages);
	admin_json_open(&a->out, "requests", '[');
	for (size_t i = 0; i < n; i++)
		if (admin_takes_row(a))
			add_request(&a->out, open[i], now_ms);
	admin_json_close(&a->out, ']');
	admin_add_left_out(a);
	free(open);
}
