/* SPDX-License-Identifier: ISC */
/*
 * HS256 and AES with OpenSSL; this is the only file here that knows it.
 *
 * Nearly every token has the very header that QEWD writes, which is compared as
 * text; any other is read as JSON.  A fault is looked for in the order of the stock
 * master, so that a client sees the same words: segments, JSON, algorithm,
 * signature.
 */
#include "token/jwt.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "codec/base64.h"
#include "codec/json_scan.h"

#define MAC_BYTES 32	/* SHA-256 */
#define MAC_LETTERS 43	/* as base64url */
#define AES_BLOCK 16
#define AES_KEY 32
#define PLAIN_MAX (INT_MAX / 4)	/* OpenSSL counts in int */

/* {"typ":"JWT","alg":"HS256"} */
static const char usual_header[] = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9";

static const char *const fault_text[JWT_N] = {
	[JWT_OK] = "",
	[JWT_NO_TOKEN] = "Error: No token supplied",
	[JWT_NOT_STRING] = "TypeError: token.split is not a function",
	[JWT_SEGMENTS] = "Error: Not enough or too many segments",
	[JWT_BAD_JSON] = "SyntaxError: Unexpected token in JSON",
	[JWT_ALGORITHM] = "Error: Algorithm not supported",
	[JWT_SIGNATURE] = "Error: Signature verification failed",
	[JWT_BAD_TIME] = "Error: exp or nbf is not a number",
	[JWT_NOT_YET] = "Error: Token not yet active",
	[JWT_EXPIRED] = "Error: Token expired",
	[JWT_AUDIENCE] = "Error: Audience not expected",
	[JWT_REVOKED] = "Error: Session revoked",
};

/* What a header may say that matters to us. */
enum header_name { HEADER_ALG, HEADER_CRIT, HEADER_N };
static const char *const header_name[HEADER_N] = {
	[HEADER_ALG] = "alg",
	[HEADER_CRIT] = "crit",
};
static const struct json_names header_names = { HEADER_N, header_name };

struct secret {
	EVP_MAC_CTX *mac;	/* keyed; started anew for each use; NULL: the place is free */
	uint64_t n_checks;	/* that found a token of it good */
	unsigned char print[MAC_BYTES];	/* the same for the same secret */
	EVP_CIPHER_CTX *seal, *open;	/* keyed as well: one key for each session of a secret */
	unsigned char aes_iv[AES_BLOCK];
};

struct jwt_ring {
	size_t n;			/* places */
	struct secret *secrets;		/* by number */
	unsigned *listed;		/* numbers of those that verify, the one that signs first */
	size_t n_listed;
	EVP_CIPHER *cipher;
	int64_t issue_from_s;
};

const char *
jwt_fault_text(enum jwt_fault fault)
{
	return fault_text[fault];
}

enum err
jwt_fault_err(enum jwt_fault fault)
{
	switch (fault) {
	case JWT_EXPIRED:
		return ERR_TOKEN_EXPIRED;
	case JWT_REVOKED:
		return ERR_SESSION_REVOKED;
	default:
		return ERR_INVALID_TOKEN;
	}
}

void
jwt_issue_from(struct jwt_ring *ring, int64_t from_s)
{
	ring->issue_from_s = from_s;
}

unsigned
jwt_ring_number(const struct jwt_ring *ring, size_t i)
{
	return ring->listed[i];
}

int64_t
jwt_issue_time(const struct jwt_ring *ring, int64_t now_s)
{
	return now_s > ring->issue_from_s ? now_s : ring->issue_from_s;
}

void
jwt_wipe_bytes(void *p, size_t n)
{
	OPENSSL_cleanse(p, n);
}

void
jwt_wipe(struct buf *b)
{
	if (b->cap > 0)
		jwt_wipe_bytes(b->data, b->cap);
	buf_free(b);
}

/* None of the calls checked with this fails but for want of memory or of a sane libcrypto. */
static void
must(bool worked, const char *what)
{
	const char *reason;

	if (worked)
		return;
	reason = ERR_reason_error_string(ERR_peek_last_error());
	fatalx("libcrypto: %s: %s", what, reason != NULL ? reason : "failed");
}

static struct secret *
secret_of(const struct jwt_ring *ring, unsigned key)
{
	return &ring->secrets[key != JWT_FIRST ? key : ring->listed[0]];
}

static void
hmac_with(EVP_MAC_CTX *ctx, const void *data, size_t len, unsigned char mac[MAC_BYTES])
{
	size_t mac_len;

	must(EVP_MAC_init(ctx, NULL, 0, NULL) == 1 && EVP_MAC_update(ctx, data, len) == 1 &&
	    EVP_MAC_final(ctx, mac, &mac_len, MAC_BYTES) == 1 && mac_len == MAC_BYTES, "HMAC");
}

static void
hmac(struct jwt_ring *ring, unsigned key, const void *data, size_t len,
    unsigned char mac[MAC_BYTES])
{
	hmac_with(secret_of(ring, key)->mac, data, len, mac);
}

/* The HMAC as it is written in a token or a proof. */
static void
hmac_letters(struct jwt_ring *ring, unsigned key, const void *data, size_t len, struct buf *out)
{
	unsigned char mac[MAC_BYTES];

	hmac(ring, key, data, len, mac);
	base64url_encode(out, mac, sizeof(mac));
}

/*
 * The key and IV that QEWD derives: EVP_BytesToKey with MD5, one iteration and no
 * salt, the same for every session of a secret (protocol reference section 7.1).
 */
static void
secret_init(struct secret *s, EVP_MAC *hmac_type, const EVP_CIPHER *cipher,
    const struct jwt_secret *from)
{
	char sha256[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0),
		OSSL_PARAM_construct_end(),
	};
	unsigned char aes_key[AES_KEY];
	int key_len;

	/* An HMAC under an empty secret can be computed by anybody. */
	if (from->len == 0 || from->len > INT_MAX)
		fatalx("jwt: secret %s is empty or too long", from->id);
	s->mac = EVP_MAC_CTX_new(hmac_type);
	must(s->mac != NULL &&
	    EVP_MAC_init(s->mac, from->bytes, from->len, params) == 1, "HMAC key");
	key_len = EVP_BytesToKey(cipher, EVP_md5(), NULL, from->bytes, (int)from->len, 1,
	    aes_key, s->aes_iv);
	must(key_len == sizeof(aes_key), "EVP_BytesToKey");
	s->seal = EVP_CIPHER_CTX_new();
	s->open = EVP_CIPHER_CTX_new();
	must(s->seal != NULL && s->open != NULL &&
	    EVP_EncryptInit_ex2(s->seal, cipher, aes_key, s->aes_iv, NULL) == 1 &&
	    EVP_DecryptInit_ex2(s->open, cipher, aes_key, s->aes_iv, NULL) == 1, "AES key");
	OPENSSL_cleanse(aes_key, sizeof(aes_key));
}

/* A context started anew must give the same again; if not, no token would ever fit. */
static void
prove_reuse(struct secret *s)
{
	unsigned char again[MAC_BYTES];

	hmac_with(s->mac, "usher", 5, s->print);
	hmac_with(s->mac, "usher", 5, again);
	must(memcmp(s->print, again, sizeof(again)) == 0, "HMAC contexts cannot be used again");
}

static void
secret_cleanup(struct secret *s)
{
	EVP_MAC_CTX_free(s->mac);
	EVP_CIPHER_CTX_free(s->seal);
	EVP_CIPHER_CTX_free(s->open);
	OPENSSL_cleanse(s, sizeof(*s));
}

/* The number of a secret: the one it had, or a free one.  Takes it. */
static unsigned
place(struct jwt_ring *ring, struct secret *s)
{
	unsigned key = (unsigned)ring->n;

	for (unsigned i = 0; i < ring->n; i++) {
		if (ring->secrets[i].mac == NULL) {
			key = i;
		} else if (memcmp(ring->secrets[i].print, s->print, sizeof(s->print)) == 0) {
			secret_cleanup(s);
			return i;
		}
	}
	if (key == ring->n) {
		struct secret *more = xcalloc(ring->n + 1, sizeof(*more));

		/* Not by realloc(), which leaves a copy behind. */
		if (ring->n > 0)
			memcpy(more, ring->secrets, ring->n * sizeof(*more));
		OPENSSL_cleanse(ring->secrets, ring->n * sizeof(*more));
		free(ring->secrets);
		ring->secrets = more;
		ring->n++;
	}
	ring->secrets[key] = *s;
	OPENSSL_cleanse(s, sizeof(*s));
	return key;
}

void
jwt_ring_set(struct jwt_ring *ring, const struct jwt_secret *secrets, size_t n)
{
	EVP_MAC *hmac_type = EVP_MAC_fetch(NULL, "HMAC", NULL);

	if (n == 0)
		fatalx("jwt: no secret");
	must(hmac_type != NULL, "HMAC");
	free(ring->listed);
	ring->listed = xcalloc(n, sizeof(*ring->listed));
	for (ring->n_listed = 0; ring->n_listed < n; ring->n_listed++) {
		struct secret s = { 0 };

		secret_init(&s, hmac_type, ring->cipher, &secrets[ring->n_listed]);
		prove_reuse(&s);
		ring->listed[ring->n_listed] = place(ring, &s);
	}
	EVP_MAC_free(hmac_type);	/* the contexts hold it */
}

struct jwt_ring *
jwt_ring_new(const struct jwt_secret *secrets, size_t n)
{
	struct jwt_ring *ring = xcalloc(1, sizeof(*ring));

	ring->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	must(ring->cipher != NULL, "AES");
	jwt_ring_set(ring, secrets, n);
	return ring;
}

void
jwt_ring_free(struct jwt_ring *ring)
{
	if (ring == NULL)
		return;
	for (size_t i = 0; i < ring->n; i++)
		secret_cleanup(&ring->secrets[i]);
	free(ring->secrets);
	free(ring->listed);
	EVP_CIPHER_free(ring->cipher);
	free(ring);
}

bool
jwt_ring_has(const struct jwt_ring *ring, unsigned key)
{
	for (size_t i = 0; i < ring->n_listed; i++)
		if (ring->listed[i] == key)
			return true;
	return false;
}

bool
jwt_ring_is_first(const struct jwt_ring *ring, unsigned key)
{
	return ring->listed[0] == key;
}

void
jwt_ring_forget(struct jwt_ring *ring)
{
	for (unsigned i = 0; i < ring->n; i++)
		if (!jwt_ring_has(ring, i))
			secret_cleanup(&ring->secrets[i]);
}

size_t
jwt_ring_count(const struct jwt_ring *ring)
{
	return ring->n_listed;
}

void
jwt_ring_add_check(struct jwt_ring *ring, unsigned key)
{
	ring->secrets[key].n_checks++;
}

uint64_t
jwt_ring_checks(const struct jwt_ring *ring, unsigned key)
{
	return ring->secrets[key].n_checks;
}

/* A token cut at its two dots; all borrowed. */
struct segments {
	const char *header, *payload, *signature;
	size_t header_len, payload_len, signature_len;
};

static bool
split(struct segments *s, const char *token, size_t len)
{
	const char *end = token + len, *dot1, *dot2;

	dot1 = memchr(token, '.', len);
	if (dot1 == NULL)
		return false;
	dot2 = memchr(dot1 + 1, '.', (size_t)(end - dot1) - 1);
	if (dot2 == NULL)
		return false;
	*s = (struct segments){
		.header = token, .header_len = (size_t)(dot1 - token),
		.payload = dot1 + 1, .payload_len = (size_t)(dot2 - dot1) - 1,
		.signature = dot2 + 1, .signature_len = (size_t)(end - dot2) - 1,
	};
	return memchr(s->signature, '.', s->signature_len) == NULL;
}

/*
 * Is it a JSON object, and one that says HS256?  An extension that must be
 * understood (RFC 7515 section 4.1.11) is one that we do not understand.
 */
static enum jwt_fault
read_header(const char *text, size_t len)
{
	const struct json_member *alg, *crit;
	struct json_object o;
	struct json_value v;
	struct json_scan s;

	json_scan_init(&s, text, len, JWT_DEPTH_MAX);
	if (!json_scan_members(&s, &v, &header_names, &o, -1, NULL) || !json_scan_end(&s) ||
	    v.kind != JSON_OBJECT)
		return JWT_BAD_JSON;
	alg = &o.member[HEADER_ALG];
	crit = &o.member[HEADER_CRIT];
	if (alg->seen > 1 || crit->seen > 1)
		return JWT_BAD_JSON;
	if (crit->seen > 0 || !json_string_is(text, alg->value, "HS256"))
		return JWT_ALGORITHM;
	return JWT_OK;
}

static enum jwt_fault
check_header(const struct segments *s)
{
	struct buf text = { 0 };
	enum jwt_fault fault = JWT_BAD_JSON;

	if (s->header_len == sizeof(usual_header) - 1 &&
	    memcmp(s->header, usual_header, s->header_len) == 0)
		return JWT_OK;
	if (base64url_decode(&text, s->header, s->header_len))
		fault = read_header(text.data, text.len);
	buf_free(&text);
	return fault;
}

/* Under which secret does this fit the data?  Each comparison takes constant time. */
static bool
find_key(struct jwt_ring *ring, const void *data, size_t len, const char *letters,
    size_t letters_len, unsigned *key)
{
	struct buf want = { 0 };
	bool fits = false;

	if (letters_len != MAC_LETTERS)
		return false;
	for (size_t i = 0; i < ring->n_listed && !fits; i++) {
		want.len = 0;
		hmac_letters(ring, ring->listed[i], data, len, &want);
		fits = CRYPTO_memcmp(want.data, letters, MAC_LETTERS) == 0;
		*key = ring->listed[i];
	}
	jwt_wipe(&want);
	return fits;
}

enum jwt_fault
jwt_unpack(const char *token, size_t len, struct buf *payload, struct jwt_parts *parts)
{
	struct segments s;

	if (len == 0)
		return JWT_NO_TOKEN;
	if (len > JWT_MAX_BYTES || !split(&s, token, len))
		return JWT_SEGMENTS;
	parts->fault = check_header(&s);
	if (parts->fault == JWT_BAD_JSON || !base64url_decode(payload, s.payload, s.payload_len))
		return JWT_BAD_JSON;
	parts->signed_len = (size_t)(s.signature - token) - 1;
	parts->signature = s.signature;
	parts->signature_len = s.signature_len;
	return JWT_OK;
}

enum jwt_fault
jwt_check_signature(struct jwt_ring *ring, const char *token, const struct jwt_parts *parts,
    unsigned *key)
{
	if (parts->fault != JWT_OK)
		return parts->fault;
	return find_key(ring, token, parts->signed_len, parts->signature, parts->signature_len,
	    key) ? JWT_OK : JWT_SIGNATURE;
}

enum jwt_fault
jwt_verify(struct jwt_ring *ring, const char *token, size_t len, struct buf *payload,
    unsigned *key)
{
	size_t start = payload->len;
	struct jwt_parts parts;
	enum jwt_fault fault;
	struct json_value v;

	fault = jwt_unpack(token, len, payload, &parts);
	if (fault != JWT_OK)
		return fault;
	if (!json_scan_text(payload->data + start, payload->len - start, JWT_DEPTH_MAX, &v) ||
	    v.kind != JSON_OBJECT)
		fault = JWT_BAD_JSON;
	else
		fault = jwt_check_signature(ring, token, &parts, key);
	if (fault != JWT_OK)
		payload->len = start;
	return fault;
}

bool
jwt_has_usual_header(const char *token, size_t len)
{
	return len > sizeof(usual_header) && token[sizeof(usual_header) - 1] == '.' &&
	    memcmp(token, usual_header, sizeof(usual_header) - 1) == 0;
}

void
jwt_sign(struct jwt_ring *ring, unsigned key, const char *payload, size_t len,
    struct buf *token)
{
	size_t start = token->len, signed_len;

	buf_reserve(token, sizeof(usual_header) + len / 3 * 4 + 4 + 1 + MAC_LETTERS);
	buf_add(token, usual_header, sizeof(usual_header) - 1);
	buf_add_char(token, '.');
	base64url_encode(token, payload, len);
	signed_len = token->len - start;
	buf_add_char(token, '.');
	hmac_letters(ring, key, token->data + start, signed_len, token);
}

static void
add_hex(struct buf *b, const unsigned char *p, size_t n)
{
	static const char digit[] = "0123456789abcdef";
	char *out = buf_reserve(b, 2 * n);

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digit[p[i] >> 4];
		out[2 * i + 1] = digit[p[i] & 15];
	}
	buf_used(b, 2 * n);
}

void
jwt_encrypt(struct jwt_ring *ring, unsigned key, const char *plain, size_t len,
    struct buf *hex)
{
	const struct secret *s = secret_of(ring, key);
	unsigned char *out;
	int body = 0, tail = 0;

	if (len > PLAIN_MAX)
		fatalx("jwt: %zu bytes of secret claims", len);
	out = xmalloc(len + AES_BLOCK);
	must(EVP_EncryptInit_ex2(s->seal, NULL, NULL, s->aes_iv, NULL) == 1 &&
	    EVP_EncryptUpdate(s->seal, out, &body, (const unsigned char *)plain,
	    (int)len) == 1 && EVP_EncryptFinal_ex(s->seal, out + body, &tail) == 1, "AES");
	add_hex(hex, out, (size_t)body + (size_t)tail);
	free(out);
}

/* What a hexadecimal digit stands for, with a bit that tells it from what is none. */
#define DIGIT 0x10
#define IS(n) (DIGIT | (n))
static const unsigned char digit_of[256] = {
	['0'] = IS(0), ['1'] = IS(1), ['2'] = IS(2), ['3'] = IS(3), ['4'] = IS(4),
	['5'] = IS(5), ['6'] = IS(6), ['7'] = IS(7), ['8'] = IS(8), ['9'] = IS(9),
	['a'] = IS(10), ['b'] = IS(11), ['c'] = IS(12), ['d'] = IS(13), ['e'] = IS(14),
	['f'] = IS(15),
	['A'] = IS(10), ['B'] = IS(11), ['C'] = IS(12), ['D'] = IS(13), ['E'] = IS(14),
	['F'] = IS(15),
};

/* The bytes of len hexadecimal digits. */
static bool
from_hex(unsigned char *out, const char *hex, size_t len)
{
	unsigned all = DIGIT;

	for (size_t i = 0; i < len; i += 2) {
		unsigned high = digit_of[(unsigned char)hex[i]];
		unsigned low = digit_of[(unsigned char)hex[i + 1]];

		all &= high & low;
		out[i / 2] = (unsigned char)(high << 4 | (low & 15));
	}
	return all != 0;
}

/*
 * Decrypts n bytes to out, which has room for one block more.  Wrong padding is an
 * answer here and no failure: it must not stay in OpenSSL's error queue, where
 * the next TLS call on this thread would take it for its own.
 */
static bool
decrypt(struct jwt_ring *ring, unsigned key, const unsigned char *in, size_t n,
    unsigned char *out, size_t *out_len)
{
	const struct secret *s = secret_of(ring, key);
	int body = 0, tail = 0;
	bool is_padded;

	/* Started anew, whatever an earlier text with wrong padding has left. */
	must(EVP_DecryptInit_ex2(s->open, NULL, NULL, s->aes_iv, NULL) == 1 &&
	    EVP_DecryptUpdate(s->open, out, &body, in, (int)n) == 1, "AES");
	ERR_set_mark();
	is_padded = EVP_DecryptFinal_ex(s->open, out + body, &tail) == 1;
	ERR_pop_to_mark();
	*out_len = is_padded ? (size_t)body + (size_t)tail : 0;
	return is_padded;
}

bool
jwt_decrypt(struct jwt_ring *ring, unsigned key, const char *hex, size_t len,
    struct buf *plain)
{
	unsigned char *in, *out;
	size_t n = len / 2, out_len;
	bool is_good = false;

	if (len == 0 || len % (2 * AES_BLOCK) != 0 || n > PLAIN_MAX)
		return false;
	in = xmalloc(n);
	if (from_hex(in, hex, len)) {
		out = (unsigned char *)buf_reserve(plain, n + AES_BLOCK);
		is_good = decrypt(ring, key, in, n, out, &out_len);
		if (is_good)
			buf_used(plain, out_len);
		else
			OPENSSL_cleanse(out, n + AES_BLOCK);
	}
	free(in);
	return is_good;
}

void
jwt_hmac(struct jwt_ring *ring, unsigned key, const void *data, size_t len,
    struct buf *base64url)
{
	hmac_letters(ring, key, data, len, base64url);
}

bool
jwt_hmac_verify(struct jwt_ring *ring, const void *data, size_t len, const char *proof,
    size_t proof_len)
{
	unsigned key;

	return find_key(ring, data, len, proof, proof_len, &key);
}
