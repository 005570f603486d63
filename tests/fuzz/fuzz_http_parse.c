/* SPDX-License-Identifier: ISC */
/*
 * HTTP heads, both directions, and the handshake that may be in them.
 *
 * What was accepted must be free of all that the parser promises to refuse, and
 * finding the end of a head must not depend on how it arrives.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "codec/http_parse.h"
#include "codec/ws_handshake.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
require(bool is_true)
{
	if (!is_true)
		abort();
}

static void
require_inside(struct http_text t, const char *data, size_t len)
{
	require(t.len == 0 || (t.p >= data && t.p + t.len <= data + len));
	for (size_t i = 0; i < t.len; i++)
		require(t.p[i] == '\t' || (uint8_t)t.p[i] >= ' ');
}

static void
check_taken(const struct http_head *h, const char *data, size_t len)
{
	size_t n_lengths, n_codings;

	require(h->bytes == len && h->fault == NULL);
	require(h->minor == 0 || h->minor == 1);
	require(h->content_length >= -1 && h->n_fields <= HTTP_FIELDS_MAX);
	for (size_t i = 0; i < h->n_fields; i++) {
		require_inside(h->field[i].name, data, len);
		require_inside(h->field[i].value, data, len);
		require(h->field[i].name.len > 0);
	}
	http_find(h, "content-length", &n_lengths);
	http_find(h, "transfer-encoding", &n_codings);
	require(n_lengths + n_codings <= 1);
	require((h->content_length >= 0) == (n_lengths == 1));
	require(h->is_chunked == (n_codings == 1));
}

static void
try_request(const char *data, size_t len)
{
	static struct http_head h;
	const char *why;
	char value[16];
	struct buf b = { 0 };
	size_t n_hosts;
	int status;

	if (http_parse_request(&h, data, len) != ERR_NONE) {
		require(h.fault != NULL);
		require(h.status == 400 || h.status == 501 || h.status == 505);
		return;
	}
	check_taken(&h, data, len);
	require_inside(h.method, data, len);
	require_inside(h.target, data, len);
	require(h.target.p[0] == '/' || h.target.p[0] == '*');
	require(h.path.p == h.target.p);
	require(h.query.len == 0 || h.path.len + 1 + h.query.len == h.target.len);
	http_find(&h, "host", &n_hosts);
	require(n_hosts == 1 || (n_hosts == 0 && h.minor == 0));
	if (http_query_get(h.query, "sid", value, sizeof(value)))
		require(strlen(value) < sizeof(value));
	if (ws_handshake_check(&h, &status, &why) == ERR_NONE) {
		require(status == 101 && ws_handshake_is_upgrade(&h));
		ws_handshake_accept(&b, &h);
		require(http_parse_response(&h, b.data, b.len) == ERR_NONE);
		buf_free(&b);
	} else {
		require(status == 400 || status == 426);
	}
}

static void
try_response(const char *data, size_t len)
{
	static struct http_head h;
	const char *why;

	if (http_parse_response(&h, data, len) != ERR_NONE) {
		require(h.fault != NULL);
		return;
	}
	check_taken(&h, data, len);
	require(h.status >= 100 && h.status <= 599);
	if (ws_handshake_check_answer(&h, "dGhlIHNhbXBsZSBub25jZQ==", &why) == ERR_NONE)
		require(h.status == 101);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = xmalloc(len), *exact;
	size_t scanned = 0, slowly = 0, end, found = 0;

	if (len > 0)
		memcpy(text, data, len);
	end = http_head_end(text, len, &scanned);
	for (size_t n = 1; n <= len && found == 0; n++)
		found = http_head_end(text, n, &slowly);
	require(found == end);
	free(text);

	/* Without an end the parser must refuse; it gets the bytes all the same. */
	if (end == 0)
		end = len;
	exact = xmalloc(end);
	if (end > 0)
		memcpy(exact, data, end);
	try_request(exact, end);
	try_response(exact, end);
	free(exact);
	return 0;
}
