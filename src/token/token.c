/* SPDX-License-Identifier: ISC */
/*
 * A verified token: its claims noted once, then only read.
 */
#include "token/token_int.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/spares.h"
#include "base/xmalloc.h"
#include "codec/json_splice.h"
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

/* Of its texts, those of a twin before its own: about as much as a token has. */
#define FETCHED_BYTES 640

_Static_assert(sizeof(void *) > 8 || TOKEN_HEAD <= 432, "the cache has thousands");
_Static_assert(TOKEN_HEAD % _Alignof(struct token_form) == 0, "the twin is the first behind it");

/* Notes the claims; false: it is no JSON object. */
static bool
note_claims(struct token_reading *g)
{
	struct json_scan scan;
	struct json_value v;

	json_scan_init(&scan, g->payload, g->payload_len, JWT_DEPTH_MAX);
	return json_scan_members(&scan, &v, &claim_names, &g->claims, -1, NULL) &&
	    json_scan_end(&scan) && v.kind == JSON_OBJECT;
}

/* One that we read must not be there twice, as two readers could differ. */
static bool
are_unique(const struct json_object *claims)
{
	for (int i = 0; i < CLAIM_N; i++)
		if (claims->member[i].seen > 1)
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
read_time(const struct token_reading *g, enum claim_name name, double *seconds, bool *is_set)
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
read_times(struct token_reading *g)
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
read_names(struct token_reading *g)
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

static enum jwt_fault
unpack(struct token_reading *g, const char *text, size_t len, struct buf *payload,
    struct jwt_parts *parts)
{
	enum jwt_fault fault;

	payload->len = 0;
	fault = jwt_unpack(text, len, payload, parts);
	if (fault != JWT_OK)
		return fault;
	g->payload = payload->data;
	g->payload_len = payload->len;
	return note_claims(g) ? JWT_OK : JWT_BAD_JSON;
}

/* What is read only of a token whose signature is good. */
static enum jwt_fault
read_claims(struct token_reading *g)
{
	if (!are_unique(&g->claims))
		return JWT_BAD_JSON;
	if (!read_times(g))
		return JWT_BAD_TIME;
	g->application_room = g->jti_room = (struct buf){ 0 };
	read_names(g);
	return JWT_OK;
}

enum jwt_fault
token_reading_verify(struct token_reading *g, struct jwt_ring *ring, const char *text, size_t len,
    struct buf *payload)
{
	struct jwt_parts parts;
	enum jwt_fault fault = unpack(g, text, len, payload, &parts);

	if (fault == JWT_OK)
		fault = jwt_check_signature(ring, text, &parts, &g->key);
	return fault == JWT_OK ? read_claims(g) : fault;
}

enum jwt_fault
token_reading_own(struct token_reading *g, const struct jwt_ring *ring, const char *text,
    size_t len, struct buf *payload)
{
	struct jwt_parts parts;
	enum jwt_fault fault = unpack(g, text, len, payload, &parts);

	g->key = jwt_ring_number(ring, 0);
	return fault == JWT_OK ? read_claims(g) : fault;
}

static void
copy_claims(struct json_object *to, const struct json_object *from)
{
	memcpy(to, from, offsetof(struct json_object, member[CLAIM_N]));
}

void
token_reading_again(struct token_reading *g, const struct token *t)
{
	copy_claims(&g->claims, &t->claims);
	g->payload = t->payload;
	g->payload_len = t->payload_len;
	g->key = t->key;
	g->application = t->application;
	g->application_len = t->application_len;
	g->jti = t->jti;
	g->jti_len = t->jti != NULL ? strlen(t->jti) : 0;
	g->application_room = g->jti_room = (struct buf){ 0 };
	g->exp_ms = t->exp_ms;
	g->nbf_ms = t->nbf_ms;
	g->iat_s = t->iat_s;
}

void
token_reading_cleanup(struct token_reading *g)
{
	buf_free(&g->application_room);
	buf_free(&g->jti_room);
}

/* Where a place of the text is when what ended at end ends by more bytes further behind. */
static uint32_t
moved(uint32_t place, uint32_t end, uint32_t by)
{
	return place < end ? place : place + by;
}

/*
 * The claims of a payload of which the application alone is another: its value has len bytes now.
 */
static void
move_claims(struct json_object *o, size_t len)
{
	struct json_value old = o->member[CLAIM_APPLICATION].value;
	uint32_t by = (uint32_t)len - (old.end - old.start);	/* may wrap around */

	for (int i = 0; i < CLAIM_N; i++) {
		struct json_member *m = &o->member[i];

		m->value.start = moved(m->value.start, old.end, by);
		m->value.end = moved(m->value.end, old.end, by);
		m->name = moved(m->name, old.end, by);
		m->comma_before = moved(m->comma_before, old.end, by);
		m->comma_after = moved(m->comma_after, old.end, by);
	}
	o->member[CLAIM_APPLICATION].value.kind = JSON_STRING;
	o->member[CLAIM_APPLICATION].value.is_plain = false;	/* not known */
	o->close = moved(o->close, old.end, by);
}

void
token_reading_rename(struct token_reading *g, const struct token_reading *from,
    const char *application, size_t n, struct buf *payload)
{
	struct buf value = { 0 };
	struct json_edit edit = { .name = CLAIM_APPLICATION };

	buf_add_json_string(&value, application, n);
	edit.value = value.data;
	edit.len = value.len;
	payload->len = 0;
	json_splice_add(payload, from->payload, &from->claims, &claim_names, &edit, 1);
	copy_claims(&g->claims, &from->claims);
	g->payload = payload->data;
	g->payload_len = payload->len;
	g->key = from->key;
	g->application = application;
	g->application_len = n;
	g->jti = from->jti;
	g->jti_len = from->jti_len;
	g->application_room = g->jti_room = (struct buf){ 0 };
	g->exp_ms = from->exp_ms;
	g->nbf_ms = from->nbf_ms;
	g->iat_s = from->iat_s;
	/* Nearly all have one, and no space before the object. */
	if (from->claims.open == 0 && from->claims.member[CLAIM_APPLICATION].seen == 1)
		move_claims(&g->claims, value.len);
	else if (!note_claims(g))
		fatalx("a rewritten payload does not scan");
	buf_free(&value);
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

static void
put_twin(struct token *t, const struct token_form *twin, char **at)
{
	struct token_form *form = t->twin = t->forms = (struct token_form *)*at;

	*at += sizeof(*form);
	*form = (struct token_form){ .application_len = twin->application_len, .len = twin->len };
	form->application = put_text(at, twin->application, twin->application_len);
	form->text = put_text(at, twin->text, twin->len);
}

struct token *
token_of(struct token_home *home, const struct token_reading *g, const char *text, size_t len,
    const struct token_form *twin)
{
	size_t bytes = TOKEN_HEAD + len + g->payload_len + g->application_len + 3 +
	    (g->jti != NULL ? g->jti_len + 1 : 0) +
	    (twin != NULL ? sizeof(*twin) + twin->application_len + twin->len + 2 : 0);
	struct token *t = spares_take(home->spares, bytes);
	char *at = (char *)t + TOKEN_HEAD;

	memset(t, 0, offsetof(struct token, claims));
	copy_claims(&t->claims, &g->claims);
	t->refs = 1;
	t->home = home;
	home->n_tokens++;
	t->bytes = bytes;
	t->key = g->key;
	t->exp_ms = g->exp_ms;
	t->nbf_ms = g->nbf_ms;
	t->iat_s = g->iat_s;
	if (twin != NULL)
		put_twin(t, twin, &at);
	t->application_len = g->application_len;
	t->application = put_text(&at, g->application, g->application_len);
	t->len = len;
	t->text = put_text(&at, text, len);
	t->payload_len = g->payload_len;
	t->payload = put_text(&at, g->payload, g->payload_len);
	if (g->jti != NULL)
		t->jti = put_text(&at, g->jti, g->jti_len);
	return t;
}

void
token_fetch(const struct token *t)
{
	const char *p = (const char *)t;

	for (size_t at = 0; at < offsetof(struct token, twin); at += 64)
		__builtin_prefetch(p + at, 1);
	for (size_t at = TOKEN_HEAD; at < TOKEN_HEAD + FETCHED_BYTES; at += 64)
		__builtin_prefetch(p + at);
}

size_t
token_bytes(const struct token *t)
{
	size_t n = t->bytes + t->stands_for_len + (t->session != NULL ? t->session->bytes : 0);

	for (const struct token_form *form = t->forms; form != NULL; form = form->next)
		if (form != t->twin)
			n += sizeof(*form) + form->application_len + form->len + 2;
	return n;
}

static enum jwt_fault
check_time(int64_t nbf_ms, int64_t exp_ms, int64_t now_ms)
{
	if (now_ms < nbf_ms)
		return JWT_NOT_YET;
	return now_ms > exp_ms ? JWT_EXPIRED : JWT_OK;
}

enum jwt_fault
token_check_time(const struct token *t, int64_t now_ms)
{
	return check_time(t->nbf_ms, t->exp_ms, now_ms);
}

enum jwt_fault
token_reading_check_time(const struct token_reading *g, int64_t now_ms)
{
	return check_time(g->nbf_ms, g->exp_ms, now_ms);
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
		if (form != t->twin)
			free(form);
	}
	token_session_free(t->session);
	free(t->stands_for);
	assert(t->home->n_tokens > 0);
	t->home->n_tokens--;
	spares_give(t->home->spares, t, t->bytes);
}
