/* SASL PLAIN: what is taken has its three parts and nothing else. */
#include "imap/sasl_plain.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf decoded CLEANUP(buf_done) = BUF_MAX(SASL_PLAIN_LEN_MAX);
	struct sasl_plain plain;

	if (!sasl_plain_decode(str_of(data, len), &decoded, &plain))
		return 0;
	assert(plain.user.len > 0 && plain.password.len > 0);
	assert(plain.authorization.len + plain.user.len + plain.password.len + 2 == decoded.len);
	return 0;
}
