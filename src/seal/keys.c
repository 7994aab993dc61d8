#include "seal/keys.h"

#include <errno.h>
#include <string.h>

#include "base/num.h"

/* Offsets in the file; docs/formats.md draws it. */
enum {
	KEYS_AT_VERSION = 6,
	KEYS_AT_FLAGS = 7,
	KEYS_AT_ACCOUNT = 8,
	KEYS_AT_QUOTA = 16,
	KEYS_AT_PUBLIC = 24,
	KEYS_AT_NONCE = 56,
	KEYS_AT_PRIVATE = 80,
	KEYS_AT_TAG = 112,
	KEYS_AT_CHECKSUM = 128,
	KEYS_VERSION = 1,
};

static const struct str keys_magic = STR_INIT("GPkeys");

void keys_done(struct keys *keys)
{
	secret_free(&keys->private_key);
}

struct secret *keys_derive(const struct secret *master, uint64_t account_id, const char *label)
{
	uint8_t context[8];

	num_put64(context, account_id);
	return secret_derive(master, label, str_of(context, sizeof(context)));
}

void keys_new(uint64_t account_id, uint64_t quota_bytes, struct keys *ret_keys)
{
	struct secret *private_key = secret_new();

	*ret_keys = (struct keys){.public = {.account_id = account_id, .quota_bytes = quota_bytes}};
	cipher_pair_new(private_key->bytes, ret_keys->public.public_key);
	ret_keys->private_key = private_key;
}

static void keys_checksum(const uint8_t *file, uint8_t ret_sum[static CIPHER_CHECKSUM_LEN])
{
	struct str all = str_of(file, KEYS_AT_CHECKSUM);

	cipher_checksum(&all, 1, ret_sum);
}

void keys_encode(
    const struct keys *keys, const struct secret *master, uint8_t ret_file[static KEYS_FILE_LEN])
{
	struct secret *wrapping CLEANUP(secret_free) =
	    keys_derive(master, keys->public.account_id, KEYS_LABEL_PRIVATE_KEY);

	memset(ret_file, 0, KEYS_FILE_LEN);
	memcpy(ret_file, keys_magic.p, keys_magic.len);
	ret_file[KEYS_AT_VERSION] = KEYS_VERSION;
	ret_file[KEYS_AT_FLAGS] = CIPHER_FORMAT_FLAGS;
	num_put64(ret_file + KEYS_AT_ACCOUNT, keys->public.account_id);
	num_put64(ret_file + KEYS_AT_QUOTA, keys->public.quota_bytes);
	memcpy(ret_file + KEYS_AT_PUBLIC, keys->public.public_key, CIPHER_PUBLIC_LEN);
	cipher_random(ret_file + KEYS_AT_NONCE, CIPHER_XNONCE_LEN);
	cipher_xseal(wrapping->bytes, ret_file + KEYS_AT_NONCE, str_of(ret_file, KEYS_AT_NONCE),
	    str_of(keys->private_key->bytes, SECRET_LEN), ret_file + KEYS_AT_PRIVATE,
	    ret_file + KEYS_AT_TAG);
	keys_checksum(ret_file, ret_file + KEYS_AT_CHECKSUM);
}

int keys_decode_public(struct str file, struct keys_public *ret_public)
{
	const uint8_t *p = (const uint8_t *)file.p;
	uint8_t sum[CIPHER_CHECKSUM_LEN];

	if (file.len != KEYS_FILE_LEN || !str_starts(file, keys_magic))
		return -EBADMSG;
	keys_checksum(p, sum);
	if (memcmp(sum, p + KEYS_AT_CHECKSUM, sizeof(sum)) != 0)
		return -EBADMSG;
	if (p[KEYS_AT_VERSION] != KEYS_VERSION || p[KEYS_AT_FLAGS] != CIPHER_FORMAT_FLAGS)
		return -EPROTONOSUPPORT;
	ret_public->account_id = num_get64(p + KEYS_AT_ACCOUNT);
	ret_public->quota_bytes = num_get64(p + KEYS_AT_QUOTA);
	memcpy(ret_public->public_key, p + KEYS_AT_PUBLIC, CIPHER_PUBLIC_LEN);
	return 0;
}

int keys_decode(
    struct str file, const struct secret *master, uint64_t account_id, struct keys *ret_keys)
{
	const uint8_t *p = (const uint8_t *)file.p;
	struct keys_public public;
	uint8_t public_key[CIPHER_PUBLIC_LEN];
	int r = keys_decode_public(file, &public);

	if (r < 0)
		return r;
	if (public.account_id != account_id)
		return -EACCES;
	struct secret *wrapping CLEANUP(secret_free) =
	    keys_derive(master, account_id, KEYS_LABEL_PRIVATE_KEY);
	struct secret *private_key CLEANUP(secret_free) = secret_new();
	if (!cipher_xopen(wrapping->bytes, p + KEYS_AT_NONCE, str_of(p, KEYS_AT_NONCE),
	        str_of(p + KEYS_AT_PRIVATE, SECRET_LEN), p + KEYS_AT_TAG, private_key->bytes))
		return -EACCES;
	cipher_pair_public(private_key->bytes, public_key);
	if (!cipher_equal(public_key, public.public_key, sizeof(public_key)))
		return -EACCES;
	*ret_keys = (struct keys){.public = public, .private_key = secret_take(&private_key)};
	return 0;
}
