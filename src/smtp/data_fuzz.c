/*
 * The scanner: however the bytes arrive (cut where the first byte says), the message and its end
 * are the same, and no CR or LF stands alone in what it let through.
 */
#include <assert.h>

#include "base/buf.h"
#include "smtp/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_INPUT_MAX = 16384 };

/* As the dialogue does: runs are kept, lines that are too long are dropped. */
static enum smtp_data take(struct str *rest, bool *skipping, struct buf *out)
{
	for (;;) {
		struct str run = STR("");
		enum smtp_data result =
		    *skipping ? smtp_data_skip(rest) : smtp_data_next(rest, &run);
		buf_add(out, run);
		if (result == SMTP_DATA_RUN)
			*skipping = false;
		else if (result == SMTP_DATA_LONG_LINE)
			*skipping = true;
		else
			return result;
	}
}

static enum smtp_data receive(struct str all, size_t step, struct buf *out)
{
	struct buf in CLEANUP(buf_done) = BUF_MAX(FUZZ_INPUT_MAX);
	bool skipping = false;
	enum smtp_data result = SMTP_DATA_MORE;
	while (all.len > 0 && result == SMTP_DATA_MORE) {
		struct str piece = str_first(all, step);
		all = str_from(all, piece.len);
		buf_add(&in, piece);
		struct str rest = buf_str(&in);
		result = take(&rest, &skipping, out);
		buf_consume(&in, in.len - rest.len);
		assert(result != SMTP_DATA_MORE || in.len <= SMTP_TEXT_LINE_MAX + 1);
	}
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 || size > FUZZ_INPUT_MAX)
		return 0;
	struct str all = str_of(data + 1, size - 1);
	struct buf whole CLEANUP(buf_done) = BUF_MAX(FUZZ_INPUT_MAX);
	struct buf pieces CLEANUP(buf_done) = BUF_MAX(FUZZ_INPUT_MAX);
	enum smtp_data a = receive(all, all.len, &whole);
	enum smtp_data b = receive(all, (size_t)data[0] + 1, &pieces);
	assert(a == b);
	assert(str_eq(buf_str(&whole), buf_str(&pieces)));
	struct str text = buf_str(&whole);
	assert(smtp_text_check(&text) == SMTP_DATA_MORE && text.len == 0);
	assert(whole.len == 0 || whole.p[whole.len - 1] == '\n');
	return 0;
}
