/* SPDX-License-Identifier: ISC */
/*
 * resume: what is kept for clients that are away, how much, and how long.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xmalloc.h"
#include "front/resume.h"
#include "loop_unit.h"

#define BYTES_MAX 100000

struct away {
	struct resume *resume;
	unsigned n_dropped, n_ended;
};

static void
on_dropped(void *arg)
{
	struct away *a = arg;

	a->n_dropped++;
}

static void
on_end(void *arg)
{
	struct away *a = arg;

	a->n_ended++;
}

static const struct resume_events events = { on_dropped, on_end };

static bool
has_ended(void *arg)
{
	return ((struct away *)arg)->n_ended > 0;
}

static bool
was_dropped(void *arg)
{
	return ((struct away *)arg)->n_dropped > 0;
}

static void
begin(struct resumes *all, struct away *a)
{
	*a = (struct away){ .resume = resume_new(all, &events) };
	resume_start(a->resume, a);
}

static void
add(struct away *a, size_t len)
{
	char *text = xmalloc(len);

	memset(text, 'x', len);
	resume_add(a->resume, text, len);
	free(text);
}

static void
expect(struct resume *r, const char *text)
{
	struct buf b = { 0 };

	ck_assert(!resume_is_empty(r));
	resume_take(r, &b);
	ck_assert_str_eq(buf_str(&b), text);
	buf_free(&b);
}

START_TEST(texts_come_back_in_order_once)
{
	struct loop *loop = loop_new();
	struct resumes *all = resumes_new(loop, 1000000, BYTES_MAX);
	struct away a;

	begin(all, &a);
	resume_add(a.resume, "one", 3);
	resume_add(a.resume, "", 0);
	loop_run_until(loop, was_dropped, &a);
	resume_add(a.resume, "three", 5);
	resume_stop(a.resume);
	expect(a.resume, "one");
	expect(a.resume, "");
	expect(a.resume, "three");
	ck_assert(resume_is_empty(a.resume));
	ck_assert_uint_eq(a.n_ended, 0);
	resume_free(a.resume);
	resumes_free(all);
	loop_free(loop);
}
END_TEST

START_TEST(what_is_left_waits_when_it_is_away_again)
{
	struct loop *loop = loop_new();
	struct resumes *all = resumes_new(loop, 1000000, BYTES_MAX);
	struct away a, other = { 0 };

	begin(all, &a);
	resume_add(a.resume, "one", 3);
	resume_add(a.resume, "two", 3);
	resume_stop(a.resume);
	expect(a.resume, "one");
	resume_start(a.resume, &other);
	resume_add(a.resume, "three", 5);
	loop_run_until(loop, was_dropped, &other);
	ck_assert_uint_eq(a.n_dropped, 0);
	resume_stop(a.resume);
	expect(a.resume, "two");
	expect(a.resume, "three");
	resume_free(a.resume);
	resumes_free(all);
	loop_free(loop);
}
END_TEST

START_TEST(it_ends_when_its_time_is_over)
{
	struct loop *loop = loop_new();
	struct resumes *all = resumes_new(loop, _i == 0 ? 0 : 20, BYTES_MAX);
	struct away a;

	begin(all, &a);
	add(&a, 10);
	loop_run_until(loop, has_ended, &a);
	ck_assert_uint_eq(a.n_dropped, 1);
	ck_assert_uint_eq(a.n_ended, 1);
	ck_assert(resume_is_over(a.resume));
	ck_assert(resume_is_empty(a.resume));
	add(&a, 10);
	ck_assert(resume_is_empty(a.resume));
	resume_free(a.resume);
	resumes_free(all);
	loop_free(loop);
}
END_TEST

START_TEST(too_much_for_one_ends_it)
{
	struct loop *loop = loop_new();
	struct resumes *all = resumes_new(loop, 1000000, BYTES_MAX);
	struct away a, other;

	begin(all, &a);
	begin(all, &other);
	add(&a, BYTES_MAX * 3);
	ck_assert(!resume_is_over(a.resume));
	add(&a, 1);
	ck_assert(resume_is_over(a.resume));
	ck_assert(resume_is_empty(a.resume));
	loop_run_until(loop, has_ended, &a);
	ck_assert_uint_eq(other.n_ended, 0);
	resume_free(a.resume);
	resume_free(other.resume);
	resumes_free(all);
	loop_free(loop);
}
END_TEST

/* Each has its full measure; one more, and the first has to go, then the second. */
START_TEST(too_much_for_all_ends_the_one_that_left_first)
{
	struct loop *loop = loop_new();
	struct resumes *all = resumes_new(loop, 1000000, BYTES_MAX);
	struct away a[RESUMES_FACTOR + 2];
	size_t n = sizeof(a) / sizeof(a[0]);

	for (size_t i = 0; i < n; i++) {
		begin(all, &a[i]);
		add(&a[i], BYTES_MAX - 2000);
	}
	ck_assert(resume_is_over(a[0].resume));
	ck_assert(resume_is_over(a[1].resume));
	for (size_t i = 2; i < n; i++)
		ck_assert(!resume_is_over(a[i].resume));
	loop_run_until(loop, has_ended, &a[0]);
	loop_run_until(loop, has_ended, &a[1]);
	/* What they took is free again. */
	resume_free(a[2].resume);
	begin(all, &a[2]);
	add(&a[2], BYTES_MAX - 2000);
	for (size_t i = 2; i < n; i++)
		ck_assert(!resume_is_over(a[i].resume));
	for (size_t i = 0; i < n; i++)
		resume_free(a[i].resume);
	resumes_free(all);
	loop_free(loop);
}
END_TEST

/* One has what all may have together; the other may have its half nevertheless, and then more of none. */
START_TEST(what_several_loops_keep_is_counted_together)
{
	struct loop *loop = loop_new();
	struct resumes *one = resumes_new(loop, 1000000, BYTES_MAX);
	struct resumes *two = resumes_new(loop, 1000000, BYTES_MAX);
	struct away a[RESUMES_FACTOR], b[RESUMES_FACTOR];
	atomic_size_t n_bytes = 0;

	resumes_share(one, &n_bytes, 2);
	resumes_share(two, &n_bytes, 2);
	for (size_t i = 0; i < RESUMES_FACTOR; i++) {
		begin(one, &a[i]);
		add(&a[i], BYTES_MAX - 2000);
	}
	for (size_t i = 0; i < RESUMES_FACTOR; i++)
		ck_assert(!resume_is_over(a[i].resume));
	for (size_t i = 0; i < RESUMES_FACTOR / 2; i++) {
		begin(two, &b[i]);
		add(&b[i], BYTES_MAX - 2000);
	}
	for (size_t i = 0; i < RESUMES_FACTOR / 2; i++)
		ck_assert(!resume_is_over(b[i].resume));
	begin(two, &b[RESUMES_FACTOR / 2]);
	add(&b[RESUMES_FACTOR / 2], BYTES_MAX - 2000);
	ck_assert(resume_is_over(b[0].resume));
	/* As soon as the first gets more it makes room: it has more than its share. */
	ck_assert(!resume_is_over(a[0].resume));
	add(&a[RESUMES_FACTOR - 1], 1);
	ck_assert(resume_is_over(a[0].resume));
	ck_assert(!resume_is_over(a[RESUMES_FACTOR - 1].resume));
	ck_assert_uint_le(n_bytes, RESUMES_FACTOR * BYTES_MAX);
	for (size_t i = 0; i < RESUMES_FACTOR; i++)
		resume_free(a[i].resume);
	for (size_t i = 0; i <= RESUMES_FACTOR / 2; i++)
		resume_free(b[i].resume);
	ck_assert_uint_eq(n_bytes, 0);
	resumes_free(one);
	resumes_free(two);
	loop_free(loop);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("resume");
	TCase *tc = tcase_create("resume");

	tcase_add_test(tc, texts_come_back_in_order_once);
	tcase_add_test(tc, what_is_left_waits_when_it_is_away_again);
	tcase_add_loop_test(tc, it_ends_when_its_time_is_over, 0, 2);
	tcase_add_test(tc, too_much_for_one_ends_it);
	tcase_add_test(tc, too_much_for_all_ends_the_one_that_left_first);
	tcase_add_test(tc, what_several_loops_keep_is_counted_together);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
