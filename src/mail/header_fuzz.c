/* Any bytes: header and body are the message, fields lie in order inside the header. */
#include <assert.h>
#include <stdint.h>

#include "mail/header.h"
#include "mail/received.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str message = str_of(data, len), header, body;
	struct buf unfolded CLEANUP(buf_done) = BUF_MAX(len);

	header_split(message, &header, &body);
	assert(header.len + body.len == len);
	assert(body.len == 0 || body.p == header.p + header.len);
	struct header_reader reader = {.rest = header};
	struct header_field field;
	const char *after = header.p;
	size_t n = 0;
	while (header_next(&reader, &field)) {
		assert(field.whole.p >= after && field.name.len > 0);
		after = field.whole.p + field.whole.len;
		assert(after <= header.p + header.len);
		buf_clear(&unfolded);
		assert(header_unfold(field.value, &unfolded));
		assert(str_index(buf_str(&unfolded), '\n') == unfolded.len);
		n++;
	}
	assert(n <= HEADER_FIELDS_MAX && received_count(header) <= n);
	return 0;
}
