/* SPDX-License-Identifier: ISC */
/*
 * All clients of a front end: pushes to them, who they are, and how they are sent away.
 */
#include "front/qewd_front.h"

#include <string.h>
#include <sys/queue.h>

#include "base/strmap.h"
#include "codec/json_scan.h"
#include "codec/usher_member.h"
#include "conf/conf.h"
#include "front/gate.h"
#include "front/qewd_int.h"
#include "front/qewd_sids.h"
#include "front/sio_server.h"
#include "request/push.h"

#define PUSH_ROOM 100	/* around type and message */

/* ---- pushes ---- */

/* A client of plain events that has not registered as QEWD's do; NULL: it is none. */
static const char *
plain_application(const struct qewd_client *c)
{
	return c->sio != NULL && c->application == NULL ? sio_session_application(c->sio) : NULL;
}

/* To a client of plain events it is an event of its own name. */
static void
send_plain_push(struct qewd_client *c, const struct push *p)
{
	struct json_value type = { .kind = JSON_STRING, .end = (uint32_t)p->type_len };
	struct buf name = { 0 }, *b;

	json_string_get(p->type, type, &name);
	b = sio_session_begin_event(c->sio, buf_str(&name), name.len);
	buf_add(b, p->message, p->message_len);
	buf_free(&name);
	sio_session_end(c->sio, NULL);
	metrics_inc(gate_metrics(c->front->gate), METRIC_PUSHES);
}

static void
send_push(struct qewd_client *c, const struct push *p)
{
	struct buf kept = { 0 }, *b;

	if (plain_application(c) != NULL) {
		send_plain_push(c, p);
		return;
	}
	b = qewd_client_begin(c, &kept, p->type_len + p->message_len + PUSH_ROOM, false);
	buf_add_str(b, "{\"type\":");
	buf_add(b, p->type, p->type_len);
	buf_add_str(b, ",\"message\":");
	buf_add(b, p->message, p->message_len);
	if (c->is_proven) {
		buf_add_str(b, ",\"usher\":");
		usher_member_encode_push(b, &p->to, p->hops + 1);
	}
	buf_add_char(b, '}');
	qewd_client_end(c, &kept, NULL);
	metrics_inc(gate_metrics(c->front->gate), METRIC_PUSHES);
}

/* Nodes in front of us get all that is not for a socket here: they know their own clients. */
static bool
is_for(const struct qewd_client *c, const struct push_target *to)
{
	const char *plain = plain_application(c);

	if (c->is_proven)
		return !c->is_further;
	if (to->kind == PUSH_ALL)
		return true;
	if (to->kind != PUSH_APPLICATION)
		return false;
	if (plain != NULL)
		return strcmp(plain, to->text) == 0;
	return c->application != NULL && c->application_len == strlen(to->text) &&
	    memcmp(c->application, to->text, c->application_len) == 0;
}

void
qewd_front_push(const struct push *p, void *arg)
{
	struct qewd_front *f = arg;
	struct qewd_client *c, *next;

	if (p->hops > USHER_HOPS_MAX)
		return;
	c = p->to.kind == PUSH_SOCKET ? strmap_find(f->by_sid, p->to.text, strlen(p->to.text)) :
	    NULL;
	if (c != NULL) {
		send_push(c, p);
		return;
	}
	for (c = LIST_FIRST(&f->clients); c != NULL; c = next) {
		next = LIST_NEXT(c, link);	/* sending may close the session */
		if (is_for(c, &p->to))
			send_push(c, p);
	}
}

/* ---- for those who look on ---- */

static void
describe(const struct qewd_client *c, struct qewd_client_info *info)
{
	const char *plain = plain_application(c);

	*info = (struct qewd_client_info){
		.is_away = c->sio == NULL,
		.application = plain != NULL ? plain : c->application,
		.application_len = plain != NULL ? strlen(plain) : c->application_len,
		.node = c->node,
		.n_calls = qewd_client_n_calls(c),
	};
	if (c->sio != NULL) {
		info->n_calls += sio_session_describe(c->sio, &info->eio);
		info->mark = c->is_proven ? NULL : sio_session_mark(c->sio);
	} else {
		info->eio.sid = c->sids.sid[0];
	}
}

void
qewd_front_each(const struct qewd_front *f, void (*fn)(const struct qewd_client_info *, void *),
    void *arg)
{
	struct qewd_client_info info;
	const struct qewd_client *c;

	LIST_FOREACH(c, &f->clients, link) {
		describe(c, &info);
		fn(&info, arg);
	}
	LIST_FOREACH(c, &f->away, link) {
		describe(c, &info);
		fn(&info, arg);
	}
}

/* ---- sent away ---- */

/* As an error of this node, but the answer to nothing. */
static void
tell(struct qewd_client *c, enum err why)
{
	const struct gate *g = c->front->gate;
	struct buf *b = sio_session_begin(c->sio);

	buf_add_str(b, "{\"type\":\"error\",\"finished\":true,\"message\":{\"error\":");
	buf_add_json_string(b, err_text(why), strlen(err_text(why)));
	buf_printf(b, ",\"code\":\"%s\",\"status\":{\"code\":%d},\"disconnect\":true,\"by\":",
	    err_code(why), err_http_status(why));
	buf_add_json_string(b, g->conf->node, strlen(g->conf->node));
	buf_add_str(b, "}}");
	sio_session_end(c->sio, NULL);
}

static void
send_away(struct qewd_client *c, enum err why)
{
	if (why == ERR_SESSION_REVOKED && plain_application(c) == NULL)
		tell(c, why);
	/* Those of a session that may come back are kept for it. */
	if (why == ERR_SESSION_REVOKED)
		qewd_client_cancel_all(c);
	if (c->sio != NULL)
		sio_session_close(c->sio, why, NULL);
}

uint64_t
qewd_front_send_away(struct qewd_front *f, bool (*fits)(const struct qewd_client_info *, void *),
    void *arg, enum err why)
{
	struct qewd_client_info info;
	struct qewd_client *c, *next;
	uint64_t n = 0;

	for (c = LIST_FIRST(&f->clients); c != NULL; c = next) {
		next = LIST_NEXT(c, link);
		describe(c, &info);
		if (!fits(&info, arg))
			continue;
		send_away(c, why);
		n++;
	}
	return n;
}

void
qewd_front_close_all(struct qewd_front *f, enum err why)
{
	struct qewd_client *c, *next;

	while ((c = LIST_FIRST(&f->away)) != NULL || (c = LIST_FIRST(&f->forwarding)) != NULL)
		qewd_client_forget(c);
	for (c = LIST_FIRST(&f->clients); c != NULL; c = next) {
		next = LIST_NEXT(c, link);
		sio_session_close(c->sio, why, NULL);
	}
}

size_t
qewd_front_close_some(struct qewd_front *f, size_t n_max, enum err why)
{
	struct qewd_client *c, *next;
	size_t n_left = 0;

	for (c = LIST_FIRST(&f->clients); c != NULL; c = next) {
		next = LIST_NEXT(c, link);
		if (n_max == 0 || qewd_client_n_calls(c) > 0 ||
		    sio_session_n_named_calls(c->sio) > 0) {
			n_left++;
			continue;
		}
		n_max--;
		sio_session_close(c->sio, why, NULL);
	}
	return n_left;
}
