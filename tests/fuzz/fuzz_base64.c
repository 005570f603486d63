/* SPDX-License-Identifier: ISC */
/*
 * Base64: bytes come back from their letters, and letters that are read are the one
 * encoding of what they gave.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "codec/base64.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
require(bool is_true)
{
	if (!is_true)
		abort();
}

static bool
is_same(const struct buf *b, const void *data, size_t len)
{
	return b->len == len && (len == 0 || memcmp(b->data, data, len) == 0);
}

static void
try_bytes(const uint8_t *data, size_t len)
{
	struct buf letters = { 0 }, standard = { 0 }, back = { 0 };

	base64url_encode(&letters, data, len);
	require(base64url_decode(&back, letters.data, letters.len));
	require(is_same(&back, data, len));

	base64_encode(&standard, data, len);
	require(standard.len == (len + 2) / 3 * 4);
	for (size_t i = 0; i < letters.len; i++)
		require(letters.data[i] == (standard.data[i] == '+' ? '-' :
		    standard.data[i] == '/' ? '_' : standard.data[i]));
	for (size_t i = letters.len; i < standard.len; i++)
		require(standard.data[i] == '=');
	buf_free(&letters);
	buf_free(&standard);
	buf_free(&back);
}

static void
try_letters(const char *text, size_t len)
{
	struct buf bytes = { 0 }, again = { 0 };

	if (base64url_decode(&bytes, text, len)) {
		base64url_encode(&again, bytes.data, bytes.len);
		require(is_same(&again, text, len));
	} else {
		require(bytes.len == 0);
	}
	buf_free(&bytes);
	buf_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	try_bytes(data, len);
	try_letters((const char *)data, len);
	return 0;
}
