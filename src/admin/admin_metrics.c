/* SPDX-License-Identifier: ISC */
/*
 * One function a family or a group of them: its HELP and TYPE, then its samples.
 */
#include "config.h"

#include "admin/admin_metrics.h"

#include <string.h>

#include "admin/admin_view.h"
#include "base/buf.h"
#include "base/compiler.h"
#include "conf/conf.h"
#include "front/qewd_front.h"
#include "link/link.h"
#include "link/link_set.h"
#include "link/remote.h"
#include "net/loop.h"
#include "request/request.h"
#include "worker/pool.h"

/* ---- the format ---- */

static void
begin_family(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_printf(b, "# HELP usher_%s %s\n# TYPE usher_%s %s\n", name, help, name, type);
}

/* A label's value: backslash, quote and line feed are escaped. */
static void
add_label(struct buf *b, char before, const char *name, const char *value)
{
	buf_printf(b, "%c%s=\"", before, name);
	for (const char *p = value; *p != '\0'; p++) {
		if (*p == '\\' || *p == '"')
			buf_add_char(b, '\\');
		if (*p == '\n')
			buf_add_str(b, "\\n");
		else
			buf_add_char(b, *p);
	}
	buf_add_char(b, '"');
}

static void
add_value(struct buf *b, uint64_t value)
{
	buf_add_char(b, ' ');
	buf_add_u64(b, value);
	buf_add_char(b, '\n');
}

static void
add_sample(struct buf *b, const char *name, const char *label, const char *label_value,
    uint64_t value)
{
	buf_printf(b, "usher_%s", name);
	add_label(b, '{', label, label_value);
	buf_add_char(b, '}');
	add_value(b, value);
}

static void
add_gauge(struct buf *b, const char *name, const char *help, uint64_t value)
{
	begin_family(b, name, "gauge", help);
	buf_printf(b, "usher_%s", name);
	add_value(b, value);
}

/* ---- the node ---- */

static void
count_client(const struct qewd_client_info *info, void *arg)
{
	uint64_t *n = arg;

	n[info->is_away]++;
}

static void
add_node(const struct admin_view *v, struct buf *b)
{
	uint64_t n_clients[2] = { 0 };

	begin_family(b, "build_info", "gauge", "version of the daemon, name of the node");
	buf_add_str(b, "usher_build_info");
	add_label(b, '{', "version", PACKAGE_VERSION);
	add_label(b, ',', "node", v->conf->node);
	buf_add_str(b, "} 1\n");
	begin_family(b, "start_time_seconds", "gauge", "when the node began, since 1970");
	buf_printf(b, "usher_start_time_seconds %lld.%03d\n",
	    (long long)(v->begun_wall_ms / 1000), (int)(v->begun_wall_ms % 1000));
	add_gauge(b, "draining", "1: no new messages are taken", v->state == ADMIN_DRAINING);
	qewd_front_each(v->front, count_client, n_clients);
	add_gauge(b, "sessions_open", "Socket.IO sessions that are connected", n_clients[0]);
	add_gauge(b, "sessions_away", "sessions that lost their connection and may come back",
	    n_clients[1]);
	add_gauge(b, "connections_open", "connections of any kind, worker processes included",
	    *loop_conns(v->loop));
	add_gauge(b, "requests_open", "requests that have not ended", v->requests->n_open);
}

static void
add_counters(const struct admin_view *v, struct buf *b)
{
	const struct metrics *m = loop_metrics(v->loop);

	for (int i = 0; i < METRIC_N; i++) {
		buf_printf(b, "# HELP usher_%s_total %s\n# TYPE usher_%s_total counter\n",
		    metrics_name(i), metrics_help(i), metrics_name(i));
		buf_printf(b, "usher_%s_total", metrics_name(i));
		add_value(b, m->value[i]);
	}
}

/* ---- destinations ---- */

/* Of a destination, or of one of its URLs. */
struct link_counts {
	uint64_t n, n_up, in_flight;
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

enum link_family { LINKS, LINKS_UP, LINK_REQUESTS };

static void
add_urls(struct buf *b, const char *name, enum link_family which, const char *destination,
    const struct link_set *s)
{
	const struct remote *r;

	for (size_t i = 0; (r = link_set_remote(s, i)) != NULL; i++) {
		struct link_counts counts = { 0 };

		if (is_repeated(s, i))
			continue;
		remote_each_link(r, count_link, &counts);
		buf_printf(b, "usher_%s", name);
		add_label(b, '{', "destination", destination);
		add_label(b, ',', "url", remote_url(r));
		buf_add_char(b, '}');
		add_value(b, which == LINKS ? counts.n : which == LINKS_UP ? counts.n_up :
		    counts.in_flight);
	}
}

static void
add_links(const struct admin_view *v, struct buf *b)
{
	static const struct {
		const char *name, *help;
	} family[] = {
		[LINKS] = { "links", "links to a URL of a destination, which others may share" },
		[LINKS_UP] = { "links_up", "those of them that are up" },
		[LINK_REQUESTS] = { "link_requests", "requests under way on them" },
	};
	const struct conf *conf = v->conf;

	for (size_t k = 0; k < ARRAY_LEN(family); k++) {
		begin_family(b, family[k].name, "gauge", family[k].help);
		for (size_t i = 0; i < conf->n_destinations; i++)
			add_urls(b, family[k].name, (enum link_family)k, conf->destinations[i].name,
			    v->link_sets[i]);
	}
}

enum destination_family { DESTINATION_UP, DESTINATION_QUEUE, DESTINATION_QUEUE_BYTES };

static uint64_t
destination_value(const struct link_set *s, enum destination_family which)
{
	uint64_t n, bytes, n_max;

	link_set_queue(s, &n, &bytes, &n_max);
	return which == DESTINATION_UP ? link_set_is_up(s) : which == DESTINATION_QUEUE ? n : bytes;
}

static void
add_destinations(const struct admin_view *v, struct buf *b)
{
	static const struct {
		const char *name, *help;
	} family[] = {
		[DESTINATION_UP] = { "destination_up", "1: a link to the destination is up" },
		[DESTINATION_QUEUE] = { "destination_queue_requests",
		    "requests that wait for a link" },
		[DESTINATION_QUEUE_BYTES] = { "destination_queue_bytes", "their bytes" },
	};
	const struct conf *conf = v->conf;

	for (size_t k = 0; k < ARRAY_LEN(family); k++) {
		begin_family(b, family[k].name, "gauge", family[k].help);
		for (size_t i = 0; i < conf->n_destinations; i++)
			if (conf->destinations[i].n_members == 0)
				add_sample(b, family[k].name, "destination",
				    conf->destinations[i].name, destination_value(
				    v->link_sets[i], (enum destination_family)k));
	}
}

/* ---- applications ---- */

static void
add_workers(struct buf *b, const struct pool_info *info)
{
	const struct {
		const char *state;
		unsigned n;
	} states[] = {
		{ "starting", info->n_starting }, { "idle", info->n_idle },
		{ "busy", info->n_busy }, { "unready", info->n_unready },
		{ "leaving", info->n_leaving },
	};

	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		buf_add_str(b, "usher_pool_workers");
		add_label(b, '{', "application", info->application);
		add_label(b, ',', "state", states[i].state);
		buf_add_char(b, '}');
		add_value(b, states[i].n);
	}
}

enum pool_family {
	POOL_WORKERS_MAX, POOL_FAILING, POOL_REQUESTS, POOL_QUEUE, POOL_QUEUE_BYTES,
	POOL_WORKERS_STARTED, POOL_WORKERS_LOST,
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
	default:
		return info->n_lost;
	}
}

static void
add_pools(const struct admin_view *v, struct buf *b)
{
	static const struct {
		const char *name, *type, *help;
	} family[] = {
		[POOL_WORKERS_MAX] = { "pool_workers_max", "gauge", "worker processes at most" },
		[POOL_FAILING] = { "pool_failing", "gauge",
		    "1: no worker is ready, and none is started for a while" },
		[POOL_REQUESTS] = { "pool_requests", "gauge", "requests at workers" },
		[POOL_QUEUE] = { "pool_queue_requests", "gauge", "requests waiting for a worker" },
		[POOL_QUEUE_BYTES] = { "pool_queue_bytes", "gauge", "their bytes" },
		[POOL_WORKERS_STARTED] = { "pool_workers_started_total", "counter",
		    "worker processes of the application started" },
		[POOL_WORKERS_LOST] = { "pool_workers_lost_total", "counter",
		    "those of them that ended unasked" },
	};
	struct pool_info info;

	begin_family(b, "pool_workers", "gauge", "worker processes by what they are doing");
	for (size_t i = 0; i < v->conf->n_applications; i++) {
		pool_describe(v->pools[i], &info);
		add_workers(b, &info);
	}
	for (size_t k = 0; k < ARRAY_LEN(family); k++) {
		begin_family(b, family[k].name, family[k].type, family[k].help);
		for (size_t i = 0; i < v->conf->n_applications; i++) {
			pool_describe(v->pools[i], &info);
			add_sample(b, family[k].name, "application", info.application,
			    pool_value(&info, (enum pool_family)k));
		}
	}
}

void
admin_metrics_write(const struct admin_view *v, struct buf *b)
{
	add_node(v, b);
	add_counters(v, b);
	add_destinations(v, b);
	add_links(v, b);
	add_pools(v, b);
}
