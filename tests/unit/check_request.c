/* SPDX-License-Identifier: ISC */
/*
 * request: whatever happens, an origin hears of exactly one end.
 *
 * Origin and destination are fakes that write down what they are told; the loop is
 * real, for the deadlines.
 */
#include "request/request.h"
#include "token/token.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "loop_unit.h"

#define PARENT_TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT	     "00-" PARENT_TRACE "-00f067aa0ba902b7-01"

static struct loop *loop;
static struct requests all;
static struct envelope env;
static unsigned n_finals, n_replies, n_submits, n_cancels, n_idle;
static enum err final_err, cancel_why;
static bool final_is_error;
static char final_text[1024];
static char trace_name[REQUEST_ID_LEN + 1];
static int origin_arg;

/* ---- fakes ---- */

static void
on_reply(struct request *r, const struct reply *reply, void *arg)
{
	ck_assert_ptr_eq(arg, &origin_arg);
	ck_assert_ptr_nonnull(r->text);
	ck_assert(!reply->is_final);
	n_replies++;
}

static void
on_final(struct request *r, const struct reply *reply, void *arg)
{
	ck_assert_ptr_eq(arg, &origin_arg);
	ck_assert(reply->is_final);
	n_finals++;
	final_err = reply->err;
	final_is_error = reply->is_error;
	snprintf(trace_name, sizeof(trace_name), "%s", r->name);
	if (reply->text != NULL)
		snprintf(final_text, sizeof(final_text), "%.*s",
		    (int)(reply->message.end - reply->message.start),
		    reply->text + reply->message.start);
}

static const struct origin_ops origin = { .on_reply = on_reply, .on_final = on_final };

/* What the destination does with what is submitted. */
static enum { HOLD, FINISH, REPLY_AND_FINISH, FAIL } on_submit;

static void
finish(struct request *r)
{
	struct reply final = { .is_final = true };

	request_finish(r, &final);
}

static void
submit(struct destination *d, struct request *r)
{
	ck_assert_ptr_eq(r->destination, d);
	n_submits++;
	switch (on_submit) {
	case HOLD:
		break;
	case REPLY_AND_FINISH:
		request_reply(r, &(struct reply){ .is_final = false });
		request_reply(r, &(struct reply){ .is_final = false });
		/* FALLTHROUGH */
	case FINISH:
		finish(r);
		break;
	case FAIL:
		request_fail(r, ERR_LINK_DOWN, NULL);
		break;
	}
}

static void
cancel(struct destination *d, struct request *r, enum err why)
{
	ck_assert_ptr_eq(r->destination, d);
	ck_assert_uint_eq(n_finals, 0);
	n_cancels++;
	cancel_why = why;
}

static const struct destination_ops ops = { .submit = submit, .cancel = cancel };
static struct destination destination = { .ops = &ops, .name = "fake", .application = "app" };

static void
on_idle(void *arg)
{
	ck_assert_ptr_eq(arg, &n_idle);
	n_idle++;
}

static void
setup(void)
{
	static const char text[] = "{\"type\":\"lo\\u0067in\",\"token\":\"x\"}";

	loop = loop_new();
	all = (struct requests){ .loop = loop, .node = "node \"1\"", .slow_ms = UINT64_MAX,
		.on_idle = on_idle, .on_idle_arg = &n_idle };
	ck_assert_int_eq(envelope_scan_object(&env, text, sizeof(text) - 1, 8), 0);
	n_finals = n_replies = n_submits = n_cancels = n_idle = 0;
	final_text[0] = '\0';
	on_submit = HOLD;
}

static void
teardown(void)
{
	loop_free(loop);
}

static struct request *
new_request(void)
{
	return request_new(&all, &origin, &origin_arg, &env, "");
}

static bool
is_over(void *arg)
{
	(void)arg;
	return n_finals > 0;
}

static void
assert_one_end(enum err err)
{
	ck_assert_uint_eq(n_finals, 1);
	ck_assert_int_eq(final_err, err);
	ck_assert_uint_eq(all.n_open, 0);
	ck_assert_uint_eq(n_idle, 1);
}

/* ---- its beginning ---- */

/* What doc/performance.md says of memory: many are in flight at the same time. */
START_TEST(a_request_and_a_token_stay_small)
{
	ck_assert_uint_le(REQUEST_BYTES, 1024);
	ck_assert_uint_le(sizeof(struct token), 1024);
}
END_TEST

START_TEST(keeps_a_copy_of_the_event)
{
	char text[] = "{\"type\":\"a\\u0000b\",\"x\":0.10}";
	struct request *r;

	ck_assert_int_eq(envelope_scan_object(&env, text, strlen(text), 8), 0);
	r = new_request();
	memset(text, 'x', strlen(text));
	ck_assert_str_eq(r->env.text, "{\"type\":\"a\\u0000b\",\"x\":0.10}");
	ck_assert_uint_eq(r->type_len, 3);
	ck_assert_mem_eq(r->type, "a\0b", 4);
	finish(r);
}
END_TEST

START_TEST(types_are_unescaped_and_numbers_go_up)
{
	struct request *a = new_request(), *b = new_request();

	ck_assert_str_eq(a->type, "login");
	ck_assert_uint_gt(b->id, a->id);
	ck_assert_uint_eq(all.n_open, 2);
	finish(a);
	ck_assert_uint_eq(n_idle, 0);
	finish(b);
	ck_assert_uint_eq(n_idle, 1);
}
END_TEST

START_TEST(a_traceparent_is_kept_with_a_span_of_our_own)
{
	static const char parent[] = PARENT;
	struct request *r = request_new(&all, &origin, &origin_arg, &env, parent);

	ck_assert_str_eq(r->name, PARENT_TRACE);
	ck_assert_uint_eq(strlen(r->trace), strlen(parent));
	ck_assert_mem_eq(r->trace, parent, 36);
	ck_assert_mem_ne(r->trace + 36, parent + 36, 16);
	finish(r);
}
END_TEST

static const char *const no_traces[] = {
	"",
	"00-" PARENT_TRACE "-00f067aa0ba902b7",
	"00-" PARENT_TRACE "-00f067aa0ba902b7-01-",
	"01-" PARENT_TRACE "-00f067aa0ba902b7-01",
	"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
	"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
	"00-" PARENT_TRACE "-00f067aa0ba902bx-01",
	"00-" PARENT_TRACE "-00f067aa0ba902b7-0g",
	"00_" PARENT_TRACE "-00f067aa0ba902b7-01",
};

START_TEST(without_a_traceparent_a_trace_begins)
{
	struct request *a = request_new(&all, &origin, &origin_arg, &env, no_traces[_i]);
	struct request *b = request_new(&all, &origin, &origin_arg, &env, no_traces[_i]);

	ck_assert_uint_eq(strlen(a->name), REQUEST_ID_LEN);
	ck_assert_uint_eq(strspn(a->name, "0123456789abcdef"), REQUEST_ID_LEN);
	ck_assert_str_ne(a->name, b->name);
	ck_assert_str_ne(a->name, PARENT_TRACE);
	ck_assert_mem_eq(a->trace, "00-", 3);
	ck_assert_mem_eq(a->trace + 3, a->name, REQUEST_ID_LEN);
	ck_assert_uint_eq(strlen(a->trace), strlen(PARENT));
	finish(a);
	finish(b);
}
END_TEST

/* ---- its end ---- */

START_TEST(ends_by_its_final)
{
	struct request *r = new_request();

	request_submit(r, &destination, 10000);
	ck_assert_uint_eq(n_submits, 1);
	ck_assert_uint_eq(n_finals, 0);
	finish(r);
	assert_one_end(ERR_NONE);
	ck_assert_uint_eq(n_cancels, 0);
	ck_assert(!final_is_error);
}
END_TEST

START_TEST(may_end_before_its_submission_returns)
{
	on_submit = REPLY_AND_FINISH;
	request_submit(new_request(), &destination, 10000);
	assert_one_end(ERR_NONE);
	ck_assert_uint_eq(n_replies, 2);
	/* Nothing of it is left in the loop's timers. */
	loop_run_turns(loop, 3);
	ck_assert_uint_eq(n_cancels, 0);
}
END_TEST

START_TEST(ends_by_a_failure_of_its_destination)
{
	on_submit = FAIL;
	request_submit(new_request(), &destination, 10000);
	assert_one_end(ERR_LINK_DOWN);
	ck_assert(final_is_error);
}
END_TEST

START_TEST(may_fail_before_it_was_submitted)
{
	request_fail(new_request(), ERR_NO_TOKEN, NULL);
	assert_one_end(ERR_NO_TOKEN);
	ck_assert_uint_eq(n_submits + n_cancels, 0);
}
END_TEST

START_TEST(ends_by_its_deadline_after_its_destination_was_told)
{
	uint64_t begun_ms = clock_mono_ms();

	request_submit(new_request(), &destination, 30);
	loop_run_until(loop, is_over, NULL);
	ck_assert_uint_ge(clock_mono_ms() - begun_ms, 30);
	assert_one_end(ERR_TIMEOUT);
	ck_assert_uint_eq(n_cancels, 1);
	ck_assert_int_eq(cancel_why, ERR_TIMEOUT);
}
END_TEST

START_TEST(a_deadline_that_has_passed_ends_it_in_the_next_turn)
{
	request_submit(new_request(), &destination, 0);
	ck_assert_uint_eq(n_finals, 0);
	loop_run_until(loop, is_over, NULL);
	assert_one_end(ERR_TIMEOUT);
}
END_TEST

START_TEST(a_limit_only_shortens)
{
	struct request *r = new_request();

	request_submit(r, &destination, 10000);
	request_limit(r, 60000);
	ck_assert_uint_le(request_left_ms(r), 10000);
	request_limit(r, UINT64_MAX);
	ck_assert_uint_le(request_left_ms(r), 10000);
	request_limit(r, 20);
	ck_assert_uint_le(request_left_ms(r), 20);
	request_limit(r, 5000);
	ck_assert_uint_le(request_left_ms(r), 20);
	loop_run_until(loop, is_over, NULL);
	assert_one_end(ERR_TIMEOUT);
}
END_TEST

START_TEST(without_a_deadline_it_waits)
{
	struct request *r = new_request();

	request_submit(r, &destination, UINT64_MAX);
	loop_run_turns(loop, 3);
	ck_assert_uint_eq(n_finals, 0);
	ck_assert_uint_gt(request_left_ms(r), UINT64_C(1) << 60);
	finish(r);
	assert_one_end(ERR_NONE);
}
END_TEST

START_TEST(ends_by_a_cancellation_after_its_destination_was_told)
{
	struct request *r = new_request();

	request_submit(r, &destination, 10000);
	request_cancel(r);
	assert_one_end(ERR_CANCELLED);
	ck_assert_uint_eq(n_cancels, 1);
	ck_assert_int_eq(cancel_why, ERR_CANCELLED);
	ck_assert(final_is_error);
	ck_assert_ptr_nonnull(strstr(final_text, "\"code\":\"cancelled\",\"status\":"
	    "{\"code\":499}"));
	/* Nothing of it is left in the loop's timers. */
	loop_run_turns(loop, 3);
	ck_assert_uint_eq(n_finals + n_cancels, 2);
}
END_TEST

START_TEST(may_be_cancelled_before_it_was_submitted)
{
	request_cancel(new_request());
	assert_one_end(ERR_CANCELLED);
	ck_assert_uint_eq(n_submits + n_cancels, 0);
}
END_TEST

/* Its browser is gone and does not come back: whoever serves it hears of it, nobody else. */
START_TEST(may_be_cancelled_when_its_origin_has_left)
{
	struct request *r = new_request();

	request_submit(r, &destination, 10000);
	request_leave(r);
	request_cancel(r);
	ck_assert_uint_eq(n_finals, 0);
	ck_assert_uint_eq(n_cancels, 1);
	ck_assert_int_eq(cancel_why, ERR_CANCELLED);
	ck_assert_uint_eq(all.n_open, 0);
	ck_assert_uint_eq(n_idle, 1);
}
END_TEST

START_TEST(nobody_hears_of_one_whose_origin_has_left)
{
	struct request *r = new_request();

	request_submit(r, &destination, 10000);
	request_leave(r);
	request_reply(r, &(struct reply){ .is_final = false });
	if (_i == 0)
		finish(r);
	else
		request_fail(r, ERR_LINK_LOST, NULL);
	ck_assert_uint_eq(n_finals + n_replies, 0);
	ck_assert_uint_eq(all.n_open, 0);
	ck_assert_uint_eq(n_idle, 1);
}
END_TEST

START_TEST(who_is_away_is_not_waited_for_but_told)
{
	struct request *r = new_request(), *other = new_request();

	request_submit(r, &destination, 10000);
	request_away(r);
	request_away(r);
	ck_assert_uint_eq(all.n_awaited, 1);
	if (_i == 0) {
		request_back(r);
		request_back(r);
		ck_assert_uint_eq(all.n_awaited, 2);
	} else if (_i == 1) {
		request_leave(r);
		ck_assert_uint_eq(all.n_awaited, 1);
	}
	request_reply(r, &(struct reply){ .is_final = false });
	finish(r);
	ck_assert_uint_eq(n_finals + n_replies, _i == 1 ? 0 : 2);
	ck_assert_uint_eq(all.n_awaited, 1);
	ck_assert_uint_eq(n_idle, 0);
	finish(other);
	ck_assert_uint_eq(n_idle, 1);
	ck_assert_uint_eq(all.n_open, 0);
}
END_TEST

/* A final of a handler that leads on; the deadline stays that of the request. */
START_TEST(goes_on_as_another_message)
{
	static const char text[] = "{\"type\":\"next\",\"a\":[1]}";
	struct request *r = new_request();
	struct envelope next;

	ck_assert_int_eq(envelope_scan_object(&next, text, sizeof(text) - 1, 8), 0);
	request_submit(r, &destination, 50);
	request_replace(r, &next, NULL);
	ck_assert_str_eq(r->type, "next");
	ck_assert_mem_eq(r->text, text, sizeof(text) - 1);
	ck_assert_ptr_null(r->destination);
	request_submit(r, &destination, 10000000);
	ck_assert_uint_le(request_left_ms(r), 50);
	ck_assert_uint_eq(n_submits, 2);
	loop_run_until(loop, is_over, NULL);
	assert_one_end(ERR_TIMEOUT);
}
END_TEST

START_TEST(ends_are_counted)
{
	const struct metrics *m = loop_metrics(loop);

	on_submit = FINISH;
	request_submit(new_request(), &destination, 10000);
	on_submit = FAIL;
	request_submit(new_request(), &destination, 10000);
	on_submit = HOLD;
	n_finals = 0;
	request_submit(new_request(), &destination, 1);
	loop_run_until(loop, is_over, NULL);
	ck_assert_uint_eq(m->value[METRIC_REQUESTS], 3);
	ck_assert_uint_eq(m->value[METRIC_REPLIES], 1);
	ck_assert_uint_eq(m->value[METRIC_REQUESTS_FAILED], 2);
	ck_assert_uint_eq(m->value[METRIC_TIMEOUTS], 1);
}
END_TEST

/* ---- what an error says; %s is the name of the request ---- */

static const struct {
	enum err err;
	const char *text, *message;
} messages[] = {
	{ ERR_NO_HANDLER, "no \"x\"", "{\"error\":\"no \\\"x\\\"\",\"code\":\"no_handler\","
	    "\"status\":{\"code\":404},\"by\":\"node \\\"1\\\"\",\"request\":\"%s\","
	    "\"ran\":\"no\"}" },
	{ ERR_NO_TOKEN, NULL, "{\"error\":\"Missing authorization header\",\"code\":\"no_token\","
	    "\"status\":{\"code\":401},\"disconnect\":true,\"by\":\"node \\\"1\\\"\","
	    "\"request\":\"%s\",\"ran\":\"no\"}" },
	{ ERR_TOKEN_EXPIRED, "gone", "{\"error\":\"gone\",\"code\":\"token_expired\","
	    "\"status\":{\"code\":401},\"disconnect\":true,\"by\":\"node \\\"1\\\"\","
	    "\"request\":\"%s\",\"ran\":\"no\"}" },
	{ ERR_OVERLOADED, NULL, "{\"error\":\"queue is full\",\"code\":\"overloaded\","
	    "\"status\":{\"code\":503},\"by\":\"node \\\"1\\\"\",\"request\":\"%s\","
	    "\"ran\":\"no\",\"retry_after_ms\":1000}" },
	{ ERR_HANDLER_ERROR, "\xff\n", "{\"error\":\"\xef\xbf\xbd\\u000a\","
	    "\"code\":\"handler_error\",\"status\":{\"code\":500},\"by\":\"node \\\"1\\\"\","
	    "\"request\":\"%s\",\"ran\":\"maybe\"}" },
};

START_TEST(an_error_has_its_published_form)
{
	char want[1024], *at = strstr(messages[_i].message, "%s");

	request_fail(new_request(), messages[_i].err, messages[_i].text);
	snprintf(want, sizeof(want), "%.*s%s%s", (int)(at - messages[_i].message),
	    messages[_i].message, trace_name, at + 2);
	ck_assert_str_eq(final_text, want);
}
END_TEST

/* Nobody may send it again in the belief that nothing has happened. */
START_TEST(where_a_handler_has_run_no_error_denies_it)
{
	struct request *r = new_request();

	r->has_run = true;
	request_fail(r, _i, NULL);
	assert_one_end(_i);
	ck_assert_ptr_null(strstr(final_text, "\"ran\":\"no\""));
	ck_assert_ptr_nonnull(strstr(final_text, "\"ran\":\""));
}
END_TEST

/* A status a handler chose is not the daemon's own 401: the client need not leave. */
START_TEST(a_failure_may_carry_another_status)
{
	request_fail_status(new_request(), ERR_HANDLER_ERROR, "no", 401);
	assert_one_end(ERR_HANDLER_ERROR);
	ck_assert_ptr_nonnull(strstr(final_text, "\"code\":\"handler_error\",\"status\":"
	    "{\"code\":401},\"by\":"));
}
END_TEST

START_TEST(every_error_makes_a_message_that_scans)
{
	request_fail(new_request(), (enum err)_i, NULL);
	assert_one_end((enum err)_i);
	ck_assert_mem_eq(final_text, "{\"error\":\"", 10);
}
END_TEST

START_TEST(a_missing_handler_is_named_as_by_stock)
{
	struct request *r = new_request();
	char *text = request_no_handler_text(r, "app");

	ck_assert_str_eq(text, "Handler not defined for app messages of type login");
	free(text);
	finish(r);
}
END_TEST

/* ---- waiting ---- */

START_TEST(a_queue_is_first_in_first_out)
{
	struct request *r[3];
	struct request_queue q;

	request_queue_init(&q, 10, UINT64_MAX);
	ck_assert_ptr_null(request_queue_first(&q));
	for (int i = 0; i < 3; i++) {
		r[i] = new_request();
		ck_assert(request_queue_add(&q, r[i]));
	}
	request_queue_remove(&q, r[1]);
	ck_assert_ptr_eq(request_queue_first(&q), r[0]);
	request_queue_remove(&q, r[0]);
	ck_assert_ptr_eq(request_queue_first(&q), r[2]);
	request_queue_remove(&q, r[2]);
	ck_assert_ptr_null(request_queue_first(&q));
	ck_assert_uint_eq(q.n, 0);
	ck_assert_uint_eq(q.bytes, 0);
	for (int i = 0; i < 3; i++)
		finish(r[i]);
}
END_TEST

/* Room for two, once by number and once by bytes. */
START_TEST(a_queue_refuses_what_is_above_its_limits)
{
	struct request *r[3];
	struct request_queue q;

	for (int i = 0; i < 3; i++)
		r[i] = new_request();
	if (_i == 0)
		request_queue_init(&q, 2, UINT64_MAX);
	else
		request_queue_init(&q, UINT64_MAX, 2 * env.len);
	ck_assert(request_queue_add(&q, r[0]));
	ck_assert(request_queue_add(&q, r[1]));
	ck_assert(!request_queue_add(&q, r[2]));
	request_queue_remove(&q, r[0]);
	ck_assert(request_queue_add(&q, r[2]));
	for (int i = 0; i < 3; i++)
		finish(r[i]);
}
END_TEST

/* It waited its turn already: it goes to the front, and no limit can turn it away. */
START_TEST(what_comes_back_is_the_first_again_whatever_the_limits)
{
	struct request *r[3];
	struct request_queue q;

	for (int i = 0; i < 3; i++)
		r[i] = new_request();
	if (_i == 0)
		request_queue_init(&q, 2, UINT64_MAX);
	else
		request_queue_init(&q, UINT64_MAX, 2 * env.len);
	ck_assert(request_queue_add(&q, r[0]));
	ck_assert(request_queue_add(&q, r[1]));
	request_queue_remove(&q, r[0]);
	ck_assert(request_queue_add(&q, r[2]));
	request_queue_return(&q, r[0]);
	ck_assert_uint_eq(q.n, 3);
	ck_assert_uint_eq(q.bytes, 3 * env.len);
	ck_assert(!request_queue_add(&q, r[0]));	/* full, with more than it may hold */
	for (int i = 0; i < 3; i++) {
		ck_assert_ptr_eq(request_queue_first(&q), r[i]);
		request_queue_remove(&q, r[i]);
		finish(r[i]);
	}
	ck_assert_uint_eq(q.n + q.bytes, 0);
}
END_TEST

static void
add_ends(TCase *tc)
{
	tcase_add_test(tc, a_request_and_a_token_stay_small);
	tcase_add_test(tc, ends_by_a_cancellation_after_its_destination_was_told);
	tcase_add_test(tc, may_be_cancelled_before_it_was_submitted);
	tcase_add_test(tc, may_be_cancelled_when_its_origin_has_left);
	tcase_add_test(tc, ends_by_its_final);
	tcase_add_test(tc, may_end_before_its_submission_returns);
	tcase_add_test(tc, ends_by_a_failure_of_its_destination);
	tcase_add_test(tc, may_fail_before_it_was_submitted);
	tcase_add_test(tc, ends_by_its_deadline_after_its_destination_was_told);
	tcase_add_test(tc, a_deadline_that_has_passed_ends_it_in_the_next_turn);
	tcase_add_test(tc, a_limit_only_shortens);
	tcase_add_test(tc, without_a_deadline_it_waits);
	tcase_add_loop_test(tc, nobody_hears_of_one_whose_origin_has_left, 0, 2);
	tcase_add_loop_test(tc, who_is_away_is_not_waited_for_but_told, 0, 3);
	tcase_add_test(tc, goes_on_as_another_message);
	tcase_add_test(tc, ends_are_counted);
}

static Suite *
make_suite(void)
{
	Suite *s = suite_create("request");
	TCase *tc = tcase_create("request");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, keeps_a_copy_of_the_event);
	tcase_add_test(tc, types_are_unescaped_and_numbers_go_up);
	tcase_add_test(tc, a_traceparent_is_kept_with_a_span_of_our_own);
	tcase_add_loop_test(tc, without_a_traceparent_a_trace_begins, 0, ARRAY_LEN(no_traces));
	add_ends(tc);
	tcase_add_loop_test(tc, an_error_has_its_published_form, 0, ARRAY_LEN(messages));
	tcase_add_loop_test(tc, where_a_handler_has_run_no_error_denies_it, 1, ERR_N);
	tcase_add_test(tc, a_failure_may_carry_another_status);
	tcase_add_loop_test(tc, every_error_makes_a_message_that_scans, 1, ERR_N);
	tcase_add_test(tc, a_missing_handler_is_named_as_by_stock);
	tcase_add_test(tc, a_queue_is_first_in_first_out);
	tcase_add_loop_test(tc, a_queue_refuses_what_is_above_its_limits, 0, 2);
	tcase_add_loop_test(tc, what_comes_back_is_the_first_again_whatever_the_limits, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
