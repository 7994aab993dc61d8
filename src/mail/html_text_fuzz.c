/* Any bytes: the text is never longer than the HTML, and UTF-8 where the HTML is. */
#include <assert.h>
#include <stdint.h>

#include "base/utf8.h"
#include "mail/html_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str html = str_of(data, len);
	struct buf whole CLEANUP(buf_done) = BUF_MAX(len),
	                 half CLEANUP(buf_done) = BUF_MAX(len / 2);

	assert(html_to_text(html, &whole));
	assert(!utf8_is_valid(html) || utf8_is_valid(buf_str(&whole)));
	if (!html_to_text(html, &half))
		assert(str_starts(buf_str(&whole), buf_str(&half)));
	return 0;
}
