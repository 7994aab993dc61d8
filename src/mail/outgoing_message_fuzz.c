/* Any bytes as a message on its way out: one that is taken can be completed, and what comes out
 * would be taken again and changed no more. */
#include <assert.h>
#include <stdint.h>

#include "mail/outgoing_message.h"

enum { ARENA_LEN = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(struct str text, bool complete, enum outgoing_body declared)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(ARENA_LEN);
	struct buf once CLEANUP(buf_done) = BUF_MAX(text.len + 1000);
	struct buf twice CLEANUP(buf_done) = BUF_MAX(text.len + 2000);
	const struct outgoing_completion with = {
	    .date = {.epoch_s = 1700000000}, .message_id = STR("<a@b>"), .sender = STR("")};
	struct outgoing_found f;

	outgoing_examine(text, complete, declared, &a, &f);
	assert(f.header.len + f.text.len == text.len);
	assert((f.verdict == OUTGOING_OK) == (f.detail[0] == '\0'));
	if (f.verdict != OUTGOING_OK)
		return;
	assert(f.n_authors <= OUTGOING_AUTHORS);
	if (!complete)
		return;
	assert(f.n_authors > 0 && outgoing_complete(&f, &with, &once));
	outgoing_examine(buf_str(&once), true, declared, &a, &f);
	assert(f.verdict == OUTGOING_OK && !f.lacks_date && !f.lacks_message_id);
	assert(outgoing_complete(&f, &with, &twice) && str_eq(buf_str(&once), buf_str(&twice)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str text = str_of(data, len);

	check(text, true, OUTGOING_7BIT);
	check(text, true, OUTGOING_BINARY);
	check(text, false, OUTGOING_8BIT);
	return 0;
}
