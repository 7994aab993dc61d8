/* Any bytes as References: identifiers are usable and lie in the field. */
#include <assert.h>
#include <stdint.h>

#include "mail/message_id.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str rest = str_of(data, len), id;
	const char *after = rest.p;

	while (message_id_next(&rest, &id)) {
		assert(id.len > 0 && id.len <= MESSAGE_ID_LEN_MAX && id.p > after);
		assert(str_index(id, ' ') == id.len && str_index(id, '>') == id.len);
		after = id.p;
	}
	assert(rest.len == 0);
	return 0;
}
