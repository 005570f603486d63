/* SPDX-License-Identifier: ISC */
/*
 * The TLS of all listeners and of all URLs that are dialled.
 *
 * Destinations whose settings are the same share what they trust, so that a CA file is read once,
 * however many of them there are.
 */
#include "net/tls_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "conf/conf.h"

struct trust {
	const char *name;		/* of the first destination that has it */
	const struct conf_tls_client *conf;
	struct tls_trust *tls;
};

struct client {
	const struct conf_url *url;
	const struct trust *trust;
	struct tls_client *tls;
};

struct tls_store {
	const struct conf *conf;
	struct tls_server **servers;	/* as conf->listeners; NULL: no TLS */
	struct trust **trusts;
	size_t n_trusts;
	struct client *clients;
	size_t n_clients;
};

static bool
is_same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
is_same(const struct conf_tls_client *a, const struct conf_tls_client *b)
{
	return is_same_text(a->ca, b->ca) && is_same_text(a->certificate, b->certificate) &&
	    is_same_text(a->key, b->key) && is_same_text(a->name, b->name) &&
	    a->verify == b->verify;
}

static const struct client *
find_client(const struct tls_store *s, const struct conf_tls_client *conf,
    const struct conf_url *url)
{
	for (size_t i = 0; i < s->n_clients; i++)
		if (strcmp(s->clients[i].url->text, url->text) == 0 &&
		    is_same(s->clients[i].trust->conf, conf))
			return &s->clients[i];
	return NULL;
}

/* NULL, with the error, if its files cannot be used. */
static const struct trust *
trust_for(struct tls_store *s, const struct conf_destination *d, char **error)
{
	struct tls_trust *tls;
	struct trust *trust;

	for (size_t i = 0; i < s->n_trusts; i++)
		if (is_same(s->trusts[i]->conf, &d->tls))
			return s->trusts[i];
	if ((tls = tls_trust_new(&d->tls, error)) == NULL)
		return NULL;
	trust = xmalloc(sizeof(*trust));
	*trust = (struct trust){ d->name, &d->tls, tls };
	s->trusts = xreallocarray(s->trusts, s->n_trusts + 1, sizeof(struct trust *));
	s->trusts[s->n_trusts++] = trust;
	if (!d->tls.verify)
		log_warnx("destination %s: certificates are not verified (tls.verify: false): "
		    "anybody on the way can read and change what passes", d->name);
	return trust;
}

static bool
add_client(struct tls_store *s, const struct conf_destination *d, const struct conf_url *url,
    char **error)
{
	const struct trust *trust;

	if (find_client(s, &d->tls, url) != NULL)
		return true;
	if ((trust = trust_for(s, d, error)) == NULL)
		return false;
	s->clients = xreallocarray(s->clients, s->n_clients + 1, sizeof(*s->clients));
	s->clients[s->n_clients++] = (struct client){ url, trust,
		tls_client_new(trust->tls, url->host) };
	return true;
}

static bool
add_all(struct tls_store *s, char **error)
{
	const struct conf *conf = s->conf;

	for (size_t i = 0; i < conf->n_listeners; i++)
		if (conf->listeners[i].n_tls > 0 && (s->servers[i] =
		    tls_server_new(&conf->listeners[i], error)) == NULL)
			return false;
	for (size_t i = 0; i < conf->n_destinations; i++) {
		const struct conf_destination *d = &conf->destinations[i];

		for (size_t j = 0; j < d->n_urls; j++)
			if (d->urls[j].is_tls && !add_client(s, d, &d->urls[j], error))
				return false;
	}
	return true;
}

struct tls_store *
tls_store_new(const struct conf *conf, char **error)
{
	struct tls_store *s = xcalloc(1, sizeof(*s));

	s->conf = conf;
	s->servers = xcalloc(conf->n_listeners, sizeof(struct tls_server *));
	if (add_all(s, error))
		return s;
	tls_store_free(s);
	return NULL;
}

void
tls_store_free(struct tls_store *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n_clients; i++)
		tls_client_free(s->clients[i].tls);
	free(s->clients);
	for (size_t i = 0; i < s->n_trusts; i++) {
		tls_trust_free(s->trusts[i]->tls);
		free(s->trusts[i]);
	}
	free(s->trusts);
	for (size_t i = 0; i < s->conf->n_listeners; i++)
		tls_server_free(s->servers[i]);
	free(s->servers);
	free(s);
}

struct tls_server *
tls_store_server(const struct tls_store *s, const struct conf_listener *l)
{
	return s->servers[l - s->conf->listeners];
}

struct tls_client *
tls_store_client(const struct tls_store *s, const struct conf_destination *d,
    const struct conf_url *url)
{
	return url->is_tls ? find_client(s, &d->tls, url)->tls : NULL;
}

static const char *
text_of(const char *text)
{
	return text != NULL ? text : "";
}

char *
tls_store_key(const struct conf_destination *d, const struct conf_url *url)
{
	const struct conf_tls_client *c = &d->tls;

	if (!url->is_tls)
		return NULL;
	return xasprintf("%s\n%s\n%s\n%s\n%d", text_of(c->ca), text_of(c->certificate),
	    text_of(c->key), text_of(c->name), c->verify);
}
