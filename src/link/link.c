/* SPDX-License-Identifier: ISC */
/*
 * The life of a link, and whose reply is whose.
 *
 * States: waiting (to redial) -> connecting -> registering -> up, and back to waiting
 * whatever ends it.
 */
#include "link/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/idmap.h"
#include "base/log.h"
#include "base/spares.h"
#include "base/xmalloc.h"
#include "codec/envelope.h"
#include "codec/json_splice.h"
#include "codec/usher_member.h"
#include "net/loop.h"
#include "request/request.h"
#include "token/token_cache.h"

#define RETRY_FIRST_MS	  100
#define RETRY_LAST_MS	  5000
#define REPLY_FRAME_ROOM  (1 << 20)
#define REPLY_DEPTH_MAX	  1000
#define REGISTRATION_ROOM 400		/* of these messages, as a rule */
#define CANCEL_ROOM	  60
#define MEMBER_ROOM	  512		/* for the "usher" member of a request, as a rule */
#define STOCK_MESSAGE_MAX 1000000	/* a stock server closes above it (protocol reference 1) */

enum link_state { LINK_WAITING, LINK_CONNECTING, LINK_REGISTERING, LINK_UP };

static const char *const state_name[] = {
	[LINK_WAITING] = "waiting to dial",
	[LINK_CONNECTING] = "connecting",
	[LINK_REGISTERING] = "registering",
	[LINK_UP] = "up",
};

struct link {
	const struct link_env *env;
	enum conf_protocol protocol;
	const char *application;	/* to register for */
	const char *url;
	char name[320];			/* "link ws://10.0.0.5:8081" */
	unsigned number;
	struct sio_client_config config;
	const struct link_events *ev;
	void *arg;

	enum link_state state;
	struct sio_client *client;	/* NULL: waiting */
	bool is_multiplexed;
	bool takes_pushes;		/* or would, if it were up */
	char peer_node[128];		/* multiplexed: its name */
	size_t peer_message_max;	/* bytes of a frame it takes */
	struct request *current;	/* exclusive: the one under way */
	bool has_ghost;			/* exclusive: taken by one that was cancelled, whose final is due */
	char *ghost_type;		/* its type */
	struct timer ghost_timer;	/* its deadline */
	struct idmap in_flight;		/* multiplexed: our id -> request */
	uint64_t in_flight_bytes;
	uint64_t last_id;
	uint64_t n_answered;
	uint64_t retry_ms;		/* the next wait */
	bool is_replacing;		/* closed by us to be dialled anew: counts as up, but taken */
	bool is_leaving;		/* for good */
	bool has_complained;		/* about this series of failures */
	uint64_t state_ms;		/* since when it is in this state */
	uint64_t n_ups;
	char last_error[256];
	struct timer timer;		/* to dial; or the answer to a registration is due */
};

_Static_assert(sizeof(void *) > 8 || sizeof(struct link) <= 1100, "each link has one");

static void dial(void *);
static void on_open(const char *, void *);
static void on_event(struct envelope *, void *);
static void on_close(enum err, const char *, void *);

static const struct sio_client_events client_events = {
	.on_open = on_open,
	.on_event = on_event,
	.on_close = on_close,
};

/* The only place that assigns link->state. */
static void
set_state(struct link *l, enum link_state next)
{
	log_debug_for("link", l->name, "%s -> %s", state_name[l->state], state_name[next]);
	l->state = next;
	l->state_ms = clock_mono_ms();
}

struct link *
link_new(const struct link_env *env, const struct conf_url *url, struct tls_client *tls,
    enum conf_protocol protocol, const char *application, unsigned number,
    const struct link_events *ev, void *arg)
{
	struct link *l = xcalloc(1, sizeof(*l));

	l->env = env;
	l->protocol = protocol;
	l->application = application;
	l->url = url->text;
	l->number = number;
	if (number == 1)
		snprintf(l->name, sizeof(l->name), "link %s", url->text);
	else
		snprintf(l->name, sizeof(l->name), "link %s#%u", url->text, number);
	l->config = (struct sio_client_config){
		.host = url->host,
		.port = url->port,
		.tls = tls,
		.send_max = SIZE_MAX,	/* link_set counts what is in flight */
		/* A reply may be deeper than what browsers may send: it must not end the link. */
		.depth_max = REPLY_DEPTH_MAX,
	};
	l->ev = ev;
	l->arg = arg;
	l->retry_ms = RETRY_FIRST_MS;
	dial(l);
	return l;
}

void
link_set_tls(struct link *l, struct tls_client *tls)
{
	l->config.tls = tls;
}

bool
link_is_up(const struct link *l)
{
	return l->state == LINK_UP || l->is_replacing;
}

bool
link_is_multiplexed(const struct link *l)
{
	return l->is_multiplexed;
}

bool
link_is_free(const struct link *l)
{
	return l->state == LINK_UP && (l->is_multiplexed || (l->current == NULL && !l->has_ghost));
}

uint64_t
link_bytes(const struct link *l)
{
	return l->in_flight_bytes;
}

size_t
link_outstanding(const struct link *l)
{
	return l->in_flight.n + (l->current != NULL || l->has_ghost);
}

uint64_t
link_submitted(const struct link *l)
{
	return l->last_id;
}

uint64_t
link_answered(const struct link *l)
{
	return l->n_answered;
}

void *
link_arg(const struct link *l)
{
	return l->arg;
}

const char *
link_name(const struct link *l)
{
	return l->name + strlen("link ");
}

void
link_describe(const struct link *l, struct link_info *info)
{
	*info = (struct link_info){
		.number = l->number,
		.state = state_name[l->state],
		.is_up = link_is_up(l),
		.is_multiplexed = l->is_multiplexed,
		.node = l->is_multiplexed && link_is_up(l) ? l->peer_node : "",
		.in_flight = link_outstanding(l),
		.since_ms = clock_mono_ms() - l->state_ms,
		.n_ups = l->n_ups,
		.last_error = l->last_error,
	};
}

/* ---- coming up ---- */

static void
dial(void *arg)
{
	struct link *l = arg;

	/* As the configuration says now. */
	l->config.dial_ms = l->env->timeouts->dial_ms;
	l->config.handshake_ms = l->env->timeouts->handshake_ms;
	/* Room for what stands around a message of the largest size. */
	l->config.message_max = l->env->limits->reply + REPLY_FRAME_ROOM;
	l->config.head_max = l->env->limits->http_head;
	set_state(l, LINK_CONNECTING);
	l->client = sio_client_new(l->env->loop, l->env->resolver, &l->config, &client_events, l);
}

void
link_retry_now(struct link *l)
{
	l->retry_ms = RETRY_FIRST_MS;
	if (l->state != LINK_WAITING)
		return;
	loop_timer_stop(l->env->loop, &l->timer);
	dial(l);
}

static void
on_registration_timeout(void *arg)
{
	struct link *l = arg;

	sio_client_close(l->client, ERR_HANDSHAKE_TIMEOUT,
	    "registration not answered within timeouts.handshake");
}

/* base64url(HMAC-SHA256(secret, "usher-link\n" + sid)) */
static void
add_announcement(struct link *l, const char *sid, struct buf *out)
{
	struct buf signed_text = { 0 }, proof = { 0 };

	buf_add_str(&signed_text, USHER_PROOF_PREFIX);
	buf_add_str(&signed_text, sid);
	jwt_hmac(token_cache_ring(l->env->tokens), JWT_FIRST, signed_text.data, signed_text.len,
	    &proof);
	l->takes_pushes = l->ev->takes_pushes(l, l->arg);
	usher_member_encode_announcement(out, l->env->node, buf_str(&proof), !l->takes_pushes);
	buf_free(&signed_text);
	buf_free(&proof);
}

static void
on_open(const char *sid, void *arg)
{
	struct link *l = arg;
	struct buf *b = sio_client_begin(l->client, REGISTRATION_ROOM);

	set_state(l, LINK_REGISTERING);
	buf_add_str(b, "{\"type\":\"ewd-register\",\"application\":");
	buf_add_json_string(b, l->application, strlen(l->application));
	buf_add_str(b, ",\"jwt\":true");
	if (l->protocol != CONF_PROTOCOL_QEWD) {
		buf_add_str(b, ",\"usher\":");
		add_announcement(l, sid, b);
	}
	buf_add_char(b, '}');
	loop_timer_set(l->env->loop, &l->timer, l->config.handshake_ms, on_registration_timeout, l);
	(void)sio_client_end(l->client, SIZE_MAX);
}

/* Did the node prove to be one of ours? */
static void
read_answer(struct link *l, const struct envelope *env)
{
	struct usher_member u;

	l->is_multiplexed = l->protocol != CONF_PROTOCOL_QEWD &&
	    usher_member_decode(&u, env->text, env->message.member[ENV_USHER].value) && u.is_link;
	l->peer_message_max = STOCK_MESSAGE_MAX;
	l->peer_node[0] = '\0';
	if (!l->is_multiplexed)
		return;
	memcpy(l->peer_node, u.node, sizeof(l->peer_node));
	if (u.message_max > 0)
		l->peer_message_max = u.message_max;
}

/* The peer answered our registration: forget earlier failures. */
static void
on_registered(struct link *l, const struct envelope *env)
{
	if (json_is_truthy(env->text, env->message.member[ENV_ERROR].value)) {
		sio_client_close(l->client, ERR_NOT_ALLOWED, "the peer refused our registration");
		return;
	}
	read_answer(l, env);
	if (l->protocol == CONF_PROTOCOL_USHER && !l->is_multiplexed) {
		sio_client_close(l->client, ERR_NOT_ALLOWED, "protocol is \"usher\", but the peer "
		    "is no usher node or does not share a secret with us");
		return;
	}
	loop_timer_stop(l->env->loop, &l->timer);
	l->retry_ms = RETRY_FIRST_MS;
	l->has_complained = false;
	l->is_replacing = false;
	l->n_ups++;
	set_state(l, LINK_UP);
	if (l->is_multiplexed)
		log_info_for(l->name, "up, multiplexed, node %s", l->peer_node);
	else
		log_info_for(l->name, "up, exclusive");
	l->ev->on_up(l, l->arg);
}

/* ---- going down ---- */

static void
drop_ghost(struct link *l)
{
	l->has_ghost = false;
	free(l->ghost_type);
	l->ghost_type = NULL;
	loop_timer_stop(l->env->loop, &l->ghost_timer);
}

/* Its destination may have it tried elsewhere. */
static void
lose(struct link *l, struct request *r, enum err why, uint64_t sent)
{
	r->served_by = NULL;
	if (why != ERR_LINK_LOST || l->is_leaving ||
	    !l->ev->on_lost(l, r, r->served_at < sent, l->arg))
		request_fail(r, why, NULL);
}

/* What begins at sent or later in the output never reached the peer. */
static void
fail_in_flight(struct link *l, enum err why, uint64_t sent)
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

/* Jitter, so that many nodes do not come back to a restarted one all at once. */
static uint64_t
next_retry_ms(struct link *l)
{
	uint32_t random;
	uint64_t wait_ms;

	id_random(&random, sizeof(random));
	wait_ms = l->retry_ms / 2 + random % (l->retry_ms + 1);
	l->retry_ms = 2 * l->retry_ms < RETRY_LAST_MS ? 2 * l->retry_ms : RETRY_LAST_MS;
	return wait_ms;
}

/* One warning for a series of failures. */
static void
complain(struct link *l, enum err why, const char *detail, uint64_t wait_ms)
{
	bool was_up = l->state == LINK_UP;

	snprintf(l->last_error, sizeof(l->last_error), "%s%s%s", err_text(why),
	    detail != NULL ? ": " : "", detail != NULL ? detail : "");
	if (was_up || !l->has_complained)
		log_warnx_for(l->name, "%s: %s%s%s; next attempt in %llu ms",
		    was_up ? "down" : "cannot connect", err_text(why), detail != NULL ? ": " : "",
		    detail != NULL ? detail : "", (unsigned long long)wait_ms);
	else
		log_debug_for("link", l->name, "%s: %s; next attempt in %llu ms", err_text(why),
		    detail != NULL ? detail : "-", (unsigned long long)wait_ms);
	l->has_complained = !was_up;
}

static void
on_close(enum err why, const char *detail, void *arg)
{
	struct link *l = arg;
	bool was_up = l->state == LINK_UP, is_replaced = was_up && l->is_replacing;
	uint64_t wait_ms = is_replaced ? 0 : next_retry_ms(l);
	uint64_t sent = was_up ? sio_client_sent(l->client) : 0;

	l->client = NULL;
	if (l->is_leaving)
		return;
	if (!is_replaced)
		complain(l, why, detail, wait_ms);
	set_state(l, LINK_WAITING);
	loop_timer_set(l->env->loop, &l->timer, wait_ms, dial, l);
	if (l->takes_pushes) {
		l->takes_pushes = false;
		l->ev->on_no_pushes(l, l->arg);
	}
	if (was_up) {
		metrics_inc(loop_metrics(l->env->loop), METRIC_LINKS_LOST);
		fail_in_flight(l, why == ERR_TOO_BIG && !l->is_multiplexed ? ERR_REPLY_TOO_BIG :
		    ERR_LINK_LOST, sent);
	}
	if (is_replaced || (!was_up && !l->is_replacing))
		return;
	l->is_replacing = false;	/* the replacement failed: now it is down */
	l->ev->on_down(l, l->arg);
}

/*
 * Close an exclusive link and dial anew: the only way to be sure that what still comes
 * for one request is not taken for another's.
 */
static void
replace(struct link *l)
{
	l->is_replacing = true;
	sio_client_close(l->client, ERR_TIMEOUT, NULL);
}

void
link_free(struct link *l, enum err why)
{
	if (l == NULL)
		return;
	l->is_leaving = true;
	fail_in_flight(l, why, UINT64_MAX);
	if (l->client != NULL)
		sio_client_close(l->client, ERR_STOPPING, NULL);
	loop_timer_stop(l->env->loop, &l->timer);
	free(l);
}

/* ---- requests ---- */

/* Multiplexed: it is not in flight any more. */
static void
forget(struct link *l, const struct request *r)
{
	idmap_remove(&l->in_flight, r->served_id);
	l->in_flight_bytes -= r->env.len;
}

static void
splice_request(struct link *l, struct request *r, struct buf *out)
{
	struct spares *spares = loop_spares(l->env->loop);
	struct buf member = { 0 };
	struct usher_call call = { .id = r->served_id, .deadline_ms = request_left_ms(r),
		.hops = r->hops + 1, .trace = r->trace, .client_address = r->client_address,
		.client_socket = r->client_socket };
	struct json_edit edits[3];
	const char *text;
	size_t len, n = 0;

	/* What was not verified goes as it came: signed anew it would be as good as any. */
	if (r->token != NULL) {
		text = token_for_application(l->env->tokens, r->token, r->destination->application,
		    &len);
		/* Letters of base64url and dots: nothing to escape. */
		edits[n++] = (struct json_edit){ .name = ENV_TOKEN, .value = text, .len = len,
			.is_bare = true };
	}
	if (l->is_multiplexed) {
		spares_take_buf(spares, &member, MEMBER_ROOM);
		usher_member_encode_request(&member, &call);
	}
	edits[n++] = (struct json_edit){ .name = ENV_JWT, .value = "true", .len = 4 };
	edits[n++] = (struct json_edit){ .name = ENV_USHER, .value = member.data,
		.len = member.len };
	json_splice_add(out, r->env.text, &r->env.top, &envelope_names, edits, n);
	spares_give_buf(spares, &member);
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

void
link_take_pushes(struct link *l)
{
	struct buf *b = sio_client_begin(l->client, CANCEL_ROOM);

	l->takes_pushes = true;
	buf_add_str(b, "{\"type\":\"" USHER_FIRST "\"}");
	(void)sio_client_end(l->client, SIZE_MAX);
}

static void
on_ghost_timeout(void *arg)
{
	struct link *l = arg;

	drop_ghost(l);
	replace(l);
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
	replace(l);
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
		replace(l);	/* more of it may follow */
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

static void
on_multiplexed_reply(struct link *l, struct envelope *env)
{
	struct request *r = request_of(l, env);

	if (r == NULL)
		return;
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

static void
on_event(struct envelope *env, void *arg)
{
	struct link *l = arg;

	if (l->state == LINK_REGISTERING) {
		if (json_string_is(env->text, env->top.member[ENV_TYPE].value, "ewd-register"))
			on_registered(l, env);
	} else if (l->is_multiplexed) {
		on_multiplexed_reply(l, env);
	} else {
		on_exclusive_reply(l, env);
	}
}
