/* Decoding gives UTF-8 without line ends; what is encoded decodes to the same, in short lines. */
#include <assert.h>
#include <stdint.h>

#include "base/utf8.h"
#include "mail/encoded_word.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_encoding(struct str text)
{
	struct buf encoded CLEANUP(buf_done) = BUF_MAX(1 << 24);
	struct buf decoded CLEANUP(buf_done) = BUF_MAX(1 << 24);

	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f)
			return;
	}
	assert(encoded_word_encode(text, 9, &encoded));
	assert(encoded_word_decode(buf_str(&encoded), &decoded));
	assert(str_eq(str_trim(text), str_trim(buf_str(&decoded))));
	struct str rest = buf_str(&encoded);
	if (str_eq(rest, text))
		return;
	while (rest.len > 0)
		assert(str_cut_line(&rest).len <= 76);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(1 << 24);
	struct buf few CLEANUP(buf_done) = BUF_MAX(10);

	if (!encoded_word_decode(str_of(data, len), &text))
		return 0;
	assert(utf8_is_valid(buf_str(&text)));
	(void)encoded_word_decode(str_of(data, len), &few);
	assert(utf8_is_valid(buf_str(&few)) && str_starts(buf_str(&text), buf_str(&few)));
	check_encoding(buf_str(&text));
	return 0;
}
