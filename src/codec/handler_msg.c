/* SPDX-License-Identifier: ISC */
/*
 * Lines between the daemon and a worker process, both directions.
 *
 * A handler's line is read in one pass.  Its names and those of the reply in
 * "message" are one table, the reply's in front, so that the members noted in "message"
 * can be spliced with envelope_names.
 */
#include "codec/handler_msg.h"

#include <stddef.h>
#include <string.h>

#include "codec/envelope.h"

#define PROTOCOL_VERSION 1

enum line_name {
	LINE_TYPE = ENV_TYPE,
	LINE_MESSAGE = ENV_MESSAGE,
	LINE_ERROR = ENV_ERROR,
	LINE_APPLICATION = ENV_APPLICATION,
	LINE_OP = ENV_N,
	LINE_ID,
	LINE_SESSION,
	LINE_SECRET,
	LINE_CODE,
	LINE_STATUS,
	LINE_LEVEL,
	LINE_TEXT,
	LINE_REASON,
	LINE_KIT,
	LINE_TYPES,
	LINE_CONCURRENCY,
	LINE_CANCEL,
	LINE_CALL,
	LINE_TO,
	LINE_N
};

#define NAME(id, name) [id] = name,

static const char *const name_table[LINE_N] = {
	ENVELOPE_NAMES(NAME)
	[LINE_OP] = "op",
	[LINE_ID] = "id",
	[LINE_SESSION] = "session",
	[LINE_SECRET] = "secret",
	[LINE_CODE] = "code",
	[LINE_STATUS] = "status",
	[LINE_LEVEL] = "level",
	[LINE_TEXT] = "text",
	[LINE_REASON] = "reason",
	[LINE_KIT] = "kit",
	[LINE_TYPES] = "types",
	[LINE_CONCURRENCY] = "concurrency",
	[LINE_CANCEL] = "cancel",
	[LINE_CALL] = "call",
	[LINE_TO] = "to",
};
_Static_assert(LINE_N <= JSON_NAMES_MAX, "more names than a pass can note");

static const struct json_names line_names = { LINE_N, name_table };

/* Which of them is this one?  Nearly all are names of envelopes, or of the first behind them. */
static int
find_name(const char *name, size_t len)
{
	int i = envelope_find_name(name, len);

	for (int at = LINE_OP; i < 0 && at < LINE_N; at++)
		if (name_table[at][0] == name[0] && strncmp(name_table[at], name, len) == 0 &&
		    name_table[at][len] == '\0')
			i = at;
	return i;
}

static const struct {
	const char *name;
	enum handler_op op;
	bool needs_id;
} ops[] = {
	{ "finish",	HANDLER_FINISH,		true },	/* those that come often stand first */
	{ "send",	HANDLER_SEND,		true },
	{ "fail",	HANDLER_FAIL,		true },
	{ "ready",	HANDLER_READY,		false },
	{ "unready",	HANDLER_UNREADY,	false },
	{ "log",	HANDLER_LOG,		false },
	{ "call",	HANDLER_CALL,		true },
	{ "push",	HANDLER_PUSH,		false },
	{ "pong",	HANDLER_PONG,		false },
};

/*
 * What an op may carry, of which kind, and which value it becomes; those of one op stand together,
 * and of ops that come often first.
 */
#define VALUE(field) offsetof(struct handler_msg, field)
static const struct {
	enum handler_op op;
	enum line_name name;
	enum json_kind kind;
	size_t value;
	const char *fault;
} fields[] = {
	{ HANDLER_FINISH, LINE_SESSION, JSON_OBJECT, VALUE(session), "\"session\" is no object" },
	{ HANDLER_FINISH, LINE_SECRET, JSON_ARRAY, VALUE(secret), "\"secret\" is no array" },
	{ HANDLER_SEND, LINE_TYPE, JSON_STRING, VALUE(type), "\"type\" is no string" },
	{ HANDLER_FAIL, LINE_ERROR, JSON_STRING, VALUE(error), "\"error\" is no string" },
	{ HANDLER_FAIL, LINE_CODE, JSON_STRING, VALUE(code), "\"code\" is no string" },
	{ HANDLER_FAIL, LINE_STATUS, JSON_NUMBER, VALUE(status), "\"status\" is no number" },
	{ HANDLER_READY, LINE_KIT, JSON_STRING, VALUE(kit), "\"kit\" is no string" },
	{ HANDLER_READY, LINE_TYPES, JSON_ARRAY, VALUE(types), "\"types\" is no array" },
	{ HANDLER_UNREADY, LINE_REASON, JSON_STRING, VALUE(reason), "\"reason\" is no string" },
	{ HANDLER_CALL, LINE_APPLICATION, JSON_STRING, VALUE(application),
	    "\"application\" is no string" },
	{ HANDLER_CALL, LINE_TYPE, JSON_STRING, VALUE(type), "\"type\" is no string" },
	{ HANDLER_PUSH, LINE_TYPE, JSON_STRING, VALUE(type), "\"type\" is no string" },
	{ HANDLER_LOG, LINE_LEVEL, JSON_STRING, VALUE(level), "\"level\" is no string" },
	{ HANDLER_LOG, LINE_TEXT, JSON_STRING, VALUE(log_text), "\"text\" is no string" },
};

static enum err
bad_line(struct handler_msg *m, const char *fault)
{
	m->fault = fault;
	return ERR_BAD_LINE;
}

/* Which op is it, and does it have the id it needs? */
static enum err
read_op(struct handler_msg *m, const struct json_object *line)
{
	struct json_value id = line->member[LINE_ID].value;
	bool needs_id = false;

	m->op_name = line->member[LINE_OP].value;
	if (m->op_name.kind != JSON_STRING)
		return bad_line(m, "no \"op\"");
	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		if (json_string_is(m->text, m->op_name, ops[i].name)) {
			m->op = ops[i].op;
			needs_id = ops[i].needs_id;
			break;
		}
	}
	m->has_id = json_number_u64(m->text, id, &m->id);
	if (m->has_id || m->op == HANDLER_UNKNOWN)
		return ERR_NONE;
	if (id.kind != JSON_NONE && id.kind != JSON_NULL)
		return bad_line(m, "\"id\" is no request's number");
	return needs_id ? bad_line(m, "no \"id\"") : ERR_NONE;
}

/* The op's own fields.  null is as good as absent: some languages print it for "none". */
static enum err
read_fields(struct handler_msg *m, const struct json_object *line)
{
	size_t i = 0;

	while (i < ARRAY_LEN(fields) && fields[i].op != m->op)
		i++;
	for (; i < ARRAY_LEN(fields) && fields[i].op == m->op; i++) {
		struct json_value v = line->member[fields[i].name].value;

		if (v.kind == JSON_NONE || v.kind == JSON_NULL)
			continue;
		if (v.kind != fields[i].kind)
			return bad_line(m, fields[i].fault);
		*(struct json_value *)(void *)((char *)m + fields[i].value) = v;
	}
	return ERR_NONE;
}

/* Are all elements of this valid array strings? */
static bool
is_all_strings(const char *text, struct json_value array)
{
	struct json_value v;
	struct json_scan s;

	json_scan_init(&s, text + array.start, array.end - array.start, 1);
	if (!json_scan_take(&s, '[') || json_scan_take(&s, ']'))
		return true;
	do {
		if (!json_scan_value(&s, &v) || v.kind != JSON_STRING)
			return false;
	} while (json_scan_take(&s, ','));
	return true;
}

static enum err
read_ready(struct handler_msg *m, const struct json_object *line)
{
	struct json_value n = line->member[LINE_CONCURRENCY].value;

	m->concurrency = 1;
	m->takes_cancel = line->member[LINE_CANCEL].value.kind == JSON_TRUE;
	if (m->types.kind == JSON_ARRAY && !is_all_strings(m->text, m->types))
		return bad_line(m, "\"types\" holds something that is no string");
	if (n.kind != JSON_NONE && n.kind != JSON_NULL &&
	    (!json_number_u64(m->text, n, &m->concurrency) || m->concurrency == 0))
		return bad_line(m, "\"concurrency\" is no positive number");
	return ERR_NONE;
}

static enum err
read_call(struct handler_msg *m, const struct json_object *line)
{
	if (!json_number_u64(m->text, line->member[LINE_CALL].value, &m->call))
		return bad_line(m, "no \"call\" number");
	if (m->application.kind == JSON_NONE || m->type.kind == JSON_NONE)
		return bad_line(m, "a call needs \"application\" and \"type\"");
	if (m->message.kind != JSON_NONE && m->message.kind != JSON_OBJECT)
		return bad_line(m, "the \"message\" of a call is no object");
	return ERR_NONE;
}

static enum err
read_push(struct handler_msg *m, const struct json_object *line)
{
	if (m->type.kind == JSON_NONE)
		return bad_line(m, "a push needs \"type\"");
	if (!push_target_decode(&m->to, m->text, line->member[LINE_TO].value))
		return bad_line(m, "\"to\" is no socket, application or all");
	return ERR_NONE;
}

static enum err
read_message(struct handler_msg *m, const struct json_object *line)
{
	if (m->op != HANDLER_SEND && m->op != HANDLER_FINISH && m->op != HANDLER_CALL &&
	    m->op != HANDLER_PUSH)
		return ERR_NONE;
	m->message = line->member[LINE_MESSAGE].value;
	if ((m->body.twice & ENVELOPE_OF_REPLIES) != 0)
		return bad_line(m, "a name of the protocol occurs twice in \"message\"");
	return ERR_NONE;
}

enum err
handler_msg_decode(struct handler_msg *m, const char *text, size_t len, unsigned depth_max)
{
	struct json_object line;
	struct json_value v;
	struct json_scan s;
	enum err err;

	*m = (struct handler_msg){ .text = text };
	json_scan_init(&s, text, len, depth_max);
	if (!json_scan_members_by(&s, &v, &line_names, find_name, &line, LINE_MESSAGE,
	    &m->body) ||
	    !json_scan_end(&s))
		return bad_line(m, s.fault);
	if (v.kind != JSON_OBJECT)
		return bad_line(m, "not an object");
	if ((err = read_op(m, &line)) != ERR_NONE || (err = read_fields(m, &line)) != ERR_NONE)
		return err;
	if (m->secret.kind == JSON_ARRAY && !is_all_strings(text, m->secret))
		return bad_line(m, "\"secret\" holds something that is no string");
	if ((err = read_message(m, &line)) != ERR_NONE)
		return err;
	switch (m->op) {
	case HANDLER_READY:
		return read_ready(m, &line);
	case HANDLER_CALL:
		return read_call(m, &line);
	case HANDLER_PUSH:
		return read_push(m, &line);
	default:
		return ERR_NONE;
	}
}

#define ADD(b, text) buf_add(b, text, sizeof(text) - 1)

static inline void
add_string(struct buf *b, const char *text)
{
	buf_add_json_string(b, text, strlen(text));
}

static void
blank_out(char *p, size_t n, char c)
{
	char *end = p + n;

	while ((p = memchr(p, c, (size_t)(end - p))) != NULL)
		*p++ = ' ';
}

/*
 * A value on one line, which was made behind what the buffer holds.  A JSON string cannot hold a
 * raw LF or CR (RFC 8259 section 7), so in a validated text each of them is white space, and a
 * blank there changes nothing.  LF would end our line; CR does for some line readers.
 */
static void
use_json(struct buf *b, size_t len)
{
	char *p = b->data + b->len;

	blank_out(p, len, '\n');
	blank_out(p, len, '\r');
	buf_used(b, len);
}

static void
add_json(struct buf *b, const char *text, size_t len)
{
	memcpy(buf_reserve(b, len), text, len);
	use_json(b, len);
}

void
handler_msg_encode_hello(struct buf *b, const struct handler_hello *h)
{
	buf_printf(b, "{\"op\":\"hello\",\"protocol\":%d,\"node\":", PROTOCOL_VERSION);
	add_string(b, h->node);
	ADD(b, ",\"application\":");
	add_string(b, h->application);
	buf_printf(b, ",\"worker\":%u", h->worker);
	if (h->secret != NULL) {
		ADD(b, ",\"qewd\":{\"secret\":");
		buf_add_json_string(b, h->secret, h->secret_len);
		ADD(b, ",\"lifetime\":");
		buf_add_u64(b, h->lifetime_s);
		ADD(b, ",\"settings\":");
		add_json(b, h->settings, strlen(h->settings));
		buf_add_char(b, '}');
	}
	ADD(b, "}\n");
}

/* Always there, so that handlers need not look for it before they look inside. */
static void
add_client(struct buf *b, const struct handler_request *r)
{
	ADD(b, ",\"client\":{");
	if (r->client_address != NULL) {
		ADD(b, "\"address\":");
		add_string(b, r->client_address);
	}
	if (r->client_address != NULL && r->client_socket != NULL)
		buf_add_char(b, ',');
	if (r->client_socket != NULL) {
		ADD(b, "\"socket\":");
		add_string(b, r->client_socket);
	}
	buf_add_char(b, '}');
}

static void
add_message(struct buf *b, const struct handler_request *r)
{
	size_t room;
	char *p;

	if (r->object == NULL) {
		add_json(b, r->message, r->message_len);
		return;
	}
	room = json_splice_room(r->object, &envelope_names, r->edits, r->n_edits);
	p = buf_reserve(b, room);
	use_json(b, json_splice(p, r->message, r->object, &envelope_names, r->edits, r->n_edits));
}

void
handler_msg_encode_request(struct buf *b, const struct handler_request *r)
{
	ADD(b, "{\"op\":\"request\",\"id\":");
	buf_add_u64(b, r->id);
	ADD(b, ",\"application\":");
	add_string(b, r->application);
	ADD(b, ",\"type\":");
	buf_add(b, r->type, r->type_len);
	ADD(b, ",\"message\":");
	add_message(b, r);
	ADD(b, ",\"session\":");
	add_json(b, r->session, r->session_len);
	ADD(b, ",\"secret\":");
	add_json(b, r->secret, r->secret_len);
	ADD(b, ",\"deadline_ms\":");
	buf_add_u64(b, r->deadline_ms);
	add_client(b, r);
	if (r->request != NULL) {
		ADD(b, ",\"request\":");
		add_string(b, r->request);
	}
	if (r->trace != NULL) {
		ADD(b, ",\"trace\":");
		add_string(b, r->trace);
	}
	if (r->is_rest)
		ADD(b, ",\"rest\":true");
	ADD(b, "}\n");
}

void
handler_msg_encode_reply(struct buf *b, uint64_t call, bool is_final, const char *message,
    size_t len)
{
	buf_add_str(b, "{\"op\":\"reply\",\"call\":");
	buf_add_u64(b, call);
	buf_add_str(b, is_final ? ",\"finished\":true" : ",\"finished\":false");
	ADD(b, ",\"message\":");
	add_json(b, message, len);
	buf_add_str(b, "}\n");
}

void
handler_msg_encode_cancel(struct buf *b, uint64_t id)
{
	buf_add_str(b, "{\"op\":\"cancel\",\"id\":");
	buf_add_u64(b, id);
	buf_add_str(b, "}\n");
}

void
handler_msg_encode_ping(struct buf *b)
{
	buf_add_str(b, "{\"op\":\"ping\"}\n");
}

void
handler_msg_encode_stop(struct buf *b)
{
	buf_add_str(b, "{\"op\":\"stop\"}\n");
}
