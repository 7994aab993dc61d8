/* Slots, as they come and with their checksum made right. Expensive costs are not paid. */
#include <assert.h>

#include "seal/slot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const uint8_t token[SECRET_LEN] = {7};

static void decode(struct str slot)
{
	struct slot_info info;
	struct secret *secret CLEANUP(secret_free) = secret_copy(token);
	struct secret *master CLEANUP(secret_free) = NULL;

	if (slot_decode(slot, &info) < 0)
		return;
	assert(slot.len == SLOT_LEN);
	switch (info.kind) {
	case SLOT_PASSWORD:
		assert(info.cost.passes >= 1 && info.cost.memory_kib <= SLOT_MEMORY_KIB_MAX);
		if (info.cost.memory_kib <= 64 && info.cost.passes <= 2 &&
		    slot_open_password(slot, info.account_id, STR("x"), &master) == 0)
			assert(master != NULL);
		break;
	case SLOT_TOKEN:
		if (slot_open_token(slot, info.account_id, token, &master) == 0)
			assert(master != NULL);
		break;
	case SLOT_RECOVERY:
		if (slot_open_recovery(slot, info.account_id, secret, &master) == 0)
			assert(master != NULL);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t mended[SLOT_LEN];

	decode(str_of(data, len));
	if (len != SLOT_LEN)
		return 0;
	memcpy(mended, data, len);
	struct str front = str_of(mended, SLOT_LEN - CIPHER_CHECKSUM_LEN);
	cipher_checksum(&front, 1, mended + front.len);
	decode(str_of(mended, sizeof(mended)));
	return 0;
}
