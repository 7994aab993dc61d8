#include "directory/throttle.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/num.h"
#include "seal/cipher.h"

enum { WAYS = 4, ROWS = THROTTLE_ENTRIES_MAX / WAYS };

enum kind { KIND_NETWORK = 1, KIND_ACCOUNT, KIND_KNOWN };

struct entry {
	uint64_t a, b; /* what it is about */
	enum kind kind;
	uint64_t used_at;             /* ms */
	double level;                 /* of the bucket at used_at */
	uint64_t seen[THROTTLE_SEEN]; /* credentials that failed last */
};

struct throttle {
	double failures;
	uint64_t seed; /* so that nobody outside can choose who shares a row */
	struct entry buckets[THROTTLE_ENTRIES_MAX];
	struct entry known[THROTTLE_ENTRIES_MAX];
};

int throttle_new(uint64_t failures, struct throttle **ret_throttle)
{
	struct throttle *throttle = calloc(1, sizeof(*throttle));
	if (!throttle)
		return -ENOMEM;
	throttle->failures = (double)failures;
	cipher_random(&throttle->seed, sizeof(throttle->seed));
	*ret_throttle = throttle;
	return 0;
}

void throttle_free(struct throttle *throttle)
{
	free(throttle);
}

struct network network_of(struct str peer)
{
	char text[INET6_ADDRSTRLEN];
	struct in_addr v4;
	struct in6_addr v6;
	if (str_to_cstr(peer, text, sizeof(text)))
		return (struct network){0, false};
	if (inet_pton(AF_INET, text, &v4) == 1)
		return (struct network){v4.s_addr, false};
	if (inet_pton(AF_INET6, text, &v6) == 1) {
		if (IN6_IS_ADDR_V4MAPPED(&v6)) {
			memcpy(&v4, v6.s6_addr + 12, sizeof(v4));
			return (struct network){v4.s_addr, false};
		}
		return (struct network){num_get64(v6.s6_addr), true};
	}
	return (struct network){0, false};
}

/* The finaliser of splitmix64 over the words, keyed by the seed: spreads, and hides the rows. */
static uint64_t mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) + 0x9e3779b97f4a7c15ULL;
	h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9ULL;
	h = (h ^ (h >> 27)) * 0x94d049bb133111ebULL;
	return h ^ (h >> 31);
}

static struct entry *row_of(
    const struct throttle *t, const struct entry *table, enum kind kind, uint64_t a, uint64_t b)
{
	uint64_t h = mix(mix(mix(t->seed, kind), a), b);
	return (struct entry *)(uintptr_t)&table[h % ROWS * WAYS];
}

static struct entry *find(
    const struct throttle *t, const struct entry *table, enum kind kind, uint64_t a, uint64_t b)
{
	struct entry *row = row_of(t, table, kind, a, b);
	for (size_t i = 0; i < WAYS; i++)
		if (row[i].kind == kind && row[i].a == a && row[i].b == b)
			return &row[i];
	return NULL;
}

static struct entry *find_or_make(
    const struct throttle *t, const struct entry *table, enum kind kind, uint64_t a, uint64_t b)
{
	struct entry *entry = find(t, table, kind, a, b);
	if (entry)
		return entry;
	struct entry *row = row_of(t, table, kind, a, b);
	entry = &row[0];
	for (size_t i = 1; i < WAYS; i++)
		if (row[i].used_at < entry->used_at)
			entry = &row[i];
	*entry = (struct entry){.a = a, .b = b, .kind = kind, .used_at = clock_ms()};
	return entry;
}

static double level_now(const struct throttle *t, const struct entry *bucket)
{
	double leaked =
	    (double)(clock_ms() - bucket->used_at) * t->failures / (double)THROTTLE_WINDOW_MS;
	return leaked >= bucket->level ? 0 : bucket->level - leaked;
}

static bool is_full(const struct throttle *t, enum kind kind, uint64_t a, uint64_t b)
{
	const struct entry *bucket = find(t, t->buckets, kind, a, b);
	return bucket && level_now(t, bucket) > t->failures - 1;
}

bool throttle_permits(struct throttle *t, struct network network, uint64_t account)
{
	if (is_full(t, KIND_NETWORK, network.bits, network.is_v6))
		return false;
	if (account == 0 || !is_full(t, KIND_ACCOUNT, account, 0))
		return true;
	return find(t, t->known, KIND_KNOWN, mix(network.bits, network.is_v6), account) != NULL;
}

static bool was_seen(const struct entry *bucket, uint64_t credential)
{
	for (size_t i = 0; i < THROTTLE_SEEN; i++)
		if (bucket->seen[i] == credential)
			return true;
	return false;
}

bool throttle_was_wrong(struct throttle *t, struct network network, uint64_t credential)
{
	const struct entry *bucket = find(t, t->buckets, KIND_NETWORK, network.bits, network.is_v6);
	return bucket && was_seen(bucket, credential == 0 ? UINT64_MAX : credential);
}

uint64_t throttle_origin(const struct throttle *t, struct network network)
{
	uint64_t origin = mix(mix(t->seed, network.bits), network.is_v6);
	return origin == 0 ? UINT64_MAX : origin;
}

static void fill(const struct throttle *t, struct entry *bucket)
{
	bucket->level = level_now(t, bucket) + 1;
	bucket->used_at = clock_ms();
}

void throttle_failed(
    struct throttle *t, struct network network, uint64_t account, uint64_t credential)
{
	if (credential == 0)
		credential = UINT64_MAX; /* 0 marks a free place */
	struct entry *of_network =
	    find_or_make(t, t->buckets, KIND_NETWORK, network.bits, network.is_v6);
	if (was_seen(of_network, credential))
		return;
	for (size_t i = THROTTLE_SEEN - 1; i > 0; i--)
		of_network->seen[i] = of_network->seen[i - 1];
	of_network->seen[0] = credential;
	fill(t, of_network);
	if (account != 0)
		fill(t, find_or_make(t, t->buckets, KIND_ACCOUNT, account, 0));
}

void throttle_succeeded(struct throttle *t, struct network network, uint64_t account)
{
	struct entry *known =
	    find_or_make(t, t->known, KIND_KNOWN, mix(network.bits, network.is_v6), account);
	known->used_at = clock_ms();
}
