/* SPDX-License-Identifier: ISC */
/*
 * Sessions in tokens.
 *
 * A session is one object for a handler and two in a token: the public claims
 * themselves, and the secret ones inside the encrypted "qewd".  Buffers that hold
 * secrets in the clear are given their full size before they are filled, as a
 * buffer that moves leaves its old content behind, and are wiped.
 */
#include "token/claims.h"

#include <string.h>

#include "base/id.h"
#include "base/log.h"
#include "codec/base64.h"
#include "token/claim_list.h"
#include "token/outside.h"

#define ISSUER "\"qewd.jwt\""
#define JTI_BYTES 12
#define TIMEOUT_MAX_S 9007199254740	/* 285,000 years: exp in ms is exact as a double */

/* A piece of JSON text. */
struct text {
	const char *p;
	size_t len;
};

/* A session as its token tells it. */
struct view {
	struct claim_list public;
	struct claim_list secrets;
	struct buf plain;		/* what secrets points into */
	bool is_readable;		/* no qewd, or one that could be decrypted */
};

/* The claims every fresh token begins with. */
struct head {
	int64_t now_s;
	uint64_t timeout_ms;
	struct text timeout;		/* as written; no text: its milliseconds as seconds */
	struct text iss;		/* no text: ours */
	struct text application;	/* no text: left out */
};

static bool
is_named(const struct claim *c, const char *name)
{
	return c->name_len == strlen(name) && memcmp(c->name, name, c->name_len) == 0;
}

/* Claims that are ours to write: what a handler says of them is ignored. */
static bool
is_ours(const struct claim *c)
{
	static const char *const ours[] = {
		"exp", "iat", "iss", "application", "timeout", "qewd", "jti"
	};

	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (is_named(c, ours[i]))
			return true;
	return false;
}

static struct text
text_of(const char *text, struct json_value v)
{
	return (struct text){ text + v.start, v.end - v.start };
}

static struct text
claim_text(const struct token *t, enum claim_name name)
{
	return text_of(t->payload, t->claims.member[name].value);
}

static void
add_text(struct buf *b, struct text text)
{
	buf_add(b, text.p, text.len);
}

/* Begins a member. */
static void
add_name(struct buf *b, const char *name)
{
	if (b->data[b->len - 1] != '{')
		buf_add_char(b, ',');
	buf_add_char(b, '"');
	buf_add_str(b, name);
	buf_add_str(b, "\":");
}

/* Adds a member whose value is a plain string. */
static void
add_string(struct buf *b, const char *name, const char *value)
{
	add_name(b, name);
	buf_add_json_string(b, value, strlen(value));
}

/* Decrypts the qewd claim; false, and an empty plain, if there is none or it is damaged. */
static bool
decrypt_qewd(struct jwt_ring *ring, const struct token *t, struct buf *plain)
{
	struct buf hex = { 0 };
	bool is_good;

	is_good = json_string_get(t->payload, t->claims.member[CLAIM_QEWD].value, &hex) &&
	    jwt_decrypt(ring, t->key, hex.data, hex.len, plain);
	buf_free(&hex);
	return is_good;
}

static bool
read_secrets(struct jwt_ring *ring, const struct token *t, struct view *view)
{
	struct json_value v;

	return decrypt_qewd(ring, t, &view->plain) &&
	    json_scan_text(view->plain.data, view->plain.len, JWT_DEPTH_MAX, &v) &&
	    claim_list_read(&view->secrets, view->plain.data, view->plain.len, JWT_DEPTH_MAX);
}

static void
view_init(struct view *view, struct jwt_ring *ring, const struct token *t)
{
	*view = (struct view){ 0 };
	if (!claim_list_read(&view->public, t->payload, t->payload_len, JWT_DEPTH_MAX))
		fatalx("jwt: a verified token has no claims");
	view->is_readable = t->claims.member[CLAIM_QEWD].seen == 0 ||
	    read_secrets(ring, t, view);
}

static void
view_cleanup(struct view *view)
{
	claim_list_free(&view->public);
	claim_list_free(&view->secrets);
	jwt_wipe(&view->plain);
}

/* Does a handler see this secret, or a public claim of its name instead? */
static bool
is_copied(const struct view *view, const struct claim *secret)
{
	if (is_named(secret, "application") || is_named(secret, "qewd"))
		return false;
	return !claim_is_truthy(&view->public,
	    claim_list_find(&view->public, secret->name, secret->name_len));
}

/* Does a handler see this public claim?  Not one that is false where a secret has its name. */
static bool
is_shown(const struct view *view, const struct claim *c)
{
	if (is_named(c, "qewd"))
		return false;
	return claim_is_truthy(&view->public, c) ||
	    claim_list_find(&view->secrets, c->name, c->name_len) == NULL;
}

/* The names of the secrets that a handler sees, as a JSON array. */
static void
add_secret_names(struct buf *b, const struct view *view)
{
	bool is_first = true;

	buf_add_char(b, '[');
	for (size_t i = 0; i < view->secrets.n; i++) {
		const struct claim *c = &view->secrets.claims[i];

		if (!is_copied(view, c))
			continue;
		if (!is_first)
			buf_add_char(b, ',');
		is_first = false;
		add_text(b, text_of(view->secrets.text, c->raw_name));
	}
	buf_add_char(b, ']');
}

void
claims_session(struct jwt_ring *ring, const struct token *t, const char *application,
    struct buf *session, struct buf *secret)
{
	struct view view;

	view_init(&view, ring, t);
	buf_reserve(session, t->payload_len + view.plain.len + 6 * strlen(application) + 32);
	buf_add_char(session, '{');
	for (size_t i = 0; i < view.public.n; i++) {
		const struct claim *c = &view.public.claims[i];

		if (is_named(c, "application"))
			add_string(session, "application", application);
		else if (is_shown(&view, c))
			claim_add(session, &view.public, c);
	}
	if (t->claims.member[CLAIM_APPLICATION].seen == 0)
		add_string(session, "application", application);
	for (size_t i = 0; i < view.secrets.n; i++)
		if (is_copied(&view, &view.secrets.claims[i]))
			claim_add(session, &view.secrets, &view.secrets.claims[i]);
	buf_add_char(session, '}');
	add_secret_names(secret, &view);
	view_cleanup(&view);
}

/* A number of seconds above 0; how many milliseconds it is. */
static bool
read_timeout(const char *text, struct json_value v, uint64_t *ms)
{
	double s;

	if (!json_number_double(text, v, &s) || !(s > 0))
		return false;
	if (s > TIMEOUT_MAX_S)
		s = TIMEOUT_MAX_S;
	*ms = (uint64_t)(s * 1000);
	return true;
}

static void
choose_lifetime(struct head *head, uint64_t lifetime_s)
{
	head->timeout_ms = (lifetime_s < TIMEOUT_MAX_S ? lifetime_s : TIMEOUT_MAX_S) * 1000;
	head->timeout = (struct text){ 0 };
}

/* The timeout of the session, else of the token, else the one for new sessions. */
static void
choose_timeout(struct head *head, const struct claim_list *session, const struct token *t,
    uint64_t lifetime_s)
{
	const struct claim *c = session != NULL ? claim_list_find(session, "timeout", 7) : NULL;
	struct json_value v = t->claims.member[CLAIM_TIMEOUT].value;

	if (c != NULL && read_timeout(session->text, c->value, &head->timeout_ms))
		head->timeout = text_of(session->text, c->value);
	else if (read_timeout(t->payload, v, &head->timeout_ms))
		head->timeout = text_of(t->payload, v);
	else
		choose_lifetime(head, lifetime_s);
}

/* Whole seconds as such, others with their milliseconds. */
static void
add_seconds(struct buf *b, int64_t seconds, uint64_t ms)
{
	seconds += (int64_t)(ms / 1000);
	if (seconds < 0)
		buf_add_char(b, '-');
	buf_add_u64(b, seconds < 0 ? -(uint64_t)seconds : (uint64_t)seconds);
	if (ms % 1000 != 0)
		buf_printf(b, ".%03u", (unsigned)(ms % 1000));
}

/* Begins a payload, in the order of stock tokens. */
static void
add_head(struct buf *b, const struct head *head)
{
	buf_add_str(b, "{\"exp\":");
	add_seconds(b, head->now_s, head->timeout_ms);
	buf_add_str(b, ",\"iat\":");
	add_seconds(b, head->now_s, 0);
	buf_add_str(b, ",\"iss\":");
	if (head->iss.len > 0)
		add_text(b, head->iss);
	else
		buf_add_str(b, ISSUER);
	if (head->application.len > 0) {
		buf_add_str(b, ",\"application\":");
		add_text(b, head->application);
	}
	buf_add_str(b, ",\"timeout\":");
	if (head->timeout.len > 0)
		add_text(b, head->timeout);
	else
		add_seconds(b, 0, head->timeout_ms);
}

/* Adds the qewd claim with this plain text. */
static void
add_qewd(struct buf *b, struct jwt_ring *ring, const struct buf *plain)
{
	buf_add_str(b, ",\"qewd\":\"");
	jwt_encrypt(ring, JWT_FIRST, plain->data, plain->len, b);
	buf_add_char(b, '"');
}

/* Adds a claim of t as it is written there, if it has it. */
static void
keep_claim(struct buf *b, const struct token *t, enum claim_name name)
{
	if (t->claims.member[name].seen == 0)
		return;
	add_name(b, claim_names.name[name]);
	add_text(b, claim_text(t, name));
}

static void
finish_token(struct jwt_ring *ring, struct buf *payload, struct buf *token)
{
	buf_add_char(payload, '}');
	jwt_sign(ring, JWT_FIRST, payload->data, payload->len, token);
	buf_free(payload);
}

/* At most so long are the secrets of a new session: a byte may become "\\u0000". */
static size_t
room_for_client(const struct claims_new *new)
{
	return 6 * strlen(new->socket) + 6 * strlen(new->address) + 128;
}

/* The secrets of a session that has just begun. */
static void
add_first_secrets(struct buf *plain, const struct claims_new *new)
{
	buf_reserve(plain, room_for_client(new));
	buf_add_char(plain, '{');
	add_string(plain, "socketId", new->socket);
	add_string(plain, "ipAddress", new->address);
	buf_printf(plain, ",\"authenticated\":%s}", new->outside != NULL ? "true" : "false");
}

void
claims_register(struct jwt_ring *ring, const struct claims_new *new, struct buf *token)
{
	struct head head = { .now_s = jwt_issue_time(ring, new->now_s) };
	struct buf name = { 0 }, plain = { 0 }, payload = { 0 };
	unsigned char jti[JTI_BYTES];

	buf_add_json_string(&name, new->application, new->application_len);
	head.application = (struct text){ name.data, name.len };
	choose_lifetime(&head, new->lifetime_s);
	add_first_secrets(&plain, new);
	id_random(jti, sizeof(jti));

	add_head(&payload, &head);
	add_qewd(&payload, ring, &plain);
	buf_add_str(&payload, ",\"jti\":\"");
	if (new->outside != NULL)
		buf_add_str(&payload, new->outside->jti);
	else
		base64url_encode(&payload, jti, sizeof(jti));
	buf_add_char(&payload, '"');
	if (new->outside != NULL)
		buf_add(&payload, new->outside->claims.data, new->outside->claims.len);
	finish_token(ring, &payload, token);
	buf_free(&name);
	jwt_wipe(&plain);
}

/* The claims of a list that are neither ours nor secret.  hidden NULL: none is. */
static void
add_public(struct buf *b, const struct claim_list *list, const struct claim_list *hidden)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct claim *c = &list->claims[i];

		if (is_ours(c) ||
		    (hidden != NULL && claim_list_find(hidden, c->name, c->name_len) != NULL))
			continue;
		/* It would make the token one that we refuse. */
		if (is_named(c, "nbf") && c->value.kind != JSON_NUMBER)
			continue;
		claim_add(b, list, c);
	}
}

/* The head of a fresh token for the session that t told of. */
static void
renew_head(struct head *head, const struct token *t, int64_t now_s)
{
	*head = (struct head){ .now_s = now_s };
	head->iss = claim_text(t, CLAIM_ISS);
	head->application = claim_text(t, CLAIM_APPLICATION);
}

/* The secrets, socketId and ipAddress anew where they stood; if none, those of a new session. */
static void
move_secrets(struct buf *plain, const struct view *view, const struct claims_new *new)
{
	bool has_socket = false, has_address = false;

	if (view->secrets.text == NULL) {
		add_first_secrets(plain, new);
		return;
	}
	buf_reserve(plain, view->plain.len + room_for_client(new));
	buf_add_char(plain, '{');
	for (size_t i = 0; i < view->secrets.n; i++) {
		const struct claim *c = &view->secrets.claims[i];

		if (is_named(c, "socketId")) {
			add_string(plain, "socketId", new->socket);
			has_socket = true;
		} else if (is_named(c, "ipAddress")) {
			add_string(plain, "ipAddress", new->address);
			has_address = true;
		} else {
			claim_add(plain, &view->secrets, c);
		}
	}
	if (!has_socket)
		add_string(plain, "socketId", new->socket);
	if (!has_address)
		add_string(plain, "ipAddress", new->address);
	buf_add_char(plain, '}');
}

void
claims_reregister(struct jwt_ring *ring, const struct token *t, const struct claims_new *new,
    struct buf *token)
{
	struct buf name = { 0 }, plain = { 0 }, payload = { 0 };
	struct head head;
	struct view view;

	view_init(&view, ring, t);
	renew_head(&head, t, jwt_issue_time(ring, new->now_s));
	choose_timeout(&head, NULL, t, new->lifetime_s);
	if (head.application.len == 0) {
		buf_add_json_string(&name, new->application, new->application_len);
		head.application = (struct text){ name.data, name.len };
	}

	add_head(&payload, &head);
	if (view.is_readable) {
		move_secrets(&plain, &view, new);
		add_qewd(&payload, ring, &plain);
	} else {
		keep_claim(&payload, t, CLAIM_QEWD);
	}
	keep_claim(&payload, t, CLAIM_JTI);
	add_public(&payload, &view.public, NULL);
	finish_token(ring, &payload, token);

	buf_free(&name);
	jwt_wipe(&plain);
	view_cleanup(&view);
}

/* The qewd claim as it is, under the secret that signs. */
static void
keep_qewd(struct buf *payload, struct jwt_ring *ring, const struct token *t)
{
	struct buf plain = { 0 };

	if (!jwt_ring_is_first(ring, t->key) && decrypt_qewd(ring, t, &plain))
		add_qewd(payload, ring, &plain);
	else
		keep_claim(payload, t, CLAIM_QEWD);
	jwt_wipe(&plain);
}

/* The names that are encrypted from now on: those the handler gave, else those it was given. */
static void
read_hidden(struct claim_list *hidden, struct buf *own, const struct view *view,
    const struct claims_update *u)
{
	if (u->secret != NULL && claim_list_read_names(hidden, u->secret, u->secret_len))
		return;
	add_secret_names(own, view);
	if (!claim_list_read_names(hidden, own->data, own->len))
		fatalx("jwt: names of secrets cannot be read");
}

/* The members of the session that are to be secret, as the new plain text; how many. */
static size_t
gather_secrets(struct buf *plain, const struct claim_list *session, size_t session_len,
    const struct claim_list *hidden)
{
	size_t n = 0;

	buf_reserve(plain, session_len + 2);
	buf_add_char(plain, '{');
	for (size_t i = 0; i < session->n; i++) {
		const struct claim *c = &session->claims[i];

		if (is_ours(c) || claim_list_find(hidden, c->name, c->name_len) == NULL)
			continue;
		claim_add(plain, session, c);
		n++;
	}
	buf_add_char(plain, '}');
	return n;
}

/* qewd, jti and the public claims of a session that a handler gave. */
static void
add_given(struct buf *payload, struct jwt_ring *ring, const struct token *t,
    const struct claim_list *session, const struct claims_update *u)
{
	struct buf names = { 0 }, plain = { 0 };
	struct claim_list hidden;
	struct view view;
	size_t n;

	view_init(&view, ring, t);
	read_hidden(&hidden, &names, &view, u);
	n = gather_secrets(&plain, session, u->session_len, &hidden);
	if (n > 0 || view.is_readable)
		add_qewd(payload, ring, &plain);
	else
		keep_claim(payload, t, CLAIM_QEWD);
	keep_claim(payload, t, CLAIM_JTI);
	add_public(payload, session, &hidden);

	claim_list_free(&hidden);
	jwt_wipe(&plain);
	jwt_wipe(&names);
	view_cleanup(&view);
}

/* The same of the token itself. */
static void
add_kept(struct buf *payload, struct jwt_ring *ring, const struct token *t)
{
	struct claim_list public;

	if (!claim_list_read(&public, t->payload, t->payload_len, JWT_DEPTH_MAX))
		fatalx("jwt: a verified token has no claims");
	keep_qewd(payload, ring, t);
	keep_claim(payload, t, CLAIM_JTI);
	add_public(payload, &public, NULL);
	claim_list_free(&public);
}

/*
 * Has t the time that a new one would get, under the secret that signs?  Then it is as good as new:
 * a session that is not changed has one token a second, and its HMAC is not made again.
 */
static bool
is_as_new(const struct jwt_ring *ring, const struct token *t, const struct head *head)
{
	uint64_t iat_s;

	return jwt_ring_is_first(ring, t->key) && jwt_has_usual_header(t->text, t->len) &&
	    t->claims.member[CLAIM_TIMEOUT].seen == 1 && t->claims.member[CLAIM_IAT].seen == 1 &&
	    json_number_u64(t->payload, t->claims.member[CLAIM_IAT].value, &iat_s) &&
	    iat_s == (uint64_t)head->now_s &&
	    t->exp_ms == head->now_s * 1000 + (int64_t)head->timeout_ms;
}

void
claims_issue(struct jwt_ring *ring, const struct token *t, const struct claims_update *u,
    struct buf *token)
{
	struct claim_list session = { 0 };
	struct buf payload = { 0 };
	bool is_given = u->session != NULL;
	struct head head;

	if (is_given && !claim_list_read(&session, u->session, u->session_len, JWT_DEPTH_MAX)) {
		log_warnx("jwt: session of a handler cannot be put into a token: old one kept");
		is_given = false;
	}
	renew_head(&head, t, jwt_issue_time(ring, u->now_s));
	choose_timeout(&head, is_given ? &session : NULL, t, u->lifetime_s);
	if (!is_given && is_as_new(ring, t, &head)) {
		buf_add(token, t->text, t->len);
		return;
	}
	add_head(&payload, &head);
	if (is_given)
		add_given(&payload, ring, t, &session, u);
	else
		add_kept(&payload, ring, t);
	finish_token(ring, &payload, token);
	claim_list_free(&session);
}

/* A secret that is a string. */
static void
add_secret(struct buf *b, const struct view *view, const char *name)
{
	const struct claim *c = claim_list_find(&view->secrets, name, strlen(name));

	if (c != NULL)
		json_string_get(view->secrets.text, c->value, b);
	buf_str(b);
}

void
claims_client(struct jwt_ring *ring, const struct token *t, struct buf *socket,
    struct buf *address)
{
	struct view view;

	view_init(&view, ring, t);
	add_secret(socket, &view, "socketId");
	add_secret(address, &view, "ipAddress");
	view_cleanup(&view);
}

void
claims_text(struct jwt_ring *ring, const struct token *t, const char *name, struct buf *text)
{
	const struct claim *c;
	struct view view;

	view_init(&view, ring, t);
	c = claim_list_find(&view.public, name, strlen(name));
	if (claim_is_truthy(&view.public, c))
		json_string_get(view.public.text, c->value, text);
	else
		add_secret(text, &view, name);
	view_cleanup(&view);
}
