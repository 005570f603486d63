/* SPDX-License-Identifier: ISC */
/*
 * What a service may do with an exchange.
 */
#include "front/http_exchange.h"

#include <assert.h>
#include <stdlib.h>

#include "base/xmalloc.h"
#include "front/http_int.h"
#include "net/conn.h"

struct http_exchange *
http_exchange_new(struct http_conn *h, const char *head, size_t len)
{
	struct http_exchange *x = xcalloc(1, sizeof(*x));

	x->conn = h;
	x->bytes = xmemdup(head, len);
	x->head_len = len;
	return x;
}

static void
release(void *arg)
{
	struct http_exchange *x = arg;

	buf_free(&x->body);
	free(x->forwarded);
	free(x->bytes);
	free(x);
}

/* Whoever called for its end may be in the midst of reading it. */
void
http_exchange_free(struct http_exchange *x)
{
	struct loop *loop = x->conn->server->loop;

	x->conn = NULL;
	loop_defer(loop, LOOP_FREE, &x->release, release, x);
}

const struct http_head *
http_exchange_head(const struct http_exchange *x)
{
	return &x->head;
}

const struct client *
http_exchange_client(const struct http_exchange *x)
{
	return x->forwarded != NULL ? x->forwarded : &x->conn->client;
}

const struct client *
http_exchange_peer(const struct http_exchange *x)
{
	return &x->conn->client;
}

const char *
http_exchange_body(const struct http_exchange *x, size_t *len)
{
	*len = x->body.len;
	return x->body.len > 0 ? x->body.data : "";
}

void
http_exchange_wait(struct http_exchange *x, void (*on_gone)(void *arg), void *arg)
{
	x->on_gone = on_gone;
	x->gone_arg = arg;
}

/* Behind a body that was not read, nobody knows where the next request begins. */
static struct http_answer_to
answer_to(const struct http_exchange *x, const struct http_answer *a)
{
	return (struct http_answer_to){
		.minor = x->head.minor,
		.is_head = http_text_equals(x->head.method, "HEAD"),
		.keep_alive = x->head.keep_alive && x->is_whole && !a->close &&
		    (a->goes_on || !x->conn->server->is_draining),
	};
}

void
http_exchange_answer(struct http_exchange *x, const struct http_answer *a)
{
	struct http_conn *h = x->conn;
	struct http_answer_to to;

	assert(h != NULL && h->exchange == x);
	to = answer_to(x, a);
	h->goes_on = a->goes_on;
	http_answer_write(conn_out(h->conn), h->server, a, &to);
	http_conn_answered(h, !to.keep_alive);
}

void
http_exchange_answer_file(struct http_exchange *x, const struct http_answer *a, int fd,
    uint64_t at, uint64_t len)
{
	struct http_conn *h = x->conn;
	struct http_file file = { .fd = fd, .at = at, .left = len };
	struct http_answer_to to;

	assert(h != NULL && h->exchange == x);
	to = answer_to(x, a);
	http_answer_write_head(conn_out(h->conn), h->server, a, len, &to);
	file.is_last = !to.keep_alive;
	if (to.is_head)
		file.left = 0;
	http_conn_send_file(h, &file);
}

void
http_exchange_refuse(struct http_exchange *x, int status, const char *extra, const char *text)
{
	struct http_answer a = http_answer_text(status, extra, text);

	http_exchange_answer(x, &a);
}

void
http_exchange_bind(struct http_exchange *x)
{
	http_conn_bind(x->conn);
}

struct conn *
http_exchange_take(struct http_exchange *x, char **rest, size_t *len)
{
	struct http_conn *h = x->conn;

	assert(h != NULL && h->exchange == x);
	*rest = h->in.data;
	*len = h->in.len;
	return http_conn_leave(h);
}
