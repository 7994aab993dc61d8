/*
 * seal/slot.h: slots: an account's master key, wrapped for one credential each.
 *
 * Kinds: a password (Argon2id, its cost stands in the slot), a token (32 random bytes: app
 * passwords, session tokens; derived with BLAKE2b), the organisation's recovery key (X25519).
 * Checking a credential *is* opening its slot: nothing else is compared. A slot commits to its key,
 * so that no slot opens under two credentials.
 *
 * It does not prepare passwords (PRECIS OpaqueString is the caller's), does not keep, count or
 * expire slots. A slot is SLOT_LEN opaque bytes for whoever stores it.
 *
 * Errors: -EACCES not the credential of this slot, or a slot of another account; -EBADMSG damaged;
 * -EPROTONOSUPPORT another version, or a build without sealing; -EINVAL the wrong kind, an empty or
 * too long password, a cost out of bounds, a useless public key; -ENOMEM where Argon2id's memory is
 * not to be had.
 *
 * System calls of slot_*_password: mmap and munmap of the cost's memory.
 */
#ifndef SEAL_SLOT_H
#define SEAL_SLOT_H

#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"
#include "seal/cipher.h"
#include "seal/secret.h"

enum {
	SLOT_LEN = 152,
	SLOT_PASSWORD_MAX = 1024,
	SLOT_TOKEN_LEN = 32,
};

enum slot_kind { SLOT_PASSWORD = 1, SLOT_TOKEN = 2, SLOT_RECOVERY = 3 };

/* The price of one guess. */
struct slot_cost {
	uint32_t memory_kib; /* SLOT_MEMORY_KIB_MIN … SLOT_MEMORY_KIB_MAX */
	uint32_t passes;     /* 1 … SLOT_PASSES_MAX */
};

enum {
	SLOT_MEMORY_KIB_MIN = 8,
	SLOT_MEMORY_KIB_MAX = 1 << 20,
	SLOT_PASSES_MAX = 16,
};

/* For production: 64 MiB, 3 passes. For tests: the least there is, worth nothing. */
extern const struct slot_cost slot_cost_default;
extern const struct slot_cost slot_cost_test;

struct slot_info {
	enum slot_kind kind;
	uint64_t account_id;
	struct slot_cost cost; /* of a password */
};

/* What a slot says of itself without a credential, checked against accidents only. */
MUST_USE int slot_decode(struct str slot, struct slot_info *ret_info);

/* Wraps `master` anew (each time with new salt). */
MUST_USE int slot_seal_password(const struct secret *master, uint64_t account_id,
    struct str password, const struct slot_cost *cost, uint8_t ret_slot[static SLOT_LEN]);
void slot_seal_token(const struct secret *master, uint64_t account_id,
    const uint8_t token[static SLOT_TOKEN_LEN], uint8_t ret_slot[static SLOT_LEN]);
MUST_USE int slot_seal_recovery(const struct secret *master, uint64_t account_id,
    const uint8_t recovery_public[static CIPHER_PUBLIC_LEN], uint8_t ret_slot[static SLOT_LEN]);

/* Opens one: 0 and the master key (given), or an error. */
MUST_USE int slot_open_password(
    struct str slot, uint64_t account_id, struct str password, struct secret **ret_master);
MUST_USE int slot_open_token(struct str slot, uint64_t account_id,
    const uint8_t token[static SLOT_TOKEN_LEN], struct secret **ret_master);
MUST_USE int slot_open_recovery(struct str slot, uint64_t account_id,
    const struct secret *recovery_private, struct secret **ret_master);

/* Spends the time of opening a password slot of `cost`, for names that do not exist. */
void slot_waste_password(struct str password, const struct slot_cost *cost);

#endif
