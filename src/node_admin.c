/* SPDX-License-Identifier: ISC */
/*
 * The commands of the admin socket that are about the node as a whole.
 */
#include <stdio.h>
#include <stdlib.h>

#include "admin/admin_actions.h"
#include "admin/admin_command.h"
#include "admin/admin_json.h"
#include "admin/admin_memory.h"
#include "admin/admin_trace.h"
#include "base/log.h"
#include "conf/conf.h"
#include "node_int.h"
#include "node_upgrade.h"
#include "request/override.h"
#include "token/revoked.h"

static struct node *
node_of(const struct admin_ask *a)
{
	return (struct node *)((char *)(uintptr_t)a->view - offsetof(struct node, admin_view));
}

static void
log_ask(const struct admin_ask *a, const char *what)
{
	char who[ADMIN_WHO_MAX];

	admin_who_text(&a->who, who);
	log_info("%s: asked for by %s", what, who);
}

/* false: refused. */
static bool
may_act(struct admin_ask *a)
{
	const struct node *n = node_of(a);

	if (n->state == NODE_SERVING && n->dev == NULL)
		return true;
	admin_refuse(a, "not_now", n->dev != NULL ? "usherd --dev has no configuration of its own" :
	    "the node is stopping");
	return false;
}

static void
on_reload_gone(struct admin_ask *a)
{
	node_reload_forget(node_of(a), a);
}

static void
on_reloaded(const char *fault, void *arg)
{
	struct admin_ask *a = arg;

	a->on_gone = NULL;
	if (fault != NULL) {
		admin_refuse(a, "bad_configuration", "nothing has changed: %s", fault);
		return;
	}
	admin_json_text(&a->out, "text", "the new configuration is in force");
	admin_json_text(&a->out, "configuration", node_of(a)->conf->path);
	admin_done(a);
}

void
admin_reload(struct admin_ask *a)
{
	if (!may_act(a))
		return;
	log_ask(a, "reload");
	a->on_gone = on_reload_gone;
	node_reload_begin(node_of(a), on_reloaded, a);
}

void
admin_drain(struct admin_ask *a)
{
	struct node *n = node_of(a);

	if (a->n_args > 0) {
		admin_drain_destination(a);
		return;
	}
	if (n->state != NODE_SERVING) {
		admin_refuse(a, "not_now", "the node is stopping");
		return;
	}
	log_ask(a, "drain");
	admin_json_text(&a->out, "text", "the node drains, and stops");
	admin_done(a);
	node_drain(n);
}

static void
on_upgrade_gone(struct admin_ask *a)
{
	node_upgrade_forget(node_of(a), a);
}

/* The new process knows the files alone: who asks hears of what it does not know. */
static void
say_upgraded(struct admin_ask *a, int pid)
{
	const struct admin_view *v = a->view;
	bool is_set = overrides_get(v->overrides, 0) != NULL || v->memory->n_log > 0;
	bool is_revoked = v->conf->jwt.revoked_file == NULL && revoked_count(v->revoked) > 0;
	char text[384];

	snprintf(text, sizeof(text), "the new usherd serves, and this one drains%s%s%s",
	    is_set ? "; what was set here at run time is not set there" : "",
	    is_revoked ? "; what was revoked here is not revoked there, since there is no "
	    "jwt.revoked_file" : "",
	    admin_trace_is_on(v) ? "; traces go on here, and show nothing of the new one" : "");
	admin_json_text(&a->out, "text", text);
	admin_json_u64(&a->out, "pid", (uint64_t)pid);
}

static void
on_upgraded(const char *fault, int pid, void *arg)
{
	struct admin_ask *a = arg;

	a->on_gone = NULL;
	if (fault != NULL) {
		admin_refuse(a, "not_upgraded", "this usherd goes on: %s", fault);
		return;
	}
	say_upgraded(a, pid);
	admin_done(a);
}

void
admin_upgrade(struct admin_ask *a)
{
	if (!may_act(a))
		return;
	log_ask(a, "upgrade");
	a->on_gone = on_upgrade_gone;
	node_upgrade_begin(node_of(a), on_upgraded, a);
}
