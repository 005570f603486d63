/* SPDX-License-Identifier: ISC */
/*
 * journal: what is kept of requests that have ended.
 */
#include "request/journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop_unit.h"
#include "request/request.h"
#include "request/service.h"

#define NODE "here"

static struct loop *loop;
static struct requests all;
static struct journal *journal;
static struct request_queue queue;

static void
ignore(struct request *r, const struct reply *reply, void *arg)
{
	(void)r;
	(void)reply;
	(void)arg;
}

static const struct origin_ops origin = { .on_reply = ignore, .on_final = ignore };

static void
submit(struct destination *d, struct request *r)
{
	(void)d;
	ck_assert(request_queue_add(&queue, r));
}

static void
cancel(struct destination *d, struct request *r, enum err why)
{
	(void)d;
	(void)why;
	request_queue_remove(&queue, r);
}

static const struct destination_ops ops = { .submit = submit, .cancel = cancel };
static struct destination destination = { .ops = &ops, .name = "far", .application = "app" };

static void
setup(void)
{
	loop = loop_new();
	journal = journal_new();
	request_queue_init(&queue, 10, 1000000);
	all = (struct requests){ .loop = loop, .node = NODE, .journal = journal,
		.slow_ms = UINT64_MAX };
}

static void
teardown(void)
{
	loop_free(loop);
	journal_free(journal);
}

static struct request *
new_request(const char *text)
{
	struct envelope env;

	ck_assert_int_eq(envelope_scan_object(&env, text, strlen(text), 8), 0);
	return request_new(&all, &origin, NULL, &env, "");
}

/* A final of another node or of a handler. */
static void
finish(struct request *r, const char *message, bool is_error)
{
	struct json_object body;
	struct json_scan scan;
	struct reply final = { .is_final = true, .is_error = is_error, .text = message,
		.body = &body };

	json_scan_init(&scan, message, strlen(message), 8);
	ck_assert(json_scan_members(&scan, &final.message, &envelope_names, &body, -1, NULL));
	request_finish(r, &final);
}

static bool
take_first(const struct journal_entry *e, void *arg)
{
	*(struct journal_entry *)arg = *e;
	return false;
}

static struct journal_entry
last_entry(void)
{
	struct journal_entry e = { .id = "" };

	journal_each(journal, take_first, &e);
	return e;
}

static bool
take_first_error(const struct journal_error *e, void *arg)
{
	*(struct journal_error *)arg = *e;
	return false;
}

static struct journal_error
last_error(void)
{
	struct journal_error e = { .id = "" };

	journal_each_error(journal, take_first_error, &e);
	return e;
}

static bool
count_entry(const struct journal_entry *e, void *arg)
{
	(void)e;
	++*(size_t *)arg;
	return true;
}

static bool
count_error(const struct journal_error *e, void *arg)
{
	(void)e;
	++*(size_t *)arg;
	return true;
}

START_TEST(a_value_is_never_above_the_bound_of_its_bucket)
{
	struct histogram h = { .sum = 0 };
	static const uint64_t values[] = { 0, 1, 2, 3, 4, 7, 8, 1000, 65535, 65536, 131071 };

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		memset(&h, 0, sizeof(h));
		histogram_add(&h, values[i]);
		for (size_t k = 0; k < HISTOGRAM_BOUNDS; k++) {
			/* It was cut: it may be nearly one more. */
			if (h.bucket[k] > 0)
				ck_assert_uint_le(values[i] + 1, histogram_bound(k));
			if (h.bucket[k] > 0 && k > 0)
				ck_assert_uint_gt(values[i] + 1, histogram_bound(k - 1));
		}
		ck_assert_uint_eq(histogram_count(&h), 1);
		ck_assert_uint_eq(h.sum, values[i]);
	}
	histogram_add(&h, UINT64_C(1) << 40);
	ck_assert_uint_eq(h.bucket[HISTOGRAM_BOUNDS], 1);
}
END_TEST

START_TEST(a_quantile_is_the_bound_below_which_that_share_lies)
{
	struct histogram h = { .sum = 0 }, sum = { .sum = 0 };

	ck_assert_uint_eq(histogram_quantile(&h, 500), 0);
	for (unsigned i = 0; i < 98; i++)
		histogram_add(&h, 0);
	histogram_add(&h, 100);
	histogram_add(&h, 1000);
	histogram_sum(&sum, &h);
	histogram_sum(&sum, &h);
	ck_assert_uint_eq(histogram_count(&sum), 200);
	ck_assert_uint_eq(sum.sum, 2200);
	ck_assert_uint_eq(histogram_quantile(&sum, 500), 1);
	ck_assert_uint_eq(histogram_quantile(&sum, 980), 1);
	ck_assert_uint_eq(histogram_quantile(&sum, 990), 128);
	ck_assert_uint_eq(histogram_quantile(&sum, 999), 1024);
}
END_TEST

START_TEST(routes_have_one_number_each)
{
	unsigned a = journal_route(journal, "app/login"), b = journal_route(journal, "app/*");

	ck_assert_uint_ge(a, JOURNAL_ROUTES_FIRST);
	ck_assert_uint_ne(a, b);
	ck_assert_uint_eq(journal_route(journal, "app/login"), a);
	ck_assert_uint_eq(journal_n_routes(journal), JOURNAL_ROUTES_FIRST + 2);
	ck_assert_str_eq(journal_route_at(journal, b)->name, "app/*");
	ck_assert_ptr_eq(journal_find_route(journal, "app/*"), journal_route_at(journal, b));
	ck_assert_ptr_null(journal_find_route(journal, "app/none"));
	ck_assert_uint_eq(journal_route(NULL, "app/login"), JOURNAL_NO_ROUTE);
}
END_TEST

START_TEST(routes_of_a_table_have_names)
{
	struct service_table *t = service_table_new();

	service_add(t, "app", "login", &destination, 0);
	service_add(t, "app", "list.*", &destination, 0);
	service_add_local(t, "app", &destination);
	ck_assert_str_eq(service_find(t, "app", 3, "login", 5)->name,
	    "app/login");
	ck_assert_str_eq(service_find(t, "app", 3, "list.x", 6)->name,
	    "app/list.*");
	ck_assert_str_eq(service_find(t, "app", 3, "x", 1)->name,
	    "app/*");
	service_table_free(t);
}
END_TEST

START_TEST(a_request_is_kept_with_its_steps)
{
	struct request *r = new_request("{\"type\":\"job\",\"params\":1}");
	struct journal_entry e;
	char id[JOURNAL_ID_MAX];
	char server[REQUEST_SERVER_MAX] = "ws://10.0.0.5:8081#2";

	memcpy(id, r->name, sizeof(id));
	r->route = (uint16_t)journal_route(journal, "app/job");
	request_submit(r, &destination, 1000);
	request_queue_remove(&queue, r);
	r->server = server;
	request_reply(r, &(struct reply){ .is_final = false });
	request_reply(r, &(struct reply){ .is_final = false });
	finish(r, "{\"ok\":true}", false);
	e = last_entry();
	ck_assert_str_eq(e.id, id);
	ck_assert_str_eq(e.type, "job");
	ck_assert_str_eq(e.server, "ws://10.0.0.5:8081#2");
	ck_assert_uint_eq(e.n_replies, 2);
	ck_assert_uint_eq(e.bytes_in, 25);
	ck_assert_uint_eq(e.bytes_out, 11);
	ck_assert(e.is_awaited);
	ck_assert(!e.is_error);
	ck_assert_uint_le(e.submitted, e.queued);
	ck_assert_uint_le(e.queued, e.unqueued);
	ck_assert_uint_le(e.unqueued, e.replied);
	ck_assert_uint_le(e.replied, e.ended);
	ck_assert_uint_eq(histogram_count(&journal_find_route(journal, "app/job")->took), 1);
	ck_assert_uint_eq(histogram_count(&journal_find_route(journal, "app/job")->queued), 1);
	ck_assert_str_eq(last_error().id, "");
}
END_TEST

START_TEST(what_did_not_happen_has_no_time)
{
	struct request *r = new_request("{\"type\":\"job\"}");
	struct journal_entry e;

	request_fail(r, ERR_NO_TOKEN, NULL);
	e = last_entry();
	ck_assert_uint_eq(e.submitted, JOURNAL_NEVER);
	ck_assert_uint_eq(e.queued, JOURNAL_NEVER);
	ck_assert_uint_eq(e.replied, JOURNAL_NEVER);
	ck_assert_str_eq(e.server, "");
	ck_assert(!e.is_token_checked);
	ck_assert_int_eq(e.err, ERR_NO_TOKEN);
	ck_assert_uint_eq(e.route, JOURNAL_NO_ROUTE);
	ck_assert_uint_eq(histogram_count(&journal_route_at(journal, JOURNAL_NO_ROUTE)->queued), 0);
}
END_TEST

START_TEST(an_error_of_this_node_is_counted_and_kept)
{
	struct request *r = new_request("{\"type\":\"job\"}");
	const struct journal_node *nodes;
	struct journal_error e;

	r->route = (uint16_t)journal_route(journal, "app/job");
	request_fail(r, ERR_OVERLOADED, "the \"queue\" is full");
	e = last_error();
	ck_assert_int_eq(e.err, ERR_OVERLOADED);
	ck_assert_str_eq(e.node, NODE);
	ck_assert_str_eq(e.text, "the \"queue\" is full");
	ck_assert_uint_eq(journal_find_route(journal, "app/job")->errors[ERR_OVERLOADED], 1);
	ck_assert_uint_eq(journal_nodes(journal, &nodes), 1);
	ck_assert_str_eq(nodes[0].name, NODE);
	ck_assert_uint_eq(nodes[0].errors, 1);
}
END_TEST

static const struct {
	const char *message;
	enum err err;
	const char *node, *text;
} relayed[] = {
	/* Another node's, by its code; anything else is a handler's own, whose text is not kept. */
	{ "{\"error\":\"down\",\"code\":\"link_down\",\"by\":\"elsewhere\"}", ERR_LINK_DOWN, "elsewhere", "down" },
	{ "{\"error\":\"secret\"}", JOURNAL_RELAYED, "far", "" },
	{ "{\"error\":\"secret\",\"code\":\"its_own\"}", JOURNAL_RELAYED, "far", "" },
	{ "{\"error\":{\"x\":1},\"code\":17}", JOURNAL_RELAYED, "far", "" },
	/* No code of a request. */
	{ "{\"error\":\"secret\",\"code\":\"ping_timeout\"}", JOURNAL_RELAYED, "far", "" },
};

START_TEST(an_error_that_is_passed_on_is_known_by_its_code)
{
	struct request *r = new_request("{\"type\":\"job\"}");
	struct journal_error e;

	request_submit(r, &destination, 1000);
	request_queue_remove(&queue, r);
	finish(r, relayed[_i].message, true);
	e = last_error();
	ck_assert_int_eq(e.err, relayed[_i].err);
	ck_assert_str_eq(e.node, relayed[_i].node);
	ck_assert_str_eq(e.text, relayed[_i].text);
	ck_assert(last_entry().is_error);
	ck_assert_int_eq(last_entry().err, 0);
}
END_TEST

START_TEST(rings_keep_the_last_ones_alone)
{
	size_t n = 0, n_errors = 0;

	for (unsigned i = 0; i < 5000; i++)
		request_fail(new_request("{\"type\":\"job\"}"), ERR_NO_ROUTE, NULL);
	journal_each(journal, count_entry, &n);
	journal_each_error(journal, count_error, &n_errors);
	ck_assert_uint_eq(n, 4096);
	ck_assert_uint_eq(n_errors, 512);
	ck_assert_uint_eq(journal_route_at(journal, JOURNAL_NO_ROUTE)->errors[ERR_NO_ROUTE], 5000);
}
END_TEST

START_TEST(more_nodes_than_there_are_places_count_as_others)
{
	const struct journal_node *nodes;
	char message[128];
	size_t n;

	for (unsigned i = 0; i < 2 * JOURNAL_NODES_MAX; i++) {
		struct request *r = new_request("{\"type\":\"job\"}");

		snprintf(message, sizeof(message),
		    "{\"error\":\"x\",\"code\":\"timeout\",\"by\":\"node-%u\"}", i);
		finish(r, message, true);
	}
	n = journal_nodes(journal, &nodes);
	ck_assert_uint_eq(n, JOURNAL_NODES_MAX);
	ck_assert_str_eq(nodes[n - 1].name, "others");
	ck_assert_uint_eq(nodes[n - 1].errors, JOURNAL_NODES_MAX + 1);
}
END_TEST

START_TEST(long_names_are_cut)
{
	char text[600], type[500];
	struct request *r;

	memset(type, 'x', sizeof(type) - 1);
	type[sizeof(type) - 1] = '\0';
	snprintf(text, sizeof(text), "{\"type\":\"%s\"}", type);
	r = new_request(text);
	r->server = type;
	request_fail(r, ERR_INTERNAL, type);
	ck_assert_uint_eq(strlen(last_entry().type), JOURNAL_TYPE_MAX - 1);
	ck_assert_uint_eq(strlen(last_entry().server), JOURNAL_SERVER_MAX - 1);
	ck_assert_uint_eq(strlen(last_error().text), JOURNAL_TEXT_MAX - 1);
}
END_TEST

START_TEST(registrations_are_a_route_of_their_own)
{
	finish(new_request("{\"type\":\"ewd-register\"}"), "{\"token\":\"x\"}", false);
	ck_assert_uint_eq(last_entry().route, JOURNAL_REGISTRATION);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("journal");
	TCase *tc = tcase_create("journal");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_value_is_never_above_the_bound_of_its_bucket);
	tcase_add_test(tc, a_quantile_is_the_bound_below_which_that_share_lies);
	tcase_add_test(tc, routes_have_one_number_each);
	tcase_add_test(tc, routes_of_a_table_have_names);
	tcase_add_test(tc, a_request_is_kept_with_its_steps);
	tcase_add_test(tc, what_did_not_happen_has_no_time);
	tcase_add_test(tc, an_error_of_this_node_is_counted_and_kept);
	tcase_add_loop_test(tc, an_error_that_is_passed_on_is_known_by_its_code, 0,
	    ARRAY_LEN(relayed));
	tcase_add_test(tc, rings_keep_the_last_ones_alone);
	tcase_add_test(tc, more_nodes_than_there_are_places_count_as_others);
	tcase_add_test(tc, long_names_are_cut);
	tcase_add_test(tc, registrations_are_a_route_of_their_own);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
