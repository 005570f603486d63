/* SPDX-License-Identifier: ISC */
#include "node_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xmalloc.h"
#include "net/tls_store.h"
#include "unit.h"

#define HEAD "listen: [{ address: \"127.0.0.1:8080\" }]\n" \
	"jwt: { secret: \"0123456789abcdef0123456789abcdef\" }\n"

static struct conf *
load(const char *text)
{
	char name[] = "/tmp/check_node_plan.XXXXXX", *error;
	int fd = mkstemp(name);
	struct conf *conf;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	conf = conf_load(name, &error);
	unlink(name);
	ck_assert_msg(conf != NULL, "%s", error);
	return conf;
}

/* old: NULL for a node that is new. */
static struct node_plan *
plan(const char *text, const char *old_text)
{
	struct conf *conf = load(text), *old = old_text != NULL ? load(old_text) : NULL;
	struct node_plan *p;
	char *error;

	p = node_plan_new(conf, tls_store_new(conf, &error), old);
	ck_assert_ptr_nonnull(p->tls);
	conf_unref(conf);
	conf_unref(old);
	return p;
}

static size_t
destination(const struct node_plan *p, const char *name)
{
	for (size_t i = 0; i < p->conf->n_destinations; i++)
		if (strcmp(p->conf->destinations[i].name, name) == 0)
			return i;
	ck_abort_msg("no destination %s", name);
	return 0;
}

/* The destination that this one was before; NULL: none. */
static const char *
was(const struct node_plan *p, const char *name)
{
	size_t i = p->old_set[destination(p, name)];

	return i != PLAN_NEW ? p->old->destinations[i].name : NULL;
}

START_TEST(of_a_new_node_everything_is_new)
{
	struct node_plan *p = plan(HEAD "destinations: { a: { application: x, urls: [\"ws://h:1\"] } }\n"
	    "applications: { y: { command: [\"true\"] } }\n", NULL);

	ck_assert_ptr_null(p->old);
	ck_assert_uint_eq(p->old_set[0], PLAN_NEW);
	ck_assert_uint_eq(p->old_pool[0], PLAN_NEW);
	ck_assert_uint_eq(p->n_urls, 1);
	ck_assert_uint_eq(p->url_of[0][0], 0);
	node_plan_free(p);
}
END_TEST

START_TEST(destinations_stay_by_their_name_if_they_are_for_the_same_application)
{
	struct node_plan *p = plan(HEAD "destinations:\n"
	    "  c: { application: z, urls: [\"ws://h:3\"], timeout: 5s }\n"
	    "  new: { application: x, urls: [\"ws://h:1\"] }\n"
	    "  b: { application: other, urls: [\"ws://h:2\"] }\n"
	    "  a: { application: x, urls: [\"ws://h:9\"] }\n",
	    HEAD "destinations:\n"
	    "  a: { application: x, urls: [\"ws://h:1\"] }\n"
	    "  b: { application: y, urls: [\"ws://h:2\"] }\n"
	    "  c: { application: z, urls: [\"ws://h:3\"] }\n");

	ck_assert_str_eq(was(p, "a"), "a");
	ck_assert_ptr_null(was(p, "b"));
	ck_assert_str_eq(was(p, "c"), "c");
	ck_assert_ptr_null(was(p, "new"));
	node_plan_free(p);
}
END_TEST

START_TEST(urls_are_shared_by_those_who_trust_the_same)
{
	struct node_plan *p = plan(HEAD "destinations:\n"
	    "  a: { application: x, urls: [\"ws://h:1\", \"ws://h:2\"] }\n"
	    "  b: { application: y, urls: [\"ws://h:2\"] }\n"
	    "  c: { application: x, urls: [\"wss://h:3\"] }\n"
	    "  d: { application: x, urls: [\"wss://h:3\"] }\n"
	    "  e: { application: x, urls: [\"wss://h:3\"], tls: { verify: false } }\n", NULL);
	size_t a = destination(p, "a"), b = destination(p, "b"), c = destination(p, "c"),
	    d = destination(p, "d"), e = destination(p, "e");

	ck_assert_uint_eq(p->n_urls, 4);
	ck_assert_uint_ne(p->url_of[a][0], p->url_of[a][1]);
	ck_assert_uint_eq(p->url_of[a][1], p->url_of[b][0]);
	ck_assert_uint_eq(p->url_of[c][0], p->url_of[d][0]);
	ck_assert_uint_ne(p->url_of[c][0], p->url_of[e][0]);
	ck_assert_ptr_null(p->urls[p->url_of[a][0]].tls);
	ck_assert_ptr_nonnull(p->urls[p->url_of[c][0]].tls);
	node_plan_free(p);
}
END_TEST

START_TEST(a_peer_that_is_spoken_to_in_another_way_is_dialled_anew)
{
	const char *auto_text = HEAD "destinations: { a: { application: x, urls: [\"ws://h:1\"] } }\n";
	const char *qewd_text = HEAD "destinations:\n  a: { application: x, urls: [\"ws://h:1\"] }\n"
	    "  b: { application: x, urls: [\"ws://h:1\"], protocol: qewd }\n";
	struct node_plan *p = plan(auto_text, NULL), *again = plan(auto_text, auto_text),
	    *qewd = plan(qewd_text, auto_text);

	ck_assert_str_eq(p->urls[0].id, again->urls[0].id);
	ck_assert_str_ne(p->urls[0].id, qewd->urls[0].id);
	ck_assert_uint_eq(qewd->n_urls, 1);
	ck_assert_int_eq(qewd->urls[0].protocol, CONF_PROTOCOL_QEWD);
	node_plan_free(p);
	node_plan_free(again);
	node_plan_free(qewd);
}
END_TEST

START_TEST(workers_roll_when_they_would_be_started_in_another_way)
{
	struct node_plan *p = plan(HEAD "node: new\napplications:\n"
	    "  c: { command: [\"true\"] }\n"
	    "  b: { command: [\"false\"] }\n"
	    "  a: { command: [\"true\"], pool: { size: 9 } }\n",
	    HEAD "node: old\napplications:\n"
	    "  a: { command: [\"true\"] }\n"
	    "  b: { command: [\"true\"] }\n"
	    "  gone: { command: [\"true\"] }\n");

	for (size_t i = 0; i < p->conf->n_applications; i++) {
		const char *name = p->conf->applications[i].name;

		if (strcmp(name, "c") == 0) {
			ck_assert_uint_eq(p->old_pool[i], PLAN_NEW);
			continue;
		}
		ck_assert_str_eq(p->old->applications[p->old_pool[i]].name, name);
		ck_assert_int_eq(p->roll[i],
		    strcmp(name, "b") == 0 ? PLAN_ROLLS_SETTINGS : PLAN_STAYS);
	}
	node_plan_free(p);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("node_plan");
	TCase *tc = tcase_create("node_plan");

	tcase_add_test(tc, of_a_new_node_everything_is_new);
	tcase_add_test(tc, destinations_stay_by_their_name_if_they_are_for_the_same_application);
	tcase_add_test(tc, urls_are_shared_by_those_who_trust_the_same);
	tcase_add_test(tc, a_peer_that_is_spoken_to_in_another_way_is_dialled_anew);
	tcase_add_test(tc, workers_roll_when_they_would_be_started_in_another_way);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
