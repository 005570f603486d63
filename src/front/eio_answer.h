/* SPDX-License-Identifier: ISC */
/*
 * What the HTTP answers of the Socket.IO endpoint look like: refusals, CORS, cookies.
 */
#ifndef FRONT_EIO_ANSWER_H
#define FRONT_EIO_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

struct eio_session;
struct http_exchange;

/* How a request is refused; its body is JSON that pages can read. */
struct eio_refusal {
	int status;
	const char *extra;	/* a header line with CR LF, or NULL */
	const char *body;	/* {"code":3,"message":"Bad request"} */
};

extern const struct eio_refusal eio_session_unknown;	/* code 1 */
extern const struct eio_refusal eio_bad_request;	/* code 3 */

/* Each of these answers; the exchange must not be used any more. */

/* close: end the connection behind it. */
void	eio_answer_refusal(struct http_exchange *, const struct eio_refusal *, bool close);

/* A body above the limit. */
void	eio_answer_too_big(struct http_exchange *);

/* To a request of a polling session: a payload, or "ok". */
void	eio_answer_payload(struct http_exchange *, const struct eio_session *,
	    const char *payload, size_t len);
void	eio_answer_ok(struct http_exchange *, const struct eio_session *);

/* What a browser asks before a request that is not simple (Fetch standard, CORS preflight). */
void	eio_answer_preflight(struct http_exchange *);

#endif
