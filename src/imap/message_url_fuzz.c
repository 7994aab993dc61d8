/* Any bytes as a URL of a message: what is one has a UID, a section and a name without controls. */
#include <assert.h>

#include "base/utf8.h"
#include "imap/message_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct buf label CLEANUP(buf_done) = BUF_MAX(2 * MESSAGE_URL_LEN_MAX);
	struct message_url url;

	if (!message_url_parse(str_of(data, len), &arena, &url))
		return 0;
	assert(url.uid > 0 && url.item.kind == FETCH_SECTION && url.item.peek);
	assert(!url.has_mailbox || (url.mailbox.len > 0 && utf8_is_valid(url.mailbox)));
	imap_fetch_label_write(&url.item, &label);
	assert(!buf_failed(&label));
	return 0;
}
