/* SPDX-License-Identifier: ISC */
/*
 * Cuts the stream of a worker into lines and decodes them.
 *
 * A line that lies in one read is decoded where it is; only the rest of a read is
 * kept until its line feed comes.
 */
#include "worker/handler_link.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "codec/handler_msg.h"
#include "net/conn.h"
#include "net/loop.h"

#define KEEP_BYTES 16384	/* of the line buffer between lines */

struct handler_link {
	struct loop *loop;
	struct conn *conn;		/* NULL: it has ended */
	size_t line_max;
	unsigned depth_max;
	struct buf line;		/* begun, without its end */
	const char *detail;
	const struct handler_link_events *ev;
	void *arg;
	struct loop_work release;
};

static void on_read(struct conn *, char *, size_t, void *);
static void on_close(struct conn *, enum err, void *);

static const struct conn_events conn_events = {
	.on_read = on_read,
	.on_close = on_close,
};

struct handler_link *
handler_link_new(struct loop *loop, int fd, size_t line_max, unsigned depth_max,
    const struct handler_link_events *ev, void *arg)
{
	struct handler_link *l = xcalloc(1, sizeof(*l));

	l->loop = loop;
	l->line_max = line_max;
	l->depth_max = depth_max;
	l->ev = ev;
	l->arg = arg;
	l->conn = conn_new(loop, fd, &conn_events, l);
	return l;
}

void
handler_link_send(struct handler_link *l, const struct buf *lines)
{
	if (l->conn != NULL)
		conn_send(l->conn, lines->data, lines->len);
}

struct buf *
handler_link_out(struct handler_link *l, size_t n)
{
	return conn_out_for(l->conn, n);
}

void
handler_link_touch(struct handler_link *l)
{
	conn_touch(l->conn);
}

void
handler_link_read_rest(struct handler_link *l)
{
	if (l->conn != NULL)
		conn_read_rest(l->conn);
}

void
handler_link_close(struct handler_link *l, enum err why)
{
	if (l->conn != NULL)
		conn_abort(l->conn, why);
}

static void
fail(struct handler_link *l, enum err e, const char *detail)
{
	l->detail = detail;
	handler_link_close(l, e);
}

static void
take_line(struct handler_link *l, const char *line, size_t len)
{
	struct handler_msg msg;

	if (len > l->line_max)
		fail(l, ERR_TOO_BIG, "line above limits.handler_message");
	else if (handler_msg_decode(&msg, line, len, l->depth_max) != 0)
		fail(l, ERR_BAD_LINE, msg.fault);
	else
		l->ev->on_msg(&msg, l->arg);
}

static void
on_read(struct conn *conn UNUSED, char *data, size_t len, void *arg)
{
	struct handler_link *l = arg;
	char *lf;

	while (len > 0 && l->conn != NULL) {
		size_t part;

		lf = memchr(data, '\n', len);
		part = lf != NULL ? (size_t)(lf - data) : len;
		if (lf != NULL && l->line.len == 0) {
			take_line(l, data, part);
		} else if (l->line.len + part > l->line_max) {
			fail(l, ERR_TOO_BIG, "line above limits.handler_message");
		} else {
			buf_add(&l->line, data, part);
			if (lf != NULL) {
				take_line(l, l->line.data, l->line.len);
				buf_reset(&l->line, KEEP_BYTES);
			}
		}
		if (lf == NULL)
			break;
		data += part + 1;
		len -= part + 1;
	}
}

static void
release(void *arg)
{
	struct handler_link *l = arg;

	buf_free(&l->line);
	free(l);
}

static void
on_close(struct conn *conn, enum err why, void *arg)
{
	struct handler_link *l = arg;

	/* Our last line was not even written. */
	if (why == ERR_PEER_GONE && conn_queued(conn) > 0)
		why = ERR_RESET;
	l->conn = NULL;
	l->ev->on_close(why, l->detail, l->arg);
	loop_defer(l->loop, LOOP_FREE, &l->release, release, l);
}
