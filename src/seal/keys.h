/*
 * seal/keys.h: an account's master key, its key pair, and the file `keys` that holds the pair.
 *
 * The master key (32 random bytes, a `struct secret`) stands in no file: only wrapped, in slots
 * (seal/slot.h). The private half of the key pair is wrapped by a key derived from it. Anybody may
 * read the public half and the quota (delivery does); only the owner can tell that they are
 * genuine, so whoever changes them needs the master key, and who can write the file can make
 * delivery seal to a wrong key until the owner signs in. Encoding and decoding are pure functions.
 *
 * Errors: -EBADMSG damaged or not authentic, -EPROTONOSUPPORT another version or a build without
 * sealing, -EACCES whole, but not of this account and master key (or forged).
 */
#ifndef SEAL_KEYS_H
#define SEAL_KEYS_H

#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "seal/cipher.h"
#include "seal/secret.h"

enum { KEYS_FILE_LEN = 136 };

/* Labels of what is derived from a master key (secret_derive, with the account id as context). */
#define KEYS_LABEL_PRIVATE_KEY "private key wrapping"
#define KEYS_LABEL_MAILBOX_DB  "mailbox.db"
#define KEYS_LABEL_READ_LOG    "read log"
/* Derived from the server's key of the directory, with an empty context. */
#define KEYS_LABEL_DIRECTORY_DB "directory.db"
#define KEYS_LABEL_SRS          "SRS"

/* What can be read without a key. */
struct keys_public {
	uint64_t account_id;
	uint8_t public_key[CIPHER_PUBLIC_LEN];
	uint64_t quota_bytes; /* 0: no limit */
};

/* What an unlocked account holds. */
struct keys {
	struct keys_public public;
	struct secret *private_key;
};

void keys_done(struct keys *keys);

/* A key derived from the master key of `account_id` under one of the labels above (given). */
struct secret *keys_derive(const struct secret *master, uint64_t account_id, const char *label);

/* A fresh key pair for an account. Its `private_key` is given: keys_done. */
void keys_new(uint64_t account_id, uint64_t quota_bytes, struct keys *ret_keys);

/* The content of the file `keys`; also after a change of quota_bytes. */
void keys_encode(
    const struct keys *keys, const struct secret *master, uint8_t ret_file[static KEYS_FILE_LEN]);

/* The public part, checked against accidents only. */
MUST_USE int keys_decode_public(struct str file, struct keys_public *ret_public);

/* All of it, authenticated; `account_id` is whose it must be. `ret_keys` is for keys_done. */
MUST_USE int keys_decode(
    struct str file, const struct secret *master, uint64_t account_id, struct keys *ret_keys);

#endif
