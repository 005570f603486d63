/* SPDX-License-Identifier: ISC */
/*
 * forward: where a request goes and until when; destinations are fakes that hold it.
 */
#include "request/forward.h"

#include <stdio.h>
#include <string.h>

#include "loop_unit.h"
#include "request/request.h"
#include "request/service.h"
#include "token/token.h"

static struct loop *loop;
static struct requests all;
static struct service_table *services;
static struct request *held;	/* by a destination */
static enum err failed;
static char failure[256];

static void
on_final(struct request *r, const struct reply *reply, void *arg)
{
	(void)arg;
	r->token = NULL;	/* ours */
	failed = reply->err;
	if (reply->text != NULL)
		snprintf(failure, sizeof(failure), "%.*s", (int)reply->message.end, reply->text);
}

static const struct origin_ops origin = { .on_final = on_final };

static void
submit(struct destination *d, struct request *r)
{
	ck_assert_ptr_eq(r->destination, d);
	held = r;
}

static const struct destination_ops ops = { .submit = submit };
static struct destination plain = { .ops = &ops, .name = "plain" },
    timed = { .ops = &ops, .name = "timed", .timeout_ms = 2000000 };
static struct token token = { .refs = 1, .application = "jwt", .application_len = 3 };

static void
setup(void)
{
	loop = loop_new();
	all = (struct requests){ .loop = loop, .node = "n", .slow_ms = UINT64_MAX };
	services = service_table_new();
	service_add(services, "jwt", "plain", &plain, 0);
	service_add(services, "jwt", "timed", &timed, 0);
	service_add(services, "jwt", "routed", &timed, 1000000);
	service_add(services, "jwt", "longer", &timed, 5000000);
	held = NULL;
	failed = ERR_NONE;
}

static void
teardown(void)
{
	if (held != NULL)
		request_finish(held, &(struct reply){ .is_final = true });
	ck_assert_uint_eq(all.n_open, 0);
	service_table_free(services);
	loop_free(loop);
}

static struct request *
new_request(const char *type)
{
	char text[64];
	struct envelope env;
	struct request *r;

	snprintf(text, sizeof(text), "{\"type\":\"%s\"}", type);
	ck_assert_int_eq(envelope_scan_object(&env, text, strlen(text), 8), 0);
	r = request_new(&all, &origin, NULL, &env, "");
	r->token = &token;
	return r;
}

/* What is set at which of the three places, and what counts. */
static const struct {
	const char *type;
	uint64_t left_ms, want_ms;
} deadlines[] = {
	{ "plain", UINT64_MAX, 3000000 },
	{ "timed", UINT64_MAX, 2000000 },
	{ "routed", UINT64_MAX, 1000000 },
	{ "longer", UINT64_MAX, 5000000 },
	{ "plain", 500000, 500000 },
	{ "routed", 500000, 500000 },
	{ "routed", 9000000, 1000000 },
};

START_TEST(the_route_counts_then_the_destination_then_all_and_never_more_than_is_left)
{
	forward(services, new_request(deadlines[_i].type), 3000000, deadlines[_i].left_ms);
	ck_assert_ptr_nonnull(held);
	ck_assert_uint_le(request_left_ms(held), deadlines[_i].want_ms);
	ck_assert_uint_gt(request_left_ms(held), deadlines[_i].want_ms - 60000);
}
END_TEST

START_TEST(what_nobody_serves_is_refused)
{
	forward(services, new_request("unknown"), 1000, UINT64_MAX);
	ck_assert_ptr_null(held);
	ck_assert_int_eq(failed, ERR_NO_HANDLER);
	ck_assert_ptr_nonnull(strstr(failure,
	    "\"Handler not defined for jwt messages of type unknown\""));
}
END_TEST

START_TEST(more_than_eight_hops_are_a_loop)
{
	struct request *r = new_request("plain");

	r->hops = (uint64_t)_i;
	forward(services, r, 1000, UINT64_MAX);
	ck_assert_int_eq(failed, _i > 8 ? ERR_LOOP : ERR_NONE);
	ck_assert_int_eq(held != NULL, _i <= 8);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("forward");
	TCase *tc = tcase_create("forward");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc,
	    the_route_counts_then_the_destination_then_all_and_never_more_than_is_left, 0,
	    ARRAY_LEN(deadlines));
	tcase_add_test(tc, what_nobody_serves_is_refused);
	tcase_add_loop_test(tc, more_than_eight_hops_are_a_loop, 7, 10);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
