/*
 * mail/text.h: the readable text of a message's leaf as UTF-8: what SEARCH BODY looks at.
 *
 * Its transfer encoding and charset are decoded, a piece at a time, so that a large one is never in
 * memory as a whole. It does not strip HTML, and does not look at the media type.
 */
#ifndef MAIL_TEXT_H
#define MAIL_TEXT_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"
#include "mail/charset.h"
#include "mail/mime.h"

enum { TEXT_PIECE_LEN = 64 << 10 }; /* of decoded bytes that are converted together */

/* Going through a leaf: text_stream_begin, text_stream_next …, text_stream_done. */
struct text_stream {
	struct mail_source *message; /* borrowed, and so is the part */
	struct str charset;
	uint64_t at, end; /* bytes of the body that were not decoded yet */
	struct transfer_decoder transfer;
	struct charset_decoder *decoder;
	size_t piece_len; /* TEXT_PIECE_LEN, or less where less is wanted */
	struct buf raw;
};

void text_stream_begin(
    struct text_stream *t, struct mail_source *message, const struct mime_part *part);
/*
 * Appends the next piece of text, cut at `text`'s ceiling (`buf_failed(text)` tells). 1: there is
 * more; 0: that was all, or the ceiling is reached; what reading the message says.
 */
MUST_USE int text_stream_next(struct text_stream *t, struct buf *text);
/* For CLEANUP. */
void text_stream_done(struct text_stream *t);

/*
 * The text of one leaf, cut at the ceiling, at a character (`buf_failed(text)` tells). 0 or what
 * reading the message says.
 */
MUST_USE int text_of_part(
    struct mail_source *message, const struct mime_part *part, struct buf *text);

#endif
