/* SPDX-License-Identifier: ISC */
/*
 * One HTTP connection: from bytes to requests, one after the other, each answered before the
 * next one is looked at.
 *
 * idle -> in head -> in body -> awaiting the answer -> idle, or ending.  A state has at most
 * one timer.  What a client sends ahead is kept up to AHEAD_MAX; then it is not read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "codec/proxy_v2.h"
#include "conf/conf.h"
#include "front/http_int.h"
#include "net/conn.h"
#include "net/tls.h"

#define AHEAD_MAX  16384	/* bytes behind a request that is being answered */
#define TLS_HANDSHAKE 0x16	/* how TLS begins, and no method of HTTP */
#define FILE_PIECE 262144	/* bytes of a file that are read at a time */

static const char *const state_name[] = {
	[HTTP_IDLE] = "idle",
	[HTTP_IN_HEAD] = "in a head",
	[HTTP_IN_BODY] = "in a body",
	[HTTP_AWAITING] = "awaiting an answer",
	[HTTP_SENDING] = "sending a file",
	[HTTP_ENDING] = "ending",
};

static void	 on_read(struct conn *, char *, size_t, void *);
static void	 on_drained(struct conn *, void *);
static void	 on_close(struct conn *, enum err, void *);
static void	 on_too_late(void *);
static void	 send_piece(struct http_conn *);

const struct conn_events http_conn_events = {
	.on_read = on_read,
	.on_drained = on_drained,
	.on_close = on_close,
};

/* How long it may last; 0: as long as it takes. */
static uint64_t
time_of(const struct http_conn *h, enum http_state state)
{
	const struct conf_timeouts *t = &h->server->conf->timeouts;

	switch (state) {
	case HTTP_IDLE:
		return conn_queued(h->conn) > 0 ? 0 : t->idle_ms;	/* it is reading */
	case HTTP_IN_HEAD:
		return t->http_head_ms;
	case HTTP_IN_BODY:
		return t->http_body_ms;
	default:
		return 0;
	}
}

/* The only place that assigns h->state. */
static void
set_state(struct http_conn *h, enum http_state next)
{
	uint64_t time_ms = time_of(h, next);

	if (h->state != next)
		log_debug_for("http", h->client.label, "%s -> %s", state_name[h->state],
		    state_name[next]);
	h->state = next;
	if (time_ms > 0)
		loop_timer_set(h->server->loop, &h->timer, time_ms, on_too_late, h);
	else
		loop_timer_stop(h->server->loop, &h->timer);
}

struct http_conn *
http_conn_new(struct http_server *s, const struct client *client)
{
	struct http_conn *h = xcalloc(1, sizeof(*h));

	h->server = s;
	h->client = *client;
	h->file.fd = -1;
	h->is_loose = true;
	atomic_fetch_add_explicit(loop_load(s->loop), 1, memory_order_relaxed);
	return h;
}

void
http_conn_begin(struct http_conn *h, struct conn *conn)
{
	h->conn = conn;
	conn_set_stall(conn, h->server->conf->timeouts.send_ms);
	LIST_INSERT_HEAD(&h->server->conns, h, link);
	set_state(h, HTTP_IN_HEAD);
}

void
http_conn_accept(struct http_server *s, const struct client *client, struct tls_server *tls, int fd)
{
	struct http_conn *h = http_conn_new(s, client);

	http_conn_begin(h, tls == NULL ? conn_new(s->loop, fd, &http_conn_events, h) :
	    conn_new_tls(s->loop, fd, tls_accept(tls), &http_conn_events, h));
}

void
http_conn_bind(struct http_conn *h)
{
	if (h->is_loose)
		atomic_fetch_sub_explicit(loop_load(h->server->loop), 1, memory_order_relaxed);
	h->is_loose = false;
}

void
http_conn_wait(struct http_conn *h)
{
	conn_pause(h->conn);
	set_state(h, HTTP_IDLE);
}

/* ---- ends ---- */

static void
release(void *arg)
{
	struct http_conn *h = arg;

	buf_free(&h->in);
	free(h);
}

static bool
is_open(const struct http_conn *h)
{
	return h->conn != NULL && !conn_is_closed(h->conn);
}

static void
drop_file(struct http_conn *h)
{
	if (h->file.fd >= 0)
		close(h->file.fd);
	h->file = (struct http_file){ .fd = -1 };
}

/* It was answered. */
static void
drop_exchange(struct http_conn *h)
{
	struct http_exchange *x = h->exchange;

	h->exchange = NULL;
	if (x != NULL)
		http_exchange_free(x);
}

/* It will not be answered by its service. */
static void
tell_gone(struct http_conn *h)
{
	struct http_exchange *x = h->exchange;

	if (x != NULL && x->on_gone != NULL)
		x->on_gone(x->gone_arg);
	drop_exchange(h);
}

struct conn *
http_conn_leave(struct http_conn *h)
{
	struct conn *conn = h->conn;

	LIST_REMOVE(h, link);
	http_conn_bind(h);
	loop_timer_stop(h->server->loop, &h->timer);
	drop_file(h);
	drop_exchange(h);
	h->conn = NULL;
	conn_resume(conn);
	loop_defer(h->server->loop, LOOP_FREE, &h->release, release, h);
	return conn;
}

static void
on_close(struct conn *conn, enum err why, void *arg)
{
	const char *fault = conn_fault(conn);
	struct http_conn *h = arg;

	log_debug_for("conn", h->client.label, "closed: %s%s%s", err_text(why),
	    fault != NULL ? ": " : "", fault != NULL ? fault : "");
	http_server_give_back(h->server, &h->client);
	tell_gone(h);
	http_conn_leave(h);
}

void
http_conn_stop(struct http_conn *h)
{
	if (h->exchange == NULL && conn_queued(h->conn) > 0)
		conn_close(h->conn, ERR_STOPPING);
	else
		conn_abort(h->conn, ERR_STOPPING);
}

/* ---- answers ---- */

void
http_conn_answered(struct http_conn *h, bool is_last)
{
	drop_exchange(h);
	conn_touch(h->conn);
	metrics_inc(loop_metrics(h->server->loop), METRIC_HTTP_REQUESTS);
	set_state(h, is_last ? HTTP_ENDING : HTTP_IDLE);
	if (is_last)
		buf_free(&h->in);
}

void
http_conn_send_file(struct http_conn *h, const struct http_file *file)
{
	drop_exchange(h);
	conn_touch(h->conn);
	h->file = *file;
	set_state(h, HTTP_SENDING);
	send_piece(h);
}

/* The next one goes when this one is written. */
static void
send_piece(struct http_conn *h)
{
	struct http_file *f = &h->file;
	size_t want = f->left < FILE_PIECE ? (size_t)f->left : FILE_PIECE;
	ssize_t n = 0;

	if (want > 0) {
		struct buf *out = conn_out(h->conn);

		do
			n = pread(f->fd, buf_reserve(out, want), want, (off_t)f->at);
		while (n < 0 && errno == EINTR);
		if (n <= 0) {
			/* It has become shorter; the client must not take it for whole. */
			conn_abort(h->conn, ERR_INTERNAL);
			return;
		}
		buf_used(out, (size_t)n);
		conn_touch(h->conn);
	}
	f->at += (uint64_t)n;
	f->left -= (uint64_t)n;
	if (f->left == 0) {
		bool is_last = f->is_last;

		drop_file(h);
		http_conn_answered(h, is_last);
	}
}

/*
 * This is no request, whether an exchange began or not: nothing behind it is looked at.  Where
 * only the body is wrong, there is a service, which knows who may read the answer.
 */
static void
refuse(struct http_conn *h, int status, const char *text)
{
	struct http_answer a = http_answer_text(status, NULL, text);
	struct http_answer_to to = { .minor = 1 };
	struct http_exchange *x = h->exchange;

	log_debug_for("http", h->client.label, "refused: %s", text);
	if (x != NULL && x->service != NULL && x->service->on_bad_body != NULL) {
		x->service->on_bad_body(x, status, text, x->service->arg);
		return;
	}
	to.is_head = x != NULL && http_text_equals(x->head.method, "HEAD");
	tell_gone(h);
	http_answer_write(conn_out(h->conn), h->server, &a, &to);
	http_conn_answered(h, true);
}

static void
refuse_malformed(struct http_conn *h, int status, const char *why)
{
	struct buf text = { 0 };

	metrics_inc(loop_metrics(h->server->loop), METRIC_HTTP_BAD);
	buf_printf(&text, "%s\n", why);
	refuse(h, status, buf_str(&text));
	buf_free(&text);
}

/* It would not understand a word of HTTP. */
static void
refuse_tls(struct http_conn *h)
{
	metrics_inc(loop_metrics(h->server->loop), METRIC_HTTP_BAD);
	log_debug_for("http", h->client.label, "TLS on an address without it: give %s a "
	    "certificate (listen[].tls), or connect with http:// or ws://",
	    h->client.listener->address);
	conn_close(h->conn, ERR_BAD_HTTP);
}

/* Four bytes of it are empty lines of HTTP as well, the fifth is none. */
static bool
is_proxy_header(const struct http_conn *h)
{
	size_t n = h->in.len < PROXY_V2_SIGN ? h->in.len : PROXY_V2_SIGN;

	return n > 4 && memcmp(h->in.data, proxy_v2_sign, n) == 0;
}

/* Anybody could say to be anybody. */
static void
refuse_proxy(struct http_conn *h)
{
	static struct log_limit limit = { .about = "PROXY headers of nobody trusted" };

	metrics_inc(loop_metrics(h->server->loop), METRIC_PROXY_REFUSED);
	if (log_allows(&limit))
		log_warnx_for(h->client.label, "refused: a header of the PROXY protocol, and the "
		    "address is not in listen[].trusted_proxies of %s", h->client.listener->address);
	conn_abort(h->conn, ERR_BAD_HTTP);
}

/* Who does not even begin is not told. */
static void
on_too_late(void *arg)
{
	struct http_conn *h = arg;

	if (h->state == HTTP_IDLE)
		conn_abort(h->conn, ERR_IDLE);
	else if (h->state == HTTP_IN_BODY)
		refuse(h, 408, "the body took longer than timeouts.http_body\n");
	else if (h->in.len > 0)
		refuse(h, 408, "the head took longer than timeouts.http_head\n");
	else
		conn_abort(h->conn, ERR_HANDSHAKE_TIMEOUT);
}

/* ---- requests ---- */

/* A body is announced, or begins to. */
static bool
has_body(const struct http_head *head)
{
	return head->is_chunked || head->content_length > 0;
}

/* All that is ever expected is "100-continue"; *has_any tells whether it is. */
static bool
expectation_is_known(const struct http_head *head, bool *has_any)
{
	size_t n_all, n_known = 0;

	http_find(head, "Expect", &n_all);
	for (size_t i = 0; i < head->n_fields; i++)
		if (http_text_is(head->field[i].name, "Expect") &&
		    http_text_is(head->field[i].value, "100-continue"))
			n_known++;
	*has_any = n_all > 0;
	return n_known == n_all;
}

static void
deliver(struct http_conn *h)
{
	struct http_exchange *x = h->exchange;

	x->is_whole = true;
	set_state(h, HTTP_AWAITING);
	x->service->on_request(x, x->service->arg);
}

/* The service takes a body of at most max bytes. */
static void
begin_body(struct http_conn *h, size_t max)
{
	struct http_exchange *x = h->exchange;
	bool is_waiting;

	if (max == 0) {
		refuse(h, 413, "no request body is taken here\n");
		return;
	}
	if (http_body_init(&x->decoder, &x->head, max) != ERR_NONE) {
		refuse(h, 413, "the body is above the limit\n");
		return;
	}
	if (expectation_is_known(&x->head, &is_waiting) && is_waiting && x->head.minor == 1 &&
	    h->in.len == 0)
		conn_send(h->conn, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	set_state(h, HTTP_IN_BODY);
}

/* A proxy asks for its clients, one after the other.  false: such are not served here. */
static bool
find_client(const struct http_conn *h, struct http_exchange *x)
{
	if (!h->client.is_trusted)
		return true;	/* looked at when it came in */
	x->forwarded = xmemdup(&h->client, sizeof(h->client));
	client_set_forwarded(x->forwarded, &x->head);
	return client_may_come_in(x->forwarded);
}

static void
on_head(struct http_conn *h, struct http_exchange *x)
{
	bool has_any;
	size_t max;

	log_debug_for("http", h->client.label, "%.*s %.*s", (int)x->head.method.len,
	    x->head.method.p, (int)x->head.path.len, x->head.path.p);
	x->is_whole = !has_body(&x->head);
	if (!find_client(h, x)) {
		http_exchange_refuse(x, 403, NULL, "only nodes are served here\n");
		return;
	}
	if (!expectation_is_known(&x->head, &has_any)) {
		http_exchange_refuse(x, 417, NULL, "only 100-continue may be expected\n");
		return;
	}
	x->service = http_server_find(h->server, &x->head, http_exchange_client(x));
	max = x->service->on_head(x, x->service->arg);
	if (h->exchange != x)
		return;		/* answered, or the connection was taken */
	if (x->is_whole)
		deliver(h);
	else
		begin_body(h, max);
}

/* False: nothing more to do for now, as in the next ones. */
static bool
take_head(struct http_conn *h)
{
	const struct conf_limits *limits = &h->server->conf->limits;
	size_t end;

	if (h->in.len == 0)
		return false;
	if (h->in.data[0] == TLS_HANDSHAKE) {
		refuse_tls(h);
		return false;
	}
	if (h->in.data[0] == '\r' && is_proxy_header(h)) {
		refuse_proxy(h);
		return false;
	}
	if (conn_queued(h->conn) > limits->send_queue) {
		/* No more requests while so many answers wait to be read. */
		http_conn_wait(h);
		return false;
	}
	end = http_head_end(h->in.data, h->in.len, &h->scanned);
	if ((end == 0 ? h->in.len : end) > limits->http_head) {
		refuse_malformed(h, 431, "HTTP head above limits.http_head");
		return false;
	}
	if (end == 0) {
		if (h->state != HTTP_IN_HEAD)
			set_state(h, HTTP_IN_HEAD);
		return false;
	}
	h->exchange = http_exchange_new(h, h->in.data, end);
	buf_consume(&h->in, end);
	h->scanned = 0;
	if (http_parse_request(&h->exchange->head, h->exchange->bytes, end) != ERR_NONE)
		refuse_malformed(h, h->exchange->head.status, h->exchange->head.fault);
	else if (http_conn_moves(h))
		return false;
	else
		on_head(h, h->exchange);
	return true;
}

static bool
take_body(struct http_conn *h)
{
	struct http_exchange *x = h->exchange;
	size_t used;
	enum err err;

	if (h->in.len == 0)
		return false;
	err = http_body_feed(&x->decoder, h->in.data, h->in.len, &used, &x->body);
	buf_consume(&h->in, used);
	if (err == ERR_BAD_HTTP)
		refuse_malformed(h, 400, x->decoder.fault);
	else if (err != ERR_NONE)
		refuse(h, 413, "the body is above the limit\n");
	else if (http_body_is_complete(&x->decoder))
		deliver(h);
	return true;
}

static bool
step(struct http_conn *h)
{
	switch (h->state) {
	case HTTP_IDLE:
	case HTTP_IN_HEAD:
		return take_head(h);
	case HTTP_IN_BODY:
		return take_body(h);
	case HTTP_AWAITING:
	case HTTP_SENDING:
		if (h->in.len > AHEAD_MAX)
			conn_pause(h->conn);
		return false;
	case HTTP_ENDING:
		return false;
	}
	return false;
}

/* As far as what was read goes.  Answers given meanwhile do not call for it again. */
void
http_conn_advance(struct http_conn *h)
{
	if (h->is_advancing)
		return;
	h->is_advancing = true;
	while (is_open(h) && step(h))
		;
	h->is_advancing = false;
	if (h->in.len == 0)
		buf_free(&h->in);
}

static void
on_read(struct conn *conn UNUSED, char *data, size_t len, void *arg)
{
	struct http_conn *h = arg;

	if (h->state == HTTP_ENDING)
		return;
	buf_add(&h->in, data, len);
	http_conn_advance(h);
}

/* An answer that came later lets the requests behind it go on here, when it is written. */
static void
on_drained(struct conn *conn, void *arg)
{
	struct http_conn *h = arg;

	switch (h->state) {
	case HTTP_ENDING:
		conn_close(conn, ERR_NONE);
		break;
	case HTTP_SENDING:
		send_piece(h);
		break;
	case HTTP_IDLE:
	case HTTP_IN_HEAD:
		conn_resume(conn);
		if (h->state == HTTP_IDLE)
			set_state(h, HTTP_IDLE);	/* from now on */
		http_conn_advance(h);
		break;
	default:
		break;
	}
}
