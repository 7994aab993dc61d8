/* Bytes of a connection through the reader and the command parser, as gate and session do it. */
#include <assert.h>
#include <stdlib.h>

#include "imap/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void parse(struct imap_reader *r)
{
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(IMAP_COMMAND_ARENA_MAX);
	struct buf out CLEANUP(buf_done) = BUF_MAX(1 << 20);
	struct imap_parser p = imap_parser_of(imap_reader_text(r), &arena);
	struct imap_command c;

	if (!imap_command_parse(&p, &c)) {
		assert(p.error != NULL && p.error_at <= p.text.text.len && c.tag.len > 0);
		imap_error_write(&p, &out);
		return;
	}
	assert(p.error == NULL && p.rest.len == 0);
	for (size_t i = 0; i < c.fetch.items.n; i++)
		imap_fetch_label_write(&c.fetch.items.v[i], &out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct imap_limits limits = {
	    .text_len = 4096, .literal_len = 4096, .message_len = 8192, .messages_len = 10000};
	struct imap_reader *r = imap_reader_new(&limits);
	struct str rest = str_of(data, len);
	enum imap_read result = IMAP_READ_CONTINUE;

	while (result != IMAP_READ_FATAL && (result != IMAP_READ_MORE || rest.len > 0)) {
		result = imap_reader_feed(r, &rest);
		if (result == IMAP_READ_COMMAND)
			parse(r);
		if (result == IMAP_READ_COMMAND || result == IMAP_READ_REFUSED) {
			assert(imap_reader_tag(r).len > 0);
			imap_reader_reset(r);
		}
	}
	imap_reader_free(r);
	return 0;
}
