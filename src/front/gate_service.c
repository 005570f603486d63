/* SPDX-License-Identifier: ISC */
/*
 * May this session use this service?  It says so itself, else the configuration does.  And what
 * stock masters send on to another application than that of the token.
 */
#include "front/gate_service.h"

#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "codec/envelope.h"
#include "conf/conf.h"
#include "front/gate.h"
#include "request/request.h"
#include "token/claims.h"
#include "token/token_cache.h"

#define DEPTH_MAX 1024		/* texts that were scanned with a limit before */

enum verdict { NOT_SAID, ALLOWED, FORBIDDEN };

const struct conf_application *
gate_find_application(const struct gate *g, const char *name, size_t len)
{
	for (size_t i = 0; i < g->conf->n_applications; i++) {
		const struct conf_application *a = &g->conf->applications[i];

		if (strlen(a->name) == len && memcmp(a->name, name, len) == 0)
			return a;
	}
	return NULL;
}

/* The claim allowedServices: { name: true or false }. */
static enum verdict
ask_session(const struct gate *g, const struct request *r, const char *service)
{
	struct buf session = { 0 }, secret = { 0 };
	enum verdict verdict = NOT_SAID;
	struct json_value v;
	struct json_scan scan;

	claims_session(token_cache_ring(g->tokens), r->token, r->token->application, &session,
	    &secret);
	json_scan_init(&scan, session.data, session.len, DEPTH_MAX);
	if (json_scan_value(&scan, &v)) {
		v = json_member_of(session.data, v, "allowedServices");
		v = json_member_of(session.data, v, service);
		if (v.kind != JSON_NONE)
			verdict = json_is_truthy(session.data, v) ? ALLOWED : FORBIDDEN;
	}
	jwt_wipe(&session);
	buf_free(&secret);
	return verdict;
}

static bool
is_listed(const struct conf_application *a, const char *service)
{
	for (char **s = a != NULL ? a->services : NULL; s != NULL && *s != NULL; s++)
		if (strcmp(*s, service) == 0)
			return true;
	return false;
}

/* QEWD's texts. */
static bool
check_permitted(const struct gate *g, struct request *r, const struct conf_application *own,
    const char *service)
{
	enum verdict verdict = ask_session(g, r, service);
	char *text;
	size_t len;

	if (verdict == ALLOWED || (verdict == NOT_SAID && is_listed(own, service)))
		return true;
	text = verdict == FORBIDDEN ?
	    xasprintf("You are not allowed access to the %s service", service) :
	    xasprintf("%s service is not permitted for the %s application", service,
	    request_application(r, &len));
	request_fail(r, ERR_NOT_ALLOWED, text);
	free(text);
	return false;
}

/* QEWD's own worker has services beside its application, and knows who may use them. */
static bool
find_named(const struct gate *g, struct request *r, const struct conf_application *own,
    const struct buf *name, const struct conf_application **service, bool *is_other)
{
	char *text;

	if (name->len == 0 || strlen(name->data) != name->len) {
		request_fail(r, ERR_BAD_MESSAGE, "service must be a name");
		return false;
	}
	*service = own;
	if (own != NULL && own->qewd && !is_listed(own, name->data))
		return true;
	*is_other = true;
	if (!check_permitted(g, r, own, name->data))
		return false;
	*service = gate_find_application(g, name->data, name->len);
	if (*service != NULL)
		return true;
	text = request_no_handler_text(r, name->data);
	request_fail(r, ERR_NO_HANDLER, text);
	free(text);
	return false;
}

static bool
is_permitted(const struct conf *conf, const char *from, size_t from_len, const char *to)
{
	for (size_t i = 0; i < conf->n_switches; i++)
		if (strlen(conf->switches[i].from) == from_len &&
		    memcmp(conf->switches[i].from, from, from_len) == 0 &&
		    strcmp(conf->switches[i].to, to) == 0)
			return true;
	return false;
}

/*
 * A stock master that sends a message on to another application (permit_application_switch)
 * leaves the token as it is and says in the message where it goes.  A browser can say so
 * too, so it has to be permitted here as well.
 */
static const struct conf_application *
find_switched(const struct gate *g, const struct request *r, const char *own, size_t own_len)
{
	struct json_value v = json_member_of(r->text, r->env.arg, "qewd_application");
	const struct conf_application *a = NULL;
	struct buf name = { 0 };

	if (json_string_get(r->text, v, &name) && name.len > 0)
		a = gate_find_application(g, name.data, name.len);
	buf_free(&name);
	return a != NULL && is_permitted(g->conf, own, own_len, a->name) ? a : NULL;
}

bool
gate_find_service(const struct gate *g, struct request *r, const struct gate_sender *sender,
    const struct conf_application **a, bool *is_other)
{
	struct json_value v = r->env.top.member[ENV_SERVICE].value;
	struct buf name = { 0 };
	const char *own;
	bool is_good;
	size_t len;

	own = request_application(r, &len);
	*is_other = false;
	*a = gate_find_application(g, own, len);
	if (*a == NULL && sender->is_relay && !sender->is_limited) {
		*a = find_switched(g, r, own, len);
		*is_other = *a != NULL;
	}
	if (!json_is_truthy(r->text, v))
		return true;
	json_string_get(r->text, v, &name);
	(void)buf_str(&name);
	is_good = find_named(g, r, *a, &name, a, is_other);
	buf_free(&name);
	return is_good;
}
