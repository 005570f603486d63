/* SPDX-License-Identifier: ISC */
/*
 * Keys as OpenSSL has them.  Errors of its parsers are answers here, and stay in no queue.
 */
#include "codec/public_key.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/buf.h"
#include "base/xmalloc.h"
#include "codec/base64.h"
#include "codec/json_scan.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192
#define COORDINATE   32		/* bytes of a P-256 number */
#define DEPTH_MAX    8

static const char *const alg_name[] = {
	[PUBLIC_KEY_RS256] = "RS256",
	[PUBLIC_KEY_ES256] = "ES256",
};

const char *
public_key_alg_name(enum public_key_alg alg)
{
	return alg_name[alg];
}

void
public_keys_cleanup(struct public_keys *keys)
{
	for (size_t i = 0; i < keys->n; i++) {
		EVP_PKEY_free(keys->key[i].pkey);
		free(keys->key[i].kid);
	}
	keys->n = 0;
}

static bool
is_p256(const EVP_PKEY *pkey)
{
	char group[32];

	return EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, group,
	    sizeof(group), NULL) == 1 && strcmp(group, "prime256v1") == 0;
}

/* Takes pkey, and kid.  NULL, or what is wrong with it. */
static const char *
add_key(struct public_keys *keys, EVP_PKEY *pkey, char *kid)
{
	struct public_key key = { .pkey = pkey, .kid = kid };
	const char *fault = NULL;
	int bits = EVP_PKEY_get_bits(pkey);

	if (keys->n == PUBLIC_KEYS_MAX)
		fault = "it has more than 64 keys";
	else if (EVP_PKEY_is_a(pkey, "RSA") == 1 && bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX)
		key.alg = PUBLIC_KEY_RS256;
	else if (EVP_PKEY_is_a(pkey, "EC") == 1 && is_p256(pkey))
		key.alg = PUBLIC_KEY_ES256;
	else
		fault = "a key is neither RSA of 2048 to 8192 bits nor P-256";
	if (fault != NULL) {
		EVP_PKEY_free(pkey);
		free(kid);
		return fault;
	}
	keys->key[keys->n++] = key;
	return NULL;
}

/* ---- PEM ---- */

static EVP_PKEY *
pkey_of(const char *name, const unsigned char *der, long len)
{
	const unsigned char *p = der;
	EVP_PKEY *pkey = NULL;
	X509 *x509;

	if (strcmp(name, PEM_STRING_PUBLIC) == 0)
		return d2i_PUBKEY(NULL, &p, len);
	if (strcmp(name, PEM_STRING_X509) == 0 && (x509 = d2i_X509(NULL, &p, len)) != NULL) {
		pkey = X509_get_pubkey(x509);
		X509_free(x509);
	}
	return pkey;
}

/* No more blocks, and none that is damaged? */
static bool
is_end_of_pem(void)
{
	unsigned long code = ERR_peek_last_error();

	return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

static const char *
read_pem(struct public_keys *keys, const char *text, size_t len)
{
	BIO *bio = BIO_new_mem_buf(text, (int)len);
	const char *fault = NULL;
	unsigned char *der;
	char *name, *header;
	EVP_PKEY *pkey;
	long der_len;

	if (bio == NULL)
		return "there is no memory for it";
	while (fault == NULL && PEM_read_bio(bio, &name, &header, &der, &der_len) == 1) {
		pkey = pkey_of(name, der, der_len);
		fault = pkey != NULL ? add_key(keys, pkey, NULL) :
		    "it holds something else than public keys and certificates";
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_free(der);
	}
	if (fault == NULL && !is_end_of_pem())
		fault = "a block of PEM in it is damaged";
	BIO_free(bio);
	return fault;
}

/* ---- key sets ---- */

enum member { KTY, USE, ALG, KID, CRV, N, E, X, Y, N_MEMBERS };

static const struct json_names jwk_names = {
	.n = N_MEMBERS,
	.name = (const char *const[]){
		[KTY] = "kty", [USE] = "use", [ALG] = "alg", [KID] = "kid", [CRV] = "crv",
		[N] = "n", [E] = "e", [X] = "x", [Y] = "y",
	},
};

static bool
get_bytes(const char *text, struct json_value v, struct buf *bytes)
{
	struct buf letters = { 0 };
	bool is_good = json_string_get(text, v, &letters) && letters.len > 0 &&
	    base64url_decode(bytes, letters.data, letters.len);

	buf_free(&letters);
	return is_good;
}

/* Takes params.  NULL if they are no key of this kind. */
static EVP_PKEY *
pkey_from(const char *kind, OSSL_PARAM *params)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
	EVP_PKEY *pkey = NULL;

	if (ctx == NULL || params == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return pkey;
}

static EVP_PKEY *
rsa_key(const struct buf *n, const struct buf *e)
{
	BIGNUM *bn = BN_bin2bn((const unsigned char *)n->data, (int)n->len, NULL);
	BIGNUM *be = BN_bin2bn((const unsigned char *)e->data, (int)e->len, NULL);
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;

	if (bn != NULL && be != NULL && bld != NULL &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn) == 1 &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, be) == 1)
		params = OSSL_PARAM_BLD_to_param(bld);
	OSSL_PARAM_BLD_free(bld);
	BN_free(bn);
	BN_free(be);
	return pkey_from("RSA", params);
}

static EVP_PKEY *
ec_key(const struct buf *x, const struct buf *y)
{
	unsigned char point[1 + 2 * COORDINATE] = { POINT_CONVERSION_UNCOMPRESSED };
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;

	if (x->len == COORDINATE && y->len == COORDINATE && bld != NULL) {
		memcpy(point + 1, x->data, COORDINATE);
		memcpy(point + 1 + COORDINATE, y->data, COORDINATE);
		if (OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME,
		    "prime256v1", 0) == 1 &&
		    OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point,
		    sizeof(point)) == 1)
			params = OSSL_PARAM_BLD_to_param(bld);
	}
	OSSL_PARAM_BLD_free(bld);
	return pkey_from("EC", params);
}

static bool
is_absent_or(const char *text, struct json_value v, const char *word)
{
	return v.kind == JSON_NONE || json_string_is(text, v, word);
}

/* *is_ours: it is of a kind and for a use that we have. */
static EVP_PKEY *
jwk_key(const char *text, const struct json_object *o, bool *is_ours)
{
	const struct json_member *m = o->member;
	bool is_rsa = json_string_is(text, m[KTY].value, "RSA");
	bool is_ec = json_string_is(text, m[KTY].value, "EC") &&
	    json_string_is(text, m[CRV].value, "P-256");
	struct buf a = { 0 }, b = { 0 };
	EVP_PKEY *pkey = NULL;

	*is_ours = (is_rsa || is_ec) && is_absent_or(text, m[USE].value, "sig") &&
	    is_absent_or(text, m[ALG].value, is_rsa ? "RS256" : "ES256");
	if (*is_ours && get_bytes(text, m[is_rsa ? N : X].value, &a) &&
	    get_bytes(text, m[is_rsa ? E : Y].value, &b))
		pkey = is_rsa ? rsa_key(&a, &b) : ec_key(&a, &b);
	buf_free(&a);
	buf_free(&b);
	return pkey;
}

static const char *
read_jwk(struct public_keys *keys, const char *text, struct json_value v)
{
	struct buf kid = { 0 };
	struct json_object o;
	struct json_scan s;
	EVP_PKEY *pkey;
	bool is_ours;

	json_scan_init(&s, text + v.start, v.end - v.start, DEPTH_MAX);
	if (!json_scan_members(&s, &v, &jwk_names, &o, -1, NULL) || v.kind != JSON_OBJECT)
		return "a key of the set is no object";
	for (int i = 0; i < N_MEMBERS; i++)
		if (o.member[i].seen > 1)
			return "a key of the set has a member twice";
	pkey = jwk_key(s.text, &o, &is_ours);
	if (!is_ours)
		return NULL;
	if (pkey == NULL)
		return "a key of the set cannot be read";
	json_string_get(s.text, o.member[KID].value, &kid);
	return add_key(keys, pkey, kid.len > 0 ? buf_take(&kid) : NULL);
}

static const char *
read_jwks(struct public_keys *keys, const char *text, size_t len)
{
	static const char *const name[] = { "keys" };
	static const struct json_names names = { 1, name };
	const char *fault = NULL;
	struct json_object o;
	struct json_value v;
	struct json_scan s;

	json_scan_init(&s, text, len, DEPTH_MAX);
	if (!json_scan_members(&s, &v, &names, &o, -1, NULL) || !json_scan_end(&s) ||
	    o.member[0].seen != 1 || o.member[0].value.kind != JSON_ARRAY)
		return "it is no key set: an object with \"keys\", a list";
	v = o.member[0].value;
	text += v.start;
	json_scan_init(&s, text, v.end - v.start, DEPTH_MAX);
	if (!json_scan_take(&s, '['))
		return "it is no key set";
	while (fault == NULL && json_scan_value(&s, &v)) {
		fault = read_jwk(keys, text, v);
		if (!json_scan_take(&s, ','))
			break;
	}
	return fault;
}

const char *
public_keys_read(struct public_keys *keys, const char *text, size_t len)
{
	size_t n_blanks = strspn(len > 0 ? text : "", " \t\r\n");
	const char *fault;

	keys->n = 0;
	if (len > INT_MAX)
		return "it is too long";
	ERR_set_mark();
	fault = n_blanks < len && text[n_blanks] == '{' ? read_jwks(keys, text, len) :
	    read_pem(keys, text, len);
	ERR_pop_to_mark();
	if (fault == NULL && keys->n == 0)
		fault = "there is no key in it: neither PEM nor a key set with one for RS256 or ES256";
	if (fault != NULL)
		public_keys_cleanup(keys);
	return fault;
}

/* ---- signatures ---- */

/* r and s of JWT, each of 32 bytes, in the form that OpenSSL reads.  Gives; NULL: no such thing. */
static unsigned char *
der_of(const uint8_t *signature, size_t len, size_t *der_len)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r, *s;
	unsigned char *der = NULL;
	int n = -1;

	if (len == 2 * COORDINATE && sig != NULL) {
		r = BN_bin2bn(signature, COORDINATE, NULL);
		s = BN_bin2bn(signature + COORDINATE, COORDINATE, NULL);
		if (r != NULL && s != NULL && ECDSA_SIG_set0(sig, r, s) == 1)
			n = i2d_ECDSA_SIG(sig, &der);
	}
	ECDSA_SIG_free(sig);
	*der_len = n > 0 ? (size_t)n : 0;
	return n > 0 ? der : NULL;
}

static bool
verify(EVP_PKEY *pkey, const void *data, size_t len, const uint8_t *signature, size_t signature_len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool is_good;

	is_good = ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, pkey) == 1 &&
	    EVP_DigestVerify(ctx, signature, signature_len, data, len) == 1;
	EVP_MD_CTX_free(ctx);
	return is_good;
}

bool
public_key_verify(const struct public_key *key, const void *data, size_t len,
    const uint8_t *signature, size_t signature_len)
{
	unsigned char *der;
	size_t der_len;
	bool is_good;

	ERR_set_mark();
	if (key->alg == PUBLIC_KEY_ES256) {
		der = der_of(signature, signature_len, &der_len);
		is_good = der != NULL && verify(key->pkey, data, len, der, der_len);
		OPENSSL_free(der);
	} else {
		is_good = verify(key->pkey, data, len, signature, signature_len);
	}
	ERR_pop_to_mark();
	return is_good;
}
