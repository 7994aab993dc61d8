/* The file `keys`, as it comes and with its checksum made right. */
#include <assert.h>
#include <stdlib.h>

#include "seal/keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void decode(struct str file)
{
	static const uint8_t bytes[SECRET_LEN] = {7};
	struct secret *master CLEANUP(secret_free) = secret_copy(bytes);
	struct keys keys CLEANUP(keys_done) = {0};
	struct keys_public public;

	if (keys_decode_public(file, &public) == 0 &&
	    keys_decode(file, master, public.account_id, &keys) == 0)
		assert(keys.public.quota_bytes == public.quota_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t mended[KEYS_FILE_LEN];

	decode(str_of(data, len));
	if (len != KEYS_FILE_LEN)
		return 0;
	memcpy(mended, data, len);
	struct str front = str_of(mended, KEYS_FILE_LEN - CIPHER_CHECKSUM_LEN);
	cipher_checksum(&front, 1, mended + front.len);
	decode(str_of(mended, sizeof(mended)));
	return 0;
}
