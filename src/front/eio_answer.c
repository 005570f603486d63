/* SPDX-License-Identifier: ISC */
/*
 * HTTP answers of the Socket.IO endpoint.
 *
 * Pages of the origins that are let in may read every answer, refusals too: a page that
 * sees an opaque network error cannot tell its user what is wrong.
 */
#include "front/eio_answer.h"

#include <string.h>

#include "base/buf.h"
#include "conf/conf.h"
#include "front/client.h"
#include "front/eio_session.h"
#include "front/eio_session_int.h"
#include "front/http_exchange.h"
#include "front/origin_check.h"

#define NO_STORE "Cache-Control: no-store\r\n"

const struct eio_refusal eio_session_unknown = {
	400, NULL, "{\"code\":1,\"message\":\"Session ID unknown\"}"
};
const struct eio_refusal eio_bad_request = {
	400, NULL, "{\"code\":3,\"message\":\"Bad request\"}"
};

static void
add_cors(struct buf *b, const struct http_exchange *e)
{
	origin_allow_headers(b, http_exchange_head(e), http_exchange_client(e));
}

/* As stock: revision 3 has it in each answer, 4 in none. */
static void
add_cookie(struct buf *b, const struct eio_session *s)
{
	const char *name = eio_session_env(s)->conf->socketio.cookie;

	if (name != NULL && eio_session_revision(s) == 3)
		buf_printf(b, "Set-Cookie: %s=%s; Path=/; HttpOnly; SameSite=Strict%s\r\n", name,
		    eio_session_sid(s),
		    eio_session_client(s)->scheme == CLIENT_HTTPS ? "; Secure" : "");
}

static void
answer(struct http_exchange *e, const struct http_answer *a, struct buf *extra)
{
	struct http_answer full = *a;

	full.extra = buf_str(extra);
	http_exchange_answer(e, &full);
	buf_free(extra);
}

void
eio_answer_refusal(struct http_exchange *e, const struct eio_refusal *why, bool close)
{
	struct http_answer a = { .status = why->status, .type = "application/json",
		.body = why->body, .len = strlen(why->body), .close = close };
	struct buf extra = { 0 };

	if (why->extra != NULL)
		buf_add_str(&extra, why->extra);
	add_cors(&extra, e);
	answer(e, &a, &extra);
}

void
eio_answer_too_big(struct http_exchange *e)
{
	struct http_answer a = { .status = 413, .close = true };
	struct buf extra = { 0 };

	add_cors(&extra, e);
	answer(e, &a, &extra);
}

void
eio_answer_payload(struct http_exchange *e, const struct eio_session *s, const char *payload,
    size_t len)
{
	struct http_answer a = { .status = 200, .type = "text/plain; charset=UTF-8",
		.body = payload, .len = len, .goes_on = !eio_session_has_ended(s) };
	struct buf extra = { 0 };

	buf_add_str(&extra, NO_STORE);
	add_cookie(&extra, s);
	add_cors(&extra, e);
	answer(e, &a, &extra);
}

void
eio_answer_ok(struct http_exchange *e, const struct eio_session *s)
{
	struct http_answer a = { .status = 200, .type = "text/html", .body = "ok", .len = 2,
		.goes_on = true };	/* for the next poll, be it the one that hears of the end */
	struct buf extra = { 0 };

	buf_add_str(&extra, NO_STORE);
	add_cookie(&extra, s);
	add_cors(&extra, e);
	answer(e, &a, &extra);
}

void
eio_answer_preflight(struct http_exchange *e)
{
	const struct http_text *headers = http_find(http_exchange_head(e),
	    "Access-Control-Request-Headers", NULL);
	struct http_answer a = { .status = 204, .goes_on = true };
	struct buf extra = { 0 };

	add_cors(&extra, e);
	buf_add_str(&extra, "Access-Control-Allow-Methods: GET,HEAD,PUT,PATCH,POST,DELETE\r\n");
	if (headers != NULL)
		buf_printf(&extra, "Access-Control-Allow-Headers: %.*s\r\n",
		    (int)headers->len, headers->p);
	answer(e, &a, &extra);
}
