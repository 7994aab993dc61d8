#include "seal/slot.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/num.h"

/* Offsets in a slot; docs/formats.md draws it. */
enum {
	SLOT_AT_VERSION = 6,
	SLOT_AT_FLAGS = 7,
	SLOT_AT_KIND = 8,
	SLOT_AT_MEMORY = 12,
	SLOT_AT_PASSES = 16,
	SLOT_AT_ZERO = 20,
	SLOT_AT_ACCOUNT = 24,
	SLOT_AT_SALT = 32, /* 32 random bytes, or the ephemeral public key of a recovery slot */
	SLOT_AT_COMMITMENT = 64,
	SLOT_AT_MASTER = 96,
	SLOT_AT_TAG = 128,
	SLOT_AT_CHECKSUM = 144,
	SLOT_VERSION = 1,
	SLOT_SALT_LEN = 32,
};

_Static_assert(SLOT_AT_CHECKSUM + CIPHER_CHECKSUM_LEN == SLOT_LEN, "the slot's parts fill it");
_Static_assert(crypto_pwhash_SALTBYTES <= SLOT_SALT_LEN, "Argon2id takes its salt from ours");

static const struct str slot_magic = STR_INIT("GPslot");

const struct slot_cost slot_cost_default = {.memory_kib = 65536, .passes = 3};
const struct slot_cost slot_cost_test = {.memory_kib = SLOT_MEMORY_KIB_MIN, .passes = 1};

static bool slot_cost_is_valid(const struct slot_cost *cost)
{
	return cost->memory_kib >= SLOT_MEMORY_KIB_MIN && cost->memory_kib <= SLOT_MEMORY_KIB_MAX &&
	       cost->passes >= 1 && cost->passes <= SLOT_PASSES_MAX;
}

static void slot_checksum(const uint8_t *slot, uint8_t ret_sum[static CIPHER_CHECKSUM_LEN])
{
	struct str all = str_of(slot, SLOT_AT_CHECKSUM);

	cipher_checksum(&all, 1, ret_sum);
}

/* The front of a slot, up to the commitment, with fresh salt. */
static void slot_begin(uint8_t *slot, enum slot_kind kind, uint64_t account_id)
{
	memset(slot, 0, SLOT_LEN);
	memcpy(slot, slot_magic.p, slot_magic.len);
	slot[SLOT_AT_VERSION] = SLOT_VERSION;
	slot[SLOT_AT_FLAGS] = CIPHER_FORMAT_FLAGS;
	slot[SLOT_AT_KIND] = (uint8_t)kind;
	num_put64(slot + SLOT_AT_ACCOUNT, account_id);
	cipher_random(slot + SLOT_AT_SALT, SLOT_SALT_LEN);
}

/*
 * The two keys of a slot: one that is published, so that the slot commits to its credential, and
 * one that wraps. Both are bound to all that stands before them, the salt included: no pair is ever
 * used twice, and a nonce of zero serves.
 */
static void slot_keys(
    const uint8_t *slot, const struct secret *credential, uint8_t *commitment, uint8_t *wrapping)
{
	struct str front = str_of(slot, SLOT_AT_COMMITMENT);

	cipher_derive(credential->bytes, "slot commitment", front, commitment);
	cipher_derive(credential->bytes, "slot wrapping", front, wrapping);
}

static const uint8_t slot_nonce[CIPHER_NONCE_LEN];

static void slot_finish(uint8_t *slot, const struct secret *credential, const struct secret *master)
{
	uint8_t wrapping[CIPHER_KEY_LEN];

	slot_keys(slot, credential, slot + SLOT_AT_COMMITMENT, wrapping);
	cipher_seal(wrapping, slot_nonce, str_of(slot, SLOT_AT_MASTER),
	    str_of(master->bytes, SECRET_LEN), slot + SLOT_AT_MASTER, slot + SLOT_AT_TAG);
	cipher_wipe(wrapping, sizeof(wrapping));
	slot_checksum(slot, slot + SLOT_AT_CHECKSUM);
}

static int slot_unwrap(
    const uint8_t *slot, const struct secret *credential, struct secret **ret_master)
{
	uint8_t commitment[CIPHER_KEY_LEN], wrapping[CIPHER_KEY_LEN];
	struct secret *master CLEANUP(secret_free) = secret_new();

	slot_keys(slot, credential, commitment, wrapping);
	bool opened =
	    cipher_equal(commitment, slot + SLOT_AT_COMMITMENT, sizeof(commitment)) &&
	    cipher_open(wrapping, slot_nonce, str_of(slot, SLOT_AT_MASTER),
	        str_of(slot + SLOT_AT_MASTER, SECRET_LEN), slot + SLOT_AT_TAG, master->bytes);
	cipher_wipe(wrapping, sizeof(wrapping));
	if (!opened)
		return -EACCES;
	*ret_master = secret_take(&master);
	return 0;
}

/* Whether the fields that a kind does not use are zero, and those it uses within bounds. */
static bool slot_fields_are_valid(const uint8_t *slot, const struct slot_info *info)
{
	bool zero = sodium_is_zero(slot + SLOT_AT_KIND + 1, 3) &&
	            sodium_is_zero(slot + SLOT_AT_ZERO, SLOT_AT_ACCOUNT - SLOT_AT_ZERO);

	switch (info->kind) {
	case SLOT_PASSWORD:
		return zero && slot_cost_is_valid(&info->cost);
	case SLOT_TOKEN:
	case SLOT_RECOVERY:
		return zero && info->cost.memory_kib == 0 && info->cost.passes == 0;
	}
	return false;
}

int slot_decode(struct str slot, struct slot_info *ret_info)
{
	const uint8_t *p = (const uint8_t *)slot.p;
	uint8_t sum[CIPHER_CHECKSUM_LEN];

	if (slot.len != SLOT_LEN || !str_starts(slot, slot_magic))
		return -EBADMSG;
	slot_checksum(p, sum);
	if (memcmp(sum, p + SLOT_AT_CHECKSUM, sizeof(sum)) != 0)
		return -EBADMSG;
	if (p[SLOT_AT_VERSION] != SLOT_VERSION || p[SLOT_AT_FLAGS] != CIPHER_FORMAT_FLAGS)
		return -EPROTONOSUPPORT;
	struct slot_info info = {
	    .kind = p[SLOT_AT_KIND],
	    .account_id = num_get64(p + SLOT_AT_ACCOUNT),
	    .cost = {num_get32(p + SLOT_AT_MEMORY), num_get32(p + SLOT_AT_PASSES)},
	};
	if (!slot_fields_are_valid(p, &info))
		return -EBADMSG;
	*ret_info = info;
	return 0;
}

/* Decodes a slot that must be of this kind and account. */
static int slot_expect(
    struct str slot, enum slot_kind kind, uint64_t account_id, struct slot_info *ret_info)
{
	int r = slot_decode(slot, ret_info);

	if (r < 0)
		return r;
	if (ret_info->kind != kind)
		return -EINVAL;
	return ret_info->account_id == account_id ? 0 : -EACCES;
}

/* Argon2id version 1.3, one lane (RFC 9106). */
static int slot_stretch(struct str password, const uint8_t *salt, const struct slot_cost *cost,
    struct secret **ret_credential)
{
	struct secret *credential CLEANUP(secret_free) = secret_new();

	if (password.len == 0 || password.len > SLOT_PASSWORD_MAX || !slot_cost_is_valid(cost))
		return -EINVAL;
	if (crypto_pwhash(credential->bytes, SECRET_LEN, password.p, password.len, salt,
	        cost->passes, (size_t)cost->memory_kib * 1024, crypto_pwhash_ALG_ARGON2ID13) != 0)
		return -ENOMEM;
	*ret_credential = secret_take(&credential);
	return 0;
}

int slot_seal_password(const struct secret *master, uint64_t account_id, struct str password,
    const struct slot_cost *cost, uint8_t ret_slot[static SLOT_LEN])
{
	uint8_t slot[SLOT_LEN];
	struct secret *credential CLEANUP(secret_free) = NULL;

	slot_begin(slot, SLOT_PASSWORD, account_id);
	int r = slot_stretch(password, slot + SLOT_AT_SALT, cost, &credential);
	if (r < 0)
		return r;
	num_put32(slot + SLOT_AT_MEMORY, cost->memory_kib);
	num_put32(slot + SLOT_AT_PASSES, cost->passes);
	slot_finish(slot, credential, master);
	memcpy(ret_slot, slot, SLOT_LEN);
	return 0;
}

int slot_open_password(
    struct str slot, uint64_t account_id, struct str password, struct secret **ret_master)
{
	struct slot_info info;
	struct secret *credential CLEANUP(secret_free) = NULL;
	int r = slot_expect(slot, SLOT_PASSWORD, account_id, &info);

	if (r < 0)
		return r;
	const uint8_t *p = (const uint8_t *)slot.p;
	r = slot_stretch(password, p + SLOT_AT_SALT, &info.cost, &credential);
	return r < 0 ? r : slot_unwrap(p, credential, ret_master);
}

void slot_seal_token(const struct secret *master, uint64_t account_id,
    const uint8_t token[static SLOT_TOKEN_LEN], uint8_t ret_slot[static SLOT_LEN])
{
	struct secret *credential CLEANUP(secret_free) = secret_copy(token);

	slot_begin(ret_slot, SLOT_TOKEN, account_id);
	slot_finish(ret_slot, credential, master);
}

int slot_open_token(struct str slot, uint64_t account_id,
    const uint8_t token[static SLOT_TOKEN_LEN], struct secret **ret_master)
{
	struct slot_info info;
	int r = slot_expect(slot, SLOT_TOKEN, account_id, &info);

	if (r < 0)
		return r;
	struct secret *credential CLEANUP(secret_free) = secret_copy(token);
	return slot_unwrap((const uint8_t *)slot.p, credential, ret_master);
}

/* What the agreement gives, bound to both public keys. */
static int slot_agree(const uint8_t *private_key, const uint8_t *peer, const uint8_t *ephemeral,
    const uint8_t *recovery, struct secret **ret_credential)
{
	struct secret *shared CLEANUP(secret_free) = secret_new();
	uint8_t context[2 * CIPHER_PUBLIC_LEN];

	if (!cipher_agree(private_key, peer, shared->bytes))
		return -EINVAL;
	memcpy(context, ephemeral, CIPHER_PUBLIC_LEN);
	memcpy(context + CIPHER_PUBLIC_LEN, recovery, CIPHER_PUBLIC_LEN);
	*ret_credential = secret_derive(shared, "slot recovery", str_of(context, sizeof(context)));
	return 0;
}

int slot_seal_recovery(const struct secret *master, uint64_t account_id,
    const uint8_t recovery_public[static CIPHER_PUBLIC_LEN], uint8_t ret_slot[static SLOT_LEN])
{
	uint8_t slot[SLOT_LEN];
	struct secret *ephemeral CLEANUP(secret_free) = secret_new();
	struct secret *credential CLEANUP(secret_free) = NULL;

	slot_begin(slot, SLOT_RECOVERY, account_id);
	cipher_pair_new(ephemeral->bytes, slot + SLOT_AT_SALT);
	int r = slot_agree(
	    ephemeral->bytes, recovery_public, slot + SLOT_AT_SALT, recovery_public, &credential);
	if (r < 0)
		return r;
	slot_finish(slot, credential, master);
	memcpy(ret_slot, slot, SLOT_LEN);
	return 0;
}

int slot_open_recovery(struct str slot, uint64_t account_id, const struct secret *recovery_private,
    struct secret **ret_master)
{
	struct slot_info info;
	uint8_t recovery_public[CIPHER_PUBLIC_LEN];
	struct secret *credential CLEANUP(secret_free) = NULL;
	int r = slot_expect(slot, SLOT_RECOVERY, account_id, &info);

	if (r < 0)
		return r;
	const uint8_t *p = (const uint8_t *)slot.p;
	cipher_pair_public(recovery_private->bytes, recovery_public);
	r = slot_agree(recovery_private->bytes, p + SLOT_AT_SALT, p + SLOT_AT_SALT, recovery_public,
	    &credential);
	return r < 0 ? r : slot_unwrap(p, credential, ret_master);
}

void slot_waste_password(struct str password, const struct slot_cost *cost)
{
	static const uint8_t salt[SLOT_SALT_LEN];
	struct secret *credential CLEANUP(secret_free) = NULL;

	/* The result is of no interest, only the time it takes. */
	if (slot_stretch(password, salt, cost, &credential) < 0)
		return;
}
