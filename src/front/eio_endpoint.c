/* SPDX-License-Identifier: ISC */
/*
 * Requests to the Socket.IO endpoint, checked in the order in which stock servers do.
 *
 * WebSockets and posts are checked when their head is there, so that nobody sends a body
 * for nothing; all else when the request is whole, which keeps the connection usable.
 */
#include "front/eio_endpoint.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/log.h"
#include "base/strmap.h"
#include "base/xmalloc.h"
#include "codec/eio_packet.h"
#include "codec/ws_handshake.h"
#include "front/admission.h"
#include "front/client.h"
#include "front/eio_answer.h"
#include "front/eio_polling.h"
#include "front/eio_session.h"
#include "front/eio_session_int.h"
#include "front/eio_websocket.h"
#include "front/http_exchange.h"
#include "front/origin_check.h"
#include "front/rest_token.h"
#include "net/loop.h"

struct eio_endpoint {
	struct eio_env *env;
	struct http_service service;
};

/* What a request asks for. */
struct asked {
	const struct client *client;
	const struct http_head *head;
	const struct eio_transport *transport;
	int revision;			/* 0: none that we know */
	struct eio_session *session;	/* NULL: a new one */
};

static bool is_for(const struct http_head *, const struct client *, void *);
static size_t on_head(struct http_exchange *, void *);
static void on_request(struct http_exchange *, void *);
static void on_bad_body(struct http_exchange *, int, const char *, void *);

struct eio_endpoint *
eio_endpoint_new(struct eio_env *env)
{
	struct eio_endpoint *ep = xcalloc(1, sizeof(*ep));

	ep->env = env;
	ep->service = (struct http_service){ .is_for = is_for, .on_head = on_head,
		.on_request = on_request, .on_bad_body = on_bad_body, .arg = ep };
	env->sessions = strmap_new();
	return ep;
}

struct leavers {
	struct eio_polling **polling;
	size_t n;
};

static void
add_leaver(void *session, void *arg)
{
	struct leavers *l = arg;

	l->polling[l->n++] = eio_session_carrier(session);
}

void
eio_endpoint_free(struct eio_endpoint *ep)
{
	struct leavers l = { NULL, 0 };

	if (ep == NULL)
		return;
	/* Only polling is left behind by its session. */
	l.polling = xcalloc(strmap_count(ep->env->sessions) + 1, sizeof(struct eio_polling *));
	strmap_each(ep->env->sessions, add_leaver, &l);
	for (size_t i = 0; i < l.n; i++)
		eio_polling_abandon(l.polling[i]);
	free(l.polling);
	strmap_free(ep->env->sessions, NULL);
	free(ep);
}

const struct http_service *
eio_endpoint_service(const struct eio_endpoint *ep)
{
	return &ep->service;
}

static void
look_for_debt(void *session, void *arg)
{
	bool *is_awaited = arg;

	if (eio_session_has_ended(session) && eio_session_has_queue(session))
		*is_awaited = true;
}

bool
eio_endpoint_is_awaited(const struct eio_endpoint *ep)
{
	bool is_awaited = false;

	strmap_each(ep->env->sessions, look_for_debt, &is_awaited);
	return is_awaited;
}

static bool
is_for(const struct http_head *head, const struct client *client UNUSED, void *arg)
{
	const struct eio_endpoint *ep = arg;
	const struct conf *conf = ep->env->conf;
	size_t len = strlen(conf->socketio.path);

	return head->path.len >= len && memcmp(head->path.p, conf->socketio.path, len) == 0;
}

unsigned
eio_endpoint_owner(const struct http_head *head, void *arg)
{
	const struct eio_env *env = ((const struct eio_endpoint *)arg)->env;
	char sid[EIO_SID_MAX + 1];
	unsigned part = env->part;

	if (env->parts != NULL && is_for(head, NULL, arg) &&
	    http_query_get(head->query, "sid", sid, sizeof(sid)))
		(void)id_sid_part(sid, env->parts, &part);
	return part;
}

/* ---- checks ---- */

static const struct eio_refusal
	transport_unknown = { 400, NULL, "{\"code\":0,\"message\":\"Transport unknown\"}" },
	no_jsonp = { 400, NULL, "{\"code\":0,\"message\":\"JSONP is not served: use polling by "
	    "XMLHttpRequest, or a WebSocket\"}" },
	bad_method = { 400, NULL, "{\"code\":2,\"message\":\"Bad handshake method\"}" },
	bad_ws_version = { 426, "Sec-WebSocket-Version: 13\r\n",
	    "{\"code\":3,\"message\":\"Bad request\"}" },
	forbidden = { 403, NULL, "{\"code\":4,\"message\":\"Forbidden\"}" },
	draining = { 503, NULL, "{\"code\":4,\"message\":\"node is draining\"}" },
	full = { 503, NULL, "{\"code\":4,\"message\":\"no more sessions are taken\"}" },
	unsupported = { 400, NULL, "{\"code\":5,\"message\":\"Unsupported protocol version\"}" };

/* Only the page's own origin and listed ones; browsers do not come in where nodes do. */
static bool
origin_is_allowed(struct eio_env *env, const struct client *client, const struct http_head *head)
{
	const struct http_text *origin = http_find(head, "Origin", NULL);
	const struct http_text *host = http_find(head, "Host", NULL);
	static struct log_limit limit = { .about = "refused origins" };

	if (origin_is_permitted(head, client))
		return true;
	metrics_inc(loop_metrics(env->loop), METRIC_ORIGINS_REFUSED);
	if (!log_allows(&limit))
		return false;
	log_warnx_for(client->label, "refused: Origin %.*s with Host %.*s: %s of %s",
	    (int)origin->len, origin->p, host != NULL ? (int)host->len : 0,
	    host != NULL ? host->p : "", client->is_node ?
	    "only nodes are served, by listen[].for or listen[].nodes" :
	    "another origin, and it is not in listen[].origins", client->listener->address);
	return false;
}

/* Is it there, whatever its value? */
static bool
has_parameter(struct http_text query, const char *name)
{
	const char *p = query.p, *end = query.p + query.len, *stop;
	size_t len = strlen(name);

	for (; p < end; p = stop + 1) {
		if ((stop = memchr(p, '&', (size_t)(end - p))) == NULL)
			stop = end;
		if ((size_t)(stop - p) >= len && memcmp(p, name, len) == 0 &&
		    (p + len == stop || p[len] == '='))
			return true;
	}
	return false;
}

static const struct eio_transport *
transport_of(const struct http_head *head)
{
	char name[16];

	if (!http_query_get(head->query, "transport", name, sizeof(name)))
		return NULL;
	if (strcmp(name, eio_polling_transport.name) == 0)
		return &eio_polling_transport;
	return strcmp(name, eio_websocket_transport.name) == 0 ? &eio_websocket_transport : NULL;
}

static int
revision_of(const struct http_head *head)
{
	char eio[8];

	if (!http_query_get(head->query, "EIO", eio, sizeof(eio)) ||
	    (strcmp(eio, "3") != 0 && strcmp(eio, "4") != 0))
		return 0;
	return eio[0] - '0';
}

static bool
is_websocket(const struct asked *a)
{
	return a->transport == &eio_websocket_transport;
}

/*
 * Who came in where nodes do keeps what nodes may; so its sid counts for nothing elsewhere.
 * Otherwise a session may be asked for at any listener.
 */
static struct eio_session *
session_find(struct eio_env *env, const struct client *client, const char *sid)
{
	struct eio_session *s = strmap_find(env->sessions, sid, strlen(sid));

	if (s == NULL ||
	    eio_session_client(s)->is_node != client->is_node)
		return NULL;
	if (!eio_session_has_ended(s))
		return s;
	return eio_polling_is_open(eio_session_carrier(s)) ? s : NULL;
}

static const struct eio_refusal *
check_websocket(const struct asked *a)
{
	const char *why;
	int status;

	if (ws_handshake_check(a->head, &status, &why) == 0)
		return NULL;
	log_debug_for("http", a->client->label, "upgrade refused: %s", why);
	return status == 426 ? &bad_ws_version : &eio_bad_request;
}

/* A session may be asked for by its own transport, or by a WebSocket that is to be it. */
static const struct eio_refusal *
check_known(struct eio_env *env, const struct asked *a)
{
	bool is_upgrade = ws_handshake_is_upgrade(a->head);

	if (is_upgrade != is_websocket(a) ||
	    (!is_upgrade && eio_session_transport(a->session) != a->transport) ||
	    a->revision != eio_session_revision(a->session))
		return &eio_bad_request;
	if (!origin_is_allowed(env, a->client, a->head))
		return &forbidden;
	if (is_upgrade)
		return eio_session_has_ended(a->session) ? &eio_session_unknown :
		    check_websocket(a);
	return http_text_equals(a->head->method, "GET") ||
	    http_text_equals(a->head->method, "POST") ? NULL : &eio_bad_request;
}

static const struct eio_refusal *
check_new(struct eio_env *env, const struct asked *a)
{
	const struct eio_refusal *no;

	if (!http_text_equals(a->head->method, "GET"))
		return &bad_method;
	if (is_websocket(a) ? (no = check_websocket(a)) != NULL :
	    ws_handshake_is_upgrade(a->head) && (no = &eio_bad_request) != NULL)
		return no;
	if (env->is_draining)
		return &draining;
	if (!origin_is_allowed(env, a->client, a->head))
		return &forbidden;
	return a->revision == 0 ? &unsupported : NULL;
}

static const struct eio_refusal *
check(struct eio_env *env, const struct http_exchange *e, struct asked *a)
{
	char sid[EIO_SID_MAX + 1];

	*a = (struct asked){ .client = http_exchange_client(e), .head = http_exchange_head(e) };
	a->transport = transport_of(a->head);
	a->revision = revision_of(a->head);
	if (a->transport == NULL)
		return &transport_unknown;
	if (!origin_is_clean(a->head))
		return &eio_bad_request;
	if (!is_websocket(a) && has_parameter(a->head->query, "j"))
		return &no_jsonp;
	if (!has_parameter(a->head->query, "sid"))
		return check_new(env, a);
	/* What is too long or cannot be read is no session's. */
	if (!http_query_get(a->head->query, "sid", sid, sizeof(sid)))
		return &eio_session_unknown;
	if (sid[0] == '\0')
		return check_new(env, a);
	if ((a->session = session_find(env, a->client, sid)) == NULL)
		return &eio_session_unknown;
	return check_known(env, a);
}

/* ---- serving ---- */

static void
warn_of_proxy(const struct client *client)
{
	log_warnx("%s has nearly all the sessions that an address may have "
	    "(limits.sessions_per_address): if it is a proxy, name it in listen[].trusted_proxies "
	    "of %s", client->address, client->listener->address);
}

/* A session for this request; NULL: answered, there are too many. */
static struct eio_session *
session_new(struct eio_env *env, const struct asked *a, struct http_exchange *e)
{
	const char *limit = admission_take_session(env->admission, a->client->address,
	    !a->client->is_node);

	if (limit == NULL) {
		struct eio_session *s = eio_session_new(env, a->client, a->revision);
		struct http_text token;

		http_exchange_bind(e);
		if (!a->client->is_node && admission_suspects(env->admission, a->client->address))
			warn_of_proxy(a->client);
		/* Plain events alone take a token from there. */
		if (env->conf->n_events > 0 &&
		    rest_token_find(http_exchange_head(e), &token) == REST_BEARER_GIVEN)
			eio_session_keep_bearer(s, token);
		return s;
	}
	metrics_inc(loop_metrics(env->loop), METRIC_SESSIONS_REFUSED);
	log_debug_for("conn", a->client->label, "refused: %s reached", limit);
	eio_answer_refusal(e, &full, is_websocket(a));
	return NULL;
}

static void
serve_websocket(struct eio_env *env, const struct asked *a, struct http_exchange *e)
{
	struct eio_session *s = a->session;

	if (s == NULL) {
		if ((s = session_new(env, a, e)) != NULL)
			eio_websocket_begin(s, e);
	} else {
		http_exchange_bind(e);
		eio_websocket_probe(env, eio_session_transport(s) == &eio_polling_transport ?
		    eio_session_carrier(s) : NULL, e);
	}
}

static size_t
serve_post(const struct asked *a, struct http_exchange *e)
{
	http_exchange_bind(e);
	return eio_polling_post_head(eio_session_carrier(a->session), e);
}

static size_t
on_head(struct http_exchange *e, void *arg)
{
	struct eio_endpoint *ep = arg;
	const struct http_head *head = http_exchange_head(e);
	bool is_upgrade = ws_handshake_is_upgrade(head);
	const struct eio_refusal *no;
	struct asked a;

	if (!is_upgrade && !http_text_equals(head->method, "POST"))
		return 0;
	if ((no = check(ep->env, e, &a)) != NULL)
		eio_answer_refusal(e, no, true);
	else if (is_upgrade)
		serve_websocket(ep->env, &a, e);
	else
		return serve_post(&a, e);
	return 0;
}

/* Since its head was checked, its session waits for it. */
static struct eio_polling *
find_poster(const struct eio_endpoint *ep, const struct http_exchange *e)
{
	char sid[ID_SID_LEN + 1] = "";
	struct eio_session *s;

	(void)http_query_get(http_exchange_head(e)->query, "sid", sid, sizeof(sid));
	s = strmap_find(ep->env->sessions, sid, strlen(sid));
	assert(s != NULL && eio_session_transport(s) == &eio_polling_transport);
	return eio_session_carrier(s);
}

/* Nothing but a post may have one. */
static void
on_bad_body(struct http_exchange *e, int status, const char *text UNUSED, void *arg)
{
	const struct eio_endpoint *ep = arg;

	if (http_text_equals(http_exchange_head(e)->method, "POST"))
		eio_polling_refuse_post(find_poster(ep, e), e, status);
	else
		eio_answer_too_big(e);
}

static void
on_request(struct http_exchange *e, void *arg)
{
	struct eio_endpoint *ep = arg;
	const struct http_head *head = http_exchange_head(e);
	const struct eio_refusal *no;
	struct eio_session *s;
	struct asked a;

	if (http_text_equals(head->method, "POST")) {
		eio_polling_post(find_poster(ep, e), e);
	} else if (http_text_equals(head->method, "OPTIONS")) {
		if (origin_is_allowed(ep->env, http_exchange_client(e), head))
			eio_answer_preflight(e);
		else
			eio_answer_refusal(e, &forbidden, false);
	} else if ((no = check(ep->env, e, &a)) != NULL) {
		eio_answer_refusal(e, no, false);
	} else if (a.session != NULL) {
		http_exchange_bind(e);
		eio_polling_get(eio_session_carrier(a.session), e);
	} else if ((s = session_new(ep->env, &a, e)) != NULL) {
		eio_polling_begin(s, e);
	}
}
