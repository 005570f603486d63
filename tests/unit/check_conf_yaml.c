/* SPDX-License-Identifier: ISC */
/*
 * The strict YAML reader: what it takes, what it refuses, and that it is quick to
 * refuse what was made to hurt it.
 */
#include "conf/conf_yaml.h"

#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "unit.h"

static const struct conf_source source = { (char *)"u.yaml", (char *)"/" };

static struct arena nodes;	/* of all trees of a test */

static void
setup(void)
{
	nodes = (struct arena){ 0 };
}

static void
teardown(void)
{
	arena_free(&nodes);
}

/* Parses; the faults, or NULL if there are none, are given in *error. */
static struct conf_node *
parse(const char *bytes, size_t len, char **error)
{
	struct conf_faults faults = { 0 };
	struct conf_node *root = conf_yaml_parse(&nodes, &source, bytes, len, &faults);

	*error = faults.n > 0 ? conf_faults_take(&faults) : NULL;
	return root;
}

static struct conf_node *
parse_good(const char *text)
{
	char *error;
	struct conf_node *root = parse(text, strlen(text), &error);

	ck_assert_msg(root != NULL && error == NULL, "%s", error != NULL ? error : "no root");
	return root;
}

START_TEST(values_know_their_kind_and_line)
{
	struct conf_node *root = parse_good(
	    "a: 1\n"
	    "list:\n"
	    "  - x\n"
	    "  - { b: \"2\" }\n");
	const struct conf_node *list = conf_node_get(root, "list");
	const struct conf_node *b = conf_node_get(list->item[1], "b");

	ck_assert_int_eq(root->kind, CONF_MAP);
	ck_assert_str_eq(conf_node_get(root, "a")->text, "1");
	ck_assert(conf_node_get(root, "a")->is_plain);
	ck_assert_int_eq(list->kind, CONF_LIST);
	ck_assert_uint_eq(list->n, 2);
	ck_assert_str_eq(list->item[0]->text, "x");
	ck_assert_uint_eq(list->item[0]->line, 3);
	ck_assert_str_eq(b->text, "2");
	ck_assert(!b->is_plain);
	ck_assert_uint_eq(b->line, 4);
	ck_assert_uint_eq(root->key[1].line, 2);
	ck_assert_ptr_null(conf_node_get(root, "none"));
	ck_assert_ptr_null(conf_node_get(list, "a"));
}
END_TEST

START_TEST(json_and_a_byte_order_mark_are_taken)
{
	struct conf_node *root = parse_good(
	    "\xef\xbb\xbf{\"a\": [true, null, \"\\u00e9\"],\n \"b\": {\"c\": 1e2}}");

	ck_assert_str_eq(conf_node_get(root, "a")->item[0]->text, "true");
	ck_assert_str_eq(conf_node_get(root, "a")->item[2]->text, "\xc3\xa9");
	ck_assert_str_eq(conf_node_get(conf_node_get(root, "b"), "c")->text, "1e2");
}
END_TEST

/* What is refused, and how the fault begins. */
static const struct {
	const char *text;
	const char *fault;
} refused[] = {
	{ "", "u.yaml:1: the file is empty" },
	{ "# nothing\n\n", "u.yaml:1: the file is empty" },
	{ "a: 1\nb: 2\na: 3\n", "u.yaml:3: duplicate key \"a\": it is given in line 1" },
	{ "{a: 1, \"a\": 2}", "u.yaml:1: duplicate key \"a\"" },
	{ "a: &x 1\n", "u.yaml:1: YAML anchors" },
	{ "a: 1\nb: *x\n", "u.yaml:2: YAML aliases" },
	{ "*x : 1\n", "u.yaml:1: YAML aliases" },
	{ "a:\n  *: 1\n", "u.yaml:2: no YAML: while scanning an alias" },
	{ "a: !x 1\n", "u.yaml:1: YAML tags" },
	{ "a: ! 1\n", "u.yaml:1: YAML tags" },
	{ "a: !!str 1\n", "u.yaml:1: YAML tags" },
	{ "!!map { a: 1 }\n", "u.yaml:1: YAML tags" },
	{ "&a [ *a ]\n", "u.yaml:1: YAML anchors" },
	{ "%YAML 1.1\n---\na: 1\n", "u.yaml:1: a line must not begin with '%'" },
	{ "a: 1\n---\nb: 1\n", "u.yaml:2: a second YAML document" },
	{ "a: 1\n...\n---\n", "u.yaml:3: a second YAML document" },
	{ "? [1]\n: 2\n", "u.yaml:1: a key must be text" },
	{ "{ a: 1, {b: c}: 1 }", "u.yaml:1: a key must be text" },
	{ "\"\": 1\n", "u.yaml:1: an empty key" },
	{ "\"a\\nb\": 1\n", "u.yaml:1: a control character in a key" },
	{ "a: \"x\\0y\"\n", "u.yaml:1: a NUL character" },
	{ "\"a\\0\": 1\n", "u.yaml:1: a control character in a key" },
	{ "a: [1\n", "u.yaml:2: no YAML: while parsing a flow sequence" },
	{ "a: 1\n b: 2\n", "u.yaml:2: no YAML: " },
	{ "a:\n\t- 1\n", "u.yaml:2: no YAML: " },
	{ "a: 1\nb: \xff\n", "u.yaml:2: no UTF-8 text" },
	{ "a: 1\nb: \xc3\n", "u.yaml:2: no UTF-8 text" },
	{ "a: \xed\xa0\x80\n", "u.yaml:1: no UTF-8 text" },
	{ "a: \x01\n", "u.yaml:1: no UTF-8 text: control characters" },
	{ "\xff\xfe" "a", "u.yaml:1: no UTF-8 text" },
	{ "[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", "u.yaml:1: lists and maps are nested too deep" },
};

START_TEST(what_is_not_plain_yaml_is_refused_with_its_line)
{
	char *error;

	parse(refused[_i].text, strlen(refused[_i].text), &error);
	ck_assert_msg(error != NULL, "accepted: %s", refused[_i].text);
	ck_assert_msg(strncmp(error, refused[_i].fault, strlen(refused[_i].fault)) == 0,
	    "\"%s\" is not \"%s\"", error, refused[_i].fault);
	free(error);
}
END_TEST

START_TEST(the_greatest_depth_is_taken)
{
	parse_good("[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]");
}
END_TEST

START_TEST(a_nul_byte_is_refused_with_its_line)
{
	static const char text[] = "a: 1\nb: \0\n";
	char *error;

	ck_assert_ptr_null(parse(text, sizeof(text) - 1, &error));
	ck_assert_str_eq(error, "u.yaml:2: a NUL byte: this is no text file");
	free(error);
}
END_TEST

/* A document is this, repeated to this many bytes. */
static const struct {
	const char *piece;
	size_t bytes;
	const char *fault;
} hostile[] = {
	{ "[", 100 * 1000, "nested too deep" },
	{ "[", CONF_YAML_BYTES_MAX, "nested too deep" },
	{ "{", CONF_YAML_BYTES_MAX, "a key must be text" },
	{ "[{", CONF_YAML_BYTES_MAX, "a key must be text" },
	{ "[\n", CONF_YAML_BYTES_MAX, "nested too deep" },
	{ "{a: ", CONF_YAML_BYTES_MAX, "nested too deep" },
	{ "- ", CONF_YAML_BYTES_MAX, "nested too deep" },
	{ "? ", CONF_YAML_BYTES_MAX, "a key must be text" },
	{ "[]]", CONF_YAML_BYTES_MAX, "no YAML" },
	{ "- a\n", CONF_YAML_BYTES_MAX, "more than 100,000 values" },
	{ "- [a,a,a,a,a,a,a]\n", CONF_YAML_BYTES_MAX, "more than 100,000 values" },
	{ "a: b\n", 400 * 1000, "duplicate key" },
	{ "%TAG !a! b\n", CONF_YAML_BYTES_MAX, "must not begin with '%'" },
	{ "&a ", CONF_YAML_BYTES_MAX, "YAML anchors" },
	{ "- &a [*a,*a,*a,*a]\n", CONF_YAML_BYTES_MAX, "YAML anchors" },
	{ "!a", CONF_YAML_BYTES_MAX, "no YAML" },
	{ "---\n", CONF_YAML_BYTES_MAX, "a second YAML document" },
	{ "'", CONF_YAML_BYTES_MAX - 1, "no YAML" },
	{ "\"", CONF_YAML_BYTES_MAX - 1, "no YAML" },
	{ "#", CONF_YAML_BYTES_MAX, "the file is empty" },
	{ "\n", CONF_YAML_BYTES_MAX, "the file is empty" },
	{ " ", CONF_YAML_BYTES_MAX, "the file is empty" },
	{ "a", CONF_YAML_BYTES_MAX + 1, "larger than 4 MiB" },
	{ "aaaaaaaa", CONF_YAML_BYTES_MAX, NULL },
};

static double
seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

START_TEST(hostile_files_are_refused_within_a_second)
{
	struct buf text = { 0 };
	struct conf_node *root;
	double begin;
	char *error;

	while (text.len + strlen(hostile[_i].piece) <= hostile[_i].bytes)
		buf_add_str(&text, hostile[_i].piece);
	begin = seconds_now();
	root = parse(text.data, text.len, &error);
	ck_assert_msg(seconds_now() - begin < 1.0, "%s: %.3f s", hostile[_i].piece,
	    seconds_now() - begin);
	if (hostile[_i].fault != NULL) {
		ck_assert_msg(error != NULL, "accepted: %s", hostile[_i].piece);
		ck_assert_msg(strstr(error, hostile[_i].fault) != NULL, "%s: %.200s",
		    hostile[_i].piece, error);
	} else {
		ck_assert_ptr_nonnull(root);
	}
	free(error);
	buf_free(&text);
}
END_TEST

START_TEST(many_different_keys_are_quick)
{
	double begin = seconds_now();
	struct buf text = { 0 };

	for (unsigned i = 0; i < 90000; i++)
		buf_printf(&text, "k%u: 1\n", i);
	parse_good(buf_str(&text));
	ck_assert(seconds_now() - begin < 1.0);
	buf_free(&text);
}
END_TEST

/* However the text is cut, it is a tree or a fault, never both missing. */
START_TEST(every_beginning_of_a_file_is_judged)
{
	static const char text[] =
	    "listen: [{ address: \"127.0.0.1:8080\" }]\n"
	    "u_services:\n"
	    "  - application: a\n"
	    "    types: { 'x': { url: >\n ws://h } }\n";

	for (size_t len = 0; len < sizeof(text); len++) {
		char *copy = malloc(len > 0 ? len : 1), *error;	/* so that a byte too far shows */
		struct conf_node *root;

		memcpy(copy, text, len);
		root = parse(copy, len, &error);
		ck_assert((root != NULL) == (error == NULL));
		free(error);
		free(copy);
	}
}
END_TEST

START_TEST(values_can_be_moved_between_maps)
{
	struct conf_node *a = parse_good("x: 1\ny: 2\nz: 3\n"), *b = parse_good("v: 4\nw: 5\n");

	conf_node_remove(a, 0);
	ck_assert_ptr_null(conf_node_get(a, "x"));
	conf_node_move_all(&nodes, a, b);
	ck_assert_uint_eq(b->n, 0);
	ck_assert_uint_eq(a->n, 4);
	ck_assert_str_eq(conf_node_get(a, "w")->text, "5");
	ck_assert_str_eq(conf_node_get(a, "z")->text, "3");
}
END_TEST

START_TEST(twenty_faults_are_told_by_file_and_line_and_no_more)
{
	struct conf_faults faults = { 0 };
	char *text, *p;
	unsigned n = 0;

	conf_faults_add(&faults, "b\n", 7, "later");
	conf_faults_add(&faults, "a", 9, "other file");
	conf_faults_add(&faults, "b\n", 3, "earlier");
	while (faults.n < CONF_FAULTS_MAX)
		conf_faults_add(&faults, "a", 10, "more \x1b");
	conf_faults_add(&faults, "a", 1, "one too many");
	text = conf_faults_take(&faults);
	ck_assert(strncmp(text, "b?:3: earlier\nb?:7: later\na:9: other file\na:10: more ?\n",
	    52) == 0);
	ck_assert_ptr_null(strstr(text, "one too many"));
	ck_assert_ptr_nonnull(strstr(text, " (and there are more faults)"));
	for (p = text; *p != '\0'; p++)
		n += *p == '\n';
	ck_assert_uint_eq(n, CONF_FAULTS_MAX - 1);
	ck_assert_uint_eq(faults.n, 0);
	free(text);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("conf_yaml");
	TCase *tc = tcase_create("conf_yaml");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, values_know_their_kind_and_line);
	tcase_add_test(tc, json_and_a_byte_order_mark_are_taken);
	tcase_add_loop_test(tc, what_is_not_plain_yaml_is_refused_with_its_line, 0,
	    ARRAY_LEN(refused));
	tcase_add_test(tc, the_greatest_depth_is_taken);
	tcase_add_test(tc, a_nul_byte_is_refused_with_its_line);
	tcase_add_loop_test(tc, hostile_files_are_refused_within_a_second, 0, ARRAY_LEN(hostile));
	tcase_add_test(tc, many_different_keys_are_quick);
	tcase_add_test(tc, every_beginning_of_a_file_is_judged);
	tcase_add_test(tc, values_can_be_moved_between_maps);
	tcase_add_test(tc, twenty_faults_are_told_by_file_and_line_and_no_more);
	suite_add_tcase(suite, tc);
	return suite;
}

UNIT_MAIN_STATELESS(make_suite)
