/* SPDX-License-Identifier: ISC */
/*
 * HTTP/1.1 as far as pages and upgrades need it: GET and HEAD without a body, one
 * request after the other on a connection.
 */
#include "front/http_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "front/admission.h"
#include "front/client.h"
#include "front/eio_session.h"
#include "front/http_static.h"
#include "net/conn.h"
#include "net/loop.h"

struct http_conn {
	LIST_ENTRY(http_conn) link;
	struct http_server *server;
	struct conn *conn;
	struct client client;
	struct buf in;			/* a head that is not complete, or requests behind it */
	size_t scanned;
	bool is_last;			/* the answer under way is: close when it is out */
	bool is_in_head;		/* the timer is that of the head, not of idling */
	struct timer timer;
	struct loop_work release;
};

struct http_server {
	struct loop *loop;
	const struct conf *conf;
	struct admission *admission;
	struct eio_env *eio;
	uint64_t last_number;
	LIST_HEAD(, http_conn) conns;
};

/* An answer in the making. */
struct answer {
	int status;
	const char *type;		/* NULL: no body */
	const char *extra;		/* a header line with CR LF, or "" */
	const char *body;
	size_t len;
	bool is_head;			/* HEAD: headers alone */
	bool keep_alive;
};

static void on_read(struct conn *, char *, size_t, void *);
static void on_drained(struct conn *, void *);
static void on_close(struct conn *, enum err, void *);

static const struct conn_events conn_events = {
	.on_read = on_read,
	.on_drained = on_drained,
	.on_close = on_close,
};

struct http_server *
http_server_new(struct loop *loop, const struct conf *conf, struct admission *admission,
    struct eio_env *eio)
{
	struct http_server *s = xcalloc(1, sizeof(*s));

	s->loop = loop;
	s->conf = conf;
	s->admission = admission;
	s->eio = eio;
	LIST_INIT(&s->conns);
	return s;
}

void
http_server_free(struct http_server *s)
{
	struct http_conn *h, *next;

	if (s == NULL)
		return;
	for (h = LIST_FIRST(&s->conns); h != NULL; h = next) {
		next = LIST_NEXT(h, link);
		conn_abort(h->conn, ERR_STOPPING);
	}
	free(s);
}

static void
on_head_timeout(void *arg)
{
	struct http_conn *h = arg;

	conn_abort(h->conn, h->is_in_head ? ERR_HANDSHAKE_TIMEOUT : ERR_IDLE);
}

/* From the first byte, or from accepting: more bytes do not prolong it. */
static void
start_head_clock(struct http_conn *h)
{
	if (h->is_in_head)
		return;
	h->is_in_head = true;
	loop_timer_set(h->server->loop, &h->timer, h->server->conf->timeouts.http_head_ms,
	    on_head_timeout, h);
}

void
http_server_accept(struct http_server *s, const struct conf_listener *listener, int fd,
    const char *address, const char *address_port)
{
	const char *limit = admission_take(s->admission, address,
	    listener->audience != CONF_FOR_NODES);
	struct http_conn *h;

	if (limit != NULL) {
		metrics_inc(loop_metrics(s->loop), METRIC_CONNECTIONS_REFUSED);
		log_debug("conn", "%s: refused: %s reached", address_port, limit);
		close(fd);
		return;
	}
	h = xcalloc(1, sizeof(*h));
	h->server = s;
	snprintf(h->client.label, sizeof(h->client.label), "C-%llu %s",
	    (unsigned long long)++s->last_number, address_port);
	snprintf(h->client.address, sizeof(h->client.address), "%s", address);
	h->client.listener = listener;
	h->conn = conn_new(s->loop, fd, &conn_events, h);
	LIST_INSERT_HEAD(&s->conns, h, link);
	start_head_clock(h);
	log_debug_for("conn", h->client.label, "accepted on %s", listener->address);
}

static void
release(void *arg)
{
	struct http_conn *h = arg;

	buf_free(&h->in);
	free(h);
}

/* The connection is not ours any more. */
static void
forget(struct http_conn *h)
{
	LIST_REMOVE(h, link);
	loop_timer_stop(h->server->loop, &h->timer);
	h->conn = NULL;
	loop_defer(h->server->loop, LOOP_FREE, &h->release, release, h);
}

static void
on_close(struct conn *conn UNUSED, enum err why, void *arg)
{
	struct http_conn *h = arg;

	log_debug_for("conn", h->client.label, "closed: %s", err_text(why));
	admission_release(h->server->admission, h->client.address);
	forget(h);
}

/* ---- answers ---- */

static const char *
reason_of(int status)
{
	switch (status) {
	case 200: return "OK";
	case 400: return "Bad Request";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 413: return "Content Too Large";
	case 426: return "Upgrade Required";
	case 431: return "Request Header Fields Too Large";
	case 500: return "Internal Server Error";
	case 501: return "Not Implemented";
	case 503: return "Service Unavailable";
	case 505: return "HTTP Version Not Supported";
	default: return "Error";
	}
}

static void
send_answer(struct http_conn *h, const struct answer *a)
{
	struct buf *out = conn_out(h->conn);

	buf_printf(out, "HTTP/1.1 %d %s\r\nContent-Length: %zu\r\n%s", a->status,
	    reason_of(a->status), a->len, a->extra);
	if (a->type != NULL)
		buf_printf(out, "Content-Type: %s\r\nX-Content-Type-Options: nosniff\r\n", a->type);
	buf_add_str(out, a->keep_alive ? "\r\n" : "Connection: close\r\n\r\n");
	if (!a->is_head)
		buf_add(out, a->body, a->len);
	conn_touch(h->conn);
	metrics_inc(loop_metrics(h->server->loop), METRIC_HTTP_REQUESTS);
	if (!a->keep_alive) {
		h->is_last = true;
		loop_timer_stop(h->server->loop, &h->timer);
	}
}

/* A plain text that says what is wrong. */
static void
refuse(struct http_conn *h, int status, const char *extra, const char *text, bool is_head)
{
	struct answer a = { .status = status, .type = "text/plain; charset=utf-8", .extra = extra,
		.body = text, .len = strlen(text), .is_head = is_head };

	send_answer(h, &a);
}

static void
serve_file(struct http_conn *h, const struct http_head *head, bool is_head)
{
	const struct conf_static *file = http_static_find(h->server->conf, head->path);
	struct answer a = { .status = 200, .extra = "Cache-Control: no-cache\r\n",
		.is_head = is_head, .keep_alive = head->keep_alive };
	struct buf content = { 0 };

	if (file == NULL) {
		a.status = 404;
		a.type = "text/plain; charset=utf-8";
		a.body = "nothing is served at this path\n";
		a.len = strlen(a.body);
		send_answer(h, &a);
	} else if (!http_static_read(file, &content)) {
		log_warn_for(h->client.label, "static %s: %s", file->path, file->file);
		refuse(h, 500, "", "the file cannot be read\n", is_head);
	} else {
		a.type = http_static_type(file);
		a.body = content.data;
		a.len = content.len;
		send_answer(h, &a);
	}
	buf_free(&content);
}

/* ---- requests ---- */

static bool
is_for_socketio(const struct http_conn *h, const struct http_head *head)
{
	const char *path = h->server->conf->socketio.path;
	size_t len = strlen(path);

	return head->path.len >= len && memcmp(head->path.p, path, len) == 0;
}

static void
serve_socketio(struct http_conn *h, const struct http_head *head)
{
	struct eio_refusal refusal = { .extra = "" };
	struct conn *conn = h->conn;
	struct answer a;

	/* A session takes the connection, its place in the count and what came behind the head. */
	if (eio_accept(h->server->eio, &h->client, head, conn, h->in.data + head->bytes,
	    h->in.len - head->bytes, &refusal)) {
		forget(h);
		return;
	}
	a = (struct answer){ .status = refusal.status, .type = "application/json",
		.extra = refusal.extra, .body = refusal.body, .len = strlen(refusal.body) };
	send_answer(h, &a);
}

static void
on_request(struct http_conn *h, const struct http_head *head)
{
	bool is_head = http_text_is(head->method, "HEAD");

	log_debug_for("http", h->client.label, "%.*s %.*s", (int)head->method.len, head->method.p,
	    (int)head->path.len, head->path.p);
	/* A file inside the endpoint's path, such as the client script, is a file. */
	if (is_for_socketio(h, head) && http_static_find(h->server->conf, head->path) == NULL)
		serve_socketio(h, head);
	else if (!is_head && !http_text_is(head->method, "GET"))
		refuse(h, 405, "Allow: GET, HEAD\r\n", "only GET and HEAD are served\n", false);
	else if (head->is_chunked || head->content_length > 0)
		refuse(h, 413, "", "no request body is taken here\n", is_head);
	else
		serve_file(h, head, is_head);
}

static void
on_bad_head(struct http_conn *h, int status, const char *text)
{
	metrics_inc(loop_metrics(h->server->loop), METRIC_HTTP_BAD);
	log_debug_for("http", h->client.label, "refused: %s", text);
	refuse(h, status, "", text, false);
}

/* So many answers wait that no more requests are read until they are gone. */
static void
wait_for_reader(struct http_conn *h)
{
	conn_pause(h->conn);
	loop_timer_stop(h->server->loop, &h->timer);
	h->is_in_head = false;
}

/* An answer under way is watched by the connection; the idle time begins when it is out. */
static void
wait_for_request(struct http_conn *h)
{
	buf_free(&h->in);
	h->is_in_head = false;
	if (conn_queued(h->conn) > 0)
		loop_timer_stop(h->server->loop, &h->timer);
	else
		loop_timer_set(h->server->loop, &h->timer, h->server->conf->timeouts.idle_ms,
		    on_head_timeout, h);
}

/* Serve every request that is complete. */
static void
serve(struct http_conn *h)
{
	const struct conf *conf = h->server->conf;
	struct http_head head;
	size_t end;

	while (h->conn != NULL && !conn_is_closed(h->conn) && !h->is_last && h->in.len > 0) {
		if (conn_queued(h->conn) > conf->limits.send_queue) {
			wait_for_reader(h);
			return;
		}
		end = http_head_end(h->in.data, h->in.len, &h->scanned);
		if ((end == 0 ? h->in.len : end) > conf->limits.http_head) {
			on_bad_head(h, 431, "HTTP head above limits.http_head\n");
			return;
		}
		if (end == 0) {
			start_head_clock(h);
			return;
		}
		if (http_parse_request(&head, h->in.data, end) != 0) {
			on_bad_head(h, head.status, head.fault);
			return;
		}
		on_request(h, &head);
		if (h->conn == NULL || conn_is_closed(h->conn))
			return;
		buf_consume(&h->in, end);
		h->scanned = 0;
	}
	if (h->conn != NULL && !conn_is_closed(h->conn) && !h->is_last)
		wait_for_request(h);
}

static void
on_drained(struct conn *conn, void *arg)
{
	struct http_conn *h = arg;

	if (h->is_last) {
		conn_close(conn, ERR_NONE);
		return;
	}
	conn_resume(conn);
	serve(h);
}

static void
on_read(struct conn *conn UNUSED, char *data, size_t len, void *arg)
{
	struct http_conn *h = arg;

	if (h->is_last)
		return;
	buf_add(&h->in, data, len);
	serve(h);
}
