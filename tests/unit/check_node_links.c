/* SPDX-License-Identifier: ISC */
/*
 * node_links: destinations that a reload leaves over, for what is on its way to them.
 */
#include "node_links.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "link/link_set.h"
#include "loop_unit.h"
#include "net/tls_store.h"
#include "node_loop.h"
#include "node_plan.h"
#include "request/override.h"

#define HEAD "listen: [{ address: \"127.0.0.1:8080\" }]\n" \
	"jwt: { secret: \"0123456789abcdef0123456789abcdef\" }\ndestinations:\n"
#define A "  a: { application: x, urls: [\"ws://127.0.0.1:1\"] }\n"
#define B "  b: { application: y, urls: [\"ws://127.0.0.1:2\"] }\n"

static struct node_loop nl;
static struct overrides *overrides;

static struct conf *
load(const char *text)
{
	char name[] = "/tmp/check_node_links.XXXXXX", *error;
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

/* As a reload does, or the start. */
static void
configure(const char *text)
{
	struct conf *conf = load(text), *old = nl.conf;
	struct node_plan *plan;
	char *error;

	plan = node_plan_new(conf, tls_store_new(conf, &error), old);
	nl.conf = conf;
	nl.link_env = (struct link_env){ .loop = nl.loop, .overrides = overrides,
		.node = conf->node, .limits = &conf->limits, .timeouts = &conf->timeouts };
	node_links_set(&nl, node_links_sets(&nl, plan), plan);
	node_plan_free(plan);
	conf_unref(old);
}

static void
setup(void)
{
	nl = (struct node_loop){ .loop = loop_new() };
	nl.requests = (struct requests){ .loop = nl.loop, .node = "n" };
	overrides = overrides_new();
}

static void
teardown(void)
{
	node_links_free(&nl);
	overrides_free(overrides);
	conf_unref(nl.conf);
	loop_free(nl.loop);
}

START_TEST(what_a_reload_leaves_over_is_found_by_name_until_nobody_asks_it)
{
	struct destination *b;

	configure(HEAD A B);
	b = link_set_destination(nl.link_sets[strcmp(nl.conf->destinations[0].name, "b") != 0]);
	ck_assert_ptr_null(node_links_left(&nl, "b"));
	configure(HEAD A);
	ck_assert_ptr_eq(node_links_left(&nl, "b"), b);
	ck_assert_ptr_null(node_links_left(&nl, "a"));
	ck_assert(node_links_sweep(&nl));
	ck_assert_ptr_null(node_links_left(&nl, "b"));
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("node_links");
	TCase *tc = tcase_create("node_links");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_a_reload_leaves_over_is_found_by_name_until_nobody_asks_it);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
