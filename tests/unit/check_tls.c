/* SPDX-License-Identifier: ISC */
/*
 * conn over TLS: both ends of a socket pair on one loop, or one end and a peer that does not
 * speak TLS.  And what is said of files that cannot be used.
 *
 * The certificates are made here, in a folder that goes at the end.
 */
#include "net/tls.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/xmalloc.h"
#include "conf/conf.h"
#include "loop_unit.h"
#include "net/conn.h"

#define MUCH (8u << 20)		/* bytes: more than sockets hold */

/* An end of the pair, if it speaks TLS. */
struct side {
	struct conn *conn;		/* NULL: closed */
	struct buf got;
	enum err why;
	char fault[256];
	bool pauses;			/* after each read */
	const char *answer;		/* to what it reads, and closes */
};

static char folder[sizeof("/tmp/check_tls.XXXXXX")];
static char *own_pem, *own_key, *other_pem, *other_key;	/* paths; self-signed both */

static struct loop *loop;
static struct conf_tls_server server_conf;
static struct conf_listener listener;
static struct conf_tls_client client_conf;
static struct tls_server *server_tls;
static struct tls_trust *trust;
static struct tls_client *client_tls;
static struct side server, client;
static int peer;			/* the other end where it does not; -1: none */

/* ---- certificates ---- */

static void
add_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e;
	X509V3_CTX ctx;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	ck_assert_ptr_nonnull(e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value));
	ck_assert_int_eq(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

/* Self-signed, for "localhost". */
static void
make_certificate(const char *pem, const char *key_path)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	FILE *f;

	ck_assert(key != NULL && x != NULL);
	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
	    (const unsigned char *)pem, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	add_extension(x, NID_subject_alt_name, "DNS:localhost");
	ck_assert_int_gt(X509_sign(x, key, EVP_sha256()), 0);
	ck_assert_ptr_nonnull(f = fopen(pem, "w"));
	ck_assert_int_eq(PEM_write_X509(f, x), 1);
	fclose(f);
	ck_assert_ptr_nonnull(f = fopen(key_path, "w"));
	ck_assert_int_eq(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(f);
	X509_free(x);
	EVP_PKEY_free(key);
}

static void
make_files(void)
{
	strcpy(folder, "/tmp/check_tls.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
	own_pem = xasprintf("%s/own.pem", folder);
	own_key = xasprintf("%s/own.key", folder);
	other_pem = xasprintf("%s/b.pem", folder);
	other_key = xasprintf("%s/b.key", folder);
	make_certificate(own_pem, own_key);
	make_certificate(other_pem, other_key);
}

static void
remove_files(void)
{
	static const char *const names[] = { "own.pem", "own.key", "b.pem", "b.key", "used.pem",
		"used.key" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unlink(names[i]);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(rmdir(folder), 0);
	free(own_pem);
	free(own_key);
	free(other_pem);
	free(other_key);
}

/* ---- both ends ---- */

static void
on_read(struct conn *c, char *data, size_t len, void *arg)
{
	struct side *s = arg;

	ck_assert_ptr_eq(c, s->conn);
	buf_add(&s->got, data, len);
	if (s->pauses)
		conn_pause(c);
	if (s->answer != NULL) {
		conn_send(c, s->answer, strlen(s->answer));
		conn_close(c, ERR_NONE);
	}
}

static void
on_close(struct conn *c, enum err why, void *arg)
{
	struct side *s = arg;

	s->why = why;
	if (conn_fault(c) != NULL)
		snprintf(s->fault, sizeof(s->fault), "%s", conn_fault(c));
	s->conn = NULL;
}

static const struct conn_events events = {
	.on_read = on_read,
	.on_close = on_close,
};

static void
setup(void)
{
	char *error;

	signal(SIGPIPE, SIG_IGN);	/* as the daemon does */
	loop = loop_new();
	server_conf = (struct conf_tls_server){ own_pem, own_key, NULL };
	listener = (struct conf_listener){ .tls = &server_conf, .n_tls = 1 };
	client_conf = (struct conf_tls_client){ .ca = own_pem, .verify = true };
	ck_assert_ptr_nonnull(server_tls = tls_server_new(&listener, &error));
	ck_assert_ptr_nonnull(trust = tls_trust_new(&client_conf, &error));
	client_tls = tls_client_new(trust, "localhost");
	server = client = (struct side){ 0 };
	peer = -1;
}

/* As a reload does: connections go on with what they have. */
static bool
read_server_anew(char **error)
{
	struct tls_server *s = tls_server_new(&listener, error);

	if (s == NULL)
		return false;
	tls_server_free(server_tls);
	server_tls = s;
	return true;
}

static void
read_trust_anew(void)
{
	char *error;

	tls_client_free(client_tls);
	tls_trust_free(trust);
	ck_assert_ptr_nonnull(trust = tls_trust_new(&client_conf, &error));
	client_tls = tls_client_new(trust, "localhost");
}

static void
make_pair(int pair[2])
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
}

static void
connect_both(void)
{
	int pair[2];

	make_pair(pair);
	server.conn = conn_new_tls(loop, pair[0], tls_accept(server_tls), &events, &server);
	client.conn = conn_new_tls(loop, pair[1], tls_connect(client_tls), &events, &client);
}

/* A listener's end, and bytes of the test's own at the other. */
static void
accept_one(void)
{
	int pair[2];

	make_pair(pair);
	server.conn = conn_new_tls(loop, pair[0], tls_accept(server_tls), &events, &server);
	peer = pair[1];
	ck_assert_int_eq(fcntl(peer, F_SETFL, O_NONBLOCK), 0);
}

static bool
is_freed(void *arg UNUSED)
{
	return *loop_conns(loop) == 0;
}

static bool
has_closed(void *side)
{
	return ((struct side *)side)->conn == NULL;
}

static void
end_connections(void)
{
	if (server.conn != NULL)
		conn_abort(server.conn, ERR_STOPPING);
	if (client.conn != NULL)
		conn_abort(client.conn, ERR_STOPPING);
	if (peer >= 0)
		close(peer);
	peer = -1;
	loop_run_until(loop, is_freed, NULL);
	buf_free(&server.got);
	buf_free(&client.got);
	server = client = (struct side){ 0 };
}

static void
teardown(void)
{
	end_connections();
	loop_free(loop);
	tls_client_free(client_tls);
	tls_trust_free(trust);
	tls_server_free(server_tls);
}

struct expected {
	struct side *side;
	size_t len;
};

static bool
has_got(void *arg)
{
	const struct expected *e = arg;

	return e->side->got.len >= e->len;
}

static void
wait_for(struct side *side, size_t len)
{
	struct expected e = { side, len };

	loop_run_until(loop, has_got, &e);
	ck_assert_uint_eq(side->got.len, len);
}

static void
send_text(struct side *s, const char *text)
{
	conn_send(s->conn, text, strlen(text));
}

static void
exchange(void)
{
	send_text(&client, "ping");
	wait_for(&server, 4);
	send_text(&server, "pong");
	wait_for(&client, 4);
	ck_assert_str_eq(buf_str(&server.got), "ping");
	ck_assert_str_eq(buf_str(&client.got), "pong");
}

static char
byte_at(size_t i)
{
	return (char)(i * 7 + i / 251);
}

static void
send_bytes(struct side *s, size_t n)
{
	char *bytes = xmalloc(n);

	for (size_t i = 0; i < n; i++)
		bytes[i] = byte_at(i);
	conn_send(s->conn, bytes, n);
	free(bytes);
}

static void
assert_bytes(const struct side *s, size_t n)
{
	ck_assert_uint_eq(s->got.len, n);
	for (size_t i = 0; i < n; i++)
		if (s->got.data[i] != byte_at(i))
			ck_abort_msg("byte %zu is wrong", i);
}

static uint64_t
count_of(int metric)
{
	return loop_metrics(loop)->value[metric];
}

/* ---- bytes ---- */

START_TEST(bytes_go_both_ways)
{
	connect_both();
	exchange();
	ck_assert_uint_eq(count_of(METRIC_TLS_HANDSHAKES), 2);
	ck_assert_uint_eq(count_of(METRIC_TLS_RESUMED), 0);
}
END_TEST

START_TEST(much_goes_both_ways_at_once)
{
	connect_both();
	send_bytes(&client, MUCH);
	send_bytes(&server, MUCH);
	wait_for(&server, MUCH);
	wait_for(&client, MUCH);
	assert_bytes(&server, MUCH);
	assert_bytes(&client, MUCH);
}
END_TEST

START_TEST(a_slow_reader_gets_everything)
{
	connect_both();
	exchange();
	client.got.len = 0;
	conn_pause(client.conn);
	send_bytes(&server, MUCH);
	loop_run_turns(loop, 20);
	ck_assert_uint_eq(client.got.len, 0);
	ck_assert_uint_gt(conn_queued(server.conn), 0);
	conn_resume(client.conn);
	wait_for(&client, MUCH);
	assert_bytes(&client, MUCH);
}
END_TEST

/* OpenSSL may hold bytes of which the kernel does not tell again. */
START_TEST(who_pauses_after_each_read_gets_everything)
{
	connect_both();
	server.pauses = true;
	send_bytes(&client, 1 << 20);
	while (server.got.len < 1 << 20) {
		size_t before = server.got.len;

		conn_resume(server.conn);
		loop_run_turns(loop, 3);
		if (server.got.len == before)
			loop_run_turns(loop, 20);
	}
	assert_bytes(&server, 1 << 20);
}
END_TEST

/* ---- ends ---- */

START_TEST(what_is_queued_goes_before_an_end_in_order)
{
	connect_both();
	exchange();
	server.got.len = 0;
	send_bytes(&client, MUCH);
	conn_close(client.conn, ERR_IDLE);
	loop_run_until(loop, has_closed, &server);
	assert_bytes(&server, MUCH);
	ck_assert_int_eq(server.why, ERR_PEER_GONE);
	ck_assert_int_eq(client.why, ERR_IDLE);
	loop_run_until(loop, is_freed, NULL);
}
END_TEST

START_TEST(an_answer_and_the_end_arrive_together)
{
	connect_both();
	server.answer = "answer";
	send_text(&client, "question");
	loop_run_until(loop, has_closed, &client);
	ck_assert_str_eq(buf_str(&client.got), "answer");
	ck_assert_int_eq(client.why, ERR_PEER_GONE);
}
END_TEST

START_TEST(a_connection_that_is_cut_ends_its_peer)
{
	connect_both();
	exchange();
	conn_abort(client.conn, ERR_IDLE);
	loop_run_until(loop, has_closed, &server);
	ck_assert_int_eq(server.why, ERR_PEER_GONE);
	ck_assert_str_eq(server.fault, "");
}
END_TEST

/* ---- peers that do not speak TLS ---- */

static void
read_to_end(struct buf *all)
{
	ssize_t n;

	do {
		loop_run_turns(loop, 1);
		n = read(peer, buf_reserve(all, 65536), 65536);
		if (n > 0)
			buf_used(all, (size_t)n);
	} while (n != 0);
}

START_TEST(after_nonsense_nothing_that_was_queued_goes_out)
{
	static const char nonsense[] = "\x16\x03\x01\x00\x05nonsense, and more of it";
	struct buf all = { 0 };

	accept_one();
	send_text(&server, "confidential");
	ck_assert_int_gt(write(peer, nonsense, sizeof(nonsense)), 0);
	loop_run_until(loop, has_closed, &server);
	ck_assert_int_eq(server.why, ERR_BAD_TLS);
	ck_assert_str_ne(server.fault, "");
	ck_assert_uint_eq(count_of(METRIC_TLS_FAILED), 1);
	read_to_end(&all);
	ck_assert_ptr_null(memmem(all.data, all.len, "confidential", 12));
	buf_free(&all);
}
END_TEST

START_TEST(plain_http_is_told_to_speak_tls)
{
	struct buf all = { 0 };

	accept_one();
	send_text(&server, "confidential");
	ck_assert_int_gt(write(peer, "GET / HTTP/1.1\r\n\r\n", 18), 0);
	read_to_end(&all);
	ck_assert_int_eq(server.why, ERR_BAD_TLS);
	ck_assert_str_eq(server.fault, "plain HTTP on an address with TLS");
	ck_assert_ptr_nonnull(strstr(buf_str(&all), "HTTP/1.1 400 "));
	ck_assert_ptr_nonnull(strstr(buf_str(&all), "begin with https://\n"));
	ck_assert_ptr_null(strstr(buf_str(&all), "confidential"));
	buf_free(&all);
}
END_TEST

/* ---- trust and sessions ---- */

START_TEST(another_host_is_refused)
{
	tls_client_free(client_tls);
	client_tls = tls_client_new(trust, "elsewhere.example");
	connect_both();
	send_text(&client, "confidential");
	loop_run_until(loop, has_closed, &client);
	ck_assert_int_eq(client.why, ERR_BAD_TLS);
	ck_assert_ptr_nonnull(strstr(client.fault, "hostname mismatch; it is for another host"));
	loop_run_until(loop, has_closed, &server);
	ck_assert_uint_eq(server.got.len, 0);
}
END_TEST

START_TEST(the_next_connection_resumes_until_something_was_read_anew)
{
	char *error;

	for (unsigned i = 0; i < 4; i++) {
		connect_both();
		exchange();
		end_connections();
		/* The second alone does, which counts at both ends. */
		ck_assert_uint_eq(count_of(METRIC_TLS_RESUMED), i == 0 ? 0 : 2);
		if (i == 1)
			read_trust_anew();
		if (i == 2)
			ck_assert(read_server_anew(&error));
	}
}
END_TEST

static void
copy(const char *from, const char *to)
{
	char bytes[8192];
	FILE *in = fopen(from, "r"), *out = fopen(to, "w");
	size_t n;

	ck_assert(in != NULL && out != NULL);
	n = fread(bytes, 1, sizeof(bytes), in);
	ck_assert_uint_eq(fwrite(bytes, 1, n, out), n);
	fclose(in);
	fclose(out);
}

/* Neither side has anything of its own left but the connections. */
START_TEST(connections_go_on_when_what_they_began_with_is_gone)
{
	char *error;

	connect_both();
	exchange();
	ck_assert(read_server_anew(&error));
	read_trust_anew();
	server.got.len = client.got.len = 0;
	exchange();
	end_connections();
}
END_TEST

START_TEST(a_reload_that_fails_changes_nothing)
{
	char *error;

	server_conf.certificate = (char *)"used.pem";
	server_conf.key = (char *)"used.key";
	copy(own_pem, "used.pem");
	copy(own_key, "used.key");
	ck_assert(read_server_anew(&error));
	copy(other_pem, "used.pem");
	ck_assert(!read_server_anew(&error));
	ck_assert_str_eq(error, "used.key is not the key of the certificate in used.pem");
	free(error);
	connect_both();
	exchange();
	end_connections();
	copy(other_key, "used.key");
	ck_assert(read_server_anew(&error));
	connect_both();		/* which trusts the old one */
	send_text(&client, "ping");
	loop_run_until(loop, has_closed, &client);
	ck_assert_int_eq(client.why, ERR_BAD_TLS);
}
END_TEST

/* ---- files ---- */

static const struct {
	const char *certificate, *key, *client_ca;
	const char *words;		/* of the error */
} bad_files[] = {
	{ "none.pem", "own.key", NULL, "none.pem cannot be read: No such file" },
	{ ".", "own.key", NULL, ". cannot be read: it is no regular file" },
	{ "own.key", "own.key", NULL, "own.key holds no certificate: it must have \"-----BEGIN" },
	{ "own.pem", "own.pem", NULL, "own.pem holds no private key: it must have" },
	{ "own.pem", "b.key", NULL, "b.key is not the key of the certificate in own.pem" },
	{ "own.pem", "own.key", "b.key", "b.key holds no certificate" },
	{ "own.pem", "own.key", "none.pem", "none.pem cannot be read: No such file" },
};

START_TEST(a_file_that_cannot_be_used_is_named_with_what_is_wrong)
{
	struct conf_tls_server tls = { (char *)(uintptr_t)bad_files[_i].certificate,
		(char *)(uintptr_t)bad_files[_i].key, (char *)(uintptr_t)bad_files[_i].client_ca };
	struct conf_listener bad = { .tls = &tls, .n_tls = 1 };
	char *error = NULL;

	ck_assert_ptr_null(tls_server_new(&bad, &error));
	ck_assert_msg(strncmp(error, bad_files[_i].words, strlen(bad_files[_i].words)) == 0,
	    "\"%s\", not \"%s\"", error, bad_files[_i].words);
	free(error);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("tls");
	TCase *conns = tcase_create("connections"), *files = tcase_create("files");

	tcase_add_unchecked_fixture(conns, make_files, remove_files);
	tcase_add_checked_fixture(conns, setup, teardown);
	tcase_set_timeout(conns, 30);
	tcase_add_test(conns, bytes_go_both_ways);
	tcase_add_test(conns, much_goes_both_ways_at_once);
	tcase_add_test(conns, a_slow_reader_gets_everything);
	tcase_add_test(conns, who_pauses_after_each_read_gets_everything);
	tcase_add_test(conns, what_is_queued_goes_before_an_end_in_order);
	tcase_add_test(conns, an_answer_and_the_end_arrive_together);
	tcase_add_test(conns, a_connection_that_is_cut_ends_its_peer);
	tcase_add_test(conns, after_nonsense_nothing_that_was_queued_goes_out);
	tcase_add_test(conns, plain_http_is_told_to_speak_tls);
	tcase_add_test(conns, another_host_is_refused);
	tcase_add_test(conns, the_next_connection_resumes_until_something_was_read_anew);
	tcase_add_test(conns, connections_go_on_when_what_they_began_with_is_gone);
	tcase_add_test(conns, a_reload_that_fails_changes_nothing);
	suite_add_tcase(suite, conns);
	tcase_add_unchecked_fixture(files, make_files, remove_files);
	tcase_add_loop_test(files, a_file_that_cannot_be_used_is_named_with_what_is_wrong, 0,
	    ARRAY_LEN(bad_files));
	suite_add_tcase(suite, files);
	return suite;
}

UNIT_MAIN(make_suite)
