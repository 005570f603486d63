/* SPDX-License-Identifier: ISC */
/*
 * err: the table is complete and says nothing that may not go out.
 */
#include "base/err.h"

#include <string.h>

#include "unit.h"

START_TEST(a_code_is_a_word_of_small_letters)
{
	const char *code = err_code((enum err)_i);

	ck_assert_ptr_nonnull(code);
	ck_assert_uint_gt(strlen(code), 0);
	ck_assert_uint_eq(strspn(code, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(code));
}
END_TEST

START_TEST(no_two_have_the_same_code)
{
	for (int i = 0; i < _i; i++)
		ck_assert_str_ne(err_code((enum err)i), err_code((enum err)_i));
}
END_TEST

/* Texts go to clients as they are. */
START_TEST(a_text_needs_nothing_filled_in)
{
	ck_assert_uint_gt(strlen(err_text((enum err)_i)), 0);
	ck_assert_ptr_null(strchr(err_text((enum err)_i), '%'));
}
END_TEST

START_TEST(says_whether_the_handler_may_have_run)
{
	const char *ran = err_ran((enum err)_i);

	ck_assert(strcmp(ran, "no") == 0 || strcmp(ran, "maybe") == 0 || strcmp(ran, "yes") == 0);
}
END_TEST

/* RFC 6455 section 7.4.1: 1004 has no meaning; 1005, 1006 and 1015 are never sent. */
START_TEST(a_close_code_may_be_sent)
{
	int code = err_ws_close((enum err)_i);

	ck_assert(code == 0 || (code >= 1000 && code <= 1014));
	ck_assert(code != 1004 && code != 1005 && code != 1006);
}
END_TEST

START_TEST(a_status_is_one_of_http)
{
	int status = err_http_status((enum err)_i);

	ck_assert(status == 0 || status == 200 || (status >= 400 && status <= 599));
}
END_TEST

/* The table of usher.yaml(5), ERRORS. */
static const struct {
	enum err err;
	const char *code;
	int status;
	const char *ran;
} published[] = {
	{ ERR_BAD_MESSAGE, "bad_message", 400, "no" },
	{ ERR_NO_TOKEN, "no_token", 401, "no" },
	{ ERR_INVALID_TOKEN, "invalid_token", 401, "no" },
	{ ERR_TOKEN_EXPIRED, "token_expired", 401, "no" },
	{ ERR_SESSION_REVOKED, "session_revoked", 401, "no" },
	{ ERR_NOT_ALLOWED, "not_allowed", 403, "no" },
	{ ERR_NO_HANDLER, "no_handler", 404, "no" },
	{ ERR_TOO_BIG, "too_big", 413, "no" },
	{ ERR_TOO_MANY, "too_many", 429, "no" },
	{ ERR_HANDLER_ERROR, "handler_error", 500, "maybe" },
	{ ERR_LINK_LOST, "link_lost", 502, "maybe" },
	{ ERR_WORKER_LOST, "worker_lost", 502, "maybe" },
	{ ERR_REPLY_TOO_BIG, "reply_too_big", 502, "yes" },
	{ ERR_LINK_DOWN, "link_down", 503, "no" },
	{ ERR_OVERLOADED, "overloaded", 503, "no" },
	{ ERR_STOPPING, "stopping", 503, "no" },
	{ ERR_TIMEOUT, "timeout", 504, "maybe" },
	{ ERR_CANCELLED, "cancelled", 499, "maybe" },
	{ ERR_LOOP, "loop", 508, "no" },
	{ ERR_INTERNAL, "internal", 500, "maybe" },
};

START_TEST(what_clients_rely_on_stays)
{
	enum err e = published[_i].err;

	ck_assert_str_eq(err_code(e), published[_i].code);
	ck_assert_int_eq(err_http_status(e), published[_i].status);
	ck_assert_str_eq(err_ran(e), published[_i].ran);
}
END_TEST

START_TEST(stock_clients_find_their_texts)
{
	ck_assert_str_eq(err_text(ERR_NO_TOKEN), "Missing authorization header");
	ck_assert_str_eq(err_text(ERR_LINK_DOWN), "MicroService connection is down");
	ck_assert(!err_is_fault(ERR_NONE) && !err_is_fault(ERR_PEER_LEFT));
	ck_assert(err_is_fault(ERR_BAD_FRAME));
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("err");
	TCase *tc = tcase_create("err");

	tcase_add_loop_test(tc, a_code_is_a_word_of_small_letters, 0, ERR_N);
	tcase_add_loop_test(tc, no_two_have_the_same_code, 1, ERR_N);
	tcase_add_loop_test(tc, a_text_needs_nothing_filled_in, 0, ERR_N);
	tcase_add_loop_test(tc, says_whether_the_handler_may_have_run, 0, ERR_N);
	tcase_add_loop_test(tc, a_close_code_may_be_sent, 0, ERR_N);
	tcase_add_loop_test(tc, a_status_is_one_of_http, 0, ERR_N);
	tcase_add_loop_test(tc, what_clients_rely_on_stays, 0,
	    sizeof(published) / sizeof(published[0]));
	tcase_add_test(tc, stock_clients_find_their_texts);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN_STATELESS(make_suite)
