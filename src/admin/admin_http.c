/* SPDX-License-Identifier: ISC */
/*
 * A service of the HTTP server, which has a listener, limits and connections of its own: what
 * browsers do to the others does not keep the operator out.
 */
#include "config.h"

#include "admin/admin_http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admin/admin_json.h"
#include "admin/admin_metrics.h"
#include "admin/admin_page.h"
#include "admin/admin_routes.h"
#include "admin/admin_view.h"
#include "base/id.h"
#include "base/xmalloc.h"
#include "conf/conf.h"
#include "front/admission.h"
#include "front/http_exchange.h"
#include "front/http_server.h"
#include "net/listener.h"

#define PEERS_MAX 16	/* the server takes ADMISSION_CONNECTIONS times as many connections */

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define TEXT_TYPE    "text/plain; charset=utf-8"
#define HTML_TYPE    "text/html; charset=utf-8"
#define JSON_TYPE    "application/json; charset=utf-8"
#define EXTRA	     "Cache-Control: no-store\r\n"

struct admin_http {
	const struct admin_view *view;
	struct admission *admission;
	struct http_server *server;
	struct http_service service;
	struct listener *listener;
	struct conf_listener conf;	/* texts are borrowed from the configuration */
};

static bool is_for(const struct http_head *, const struct client *, void *);
static size_t on_head(struct http_exchange *, void *);
static void on_request(struct http_exchange *, void *);
static void show_page(struct http_exchange *, const struct admin_view *);
static void show_status(struct http_exchange *, const struct admin_view *);
static void show_metrics(struct http_exchange *, const struct admin_view *);
static void show_health(struct http_exchange *, const struct admin_view *);
static void show_readiness(struct http_exchange *, const struct admin_view *);
static void show_version(struct http_exchange *, const struct admin_view *);

static const struct page {
	const char *path;
	void (*show)(struct http_exchange *, const struct admin_view *);
	bool is_of_all;			/* it looks at all loops, which stand still meanwhile */
} pages[] = {
	{ "/", show_page, false },
	{ "/status.json", show_status, true },
	{ "/metrics", show_metrics, true },
	{ "/healthz", show_health, false },
	{ "/readyz", show_readiness, true },
	{ "/version", show_version, false },
};

static void
on_accept(int fd, const char *address, const char *address_port, void *arg)
{
	struct admin_http *h = arg;

	http_server_accept(h->server, &h->conf, NULL, fd, address, address_port);
}

struct admin_http *
admin_http_new(const struct admin_view *view, const struct conf_listener *conf,
    const struct listener_where *where, char **error)
{
	struct admin_http *h = xcalloc(1, sizeof(*h));

	h->view = view;
	h->conf = *conf;
	h->listener = listener_new(view->loop, where, on_accept, h, error);
	if (h->listener == NULL) {
		free(h);
		return NULL;
	}
	h->admission = admission_new(PEERS_MAX, PEERS_MAX);
	h->server = http_server_new(view->loop, view->conf, h->admission);
	h->service = (struct http_service){ .is_for = is_for, .on_head = on_head,
		.on_request = on_request, .arg = h };
	http_server_add(h->server, &h->service);
	return h;
}

void
admin_http_reload(struct admin_http *h, const struct conf *conf)
{
	h->conf = conf->admin.http;
	http_server_set_conf(h->server, conf);
}

struct listener *
admin_http_listener(struct admin_http *h)
{
	return h->listener;
}

const char *
admin_http_address(const struct admin_http *h)
{
	return listener_address(h->listener);
}

void
admin_http_free(struct admin_http *h)
{
	if (h == NULL)
		return;
	listener_free(h->listener);
	http_server_free(h->server);
	admission_free(h->admission);
	free(h);
}

/* ---- what is asked for ---- */

static const struct page *
find_page(struct http_text path)
{
	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		if (http_text_equals(path, pages[i].path))
			return &pages[i];
	return NULL;
}

static bool
is_for(const struct http_head *head UNUSED, const struct client *client UNUSED, void *arg UNUSED)
{
	return true;
}

/*
 * The name by which it was asked for is one of this host: a page of elsewhere whose name was
 * made to lead here would read the answers otherwise.
 */
static bool
is_local_name(const struct http_head *head)
{
	const struct http_text *host = http_find(head, "Host", NULL);
	size_t len;

	if (host == NULL)
		return true;	/* HTTP/1.0, which is no browser's */
	if (host->len > 0 && host->p[0] == '[')
		return host->len >= 5 && memcmp(host->p, "[::1]", 5) == 0;
	for (len = 0; len < host->len && host->p[len] != ':'; len++)
		;
	return (len == 9 && strncasecmp(host->p, "localhost", len) == 0) ||
	    (len > 4 && memcmp(host->p, "127.", 4) == 0 &&
	    memchr(host->p, '.', len) != NULL && strspn(host->p, "0123456789.") >= len);
}

static size_t
on_head(struct http_exchange *x, void *arg UNUSED)
{
	const struct http_head *head = http_exchange_head(x);

	if (!is_local_name(head))
		http_exchange_refuse(x, 403, NULL, "ask for this host by a loopback address, or "
		    "as localhost\n");
	else if (find_page(head->path) == NULL)
		http_exchange_refuse(x, 404, NULL, "there are /, /status.json, /metrics, /healthz, "
		    "/readyz and /version\n");
	else if (!http_text_equals(head->method, "GET") && !http_text_equals(head->method, "HEAD"))
		http_exchange_refuse(x, 405, "Allow: GET, HEAD\r\n", "only GET and HEAD\n");
	return 0;
}

static void
on_request(struct http_exchange *x, void *arg)
{
	const struct admin_http *h = arg;
	const struct page *page = find_page(http_exchange_head(x)->path);

	if (page->is_of_all)
		admin_hold(h->view);
	page->show(x, h->view);
	if (page->is_of_all)
		admin_release(h->view);
}

/* ---- pages ---- */

static void
answer(struct http_exchange *x, int status, const char *type, struct buf *body)
{
	struct http_answer a = { .status = status, .type = type, .extra = EXTRA,
		.body = buf_str(body), .len = body->len };

	http_exchange_answer(x, &a);
	buf_free(body);
}

/* The nonce is another each time: what gets into the page otherwise does not run. */
static void
show_page(struct http_exchange *x, const struct admin_view *v UNUSED)
{
	struct buf body = { 0 }, extra = { 0 };
	char nonce[33];

	id_hex(nonce, 16);
	admin_page_write(&body, nonce);
	buf_add_str(&extra, EXTRA);
	admin_page_add_policy(&extra, nonce);
	http_exchange_answer(x, &(struct http_answer){ .status = 200, .type = HTML_TYPE,
	    .extra = buf_str(&extra), .body = buf_str(&body), .len = body.len });
	buf_free(&body);
	buf_free(&extra);
}

static void
show_status(struct http_exchange *x, const struct admin_view *v)
{
	struct buf body = { 0 };

	admin_page_write_status(v, &body);
	answer(x, 200, JSON_TYPE, &body);
}

static void
show_metrics(struct http_exchange *x, const struct admin_view *v)
{
	struct buf body = { 0 };

	admin_metrics_write(v, &body);
	answer(x, 200, METRICS_TYPE, &body);
}

/* Whoever gets an answer sees that the loop turns. */
static void
show_health(struct http_exchange *x, const struct admin_view *v UNUSED)
{
	struct buf body = { 0 };

	buf_add_str(&body, "ok\n");
	answer(x, 200, TEXT_TYPE, &body);
}

static void
show_version(struct http_exchange *x, const struct admin_view *v)
{
	struct buf body = { 0 };

	buf_add_char(&body, '{');
	admin_json_text(&body, "name", PACKAGE_NAME);
	admin_json_text(&body, "version", PACKAGE_VERSION);
	admin_json_text(&body, "node", v->conf->node);
	buf_add_str(&body, "}\n");
	answer(x, 200, JSON_TYPE, &body);
}

/* ---- ready? ---- */

struct readiness {
	struct buf *lines;
	uint64_t n, n_served;		/* routes */
};

static void
look_at_route(const struct admin_route *r, void *arg)
{
	struct readiness *ready = arg;
	bool is_path = r->application == NULL;

	ready->n++;
	ready->n_served += r->why == NULL;
	buf_printf(ready->lines, "[%c] %s %s -> %s%s%s\n", r->why == NULL ? '+' : '-',
	    !is_path ? r->application : r->method != NULL ? r->method : "any", r->pattern,
	    r->destination != NULL ? r->destination : "as the path says",
	    r->why != NULL ? ": " : "", r->why != NULL ? r->why : "");
}

/*
 * Ready is who can serve at least one of its routes: with one remote node down, the others
 * must still be reached, and all masters see it down alike.
 */
static void
show_readiness(struct http_exchange *x, const struct admin_view *v)
{
	struct buf lines = { 0 }, body = { 0 };
	struct readiness ready = { .lines = &lines };
	struct http_text query = http_exchange_head(x)->query;
	const char *why = NULL;

	admin_routes_each(v, look_at_route, &ready);
	if (v->state == ADMIN_DRAINING)
		why = "draining";
	else if (ready.n > 0 && ready.n_served == 0)
		why = "nobody serves any of its routes";
	if (query.len > 0 && http_text_equals(query, "verbose"))
		buf_add(&body, lines.data, lines.len);
	buf_printf(&body, "%s%s\n", why != NULL ? "not ready: " : "ready", why != NULL ? why : "");
	buf_free(&lines);
	answer(x, why == NULL ? 200 : 503, TEXT_TYPE, &body);
}
