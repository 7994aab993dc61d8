/*
 * "charset\n" and bytes: the result is UTF-8 whatever the bytes are, bounded results are prefixes,
 * and folding twice is folding once.
 */
#include <assert.h>
#include <stdint.h>

#include "base/utf8.h"
#include "mail/charset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str rest = str_of(data, len);
	struct str charset = str_cut(&rest, '\n');
	struct buf text CLEANUP(buf_done) = BUF_MAX(1 << 24);
	struct buf few CLEANUP(buf_done) = BUF_MAX(10);
	struct buf folded CLEANUP(buf_done) = BUF_MAX(1 << 26);
	struct buf again CLEANUP(buf_done) = BUF_MAX(1 << 26);

	if (!charset_to_utf8(charset, rest, &text))
		return 0;
	assert(utf8_is_valid(buf_str(&text)));
	assert(charset_to_utf8(charset, rest, &few) == (text.len <= 10));
	assert(str_starts(buf_str(&text), buf_str(&few)) && utf8_is_valid(buf_str(&few)));
	if (!charset_fold(buf_str(&text), &folded))
		return 0;
	assert(utf8_is_valid(buf_str(&folded)));
	assert(charset_fold(buf_str(&folded), &again));
	assert(utf8_is_valid(buf_str(&again)));
	buf_clear(&again);
	assert(charset_search_key(buf_str(&text), &again) && utf8_is_valid(buf_str(&again)));
	return 0;
}
