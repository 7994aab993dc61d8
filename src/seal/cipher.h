/*
 * seal/cipher.h: the few primitives everything sealed is made of: an AEAD, key agreement, key
 * derivation, checksums.
 *
 * AEAD: ChaCha20-Poly1305 (RFC 8439) for keys that are used once with counted nonces; the same
 * behind an HChaCha20 sub-key ("XChaCha20-Poly1305", draft-irtf-cfrg-xchacha) for random 24-byte
 * nonces. Agreement: X25519 (RFC 7748). Derivation and checksums: BLAKE2b (RFC 7693).
 *
 * A build with GATEPOST_NO_SEALING (for benchmarks, never installed) copies instead of encrypting
 * and agrees on nothing: cipher.c is the only file that knows. Every format carries
 * CIPHER_FORMAT_FLAGS in a byte of its own, so that neither build opens what the other wrote.
 *
 * `cipher_init` comes before the sandbox: it reads OpenSSL's configuration. After it the functions
 * need only the system call getrandom, and memory. They survive fork: nothing is shared, and the
 * kernel empties the pool of random bytes for the child (MADV_WIPEONFORK). The reused
 * OpenSSL context remembers the last key; `cipher_forget` wipes it.
 *
 * Failures of OpenSSL or of the random generator are ours, and abort.
 */
#ifndef SEAL_CIPHER_H
#define SEAL_CIPHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

enum {
	CIPHER_KEY_LEN = 32,
	CIPHER_NONCE_LEN = 12,
	CIPHER_XNONCE_LEN = 24,
	CIPHER_TAG_LEN = 16,
	CIPHER_PUBLIC_LEN = 32,
	CIPHER_CHECKSUM_LEN = 8,
	CIPHER_LABEL_MAX = 64,
};

/* The byte `flags` of every format. */
enum { CIPHER_FLAG_NOT_SEALED = 1 };
#ifdef GATEPOST_NO_SEALING
enum { CIPHER_FORMAT_FLAGS = CIPHER_FLAG_NOT_SEALED };
#else
enum { CIPHER_FORMAT_FLAGS = 0 };
#endif

/* Idempotent. Every other function calls it when it was not; roles call it before their sandbox. */
void cipher_init(void);
/* Wipes and frees the context of this process. */
void cipher_forget(void);

void cipher_random(void *p, size_t len);
/* The same for nonces and marks, of which many are needed: at most CIPHER_POOL_NONCE_MAX bytes, out
 * of a pool that is filled by one system call. Bytes are wiped from it when they are given out, and
 * a forked child has none of its parent's. */
enum { CIPHER_POOL_LEN = 3072, CIPHER_POOL_NONCE_MAX = 64 };
void cipher_nonce(void *p, size_t len);

/* Encrypts `plain` to `out` (as long; may be the same memory) and writes the tag. */
void cipher_seal(const uint8_t key[static CIPHER_KEY_LEN],
    const uint8_t nonce[static CIPHER_NONCE_LEN], struct str aad, struct str plain, void *out,
    uint8_t tag[static CIPHER_TAG_LEN]);
/* Decrypts to `out` (may be the same memory). False when it is not authentic: `out` is zeroed. */
MUST_USE bool cipher_open(const uint8_t key[static CIPHER_KEY_LEN],
    const uint8_t nonce[static CIPHER_NONCE_LEN], struct str aad, struct str sealed,
    const uint8_t tag[static CIPHER_TAG_LEN], void *out);

/* The same with 24-byte nonces, long enough to be random. */
void cipher_xseal(const uint8_t key[static CIPHER_KEY_LEN],
    const uint8_t nonce[static CIPHER_XNONCE_LEN], struct str aad, struct str plain, void *out,
    uint8_t tag[static CIPHER_TAG_LEN]);
MUST_USE bool cipher_xopen(const uint8_t key[static CIPHER_KEY_LEN],
    const uint8_t nonce[static CIPHER_XNONCE_LEN], struct str aad, struct str sealed,
    const uint8_t tag[static CIPHER_TAG_LEN], void *out);

/* A fresh X25519 pair. */
void cipher_pair_new(
    uint8_t ret_private[static CIPHER_KEY_LEN], uint8_t ret_public[static CIPHER_PUBLIC_LEN]);
/* The public half of a private key. */
void cipher_pair_public(
    const uint8_t private_key[static CIPHER_KEY_LEN], uint8_t ret_public[static CIPHER_PUBLIC_LEN]);
/* X25519; false for a public key of low order (the result would be all zero). */
MUST_USE bool cipher_agree(const uint8_t private_key[static CIPHER_KEY_LEN],
    const uint8_t public_key[static CIPHER_PUBLIC_LEN], uint8_t ret_shared[static CIPHER_KEY_LEN]);

/*
 * BLAKE2b-256 keyed with `key` over "gatepost v1 " label NUL context. Every key has its own label
 * (docs/formats.md lists them), so that none is used for two things.
 */
void cipher_derive(const uint8_t key[static CIPHER_KEY_LEN], const char *label, struct str context,
    uint8_t ret_key[static CIPHER_KEY_LEN]);

/* The first 8 bytes of BLAKE2b-128, no key: finds damage where there is no key, not forgery. */
void cipher_checksum(
    const struct str *parts, size_t n_parts, uint8_t ret_sum[static CIPHER_CHECKSUM_LEN]);

/* Equality in time that depends on `len` only; zeroing that is not optimised away. */
MUST_USE bool cipher_equal(const void *a, const void *b, size_t len);
void cipher_wipe(void *p, size_t len);

#endif
