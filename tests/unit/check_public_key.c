/* SPDX-License-Identifier: ISC */
/*
 * Signatures of libjwt are checked: an implementation that has nothing to do with ours.
 */
#include "codec/public_key.h"

#include <string.h>

#include <jwt.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/buf.h"
#include "codec/base64.h"
#include "unit.h"

static const struct {
	const char *kind;
	jwt_alg_t alg;
	enum public_key_alg ours;
} kinds[] = {
	{ "RSA", JWT_ALG_RS256, PUBLIC_KEY_RS256 },
	{ "EC", JWT_ALG_ES256, PUBLIC_KEY_ES256 },
};

static EVP_PKEY *
make_key(int i)
{
	return i == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048) :
	    EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
}

/* As PEM; of the private key, or of the public one. */
static void
add_pem(struct buf *b, EVP_PKEY *pkey, bool is_private)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long len;

	if (is_private)
		ck_assert_int_eq(PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL), 1);
	else
		ck_assert_int_eq(PEM_write_bio_PUBKEY(bio, pkey), 1);
	len = BIO_get_mem_data(bio, &text);
	buf_add(b, text, (size_t)len);
	BIO_free(bio);
}

/* A token by libjwt; *signed_len: what is signed of it.  To be freed. */
static char *
sign(EVP_PKEY *pkey, jwt_alg_t alg, int n, size_t *signed_len, struct buf *signature)
{
	struct buf pem = { 0 };
	char *token, *dot;
	jwt_t *jwt;

	add_pem(&pem, pkey, true);
	ck_assert_int_eq(jwt_new(&jwt), 0);
	ck_assert_int_eq(jwt_add_grant_int(jwt, "n", n), 0);
	ck_assert_int_eq(jwt_set_alg(jwt, alg, (unsigned char *)pem.data, (int)pem.len), 0);
	token = jwt_encode_str(jwt);
	ck_assert_ptr_nonnull(token);
	jwt_free(jwt);
	buf_free(&pem);
	dot = strrchr(token, '.');
	*signed_len = (size_t)(dot - token);
	ck_assert(base64url_decode(signature, dot + 1, strlen(dot + 1)));
	return token;
}

static void
read_public(struct public_keys *keys, EVP_PKEY *pkey)
{
	struct buf pem = { 0 };

	add_pem(&pem, pkey, false);
	ck_assert_ptr_null(public_keys_read(keys, pem.data, pem.len));
	buf_free(&pem);
}

/* Many, since numbers of ES256 may begin with zeros. */
START_TEST(signatures_of_libjwt_verify_and_changed_ones_do_not)
{
	EVP_PKEY *pkey = make_key(_i), *other = make_key(_i);
	struct public_keys keys, wrong;

	read_public(&keys, pkey);
	read_public(&wrong, other);
	ck_assert_uint_eq(keys.n, 1);
	ck_assert_int_eq(keys.key[0].alg, kinds[_i].ours);
	ck_assert_ptr_null(keys.key[0].kid);
	for (int n = 0; n < 40; n++) {
		struct buf signature = { 0 };
		size_t len;
		char *token = sign(pkey, kinds[_i].alg, n, &len, &signature);
		uint8_t *bytes = (uint8_t *)signature.data;

		ck_assert(public_key_verify(&keys.key[0], token, len, bytes, signature.len));
		ck_assert(!public_key_verify(&wrong.key[0], token, len, bytes, signature.len));
		ck_assert(!public_key_verify(&keys.key[0], token, len - 1, bytes, signature.len));
		ck_assert(!public_key_verify(&keys.key[0], token, len, bytes, signature.len - 1));
		ck_assert(!public_key_verify(&keys.key[0], token, len, bytes, 0));
		bytes[(size_t)n % signature.len] ^= 1;
		ck_assert(!public_key_verify(&keys.key[0], token, len, bytes, signature.len));
		free(token);
		buf_free(&signature);
	}
	public_keys_cleanup(&keys);
	public_keys_cleanup(&wrong);
	EVP_PKEY_free(pkey);
	EVP_PKEY_free(other);
}
END_TEST

START_TEST(several_keys_are_read_from_one_text)
{
	EVP_PKEY *rsa = make_key(0), *ec = make_key(1);
	struct buf pem = { 0 };
	struct public_keys keys;

	add_pem(&pem, rsa, false);
	buf_add_str(&pem, "a word between them\n");
	add_pem(&pem, ec, false);
	ck_assert_ptr_null(public_keys_read(&keys, pem.data, pem.len));
	ck_assert_uint_eq(keys.n, 2);
	ck_assert_str_eq(public_key_alg_name(keys.key[0].alg), "RS256");
	ck_assert_str_eq(public_key_alg_name(keys.key[1].alg), "ES256");
	public_keys_cleanup(&keys);
	for (int i = 0; i <= PUBLIC_KEYS_MAX; i++)
		add_pem(&pem, ec, false);
	ck_assert_ptr_nonnull(public_keys_read(&keys, pem.data, pem.len));
	ck_assert_uint_eq(keys.n, 0);
	buf_free(&pem);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ec);
}
END_TEST

START_TEST(a_damaged_block_is_not_the_end)
{
	EVP_PKEY *ec = make_key(1);
	struct buf pem = { 0 };
	struct public_keys keys;
	size_t one;

	add_pem(&pem, ec, false);
	one = pem.len;
	add_pem(&pem, ec, false);
	for (size_t cut = 2; cut < one - strlen("-----BEGIN PUBLIC KEY-----"); cut += 10) {
		ck_assert_ptr_nonnull(public_keys_read(&keys, pem.data, pem.len - cut));
		ck_assert_uint_eq(keys.n, 0);
	}
	pem.data[one + 40] = '*';
	ck_assert_ptr_nonnull(public_keys_read(&keys, pem.data, pem.len));
	ck_assert_ptr_null(public_keys_read(&keys, pem.data, one));
	ck_assert_uint_eq(keys.n, 1);
	public_keys_cleanup(&keys);
	buf_free(&pem);
	EVP_PKEY_free(ec);
}
END_TEST

static const char *const bad[] = {
	"", " ", "x", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
	"{", "{}", "[]", "{\"keys\":{}}", "{\"keys\":[]}", "{\"keys\":[1]}", "{\"keys\":[{}]}",
	"{\"keys\":[],\"keys\":[]}", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}",
	"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\",\"e\":\"AQAB\"}]}",
	"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB=\",\"e\":\"AQAB\"}]}",
	"{\"keys\":[{\"kty\":\"RSA\",\"n\":7,\"e\":\"AQAB\"}]}",
	"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAA\",\"y\":\"AAAA\"}]}",
	"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","	/* on no curve */
	    "\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\","
	    "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"}]}",
};

START_TEST(what_is_no_key_is_told)
{
	struct public_keys keys;

	ck_assert_ptr_nonnull(public_keys_read(&keys, bad[_i], strlen(bad[_i])));
	ck_assert_uint_eq(keys.n, 0);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("public_key");
	TCase *tc = tcase_create("public_key");

	tcase_add_loop_test(tc, signatures_of_libjwt_verify_and_changed_ones_do_not, 0, 2);
	tcase_add_test(tc, several_keys_are_read_from_one_text);
	tcase_add_test(tc, a_damaged_block_is_not_the_end);
	tcase_add_loop_test(tc, what_is_no_key_is_told, 0, (int)(sizeof(bad) / sizeof(bad[0])));
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN_STATELESS(make_suite)
