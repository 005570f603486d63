/* SPDX-License-Identifier: ISC */
/*
 * The object of the final is the new message, byte for byte, but for the token, which is the
 * fresh one of the final, and ms_requestId, which belongs to whoever asked.
 */
#include "request/switch.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/strmap.h"
#include "base/xmalloc.h"
#include "codec/json_splice.h"
#include "request/request.h"
#include "token/token_cache.h"

#define DEPTH_MAX 1024		/* the final has been scanned with a limit before */

struct switch_table {
	struct token_cache *tokens;
	struct strmap *destinations;	/* by name */
	struct strmap *permitted;	/* "from\nto" -> itself */
};

enum name { NAME_DESTINATION, NAME_APPLICATION, NAME_N };

static const struct json_names names = {
	.n = NAME_N,
	.name = (const char *const[]){
		[NAME_DESTINATION] = "qewd_destination",
		[NAME_APPLICATION] = "qewd_application",
	},
};

/* What a final asks for. */
struct wish {
	struct buf destination, application;
};

struct switch_table *
switch_table_new(struct token_cache *tokens)
{
	struct switch_table *t = xcalloc(1, sizeof(*t));

	t->tokens = tokens;
	t->destinations = strmap_new();
	t->permitted = strmap_new();
	return t;
}

void
switch_table_free(struct switch_table *t)
{
	if (t == NULL)
		return;
	strmap_free(t->destinations, NULL);
	strmap_free(t->permitted, NULL);
	free(t);
}

void
switch_add(struct switch_table *t, const char *name, struct destination *d)
{
	*strmap_at(t->destinations, name, strlen(name)) = d;
}

/* With a length, since a final may name an application with any byte in it. */
static void
add_key(struct buf *key, const char *from, size_t from_len, const char *to, size_t to_len)
{
	buf_printf(key, "%zu:", from_len);
	buf_add(key, from, from_len);
	buf_add(key, to, to_len);
}

void
switch_permit(struct switch_table *t, const char *from, const char *to)
{
	struct buf key = { 0 };

	add_key(&key, from, strlen(from), to, strlen(to));
	*strmap_at(t->permitted, key.data, key.len) = t;
	buf_free(&key);
}

static bool
is_permitted(const struct switch_table *t, const char *from, const struct buf *to)
{
	struct buf key = { 0 };
	bool is_found;

	add_key(&key, from, strlen(from), to->data, to->len);
	is_found = strmap_find(t->permitted, key.data, key.len) != NULL;
	buf_free(&key);
	return is_found;
}

/* false: it is a final like any other. */
static bool
read_wish(struct wish *w, const struct reply *reply)
{
	struct json_value v = reply->message;
	struct json_object o;
	struct json_scan scan;

	json_scan_init(&scan, reply->text, v.end, DEPTH_MAX);
	scan.pos = v.start;
	return json_scan_members(&scan, &v, &names, &o, -1, NULL) &&
	    json_string_get(reply->text, o.member[NAME_DESTINATION].value, &w->destination) &&
	    json_string_get(reply->text, o.member[NAME_APPLICATION].value, &w->application) &&
	    w->destination.len > 0 && w->application.len > 0;
}

/* QEWD's bare {"error":...}, as a final; takes text. */
static void
refuse(struct request *r, char *text)
{
	struct reply final = { .is_final = true, .is_error = true, .is_local = true };
	struct buf message = { 0 };
	struct json_object body;
	struct json_scan scan;

	log_debug_of("request", request_subject(r, NULL), "not sent on: %s", text);
	buf_add_str(&message, "{\"error\":");
	buf_add_json_string(&message, text, strlen(text));
	buf_add_char(&message, '}');
	json_scan_init(&scan, message.data, message.len, 8);
	if (!json_scan_members(&scan, &final.message, &envelope_names, &body, -1, NULL))
		fatalx("own message does not scan");
	final.text = message.data;
	final.body = &body;
	request_finish(r, &final);
	buf_free(&message);
	free(text);
}

/* NULL: the request has ended. */
static struct destination *
find_permitted(const struct switch_table *t, struct request *r, struct wish *w)
{
	const char *from = r->destination->application;
	struct destination *d = strmap_find(t->destinations, w->destination.data,
	    w->destination.len);

	if (d == NULL) {
		refuse(r, xasprintf("%s is not a valid microservice destination",
		    buf_str(&w->destination)));
		return NULL;
	}
	if (!is_permitted(t, from, &w->application)) {
		refuse(r, xasprintf("No permissions set to allow a switch from %s to %s", from,
		    buf_str(&w->application)));
		return NULL;
	}
	/* The permission is for an application, so no other may be behind the name. */
	if (strlen(d->application) != w->application.len ||
	    memcmp(d->application, w->application.data, w->application.len) != 0) {
		refuse(r, xasprintf("%s is not a destination of %s", buf_str(&w->destination),
		    buf_str(&w->application)));
		return NULL;
	}
	return d;
}

static void
add_message(struct buf *b, const struct request *r, const struct reply *reply)
{
	struct buf token = { 0 };
	struct json_edit edits[4];
	const char *type, *id;
	size_t n = 0, type_len, id_len;

	type = envelope_raw(&r->env, &r->env.top, ENV_TYPE, &type_len);
	id = envelope_raw(&r->env, &r->env.top, ENV_MS_REQUEST_ID, &id_len);
	if (reply->body->member[ENV_TYPE].seen == 0)
		edits[n++] = (struct json_edit){ .name = ENV_TYPE, .value = type, .len = type_len };
	if (reply->token != NULL)
		buf_add_json_string(&token, reply->token, reply->token_len);
	edits[n++] = (struct json_edit){ .name = ENV_TOKEN, .value = token.data,
		.len = token.len };
	edits[n++] = (struct json_edit){ .name = ENV_MS_REQUEST_ID, .value = id, .len = id_len };
	edits[n++] = (struct json_edit){ .name = ENV_USHER };
	json_splice_add(b, reply->text, reply->body, &envelope_names, edits, n);
	buf_free(&token);
}

static bool
is_good_message(struct envelope *env, const struct buf *text)
{
	struct buf type = { 0 };
	bool is_good;

	is_good = envelope_scan_object(env, text->data, text->len, DEPTH_MAX) == 0 &&
	    envelope_check_request(env) == 0 &&
	    json_string_get(text->data, env->top.member[ENV_TYPE].value, &type) &&
	    type.len > 0 && memchr(type.data, '\0', type.len) == NULL;
	buf_free(&type);
	return is_good;
}

/* A session that is over has no next message. */
static bool
check_token(const struct switch_table *t, const struct reply *reply, struct token **token)
{
	return reply->token == NULL || token_check(t->tokens, reply->token, reply->token_len,
	    clock_wall_ms(), token) == JWT_OK;
}

static void
send_on(const struct switch_table *t, struct request *r, const struct reply *reply,
    struct destination *d)
{
	struct buf text = { 0 };
	struct token *token = NULL;
	struct envelope env;

	add_message(&text, r, reply);
	if (++r->hops > USHER_HOPS_MAX) {
		request_fail(r, ERR_LOOP, NULL);
	} else if (!is_good_message(&env, &text)) {
		request_fail(r, ERR_HANDLER_ERROR, "the message to qewd_destination is malformed");
	} else if (!check_token(t, reply, &token)) {
		request_fail(r, ERR_TOKEN_EXPIRED, NULL);
	} else {
		r->is_under_way = r->destination == d;
		request_replace(r, &env, token);
		if (request_has_internal_type(r))
			request_fail(r, ERR_NOT_ALLOWED, "messages of this type are not sent on");
		else
			request_submit(r, d, d->timeout_ms != 0 ? d->timeout_ms :
			    request_left_ms(r));
	}
	buf_free(&text);
}

bool
switch_final(const struct switch_table *t, struct request *r, const struct reply *reply)
{
	struct wish w = { { 0 }, { 0 } };
	struct destination *d;
	bool is_one;

	if (!reply->is_local || reply->is_error || reply->body == NULL || r->destination == NULL ||
	    r->asked_for != NULL || r->is_rest)
		return false;
	is_one = read_wish(&w, reply);
	r->has_run = r->has_run || is_one;
	if (is_one && (d = find_permitted(t, r, &w)) != NULL) {
		log_debug_of("request", request_subject(r, NULL), "type %s is sent on to %s",
		    r->type, d->name);
		send_on(t, r, reply, d);
	}
	buf_free(&w.destination);
	buf_free(&w.application);
	return is_one;
}
