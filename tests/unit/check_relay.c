/* SPDX-License-Identifier: ISC */
/*
 * relay: a request of one loop that is served on another ends once where it began, whatever happens
 * between.
 *
 * Posts are called by the tests, so that they know what is on its way; the last test has threads.
 */
#include "request/relay.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "loop_unit.h"
#include "request/journal.h"
#include "request/request.h"
#include "token/token_cache.h"
#include "token_vectors.h"

#define N_LOOPS 3	/* the first serves */
#define NOW_MS	(INT64_C(1000) * VECTOR_LOGIN_S)

static struct loop *loops[N_LOOPS];
static struct requests all[N_LOOPS];
static struct jwt_ring *rings[N_LOOPS];
static struct token_cache *tokens[N_LOOPS];
static struct relay_in *in;
static struct relay_out *out[N_LOOPS];
static struct destination *there[N_LOOPS];	/* application "app", as a loop sees it */
static struct envelope env;

/* ---- whoever asks ---- */

struct ask {
	unsigned n_replies, n_finals;
	enum err err;
	bool is_error;
	char text[512];			/* of the last reply: from its type on */
	char token[64];
	char server[64];
	uint64_t queued_ms, unqueued_ms;
};

static void
note(struct ask *a, const struct request *r, const struct reply *reply)
{
	a->err = reply->err;
	a->is_error = reply->is_error;
	snprintf(a->text, sizeof(a->text), "%.*s",
	    (int)(reply->message.end - reply->message.start), reply->text + reply->message.start);
	snprintf(a->token, sizeof(a->token), "%.*s", (int)reply->token_len,
	    reply->token != NULL ? reply->token : "");
	snprintf(a->server, sizeof(a->server), "%s", r->server != NULL ? r->server : "");
	a->queued_ms = r->queued_ms;
	a->unqueued_ms = r->unqueued_ms;
}

static void
on_reply(struct request *r, const struct reply *reply, void *arg)
{
	struct ask *a = arg;

	ck_assert_uint_eq(a->n_finals, 0);
	ck_assert(!reply->is_final);
	a->n_replies++;
	note(a, r, reply);
}

static void
on_final(struct request *r, const struct reply *reply, void *arg)
{
	struct ask *a = arg;

	ck_assert_uint_eq(a->n_finals, 0);
	ck_assert(reply->is_final);
	a->n_finals++;
	note(a, r, reply);
}

static const struct origin_ops origin = { .on_reply = on_reply, .on_final = on_final };

/* ---- whoever serves, on the first loop ---- */

static struct request *served[8];
static unsigned n_served, n_cancels;
static enum err cancel_why;
static bool finishes_at_once;
static char server_name[REQUEST_SERVER_MAX];

/* A reply that is gone when this returns. */
static void
answer(struct request *r, const char *text, bool is_final, const char *token)
{
	char *copy = strdup(text), *token_copy = token != NULL ? strdup(token) : NULL;
	struct envelope e;
	struct reply reply = { .is_final = is_final };

	ck_assert_int_eq(envelope_scan_object(&e, copy, strlen(copy), 8), 0);
	ck_assert_int_eq(envelope_check_reply(&e), 0);
	reply.text = copy;
	reply.top = &e.top;
	reply.type = e.top.member[ENV_TYPE].value;
	reply.message = e.top.member[ENV_MESSAGE].value;
	reply.body = &e.message;
	reply.token = token_copy;
	reply.token_len = token != NULL ? strlen(token) : 0;
	if (is_final)
		request_finish(r, &reply);
	else
		request_reply(r, &reply);
	memset(copy, 'x', strlen(text));
	free(copy);
	free(token_copy);
	memset(&e, 'x', sizeof(e));
}

static void
finish(struct request *r)
{
	answer(r, "{\"type\":\"login\",\"finished\":true,\"message\":{\"n\":1}}", true, NULL);
}

static void
submit(struct destination *d, struct request *r)
{
	ck_assert_ptr_eq(r->destination, d);
	ck_assert_ptr_eq(r->all, &all[0]);
	served[n_served++ % ARRAY_LEN(served)] = r;
	if (finishes_at_once)
		finish(r);
}

static void
cancel(struct destination *d, struct request *r, enum err why)
{
	ck_assert_ptr_eq(r->destination, d);
	n_cancels++;
	cancel_why = why;
}

static const struct destination_ops ops = { .submit = submit, .cancel = cancel };
static struct destination app = { .ops = &ops, .name = "app", .application = "app" };

static struct destination *
find(const char *name, void *arg)
{
	ck_assert_ptr_eq(arg, &app);
	return strcmp(name, "app") == 0 ? &app : NULL;
}

/* ---- both ---- */

static void
setup(void)
{
	static const char text[] = "{\"type\":\"login\",\"token\":\"x\",\"params\":{\"a\":1}}";

	for (unsigned i = 0; i < N_LOOPS; i++) {
		loops[i] = loop_new();
		all[i] = (struct requests){ .loop = loops[i], .node = "n", .slow_ms = UINT64_MAX,
			.journal = journal_new() };
		rings[i] = vector_ring(VECTOR_SECRET, sizeof(VECTOR_SECRET) - 1);
		tokens[i] = token_cache_new(rings[i]);
	}
	in = relay_in_new(&all[0], tokens[0], N_LOOPS, find, &app);
	for (unsigned i = 1; i < N_LOOPS; i++) {
		out[i] = relay_out_new(&all[i], i, in, loops[0]);
		there[i] = relay_destination(out[i], "app", "app");
	}
	ck_assert_int_eq(envelope_scan_object(&env, text, sizeof(text) - 1, 8), 0);
	n_served = n_cancels = 0;
	finishes_at_once = false;
}

/* Posts of all loops, and what they lead to. */
static void
pump(void)
{
	size_t n;

	do {
		n = 0;
		for (unsigned i = 0; i < N_LOOPS; i++)
			n += loop_run_posts(loops[i]);
	} while (n > 0);
}

static void
teardown(void)
{
	pump();
	for (unsigned i = 0; i < N_LOOPS; i++) {
		ck_assert_uint_eq(all[i].n_open, 0);
		ck_assert(LIST_EMPTY(&all[i].open));
		loop_free(loops[i]);
		journal_free(all[i].journal);
	}
	for (unsigned i = 1; i < N_LOOPS; i++)
		relay_out_free(out[i]);
	relay_in_free(in);
	for (unsigned i = 0; i < N_LOOPS; i++) {
		token_cache_free(tokens[i]);
		jwt_ring_free(rings[i]);
	}
}

static struct request *
new_request(unsigned number, struct ask *a)
{
	*a = (struct ask){ 0 };
	return request_new(&all[number], &origin, a, &env, "");
}

static struct request *
submitted(unsigned number, struct ask *a)
{
	struct request *r = new_request(number, a);

	request_submit(r, there[number], 60000);
	return r;
}

static void
assert_ended(const struct ask *a, enum err err)
{
	ck_assert_uint_eq(a->n_finals, 1);
	ck_assert_int_eq(a->err, err);
	ck_assert_int_eq(a->is_error, err != 0);
}

/* ---- there and back ---- */

START_TEST(what_serves_it_sees_the_request_as_it_is)
{
	struct ask a;
	struct request *r = new_request(1, &a), *s;

	r->hops = 3;
	r->has_run = true;
	r->is_idempotent = true;
	r->application = strdup("other");
	snprintf(r->client_address, sizeof(r->client_address), "192.0.2.7");
	snprintf(r->client_socket, sizeof(r->client_socket), "a socket");
	ck_assert_ptr_eq(relay_served(r), r);
	request_submit(r, there[1], 5000);
	ck_assert_uint_eq(n_served, 0);
	ck_assert_ptr_eq(relay_served(r), r);
	pump();
	ck_assert_uint_eq(n_served, 1);
	s = served[0];
	ck_assert_ptr_eq(relay_served(r), s);
	ck_assert_ptr_ne(s, r);
	ck_assert_ptr_ne(s->text, r->text);
	ck_assert_uint_eq(s->env.len, r->env.len);
	ck_assert_mem_eq(s->env.text, r->env.text, r->env.len);
	ck_assert_str_eq(s->type, "login");
	ck_assert_str_eq(s->name, r->name);
	ck_assert_str_eq(s->trace, r->trace);
	ck_assert_uint_eq(s->hops, 3);
	ck_assert(s->has_run && s->is_idempotent && !s->is_rest && s->is_relayed);
	ck_assert_str_eq(s->application, "other");
	ck_assert_str_eq(s->client_address, "192.0.2.7");
	ck_assert_str_eq(s->client_socket, "a socket");
	ck_assert_uint_eq(s->begun_ms, r->begun_ms);
	ck_assert_uint_le(request_left_ms(s), 5000);
	ck_assert_ptr_null(s->token);
	finish(s);
	pump();
	assert_ended(&a, ERR_NONE);
}
END_TEST

START_TEST(replies_come_in_order_with_what_they_carry)
{
	struct ask a;

	submitted(1, &a);
	pump();
	answer(served[0], "{\"type\":\"login\",\"message\":{\"n\":1}}", false, NULL);
	pump();
	ck_assert_uint_eq(a.n_replies, 1);
	ck_assert_str_eq(a.text, "{\"n\":1}");
	answer(served[0], "{\"type\":\"other\",\"message\":{\"n\":2}}", false, "t2");
	answer(served[0], "{\"type\":\"login\",\"finished\":true,\"message\":{\"n\":3}}", true, "t3");
	ck_assert_uint_eq(a.n_replies, 1);
	ck_assert_uint_eq(loop_run_posts(loops[1]), 2);
	ck_assert_uint_eq(a.n_replies, 2);
	assert_ended(&a, ERR_NONE);
	ck_assert_str_eq(a.text, "{\"n\":3}");
	ck_assert_str_eq(a.token, "t3");
}
END_TEST

START_TEST(who_served_it_and_when_is_known_where_it_began)
{
	struct ask a;

	submitted(1, &a);
	pump();
	snprintf(server_name, sizeof(server_name), "%s", "worker 7");
	served[0]->server = server_name;
	served[0]->queued_ms = 12;
	served[0]->unqueued_ms = 34;
	finish(served[0]);
	server_name[0] = '\0';
	pump();
	ck_assert_str_eq(a.server, "worker 7");
	ck_assert_uint_eq(a.queued_ms, 12);
	ck_assert_uint_eq(a.unqueued_ms, 34);
}
END_TEST

START_TEST(it_may_be_served_at_once_or_fail)
{
	struct ask a, b;

	finishes_at_once = true;
	submitted(1, &a);
	pump();
	assert_ended(&a, ERR_NONE);
	finishes_at_once = false;
	submitted(1, &b);
	pump();
	request_fail(served[1], ERR_WORKER_LOST, "it is \"gone\"");
	pump();
	assert_ended(&b, ERR_WORKER_LOST);
	ck_assert_ptr_nonnull(strstr(b.text, "{\"error\":\"it is \\\"gone\\\"\""));
}
END_TEST

START_TEST(requests_of_one_number_are_told_apart_by_their_loops)
{
	struct ask a, b;
	struct request *r = submitted(1, &a), *s = submitted(2, &b);

	ck_assert_uint_eq(r->id, s->id);
	pump();
	ck_assert_uint_eq(n_served, 2);
	ck_assert_ptr_ne(relay_served(r), relay_served(s));
	answer(served[1], "{\"type\":\"login\",\"message\":{\"n\":2}}", false, NULL);
	pump();
	ck_assert_uint_eq(a.n_replies, 0);
	ck_assert_uint_eq(b.n_replies, 1);
	request_cancel(r);
	pump();
	ck_assert_uint_eq(n_cancels, 1);
	ck_assert_uint_eq(b.n_finals, 0);
	finish(served[1]);
	pump();
	assert_ended(&a, ERR_CANCELLED);
	assert_ended(&b, ERR_NONE);
}
END_TEST

START_TEST(what_is_served_for_others_counts_where_it_began)
{
	struct ask a;

	submitted(1, &a);
	pump();
	ck_assert_uint_eq(all[0].n_open + all[0].n_awaited, 0);
	ck_assert_uint_eq(all[1].n_open, 1);
	finish(served[0]);
	pump();
	ck_assert_uint_eq(loop_metrics(loops[0])->value[METRIC_REQUESTS], 0);
	ck_assert_uint_eq(loop_metrics(loops[0])->value[METRIC_REPLIES], 0);
	ck_assert_uint_eq(loop_metrics(loops[1])->value[METRIC_REQUESTS], 1);
	ck_assert_uint_eq(loop_metrics(loops[1])->value[METRIC_REPLIES], 1);
}
END_TEST

/* ---- tokens ---- */

/* A reference to one that is good for a day. */
static struct token *
good_token(unsigned number)
{
	struct buf payload = { 0 }, text = { 0 };
	struct token *t;

	buf_printf(&payload, "{\"exp\":%lld,\"application\":\"app\"}",
	    (long long)(clock_wall_ms() / 1000 + 86400));
	jwt_sign(rings[number], 0, payload.data, payload.len, &text);
	ck_assert_int_eq(token_check(tokens[number], text.data, text.len, clock_wall_ms(), &t),
	    JWT_OK);
	buf_free(&payload);
	buf_free(&text);
	return t;
}

START_TEST(its_token_is_one_of_the_loop_that_serves)
{
	struct ask a;
	struct request *r = new_request(1, &a);

	r->token = good_token(1);
	r->is_rest = _i == 1;
	request_submit(r, there[1], 60000);
	pump();
	ck_assert_uint_eq(n_served, 1);
	ck_assert_ptr_nonnull(served[0]->token);
	ck_assert_ptr_ne(served[0]->token, r->token);
	ck_assert_str_eq(served[0]->token->text, r->token->text);
	ck_assert_uint_eq(token_cache_count(tokens[0]), _i == 1 ? 0 : 1);
	finish(served[0]);
	pump();
	assert_ended(&a, ERR_NONE);
}
END_TEST

/* What is revoked is so by the time of that one. */
START_TEST(a_session_for_an_outside_token_is_as_old_as_that)
{
	struct ask a;
	struct request *r = new_request(1, &a);

	r->token = good_token(1);
	r->token->is_outside = true;
	r->token->iat_s = 4711;
	request_submit(r, there[1], 60000);
	pump();
	ck_assert(served[0]->token->is_outside);
	ck_assert_int_eq(served[0]->token->iat_s, 4711);
	ck_assert_uint_eq(token_cache_count(tokens[0]), 0);
	finish(served[0]);
	pump();
	assert_ended(&a, ERR_NONE);
}
END_TEST

/* It was good when the request began. */
START_TEST(a_token_that_has_expired_on_the_way_is_refused)
{
	struct ask a;
	struct request *r = new_request(1, &a);

	ck_assert_int_eq(token_check(tokens[1], vector_login, strlen(vector_login), NOW_MS,
	    &r->token), JWT_OK);
	request_submit(r, there[1], 60000);
	pump();
	ck_assert_uint_eq(n_served, 0);
	assert_ended(&a, ERR_TOKEN_EXPIRED);
}
END_TEST

START_TEST(one_whose_secret_has_gone_on_the_way_is_told_so)
{
	static const struct jwt_secret other = { "2",
		(const unsigned char *)"another secret, that is long enough", 35 };
	struct ask a;
	struct request *r = new_request(1, &a);

	ck_assert_int_eq(token_check(tokens[1], vector_login, strlen(vector_login), NOW_MS,
	    &r->token), JWT_OK);
	request_submit(r, there[1], 60000);
	token_cache_set_secrets(tokens[0], &other, 1);
	pump();
	ck_assert_uint_eq(n_served, 0);
	assert_ended(&a, jwt_fault_err(JWT_SIGNATURE));
	ck_assert_ptr_nonnull(strstr(a.text, jwt_fault_text(JWT_SIGNATURE)));
}
END_TEST

/* ---- cancellation at each point ---- */

START_TEST(one_that_is_cancelled_on_its_way_there_is_taken_back)
{
	struct ask a;
	struct request *r = submitted(1, &a);

	request_cancel(r);
	assert_ended(&a, ERR_CANCELLED);
	pump();
	ck_assert_uint_eq(n_served, 1);
	ck_assert_uint_eq(n_cancels, 1);
	ck_assert_int_eq(cancel_why, ERR_CANCELLED);
}
END_TEST

START_TEST(one_that_is_served_is_cancelled_there)
{
	struct ask a;
	struct request *r = submitted(1, &a);

	pump();
	answer(served[0], "{\"type\":\"login\",\"message\":{\"n\":1}}", false, NULL);
	if (_i == 1)
		pump();
	request_cancel(r);
	assert_ended(&a, ERR_CANCELLED);
	ck_assert_uint_eq(n_cancels, 0);
	pump();
	ck_assert_uint_eq(n_cancels, 1);
	ck_assert_int_eq(cancel_why, ERR_CANCELLED);
	ck_assert_uint_eq(a.n_replies, (unsigned)_i);
}
END_TEST

/* The final is on its way back, and so is what crosses it. */
START_TEST(an_answer_that_is_late_is_for_nobody)
{
	struct ask a;
	struct request *r = submitted(1, &a);

	pump();
	answer(served[0], "{\"type\":\"login\",\"message\":{\"n\":1}}", false, NULL);
	finish(served[0]);
	request_cancel(r);
	pump();
	assert_ended(&a, ERR_CANCELLED);
	ck_assert_uint_eq(a.n_replies, 0);
	ck_assert_uint_eq(n_cancels, 0);
}
END_TEST

START_TEST(a_late_answer_is_not_for_the_next_request)
{
	struct ask a, b;
	struct request *r = submitted(1, &a);

	pump();
	finish(served[0]);
	request_cancel(r);
	submitted(1, &b);
	ck_assert_uint_eq(loop_run_posts(loops[1]), 1);
	ck_assert_uint_eq(b.n_finals, 0);
	pump();
	ck_assert_uint_eq(n_cancels, 0);
	finish(served[1]);
	pump();
	assert_ended(&b, ERR_NONE);
}
END_TEST

static bool
is_over(void *arg)
{
	return ((struct ask *)arg)->n_finals > 0;
}

static bool
is_over_there(void *arg)
{
	(void)arg;
	return LIST_EMPTY(&all[0].open);
}

START_TEST(its_deadline_ends_it_on_both_loops)
{
	struct ask a;
	struct request *r = new_request(1, &a);
	uint64_t begun_ms = clock_mono_ms();

	request_submit(r, there[1], 30);
	loop_run_posts(loops[0]);
	ck_assert_uint_eq(n_served, 1);
	/* Whichever of the two is first. */
	loop_run_until(_i == 0 ? loops[1] : loops[0], _i == 0 ? is_over : is_over_there, &a);
	ck_assert_uint_ge(clock_mono_ms() - begun_ms, 30);
	pump();
	assert_ended(&a, ERR_TIMEOUT);
	ck_assert_uint_eq(n_cancels, 1);
	ck_assert_int_eq(cancel_why, ERR_TIMEOUT);
	ck_assert_uint_eq(loop_metrics(loops[0])->value[METRIC_TIMEOUTS], 0);
	ck_assert_uint_eq(loop_metrics(loops[1])->value[METRIC_TIMEOUTS], 1);
}
END_TEST

START_TEST(one_whose_origin_has_left_goes_on)
{
	struct ask a;
	struct request *r = submitted(1, &a);

	request_leave(r);
	pump();
	answer(served[0], "{\"type\":\"login\",\"message\":{\"n\":1}}", false, NULL);
	finish(served[0]);
	pump();
	ck_assert_uint_eq(a.n_replies + a.n_finals, 0);
}
END_TEST

/* ---- loops that do not keep up ---- */

START_TEST(what_finds_no_room_on_its_way_there_is_overloaded)
{
	struct ask a[100], late;
	unsigned n = 0;

	loop_set_post_bytes_max(loops[0], 20000);
	do
		submitted(1, &a[n++]);
	while (a[n - 1].n_finals == 0 && n < ARRAY_LEN(a));
	ck_assert_uint_ge(n, 3);
	ck_assert_uint_lt(n, ARRAY_LEN(a));
	assert_ended(&a[n - 1], ERR_OVERLOADED);
	ck_assert_ptr_nonnull(strstr(a[n - 1].text, "limits.between_loops"));
	ck_assert_ptr_nonnull(strstr(a[n - 1].text, "\"ran\":\"no\""));
	/* The others are served, and there is room again. */
	finishes_at_once = true;
	pump();
	ck_assert_uint_eq(n_served, n - 1);
	for (unsigned i = 0; i < n - 1; i++)
		assert_ended(&a[i], ERR_NONE);
	submitted(1, &late);
	pump();
	assert_ended(&late, ERR_NONE);
}
END_TEST

/* limits.in_flight does not see them any more; what waits there is bounded nevertheless. */
START_TEST(those_that_are_cancelled_on_their_way_take_room)
{
	struct ask a = { 0 };
	struct request *r;
	unsigned n = 0;

	loop_set_post_bytes_max(loops[0], 20000);
	for (; n < 100 && a.err != ERR_OVERLOADED; n++) {
		r = submitted(1, &a);
		if (a.n_finals == 0)
			request_cancel(r);
	}
	ck_assert_uint_ge(n, 3);
	assert_ended(&a, ERR_OVERLOADED);
	pump();
	ck_assert_uint_eq(n_served, n - 1);
	ck_assert_uint_eq(n_cancels, n - 1);
}
END_TEST

static void
send_until_given_up(const struct ask *a)
{
	loop_set_post_bytes_max(loops[1], 20000);
	for (int i = 0; i < 100; i++)
		answer(served[0], "{\"type\":\"login\",\"message\":{\"n\":1}}", false, NULL);
	ck_assert_uint_eq(a->n_replies, 0);
	ck_assert_uint_eq(n_cancels, 0);	/* not from within a reply */
}

/* What came before is passed on; then it ends, there and here. */
START_TEST(one_whose_replies_find_no_room_on_their_way_back_ends)
{
	struct ask a;

	submitted(1, &a);
	pump();
	send_until_given_up(&a);
	pump();
	ck_assert_uint_ge(a.n_replies, 2);
	ck_assert_uint_lt(a.n_replies, 100);
	assert_ended(&a, ERR_OVERLOADED);
	ck_assert_ptr_nonnull(strstr(a.text, "\"ran\":\"maybe\""));
	ck_assert_uint_eq(n_cancels, 1);
	ck_assert_int_eq(cancel_why, ERR_OVERLOADED);
}
END_TEST

/* Without all that was to come before it, it would be misleading. */
START_TEST(its_final_does_not_follow_what_was_dropped)
{
	struct ask a;

	submitted(1, &a);
	pump();
	send_until_given_up(&a);
	finish(served[0]);
	pump();
	assert_ended(&a, ERR_OVERLOADED);
	ck_assert_uint_eq(n_cancels, 0);
}
END_TEST

START_TEST(it_may_be_cancelled_as_it_is_given_up)
{
	struct ask a;
	struct request *r = submitted(1, &a);

	pump();
	send_until_given_up(&a);
	request_cancel(r);
	pump();
	assert_ended(&a, ERR_CANCELLED);
	ck_assert_uint_eq(n_cancels, 1);
}
END_TEST

START_TEST(finals_need_no_room)
{
	struct ask a[5];

	for (unsigned i = 0; i < ARRAY_LEN(a); i++)
		submitted(1, &a[i]);
	pump();
	loop_set_post_bytes_max(loops[1], 1000);
	for (unsigned i = 0; i < ARRAY_LEN(a); i++)
		finish(served[i]);
	pump();
	for (unsigned i = 0; i < ARRAY_LEN(a); i++)
		assert_ended(&a[i], ERR_NONE);
}
END_TEST

/* ---- stopping ---- */

START_TEST(a_loop_that_stops_ends_what_is_under_way)
{
	struct ask a, b, c, d;

	submitted(1, &a);
	pump();
	submitted(1, &b);
	submitted(2, &d);
	finish(served[0]);
	relay_out_stop(out[1], ERR_STOPPING);
	assert_ended(&a, ERR_STOPPING);
	assert_ended(&b, ERR_STOPPING);
	submitted(1, &c);
	assert_ended(&c, ERR_STOPPING);
	/* What serves the second still does; its answer is for nobody.  The other loop goes on. */
	pump();
	ck_assert_uint_eq(n_served, 3);
	finish(served[1]);
	finish(served[2]);
	pump();
	assert_ended(&d, ERR_NONE);
}
END_TEST

static struct request *partner[2];	/* one that ends cancels the other */

static void
on_final_of_two(struct request *r, const struct reply *reply, void *arg)
{
	struct request *other = partner[r == partner[0]];

	partner[0] = partner[1] = NULL;
	if (other != NULL)
		request_cancel(other);
	on_final(r, reply, arg);
}

START_TEST(what_ends_as_a_loop_stops_may_end_the_rest)
{
	static const struct origin_ops two = { .on_reply = on_reply, .on_final = on_final_of_two };
	struct ask a[2] = { { 0 } };

	for (int i = 0; i < 2; i++)
		partner[i] = request_new(&all[1], &two, &a[i], &env, "");
	request_submit(partner[0], there[1], 60000);
	request_submit(partner[1], there[1], 60000);
	relay_out_stop(out[1], ERR_STOPPING);
	ck_assert_uint_eq(a[0].n_finals, 1);
	ck_assert_uint_eq(a[1].n_finals, 1);
	ck_assert_int_eq(a[0].err == ERR_STOPPING, a[1].err == ERR_CANCELLED);
	pump();
	finish(served[a[0].err == ERR_STOPPING ? 0 : 1]);	/* for nobody */
}
END_TEST

START_TEST(a_loop_that_serves_nothing_more_refuses)
{
	struct ask a, b;

	submitted(1, &a);
	pump();
	submitted(1, &b);
	relay_in_stop(in);
	pump();
	ck_assert_uint_eq(n_served, 1);
	assert_ended(&b, ERR_STOPPING);
	finish(served[0]);
	pump();
	assert_ended(&a, ERR_NONE);
}
END_TEST

START_TEST(one_for_what_is_gone_is_refused)
{
	struct ask a;
	struct request *r = new_request(1, &a);

	request_submit(r, relay_destination(out[1], "gone", "app"), 60000);
	pump();
	ck_assert_uint_eq(n_served, 0);
	ck_assert_uint_eq(a.n_finals, 1);
	ck_assert(a.is_error);
}
END_TEST

START_TEST(a_destination_is_one_for_each_name_and_application)
{
	struct destination *d = relay_destination(out[1], "app", "app");

	ck_assert_ptr_eq(d, there[1]);
	ck_assert_ptr_ne(relay_destination(out[1], "app", "b"), d);
	ck_assert_ptr_ne(relay_destination(out[1], "b", "app"), d);
	ck_assert_ptr_ne(relay_destination(out[2], "app", "app"), d);
	ck_assert_str_eq(d->name, "app");
	ck_assert_str_eq(relay_destination(out[1], "app", "b")->application, "b");
}
END_TEST

/* ---- threads ---- */

#define N_ASKS 400	/* of each loop; a third is cancelled at some time */

static struct {
	struct ask ask[N_ASKS];
	struct request *open[N_ASKS];	/* that will be cancelled, if it is still there */
	struct timer timer;
	unsigned next, n_over;
} asker[N_LOOPS];

static atomic_uint n_done;
static struct request *waiting[N_LOOPS * N_ASKS];
static unsigned n_waiting;

static void
on_one_over(struct request *r, const struct reply *reply, void *arg)
{
	struct ask *a = arg;
	unsigned number = r->all == &all[1] ? 1 : 2;

	ck_assert_ptr_eq(r->all, &all[number]);
	on_final(r, reply, arg);
	asker[number].open[a - asker[number].ask] = NULL;
	if (++asker[number].n_over == N_ASKS)
		n_done++;
}

static const struct origin_ops busy_origin = { .on_reply = on_reply, .on_final = on_one_over };

/* Asks in every turn, and cancels one that it asked some turns ago. */
static void
ask_one(void *arg)
{
	unsigned number = (unsigned)(uintptr_t)arg, i = asker[number].next++;
	struct request *r;

	if (i < N_ASKS) {
		r = request_new(&all[number], &busy_origin, &asker[number].ask[i], &env, "");
		if (i % 5 == 0)
			r->token = good_token(number);
		asker[number].open[i] = r;
		request_submit(r, there[number], 60000);
	}
	if (i % 3 == 0 && i / 3 < N_ASKS && (r = asker[number].open[i - i % 7]) != NULL)
		request_cancel(r);
	if (i < N_ASKS)
		loop_timer_set(loops[number], &asker[number].timer, 0, ask_one, arg);
}

static void
busy_submit(struct destination *d, struct request *r)
{
	ck_assert_ptr_eq(r->destination, d);
	if (r->id % 4 == 0)
		answer(r, "{\"type\":\"login\",\"message\":{\"n\":1}}", false, NULL);
	if (r->id % 2 == 0)
		finish(r);
	else
		waiting[n_waiting++] = r;
}

static void
busy_cancel(struct destination *d, struct request *r, enum err why)
{
	(void)why;
	ck_assert_ptr_eq(r->destination, d);
	for (unsigned i = 0; i < n_waiting; i++)
		if (waiting[i] == r)
			waiting[i] = NULL;
}

static const struct destination_ops busy_ops = { .submit = busy_submit, .cancel = busy_cancel };

/* Those that wait are served every millisecond. */
static bool
all_are_over(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < n_waiting; i++)
		if (waiting[i] != NULL)
			finish(waiting[i]);
	n_waiting = 0;
	return n_done == N_LOOPS - 1;
}

static void *
run(void *arg)
{
	loop_run(arg);
	return NULL;
}

static void
stop(void *arg)
{
	loop_stop(arg);
}

START_TEST(loops_in_threads_of_their_own_get_one_end_for_each)
{
	pthread_t thread[N_LOOPS];

	memset(asker, 0, sizeof(asker));
	n_done = n_waiting = 0;
	app.ops = &busy_ops;
	for (unsigned i = 1; i < N_LOOPS; i++) {
		loop_post(loops[i], ask_one, (void *)(uintptr_t)i);
		ck_assert_int_eq(pthread_create(&thread[i], NULL, run, loops[i]), 0);
	}
	loop_run_until(loops[0], all_are_over, NULL);
	for (unsigned i = 1; i < N_LOOPS; i++) {
		loop_post(loops[i], stop, loops[i]);
		pthread_join(thread[i], NULL);
		for (unsigned k = 0; k < N_ASKS; k++)
			ck_assert_uint_eq(asker[i].ask[k].n_finals, 1);
	}
	/* Late words about some that are over. */
	pump();
	all_are_over(NULL);
	app.ops = &ops;
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("relay");
	TCase *tc = tcase_create("relay");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, what_serves_it_sees_the_request_as_it_is);
	tcase_add_test(tc, replies_come_in_order_with_what_they_carry);
	tcase_add_test(tc, who_served_it_and_when_is_known_where_it_began);
	tcase_add_test(tc, it_may_be_served_at_once_or_fail);
	tcase_add_test(tc, requests_of_one_number_are_told_apart_by_their_loops);
	tcase_add_test(tc, what_is_served_for_others_counts_where_it_began);
	tcase_add_loop_test(tc, its_token_is_one_of_the_loop_that_serves, 0, 2);
	tcase_add_test(tc, a_session_for_an_outside_token_is_as_old_as_that);
	tcase_add_test(tc, a_token_that_has_expired_on_the_way_is_refused);
	tcase_add_test(tc, one_whose_secret_has_gone_on_the_way_is_told_so);
	tcase_add_test(tc, one_that_is_cancelled_on_its_way_there_is_taken_back);
	tcase_add_loop_test(tc, one_that_is_served_is_cancelled_there, 0, 2);
	tcase_add_test(tc, an_answer_that_is_late_is_for_nobody);
	tcase_add_test(tc, a_late_answer_is_not_for_the_next_request);
	tcase_add_loop_test(tc, its_deadline_ends_it_on_both_loops, 0, 2);
	tcase_add_test(tc, one_whose_origin_has_left_goes_on);
	tcase_add_test(tc, what_finds_no_room_on_its_way_there_is_overloaded);
	tcase_add_test(tc, those_that_are_cancelled_on_their_way_take_room);
	tcase_add_test(tc, one_whose_replies_find_no_room_on_their_way_back_ends);
	tcase_add_test(tc, its_final_does_not_follow_what_was_dropped);
	tcase_add_test(tc, it_may_be_cancelled_as_it_is_given_up);
	tcase_add_test(tc, finals_need_no_room);
	tcase_add_test(tc, a_loop_that_stops_ends_what_is_under_way);
	tcase_add_test(tc, what_ends_as_a_loop_stops_may_end_the_rest);
	tcase_add_test(tc, a_loop_that_serves_nothing_more_refuses);
	tcase_add_test(tc, one_for_what_is_gone_is_refused);
	tcase_add_test(tc, a_destination_is_one_for_each_name_and_application);
	tcase_add_test(tc, loops_in_threads_of_their_own_get_one_end_for_each);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
