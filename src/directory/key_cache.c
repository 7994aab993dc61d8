#include "directory/key_cache.h"

#include <errno.h>
#include <stdlib.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/num.h"

enum { HASH_LEN = 32 };

struct entry {
	uint64_t account; /* 0: free */
	uint64_t used_at;
	uint8_t hash[HASH_LEN];
	uint8_t master[SECRET_LEN];
};

/* In one piece of locked memory. */
struct key_cache {
	uint64_t idle_ms;
	uint8_t hash_key[crypto_generichash_KEYBYTES];
	struct entry entries[KEY_CACHE_MAX];
};

int key_cache_new(uint64_t idle_ms, struct key_cache **ret_cache)
{
	if (sodium_init() < 0)
		return -EIO;
	struct key_cache *cache = sodium_malloc(sizeof(*cache));
	if (!cache)
		return -ENOMEM;
	sodium_memzero(cache, sizeof(*cache));
	cache->idle_ms = idle_ms;
	randombytes_buf(cache->hash_key, sizeof(cache->hash_key));
	*ret_cache = cache;
	return 0;
}

void key_cache_free(struct key_cache *cache)
{
	sodium_free(cache);
}

static void hash_credential(const struct key_cache *cache, uint64_t account, struct str name,
    struct str password, uint8_t ret_hash[static HASH_LEN])
{
	uint8_t head[16];
	num_put64(head, account);
	num_put64(head + 8, name.len);
	crypto_generichash_state state;
	crypto_generichash_init(&state, cache->hash_key, sizeof(cache->hash_key), HASH_LEN);
	crypto_generichash_update(&state, head, sizeof(head));
	crypto_generichash_update(&state, (const unsigned char *)name.p, name.len);
	crypto_generichash_update(&state, (const unsigned char *)password.p, password.len);
	crypto_generichash_final(&state, ret_hash, HASH_LEN);
	sodium_memzero(&state, sizeof(state));
}

static bool is_idle(const struct key_cache *cache, const struct entry *entry)
{
	return clock_ms() - entry->used_at >= cache->idle_ms;
}

static struct entry *find(
    struct key_cache *cache, uint64_t account, const uint8_t hash[static HASH_LEN])
{
	for (size_t i = 0; i < KEY_CACHE_MAX; i++) {
		struct entry *entry = &cache->entries[i];
		if (entry->account == account && sodium_memcmp(entry->hash, hash, HASH_LEN) == 0)
			return entry;
	}
	return NULL;
}

struct secret *key_cache_find(struct key_cache *cache, uint64_t account, struct str password)
{
	uint8_t hash[HASH_LEN];
	hash_credential(cache, account, STR(""), password, hash);
	struct entry *entry = account == 0 ? NULL : find(cache, account, hash);
	sodium_memzero(hash, sizeof(hash));
	if (!entry)
		return NULL;
	if (is_idle(cache, entry)) {
		sodium_memzero(entry, sizeof(*entry));
		return NULL;
	}
	entry->used_at = clock_ms();
	return secret_copy(entry->master);
}

/* A free entry, or the one that was not used for the longest time. */
static struct entry *victim(struct key_cache *cache)
{
	struct entry *oldest = &cache->entries[0];
	for (size_t i = 0; i < KEY_CACHE_MAX; i++) {
		struct entry *entry = &cache->entries[i];
		if (entry->account == 0)
			return entry;
		if (entry->used_at < oldest->used_at)
			oldest = entry;
	}
	return oldest;
}

void key_cache_put(
    struct key_cache *cache, uint64_t account, struct str password, const struct secret *master)
{
	if (cache->idle_ms == 0 || account == 0)
		return;
	uint8_t hash[HASH_LEN];
	hash_credential(cache, account, STR(""), password, hash);
	struct entry *entry = find(cache, account, hash);
	if (!entry)
		entry = victim(cache);
	entry->account = account;
	entry->used_at = clock_ms();
	memcpy(entry->hash, hash, HASH_LEN);
	memcpy(entry->master, master->bytes, SECRET_LEN);
	sodium_memzero(hash, sizeof(hash));
}

void key_cache_forget(struct key_cache *cache, uint64_t account)
{
	for (size_t i = 0; i < KEY_CACHE_MAX; i++)
		if (cache->entries[i].account == account)
			sodium_memzero(&cache->entries[i], sizeof(cache->entries[i]));
}

void key_cache_expire(struct key_cache *cache)
{
	for (size_t i = 0; i < KEY_CACHE_MAX; i++)
		if (cache->entries[i].account != 0 && is_idle(cache, &cache->entries[i]))
			sodium_memzero(&cache->entries[i], sizeof(cache->entries[i]));
}

uint64_t key_cache_fingerprint(
    const struct key_cache *cache, uint64_t account, struct str name, struct str password)
{
	uint8_t hash[HASH_LEN];
	hash_credential(cache, account, name, password, hash);
	uint64_t fingerprint = num_get64(hash);
	sodium_memzero(hash, sizeof(hash));
	return fingerprint;
}
