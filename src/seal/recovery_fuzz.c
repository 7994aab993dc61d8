/* The recovery key's text: what is taken is the same key when written again. */
#include <assert.h>

#include "seal/recovery.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct secret *read CLEANUP(secret_free) = NULL, *again CLEANUP(secret_free) = NULL;
	char text[RECOVERY_TEXT_LEN + 1];

	if (recovery_decode(str_of(data, len), &read) < 0)
		return 0;
	recovery_encode(read, text);
	int r = recovery_decode(str_of_cstr(text), &again);
	assert(r == 0);
	assert(memcmp(read->bytes, again->bytes, SECRET_LEN) == 0);
	return 0;
}
