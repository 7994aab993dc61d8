#include "mail/dkim_key.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/base64.h"
#include "mail/tag_list.h"

enum { ED25519_LEN = 32, ED25519_BITS = 256 };

static bool decode(struct str value, uint8_t *to, size_t max, size_t *ret_len)
{
	struct buf plain CLEANUP(buf_done) = BUF_MAX(DKIM_RECORD_MAX);
	struct buf bytes CLEANUP(buf_done) = BUF_MAX(max);

	if (!tag_list_squeeze(value, &plain) || !base64_decode(buf_str(&plain), &bytes))
		return false;
	if (bytes.len > 0)
		memcpy(to, bytes.p, bytes.len);
	*ret_len = bytes.len;
	return true;
}

static const char *read_kind(const struct tag_list *tags, struct dkim_key *key)
{
	struct str kind;

	if (!tag_list_find(tags, STR("k"), &kind) || str_eq_nocase(kind, STR("rsa")))
		key->kind = DKIM_KEY_RSA;
	else if (str_eq_nocase(kind, STR("ed25519")))
		key->kind = DKIM_KEY_ED25519;
	else
		return "unknown kind of key";
	return NULL;
}

/* §3.6.1: v= comes first where it is there; h= and s= are lists of what the key is for. */
static const char *check_use(const struct tag_list *tags)
{
	struct str value;

	if (tag_list_find(tags, STR("v"), &value) &&
	    (!str_eq(value, STR("DKIM1")) || !str_eq(tags->v[0].name, STR("v"))))
		return "key record of an unknown version";
	if (tag_list_find(tags, STR("h"), &value) && !tag_list_has_word(value, STR("sha256")))
		return "key is not for SHA-256";
	if (tag_list_find(tags, STR("s"), &value) && !tag_list_has_word(value, STR("email")) &&
	    !tag_list_has_word(value, STR("*")))
		return "key is not for mail";
	return NULL;
}

const char *dkim_key_parse(struct str record, struct dkim_key *ret_key)
{
	struct dkim_key key = {0};
	struct tag_list tags;
	struct str value;

	if (record.len > DKIM_RECORD_MAX || !tag_list_parse(record, &tags))
		return "key record has a syntax error";
	const char *why = check_use(&tags);
	if (why == NULL)
		why = read_kind(&tags, &key);
	if (why != NULL)
		return why;
	if (tag_list_find(&tags, STR("t"), &value)) {
		key.is_testing = tag_list_has_word(value, STR("y"));
		key.is_strict = tag_list_has_word(value, STR("s"));
	}
	if (!tag_list_find(&tags, STR("p"), &value) ||
	    !decode(value, key.public_key, sizeof(key.public_key), &key.public_len))
		return "key record without a key";
	if (key.public_len == 0)
		return "key was taken back";
	*ret_key = key;
	return NULL;
}

bool dkim_key_format(enum dkim_key_kind kind, struct str public_key, struct buf *out)
{
	buf_printf(out, "v=DKIM1; k=%s; p=", kind == DKIM_KEY_RSA ? "rsa" : "ed25519");
	return base64_encode(public_key, out) && !buf_failed(out);
}

/* --- verifying --- */

/* p= of RSA is a SubjectPublicKeyInfo; RFC 6376 §3.6.1 says RSAPublicKey, and both are found. */
static EVP_PKEY *read_rsa(const struct dkim_key *key)
{
	const unsigned char *p = key->public_key;
	EVP_PKEY *pkey = d2i_PUBKEY(NULL, &p, (long)key->public_len);

	if (pkey == NULL) {
		p = key->public_key;
		pkey = d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, (long)key->public_len);
	}
	if (pkey != NULL && EVP_PKEY_get_base_id(pkey) != EVP_PKEY_RSA) {
		EVP_PKEY_free(pkey);
		pkey = NULL;
	}
	return pkey;
}

static bool verify_rsa(EVP_PKEY *pkey, const uint8_t hash[static DKIM_HASH_LEN], struct str s)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
	bool ok = ctx != NULL && EVP_PKEY_verify_init(ctx) == 1 &&
	          EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
	          EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
	          EVP_PKEY_verify(ctx, (const unsigned char *)s.p, s.len, hash, DKIM_HASH_LEN) == 1;

	EVP_PKEY_CTX_free(ctx);
	return ok;
}

static bool verify_ed25519(
    EVP_PKEY *pkey, const uint8_t hash[static DKIM_HASH_LEN], struct str signature)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
	          EVP_DigestVerify(ctx, (const unsigned char *)signature.p, signature.len, hash,
	              DKIM_HASH_LEN) == 1;

	EVP_MD_CTX_free(ctx);
	return ok;
}

static const char *verify_as_rsa(const struct dkim_key *key,
    const uint8_t hash[static DKIM_HASH_LEN], struct str signature, unsigned *ret_bits)
{
	EVP_PKEY *pkey = read_rsa(key);

	if (pkey == NULL)
		return "key cannot be read";
	const char *why = NULL;
	*ret_bits = (unsigned)EVP_PKEY_get_bits(pkey);
	if (*ret_bits < DKIM_RSA_BITS_LEAST)
		why = "key is too short";
	else if (*ret_bits > DKIM_RSA_BITS_MAX)
		why = "key is too long";
	else if (!verify_rsa(pkey, hash, signature))
		why = "signature did not verify";
	EVP_PKEY_free(pkey);
	return why;
}

const char *dkim_key_verify(const struct dkim_key *key, const uint8_t hash[static DKIM_HASH_LEN],
    struct str signature, unsigned *ret_bits)
{
	*ret_bits = 0;
	if (key->kind == DKIM_KEY_RSA)
		return verify_as_rsa(key, hash, signature, ret_bits);
	if (key->public_len != ED25519_LEN)
		return "key cannot be read";
	EVP_PKEY *pkey =
	    EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->public_key, ED25519_LEN);
	if (pkey == NULL)
		return "key cannot be read";
	*ret_bits = ED25519_BITS;
	bool ok = verify_ed25519(pkey, hash, signature);
	EVP_PKEY_free(pkey);
	return ok ? NULL : "signature did not verify";
}
