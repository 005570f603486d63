/* SPDX-License-Identifier: ISC */
/*
 * The opening handshake: the exchange of RFC 6455, and what is refused.
 */
#include "codec/ws_handshake.h"

#include <string.h>

#include "unit.h"

#define KEY	"dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT	"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

#define START		"GET /chat HTTP/1.1\r\nHost: a\r\n"
#define UPGRADE		"Upgrade: websocket\r\n"
#define CONNECTION	"Connection: Upgrade\r\n"
#define KEY_LINE	"Sec-WebSocket-Key: " KEY "\r\n"
#define VERSION_LINE	"Sec-WebSocket-Version: 13\r\n"
#define END		"\r\n"

static struct http_head head;

static const struct {
	int status;
	const char *why;
	const char *text;
} requests[] = {
	{ 101, "", START UPGRADE CONNECTION KEY_LINE VERSION_LINE END },
	{ 101, "", START "upgrade: WebSocket\r\nconnection: keep-alive, UPGRADE\r\n"
	    "sec-websocket-version: 13\r\nsec-websocket-key: " KEY "\r\n"
	    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
	    "Sec-WebSocket-Protocol: chat\r\nOrigin: http://b\r\nContent-Length: 0\r\n" END },
	{ 101, "", START "Upgrade: h2c\r\nUpgrade: websocket\r\n" CONNECTION KEY_LINE VERSION_LINE
	    END },
	{ 400, "method is not GET", "POST / HTTP/1.1\r\nHost: a\r\n" UPGRADE CONNECTION KEY_LINE
	    VERSION_LINE END },
	{ 400, "not HTTP/1.1", "GET / HTTP/1.0\r\nHost: a\r\n" UPGRADE CONNECTION KEY_LINE
	    VERSION_LINE END },
	{ 400, "no Upgrade: websocket", START CONNECTION KEY_LINE VERSION_LINE END },
	{ 400, "no Upgrade: websocket", START "Upgrade: websockets\r\n" CONNECTION KEY_LINE
	    VERSION_LINE END },
	{ 400, "no Connection: Upgrade", START UPGRADE KEY_LINE VERSION_LINE END },
	{ 400, "no Connection: Upgrade", START UPGRADE "Connection: keep-alive\r\n" KEY_LINE
	    VERSION_LINE END },
	{ 400, "request has a body", START UPGRADE CONNECTION KEY_LINE VERSION_LINE
	    "Content-Length: 1\r\n" END },
	{ 400, "request has a body", START UPGRADE CONNECTION KEY_LINE VERSION_LINE
	    "Transfer-Encoding: chunked\r\n" END },
	{ 400, "not one Sec-WebSocket-Version", START UPGRADE CONNECTION KEY_LINE END },
	{ 400, "not one Sec-WebSocket-Version", START UPGRADE CONNECTION KEY_LINE VERSION_LINE
	    VERSION_LINE END },
	{ 426, "Sec-WebSocket-Version is not 13", START UPGRADE CONNECTION KEY_LINE
	    "Sec-WebSocket-Version: 8\r\n" END },
	{ 426, "Sec-WebSocket-Version is not 13", START UPGRADE CONNECTION KEY_LINE
	    "Sec-WebSocket-Version: 013\r\n" END },
	{ 400, "not one Sec-WebSocket-Key", START UPGRADE CONNECTION VERSION_LINE END },
	{ 400, "not one Sec-WebSocket-Key", START UPGRADE CONNECTION KEY_LINE KEY_LINE VERSION_LINE
	    END },
	{ 400, "Sec-WebSocket-Key is not", START UPGRADE CONNECTION VERSION_LINE
	    "Sec-WebSocket-Key:\r\n" END },
	{ 400, "Sec-WebSocket-Key is not", START UPGRADE CONNECTION VERSION_LINE
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n" END },
	{ 400, "Sec-WebSocket-Key is not", START UPGRADE CONNECTION VERSION_LINE
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQQ=\r\n" END },
	{ 400, "Sec-WebSocket-Key is not", START UPGRADE CONNECTION VERSION_LINE
	    "Sec-WebSocket-Key: dGhlIHNhbXBs-SBub25jZQ==\r\n" END },
	{ 400, "Sec-WebSocket-Key is not", START UPGRADE CONNECTION VERSION_LINE
	    "Sec-WebSocket-Key: dGhlIHNhbXBs SBub25jZQ==\r\n" END },
	{ 400, "Sec-WebSocket-Key is not", START UPGRADE CONNECTION VERSION_LINE
	    "Sec-WebSocket-Key: " KEY "=\r\n" END },
};

START_TEST(a_request_is_accepted_or_told_why_not)
{
	const char *text = requests[_i].text, *why = NULL;
	int status = 0;
	enum err err;

	ck_assert_int_eq(http_parse_request(&head, text, strlen(text)), 0);
	err = ws_handshake_check(&head, &status, &why);
	ck_assert_int_eq(err, requests[_i].status == 101 ? 0 : ERR_BAD_HANDSHAKE);
	ck_assert_int_eq(status, requests[_i].status);
	ck_assert_msg(strncmp(why, requests[_i].why, strlen(requests[_i].why)) == 0 &&
	    (err != 0 || why[0] == '\0'), "%s", why);
}
END_TEST

START_TEST(the_answer_proves_knowledge_of_the_key)
{
	static const char text[] = START UPGRADE CONNECTION KEY_LINE VERSION_LINE END;
	struct buf b = { 0 };

	ck_assert_int_eq(http_parse_request(&head, text, sizeof(text) - 1), 0);
	ck_assert(ws_handshake_is_upgrade(&head));
	ws_handshake_accept(&b, &head);
	ck_assert_str_eq(buf_str(&b),
	    "HTTP/1.1 101 Switching Protocols\r\n"
	    "Upgrade: websocket\r\n"
	    "Connection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: " ACCEPT "\r\n"
	    "\r\n");
	buf_free(&b);
}
END_TEST

START_TEST(a_plain_request_is_no_upgrade)
{
	static const char text[] = START END;

	ck_assert_int_eq(http_parse_request(&head, text, sizeof(text) - 1), 0);
	ck_assert(!ws_handshake_is_upgrade(&head));
}
END_TEST

START_TEST(a_client_asks_with_its_nonce)
{
	struct buf b = { 0 };
	char key[WS_KEY_LEN + 1];

	ws_handshake_request(&b, "node:8081", "/socket.io/?EIO=3&transport=websocket",
	    (const unsigned char *)"the sample nonce", key);
	ck_assert_str_eq(key, KEY);
	ck_assert_str_eq(buf_str(&b),
	    "GET /socket.io/?EIO=3&transport=websocket HTTP/1.1\r\n"
	    "Host: node:8081\r\n"
	    "Upgrade: websocket\r\n"
	    "Connection: Upgrade\r\n"
	    "Sec-WebSocket-Key: " KEY "\r\n"
	    "Sec-WebSocket-Version: 13\r\n"
	    "\r\n");
	buf_free(&b);
}
END_TEST

START_TEST(both_sides_agree)
{
	unsigned char nonce[16];
	char key[WS_KEY_LEN + 1];
	struct buf asked = { 0 }, answered = { 0 };
	const char *why;
	int status;

	for (size_t i = 0; i < sizeof(nonce); i++)
		nonce[i] = (unsigned char)(_i * 31 + (int)i * 17);
	ws_handshake_request(&asked, "a", "/", nonce, key);
	ck_assert_int_eq(http_parse_request(&head, asked.data, asked.len), 0);
	ck_assert_int_eq(ws_handshake_check(&head, &status, &why), 0);
	ws_handshake_accept(&answered, &head);
	ck_assert_int_eq(http_parse_response(&head, answered.data, answered.len), 0);
	ck_assert_int_eq(ws_handshake_check_answer(&head, key, &why), 0);
	ck_assert_str_eq(why, "");
	key[0] = key[0] == 'A' ? 'B' : 'A';
	ck_assert_int_eq(ws_handshake_check_answer(&head, key, &why), ERR_BAD_HANDSHAKE);
	buf_free(&asked);
	buf_free(&answered);
}
END_TEST

#define SWITCHING	"HTTP/1.1 101 Switching Protocols\r\n"
#define ACCEPT_LINE	"Sec-WebSocket-Accept: " ACCEPT "\r\n"

static const struct {
	const char *why;
	const char *text;
} answers[] = {
	{ "", SWITCHING UPGRADE CONNECTION ACCEPT_LINE END },
	{ "", "HTTP/1.1 101\r\nupgrade: WEBSOCKET\r\nconnection: upgrade\r\n" ACCEPT_LINE END },
	{ "status is not 101", "HTTP/1.1 200 OK\r\n" UPGRADE CONNECTION ACCEPT_LINE END },
	{ "status is not 101", "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n" END },
	{ "not HTTP/1.1", "HTTP/1.0 101 X\r\n" UPGRADE CONNECTION ACCEPT_LINE END },
	{ "no Upgrade", SWITCHING CONNECTION ACCEPT_LINE END },
	{ "no Connection", SWITCHING UPGRADE ACCEPT_LINE END },
	{ "Sec-WebSocket-Accept", SWITCHING UPGRADE CONNECTION END },
	{ "Sec-WebSocket-Accept", SWITCHING UPGRADE CONNECTION ACCEPT_LINE ACCEPT_LINE END },
	{ "Sec-WebSocket-Accept", SWITCHING UPGRADE CONNECTION
	    "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" END },
	{ "Sec-WebSocket-Accept", SWITCHING UPGRADE CONNECTION
	    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo\r\n" END },
	{ "answered an extension", SWITCHING UPGRADE CONNECTION ACCEPT_LINE
	    "Sec-WebSocket-Extensions: permessage-deflate\r\n" END },
	{ "answered a subprotocol", SWITCHING UPGRADE CONNECTION ACCEPT_LINE
	    "Sec-WebSocket-Protocol: chat\r\n" END },
};

START_TEST(an_answer_fits_the_key_or_is_told_why_not)
{
	const char *text = answers[_i].text, *why = NULL;
	enum err err;

	ck_assert_int_eq(http_parse_response(&head, text, strlen(text)), 0);
	err = ws_handshake_check_answer(&head, KEY, &why);
	ck_assert_int_eq(err, answers[_i].why[0] == '\0' ? 0 : ERR_BAD_HANDSHAKE);
	ck_assert_msg(strncmp(why, answers[_i].why, strlen(answers[_i].why)) == 0 &&
	    (err != 0 || why[0] == '\0'), "%s", why);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("ws_handshake");
	TCase *tc = tcase_create("ws_handshake");

	tcase_add_loop_test(tc, a_request_is_accepted_or_told_why_not, 0, ARRAY_LEN(requests));
	tcase_add_test(tc, the_answer_proves_knowledge_of_the_key);
	tcase_add_test(tc, a_plain_request_is_no_upgrade);
	tcase_add_test(tc, a_client_asks_with_its_nonce);
	tcase_add_loop_test(tc, both_sides_agree, 0, 20);
	tcase_add_loop_test(tc, an_answer_fits_the_key_or_is_told_why_not, 0, ARRAY_LEN(answers));
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN_STATELESS(make_suite)
