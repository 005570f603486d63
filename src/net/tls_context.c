/* SPDX-License-Identifier: ISC */
/*
 * Certificates, keys and CAs: from files to contexts of OpenSSL, and from those to new
 * connections.
 *
 * A context is made whole or not at all.  A reload makes new ones: connections keep those that
 * they began with, by counting references, which loops in several threads do.
 */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "conf/conf.h"
#include "conf/conf_file.h"
#include "net/tls_int.h"

#define FILE_BYTES_MAX (1 << 20)

static const unsigned char protocols[] = "\x08http/1.1";	/* as ALPN has it */
#define PROTOCOLS_LEN (sizeof(protocols) - 1)

struct tls_server {
	unsigned refs;			/* its maker's, and one for each connection */
	SSL_CTX **ctx;			/* as conf->tls; the first also serves unknown names */
	size_t n;
};

struct tls_trust {
	unsigned refs;			/* its maker's, and one for each client */
	char *name;			/* in place of a host; NULL: none */
	SSL_CTX *ctx;
};

struct tls_client {
	unsigned refs;			/* its maker's, and one for each connection */
	struct tls_trust *trust;	/* a reference */
	char *host;
	SSL_SESSION *session;		/* the last one, to resume; NULL: none */
};

static int	 on_new_session(SSL *, SSL_SESSION *);

static void
hold(unsigned *refs)
{
	__atomic_add_fetch(refs, 1, __ATOMIC_RELAXED);
}

/* Was it the last? */
static bool
let_go(unsigned *refs)
{
	return __atomic_sub_fetch(refs, 1, __ATOMIC_ACQ_REL) == 0;
}

/* ---- files ---- */

/* The content of a file as a BIO; NULL: *error.  Its memory is *bytes, cleared by close_file(). */
static BIO *
open_file(const char *path, char **bytes, size_t *len, char **error)
{
	const char *why;
	BIO *bio;

	if ((*bytes = conf_file_read(path, FILE_BYTES_MAX, len, &why)) == NULL) {
		*error = xasprintf("%s cannot be read: %s", path, why);
		return NULL;
	}
	ERR_clear_error();
	if ((bio = BIO_new_mem_buf(*bytes, (int)*len)) == NULL)
		fatalx("cannot make a BIO");
	return bio;
}

static void
close_file(BIO *bio, char *bytes, size_t len)
{
	BIO_free(bio);
	explicit_bzero(bytes, len);
	free(bytes);
	ERR_clear_error();
}

/* Behind the last certificate of a file there is no more PEM; anything else is a fault. */
static bool
is_end_of_pem(void)
{
	unsigned long code = ERR_peek_last_error();

	return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

/* Calls add for each certificate of a file, and takes it to be added if that says so. */
static bool
each_certificate(const char *path, bool (*add)(SSL_CTX *, X509 *, size_t i), SSL_CTX *ctx,
    char **error)
{
	char *bytes;
	size_t len, n = 0;
	BIO *bio = open_file(path, &bytes, &len, error);
	bool is_good = true;
	X509 *x;

	if (bio == NULL)
		return false;
	while (is_good && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		is_good = add(ctx, x, n++);
		X509_free(x);
	}
	if (!is_good || !is_end_of_pem())
		*error = xasprintf("%s: certificate %zu cannot be used: %s", path, n + is_good,
		    tls_error_text());
	else if (n == 0)
		*error = xasprintf("%s holds no certificate: it must have \"-----BEGIN "
		    "CERTIFICATE-----\" (PEM)", path);
	close_file(bio, bytes, len);
	return *error == NULL;
}

/* The first is our own, the rest of its chain is sent along. */
static bool
add_own(SSL_CTX *ctx, X509 *x, size_t i)
{
	return (i == 0 ? SSL_CTX_use_certificate(ctx, x) : SSL_CTX_add1_chain_cert(ctx, x)) == 1;
}

static bool
add_trusted(SSL_CTX *ctx, X509 *x, size_t i UNUSED)
{
	return X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), x) == 1;
}

/* Clients are told whose certificates are taken. */
static bool
add_client_ca(SSL_CTX *ctx, X509 *x, size_t i)
{
	return add_trusted(ctx, x, i) && SSL_CTX_add_client_CA(ctx, x) == 1;
}

static int
on_passphrase(char *text UNUSED, int size UNUSED, int is_writing UNUSED, void *arg)
{
	*(bool *)arg = true;
	return -1;
}

static bool
use_key(SSL_CTX *ctx, const char *path, const char *certificate, char **error)
{
	char *bytes;
	size_t len;
	bool is_encrypted = false;
	BIO *bio = open_file(path, &bytes, &len, error);
	EVP_PKEY *key;

	if (bio == NULL)
		return false;
	key = PEM_read_bio_PrivateKey(bio, NULL, on_passphrase, &is_encrypted);
	if (key == NULL && is_encrypted)
		*error = xasprintf("%s needs a passphrase, which nobody can give here: write the key "
		    "without one, \"openssl pkey -in OLD -out NEW\"", path);
	else if (key == NULL)
		*error = xasprintf("%s holds no private key: it must have \"-----BEGIN PRIVATE "
		    "KEY-----\" or the like (PEM)", path);
	else if (SSL_CTX_use_PrivateKey(ctx, key) != 1)
		*error = xasprintf("%s is not the key of the certificate in %s", path, certificate);
	EVP_PKEY_free(key);
	close_file(bio, bytes, len);
	return *error == NULL;
}

/* One warning a time it is read: peers will refuse it. */
static void
warn_of_age(SSL_CTX *ctx, const char *path)
{
	const X509 *x = SSL_CTX_get0_certificate(ctx);

	if (X509_cmp_current_time(X509_get0_notAfter(x)) < 0)
		log_warnx("%s: the certificate has expired: peers will refuse it", path);
	else if (X509_cmp_current_time(X509_get0_notBefore(x)) > 0)
		log_warnx("%s: the certificate is not valid yet: peers will refuse it", path);
}

static bool
use_certificate(SSL_CTX *ctx, const char *certificate, const char *key, char **error)
{
	if (!each_certificate(certificate, add_own, ctx, error) ||
	    !use_key(ctx, key, certificate, error))
		return false;
	warn_of_age(ctx, certificate);
	return true;
}

static SSL_CTX *
context_new(const SSL_METHOD *method)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1)
		fatalx("cannot make a TLS context: %s", tls_error_text());
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	/* Output moves when the buffer that gathers it grows; an idle connection has no buffers. */
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
	    SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(ctx, 1);
	return ctx;
}

/* ---- listeners ---- */

/* A client that offers protocols, and not ours, is told so. */
static int
on_protocols(SSL *ssl UNUSED, const unsigned char **out, unsigned char *out_len,
    const unsigned char *in, unsigned in_len, void *arg UNUSED)
{
	return SSL_select_next_proto((unsigned char **)(void *)out, out_len, protocols,
	    PROTOCOLS_LEN, in, in_len) == OPENSSL_NPN_NEGOTIATED ?
	    SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* The first certificate that is for this name; else it stays with the first of all. */
static int
on_name(SSL *ssl, int *alert UNUSED, void *arg)
{
	const struct tls_server *s = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	for (size_t i = 0; name != NULL && i < s->n; i++) {
		if (X509_check_host(SSL_CTX_get0_certificate(s->ctx[i]), name, 0,
		    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) != 1)
			continue;
		if (i > 0 && SSL_set_SSL_CTX(ssl, s->ctx[i]) == NULL)
			return SSL_TLSEXT_ERR_ALERT_FATAL;
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_NOACK;
}

/* Whichever name a client asks for, it must have a certificate where one is wanted. */
static const char *
client_ca_of(const struct conf_listener *conf)
{
	for (size_t i = 0; i < conf->n_tls; i++)
		if (conf->tls[i].client_ca != NULL)
			return conf->tls[i].client_ca;
	return NULL;
}

static SSL_CTX *
server_context_new(struct tls_server *s, const struct conf_listener *listener, size_t i,
    char **error)
{
	const struct conf_tls_server *conf = &listener->tls[i];
	const char *client_ca = client_ca_of(listener);
	SSL_CTX *ctx = context_new(TLS_server_method());

	/* Sessions are in tickets, which clients keep. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"usher", 5);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_name);
	SSL_CTX_set_tlsext_servername_arg(ctx, s);
	SSL_CTX_set_alpn_select_cb(ctx, on_protocols, NULL);
	if (!use_certificate(ctx, conf->certificate, conf->key, error) ||
	    (client_ca != NULL && !each_certificate(client_ca, add_client_ca, ctx, error))) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	if (client_ca != NULL)
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	return ctx;
}

struct tls_server *
tls_server_ref(struct tls_server *s)
{
	if (s != NULL)
		hold(&s->refs);
	return s;
}

void
tls_server_free(struct tls_server *s)
{
	if (s == NULL || !let_go(&s->refs))
		return;
	for (size_t i = 0; i < s->n; i++)
		SSL_CTX_free(s->ctx[i]);
	free(s->ctx);
	free(s);
}

static void
let_server_go(void *server)
{
	tls_server_free(server);
}

struct tls_server *
tls_server_new(const struct conf_listener *conf, char **error)
{
	struct tls_server *s = xcalloc(1, sizeof(*s));

	*error = NULL;
	s->refs = 1;
	s->n = conf->n_tls;
	s->ctx = xcalloc(s->n, sizeof(*s->ctx));
	for (size_t i = 0; i < s->n; i++) {
		if ((s->ctx[i] = server_context_new(s, conf, i, error)) == NULL) {
			tls_server_free(s);
			return NULL;
		}
	}
	return s;
}

struct tls *
tls_accept(struct tls_server *s)
{
	SSL *ssl = SSL_new(s->ctx[0]);

	if (ssl == NULL)
		fatalx("cannot make a TLS connection: %s", tls_error_text());
	SSL_set_accept_state(ssl);
	hold(&s->refs);
	return tls_new(ssl, let_server_go, s);
}

/* ---- links ---- */

static bool
use_trust(SSL_CTX *ctx, const struct conf_tls_client *conf, char **error)
{
	if (!conf->verify)
		return true;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (conf->ca != NULL)
		return each_certificate(conf->ca, add_trusted, ctx, error);
	if (SSL_CTX_set_default_verify_paths(ctx) == 1)
		return true;
	*error = xasprintf("the CAs of the system cannot be read: %s", tls_error_text());
	return false;
}

void
tls_trust_free(struct tls_trust *t)
{
	if (t == NULL || !let_go(&t->refs))
		return;
	SSL_CTX_free(t->ctx);
	free(t->name);
	free(t);
}

struct tls_trust *
tls_trust_new(const struct conf_tls_client *conf, char **error)
{
	struct tls_trust *t = xcalloc(1, sizeof(*t));

	*error = NULL;
	t->refs = 1;
	t->name = conf->name != NULL ? xstrdup(conf->name) : NULL;
	t->ctx = context_new(TLS_client_method());
	SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(t->ctx, on_new_session);
	if (SSL_CTX_set_alpn_protos(t->ctx, protocols, PROTOCOLS_LEN) != 0)
		fatalx("cannot make a TLS context: %s", tls_error_text());
	if (use_trust(t->ctx, conf, error) && (conf->certificate == NULL ||
	    use_certificate(t->ctx, conf->certificate, conf->key, error)))
		return t;
	tls_trust_free(t);
	return NULL;
}

struct tls_client *
tls_client_new(struct tls_trust *trust, const char *host)
{
	struct tls_client *c = xcalloc(1, sizeof(*c));

	hold(&trust->refs);
	c->refs = 1;
	c->trust = trust;
	c->host = xstrdup(trust->name != NULL ? trust->name : host);
	return c;
}

struct tls_client *
tls_client_copy(const struct tls_client *c)
{
	struct tls_client *copy = xcalloc(1, sizeof(*copy));

	hold(&c->trust->refs);
	copy->refs = 1;
	copy->trust = c->trust;
	copy->host = xstrdup(c->host);
	return copy;
}

struct tls_client *
tls_client_ref(struct tls_client *c)
{
	hold(&c->refs);
	return c;
}

void
tls_client_free(struct tls_client *c)
{
	if (c == NULL || !let_go(&c->refs))
		return;
	SSL_SESSION_free(c->session);
	tls_trust_free(c->trust);
	free(c->host);
	free(c);
}

static void
let_client_go(void *client)
{
	tls_client_free(client);
}

static int
on_new_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_client *c = SSL_get_app_data(ssl);

	SSL_SESSION_free(c->session);
	c->session = session;		/* ours now, as we say 1 */
	return 1;
}

static bool
is_address(const char *host)
{
	struct in6_addr a;

	return inet_pton(AF_INET, host, &a) == 1 || inet_pton(AF_INET6, host, &a) == 1;
}

/* Whom we want to speak to; addresses are not asked for by name (RFC 6066 section 3). */
static bool
set_peer(SSL *ssl, const char *host)
{
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (is_address(host))
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
	return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

struct tls *
tls_connect(struct tls_client *c)
{
	SSL *ssl = SSL_new(c->trust->ctx);

	if (ssl == NULL || !set_peer(ssl, c->host))
		fatalx("cannot make a TLS connection: %s", tls_error_text());
	SSL_set_app_data(ssl, c);
	if (c->session != NULL)
		SSL_set_session(ssl, c->session);
	SSL_set_connect_state(ssl);
	hold(&c->refs);
	return tls_new(ssl, let_client_go, c);
}
