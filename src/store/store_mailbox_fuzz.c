/* Any bytes as a mailbox name: its one spelling is a valid name and spells itself. */
#include <assert.h>
#include <stdint.h>

#include "base/utf8.h"
#include "store/store_mailbox.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf once CLEANUP(buf_done) = BUF_MAX(STORE_MAILBOX_NAME_MAX);
	struct buf twice CLEANUP(buf_done) = BUF_MAX(STORE_MAILBOX_NAME_MAX);
	if (store_mailbox_name(str_of(data, len), &once) < 0) {
		assert(once.len == 0);
		return 0;
	}
	assert(once.len > 0 && utf8_is_valid(buf_str(&once)));
	assert(store_mailbox_name(buf_str(&once), &twice) == 0);
	assert(str_eq(buf_str(&once), buf_str(&twice)));
	return 0;
}
