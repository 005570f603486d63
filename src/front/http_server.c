/* SPDX-License-Identifier: ISC */
/*
 * The list of services, and what is answered where none of them serves.
 */
#include "front/http_server.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "front/admission.h"
#include "front/http_int.h"
#include "net/conn.h"

static bool	 is_for_nobody(const struct http_head *, const struct client *, void *);
static size_t	 on_nobodys_head(struct http_exchange *, void *);

static const struct http_service nobody = {
	.is_for = is_for_nobody,
	.on_head = on_nobodys_head,
};

struct http_server *
http_server_new(struct loop *loop, const struct conf *conf, struct admission *admission)
{
	struct http_server *s = xcalloc(1, sizeof(*s));

	s->loop = loop;
	s->conf = conf;
	s->admission = admission;
	LIST_INIT(&s->conns);
	LIST_INIT(&s->intros);
	return s;
}

void
http_server_free(struct http_server *s)
{
	struct http_conn *h;

	if (s == NULL)
		return;
	http_intros_stop(s);
	while ((h = LIST_FIRST(&s->conns)) != NULL)
		http_conn_stop(h);
	free(s->services);
	free(s);
}

void
http_server_add(struct http_server *s, const struct http_service *service)
{
	s->services = xreallocarray(s->services, s->n_services + 1, sizeof(*s->services));
	s->services[s->n_services++] = service;
}

void
http_server_set_conf(struct http_server *s, const struct conf *conf)
{
	s->conf = conf;
}

void
http_server_drain(struct http_server *s)
{
	struct http_conn *h, *next;

	s->is_draining = true;
	http_intros_stop(s);
	for (h = LIST_FIRST(&s->conns); h != NULL; h = next) {
		next = LIST_NEXT(h, link);
		/* What it has sent already, and waits, is answered. */
		if (h->state == HTTP_IDLE && !h->goes_on && h->in.len == 0)
			conn_close(h->conn, ERR_STOPPING);
	}
}

/* Many come from one proxy: their clients are counted when they are known. */
bool
http_server_admit(struct http_server *s, const struct client *client)
{
	const char *limit = "listen[].nodes";

	if (client->is_trusted || client_may_come_in(client))
		limit = admission_take(s->admission, client->address,
		    !client->is_node && !client->is_trusted);
	if (limit == NULL)
		return true;
	metrics_inc(loop_metrics(s->loop), METRIC_CONNECTIONS_REFUSED);
	log_debug_for("conn", client->label, "refused: %s", limit);
	return false;
}

void
http_server_give_back(struct http_server *s, const struct client *client)
{
	admission_release(s->admission, client->address);
}

/* By which it is known in the log: no two loops give the same. */
static uint64_t
next_number(struct http_server *s)
{
	uint64_t before = s->n_numbered++;

	return s->loops == NULL ? before + 1 : before * s->loops->n + s->loops->own + 1;
}

void
http_server_accept(struct http_server *s, const struct conf_listener *listener,
    struct tls_server *tls, int fd, const char *address, const char *address_port)
{
	struct client client;

	client_init(&client, listener, next_number(s), address, address_port);
	if (!http_server_admit(s, &client)) {
		close(fd);
		return;
	}
	log_debug_for("conn", client.label, "accepted on %s", listener->address);
	if (client.is_trusted)
		http_intro_accept(s, &client, tls, fd);
	else
		http_conn_accept(s, &client, tls, fd);
}

/* "OPTIONS *" asks about the server, not about a path. */
const struct http_service *
http_server_find(const struct http_server *s, const struct http_head *head,
    const struct client *client)
{
	for (size_t i = 0; i < s->n_services && head->path.p[0] == '/'; i++)
		if (s->services[i]->is_for(head, client, s->services[i]->arg))
			return s->services[i];
	return &nobody;
}

/* ---- where nothing is served ---- */

static bool
is_for_nobody(const struct http_head *head UNUSED, const struct client *client UNUSED,
    void *arg UNUSED)
{
	return true;
}

static size_t
on_nobodys_head(struct http_exchange *x, void *arg UNUSED)
{
	static const struct http_answer options = { .status = 204,
		.extra = "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n" };

	if (http_text_equals(http_exchange_head(x)->method, "OPTIONS"))
		http_exchange_answer(x, &options);
	else
		http_exchange_refuse(x, 404, NULL, "nothing is served at this path\n");
	return 0;
}
