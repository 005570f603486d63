/* SPDX-License-Identifier: ISC */
/*
 * A verified token: its claims noted once, then only read.
 */
#include "token/token_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"

static const char *const claim_name[CLAIM_N] = {
	[CLAIM_EXP] = "exp",
	[CLAIM_IAT] = "iat",
	[CLAIM_ISS] = "iss",
	[CLAIM_APPLICATION] = "application",
	[CLAIM_TIMEOUT] = "timeout",
	[CLAIM_QEWD] = "qewd",
	[CLAIM_NBF] = "nbf",
	[CLAIM_JTI] = "jti",
};
const struct json_names claim_names = { CLAIM_N, claim_name };

/* Notes the claims; false if one that we read is there twice, so that two readers could differ. */
static bool
note_claims(struct token *t)
{
	struct json_scan scan;
	struct json_value v;

	json_scan_init(&scan, t->payload, t->payload_len, JWT_DEPTH_MAX);
	if (!json_scan_members(&scan, &v, &claim_names, &t->claims, -1, NULL) ||
	    v.kind != JSON_OBJECT)
		return false;
	for (int i = 0; i < CLAIM_N; i++)
		if (t->claims.member[i].seen > 1)
			return false;
	return true;
}

/* Seconds as whole milliseconds, rounded down; out of range: the nearest there is. */
static int64_t
floor_ms(double seconds)
{
	double ms = seconds * 1000;
	int64_t whole;

	if (ms >= 0x1p63)
		return INT64_MAX;
	if (ms <= -0x1p63)
		return INT64_MIN;
	whole = (int64_t)ms;
	return (double)whole > ms ? whole - 1 : whole;
}

/*
 * A time in seconds; *is_set is false if it is absent, null or 0, which the stock
 * master takes for "none".  Returns false if it is anything else but a number.
 */
static bool
read_time(const struct token *t, enum claim_name name, double *seconds, bool *is_set)
{
	struct json_value v = t->claims.member[name].value;

	*is_set = false;
	if (v.kind == JSON_NONE || v.kind == JSON_NULL)
		return true;
	if (!json_number_double(t->payload, v, seconds))
		return false;
	*is_set = *seconds != 0;
	return true;
}

/* "After exp" and "before nbf" have to mean the same in whole milliseconds as in fractions. */
static bool
read_times(struct token *t)
{
	double exp, nbf, iat;
	bool has_exp, has_nbf;

	if (json_number_double(t->payload, t->claims.member[CLAIM_IAT].value, &iat))
		t->iat_s = floor_ms(iat) / 1000;
	if (!read_time(t, CLAIM_EXP, &exp, &has_exp) || !read_time(t, CLAIM_NBF, &nbf, &has_nbf))
		return false;
	t->exp_ms = has_exp ? floor_ms(exp) : INT64_MAX;
	t->nbf_ms = INT64_MIN;
	if (has_nbf) {
		int64_t before = floor_ms(-nbf);

		t->nbf_ms = before == INT64_MIN ? INT64_MAX : -before;
	}
	return true;
}

/* A claim that is a string, unescaped; NULL if it is none.  Gives it. */
static char *
read_string(const struct token *t, enum claim_name name, size_t *len)
{
	struct buf room = { 0 };
	const char *text;
	char *s = NULL;

	*len = 0;
	if (json_string_view(t->payload, t->claims.member[name].value, &text, len, &room))
		s = xmemdup(text, *len);
	buf_free(&room);
	return s;
}

static void
read_names(struct token *t)
{
	size_t jti_len;

	t->application = read_string(t, CLAIM_APPLICATION, &t->application_len);
	if (t->application == NULL)
		t->application = xstrdup("");
	t->jti = read_string(t, CLAIM_JTI, &jti_len);
	if (t->jti != NULL && strlen(t->jti) != jti_len) {
		free(t->jti);	/* cut at a NUL it would be another session's */
		t->jti = NULL;
	}
}

enum jwt_fault
token_new(struct jwt_ring *ring, const char *text, size_t len, struct token **out)
{
	struct buf payload = { 0 };
	enum jwt_fault fault;
	unsigned key;

	fault = jwt_verify(ring, text, len, &payload, &key);
	if (fault == JWT_OK)
		fault = token_read(text, len, payload.data, payload.len, key, out);
	buf_free(&payload);
	return fault;
}

enum jwt_fault
token_read(const char *text, size_t len, const char *payload, size_t payload_len, unsigned key,
    struct token **out)
{
	enum jwt_fault fault = JWT_OK;
	struct token *t = xcalloc(1, sizeof(*t));

	t->refs = 1;
	t->iat_s = INT64_MIN;
	t->text = xmemdup(text, len);
	t->len = len;
	t->payload_len = payload_len;
	t->payload = xmemdup(payload, payload_len);
	t->key = key;
	if (!note_claims(t))
		fault = JWT_BAD_JSON;
	else if (!read_times(t))
		fault = JWT_BAD_TIME;
	if (fault != JWT_OK) {
		token_unref(t);
		return fault;
	}
	read_names(t);
	*out = t;
	return JWT_OK;
}

enum jwt_fault
token_check_time(const struct token *t, int64_t now_ms)
{
	if (now_ms < t->nbf_ms)
		return JWT_NOT_YET;
	return now_ms > t->exp_ms ? JWT_EXPIRED : JWT_OK;
}

struct token *
token_ref(struct token *t)
{
	t->refs++;
	return t;
}

void
token_unref(struct token *t)
{
	struct token_form *form;

	if (t == NULL)
		return;
	assert(t->refs > 0);
	if (--t->refs > 0)
		return;
	while ((form = t->forms) != NULL) {
		t->forms = form->next;
		token_form_free(form);
	}
	free(t->text);
	free(t->payload);
	free(t->application);
	free(t->jti);
	free(t);
}

void
token_form_free(struct token_form *form)
{
	free(form->application);
	free(form->text);
	free(form);
}
