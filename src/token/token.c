/* SPDX-License-Identifier: ISC */
/*
 * A verified token: its claims noted once, then only read.
 */
#include "token/token_int.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "token/token_session.h"

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

/* A token with room for those claims alone that there are; its texts follow. */
#define TOKEN_HEAD offsetof(struct token, claims.member[CLAIM_N])

/* Claims being read, before it is known how much room their token takes. */
struct reading {
	struct json_object claims;
	const char *payload;
	size_t payload_len;
	const char *application, *jti;	/* unescaped, in the payload or in the rooms */
	size_t application_len, jti_len;	/* jti NULL: it has none that counts */
	struct buf application_room, jti_room;
	int64_t exp_ms, nbf_ms, iat_s;
};

/* Notes the claims; false if one that we read is there twice, so that two readers could differ. */
static bool
note_claims(struct reading *g)
{
	struct json_scan scan;
	struct json_value v;

	json_scan_init(&scan, g->payload, g->payload_len, JWT_DEPTH_MAX);
	if (!json_scan_members(&scan, &v, &claim_names, &g->claims, -1, NULL) ||
	    v.kind != JSON_OBJECT)
		return false;
	for (int i = 0; i < CLAIM_N; i++)
		if (g->claims.member[i].seen > 1)
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
read_time(const struct reading *g, enum claim_name name, double *seconds, bool *is_set)
{
	struct json_value v = g->claims.member[name].value;

	*is_set = false;
	if (v.kind == JSON_NONE || v.kind == JSON_NULL)
		return true;
	if (!json_number_double(g->payload, v, seconds))
		return false;
	*is_set = *seconds != 0;
	return true;
}

/* "After exp" and "before nbf" have to mean the same in whole milliseconds as in fractions. */
static bool
read_times(struct reading *g)
{
	double exp, nbf, iat;
	bool has_exp, has_nbf;

	g->iat_s = INT64_MIN;
	if (json_number_double(g->payload, g->claims.member[CLAIM_IAT].value, &iat))
		g->iat_s = floor_ms(iat) / 1000;
	if (!read_time(g, CLAIM_EXP, &exp, &has_exp) || !read_time(g, CLAIM_NBF, &nbf, &has_nbf))
		return false;
	g->exp_ms = has_exp ? floor_ms(exp) : INT64_MAX;
	g->nbf_ms = INT64_MIN;
	if (has_nbf) {
		int64_t before = floor_ms(-nbf);

		g->nbf_ms = before == INT64_MIN ? INT64_MAX : -before;
	}
	return true;
}

static void
read_names(struct reading *g)
{
	const struct json_member *m = g->claims.member;

	if (!json_string_view(g->payload, m[CLAIM_APPLICATION].value, &g->application,
	    &g->application_len, &g->application_room)) {
		g->application = "";
		g->application_len = 0;
	}
	/* Cut at a NUL it would be another session's. */
	if (!json_string_view(g->payload, m[CLAIM_JTI].value, &g->jti, &g->jti_len, &g->jti_room) ||
	    memchr(g->jti, '\0', g->jti_len) != NULL)
		g->jti = NULL;
}

/* Where the text, with a NUL, lies in a block from now on. */
static char *
put_text(char **at, const char *text, size_t len)
{
	char *to = *at;

	memcpy(to, text, len);
	to[len] = '\0';
	*at = to + len + 1;
	return to;
}

static struct token *
token_of(const struct reading *g, const char *text, size_t len, unsigned key)
{
	size_t texts = len + g->payload_len + g->application_len + 3 +
	    (g->jti != NULL ? g->jti_len + 1 : 0);
	struct token *t = xmalloc(TOKEN_HEAD + texts);
	char *at = (char *)t + TOKEN_HEAD;

	memset(t, 0, offsetof(struct token, claims));
	memcpy(&t->claims, &g->claims, TOKEN_HEAD - offsetof(struct token, claims));
	t->refs = 1;
	t->key = key;
	t->exp_ms = g->exp_ms;
	t->nbf_ms = g->nbf_ms;
	t->iat_s = g->iat_s;
	t->len = len;
	t->text = put_text(&at, text, len);
	t->payload_len = g->payload_len;
	t->payload = put_text(&at, g->payload, g->payload_len);
	t->application_len = g->application_len;
	t->application = put_text(&at, g->application, g->application_len);
	if (g->jti != NULL)
		t->jti = put_text(&at, g->jti, g->jti_len);
	return t;
}

size_t
token_bytes(const struct token *t)
{
	return TOKEN_HEAD + t->len + t->payload_len + t->application_len + 3 +
	    (t->jti != NULL ? strlen(t->jti) + 1 : 0);
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
	struct reading g;

	g.payload = payload;
	g.payload_len = payload_len;
	if (!note_claims(&g))
		return JWT_BAD_JSON;
	if (!read_times(&g))
		return JWT_BAD_TIME;
	g.application_room = g.jti_room = (struct buf){ 0 };
	read_names(&g);
	*out = token_of(&g, text, len, key);
	buf_free(&g.application_room);
	buf_free(&g.jti_room);
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
		free(form);
	}
	token_session_free(t->session);
	free(t);
}
