/* SPDX-License-Identifier: ISC */
/*
 * One HTTP request and its answer, as those see it who serve it: Engine.IO's endpoint,
 * Ajax, REST, files.
 *
 * A service is asked twice: on_head() when the head is in, before any of its body is
 * taken, and on_request() when the body is in.  The answer comes then or later, exactly
 * once; until then the connection reads no further request.  Requests that follow on
 * the same connection are answered in order.
 */
#ifndef FRONT_HTTP_EXCHANGE_H
#define FRONT_HTTP_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/http_parse.h"

struct client;
struct conn;
struct http_exchange;

struct http_answer {
	int status;
	const char *type;		/* Content-Type; NULL: none, for an answer without body */
	const char *extra;		/* header lines, each with CR LF; NULL: none */
	const char *body;
	size_t len;			/* of the body; for HEAD it is told and not sent */
	bool close;			/* end the connection behind this answer */
	bool goes_on;			/* more is asked for on this connection, even while draining */
};

/* Something that serves requests; borrowed by the server. */
struct http_service {
	/*
	 * Is this request ours, by its path and method?  The head alone is there; nothing
	 * may be answered.  The first service that says true gets it.
	 */
	bool (*is_for)(const struct http_head *, const struct client *, void *arg);
	/*
	 * The head of a request of ours.  Either answers (the body, if any, is then not
	 * read and the connection ends), or takes the connection, or gives the greatest
	 * length of a body that it takes (0: none).
	 */
	size_t (*on_head)(struct http_exchange *, void *arg);
	/* The request is whole.  Answers, now or later. */
	void (*on_request)(struct http_exchange *, void *arg);
	/*
	 * The body is not taken: above the limit (413), too slow (408) or malformed (400), as
	 * text says, which is a line.  Answers now; the connection ends behind it.  NULL: the
	 * server answers with that text.
	 */
	void (*on_bad_body)(struct http_exchange *, int status, const char *text, void *arg);
	void *arg;
};

/* All valid until the answer; the head's texts as well. */
const struct http_head	*http_exchange_head(const struct http_exchange *);
const struct client	*http_exchange_client(const struct http_exchange *);
/* Who has connected, and its place in the admission count: a proxy, or the same. */
const struct client	*http_exchange_peer(const struct http_exchange *);
const char		*http_exchange_body(const struct http_exchange *, size_t *len);

/*
 * Who answers later: told once if the client is gone, the rest of its request was refused (not
 * by the service itself), or the server ends, before that; the exchange must not be used any
 * more then.
 */
void	http_exchange_wait(struct http_exchange *, void (*on_gone)(void *arg), void *arg);

/* The answer; the exchange must not be used any more.  Copies what it is given. */
void	http_exchange_answer(struct http_exchange *, const struct http_answer *);

/*
 * The same with len bytes of a file, from at on, as the body, which is read while it is being
 * sent; takes fd.  a->body and a->len do not count.
 */
void	http_exchange_answer_file(struct http_exchange *, const struct http_answer *a, int fd,
	    uint64_t at, uint64_t len);

/* An answer of plain text that says what is wrong; extra may be NULL. */
void	http_exchange_refuse(struct http_exchange *, int status, const char *extra,
	    const char *text);

/* The request is of a session, whose connection this is: it is counted with that. */
void	http_exchange_bind(struct http_exchange *);

/*
 * Takes the connection for another protocol (from on_head), with its place in the
 * admission count; *rest and *len, valid until the loop's next turn, are what came
 * behind the head.  The exchange must not be used any more.
 */
struct conn *http_exchange_take(struct http_exchange *, char **rest, size_t *len);

#endif
