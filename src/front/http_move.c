/* SPDX-License-Identifier: ISC */
/*
 * Connections that go to another loop, between two requests: a session is served where it began,
 * but its client, or a proxy in between, may have several connections.
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "front/admission.h"
#include "front/http_int.h"
#include "front/http_server.h"
#include "net/conn.h"

void
http_server_set_loops(struct http_server *s, const struct http_loops *loops)
{
	s->loops = loops;
}

/* The head was cut off: it is one with what came behind it again. */
static void
undo_exchange(struct http_conn *h)
{
	struct buf in = { 0 };

	buf_add(&in, h->exchange->bytes, h->exchange->head_len);
	if (h->in.len > 0)
		buf_add(&in, h->in.data, h->in.len);
	buf_free(&h->in);
	h->in = in;
	http_exchange_free(h->exchange);
	h->exchange = NULL;
}

static void
move(struct http_conn *h, unsigned to)
{
	const struct http_loops *loops = h->server->loops;
	struct http_move *m = xcalloc(1, sizeof(*m));
	struct conn *conn;

	log_debug_for("http", h->client.label, "goes to loop %u", to);
	metrics_inc(loop_metrics(h->server->loop), METRIC_CONNECTIONS_MOVED);
	m->client = h->client;
	m->len = h->in.len;
	m->bytes = buf_take(&h->in);
	conn = http_conn_leave(h);
	m->fd = conn_detach(conn, &m->tls);
	loops->move(to, m, loops->arg);
}

bool
http_conn_moves(struct http_conn *h)
{
	const struct http_loops *loops = h->server->loops;
	unsigned to;

	if (loops == NULL || (to = loops->owner(&h->exchange->head, loops->arg)) == loops->own)
		return false;
	undo_exchange(h);
	if (conn_queued(h->conn) > 0)
		http_conn_wait(h);
	else
		move(h, to);
	return true;
}

void
http_server_adopt(struct http_server *s, struct http_move *m)
{
	struct http_conn *h = http_conn_new(s, &m->client);

	buf_add(&h->in, m->bytes, m->len);
	http_conn_begin(h, conn_attach(s->loop, m->fd, m->tls, &http_conn_events, h));
	free(m->bytes);
	free(m);
	http_conn_advance(h);
}

void
http_move_abandon(struct http_move *m, struct admission *admission)
{
	admission_release(admission, m->client.address);
	conn_drop(m->fd, m->tls);
	free(m->bytes);
	free(m);
}
