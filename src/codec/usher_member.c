/* SPDX-License-Identifier: ISC */
/*
 * The "usher" member, scanned and built.
 */
#include "codec/usher_member.h"

#include <assert.h>
#include <string.h>

enum name {
	U_LINK, U_NODE, U_PROOF, U_MESSAGE, U_ID, U_DEADLINE, U_HOPS, U_TRACE, U_CLIENT,
	U_ADDRESS, U_SOCKET, U_PUSH, U_FURTHER, U_N
};

static const struct json_names names = {
	.n = U_N,
	.name = (const char *const[]){
		[U_LINK] = "link", [U_NODE] = "node", [U_PROOF] = "proof",
		[U_MESSAGE] = "message", [U_ID] = "id", [U_DEADLINE] = "deadline_ms",
		[U_HOPS] = "hops", [U_TRACE] = "trace", [U_CLIENT] = "client",
		[U_ADDRESS] = "address", [U_SOCKET] = "socket", [U_PUSH] = "push",
		[U_FURTHER] = "further",
	},
};

#define DEPTH_MAX 8

/* A string that fits and holds no control characters; anything else counts as absent. */
static void
get_text(const char *text, const struct json_member *m, char *out, size_t cap)
{
	struct buf b = { 0 };

	out[0] = '\0';
	if (!json_string_get(text, m->value, &b))
		return;
	if (b.len > 0 && b.len < cap) {
		memcpy(out, b.data, b.len);
		out[b.len] = '\0';
		for (size_t i = 0; i < b.len; i++)
			if ((unsigned char)out[i] < 0x20)
				out[0] = '\0';
	}
	buf_free(&b);
}

bool
usher_member_decode(struct usher_member *u, const char *text, struct json_value v)
{
	const char *base = text + v.start;
	struct json_object o, client;
	struct json_value again;
	struct json_scan s;
	uint64_t link;

	memset(u, 0, sizeof(*u));
	json_scan_init(&s, base, v.end - v.start, DEPTH_MAX);
	if (v.kind != JSON_OBJECT ||
	    !json_scan_members(&s, &again, &names, &o, U_CLIENT, &client))
		return false;
	u->is_link = json_number_u64(base, o.member[U_LINK].value, &link) && link == 1;
	u->is_further = o.member[U_FURTHER].value.kind == JSON_TRUE;
	get_text(base, &o.member[U_NODE], u->node, sizeof(u->node));
	get_text(base, &o.member[U_PROOF], u->proof, sizeof(u->proof));
	json_number_u64(base, o.member[U_MESSAGE].value, &u->message_max);
	u->has_id = json_number_u64(base, o.member[U_ID].value, &u->id);
	u->has_deadline = json_number_u64(base, o.member[U_DEADLINE].value, &u->deadline_ms);
	json_number_u64(base, o.member[U_HOPS].value, &u->hops);
	get_text(base, &o.member[U_TRACE], u->trace, sizeof(u->trace));
	(void)push_target_decode(&u->push, base, o.member[U_PUSH].value);
	if (o.member[U_CLIENT].value.kind == JSON_OBJECT) {
		get_text(base, &client.member[U_ADDRESS], u->client_address,
		    sizeof(u->client_address));
		get_text(base, &client.member[U_SOCKET], u->client_socket,
		    sizeof(u->client_socket));
	}
	return true;
}

bool
usher_member_is_id(const char *text, struct json_value v, uint64_t *id)
{
	static const char head[] = "{\"id\":";
	const size_t head_len = sizeof(head) - 1, digits_max = 15;	/* any 15 digits are below 2^53 */
	const char *p = text + v.start;
	size_t len = v.end - v.start;

	if (v.kind != JSON_OBJECT || len < head_len + 2 || len > head_len + digits_max + 1 ||
	    memcmp(p, head, head_len) != 0 || p[len - 1] != '}')
		return false;
	*id = 0;
	for (size_t i = head_len; i < len - 1; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		*id = *id * 10 + (uint64_t)(p[i] - '0');
	}
	return true;
}

static void
add_text(struct buf *b, const char *name, const char *value)
{
	buf_add_str(b, name);
	buf_add_json_string(b, value, strlen(value));
}

/* Text that is known when this is compiled: a few moves. */
#define PUT(p, text) (memcpy(p, text, sizeof(text) - 1), (p) + sizeof(text) - 1)

/* All but the texts of the client: 188 bytes with the longest numbers. */
#define REQUEST_ROOM 192

void
usher_member_encode_request(struct buf *b, const struct usher_call *u)
{
	size_t address_len = strlen(u->client_address), socket_len = strlen(u->client_socket);
	char *begin = buf_reserve(b, REQUEST_ROOM + BUF_JSON_STRING_MAX(address_len) +
	    BUF_JSON_STRING_MAX(socket_len)), *p = begin;

	assert(u->trace[TRACE_LEN] == '\0');
	p = PUT(p, "{\"id\":");
	p += buf_put_u64(p, u->id);
	p = PUT(p, ",\"deadline_ms\":");
	p += buf_put_u64(p, u->deadline_ms);
	p = PUT(p, ",\"hops\":");
	p += buf_put_u64(p, u->hops);
	p = PUT(p, ",\"trace\":\"");
	memcpy(p, u->trace, TRACE_LEN);		/* digits and dashes: nothing to escape */
	p = PUT(p + TRACE_LEN, "\",\"client\":{\"address\":");
	p += buf_put_json_string(p, u->client_address, address_len);
	p = PUT(p, ",\"socket\":");
	p += buf_put_json_string(p, u->client_socket, socket_len);
	p = PUT(p, "}}");
	buf_used(b, (size_t)(p - begin));
}

void
usher_member_encode_reply(struct buf *b, uint64_t id)
{
	char text[USHER_ID_MAX];

	buf_add(b, text, usher_member_put_id(text, id));
}

size_t
usher_member_put_id(char *out, uint64_t id)
{
	static const char head[] = "{\"id\":";
	size_t len = sizeof(head) - 1;

	memcpy(out, head, len);
	len += buf_put_u64(out + len, id);
	out[len] = '}';
	return len + 1;
}

void
usher_member_encode_push(struct buf *b, const struct push_target *to, uint64_t hops)
{
	buf_add_str(b, "{\"push\":");
	push_target_encode(b, to);
	buf_add_str(b, ",\"hops\":");
	buf_add_u64(b, hops);
	buf_add_char(b, '}');
}

void
usher_member_encode_announcement(struct buf *b, const char *node, const char *proof,
    bool is_further)
{
	add_text(b, "{\"link\":1,\"node\":", node);
	add_text(b, ",\"proof\":", proof);
	if (is_further)
		buf_add_str(b, ",\"further\":true");
	buf_add_char(b, '}');
}

void
usher_member_encode_answer(struct buf *b, const char *node, uint64_t message_max)
{
	add_text(b, "{\"link\":1,\"node\":", node);
	buf_add_str(b, ",\"message\":");
	buf_add_u64(b, message_max);
	buf_add_char(b, '}');
}
