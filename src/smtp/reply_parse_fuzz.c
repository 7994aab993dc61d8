/* Replies of a server: what is taken keeps to its limits, more bytes never change what was whole,
 * and what people read is short and clean. */
#include <assert.h>

#include "base/utf8.h"
#include "smtp/reply_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const struct smtp_answer *answer)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(SMTP_ANSWER_TEXT_MAX);
	smtp_answer_text(answer, &text);
	assert(!buf_failed(&text) && utf8_is_valid(buf_str(&text)));
	for (size_t i = 0; i < text.len; i++)
		assert((unsigned char)text.p[i] >= 32 && text.p[i] != 127);
}

/* Any part of it is partial: a reply that comes byte by byte is the same reply. */
static void check_parts(struct str whole)
{
	struct smtp_answer answer;
	size_t len;
	for (size_t part = 0; part < whole.len; part += 1 + whole.len / 64) {
		enum smtp_answer_result r =
		    smtp_answer_parse(str_first(whole, part), &answer, &len);
		assert(r == SMTP_ANSWER_PARTIAL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = str_of(data, size);
	struct smtp_answer answer;
	size_t len;
	while (smtp_answer_parse(rest, &answer, &len) == SMTP_ANSWER_COMPLETE) {
		assert(answer.code >= 200 && answer.code <= 599);
		assert(len > 0 && len <= rest.len && len <= SMTP_ANSWER_MAX);
		assert(answer.lines.len == len);
		check_text(&answer);
		check_parts(answer.lines);
		struct smtp_status status = smtp_answer_status(&answer);
		assert(str_of_cstr(status.text).len >= 5);
		struct smtp_extensions extensions;
		smtp_extensions_parse(&answer, &extensions);
		assert(extensions.size || extensions.size_max == 0);
		rest = str_from(rest, len);
	}
	return 0;
}
