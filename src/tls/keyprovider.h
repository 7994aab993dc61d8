/*
 * tls/keyprovider.h: private keys that are not here: an OpenSSL provider whose one private
 * operation is a question to the keyholder.
 *
 * A key made by `keyprovider_key` looks to OpenSSL like an EC or RSA private key. It holds the
 * public half only. When libssl signs with it (EVP_DigestSign in one call), the whole content to be
 * signed goes to the keyholder as IPC_SIGN, which checks that it is what a TLS server signs, and
 * signs it or refuses. Nothing else can be done with it: no decryption, no export of a private
 * part, no signature over a bare hash.
 *
 * The provider lives in an OpenSSL library context of its own, beside the default provider;
 * everything that uses its keys is made from that context (`keyprovider_context`). Fetches that do
 * not ask for this provider should prefer the default one: KEYPROVIDER_PROPERTIES.
 *
 * Limits: EC P-256 and P-384 with SHA-256, SHA-384 or SHA-512; RSA of 2048 to 8192 bits with the
 * same, PSS (salt as long as the hash) or PKCS #1 v1.5.
 */
#ifndef TLS_KEYPROVIDER_H
#define TLS_KEYPROVIDER_H

#include <stdbool.h>

#include <openssl/evp.h>

#include "base/attr.h"

enum { KEYPROVIDER_TIMEOUT_MS = 10000, KEYPROVIDER_RSA_BITS_MIN = 2048 };

/* The property query for everything but the key itself. */
#define KEYPROVIDER_PROPERTIES "?provider=default"

/* The library context with both providers, made at the first call; NULL when that fails. */
OSSL_LIB_CTX *keyprovider_context(void);

/* A key whose signatures come from the keyholder: given (EVP_PKEY_free); NULL when the public key
 * is of no kind we take. */
MUST_USE EVP_PKEY *keyprovider_key(EVP_PKEY *public_key);

/* True for a key of a kind and size that we take. */
bool keyprovider_takes(const EVP_PKEY *key);

/* SHA-256 of the SubjectPublicKeyInfo: the key's name in IPC_SIGN. False only out of memory. */
MUST_USE bool keyprovider_key_id(EVP_PKEY *public_key, unsigned char ret_id[static 32]);

/* The channel that this process signs over (borrowed); -1: signing fails. */
void keyprovider_use_channel(int channel);

#endif
