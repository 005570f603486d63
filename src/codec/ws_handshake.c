/* SPDX-License-Identifier: ISC */
/*
 * The opening handshake of WebSocket: what both sides say and check.
 */
#include "codec/ws_handshake.h"

#include <openssl/evp.h>
#include <string.h>

#include "base/log.h"
#include "codec/base64.h"

#define VERSION "13"

/* Section 1.3: proves that the answer comes from somebody who knows WebSocket. */
#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

static bool
is_exactly(const struct http_text *t, const char *s)
{
	return t != NULL && t->len == strlen(s) && memcmp(t->p, s, t->len) == 0;
}

/* 22 letters of base64 and its padding: 16 bytes. */
static bool
is_key(const struct http_text *t)
{
	static const char letters[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	if (t == NULL || t->len != WS_KEY_LEN || memcmp(t->p + WS_KEY_LEN - 2, "==", 2) != 0)
		return false;
	for (size_t i = 0; i < WS_KEY_LEN - 2; i++)
		if (t->p[i] == '\0' || strchr(letters, t->p[i]) == NULL)
			return false;
	return true;
}

/* Append what proves knowledge of a key of WS_KEY_LEN bytes (section 4.2.2). */
static void
add_accept(struct buf *b, const char *key)
{
	char text[WS_KEY_LEN + sizeof(GUID) - 1];
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n;

	memcpy(text, key, WS_KEY_LEN);
	memcpy(text + WS_KEY_LEN, GUID, sizeof(GUID) - 1);
	if (EVP_Digest(text, sizeof(text), digest, &n, EVP_sha1(), NULL) != 1)
		fatalx("libcrypto has no SHA-1");
	base64_encode(b, digest, n);
}

bool
ws_handshake_is_upgrade(const struct http_head *h)
{
	return http_lists(h, "Upgrade", "websocket");
}

static enum err
refuse(int *http_status, int status, const char **why, const char *text)
{
	*http_status = status;
	*why = text;
	return ERR_BAD_HANDSHAKE;
}

enum err
ws_handshake_check(const struct http_head *h, int *http_status, const char **why)
{
	size_t n_versions, n_keys;
	const struct http_text *version = http_find(h, "Sec-WebSocket-Version", &n_versions);
	const struct http_text *key = http_find(h, "Sec-WebSocket-Key", &n_keys);

	if (h->method.len != 3 || memcmp(h->method.p, "GET", 3) != 0)
		return refuse(http_status, 400, why, "method is not GET");
	if (h->minor != 1)
		return refuse(http_status, 400, why, "not HTTP/1.1");
	if (!ws_handshake_is_upgrade(h))
		return refuse(http_status, 400, why, "no Upgrade: websocket");
	if (!http_lists(h, "Connection", "Upgrade"))
		return refuse(http_status, 400, why, "no Connection: Upgrade");
	/* Bytes behind the head are frames to us: they must be a body to nobody. */
	if (h->is_chunked || h->content_length > 0)
		return refuse(http_status, 400, why, "request has a body");
	if (n_versions != 1)
		return refuse(http_status, 400, why, "not one Sec-WebSocket-Version");
	if (!is_exactly(version, VERSION))
		return refuse(http_status, 426, why, "Sec-WebSocket-Version is not 13");
	if (n_keys != 1)
		return refuse(http_status, 400, why, "not one Sec-WebSocket-Key");
	if (!is_key(key))
		return refuse(http_status, 400, why, "Sec-WebSocket-Key is not 16 bytes in base64");
	*http_status = 101;
	*why = "";
	return ERR_NONE;
}

void
ws_handshake_accept(struct buf *b, const struct http_head *h)
{
	buf_add_str(b,
	    "HTTP/1.1 101 Switching Protocols\r\n"
	    "Upgrade: websocket\r\n"
	    "Connection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: ");
	add_accept(b, http_find(h, "Sec-WebSocket-Key", NULL)->p);
	buf_add_str(b, "\r\n\r\n");
}

void
ws_handshake_request(struct buf *b, const char *host, const char *target,
    const unsigned char nonce[16], char key[WS_KEY_LEN + 1])
{
	struct buf letters = { 0 };

	base64_encode(&letters, nonce, 16);
	memcpy(key, letters.data, WS_KEY_LEN);
	key[WS_KEY_LEN] = '\0';
	buf_free(&letters);
	buf_printf(b,
	    "GET %s HTTP/1.1\r\n"
	    "Host: %s\r\n"
	    "Upgrade: websocket\r\n"
	    "Connection: Upgrade\r\n"
	    "Sec-WebSocket-Key: %s\r\n"
	    "Sec-WebSocket-Version: " VERSION "\r\n"
	    "\r\n", target, host, key);
}

/* Is the proof in the answer the one for this key, and the only one? */
static bool
accepts_key(const struct http_head *h, const char *key)
{
	size_t n;
	const struct http_text *accept = http_find(h, "Sec-WebSocket-Accept", &n);
	struct buf due = { 0 };
	bool fits;

	add_accept(&due, key);
	fits = n == 1 && is_exactly(accept, buf_str(&due));
	buf_free(&due);
	return fits;
}

enum err
ws_handshake_check_answer(const struct http_head *h, const char *key, const char **why)
{
	if (h->status != 101)
		*why = "status is not 101";
	else if (h->minor != 1)
		*why = "not HTTP/1.1";
	else if (!ws_handshake_is_upgrade(h))
		*why = "no Upgrade: websocket";
	else if (!http_lists(h, "Connection", "Upgrade"))
		*why = "no Connection: Upgrade";
	else if (!accepts_key(h, key))
		*why = "Sec-WebSocket-Accept does not fit the key";
	else if (http_find(h, "Sec-WebSocket-Extensions", NULL) != NULL)
		*why = "answered an extension that was not offered";
	else if (http_find(h, "Sec-WebSocket-Protocol", NULL) != NULL)
		*why = "answered a subprotocol that was not offered";
	else
		*why = "";
	return **why == '\0' ? ERR_NONE : ERR_BAD_HANDSHAKE;
}
