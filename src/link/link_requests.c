/* SPDX-License-Identifier: ISC */
/*
 * The requests of a link: how they are sent and given up, and whose reply is whose.
 */
#include "link/link.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/idmap.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "codec/envelope.h"
#include "codec/json_splice.h"
#include "codec/usher_member.h"
#include "link/link_int.h"
#include "net/loop.h"
#include "request/request.h"
#include "token/token_form.h"

#define CANCEL_ROOM 60		/* of these messages, as a rule */
#define MEMBER_ROOM 1024	/* for what a request gets besides, its "usher" member above all */

/* ---- sending, and giving up ---- */

/* Multiplexed: it is not in flight any more. */
static void
forget(struct link *l, const struct request *r)
{
	idmap_remove(&l->in_flight, r->served_id);
	l->in_flight_bytes -= r->env.len;
}

static void
add_member(struct buf *out, const struct request *r)
{
	struct usher_call call = { .id = r->served_id, .deadline_ms = request_left_ms(r),
		.hops = r->hops + 1, .trace = r->trace, .client_address = r->client_address,
		.client_socket = r->client_socket };

	assert(out->data[out->len - 1] == '}');
	out->len--;	/* "jwt" is in the message before this, so there is a comma */
	buf_add_str(out, ",\"usher\":");
	usher_member_encode_request(out, &call);
	buf_add_char(out, '}');
}

static void
splice_request(const struct link *l, const struct request *r, struct buf *out)
{
	struct json_edit edits[3];
	const char *text;
	size_t len, n = 0;

	/* What was not verified goes as it came: signed anew it would be as good as any. */
	if (r->token != NULL) {
		text = token_for_application(l->env->tokens, r->token, r->destination->application,
		    &len);
		/* Letters of base64url and dots: nothing to escape. */
		if (!json_string_equals(r->env.text, r->env.top.member[ENV_TOKEN].value, text, len))
			edits[n++] = (struct json_edit){ .name = ENV_TOKEN, .value = text,
				.len = len, .is_bare = true };
	}
	edits[n++] = (struct json_edit){ .name = ENV_JWT, .value = "true", .len = 4 };
	edits[n++] = (struct json_edit){ .name = ENV_USHER };
	json_splice_add(out, r->env.text, &r->env.top, &envelope_names, edits, n);
	if (l->is_multiplexed)
		add_member(out, r);
}

/*
 * A stock service looks types up in an object, and these, which every object inherits, occupy
 * one of its workers for ever.
 */
static bool
is_poison_to_stock(const struct request *r)
{
	static const char *const name[] = {
		"__proto__", "constructor", "hasOwnProperty", "isPrototypeOf",
		"propertyIsEnumerable", "toLocaleString", "toString", "valueOf",
		"__defineGetter__", "__defineSetter__", "__lookupGetter__", "__lookupSetter__",
	};

	for (size_t i = 0; i < ARRAY_LEN(name); i++)
		if (strcmp(r->type, name[i]) == 0)
			return true;
	return false;
}

static void
refuse_poison(struct request *r)
{
	char *text = request_no_handler_text(r, r->destination->application);

	request_fail(r, ERR_NO_HANDLER, text);
	free(text);
}

void
link_submit(struct link *l, struct request *r)
{
	char text[128];

	if (!l->is_multiplexed && is_poison_to_stock(r)) {
		refuse_poison(r);
		return;
	}
	r->served_id = ++l->last_id;
	r->served_at = sio_client_position(l->client);
	splice_request(l, r, sio_client_begin(l->client, r->env.len + MEMBER_ROOM));
	r->served_by = l;
	r->server = link_name(l);
	if (l->is_multiplexed) {
		idmap_add(&l->in_flight, r->served_id, r);
		l->in_flight_bytes += r->env.len;
	} else {
		l->current = r;
	}
	log_debug_of("link", request_subject(r, l->name), "is sent");
	if (sio_client_end(l->client, l->peer_message_max))
		return;
	if (l->is_multiplexed)
		forget(l, r);
	l->current = NULL;
	r->served_by = NULL;
	snprintf(text, sizeof(text), "message above the %zu bytes that the remote node takes",
	    l->peer_message_max);
	request_fail(r, ERR_TOO_BIG, text);
}

static void
send_cancel(struct link *l, uint64_t id)
{
	struct buf *b = sio_client_begin(l->client, CANCEL_ROOM);

	buf_add_str(b, "{\"type\":\"usher-cancel\",\"usher\":");
	usher_member_encode_reply(b, id);
	buf_add_char(b, '}');
	(void)sio_client_end(l->client, SIZE_MAX);
}

static void
drop_ghost(struct link *l)
{
	l->has_ghost = false;
	free(l->ghost_type);
	l->ghost_type = NULL;
	loop_timer_stop(l->env->loop, &l->ghost_timer);
}

static void
on_ghost_timeout(void *arg)
{
	struct link *l = arg;

	drop_ghost(l);
	link_replace(l);
}

/*
 * A stock service cannot be told: the link stays taken until the final comes, which is then
 * nobody's, or until the deadline.
 */
static void
leave_ghost(struct link *l, const struct request *r)
{
	l->has_ghost = true;
	l->ghost_type = xmemdup(r->type, r->type_len);
	loop_timer_set(l->env->loop, &l->ghost_timer, request_left_ms(r), on_ghost_timeout, l);
}

void
link_cancel(struct link *l, struct request *r, enum err why)
{
	r->served_by = NULL;
	if (l->is_multiplexed) {
		forget(l, r);
		send_cancel(l, r->served_id);
		return;
	}
	l->current = NULL;
	if (why == ERR_CANCELLED) {
		leave_ghost(l, r);
		return;
	}
	log_info_of(request_subject(r, l->name), "%s; the link is replaced", err_text(why));
	link_replace(l);
}

/* ---- replies ---- */

static void
stray(struct link *l, const char *what)
{
	metrics_inc(loop_metrics(l->env->loop), METRIC_LINK_STRAYS);
	log_debug_for("link", l->name, "dropped %s", what);
}

/* Exclusive links: what a message is to the one request under way (design: "what ends a request"). */
enum meaning { MEANS_INTERMEDIATE, MEANS_FINAL, MEANS_NOTHING };

static enum meaning
meaning_of(const struct envelope *env, const char *request_type)
{
	struct json_value type = env->top.member[ENV_TYPE].value;

	switch (env->top.member[ENV_FINISHED].value.kind) {
	case JSON_FALSE:
		return MEANS_INTERMEDIATE;
	case JSON_TRUE:
		if (type.kind == JSON_NONE || json_string_is(env->text, type, request_type) ||
		    json_string_is(env->text, type, "error"))
			return MEANS_FINAL;
		return MEANS_NOTHING;
	default:
		if (json_is_truthy(env->text, env->top.member[ENV_ERROR].value) ||
		    json_is_truthy(env->text, env->message.member[ENV_ERROR].value))
			return MEANS_FINAL;
		return MEANS_NOTHING;
	}
}

/* A stock worker's exception: {"type":"error","finished":true,"message":"<text>"}. */
static void
fail_with_exception(struct request *r, const struct envelope *env)
{
	struct buf text = { 0 };
	char *line;

	if (!json_string_get(env->text, env->top.member[ENV_MESSAGE].value, &text))
		json_string_get(env->text, env->message.member[ENV_ERROR].value, &text);
	line = buf_take(&text);
	line[strcspn(line, "\r\n")] = '\0';
	request_fail(r, ERR_HANDLER_ERROR, line[0] != '\0' ? line : NULL);
	free(line);
}

static struct reply
reply_of(const struct envelope *env, bool is_final)
{
	const struct json_object *body =
	    env->top.member[ENV_MESSAGE].value.kind == JSON_OBJECT ? &env->message : NULL;

	return (struct reply){
		.is_final = is_final,
		.is_error = is_final &&
		    (json_is_truthy(env->text, env->top.member[ENV_ERROR].value) ||
		    (body != NULL && json_is_truthy(env->text, body->member[ENV_ERROR].value))),
		.text = env->text,
		.top = &env->top,
		.type = env->top.member[ENV_TYPE].value,
		.message = env->top.member[ENV_MESSAGE].value,
		.body = body,
	};
}

/* More than the route's client shall get, though the link could carry it. */
static bool
is_too_big(const struct link *l, const struct envelope *env)
{
	struct json_value m = env->top.member[ENV_MESSAGE].value;

	return m.end - m.start > l->env->limits->reply;
}

static void
finish(struct link *l, struct request *r, const struct envelope *env)
{
	struct reply reply;

	r->served_by = NULL;
	l->n_answered++;
	if (is_too_big(l, env)) {
		request_fail(r, ERR_REPLY_TOO_BIG, NULL);
		return;
	}
	if (json_string_is(env->text, env->top.member[ENV_TYPE].value, "error") &&
	    strcmp(r->type, "error") != 0) {
		fail_with_exception(r, env);
		return;
	}
	reply = reply_of(env, true);
	request_finish(r, &reply);
}

static void
pass_intermediate(struct link *l, struct request *r, const struct envelope *env)
{
	struct reply reply = reply_of(env, false);

	if (is_too_big(l, env))
		stray(l, "an intermediate above limits.reply");
	else
		request_reply(r, &reply);
}

static void
on_ghost_reply(struct link *l, const struct envelope *env)
{
	if (meaning_of(env, l->ghost_type) != MEANS_FINAL)
		return;
	drop_ghost(l);
	if (link_is_free(l))
		l->ev->on_free(l, l->arg);
}

static void
on_exclusive_reply(struct link *l, struct envelope *env)
{
	struct request *r = l->current;

	if (l->has_ghost) {
		on_ghost_reply(l, env);
		return;
	}
	if (r == NULL) {
		stray(l, "a message while no request is under way");
		return;
	}
	if (envelope_check_reply(env) != 0) {
		log_warnx_of(request_subject(r, l->name), "unusable reply: %s", env->fault);
		l->current = NULL;
		r->served_by = NULL;
		request_fail(r, ERR_INTERNAL, "the remote service sent an ambiguous reply");
		link_replace(l);	/* more of it may follow */
		return;
	}
	switch (meaning_of(env, r->type)) {
	case MEANS_INTERMEDIATE:
		pass_intermediate(l, r, env);
		break;
	case MEANS_FINAL:
		l->current = NULL;
		finish(l, r, env);
		if (link_is_free(l))
			l->ev->on_free(l, l->arg);
		break;
	case MEANS_NOTHING:
		stray(l, "a message that is no reply to the request under way");
		break;
	}
}

/* The node behind us pushes to one of our clients, or of the nodes in front of us. */
static void
on_push(struct link *l, const struct envelope *env, const struct usher_member *u)
{
	struct push p = { .to = u->push, .message = "{}", .message_len = 2, .hops = u->hops,
		.url = l->url };
	const char *message;
	size_t len;

	p.type = envelope_raw(env, &env->top, ENV_TYPE, &p.type_len);
	if (env->top.member[ENV_TYPE].value.kind != JSON_STRING) {
		stray(l, "a push without a type");
		return;
	}
	if ((message = envelope_raw(env, &env->top, ENV_MESSAGE, &len)) != NULL) {
		p.message = message;
		p.message_len = len;
	}
	l->env->push.push(&p, l->env->push.arg);
}

/* The node's own word that it stops, and has not run the request. */
static bool
is_refusal(const struct link *l, const struct request *r, const struct envelope *env)
{
	struct json_value m = env->top.member[ENV_MESSAGE].value;

	return m.kind == JSON_OBJECT && r->n_replies == 0 &&
	    json_is_truthy(env->text, env->message.member[ENV_ERROR].value) &&
	    json_string_is(env->text, json_member_of(env->text, m, "code"), "stopping") &&
	    json_string_is(env->text, json_member_of(env->text, m, "ran"), "no") &&
	    json_string_is(env->text, json_member_of(env->text, m, "by"), l->peer_node);
}

/* A member that is more than an id: of a push, or written in another way. */
static RARE struct request *
on_other_member(struct link *l, const struct envelope *env, struct json_value member)
{
	struct request *r = NULL;
	struct usher_member u;

	if (usher_member_decode(&u, env->text, member) && u.has_id)
		r = idmap_find(&l->in_flight, u.id);
	if (r == NULL && u.push.kind != PUSH_NONE)
		on_push(l, env, &u);
	else if (r == NULL)
		stray(l, "a reply to no open request");
	return r;
}

/* The request that this is a reply to; NULL: it is none, and has been dealt with. */
static struct request *
request_of(struct link *l, const struct envelope *env)
{
	struct json_value member = env->top.member[ENV_USHER].value;
	struct request *r;
	uint64_t id;

	if (!usher_member_is_id(env->text, member, &id))
		return on_other_member(l, env, member);
	r = idmap_find(&l->in_flight, id);
	if (r == NULL)
		stray(l, "a reply to no open request");
	return r;
}

/*
 * Many replies come at a time, mostly in the order of the requests: what the next ones touch comes
 * from memory while this one is dealt with.
 */
static void
fetch_behind(const struct link *l, uint64_t id)
{
	const struct request *r;

	if ((r = idmap_find(&l->in_flight, id + 6)) != NULL)
		request_fetch(r, REQUEST_FETCH_SELF);
	if ((r = idmap_find(&l->in_flight, id + 4)) != NULL)
		request_fetch(r, REQUEST_FETCH_PARTS);
	if ((r = idmap_find(&l->in_flight, id + 2)) != NULL)
		request_fetch(r, REQUEST_FETCH_ORIGIN);
}

static void
on_multiplexed_reply(struct link *l, struct envelope *env)
{
	struct request *r = request_of(l, env);

	if (r == NULL)
		return;
	fetch_behind(l, r->served_id);
	if (envelope_check_reply(env) != 0) {
		log_warnx_of(request_subject(r, l->name), "unusable reply: %s", env->fault);
		forget(l, r);
		r->served_by = NULL;
		request_fail(r, ERR_INTERNAL, "the remote node sent an ambiguous reply");
	} else if (env->top.member[ENV_FINISHED].value.kind == JSON_FALSE) {
		pass_intermediate(l, r, env);
	} else {
		forget(l, r);
		r->served_by = NULL;
		if (!is_refusal(l, r, env) || !l->ev->on_refused(l, r, l->arg))
			finish(l, r, env);
	}
}

void
link_on_event(struct envelope *env, void *arg)
{
	struct link *l = arg;

	if (l->state == LINK_REGISTERING) {
		if (json_string_is(env->text, env->top.member[ENV_TYPE].value, "ewd-register"))
			link_on_registered(l, env);
	} else if (l->is_multiplexed) {
		on_multiplexed_reply(l, env);
	} else {
		on_exclusive_reply(l, env);
	}
}

/* ---- the link is lost ---- */

/* Its destination may have it tried elsewhere. */
static void
lose(struct link *l, struct request *r, enum err why, uint64_t sent)
{
	r->served_by = NULL;
	if (why != ERR_LINK_LOST || l->is_leaving ||
	    !l->ev->on_lost(l, r, r->served_at < sent, l->arg))
		request_fail(r, why, NULL);
}

void
link_fail_in_flight(struct link *l, enum err why, uint64_t sent)
{
	struct idmap in_flight = l->in_flight;
	struct request *r = l->current;

	drop_ghost(l);
	l->current = NULL;
	l->in_flight = (struct idmap){ 0 };
	l->in_flight_bytes = 0;
	if (r != NULL)
		lose(l, r, why, sent);
	for (size_t i = 0; i < in_flight.cap; i++)
		if ((r = in_flight.entry[i].value) != NULL)
			lose(l, r, why, sent);
	idmap_free(&in_flight);
}
