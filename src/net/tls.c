/* SPDX-License-Identifier: ISC */
/*
 * The TLS state of one connection.
 *
 * OpenSSL reads and writes through a BIO of ours, which takes a bounded number of bytes
 * from the socket in a turn: whatever a peer sends, be it application data, key updates or
 * a handshake without end, the other connections get their turn.
 */
#include "net/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "net/tls_int.h"

#define TURN_BYTES   65536	/* from the socket in a turn */
#define RECORD_BYTES 16384	/* of text in a record, which is written at once */

struct tls {
	SSL *ssl;
	void (*let_go)(void *);		/* of what its context came from */
	void *owner;
	int fd;
	size_t left;			/* bytes that may still be read in this turn */
	bool has_ended;			/* end of file on the socket */
	bool is_plain_http;
	bool is_broken;
	char fault[256];
};

/* ---- the socket as OpenSSL sees it ---- */

static int
bio_read(BIO *bio, char *data, int size)
{
	struct tls *t = BIO_get_data(bio);
	size_t want = (size_t)size < t->left ? (size_t)size : t->left;
	ssize_t n;

	BIO_clear_retry_flags(bio);
	if (want == 0) {
		BIO_set_retry_read(bio);
		errno = EAGAIN;
		return -1;
	}
	do
		n = read(t->fd, data, want);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		t->left -= (size_t)n;
	else if (n == 0)
		t->has_ended = true;
	else if (errno == EAGAIN || errno == EWOULDBLOCK)
		BIO_set_retry_read(bio);
	return (int)n;
}

static int
bio_write(BIO *bio, const char *data, int len)
{
	const struct tls *t = BIO_get_data(bio);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	do
		n = write(t->fd, data, (size_t)len);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		BIO_set_retry_write(bio);
	return (int)n;
}

static long
bio_ctrl(BIO *bio, int command, long number UNUSED, void *arg UNUSED)
{
	const struct tls *t = BIO_get_data(bio);

	switch (command) {
	case BIO_CTRL_FLUSH:
	case BIO_CTRL_DUP:
		return 1;
	case BIO_CTRL_EOF:
		return t->has_ended;
	default:
		return 0;
	}
}

static int
bio_create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

/* Made once, by whichever loop is first, and kept for good. */
static pthread_once_t method_once = PTHREAD_ONCE_INIT;
static BIO_METHOD *method;

static void
make_method(void)
{
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "usher socket");
	if (method == NULL || BIO_meth_set_read(method, bio_read) != 1 ||
	    BIO_meth_set_write(method, bio_write) != 1 ||
	    BIO_meth_set_ctrl(method, bio_ctrl) != 1 ||
	    BIO_meth_set_create(method, bio_create) != 1)
		fatalx("cannot make a BIO");
}

struct tls *
tls_new(SSL *ssl, void (*let_go)(void *), void *owner)
{
	struct tls *t = xcalloc(1, sizeof(*t));
	BIO *bio;

	pthread_once(&method_once, make_method);
	if ((bio = BIO_new(method)) == NULL)
		fatalx("cannot make a BIO");
	t->ssl = ssl;
	t->let_go = let_go;
	t->owner = owner;
	t->fd = -1;
	BIO_set_data(bio, t);
	SSL_set_bio(ssl, bio, bio);
	return t;
}

void
tls_set_fd(struct tls *t, int fd)
{
	t->fd = fd;
	tls_begin_turn(t);
}

void
tls_free(struct tls *t)
{
	if (t == NULL)
		return;
	/* Else OpenSSL would take a connection that was cut for one that must not be resumed. */
	if (!t->is_broken && SSL_is_init_finished(t->ssl))
		SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(t->ssl);
	t->let_go(t->owner);
	ERR_clear_error();
	free(t);
}

/* ---- what went wrong ---- */

const char *
tls_error_text(void)
{
	static _Thread_local char text[200];	/* the thread of a reload asks too */
	const char *reason, *data;
	unsigned long code;
	int flags;

	/* The first is the cause, those behind it what it led to. */
	code = ERR_get_error_all(NULL, NULL, NULL, &data, &flags);
	reason = ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) :
	    ERR_reason_error_string(code);
	snprintf(text, sizeof(text), "%s%s%s", reason != NULL ? reason : "unknown error",
	    (flags & ERR_TXT_STRING) != 0 && *data != '\0' ? ": " : "",
	    (flags & ERR_TXT_STRING) != 0 ? data : "");
	ERR_clear_error();
	return text;
}

/* Why the certificate of the peer was refused, and what to do about it on a link. */
static void
explain_refusal(struct tls *t, long result)
{
	const char *advice = "";

	switch (SSL_is_server(t->ssl) ? X509_V_OK : result) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		advice = "; it is for another host: correct the URL, or tell its name in tls.name";
		break;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		advice = "; if it is right, name its CA in tls.ca";
		break;
	default:
		break;
	}
	snprintf(t->fault, sizeof(t->fault), "the certificate is refused: %s%s",
	    X509_verify_cert_error_string(result), advice);
}

/* Reads and empties OpenSSL's queue of errors. */
static void
note_fault(struct tls *t)
{
	unsigned long code = ERR_peek_error();
	int reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
	long result = SSL_get_verify_result(t->ssl);

	t->is_broken = true;
	if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED && result != X509_V_OK)
		explain_refusal(t, result);
	else if (SSL_is_server(t->ssl) && reason == SSL_R_HTTP_REQUEST)
		snprintf(t->fault, sizeof(t->fault), "plain HTTP on an address with TLS");
	else if (!SSL_is_server(t->ssl) && reason == SSL_R_WRONG_VERSION_NUMBER)
		snprintf(t->fault, sizeof(t->fault), "what answers there is no TLS; if so, write "
		    "ws:// in place of wss://");
	else if (!SSL_is_server(t->ssl) && reason == SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED)
		snprintf(t->fault, sizeof(t->fault), "the node wants to see a certificate: name one "
		    "that it trusts in tls.certificate");
	else
		snprintf(t->fault, sizeof(t->fault), "%s", tls_error_text());
	t->is_plain_http = reason == SSL_R_HTTP_REQUEST && SSL_is_server(t->ssl);
	ERR_clear_error();
}

const char *
tls_fault(const struct tls *t)
{
	return t->fault;
}

const char *
tls_plain_answer(const struct tls *t)
{
	static const char answer[] = "HTTP/1.1 400 Bad Request\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Length: 45\r\nConnection: close\r\n\r\n"
	    "this address speaks TLS: begin with https://\n";

	return t->is_plain_http ? answer : NULL;
}

static enum tls_stop
stop_of(struct tls *t, int result)
{
	switch (SSL_get_error(t->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return TLS_WANTS_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANTS_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_ENDED;
	case SSL_ERROR_SYSCALL:
		ERR_clear_error();
		return t->has_ended ? TLS_ENDED : TLS_RESET;
	default:
		/* A peer may end without a word: messages have lengths of their own. */
		if (t->has_ended) {
			ERR_clear_error();
			return TLS_ENDED;
		}
		note_fault(t);
		return TLS_BROKEN;
	}
}

/* ---- reading and writing ---- */

void
tls_begin_turn(struct tls *t)
{
	t->left = TURN_BYTES;
}

ssize_t
tls_read(struct tls *t, void *data, size_t size, enum tls_stop *stop)
{
	size_t n;
	int result;

	if (t->is_broken) {
		*stop = TLS_BROKEN;
		return -1;
	}
	ERR_clear_error();
	result = SSL_read_ex(t->ssl, data, size, &n);
	if (result == 1)
		return (ssize_t)n;
	*stop = stop_of(t, result);
	return -1;
}

/* One record: what is queued behind it makes the next ones. */
ssize_t
tls_write(struct tls *t, const void *data, size_t len, enum tls_stop *stop)
{
	size_t n;
	int result;

	if (t->is_broken) {
		*stop = TLS_BROKEN;
		return -1;
	}
	ERR_clear_error();
	result = SSL_write_ex(t->ssl, data, len < RECORD_BYTES ? len : RECORD_BYTES, &n);
	if (result == 1)
		return (ssize_t)n;
	*stop = stop_of(t, result);
	return -1;
}

bool
tls_end_output(struct tls *t)
{
	bool is_waiting = false;
	int result;

	if (t->is_broken || !SSL_is_init_finished(t->ssl))
		return true;
	ERR_clear_error();
	result = SSL_shutdown(t->ssl);
	if (result < 0)
		is_waiting = SSL_get_error(t->ssl, result) == SSL_ERROR_WANT_WRITE;
	ERR_clear_error();
	return !is_waiting;
}

bool
tls_is_up(const struct tls *t, bool *is_resumed)
{
	if (!SSL_is_init_finished(t->ssl))
		return false;
	*is_resumed = SSL_session_reused(t->ssl) == 1;
	return true;
}
