/*
 * A message, in pieces of a length that its first byte says, goes out so that a client which ends
 * lines at CRLF and one which ends them at LF read the same message and the same end.
 */
#include <assert.h>

#include "mail/line_end.h"
#include "pop3/multiline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_all(struct pop3_multiline *m, struct str message, size_t piece, struct buf *out)
{
	while (message.len > 0 && pop3_multiline_write(m, str_first(message, piece), out))
		message = str_from(message, piece);
	pop3_multiline_end(m, out);
	assert(!buf_failed(out));
}

/* What the client has: its length, the dots taken out. The response ends where `sent` does. */
static uint64_t read_back(struct str sent, struct str separator)
{
	uint64_t len = 0;

	for (;;) {
		size_t at = str_find(sent, separator);
		assert(at < sent.len);
		struct str line = str_first(sent, at);
		sent = str_from(sent, at + separator.len);
		if (separator.len == 1 && str_ends(line, STR("\r")))
			line.len--;
		if (str_eq(line, STR(".")))
			break;
		len += line.len + 2 - str_starts(line, STR("."));
	}
	assert(sent.len == 0);
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct str message = str_of(data + 1, size - 1);
	size_t piece = (size_t)(data[0] & 0x3f) + 1;
	struct buf out CLEANUP(buf_done) = BUF_MAX(2 * size + 16);
	struct buf top CLEANUP(buf_done) = BUF_MAX(2 * size + 16);
	struct pop3_multiline m = POP3_MULTILINE_WHOLE;

	write_all(&m, message, piece, &out);
	assert(m.octets == message.len + line_end_missing(message));
	assert(read_back(buf_str(&out), STR("\r\n")) == m.octets);
	assert(read_back(buf_str(&out), STR("\n")) == m.octets);

	m = POP3_MULTILINE_TOP(data[0] >> 6);
	write_all(&m, message, piece, &top);
	assert(top.len <= out.len);
	assert(str_starts(buf_str(&out), str_first(buf_str(&top), top.len - 3)));
	return 0;
}
