/*
 * keyholder/dkim_keys.h: the private keys of DKIM and the one thing that is done with them, without
 * the process around it.
 *
 * A key is made here and leaves only wrapped: under a key derived from tls/keyholder.key
 * (docs/formats.md), bound to its domain, selector and algorithm. Who keeps the wrapped keys
 * (directory) cannot use them, and cannot pass one domain's key off as another's.
 *
 * These keys sign the SHA-256 of a header and nothing else; they are none of TLS, and those of TLS
 * (tls/signer.h) sign nothing here. RSA of DKIM_KEYS_RSA_BITS bits, Ed25519.
 *
 * Private numbers lie in OpenSSL's secure heap (locked, guarded, wiped), where
 * dkim_keys_init_memory could make it: before the sandbox.
 *
 * Limit: DKIM_KEYS_MAX keys.
 */
#ifndef KEYHOLDER_DKIM_KEYS_H
#define KEYHOLDER_DKIM_KEYS_H

#include "base/attr.h"
#include "base/buf.h"
#include "ipc/outgoing.h"
#include "seal/secret.h"

enum {
	DKIM_KEYS_MAX = 4096,
	DKIM_KEYS_RSA_BITS = 2048,
	DKIM_KEYS_SEALED_MAX = 4096,
	DKIM_KEYS_PUBLIC_MAX = 1024,
	DKIM_KEYS_SIGNATURE_MAX = 1024,
};

#define DKIM_KEYS_FILE "tls/keyholder.key"

struct dkim_keys;

/* The secure heap, and what OpenSSL reads from files at its first use. Before the sandbox. False:
 * keys will lie in ordinary memory. */
bool dkim_keys_init_memory(void);

/*
 * Reads tls/keyholder.key below `data_fd`, or makes it where it is not there. -ENOKEY: it is
 * damaged; other -errno.
 */
MUST_USE int dkim_keys_read_key(int data_fd, struct secret **ret_key);

/* Looks at it: 0, -ENOENT, -ENOKEY: it is damaged; other -errno. */
MUST_USE int dkim_keys_check_key(int data_fd);

/* Borrows nothing of `key`. */
struct dkim_keys *dkim_keys_new(const struct secret *key);
void dkim_keys_free(struct dkim_keys *k);

/*
 * Makes a key and holds it (in place of one of the same name): its public half as p= has it before
 * base64, and the wrapped private one. -EINVAL for names or an algorithm that are none, -ENOSPC,
 * -EIO when the library fails.
 */
MUST_USE int dkim_keys_make(struct dkim_keys *k, const struct ipc_dkim_make *make,
    struct buf *ret_public, struct buf *ret_sealed);

/* Takes one that was made: 0, or -EBADMSG when it is not this server's, or not of this name. */
MUST_USE int dkim_keys_take(struct dkim_keys *k, const struct ipc_dkim_key *key);

void dkim_keys_forget(struct dkim_keys *k, struct str domain, struct str selector);

size_t dkim_keys_count(const struct dkim_keys *k);

/* -ENOENT: no such key; -EPERM: not a hash; -EIO. */
MUST_USE int dkim_keys_sign(const struct dkim_keys *k, const struct ipc_dkim_sign *what,
    unsigned char ret_signature[static DKIM_KEYS_SIGNATURE_MAX], size_t *ret_len);

#endif
