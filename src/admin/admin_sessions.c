/* SPDX-License-Identifier: ISC */
/*
 * Sending sessions away: kick closes them, revoke keeps them away.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "admin/admin_command.h"
#include "admin/admin_json.h"
#include "admin/admin_revoked.h"
#include "admin/admin_view.h"
#include "base/address.h"
#include "base/clock.h"
#include "base/log.h"
#include "conf/conf.h"
#include "front/qewd_front.h"
#include "request/request.h"
#include "token/revoked.h"
#include "token/token_cache.h"

#define SID_MIN	 8		/* letters of a sid that name it, which is what is shown of one */
#define TIME_LEN 20		/* "2026-11-22T09:00:00Z" */

/* ---- kick ---- */

/* Whom it is about; one of them is set. */
struct target {
	const char *user;
	const char *name;			/* a sid, or the first letters of one; or a jti */
	char address[ADDRESS_TEXT_MAX];		/* "": it is none */
};

static bool
is_same(const char *a, const char *b)
{
	return a != NULL && strcmp(a, b) == 0;
}

static bool
fits_target(const struct qewd_client_info *info, void *arg)
{
	const struct target *t = arg;
	size_t len;

	if (t->user != NULL)
		return info->mark != NULL && is_same(info->mark->user, t->user);
	if (t->address[0] != '\0')
		return is_same(info->eio.address, t->address);
	if (info->mark != NULL && is_same(info->mark->jti, t->name))
		return true;
	len = strlen(t->name);
	return len >= SID_MIN && strncmp(info->eio.sid, t->name, len) == 0;
}

void
admin_kick(struct admin_ask *a)
{
	struct target t = { .user = a->option[ADMIN_OPT_USER], .name = a->arg[0] };
	char who[ADMIN_WHO_MAX];
	uint64_t n = 0;

	if ((t.user != NULL) == (t.name != NULL)) {
		admin_refuse(a, "bad_request", "kick: whom?  Name a session, an address, a jti, or "
		    "a user with --user");
		return;
	}
	if (t.user != NULL && a->view->conf->jwt.user_claim == NULL) {
		admin_refuse(a, "not_configured", "kick: which claim names a user is not "
		    "configured: set jwt.user_claim");
		return;
	}
	if (t.name != NULL && !address_parse(t.name, strlen(t.name), t.address))
		t.address[0] = '\0';
	for (size_t i = 0; i < a->view->n_loops; i++)
		n += qewd_front_send_away(a->view->loops[i].front, fits_target, &t, ERR_KICKED);
	if (n == 0) {
		admin_refuse(a, "not_found", "kick: no such session is connected");
		return;
	}
	admin_who_text(&a->who, who);
	log_info("%s: kick: %" PRIu64 " sessions closed", who, n);
	admin_json_u64(&a->out, "closed", n);
	admin_done(a);
}

/* ---- revoke: what is revoked ---- */

static void
add_time(struct buf *out, const char *name, int64_t seconds)
{
	char text[TIME_LEN + 1];
	time_t time = (time_t)seconds;
	struct tm tm;

	if (gmtime_r(&time, &tm) == NULL || strftime(text, sizeof(text), "%FT%TZ", &tm) == 0)
		text[0] = '\0';
	admin_json_text(out, name, text[0] != '\0' ? text : NULL);
}

static void
add_entry(const struct revoked_entry *e, void *arg)
{
	struct admin_ask *a = arg;

	if (!admin_takes_row(a))
		return;
	admin_json_open(&a->out, NULL, '{');
	admin_json_text(&a->out, "kind", revoked_kind_name(e->kind));
	admin_json_text(&a->out, "name", e->name);
	if (e->before_s != INT64_MAX)
		add_time(&a->out, "before", e->before_s);
	else
		admin_json_text(&a->out, "before", NULL);
	add_time(&a->out, "since", e->since_s);
	add_time(&a->out, "until", e->until_s);
	admin_json_text(&a->out, "who", e->who);
	admin_json_close(&a->out, '}');
}

void
admin_sessions_add_status(struct admin_ask *a)
{
	revoked_forget_old(a->view->revoked, clock_wall_ms() / 1000);
	admin_json_u64(&a->out, "revoked", revoked_count(a->view->revoked));
}

static void
show_revoked(struct admin_ask *a)
{
	revoked_forget_old(a->view->revoked, clock_wall_ms() / 1000);
	admin_json_open(&a->out, "revoked", '[');
	revoked_each(a->view->revoked, add_entry, a);
	admin_json_close(&a->out, ']');
	admin_add_left_out(a);
	admin_done(a);
}

/* ---- revoke: one more ---- */

/* "now", "2026-11-22T09:00:00Z" or seconds since 1970; false: neither, or not yet. */
static bool
parse_time(const char *text, int64_t now_s, int64_t *seconds)
{
	struct tm tm = { 0 };
	const char *rest;
	char *end;

	if (strcmp(text, "now") == 0) {
		*seconds = now_s + 1;	/* times in tokens are whole seconds: this one included */
		return true;
	}
	if (strlen(text) == TIME_LEN && (rest = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm)) != NULL &&
	    *rest == '\0')
		*seconds = (int64_t)timegm(&tm);
	else if (text[0] >= '0' && text[0] <= '9' && strlen(text) < 15)
		*seconds = strtoll(text, &end, 10);
	else
		return false;
	return (strlen(text) == TIME_LEN || *end == '\0') && *seconds <= now_s + 1;
}

/* What is wrong with the question; NULL: nothing. */
static const char *
fault_of(const struct admin_ask *a, const struct revoked_entry *e)
{
	if (e->kind == REVOKED_USER && a->view->conf->jwt.user_claim == NULL)
		return "which claim names a user is not configured: set jwt.user_claim";
	if (e->kind == REVOKED_BEFORE && e->before_s == INT64_MAX)
		return "a time is \"now\", such as \"2026-11-22T09:00:00Z\", or seconds since "
		    "1970; and it has been";
	if (e->kind != REVOKED_BEFORE && (a->arg_len[1] == 0 || a->arg_len[1] > REVOKED_NAME_MAX ||
	    strlen(a->arg[1]) != a->arg_len[1]))
		return "a name must have 1 to 1024 bytes";
	return NULL;
}

/* false: refused. */
static bool
read_entry(struct admin_ask *a, int64_t now_s, struct revoked_entry *e)
{
	const char *fault = "what?  \"jti ID\", \"user NAME\" or \"before TIME\"";

	*e = (struct revoked_entry){ .name = a->arg[1], .before_s = INT64_MAX, .since_s = now_s,
		.until_s = now_s + (int64_t)a->view->conf->jwt.revoked_keep_s };
	admin_who_text(&a->who, e->who);
	if (a->n_args == 2 && revoked_kind_find(a->arg[0], &e->kind)) {
		if (e->kind == REVOKED_USER)
			e->before_s = now_s + 1;	/* as "now" */
		else if (e->kind == REVOKED_BEFORE && !parse_time(a->arg[1], now_s, &e->before_s))
			e->before_s = INT64_MAX;
		fault = fault_of(a, e);
	}
	if (fault != NULL)
		admin_refuse(a, "bad_request", "revoke: %s", fault);
	return fault == NULL;
}

static bool
is_revoked_request(struct request *r, void *arg)
{
	return r->token != NULL && token_cache_is_revoked(arg, r->token);
}

static bool
is_revoked_client(const struct qewd_client_info *info, void *arg)
{
	return info->mark != NULL && revoked_has(arg, info->mark);
}

/* Sockets are told last: their own open requests are answered first. */
void
admin_enforce_revoked(const struct admin_view *v, int64_t now_s, struct admin_revoked_count *count)
{
	*count = (struct admin_revoked_count){ 0 };
	for (size_t i = 0; i < v->n_loops; i++) {
		const struct admin_loop *l = &v->loops[i];

		jwt_issue_from(token_cache_ring(l->tokens), now_s + 1);
		count->n_requests += requests_end(l->requests, is_revoked_request, l->tokens,
		    ERR_SESSION_REVOKED);
	}
	for (size_t i = 0; i < v->n_loops; i++)
		count->n_clients += qewd_front_send_away(v->loops[i].front, is_revoked_client,
		    v->revoked, ERR_SESSION_REVOKED);
	log_info("%" PRIu64 " sessions closed and %" PRIu64 " requests ended, being revoked",
	    count->n_clients, count->n_requests);
}

/*
 * What cannot be saved holds until the daemon ends, and whoever asked must know.  The loops do not
 * stand still while a disk is waited for.
 */
static void
save(struct admin_ask *a)
{
	const char *path = a->view->conf->jwt.revoked_file;
	char *why = NULL;

	if (path != NULL) {
		admin_release(a->view);
		why = revoked_save(a->view->revoked, path);
		admin_hold(a->view);
	}
	if (why == NULL) {
		admin_done(a);
		return;
	}
	log_errorx("jwt.revoked_file: %s", why);
	admin_refuse(a, "not_saved", "it is revoked, but only until usherd ends: jwt.revoked_file: %s",
	    why);
	free(why);
}

void
admin_revoke(struct admin_ask *a)
{
	int64_t now_s = clock_wall_ms() / 1000;
	struct admin_revoked_count count;
	struct revoked_entry e;

	if (a->n_args == 0) {
		show_revoked(a);
		return;
	}
	if (!read_entry(a, now_s, &e))
		return;
	if (!revoked_add(a->view->revoked, &e, now_s)) {
		admin_refuse(a, "too_many", "revoke: %d are revoked already: revoke all before now",
		    REVOKED_MAX);
		return;
	}
	log_info("%s: revoked: %s%s%s", e.who, revoked_kind_name(e.kind),
	    e.kind != REVOKED_BEFORE ? " " : "", e.kind == REVOKED_JTI ? e.name : "");
	admin_json_text(&a->out, "kind", revoked_kind_name(e.kind));
	add_time(&a->out, "until", e.until_s);
	admin_enforce_revoked(a->view, now_s, &count);
	admin_json_u64(&a->out, "closed", count.n_clients);
	admin_json_u64(&a->out, "requests", count.n_requests);
	save(a);
}
