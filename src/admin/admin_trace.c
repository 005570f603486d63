/* SPDX-License-Identifier: ISC */
/*
 * The command that follows requests while they happen, on all loops.
 *
 * Each loop looks at the list of traces when something happens to one of its requests, and posts
 * a line to the admin's loop for each that asked for it.  The list changes only while all loops
 * are held, so a trace that has ended is marked and freed later.
 */
#include "admin/admin_trace.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "admin/admin_command.h"
#include "admin/admin_json.h"
#include "admin/admin_memory.h"
#include "admin/admin_view.h"
#include "base/clock.h"
#include "base/xmalloc.h"
#include "codec/envelope.h"
#include "codec/json_splice.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "request/request.h"
#include "request/reply.h"

#define SID_SHOWN   8		/* as in the list of sessions */
#define TYPE_SHOWN  128
#define UNTOLD_MAX  1000	/* lines under way between loops */

struct admin_trace {
	LIST_ENTRY(admin_trace) link;
	struct loop *loop;		/* the admin's; a view is not to be read on others */
	struct admin_ask *ask;		/* that loop's alone; NULL: over */
	char *session, *type;		/* asked for; NULL: any */
	bool has_payloads;
	atomic_bool is_over;
	atomic_uint n_untold;		/* lines that are under way */
	atomic_ulong n_dropped;		/* since the last line that was told */
};

/* A line on its way to the admin's loop. */
struct told {
	struct admin_trace *trace;
	struct buf members;
};

static void on_sight(const struct request *, enum request_sight, const struct reply *, void *);

/* ---- the command ---- */

static void
look_on(const struct admin_view *v, bool looks)
{
	struct request_watch *watch = &v->memory->watch;

	*watch = (struct request_watch){ .on_sight = on_sight, .arg = v->memory };
	for (size_t i = 0; i < v->n_loops; i++)
		v->loops[i].requests->watch = looks ? watch : NULL;
}

static void
trace_free(struct admin_trace *t)
{
	LIST_REMOVE(t, link);
	free(t->session);
	free(t->type);
	free(t);
}

void
admin_trace_sweep(const struct admin_view *v)
{
	struct admin_trace *t, *next;

	if (v->memory == NULL || LIST_EMPTY(&v->memory->traces))
		return;
	for (t = LIST_FIRST(&v->memory->traces); t != NULL; t = next) {
		next = LIST_NEXT(t, link);
		if (t->is_over && t->n_untold == 0)
			trace_free(t);
	}
	if (LIST_EMPTY(&v->memory->traces))
		look_on(v, false);
}

bool
admin_trace_is_on(const struct admin_view *v)
{
	const struct admin_trace *t;

	LIST_FOREACH(t, &v->memory->traces, link)
		if (!t->is_over)
			return true;
	return false;
}

void
admin_trace_cleanup(struct admin_memory *m)
{
	struct admin_trace *t;

	while ((t = LIST_FIRST(&m->traces)) != NULL)
		trace_free(t);
}

static void
on_gone(struct admin_ask *a)
{
	struct admin_trace *t = a->own;

	t->ask = NULL;
	t->is_over = true;
}

void
admin_trace(struct admin_ask *a)
{
	const char *session = a->option[ADMIN_OPT_SESSION], *type = a->option[ADMIN_OPT_TYPE];
	bool has_payloads = a->option[ADMIN_OPT_PAYLOADS] != NULL;
	struct admin_trace *t;

	if (has_payloads && !a->view->conf->admin.trace_payloads) {
		admin_refuse(a, "not_allowed", "payloads are not shown, since the configuration "
		    "has no admin.trace_payloads: true");
		return;
	}
	t = xcalloc(1, sizeof(*t));
	t->loop = a->view->loop;
	t->ask = a;
	t->session = session != NULL ? xstrdup(session) : NULL;
	t->type = type != NULL ? xstrdup(type) : NULL;
	t->has_payloads = has_payloads;
	LIST_INSERT_HEAD(&a->view->memory->traces, t, link);
	look_on(a->view, true);
	a->own = t;
	a->on_gone = on_gone;
	admin_json_text(&a->out, "event", "following");
	admin_more(a);
}

/* ---- on the loop of the request ---- */

static bool
is_asked_for(const struct admin_trace *t, const struct request *r)
{
	size_t len;

	if (t->is_over)
		return false;
	if (t->session != NULL && strncmp(r->client_socket, t->session, strlen(t->session)) != 0)
		return false;
	if (t->type == NULL)
		return true;
	len = strlen(t->type);
	if (len > 0 && t->type[len - 1] == '*')
		return r->type_len >= len - 1 && memcmp(r->type, t->type, len - 1) == 0;
	return r->type_len == len && memcmp(r->type, t->type, len) == 0;
}

/* What was sent, without its token. */
static void
add_payload(struct buf *out, const struct request *r, const struct reply *reply)
{
	static const struct json_edit none[] = { { .name = ENV_TOKEN }, { .name = ENV_USHER } };
	size_t begin = out->len;

	buf_add_str(out, ",\"payload\":");
	if (reply == NULL)
		json_splice_add(out, r->env.text, &r->env.top, &envelope_names, none, 2);
	else if (reply->body != NULL)
		json_splice_add(out, reply->text, reply->body, &envelope_names, none, 2);
	else if (reply->message.kind != JSON_NONE)
		buf_add(out, reply->text + reply->message.start,
		    reply->message.end - reply->message.start);
	else
		buf_add_str(out, "null");
	admin_json_one_line(out, begin);
}

static const char *
event_name(enum request_sight sight)
{
	switch (sight) {
	case REQUEST_SUBMITTED:
		return "request";
	case REQUEST_REPLIED:
		return "intermediate";
	default:
		return "final";
	}
}

static void
write_members(struct buf *out, const struct admin_trace *t, const struct request *r,
    enum request_sight sight, const struct reply *reply)
{
	admin_json_u64(out, "at_ms", (uint64_t)clock_wall_ms());
	admin_json_text(out, "event", event_name(sight));
	admin_json_text(out, "request", r->name);
	admin_json_bytes(out, "type", r->type, r->type_len < TYPE_SHOWN ? r->type_len : TYPE_SHOWN);
	admin_json_bytes(out, "session", r->client_socket, strnlen(r->client_socket, SID_SHOWN));
	admin_json_text(out, "destination", r->destination != NULL ? r->destination->name : NULL);
	admin_json_text(out, "at", r->server);
	admin_json_u64(out, "age_ms", clock_mono_ms() - r->begun_ms);
	admin_json_u64(out, "bytes", reply == NULL ? r->env.len :
	    reply->message.end - reply->message.start);
	admin_json_text(out, "code", reply == NULL || !reply->is_error ? NULL :
	    reply->err != 0 ? err_code(reply->err) : "answered_error");
	if (t->has_payloads)
		add_payload(out, r, reply);
}

/* ---- on the admin's loop ---- */

static void
on_told(void *arg)
{
	struct told *told = arg;
	struct admin_trace *t = told->trace;
	unsigned long n_dropped;

	t->n_untold--;
	if (t->ask != NULL && admin_is_slow(t->ask)) {
		t->n_dropped++;
	} else if (t->ask != NULL) {
		buf_add(&t->ask->out, told->members.data, told->members.len);
		if ((n_dropped = atomic_exchange(&t->n_dropped, 0)) > 0)
			admin_json_u64(&t->ask->out, "dropped", n_dropped);
		admin_more(t->ask);
	}
	buf_free(&told->members);
	free(told);
}

/* Always by a post: whatever ends a request may be up the stack of the admin as well. */
static void
tell(struct admin_trace *t, const struct request *r, enum request_sight sight,
    const struct reply *reply)
{
	struct told *told;

	if (t->n_untold >= UNTOLD_MAX) {
		t->n_dropped++;
		return;
	}
	told = xcalloc(1, sizeof(*told));
	told->trace = t;
	write_members(&told->members, t, r, sight, reply);
	t->n_untold++;
	loop_post(t->loop, on_told, told);
}

static void
on_sight(const struct request *r, enum request_sight sight, const struct reply *reply, void *arg)
{
	struct admin_memory *m = arg;
	struct admin_trace *t;

	LIST_FOREACH(t, &m->traces, link)
		if (is_asked_for(t, r))
			tell(t, r, sight, reply);
}
