/* SPDX-License-Identifier: ISC */
/*
 * What the files of the HTTP server share: connections, exchanges, answers.  Not for
 * other folders.
 */
#ifndef FRONT_HTTP_INT_H
#define FRONT_HTTP_INT_H

#include <stdint.h>
#include <sys/queue.h>
#include <time.h>

#include "base/buf.h"
#include "codec/http_body.h"
#include "front/client.h"
#include "front/http_date.h"
#include "front/http_exchange.h"
#include "net/loop.h"

struct admission;
struct conf;
struct http_intro;
struct tls_server;

struct http_server {
	struct loop *loop;		/* borrowed, as the next two */
	const struct conf *conf;
	struct admission *admission;
	const struct http_service **services;	/* in the order they are asked */
	size_t n_services;
	const struct http_loops *loops;	/* borrowed; NULL: there is this one alone */
	bool is_draining;		/* every answer is the last of its connection */
	uint64_t n_numbered;		/* connections, for the log */
	time_t date_s;			/* when date was written */
	char date[HTTP_DATE_LEN + 1];
	LIST_HEAD(, http_conn) conns;	/* owned */
	LIST_HEAD(, http_intro) intros;	/* owned: proxies that have not said for whom they are */
};

enum http_state {
	HTTP_IDLE,		/* nothing of the next request is here */
	HTTP_IN_HEAD,		/* it began; the first request may not even have begun */
	HTTP_IN_BODY,
	HTTP_AWAITING,		/* its service is to answer */
	HTTP_SENDING,		/* a file */
	HTTP_ENDING,		/* the last answer is on its way: what comes in is dropped */
};

/* The rest of a file that is being sent. */
struct http_file {
	int fd;			/* owned; -1: none */
	uint64_t at, left;
	bool is_last;		/* the connection ends behind it */
};

struct http_conn {
	LIST_ENTRY(http_conn) link;
	bool is_loose;			/* it belongs to no session: the loop's load */
	bool goes_on;			/* its last answer said so: draining leaves it open */
	struct http_server *server;
	struct conn *conn;		/* NULL: closed, or taken by another protocol */
	struct client client;
	enum http_state state;
	bool is_advancing;
	struct buf in;			/* read, and not looked at */
	size_t scanned;			/* for the end of a head in it */
	struct http_exchange *exchange;	/* under way, owned; NULL: none */
	struct http_file file;
	struct timer timer;		/* of the state */
	struct loop_work release;
};

struct http_exchange {
	struct http_conn *conn;
	size_t head_len;
	struct client *forwarded;	/* for whom a trusted proxy asks; owned; NULL: for itself */
	char *bytes;			/* of the head, which points here; owned */
	struct http_head head;
	bool is_whole;			/* it has no body, or the body is in */
	struct http_body decoder;
	struct buf body;
	const struct http_service *service;
	void (*on_gone)(void *arg);	/* NULL: nobody is to be told */
	void *gone_arg;
	struct loop_work release;
};

/* http_conn.c */

/* Takes fd, and one place in the admission count.  tls: NULL for plain HTTP. */
void	http_conn_accept(struct http_server *, const struct client *, struct tls_server *tls, int fd);

/* The server ends: what was answered is still written. */
void	http_conn_stop(struct http_conn *);

/* The exchange is over, its answer is queued; is_last: the connection ends with it. */
void	http_conn_answered(struct http_conn *, bool is_last);

/* As above, but what the file holds is still to be sent; takes its fd. */
void	http_conn_send_file(struct http_conn *, const struct http_file *);

/* The connection is not the server's any more. */
struct conn *http_conn_leave(struct http_conn *);

/* It has come in, from a listener or from another loop. */
struct http_conn *http_conn_new(struct http_server *, const struct client *);
void	http_conn_begin(struct http_conn *, struct conn *);
extern const struct conn_events http_conn_events;

/* As far as what was read goes. */
void	http_conn_advance(struct http_conn *);
/* Nothing more is looked at before what was answered has been written. */
void	http_conn_wait(struct http_conn *);

/* It belongs to a session, which is counted, or it ends: it is no load any more. */
void	http_conn_bind(struct http_conn *);

/* http_move.c */

/*
 * Is the request of the exchange that just began for another loop?  Then it is undone, and its
 * connection goes there, now or when all that was answered before is written.
 */
bool	http_conn_moves(struct http_conn *);

/* http_intro.c */

/* The same where a PROXY header may come first. */
void	http_intro_accept(struct http_server *, const struct client *, struct tls_server *tls, int fd);
void	http_intro_stop(struct http_intro *);
void	http_intros_stop(struct http_server *);

/* http_exchange.c */

/* Of a head that is len bytes long, which are copied. */
struct http_exchange *http_exchange_new(struct http_conn *, const char *head, size_t len);
void	http_exchange_free(struct http_exchange *);	/* at the end of the turn */

/* http_answer.c */

struct http_answer_to {
	int minor;			/* HTTP/1.minor of the request */
	bool is_head;			/* HEAD: no body */
	bool keep_alive;
};

/* Appends the head of an answer with a body of len bytes, which may be sent otherwise. */
void	http_answer_write_head(struct buf *, struct http_server *, const struct http_answer *,
	    uint64_t len, const struct http_answer_to *);
/* The whole of it. */
void	http_answer_write(struct buf *, struct http_server *, const struct http_answer *,
	    const struct http_answer_to *);
/* A plain text, which becomes the body. */
struct http_answer	http_answer_text(int status, const char *extra, const char *text);

/* http_server.c */

/* A place for a connection of this client; false: it is refused, and counted. */
bool	http_server_admit(struct http_server *, const struct client *);
void	http_server_give_back(struct http_server *, const struct client *);

/* Who serves this request; never NULL. */
const struct http_service *http_server_find(const struct http_server *, const struct http_head *,
	    const struct client *);

#endif
