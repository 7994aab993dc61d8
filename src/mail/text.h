/*
 * mail/text.h: the readable text of a message, part by part, as UTF-8: what SEARCH BODY looks at.
 *
 * Every text part (text/plain, text/html with its tags, …) with its transfer encoding and charset
 * decoded. It does not strip HTML, and does not look into other media types.
 *
 * Limits: the caller's, per part, in decoded bytes; TEXT_PARTS_MAX parts.
 */
#ifndef MAIL_TEXT_H
#define MAIL_TEXT_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"
#include "mail/mime.h"

enum { TEXT_PARTS_MAX = 1000 };

/* An iteration: `(struct text_reader){.message = message, .next = root}`. */
struct text_reader {
	struct str message;
	const struct mime_part *next;
	size_t n_read;
};

/*
 * Puts the next text part's text into `text`, which is cleared first and whose ceiling bounds it: a
 * longer part is cut there, at a character (`buf_failed(text)` tells). False after the last part.
 */
bool text_next(struct text_reader *reader, struct buf *text, const struct mime_part **ret_part);

/* The same of one leaf, whatever its type says: decoded from its transfer encoding and charset. */
void text_of_part(struct str message, const struct mime_part *part, struct buf *text);

#endif
