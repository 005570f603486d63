/* SPDX-License-Identifier: ISC */
/*
 * Connections of trusted proxies, until they have said for whom they are: then they become
 * HTTP connections of that client, or end.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "codec/proxy_v2.h"
#include "conf/conf.h"
#include "front/http_int.h"
#include "net/proxy_intro.h"
#include "net/tls.h"

struct http_intro {
	LIST_ENTRY(http_intro) link;	/* of its server */
	struct http_server *server;
	struct client client;		/* the proxy; it has its place in the admission count */
	struct tls_server *tls;		/* a reference: a reload may come first; NULL: plain */
	int fd;				/* owned */
	struct proxy_intro *intro;
};

static void on_intro(const struct proxy_v2 *, const char *fault, void *);

void
http_intro_accept(struct http_server *s, const struct client *client, struct tls_server *tls,
    int fd)
{
	struct http_intro *i = xcalloc(1, sizeof(*i));

	i->server = s;
	i->client = *client;
	i->tls = tls_server_ref(tls);
	i->fd = fd;
	i->intro = proxy_intro_new(s->loop, fd, s->conf->timeouts.http_head_ms, on_intro, i);
	LIST_INSERT_HEAD(&s->intros, i, link);
}

/* What it has borrowed and owned goes on without it. */
static void
forget(struct http_intro *i)
{
	LIST_REMOVE(i, link);
	proxy_intro_free(i->intro);
	tls_server_free(i->tls);
	free(i);
}

void
http_intro_stop(struct http_intro *i)
{
	http_server_give_back(i->server, &i->client);
	close(i->fd);
	forget(i);
}

void
http_intros_stop(struct http_server *s)
{
	while (!LIST_EMPTY(&s->intros))
		http_intro_stop(LIST_FIRST(&s->intros));
}

static void
refuse(struct http_intro *i, bool has_header, const char *fault)
{
	static struct log_limit limit = { .about = "malformed PROXY headers" };

	log_debug_for("conn", i->client.label, "ended: %s", fault);
	if (has_header) {
		metrics_inc(loop_metrics(i->server->loop), METRIC_PROXY_REFUSED);
		if (log_allows(&limit))
			log_warnx_for(i->client.label, "PROXY protocol, of a trusted proxy: %s",
			    fault);
	}
	http_intro_stop(i);
}

/* From now on it is its client's, which takes the place that the proxy had. */
static void
on_intro(const struct proxy_v2 *header, const char *fault, void *arg)
{
	struct http_intro *i = arg;
	struct http_server *s = i->server;
	struct client client = i->client;
	struct tls_server *tls;
	int fd = i->fd;

	if (fault != NULL) {
		refuse(i, header != NULL, fault);
		return;
	}
	tls = tls_server_ref(i->tls);
	if (header != NULL) {
		metrics_inc(loop_metrics(s->loop), METRIC_PROXY_HEADERS);
		client_set_proxied(&client, header);
	}
	if (header != NULL && header->has_address) {
		http_server_give_back(s, &i->client);
		forget(i);
		if (!http_server_admit(s, &client)) {
			tls_server_free(tls);
			close(fd);
			return;
		}
	} else {
		forget(i);
	}
	http_conn_accept(s, &client, tls, fd);
	tls_server_free(tls);
}
