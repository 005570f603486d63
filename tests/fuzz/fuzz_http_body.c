/* SPDX-License-Identifier: ISC */
/*
 * HTTP bodies.  The first byte chooses between a length (its low bits) and chunks, the rest
 * is the body.  The outcome must not depend on how it arrives, what it holds never exceeds
 * the maximum, and a chunked body that was taken, put in chunks again, is the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "codec/http_body.h"

#define MAX 1000

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct outcome {
	enum err err;
	bool is_complete;
	size_t used;
	struct buf data;
};

static void
require(bool is_true)
{
	if (!is_true)
		abort();
}

static void
run(const struct http_head *head, const char *wire, size_t len, size_t step, struct outcome *o)
{
	struct http_body b;
	size_t used;

	*o = (struct outcome){ 0 };
	require(http_body_init(&b, head, MAX) == ERR_NONE);
	for (size_t at = 0; at < len && o->err == ERR_NONE && !http_body_is_complete(&b);
	    at += step) {
		size_t n = step < len - at ? step : len - at;
		char *exact = xmemdup(wire + at, n);

		o->err = http_body_feed(&b, exact, n, &used, &o->data);
		free(exact);
		require(used <= n);
		require(used == n || o->err != ERR_NONE || http_body_is_complete(&b));
		o->used += used;
	}
	o->is_complete = http_body_is_complete(&b);
	require(o->data.len <= MAX);
	require(o->err == ERR_NONE || (b.fault != NULL && !o->is_complete));
}

static void
require_same(const struct outcome *a, const struct outcome *b)
{
	require(a->err == b->err && a->is_complete == b->is_complete && a->used == b->used);
	require(a->data.len == b->data.len);
	require(a->data.len == 0 || memcmp(a->data.data, b->data.data, a->data.len) == 0);
}

static void
check_again(const struct http_head *head, const struct outcome *whole)
{
	struct outcome again;
	struct buf wire = { 0 };

	if (whole->data.len > 0) {
		buf_printf(&wire, "%zx\r\n", whole->data.len);
		buf_add(&wire, whole->data.data, whole->data.len);
		buf_add_str(&wire, "\r\n");
	}
	buf_add_str(&wire, "0\r\n\r\n");
	run(head, wire.data, wire.len, wire.len, &again);
	again.used = whole->used;
	require_same(whole, &again);
	buf_free(&again.data);
	buf_free(&wire);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct http_head head = { .content_length = -1 };
	const char *wire = (const char *)data + 1;
	struct outcome whole, sliced;

	if (len < 2)
		return 0;
	head.is_chunked = data[0] >= 128;
	if (!head.is_chunked)
		head.content_length = data[0];
	run(&head, wire, len - 1, len - 1, &whole);
	for (size_t step = 1; step <= 3; step++) {
		run(&head, wire, len - 1, step, &sliced);
		require_same(&whole, &sliced);
		buf_free(&sliced.data);
	}
	if (head.is_chunked && whole.is_complete)
		check_again(&head, &whole);
	if (!head.is_chunked)
		require(whole.is_complete == (len - 1 >= data[0]));
	buf_free(&whole.data);
	return 0;
}
