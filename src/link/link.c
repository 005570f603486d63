/* SPDX-License-Identifier: ISC */
/*
 * The life of a link.
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
#include "base/log.h"
#include "base/xmalloc.h"
#include "codec/envelope.h"
#include "codec/usher_member.h"
#include "link/link_int.h"
#include "net/loop.h"
#include "token/token_cache.h"

#define RETRY_FIRST_MS	  100
#define RETRY_LAST_MS	  5000
#define REPLY_FRAME_ROOM  (1 << 20)
#define REPLY_DEPTH_MAX	  1000
#define REGISTRATION_ROOM 400		/* of these messages, as a rule */
#define FIRST_ROOM	  60		/* the same */
#define STOCK_MESSAGE_MAX 1000000	/* a stock server closes above it (protocol reference 1) */

static const char *const state_name[] = {
	[LINK_WAITING] = "waiting to dial",
	[LINK_CONNECTING] = "connecting",
	[LINK_REGISTERING] = "registering",
	[LINK_UP] = "up",
};

static void dial(void *);
static void on_open(const char *, void *);
static void on_close(enum err, const char *, void *);

static const struct sio_client_events client_events = {
	.on_open = on_open,
	.on_event = link_on_event,
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

/* Forget earlier failures. */
void
link_on_registered(struct link *l, const struct envelope *env)
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

void
link_take_pushes(struct link *l)
{
	struct buf *b = sio_client_begin(l->client, FIRST_ROOM);

	l->takes_pushes = true;
	buf_add_str(b, "{\"type\":\"" USHER_FIRST "\"}");
	(void)sio_client_end(l->client, SIZE_MAX);
}

/* ---- going down ---- */

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
		link_fail_in_flight(l, why == ERR_TOO_BIG && !l->is_multiplexed ?
		    ERR_REPLY_TOO_BIG : ERR_LINK_LOST, sent);
	}
	if (is_replaced || (!was_up && !l->is_replacing))
		return;
	l->is_replacing = false;	/* the replacement failed: now it is down */
	l->ev->on_down(l, l->arg);
}

void
link_replace(struct link *l)
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
	link_fail_in_flight(l, why, UINT64_MAX);
	if (l->client != NULL)
		sio_client_close(l->client, ERR_STOPPING, NULL);
	loop_timer_stop(l->env->loop, &l->timer);
	free(l);
}
