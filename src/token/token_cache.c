/* SPDX-License-Identifier: ISC */
/*
 * A chained table of fixed size with a list in order of use.
 *
 * The hash is keyed and has 64 bits, and is of the signature, which no two tokens share, so
 * an entry that is compared byte by byte is almost surely the one asked for, or asked for
 * by one who knows its signature: the time that takes tells nothing of others.
 */
#include "token/token_cache.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/id.h"
#include "base/siphash.h"
#include "base/xmalloc.h"
#include "codec/json_splice.h"
#include "conf/conf.h"
#include "token/claims.h"
#include "token/outside.h"
#include "token/token_int.h"
#include "token/token_session.h"

#define BUCKETS TOKEN_CACHE_ENTRIES	/* a power of two */
#define HASHED_LETTERS 16	/* 96 bits of the signature */
#define OUTSIDE_LIFETIME_S 300	/* of a session whose token is shown each time */
#define CHECKS_MAX 64		/* secrets that are counted, old ones included */

struct entry {
	LIST_ENTRY(entry) same_bucket;
	TAILQ_ENTRY(entry) by_use;
	uint64_t hash;
	struct token *token;		/* a reference */
	char *outside;			/* whose token it stands for; owned; NULL: its own */
	size_t outside_len;
	size_t bytes;			/* what it is charged with */
};

struct token_cache {
	struct jwt_ring *ring;		/* borrowed */
	const struct revoked *revoked;	/* borrowed; NULL: nothing is */
	struct outside *outside;	/* owned; NULL: nobody else signs tokens */
	char *user_claim;		/* NULL: users have no names; owned */
	uint64_t checks[CHECKS_MAX];	/* that were good, by secret */
	struct siphash_key seed;
	LIST_HEAD(bucket, entry) buckets[BUCKETS];
	TAILQ_HEAD(by_use, entry) by_use;	/* used last comes first */
	size_t n;
	size_t bytes;
};

struct token_cache *
token_cache_new(struct jwt_ring *ring)
{
	struct token_cache *c = xcalloc(1, sizeof(*c));

	c->ring = ring;
	id_random(&c->seed, sizeof(c->seed));
	TAILQ_INIT(&c->by_use);
	return c;
}

void
token_cache_free(struct token_cache *c)
{
	if (c == NULL)
		return;
	token_cache_clear(c);
	free(c->user_claim);
	outside_free(c->outside);
	free(c);
}

struct jwt_ring *
token_cache_ring(struct token_cache *c)
{
	return c->ring;
}

size_t
token_cache_count(const struct token_cache *c)
{
	return c->n;
}

size_t
token_cache_bytes(const struct token_cache *c)
{
	return c->bytes;
}

/* Of the last letters, which are of the signature. */
static uint64_t
hash_of(const struct token_cache *c, const char *text, size_t len)
{
	size_t n = len < HASHED_LETTERS ? len : HASHED_LETTERS;

	return siphash(&c->seed, text + len - n, n);
}

static struct bucket *
bucket_of(struct token_cache *c, uint64_t hash)
{
	return &c->buckets[hash % BUCKETS];
}

static bool
is_of(const struct entry *e, const char *text, size_t len)
{
	if (e->outside != NULL)
		return e->outside_len == len && memcmp(e->outside, text, len) == 0;
	return e->token->len == len && memcmp(e->token->text, text, len) == 0;
}

static struct entry *
find(struct token_cache *c, uint64_t hash, const char *text, size_t len)
{
	struct entry *e;

	LIST_FOREACH(e, bucket_of(c, hash), same_bucket)
		if (e->hash == hash && is_of(e, text, len))
			return e;
	return NULL;
}

static void
remove_entry(struct token_cache *c, struct entry *e)
{
	LIST_REMOVE(e, same_bucket);
	TAILQ_REMOVE(&c->by_use, e, by_use);
	c->n--;
	c->bytes -= e->bytes;
	e->token->entry = NULL;
	token_unref(e->token);
	free(e->outside);
	free(e);
}

void
token_cache_clear(struct token_cache *c)
{
	struct entry *e;

	while ((e = TAILQ_FIRST(&c->by_use)) != NULL)
		remove_entry(c, e);
}

static size_t
bytes_of_form(const struct token_form *form)
{
	return sizeof(*form) + form->application_len + form->len + 2;
}

static size_t
bytes_of(const struct token *t)
{
	size_t n = sizeof(struct entry) + token_bytes(t);

	for (const struct token_form *form = t->forms; form != NULL; form = form->next)
		n += bytes_of_form(form);
	return n + (t->session != NULL ? t->session->bytes : 0);
}

/* Of those that were not used for long nothing is in the processor's caches. */
static void
fetch_oldest(struct token_cache *c)
{
	struct entry *oldest = TAILQ_LAST(&c->by_use, by_use), *next;

	if (oldest == NULL)
		return;
	__builtin_prefetch(oldest->token);
	if ((next = TAILQ_PREV(oldest, by_use, by_use)) != NULL)
		__builtin_prefetch(next);
}

/* Charges the entry used last with what its token takes now, and keeps to the limits. */
static void
charge(struct token_cache *c, struct entry *e)
{
	size_t bytes = bytes_of(e->token) + e->outside_len;
	struct entry *oldest;

	c->bytes += bytes - e->bytes;
	e->bytes = bytes;
	while (c->n > TOKEN_CACHE_ENTRIES || c->bytes > TOKEN_CACHE_BYTES) {
		oldest = TAILQ_LAST(&c->by_use, by_use);
		if (oldest == e)
			break;
		remove_entry(c, oldest);
		fetch_oldest(c);
	}
}

static void
use(struct token_cache *c, struct entry *e)
{
	TAILQ_REMOVE(&c->by_use, e, by_use);
	TAILQ_INSERT_HEAD(&c->by_use, e, by_use);
}

/* A token that takes more than it did. */
static void
charge_again(struct token_cache *c, const struct token *t)
{
	if (t->entry == NULL)
		return;
	use(c, t->entry);
	charge(c, t->entry);
}

static void
remember(struct token_cache *c, uint64_t hash, struct token *t, const char *text, size_t len)
{
	struct entry *e = xcalloc(1, sizeof(*e));

	e->hash = hash;
	e->token = token_ref(t);
	t->entry = e;
	if (t->len != len || memcmp(t->text, text, len) != 0) {
		e->outside = xmemdup(text, len);
		e->outside_len = len;
	}
	LIST_INSERT_HEAD(bucket_of(c, hash), e, same_bucket);
	TAILQ_INSERT_HEAD(&c->by_use, e, by_use);
	c->n++;
	charge(c, e);
}

/* ---- revoked sessions ---- */

static bool
is_same_name(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

void
token_cache_set_revoked(struct token_cache *c, const struct revoked *revoked,
    const char *user_claim)
{
	/* Tokens that were cleared were so as those of other users. */
	if (!is_same_name(c->user_claim, user_claim))
		token_cache_clear(c);
	free(c->user_claim);
	c->user_claim = user_claim != NULL ? xstrdup(user_claim) : NULL;
	c->revoked = revoked;
}

void
token_cache_mark(struct token_cache *c, const struct token *t, struct revoked_mark *m)
{
	struct buf user = { 0 };

	*m = (struct revoked_mark){ .iat_s = t->iat_s };
	memcpy(m->tail, t->text + t->len - sizeof(m->tail), sizeof(m->tail));
	if (t->jti != NULL)
		m->jti = xstrdup(t->jti);
	if (c->user_claim != NULL)
		claims_text(c->ring, t, c->user_claim, &user);
	if (user.len > 0 && strlen(buf_str(&user)) == user.len)
		m->user = buf_take(&user);
	buf_free(&user);
}

bool
token_cache_is_revoked(struct token_cache *c, struct token *t)
{
	struct revoked_mark m;
	bool is_revoked;

	if (c->revoked == NULL || t->cleared == revoked_generation(c->revoked))
		return false;
	token_cache_mark(c, t, &m);
	is_revoked = revoked_has(c->revoked, &m);
	revoked_mark_cleanup(&m);
	if (!is_revoked)
		t->cleared = revoked_generation(c->revoked);
	return is_revoked;
}

/* The second half of every check. */
static enum jwt_fault
check_state(struct token_cache *c, struct token *t, int64_t now_ms)
{
	enum jwt_fault fault = token_check_time(t, now_ms);

	if (fault == JWT_OK && token_cache_is_revoked(c, t))
		fault = JWT_REVOKED;
	if (fault == JWT_OK && t->key < CHECKS_MAX)
		c->checks[t->key]++;
	return fault;
}

uint64_t
token_cache_checks(const struct token_cache *c, unsigned key)
{
	return key < CHECKS_MAX ? c->checks[key] : 0;
}

/* ---- tokens of others ---- */

void
token_cache_set_outside(struct token_cache *c, struct outside *outside)
{
	/* Sessions that stand for tokens of theirs are good only as long as they are. */
	if (c->outside != NULL)
		token_cache_clear(c);
	outside_free(c->outside);
	c->outside = outside;
}

bool
token_cache_has_outside(const struct token_cache *c)
{
	return c->outside != NULL;
}

/*
 * The session ends with their token at the latest, if nobody prolongs it.  It began with their
 * token as well, however late that is shown: what is revoked does not begin anew.
 */
static enum jwt_fault
register_outside(struct token_cache *c, const struct claims_new *new,
    const struct outside_session *outside, struct token **t)
{
	struct claims_new session = *new;
	int64_t left_s = outside->exp_s - new->now_s;
	struct buf own = { 0 };
	enum jwt_fault fault;

	session.outside = outside;
	if (left_s < 1)
		left_s = 1;
	if ((uint64_t)left_s < session.lifetime_s)
		session.lifetime_s = (uint64_t)left_s;
	claims_register(c->ring, &session, &own);
	fault = token_new(c->ring, own.data, own.len, t);
	buf_free(&own);
	if (fault == JWT_OK) {
		(*t)->iat_s = outside->iat_s;
		(*t)->is_outside = true;
	}
	return fault;
}

enum jwt_fault
token_exchange(struct token_cache *c, const char *text, size_t len, const struct claims_new *new,
    struct buf *token)
{
	struct outside_session outside;
	enum jwt_fault fault;
	struct token *t = NULL;

	if (c->outside == NULL)
		return JWT_ALGORITHM;
	fault = outside_verify(c->outside, text, len, new->now_s * 1000, &outside);
	if (fault == JWT_OK)
		fault = register_outside(c, new, &outside, &t);
	if (fault == JWT_OK && token_cache_is_revoked(c, t))
		fault = JWT_REVOKED;
	if (fault == JWT_OK)
		buf_add(token, t->text, t->len);
	token_unref(t);
	outside_cleanup(&outside);
	return fault;
}

/* A session for a token of theirs that was sent as if it were ours; it is not checked yet. */
static enum jwt_fault
token_new_outside(struct token_cache *c, const char *text, size_t len, int64_t now_ms,
    struct token **t)
{
	struct claims_new new = { .socket = "", .address = "", .now_s = now_ms / 1000,
		.lifetime_s = OUTSIDE_LIFETIME_S };
	struct outside_session outside;
	enum jwt_fault fault;

	fault = outside_verify(c->outside, text, len, now_ms, &outside);
	if (fault == JWT_OK && outside.issuer->application == NULL)
		fault = JWT_ALGORITHM;
	if (fault == JWT_OK) {
		new.application = outside.issuer->application;
		new.application_len = strlen(new.application);
		fault = register_outside(c, &new, &outside, t);
	}
	outside_cleanup(&outside);
	return fault;
}

/* ---- checks ---- */

/* A token that was seen before: only its time or the operator can have made it invalid. */
static enum jwt_fault
check_again(struct token_cache *c, struct entry *e, int64_t now_ms, struct token **t)
{
	enum jwt_fault fault = check_state(c, e->token, now_ms);

	if (fault != JWT_OK) {
		remove_entry(c, e);
		return fault;
	}
	use(c, e);
	*t = token_ref(e->token);
	return JWT_OK;
}

/* Takes t. */
static enum jwt_fault
check_new(struct token_cache *c, struct token *t, int64_t now_ms, struct token **out)
{
	enum jwt_fault fault = check_state(c, t, now_ms);

	if (fault == JWT_OK)
		*out = t;
	else
		token_unref(t);
	return fault;
}

enum jwt_fault
token_check_outside(struct token_cache *c, const char *text, size_t len, int64_t iat_s,
    int64_t now_ms, struct token **out)
{
	enum jwt_fault fault;
	struct token *t;

	fault = token_new(c->ring, text, len, &t);
	if (fault != JWT_OK)
		return fault;
	t->iat_s = iat_s;
	t->is_outside = true;
	return check_new(c, t, now_ms, out);
}

enum jwt_fault
token_check_once(struct token_cache *c, const char *text, size_t len, int64_t now_ms,
    struct token **out)
{
	enum jwt_fault fault;
	struct token *t;

	if (len > JWT_MAX_BYTES)
		return JWT_SEGMENTS;
	fault = token_new(c->ring, text, len, &t);
	if (fault == JWT_ALGORITHM && c->outside != NULL)
		fault = token_new_outside(c, text, len, now_ms, &t);
	return fault == JWT_OK ? check_new(c, t, now_ms, out) : fault;
}

enum jwt_fault
token_check(struct token_cache *c, const char *text, size_t len, int64_t now_ms,
    struct token **out)
{
	enum jwt_fault fault;
	struct entry *e;
	struct token *t;
	uint64_t hash;

	if (len > JWT_MAX_BYTES)
		return JWT_SEGMENTS;
	hash = hash_of(c, text, len);
	e = find(c, hash, text, len);
	if (e != NULL)
		return check_again(c, e, now_ms, out);
	fault = token_check_once(c, text, len, now_ms, &t);
	if (fault != JWT_OK)
		return fault;
	remember(c, hash, t, text, len);
	*out = t;
	return JWT_OK;
}

/* The form for this name, which then is the first of the list; NULL: there is none. */
static struct token_form *
find_form(struct token *t, const char *name, size_t n)
{
	struct token_form **link, *form;

	for (link = &t->forms; (form = *link) != NULL; link = &form->next) {
		if (form->application_len != n || memcmp(form->application, name, n) != 0)
			continue;
		*link = form->next;
		form->next = t->forms;
		t->forms = form;
		return form;
	}
	return NULL;
}

/* Of too many forms the one not used for longest goes. */
static void
drop_form(struct token *t)
{
	struct token_form **link = &t->forms, *form;

	for (int kept = 0; kept < TOKEN_FORMS_MAX && *link != NULL; kept++)
		link = &(*link)->next;
	form = *link;
	if (form == NULL)
		return;
	*link = NULL;
	free(form);
}

static struct token_form *
form_new(const char *name, size_t n, const char *text, size_t len)
{
	struct token_form *form = xmalloc(sizeof(*form) + n + 1 + len + 1);
	char *at = (char *)(form + 1);

	*form = (struct token_form){ .application = at, .application_len = n,
		.text = at + n + 1, .len = len };
	memcpy(form->application, name, n);
	form->application[n] = '\0';
	memcpy(form->text, text, len);
	form->text[len] = '\0';
	return form;
}

/* Its payload is appended. */
static struct token_form *
make_form(struct jwt_ring *ring, const struct token *t, const char *name, size_t n,
    struct buf *payload)
{
	struct buf value = { 0 }, text = { 0 };
	struct json_edit edit = { .name = CLAIM_APPLICATION };
	struct token_form *form;

	buf_add_json_string(&value, name, n);
	edit.value = value.data;
	edit.len = value.len;
	json_splice_add(payload, t->payload, &t->claims, &claim_names, &edit, 1);
	jwt_sign(ring, t->key, payload->data, payload->len, &text);
	form = form_new(name, n, text.data, text.len);
	buf_free(&value);
	buf_free(&text);
	return form;
}

/* A form that will come back as a token: it was signed here, so nobody needs to verify it. */
static void
expect(struct token_cache *c, const struct token *t, const struct token_form *form,
    const struct buf *payload)
{
	uint64_t hash = hash_of(c, form->text, form->len);
	struct token *given;

	/* Of a secret that was taken away since, it would come back as one that is good. */
	if (form->len > JWT_MAX_BYTES || !jwt_ring_has(c->ring, t->key) || find(c, hash, form->text, form->len) != NULL ||
	    token_read(form->text, form->len, payload->data, payload->len, t->key, &given) != JWT_OK)
		return;
	if (t->application_len > 0)	/* 0: it may have no such claim */
		given->forms = form_new(t->application, t->application_len, t->text, t->len);
	remember(c, hash, given, given->text, given->len);
	token_unref(given);
}

static const char *
form_for(struct token_cache *c, struct token *t, const char *name, size_t n, bool is_given,
    size_t *len)
{
	struct buf payload = { 0 };
	struct token_form *form;

	if (t->application_len == n && memcmp(t->application, name, n) == 0) {
		*len = t->len;
		return t->text;
	}
	form = find_form(t, name, n);
	if (form == NULL) {
		form = make_form(c->ring, t, name, n, &payload);
		form->next = t->forms;
		t->forms = form;
		drop_form(t);
		charge_again(c, t);
		if (is_given)
			expect(c, t, form, &payload);
		buf_free(&payload);
	}
	*len = form->len;
	return form->text;
}

const char *
token_for_name(struct token_cache *c, struct token *t, const char *name, size_t n, size_t *len)
{
	return form_for(c, t, name, n, false, len);
}

const char *
token_to_give(struct token_cache *c, struct token *t, const char *name, size_t n, size_t *len)
{
	return form_for(c, t, name, n, true, len);
}

const char *
token_for_application(struct token_cache *c, struct token *t, const char *application,
    size_t *len)
{
	return token_for_name(c, t, application, strlen(application), len);
}

const struct token_session *
token_session_for(struct token_cache *c, struct token *t, const char *application)
{
	if (t->session != NULL && strcmp(t->session->application, application) == 0)
		return t->session;
	token_session_free(t->session);
	t->session = token_session_new(c->ring, t, application);
	charge_again(c, t);
	return t->session;
}
