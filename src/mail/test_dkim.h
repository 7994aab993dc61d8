/* mail/test_dkim.h: keys for the unit tests of DKIM and ARC: made anew, with their records. */
#ifndef MAIL_TEST_DKIM_H
#define MAIL_TEST_DKIM_H

#include "mail/expect.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "mail/dkim.h"

struct test_key {
	char name[64]; /* "sel._domainkey.example.org" */
	enum dkim_key_kind kind;
	EVP_PKEY *key;
	char record[2048];
};

static inline struct test_key test_key_make(
    const char *name, enum dkim_key_kind kind, unsigned bits)
{
	struct test_key k = {.kind = kind};
	struct buf record CLEANUP(buf_done) = BUF_MAX(2000);
	unsigned char *der = NULL, raw[32];
	size_t len = sizeof(raw);

	snprintf(k.name, sizeof(k.name), "%s", name);
	k.key = kind == DKIM_KEY_RSA ? EVP_RSA_gen(bits) : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	assert_non_null(k.key);
	if (kind == DKIM_KEY_RSA) {
		int der_len = i2d_PUBKEY(k.key, &der);
		assert_true(der_len > 0);
		assert_true(dkim_key_format(kind, str_of(der, (size_t)der_len), &record));
	} else {
		assert_int_equal(EVP_PKEY_get_raw_public_key(k.key, raw, &len), 1);
		assert_true(dkim_key_format(kind, str_of(raw, len), &record));
	}
	OPENSSL_free(der);
	snprintf(k.record, sizeof(k.record), "%.*s", STR_FMT(buf_str(&record)));
	return k;
}

static inline struct str test_key_sign(const struct test_key *k, const uint8_t hash[static 32],
    unsigned char ret[static DKIM_SIGNATURE_LEN_MAX])
{
	size_t len = DKIM_SIGNATURE_LEN_MAX;

	if (k->kind == DKIM_KEY_RSA) {
		EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(k->key, NULL);
		assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
		assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING), 1);
		assert_int_equal(EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()), 1);
		assert_int_equal(EVP_PKEY_sign(ctx, ret, &len, hash, 32), 1);
		EVP_PKEY_CTX_free(ctx);
	} else {
		EVP_MD_CTX *ctx = EVP_MD_CTX_new();
		assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->key), 1);
		assert_int_equal(EVP_DigestSign(ctx, ret, &len, hash, 32), 1);
		EVP_MD_CTX_free(ctx);
	}
	return str_of(ret, len);
}

/* Records by name; its context is a struct test_zone. */
struct test_record {
	const char *name, *record;
};

struct test_zone {
	const struct test_record *v;
	size_t n;
	unsigned n_asked;
};

static inline enum dkim_lookup test_find(
    void *ctx, struct str name, struct arena *a, struct str *ret_record)
{
	struct test_zone *zone = ctx;

	zone->n_asked++;
	if (str_find(name, STR("later")) < name.len)
		return DKIM_KEY_LATER;
	for (size_t i = 0; i < zone->n; i++)
		if (str_eq_nocase(str_of_cstr(zone->v[i].name), name))
			return arena_dup(a, str_of_cstr(zone->v[i].record), ret_record)
			           ? DKIM_KEY_FOUND
			           : DKIM_KEY_LATER;
	return DKIM_KEY_MISSING;
}

#endif
