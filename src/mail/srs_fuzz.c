/* Any bytes as a local part that came back, and as a reverse-path: what is taken leads somewhere,
 * what is refused leaves nothing. */
#include <assert.h>
#include <stdint.h>

#include "mail/srs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[SRS_KEY_LEN];
	struct buf back CLEANUP(buf_done) = BUF_MAX(SRS_LEN_MAX);
	struct buf there CLEANUP(buf_done) = BUF_MAX(SRS_LEN_MAX);
	struct str text = str_of(data, size);

	if (srs_reverse(key, 1, text, &back) == 0)
		assert(back.len > 0);
	if (srs_forward(key, 1, text, STR("example.test"), &there) != 0)
		assert(there.len == 0);
	return 0;
}
