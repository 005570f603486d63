/* SPDX-License-Identifier: ISC */
/*
 * Sessions over a transport that does what the test says: what it cannot take waits, in
 * order and within a limit, and the end is told once, above and below.
 */
#include "front/eio_session.h"

#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "base/log.h"
#include "base/strmap.h"
#include "conf/conf.h"
#include "front/admission.h"
#include "front/client.h"
#include "front/eio_session_int.h"
#include "loop_unit.h"

#define SEND_QUEUE 100

static struct loop *loop;
static struct admission *admission;
static struct conf conf;
static struct conf_listener listener = { .address = "test", .audience = CONF_FOR_BROWSERS };
static struct client client = { .label = "C-1", .address = "192.0.2.1", .listener = &listener };
static struct eio_env env;

/* The transport. */
static bool can_send;
static bool flush_takes;		/* a flush fetches the queue */
static struct buf sent;			/* packets, each with a blank behind it */
static size_t send_max;
static int n_closes, n_flushes;
static enum err closed_why;
static bool closed_in_order, closed_with_queue;

/* Above. */
static struct eio_session *session;
static struct buf heard;
static int n_ends;

static bool
on_send(void *carrier UNUSED, const char *data, size_t len)
{
	if (can_send) {
		buf_add(&sent, data, len);
		buf_add_char(&sent, ' ');
	}
	return can_send;
}

static void
on_flush(void *carrier UNUSED)
{
	n_flushes++;
	if (flush_takes)
		eio_session_take_queue(session, &sent);
}

static void
on_send_max(void *carrier UNUSED, size_t max)
{
	send_max = max;
}

static void
on_close(void *carrier UNUSED, enum err why, const char *detail UNUSED, bool is_orderly)
{
	n_closes++;
	closed_why = why;
	closed_in_order = is_orderly;
	closed_with_queue = eio_session_has_queue(session);
	eio_session_gone(session);
}

static const struct eio_transport transport = {
	.name = "polling", .send = on_send, .flush = on_flush, .set_send_max = on_send_max,
	.close = on_close,
};
static const struct eio_transport other_transport = {
	.name = "websocket", .send = on_send, .flush = on_flush, .set_send_max = on_send_max,
	.close = on_close,
};

static void
on_message(const char *data, size_t len, void *arg UNUSED)
{
	buf_add(&heard, data, len);
	buf_add_char(&heard, ' ');
}

static void
on_end(enum err why UNUSED, void *arg UNUSED)
{
	n_ends++;
}

static const struct eio_events events = { on_message, on_end };

static void
on_session(struct eio_session *s, void *arg UNUSED)
{
	eio_session_attach(s, &events, NULL);
}

static void
setup(void)
{
	conf = (struct conf){
		.limits = { .send_queue = SEND_QUEUE, .reply = 1000, .message = 1000,
		    .messages_per_second = 1000, .bytes_per_second = 1000000 },
		.socketio = { .ping_interval_ms = 25000, .ping_timeout_ms = 20000 },
	};
	log_set_level(LOG_LEVEL_ERROR);	/* ends are logged */
	loop = loop_new();
	admission = admission_new(10, 10);
	conf.limits.messages_per_address = conf.limits.bytes_per_address = CONF_NO_LIMIT;
	env = (struct eio_env){ .loop = loop, .conf = &conf, .admission = admission,
		.on_session = on_session, .sessions = strmap_new() };
	can_send = flush_takes = false;
	n_closes = n_flushes = n_ends = 0;
	ck_assert_ptr_null(admission_take_session(admission, client.address, true));
}

static void
teardown(void)
{
	if (n_ends == 0)
		eio_session_close(session, ERR_STOPPING, NULL);
	loop_free(loop);
	strmap_free(env.sessions, NULL);
	admission_free(admission);
	buf_free(&sent);
	buf_free(&heard);
}

/* A session whose open packet is out of the way. */
static void
begin(int revision)
{
	session = eio_session_new(&env, &client, revision);
	eio_session_begin(session, &transport, NULL);
	eio_session_take_queue(session, &sent);
	buf_free(&sent);
}

static void
send_text(const char *text)
{
	eio_session_send(session, text, strlen(text));
}

static void
packet(const char *text)
{
	eio_session_on_packet(session, text, strlen(text));
}

START_TEST(a_session_is_found_by_its_sid_until_it_is_gone)
{
	const char *sid;

	begin(4);
	sid = eio_session_sid(session);
	ck_assert_ptr_eq(strmap_find(env.sessions, sid, strlen(sid)), session);
	eio_session_close(session, ERR_STOPPING, NULL);
	ck_assert_uint_eq(strmap_count(env.sessions), 0);
}
END_TEST

START_TEST(what_cannot_go_waits_and_is_one_payload)
{
	begin(_i);
	send_text("4a");
	send_text("4\xf0\x9f\x98\x80");
	ck_assert(eio_session_has_queue(session));
	eio_session_take_queue(session, &sent);
	ck_assert_str_eq(buf_str(&sent), _i == 3 ? "2:4a3:4\xf0\x9f\x98\x80" :
	    "4a\x1e" "4\xf0\x9f\x98\x80");
	ck_assert(!eio_session_has_queue(session));
}
END_TEST

START_TEST(another_transport_gets_what_waits_before_what_comes)
{
	begin(4);
	send_text("4a");
	send_text("4b");
	can_send = true;
	eio_session_move(session, &other_transport, NULL);
	send_text("4c");
	ck_assert_str_eq(buf_str(&sent), "4a 4b 4c ");
	ck_assert_uint_eq(send_max, SEND_QUEUE);
}
END_TEST

static bool
is_closed(void *arg UNUSED)
{
	return n_closes > 0;
}

START_TEST(a_queue_above_its_limit_ends_the_session)
{
	char text[SEND_QUEUE] = "4";

	memset(text + 1, 'x', sizeof(text) - 2);
	begin(4);
	send_text(text);	/* alone, a packet may be of any size */
	ck_assert_int_eq(n_closes, 0);
	send_text("4b");
	ck_assert_int_eq(n_flushes, 1);
	send_text("4c");
	ck_assert_int_eq(n_closes, 0);	/* not from within */
	loop_run_until(loop, is_closed, NULL);
	ck_assert_int_eq(n_closes, 1);
	ck_assert_int_eq(closed_why, ERR_TOO_SLOW);
	ck_assert(!closed_in_order);
}
END_TEST

START_TEST(a_flush_makes_room)
{
	char text[SEND_QUEUE] = "4";

	memset(text + 1, 'x', sizeof(text) - 2);
	begin(4);
	flush_takes = true;
	for (int i = 0; i < 5; i++)
		send_text(text);
	ck_assert_int_eq(n_flushes, 4);
	ck_assert_int_eq(n_closes, 0);
}
END_TEST

START_TEST(a_trusted_node_may_leave_more_unread)
{
	begin(3);
	eio_session_trust(session);
	for (int i = 0; i < 100; i++)
		send_text("4aaaaaaaaaa");
	ck_assert_int_eq(n_closes, 0);
	ck_assert_uint_gt(send_max, SEND_QUEUE);
}
END_TEST

START_TEST(an_end_is_told_once_above_and_below)
{
	begin(4);
	eio_session_close(session, ERR_BAD_JSON, NULL);
	ck_assert(closed_in_order);
	eio_session_close(session, ERR_STOPPING, NULL);
	eio_session_end(session, ERR_PEER_GONE, NULL);
	packet("4a");
	send_text("4b");
	ck_assert_int_eq(n_ends, 1);
	ck_assert_int_eq(n_closes, 1);
	ck_assert_int_eq(closed_why, ERR_BAD_JSON);
	ck_assert_uint_eq(heard.len, 0);
	ck_assert(!eio_session_has_queue(session));
}
END_TEST

START_TEST(a_transport_that_is_lost_is_not_told)
{
	begin(4);
	eio_session_lost(session, ERR_PEER_GONE, NULL);
	ck_assert_int_eq(n_ends, 1);
	ck_assert_int_eq(n_closes, 0);
	ck_assert_uint_eq(strmap_count(env.sessions), 0);
}
END_TEST

START_TEST(its_place_is_given_back)
{
	begin(4);
	for (int i = 0; i < 9; i++)
		ck_assert_ptr_null(admission_take_session(admission, client.address, true));
	ck_assert_ptr_nonnull(admission_take_session(admission, client.address, true));
	eio_session_close(session, ERR_STOPPING, NULL);
	ck_assert_ptr_null(admission_take_session(admission, client.address, true));
}
END_TEST

/* What a packet does: what is heard above, what goes out, with what error the session ends. */
static const struct {
	int revision;
	const char *packet, *heard, *payload;
	enum err err;
} packets[] = {
	{ 3, "4abc", "abc ", "", 0 },
	{ 4, "4abc", "abc ", "", 0 },
	{ 3, "2", "", "1:3", 0 },
	{ 3, "2probe", "", "1:3", 0 },
	{ 3, "3", "", "", 0 },
	{ 4, "3", "", "", 0 },
	{ 4, "2", "", "", ERR_BAD_PACKET },
	{ 3, "1", "", "", ERR_PEER_LEFT },
	{ 4, "1", "", "", ERR_PEER_LEFT },
	{ 3, "0{}", "", "", ERR_BAD_PACKET },
	{ 4, "0{}", "", "", ERR_BAD_PACKET },
	{ 3, "5", "", "", 0 },
	{ 4, "6", "", "", 0 },
	{ 3, "7", "", "", ERR_BAD_PACKET },
	{ 4, "a", "", "", ERR_BAD_PACKET },
	{ 4, "", "", "", ERR_BAD_PACKET },
};

START_TEST(each_packet_means_what_its_revision_says)
{
	begin(packets[_i].revision);
	packet(packets[_i].packet);
	ck_assert_str_eq(buf_str(&heard), packets[_i].heard);
	ck_assert_int_eq(n_closes, packets[_i].err != 0);
	if (packets[_i].err != 0) {
		ck_assert_int_eq(closed_why, packets[_i].err);
		ck_assert(!closed_in_order);
		return;
	}
	eio_session_take_queue(session, &sent);
	ck_assert_str_eq(buf_str(&sent), packets[_i].payload);
}
END_TEST

static bool
has_ended(void *arg UNUSED)
{
	return n_ends > 0;
}

START_TEST(silence_ends_a_session)
{
	conf.socketio.ping_interval_ms = 10;
	conf.socketio.ping_timeout_ms = 20;
	begin(_i);
	loop_run_until(loop, has_ended, NULL);
	ck_assert_int_eq(closed_why, ERR_PING_TIMEOUT);
	ck_assert(!closed_in_order);
	ck_assert_int_eq(closed_with_queue, _i == 4);	/* its ping */
}
END_TEST

/* ---- many, whose heart-beats leave together ---- */

#define CROWD_N		    20
#define CROWD_INTERVAL_MS   2560	/* a 256th of it is 10, and the power of two below that 8 */
#define CROWD_APART_MS	    3

static struct crowd {
	struct timer timer;
	unsigned n_begun, n_pinged, n_times;
	uint64_t last_ms;		/* when one was pinged */
	struct one {
		struct eio_session *session;
		uint64_t begun_ms;
	} one[CROWD_N];
} crowd;

static bool
on_crowd_send(void *carrier, const char *data, size_t len)
{
	const struct one *one = carrier;
	uint64_t now_ms = clock_mono_ms();

	if (len != 1 || *data != '2')
		return true;		/* its open packet */
	ck_assert_uint_ge(now_ms, one->begun_ms + CROWD_INTERVAL_MS - CROWD_INTERVAL_MS / 256);
	crowd.n_times += now_ms > crowd.last_ms + 1;	/* one turn may see two milliseconds */
	crowd.last_ms = now_ms;
	crowd.n_pinged++;
	return true;
}

static void
on_crowd_close(void *carrier, enum err why UNUSED, const char *detail UNUSED,
    bool is_orderly UNUSED)
{
	eio_session_gone(((struct one *)carrier)->session);
}

static const struct eio_transport crowd_transport = {
	.name = "websocket", .send = on_crowd_send, .flush = on_flush,
	.set_send_max = on_send_max, .close = on_crowd_close,
};

static void
begin_next(void *arg UNUSED)
{
	struct one *one = &crowd.one[crowd.n_begun++];

	ck_assert_ptr_null(admission_take_session(admission, client.address, true));
	one->begun_ms = clock_mono_ms();
	one->session = eio_session_new(&env, &client, 4);
	eio_session_begin(one->session, &crowd_transport, one);
	if (crowd.n_begun < CROWD_N)
		loop_timer_set(loop, &crowd.timer, CROWD_APART_MS, begin_next, NULL);
}

static bool
all_are_pinged(void *arg UNUSED)
{
	return crowd.n_pinged == CROWD_N;
}

/* Begun at twenty times, pinged at eight or so. */
START_TEST(heart_beats_of_a_crowd_leave_together)
{
	crowd = (struct crowd){ 0 };
	admission_free(admission);
	admission = env.admission = admission_new(CROWD_N + 1, CROWD_N + 1);
	ck_assert_ptr_null(admission_take_session(admission, client.address, true));
	conf.socketio.ping_interval_ms = CROWD_INTERVAL_MS;
	begin(4);
	begin_next(NULL);
	loop_run_until(loop, all_are_pinged, NULL);
	ck_assert_uint_le(crowd.n_times, CROWD_N * 3 / 5);
	for (unsigned i = 0; i < CROWD_N; i++)
		eio_session_close(crowd.one[i].session, ERR_STOPPING, NULL);
	n_ends = 0;
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("eio_session");
	TCase *tc = tcase_create("eio_session");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_session_is_found_by_its_sid_until_it_is_gone);
	tcase_add_loop_test(tc, what_cannot_go_waits_and_is_one_payload, 3, 5);
	tcase_add_test(tc, another_transport_gets_what_waits_before_what_comes);
	tcase_add_test(tc, a_queue_above_its_limit_ends_the_session);
	tcase_add_test(tc, a_flush_makes_room);
	tcase_add_test(tc, a_trusted_node_may_leave_more_unread);
	tcase_add_test(tc, an_end_is_told_once_above_and_below);
	tcase_add_test(tc, a_transport_that_is_lost_is_not_told);
	tcase_add_test(tc, its_place_is_given_back);
	tcase_add_loop_test(tc, each_packet_means_what_its_revision_says, 0, ARRAY_LEN(packets));
	tcase_add_loop_test(tc, silence_ends_a_session, 3, 5);
	tcase_add_test(tc, heart_beats_of_a_crowd_leave_together);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
