/* SPDX-License-Identifier: ISC */
/*
 * usher_member: whatever is read fits its field, and a request's member that is
 * written again reads the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "codec/usher_member.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
require(bool is_true)
{
	if (!is_true)
		abort();
}

static bool
decode(struct usher_member *u, const char *text, size_t len)
{
	struct json_value v;

	return json_scan_text(text, len, 16, &v) && usher_member_decode(u, text, v);
}

static void
check_texts(const struct usher_member *u)
{
	require(memchr(u->node, '\0', sizeof(u->node)) != NULL);
	require(memchr(u->proof, '\0', sizeof(u->proof)) != NULL);
	require(memchr(u->trace, '\0', sizeof(u->trace)) != NULL);
	require(memchr(u->client_address, '\0', sizeof(u->client_address)) != NULL);
	require(memchr(u->client_socket, '\0', sizeof(u->client_socket)) != NULL);
	require(memchr(u->push.text, '\0', sizeof(u->push.text)) != NULL);
}

static void
check_request(const struct usher_member *u)
{
	const char *trace = traceparent_is_valid(u->trace) ? u->trace :
	    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
	struct usher_call call = { .id = u->id, .deadline_ms = u->deadline_ms, .hops = u->hops,
		.trace = trace, .client_address = u->client_address,
		.client_socket = u->client_socket };
	struct usher_member again;
	struct buf b = { 0 };

	usher_member_encode_request(&b, &call);
	require(decode(&again, b.data, b.len));
	require(again.id == u->id && again.deadline_ms == u->deadline_ms && again.hops == u->hops);
	require(strcmp(again.trace, trace) == 0);
	require(strcmp(again.client_address, u->client_address) == 0);
	require(strcmp(again.client_socket, u->client_socket) == 0);
	buf_free(&b);
}

static void
check_push(const struct usher_member *u)
{
	struct usher_member again;
	struct buf b = { 0 };

	usher_member_encode_push(&b, &u->push, u->hops);
	require(decode(&again, b.data, b.len));
	require(again.push.kind == u->push.kind && again.hops == u->hops);
	require(strcmp(again.push.text, u->push.text) == 0);
	buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct usher_member u;

	if (!decode(&u, (const char *)data, len))
		return 0;
	check_texts(&u);
	check_request(&u);
	if (u.push.kind != PUSH_NONE)
		check_push(&u);
	return 0;
}
