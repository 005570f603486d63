/* SPDX-License-Identifier: ISC */
#include "token/jwt.h"

#include <stdlib.h>
#include <string.h>

#include <jwt.h>
#include <openssl/err.h>

#include "base/compiler.h"
#include "codec/base64.h"
#include "codec/json_scan.h"
#include "token_vectors.h"
#include "unit.h"

#define OTHER_SECRET "a secret of the ring that is not the first one"

static struct jwt_ring *ring;	/* VECTOR_SECRET, then OTHER_SECRET */

static void
setup(void)
{
	static const struct jwt_secret secrets[] = {
		{ "1", (const unsigned char *)VECTOR_SECRET, sizeof(VECTOR_SECRET) - 1 },
		{ "2", (const unsigned char *)OTHER_SECRET, sizeof(OTHER_SECRET) - 1 },
	};

	ring = jwt_ring_new(secrets, ARRAY_LEN(secrets));
}

static void
teardown(void)
{
	jwt_ring_free(ring);
}

static enum jwt_fault
verify(const char *token, size_t len)
{
	struct buf payload = { 0 };
	enum jwt_fault fault;
	unsigned key = 99;

	buf_add_str(&payload, "before");
	fault = jwt_verify(ring, token, len, &payload, &key);
	ck_assert(memcmp(payload.data, "before", 6) == 0);
	if (fault == JWT_OK)
		ck_assert_uint_lt(key, jwt_ring_count(ring));
	else
		ck_assert_uint_eq(payload.len, 6);
	buf_free(&payload);
	return fault;
}

/* A token of any header and payload, signed as it should be. */
static void
make_token(struct buf *token, const char *header, const char *payload)
{
	struct buf mac = { 0 };

	token->len = 0;
	base64url_encode(token, header, strlen(header));
	buf_add_char(token, '.');
	base64url_encode(token, payload, strlen(payload));
	jwt_hmac(ring, 0, token->data, token->len, &mac);
	buf_add_char(token, '.');
	buf_add(token, mac.data, mac.len);
	buf_free(&mac);
}

START_TEST(verifies_the_tokens_of_a_stock_master)
{
	const char *const tokens[] = { vector_registered, vector_login, vector_refreshed };
	struct buf payload = { 0 };
	unsigned key = 99;

	ck_assert_int_eq(jwt_verify(ring, tokens[_i], strlen(tokens[_i]), &payload, &key), JWT_OK);
	ck_assert_uint_eq(key, 0);
	ck_assert(strncmp(buf_str(&payload), "{\"exp\":17000", 12) == 0);
	buf_free(&payload);
}
END_TEST

START_TEST(signs_a_payload_as_a_stock_master_does)
{
	const char *const tokens[] = { vector_registered, vector_login, vector_refreshed };
	struct buf payload = { 0 }, token = { 0 };
	unsigned key;

	ck_assert_int_eq(jwt_verify(ring, tokens[_i], strlen(tokens[_i]), &payload, &key), JWT_OK);
	buf_add_str(&token, "x");
	jwt_sign(ring, 0, payload.data, payload.len, &token);
	ck_assert_str_eq(buf_str(&token) + 1, tokens[_i]);
	buf_free(&payload);
	buf_free(&token);
}
END_TEST

START_TEST(tells_which_secret_verified)
{
	struct buf token = { 0 }, payload = { 0 };
	unsigned key = 99;

	jwt_sign(ring, (unsigned)_i, "{}", 2, &token);
	ck_assert_int_eq(jwt_verify(ring, token.data, token.len, &payload, &key), JWT_OK);
	ck_assert_uint_eq(key, (unsigned)_i);
	ck_assert_str_eq(buf_str(&payload), "{}");
	buf_free(&token);
	buf_free(&payload);
}
END_TEST

/* A second secret that becomes the first keeps its number; one that is away is only for what began. */
START_TEST(secrets_keep_their_numbers_when_the_ring_is_set_anew)
{
	static const struct jwt_secret later[] = {
		{ "3", (const unsigned char *)"the third, which is new to it", 29 },
		{ "2", (const unsigned char *)OTHER_SECRET, sizeof(OTHER_SECRET) - 1 },
	};
	struct buf old = { 0 }, kept = { 0 }, fresh = { 0 }, payload = { 0 }, hex = { 0 };
	unsigned key = 99;

	jwt_sign(ring, 0, "{}", 2, &old);
	jwt_sign(ring, 1, "{}", 2, &kept);
	jwt_ring_set(ring, later, ARRAY_LEN(later));
	jwt_sign(ring, JWT_FIRST, "{}", 2, &fresh);

	ck_assert_uint_eq(jwt_ring_count(ring), 2);
	ck_assert_int_eq(jwt_verify(ring, old.data, old.len, &payload, &key), JWT_SIGNATURE);
	ck_assert_int_eq(jwt_verify(ring, kept.data, kept.len, &payload, &key), JWT_OK);
	ck_assert_uint_eq(key, 1);
	ck_assert_int_eq(jwt_verify(ring, fresh.data, fresh.len, &payload, &key), JWT_OK);
	ck_assert_uint_eq(key, 2);
	ck_assert(jwt_ring_is_first(ring, 2) && jwt_ring_has(ring, 1) && !jwt_ring_has(ring, 0));
	jwt_encrypt(ring, 0, "a", 1, &hex);	/* for a request that began before */
	payload.len = 0;
	ck_assert(jwt_decrypt(ring, 0, hex.data, hex.len, &payload));

	jwt_ring_forget(ring);
	jwt_ring_set(ring, &(struct jwt_secret){ "1", (const unsigned char *)VECTOR_SECRET,
	    sizeof(VECTOR_SECRET) - 1 }, 1);
	ck_assert_int_eq(jwt_verify(ring, old.data, old.len, &payload, &key), JWT_OK);
	ck_assert_uint_eq(key, 0);
	ck_assert_int_eq(jwt_verify(ring, kept.data, kept.len, &payload, &key), JWT_SIGNATURE);
	buf_free(&old);
	buf_free(&kept);
	buf_free(&fresh);
	buf_free(&payload);
	buf_free(&hex);
}
END_TEST

/* Its number may be that of one that was forgotten, whose checks are not its own. */
START_TEST(checks_are_those_of_a_secret_and_go_with_it)
{
	static const struct jwt_secret two = { "2", (const unsigned char *)OTHER_SECRET,
		sizeof(OTHER_SECRET) - 1 };
	const struct jwt_secret both[] = {
		{ "3", (const unsigned char *)"the third, which is new to it", 29 }, two,
	};

	jwt_ring_add_check(ring, 0);
	jwt_ring_add_check(ring, 1);
	jwt_ring_set(ring, &two, 1);
	ck_assert_uint_eq(jwt_ring_checks(ring, 0), 1);	/* of requests under way */
	jwt_ring_forget(ring);
	jwt_ring_set(ring, both, ARRAY_LEN(both));
	ck_assert_uint_eq(jwt_ring_number(ring, 0), 0);
	ck_assert_uint_eq(jwt_ring_checks(ring, 0), 0);
	ck_assert_uint_eq(jwt_ring_checks(ring, jwt_ring_number(ring, 1)), 1);
}
END_TEST

START_TEST(refuses_a_token_of_another_secret)
{
	struct jwt_ring *other = vector_ring("some other secret", 17);
	struct buf token = { 0 };

	jwt_sign(other, 0, "{}", 2, &token);
	ck_assert_int_eq(verify(token.data, token.len), JWT_SIGNATURE);
	jwt_ring_free(other);
	buf_free(&token);
}
END_TEST

/* Whatever byte of it changes, it is refused. */
START_TEST(refuses_a_token_with_any_byte_changed)
{
	char token[sizeof(vector_login)];

	for (size_t i = 0; i + 1 < sizeof(token); i++) {
		memcpy(token, vector_login, sizeof(token));
		token[i] = token[i] == 'A' ? 'B' : 'A';
		ck_assert_int_ne(verify(token, sizeof(token) - 1), JWT_OK);
	}
}
END_TEST

START_TEST(refuses_a_token_that_is_cut_anywhere)
{
	for (size_t len = 0; len + 1 < sizeof(vector_login); len++)
		ck_assert_int_ne(verify(vector_login, len), JWT_OK);
}
END_TEST

/* Not properly signed: what is wrong before that comes first. */
static const struct {
	const char *token;
	enum jwt_fault fault;
} unsigned_tokens[] = {
	{ "", JWT_NO_TOKEN },
	{ "x", JWT_SEGMENTS },
	{ ".", JWT_SEGMENTS },
	{ "a.b", JWT_SEGMENTS },
	{ "a.b.c.d", JWT_SEGMENTS },
	{ "...", JWT_SEGMENTS },
	{ "..", JWT_BAD_JSON },
	{ "e30.e30.", JWT_ALGORITHM },			/* {} {} */
	{ "e30.e3.", JWT_BAD_JSON },
	{ "bnVsbA.e30.", JWT_BAD_JSON },		/* null */
	{ "eyJhbGciOiJIUzI1NiJ9.e30.", JWT_SIGNATURE },
	{ "eyJhbGciOiJIUzI1NiJ9.W10.", JWT_BAD_JSON },	/* [] */
	{ "eyJhbGciOiJIUzI1NiJ9.e30=.", JWT_BAD_JSON },	/* padding */
	{ "eyJhbGciOiJIUzI1NiJ9.e31.", JWT_BAD_JSON },	/* bits left over */
	{ "eyJhbGciOiJIUzI1NiJ9. e30.", JWT_BAD_JSON },
	{ "eyJhbGciOiJIUzI1NiJ9=.e30.", JWT_BAD_JSON },
	{ "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.e30.", JWT_SIGNATURE },
	{ "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.e30.AAAA", JWT_SIGNATURE },
	{ "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.e30."
	  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", JWT_SIGNATURE },
	{ "eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0.e30.", JWT_ALGORITHM },	/* none */
	{ "eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0.e.", JWT_BAD_JSON },
};

START_TEST(names_the_first_fault_in_stock_order)
{
	ck_assert_int_eq(verify(unsigned_tokens[_i].token, strlen(unsigned_tokens[_i].token)),
	    unsigned_tokens[_i].fault);
}
END_TEST

/* Properly signed with HMAC-SHA256, whatever the header says. */
static const struct {
	const char *header, *payload;
	enum jwt_fault fault;
} signed_tokens[] = {
	{ "{\"typ\":\"JWT\",\"alg\":\"HS256\"}", "{}", JWT_OK },
	{ "{\"alg\":\"HS256\",\"typ\":\"JWT\"}", "{}", JWT_OK },
	{ " { \"alg\" : \"HS256\" } ", "{}", JWT_OK },
	{ "{\"\\u0061lg\":\"HS\\u0032\\u00356\"}", "{}", JWT_OK },
	{ "{\"alg\":\"HS256\",\"kid\":\"1\"}", "{}", JWT_OK },
	{ "{\"alg\":\"HS384\"}", "{}", JWT_ALGORITHM },
	{ "{\"alg\":\"HS512\"}", "{}", JWT_ALGORITHM },
	{ "{\"alg\":\"RS256\"}", "{}", JWT_ALGORITHM },
	{ "{\"alg\":\"none\"}", "{}", JWT_ALGORITHM },
	{ "{\"alg\":\"None\"}", "{}", JWT_ALGORITHM },
	{ "{\"alg\":\"hs256\"}", "{}", JWT_ALGORITHM },
	{ "{\"alg\":\"HS256 \"}", "{}", JWT_ALGORITHM },
	{ "{\"alg\":\"HS256\\u0000\"}", "{}", JWT_ALGORITHM },
	{ "{\"alg\":null}", "{}", JWT_ALGORITHM },
	{ "{\"alg\":[\"HS256\"]}", "{}", JWT_ALGORITHM },
	{ "{\"ALG\":\"HS256\"}", "{}", JWT_ALGORITHM },
	{ "{}", "{}", JWT_ALGORITHM },
	{ "{\"alg\":\"none\",\"alg\":\"HS256\"}", "{}", JWT_BAD_JSON },
	{ "{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}", "{}", JWT_ALGORITHM },
	{ "{\"alg\":\"HS256\"", "{}", JWT_BAD_JSON },
	{ "{\"alg\":\"HS256\"}x", "{}", JWT_BAD_JSON },
	{ "[{\"alg\":\"HS256\"}]", "{}", JWT_BAD_JSON },
	{ "\"HS256\"", "{}", JWT_BAD_JSON },
	{ "", "{}", JWT_BAD_JSON },
	{ "{\"alg\":\"HS256\"}", "", JWT_BAD_JSON },
	{ "{\"alg\":\"HS256\"}", "null", JWT_BAD_JSON },
	{ "{\"alg\":\"HS256\"}", "1", JWT_BAD_JSON },
	{ "{\"alg\":\"HS256\"}", "{}{}", JWT_BAD_JSON },
	{ "{\"alg\":\"HS256\"}", "{\"a\":}", JWT_BAD_JSON },
	{ "{\"alg\":\"HS256\"}", "{\"a\":\"\xff\"}", JWT_BAD_JSON },
	{ "{\"alg\":\"HS256\"}", " {\"a\":\"\xc3\xbc\"} ", JWT_OK },
};

START_TEST(accepts_hs256_alone_and_one_json_object)
{
	struct buf token = { 0 };

	make_token(&token, signed_tokens[_i].header, signed_tokens[_i].payload);
	ck_assert_int_eq(verify(token.data, token.len), signed_tokens[_i].fault);
	buf_free(&token);
}
END_TEST

START_TEST(bounds_the_depth_of_a_payload)
{
	struct buf payload = { 0 }, token = { 0 };

	buf_add_str(&payload, "{\"a\":");
	for (int i = 1; i < _i; i++)
		buf_add_char(&payload, '[');
	buf_add_char(&payload, '1');
	for (int i = 1; i < _i; i++)
		buf_add_char(&payload, ']');
	buf_add_char(&payload, '}');
	jwt_sign(ring, 0, payload.data, payload.len, &token);
	ck_assert_int_eq(verify(token.data, token.len),
	    _i <= JWT_DEPTH_MAX ? JWT_OK : JWT_BAD_JSON);
	buf_free(&payload);
	buf_free(&token);
}
END_TEST

START_TEST(bounds_the_length_of_a_token)
{
	struct buf payload = { 0 }, token = { 0 };
	size_t n = (JWT_MAX_BYTES - 36 - 43 - 2) / 4 * 3;

	buf_add_str(&payload, "{\"a\":\"");
	while (payload.len < n - 2)
		buf_add_char(&payload, 'a');
	buf_add_str(&payload, "\"}");
	jwt_sign(ring, 0, payload.data, payload.len, &token);
	ck_assert_uint_gt(token.len, JWT_MAX_BYTES - 4);
	ck_assert_int_eq(verify(token.data, token.len), JWT_OK);

	payload.len -= 2;
	buf_add_str(&payload, "aaaa\"}");
	token.len = 0;
	jwt_sign(ring, 0, payload.data, payload.len, &token);
	ck_assert_uint_gt(token.len, JWT_MAX_BYTES);
	ck_assert_int_eq(verify(token.data, token.len), JWT_SEGMENTS);
	buf_free(&payload);
	buf_free(&token);
}
END_TEST

START_TEST(has_a_text_for_each_fault)
{
	static const char *const texts[JWT_N] = {
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

	ck_assert_str_eq(jwt_fault_text((enum jwt_fault)_i), texts[_i]);
}
END_TEST

/* What libjwt reads in a token of ours. */
START_TEST(libjwt_verifies_what_we_sign)
{
	static const char claims[] = "{\"exp\":1,\"name\":\"\xc3\xbc\",\"n\":[1,2,{\"a\":null}]}";
	struct buf token = { 0 };
	char *seen;
	jwt_t *jwt;

	jwt_sign(ring, 0, claims, strlen(claims), &token);
	ck_assert_int_eq(jwt_decode(&jwt, buf_str(&token), (const unsigned char *)VECTOR_SECRET,
	    sizeof(VECTOR_SECRET) - 1), 0);
	ck_assert_int_eq(jwt_get_alg(jwt), JWT_ALG_HS256);
	ck_assert_int_eq(jwt_get_grant_int(jwt, "exp"), 1);
	ck_assert_str_eq(jwt_get_grant(jwt, "name"), "\xc3\xbc");
	seen = jwt_get_grants_json(jwt, "n");
	ck_assert_str_eq(seen, "[1,2,{\"a\":null}]");
	free(seen);
	jwt_free(jwt);

	token.data[token.len / 2] ^= 1;
	ck_assert_int_ne(jwt_decode(&jwt, token.data, (const unsigned char *)VECTOR_SECRET,
	    sizeof(VECTOR_SECRET) - 1), 0);
	ck_assert_int_ne(verify(token.data, token.len), JWT_OK);
	buf_free(&token);
}
END_TEST

static const struct {
	jwt_alg_t alg;
	enum jwt_fault fault;
} libjwt_algorithms[] = {
	{ JWT_ALG_HS256, JWT_OK },
	{ JWT_ALG_HS384, JWT_ALGORITHM },
	{ JWT_ALG_HS512, JWT_ALGORITHM },
	{ JWT_ALG_NONE, JWT_ALGORITHM },
};

START_TEST(we_verify_the_hs256_tokens_of_libjwt)
{
	jwt_alg_t alg = libjwt_algorithms[_i].alg;
	char *token;
	jwt_t *jwt;

	ck_assert_int_eq(jwt_new(&jwt), 0);
	ck_assert_int_eq(jwt_set_alg(jwt, alg,
	    alg != JWT_ALG_NONE ? (const unsigned char *)OTHER_SECRET : NULL,
	    alg != JWT_ALG_NONE ? sizeof(OTHER_SECRET) - 1 : 0), 0);
	ck_assert_int_eq(jwt_add_grants_json(jwt, "{\"application\":\"a\",\"exp\":12}"), 0);
	token = jwt_encode_str(jwt);
	ck_assert_ptr_nonnull(token);
	ck_assert_int_eq(verify(token, strlen(token)), libjwt_algorithms[_i].fault);
	free(token);
	jwt_free(jwt);
}
END_TEST

/* The secret claims of VECTOR_PLAIN as a stock master encrypts them. */
static const struct {
	const char *secret;
	const char *hex;
} encrypted[] = {
	{ "interop-shared-secret",
	  "b37a3e7e1b85197ac9ff8af809b641a93caf093f7b080b24cd005476051de98c48646ce5a9c8e02c9ecafb69"
	  "7d38e30b5171956fdbff384bc1bf0059f67f0ad2bc7829de3e377a4514d0a52eb02930e1d4d5fd59d4417866"
	  "5862611b6ad6aaa7" },
	{ "s",
	  "1fdb8de87bf09413cf68f1f9da89f0905fca624cbec4425b1b1c750032234a710c1c3233cad06d603733d516"
	  "4b8c37f0b9be67a214461a8947b3ea5f431e3bea9bdcae721d3f691d028ae35da848e509c1360c953d7229b1"
	  "fc80f80c05bbd260" },
	{ "Schl\xc3\xbcssel-\xc3\xbc-\xe9\x8d\xb5",
	  "f32465bcd731c15ee0baf79309cb961c731802765a2d5fb1454d748f6b350fcb427a8ea6ea3a751bf9fc1e5c"
	  "24e30c3a2b97b474d133fb144f280ea2d4714c56989ef617ed153e50178a49e2db1d3519a2d72f425a00cf6a"
	  "618a22e0c4be6e0d" },
};

START_TEST(encrypts_and_decrypts_as_a_stock_master)
{
	struct jwt_ring *own = vector_ring(encrypted[_i].secret, strlen(encrypted[_i].secret));
	struct buf hex = { 0 }, plain = { 0 };

	for (int again = 0; again < 2; again++) {
		hex.len = plain.len = 0;
		jwt_encrypt(own, 0, VECTOR_PLAIN, strlen(VECTOR_PLAIN), &hex);
		ck_assert_str_eq(buf_str(&hex), encrypted[_i].hex);
		ck_assert(jwt_decrypt(own, 0, hex.data, hex.len, &plain));
		ck_assert_str_eq(buf_str(&plain), VECTOR_PLAIN);
	}
	jwt_ring_free(own);
	buf_free(&hex);
	buf_free(&plain);
}
END_TEST

START_TEST(encrypts_a_text_of_any_length)
{
	struct buf text = { 0 }, hex = { 0 }, plain = { 0 };

	for (int i = 0; i < _i; i++)
		buf_add_char(&text, (char)i);
	jwt_encrypt(ring, 1, text.data, text.len, &hex);
	ck_assert_uint_eq(hex.len, 2 * (text.len / 16 + 1) * 16);
	for (size_t i = 0; i < hex.len; i += 3)
		hex.data[i] = hex.data[i] >= 'a' ? (char)(hex.data[i] - 32) : hex.data[i];
	ck_assert(jwt_decrypt(ring, 1, hex.data, hex.len, &plain));
	ck_assert_uint_eq(plain.len, text.len);
	if (text.len > 0)
		ck_assert(memcmp(plain.data, text.data, text.len) == 0);
	buf_free(&text);
	buf_free(&hex);
	buf_free(&plain);
}
END_TEST

static const char *const no_ciphertexts[] = {
	"",
	"0",
	"00",
	"0123456789abcdef0123456789abcde",
	"0123456789abcdef0123456789abcdeg",
	"0123456789abcdef0123456789abcde ",
	"0123456789abcdef0123456789abcdef",	/* wrong padding */
	"0123456789abcdef0123456789abcdef00",
	"{\"authenticated\":true, \"a\":\"bbb\"}",
};

START_TEST(refuses_to_decrypt_what_is_no_ciphertext)
{
	struct buf plain = { 0 };

	buf_add_str(&plain, "before");
	ck_assert(!jwt_decrypt(ring, 0, no_ciphertexts[_i], strlen(no_ciphertexts[_i]), &plain));
	ck_assert_str_eq(buf_str(&plain), "before");
	ck_assert_uint_eq(ERR_peek_error(), 0);	/* TLS would take it for its own */
	buf_free(&plain);
}
END_TEST

START_TEST(what_cannot_be_decrypted_leaves_nothing_for_the_next)
{
	struct buf hex = { 0 }, plain = { 0 };

	for (unsigned key = 0; key < 2; key++) {
		hex.len = 0;
		jwt_encrypt(ring, key, VECTOR_PLAIN, strlen(VECTOR_PLAIN), &hex);
		for (size_t i = 0; i < ARRAY_LEN(no_ciphertexts); i++) {
			plain.len = 0;
			ck_assert(!jwt_decrypt(ring, key, no_ciphertexts[i],
			    strlen(no_ciphertexts[i]), &plain));
			ck_assert(!jwt_decrypt(ring, 1 - key, hex.data, hex.len, &plain) ||
			    strcmp(buf_str(&plain), VECTOR_PLAIN) != 0);
			plain.len = 0;
			ck_assert(jwt_decrypt(ring, key, hex.data, hex.len, &plain));
			ck_assert_str_eq(buf_str(&plain), VECTOR_PLAIN);
		}
	}
	jwt_wipe(&plain);
	buf_free(&hex);
}
END_TEST

START_TEST(proves_with_any_secret_of_the_ring)
{
	struct buf proof = { 0 };

	jwt_hmac(ring, (unsigned)_i, "usher-link\nsid", 14, &proof);
	ck_assert_uint_eq(proof.len, 43);
	ck_assert(jwt_hmac_verify(ring, "usher-link\nsid", 14, proof.data, proof.len));
	ck_assert(!jwt_hmac_verify(ring, "usher-link\nsie", 14, proof.data, proof.len));
	ck_assert(!jwt_hmac_verify(ring, "usher-link\nsid", 13, proof.data, proof.len));
	ck_assert(!jwt_hmac_verify(ring, "usher-link\nsid", 14, proof.data, proof.len - 1));
	ck_assert(!jwt_hmac_verify(ring, "usher-link\nsid", 14, "", 0));
	proof.data[_i] ^= 1;
	ck_assert(!jwt_hmac_verify(ring, "usher-link\nsid", 14, proof.data, proof.len));
	buf_free(&proof);
}
END_TEST

/* RFC 4231, test case 2. */
START_TEST(computes_the_published_hmac)
{
	static const char data[] = "what do ya want for nothing?";
	struct jwt_ring *jefe = vector_ring("Jefe", 4);
	struct buf proof = { 0 };

	jwt_hmac(jefe, 0, data, strlen(data), &proof);
	ck_assert_str_eq(buf_str(&proof), "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM");
	jwt_ring_free(jefe);
	buf_free(&proof);
}
END_TEST

#define COUNT(a) (int)ARRAY_LEN(a)

static Suite *
make_suite(void)
{
	Suite *s = suite_create("jwt");
	TCase *tc = tcase_create("tokens");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, verifies_the_tokens_of_a_stock_master, 0, 3);
	tcase_add_loop_test(tc, signs_a_payload_as_a_stock_master_does, 0, 3);
	tcase_add_loop_test(tc, tells_which_secret_verified, 0, 2);
	tcase_add_test(tc, secrets_keep_their_numbers_when_the_ring_is_set_anew);
	tcase_add_test(tc, checks_are_those_of_a_secret_and_go_with_it);
	tcase_add_test(tc, refuses_a_token_of_another_secret);
	tcase_add_test(tc, refuses_a_token_with_any_byte_changed);
	tcase_add_test(tc, refuses_a_token_that_is_cut_anywhere);
	tcase_add_loop_test(tc, names_the_first_fault_in_stock_order, 0, COUNT(unsigned_tokens));
	tcase_add_loop_test(tc, accepts_hs256_alone_and_one_json_object, 0, COUNT(signed_tokens));
	tcase_add_loop_test(tc, bounds_the_depth_of_a_payload, JWT_DEPTH_MAX - 1,
	    JWT_DEPTH_MAX + 3);
	tcase_add_test(tc, bounds_the_length_of_a_token);
	tcase_add_loop_test(tc, has_a_text_for_each_fault, 0, JWT_N);
	tcase_add_test(tc, libjwt_verifies_what_we_sign);
	tcase_add_loop_test(tc, we_verify_the_hs256_tokens_of_libjwt, 0, COUNT(libjwt_algorithms));
	suite_add_tcase(s, tc);

	tc = tcase_create("secret claims and proofs");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, encrypts_and_decrypts_as_a_stock_master, 0, COUNT(encrypted));
	tcase_add_loop_test(tc, encrypts_a_text_of_any_length, 0, 50);
	tcase_add_loop_test(tc, refuses_to_decrypt_what_is_no_ciphertext, 0,
	    COUNT(no_ciphertexts));
	tcase_add_test(tc, what_cannot_be_decrypted_leaves_nothing_for_the_next);
	tcase_add_loop_test(tc, proves_with_any_secret_of_the_ring, 0, 2);
	tcase_add_test(tc, computes_the_published_hmac);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN_STATELESS(make_suite)
