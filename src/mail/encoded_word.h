/*
 * mail/encoded_word.h: non-ASCII text in header fields (RFC 2047; RFC 2231 §5 languages).
 *
 * Decoding is lenient: words inside other text, longer than 75 bytes, with white space in them, in
 * unknown charsets; what is no word stays. White space between two words goes away, and a character
 * that was split over adjacent words of one charset is put together again.
 *
 * It does not unquote (mail/address.h has done so), and results may hold any character: whoever
 * shows or stores them elsewhere deals with controls. Line breaks are removed as in unfolding.
 */
#ifndef MAIL_ENCODED_WORD_H
#define MAIL_ENCODED_WORD_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

enum { ENCODED_WORD_LEN_MAX = 75 }; /* of the words we make, RFC 2047 §2 */

/*
 * Appends the decoding of a field's value or of an address's name as UTF-8, trimmed. 8-bit bytes
 * outside words are taken as UTF-8 or, failing that, as windows-1252. False when it does not fit:
 * what fits is there.
 */
bool encoded_word_decode(struct str raw, struct buf *out);

/*
 * Appends UTF-8 `text` as encoded words (charset UTF-8, B or Q, whichever is shorter), folded with
 * CRLF SPACE so that no line is longer than 76 bytes, when the line so far has `column` bytes.
 * ASCII text without anything that looks like a word is added as it stands. Controls are dropped.
 */
bool encoded_word_encode(struct str text, size_t column, struct buf *out);

#endif
