/* SPDX-License-Identifier: ISC */
/*
 * QEWD requests and replies: which members they have, and whether they may be
 * served.  What a member means is decided elsewhere.
 */
#include "codec/envelope.h"

#include <string.h>

#define NAME(id, name)		 [id] = name,
#define TWICE(id, name)		 [id] = "\"" name "\" occurs twice",
#define TWICE_INSIDE(id, name)	 [id] = "\"" name "\" occurs twice in \"message\"",

static const char *const name_table[ENV_N] = { ENVELOPE_NAMES(NAME) };

const struct json_names envelope_names = { ENV_N, name_table };

/* Parsers do not agree on which of two counts, so a message with two is served by none. */
static const char *const twice_in_top[ENV_N] = { ENVELOPE_NAMES(TWICE) };
static const char *const twice_in_message[ENV_N] = { ENVELOPE_NAMES(TWICE_INSIDE) };

/* len bytes of name are the constant text. */
#define IS(text) (memcmp(name, text, sizeof(text) - 1) == 0)

/* By length, and hardly ever a second comparison. */
int
envelope_find_name(const char *name, size_t len)
{
	switch (len) {
	case 3:
		return IS("jwt") ? ENV_JWT : -1;
	case 4:
		return IS("type") ? ENV_TYPE : -1;
	case 5:
		return IS("token") ? ENV_TOKEN : IS("usher") ? ENV_USHER : IS("error") ? ENV_ERROR : -1;
	case 7:
		return IS("message") ? ENV_MESSAGE : IS("service") ? ENV_SERVICE : -1;
	case 8:
		return IS("finished") ? ENV_FINISHED : -1;
	case 11:
		return IS("application") ? ENV_APPLICATION : -1;
	case 12:
		return IS("responseTime") ? ENV_RESPONSE_TIME : IS("ms_requestId") ?
		    ENV_MS_REQUEST_ID : -1;
	default:
		return -1;
	}
}

static bool
scan_arg(struct envelope *e, struct json_scan *s)
{
	return json_scan_members_by(s, &e->arg, &envelope_names, envelope_find_name, &e->top,
	    ENV_MESSAGE, &e->message);
}

/* What nearly every event begins with: not looked at byte by byte. */
#define USUAL_NAME  "\"" ENVELOPE_EVENT "\""
#define USUAL_START "[" USUAL_NAME ","

static bool
begins_as_usual(struct envelope *e, struct json_scan *s)
{
	if (e->len < sizeof(USUAL_START) - 1 ||
	    memcmp(e->text, USUAL_START, sizeof(USUAL_START) - 1) != 0)
		return false;
	e->event = (struct json_value){
		.kind = JSON_STRING, .is_plain = true, .start = 1, .end = sizeof(USUAL_NAME)
	};
	s->pos = sizeof(USUAL_START) - 1;
	return true;
}

/* The name of the event and what is before it. */
static bool
scan_start(struct envelope *e, struct json_scan *s)
{
	if (!json_scan_take(s, '[')) {
		e->fault = "an event is an array";
		return false;
	}
	if (!json_scan_value(s, &e->event))
		return false;
	if (e->event.kind != JSON_STRING && e->event.kind != JSON_NUMBER) {
		e->fault = "the name of an event is a string";
		return false;
	}
	return true;
}

/* What is behind the first argument. */
static bool
scan_rest(struct envelope *e, struct json_scan *s)
{
	struct json_value more;

	while (json_scan_take(s, ',')) {
		if (!json_scan_value(s, &more))
			return false;
		if (e->second.kind == JSON_NONE)
			e->second = more;
	}
	if (!json_scan_take(s, ']')) {
		e->fault = "expected ',' or ']'";
		return false;
	}
	return json_scan_end(s);
}

/* A whole event.  After a false, the fault is in s where the JSON is bad, else in e. */
static bool
scan_elements(struct envelope *e, struct json_scan *s)
{
	if (!begins_as_usual(e, s)) {
		if (!scan_start(e, s))
			return false;
		if (!json_scan_take(s, ',')) {
			json_scan_clear(&e->top, &envelope_names);
			json_scan_clear(&e->message, &envelope_names);
			return scan_rest(e, s);
		}
	}
	if (!scan_arg(e, s))
		return false;
	if (s->pos + 1 == e->len && e->text[s->pos] == ']')
		return true;
	return scan_rest(e, s);
}

/* The members are cleared by the scan of the argument: they are large. */
static void
begin(struct envelope *e, const char *text, size_t len)
{
	e->text = text;
	e->len = len;
	e->event = e->arg = e->second = (struct json_value){ 0 };
	e->fault = NULL;
}

enum err
envelope_scan_event(struct envelope *e, const char *text, size_t len, unsigned depth_max)
{
	struct json_scan s;

	begin(e, text, len);
	json_scan_init(&s, text, len, depth_max);
	if (scan_elements(e, &s))
		return ERR_NONE;
	json_scan_clear(&e->top, &envelope_names);
	json_scan_clear(&e->message, &envelope_names);
	if (s.fault != NULL)
		e->fault = s.fault;
	return ERR_BAD_JSON;
}

enum err
envelope_scan_object(struct envelope *e, const char *text, size_t len, unsigned depth_max)
{
	struct json_scan s;

	begin(e, text, len);
	json_scan_init(&s, text, len, depth_max);
	if (scan_arg(e, &s) && json_scan_end(&s))
		return ERR_NONE;
	e->fault = s.fault;
	return ERR_BAD_JSON;
}

static enum err
check_names(struct envelope *e, uint32_t twice, const char *const fault[ENV_N])
{
	if (twice == 0)
		return ERR_NONE;
	e->fault = fault[__builtin_ctz(twice)];
	return ERR_BAD_MESSAGE;
}

enum err
envelope_check_request(struct envelope *e)
{
	return check_names(e, e->top.twice, twice_in_top);
}

enum err
envelope_check_reply(struct envelope *e)
{
	enum err err = check_names(e, e->top.twice & ENVELOPE_OF_REPLIES, twice_in_top);

	return err != ERR_NONE ? err :
	    check_names(e, e->message.twice & ENVELOPE_OF_REPLIES, twice_in_message);
}

void
envelope_copy(struct envelope *to, const struct envelope *from, const char *text)
{
	memcpy(to, from, ENVELOPE_BYTES);
	to->text = text;
}

const char *
envelope_raw(const struct envelope *e, const struct json_object *o, enum envelope_name name,
    size_t *len)
{
	const struct json_value *v = &o->member[name].value;

	*len = v->end - v->start;
	return v->kind != JSON_NONE ? e->text + v->start : NULL;
}
