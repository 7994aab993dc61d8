/*
 * Any bytes: the text is never longer than the HTML, UTF-8 where the HTML is, and the same when the
 * HTML comes in pieces.
 */
#include <assert.h>
#include <stdint.h>

#include "base/utf8.h"
#include "mail/html_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A reference to a character has its number in so many digits at most. */
static bool has_long_number(struct str html)
{
	size_t n = 0;

	for (size_t i = 0; i < html.len; i++) {
		n = ascii_hex(html.p[i]) >= 0 ? n + 1 : 0;
		if (n > HTML_HELD_MAX / 2)
			return true;
	}
	return false;
}

static void check_pieces(struct str html, struct str want)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(html.len),
	               held CLEANUP(buf_done) = BUF_MAX(html.len);
	struct html_text h = {0};
	size_t used;

	for (struct str rest = html; rest.len > 0; rest = str_from(rest, 7)) {
		buf_add(&held, str_first(rest, 7));
		assert(html_text_add(&h, buf_str(&held), rest.len <= 7, &out, &used));
		buf_consume(&held, used);
		assert(held.len <= HTML_HELD_MAX);
	}
	assert(held.len == 0 && str_eq(buf_str(&out), want));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str html = str_of(data, len);
	struct buf whole CLEANUP(buf_done) = BUF_MAX(len),
	                 half CLEANUP(buf_done) = BUF_MAX(len / 2);

	assert(html_to_text(html, &whole));
	assert(!utf8_is_valid(html) || utf8_is_valid(buf_str(&whole)));
	if (!html_to_text(html, &half))
		assert(str_starts(buf_str(&whole), buf_str(&half)));
	if (!has_long_number(html))
		check_pieces(html, buf_str(&whole));
	return 0;
}
