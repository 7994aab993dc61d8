#include "tls/signer.h"

#include <errno.h>
#include <stdlib.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "tls/keyprovider.h"
#include "tls/typed_form.h"

enum { KEY_ID_LEN = 32 };

struct held_key {
	unsigned char id[KEY_ID_LEN];
	EVP_PKEY *key;
	bool is_rsa;
};

struct signer {
	struct held_key keys[SIGNER_KEYS_MAX];
	size_t n_keys;
};

int signer_new(struct signer **ret_signer)
{
	struct signer *signer = calloc(1, sizeof(*signer));
	if (!signer)
		return -ENOMEM;
	*ret_signer = signer;
	return 0;
}

void signer_free(struct signer *signer)
{
	if (!signer)
		return;
	for (size_t i = 0; i < signer->n_keys; i++)
		EVP_PKEY_free(signer->keys[i].key);
	free(signer);
}

/* A passphrase is never asked for: there is nobody to answer. */
static int no_passphrase(char *p UNUSED, int len UNUSED, int writing UNUSED, void *ctx UNUSED)
{
	return -1;
}

/* A damaged file may still parse: then its private and its public half are no pair. */
static bool is_pair(EVP_PKEY *key)
{
	EVP_PKEY_CTX *ctx =
	    EVP_PKEY_CTX_new_from_pkey(keyprovider_context(), key, KEYPROVIDER_PROPERTIES);
	bool is_one = ctx && EVP_PKEY_pairwise_check(ctx) == 1;

	EVP_PKEY_CTX_free(ctx);
	return is_one;
}

int signer_add(struct signer *signer, struct str pem)
{
	if (signer->n_keys == SIGNER_KEYS_MAX)
		return -ENOSPC;
	if (pem.len > SIGNER_KEY_FILE_MAX)
		return -EINVAL;
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.len);
	if (!bio)
		return -ENOMEM;
	EVP_PKEY *key = PEM_read_bio_PrivateKey_ex(
	    bio, NULL, no_passphrase, NULL, keyprovider_context(), KEYPROVIDER_PROPERTIES);
	BIO_free(bio);
	struct held_key *held = &signer->keys[signer->n_keys];
	if (!key || !keyprovider_takes(key) || !is_pair(key) ||
	    !keyprovider_key_id(key, held->id)) {
		EVP_PKEY_free(key);
		return -EINVAL;
	}
	held->key = key;
	held->is_rsa = EVP_PKEY_is_a(key, "RSA");
	signer->n_keys++;
	return 0;
}

size_t signer_n_keys(const struct signer *signer)
{
	return signer->n_keys;
}

static const struct held_key *key_of(const struct signer *signer, struct str id)
{
	for (size_t i = 0; i < signer->n_keys; i++)
		if (str_eq(id, str_of(signer->keys[i].id, KEY_ID_LEN)))
			return &signer->keys[i];
	return NULL;
}

static bool may_be_signed(const struct ipc_sign *request, const struct held_key *held)
{
	if (request->hash > 2 || request->pss > 1 || (request->pss && !held->is_rsa))
		return false;
	switch (request->scheme) {
	case SIGN_TLS13:
		/* RFC 8446 §4.2.3: no PKCS #1 v1.5 in CertificateVerify */
		return typed_form_is_tls13(request->input) && (request->pss || !held->is_rsa);
	case SIGN_TLS12:
		return typed_form_is_tls12(request->input);
	default:
		return false;
	}
}

static bool set_padding(EVP_PKEY_CTX *ctx, bool is_pss)
{
	if (!is_pss)
		return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0;
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) > 0;
}

static const char *hash_name(uint8_t hash)
{
	static const char *const names[] = {"SHA256", "SHA384", "SHA512"};
	return names[hash];
}

int signer_sign(struct signer *signer, const struct ipc_sign *request,
    unsigned char ret_signature[static SIGNER_SIGNATURE_LEN_MAX], size_t *ret_len)
{
	const struct held_key *held = key_of(signer, request->key);
	if (!held)
		return -ENOENT;
	if (!may_be_signed(request, held))
		return -EPERM;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	if (!ctx)
		return -ENOMEM;
	EVP_PKEY_CTX *key_ctx = NULL;
	unsigned char signature[SIGNER_SIGNATURE_LEN_MAX];
	size_t len = sizeof(signature);
	bool is_done = EVP_DigestSignInit_ex(ctx, &key_ctx, hash_name(request->hash),
	                   keyprovider_context(), KEYPROVIDER_PROPERTIES, held->key, NULL) > 0 &&
	               (!held->is_rsa || set_padding(key_ctx, request->pss)) &&
	               EVP_DigestSign(ctx, signature, &len, (const unsigned char *)request->input.p,
	                   request->input.len) > 0;
	EVP_MD_CTX_free(ctx);
	if (!is_done)
		return -EIO;
	memcpy(ret_signature, signature, len);
	*ret_len = len;
	return 0;
}
