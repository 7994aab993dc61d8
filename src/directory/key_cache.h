/*
 * directory/key_cache.h: the master keys of credentials that were right a moment ago.
 *
 * Checking a password costs Argon2id's memory and time; a client that connects again within minutes
 * does not pay again. An entry is found by a keyed hash of account and password and holds the
 * account's master key. All entries lie in one block of guarded, locked memory, under a hash key
 * made at the start: what is read out of a swap file or a core dump is none of it.
 *
 * An entry goes when it was not used for `idle_ms`, when its account changed (key_cache_forget), or
 * when KEY_CACHE_MAX others were used since. Time is clock_ms().
 */
#ifndef DIRECTORY_KEY_CACHE_H
#define DIRECTORY_KEY_CACHE_H

#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "seal/secret.h"

enum { KEY_CACHE_MAX = 1024 };

struct key_cache;

/* `idle_ms` 0: nothing is ever found. */
MUST_USE int key_cache_new(uint64_t idle_ms, struct key_cache **ret_cache);
void key_cache_free(struct key_cache *cache);

/* The master key for this credential (given), or NULL. Finding it counts as use. */
struct secret *key_cache_find(struct key_cache *cache, uint64_t account, struct str password);

void key_cache_put(
    struct key_cache *cache, uint64_t account, struct str password, const struct secret *master);

/* Forgets every credential of the account. */
void key_cache_forget(struct key_cache *cache, uint64_t account);

/* Wipes what was idle too long; called by a timer. */
void key_cache_expire(struct key_cache *cache);

/* A number that stands for the credential as long as the process lives: for throttle.h. */
uint64_t key_cache_fingerprint(
    const struct key_cache *cache, uint64_t account, struct str name, struct str password);

#endif
