/*
 * seal/secret.h: 32-byte secrets in guarded, locked memory.
 *
 * A secret stands in pages of its own (sodium_malloc): guard pages around it, locked against
 * swapping, left out of core dumps, wiped when freed. Locking is best effort: above RLIMIT_MEMLOCK
 * the secret is guarded but may be swapped.
 *
 * A child of fork inherits its parent's secrets, unlocked; a role that forks for strangers holds
 * none.
 *
 * System calls: mmap, munmap, mprotect, mlock, munlock, madvise, getrandom; for the hand-over
 * memfd_create, write, pread, fcntl, fstat, close.
 *
 *     struct secret *master CLEANUP(secret_free) = secret_random();
 */
#ifndef SEAL_SECRET_H
#define SEAL_SECRET_H

#include <stdint.h>

#include "base/attr.h"
#include "seal/cipher.h"

enum { SECRET_LEN = CIPHER_KEY_LEN };

struct secret {
	uint8_t bytes[SECRET_LEN];
};

/* A zeroed, a random, a copied secret (given; secret_free). No memory: aborts. */
struct secret *secret_new(void);
struct secret *secret_random(void);
struct secret *secret_copy(const uint8_t bytes[static SECRET_LEN]);

/* Wipes and frees `*secret` and sets it to NULL; nothing for NULL. For CLEANUP. */
void secret_free(struct secret **secret);
/* Hands the secret out and leaves NULL behind. */
struct secret *secret_take(struct secret **secret);

/* A secret derived from `parent` under `label` (cipher_derive); given. */
struct secret *secret_derive(const struct secret *parent, const char *label, struct str context);

/*
 * The secret in a memory file sealed against change, to be passed to another process: 0 and its
 * descriptor (given), or -errno. Whoever holds the descriptor can read the secret.
 */
MUST_USE int secret_to_memfd(const struct secret *secret, int *ret_fd);
/* Reads one (given). -EPERM when `fd` is not a sealed memory file, -EBADMSG for another length. */
MUST_USE int secret_from_memfd(int fd, struct secret **ret_secret);

#endif
